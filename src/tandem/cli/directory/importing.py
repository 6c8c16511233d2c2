"""``tandem import`` and ``tandem doctor``: what a directory holds, whoever deployed it."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tandem.cli.common import AS, JSON, PASSWORD_FILE, read_password
from tandem.cli.deploy.verify import show_checks
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.directory import objects as o
from tandem.directory.address import Address, Place
from tandem.directory.found import Found, read_own
from tandem.directory.layout import Layout, forest_of
from tandem.directory.opening import forest_behind, open_directory
from tandem.directory.port import Session
from tandem.directory.repository import Repository
from tandem.org.groups import EXCHANGE_2007_GROUPS, GROUPS, SERVICE_GROUPS
from tandem.org.load import require_organization
from tandem.process.errors import ProcessError
from tandem.process.keeping.importing import organization_text
from tandem.process.verify.examine import examine
from tandem.process.verify.matrix import Grade

_GROUPS = tuple(
    name for name in (*GROUPS["D"], *GROUPS["X"], *GROUPS["V"], *EXCHANGE_2007_GROUPS) if name not in SERVICE_GROUPS
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.argument("directories", metavar="DIRECTORY...", nargs=-1, required=True),
        AS,
        PASSWORD_FILE,
        click.option(
            "--roots",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Authorities of the domain controllers' certificates, in PEM; default: the system's.",
        ),
    ):
        command = option(command)
    return command


@click.command("import")
@_options
def import_(directories: tuple[str, ...], account: str, password_file: Path | None, roots: Path | None) -> None:
    """Print the organization file of what DIRECTORY holds: Tandem's own objects, or Exchange's UM and Lync's.

    DIRECTORY is ldaps://HOST of a forest (of several forests, one each, the first one that of your account), or the file of an
    embedded directory. The plan of the printed file is empty for what the directory holds. What is not understood, what had to
    be assumed, and what Lync keeps outside of Active Directory stands as comments at its head: nothing is dropped.

    \b
    Examples:
      tandem import ldaps://dc1.example.com --as administrator > organization.yaml
      tandem import ldaps://dc1.mail.example.com ldaps://dc1.voice.example.net > organization.yaml
    """
    session, addresses = _opened(directories, account, password_file, roots)
    found = _found(session, tuple(addresses))
    click.echo(organization_text(found, addresses, roots=str(roots.resolve()) if roots else ""), nl=False)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)


@click.command()
@_options
@JSON
def doctor(
    directories: tuple[str, ...], account: str, password_file: Path | None, roots: Path | None, as_json: bool
) -> None:
    """Run the verification matrix on what DIRECTORY holds, whoever deployed it; reads only.

    DIRECTORY as for 'tandem import'. What was not understood is a warning. Exit code 0: nothing failed; 1: something did.

    \b
    Example:
      tandem doctor ldaps://dc1.example.com --as administrator
    """
    session, addresses = _opened(directories, account, password_file, roots)
    found = _found(session, tuple(addresses))
    with tempfile.TemporaryDirectory(prefix="tandem-doctor-") as folder:
        path = Path(folder) / "organization.yaml"
        path.write_text(organization_text(found, addresses), encoding="utf-8")
        organization = require_organization(path)
        checks = list(examine(found, organization, session, Path(folder), clock=SystemClock(), ids=SystemIds()))
    show_checks(checks, as_json=as_json)
    raise click.exceptions.Exit(1 if any(check.grade is Grade.FAILED for check in checks) else 0)


def _opened(
    directories: tuple[str, ...], account: str, password_file: Path | None, roots: Path | None
) -> tuple[Session, dict[str, str]]:
    """A session that only reads, and the address of each forest."""
    why = "no file names it"
    if "://" not in directories[0]:
        password = read_password(account, password_file, why)
        path = Path(directories[0]).resolve()
        session = open_directory(Place(file=path), read_only=True).bind(account, password)
        own = forest_of(session.identity)
        trusts = Repository(session, Layout(forest=own, organization="-")).all(o.Trust)
        return session, dict.fromkeys((own, *(trust.partner for trust in trusts)), str(path))
    addresses = {forest_behind(url, roots): url for url in directories}
    place = Place(addresses=tuple(Address(forest=name, url=url, roots=roots) for name, url in addresses.items()))
    first = next(iter(addresses))
    login = account if "@" in account else f"{account}@{first}"
    return open_directory(place, read_only=True).bind(
        login, read_password(account, password_file, why, login)
    ), addresses


def _found(session: Session, forests: tuple[str, ...]) -> Found:
    own = read_own(session, forests, _GROUPS)
    if own.organization or own.all(o.VoicePool):
        return own
    from tandem.directory.ldap.exchange import present, read_exchange
    from tandem.directory.ldap.session import LdapSession

    if not isinstance(session, LdapSession) or not any(present(session, forest) for forest in forests):
        raise ProcessError(f"no organization of Tandem, Exchange or Lync can be read in {', '.join(forests)}")
    whole = Found()
    for forest in forests:
        part = read_exchange(session, forest)
        whole.organization = whole.organization or part.organization
        for mine, theirs in (
            (whole.objects, part.objects),
            (whole.groups, part.groups),
            (whole.rights, part.rights),
            (whole.trusts, part.trusts),
        ):
            mine.update(theirs)  # type: ignore[arg-type] # pairs of one type each
        whole.notes += part.notes
    return whole
