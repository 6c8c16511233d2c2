"""``tandem apply`` and ``tandem destroy``: carry out what the operator may do."""

from collections.abc import Callable
from pathlib import Path

import click

from tandem.admin.deploy import apply as admin
from tandem.admin.opening import Operator, open_organization
from tandem.cli.common import (
    FILE,
    JSON,
    PHASE,
    REMOVALS,
    TARGET,
    console,
    operator_options,
    print_json,
)
from tandem.cli.said import LANG, learn_runbook, said
from tandem.cli.show import ApplyView, show_applied
from tandem.process.apply import Applied
from tandem.process.guard import Guard
from tandem.process.phases import Phase
from tandem.process.saved import SavedPlan
from tandem.process.task import Context

STALE = 5


@click.command()
@FILE
@operator_options
@PHASE
@TARGET
@REMOVALS
@JSON
@LANG
def apply(
    file: Path,
    operator: Operator,
    only: Phase | None,
    target: str,
    guard: Guard,
    as_json: bool,
) -> None:
    """Carry out the tasks that the operator may do and that have what they need; list the others.

    FILE is an organization file, or a plan that 'tandem plan --out' saved: then what it says is done, and no more. A task
    is stale, and left, if by now it would change something else. Without --as, the initial administrator acts. What was
    interrupted is taken up by running it again.

    Exit code 0: all is done; 4: tasks remain that others must do or that wait; 5: tasks of the saved plan are stale;
    1: error (with --phase or --target also: the operator lacks the role; nothing was changed then).

    \b
    Examples:
      tandem apply example/organization.yaml
      tandem apply example/organization.yaml --as maria
      tandem apply example/organization.yaml --as victor --phase ocsumutil
      tandem plan example/organization.yaml --out monday.plan
      tandem apply monday.plan --as maria
    """
    context, plan = admin.open_file_or_plan(file, operator)
    _run(context, only, target, plan, guard, as_json, _warn)


@click.command()
@FILE
@operator_options
@REMOVALS
@JSON
@LANG
def destroy(file: Path, operator: Operator, guard: Guard, as_json: bool) -> None:
    """Remove everything that Tandem has deployed for the organization in FILE; accounts and their mail stay.

    'tandem plan FILE --destroy' shows it first. Needs --allow-removals with the largest number of one kind (users, say).
    Each administrator removes what his roles allow; the exit codes are those of 'tandem apply'.

    \b
    Example:
      tandem plan example/organization.yaml --destroy
      tandem destroy example/organization.yaml --allow-removals 4
    """
    _run(open_organization(file, operator, destroy=True), None, "", None, guard, as_json, lambda warning: None)


def _run(
    context: Context,
    only: Phase | None,
    target: str,
    plan: SavedPlan | None,
    guard: Guard,
    as_json: bool,
    warn: Callable[[str], None],
) -> None:
    learn_runbook(context.organization)
    out = console()
    with ApplyView(out, quiet=as_json) as view:
        result = admin.apply(
            context, only=only, target=target, plan=plan, guard=guard, progress=view.progress, warn=warn
        )
    if as_json:
        print_json(result.to_json())
    else:
        show_applied(result.applied, result.account, out, only)
    raise click.exceptions.Exit(_code(result.applied))


def _warn(warning: str) -> None:
    click.echo(said(f"warning: {warning}"), err=True)


def _code(applied: Applied) -> int:
    return STALE if applied.stale else 4 if applied.plan.todo else 0
