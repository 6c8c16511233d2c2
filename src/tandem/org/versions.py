"""Exchange versions: what each calls its roles and groups, and how its phases differ (process.md, "Version by version").

Tandem servers follow 2013's names and rules.
"""

from collections.abc import Iterable
from enum import IntEnum, auto
from typing import Protocol

from tandem.org.vocabulary import ServerKind, ServerRole


class Versioned(Protocol):
    """What of a declared messaging server decides its version: a :class:`~tandem.org.model.DeclaredMessagingServer`."""

    @property
    def kind(self) -> ServerKind:
        """Whose product it is."""
        ...

    @property
    def version(self) -> str:
        """Exchange's version, empty for Tandem."""
        ...

    @property
    def service_pack(self) -> int:
        """0 for RTM."""
        ...

    @property
    def roles(self) -> tuple[str, ...]:
        """The declared roles, if any."""
        ...


class Generation(IntEnum):
    """Versions that the process treats alike, oldest first."""

    E2007 = auto()
    E2010 = auto()
    E2010_SP1 = auto()
    E2013 = auto()
    E2016 = auto()


_BEFORE_2013 = (ServerRole.UM, ServerRole.HUB_TRANSPORT, ServerRole.CLIENT_ACCESS, ServerRole.MAILBOX)
ROLES: dict[Generation, tuple[ServerRole, ...]] = {
    Generation.E2007: _BEFORE_2013,
    Generation.E2010: _BEFORE_2013,
    Generation.E2010_SP1: _BEFORE_2013,
    Generation.E2013: (ServerRole.CLIENT_ACCESS, ServerRole.MAILBOX),
    Generation.E2016: (ServerRole.MAILBOX,),
}
"""Phase 1: the roles that have to be on at least one server of a messaging forest (of 2016's, Mailbox holds both)."""
VERSIONS = {"2007": Generation.E2007, "2010": Generation.E2010, "2013": Generation.E2013, "2016": Generation.E2016}
"""The versions that have Unified Messaging, with their generation before any service pack."""


def generation(server: Versioned) -> Generation:
    """The generation of a server; Tandem's is 2013. Raises :class:`KeyError` for a version that was refused."""
    if server.kind is ServerKind.TANDEM:
        return Generation.E2013
    found = VERSIONS[server.version]
    return Generation.E2010_SP1 if found is Generation.E2010 and server.service_pack else found


def roles_of(server: Versioned) -> tuple[str, ...]:
    """The roles of a server: those declared, or all that UM needs."""
    return server.roles or ROLES[generation(server)]


def is_um_server(server: Versioned) -> bool:
    """Whether a messaging server takes UM's calls.

    2007 and 2010 have a UM role. In 2013 the Client Access role runs the UM Call Router and the Mailbox role the UM
    service; 2016's Mailbox role runs both. Of a version that is refused anyway nothing is known: it counts.
    """
    if server.kind is ServerKind.TANDEM or server.version not in VERSIONS:
        return True
    of_um = {ServerRole.UM} if generation(server) < Generation.E2013 else set(ROLES[generation(server)])
    return not of_um.isdisjoint(roles_of(server))


def answers_calls(server: Versioned) -> bool:
    """Whether a UM server answers calls itself: 2013's Client Access role only tells the caller which one does."""
    modern = (
        server.kind is not ServerKind.TANDEM and server.version in VERSIONS and generation(server) >= Generation.E2013
    )
    return is_um_server(server) and (not modern or ServerRole.MAILBOX in roles_of(server))


def generations(servers: Iterable[Versioned]) -> tuple[Generation, ...]:
    """The generations of some servers, oldest first."""
    return tuple(sorted({generation(server) for server in servers}))


def names_must_match(servers: Iterable[Versioned]) -> bool:
    """Phase 8: whether a voice dial plan's simple name has to equal the UM dial plan's FQDN; the oldest server decides."""
    found = generations(servers)
    return bool(found) and found[0] < Generation.E2010_SP1
