"""``tandem directory``: the directory itself, embedded or Active Directory."""

from pathlib import Path

import click

from tandem.cli.common import AS, FILE, PASSWORD_FILE, open_as
from tandem.core.ids import SystemIds
from tandem.directory import objects as o
from tandem.directory.filters import escape
from tandem.org.load import require_organization
from tandem.process.bootstrap import create_directory
from tandem.process.errors import ProcessError
from tandem.wiring import Home, bind


@click.group()
def directory() -> None:
    """Make the embedded directory, or prepare Active Directory; read a phone's secret."""


@directory.command()
@FILE
def create(file: Path) -> None:
    """Make the embedded directory for an organization FILE of your own, and the secrets that are missing.

    Where the directory is Active Directory, its address is written down for the servers (state/directory.json), and the
    password of the initial administrator is to be put into the secrets folder.

    \b
    Example:
      tandem directory create mine/organization.yaml
    """
    organization = require_organization(file)
    made = create_directory(organization, SystemIds())
    what = "written down for the servers" if organization.uses_ldap else "made"
    click.echo(f"{organization.directory}  {what}; {len(made)} new secret(s) in {organization.secrets}")


@directory.command()
@FILE
@AS
@PASSWORD_FILE
@click.option("--plan", "only_plan", is_flag=True, help="Show what is missing and change nothing; exit code 2 if any.")
@click.option(
    "--ldif", is_flag=True, help="Print what is missing as LDIF, for review or for ldifde, and change nothing."
)
@click.option("--forest", help="One forest only; default: all.")
def prepare(
    file: Path, account: str, password_file: Path | None, only_plan: bool, ldif: bool, forest: str | None
) -> None:
    """Add to Active Directory's schema what Tandem needs and what is not there yet.

    The classes and attributes of an Exchange or Lync that is there are used as they are. Takes a member of Schema Admins,
    and the domain controller that is schema master. A schema is never taken back.

    \b
    Examples:
      tandem directory prepare mine/organization.yaml --ldif > tandem.ldif
      tandem directory prepare mine/organization.yaml --as administrator
    """
    context = open_as(file, account, password_file)
    if not context.organization.uses_ldap:
        raise ProcessError("the embedded directory has its schema; only Active Directory is prepared")
    from tandem.directory.ldap.prepare import extend, extensions
    from tandem.directory.ldap.session import LdapSession

    assert isinstance(context.session, LdapSession)
    missing = 0
    for each in context.organization.forests:
        if forest in (None, each.name):
            there = context.session.forest(each.name)
            steps = extensions(there)
            missing += len(steps)
            if not ldif:
                click.echo(f"{each.name}: {len(steps)} addition(s) to the schema")
            if ldif or only_plan:
                for step in steps:
                    click.echo(step.ldif() if ldif else f"  {step.what}")
            else:
                for number, step in enumerate(extend(there, account, steps), 1):
                    click.echo(f"  {number}/{len(steps)} {step.what}")
    if only_plan and missing:
        click.get_current_context().exit(2)


@directory.command("sip-secret")
@FILE
@click.argument("server")
@click.argument("address")
def sip_secret(file: Path, server: str, address: str) -> None:
    """Print the SIP secret of ADDRESS, for setting up a phone, as the voice SERVER (its FQDN) may read it.

    \b
    Example:
      tandem directory sip-secret example/organization.yaml pool1.example.com alice@example.com
    """
    repository = bind(Home(folder=file.resolve().parent), server)
    found = repository.find(o.User, f"(msRTCSIP-PrimaryUserAddress={escape(f'sip:{address}')})")
    secret = repository.sip_secret(found[0]) if found else ""
    if not secret:
        raise ProcessError(f"{server} can read no SIP secret of {address}: no such user, or not enabled (phase 0)")
    click.echo(secret)
