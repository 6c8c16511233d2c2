"""A plan for people: phase by phase, with team, roles, who holds them, and the changes."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape

from tandem.process.phases import requirement_text
from tandem.process.plan import Plan, Planned, Status
from tandem.process.task import Change

_COLOURS = {"+": "green", "~": "yellow", "-": "red"}


def show_plan(plan: Plan, later: Sequence[str], out: Console) -> None:
    """Print a plan, and what is declared but carried out by a later release."""
    for phase, group in groupby(plan.tasks, key=lambda planned: planned.task.phase):
        planned = list(group)
        done = all(p.status is Status.DONE for p in planned)
        out.print(f"\n[bold]{phase.number:>2}  {phase.title}[/]" + ("  [dim]done[/]" if done else ""))
        for each in planned:
            if each.status is not Status.DONE:
                _show_task(each, plan.operator, out)
    for what in later:
        out.print(f"\n[yellow]Not carried out by this release: {escape(what)}[/]")
    counts = {action: sum(c.action == action for p in plan.todo for c in p.changes) for action in _COLOURS}
    todo = len(plan.todo)
    tail = f"{counts['+']} to make, {counts['~']} to change, {counts['-']} to remove"
    out.print(f"\n{todo} task(s) to do: {tail}." if todo else "\nNothing to do: the directory is as declared.")


def _show_task(planned: Planned, operator: str, out: Console) -> None:
    task = planned.task
    mine = "" if planned.permitted else f"  [red]not for {escape(operator)}[/]"
    out.print(f"    [bold]{task.id}[/]  {escape(task.title)}{mine}")
    holders = ", ".join(planned.holders) or "nobody yet"
    out.print(f"        [dim]{task.side}; needs {requirement_text(task.required)}; held by {escape(holders)}[/]")
    if planned.status is Status.UNREADABLE:
        out.print("        [yellow]UM objects are not readable by you before phase 7[/]")
    elif planned.waits_for:
        out.print(f"        [yellow]waits for: {', '.join(planned.waits_for)}[/]")
    for change in planned.changes:
        show_change(change, out)


def show_change(change: Change, out: Console) -> None:
    """Print one change."""
    out.print(f"        [{_COLOURS[change.action]}]{escape(str(change))}[/]")


def show_output(text: str, out: Console, most: int = 30) -> None:
    """The beginning and the end of what a command printed."""
    lines = text.rstrip().splitlines()
    if len(lines) > most:
        left_out = len(lines) - most
        lines = [*lines[: most // 2], f"    ... {left_out} lines more ...", *lines[-(most // 2) :]]
    for line in lines:
        out.print(escape(line))
