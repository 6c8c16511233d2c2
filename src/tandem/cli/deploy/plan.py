"""``tandem plan``: what is to be done, by whom. Changes nothing."""

from pathlib import Path

import click

from tandem.cli.common import (
    AS,
    FILE,
    JSON,
    PASSWORD_FILE,
    PHASE,
    REMOVALS,
    TARGET,
    console,
    open_as,
    print_json,
)
from tandem.cli.deploy.page import plan_page
from tandem.cli.show import show_plan
from tandem.pki.files import write_whole
from tandem.process import saved
from tandem.process.agreement import agreed
from tandem.process.apply import selection
from tandem.process.guard import Guard
from tandem.process.phases import TEAMS, Phase
from tandem.process.plan import Plan, make_plan
from tandem.process.runbook.further import further_steps


@click.command()
@FILE
@AS
@PASSWORD_FILE
@PHASE
@TARGET
@click.option(
    "--for", "share", metavar="WHO", help="Only the share of a team (directory, exchange, voice) or an ADMIN."
)
@click.option("--destroy", is_flag=True, help="What 'tandem destroy' would remove.")
@REMOVALS
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan, for 'tandem apply'.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page to print, one per team.")
@JSON
def plan(
    file: Path,
    account: str,
    password_file: Path | None,
    only: Phase | None,
    target: str,
    share: str | None,
    destroy: bool,
    guard: Guard,
    out: Path | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Show what is to be done for the organization in FILE: tasks by phase, with team, roles and who holds them.

    A saved plan (--out) can be shown and handed to the other team; 'tandem apply PLAN' carries out what it says, and no more.

    Exit code 0: nothing to do; 2: there are changes; 1: error.

    \b
    Examples:
      tandem plan example/organization.yaml
      tandem plan example/organization.yaml --as maria --phase exchucutil
      tandem plan example/organization.yaml --for voice --html voice.html
      tandem plan example/organization.yaml --out monday.plan
    """
    if destroy and out:
        raise click.UsageError("--destroy cannot be saved with --out: 'tandem destroy FILE' carries it out")
    context = open_as(file, account, password_file, destroy=destroy)
    made = make_plan(context, guard=guard)
    if share:
        made = _share(made, share)
    wanted = selection(context, only, target)
    made = made.only(lambda planned: wanted(planned.task))
    further = further_steps(context.organization)
    if out:
        saved.save(made, out, organization=context.organization.name, file=file, at=context.clock.at())
    if html:
        write_whole(html, plan_page(made, context.organization.name, context.clock.at()).encode())
    if as_json:
        tasks = [planned.as_json() for planned in made.tasks]
        accepted = {str(side): who for side, who in agreed(context).items()}
        print_json({"operator": made.operator, "tasks": tasks, "further_steps": further, "agreed": accepted})
    else:
        show_plan(made, further, agreed(context), console())
    raise click.exceptions.Exit(2 if made.todo else 0)


def _share(made: Plan, who: str) -> Plan:
    if who in TEAMS:
        return made.only(lambda planned: planned.task.side is TEAMS[who])
    known = sorted({holder for planned in made.tasks for holder in planned.holders})
    if who not in known:
        teams, names = ", ".join(TEAMS), ", ".join(known) or "nobody yet"
        raise click.BadParameter(f"--for {who!r}: expected a team ({teams}) or an account that holds a role ({names})")
    return made.only(lambda planned: who in planned.holders)
