"""What is wrong with the files of collectors and of the runbook's scripts, and with what was kept of them. English template to
French."""

RESULTS = {
    "{}: {}. Nothing was kept.": "{} : {~}. Rien n'a été conservé.",
    "{}: {}. Nothing was recorded.": "{} : {~}. Rien n'a été enregistré.",
    # A collector's file
    "{}: found {}, expected {}: {}": "{} : trouvé : {~} ; attendu : {~} ; {~}",
    "nothing": "rien",
    "an object of {}": "un objet de {} éléments",
    "an array of {}": "un tableau de {} éléments",
    "an object": "un objet",
    "an array": "un tableau",
    "a string": "une chaîne",
    "a string that is not empty": "une chaîne qui n'est pas vide",
    "an array of strings": "un tableau de chaînes",
    "an array of normalization rules": "un tableau de règles de normalisation",
    "an object with the sections": "un objet contenant les sections",
    "a value, which names the object": "une valeur, qui nomme l'objet",
    "an object that says why, for each section that could not be read": (
        "un objet qui indique pourquoi, pour chaque section qui n'a pas pu être lue"
    ),
    "a time in UTC such as 2026-11-28T09:00:00Z": "une heure UTC telle que 2026-11-28T09:00:00Z",
    "not before started, {}": "pas avant started, {}",
    '"exchange" or "lync"': "« exchange » ou « lync »",
    "run the collector again, and give its file as it was written": (
        "exécutez de nouveau le collecteur, puis donnez son fichier tel qu'il a été écrit"
    ),
    "give the file that a collector of 'tandem collect' wrote": (
        "donnez le fichier qu'a écrit un collecteur de « tandem collect »"
    ),
    "use the Tandem that made the collector, or a newer one": (
        "utilisez la version de Tandem qui a créé le collecteur, ou une version plus récente"
    ),
    "make the collector again": "créez de nouveau le collecteur",
    "{} bytes, expected at most {}: no collector writes so much": (
        "{} octets ; {} au plus sont attendus : aucun collecteur n'en écrit autant"
    ),
    "more than {} bytes: no collector writes so much": "plus de {} octets : aucun collecteur n'en écrit autant",
    "text in UTF-16, expected UTF-8, as a collector writes it: {}": (
        "texte en UTF-16 ; attendu : UTF-8, tel qu'un collecteur l'écrit ; {~}"
    ),
    "byte {} is not UTF-8, expected UTF-8: {}": "l'octet {} n'est pas de l'UTF-8 ; attendu : UTF-8 ; {~}",
    "JSON that is nested too deeply for an observation: {}": (
        "données JSON dont les niveaux imbriqués sont trop nombreux pour une observation ; {~}"
    ),
    "no JSON ({}), expected an observation: {}": "pas de données JSON ({~}) ; attendu : une observation ; {~}",
    "JSON that is {}, expected an object with the member format: {}": (
        "données JSON : {~} ; attendu : un objet avec le membre format ; {~}"
    ),
    "the member {} appears twice in an object": "le membre {} apparaît deux fois dans un objet",
    "{} is no number of JSON": "{} n'est pas un nombre JSON",
    "no sha256 as the last member, expected one: the file is cut off or altered; {}": (
        "le dernier membre n'est pas sha256, alors qu'il est attendu : le fichier est tronqué ou altéré ; {~}"
    ),
    "sha256 is {}, expected {}: the file was altered; {}": (
        "sha256 est {} ; attendu : {} ; le fichier a été altéré ; {~}"
    ),
    "objects: no section {}, expected it there or in unread: the collector did not end; {}": (
        "objects : aucune section {} ; elle est attendue ici ou dans unread : le collecteur ne s'est pas terminé ; {~}"
    ),
    "forest: found {}, expected one that {} declares ({})": (
        "forest : trouvé : {} ; attendu : une forêt que {} déclare ({})"
    ),
    "forest: found {}, but the organization is {}: another forest's result": (
        "forest : trouvé : {}, mais l'organisation est {} : c'est le résultat d'une autre forêt"
    ),
    "side: found exchange, but {} declares no server of kind exchange in {}": (
        "side : trouvé : exchange, mais {} ne déclare aucun serveur de type exchange dans {}"
    ),
    "side: found lync, but {} declares no pool of kind lync in {}": (
        "side : trouvé : lync, mais {} ne déclare aucun pool de type lync dans {}"
    ),
    "ended: found {} UTC, it is {} UTC here: set the clock of {} (or of this machine), and run the collector again": (
        "ended : trouvé : {} UTC ; il est {} UTC ici : réglez l'horloge de {} (ou de cet ordinateur), puis exécutez de "
        "nouveau le collecteur"
    ),
    "{}: holds observation {}, and not its own: bring it back from a backup, or give the collector's file to "
    "'tandem observe' again": (
        "{} : contient l'observation {}, et non la sienne : restaurez ce fichier à partir d'une sauvegarde, ou donnez de "
        "nouveau le fichier du collecteur à « tandem observe »"
    ),
    "{}: {}; the journal names this observation: bring it back from a backup, or give the collector's file to "
    "'tandem observe' again": (
        "{} : {~} ; le journal mentionne cette observation : restaurez ce fichier à partir d'une sauvegarde, ou donnez de "
        "nouveau le fichier du collecteur à « tandem observe »"
    ),
    # A result of the runbook's script
    "expected the JSON that a script of the runbook writes": (
        "les données JSON qu'écrit un script du guide d'exécution sont attendues"
    ),
    "expected a result of a runbook step (format {})": (
        "le résultat d'une étape du guide d'exécution est attendu (format {})"
    ),
    "version: found {}, expected {}": "version : trouvé : {} ; attendu : {}",
    'expected to end with a member "sha256" of 64 hexadecimal digits': (
        "un membre « sha256 » de 64 chiffres hexadécimaux est attendu à la fin"
    ),
    "the SHA-256 at its end is not that of its text: it was altered": (
        "la valeur SHA-256 à la fin n'est pas celle du texte : le fichier a été altéré"
    ),
    "{}: expected a text, found none": "{} : un texte est attendu ; aucun n'a été trouvé",
    "{}: expected a text, found {}": "{} : un texte est attendu ; trouvé : {}",
    "{}: {} holds a control character": "{} : {} contient un caractère de contrôle",
    "{}: found {}, expected a time such as 2026-11-28T09:00:00Z": (
        "{} : trouvé : {} ; attendu : une heure telle que 2026-11-28T09:00:00Z"
    ),
    "ended {} is before started {}": "ended {} est antérieur à started {}",
    "transcript and transcript_sha256: expected both or none": (
        "transcript et transcript_sha256 : les deux sont attendus, ou aucun"
    ),
    "transcript: {} is not a file's name as a script writes it, with its SHA-256": (
        "transcript : {} n'est pas un nom de fichier tel qu'un script l'écrit, avec sa valeur SHA-256"
    ),
    "{}: more than {} bytes: no script writes so much. Nothing was kept.": (
        "{} : plus de {} octets : aucun script n'en écrit autant. Rien n'a été conservé."
    ),
    "{} is not the transcript of {}: it was altered. Nothing was kept.": (
        "{} n'est pas la transcription de {} : le fichier a été altéré. Rien n'a été conservé."
    ),
    "it is of {}, expected {}": "le résultat concerne {} ; attendu : {}",
    "it is of step {}, expected one that is confirmed now": (
        "le résultat concerne l'étape {} ; attendu : une étape que vous confirmez maintenant"
    ),
    "it is of another text of the step (digest {}, expected {}): write and run the script again": (
        "le résultat concerne un autre texte de l'étape (empreinte {} ; attendu : {}) : écrivez et exécutez de nouveau le "
        "script"
    ),
    "the step's outcome there is {}, expected {}: {}": "l'issue de l'étape y est {} ; attendu : {} ; {}",
    "it ended at {} UTC, which is yet to come: check the clock of {}": (
        "l'étape s'est terminée à {} UTC, heure qui est encore à venir : vérifiez l'horloge de {}"
    ),
    "it ended at {} UTC, and the observation of {}, {} UTC, differs: run the script again": (
        "il se termine le {} UTC, et l'observation de {}, {} UTC, diffère : exécutez de nouveau le script"
    ),
    "at most {} characters, none of them a control character": (
        "au plus {} caractères, dont aucun caractère de contrôle"
    ),
}
