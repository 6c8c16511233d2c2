"""The endpoint on real loopback sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.sip import fields
from tandem.sip.aio.endpoint import Endpoint, Hop, ServerTransaction
from tandem.sip.aio.resolve import BadOverride, Resolver, parse_overrides
from tandem.sip.errors import MalformedMessage
from tandem.sip.message import Headers, Request


def endpoint(resolver: Resolver | None = None) -> Endpoint:
    return Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=resolver or Resolver())


def request(method: str = "OPTIONS") -> Request:
    headers = [("Max-Forwards", "70"), ("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@y>"), ("Call-ID", "c1")]
    return Request(method=method, uri="sip:b@y", headers=Headers([*headers, ("CSeq", f"1 {method}")]))


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Endpoint, Endpoint]]:
    client, server = endpoint(Resolver({"server.example.com": ("127.0.0.1", 0)})), endpoint()
    yield client, server
    await client.close()
    await server.close()


@pytest.mark.parametrize("kind", ["udp", "tcp"])
async def test_a_request_is_answered_and_says_where_it_came_from(pair: tuple[Endpoint, Endpoint], kind: str) -> None:
    client, server = pair
    seen: list[str] = []

    def serve(transaction: ServerTransaction) -> None:
        via = fields.top_via(transaction.request)
        seen.append(f"{via.parameters['received']}:{via.parameters['rport']}")
        assert seen == [f"127.0.0.1:{transaction.flow.remote[1]}"]
        transaction.respond_with(200, headers=(("X-Said", "é"),))

    server.on_request = serve
    _, port = await (server.listen_udp if kind == "udp" else server.listen_tcp)("127.0.0.1", 0)
    response = await (await client.send(request(), Hop(transport=kind, host="127.0.0.1", port=port))).final()
    assert response.status == 200 and response.headers.get("x-said") == "é" and seen


async def test_a_request_that_its_user_stumbles_over_is_answered(pair: tuple[Endpoint, Endpoint]) -> None:
    client, server = pair

    def stumble(transaction: ServerTransaction) -> None:
        if transaction.request.method == "INFO":
            raise MalformedMessage("the URI is no URI", status=416)
        raise ZeroDivisionError

    server.on_request = stumble
    _, port = await server.listen_tcp("127.0.0.1", 0)
    hop = Hop(transport="tcp", host="127.0.0.1", port=port)
    assert (await (await client.send(request("INFO"), hop)).final()).status == 416
    assert (await (await client.send(request("OPTIONS"), hop)).final()).status == 500


async def test_a_connection_that_breaks_ends_its_requests(pair: tuple[Endpoint, Endpoint]) -> None:
    client, server = pair
    server.on_request = lambda transaction: transaction.flow.close()  # type: ignore[attr-defined]
    _, port = await server.listen_tcp("127.0.0.1", 0)
    transaction = await client.send(request(), Hop(transport="tcp", host="127.0.0.1", port=port))
    assert (await transaction.final()).status == 503 and transaction.local


async def test_nobody_there_is_a_local_503(pair: tuple[Endpoint, Endpoint]) -> None:
    transaction = await pair[0].send(request(), Hop(transport="tcp", host="127.0.0.1", port=1))
    assert (await transaction.final()).status == 503 and transaction.local


async def test_a_cancel_waits_for_a_provisional_response_and_finds_its_invite(pair: tuple[Endpoint, Endpoint]) -> None:
    client, server = pair

    def ring(transaction: ServerTransaction) -> None:
        transaction.on_cancel = lambda: transaction.respond_with(487)
        asyncio.get_running_loop().call_later(0.05, transaction.respond_with, 180)

    server.on_request = ring
    _, port = await server.listen_udp("127.0.0.1", 0)
    transaction = await client.send(request("INVITE"), Hop(transport="udp", host="127.0.0.1", port=port))
    transaction.cancel()
    assert [r.status async for r in transaction.responses()] == [180, 487]


async def test_garbage_closes_a_stream_and_costs_a_datagram_only(pair: tuple[Endpoint, Endpoint]) -> None:
    client, server = pair
    server.on_request = lambda transaction: transaction.respond_with(200)
    _, port = await server.listen_tcp("127.0.0.1", 0)
    _, udp = await server.listen_udp("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"x" * 40_000)
    assert await reader.read() == b""
    writer.close()
    flow = await client.flow_to(Hop(transport="udp", host="127.0.0.1", port=udp))
    flow.send(b"\x00\xff garbage \r\n\r\n")
    assert (await (await client.send(request(), flow)).final()).status == 200


async def test_a_double_line_end_is_answered_by_one(pair: tuple[Endpoint, Endpoint]) -> None:
    _, port = await pair[1].listen_tcp("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\r\n\r\n")
    assert await reader.readexactly(2) == b"\r\n"
    writer.close()


def test_overrides_are_read_or_refused() -> None:
    assert parse_overrides(["Um1.example.com=127.0.0.1:5061", "v6=[::1]:9"]) == {
        "um1.example.com": ("127.0.0.1", 5061),
        "v6": ("::1", 9),
    }
    for bad in ("um1", "um1=host:1", "um1=127.0.0.1", "=127.0.0.1:1", "um1=127.0.0.1:99999"):
        with pytest.raises(BadOverride, match="expected FQDN=IP:PORT"):
            parse_overrides([bad])
