"""Names to addresses: overrides first (``--resolve FQDN=IP:PORT``), then DNS as RFC 3263 has it, then the system's resolver.

An override says where a name is for every port and transport; TLS still checks the name. Without one: NAPTR where neither
transport nor port is given, SRV where no port is given, then A and AAAA. A place that failed is tried last for a minute. IPv4
comes before IPv6: over UDP a family that leads nowhere is noticed only after 32 seconds.
"""

import asyncio
import ipaddress
import logging
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver

from tandem.core.errors import TandemError
from tandem.core.log import event, get_logger
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.sockets import is_address
from tandem.sip.headers.uri import URI
from tandem.sip.machines.failures import Failures
from tandem.sip.machines.locate import PORTS, SERVICES, Naptr, ServerAddress, Srv, order_servers, order_services

_log = get_logger("sip")
LOOKUP_S = 3.0
"""Seconds that DNS has to answer one question."""
SILENT_S = 15.0
"""Seconds that DNS is not asked after it did not answer, or not for a name that it could not say anything about."""
_MAX_CACHED = 4_096


class BadOverride(TandemError):
    """A ``--resolve`` that is not FQDN=IP:PORT."""


def parse_overrides(values: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Read ``FQDN=IP:PORT`` values. Raises :class:`BadOverride`."""
    out = {}
    for value in values:
        name, _, where = value.partition("=")
        host, _, port = where.rpartition(":")
        try:
            address = str(ipaddress.ip_address(host.strip("[]")))
            if not name or not 0 < int(port) < 65_536:
                raise ValueError
        except ValueError:
            raise BadOverride(
                f"--resolve {value!r}: expected FQDN=IP:PORT, such as um1.example.com=127.0.0.1:5061"
            ) from None
        out[name.lower()] = (address, int(port))
    return out


def hop_of(uri: URI, *, otherwise: str = "") -> Hop:
    """The hop that a ``sip:`` or ``sips:`` URI means, by the transport ``otherwise`` if it names none.

    What is left open (port 0, no transport) DNS tells.
    """
    transport = (uri.parameters.get("transport") or otherwise).lower()
    if uri.scheme == "sips":
        transport = "tls"
    host = uri.host.strip("[]")
    if not transport and (uri.port or is_address(host)):
        transport = "udp"
    port = uri.port or (PORTS.get(transport, 5060) if is_address(host) else 0)
    return Hop(transport=transport, host=host.lower(), port=port)


class Resolver:
    """Resolves a hop to the places to try. ``dns_resolver`` replaces the one that /etc/resolv.conf gives."""

    def __init__(
        self,
        overrides: Mapping[str, tuple[str, int]] | None = None,
        *,
        dns_resolver: dns.asyncresolver.Resolver | None = None,
        pick: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self._overrides = {name.lower(): where for name, where in (overrides or {}).items()}
        self._dns = dns_resolver
        self._configured = dns_resolver is not None
        self._pick = pick
        self._avoided, self._unanswered = Failures(), Failures()
        self._silent_until = 0.0

    async def locate(self, hop: Hop, *, transports: Sequence[str] = tuple(SERVICES)) -> list[ServerAddress]:
        """The places to try, best first; what is open is chosen among ``transports``. Raises :class:`OSError`."""
        if hop.transport not in ("", *PORTS):
            raise OSError(
                f"the transport {hop.transport[:20]!r} of {hop.host[:80]} is not spoken; these are: {', '.join(PORTS)}"
            )
        if (known := self._known(hop)) is not None:
            return [known]
        places = await self._located(hop, transports)
        if not places:
            raise OSError(f"no address of {hop.host} is known")
        return sorted(places, key=self._avoid) if self._avoided else places

    def is_one_place(self, hop: Hop) -> bool:
        """Whether a hop is an address, or a name with an override: there is no other place to try."""
        return self._known(hop) is not None

    def failed(self, place: ServerAddress) -> None:
        """A place could not be reached: for a while it is tried after all others."""
        self._avoided.failed(place, time.monotonic())

    def _known(self, hop: Hop) -> ServerAddress | None:
        """A place that needs no question."""
        transport = hop.transport or "udp"
        if where := self._overrides.get(hop.host.lower()):
            return ServerAddress(transport=transport, host=where[0], port=where[1])
        if is_address(hop.host):
            return ServerAddress(transport=transport, host=hop.host.strip("[]"), port=hop.port or PORTS[transport])
        return None

    async def _located(self, hop: Hop, transports: Sequence[str]) -> list[ServerAddress]:
        if hop.port:
            return await self._addresses(hop.transport or "udp", hop.host, hop.port)
        services = [(hop.transport, f"{SERVICES[hop.transport]}.{hop.host}")] if hop.transport else []
        if not services:
            services = order_services(await self._naptr(hop.host), transports)
        if not services:
            services = [(t, f"{SERVICES[t]}.{hop.host}") for t in SERVICES if t in transports]
        for transport, name in services:
            servers = order_servers(await self._srv(name), self._pick)
            found = [await self._addresses(transport, server.target, server.port) for server in servers]
            if places := [place for each in found for place in each]:
                return places
        transport = hop.transport or "udp"
        return await self._addresses(transport, hop.host, PORTS[transport])

    def _avoid(self, place: ServerAddress) -> bool:
        return self._avoided.avoided(place, time.monotonic())

    # Questions

    async def _addresses(self, transport: str, host: str, port: int) -> list[ServerAddress]:
        if where := self._overrides.get(host.lower()):
            return [ServerAddress(transport=transport, host=where[0], port=where[1])]
        if is_address(host):
            return [ServerAddress(transport=transport, host=host, port=port)]
        four, six = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
        found = [str(record.address) for record in (*four, *six)]
        return [ServerAddress(transport=transport, host=each, port=port) for each in found or await _by_system(host)]

    async def _srv(self, name: str) -> list[Srv]:
        return [
            Srv(priority=r.priority, weight=r.weight, port=r.port, target=_plain(r.target))
            for r in await self._ask(name, "SRV")
        ]

    async def _naptr(self, name: str) -> list[Naptr]:
        return [
            Naptr(
                order=r.order,
                preference=r.preference,
                flags=r.flags.decode("ascii", "replace"),
                service=r.service.decode("ascii", "replace"),
                replacement=_plain(r.replacement),
            )
            for r in await self._ask(name, "NAPTR")
        ]

    async def _ask(self, name: str, kind: str) -> list[Any]:  # records of the kind that was asked for
        """The records of a name; none where there are none, or DNS does not answer."""
        asked, now = self._asked(), time.monotonic()
        if asked is None or now < self._silent_until or self._unanswered.avoided((name, kind), now):
            return []
        try:
            return list(await asked.resolve(name, kind, search=False, lifetime=LOOKUP_S))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            # The next calls do not wait for that as well, the system's resolver has to know.
            if isinstance(error, dns.exception.Timeout):  # nobody answers
                self._silent_until = time.monotonic() + SILENT_S
            else:  # SERVFAIL and the like are about this name
                self._unanswered.failed((name, kind), time.monotonic(), for_s=SILENT_S)
            event(_log, logging.WARNING, "sip.dns_failed", name=name, kind=kind, why=error)
            return []

    def _asked(self) -> dns.asyncresolver.Resolver | None:
        if not self._configured:
            self._configured = True
            try:
                self._dns = dns.asyncresolver.Resolver()
            except dns.exception.DNSException as error:  # no resolv.conf: the system's resolver alone
                event(_log, logging.INFO, "sip.no_dns", why=error)
        if self._dns is not None and self._dns.cache is None:
            self._dns.cache = dns.resolver.LRUCache(_MAX_CACHED)
        return self._dns


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


async def _by_system(host: str) -> list[str]:
    """What /etc/hosts and whatever else the machine has say."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: a label of more than 63 characters is no name
        return []
    return list(dict.fromkeys(str(each[4][0]) for each in found))
