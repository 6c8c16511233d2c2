"""What is known of steps on Exchange and Lync servers, and what observations are refused for. English template to French."""

OBSERVING = {
    "observed": "observé",
    "confirmed": "confirmé",
    "open": "ouvert",
    "differs": "différent",
    "not readable": "non lisible",
    "not observable": "non observable",
    "not observed yet": "pas encore observé",
    "neither observed nor confirmed": "ni observé ni confirmé",
    "observed {}": "observé {~}",
    "confirmed by {} {}": "confirmé par {} le {}",
    "confirmed by {} {} ({})": "confirmé par {} le {} ({})",
    "differs, as observed {}{}": "diffère d'après l'observation {~}{}",
    "{}, after an observation that differs ({}); not observed since": (
        "{~}, après une observation qui diffère ({~}) ; pas d'observation depuis"
    ),
    "{}, but differs, as observed {}: the observation counts{}": (
        "{~}, mais diffère d'après l'observation {~} : l'observation fait foi{~}"
    ),
    "{}, not observed{}": "{~}, non observé{~}",
    "by {} on {}, {} UTC ({}), {}": "par {} sur {}, {} UTC ({~}), {}",
    "by {} on {}, {} UTC ({})": "par {} sur {}, {} UTC ({~})",
    "by {} on {}": "par {} sur {}",
    "less than an hour old": "date de moins d'une heure",
    "{} hour old": "date de {} heure",
    "{} hours old": "date de {} heures",
    "{} days old": "date de {} jours",
    "{} of {}, {}": "{} de {}, {~}",
    "{} of {}, shell {}": "{} de {}, environnement {}",
    "{} of {}, shell {}, {}": "{} de {}, environnement {}, {~}",
    "{}: {} of {}, shell {}, digest {}": "{} : {} de {}, environnement {}, empreinte {}",
    "old, run the collector again:": "ancienne, exécutez de nouveau le collecteur :",
    "Old observation, run the collector again: {}": "Observation ancienne, exécutez de nouveau le collecteur : {~}",
    "Old, collect again: {}.": "Ancienne, à collecter de nouveau : {~}.",
    "No drift in what was observed.": "Aucune dérive dans ce qui a été observé.",
    "{} step(s) not observed: {}.": "{} étape(s) non observée(s) : {}.",
    "not observed: {}: {}": "non observé : {} : {~}",
    "? {} {}: observed, and not declared": "? {k} {} : observé, mais non déclaré",
    "was kept before": "déjà conservé",
    "could not be read: {}: {}": "lecture impossible : {} : {}",
    "only its host's certificates count: the result of {}, {} UTC, is newer": (
        "seuls les certificats de son hôte comptent : le résultat de {}, {} UTC, est plus récent"
    ),
    "it does not count: the result of {}, {} UTC, is newer": (
        "il ne compte pas : le résultat de {}, {} UTC, est plus récent"
    ),
    "warning: older than 7 days: run the collector again": (
        "avertissement : date de plus de 7 jours : exécutez de nouveau le collecteur"
    ),
    "{} result(s) kept for {}; 'tandem plan' compares with them.": (
        "{} résultat(s) conservé(s) pour {} ; « tandem plan » s'y compare."
    ),
    "Summary": "Synthèse",
    "Observations": "Observations",
    "Done, observed or confirmed": "Terminé, observé ou confirmé",
    "done, or observed by a collector. C: confirmed by somebody, and not observed. An empty box: open, or "
    "different from what is declared.": (
        "terminé, ou observé par un collecteur. C : confirmé par quelqu'un, et non observé. Une case vide : "
        "ouvert, ou différent de ce qui est déclaré."
    ),
    "Nothing to do, as far as is known: {} step(s) are confirmed by somebody, and not observed.": (
        "Rien à faire, pour autant qu'on le sache : {} étape(s) confirmée(s) par quelqu'un, et non observée(s)."
    ),
    "Nothing to do: all is as declared.": "Rien à faire : tout est conforme à la déclaration.",
    "Steps on Exchange and Lync servers: {}.": "Étapes sur les serveurs Exchange et Lync : {~}.",
    "Observation of {} ({})": "Observation de {} ({})",
    "{}, of {} on {}": "{~}, par {} sur {}",
    "run the collector again, and give its result to 'tandem observe'": (
        "exécutez de nouveau le collecteur et fournissez son résultat à « tandem observe »"
    ),
    "no observation of a shell that can read it": "aucune observation d'un environnement qui puisse le lire",
    "a collector does not see this: confirm it ('tandem confirm')": (
        "un collecteur ne voit pas cela : confirmez-le (« tandem confirm »)"
    ),
    "rights on organizational units are not observed, and contacts are missing": (
        "les droits sur les unités d'organisation ne sont pas observés, et des contacts sont absents"
    ),
    "{} has to restart after exchucutil, whose result is not there yet": (
        "{} doit redémarrer après exchucutil, dont le résultat n'est pas encore là"
    ),
    "{} on {} runs since {} UTC, before the result of exchucutil was seen or confirmed ({} UTC): whether it has "
    "restarted since exchucutil is not known": (
        "{} sur {} s'exécute depuis {} UTC, avant que le résultat d'exchucutil ne soit observé ou confirmé ({} "
        "UTC) : on ne sait pas s'il a redémarré depuis exchucutil"
    ),
    "{} on {} runs since an unknown time, before the result of exchucutil was seen or confirmed ({} UTC): whether "
    "it has restarted since exchucutil is not known": (
        "{} sur {} s'exécute depuis une date inconnue, avant que le résultat d'exchucutil ne soit observé ou "
        "confirmé ({} UTC) : on ne sait pas s'il a redémarré depuis exchucutil"
    ),
    "{} {}: {} was not read": "{} {} : {} n'a pas été lu",
    "nothing of {} on {}": "rien sur {} de {}",
    "nothing of {}: run the collector there": "rien sur {} : exécutez-y le collecteur",
    "ExchangeServer: {} has version {}": "ExchangeServer : {} a la version {}",
    "ended {}": "a expiré le {}",
    "begins {}": "n'est valable qu'à partir du {}",
    "of another subject": "d'un autre sujet",
    "without an end": "sans date de fin",
    "to be enabled for {}": "à activer pour {}",
    "none of an authority with subject CN={}": "aucun émis par une autorité de certification avec le sujet CN={}",
    "none is assigned for Default": "aucun n'est affecté à l'utilisation Default",
    "subject alternative name lacks {}": "il manque {} dans l'autre nom de l'objet (SAN)",
    "no normalization rule, for {}": "aucune règle de normalisation, pour {}",
    "{} trusts {}": "{} approuve {}",
    "{} with Service Pack {}, beyond {}": "{} avec Service Pack {}, au-delà de {}",
    "{}: {}. Nothing was kept.": "{} : {~}. Rien n'a été conservé.",
    "side: found exchange, but {} declares no server of kind exchange in {}": (
        "side : exchange trouvé, mais {} ne déclare aucun serveur de type exchange dans {}"
    ),
    "side: found lync, but {} declares no pool of kind lync in {}": (
        "side : lync trouvé, mais {} ne déclare aucun pool de type lync dans {}"
    ),
    "forest: found {}, expected one that {} declares ({})": (
        "forest : {} trouvé ; une forêt déclarée par {} est attendue ({})"
    ),
    "forest: found {}, but the organization is {}: another forest's result": (
        "forest : {} trouvé, mais l'organisation est {} : résultat d'une autre forêt"
    ),
    "ended: found {} UTC, it is {} UTC here: set the clock of {} (or of this machine), and run the collector again": (
        "ended : {} UTC trouvé, il est {} UTC ici : réglez l'horloge de {} (ou de cet ordinateur) et exécutez de "
        "nouveau le collecteur"
    ),
    "more than {} bytes: no collector writes so much": "plus de {} octets : aucun collecteur n'en écrit autant",
    "{} bytes, expected at most {}: no collector writes so much": (
        "{} octets, {} au plus sont attendus : aucun collecteur n'en écrit autant"
    ),
    "text in UTF-16, expected UTF-8, as a collector writes it: {}": (
        "texte en UTF-16 ; de l'UTF-8 est attendu, tel qu'un collecteur l'écrit : {~}"
    ),
    "byte {} is not UTF-8, expected UTF-8: {}": "l'octet {} n'est pas de l'UTF-8 ; de l'UTF-8 est attendu : {~}",
    "JSON that is nested too deeply for an observation: {}": (
        "JSON trop profondément imbriqué pour une observation : {~}"
    ),
    "no JSON ({}), expected an observation: {}": "n'est pas du JSON ({}) ; une observation est attendue : {~}",
    "JSON that is {}, expected an object with the member format: {}": (
        "JSON de type {} ; un objet contenant le membre format est attendu : {~}"
    ),
    "no sha256 as the last member, expected one: the file is cut off or altered; {}": (
        "le dernier membre n'est pas sha256 : le fichier est tronqué ou altéré ; {~}"
    ),
    "sha256 is {}, expected {}: the file was altered; {}": (
        "sha256 vaut {}, {} est attendu : le fichier a été altéré ; {~}"
    ),
    "{}: found {}, expected {}: {}": "{} : {} trouvé, {~} attendu : {~}",
    "objects: no section {}, expected it there or in unread: the collector did not end; {}": (
        "objects : la section {} n'y figure pas, ni dans unread : le collecteur ne s'est pas terminé ; {~}"
    ),
    "run the collector again, and give its file as it was written": (
        "exécutez de nouveau le collecteur et fournissez son fichier tel qu'il a été écrit"
    ),
    "give the file that a collector of 'tandem collect' wrote": (
        "fournissez le fichier écrit par un collecteur de « tandem collect »"
    ),
    "make the collector again": "générez de nouveau le collecteur",
    "use the Tandem that made the collector, or a newer one": (
        "utilisez la version de Tandem qui a généré le collecteur, ou une version plus récente"
    ),
    "not before started, {}": "pas avant started, {}",
    '"exchange" or "lync"': '"exchange" ou "lync"',
    "a string": "une chaîne",
    "a string that is not empty": "une chaîne non vide",
    "at most {} characters, none of them a control character": "au plus {} caractères, sans caractère de contrôle",
    "a time in UTC such as 2026-11-28T09:00:00Z": "une heure UTC telle que 2026-11-28T09:00:00Z",
    "a value: it names the object": "une valeur : elle désigne l'objet",
    "an array": "un tableau",
    "an array of normalization rules": "un tableau de règles de normalisation",
    "an array of strings": "un tableau de chaînes",
    "an array of {}": "un tableau de {}",
    "an object": "un objet",
    "an object of {}": "un objet de {}",
    "an object with the sections": "un objet contenant les sections",
    "an object: for each section that could not be read, why": (
        "un objet : la raison pour chaque section qui n'a pas pu être lue"
    ),
    "{}: {}; the journal names this observation: bring it back from a backup, or give the collector's file to "
    "'tandem observe' again": (
        "{} : {} ; le journal mentionne cette observation : restaurez-la à partir d'une sauvegarde, ou fournissez "
        "de nouveau le fichier du collecteur à « tandem observe »"
    ),
    "{}: holds observation {}, and not its own: bring it back from a backup, or give the collector's file to "
    "'tandem observe' again": (
        "{} : contient l'observation {}, et non la sienne : restaurez-la à partir d'une sauvegarde, ou fournissez "
        "de nouveau le fichier du collecteur à « tandem observe »"
    ),
    "not for {} (lacks {})": "pas pour {} (il manque {~})",
    "observed: {}": "observé : {~}",
}
