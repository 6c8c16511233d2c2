"""The beginning: an example organization on disk, its secrets, an empty embedded directory with its initial administrator."""

import os
from pathlib import Path

from tandem.core.clock import Clock
from tandem.core.ids import Ids
from tandem.directory import objects as o
from tandem.directory.defaults import domain_aces
from tandem.directory.layout import Layout
from tandem.directory.repository import Repository
from tandem.directory.sqlite import EmbeddedDirectory, create_embedded
from tandem.org.example import example_text
from tandem.org.groups import GROUPS
from tandem.org.load import require_organization
from tandem.org.model import Organization
from tandem.process.errors import ProcessError
from tandem.process.task import Context
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR, accounts_of_servers, read_secret


def write_example(folder: Path, ids: Ids) -> Organization:
    """``tandem init``: the example in a new folder, ready to be planned. Raises :class:`ProcessError` if it is not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProcessError(f"{folder} is there and not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "organization.yaml"
    path.write_text(example_text(), encoding="utf-8")
    organization = require_organization(path)
    create_directory(organization, ids)
    return organization


def create_directory(organization: Organization, ids: Ids) -> tuple[str, ...]:
    """``tandem directory create``: the secrets that are missing, and the embedded directory; returns new accounts."""
    made = make_secrets(organization, ids)
    organization.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = Path(organization.directory)
    create_embedded(path)
    session = EmbeddedDirectory(path).trusted()
    try:
        layout = layout_of(organization)
        repository = Repository(session, layout)
        with session.transaction():
            session.add(layout.domain, {"objectClass": ("top", "domainDNS")}, aces=domain_aces(layout))
            for dn in (layout.users, layout.computers, layout.configuration, layout.services):
                session.add(dn, {"objectClass": ("top", "container")})
            administrator = o.User(account=INITIAL_ADMINISTRATOR, container=str(layout.users))
            repository.add(administrator)
            for name in GROUPS["D"]:
                repository.add(o.Group(name=name, members=(str(repository.dn_of(administrator)),)))
            session.set_password(repository.dn_of(administrator), read_secret(organization, INITIAL_ADMINISTRATOR))
    except BaseException:
        session.close()
        path.unlink(missing_ok=True)
        raise
    session.close()
    return made


def make_secrets(organization: Organization, ids: Ids) -> tuple[str, ...]:
    """A random password for each account that has none yet; returns those accounts."""
    organization.secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
    accounts = (
        INITIAL_ADMINISTRATOR,
        *(admin.account for admin in organization.administrators),
        *accounts_of_servers(organization),
    )
    made = []
    for account in accounts:
        path = organization.secrets / account
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(ids.token(16) + "\n")
            made.append(account)
    return tuple(made)


def layout_of(organization: Organization) -> Layout:
    """Where the organization's objects are."""
    return Layout(forest=organization.forests[0].name, organization=organization.name)


def open_context(
    organization: Organization, *, clock: Clock, ids: Ids, account: str = INITIAL_ADMINISTRATOR, password: str = ""
) -> Context:
    """The directory as an operator may use it; without a password, the one in the secrets folder."""
    directory = EmbeddedDirectory(Path(organization.directory), clock)
    session = directory.bind(account, password or read_secret(organization, account))
    layout = layout_of(organization)
    return Context(
        organization=organization,
        session=session,
        repository=Repository(session, layout),
        layout=layout,
        clock=clock,
        ids=ids,
    )
