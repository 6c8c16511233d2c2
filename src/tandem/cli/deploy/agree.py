"""``tandem agree`` and ``tandem confirm``: what people declare, recorded in the journal."""

from pathlib import Path

import click

from tandem.admin.deploy import agreement as admin
from tandem.admin.opening import Operator, open_organization
from tandem.cli.common import FILE, operator_options
from tandem.cli.said import LANG, said


@click.command()
@FILE
@operator_options
@LANG
def agree(file: Path, operator: Operator) -> None:
    """Record that a team accepts the split of work: which tasks are whose, and which roles they need.

    The teams are those whose roles the administrator holds. 'tandem plan --for exchange' (or voice) shows the share first.
    'tandem apply' warns until both teams have agreed, and again when the split changes.

    \b
    Examples:
      tandem agree example/organization.yaml --as maria
      tandem agree example/organization.yaml --as victor
    """
    sides = admin.agree(open_organization(file, operator))
    click.echo(said(f"{operator.account} agrees for the {' and the '.join(sides)}."))


@click.command()
@FILE
@click.argument("steps", nargs=-1, required=True, metavar="STEP...")
@operator_options
@LANG
def confirm(file: Path, steps: tuple[str, ...], operator: Operator) -> None:
    """Record that STEPs of the runbook were carried out on servers of kind exchange or lync, and their checks passed.

    The administrator needs the roles of the step. A confirmation is void when the step's text changes.

    \b
    Example:
      tandem confirm contoso/organization.yaml 3/exchange-dial-plans 4/exchange-security --as maria
    """
    admin.confirm(open_organization(file, operator), steps)
    click.echo(said(f"{len(steps)} step(s) confirmed by {operator.account}."))
