"""``tandem ocsumutil``: contact objects and the check of dial plan names (phase 9 on its own)."""

from pathlib import Path

import click

from tandem.admin.opening import Operator, open_organization
from tandem.admin.tools import ocsumutil as admin
from tandem.cli.common import FILE, JSON, operator_options, print_json

CONTACT = click.argument("name", metavar="CONTACT")


@click.group()
def ocsumutil() -> None:
    """Make the numbers of UM callable: contact objects for Subscriber Access and auto attendants.

    Reads the UM objects of every messaging forest that trusts the voice forest; before phase 7 it cannot, and says so.
    """


@ocsumutil.command()
@FILE
@operator_options
@JSON
def load(file: Path, operator: Operator, as_json: bool) -> None:
    """Show what is found: messaging forests, SIP URI dial plans, auto attendants, contacts.

    \b
    Example:
      tandem ocsumutil load example/organization.yaml --as victor
    """
    found = admin.load(open_organization(file, operator))
    if as_json:
        print_json(found.to_json())
        return
    for forest in found.forests:
        click.echo(
            f"{forest.name}: {len(forest.dial_plans)} SIP URI dial plan(s), {len(forest.attendants)} auto attendant(s)"
        )
    click.echo(f"{len(found.contacts)} contact(s)")


@ocsumutil.command()
@FILE
@operator_options
@JSON
def dialplans(file: Path, operator: Operator, as_json: bool) -> None:
    """Show each SIP URI dial plan with its numbers, auto attendants and contacts.

    \b
    Example:
      tandem ocsumutil dialplans example/organization.yaml --as victor
    """
    rows = admin.dial_plans(open_organization(file, operator))
    if as_json:
        print_json([row.to_json() for row in rows])
        return
    for row in rows:
        click.echo(f"{row.name}  {row.phone_context}  numbers: {', '.join(row.access_numbers) or '-'}")
        click.echo(f"    auto attendants: {', '.join(row.auto_attendants) or '-'}")
        for contact in row.contacts:
            click.echo(f"    {_line(contact)}")


@ocsumutil.command("check-names")
@FILE
@operator_options
@JSON
def check_names(file: Path, operator: Operator, as_json: bool) -> None:
    """Check that a voice dial plan has each UM dial plan's FQDN as its simple name.

    Only servers before Exchange 2010 SP1 need it; for later ones, and Tandem's, the warning may be ignored.

    Exit code 0: every name that is needed is there; 3: one is missing.

    \b
    Example:
      tandem ocsumutil check-names example/organization.yaml --as victor
    """
    found = admin.check_names(open_organization(file, operator))
    if as_json:
        print_json([each.to_json() for each in found])
    else:
        for each in found:
            end = (
                "transfers by auto attendants fail (phase 8)"
                if each.needed
                else "may be ignored from Exchange 2010 SP1 on"
            )
            click.echo(f"warning: no voice dial plan has the simple name {each.phone_context}: {end}")
        if not found:
            click.echo("Every UM dial plan has a voice dial plan of its name.")
    raise click.exceptions.Exit(3 if any(each.needed for each in found) else 0)


@ocsumutil.group()
def contacts() -> None:
    """List, show, add, edit and remove contacts."""


@contacts.command("list")
@FILE
@operator_options
@JSON
def list_(file: Path, operator: Operator, as_json: bool) -> None:
    """List the contacts.

    \b
    Example:
      tandem ocsumutil contacts list example/organization.yaml --as victor
    """
    rows = admin.list_contacts(open_organization(file, operator))
    if as_json:
        print_json([row.to_json() for row in rows])
    else:
        for row in rows:
            click.echo(_line(row))


@contacts.command()
@FILE
@CONTACT
@operator_options
@JSON
def show(file: Path, name: str, operator: Operator, as_json: bool) -> None:
    """Show a CONTACT, named by SIP address, number or display name.

    \b
    Example:
      tandem ocsumutil contacts show example/organization.yaml +14255550100 --as victor
    """
    row = admin.show_contact(open_organization(file, operator), name).to_json()
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
@operator_options
def add(
    file: Path,
    dial_plan: str,
    number: str | None,
    pool: str,
    ou: str,
    sip_address: str | None,
    display_name: str | None,
    auto_attendant: str,
    operator: Operator,
) -> None:
    """Add a contact: Subscriber Access of a dial plan, or one of its auto attendants.

    \b
    Examples:
      tandem ocsumutil contacts add example/organization.yaml --as victor --dial-plan Main --pool pool1.example.com \\
          --ou "OU=UM Contacts,DC=example,DC=com" --number +14255550199 \\
          --sip-address sip:um-desk@example.com --display-name "Main Desk"
    """
    made = admin.add_contact(
        open_organization(file, operator),
        dial_plan=dial_plan,
        number=number,
        pool=pool,
        ou=ou,
        sip_address=sip_address,
        display_name=display_name,
        auto_attendant=auto_attendant,
    )
    click.echo(f"made: {_line(made)}")
    click.echo("The organization file does not declare it: 'tandem drift' will show it.")


@contacts.command()
@FILE
@CONTACT
@click.option("--number", help="E.164.")
@click.option("--pool", help="FQDN of a pool.")
@click.option("--sip-address", help="With its sip:.")
@click.option("--display-name")
@operator_options
def edit(
    file: Path,
    name: str,
    number: str | None,
    pool: str | None,
    sip_address: str | None,
    display_name: str | None,
    operator: Operator,
) -> None:
    """Change a CONTACT's number, pool, SIP address or display name; the same checks hold as for a new one.

    \b
    Example:
      tandem ocsumutil contacts edit example/organization.yaml "Main Subscriber Access" --display-name "Voice Mail" --as victor
    """
    changed = admin.edit_contact(
        open_organization(file, operator),
        name,
        number=number,
        pool=pool,
        sip_address=sip_address,
        display_name=display_name,
    )
    click.echo(f"changed: {_line(changed)}")


@contacts.command()
@FILE
@CONTACT
@operator_options
def remove(file: Path, name: str, operator: Operator) -> None:
    """Remove a CONTACT; its number rings nowhere from then on.

    \b
    Example:
      tandem ocsumutil contacts remove example/organization.yaml um-desk@example.com --as victor
    """
    click.echo(f"removed: {_line(admin.remove_contact(open_organization(file, operator), name))}")


def _line(row: admin.ContactRow) -> str:
    return f"{row.display_name}  {row.number}  {row.sip_address}  {row.type}  {row.pool}"
