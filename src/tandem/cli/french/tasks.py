"""Tasks: their titles, what they wait for, what is hidden, and phase 10's further steps. English template to French."""

TASKS = {
    "waits for {}": "attend {}",
    "You cannot read UM objects until phase 7 (exchucutil) has run": (
        "Vous ne pouvez pas lire les objets de messagerie unifiée tant que la phase 7 (exchucutil) n'a pas été exécutée"
    ),
    "You cannot read the organization: 7/gateways tells": (
        "Vous ne pouvez pas lire l'organisation : 7/gateways l'indique"
    ),
    "You cannot read {}": "Vous ne pouvez pas lire {}",
    "You cannot read the users of the voice forest: does it trust your forest?": (
        "Vous ne pouvez pas lire les utilisateurs de la forêt des serveurs vocaux : approuve-t-elle votre forêt ?"
    ),
    "the voice side does not read this, and needs none of it": (
        "le côté voix ne lit pas ces objets et n'en a pas besoin"
    ),
    "{} alone is accepted; the topic asks for {}": "{~} suffit ; la rubrique demande également {~}",
    "would remove {} of {} {}(s) ({} %, more than {}): --allow-removals {} carries it out": (
        "supprimerait {} objet(s) sur {} de type « {k} » ({} %, plus de {}) : --allow-removals {} exécute cette "
        "suppression"
    ),
    "by hand, in {}: 'tandem runbook' has the commands, 'tandem confirm' records it": (
        "à la main (à exécuter sur : {~}) : « tandem runbook » fournit les commandes, « tandem confirm » "
        "enregistre l'étape"
    ),
    "Who may carry out and confirm the runbook's steps: groups": (
        "Qui peut effectuer et confirmer les étapes du guide d'exécution : groupes"
    ),
    "Who may carry out and confirm the runbook's steps: administrators": (
        "Qui peut effectuer et confirmer les étapes du guide d'exécution : administrateurs"
    ),
    "Record of the users of Lync pools, for the voice servers of kind tandem": (
        "Enregistrement des utilisateurs des pools Lync Server, pour les serveurs vocaux de type tandem"
    ),
    "Record of the Exchange UM dial plans and servers, {}": (
        "Enregistrement des plans de numérotation et des serveurs de messagerie unifiée Exchange, {~}"
    ),
    "Record of the users of Exchange UM, {}": (
        "Enregistrement des utilisateurs de la messagerie unifiée Exchange, {~}"
    ),
    "for the voice servers of kind tandem": "pour les serveurs vocaux de type tandem",
    "Trusts with the other forests": "Relations d'approbation avec les autres forêts",
    "Groups of both teams": "Groupes des deux équipes",
    "Rights of both teams on accounts": "Droits des deux équipes sur les comptes",
    "Organizational units": "Unités d'organisation",
    "Administrators and their groups": "Administrateurs et leurs groupes",
    "Containers of the voice side": "Conteneurs du côté voix",
    "Accounts of the servers": "Comptes des serveurs",
    "Users": "Utilisateurs",
    "Memberships that are taken back": "Appartenances aux groupes à retirer",
    "Voice pools": "Pools de serveurs vocaux",
    "SIP addresses of users": "Adresses SIP des utilisateurs",
    "Messaging organization {}": "Organisation de messagerie {}",
    "Messaging servers": "Serveurs de messagerie",
    "Messaging servers (the first of the organization)": "Serveurs de messagerie (le premier de l'organisation)",
    "Certificates of the UM servers": "Certificats des serveurs de messagerie unifiée",
    "Certificates of the voice servers": "Certificats des serveurs vocaux",
    "UM dial plans": "Plans de numérotation de messagerie unifiée",
    "UM mailbox policies": "Stratégies de boîte aux lettres de messagerie unifiée",
    "UM auto attendants": "Standards automatiques de messagerie unifiée",
    "Plain UM IP gateways and their hunt groups": (
        "Passerelles IP de messagerie unifiée simples et leurs groupements de postes"
    ),
    "VoIP security of the UM dial plans": "Sécurité VoIP des plans de numérotation de messagerie unifiée",
    "UM servers in the dial plans: startup mode, certificate for UM": (
        "Serveurs de messagerie unifiée dans les plans de numérotation : mode de démarrage, certificat pour la "
        "messagerie unifiée"
    ),
    "SIP addresses that differ from what is declared": "Adresses SIP à corriger",
    "EUM proxy addresses of mailboxes": "Adresses proxy EUM des boîtes aux lettres",
    "Permissions of the voice side on UM objects": "Autorisations du côté voix sur les objets de messagerie unifiée",
    "A UM IP gateway for each voice pool": (
        "Une passerelle IP de messagerie unifiée pour chaque pool de serveurs vocaux"
    ),
    "Hunt groups: every pool for every secured dial plan": (
        "Groupements de postes : chaque pool pour chaque plan de numérotation sécurisé"
    ),
    "Voice dial plans and their normalization rules": "Plans de numérotation vocaux et leurs règles de normalisation",
    "The right to create contacts in their OUs": "Droit de créer des contacts dans leurs unités d'organisation",
    "Subscriber Access and Auto Attendant contacts": "Contacts Accès abonné et Standard automatique",
    "PSTN gateways and their trunks": "Passerelles RTC et leurs jonctions",
    "PSTN usage records": "Enregistrements d'utilisation RTC",
    "Voice routes": "Itinéraires des communications vocales",
    "Voice policies": "Stratégies de voix",
    "Users enabled for Enterprise Voice": "Activer les utilisateurs pour Voix Entreprise",
    "Users moved to another pool": "Déplacer les utilisateurs vers un autre pool",
    "Users enabled for UM": "Activer les utilisateurs pour la messagerie unifiée",
    "Users moved to another dial plan": "Déplacer les utilisateurs vers un autre plan de numérotation",
    "Hunt groups that are gone": "Groupements de postes à supprimer",
    "UM IP gateways that are gone": "Passerelles IP de messagerie unifiée à supprimer",
    "UM auto attendants that are gone": "Standards automatiques de messagerie unifiée à supprimer",
    "UM mailbox policies that are gone": "Stratégies de boîte aux lettres de messagerie unifiée à supprimer",
    "UM dial plans that are gone": "Plans de numérotation de messagerie unifiée à supprimer",
    "UM servers leave dial plans that are gone": (
        "Retirer les serveurs de messagerie unifiée des plans de numérotation à supprimer"
    ),
    "Messaging servers that are gone": "Serveurs de messagerie à supprimer",
    "Contacts that are gone": "Contacts à supprimer",
    "Voice policies that are gone": "Stratégies de voix à supprimer",
    "Voice routes that are gone": "Itinéraires des communications vocales à supprimer",
    "PSTN usage records that are gone": "Enregistrements d'utilisation RTC à supprimer",
    "PSTN gateways that are gone": "Passerelles RTC à supprimer",
    "Voice dial plans that are gone": "Plans de numérotation vocaux à supprimer",
    "Voice pools that are gone": "Pools de serveurs vocaux à supprimer",
    "Users disabled for UM": "Désactiver les utilisateurs pour la messagerie unifiée",
    "Users disabled for Enterprise Voice, SIP addresses taken back": (
        "Désactiver les utilisateurs pour Voix Entreprise et retirer les adresses SIP"
    ),
    "Users who are no longer managed": "Utilisateurs qui ne sont plus gérés",
    "? user {}: in {}, declared in {}: move the account, or change the file": (
        "? utilisateur {} : se trouve dans {}, déclaré dans {} : déplacez le compte ou modifiez le fichier"
    ),
    "? contact {}: in {}, declared in {}: remove it, or change the file": (
        "? contact {} : se trouve dans {}, déclaré dans {} : supprimez-le ou modifiez le fichier"
    ),
    "? {} {}: not declared, and not made by Tandem": "? {k} {} : non déclaré, et pas créé par Tandem",
    "media bypass: allow it globally by site and region, and on each trunk": (
        "déviation du trafic multimédia : autorisez-la globalement par site et par région, ainsi que sur chaque "
        "jonction"
    ),
    "call admission control: regions, sites, subnets, bandwidth policies; then enable it": (
        "contrôle d'admission des appels : régions, sites, sous-réseaux, stratégies de bande passante ; activez-le "
        "ensuite"
    ),
    "E9-1-1: the location database, a location policy, and a route to the emergency service provider": (
        "E9-1-1 : base de données d'emplacements, stratégie d'emplacement et itinéraire vers le fournisseur de "
        "services d'urgence"
    ),
    "call park: a range of orbits per pool, and voice policies that allow it": (
        "parcage d'appel : une plage d'orbites par pool, et des stratégies de voix qui l'autorisent"
    ),
    "response groups: agent groups, queues, workflows with a line URI each": (
        "groupes Response Group : groupes d'agents, files d'attente, flux de travail dotés chacun d'un URI de ligne"
    ),
    "announcements: import the audio, and assign ranges of unassigned numbers": (
        "annonces : importez les fichiers audio et attribuez des plages de numéros non attribués"
    ),
    "location-based routing: regions, sites, subnets; its trunks and voice policies": (
        "routage géodépendant : régions, sites, sous-réseaux ; ses jonctions et ses stratégies de voix"
    ),
    "remote users: an Edge Server with the A/V Edge service, and its address for UM": (
        "utilisateurs distants : un serveur Edge avec le service Edge A/V, et son adresse pour la messagerie unifiée"
    ),
}
