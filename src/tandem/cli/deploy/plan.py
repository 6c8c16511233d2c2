"""``tandem plan``: what is to be done, by whom. Changes nothing."""

from pathlib import Path

import click

from tandem.admin.deploy import plan as admin
from tandem.admin.opening import Operator, open_organization
from tandem.cli.common import FILE, JSON, PHASE, REMOVALS, TARGET, console, operator_options, print_json
from tandem.cli.deploy.page import plan_page
from tandem.cli.said import LANG, learn_runbook, speech
from tandem.cli.show import show_plan
from tandem.pki.files import write_whole
from tandem.process.guard import Guard
from tandem.process.phases import Phase


@click.command()
@FILE
@operator_options
@PHASE
@TARGET
@click.option(
    "--for",
    "share",
    metavar="WHO",
    help="Only the share of a team (directory, exchange or messaging, voice) or an ADMIN.",
)
@click.option("--destroy", is_flag=True, help="What 'tandem destroy' would remove.")
@REMOVALS
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan, for 'tandem apply'.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page to print, one per team.")
@JSON
@LANG
def plan(
    file: Path,
    operator: Operator,
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
    context = open_organization(file, operator, destroy=destroy)
    learn_runbook(context.organization)
    planned = admin.plan(context, guard=guard, only=only, target=target, share=share)
    if out:
        admin.save_plan(planned, out, file=file)
    if html:
        page = plan_page(planned.plan, planned.organization, planned.at)
        write_whole(html, speech().page(page).encode())
    if as_json:
        print_json(planned.to_json())
    else:
        show_plan(planned, console())
    raise click.exceptions.Exit(2 if planned.plan.todo else 0)
