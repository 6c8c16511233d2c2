"""The beginning: an example organization on disk, an empty embedded directory with its initial administrator."""

from pathlib import Path

from tandem.core.clock import Clock
from tandem.core.files import private_folder
from tandem.core.ids import Ids
from tandem.directory import objects as o
from tandem.directory.address import Address, Place, write_place
from tandem.directory.defaults import domain_aces
from tandem.directory.opening import open_directory
from tandem.directory.port import Session
from tandem.directory.repository import Cache, Repository
from tandem.directory.sqlite.session import EmbeddedDirectory, EmbeddedSession
from tandem.directory.sqlite.store import create_embedded
from tandem.org.example.text import example_text
from tandem.org.groups import GROUPS
from tandem.org.load import require_organization
from tandem.org.model import Organization
from tandem.process.errors import ProcessError
from tandem.process.passwords import new_password
from tandem.process.task import Context, layout_of
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR, accounts_of_servers, pairs

PATIENCE_S = 60.0
"""How long a command waits for a domain controller: one that restarts does not end an apply."""


def write_example(folder: Path, ids: Ids) -> Organization:
    """``tandem init``: the example in a new folder, ready to be planned. Raises :class:`ProcessError` if it is not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProcessError(f"{folder} already exists and is not empty; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "organization.yaml"
    path.write_text(example_text(), encoding="utf-8")
    organization = require_organization(path)
    create_directory(organization, ids)
    return organization


def create_directory(organization: Organization, ids: Ids) -> bool:
    """``tandem directory create``: the embedded directory, with its initial administrator; returns whether it is new.

    Where it is, is written down for the servers. Of a directory that is there already, only what new forests need is made; of
    one over LDAP nothing.
    """
    private_folder(organization.state)
    write_place(organization.state, place_of(organization))
    if organization.uses_ldap:
        return False
    path = Path(organization.directory)
    new = not path.exists()
    if new:
        create_embedded(path)
    session = EmbeddedDirectory(path).trusted()
    try:
        with session.transaction():
            for forest in organization.forests:
                _create_forest(organization, session, forest.name, ids)
    except BaseException:
        session.close()
        if new:
            path.unlink(missing_ok=True)
        raise
    session.close()
    return new


def _create_forest(organization: Organization, session: EmbeddedSession, forest: str, ids: Ids) -> None:
    """A forest's root, with the groups of its directory administrators; the initial administrator is in the first forest."""
    layout = layout_of(organization, forest)
    if session.get(layout.domain) is not None:
        return
    repository = Repository(session, layout)
    aces = domain_aces(forest, pairs(organization))
    session.add(layout.domain, {"objectClass": ("top", "domainDNS")}, aces=aces, protected=True)
    for dn in (layout.users, layout.computers, layout.configuration, layout.services, layout.system):
        session.add(dn, {"objectClass": ("top", "container")})
    first = layout_of(organization, organization.forests[0].name)
    administrator = o.User(account=INITIAL_ADMINISTRATOR, container=str(first.users))
    if forest == first.forest:
        repository.add(administrator)
        session.set_password(repository.dn_of(administrator), new_password(organization, INITIAL_ADMINISTRATOR, ids))
    for name in GROUPS["D"]:
        repository.add(o.Group(name=name, members=(str(repository.dn_of(administrator)),)))


def place_of(organization: Organization) -> Place:
    """Where an organization's directory is, and which forest each account is of."""
    if not organization.uses_ldap:
        return Place(file=Path(organization.directory))
    forests, first = organization.forests, organization.forests[0].name
    accounts = {each.account: f"{each.account}@{each.forest or first}" for each in organization.administrators}
    for forest in forests:
        accounts |= {name: f"{name}$@{forest.name}" for name in accounts_of_servers(organization, forest.name)}
    roots = organization.directory_roots
    return Place(
        addresses=tuple(
            Address(forest=each.name, url=organization.address_of(each.name), roots=roots) for each in forests
        ),
        accounts={INITIAL_ADMINISTRATOR: f"{INITIAL_ADMINISTRATOR}@{first}", **accounts},
    )


def open_context(
    organization: Organization,
    *,
    clock: Clock,
    ids: Ids,
    account: str,
    password: str | None,
    read_only: bool = False,
) -> Context:
    """The directory as an operator may use it: without a password by the current Kerberos ticket."""
    place = place_of(organization)
    directory = open_directory(place, clock, read_only=read_only, patience_s=PATIENCE_S)
    return context_of(organization, directory.bind(place.account(account), password), clock=clock, ids=ids)


def context_of(organization: Organization, session: Session, *, clock: Clock, ids: Ids) -> Context:
    """What tasks work with, in a session that is open."""
    layout = layout_of(organization, organization.forests[0].name)
    cache: Cache = {}
    return Context(
        organization=organization,
        session=session,
        repository=Repository(session, layout, owner=organization.name, cache=cache),
        layout=layout,
        clock=clock,
        ids=ids,
        cache=cache,
    )
