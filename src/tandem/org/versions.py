"""Exchange versions: what each calls its roles and groups, and how its phases differ (process.md, "Version by version").

Tandem servers follow 2013's names and rules.
"""

from collections.abc import Iterable
from enum import IntEnum, auto

from tandem.org.model import DeclaredMessagingServer
from tandem.org.vocabulary import ServerKind, ServerRole


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


def generation(server: DeclaredMessagingServer) -> Generation:
    """The generation of a server; Tandem's is 2013. Raises :class:`KeyError` for a version that was refused."""
    if server.kind is ServerKind.TANDEM:
        return Generation.E2013
    if server.version == "2010":
        return Generation.E2010_SP1 if server.service_pack else Generation.E2010
    return {"2007": Generation.E2007, "2013": Generation.E2013, "2016": Generation.E2016}[server.version]


def roles_of(server: DeclaredMessagingServer) -> tuple[str, ...]:
    """The roles of a server: those declared, or all that UM needs."""
    return server.roles or ROLES[generation(server)]


def is_um_server(server: DeclaredMessagingServer) -> bool:
    """Whether a server answers calls: 2007 and 2010 by the UM role, 2013 by Mailbox or Client Access, 2016 by Mailbox."""
    if server.kind is ServerKind.TANDEM:
        return True
    answering = {
        Generation.E2013: {ServerRole.MAILBOX, ServerRole.CLIENT_ACCESS},
        Generation.E2016: {ServerRole.MAILBOX},
    }.get(generation(server), {ServerRole.UM})
    return not answering.isdisjoint(roles_of(server))


def generations(servers: Iterable[DeclaredMessagingServer]) -> tuple[Generation, ...]:
    """The generations of some servers, oldest first."""
    return tuple(sorted({generation(server) for server in servers}))


def names_must_match(servers: Iterable[DeclaredMessagingServer]) -> bool:
    """Phase 8: whether a voice dial plan's simple name has to equal the UM dial plan's FQDN; the oldest server decides."""
    found = generations(servers)
    return bool(found) and found[0] < Generation.E2010_SP1
