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
@click.argument("steps", nargs=-1, metavar="[STEP]...")
@click.option(
    "--evidence",
    multiple=True,
    metavar="RESULT.json",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The result file that the runbook's script has left; may be given for each step.",
)
@click.option("--force", metavar="REASON", default="", help="Confirm although earlier phases are open; recorded.")
@operator_options
@LANG
def confirm(file: Path, steps: tuple[str, ...], evidence: tuple[Path, ...], force: str, operator: Operator) -> None:
    """Record that STEPs of the runbook were carried out on servers of kind exchange or lync, and their checks passed.

    The administrator needs the roles of the step. A step is refused while those that it waits for are open. With --evidence
    the result of the runbook's script is checked and kept; without STEPs, it says which steps are confirmed. A confirmation is
    somebody's word: 'tandem observe' sees the servers themselves. It is void when the step's text changes.

    \b
    Examples:
      tandem confirm contoso/organization.yaml 3/exchange-dial-plans --force "made last year" --as maria
      tandem confirm contoso/organization.yaml 3/exchange-dial-plans --evidence result.json --force "tried first" --as maria
    """
    if not steps and not evidence:
        raise click.UsageError("name the steps that were carried out, or give their results with --evidence")
    done, warnings = admin.confirm(open_organization(file, operator), steps, evidence=evidence, force=force)
    for warning in warnings:
        click.echo(said(f"Warning: {warning}."), err=True)
    click.echo(said(f"{len(done)} step(s) confirmed by {operator.account}."))
