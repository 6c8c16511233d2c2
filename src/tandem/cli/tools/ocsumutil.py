"""``tandem ocsumutil``: contact objects and the check of dial plan names (phase 9 on its own)."""

import dataclasses
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from tandem.cli.common import AS, FILE, JSON, PASSWORD_FILE, open_as, print_json
from tandem.directory import objects as o
from tandem.directory.repository import Repository
from tandem.process.apply import carry_out
from tandem.process.holders import require
from tandem.process.roles import OCSUMUTIL
from tandem.process.task import Change, Context, Step, differences
from tandem.process.tools import contacts as tool
from tandem.process.tools.targets import read_target

CONTACT = click.argument("name", metavar="CONTACT")


@click.group()
def ocsumutil() -> None:
    """Make the numbers of UM callable: contact objects for Subscriber Access and auto attendants.

    Reads the UM objects of every messaging forest that trusts the voice forest; before phase 7 it cannot, and says so.
    """


@ocsumutil.command()
@FILE
@AS
@PASSWORD_FILE
@JSON
def load(file: Path, account: str, password_file: Path | None, as_json: bool) -> None:
    """Show what is found: messaging forests, SIP URI dial plans, auto attendants, contacts.

    \b
    Example:
      tandem ocsumutil load example/organization.yaml --as victor
    """
    context = _open(file, account, password_file)
    forests = tool.load(context)
    contacts = context.repository.all(o.Contact)
    if as_json:
        print_json({"forests": [dataclasses.asdict(f) for f in forests], "contacts": list(map(_row, contacts))})
        return
    for forest in forests:
        click.echo(
            f"{forest.name}: {len(forest.dial_plans)} SIP URI dial plan(s), {len(forest.attendants)} auto attendant(s)"
        )
    click.echo(f"{len(contacts)} contact(s)")


@ocsumutil.command()
@FILE
@AS
@PASSWORD_FILE
@JSON
def dialplans(file: Path, account: str, password_file: Path | None, as_json: bool) -> None:
    """Show each SIP URI dial plan with its numbers, auto attendants and contacts.

    \b
    Example:
      tandem ocsumutil dialplans example/organization.yaml --as victor
    """
    context = _open(file, account, password_file)
    contacts = context.repository.all(o.Contact)
    rows: list[dict[str, Any]] = []
    for forest in tool.load(context):
        for plan in forest.dial_plans:
            mine = [c for c in contacts if read_target(c)[0] == plan.phone_context]
            attendants = [a.name for a in forest.attendants if a.dial_plan == plan.name]
            rows.append(
                {
                    "forest": forest.name,
                    "name": plan.name,
                    "phone_context": plan.phone_context,
                    "access_numbers": list(plan.access_numbers),
                    "auto_attendants": attendants,
                    "contacts": list(map(_row, mine)),
                }
            )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['name']}  {row['phone_context']}  numbers: {_list(row['access_numbers'])}")
        click.echo(f"    auto attendants: {_list(row['auto_attendants'])}")
        for contact in row["contacts"]:
            click.echo(f"    {_line(contact)}")


@ocsumutil.command("check-names")
@FILE
@AS
@PASSWORD_FILE
@JSON
def check_names(file: Path, account: str, password_file: Path | None, as_json: bool) -> None:
    """Check that a voice dial plan has each UM dial plan's FQDN as its simple name.

    Only servers before Exchange 2010 SP1 need it; for later ones, and Tandem's, the warning may be ignored.

    Exit code 0: every name that is needed is there; 3: one is missing.

    \b
    Example:
      tandem ocsumutil check-names example/organization.yaml --as victor
    """
    context = _open(file, account, password_file)
    found = list(tool.name_mismatches(context, tool.load(context)))
    if as_json:
        print_json([{"dial_plan": p.name, "phone_context": p.phone_context, "needed": needed} for p, needed in found])
    else:
        for plan, needed in found:
            end = (
                "transfers by auto attendants fail (phase 8)" if needed else "may be ignored from Exchange 2010 SP1 on"
            )
            click.echo(f"warning: no voice dial plan has the simple name {plan.phone_context}: {end}")
        if not found:
            click.echo("Every UM dial plan has a voice dial plan of its name.")
    raise click.exceptions.Exit(3 if any(needed for _, needed in found) else 0)


