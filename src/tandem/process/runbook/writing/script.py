"""A runbook as PowerShell scripts, one for each forest and shell, in a folder with its tables.

Each script looks first whether it is in its forest and shell, and throws before anything else where it is not. It runs every
step in order, or those that ``-Step`` names, each in a transcript and followed by its check, and leaves a result file for
``tandem confirm --evidence``. It stops for a typed yes at what people do by hand, at points of no return, at programs without
-WhatIf, and before a step that waits for another team, shell or forest. ``-Undo`` backs a step out, ``-WhatIf`` changes nothing.

The syntax is PowerShell 2's, which Exchange 2007 SP3 to 2010 and Lync Server 2010 have.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

from tandem.process.errors import ProcessError
from tandem.process.roles import requirement_text
from tandem.process.runbook.model import Language, RunbookStep, Shell, StepTable, Text, file_stem, saved_file
from tandem.process.runbook.order import awaited
from tandem.process.runbook.powershell import array, comment, has_control, quote
from tandem.process.runbook.writing.book import Runbook
from tandem.process.runbook.writing.guard import guard
from tandem.process.runbook.writing.needs import needs_text
from tandem.process.runbook.writing.words import SHELLS, TEAMS, labelled, numbered, semicolon


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script for one shell of one forest. ``tables`` are the CSV files that lie beside it, by name."""

    shell: Shell
    forest: str
    text: str
    tables: Mapping[str, str]
    steps: int

    @property
    def name(self) -> str:
        """Of its folder, and of the file without ``.ps1``."""
        return f"{self.shell}-{self.forest}"

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The files of its folder. A byte order mark tells Windows PowerShell, and its Import-Csv, that they are UTF-8."""
        for name, text in ((f"{self.name}.ps1", self.text), *self.tables.items()):
            yield name, text.replace("\n", "\r\n").encode("utf-8-sig")


def scripts(book: Runbook, language: Language) -> tuple[Script, ...]:
    """The scripts of a runbook, in the order of their first steps."""
    places = dict.fromkeys((step.forest, step.shell) for step in book.steps)
    return tuple(_script(book, forest, shell, language) for forest, shell in places)


def _script(book: Runbook, forest: str, shell: Shell, language: Language) -> Script:
    mine = [step for step in book.steps if (step.forest, step.shell) == (forest, shell)]
    lines = [*_head(book, mine[0], language), *guard(forest, shell, language), *_words(language), "$steps = @("]
    entries = [_entry(book, step, mine, language) for step in mine]
    frame = resources.files("tandem.process.runbook.writing").joinpath("frame.ps1").read_text(encoding="utf-8")
    text = "\n".join((*lines, ",\n".join(entries), ")", "", frame))
    return Script(shell=shell, forest=forest, text=text, tables=_tables(mine), steps=len(mine))


def _head(book: Runbook, step: RunbookStep, language: Language) -> Iterator[str]:
    yield "#requires -Version 2.0"
    yield comment(labelled("title", book.organization.name, language))
    yield comment(f"{step.forest}, {SHELLS[step.shell].of(language)}")
    made = labelled("made", f"{book.at:%Y-%m-%d %H:%M} UTC", language)
    facts = (labelled("version", book.version, language), made, labelled("digest", book.digest, language))
    yield comment(semicolon(language).join(facts))
    yield from (comment(each.of(language)) for each in _USE)
    yield "[CmdletBinding(SupportsShouldProcess = $true)]"
    yield "param([string[]]$Step = @(), [string]$Undo = '', [string]$CertificateAuthority = '')"
    yield "Set-StrictMode -Version 2.0"
    yield "$ErrorActionPreference = 'Stop'"
    yield f"$forest = {quote(step.forest)}"
    yield f"$shell = {quote(step.shell)}\n"


_USE = (
    Text(
        "Without -Step every step runs in order; -Step takes ids, or patterns such as 3/*. -WhatIf changes nothing. -Undo ID backs a step out.",
        "Sans -Step, toutes les étapes sont exécutées dans l'ordre ; -Step accepte des identifiants ou des modèles tels que 3/*. -WhatIf ne modifie rien. -Undo ID annule une étape.",
    ),
    Text(
        "Copy the whole folder. Transcripts and results go to its subfolder evidence, what was there before to its subfolder saved.",
        "Copiez le dossier entier. Les transcriptions et les résultats vont dans le sous-dossier evidence, l'état antérieur dans le sous-dossier saved.",
    ),
    Text(
        "The CSV files are for Import-Csv, not for Excel, which takes a value that begins with =, +, - or @ (such as +14255550100) for a formula.",
        "Les fichiers CSV sont destinés à Import-Csv et non à Excel, qui prend pour une formule une valeur commençant par =, +, - ou @ (comme +14255550100).",
    ),
    Text(
        "Texts within the commands are in English.",
        "Les textes contenus dans les commandes sont en anglais.",
    ),
)


def _entry(book: Runbook, step: RunbookStep, mine: list[RunbookStep], language: Language) -> str:
    """A step as an object. Its blocks see the variables of the script, and keep their own to themselves."""
    others = [each for each in awaited(step, book.every, book.organization.voice_forest) if each not in mine]
    notes = [
        f"{numbered(step.phase, language)} ({TEAMS[step.side].of(language)})",
        labelled("roles", requirement_text(step.required, language), language),
        labelled("where", step.where.of(language), language),
        *(note.of(language) for note in step.notes),
    ]
    fields = {
        "Id": quote(step.id),
        "Digest": quote(step.digest),
        "File": quote(file_stem(step.id)),
        "Phase": str(step.phase.number),
        "Title": _said(step.title.of(language)),
        "Server": quote(step.server),
        "Needs": f"@({', '.join(map(str, step.phase.needs))})",
        "Awaits": _said(needs_text(others, language)),
        "Notes": array(_flat(note) for note in notes),
        "Typed": array(_flat(each.of(language)) for each in step.typed),
        "NoReturn": _said(step.no_return.of(language) if step.no_return else ""),
        "Saves": _saves(step),
        "Commands": _block(step.commands),
        "Checks": _block(step.checks),
        "Undo": _block(step.undo),
    }
    body = "\n".join(f"    {name} = {value}" for name, value in fields.items())
    return f"(New-Object PSObject -Property @{{\n{body}\n}})"


def _saves(step: RunbookStep) -> str:
    objects = (
        f"(New-Object PSObject -Property @{{ File = {quote(saved_file(step.id, each.name))}; Value = {_block((each.expression,))} }})"
        for each in step.saves
    )
    return f"@({', '.join(objects)})"


def _block(blocks: tuple[str, ...]) -> str:
    inner = "\n".join(f"        {line}" for block in blocks for line in block.split("\n"))
    return f"{{\n{inner}\n    }}" if blocks else "$null"


def _said(text: str) -> str:
    return quote(_flat(text))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _words(language: Language) -> Iterator[str]:
    yield "$words = @{"
    yield from (f"    {name} = {quote(text.of(language))}" for name, text in _MESSAGES.items())
    yield "}\n"


_MESSAGES = {
    "Yes": Text("Type yes:", "Tapez oui :"),
    "Result": Text("Result:", "Résultat :"),
    "SavedBefore": Text("Kept from the first run:", "Conservé depuis la première exécution :"),
    "NoReturn": Text("POINT OF NO RETURN.", "POINT DE NON-RETOUR."),
    "GoOn": Text("There is no way back. Go on?", "Aucun retour arrière n'est possible. Continuer ?"),
    "ByHand": Text("Is what is listed above done?", "Les actions ci-dessus sont-elles effectuées ?"),
    "BackOut": Text("This step is backed out. Go on?", "Cette étape va être annulée. Continuer ?"),
    "NotDone": Text("not done.", "non exécuté."),
    "NoTranscript": Text("There is no transcript of this step.", "Cette étape n'a pas de transcription."),
    "Needs": Text("before this step, there must be done:", "avant cette étape, les phases suivantes doivent être terminées :"),
    "Skipped": Text("Not done by this run:", "Non exécuté ici :"),
    "Finished": Text("Are they finished?", "Sont-elles terminées ?"),
    "Ends": Text("Stopped. When that is done, go on with -Step and", "Arrêt. Ensuite, continuez avec -Step et"),
    "Unknown": Text("This script has no step", "Ce script ne contient pas l'étape"),
    "NoUndo": Text("this step cannot be backed out.", "cette étape ne peut pas être annulée."),
    "OnlyOn": Text("runs only on", "s'exécute uniquement sur"),
}  # fmt: skip


def _tables(steps: list[RunbookStep]) -> dict[str, str]:
    """The tables of some steps. Steps may share a file if it has the same rows."""
    found: dict[str, str] = {}
    for step in steps:
        for table in step.tables:
            text = table_csv(table)
            if found.setdefault(table.file, text) != text:
                raise ProcessError(f"internal error: two tables of one script are both called {table.file}")
    return found


def table_csv(table: StepTable) -> str:
    """A table for Import-Csv: every value is quoted. Raises :class:`ProcessError` for control characters."""
    out = io.StringIO()
    rows = list(table.rows)
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        return ""
    writer.writerow(names)
    for row in rows:
        values = [row.get(name, "") for name in names]
        if bad := next(filter(has_control, values), None):
            raise ProcessError(f"{bad!r} holds a control character and cannot stand in {table.file}")
        writer.writerow(values)
    return out.getvalue()
