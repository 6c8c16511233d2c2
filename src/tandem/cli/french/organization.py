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
    "Secured: Lync Phone Edition works only if the dial plan's security agrees with the pools' encryption (Require: Secured; "
    "Support: SIPSecured or Secured, Secured recommended; none: SIPSecured)": (
        "Secured : pour que les appareils Lync Phone Edition fonctionnent, la sécurité du plan de numérotation et les "
        "paramètres de chiffrement des pools doivent correspondre (Require : Secured ; Support : SIPSecured ou Secured, "
        "Secured recommandé ; aucun chiffrement : SIPSecured)"
    ),
    "a {} pool of kind lync without servers": "un pool {} de type lync sans aucun serveur",
    "servers: their FQDNs are in the certificate (phase 2), and the service of each restarts (phase 7)": (
        "servers: leurs noms de domaine complets (FQDN) figurent dans le certificat (phase 2), et le service de chacun "
        "redémarre (phase 7)"
    ),
    # Versions, service packs, roles
    "Exchange {} SP{}, which does not exist": "Exchange {} SP{}, qui n'existe pas",
    "service_pack: 0 to {}": "service_pack: 0 à {}",
    "service_pack: 0 to {}; later updates are cumulative updates": (
        "service_pack: 0 à {} ; les mises à jour ultérieures sont des mises à jour cumulatives"
    ),
    "service_pack: 0: it has cumulative updates only": (
        "service_pack: 0 : cette version n'a que des mises à jour cumulatives"
    ),
    "role {} on Exchange {}": "rôle {} sur Exchange {}",
    "no Exchange {} server of {} has the role {}": "aucun serveur Exchange {} de {} n'a le rôle {}",
    "the roles {} on {} servers of that forest": "les rôles {} sur les serveurs {} de cette forêt",
    "Exchange 2007 and 2016 in {}": "Exchange 2007 et 2016 dans {}",
    "2010 SP3 or 2013 beside 2016: its Setup stops where 2007 is": (
        "2010 SP3 ou 2013 à côté de 2016 : son programme d'installation s'arrête s'il trouve 2007"
    ),
    "Exchange {} beside {} in {}": "Exchange {} à côté de {} dans {}",
    "Exchange {} SP{} beside {} in {}": "Exchange {} SP{} à côté de {} dans {}",
    "Service Pack 3 on {} servers before {} comes": "Service Pack 3 sur les serveurs {} avant l'arrivée de {}",
    "an Exchange {} server that is not in SIP dial plan {}": (
        "un serveur Exchange {} qui ne fait pas partie du plan de numérotation SIP {}"
    ),
    "every Client Access and Mailbox server in every SIP dial plan of its forest (phase 5)": (
        "chaque serveur d'accès au client et chaque serveur de boîtes aux lettres dans chaque plan de numérotation SIP de sa "
        "forêt (phase 5)"
    ),
    "an Exchange 2007 server in Unsecured ({}) and secured ({}) dial plans": (
        "un serveur Exchange 2007 dans des plans de numérotation Unsecured ({}) et sécurisés ({})"
    ),
    "one or the other: 2007 has no startup mode Dual, its UM service follows its dial plans": (
        "l'un ou l'autre : 2007 n'a pas de mode de démarrage Dual, son service de messagerie unifiée suit ses plans de "
        "numérotation"
    ),
    # Servers of two makers
    "UM servers of kind {} behind a pool of kind {} ({}): {}": (
        "serveurs de messagerie unifiée de type {} derrière un pool de type {} ({~}) : {~}"
    ),
    "untried": "non essayé",
    "UM of kind {} for its users; see {}": "une messagerie unifiée de type {} pour ses utilisateurs ; voir {}",
    "a Lync pool finds UM dial plans and servers in Active Directory only, and the directory is the embedded one": (
        "un pool Lync Server ne trouve les plans de numérotation et les serveurs de messagerie unifiée que dans Active "
        "Directory, et l'annuaire est l'annuaire intégré"
    ),
    "the attributes by which a Lync pool finds UM servers are not published": (
        "les attributs par lesquels un pool Lync Server trouve les serveurs de messagerie unifiée ne sont pas publiés"
    ),
    "a Tandem pool calls Exchange UM as an IP PBX does, and was never run with one": (
        "un pool Tandem appelle la messagerie unifiée Exchange comme le fait un IP-PBX, ce qui n'a jamais été essayé avec un "
        "serveur réel"
    ),
    "what a Tandem pool has to know of Exchange UM would be written into Exchange's own containers": (
        "ce qu'un pool Tandem doit savoir de la messagerie unifiée Exchange serait écrit dans les conteneurs d'Exchange"
    ),
    "UM servers of kind tandem and exchange in {} (refused): a dial plan would have mailboxes of both": (
        "serveurs de messagerie unifiée de types tandem et exchange dans {} (refusé) : un plan de numérotation aurait des "
        "boîtes aux lettres des deux"
    ),
    "one kind in each messaging forest; see {}": "un seul type dans chaque forêt de messagerie ; voir {}",
    "a Tandem pool beside {} of kind lync (refused): its users would stand in Lync's Active Directory": (
        "un pool Tandem à côté de {} de type lync (refusé) : ses utilisateurs figureraient dans l'annuaire Active Directory "
        "de Lync Server"
    ),
    "a Tandem pool beside {} of kind lync (untried): users of the two cannot call each other": (
        "un pool Tandem à côté de {} de type lync (non essayé) : les utilisateurs de l'un ne peuvent pas appeler ceux de "
        "l'autre"
    ),
    "pools of one kind, or the embedded directory; see {}": "des pools d'un même type, ou l'annuaire intégré ; voir {}",
    "pools of one kind for users who call each other; see {}": (
        "des pools d'un même type pour les utilisateurs qui s'appellent ; voir {}"
    ),
}
