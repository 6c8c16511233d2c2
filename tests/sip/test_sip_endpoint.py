"""The endpoint on real loopback sockets."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import pytest

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.core.log import about, event, get_logger
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.resolve import BadOverride, Resolver, parse_overrides
from tandem.sip.aio.sockets import tcp_listener, udp_socket
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.counts import dropped
from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.via import Via, top_via
from tandem.sip.machines.limits import Limits, SourceLimits
from tandem.sip.message.message import Headers, Request, Response
from tandem.sip.message.parse import parse_message


def endpoint(resolver: Resolver | None = None) -> Endpoint:
    return Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=resolver or Resolver())


def request(method: str = "OPTIONS") -> Request:
    headers = [("Max-Forwards", "70"), ("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@y>"), ("Call-ID", "c1")]
    return Request(method=method, uri="sip:b@y", headers=Headers([*headers, ("CSeq", f"1 {method}")]))


async def unanswered(transaction: ServerTransaction) -> None:
    await asyncio.Event().wait()


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
        via = top_via(transaction.request)
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


async def test_a_flood_of_line_ends_gets_one_answer_waits_and_holds_up_nobody_else(
    pair: tuple[Endpoint, Endpoint],
) -> None:
    client, server = pair
    server.on_request = lambda transaction: transaction.respond_with(200)
    _, port = await server.listen_tcp("127.0.0.1", 0)
    before = dropped.of("keep-alives").value
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\r\n" * 8_192)
    assert await reader.readexactly(2) == b"\r\n"
    for _ in range(2):
        hop = Hop(transport="tcp", host="127.0.0.1", port=port)
        assert (await (await client.send(request(), hop)).final()).status == 200
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await reader.read(1)
    assert dropped.of("keep-alives").value - before > 100
    writer.close()


async def test_a_peer_that_sends_a_thousand_messages_at_once_leaves_turns_to_others(
    pair: tuple[Endpoint, Endpoint],
) -> None:
    client, server = pair
    served: list[str] = []

    def serve(transaction: ServerTransaction) -> None:
        served.append(transaction.request.method)
        transaction.respond_with(200)

    server.on_request = serve
    _, port = await server.listen_tcp("127.0.0.1", 0)
    hop = Hop(transport="tcp", host="127.0.0.1", port=port)
    assert (await (await client.send(request(), hop)).final()).status == 200
    served.clear()
    greedy = request("INFO")
    greedy.headers.prepend("Via", "SIP/2.0/TCP x;branch=z9hG4bKgreedy")
    one, number = greedy.to_bytes(), 1_000
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    many = [one.replace(b"z9hG4bKgreedy", b"z9hG4bK%d" % each) for each in range(number)]
    writer.write(b"".join(many))
    async with asyncio.timeout(10):
        while not served:
            await asyncio.sleep(0)
        assert (await (await client.send(request(), hop)).final()).status == 200
        assert served.index("OPTIONS") < number - 100
        while len(served) < number + 1:
            await asyncio.sleep(0)
    writer.close()


async def test_keep_alives_count_as_messages_of_their_source_on_every_transport() -> None:
    limits = SourceLimits(Limits(messages_per_s=0.001, messages_burst=3))
    server = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver(), limits=limits)
    _, port = await server.listen_tcp("127.0.0.1", 0)
    waited, lost = dropped.of("stream-messages").value, dropped.of("udp-messages").value
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(4):
        writer.write(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"\r\n"
    assert dropped.of("stream-messages").value == waited + 1  # the fourth: nothing more is read of it
    host, port = await server.listen_udp("127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"\r\n\r\n", (host, port))
        async with asyncio.timeout(5):
            while dropped.of("udp-messages").value == lost:
                await asyncio.sleep(0)
    writer.close()
    await server.close()


async def test_a_connection_that_has_proved_a_secret_is_not_held_for_strangers_of_its_source() -> None:
    limits = SourceLimits(Limits(messages_per_s=0.001, messages_burst=3))
    server = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver(), limits=limits)
    _, port = await server.listen_tcp("127.0.0.1", 0)
    phone, stranger = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    async with asyncio.timeout(5):
        while len(server.connections.flows) < 2:
            await asyncio.sleep(0)
    (flow,) = (each for each in server.connections.flows if each.remote == phone[1].get_extra_info("sockname"))
    flow.prove()
    before = dropped.of("stream-messages").value

    async def held_after(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], messages: int) -> int:
        for _ in range(messages):
            connection[1].write(b"\r\n\r\n")
            assert await connection[0].readexactly(2) == b"\r\n"
        return dropped.of("stream-messages").value - before

    assert await held_after(stranger, 4) == 1
    assert await held_after(phone, 3) == 1
    assert await held_after(phone, 1) == 2  # for its own fourth
    for _, writer in (phone, stranger):
        writer.close()
    await server.close()


async def test_what_is_logged_of_a_request_bears_its_call_id_also_later_and_a_connection_bears_none(
    pair: tuple[Endpoint, Endpoint], caplog: pytest.LogCaptureFixture
) -> None:
    server, client = pair
    _, port = await server.listen_tcp("127.0.0.1", 0)

    async def later(transaction: ServerTransaction) -> None:
        await asyncio.sleep(0.01)
        event(get_logger("test"), logging.INFO, "later")
        transaction.respond_with(200)

    server.on_request = later
    with caplog.at_level(logging.INFO), about(call="of the client"):
        transaction = await client.send(request(), Hop(transport="tcp", host="127.0.0.1", port=port))
        assert (await transaction.final()).status == 200
    assert f"later call={fields.call_id(transaction.request)} peer=127.0.0.1" in caplog.messages
    caplog.clear()
    assert transaction.flow is not None
    with caplog.at_level(logging.INFO), about(call="of another"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"no SIP at all\r\n\r\n")
        async with asyncio.timeout(5):
            while not any("sip.framing_lost" in message for message in caplog.messages):
                await asyncio.sleep(0.01)
        writer.close()
    (line,) = [message for message in caplog.messages if "sip.framing_lost" in message]
    assert "call=" not in line


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

    async def ring(transaction: ServerTransaction) -> None:
        cancelled = asyncio.Event()
        transaction.on_cancel = cancelled.set
        await asyncio.sleep(0.05)
        transaction.respond_with(180)
        await cancelled.wait()
        transaction.respond_with(487)

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


async def test_an_answer_whose_connection_is_gone_goes_to_where_the_via_says(pair: tuple[Endpoint, Endpoint]) -> None:
    client, server = pair
    _, back = await client.listen_tcp("127.0.0.1", 0)

    async def slow(transaction: ServerTransaction) -> None:
        transaction.flow.close()  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)
        transaction.respond_with(200)

    server.on_request = slow
    _, port = await server.listen_tcp("127.0.0.1", 0)
    answers: list[bytes] = []
    client.tap = lambda direction, data, flow: answers.append(data) if direction == "in" else None
    await client.send(request(), Hop(transport="tcp", host="127.0.0.1", port=port))
    async with asyncio.timeout(5):
        while not answers:
            await asyncio.sleep(0.01)
    assert answers[0].startswith(b"SIP/2.0 200") and f"127.0.0.1:{back}".encode() in answers[0]


@pytest.mark.parametrize("offers_tcp", [True, False])
async def test_a_large_request_goes_by_tcp_where_that_is_offered(
    pair: tuple[Endpoint, Endpoint], offers_tcp: bool
) -> None:
    client, server = pair
    seen: list[str] = []

    def serve(transaction: ServerTransaction) -> None:
        seen.append(transaction.flow.transport)
        transaction.respond_with(200)

    server.on_request = serve
    _, port = await server.listen_tcp("127.0.0.1", 0)
    await server.listen_udp("127.0.0.1", port)
    if not offers_tcp:
        server.connections.stop_listening()
        await asyncio.sleep(0.05)
    for size in (10, 2_000):
        large = request()
        large.body = b"x" * size
        hop = Hop(transport="udp", host="127.0.0.1", port=port)
        assert (await asyncio.wait_for((await client.send(large, hop)).final(), 5)).status == 200
    assert seen == ["udp", "tcp" if offers_tcp else "udp"]


async def test_without_rport_an_answer_goes_to_the_port_in_the_via(pair: tuple[Endpoint, Endpoint]) -> None:
    _, server = pair
    server.on_request = lambda transaction: transaction.respond_with(200)
    address = await server.listen_udp("127.0.0.1", 0)
    asking, waiting = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
    for each in (asking, waiting):
        each.bind(("127.0.0.1", 0))
        each.settimeout(5)
    message = request()
    message.headers.prepend("Via", f"SIP/2.0/UDP 127.0.0.1:{waiting.getsockname()[1]};branch=z9hG4bK1")
    asking.sendto(message.to_bytes(), address)
    assert (await asyncio.to_thread(waiting.recv, 2000)).startswith(b"SIP/2.0 200")
    message.headers.set("Via", f"SIP/2.0/UDP 192.0.2.1:{waiting.getsockname()[1]};branch=z9hG4bK2")
    asking.sendto(message.to_bytes(), address)
    assert (await asyncio.to_thread(asking.recv, 2000)).startswith(b"SIP/2.0 200")
    asking.close()
    waiting.close()


@pytest.mark.parametrize("kind", ["udp", "tcp"])
async def test_ipv6_works_as_ipv4_does(pair: tuple[Endpoint, Endpoint], kind: str) -> None:
    client, server = pair
    seen: list[Via] = []

    def serve(transaction: ServerTransaction) -> None:
        seen.append(top_via(transaction.request))
        transaction.respond_with(200)

    server.on_request = serve
    _, port = await (server.listen_udp if kind == "udp" else server.listen_tcp)("::1", 0)
    for host in ("::1", "[::1]"):
        transaction = await client.send(request(), Hop(transport=kind, host=host, port=port))
        assert (await asyncio.wait_for(transaction.final(), 5)).status == 200
    assert [via.host for via in seen] == ["[::1]"] * 2 and seen[0].parameters["received"] == "::1"


def test_packets_are_marked_as_wanted() -> None:
    for host, level, option in (
        ("127.0.0.1", socket.IPPROTO_IP, socket.IP_TOS),
        ("::1", socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
    ):
        for make in (udp_socket, tcp_listener):
            made = make(host, 0, dscp=24)
            assert made.getsockopt(level, option) == 24 << 2
            made.close()


@pytest.mark.parametrize("kind", ["udp", "tcp"])
async def test_what_goes_out_comes_from_the_address_that_is_listened_on(kind: str) -> None:
    one, other = endpoint(), endpoint()
    seen: list[tuple[str, int]] = []

    def serve(transaction: ServerTransaction) -> None:
        via = top_via(transaction.request)
        seen.append((transaction.flow.remote[0], via.port or 0))
        transaction.respond_with(200)

    other.on_request = serve
    _, theirs = await (other.listen_udp if kind == "udp" else other.listen_tcp)("127.0.0.2", 0)
    _, ours = await (one.listen_udp if kind == "udp" else one.listen_tcp)("127.0.0.3", 0)
    assert (await (await one.send(request(), Hop(transport=kind, host="127.0.0.2", port=theirs))).final()).status == 200
    assert seen == [("127.0.0.3", ours)]
    assert len(one.connections.udp) == (kind == "udp")
    await one.close()
    await other.close()


async def test_when_too_many_transactions_are_open_a_further_one_is_told_when_to_come_again(
    pair: tuple[Endpoint, Endpoint],
) -> None:
    client, server = pair
    server.server_transactions.most = 3
    server.on_request = unanswered
    _, port = await server.listen_udp("127.0.0.1", 0)
    hop = Hop(transport="udp", host="127.0.0.1", port=port)
    sent = [await client.send(request(), hop) for _ in range(4)]
    response = await asyncio.wait_for(sent[3].final(), 5)
    assert response.status == 503 and response.headers.get("Retry-After")
    assert len(server.server_transactions) == 3


async def test_strangers_and_addresses_that_can_be_forged_leave_transactions_to_who_has_proved_something() -> None:
    limits, before, sent = SourceLimits(Limits()), dropped.of("transactions").value, 0
    server = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver(), limits=limits)
    server.server_transactions.most = 32
    server.on_request = unanswered
    ports = {"udp": (await server.listen_udp("127.0.0.1", 0))[1], "tcp": (await server.listen_tcp("127.0.0.1", 0))[1]}

    async def open_after_a_flood(kind: str) -> int:
        nonlocal sent
        client = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver())
        for _ in range(40):
            await client.send(request(), Hop(transport=kind, host="127.0.0.1", port=ports[kind]))
        sent += 40
        async with asyncio.timeout(5):
            while len(server.server_transactions) + dropped.of("transactions").value - before < sent:
                await asyncio.sleep(0)
        await client.close()
        return len(server.server_transactions)

    assert [await open_after_a_flood(kind) for kind in ("udp", "tcp")] == [2, 2]  # a sixteenth of one source
    limits.trusted = lambda source: True
    assert [await open_after_a_flood(kind) for kind in ("udp", "tcp")] == [24, 32]
    await server.close()


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
async def test_a_stateless_refusal_is_said_once_for_each_time_it_is_asked(
    pair: tuple[Endpoint, Endpoint], method: str
) -> None:
    _, server = pair
    server.on_request = lambda transaction: transaction.respond_stateless(403, headers=(("X", "y"),))
    _, port = await server.listen_udp("127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        asking.connect(("127.0.0.1", port))
        asked = request(method)
        asked.headers.prepend("Via", "SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK1")
        loop = asyncio.get_running_loop()
        tags = set()
        for _ in range(2):
            await loop.sock_sendall(asking, asked.to_bytes())
            answer = parse_message(await asyncio.wait_for(loop.sock_recv(asking, 4096), 5))
            assert isinstance(answer, Response)
            assert (answer.status, answer.headers.get("X")) == (403, "y")
            tags.add(fields.to_tag(answer))
        assert len(tags) == 1 and "" not in tags
        await asyncio.sleep(0.7)  # T1 and more
        with pytest.raises(BlockingIOError):
            asking.recv(4096)
    assert not server.server_transactions


async def test_a_target_that_is_away_is_warned_of_once_until_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    client = endpoint()
    caplog.set_level(logging.DEBUG, "tandem.sip")  # other tests may have set this room's own level

    async def ask(port: int) -> int:
        target = Hop(transport="tcp", host="127.0.0.1", port=port)
        return (await (await client.send(request(), target)).final()).status

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        port = bound.getsockname()[1]
        assert [await ask(port) for _ in range(3)] == [503] * 3
    told = [each for each in caplog.records if each.message.startswith("sip.unreachable")]
    assert [each.levelno for each in told] == [logging.WARNING, logging.DEBUG, logging.DEBUG]
    await client.close()
