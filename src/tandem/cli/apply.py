"""``tandem apply``: carry out what the operator may do."""

from pathlib import Path

import click
from rich.markup import escape

from tandem.cli.common import AS, FILE, JSON, PASSWORD_FILE, PHASE, console, open_as, print_json
from tandem.cli.show import show_change
from tandem.process.apply import apply as carry_out
from tandem.process.phases import Phase, requirement_text
from tandem.process.plan import Planned, Status
from tandem.process.task import Change


@click.command()
@FILE
@AS
@PASSWORD_FILE
@PHASE
@JSON
def apply(file: Path, account: str, password_file: Path | None, only: Phase | None, as_json: bool) -> None:
    """Carry out the tasks that the operator may do and that have what they need; list the others.

    Without --as, the initial administrator acts. What was interrupted is taken up by running it again.

    Exit code 0: all is done; 4: tasks remain that others must do or that wait; 1: error (with --phase also: the operator
    lacks the role; nothing was changed then).

    \b
    Examples:
      tandem apply example/organization.yaml
      tandem apply example/organization.yaml --as maria
      tandem apply example/organization.yaml --as victor --phase ocsumutil
    """
    out = console()

    def progress(planned: Planned, changes: tuple[Change, ...]) -> None:
        if not as_json:
            out.print(f"[green]done[/] {planned.task.id}  {escape(planned.task.title)}")
            for change in changes:
                show_change(change, out)

    applied = carry_out(open_as(file, account, password_file), only=only, progress=progress)
    remaining = applied.plan.todo
    if as_json:
        print_json({"done": list(applied.done), "remaining": [planned.as_json() for planned in remaining]})
    else:
        out.print(f"{len(applied.done)} task(s) done by {escape(account)}, {len(remaining)} remain.")
        for planned in remaining:
            out.print(f"  {planned.task.id}  {escape(_why(planned))}")
    raise click.exceptions.Exit(4 if remaining else 0)


def _why(planned: Planned) -> str:
    holders = ", ".join(planned.holders) or "nobody yet"
    if planned.status is Status.UNREADABLE:
        return "UM objects are not readable by you before phase 7"
    if planned.waits_for:
        return f"waits for {', '.join(planned.waits_for)}; then for {holders}"
    return f"needs {requirement_text(planned.task.required)}: {holders}"
