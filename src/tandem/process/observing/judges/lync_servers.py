"""Phases 0, 2, 4 and 7 for pools of kind lync: topology, certificates, media encryption, the Front-End service."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime

from tandem.org import model as m
from tandem.org.vocabulary import PoolType, VoIPSecurity
from tandem.process.observing.comparing import aligned, number_in, removed
from tandem.process.observing.judges import exchange_objects
from tandem.process.observing.judges.case import Case, group_members, running, subject_of
from tandem.process.observing.judges.exchange_servers import ended, trusts
from tandem.process.observing.model import ObservedObject
from tandem.process.observing.seen import Seen, SeenSection, text, texts
from tandem.process.observing.verdict import Finding, NotObservable, Unreadable
from tandem.process.runbook.model import RunbookStep
from tandem.process.task import Change, difference

_GROUPS = ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins", "RTCComponentUniversalServices")
VERSIONS = {5: "2010", 6: "2013", 7: "2015"}
"""The version of a pool by that of its services (Get-CsService)."""
_FRONT_END_SERVICE = "RTCSRV"
_OF_DIRECTORS = frozenset({"registrar", "webserver"})
_OF_USERS = frozenset({"userserver", "conferencingserver", "mediationserver"})


def directory(case: Case) -> Iterator[Finding]:
    """Phase 0: Lync's groups, and trusts with the messaging forests."""
    yield from trusts(case)
    section = case.section("GroupMember")
    for name in _GROUPS:
        if group_members(section, name) is None:
            if section.unread:
                yield Unreadable(f"GroupMember: {section.unread}")
                return
            yield Change(action="+", kind="group", name=name)


def type_of(pool: ObservedObject, roles: set[str]) -> PoolType:
    """The type of a pool, by its servers and its services.

    A Director has that role, or Registrar and Web Services without the services of users. A branch (Survivable Branch
    Appliance or Server) is one server with Registrar and Mediation Server alone; a Standard Edition server is one server of
    the pool's own name, with all services.
    """
    fqdn, computers = text(pool, "Fqdn").lower(), {name.lower() for name in texts(pool, "Computers")}
    if "director" in roles or (roles >= _OF_DIRECTORS and not roles & _OF_USERS):
        return PoolType.DIRECTOR
    if computers <= {fqdn}:
        return PoolType.BRANCH if roles and roles <= {"registrar", "mediationserver"} else PoolType.STANDARD_EDITION
    return PoolType.FRONT_END


def roles_of_pool(pool: ObservedObject, services: SeenSection) -> set[str]:
    """The roles of a pool's services, in lower case."""
    fqdn = text(pool, "Fqdn").lower()
    own = {name.partition(":")[0].lower() for name in texts(pool, "Services")}
    return own | {text(s, "Role").lower() for s in services.objects if text(s, "PoolFqdn").lower() == fqdn}


def pools(case: Case) -> Iterator[Finding]:
    """Phase 0: in the topology, with their servers; pools that host users have a collocated Mediation Server."""
    section, services = case.section("CsPool"), case.section("CsService")
    there = section.by("Fqdn")
    for pool in case.pools():
        found = there.get(pool.fqdn.lower())
        if found is None:
            if section.unread:
                yield Unreadable(f"CsPool: {section.unread}")
            else:
                details = (f"pool_type {pool.pool_type}", f"servers {', '.join(pool.servers or (pool.fqdn,))}")
                yield Change(action="+", kind="voice pool", name=pool.fqdn, details=details)
            continue
        yield from _pool(pool, found, services)


def _pool(pool: m.DeclaredVoicePool, found: ObservedObject, services: SeenSection) -> Iterator[Finding]:
    roles, changed = roles_of_pool(pool=found, services=services), []
    if roles and (type_ := type_of(found, roles)) is not pool.pool_type:
        changed.append(difference("pool_type", type_, pool.pool_type))
    if pool.servers:
        held = aligned(texts(found, "Computers"), pool.servers)
        if sorted(held) != sorted(pool.servers):
            changed.append(difference("servers", held, pool.servers))
    version = next(
        (
            VERSIONS.get(number_in(s, "Version", 0))
            for s in services.objects
            if text(s, "PoolFqdn").lower() == pool.fqdn.lower() and number_in(s, "Version", -1) >= 0
        ),
        None,
    )
    if version and version != (pool.version or "2013"):
        changed.append(difference("version", version, pool.version or "2013"))
    if changed:
        yield Change(action="~", kind="voice pool", name=pool.fqdn, details=tuple(changed))
    if pool.pool_type in (PoolType.STANDARD_EDITION, PoolType.FRONT_END) and "mediationserver" not in roles:
        if services.unread:
            yield Unreadable(f"CsService: {services.unread}")
        else:
            yield Change(action="+", kind="Mediation Server", name=pool.fqdn)


def certificates(case: Case) -> Iterator[Finding]:
    """Phase 2 of one pool: on each of its servers a valid Default certificate, with the pool's and the server's name."""
    section = case.section("CsCertificate")
    for pool in pools_named(case):
        for server in servers_of(case, pool):
            yield from _certificate(case, section, pool.fqdn, server)


def pools_named(case: Case) -> tuple[m.DeclaredVoicePool, ...]:
    """The pool that the step is named after."""
    fqdn = case.name.removeprefix("certificates-")
    return tuple(pool for pool in case.organization.voice_pools if pool.fqdn == fqdn)


def servers_of(case: Case, pool: m.DeclaredVoicePool) -> tuple[str, ...]:
    """The servers of a pool: those declared, those of the topology, or the pool itself."""
    found = case.section("CsPool").by("Fqdn").get(pool.fqdn.lower())
    return pool.servers or (texts(found, "Computers") if found else ()) or (pool.fqdn,)