@ocsumutil.group()
def contacts() -> None:
    """List, show, add, edit and remove contacts."""


@contacts.command("list")
@FILE
@AS
@PASSWORD_FILE
@JSON
def list_(file: Path, account: str, password_file: Path | None, as_json: bool) -> None:
    """List the contacts.

    \b
    Example:
      tandem ocsumutil contacts list example/organization.yaml --as victor
    """
    rows = [_row(contact) for contact in _open(file, account, password_file).repository.all(o.Contact)]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            click.echo(_line(row))


@contacts.command()
@FILE
@CONTACT
@AS
@PASSWORD_FILE
@JSON
def show(file: Path, name: str, account: str, password_file: Path | None, as_json: bool) -> None:
    """Show a CONTACT, named by SIP address, number or display name.

    \b
    Example:
      tandem ocsumutil contacts show example/organization.yaml +14255550100 --as victor
    """
    row = _row(tool.find(_open(file, account, password_file), name))
    if as_json:
        print_json(row)
    else:
        for key, value in row.items():
            click.echo(f"{key + ':':16} {value or '-'}")


@contacts.command()
@FILE
@click.option("--dial-plan", required=True, help="The SIP URI dial plan.")
@click.option("--number", help="E.164; by default the first access number, or the attendant's first pilot number.")
@click.option("--pool", required=True, help="FQDN of the pool that takes the call.")
@click.option("--ou", required=True, metavar="DN", help="Where the contact is made.")
@click.option("--sip-address", help="With its sip:; by default made from the dial plan's or attendant's name.")
@click.option("--display-name", help="By default the dial plan's or attendant's name.")
@click.option("--auto-attendant", default="", help="Make an Auto Attendant contact; without it, Subscriber Access.")
@AS
@PASSWORD_FILE
def add(
    file: Path,
    dial_plan: str,
    number: str | None,
    pool: str,
    ou: str,
    sip_address: str | None,
    display_name: str | None,
    auto_attendant: str,
    account: str,
    password_file: Path | None,
) -> None:
    """Add a contact: Subscriber Access of a dial plan, or one of its auto attendants.

    \b
    Examples:
      tandem ocsumutil contacts add example/organization.yaml --as victor --dial-plan Main --pool pool1.example.com \\
          --ou "OU=UM Contacts,DC=example,DC=com" --number +14255550199
    """
    context = _open(file, account, password_file)
    named = auto_attendant or dial_plan
    wanted = tool.NewContact(
        dial_plan=dial_plan,
        display_name=display_name or named,
        sip_address=sip_address or f"sip:um-{named.lower()}@{_domain(context)}",
        number=number or _pilot(context, dial_plan, auto_attendant),
        pool=pool,
        ou=ou,
        auto_attendant=auto_attendant,
    )
    # Not marked as managed: what the file does not declare is the administrator's own, and the plan leaves it.
    unmarked = Repository(context.session, context.layout)

    def steps() -> Iterator[Step]:
        contact = tool.checked(context, wanted)
        yield _change("+", contact), partial(unmarked.add, contact)

    carry_out(context, "ocsumutil", steps())
    click.echo(f"made: {_line(_row(tool.find(context, wanted.sip_address)))}")
    click.echo("The organization file does not declare it: 'tandem drift' will show it.")


