"""``tandem directory``: the directory itself, embedded or Active Directory."""

import dataclasses
from pathlib import Path

import click

from tandem.cli.common import AS, FILE, PASSWORD_FILE, open_as
from tandem.core.ids import SystemIds
from tandem.directory import objects as o
from tandem.directory.filters import escape
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.org.load import require_organization
from tandem.process.apply import carry_out
from tandem.process.bootstrap import create_directory
from tandem.process.errors import ProcessError
from tandem.process.keeping.copy import read, steps
from tandem.process.task import Context
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR, read_secret
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


@directory.command()
@click.argument("origin", metavar="FROM", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", metavar="TO", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@AS
@click.option("--apply", "carry", is_flag=True, help="Do it; without it the plan is shown and nothing is changed.")
def copy(origin: Path, target: Path, account: str, carry: bool) -> None:
    """Copy an organization's directory: FROM and TO are organization files that name two directories.

    From the embedded directory to Active Directory, or back: objects, users' settings, hashes of PINs, SIP secrets that you
    may read, memberships, rights. Nothing is deleted in the target. Passwords of accounts are set from TO's secrets folder.
    TO is to be there: 'tandem directory create' makes an embedded one, 'tandem directory prepare' prepares Active Directory.
    Exit code 2: there is something to copy.

    \b
    Examples:
      tandem directory copy mine/organization.yaml mine/on-ad.yaml
      tandem directory copy mine/organization.yaml mine/on-ad.yaml --apply
    """
    source, goal = _side(origin, account), _side(target, account)
    if source.organization.name != goal.organization.name:
        raise ProcessError(f"{origin} is of {source.organization.name!r} and {target} of {goal.organization.name!r}")

    def password(of: str) -> str:
        path = goal.organization.secrets / of
        return read_secret(goal.organization, of) if path.exists() else ""

    found = read(source.session, source.organization)
    for each in found.left_out:
        click.echo(f"left out: {each} (made by the administrators of both forests)")
    todo = steps(found, source.session, goal.session, password)
    changes = carry_out(goal, "directory copy", todo) if carry else tuple(change for change, _ in todo)
    for change in changes:
        click.echo(f"  {change}")
    click.echo(f"{len(found.entries)} entries read; {len(changes)} change(s) {'made' if carry else 'to make'}.")
    if changes and not carry:
        click.get_current_context().exit(2)


def _side(file: Path, account: str) -> Context:
    """A directory as it is copied: the embedded one as the owner of its file, which is whoever may write it."""
    organization = require_organization(file)
    if organization.uses_ldap:
        return open_as(file, account, None)
    context = open_as(file, INITIAL_ADMINISTRATOR, None)
    return dataclasses.replace(context, session=EmbeddedDirectory(Path(organization.directory)).trusted())


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
