"""Confirmations with evidence: refusals of results, and what is still to be confirmed before. English template to French."""

EVIDENCE = {
    "Warning: {}.": "Avertissement : {~}.",
    "{}: {}. Nothing was recorded.": "{} : {~}. Rien n'a été enregistré.",
    "{}. Confirm that first, or give a reason with --force. Nothing was recorded.": (
        "{~}. Confirmez d'abord cela, ou indiquez une raison avec --force. Rien n'a été enregistré."
    ),
    "{} (you cannot see whether {} is done)": "{~} (vous ne pouvez pas voir si {} est terminé)",
    "it is of step {}, expected one that is confirmed now": (
        "il concerne l'étape {} ; une étape confirmée maintenant est attendue"
    ),
    "it is of {}, expected {}": "il concerne {}, {} est attendu",
    "it is of another text of the step (digest {}, expected {}): write and run the script again": (
        "il concerne un autre texte de l'étape (empreinte {}, {} attendue) : générez et exécutez de nouveau le script"
    ),
    "the step's outcome there is {}, expected {}: {}": "le résultat de l'étape y est {}, {} est attendu : {}",
    "it ended at {} UTC, which is yet to come: check the clock of {}": (
        "il se termine le {} UTC, dans le futur : vérifiez l'horloge de {}"
    ),
    "it ended at {} UTC, and the observation of {}, {} UTC, differs: run the script again": (
        "il se termine le {} UTC, et l'observation de {}, {} UTC, diffère : exécutez de nouveau le script"
    ),
    "{} is not the transcript of {}: it was altered. Nothing was kept.": (
        "{} n'est pas la transcription de {} : elle a été altérée. Rien n'a été conservé."
    ),
    "{}: more than {} bytes: no script writes so much. Nothing was kept.": (
        "{} : plus de {} octets : aucun script n'en écrit autant. Rien n'a été conservé."
    ),
    'expected to end with a member "sha256" of 64 hexadecimal digits': (
        'doit se terminer par un membre "sha256" de 64 chiffres hexadécimaux'
    ),
    "the SHA-256 at its end is not that of its text: it was altered": (
        "l'empreinte SHA-256 à la fin n'est pas celle du texte : le fichier a été altéré"
    ),
    "{}: expected a text, found none": "{} : un texte est attendu, aucun trouvé",
    "{}: expected a text, found {}": "{} : un texte est attendu, {} trouvé",
    "ended {} is before started {}": "ended {} est antérieur à started {}",
    "expected the JSON that a script of the runbook writes": (
        "le JSON écrit par un script du guide d'exécution est attendu"
    ),
    "expected a result of a runbook step (format {})": (
        "un résultat d'une étape du guide d'exécution est attendu (format {})"
    ),
    "version: found {}, expected {}": "version : {} trouvé, {} attendu",
    "{}: {} holds a control character": "{} : {} contient un caractère de contrôle",
    "{}: found {}, expected a time such as 2026-11-28T09:00:00Z": (
        "{} : {} trouvé, une heure telle que 2026-11-28T09:00:00Z est attendue"
    ),
    "transcript and transcript_sha256: expected both or none": (
        "transcript et transcript_sha256 : les deux ou aucun sont attendus"
    ),
    "transcript: {} is not a file's name as a script writes it, with its SHA-256": (
        "transcript : {} n'est pas un nom de fichier tel qu'un script l'écrit, avec son empreinte SHA-256"
    ),
    "there is no forest {}; there are: {}": "il n'existe aucune forêt {} ; forêts existantes : {}",
    "there is no runbook step of phase {} for {}": (
        "il n'existe aucune étape de la phase {} pour {} dans le guide d'exécution"
    ),
    "there is no runbook step of phase {} for {} in {}": (
        "il n'existe aucune étape de la phase {} pour {} dans {} dans le guide d'exécution"
    ),
}
