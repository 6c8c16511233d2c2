"""Phases 0, 1, 2 and 5 for servers of kind exchange: forest, servers, certificates, and servers in dial plans."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from tandem.org import model as m
from tandem.org.topology import startup_mode
from tandem.org.versions import Generation, generation, roles_of
from tandem.org.vocabulary import PoolKind, ServerKind, StartupMode, UMStatus, UriType
from tandem.process.observing.comparing import aligned
from tandem.process.observing.judges.case import Case, group_members, running, subject_of
from tandem.process.observing.model import ObservedObject
from tandem.process.observing.seen import text, texts
from tandem.process.observing.verdict import Finding, Unreadable
from tandem.process.task import Change, difference

_BUILD = re.compile(r"Version (\d{1,9})\.(\d{1,9}) \(Build (\d{1,9})", re.ASCII)
_YEARS = {("8",): "2007", ("14",): "2010", ("15", "0"): "2013", ("15", "1"): "2016", ("15", "2"): "2019"}
_SP1_OF_2013 = 847
"""The build of Exchange 2013 Service Pack 1 (15.0.847.32)."""
_ROLES = {"unifiedmessaging": "um", "edge": "edgetransport"}
_GROUPS_OF_2007 = ("Exchange Organization Administrators", "Exchange Recipient Administrators")
_GROUPS_SINCE_2010 = ("Organization Management", "Recipient Management", "Server Management", "UM Management")
_GROUPS_OF_VOICE = ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins", "RTCComponentUniversalServices")


def version_of(display: str) -> tuple[str, int]:
    """Year and service pack of an AdminDisplayVersion: the minor number is the service pack until 2010."""
    found = _BUILD.match(display)
    if found is None:
        return "", 0
    major, minor, build = found.groups()
    year = _YEARS.get((major,)) or _YEARS.get((major, minor), "")
    pack = int(minor) if major in ("8", "14") else int(year == "2013" and int(build) >= _SP1_OF_2013)
    return year, pack


def roles_seen(found: ObservedObject) -> set[str]:
    """The roles of a server in lower case, called as in :class:`tandem.org.vocabulary.ServerRole`."""
    return {_ROLES.get(role.lower(), role.lower()) for role in texts(found, "ServerRole")}


def preconditions(case: Case) -> Iterator[Finding]:
    """Phase 0: trusts, and the groups of both sides.

    The functional level is Setup's own condition: where a server of the version runs, it is met.
    """
    yield from trusts(case)
    section = case.section("GroupMember")
    versions = {server.version for server in case.organization.servers_in(case.forest, ServerKind.EXCHANGE)}
    here = case.organization.voice_forest == case.forest and case.organization.pools_of(PoolKind.LYNC)
    names = (
        *(_GROUPS_SINCE_2010 if versions - {"2007"} else _GROUPS_OF_2007),
        *(_GROUPS_OF_VOICE if here else ()),
    )
    for name in names:
        if group_members(section, name) is None:
            if section.unread:
                yield Unreadable(f"GroupMember: {section.unread}")
                return
            yield Change(action="+", kind="group", name=name)


def trusts(case: Case) -> Iterator[Finding]:
    """Trusts with other forests as they are declared; the guidelines ask for both ways, the file says which are there."""
    org, here = case.organization, case.forest
    trusting = {forest.name: forest.trusts for forest in org.forests}
    section = case.section("Trust")
    held: dict[str, set[str]] = {}
    for each in section.objects:
        ways = {"bidirectional": {"inbound", "outbound"}}.get(
            text(each, "Direction").lower(), {text(each, "Direction").lower()}
        )
        if text(each, "Source").lower() == here:
            held.setdefault(text(each, "Target").lower(), set()).update(ways)
        elif text(each, "Target").lower() == here:
            turned = {"inbound": "outbound", "outbound": "inbound"}
            held.setdefault(text(each, "Source").lower(), set()).update(turned.get(way, way) for way in ways)
    for other, theirs in trusting.items():
        if other == here:
            continue
        wanted = {"outbound": other in trusting[here], "inbound": here in theirs}
        words = {"outbound": f"{here} trusts {other}", "inbound": f"{other} trusts {here}"}
        lacking = tuple(words[way] for way, asked in wanted.items() if asked and way not in held.get(other, set()))
        if lacking and section.unread:
            yield Unreadable(f"Trust: {section.unread}")
        elif lacking:
            yield Change(action="~" if other in held else "+", kind="trust", name=other, details=lacking)


def servers(case: Case) -> Iterator[Finding]:
    """Phase 1: version, at least the service pack, the roles."""
    section = case.section("ExchangeServer")
    there = section.by("Fqdn")
    for server in case.servers_named():
        found = there.get(server.fqdn.lower())
        roles = roles_of(server)
        if found is None:
            if section.unread:
                yield Unreadable(f"ExchangeServer: {section.unread}")
            else:
                details = (f"Exchange {server.version}", f"roles {', '.join(roles)}")
                yield Change(action="+", kind="messaging server", name=server.fqdn, details=details)
            continue
        year, pack = version_of(text(found, "AdminDisplayVersion"))
        held = roles_seen(found)
        changed = []
        if not year:
            yield Unreadable(f"ExchangeServer: {server.fqdn} has version {text(found, 'AdminDisplayVersion') or '-'!r}")
        elif year != server.version:
            changed.append(difference("version", year, server.version))
        elif pack < server.service_pack:
            changed.append(difference("service_pack", pack, server.service_pack))
        if missing := tuple(role for role in roles if role.lower() not in held):
            changed.append(difference("roles", (), missing))
        if changed:
            yield Change(action="~", kind="messaging server", name=server.fqdn, details=tuple(changed))


def certificates(case: Case) -> Iterator[Finding]:
    """Phase 2: of an authority, valid, with the server's FQDN as subject."""
    for server in case.servers_named():
        if not case.step.server or case.step.server.lower() == server.fqdn.lower():
            yield from _certificate(case, server.fqdn, "")


