"""``tandem directory``: the directory itself, embedded or Active Directory."""

from pathlib import Path

import click

from tandem.admin.directory import directory as admin
from tandem.admin.opening import Operator, open_organization
from tandem.cli.common import FILE, operator_options


@click.group()
def directory() -> None:
    """Make the embedded directory, or prepare Active Directory; read a phone's secret."""


@directory.command()
@FILE
def create(file: Path) -> None:
    """Make the embedded directory for an organization FILE of your own, with the initial administrator.

    Where the directory is Active Directory, its address is written down for the servers (state/directory.json). A directory
    that is there already is kept as it is; only forests that are new in FILE are added to it.

    \b
    Example:
      tandem directory create mine/organization.yaml
    """
    created = admin.create(file)
    if not created.embedded:
        click.echo(f"{created.directory}  written down for the servers")
    elif created.made:
        click.echo(
            f"{created.directory}  made; the password of its initial administrator is in {created.password_file}"
        )
    else:
        click.echo(f"{created.directory}  is there already, and nothing in it was changed or removed")


@directory.command()
@FILE
@operator_options
@click.option("--plan", "only_plan", is_flag=True, help="Show what is missing and change nothing; exit code 2 if any.")
@click.option(
    "--ldif", is_flag=True, help="Print what is missing as LDIF, for review or for ldifde, and change nothing."
)
@click.option("--forest", help="One forest only; default: all.")
def prepare(file: Path, operator: Operator, only_plan: bool, ldif: bool, forest: str | None) -> None:
    """Add to Active Directory's schema what Tandem needs and what is not there yet.

    Existing classes and attributes of Exchange or Lync are used as they are. Needs membership in Schema Admins,
    and the domain controller that is schema master. A schema is never taken back.

    \b
    Examples:
      tandem directory prepare mine/organization.yaml --ldif > tandem.ldif
      tandem directory prepare mine/organization.yaml --as administrator
    """
    context = open_organization(file, operator)
    missing = 0
    for found in admin.missing_schema(context, forest):
        missing += len(found.additions)
        if not ldif:
            click.echo(f"{found.forest}: {len(found.additions)} addition(s) to the schema")
        if ldif or only_plan:
            for each in found.additions:
                click.echo(each.ldif if ldif else f"  {each.what}")
        else:
            for number, (each, _) in enumerate(zip(found.additions, found.extend(), strict=True), 1):
                click.echo(f"  {number}/{len(found.additions)} {each.what}")
    if only_plan and missing:
        click.get_current_context().exit(2)


@directory.command()
@click.argument("origin", metavar="FROM", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", metavar="TO", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@operator_options
@click.option("--apply", "carry", is_flag=True, help="Do it; without it the plan is shown and nothing is changed.")
def copy(origin: Path, target: Path, operator: Operator, carry: bool) -> None:
    """Copy an organization's directory: FROM and TO are organization files that name two directories.

    From the embedded directory to Active Directory, or back: objects, users' settings, hashes of PINs, SIP secrets that you
    may read, memberships, rights. Nothing is deleted in the target. Passwords of accounts are set from TO's secrets folder,
    as far as they are there.
    TO must exist: 'tandem directory create' makes an embedded one, 'tandem directory prepare' prepares Active Directory.
    Exit code 2: there is something to copy.

    \b
    Examples:
      tandem directory copy mine/organization.yaml mine/on-ad.yaml
      tandem directory copy mine/organization.yaml mine/on-ad.yaml --apply
    """
    copied = admin.copy(origin, target, operator=operator, carry_it_out=carry)
    for each in copied.left_out:
        click.echo(f"left out: {each} (made by the administrators of both forests)")
    for change in copied.changes:
        click.echo(f"  {change}")
    click.echo(f"{copied.entries} entries read; {len(copied.changes)} change(s) {'made' if carry else 'to make'}.")
    if copied.changes and not carry:
        click.get_current_context().exit(2)


@directory.command("sip-secret")
@FILE
@click.argument("server")
@click.argument("address")
@click.option(
    "--home",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The server's home, where its password is; default: the folder of FILE.",
)
def sip_secret(file: Path, server: str, address: str, home: Path | None) -> None:
    """Print the SIP secret of ADDRESS, for setting up a phone, as the voice SERVER (its FQDN) may read it.

    \b
    Example:
      tandem directory sip-secret example/organization.yaml pool1.example.com alice@example.com
    """
    click.echo(admin.sip_secret(file, server, address, home=home))
