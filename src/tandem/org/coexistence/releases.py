"""Versions, service packs and roles of Exchange servers: which exist, which have UM, and which may be in one forest.

Sources: the topic (roles per version); Microsoft's Exchange 2013 and 2016 system requirements, "Coexistence with earlier
versions" (2007 SP3 and 2010 SP3 beside 2013; 2016 beside 2007 is blocked by Setup); Exchange 2013's Lync guide (every Client
Access and Mailbox server in every SIP dial plan); 2007's UM guide (a server follows the VoIP security of its dial plans).
Rollups and cumulative updates are not declared: the prerequisite check of the runbook looks at them.
"""

from collections.abc import Iterable, Iterator

from tandem.org import model as m
from tandem.org.errors import Severity
from tandem.org.versions import ROLES, VERSIONS, Generation, generation, is_um_server, roles_of
from tandem.org.vocabulary import ServerKind, ServerRole, UriType, VoIPSecurity

Check = tuple[object, Severity, str, str]
LAST_SERVICE_PACK = {"2007": 3, "2010": 3, "2013": 1, "2016": 0}
"""The last service pack of each version; 2013's later updates and all of 2016's are cumulative updates."""
_OLD_ROLES = (
    ServerRole.UM,
    ServerRole.HUB_TRANSPORT,
    ServerRole.CLIENT_ACCESS,
    ServerRole.MAILBOX,
    ServerRole.EDGE_TRANSPORT,
)
ROLE_NAMES = {
    "2007": _OLD_ROLES,
    "2010": _OLD_ROLES,
    "2013": (ServerRole.CLIENT_ACCESS, ServerRole.MAILBOX, ServerRole.EDGE_TRANSPORT),
    "2016": (ServerRole.MAILBOX, ServerRole.EDGE_TRANSPORT),
}
"""The roles that each version's Setup installs."""


def check(org: m.Organization) -> Iterator[Check]:
    """Every finding about versions, service packs and roles."""
    for server in org.messaging_servers:
        yield from _version(server)
        yield from _role_names(server)
        yield from _dial_plans_of(org, server)
    for forest in org.messaging_forests:
        servers = [s for s in org.servers_in(forest, ServerKind.EXCHANGE) if s.version in VERSIONS]
        yield from _roles(forest, servers)
        yield from _together(forest, servers)


def _version(server: m.DeclaredMessagingServer) -> Iterator[Check]:
    if server.kind is ServerKind.TANDEM:
        if server.version:
            yield server, Severity.ERROR, f"version {server.version!r} on a server of kind tandem", "none"
        return
    last = LAST_SERVICE_PACK.get(server.version)
    if last is not None and server.service_pack > last:
        packs = f"0 to {last}; later updates are cumulative updates" if last < 3 else f"0 to {last}"
        found = f"Exchange {server.version} SP{server.service_pack}, which does not exist"
        yield server, Severity.ERROR, found, f"service_pack: {packs if last else '0: it has cumulative updates only'}"
        return
    match server.version, server.service_pack:
        case "2007", 0:
            found = "Exchange 2007 without a service pack"
            yield server, Severity.ERROR, found, "Service Pack 1 or later: RTM knows no SIP URI dial plan"
        case "2007", 1 | 2:
            yield server, Severity.WARNING, f"Exchange 2007 SP{server.service_pack}", "Service Pack 3"
        case (("2007" | "2010" | "2013"), _):
            pass
        case "2016", _:
            found = "Exchange 2016, which the topic does not cover"
            yield server, Severity.WARNING, found, "2013's steps, which are used"
        case "2019", _:
            expected = "2007 SP1 to 2016, or kind tandem: 2019 and later have no Unified Messaging"
            yield server, Severity.ERROR, "Exchange 2019", expected
        case version, _:
            yield server, Severity.ERROR, f"Exchange version {version!r}", "2007, 2010, 2013 or 2016"


