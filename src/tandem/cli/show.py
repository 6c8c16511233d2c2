"""Plans and what comes of them, for people: phase by phase, with team, roles, who holds them, and the changes."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from tandem.admin.deploy.plan import PlanResult
from tandem.process.apply import Applied, Progress
from tandem.process.observing.standing import NOTHING_KNOWN, StepStanding, StepState, is_old, source_text
from tandem.process.phases import Phase
from tandem.process.plan import Plan, Planned, Status, observations_of
from tandem.process.roles import requirement_text
from tandem.process.task import ACTIONS, Change

_COLOURS = {"+": "green", "~": "yellow", "-": "red", "!": "magenta"}
_MOST_CHANGES = 20
"""Changes of one task that are shown; --json and --out have all."""
_MANY = 200
"""Changes from which a task gets a progress bar."""


def show_plan(made: PlanResult, out: Console) -> None:
    """Print a plan, who agreed to the split of work, what remains outside it, and what this release does not serve."""
    plan = made.plan
    for phase, group in groupby(plan.tasks, key=lambda planned: planned.task.phase):
        planned = list(group)
        out.print(f"\n[bold]{phase.number:>2}  {phase.title}[/]{_phase_word(planned)}")
        if phase.note:
            out.print(f"    [dim]{phase.note}[/]")
        for each in planned:
            if each.status is not Status.DONE:
                _show_task(each, plan.operator, out)
            elif each.standing is not None:
                _show_known(each, each.standing, out)
    for what in made.further:
        out.print(f"\n[yellow]Further step of phase 10: {escape(what)}[/]")
    for what in made.not_served:
        out.print(f"\n[yellow]Not served: {escape(what)}[/]")
    names = [f"{side} ({escape(who)})" for side, who in made.agreed.items()]
    out.print(f"\nThe split of work is agreed to by: {', '.join(names) or 'no team yet'}.")
    if hidden := sum(planned.status is Status.UNREADABLE for planned in plan.tasks):
        out.print(f"[yellow]{hidden} task(s) are about what {escape(plan.operator)} may not read.[/]")
    _show_knowledge(made, out)
    out.print(f"{len(plan.todo)} task(s) to do: {_counts(plan.todo)}." if plan.todo else _nothing(plan))


_KNOWN = {"observed": "green", "confirmed": "yellow", "open": "magenta", "differs": "red"}
"""How a step on Exchange or Lync servers is known, in colours that never look alike."""


def _nothing(plan: Plan) -> str:
    confirmed = sum(planned.word == StepState.CONFIRMED for planned in plan.tasks)
    if confirmed:
        return f"Nothing to do, as far as is known: {confirmed} step(s) are confirmed by somebody, and not observed."
    return "Nothing to do: all is as declared." if observations_of(plan.tasks) else _NOTHING


_NOTHING = "Nothing to do: the directory is as declared."


def _phase_word(planned: Sequence[Planned]) -> str:
    """Behind a phase whose tasks are all done: how that is known."""
    if any(each.status is not Status.DONE for each in planned):
        return ""
    words = [word for word in (StepState.OBSERVED, StepState.CONFIRMED) if any(each.word == word for each in planned)]
    return f"  [dim]{' and '.join(words) or 'done'}[/]"


def _show_known(planned: Planned, known: StepStanding, out: Console) -> None:
    """A line for a step that is done: observed, or confirmed."""
    out.print(
        f"    [{_KNOWN[known.state]}]{known.state:9}[/]  [bold]{planned.task.id}[/]  {escape(planned.task.title)}"
    )
    out.print(f"        [dim]{escape(known.text)}[/]")


def _show_knowledge(made: PlanResult, out: Console) -> None:
    """How many steps are observed, confirmed, open; and which observations are old."""
    words = Counter(_word(each) for each in made.plan.tasks if each.standing is not None)
    if words:
        counted = ", ".join(f"[{colour}]{words[word]} {word}[/]" for word, colour in _KNOWN.items() if words[word])
        out.print(f"[bold]Steps on Exchange and Lync servers:[/] {counted}.")
    for each in observations_of(made.plan.tasks):
        if is_old(each, made.at):
            said = f"{each.side} of {each.forest}, {source_text(each, made.at)}"
            out.print(f"[yellow]Old observation, run the collector again: {escape(said)}[/]")


def _word(planned: Planned) -> str:
    """``observed``, ``confirmed``, ``differs``, or ``open``, for what is ready and for what waits."""
    return planned.word if planned.word in _KNOWN else str(StepState.OPEN)


def _counts(planned: Iterable[Planned]) -> str:
    counts = Counter(change.action for each in planned for change in each.changes)
    return ", ".join(f"{counts[action]} {what}" for action, what in ACTIONS.items() if counts[action] or action != "!")


def _show_task(planned: Planned, operator: str, out: Console) -> None:
    task, known = planned.task, planned.standing
    lacks = f"[red] (lacks {escape(planned.missing)})[/]" if planned.missing else ""
    mine = "" if planned.permitted else f"  [red]not for {escape(operator)}[/]{lacks}"
    if operator in planned.expected:
        mine = f"  [yellow]for {escape(operator)} after phase 0[/]"
    word = f"[{_KNOWN[_word(planned)]}]{_word(planned):9}[/]  " if known is not None else ""
    out.print(f"    {word}[bold]{task.id}[/]  {escape(task.title)}{mine}")
    out.print(
        f"        [dim]{task.side}; needs {requirement_text(task.required)}; held by {escape(_holders(planned))}[/]"
    )
    seen = known.text if known is not None and known.text != NOTHING_KNOWN else ""
    for note in filter(None, (seen, _reason(planned), planned.advice)):
        out.print(f"        [yellow]{escape(note)}[/]")
    show_changes(worth_showing(planned.changes), out)


def _holders(planned: Planned) -> str:
    if not planned.holders and planned.expected:
        return f"nobody yet, after phase 0 by {', '.join(planned.expected)}"
    return ", ".join(planned.holders) or "nobody yet"


def _reason(planned: Planned) -> str:
    if not planned.unseen:
        return planned.reason
    names = ", ".join(planned.unseen)
    return f"{planned.reason} ({names}: maybe done, but you cannot read that)"


def worth_showing(changes: Iterable[Change]) -> list[Change]:
    """Changes without the one that says of a runbook step that it is one: its id and title stand above already."""
    return [change for change in changes if change.kind != "runbook step"]


def show_changes(changes: Sequence[Change], out: Console) -> None:
    """Print changes: all of a few, the first of many."""
    for change in changes[:_MOST_CHANGES]:
        out.print(f"        [{_COLOURS[change.action]}]{escape(str(change))}[/]")
    if len(changes) > _MOST_CHANGES:
        out.print(f"        [dim]... and {len(changes) - _MOST_CHANGES} more[/]")


class ApplyView:
    """Shows an apply while it goes on: a line for each task, a bar with its rate for a long one."""

    def __init__(self, out: Console, *, quiet: bool) -> None:
        self._out = out
        self._quiet = quiet
        self._bar: TaskID | None = None
        self._begun = 0.0
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        errors = Console(stderr=True)
        self._live = errors.is_terminal and not quiet
        self._bars = Bars(*columns, TimeRemainingColumn(), console=errors, transient=True)
        self.progress = Progress(self._start, self._tick, self._done)

    def __enter__(self) -> "ApplyView":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def _start(self, planned: Planned) -> None:
        self._begun = time.monotonic()
        if len(planned.changes) >= _MANY and self._live:
            self._bars.start()
            self._bar = self._bars.add_task(planned.task.id, total=len(planned.changes), rate="")

    def _tick(self, made: int) -> None:
        if self._bar is not None and made % 100 == 0:
            rate = made / max(time.monotonic() - self._begun, 1e-6)
            self._bars.update(self._bar, completed=made, rate=f"{rate:.0f}/s")

    def _done(self, planned: Planned, changes: tuple[Change, ...]) -> None:
        if self._bar is not None:
            self._bars.remove_task(self._bar)
            self._bars.stop()
            self._bar = None
        if not self._quiet:
            self._out.print(f"[green]done[/] {planned.task.id}  {escape(planned.task.title)}")
            show_changes(changes, self._out)


def show_applied(applied: Applied, account: str, out: Console, only: Phase | None = None) -> None:
    """What was done, and why the rest was not; of one phase alone, what is to be known of it."""
    for title, reasons in (("refused", applied.refused), ("stale", applied.stale)):
        for task, why in reasons.items():
            out.print(f"[red]{title}[/] {task}: {escape(why)}")
    remaining = applied.plan.todo
    out.print(f"{len(applied.done)} task(s) done by {escape(account)}, {len(remaining)} remain.")
    if only is not None and only.note:
        out.print(only.note)
    for planned in remaining:
        out.print(f"  {planned.task.id}  {escape(_why(planned))}")


def _why(planned: Planned) -> str:
    holders = _holders(planned)
    if planned.status is Status.WAITING:
        return f"{_reason(planned)}; then for {holders}"
    needs = f"needs {requirement_text(planned.task.required)}: {holders}"
    return f"{planned.reason}; {needs}" if planned.reason else needs


def show_output(text: str, out: Console, most: int = 30) -> None:
    """The beginning and the end of what a command printed."""
    lines = text.rstrip().splitlines()
    if len(lines) > most:
        left_out = len(lines) - most
        lines = [*lines[: most // 2], f"    ... {left_out} lines more ...", *lines[-(most // 2) :]]
    for line in lines:
        out.print(escape(line))
