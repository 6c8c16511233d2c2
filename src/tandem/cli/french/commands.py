"""What commands print around plans, applies, drift and findings. English template to French."""

COMMANDS = {
    "Further step of phase 10: {}": "Étape supplémentaire de la phase 10 : {~}",
    "Not served: {}": "Non pris en charge : {~}",
    "The split of work is agreed to by: {}.": "La répartition des tâches est acceptée par : {~}.",
    "no team yet": "aucune équipe pour le moment",
    "{} task(s) are about what {} may not read.": "{} tâche(s) portent sur ce que {} n'est pas autorisé à lire.",
    "{} task(s) to do: {}.": "{} tâche(s) à effectuer : {~}.",
    "Nothing to do: the directory is as declared.": "Rien à faire : l'annuaire est conforme à la déclaration.",
    "not for {}": "pas pour {}",
    "for {} after phase 0": "pour {} après la phase 0",
    "{}; needs {}; held by {}": "{~} ; exige {~} ; titulaire(s) : {~}",
    "nobody yet, after phase 0 by {}": "personne pour le moment, après la phase 0 par {}",
    "{} ({}: maybe done, but you cannot read that)": "{~} ({} : peut-être terminé, mais vous ne pouvez pas le lire)",
    "... and {} more": "... et {} de plus",
    "refused": "refusé",
    "stale": "périmé",
    "{} task(s) done by {}, {} remain.": "{} tâche(s) effectuée(s) par {}, {} restante(s).",
    "{}; then for {}": "{~} ; ensuite pour {~}",
    "needs {}: {}": "exige {~} : {~}",
    "{} agrees for the {}.": "{} donne l'accord des {~}.",
    "{} step(s) confirmed by {}.": "{} étape(s) confirmée(s) par {}.",
    "warning: {}": "avertissement : {~}",
    "Warning: {}.": "Avertissement : {~}.",
    "{}.ps1: {} step(s)": "{}.ps1 : {} étape(s)",
    "There is nothing to do by hand: no server of kind exchange or lync for this team and forest.": (
        "Il n'y a rien à faire à la main : aucun serveur de type exchange ou lync pour cette équipe et cette forêt."
    ),
    "{} difference(s), of {}.": "{} différence(s), dans {}.",
    "No drift: the directory is as declared.": "Aucune dérive : l'annuaire est conforme à la déclaration.",
    "{} cannot read what {} are about.": "{} ne peut pas lire les objets de {}.",
    "{} mailbox(es) of leavers ('tandem user leavers').": (
        "{} boîte(s) aux lettres d'utilisateurs partis (« tandem user leavers »)."
    ),
    "phase {}: {}": "phase {} : {~}",
    "{}: {} error(s), {} warning(s)": "{} : {} erreur(s), {} avertissement(s)",
    "{}: {} error(s), {} warning(s), {} user(s) read": (
        "{} : {} erreur(s), {} avertissement(s), {} utilisateur(s) lu(s)"
    ),
    "Deployment plan of {}": "Plan de déploiement de {}",
    "Made on {} UTC as seen by {}; {} task(s) to do.": "Établi le {} UTC, vu par {} ; {} tâche(s) à effectuer.",
    "Password of {}": "Mot de passe de {}",
    "Summary": "Résumé",
    "Together": "Total",
    "Name": "Nom",
    # Collectors
    "without an organization file --shell is needed: {}": "sans fichier d'organisation, --shell est nécessaire : {}",
    "the shell {} is not of {}: expected {}": "le shell {} n'est pas de {} : {~} attendu",
    "{} declares no such {} servers; there are: {}": "{} ne déclare aucun serveur {} de ce type ; il y a : {~}",
    "the forest {} is no DNS name: expected one such as contoso.com": (
        "la forêt {} n'est pas un nom DNS : attendu, par exemple, contoso.com"
    ),
    "{} in {}": "{} dans {}",
    # Runbook
    "Nothing is open: every step was observed as declared, or confirmed.": (
        "Rien n'est ouvert : chaque étape a été observée conforme à la déclaration, ou confirmée."
    ),
    "Warning: {} is of an earlier run, and nothing of it is to be done now: do not run it.": (
        "Avertissement : {} provient d'une exécution antérieure et rien n'en est à faire maintenant : ne l'exécutez pas."
    ),
}