def _role_names(server: m.DeclaredMessagingServer) -> Iterator[Check]:
    if server.kind is ServerKind.TANDEM:
        for role in server.roles:
            yield server, Severity.ERROR, f"role {role!r}", "none"
        return
    known = ROLE_NAMES.get(server.version, tuple(ServerRole))
    for role in server.roles:
        if role not in known:
            of = f" on Exchange {server.version}" if role in tuple(ServerRole) else ""
            yield server, Severity.ERROR, f"role {role!r}{of}", f"of {', '.join(sorted(known))}"


def _roles(forest: str, servers: list[m.DeclaredMessagingServer]) -> Iterator[Check]:
    """Phase 1: per version that has UM servers every role on at least one server: versions do not share roles.

    A version that has none (left with mailboxes, say) needs none, unless no version of the forest has any.
    """
    of_version = {version: [s for s in servers if s.version == version] for version in VERSIONS}
    with_um = {version for version, found in of_version.items() if any(map(is_um_server, found))}
    for version, found in of_version.items():
        needed = ROLES[VERSIONS[version]]
        held = {role for server in found for role in roles_of(server)}
        missing = [role for role in needed if role not in held]
        if found and missing and (version in with_um or not with_um):
            said = f"no Exchange {version} server of {forest} has the role {', '.join(missing)}"
            expected = f"the roles {', '.join(needed)} on {version} servers of that forest"
            yield found[0], Severity.ERROR, said, expected


def _together(forest: str, servers: Iterable[m.DeclaredMessagingServer]) -> Iterator[Check]:
    """What may be in one Exchange organization."""
    by_version: dict[str, list[m.DeclaredMessagingServer]] = {}
    for server in servers:
        by_version.setdefault(server.version, []).append(server)
    if "2016" in by_version:
        for server in by_version.get("2007", ()):
            found = f"Exchange 2007 and 2016 in {forest}"
            yield server, Severity.ERROR, found, "2010 SP3 or 2013 beside 2016: its Setup stops where 2007 is"
    newer = next((version for version in ("2013", "2016") if version in by_version), "")
    for version in ("2007", "2010") if newer else ():
        for server in by_version.get(version, ()):
            if server.service_pack < 3:
                pack = f" SP{server.service_pack}" if server.service_pack else ""
                found = f"Exchange {version}{pack} beside {newer} in {forest}"
                yield server, Severity.ERROR, found, f"Service Pack 3 on {version} servers before {newer} comes"


def _dial_plans_of(org: m.Organization, server: m.DeclaredMessagingServer) -> Iterator[Check]:
    """Phase 5: 2013's servers are in every SIP dial plan; one of 2007 has one kind of security."""
    if server.kind is ServerKind.TANDEM or server.version not in VERSIONS or not is_um_server(server):
        return
    here = [plan for plan in org.um_dial_plans if plan.forest == server.forest]
    served = [plan for plan in here if server.dial_plans is None or plan.name in server.dial_plans]
    if generation(server) >= Generation.E2013:
        left = [plan.name for plan in here if plan.uri_type is UriType.SIP_NAME and plan not in served]
        if left:
            found = f"an Exchange {server.version} server that is not in SIP dial plan {', '.join(left)}"
            expected = "every Client Access and Mailbox server in every SIP dial plan of its forest (phase 5)"
            yield server, Severity.WARNING, found, expected
    if generation(server) is Generation.E2007:
        plain = [plan.name for plan in served if plan.voip_security is VoIPSecurity.UNSECURED]
        secured = [plan.name for plan in served if plan.voip_security is not VoIPSecurity.UNSECURED]
        if plain and secured:
            found = f"an Exchange 2007 server in Unsecured ({', '.join(plain)}) and secured ({', '.join(secured)}) dial plans"
            expected = "one or the other: 2007 has no startup mode Dual, its UM service follows its dial plans"
            yield server, Severity.ERROR, found, expected
