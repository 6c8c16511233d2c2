"""The runbook: what people carry out on servers of kind exchange and lync."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tandem.core.clock import Clock, SystemClock
from tandem.org.load import require_organization
from tandem.process.errors import ProcessError
from tandem.process.phases import Phase
from tandem.process.runbook.model import Language
from tandem.process.runbook.steps import for_team, in_forest, runbook_steps
from tandem.process.runbook.writing.book import Runbook
from tandem.process.runbook.writing.formats import RENDERERS
from tandem.process.runbook.writing.handover import hand_over
from tandem.process.runbook.writing.script import Script, scripts
from tandem.process.runbook.writing.states import state_text
from tandem.process.tasks.byhand import Known


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookText:
    """A runbook in one format. ``steps`` is how many it has, ``done`` how many are left out, as they are done."""

    format: str
    text: str
    steps: int
    done: int = 0

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"format": self.format, "text": self.text, "steps": self.steps}

    def as_file(self) -> bytes:
        """What a file of it holds: a byte order mark tells Excel that a CSV file is UTF-8."""
        return self.text.encode("utf-8-sig" if self.format.endswith("csv") else "utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookScripts:
    """The scripts of a runbook, each in a folder of its own. ``done`` is how many steps are left out, as they are done."""

    scripts: tuple[Script, ...]
    done: int = 0

    @property
    def steps(self) -> int:
        """How many steps they have together."""
        return sum(script.steps for script in self.scripts)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Each file's path below the folder of all scripts, and what it holds."""
        for script in self.scripts:
            yield from ((f"{script.name}/{name}", data) for name, data in script.files())

    def to_json(self) -> list[dict[str, Any]]:
        """As JSON values."""
        return [
            {"name": s.name, "shell": s.shell, "forest": s.forest, "steps": s.steps, "text": s.text, "tables": dict(s.tables)}
            for s in self.scripts
        ]  # fmt: skip


def write_runbook(
    file: Path, *, team: str = "all", forest: str = "", format: str = "md", language: Language = "en",
    only_open: bool = False, clock: Clock | None = None, french: Callable[[str], str] = str,
) -> RunbookText:  # fmt: skip
    """The runbook of the organization in ``file``, or the report for its change record, as one text.

    Args:
        file: the organization file. The directory is not opened.
        team: ``directory``, ``exchange``, ``voice`` or ``all``.
        forest: only the steps of this forest; empty for all.
        format: one of :data:`tandem.process.runbook.writing.formats.RENDERERS`.
        language: ``en`` or ``fr``.
        only_open: without the steps that were observed as declared, or confirmed.
        clock: tells the date that it bears; the machine's by default.
        french: says in French why a step is open.

    Raises:
        ProcessError: there is no such forest.
    """
    book = _book(file, team, forest, clock, only_open=only_open, french=french)
    return RunbookText(format=format, text=RENDERERS[format](book, language), steps=len(book.steps), done=book.done)


def write_scripts(
    file: Path, *, team: str = "all", forest: str = "", language: Language = "en", only_open: bool = False,
    clock: Clock | None = None,
) -> RunbookScripts:  # fmt: skip
    """The runbook as PowerShell scripts, one for each forest and shell; arguments and errors as of :func:`write_runbook`."""
    book = _book(file, team, forest, clock, only_open=only_open)
    return RunbookScripts(scripts=scripts(book, language), done=book.done)


def write_hand_over(
    file: Path, phase: Phase, *, team: str = "all", forest: str = "", language: Language = "en",
    clock: Clock | None = None, french: Callable[[str], str] = str,
) -> RunbookText:  # fmt: skip
    """What one team tells the other when its part of a phase is done: its steps, who confirmed them, and what may begin.

    Raises:
        ProcessError: the team has no step in this phase, or there is no such forest.
    """
    book = _book(file, team, forest, clock, french=french)
    if not any(step.phase == phase for step in book.steps):
        raise ProcessError(
            f"there is no runbook step of phase {phase.id} for {team}{f' in {forest}' if forest else ''}"
        )
    steps = sum(step.phase == phase for step in book.steps)
    return RunbookText(format="txt", text=hand_over(book, phase, language), steps=steps)


def _book(
    file: Path, team: str, forest: str, clock: Clock | None, *, only_open: bool = False,
    french: Callable[[str], str] = str,
) -> Runbook:  # fmt: skip
    organization = require_organization(file)
    every = runbook_steps(organization)
    names = [each.name for each in organization.forests]
    if forest and forest not in names:
        raise ProcessError(f"there is no forest {forest!r}; there are: {', '.join(names)}")
    at = (clock or SystemClock()).at()
    known = Known(organization, every, at=at)
    standings = {step.id: known.standing(step) for step in in_forest(for_team(every, team), forest)}
    steps = tuple(step for step in every if step.id in standings and not (only_open and not standings[step.id].changes))
    return Runbook(
        organization=organization,
        steps=steps,
        every=every,
        at=at,
        version=version("tandem-um"),
        states={id_: state_text(each, french) for id_, each in standings.items()},
        done=len(standings) - len(steps),
    )
