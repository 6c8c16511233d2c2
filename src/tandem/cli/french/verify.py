"""What verify checks: names, evidence, advice. English template to French."""

VERIFY = {
    "as declared": "conforme à la déclaration",
    "'tandem apply' does it: {}": "« tandem apply » s'en charge : {~}",
    "Certificate of {}": "Certificat de {}",
    "named, trusted, in its time": "nom correct, approuvé, en cours de validité",
    "apply phase 2": "exécutez la phase 2",
    "Not served by this release": "Non pris en charge par cette version",
    "Read, and not understood or told by something else": "Lu, mais non compris, ou indiqué par autre chose",
    "Read from the directory": "Lu dans l'annuaire",
    "see it by 'tandem collect' and 'tandem observe'": "observez-le avec « tandem collect » et « tandem observe »",
    "compare with the product's own tools": "comparez avec les outils du produit",
    "{} and {} more": "{~} et {} de plus",
    "Roles of {}": "Rôles de {}",
    "none": "aucun",
    "deploy its roles": "déployez ses rôles",
    "Startup mode of {}": "Mode de démarrage de {}",
    "set the startup mode, enable the certificate for UM, restart the service, in this order": (
        "définissez le mode de démarrage, activez le certificat pour la messagerie unifiée, puis redémarrez le "
        "service, dans cet ordre"
    ),
    "{}, with dial plans that are {}": "{}, avec des plans de numérotation dont la sécurité est {}",
    "Certificate for UM on {}": "Certificat pour la messagerie unifiée sur {}",
    "no certificate is enabled for UM": "aucun certificat n'est activé pour la messagerie unifiée",
    "URI type of {}": "Type d'URI de {}",
    "{}, which a voice pool cannot use": "{}, qu'un pool de serveurs vocaux ne peut pas utiliser",
    "make a dial plan of type SipName: it cannot be changed": (
        "créez un plan de numérotation de type SipName : le type ne peut pas être modifié"
    ),
    "Security of {} with {}": "Sécurité de {} avec {}",
    "{} with {}": "{} avec {}",
    "{}: every call to UM fails": "{~} : tous les appels vers la messagerie unifiée échouent",
    "set the dial plan to {}": "définissez la sécurité du plan de numérotation sur {~}",
    "Every UM server in {}": "Tous les serveurs de messagerie unifiée dans {}",
    "{} not in it: its calls to the pools are refused": (
        "{} n'en fait pas partie : ses appels vers les pools sont refusés"
    ),
    "add the server (phase 5)": "ajoutez le serveur (phase 5)",
    "UM servers of {}": "Serveurs de messagerie unifiée de {}",
    "{} server(s): {}": "{} serveur(s) : {}",
    "add a second UM server, so that one may fail": (
        "ajoutez un deuxième serveur de messagerie unifiée, afin que l'un puisse tomber en panne"
    ),
    "Gateway of {}": "Passerelle de {}",
    "none has its FQDN as address: UM takes no call from it": (
        "aucune n'a pour adresse son nom de domaine complet (FQDN) : la messagerie unifiée n'accepte aucun appel "
        "de sa part"
    ),
    "run exchucutil again (phase 7)": "exécutez de nouveau exchucutil (phase 7)",
    "run exchucutil (phase 7)": "exécutez exchucutil (phase 7)",
    "Hunt groups of {}": "Groupements de postes de {}",
    "none for {}": "aucun pour {}",
    "one per dial plan": "un par plan de numérotation",
    "Message waiting through {}": "Indicateur de message en attente par {}",
    "not allowed: phones never show it": "non autorisé : les téléphones ne l'affichent jamais",
    "allow it": "autorisez-le",
    "Outgoing calls": "Appels sortants",
    "leave OutcallsAllowed on exactly one gateway, of a pool that is no Director and no branch": (
        "n'activez OutcallsAllowed que sur une seule passerelle, celle d'un pool qui n'est ni un directeur ni une "
        "succursale"
    ),
    "one gateway per dial plan": "une passerelle par plan de numérotation",
    "Voice side's rights on {}": "Droits du côté voix sur {}",
    "no rights: {}": "aucun droit : {}",
    "list and read": "lister et lire",
    "Auto attendant {}": "Standard automatique {}",
    "{}: nobody reaches it": "{} : personne ne peut le joindre",
    "enable it": "activez-le",
    "Normalization rules can run": "Les règles de normalisation sont exécutables",
    "{}, rule {}: {}": "{}, règle {} : {~}",
    "{} rules": "{} règles",
    "write the pattern in another way": "écrivez le modèle autrement",
    "The voice side": "Côté voix",
    "You cannot read {}: nothing of it is checked": "Vous ne pouvez pas lire {} : rien n'y est vérifié",
    "check as an administrator of that forest": "effectuez la vérification en tant qu'administrateur de cette forêt",
    "UM objects, read by the voice side": "Objets de messagerie unifiée, lus par le côté voix",
    "no Subscriber Access contact: its numbers ring nowhere": (
        "aucun contact Accès abonné : ses numéros ne mènent nulle part"
    ),
    "Subscriber access of {}": "Accès abonné de {}",
    "no number": "aucun numéro",
    "add a contact": "ajoutez un contact",
    "no contact makes it callable": "aucun contact ne permet de l'appeler",
    "Contact of {}": "Contact de {}",
    "there": "présent",
    "add a contact (ocsumutil)": "ajoutez un contact (OcsUmUtil)",
    "no voice dial plan is called {}, and a server before 2010 SP1 needs it": (
        "aucun plan de numérotation vocal ne s'appelle {}, et un serveur antérieur à 2010 SP1 l'exige"
    ),
    "Name of {}": "Nom de {}",
    "make a voice dial plan with this simple name": "créez un plan de numérotation vocal portant ce nom simple",
    "Numbers are assigned once": "Chaque numéro est attribué une seule fois",
    "{} numbers": "{} numéros",
    "give each to one user or contact": "attribuez chacun à un seul utilisateur ou contact",
    "Addresses are used once": "Chaque adresse est utilisée une seule fois",
    "{} SIP and EUM addresses": "{} adresses SIP et EUM",
    "take one back": "retirez-en une",
    "Contacts' numbers are E.164": "Les numéros des contacts sont au format E.164",
    "{} contacts": "{} contacts",
    "use + and up to 15 digits": "utilisez + suivi de 15 chiffres au plus",
    "Users of UM have what voice mail needs": (
        "Les utilisateurs de la messagerie unifiée ont ce que la messagerie vocale exige"
    ),
    "{} (no EUM address)": "{} (aucune adresse EUM)",
    "{} (no Enterprise Voice)": "{} (pas de Voix Entreprise)",
    "{} (no UM mailbox policy)": "{} (aucune stratégie de boîte aux lettres de messagerie unifiée)",
    "{} users": "{} utilisateurs",
    "phase 6 gives EUM addresses, phase 10 Enterprise Voice, phase 11 the policy": (
        "la phase 6 attribue les adresses EUM, la phase 10 Voix Entreprise, la phase 11 la stratégie"
    ),
    "UM dial plan {}: outgoing calls are allowed on {} of {} gateways ({}); leave OutcallsAllowed on exactly one": (
        "Plan de numérotation de messagerie unifiée {} : les appels sortants sont autorisés sur {} passerelle(s) "
        "sur {} ({~}) ; n'activez OutcallsAllowed que sur une seule"
    ),
    "UM dial plan {}: outgoing calls are allowed on {}, which is a {}": (
        "Plan de numérotation de messagerie unifiée {} : les appels sortants sont autorisés sur {}, qui est de type {}"
    ),
    "{} answers phones": "{} répond aux téléphones",
    "is the voice server running, and reachable here?": (
        "le serveur vocal est-il démarré et accessible depuis cet ordinateur ?"
    ),
    "{} deleted (calls from verify@POOL, and the messages left above)": (
        "{} supprimé(s) (appels de verify@POOL et messages laissés ci-dessus)"
    ),
    "Mails of these checks are gone": "Les messages de ces vérifications sont supprimés",
    "look into the mailbox": "examinez la boîte aux lettres",
    "{} answers {}": "{} répond à {}",
    "is the UM server running, and is the pool its gateway (phase 7)?": (
        "le serveur de messagerie unifiée est-il démarré, et le pool est-il sa passerelle (phase 7) ?"
    ),
    "is the UM server in a dial plan (phase 5), and its certificate trusted (phase 2)?": (
        "le serveur de messagerie unifiée fait-il partie d'un plan de numérotation (phase 5), et son certificat "
        "est-il approuvé (phase 2) ?"
    ),
    "answered over {}, {} ms of greeting heard in half a second": (
        "réponse en {}, {} ms de message d'accueil entendues en une demi-seconde"
    ),
    "answered over {}, and silent": "réponse en {}, mais aucun son",
    "the dial plan's security has to fit the pool's (phase 4), and the user be in it (phases 6 and 11)": (
        "la sécurité du plan de numérotation doit correspondre à celle du pool (phase 4), et l'utilisateur doit en "
        "faire partie (phases 6 et 11)"
    ),
    "{} answers for {}": "{} répond pour {}",
    "{} called {}: {}": "{} a appelé {} : {~}",
    "see this call by 'tandem trace' and in the servers' logs": (
        "examinez cet appel avec « tandem trace » et dans les journaux des serveurs"
    ),
    "A message for {} in {} arrives, and MWI is shown": (
        "Un message pour {} dans {} arrive, et l'indicateur de message en attente s'affiche"
    ),
    "{} left a message, it is in the mailbox, MWI shows {} new": (
        "{} a laissé un message, il est dans la boîte aux lettres, l'indicateur de message en attente en signale "
        "{} nouveau(x)"
    ),
    "no message of call {} has come yet; if it comes, delete it": (
        "aucun message de l'appel {} n'est encore arrivé ; s'il arrive, supprimez-le"
    ),
}
