"""Servers of several kinds and versions in one organization, and records of Exchange UM. English template to French."""

COEXISTENCE = {
    "UM servers of kind {} behind a pool of kind {} ({}): {}": (
        "serveurs de messagerie unifiée de type {} derrière un pool de type {} ({~}) : {~}"
    ),
    "supported": "pris en charge",
    "untried": "non éprouvé",
    "UM of kind {} for its users; see {}": "une messagerie unifiée de type {} pour ses utilisateurs ; voir {}",
    "UM servers of kind tandem and exchange in {} (refused): a dial plan would have mailboxes of both": (
        "serveurs de messagerie unifiée de types tandem et exchange dans {} (refusé) : un plan de numérotation "
        "aurait des boîtes aux lettres des deux"
    ),
    "one kind in each messaging forest; see {}": "un seul type dans chaque forêt de messagerie ; voir {}",
    "a Tandem pool beside {} of kind lync (refused): its users would stand in Lync's Active Directory": (
        "un pool Tandem à côté de {}, de type lync (refusé) : ses utilisateurs se trouveraient dans l'Active "
        "Directory de Lync"
    ),
    "a Tandem pool beside {} of kind lync (untried): users of the two cannot call each other": (
        "un pool Tandem à côté de {}, de type lync (non éprouvé) : les utilisateurs de l'un ne peuvent pas appeler "
        "ceux de l'autre"
    ),
    "pools of one kind, or the embedded directory; see {}": "des pools d'un seul type, ou l'annuaire intégré ; voir {}",
    "pools of one kind for users who call each other; see {}": (
        "des pools d'un seul type pour les utilisateurs qui s'appellent ; voir {}"
    ),
    "a Lync pool finds UM dial plans and servers in Active Directory only, and the directory is the embedded one": (
        "un pool Lync ne trouve les plans de numérotation et les serveurs de messagerie unifiée que dans Active "
        "Directory, et l'annuaire est l'annuaire intégré"
    ),
    "the attributes by which a Lync pool finds UM servers are not published": (
        "les attributs par lesquels un pool Lync trouve les serveurs de messagerie unifiée ne sont pas publiés"
    ),
    "a Tandem pool calls Exchange UM as an IP PBX does, and was never run with one": (
        "un pool Tandem appelle la messagerie unifiée Exchange comme le fait un PBX IP, et n'a jamais été exécuté "
        "avec elle"
    ),
    "what a Tandem pool has to know of Exchange UM would be written into Exchange's own containers": (
        "ce qu'un pool Tandem doit connaître de la messagerie unifiée Exchange serait écrit dans les conteneurs "
        "d'Exchange"
    ),
    "Secured: Lync Phone Edition works only if the dial plan's security agrees with the pools' encryption "
    "(Require: Secured; Support: SIPSecured or Secured, Secured recommended; none: SIPSecured)": (
        "Secured : pour que les appareils Lync Phone Edition fonctionnent, la sécurité du plan de numérotation et "
        "le chiffrement des pools doivent correspondre (Require : Secured ; Support : SIPSecured ou Secured, "
        "Secured recommandé ; aucun : SIPSecured)"
    ),
    "Exchange {} SP{}, which does not exist": "Exchange {} SP{}, qui n'existe pas",
    "service_pack: 0 to {}": "service_pack: 0 à {}",
    "service_pack: 0 to {}; later updates are cumulative updates": (
        "service_pack: 0 à {} ; les mises à jour ultérieures sont des mises à jour cumulatives"
    ),
    "service_pack: 0: it has cumulative updates only": "service_pack: 0 : seules des mises à jour cumulatives existent",
    "0: it has cumulative updates only": "0 : seules des mises à jour cumulatives existent",
    "role {} on Exchange {}": "rôle {} sur Exchange {}",
    "no Exchange {} server of {} has the role {}": "aucun serveur Exchange {} de {} n'a le rôle {}",
    "the roles {} on {} servers of that forest": "les rôles {} sur les serveurs {} de cette forêt",
    "Exchange 2007 and 2016 in {}": "Exchange 2007 et 2016 dans {}",
    "2010 SP3 or 2013 beside 2016: its Setup stops where 2007 is": (
        "2010 SP3 ou 2013 à côté de 2016 : son programme d'installation s'arrête en présence de 2007"
    ),
    "Exchange {} beside {} in {}": "Exchange {} à côté de {} dans {}",
    "Exchange {} SP{} beside {} in {}": "Exchange {} SP{} à côté de {} dans {}",
    "Service Pack 3 on {} servers before {} comes": "Service Pack 3 sur les serveurs {} avant l'arrivée de {}",
    "an Exchange {} server that is not in SIP dial plan {}": (
        "un serveur Exchange {} qui ne fait pas partie du plan de numérotation SIP {}"
    ),
    "every Client Access and Mailbox server in every SIP dial plan of its forest (phase 5)": (
        "chaque serveur d'accès au client et chaque serveur de boîtes aux lettres dans chaque plan de numérotation "
        "SIP de sa forêt (phase 5)"
    ),
    "an Exchange 2007 server in Unsecured ({}) and secured ({}) dial plans": (
        "un serveur Exchange 2007 dans des plans de numérotation Unsecured ({}) et sécurisés ({})"
    ),
    "one or the other: 2007 has no startup mode Dual, its UM service follows its dial plans": (
        "l'un ou l'autre : 2007 n'a pas de mode de démarrage Dual, son service de messagerie unifiée suit ses "
        "plans de numérotation"
    ),
    "a {} pool of kind lync without servers": "un pool {} de type lync sans serveurs",
    "servers: their FQDNs are in the certificate (phase 2), and the service of each restarts (phase 7)": (
        "servers: leurs noms de domaine complets (FQDN) figurent dans le certificat (phase 2), et le service de "
        "chacun redémarre (phase 7)"
    ),
    "Who may carry out and confirm the runbook's steps: groups": (
        "Qui peut exécuter et confirmer les étapes du guide d'exécution : groupes"
    ),
    "Who may carry out and confirm the runbook's steps: administrators": (
        "Qui peut exécuter et confirmer les étapes du guide d'exécution : administrateurs"
    ),
    "Record of the users of Lync pools, for the voice servers of kind tandem": (
        "Enregistrement des utilisateurs des pools Lync, pour les serveurs vocaux de type tandem"
    ),
    "Record of the Exchange UM dial plans and servers, {}": (
        "Enregistrement des plans de numérotation et des serveurs de messagerie unifiée Exchange, {~}"
    ),
    "Record of the users of Exchange UM, {}": "Enregistrement des utilisateurs de la messagerie unifiée Exchange, {~}",
    "for the voice servers of kind tandem": "pour les serveurs vocaux de type tandem",
    "taken back": "retiré",
    "Read, and not understood or told by something else": "Lu, mais non compris ou déduit d'autre chose",
    "Read from the directory": "Lu dans l'annuaire",
    "see it by 'tandem collect' and 'tandem observe'": "constatez-le avec « tandem collect » et « tandem observe »",
}
