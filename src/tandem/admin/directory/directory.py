"""The directory itself, embedded or Active Directory: create, prepare, copy, read a phone's secret."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tandem.admin.opening import Operator, open_organization
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.directory import objects as o
from tandem.directory.filters import escape
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.org.load import require_organization
from tandem.process.apply import carry_out
from tandem.process.bootstrap import context_of, create_directory
from tandem.process.errors import ProcessError
from tandem.process.keeping.copy import read, steps
from tandem.process.passwords import kept_password
from tandem.process.task import Change, Context
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR
from tandem.wiring import Home, bind


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A directory that servers will use. ``made``: the embedded one was not there before, and its initial administrator's
    password is in ``password_file``."""

    directory: str
    embedded: bool
    made: bool
    password_file: Path

    def to_json(self) -> dict[str, Any]:
        """As JSON values; no secret is in them."""
        return {
            "directory": self.directory,
            "embedded": self.embedded,
            "made": self.made,
            "password_file": str(self.password_file),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """One class or attribute that a forest's schema lacks: what it is, and as LDIF."""

    forest: str
    what: str
    ldif: str

    def to_json(self) -> dict[str, str]:
        """As JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingSchema:
    """What a forest's schema lacks. ``extend`` adds it and yields each addition when it is made; a schema is never taken back.

    ``extend`` raises :class:`DirectoryError` if the operator is not in Schema Admins, or no schema master answers.
    """

    forest: str
    additions: tuple[Addition, ...]
    extend: Callable[[], Iterator[object]] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"forest": self.forest, "additions": [each.to_json() for each in self.additions]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied, or is to be; the administrators of both forests make what is ``left_out``."""

    entries: int
    changes: tuple[Change, ...]
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        changes = [str(change) for change in self.changes]
        return {"entries": self.entries, "changes": changes, "left_out": list(self.left_out)}


def create(file: Path) -> Created:
    """Make the embedded directory of an organization if it is not there, or name Active Directory to its servers."""
    organization = require_organization(file)
    made = create_directory(organization, SystemIds())
    return Created(
        directory=str(organization.directory),
        embedded=not organization.uses_ldap,
        made=made,
        password_file=organization.secrets / INITIAL_ADMINISTRATOR,
    )


def missing_schema(context: Context, forest: str | None = None) -> Iterator[MissingSchema]:
    """What the schema of each forest (or of one) lacks, each read when it is asked for.

    Raises:
        ProcessError: the directory is the embedded one.
    """
    from tandem.directory.ldap.prepare import extend, extensions

    session = _ldap(context)
    for each in context.organization.forests:
        if forest in (None, each.name):
            there = session.forest(each.name)
            steps = extensions(there)
            yield MissingSchema(
                forest=each.name,
                additions=tuple(Addition(forest=each.name, what=step.what, ldif=step.ldif()) for step in steps),
                extend=partial(extend, there, context.session.account, steps),
            )


def _ldap(context: Context) -> Any:
    """The session, which is one over LDAP: the extra may be missing where the directory is embedded, so it is imported late."""
    if not context.organization.uses_ldap:
        raise ProcessError("the embedded directory has its schema; only Active Directory is prepared")
    from tandem.directory.ldap.session import LdapSession

    assert isinstance(context.session, LdapSession)
    return context.session


def copy(origin: Path, target: Path, *, operator: Operator, carry_it_out: bool = False) -> Copied:
    """Copy an organization's directory to another one; both are named by organization files. Nothing is deleted in the target.

    Raises:
        ProcessError: the files are of two organizations.
        DirectoryError: a directory refuses, or does not answer.
    """
    source, goal = _side(origin, operator), _side(target, operator)
    if source.organization.name != goal.organization.name:
        raise ProcessError(f"{origin} is of {source.organization.name!r} and {target} of {goal.organization.name!r}")

    def password(of: str) -> str:
        path = goal.organization.secrets / of
        return kept_password(goal.organization, of) if path.exists() else ""

    found = read(source.session, source.organization)
    todo = steps(found, source.session, goal.session, password)
    changes = carry_out(goal, "directory copy", todo) if carry_it_out else tuple(change for change, _ in todo)
    return Copied(entries=len(found.entries), changes=tuple(changes), left_out=tuple(map(str, found.left_out)))


def _side(file: Path, operator: Operator) -> Context:
    """A directory as it is copied: the embedded one as the owner of its file, who needs no password."""
    organization = require_organization(file)
    if organization.uses_ldap:
        return open_organization(file, operator)
    session = EmbeddedDirectory(Path(organization.directory)).trusted()
    return context_of(organization, session, clock=SystemClock(), ids=SystemIds())


def sip_secret(file: Path, server: str, address: str, *, home: Path | None = None) -> str:
    """The SIP secret of a user's ``address``, as a voice ``server`` (its FQDN) may read it, by the password in its ``home``.

    Raises:
        ProcessError: there is no such user, or the server may not read it.
    """
    repository = bind(Home(folder=home or file.resolve().parent), server)
    found = repository.find(o.User, f"(msRTCSIP-PrimaryUserAddress={escape(f'sip:{address}')})")
    secret = repository.sip_secret(found[0]) if found else ""
    if not secret:
        raise ProcessError(f"{server} can read no SIP secret of {address}: no such user, or not enabled (phase 0)")
    return secret
