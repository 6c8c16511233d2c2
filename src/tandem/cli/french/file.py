"""Findings about an organization file as text: YAML, CSV, single values, patterns. English template to French."""

FILE = {
    "a value": "une valeur",
    "the file is not a mapping": "le fichier n'est pas un ensemble de clés",
    "keys such as 'name:' and 'users:' ('tandem init' shows them all)": (
        "des clés telles que « name: » et « users: » (« tandem init » les montre toutes)"
    ),
    "missing": "absent",
    "found {}": "{} trouvé",
    "found '{}'": "« {} » trouvé",
    "tandem: {}, the version of this file format": "tandem: {}, la version de ce format de fichier",
    "cannot be read: {}": "ne peut pas être lu : {}",
    "an organization file; 'tandem init DIR' writes one": (
        "un fichier d'organisation ; « tandem init DOSSIER » en écrit un"
    ),
    "{} bytes": "{} octets",
    "at most {}; keep many users in a users_csv file": (
        "{} au plus ; conservez les utilisateurs nombreux dans un fichier users_csv"
    ),
    "a byte that is not UTF-8": "un octet qui n'est pas de l'UTF-8",
    "a file saved as UTF-8": "un fichier enregistré en UTF-8",
    "nested too deeply": "trop de niveaux imbriqués",
    "the structure that 'tandem init' shows": "la structure que montre « tandem init »",
    "the file is empty": "le fichier est vide",
    "an organization; 'tandem init DIR' writes an example": (
        "une organisation ; « tandem init DOSSIER » écrit un exemple"
    ),
    "unknown key": "clé inconnue",
    "unknown key (with a non-breaking space, which looks like a blank)": (
        "clé inconnue (avec une espace insécable, qui ressemble à une espace)"
    ),
    "appears twice": "apparaît deux fois",
    "each key once": "chaque clé une seule fois",
    "too many values (aliases that multiply?)": "trop de valeurs (des alias qui se multiplient ?)",
    "a single value": "une seule valeur",
    "a list (lines that begin with '- ')": "une liste (des lignes qui commencent par « - »)",
    "a mapping": "un ensemble de clés",
    "a list": "une liste",
    "a mapping with the keys of a {}": "un ensemble avec les clés d'un objet {}",
    "true or false": "true ou false",
    "a number": "un nombre",
    "{} (as it is written here)": "{} (écrit ainsi)",
    "the name of a CSV file": "le nom d'un fichier CSV",
    "a number from {} to {}": "un nombre de {} à {}",
    "a fully qualified name in lower case, such as um1.example.com (no wildcard)": (
        "un nom de domaine complet (FQDN) en minuscules, par exemple um1.example.com (sans caractère générique)"
    ),
    "a name of 1 to 49 letters, digits, - and _ (with a voice pool, no dots and no spaces)": (
        "un nom de 1 à 49 lettres, chiffres, - et _ (avec un pool de serveurs vocaux, ni point ni espace)"
    ),
    'a name of 1 to 64 characters without " / \\ [ ] : ; | = , + * ? < >': (
        'un nom de 1 à 64 caractères sans " / \\ [ ] : ; | = , + * ? < >'
    ),
    "an account name: letters, digits, . _ and -": "un nom de compte : lettres, chiffres, . _ et -",
    "a distinguished name, such as OU=People,DC=example,DC=com": (
        "un nom unique, par exemple OU=People,DC=example,DC=com"
    ),
    "a number in E.164 form, such as +14255550100": "un numéro au format E.164, par exemple +14255550100",
    "a SIP address without sip:, such as alice@example.com": "une adresse SIP sans sip:, par exemple alice@example.com",
    "1 to 20 digits": "1 à 20 chiffres",
    "1 to 256 characters without control characters": "1 à 256 caractères sans caractère de contrôle",
    "{}, the language that this release speaks": "{}, la langue de cette version",
    "a regular expression, such as {}": "une expression régulière, par exemple {}",
    "at most 512 characters": "512 caractères au plus",
    "an IP address: a plain gateway is known by its address only": (
        "une adresse IP : une passerelle simple n'est connue que par son adresse"
    ),
    "a line URI, such as tel:+14255554101": "un URI de ligne, par exemple tel:+14255554101",
    "{} cannot be read: {} bytes": "{} ne peut pas être lu : {} octets",
    "a CSV file in UTF-8 beside this file": "un fichier CSV en UTF-8 à côté de ce fichier",
    "a file saved as UTF-8 (in Excel: 'CSV UTF-8')": "un fichier enregistré en UTF-8 (dans Excel : « CSV UTF-8 »)",
    "a byte that is neither UTF-8 nor Windows-1252": "un octet qui n'est ni de l'UTF-8 ni du Windows-1252",
    "not UTF-8; read as Windows-1252: {}": "n'est pas en UTF-8 ; lu en Windows-1252 : {}",
    "{}, if a name is not shown rightly here": "{~}, si un nom ne s'affiche pas correctement ici",
    "not CSV: {}": "n'est pas du CSV : {}",
    "quoted values closed by a quote": "des valeurs entre guillemets fermées par un guillemet",
    "no header": "aucun en-tête",
    "a first line with the columns' names, of {}": "une première ligne contenant les noms des colonnes, parmi {}",
    "columns named {}": "des colonnes nommées {}",
    "unknown column": "colonne inconnue",
    "this column appears twice": "cette colonne apparaît deux fois",
    "each column once": "chaque colonne une seule fois",
    "this column is missing": "cette colonne est absente",
    "{} values": "{} valeurs",
    "{}, as many as the header has": "{}, autant que l'en-tête",
    "'key: value'": "« clé: valeur »",
    "indentation by spaces, 'key: value'": "une mise en retrait par des espaces, « clé: valeur »",
    "not YAML: {}": "n'est pas du YAML : {}",
    "not YAML: a backslash within double quotes": (
        "n'est pas du YAML : une barre oblique inverse entre guillemets doubles"
    ),
    "single quotes around a pattern: '^(\\d{4})$'": "des guillemets simples autour d'un modèle : '^(\\d{4})$'",
    "not YAML: the {} on this line is not closed": "n'est pas du YAML : le {} de cette ligne n'est pas fermé",
    "not YAML: the {} on this line is not closed, but another kind of bracket is there": (
        "n'est pas du YAML : le {} de cette ligne n'est pas fermé, mais un autre type de parenthèse s'y trouve"
    ),
    "{} at its end, and commas between the values": "{} à la fin, et des virgules entre les valeurs",
    "not YAML: the quote on this line is not closed": "n'est pas du YAML : le guillemet de cette ligne n'est pas fermé",
    "a quote at its end": "un guillemet à la fin",
    "not YAML: a second document (---)": "n'est pas du YAML : un second document (---)",
    "one organization in a file": "une seule organisation par fichier",
    "not YAML: a tab at the begin of the line": "n'est pas du YAML : une tabulation en début de ligne",
    "blanks there": "des espaces à cet endroit",
    "not YAML: a non-breaking space, which looks like a blank (copied from a web page or a document?)": (
        "n'est pas du YAML : une espace insécable, qui ressemble à une espace (copiée d'une page Web ou d'un "
        "document ?)"
    ),
    "blanks instead": "des espaces à la place",
    "not YAML: a value that begins with {}": "n'est pas du YAML : une valeur qui commence par {}",
    "not YAML: a value that begins with *": "n'est pas du YAML : une valeur qui commence par *",
    "quotes around it": "des guillemets autour de la valeur",
    "not YAML: a colon and a blank within a value": "n'est pas du YAML : deux-points et une espace dans une valeur",
    "quotes around the value: name: 'Adams: Alice'": "des guillemets autour de la valeur : name: 'Adams: Alice'",
    "not YAML: a key where none can be": "n'est pas du YAML : une clé là où il ne peut pas y en avoir",
    "the indentation of its neighbours, and a blank behind each colon, also on the line before": (
        "la même mise en retrait que les lignes voisines, et une espace après chaque deux-points, y compris sur la "
        "ligne précédente"
    ),
    "not YAML: no colon after '{}'": "n'est pas du YAML : pas de deux-points après « {} »",
    "not YAML: a line whose indentation fits no line before": (
        "n'est pas du YAML : une ligne dont la mise en retrait ne correspond à aucune ligne précédente"
    ),
    "the indentation of its neighbours, and '- ' before each entry of a list": (
        "la même mise en retrait que les lignes voisines, et « - » devant chaque entrée d'une liste"
    ),
    "$ that names no group; write $1, ${name}, or $$ for a dollar sign": (
        "$ qui ne désigne aucun groupe ; écrivez $1, ${name} ou $$ pour un signe dollar"
    ),
    "it has {}, {}": "il contient {}, {~}",
    "a back reference, which is not supported; write out what may be there": (
        "une référence arrière, qui n'est pas prise en charge ; écrivez explicitement ce qui peut s'y trouver"
    ),
    "a class by name, which .NET does not know; write \\d or [a-z]": (
        "une classe par nom, que .NET ne connaît pas ; écrivez \\d ou [a-z]"
    ),
    "a class without another, which is not supported; list what is left": (
        "une classe moins une autre, ce qui n'est pas pris en charge ; énumérez ce qui reste"
    ),
    "a comment, which is not supported; leave it out": "un commentaire, ce qui n'est pas pris en charge ; supprimez-le",
    "a condition, which is not supported; write two rules": (
        "une condition, ce qui n'est pas pris en charge ; écrivez deux règles"
    ),
    "an atomic group, which is not supported; write (?:...)": (
        "un groupe atomique, ce qui n'est pas pris en charge ; écrivez (?:...)"
    ),
    "an escape that .NET does not know": "un caractère d'échappement que .NET ne connaît pas",
    "an escape that .NET does not know; write \\xHH": (
        "un caractère d'échappement que .NET ne connaît pas ; écrivez \\xHH"
    ),
    "an option other than i, m and s": "une option autre que i, m et s",
    "look-around, which is not supported; write what may be there, such as [0-8] for (?!9)": (
        "une assertion, ce qui n'est pas pris en charge ; écrivez ce qui peut s'y trouver, par exemple [0-8] pour (?!9)"
    ),
    "{} characters, at most {} are read": "{} caractères, {} au plus sont lus",
    "{} with a backslash; no number has one": "{} avec une barre oblique inverse ; aucun numéro n'en contient",
    "{} with a backslash; write ${}": "{} avec une barre oblique inverse ; écrivez ${}",
    "{}, but the pattern has no group, which is in ( )": "{}, mais le modèle n'a aucun groupe, qui s'écrit entre ( )",
    "{}, but the pattern has no group, which is in ( ); write ${{}}{} for group {}": (
        "{}, mais le modèle n'a aucun groupe, qui s'écrit entre ( ) ; écrivez ${{}}{} pour le groupe {}"
    ),
    "{}, but the pattern has only {}": "{}, mais le modèle n'a que {}",
    "{}, but the pattern has only {}; write ${{}}{} for group {}": (
        "{}, mais le modèle n'a que {} ; écrivez ${{}}{} pour le groupe {}"
    ),
}
