"""What a runbook says around its steps, in English and in the French of Microsoft's documentation."""

from tandem.process.phases import Phase, Side
from tandem.process.runbook.model import Language, RunbookStep, Shell, Text

TEAMS = {
    Side.DIRECTORY: Text("Active Directory administrators", "Administrateurs Active Directory"),
    Side.MESSAGING: Text("Exchange administrators", "Administrateurs Exchange"),
    Side.VOICE: Text("Lync Server administrators", "Administrateurs Lync Server"),
}
SHELLS = {
    Shell.EXCHANGE_2007: Text("Exchange Management Shell (Exchange 2007)", "Environnement de ligne de commande Exchange Management Shell (Exchange 2007)"),
    Shell.EXCHANGE_2010: Text("Exchange Management Shell (Exchange 2010)", "Environnement de ligne de commande Exchange Management Shell (Exchange 2010)"),
    Shell.EXCHANGE_2013: Text("Exchange Management Shell (Exchange 2013)", "Environnement de ligne de commande Exchange Management Shell (Exchange 2013)"),
    Shell.EXCHANGE_2016: Text("Exchange Management Shell (Exchange 2016)", "Environnement de ligne de commande Exchange Management Shell (Exchange 2016)"),
    Shell.LYNC_2010: Text("Lync Server Management Shell (Lync Server 2010)", "Environnement Lync Server Management Shell (Lync Server 2010)"),
    Shell.LYNC_2013: Text("Lync Server Management Shell (Lync Server 2013)", "Environnement Lync Server Management Shell (Lync Server 2013)"),
    Shell.SKYPE_2015: Text("Skype for Business Server Management Shell (2015)", "Environnement Skype for Business Server Management Shell (2015)"),
    Shell.WINDOWS: Text("Windows PowerShell", "Environnement Windows PowerShell"),
}  # fmt: skip
_PHASES_FR = (
    "Ce que le déploiement suppose",
    "Déployer les serveurs de messagerie",
    "Installer les certificats (TLS mutuel)",
    "Créer et configurer les plans de numérotation de messagerie unifiée",
    "Définir la sécurité VoIP des plans de numérotation",
    "Ajouter les serveurs de messagerie unifiée aux plans de numérotation",
    "Attribuer les adresses SIP aux boîtes aux lettres",
    "Autorisations, passerelles IP de messagerie unifiée et groupements de postes (exchucutil)",
    "Configurer les plans de numérotation Lync Server",
    "Créer les objets contact (OcsUmUtil)",
    "Terminer la configuration de Voix Entreprise",
    "Activer les utilisateurs de Voix Entreprise pour la messagerie unifiée",
)
WORDS = {
    "title": Text("Runbook", "Guide d'exécution du déploiement"),
    "report": Text("Change record", "Dossier de changement"),
    "contents": Text("Contents", "Sommaire"),
    "organization": Text("Organization", "Organisation"),
    "version": Text("Tandem", "Tandem"),
    "made": Text("Made on", "Établi le"),
    "digest": Text("Digest", "Empreinte"),
    "phase": Text("Phase", "Phase"),
    "step": Text("Step", "Étape"),
    "name": Text("Title", "Titre"),
    "team": Text("Team", "Équipe"),
    "forest": Text("Forest", "Forêt"),
    "shell": Text("Shell", "Environnement"),
    "server": Text("Server", "Serveur"),
    "roles": Text("Required groups and roles", "Groupes et rôles requis"),
    "where": Text("Run on", "À exécuter sur"),
    "state": Text("State", "État"),
    "waits": Text("Only after", "Uniquement après"),
    "minutes": Text("Minutes", "Minutes"),
    "estimate": Text("Estimated duration", "Durée estimée"),
    "typed": Text("By hand", "À la main"),
    "commands": Text("Commands", "Commandes"),
    "check": Text("Check", "Vérification"),
    "undo": Text("Back-out", "Retour arrière"),
    "no_return": Text("Point of no return", "Point de non-retour"),
    "none": Text("none", "aucun"),
    "more": Text("Documentation", "Documentation"),
    "tables": Text("Tables", "Tableaux"),
    "rows": Text("rows", "lignes"),
    "tables_note": Text(
        "$tables is the folder of these files: 'tandem runbook FILE --format ps1 --out DIR' writes them beside the script.",
        "$tables est le dossier de ces fichiers : « tandem runbook FICHIER --format ps1 --out DOSSIER » les écrit à côté du script.",
    ),
    "saved_note": Text(
        "$saved is the folder in which the script keeps what was there before.",
        "$saved est le dossier dans lequel le script conserve l'état antérieur.",
    ),
    "nothing": Text("There is no server of kind exchange or lync.", "Il n'y a aucun serveur de type exchange ou lync."),
    "nothing_open": Text(
        "Nothing is open: every step was observed as declared, or confirmed.",
        "Rien n'est ouvert : chaque étape a été observée, conforme à la déclaration, ou confirmée.",
    ),
    "confirm": Text("Afterwards", "Ensuite"),
    "confirm_line": Text("tandem confirm FILE", "tandem confirm FICHIER"),
    "confirm_evidence": Text("--evidence RESULT.json", "--evidence RÉSULTAT.json"),
    "done_by": Text("Done by", "Exécuté par"),
    "when": Text("on", "le"),
    "agree": Text(
        "Both teams agree on who does what before the first step: see the matrix of phases and teams in the change record "
        "(--format report-html) and 'tandem agree'.",
        "Avant la première étape, les deux équipes conviennent de la répartition des tâches : voir la matrice des phases et des "
        "équipes dans le dossier de changement (--format report-html) et « tandem agree ».",
    ),
}
"""The frame of the runbook. A colon is the renderer's: see :func:`labelled`."""


def phase_title(phase: Phase, language: Language) -> str:
    """The title of a phase."""
    return _PHASES_FR[phase.number] if language == "fr" else phase.title


def word(name: str, language: Language) -> str:
    """One of :data:`WORDS`."""
    return WORDS[name].of(language)


def label(name: str, language: Language) -> str:
    """One of :data:`WORDS` with its colon: in French there is a space before it."""
    return f"{word(name, language)}{' :' if language == 'fr' else ':'}"


def semicolon(language: Language) -> str:
    """Between parts of a line: in French there is a space before it."""
    return " ; " if language == "fr" else "; "


def labelled(name: str, value: str, language: Language) -> str:
    """``Run on: each server``, ``À exécuter sur : chaque serveur``."""
    return f"{label(name, language)} {value}"


def duration(minutes: int, language: Language) -> str:
    """``1 h 35 min``."""
    hours, rest = divmod(minutes, 60)
    return " ".join(
        part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest or not hours else "") if part
    )


def left_out(done: int, language: Language) -> str:
    """How many steps are not written, as they are done."""
    said = Text(
        f"Only what is open: {done} step(s) that were observed as declared or confirmed are left out",
        f"Uniquement ce qui est ouvert : {done} étape(s) observées, conformes à la déclaration, ou confirmées sont omises",
    )
    return said.of(language)


def who(step: RunbookStep, language: Language) -> str:
    """The team and the forest of a step."""
    return f"{TEAMS[step.side].of(language)}, {step.forest}"


def confirm_line(step: RunbookStep, language: Language) -> str:
    """The command that records a step."""
    return f"{word('confirm_line', language)} {step.id} {word('confirm_evidence', language)}"


def numbered(phase: Phase, language: Language) -> str:
    """``3. Create and configure the UM dial plans``."""
    return f"{phase.number}. {phase_title(phase, language)}"
