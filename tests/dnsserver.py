"""A small DNS server on loopback, over UDP, with the records that a test gives it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], Sequence[str]]
"""Records as text, by name and type: ``("example.com", "A"): ["127.0.0.1"]``."""
SERVFAIL = ["SERVFAIL"]
"""In place of records: the server cannot say."""


class _Server(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone, asked: list[tuple[str, str]]) -> None:
        self._zone = zone
        self._asked = asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self._asked.append((name, kind))
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        if (records := self._zone.get((name, kind))) == SERVFAIL:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif records:
            answer.answer.append(dns.rrset.from_text(question.name, 60, dns.rdataclass.IN, kind, *records))
        elif not any(known == name for known, _ in self._zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)  # type: ignore[attr-defined]


@contextlib.asynccontextmanager
async def serving(zone: Zone) -> AsyncIterator[tuple[dns.asyncresolver.Resolver, list[tuple[str, str]]]]:
    """A resolver that asks the server, and the list of what was asked."""
    asked: list[tuple[str, str]] = []
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Server(zone, asked), local_addr=("127.0.0.1", 0)
    )
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = transport.get_extra_info("sockname")[1]
    try:
        yield resolver, asked
    finally:
        transport.close()
