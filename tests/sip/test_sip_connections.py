"""Connections over TLS, on asyncio's own loop and on uvloop, which the servers run on."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.pki.authority import Authority
from tandem.pki.store import CertificateStore
from tandem.pki.tls import client_context, peer_names, phone_tls_context, server_context
from tandem.sip.aio import flow as flows
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop, StreamFlow
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.counts import dropped
from tandem.sip.machines.limits import Limits, SourceLimits
from tandem.sip.message.message import Headers, Request

UM, POOL = "um1.example.com", "pool1.example.com"
Runner = Callable[[Awaitable[None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Runner:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def stores(tmp_path: Path) -> dict[str, CertificateStore]:
    at = datetime.now(UTC)
    authority = Authority.open_or_create(tmp_path / "authority", organization="Example", at=at)
    made = {}
    for name in (UM, POOL):
        made[name] = CertificateStore(folder=tmp_path / name)
        made[name].install(*authority.issue(name, (), at=at), authority.root_pem)
    return made


def options() -> Request:
    headers = [("Max-Forwards", "70"), ("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@y>"), ("Call-ID", "c1")]
    return Request(method="OPTIONS", uri="sip:b@y", headers=Headers([*headers, ("CSeq", "1 OPTIONS")]))


@contextlib.asynccontextmanager
async def endpoints(stores: dict[str, CertificateStore]) -> AsyncIterator[tuple[Endpoint, Endpoint, Hop]]:
    """A pool and a UM server, each with its certificate; the UM server listens on TLS."""
    made = []
    for name in (POOL, UM):
        resolver = Resolver({UM: ("127.0.0.1", 0), POOL: ("127.0.0.1", 0)})
        made.append(
            Endpoint(
                clock=SystemClock(),
                ids=SystemIds(),
                resolver=resolver,
                name=name,
                client_context=client_context(stores[name]),
                peer_names=peer_names,
            )
        )
        made[-1].on_request = lambda transaction: transaction.respond_with(200)
    pool, um = made
    _, port = await um.listen_tls("127.0.0.1", 0, server_context(stores[UM], require_client=True))
    _, pools = await pool.listen_tls("127.0.0.1", 0, server_context(stores[POOL], require_client=False))
    pool.resolver = Resolver({UM: ("127.0.0.1", port)})
    um.resolver = Resolver({POOL: ("127.0.0.1", pools)})
    try:
        yield pool, um, Hop(transport="tls", host=UM, port=port)
    finally:
        await pool.close()
        await um.close()


def test_each_side_is_known_by_name_and_one_connection_serves_every_request(
    run: Runner, stores: dict[str, CertificateStore]
) -> None:
    async def scene() -> None:
        async with endpoints(stores) as (pool, um, hop):
            seen: list[ServerTransaction] = []

            def served(transaction: ServerTransaction) -> None:
                seen.append(transaction)
                transaction.respond_with(200)

            um.on_request = served
            for _ in range(3):
                assert (await (await pool.send(options(), hop)).final()).status == 200
            assert {tx.flow.peer_names for tx in seen} == {frozenset({POOL})}
            assert len({tx.flow for tx in seen}) == len(um.connections.flows) == 1

    run(scene())


def test_a_client_that_sends_with_its_handshake_is_heard(run: Runner, stores: dict[str, CertificateStore]) -> None:
    async def scene() -> None:
        async with endpoints(stores) as (_, _um, hop):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", hop.port, ssl=client_context(stores[POOL]), server_hostname=UM
            )
            writer.write(b"\r\n\r\n")
            assert await asyncio.wait_for(reader.readexactly(2), 5) == b"\r\n"
            writer.close()

    run(scene())


def test_a_client_without_a_certificate_gets_nowhere(run: Runner, stores: dict[str, CertificateStore]) -> None:
    async def scene() -> None:
        async with endpoints(stores) as (pool, um, hop):
            pool.connections._client_context = phone_tls_context(stores[POOL].roots)
            assert (await (await pool.send(options(), hop)).final()).status == 503
            assert not um.connections.flows and not um.connections._handshakes

    run(scene())


@pytest.mark.slow
def test_a_peer_that_does_not_read_is_not_read_and_then_cut_off(
    run: Runner, stores: dict[str, CertificateStore]
) -> None:
    async def scene() -> None:
        async with endpoints(stores) as (_, um, _hop):
            _, port = await um.listen_tcp("127.0.0.1", 0)
            served = 0

            def answer(transaction: ServerTransaction) -> None:
                nonlocal served
                served += 1
                transaction.respond_with(200, body=b"x" * 20_000)

            um.on_request = answer
            rude = socket.socket()
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            rude.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(rude, ("127.0.0.1", port))
            for number in range(2000):
                request = options()
                request.headers.prepend("Via", f"SIP/2.0/TCP x;branch=z9hG4bK{number}")
                try:
                    async with asyncio.timeout(0.5):
                        await loop.sock_sendall(rude, request.to_bytes())
                except TimeoutError:
                    break
            before = -1
            while served != before:
                before = served
                await asyncio.sleep(0.3)
            assert 0 < served < 2000
            (flow,) = (f for f in um.connections.flows if f.transport == "tcp")
            flow.look(loop.time() + flows.STALLED_S + 1)
            await asyncio.sleep(0.05)
            assert flow not in um.connections.flows
            rude.close()

    run(scene())


def test_half_a_message_and_silence_end_a_connection_in_their_time(
    run: Runner, stores: dict[str, CertificateStore]
) -> None:
    async def scene() -> None:
        async with endpoints(stores) as (_, um, _hop):
            _, port = await um.listen_tcp("127.0.0.1", 0)
            for data, seconds in ((b"OPTIONS sip:x", flows.MESSAGE_S), (b"", flows.IDLE_S)):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(data)
                await asyncio.sleep(0.05)
                (flow,) = um.connections.flows
                now = asyncio.get_running_loop().time()
                flow.look(now + seconds - 5)
                assert not flow.closed
                flow.look(now + seconds + 5)
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
                assert flow.closed
                writer.close()

    run(scene())


def test_strangers_have_ten_seconds_for_a_message_and_a_minute_between_two_until_they_have_proved_something(
    run: Runner, stores: dict[str, CertificateStore]
) -> None:
    async def scene() -> None:
        limits = SourceLimits(Limits(connections_of_source=1))
        server = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver(), limits=limits)
        server.on_request = lambda transaction: transaction.respond_with(200)
        _, port = await server.listen_tcp("127.0.0.1", 0)
        asked = options()
        asked.headers.prepend("Via", "SIP/2.0/TCP x;branch=z9hG4bK1")
        loop, before = asyncio.get_running_loop(), dropped.of("idle-strangers").value
        for data, seconds in ((b"\r\n\r\n", flows.FIRST_MESSAGE_S), (asked.to_bytes(), flows.STRANGER_IDLE_S)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            await reader.read(1)
            (flow,) = server.connections.flows
            flow.look(loop.time() + seconds - 5)
            assert not flow.closed
            flow.look(loop.time() + seconds + 5)
            with contextlib.suppress(ConnectionError):
                while await reader.read(4096):
                    pass
            writer.close()
        assert dropped.of("idle-strangers").value - before == 2
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\r\n\r\n")
        await reader.readexactly(2)
        (flow,) = server.connections.flows
        flow.prove()
        flow.look(loop.time() + flows.IDLE_S - 5)
        assert not flow.closed
        writer.close()
        await server.close()

    run(scene())


def test_a_certificate_or_a_gateways_address_proves_a_connection(
    run: Runner, stores: dict[str, CertificateStore]
) -> None:
    async def scene() -> None:
        proved: list[bool] = []

        def serve(transaction: ServerTransaction) -> None:
            proved.append(transaction.proved)
            transaction.respond_with(200)

        limits = SourceLimits(Limits())
        um = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver(), peer_names=peer_names, limits=limits)
        um.on_request = serve
        _, tls = await um.listen_tls("127.0.0.1", 0, server_context(stores[UM], require_client=False))
        _, tcp = await um.listen_tcp("127.0.0.1", 0)
        secure, plain = Hop(transport="tls", host=UM, port=tls), Hop(transport="tcp", host="127.0.0.1", port=tcp)
        for context, hop, trusted in (
            (client_context(stores[POOL]), secure, False),
            (phone_tls_context(stores[POOL].roots), secure, False),
            (client_context(stores[POOL]), plain, False),
            (client_context(stores[POOL]), plain, True),
        ):
            limits.trusted = lambda source, answer=trusted: answer
            resolver = Resolver({UM: ("127.0.0.1", tls)})
            client = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=resolver, client_context=context)
            assert (await (await client.send(options(), hop)).final()).status == 200
            await client.close()
        assert proved == [True, False, False, True]
        await um.close()

    run(scene())


def test_a_peer_that_is_held_waits_and_loses_nothing(run: Runner, stores: dict[str, CertificateStore]) -> None:
    async def scene() -> None:
        async with endpoints(stores) as (pool, um, hop):
            assert (await (await pool.send(options(), hop)).final()).status == 200
            (flow,) = um.connections.flows
            begun = asyncio.get_running_loop().time()
            flow.hold(0.3)
            assert (await (await pool.send(options(), hop)).final()).status == 200
            assert asyncio.get_running_loop().time() - begun >= 0.29

    run(scene())


def test_streams_without_a_writer_are_closed() -> None:
    assert StreamFlow("tcp", Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver())).closed


def test_a_connection_that_came_in_is_used_towards_the_name_that_it_proved(
    run: Runner, stores: dict[str, CertificateStore]
) -> None:
    async def scene() -> None:
        async with endpoints(stores) as (pool, um, hop):
            assert (await (await pool.send(options(), hop)).final()).status == 200
            back = Hop(transport="tls", host=POOL, port=pool.connections.ports["tls"])
            assert (await (await um.send(options(), back)).final()).status == 200
            assert len(um.connections.flows) == len(pool.connections.flows) == 1
            other = Hop(transport="tls", host=POOL, port=back.port + 1)
            assert um.connections.standing(back) and not um.connections.standing(other)

    run(scene())


def test_a_connection_is_not_used_towards_a_name_that_its_certificate_does_not_hold(
    run: Runner, stores: dict[str, CertificateStore]
) -> None:
    async def scene() -> None:
        async with endpoints(stores) as (pool, um, hop):
            pool.name = "boss.example.com"
            assert (await (await pool.send(options(), hop)).final()).status == 200
            for name in (pool.name, POOL):
                target = Hop(transport="tls", host=name, port=pool.connections.ports["tls"])
                assert um.connections.standing(target) is None

    run(scene())


def test_a_server_whose_certificate_has_a_wildcard_is_refused(
    run: Runner, stores: dict[str, CertificateStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime.now(UTC)
    monkeypatch.setattr("tandem.pki.authority.Authority._refuse_wildcards", lambda *names: None)
    authority = Authority.open_or_create(tmp_path / "authority", organization="Example", at=at)
    stores[UM].install(*authority.issue("*.example.com", (), at=at), authority.root_pem)

    async def scene() -> None:
        async with endpoints(stores) as (pool, _um, hop):
            assert (await (await pool.send(options(), hop)).final()).status == 503

    run(scene())


def test_a_new_certificate_is_used_by_who_comes_next_and_nobody_is_cut_off(
    run: Runner, stores: dict[str, CertificateStore], tmp_path: Path
) -> None:
    async def scene() -> None:
        async with endpoints(stores) as (pool, um, _hop):
            contexts = [server_context(stores[UM], require_client=True)]
            _, port = await um.listen_tls("127.0.0.1", 0, lambda: contexts[-1])
            pool.resolver = Resolver({UM: ("127.0.0.1", port)})
            first = await pool.flow_to(Hop(transport="tls", host=UM, port=port))
            at = datetime.now(UTC)
            authority = Authority.open_or_create(tmp_path / "authority", organization="Example", at=at)
            stores[UM].install(*authority.issue(UM, ("new.example.com",), at=at), authority.root_pem)
            contexts.append(server_context(stores[UM], require_client=True))
            second = await pool.flow_to(Hop(transport="tls", host=UM, port=port + 1))
            assert first.peer_names == {UM} and second.peer_names == {UM, "new.example.com"}
            assert (await (await pool.send(options(), first)).final()).status == 200

    run(scene())
