"""Which judge is for which step of the runbook. A step without one is not observable: only a person's word counts."""

from collections.abc import Callable, Iterator

from tandem.process.observing.judges import exchange_objects, exchange_servers, lync_servers, lync_voice
from tandem.process.observing.judges.case import Case
from tandem.process.observing.model import Observation
from tandem.process.observing.verdict import Finding, Judgement, NotObservable, judgement

Judge = Callable[[Case], Iterator[Finding]]

_JUDGES: dict[str, Judge] = {
    "0/exchange-preconditions": exchange_servers.preconditions,
    "1/exchange-first-server": exchange_servers.servers,
    "1/exchange-servers": exchange_servers.servers,
    "2/exchange-certificates": exchange_servers.certificates,
    "3/exchange-dial-plans": exchange_objects.dial_plans,
    "3/exchange-mailbox-policies": exchange_objects.policies,
    "3/exchange-auto-attendants": exchange_objects.attendants,
    "3/exchange-plain-gateways": exchange_objects.plain_gateways,
    "4/exchange-security": exchange_objects.security,
    "6/exchange-eum-addresses": exchange_objects.eum_addresses,
    "7/exchange-exchucutil": exchange_objects.exchucutil,
    "11/exchange-um-users": exchange_objects.um_users,
    "0/lync-directory": lync_servers.directory,
    "0/lync-pools": lync_servers.pools,
    "0/lync-users": lync_voice.users,
    "4/lync-media": lync_servers.media,
    "6/lync-sip-addresses": lync_voice.sip_addresses,
    "7/lync-front-end": lync_servers.front_ends,
    "8/lync-dial-plans": lync_voice.dial_plans,
    "9/lync-ou-permission": lync_voice.ou_permission,
    "9/lync-contacts": lync_voice.contacts,
    "10/lync-voice": lync_voice.voice,
    "10/lync-users": lync_voice.voice_users,
}
_OF_ONE_SERVER: dict[str, Judge] = {
    "2/exchange-certificates-": exchange_servers.certificates,
    "5/exchange-um-service-": exchange_servers.um_service,
    "5/exchange-call-router-": exchange_servers.call_router,
    "2/lync-certificates-": lync_servers.certificates,
}
"""Steps whose name ends in a server's or a pool's."""


def judge(case: Case) -> Judgement:
    """What was seen says of a step."""
    side = case.step.id.partition("/")[2].partition("-")[0]
    name = f"{case.step.phase.number}/{side}-{case.name}"
    found = _JUDGES.get(name) or next((j for start, j in _OF_ONE_SERVER.items() if name.startswith(start)), None)
    if found is None:
        return judgement([NotObservable("a collector does not see this: confirm it ('tandem confirm')")])
    return judgement(found(case))


def sources(case: Case) -> tuple[Observation, ...]:
    """The observations that a judgement rests on: the newest of each shell, and for certificates those of the servers
    themselves."""
    seen, of_lync = case.seen, case.step.id.startswith("2/lync-")
    if case.step.phase.number not in (2, 5):
        return seen.observations
    if of_lync:
        hosts = {
            name.lower() for pool in lync_servers.pools_named(case) for name in lync_servers.servers_of(case, pool)
        }
    else:
        hosts = {server.fqdn.lower() for server in case.servers_named()}
    local = tuple(each for each in seen.local if each.host in hosts)
    if of_lync and hosts <= {each.host for each in local}:
        return local
    return (*seen.observations, *(each for each in local if each not in seen.observations))
