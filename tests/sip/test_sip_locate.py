"""RFC 3263: where a server is, asked of a real DNS server, and the next one when it fails."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator

import dns.asyncresolver
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsserver import SERVFAIL, Zone, serving
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.resolve import Resolver, hop_of
from tandem.sip.headers.uri import parse_uri
from tandem.sip.machines.locate import Naptr, ServerAddress, Srv, order_servers, order_services
from tandem.sip.message.message import Headers, Request

ZONE: Zone = {
    ("example.com", "NAPTR"): [
        '20 50 "s" "SIP+D2T" "" _sip._tcp.example.com.',
        '10 50 "s" "SIPS+D2T" "" _sips._tcp.example.com.',
        '10 60 "u" "E2U+sip" "!.*!sip:x!" .',
        '30 50 "s" "SIP+D2U" "" _sip._udp.example.com.',
    ],
    ("_sips._tcp.example.com", "SRV"): ["10 0 5061 tls.example.com."],
    ("_sip._tcp.example.com", "SRV"): ["20 0 5070 b.example.com.", "10 0 5060 a.example.com."],
    ("_sip._udp.example.com", "SRV"): ["0 0 5080 a.example.com."],
    ("a.example.com", "A"): ["127.0.0.11"],
    ("b.example.com", "A"): ["127.0.0.12", "127.0.0.13"],
    ("b.example.com", "AAAA"): ["::1"],
    ("tls.example.com", "A"): ["127.0.0.14"],
    ("onlysrv.example.com", "A"): ["127.0.0.15"],
    ("_sip._tcp.onlysrv.example.com", "SRV"): ["0 0 5060 a.example.com."],
    ("off.example.com", "A"): ["127.0.0.16"],
    ("_sip._tcp.off.example.com", "SRV"): ["0 0 0 ."],
}


def hop(transport: str, host: str, port: int = 0) -> Hop:
    return Hop(transport=transport, host=host, port=port)


@pytest.mark.parametrize(
    ("wanted", "transports", "places"),
    [
        (hop("", "example.com"), ("tls", "tcp", "udp"), ["tls 127.0.0.14:5061"]),
        (hop("", "example.com"), ("tcp", "udp"), ["tcp 127.0.0.11:5060"]),
        (hop("", "example.com"), ("udp",), ["udp 127.0.0.11:5080"]),
        (hop("tcp", "example.com"), ("tcp",), ["tcp 127.0.0.11:5060"]),
        (hop("", "onlysrv.example.com"), ("tls", "tcp", "udp"), ["tcp 127.0.0.11:5060"]),
        (hop("tcp", "off.example.com"), ("tcp",), ["tcp 127.0.0.16:5060"]),
        (hop("", "a.example.com"), ("tcp", "udp"), ["udp 127.0.0.11:5060"]),
        (hop("tls", "a.example.com", 5099), ("tls",), ["tls 127.0.0.11:5099"]),
        (hop("tcp", "b.example.com"), ("tcp",), ["tcp 127.0.0.12:5060", "tcp 127.0.0.13:5060", "tcp ::1:5060"]),
        (hop("udp", "[::1]", 5060), (), ["udp ::1:5060"]),
        (hop("udp", "127.0.0.1"), (), ["udp 127.0.0.1:5060"]),
        (hop("tls", "override.example.com", 1), (), ["tls 127.0.0.9:9"]),
    ],
)
async def test_a_hop_is_found_as_dns_says(wanted: Hop, transports: tuple[str, ...], places: list[str]) -> None:
    async with serving(ZONE) as (dns_resolver, _):
        resolver = Resolver({"override.example.com": ("127.0.0.9", 9)}, dns_resolver=dns_resolver)
        found = await resolver.locate(wanted, transports=transports)
        expected = sorted(places) if len(places) > 1 else places
        shown = [f"{p.transport} {p.host}:{p.port}" for p in found]
        assert (sorted(shown) if len(places) > 1 else shown[:1]) == expected


async def test_a_name_that_nobody_knows_is_an_error_and_answers_are_kept() -> None:
    async with serving(ZONE) as (dns_resolver, asked):
        resolver = Resolver(dns_resolver=dns_resolver)
        with pytest.raises(OSError, match=r"nowhere\.invalid"):
            await resolver.locate(hop("tcp", "nowhere.invalid", 5060))
        for _ in range(3):
            await resolver.locate(hop("tcp", "a.example.com", 5060))
        assert asked.count(("a.example.com", "A")) == 1


@pytest.mark.parametrize(
    "wanted", [hop("tcp", "a" * 64 + ".example.com", 5060), hop("ws", "a.example.com"), hop("sctp", "127.0.0.1")]
)
async def test_what_cannot_be_a_place_is_an_error_as_any_other(wanted: Hop) -> None:
    async with serving(ZONE) as (dns_resolver, _):
        with pytest.raises(OSError, match=r"known|spoken"):
            await Resolver(dns_resolver=dns_resolver).locate(wanted)


async def test_a_place_that_failed_is_tried_last() -> None:
    async with serving(ZONE) as (dns_resolver, _):
        resolver = Resolver(dns_resolver=dns_resolver)
        first = (await resolver.locate(hop("tcp", "b.example.com", 5060)))[0]
        resolver.failed(first)
        assert (await resolver.locate(hop("tcp", "b.example.com", 5060)))[-1] == first


async def test_a_name_that_dns_cannot_answer_for_silences_no_other() -> None:
    broken: Zone = {("broken.example.com", "A"): SERVFAIL, ("broken.example.com", "AAAA"): SERVFAIL}
    async with serving({**ZONE, **broken}) as (dns_resolver, asked):
        resolver = Resolver(dns_resolver=dns_resolver)
        for _ in range(2):
            with pytest.raises(OSError, match=r"broken\.example\.com"):
                await resolver.locate(hop("tcp", "broken.example.com", 5060))
        times = Counter(asked)
        (place,) = await resolver.locate(hop("tcp", "a.example.com", 5060))
        assert place.host == "127.0.0.11"
        with pytest.raises(OSError, match="known"):
            await resolver.locate(hop("tcp", "broken.example.com", 5060))
        assert Counter(asked)["broken.example.com", "A"] == times["broken.example.com", "A"]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:example.com", hop("", "example.com")),
        ("sip:x@Example.com:5070", hop("udp", "example.com", 5070)),
        ("sip:x@example.com;transport=TCP", hop("tcp", "example.com")),
        ("sips:x@example.com", hop("tls", "example.com")),
        ("sip:x@[::1]", hop("udp", "::1", 5060)),
        ("sip:x@[2001:db8::1]:5071;transport=tcp", hop("tcp", "2001:db8::1", 5071)),
        ("sips:x@192.0.2.1", hop("tls", "192.0.2.1", 5061)),
    ],
)
def test_a_uri_says_what_it_says_and_leaves_the_rest_to_dns(uri: str, expected: Hop) -> None:
    assert hop_of(parse_uri(uri)) == expected


def test_services_that_are_not_spoken_are_passed_over() -> None:
    records = [
        Naptr(order=1, preference=1, flags="s", service="SIPS+D2S", replacement="sctp"),
        Naptr(order=2, preference=2, flags="S", service="sip+d2u", replacement="u"),
        Naptr(order=2, preference=1, flags="s", service="SIP+D2T", replacement="t"),
    ]
    assert order_services(records, ("tcp", "udp")) == [("tcp", "t"), ("udp", "u")]


def srv(priority: int, weight: int, target: str) -> Srv:
    return Srv(priority=priority, weight=weight, port=5060, target=target)


def test_weights_share_the_first_place() -> None:
    records = [srv(1, 3, "a"), srv(1, 1, "b"), srv(2, 100, "c"), srv(0, 0, ".")]
    firsts = Counter(order_servers(records, lambda n, at=at: at % n)[0].target for at in range(5))  # type: ignore[misc]
    assert firsts["a"] + firsts["b"] == 5 and firsts["a"] > firsts["b"] > 0


@given(
    st.lists(st.builds(srv, st.integers(0, 3), st.integers(0, 65535), st.sampled_from("abcdef")), max_size=12),
    st.randoms(use_true_random=False),
)
def test_every_server_is_tried_once_by_priority(records: list[Srv], random: "object") -> None:
    ordered = order_servers(records, random.randrange)  # type: ignore[attr-defined]
    assert Counter(ordered) == Counter(records)
    assert [r.priority for r in ordered] == sorted(r.priority for r in records)


# Fail-over


def options() -> Request:
    headers = [("Max-Forwards", "70"), ("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@y>"), ("Call-ID", "c1")]
    return Request(method="OPTIONS", uri="sip:b@y", headers=Headers([*headers, ("CSeq", "1 OPTIONS")]))


@contextlib.asynccontextmanager
async def several(*behaviours: str, kind: str = "tcp") -> AsyncIterator[tuple[Endpoint, list[str]]]:
    """A client, and servers on 127.0.0.11 and up that each do as told; gives who was asked."""
    asked: list[str] = []
    made: list[Endpoint] = []
    port = 15_960
    zone: Zone = {
        ("_sip._tcp.example.com", "SRV"): [f"{i} 0 {port} s{i}.example.com." for i in range(len(behaviours))],
        **{(f"s{i}.example.com", "A"): [f"127.0.0.{11 + i}"] for i in range(len(behaviours))},
    }
    for at, behaviour in enumerate(behaviours):
        server = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver())
        made.append(server)

        def serve(transaction, at=at, behaviour=behaviour):  # type: ignore[no-untyped-def]
            asked.append(f"s{at}")
            if behaviour == "hang up":
                transaction.flow.close()
            else:
                transaction.respond_with(int(behaviour))

        server.on_request = serve
        if behaviour != "nobody":
            await server.listen_tcp(f"127.0.0.{11 + at}", port)
    async with serving(zone) as (dns_resolver, _):
        client = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver(dns_resolver=dns_resolver))
        try:
            yield client, asked
        finally:
            for each in (client, *made):
                await each.close()


@pytest.mark.parametrize(
    ("behaviours", "status", "asked"),
    [
        (("200", "200"), 200, ["s0"]),
        (("nobody", "200"), 200, ["s1"]),
        (("503", "200"), 200, ["s0", "s1"]),
        (("hang up", "503", "486"), 486, ["s0", "s1", "s2"]),
        (("486", "200"), 486, ["s0"]),
        (("503", "503"), 503, ["s0", "s1"]),
        (("nobody", "nobody"), 503, []),
    ],
)
async def test_the_next_server_is_tried_when_one_fails(
    behaviours: tuple[str, ...], status: int, asked: list[str]
) -> None:
    async with several(*behaviours) as (client, seen):
        transaction = await client.send(options(), hop("tcp", "example.com"))
        response = await asyncio.wait_for(transaction.final(), 5)
        assert (response.status, seen) == (status, asked)


async def test_after_a_fail_over_the_good_server_is_stayed_with() -> None:
    async with several("503", "200") as (client, seen):
        for _ in range(3):
            transaction = await client.send(options(), hop("tcp", "example.com"))
            assert (await asyncio.wait_for(transaction.final(), 5)).status == 200
        assert seen == ["s0", "s1", "s1", "s1"]


def test_places_are_values() -> None:
    assert ServerAddress(transport="udp", host="::1", port=1) == ServerAddress(transport="udp", host="::1", port=1)


async def test_where_dns_does_not_answer_the_system_is_asked_and_the_next_call_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tandem.sip.aio.resolve.LOOKUP_S", 0.3)
    with socket.socket(type=socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        dns_resolver = dns.asyncresolver.Resolver(configure=False)
        dns_resolver.nameservers, dns_resolver.port = ["127.0.0.1"], mute.getsockname()[1]
        resolver = Resolver(dns_resolver=dns_resolver)
        taken = []
        for _ in range(2):
            begun = asyncio.get_running_loop().time()
            places = await resolver.locate(hop("tcp", "localhost", 5060))
            taken.append(asyncio.get_running_loop().time() - begun)
            assert places[0].host in ("127.0.0.1", "::1")
        assert taken[0] >= 0.3 > taken[1]
