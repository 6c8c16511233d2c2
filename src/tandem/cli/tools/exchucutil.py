"""``tandem exchucutil``: permissions, gateways and hunt groups, by what the directory holds (phase 7 on its own)."""

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tandem.admin.opening import Operator, open_organization
from tandem.admin.tools import exchucutil as admin
from tandem.cli.common import FILE, JSON, console, operator_options, print_json
from tandem.cli.show import show_changes
from tandem.process.task import Change
from tandem.process.tools.exchucutil import Report

DRIFT = 3


@click.command()
@FILE
@click.option("--forest", metavar="FQDN", help="The forest of the voice side, if it is another one.")
@click.option("--messaging-forest", metavar="FQDN", help="The messaging forest; by default the administrator's own.")
@click.option("--verify", is_flag=True, help="Only report: changes nothing, exit code 3 if something is missing.")
@click.option("--only-ev-pools", is_flag=True, help="Gateways only for pools with Enterprise Voice users.")
@operator_options
@JSON
def exchucutil(
    file: Path,
    forest: str | None,
    messaging_forest: str | None,
    verify: bool,
    only_ev_pools: bool,
    operator: Operator,
    as_json: bool,
) -> None:
    """Let the voice side read UM objects, and make a UM IP gateway for each voice pool with a hunt group per dial plan.

    Works on what the directory holds, as exchucutil.ps1 does; FILE says where the directory is. Existing objects are kept:
    a gateway's OutcallsAllowed is decided when it is made, and never turned on again. Run it again after new pools or SIP
    URI dial plans.

    Exit code 0: nothing is missing; 3: --verify found something missing; 1: error.

    \b
    Examples:
      tandem exchucutil example/organization.yaml --as maria
      tandem exchucutil example/organization.yaml --verify
      tandem exchucutil contoso/organization.yaml --forest voice.example.net --as maria
    """
    found = admin.exchucutil(
        open_organization(file, operator, read_only=verify),
        forest=forest,
        messaging_forest=messaging_forest,
        verify=verify,
        only_ev_pools=only_ev_pools,
        warn=lambda advice: click.echo(f"warning: {advice}", err=True),
    )
    if as_json:
        print_json(found.to_json())
    else:
        _show(found.report, found.changes, verify=verify, out=console())
    raise click.exceptions.Exit(DRIFT if verify and found.changes else 0)


def _show(found: Report, changes: tuple[Change, ...], *, verify: bool, out: Console) -> None:
    out.print("Missing:" if verify and changes else "Made:" if changes else "Nothing to do.")
    show_changes(changes, out)
    permissions = Table("Object", "Group", "Rights", "Configured", title="Permissions")
    for object_, group, rights, there in found.permissions:
        permissions.add_row(escape(object_), group, rights, "yes" if there else "[red]no[/]")
    gateways = Table("Pool FQDN", "UM IP gateway", "Dial plans", title="Gateways")
    for pool, gateway, plans in found.gateways:
        gateways.add_row(escape(pool), escape(gateway), escape(", ".join(plans)) or "-")
    for column in (*permissions.columns, *gateways.columns):
        column.overflow = "fold"  # a narrow terminal cuts no name short
    out.print(permissions, soft_wrap=False)
    out.print(gateways, soft_wrap=False)
    for reminder in found.reminders:
        out.print(f"[yellow]{escape(reminder)}[/]")
