"""Import and doctor: what a directory holds, whether Tandem, or Exchange and Lync filled it. Only reads."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.admin.deploy.verify import Verified
from tandem.admin.opening import Operator
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.directory import objects as o
from tandem.directory.address import Address, Place
from tandem.directory.found import Found, joined, read_own
from tandem.directory.layout import Layout, forest_of
from tandem.directory.opening import forest_behind
from tandem.directory.opening import open_directory as open_place
from tandem.directory.port import Session
from tandem.directory.repository import Repository
from tandem.org.errors import ConfigError, Severity
from tandem.org.groups import EXCHANGE_2007_GROUPS, GROUPS, SERVICE_GROUPS
from tandem.org.load import load_organization
from tandem.process.errors import ProcessError
from tandem.process.keeping.importing import observed_text, organization_text
from tandem.process.observing.imported.organization import imported
from tandem.process.observing.reading import ObservationRefused, read_observation
from tandem.process.observing.recording import read_file
from tandem.process.verify.examine import examine
from tandem.process.verify.matrix import check

_GROUPS = tuple(
    name for name in (*GROUPS["D"], *GROUPS["X"], *GROUPS["V"], *EXCHANGE_2007_GROUPS) if name not in SERVICE_GROUPS
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """An organization file whose plan is empty for the directory, and notes on what was not understood."""

    text: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"text": self.text, "notes": list(self.notes)}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedDirectory:
    """A session that only reads, and the address of each forest by its name."""

    session: Session
    addresses: dict[str, str]


def open_directory(directories: Sequence[str], operator: Operator, *, roots: Path | None = None) -> OpenedDirectory:
    """Open a directory without an organization file.

    Args:
        directories: ``ldaps://HOST`` of each forest, that of the account first; or the file of an embedded directory.
        operator: who reads.
        roots: authorities of the domain controllers' certificates, in PEM; by default the system's.

    Raises:
        ProcessError: there is no password.
        DirectoryError: the directory refuses, or does not answer.
    """
    if "://" not in directories[0]:
        password = operator.password()
        path = Path(directories[0]).resolve()
        session = open_place(Place(file=path), read_only=True).bind(operator.account, password)
        own = forest_of(session.identity)
        trusts = Repository(session, Layout(forest=own, organization="-")).all(o.Trust)
        addresses = dict.fromkeys((own, *(trust.partner for trust in trusts)), str(path))
        return OpenedDirectory(session=session, addresses=addresses)
    addresses = {forest_behind(url, roots): url for url in directories}
    place = Place(addresses=tuple(Address(forest=name, url=url, roots=roots) for name, url in addresses.items()))
    account = operator.account
    login = account if "@" in account else f"{account}@{next(iter(addresses))}"
    password = operator.password(login=login)
    return OpenedDirectory(session=open_place(place, read_only=True).bind(login, password), addresses=addresses)


def import_organization(opened: OpenedDirectory, *, roots: Path | None = None) -> Imported:
    """The organization file of what a directory holds. Raises :class:`ProcessError` if there is no organization in it."""
    found = _found(opened)
    text = organization_text(found, opened.addresses, roots=str(roots.resolve()) if roots else "")
    return Imported(text=text, notes=(*(each.text for each in found.unread), *found.notes))


def import_observations(files: Sequence[Path]) -> Imported:
    """The organization file of what collectors have read, without a directory.

    Raises:
        ObservationRefused: a file is no observation; the message names it.
        ProcessError: the observations are not of one organization.
    """
    observations = []
    for path in files:
        try:
            observations.append(read_observation(read_file(path)))
        except ObservationRefused as error:
            raise ObservationRefused(f"{path}: {error}") from None
    sections, notes = imported(observations)
    return Imported(text=observed_text(sections, notes), notes=notes)


def examine_organization(opened: OpenedDirectory) -> Verified:
    """The verification matrix on what a directory holds. Raises :class:`ProcessError` if there is no organization in it.

    What 'tandem validate' would refuse of it is a failed check; the others are made all the same.
    """
    found = _found(opened)
    with tempfile.TemporaryDirectory(prefix="tandem-doctor-") as folder:
        path = Path(folder) / "organization.yaml"
        path.write_text(organization_text(found, opened.addresses), encoding="utf-8")
        loaded = load_organization(path)
        if loaded.declared is None:
            raise ConfigError(path, loaded.findings)
        wrong = [
            check(f"What is there: {each.key}", each.found, "", 1, f"expected {each.expected}")
            for each in loaded.findings
            if each.severity is Severity.ERROR
        ]
        checks = examine(found, loaded.declared, opened.session, Path(folder), clock=SystemClock(), ids=SystemIds())
        return Verified(checks=(*wrong, *checks))


def _found(opened: OpenedDirectory) -> Found:
    session, forests = opened.session, tuple(opened.addresses)
    own = read_own(session, forests, _GROUPS)
    if own.organization or own.all(o.VoicePool):
        return own
    from tandem.directory.ldap.exchange.controller import LdapForeignForest
    from tandem.directory.ldap.exchange.reader import present, read_exchange
    from tandem.directory.ldap.session import LdapSession

    foreign = [LdapForeignForest(session, each) for each in forests] if isinstance(session, LdapSession) else []
    if not any(present(each) for each in foreign):
        raise ProcessError(f"no organization of Tandem, Exchange or Lync can be read in {', '.join(forests)}")
    return joined([read_exchange(each, _GROUPS) for each in foreign], forests)
