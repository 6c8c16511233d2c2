"""The parts of the report for the change record, as values: who does what in which phase, how long it takes, what cannot be
undone, how it is tested, and who signs. Who holds the roles is not known without a directory: the names are blank lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tandem.process.phases import Phase, Side
from tandem.process.roles import requirement_text
from tandem.process.runbook.model import Language, RunbookStep, Text, saved_file
from tandem.process.runbook.writing.book import Runbook
from tandem.process.runbook.writing.words import TEAMS, duration, labelled, numbered, word

_LINE = "________________"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report: a heading, sentences, and a table. ``box``: each row begins with a box to tick."""

    title: str
    said: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    box: bool = False


def sections(book: Runbook, language: Language) -> Iterator[Section]:
    """Every part, in order."""
    yield _window(book, language)
    yield _matrix(book, language)
    yield _steps(book, language)
    yield _risk(book, language)
    yield _back_out(book, language)
    yield _acceptance(book, language)
    yield _signatures(book, language)


def _window(book: Runbook, language: Language) -> Section:
    total = sum(step.minutes for step in book.steps)
    rows = [(text.of(language), _LINE) for text in (_CHANGE_NUMBER, _REQUESTED_BY, _BEGINS, _ENDS, _DECIDES_BACK_OUT)]
    rows += [
        (labelled("estimate", TEAMS[side].of(language), language), duration(_minutes(book, side), language))
        for side in book.sides
    ]
    rows.append((labelled("estimate", _TOTAL.of(language), language), duration(total, language)))
    return Section(title=_WINDOW.of(language), said=(_WINDOW_SAID.of(language),), columns=("", ""), rows=tuple(rows))


def _minutes(book: Runbook, side: Side, phase: Phase | None = None) -> int:
    return sum(s.minutes for s in book.steps if s.side is side and (phase is None or s.phase == phase))


def _matrix(book: Runbook, language: Language) -> Section:
    """A row to a phase, a column to a team: how many steps it has there and how long they take."""
    rows = []
    for phase, steps in book.by_phase():
        cells = []
        for side in book.sides:
            count = sum(step.side is side for step in steps)
            cells.append(f"{count} ({duration(_minutes(book, side, phase), language)})" if count else "")
        rows.append((numbered(phase, language), *cells))
    totals = [
        f"{sum(step.side is side for step in book.steps)} ({duration(_minutes(book, side), language)})"
        for side in book.sides
    ]
    rows.append((_TOTAL.of(language), *totals))
    columns = (word("phase", language), *(TEAMS[side].of(language) for side in book.sides))
    return Section(title=_MATRIX.of(language), said=(_MATRIX_SAID.of(language),), columns=columns, rows=tuple(rows))


def _steps(book: Runbook, language: Language) -> Section:
    names = ("step", "name", "team", "forest", "roles", "minutes")
    columns = (*(word(name, language) for name in names), BY.of(language), RESULT.of(language))
    rows = tuple(
        (
            step.id, step.title.of(language), TEAMS[step.side].of(language), step.forest,
            requirement_text(step.required, language), str(step.minutes), "", "",
        )
        for step in book.steps
    )  # fmt: skip
    return Section(title=_STEPS.of(language), columns=columns, rows=rows, box=True)


def _risk(book: Runbook, language: Language) -> Section:
    rows = tuple(
        (step.id, step.title.of(language), step.no_return.of(language)) for step in book.steps if step.no_return
    )
    columns = (word("step", language), word("name", language), word("no_return", language))
    said = _RISK_SAID if rows else _NO_RISK
    return Section(title=_RISK.of(language), said=(said.of(language),), columns=columns if rows else (), rows=rows)


def _back_out(book: Runbook, language: Language) -> Section:
    """Backwards: what was done last is backed out first. Steps that only look have nothing to back out."""
    changing = [step for step in reversed(book.steps) if step.commands or step.typed or step.undo]
    rows = tuple(
        (
            step.id,
            step.title.of(language),
            ", ".join(saved_file(step.id, s.name) for s in step.saves),
            way_back(step, language),
        )
        for step in changing
    )
    columns = (word("step", language), word("name", language), _SAVED.of(language), word("undo", language))
    return Section(title=_BACK_OUT.of(language), said=(_BACK_OUT_SAID.of(language),), columns=columns, rows=rows)


