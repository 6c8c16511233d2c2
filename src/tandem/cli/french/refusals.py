"""Refusals and other errors of the process: who may not, what is not there, what cannot be read. English template to French."""

REFUSALS = {
    "{} needs {}; {} is not in {}. It can be done by: {}. Nothing was changed.": (
        "{} exige {~} ; {} n'est pas membre de {~}. Peut être effectué par : {~}. Rien n'a été modifié."
    ),
    "the {} have not agreed to the split of work yet ('tandem agree' records it)": (
        "les {~} n'ont pas encore accepté la répartition des tâches (« tandem agree » l'enregistre)"
    ),
    "{} holds no role of the messaging or voice administrators, and cannot agree for them": (
        "{} ne possède aucun rôle des administrateurs Exchange ou Lync Server et ne peut pas donner leur accord"
    ),
    "{}. Confirm that first, or give a reason with --force. Nothing was recorded.": (
        "{~}. Confirmez d'abord ces étapes, ou indiquez un motif avec --force. Rien n'a été enregistré."
    ),
    "{} (you cannot see whether {} is done)": "{~} (vous ne pouvez pas voir si {} est terminé)",
    "there is no runbook step of phase {} for {}": (
        "le guide d'exécution ne contient aucune étape de la phase {} pour {}"
    ),
    "there is no runbook step of phase {} for {} in {}": (
        "le guide d'exécution ne contient aucune étape de la phase {} pour {} dans {}"
    ),
    "there is no forest {}; there are: {}": "il n'existe aucune forêt {} ; forêts existantes : {}",
    "there is no runbook step {}; there are: {}": (
        "il n'existe aucune étape {} dans le guide d'exécution ; étapes existantes : {~}"
    ),
    "another apply is running on {}; nothing was changed. Try again when it has ended": (
        "une autre exécution est en cours sur {} ; rien n'a été modifié. Réessayez lorsqu'elle sera terminée"
    ),
    "internal error: task {} still reports changes after it was applied: {}": (
        "erreur interne : la tâche {} signale encore des modifications après avoir été exécutée : {~}"
    ),
    "there is no task {}; there are: {}": "il n'existe aucune tâche {} ; tâches existantes : {}",
    "would now change what the plan of {}Z does not say: {}; make a new plan": (
        "modifierait à présent ce que le plan du {}Z n'indique pas : {~} ; établissez un nouveau plan"
    ),
    "would now change what the plan of {}Z does not say: {} and {} more; make a new plan": (
        "modifierait à présent ce que le plan du {}Z n'indique pas : {~} et {} de plus ; établissez un nouveau plan"
    ),
    "{} cannot be read: {}": "{} ne peut pas être lu : {}",
    "{} has plan format {}; this version reads {}": "{} utilise le format de plan {} ; cette version lit le format {}",
    "{} is no plan that 'tandem plan --out' made": "{} n'est pas un plan établi par « tandem plan --out »",
    "{} was altered since it was made (its hash differs); make a new plan": (
        "{} a été altéré depuis son établissement (l'empreinte diffère) ; établissez un nouveau plan"
    ),
    "{} is a plan of {}, not of {}": "{} est un plan de {}, et non de {}",
    "the password of {} cannot be read from {}: {}; it is written there when the account gets it (phase 0), to be "
    "handed out. Without it: --password-file": (
        "le mot de passe de {} ne peut pas être lu dans {} : {} ; il y est écrit lorsque le compte le reçoit "
        "(phase 0), pour être remis à son titulaire. À défaut : --password-file"
    ),
    "{} is empty; it is to hold the password of {}": "{} est vide ; ce fichier doit contenir le mot de passe de {}",
    "{}: the last line is no line of the journal, so the chain ends there; nothing was changed. Move the file away "
    "to begin a new one, and keep it": (
        "{} : la dernière ligne n'est pas une ligne du journal, la chaîne s'y arrête donc ; rien n'a été modifié. "
        "Déplacez le fichier pour en commencer un nouveau, et conservez-le"
    ),
    "{}:{}: the chain is broken: this line or the one before was altered": (
        "{}:{} : la chaîne est rompue : cette ligne ou la précédente a été altérée"
    ),
    "{} already exists and is not empty; choose another folder": (
        "{} existe déjà et n'est pas vide ; choisissez un autre dossier"
    ),
    "UM dial plan {} is of URI type {} and declared as {}: the type cannot be changed; declare a dial plan of "
    "another name, and move its users there": (
        "Le plan de numérotation de messagerie unifiée {} est de type d'URI {} et déclaré de type {} : le type ne "
        "peut pas être modifié ; déclarez un plan de numérotation portant un autre nom et déplacez-y ses "
        "utilisateurs"
    ),
    "{}. If the authority is on another machine, have the certificate made there (tandem pki issue {}{}), and "
    "bring its folder to {}": (
        "{}. Si l'autorité de certification se trouve sur un autre ordinateur, faites-y établir le certificat "
        "(tandem pki issue {}{}) et copiez son dossier dans {}"
    ),
    "There is no voice pool to make a gateway for.": (
        "Il n'y a aucun pool de serveurs vocaux pour lequel créer une passerelle."
    ),
    "There is no secured SIP URI dial plan: gateways have no hunt groups. Run this again after phases 3 and 4.": (
        "Il n'y a aucun plan de numérotation à URI SIP sécurisé : les passerelles n'ont pas de groupement de "
        "postes. Exécutez de nouveau cette commande après les phases 3 et 4."
    ),
    "Restart the Front-End service (RTCSRV) on every server of {}: it sees UM objects only then.": (
        "Redémarrez le service frontal Lync Server (RTCSRV) sur chaque serveur de {} : il ne détecte les objets de "
        "messagerie unifiée qu'ensuite."
    ),
    "forest {} has no group {} that you can read: voice is prepared there in phase 0, and that forest has to trust "
    "yours; --forest names another forest": (
        "la forêt {} ne contient aucun groupe {} que vous puissiez lire : la phase 0 y prépare le côté voix, et "
        "cette forêt doit approuver la vôtre ; --forest désigne une autre forêt"
    ),
    "forest {} has no voice pools that you can read (phase 0); --forest names another forest": (
        "la forêt {} ne contient aucun pool de serveurs vocaux que vous puissiez lire (phase 0) ; --forest désigne "
        "une autre forêt"
    ),
    "no SIP URI dial plan can be read: either none is made (phase 3), or exchucutil has not given the voice side "
    "its permissions (phase 7), or the messaging forest does not trust this one (phase 0)": (
        "aucun plan de numérotation à URI SIP ne peut être lu : soit il n'en a été créé aucun (phase 3), soit "
        "exchucutil n'a pas accordé ses autorisations au côté voix (phase 7), soit la forêt de messagerie "
        "n'approuve pas celle-ci (phase 0)"
    ),
    "there is no SIP URI dial plan {}; there are: {}": (
        "il n'existe aucun plan de numérotation à URI SIP {} ; plans existants : {}"
    ),
    "there is no voice pool {}; there are: {}": "il n'existe aucun pool de serveurs vocaux {} ; pools existants : {~}",
    "there is no OU {}; make it, or choose another with --ou": (
        "il n'existe aucune unité d'organisation {} ; créez-la ou choisissez-en une autre avec --ou"
    ),
    "there is no OU {} that you can read; expected the distinguished name of one, such as "
    "OU=People,DC=example,DC=com": (
        "il n'existe aucune unité d'organisation {} que vous puissiez lire ; nom unique attendu, par exemple "
        "OU=People,DC=example,DC=com"
    ),
    "OU {}": "unité d'organisation {}",
    "{} may not create contacts in {}: inheritance may be blocked there; a directory administrator grants it with "
    "'tandem ou-permission grant FILE --type Contact --ou \"{}\"'": (
        "{} n'est pas autorisé à créer des contacts dans {} : l'héritage y est peut-être bloqué ; un "
        "administrateur Active Directory accorde ce droit avec « tandem ou-permission grant FICHIER --type Contact "
        '--ou "{}" »'
    ),
    "SIP address {} does not begin with sip:, such as sip:um-main@example.com": (
        "l'adresse SIP {} ne commence pas par sip:, par exemple sip:um-main@example.com"
    ),
    "SIP address {} is not USER@DOMAIN with a SIP domain that is supported: {}": (
        "l'adresse SIP {} n'est pas de la forme UTILISATEUR@DOMAINE avec un domaine SIP pris en charge : {}"
    ),
    "SIP address {} is used already, by {}": "l'adresse SIP {} est déjà utilisée par {~}",
    "number {} is not in E.164 form: + and up to 15 digits, such as +14255550100": (
        "le numéro {} n'est pas au format E.164 : + suivi de 15 chiffres au plus, par exemple +14255550100"
    ),
    "number {} is assigned already, to {}": "le numéro {} est déjà attribué à {~}",
    "UM dial plan {} has no auto attendant {}; it has: {}": (
        "le plan de numérotation de messagerie unifiée {} n'a aucun standard automatique {} ; standards existants : {~}"
    ),
    "user {}": "utilisateur {}",
    "contact {}": "contact {}",
    "{} contacts are called {}; expected one SIP address, number or display name": (
        "{} contacts correspondent à {} ; une adresse SIP, un numéro ou un nom d'affichage unique est attendu"
    ),
    "no password for {}, and nobody can be asked; use --password-file": (
        "aucun mot de passe pour {}, et personne ne peut être interrogé ; utilisez --password-file"
    ),
    "{} cannot be read as a password in UTF-8: {}": "{} ne peut pas être lu comme mot de passe en UTF-8 : {}",
    "the embedded directory takes no Kerberos tickets; use --password-file, or be asked": (
        "l'annuaire intégré n'accepte pas les tickets Kerberos ; utilisez --password-file ou saisissez le mot de passe"
    ),
    "the current Kerberos ticket is {}'s; expected one of {}: kinit {}": (
        "le ticket Kerberos actuel est celui de {} ; un ticket de {} est attendu : kinit {}"
    ),
    "there is no valid Kerberos ticket; expected one of {}: kinit {}": (
        "il n'y a aucun ticket Kerberos valide ; un ticket de {} est attendu : kinit {}"
    ),
    "{} is declared, but the account is not made yet; phase 0 makes it: 'tandem apply {} --phase preconditions', "
    "as {}": (
        "{} est déclaré, mais le compte n'est pas encore créé ; la phase 0 le crée : « tandem apply {} --phase "
        "preconditions », en tant que {}"
    ),
    "--as {}: the directory knows no such account; the administrators are {}": (
        "--as {} : l'annuaire ne connaît pas ce compte ; les administrateurs sont {}"
    ),
    "{}. If phase 0 was not carried out yet, there is no such account": (
        "{}. Si la phase 0 n'a pas encore été exécutée, ce compte n'existe pas"
    ),
    "--for {}: expected a team ({}) or an account that holds a role ({})": (
        "--for {} : une équipe ({}) ou un compte qui possède un rôle ({~}) est attendu"
    ),
}
