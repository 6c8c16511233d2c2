"""``tandem plan``: what is to be done, by whom. Changes nothing."""

from pathlib import Path

import click

from tandem.cli.common import AS, FILE, JSON, PASSWORD_FILE, PHASE, console, open_as, print_json
from tandem.cli.show import show_plan
from tandem.org.checks import carried_out_later
from tandem.process.phases import Phase
from tandem.process.plan import make_plan


@click.command()
@FILE
@AS
@PASSWORD_FILE
@PHASE
@JSON
def plan(file: Path, account: str, password_file: Path | None, only: Phase | None, as_json: bool) -> None:
    """Show what is to be done for the organization in FILE: tasks by phase, with team, roles and who holds them.

    Exit code 0: nothing to do; 2: there are changes; 1: error.

    \b
    Examples:
      tandem plan example/organization.yaml
      tandem plan example/organization.yaml --as maria --phase exchucutil
    """
    context = open_as(file, account, password_file)
    made = make_plan(context, only=only)
    later = [what for _, what in carried_out_later(context.organization)]
    if as_json:
        tasks = [planned.as_json() for planned in made.tasks]
        print_json({"operator": made.operator, "tasks": tasks, "later": later})
    else:
        show_plan(made, later, console())
    raise click.exceptions.Exit(2 if made.todo else 0)
