"""Words: teams, phases, states, and what may be said of a change. English template to French."""

WORDS = {
    "directory administrators": "administrateurs Active Directory",
    "messaging administrators": "administrateurs Exchange",
    "voice administrators": "administrateurs Lync Server",
    "What the deployment assumes": "Ce que le déploiement suppose",
    "Deploy the messaging servers": "Déployer les serveurs de messagerie",
    "Install certificates (mutual TLS)": "Installer les certificats (TLS mutuel)",
    "Create and configure the UM dial plans": "Créer et configurer les plans de numérotation de messagerie unifiée",
    "Set the dial plans' VoIP security": "Définir la sécurité VoIP des plans de numérotation",
    "Add the UM servers to the dial plans": "Ajouter les serveurs de messagerie unifiée aux plans de numérotation",
    "Give mailboxes their SIP addresses": "Attribuer les adresses SIP aux boîtes aux lettres",
    "Users get their SIP addresses in phase 0; this phase corrects them and adds EUM addresses.": (
        "Les utilisateurs reçoivent leur adresse SIP lors de la phase 0 ; cette phase corrige les adresses et "
        "ajoute les adresses EUM."
    ),
    "Permissions, gateways and hunt groups (exchucutil)": (
        "Autorisations, passerelles IP de messagerie unifiée et groupements de postes (exchucutil)"
    ),
    "Configure the voice dial plans": "Configurer les plans de numérotation Lync Server",
    "Contact objects (ocsumutil)": "Créer les objets contact (OcsUmUtil)",
    "Remaining Enterprise Voice configuration": "Terminer la configuration de Voix Entreprise",
    "Enable the Enterprise Voice users for UM": (
        "Activer les utilisateurs de Voix Entreprise pour la messagerie unifiée"
    ),
    "done": "terminé",
    "ready": "prêt",
    "waiting": "en attente",
    "unreadable": "illisible",
    "by hand": "à la main",
    "guarded": "protégé",
    "passed": "réussi",
    "warning": "avertissement",
    "failed": "échec",
    "error": "erreur",
    "info": "information",
    "to make": "à créer",
    "to change": "à modifier",
    "to remove": "à supprimer",
    "nobody yet": "personne pour le moment",
    "managed from now on": "géré à partir de maintenant",
    "password (sensitive)": "mot de passe (confidentiel)",
    "(sensitive)": "(confidentiel)",
    "taken back": "retiré",
    "at {}": "sur {}",
    "{} becomes {}": "{} devient {}",
    "warning: has the {} of {}, who is gone from the file; if it is the same person, say 'was: {}' to keep "
    "mailbox, PIN and SIP secret": (
        "avertissement : {k} déjà utilisé(e) par {}, qui ne figure plus dans le fichier ; s'il s'agit de la même "
        "personne, indiquez « was: {} » pour conserver la boîte aux lettres, le code confidentiel et le secret SIP"
    ),
    "certificate of phase 2 enabled for UM": "certificat de la phase 2 activé pour la messagerie unifiée",
    "no certificate enabled for UM": "aucun certificat activé pour la messagerie unifiée",
    "Subscriber Access": "Accès abonné",
}
