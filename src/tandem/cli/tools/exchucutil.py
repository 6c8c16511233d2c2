"""``tandem exchucutil``: permissions, gateways and hunt groups, by what the directory holds (phase 7 on its own)."""

import dataclasses
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tandem.cli.common import AS, FILE, JSON, PASSWORD_FILE, console, open_as, print_json
from tandem.cli.show import show_changes
from tandem.directory.layout import forest_of
from tandem.directory.port import Right
from tandem.org.vocabulary import ServerKind
from tandem.process.apply import carry_out
from tandem.process.errors import NotPermitted, ProcessError
from tandem.process.holders import Roles, require
from tandem.process.roles import MessagingRoles
from tandem.process.task import Change, Context
from tandem.process.tools import exchucutil as tool

DRIFT = 3


@click.command()
@FILE
@click.option("--forest", metavar="FQDN", help="The forest of the voice side, if it is another one.")
@click.option("--messaging-forest", metavar="FQDN", help="The messaging forest; by default the administrator's own.")
@click.option("--verify", is_flag=True, help="Only report: changes nothing, exit code 3 if something is missing.")
@click.option("--only-ev-pools", is_flag=True, help="Gateways only for pools with Enterprise Voice users.")
@AS
@PASSWORD_FILE
@JSON
def exchucutil(
    file: Path,
    forest: str | None,
    messaging_forest: str | None,
    verify: bool,
    only_ev_pools: bool,
    account: str,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Let the voice side read UM objects, and make a UM IP gateway for each voice pool with a hunt group per dial plan.

    Works on what the directory holds, as exchucutil.ps1 does; FILE tells where the directory is. What is there is kept:
    a gateway's OutcallsAllowed is decided when it is made, and never turned on again. Run it again after new pools or SIP
    URI dial plans.

    Exit code 0: all is as it must be; 3: --verify found something missing; 1: error.

    \b
    Examples:
      tandem exchucutil example/organization.yaml --as maria
      tandem exchucutil example/organization.yaml --verify
      tandem exchucutil contoso/organization.yaml --forest voice.example.net --as maria
    """
    context = open_as(file, account, password_file, read_only=verify)
    context = _at(context, messaging_forest, forest)
    only_ev_pools = only_ev_pools or context.organization.only_ev_pools
    servers = context.organization.servers_in(context.layout.forest, ServerKind.TANDEM)
    if not servers:
        raise ProcessError(
            f"{context.layout.forest} has no messaging server of kind tandem: on Exchange it is done by hand ('tandem runbook')"
        )
    if not context.session.may(Right.READ, context.layout.um_ip_gateways):
        raise NotPermitted(
            f"UM objects of {context.layout.forest} are not readable by {account}: nothing can be said of them"
        )
    required = MessagingRoles.of(servers).exchucutil()
    if advice := Roles(context).advice(required, context.layout.forest):
        click.echo(f"warning: {advice}", err=True)
    if verify:
        changes = tuple(change for change, _ in tool.tool_steps(context, only_ev_pools=only_ev_pools))
    else:
        require(context, required, forest=context.layout.forest, what="exchucutil")
        changes = carry_out(context, "exchucutil", tool.tool_steps(context, only_ev_pools=only_ev_pools))
    found = tool.report(context, only_ev_pools=only_ev_pools)
    if as_json:
        print_json({"changes": [str(change) for change in changes], **dataclasses.asdict(found)})
    else:
        _show(found, changes, verify=verify, out=console())
    raise click.exceptions.Exit(DRIFT if verify and changes else 0)


def _at(context: Context, messaging: str | None, voice: str | None) -> Context:
    known = [forest.name for forest in context.organization.forests]
    for name in filter(None, (messaging, voice)):
        if name not in known:
            raise ProcessError(f"there is no forest {name!r}; there are: {', '.join(known)}")
    candidates = context.organization.messaging_forests
    own = forest_of(context.session.identity)
    chosen = messaging or (own if own in candidates else candidates[0] if len(candidates) == 1 else "")
    if not chosen:
        raise ProcessError(f"--messaging-forest is needed: there are {', '.join(candidates) or 'none'}")
    here = context.at(chosen)
    if voice and voice != here.layout.voice_forest:
        raise ProcessError(f"the voice pools are in {here.layout.voice_forest}, not in {voice}")
    return here


def _show(found: tool.Report, changes: tuple[Change, ...], *, verify: bool, out: Console) -> None:
    out.print("Missing:" if verify and changes else "Made:" if changes else "Nothing to do: all is as it must be.")
    show_changes(changes, out)
    permissions = Table("Object", "Group", "Rights", "Configured", title="Permissions")
    for object_, group, rights, there in found.permissions:
        permissions.add_row(escape(object_), group, rights, "yes" if there else "[red]no[/]")
    gateways = Table("Pool FQDN", "UM IP gateway", "Dial plans", title="Gateways")
    for pool, gateway, plans in found.gateways:
        gateways.add_row(escape(pool), escape(gateway), escape(", ".join(plans)) or "-")
    out.print(permissions, soft_wrap=False)
    out.print(gateways, soft_wrap=False)
    for reminder in found.reminders:
        out.print(f"[yellow]{escape(reminder)}[/]")
