"""Where a SIP server is, out of DNS records (RFC 3263, RFC 2782). Sans-IO: who asks DNS is in :mod:`tandem.sip.aio.resolve`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
SERVICES = {"tls": "_sips._tcp", "tcp": "_sip._tcp", "udp": "_sip._udp"}
"""SRV names by transport, in the order in which we like them (RFC 3263 §4.1)."""
_NAPTR = {"SIPS+D2T": "tls", "SIP+D2T": "tcp", "SIP+D2U": "udp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Transport, address and port of one server of a host: an entry of what DNS says, to be tried."""

    transport: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Srv:
    """An SRV record."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Naptr:
    """A NAPTR record; ``replacement`` is the name of an SRV record where ``flags`` is ``s``."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


def order_services(records: Iterable[Naptr], transports: Iterable[str]) -> list[tuple[str, str]]:
    """Transport and SRV name of each NAPTR that leads to something we speak, best first."""
    spoken = frozenset(transports)
    usable = [
        (n.order, n.preference, transport, n.replacement)
        for n in records
        if n.flags.lower() == "s" and (transport := _NAPTR.get(n.service.upper())) in spoken and transport
    ]
    return [(transport, name) for _, _, transport, name in sorted(usable)]


def order_servers(records: Iterable[Srv], pick: Callable[[int], int]) -> list[Srv]:
    """The order to try servers in: by priority, within one at random by weight (RFC 2782).

    ``pick(n)`` gives a random number from 0 to n - 1. A target of ``.`` says that the service is not there.
    """
    left = sorted((r for r in records if r.target not in ("", ".")), key=lambda r: (r.priority, r.weight))
    ordered: list[Srv] = []
    while left:
        group = [r for r in left if r.priority == left[0].priority]
        at = pick(sum(r.weight for r in group) + 1)
        for record in group:
            at -= record.weight
            if at <= 0:
                ordered.append(record)
                left.remove(record)
                break
    return ordered