@contacts.command()
@FILE
@CONTACT
@click.option("--number", help="E.164.")
@click.option("--pool", help="FQDN of a pool.")
@click.option("--sip-address", help="With its sip:.")
@click.option("--display-name")
@AS
@PASSWORD_FILE
def edit(
    file: Path,
    name: str,
    number: str | None,
    pool: str | None,
    sip_address: str | None,
    display_name: str | None,
    account: str,
    password_file: Path | None,
) -> None:
    """Change a CONTACT's number, pool, SIP address or display name; the same checks hold as for a new one.

    \b
    Example:
      tandem ocsumutil contacts edit example/organization.yaml +14255550100 --number +14255550199 --as victor
    """
    context = _open(file, account, password_file)
    held = tool.find(context, name)
    phone_context, attendant = read_target(held)
    plan = next((p.name for f in tool.load(context) for p in f.dial_plans if p.phone_context == phone_context), "")
    wanted = tool.NewContact(
        dial_plan=plan,
        display_name=display_name or held.display_name,
        sip_address=sip_address or held.sip_address,
        number=number or held.line_uri.partition(":")[2],
        pool=pool or held.home_pool,
        ou=held.container,
        auto_attendant=attendant,
    )
    if not any((number, pool, sip_address, display_name)):
        raise click.UsageError("nothing to change: give --number, --pool, --sip-address or --display-name")

    def steps() -> Iterator[Step]:
        contact = tool.checked(context, wanted, replaces=held)
        change = Change(action="~", kind="contact", name=held.display_name, details=differences(held, contact))
        yield change, partial(context.repository.update, held, contact)

    carry_out(context, "ocsumutil", steps())
    click.echo(f"changed: {_line(_row(tool.find(context, wanted.sip_address)))}")


@contacts.command()
@FILE
@CONTACT
@AS
@PASSWORD_FILE
def remove(file: Path, name: str, account: str, password_file: Path | None) -> None:
    """Remove a CONTACT; its number rings nowhere from then on.

    \b
    Example:
      tandem ocsumutil contacts remove example/organization.yaml +14255550199 --as victor
    """
    context = _open(file, account, password_file)
    held = tool.find(context, name)
    require(context, OCSUMUTIL, forest=context.layout.forest, what="ocsumutil")
    carry_out(context, "ocsumutil", [(_change("-", held), partial(context.repository.remove, held))])
    click.echo(f"removed: {_line(_row(held))}")


def _open(file: Path, account: str, password_file: Path | None) -> Context:
    context = open_as(file, account, password_file)
    return context.at(context.organization.voice_forest)


def _domain(context: Context) -> str:
    """The SIP domain that contacts of the voice forest have by default: that of its other contacts, or its first."""
    held = [contact.sip_address.partition("@")[2] for contact in context.repository.all(o.Contact)]
    voice = next(f for f in context.organization.forests if f.name == context.organization.voice_forest)
    return held[0] if held else voice.domains[0]


def _pilot(context: Context, dial_plan: str, attendant: str) -> str:
    for forest in tool.load(context):
        for found in forest.attendants:
            if attendant and found.name == attendant and found.pilot_identifiers:
                return found.pilot_identifiers[0]
        for plan in forest.dial_plans:
            if not attendant and plan.name == dial_plan and plan.access_numbers:
                return plan.access_numbers[0]
    raise click.UsageError(f"{attendant or dial_plan} has no number in UM; give one with --number")


def _change(action: str, contact: o.Contact) -> Change:
    return Change(
        action=action, kind="contact", name=contact.display_name, details=(contact.line_uri, contact.sip_address)
    )


def _row(contact: o.Contact) -> dict[str, str]:
    context_name, attendant = read_target(contact)
    return {
        "display_name": contact.display_name,
        "sip_address": contact.sip_address,
        "number": contact.line_uri.partition(":")[2],
        "pool": contact.home_pool,
        "type": f"Auto Attendant {attendant}" if attendant else "Subscriber Access",
        "phone_context": context_name,
        "ou": contact.container,
    }


def _line(row: dict[str, str]) -> str:
    return f"{row['display_name']}  {row['number']}  {row['sip_address']}  {row['type']}  {row['pool']}"


def _list(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) and value else "-"