def _certificate(case: Case, fqdn: str, service: str) -> Iterator[Finding]:
    """A server's certificate; with ``service`` it is enabled for it."""
    section = case.section("ExchangeCertificate")
    mine = [each for each in section.objects if text(each, "Server").lower() == fqdn.lower()]
    if not mine and (section.unread or not case.seen.hosted(fqdn)):
        yield Unreadable(f"ExchangeCertificate: {section.unread or f'nothing of {fqdn}: run the collector there'}")
        return
    good = [each for each in mine if not _wrong(each, fqdn, case.now)]
    if not good:
        reasons = [why for each in mine if (why := _wrong(each, fqdn, case.now))]
        times = ("ended", "begins")
        why = next((why for why in reasons if why.startswith(times)), f"none of an authority with subject CN={fqdn}")
        yield Change(action="~" if why.startswith(times) else "+", kind="certificate", name=fqdn, details=(why,))
    elif service and not any(service.lower() in map(str.lower, texts(each, "Services")) for each in good):
        detail = f"to be enabled for {service}"
        yield Change(action="~", kind="certificate", name=fqdn, details=(detail,))


def _wrong(certificate: ObservedObject, fqdn: str, now: datetime) -> str:
    if f"cn={fqdn.lower()}" not in subject_of(certificate):
        return "of another subject"
    if certificate.get("IsSelfSigned") is not False:
        return "self-signed"
    return ended(certificate, now)


def ended(certificate: ObservedObject, now: datetime) -> str:
    """Why a certificate is out of its time; empty if it is not."""
    begins, until = text(certificate, "NotBefore"), text(certificate, "NotAfter")
    if not until:
        return "without an end"
    if begins and datetime.fromisoformat(begins).astimezone(UTC) > now:
        return f"begins {begins[:10]}"
    return "" if datetime.fromisoformat(until).astimezone(UTC) > now else f"ended {until[:10]}"


def um_service(case: Case) -> Iterator[Finding]:
    """Phase 5: the UM role (2007, 2010) or the UM service (from 2013 on)."""
    server = _server_of(case, "um-service-")
    modern = generation(server) >= Generation.E2013
    yield from _in_dial_plans(case, server, "UMService" if modern else "UMServer", "MSExchangeUM", "UM")


def call_router(case: Case) -> Iterator[Finding]:
    """Phase 5: the UM Call Router of 2013 and later."""
    server = _server_of(case, "call-router-")
    yield from _in_dial_plans(case, server, "UMCallRouterSettings", "MSExchangeUMCR", "UMCallRouter")


def _server_of(case: Case, prefix: str) -> m.DeclaredMessagingServer:
    fqdn = case.name.removeprefix(prefix)
    return next(server for server in case.organization.messaging_servers if server.fqdn == fqdn)


def _in_dial_plans(
    case: Case, server: m.DeclaredMessagingServer, section_name: str, service: str, certificate: str
) -> Iterator[Finding]:
    section, version = case.section(section_name), generation(server)
    found = section.by("Fqdn").get(server.fqdn.lower())
    plans = [
        plan
        for plan in case.organization.um_dial_plans
        if plan.forest == case.forest and (server.dial_plans is None or plan.name in server.dial_plans)
    ]
    mode = startup_mode({plan.voip_security for plan in plans})
    if found is None:
        if section.unread:
            yield Unreadable(f"{section_name}: {section.unread}")
        else:
            yield Change(
                action="+", kind="messaging server", name=server.fqdn, details=(f"{service} of {section_name}",)
            )
        return
    # From 2013 on a server cannot be put into a TelExtn or E.164 dial plan, and answers for it all the same.
    wanted = [p.name for p in plans if version < Generation.E2013 or p.uri_type is UriType.SIP_NAME]
    held = {name.lower() for name in texts(found, "DialPlans")}
    changed = []
    if missing := tuple(name for name in wanted if name.lower() not in held):
        changed.append(difference("dial_plans", (), missing))
    if version > Generation.E2007:
        said = aligned(text(found, "UMStartupMode"), mode)
        said = StartupMode.DUAL if str(said).lower() == "dual" else said
        # Microsoft's guides set Dual with Lync; it listens for TLS as well.
        if said not in (mode, StartupMode.DUAL):
            changed.append(difference("startup_mode", said, mode))
    status = text(found, "Status")
    if status and status.lower() != UMStatus.ENABLED.lower():
        changed.append(difference("status", status, UMStatus.ENABLED))
    if changed:
        yield Change(action="~", kind="messaging server", name=server.fqdn, details=tuple(changed))
    if version > Generation.E2007 and mode is not StartupMode.TCP:
        yield from _certificate(case, server.fqdn, certificate)
    yield from running(case, server.fqdn, service)