def _certificate(case: Case, section: SeenSection, pool: str, server: str) -> Iterator[Finding]:
    mine = [each for each in section.objects if text(each, "Server").lower() == server.lower()]
    if not mine and (section.unread or not case.seen.hosted(server)):
        yield Unreadable(f"CsCertificate: {section.unread or f'nothing of {server}: run the collector there'}")
        return
    default = [each for each in mine if text(each, "Use").lower() == "default"]
    reasons = [_wrong(each, pool, server, case.now) for each in default]
    if not default:
        yield Change(action="+", kind="certificate", name=server, details=("none is assigned for Default",))
    elif all(reasons):
        yield Change(action="~", kind="certificate", name=server, details=(reasons[0],))


def _wrong(certificate: ObservedObject, pool: str, server: str, now: datetime) -> str:
    if f"cn={pool.lower()}" not in subject_of(certificate):
        return f"subject {text(certificate, 'Subject')} -> CN={pool}"
    if text(certificate, "Issuer") == text(certificate, "Subject"):
        return "self-signed"
    names = {name.lower() for name in texts(certificate, "AlternativeNames")}
    if missing := [name for name in dict.fromkeys((pool, server)) if name.lower() not in names]:
        return f"subject alternative name lacks {', '.join(missing)}"
    return ended(certificate, now)


def media(case: Case) -> Iterator[Finding]:
    """Phase 4: the encryption of a pool's site, else the global one, and that of its Mediation Server if it has its own."""
    section = case.section("CsMediaConfiguration")
    for pool in case.pools():
        wanted, level = pool.media_encryption, level_of(case.seen, pool.fqdn)
        if not level and section.unread:
            yield Unreadable(f"CsMediaConfiguration: {section.unread}")
            continue
        changed = []
        if (held := aligned(level, wanted)) != wanted:
            changed.append(difference("media_encryption", held, wanted))
        mediation = mediation_level_of(case.seen, pool.fqdn)
        if mediation and mediation.lower() != wanted.lower():
            changed.append(difference("media_encryption of its Mediation Server", mediation, wanted))
        if changed:
            yield Change(action="~", kind="voice pool", name=pool.fqdn, details=tuple(changed))


def level_of(seen: Seen, pool: str) -> str:
    """The media encryption that holds for a pool: its site's, else the global one; empty if none was read."""
    levels = _levels(seen)
    found = seen.section("CsPool").by("Fqdn").get(pool.lower())
    site = f"site:{removed(text(found, 'Site'), 'Site:').lower()}" if found else ""
    return levels.get(site) or levels.get("global", "")


def mediation_level_of(seen: Seen, pool: str) -> str:
    """The media encryption of a pool's Mediation Server, if it has its own."""
    levels, name = _levels(seen), f"mediationserver:{pool.lower()}"
    return levels.get(f"service:{name}") or levels.get(name, "")


def _levels(seen: Seen) -> dict[str, str]:
    found = seen.section("CsMediaConfiguration").by("Identity")
    return {name: text(each, "EncryptionLevel") for name, each in found.items()}


def front_ends(case: Case) -> Iterator[Finding]:
    """Phase 7: the service runs, and was started after the gateways and hunt groups were there.

    When UM objects were made is not observed: it was before the first moment that they were seen or confirmed.
    """
    secured = any(p.voip_security is not VoIPSecurity.UNSECURED for p in case.organization.um_dial_plans)
    forests = [step for step in case.steps if step.id.startswith("7/exchange-exchucutil")] if secured else []
    known = [_known_since(case, step) for step in forests]
    for pool in case.pools():
        for server in servers_of(case, pool):
            if findings := list(running(case, server, _FRONT_END_SERVICE)):
                yield from findings
            elif None in known:
                yield NotObservable(
                    f"{_FRONT_END_SERVICE} has to restart after exchucutil, whose result is not there yet"
                )
            else:
                yield from _restarted(case, server, max((at for at in known if at), default=None))


def _restarted(case: Case, server: str, known: datetime | None) -> Iterator[Finding]:
    started = _started(case, server)
    if known and (started is None or started < known):
        since = f"{started:%Y-%m-%d %H:%M} UTC" if started else "an unknown time"
        yield NotObservable(
            f"{_FRONT_END_SERVICE} on {server} runs since {since}, before the result of exchucutil was seen or "
            f"confirmed ({known:%Y-%m-%d %H:%M} UTC): whether it has restarted since exchucutil is not known"
        )


def _started(case: Case, server: str) -> datetime | None:
    for each in case.section("Service").objects:
        same = (text(each, "Server").lower(), text(each, "Name").lower()) == (
            server.lower(),
            _FRONT_END_SERVICE.lower(),
        )
        if same and (at := text(each, "StartTime")):
            return datetime.fromisoformat(at).astimezone(UTC)
    return None


def _known_since(case: Case, step: RunbookStep) -> datetime | None:
    """The earliest moment at which a forest's result of exchucutil is known to have been there; ``None``: it is not there,
    or nothing is known of it. A confirmation that is older than an observation which lacks something says nothing."""
    seen = case.everything.get(("exchange", step.forest), Seen())
    said = case.confirmed.get(step.id)
    if seen and _lacks_something(case, step, seen):
        return said if said and said > max(each.ended for each in seen.observations) else None
    whole = [each.started for each in seen.observations if not _lacks_something(case, step, Seen.of([each]))]
    moments = whole or [each.started for each in seen.observations][:1]
    return min((*moments, *([said] if said else ())), default=None)


def _lacks_something(case: Case, step: RunbookStep, seen: Seen) -> bool:
    found = exchange_objects.exchucutil(dataclasses.replace(case, step=step, seen=seen))
    return any(isinstance(each, Change) for each in found)
