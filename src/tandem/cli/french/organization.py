"""Findings about an organization as a whole: what has to fit together. English template to French."""

ORGANIZATION = {
    "{} has {} error(s):": "{} contient {} erreur(s) :",
    "there is no {} {}": "il n'existe aucun objet « {k} » nommé {}",
    "there is no {} {}, which {} places name": "il n'existe aucun objet « {k} » nommé {}, que {} endroits mentionnent",
    "one of those declared: {}": "un de ceux qui sont déclarés : {~}",
    "none is declared": "aucun n'est déclaré",
    "UM dial plan {} has no auto attendant {}": (
        "le plan de numérotation de messagerie unifiée {} n'a aucun standard automatique {}"
    ),
    "one of um_auto_attendants, or none for Subscriber Access": (
        "un de ceux de um_auto_attendants, ou aucun pour l'accès abonné"
    ),
    "no forest is declared": "aucune forêt n'est déclarée",
    "at least one entry of forests": "au moins une entrée de forests",
    "there is no group {}": "il n'existe aucun groupe {}",
    "one of those of its forest: {}": "un de ceux de sa forêt : {}",
    "{} {} is used {} times": "{k} {} : utilisé(e) {} fois",
    "each one once": "chaque valeur une seule fois",
    "version {} on a pool of kind tandem": "version {} pour un pool de type tandem",
    "version {} on a server of kind tandem": "version {} pour un serveur de type tandem",
    "Lync version {}": "version de Lync {}",
    "2010, 2013 or 2015 (Skype for Business)": "2010, 2013 ou 2015 (Skype Entreprise)",
    "version {}, which the topic does not cover": "version {}, que la rubrique ne traite pas",
    "Exchange 2007 without a service pack": "Exchange 2007 sans Service Pack",
    "Service Pack 1 or later: RTM knows no SIP URI dial plan": (
        "Service Pack 1 ou version ultérieure : la version RTM ne connaît pas les plans de numérotation à URI SIP"
    ),
    "Exchange 2016, which the topic does not cover": "Exchange 2016, que la rubrique ne traite pas",
    "2013's steps, which are used": "les étapes de 2013, qui sont utilisées",
    "2007 SP1 to 2016, or kind tandem: 2019 and later have no Unified Messaging": (
        "2007 SP1 à 2016, ou le type tandem : 2019 et les versions ultérieures n'ont pas de messagerie unifiée"
    ),
    "Exchange version {}": "version d'Exchange {}",
    "2007, 2010, 2013 or 2016": "2007, 2010, 2013 ou 2016",
    "VoIP security SIPSecured with Lync Phone Edition devices {}": (
        "sécurité VoIP SIPSecured avec des appareils Lync Phone Edition ({})"
    ),
    "plain gateways and VoIP security {}": "passerelles simples et sécurité VoIP {}",
    "Unsecured, or no um_ip_gateways: plain gateways know no TLS": (
        "Unsecured, ou aucune entrée um_ip_gateways : les passerelles simples ne prennent pas en charge TLS"
    ),
    "URI type {}": "type d'URI {}",
    "SipName: a voice pool uses SIP URI dial plans only": (
        "SipName : un pool de serveurs vocaux n'utilise que des plans de numérotation à URI SIP"
    ),
    "Unsecured, and no plain gateway uses it": "Unsecured, et aucune passerelle simple ne l'utilise",
    "um_ip_gateways, or Secured": "um_ip_gateways, ou Secured",
    "VoIP security {}, but pool {} has {}": "sécurité VoIP {}, mais le pool {} utilise {}",
    "{} here, or media_encryption: {} at the pool (phase 4): otherwise every call to UM fails": (
        "{~} ici, ou media_encryption: {~} pour le pool (phase 4) ; sinon, tous les appels vers la messagerie "
        "unifiée échouent"
    ),
    "VoIP security SIPSecured (UM speaks RTP only), and phones of {} may use SRTP": (
        "sécurité VoIP SIPSecured (la messagerie unifiée n'utilise que RTP), alors que les téléphones de {} "
        "peuvent utiliser SRTP"
    ),
    "Secured, or SRTP optional at every phone: one that insists on it gets no voice mail": (
        "Secured, ou SRTP facultatif sur chaque téléphone : un téléphone qui l'exige n'a pas de messagerie vocale"
    ),
    "max_recording_duration_min is not below max_call_duration_min": (
        "max_recording_duration_min n'est pas inférieur à max_call_duration_min"
    ),
    "a shorter recording than call": "un enregistrement plus court que l'appel",
    "was {}, an account that is declared": "was {}, un compte qui est déclaré",
    "a name that is used no more, or none": "un nom qui n'est plus utilisé, ou aucun",
    "SIP address {}": "adresse SIP {}",
    "a domain of the forests: {}": "un domaine des forêts : {}",
    "OU {}, but forest {}": "unité d'organisation {}, mais forêt {}",
    "an OU of the user's forest": "une unité d'organisation de la forêt de l'utilisateur",
    "a SIP address, but an account in {}": "une adresse SIP, mais un compte dans {}",
    "one in the voice forest, {}": "dans la forêt des serveurs vocaux, {}",
    "registers at {}, which is a Director": "s'inscrit auprès de {}, qui est un directeur",
    "a pool that hosts users": "un pool qui héberge des utilisateurs",
    "a SIP address without a pool": "une adresse SIP sans pool",
    "pool: the voice pool that the user registers at": (
        "pool : le pool de serveurs vocaux auprès duquel l'utilisateur s'inscrit"
    ),
    "a line URI without a SIP address": "un URI de ligne sans adresse SIP",
    "sip_address, for Enterprise Voice": "sip_address, pour Voix Entreprise",
    "only one of extension and um_mailbox_policy": "une seule des clés extension et um_mailbox_policy",
    "both (enabled for UM) or none": "les deux (activé pour la messagerie unifiée) ou aucune",
    "an account in {}": "un compte dans {}",
    "one in {} or {}, as {} is": "un compte dans {} ou {}, comme {}",
    "enabled for UM without a mail address": "activé pour la messagerie unifiée sans adresse de messagerie",
    "mail: the mailbox that messages go to": "mail : la boîte aux lettres qui reçoit les messages",
    "no SIP address, but {} is a SIP URI dial plan": (
        "aucune adresse SIP, mais {} est un plan de numérotation à URI SIP"
    ),
    "extension {} has {} digits": "le numéro de poste {} a {} chiffres",
    "{}, as UM dial plan {} has": "{}, comme le plan de numérotation de messagerie unifiée {}",
    "directory {}": "annuaire {}",
    "ldaps://HOST[,HOST...] or ldap+starttls://HOST, or a file": (
        "ldaps://HÔTE[,HÔTE...] ou ldap+starttls://HÔTE, ou un fichier"
    ),
    "does not trust the voice forest {}": "n'approuve pas la forêt des serveurs vocaux {}",
    "the voice forest does not trust the messaging forest {}": (
        "la forêt des serveurs vocaux n'approuve pas la forêt de messagerie {}"
    ),
    "trust both ways: messaging administrators and servers read its users": (
        "une relation d'approbation bidirectionnelle : les administrateurs et les serveurs de messagerie lisent "
        "ses utilisateurs"
    ),
    "no declared administrator is in Domain Admins there, and one of another forest cannot be": (
        "aucun administrateur déclaré n'y est membre de Domain Admins (Admins du domaine), et celui d'une autre "
        "forêt ne peut pas l'être"
    ),
    "an entry of administrators with forest: {}; else its initial administrator does the work": (
        "une entrée de administrators avec forest: {} ; sinon, son administrateur initial effectue le travail"
    ),
    "role {}": "rôle {}",
    "of {}": "parmi {}",
    "a voice pool in {}, beside pools in {}": "un pool de serveurs vocaux dans {}, à côté de pools dans {}",
    "every voice pool in one forest": "tous les pools de serveurs vocaux dans une seule forêt",
    "a Standard Edition server with servers {}": "un serveur Standard Edition avec les serveurs {}",
    "servers: [{}], or pool_type FrontEnd": "servers: [{}], ou pool_type FrontEnd",
    "no access number": "aucun numéro d'accès",
    "access_numbers, or there is no subscriber access": "access_numbers ; sinon, il n'y a pas d'accès abonné",
    "one UM server for this dial plan": "un seul serveur de messagerie unifiée pour ce plan de numérotation",
    "no UM server for this dial plan": "aucun serveur de messagerie unifiée pour ce plan de numérotation",
    "two, so that one may fail": "deux, afin que l'un puisse tomber en panne",
    "{} UM IP gateways": "{} passerelles IP de messagerie unifiée",
    "at most {}": "{} au plus",
    "a messaging server of {}, which has no UM dial plan: it answers no call": (
        "un serveur de messagerie de {}, qui n'a aucun plan de numérotation de messagerie unifiée : il ne répond à "
        "aucun appel"
    ),
    "a server of {}": "un serveur de {~}",
    "UM dial plan {} is of another forest": (
        "le plan de numérotation de messagerie unifiée {} appartient à une autre forêt"
    ),
    "one of {}": "l'un des suivants : {}",
    "no voice dial plan has its FQDN as simple name, which Exchange before 2010 SP1 needs": (
        "aucun plan de numérotation vocal n'a son nom de domaine complet (FQDN) pour nom simple, ce qu'exige "
        "Exchange avant 2010 SP1"
    ),
    "a voice dial plan with simple_name {} (phase 8)": "un plan de numérotation vocal avec simple_name {} (phase 8)",
    "no voice dial plan is declared": "aucun plan de numérotation vocal n'est déclaré",
    "a suitable one: Global, or of the pool": "un plan approprié : Global, ou celui du pool",
    "pattern '{}': {}": "modèle « {} » : {~}",
    "a pattern that voice pools of kind tandem can run": (
        "un modèle que les pools de serveurs vocaux de type tandem peuvent exécuter"
    ),
    "the translation '{}' has {}": "la traduction « {} » contient {~}",
    "references to groups of the pattern, such as +1425555$1": (
        "des références à des groupes du modèle, par exemple +1425555$1"
    ),
    "no voice dial plan is in force for {} user(s), such as {}: they can dial no number": (
        "aucun plan de numérotation vocal ne s'applique à {} utilisateur(s), par exemple {} : ils ne peuvent "
        "composer aucun numéro"
    ),
    "a voice dial plan {} or {}": "un plan de numérotation vocal {} ou {}",
    "the auto attendant is disabled": "le standard automatique est désactivé",
    "enabled: true, or nobody reaches it": "enabled: true ; sinon, personne ne peut le joindre",
    "no pilot number": "aucun numéro pilote",
    "pilot_identifiers, or nobody can call it": "pilot_identifiers ; sinon, personne ne peut l'appeler",
    "an entry of contacts (phase 9)": "une entrée de contacts (phase 9)",
    "no Subscriber Access contact": "aucun contact Accès abonné",
    "a contact of {}, which is no SIP URI dial plan": (
        "un contact de {}, qui n'est pas un plan de numérotation à URI SIP"
    ),
    "one of uri_type SipName": "un plan dont uri_type est SipName",
    "number {} is none of UM's": "le numéro {} n'est pas un numéro de messagerie unifiée",
    "one of the {}": "un de ceux de {}",
    "users here and at {}, but calls between pools are refused in this release": (
        "utilisateurs ici et dans {}, mais les appels entre pools sont refusés dans cette version"
    ),
    "users here and at {}, but calls between pools are refused in this release, and message waiting is not sent to "
    "Branch pools": (
        "utilisateurs ici et dans {}, mais les appels entre pools sont refusés dans cette version, et l'indicateur "
        "de message en attente n'est pas envoyé aux pools de succursale"
    ),
    "one voice pool for users who call each other": (
        "un seul pool de serveurs vocaux pour les utilisateurs qui s'appellent"
    ),
    "{} servers, which do not know each other's registrations in this release": (
        "{} serveurs, dont chacun ignore les inscriptions des autres dans cette version"
    ),
    "one server in a voice pool of kind tandem": "un seul serveur dans un pool de serveurs vocaux de type tandem",
    "{} PSTN gateway(s) and {} voice route(s), but no call goes to the PSTN": (
        "{} passerelle(s) RTC et {} itinéraire(s) des communications vocales, mais aucun appel ne va vers le "
        "réseau téléphonique commuté"
    ),
    "calls within the organization only, in this release": (
        "uniquement des appels au sein de l'organisation, dans cette version"
    ),
    "auto attendant {}: attendants are not served by Tandem in this release": (
        "standard automatique {} : les standards automatiques ne sont pas pris en charge par Tandem dans cette version"
    ),
    "none, or a call to its number is refused (480)": "aucun ; sinon, un appel à son numéro est refusé (480)",
    "{} UM servers of kind tandem for one dial plan: each has the mailboxes of its home only": (
        "{} serveurs de messagerie unifiée de type tandem pour un même plan de numérotation : chacun n'a que les "
        "boîtes aux lettres de son dossier"
    ),
    "one home for all of them, on one machine, in this release": (
        "un seul dossier pour tous, sur un seul ordinateur, dans cette version"
    ),
}