def way_back(step: RunbookStep, language: Language) -> str:
    """How a step is backed out."""
    if step.undo:
        return f"-Undo {step.id}"
    if step.no_return:
        return word("no_return", language)
    return (_BY_HAND if step.commands or step.typed else _NOTHING_CHANGED).of(language)


def _acceptance(book: Runbook, language: Language) -> Section:
    """What people try when all is done, and the checks of the last phase."""
    last = [step for step in book.steps if step.id.partition("/")[2].partition("-")[2].startswith("acceptance")]
    tests = [(step.id, each.of(language)) for step in last for each in step.typed]
    tests += [(step.id, _CHECKED.of(language)) for step in last if step.checks]
    if not last:
        tests = [(step.id, labelled("check", step.title.of(language), language)) for step in book.steps if step.checks]
    columns = (word("step", language), _TEST.of(language), RESULT.of(language), BY.of(language))
    return Section(
        title=_ACCEPTANCE.of(language), columns=columns, rows=tuple((*test, "", "") for test in tests), box=True
    )


def _signatures(book: Runbook, language: Language) -> Section:
    rows = tuple(
        (numbered(phase, language), TEAMS[side].of(language), _LINE, _LINE, _LINE)
        for phase, steps in book.by_phase()
        for side in book.sides
        if any(step.side is side for step in steps)
    )
    columns = (word("phase", language), word("team", language), *(t.of(language) for t in (_NAME, _DATE, _SIGNATURE)))
    return Section(title=_SIGNED.of(language), said=(_SIGNED_SAID.of(language),), columns=columns, rows=rows)


_WINDOW = Text("Change and window", "Changement et fenêtre de maintenance")
_WINDOW_SAID = Text(
    "Durations are estimates. Restarts of the UM, call router and Front-End services end calls: plan them outside business hours.",
    "Les durées sont des estimations. Le redémarrage des services de messagerie unifiée, de routage d'appels et frontaux met fin aux appels : planifiez-le hors des heures de bureau.",
)
_CHANGE_NUMBER = Text("Change number", "Numéro de changement")
_REQUESTED_BY = Text("Requested by", "Demandé par")
_BEGINS = Text("Window begins", "Début de la fenêtre")
_ENDS = Text("Window ends", "Fin de la fenêtre")
_DECIDES_BACK_OUT = Text(
    "Who decides to back out, and when at the latest", "Qui décide du retour arrière, et au plus tard quand"
)
_TOTAL = Text("Total", "Total")
_MATRIX = Text("Phases and teams", "Phases et équipes")
_MATRIX_SAID = Text(
    "Number of steps and estimated duration. Both teams agree on this split before the first step.",
    "Nombre d'étapes et durée estimée. Les deux équipes conviennent de cette répartition avant la première étape.",
)
_STEPS = Text("Steps", "Étapes")
BY = Text("Done by", "Exécuté par")
RESULT = Text("Result", "Résultat")
_RISK = Text("Risk", "Risques")
_RISK_SAID = Text("These steps cannot be backed out:", "Ces étapes ne peuvent pas être annulées :")
_NO_RISK = Text("No step is a point of no return.", "Aucune étape n'est un point de non-retour.")
_BACK_OUT = Text("Back-out", "Retour arrière")
_BACK_OUT_SAID = Text(
    "Back out in this order, each step with the script that carried it out. The files of what was there before are in the script's folder saved.",
    "Annulez dans cet ordre, chaque étape avec le script qui l'a exécutée. Les fichiers de l'état antérieur sont dans le dossier saved du script.",
)
_SAVED = Text("Saved before", "Enregistré avant")
_BY_HAND = Text("by hand", "à la main")
_NOTHING_CHANGED = Text("changes nothing", "ne modifie rien")
_ACCEPTANCE = Text("Acceptance tests", "Tests de réception")
_TEST = Text("Test", "Test")
_CHECKED = Text("The tests of the script pass.", "Les tests du script réussissent.")
_SIGNED = Text("Signatures", "Signatures")
_SIGNED_SAID = Text(
    "Who holds the roles is in the directory: 'tandem plan' names them.",
    "Les titulaires des rôles figurent dans l'annuaire : « tandem plan » les indique.",
)
_NAME, _DATE, _SIGNATURE = Text("Name", "Nom"), Text("Date", "Date"), Text("Signature", "Signature")
