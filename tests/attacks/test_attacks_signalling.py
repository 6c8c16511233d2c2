"""Who floods, dawdles or lies harms nobody else: every honest call completes, the attacker is counted, memory stays bounded.

Attacks are bounded in count and time. No latency is asserted: the machine that runs this is busy with the attack itself.
"""

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import deployment
from attacks.scene import Servers, attackable, attacker, unharmed
from tandem.admin.trial.demo import POOL, UM
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.pki.authority import Authority
from tandem.pki.store import CertificateStore
from tandem.pki.tls import client_context, peer_names
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.message.message import Headers, Request

pytestmark = [pytest.mark.slow, pytest.mark.alone]
DROPPED, MALFORMED = "tandem_sip_dropped_total", "tandem_sip_malformed_total"
FLOOD = 4_000


@pytest.fixture(scope="module")
def servers(deployed_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = deployment.copy(deployed_template, tmp_path_factory.mktemp("attacked") / "x")
    with attackable(folder) as running:
        yield running


def invite(number: int, *more: str, body: str = "") -> bytes:
    lines = [
        "INVITE sip:4101@example.com SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.6;branch=z9hG4bK{number}",
        "Max-Forwards: 70",
        f"From: <sip:bob@example.com>;tag={number}",
        "To: <sip:4101@example.com>",
        f"Call-ID: {number}@flood",
        "CSeq: 1 INVITE",
        *more,
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


async def flood(source: str, where: tuple[str, int], datagrams: Iterator[bytes]) -> None:
    with attacker(source) as made:
        for number, data in enumerate(datagrams):
            with contextlib.suppress(BlockingIOError):
                made.sendto(data, where)
            if number % 50 == 0:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", [POOL, UM])
async def test_a_flood_of_garbage(servers: Servers, name: str) -> None:
    chance = random.Random(1)
    template = invite(0, "Contact: <sip:x@127.0.0.61>")

    def garbage() -> Iterator[bytes]:
        for _ in range(FLOOD):
            data = bytearray(template)
            for _ in range(chance.randrange(1, 20)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            yield chance.choice((bytes(data), chance.randbytes(chance.randrange(1, 1400))))

    async with unharmed(servers, counted=(name, MALFORMED)):
        await flood("127.0.0.61", ("127.0.0.1", servers.plain[name]), garbage())


async def test_a_flood_of_digests_that_take_long_to_split(servers: Servers) -> None:
    hostile = "Authorization: Digest " + 'a="b",' * 40

    def registers() -> Iterator[bytes]:
        for number in range(FLOOD):
            yield invite(number, hostile).replace(b"INVITE sip:4101@", b"REGISTER sip:").replace(b"INVITE", b"REGISTER")

    async with unharmed(servers, counted=(POOL, DROPPED)):
        for _ in range(4):
            await flood("127.0.0.68", ("127.0.0.1", servers.plain[POOL]), registers())


@pytest.mark.parametrize("name", [POOL, UM])
async def test_a_flood_of_calls(servers: Servers, name: str) -> None:
    before = servers.count(name, DROPPED)
    async with unharmed(servers, counted=(name, DROPPED)):
        for _ in range(8):  # a busy machine sends slowly, and what is within the rate is no flood yet
            await flood("127.0.0.62", ("127.0.0.1", servers.plain[name]), map(invite, range(FLOOD)))
            if await asyncio.to_thread(servers.count, name, DROPPED) > before:
                break


@pytest.mark.parametrize("name", [POOL, UM])
async def test_handshakes_that_never_end(servers: Servers, name: str) -> None:
    begun = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # the beginning of a ClientHello
    loop = asyncio.get_running_loop()
    async with unharmed(servers, counted=(name, DROPPED)):
        with contextlib.ExitStack() as held:
            for _ in range(200):
                made = held.enter_context(attacker("127.0.0.63", socket.SOCK_STREAM))
                await loop.sock_connect(made, ("127.0.0.1", servers.tls[name]))
                with contextlib.suppress(ConnectionError):
                    await loop.sock_sendall(made, begun)
            await asyncio.sleep(3)


@pytest.mark.parametrize("name", [POOL, UM])
async def test_a_flood_of_keep_alives(servers: Servers, name: str) -> None:
    loop = asyncio.get_running_loop()
    async with unharmed(servers, counted=(name, DROPPED)):
        with attacker("127.0.0.66", socket.SOCK_STREAM) as made:
            await loop.sock_connect(made, ("127.0.0.1", servers.plain[name]))
            with contextlib.suppress(TimeoutError, ConnectionError):  # who says nothing else is disconnected
                async with asyncio.timeout(3):
                    while True:
                        await loop.sock_sendall(made, b"\r\n" * 8_192)


async def test_connections_that_say_nothing_are_closed(servers: Servers) -> None:
    loop = asyncio.get_running_loop()
    async with unharmed(servers, counted=(POOL, DROPPED)):
        with contextlib.ExitStack() as held:
            silent = [held.enter_context(attacker("127.0.0.67", socket.SOCK_STREAM)) for _ in range(300)]
            for made in silent:
                await loop.sock_connect(made, ("127.0.0.1", servers.plain[POOL]))
            async with asyncio.timeout(60):
                for made in silent:
                    with contextlib.suppress(ConnectionResetError):
                        assert await loop.sock_recv(made, 1) == b""


async def test_headers_without_an_end(servers: Servers) -> None:
    long = (
        invite(1, "X: " + "x" * 60_000),
        invite(2, *["X: x"] * 20_000),
        b"INVITE sip:x SIP/2.0\r\n" + b"y" * 200_000,
    )
    loop = asyncio.get_running_loop()
    async with unharmed(servers, counted=(POOL, MALFORMED)):
        for data in long * 20:
            with attacker("127.0.0.64", socket.SOCK_STREAM) as made:
                await loop.sock_connect(made, ("127.0.0.1", servers.plain[POOL]))
                with contextlib.suppress(ConnectionError):
                    await loop.sock_sendall(made, data)
                    async with asyncio.timeout(10):
                        while await loop.sock_recv(made, 4096):
                            pass  # until the server closes
            await flood("127.0.0.64", ("127.0.0.1", servers.plain[POOL]), iter([data[:60_000]]))


async def test_connections_that_are_closed_or_left_in_the_middle_of_a_message(servers: Servers) -> None:
    loop = asyncio.get_running_loop()
    async with unharmed(servers, counted=(POOL, DROPPED)):
        with contextlib.ExitStack() as left:
            for number in range(1_000):
                made = attacker("127.0.0.65", socket.SOCK_STREAM)
                with contextlib.suppress(ConnectionError):
                    await loop.sock_connect(made, ("127.0.0.1", servers.plain[POOL]))
                    data = invite(number)
                    await loop.sock_sendall(made, data if number % 2 else data[: number % len(data)])
                if number % 10:
                    made.close()
                else:
                    left.enter_context(made)
                await asyncio.sleep(0)


def request() -> Request:
    headers = [("Max-Forwards", "70"), ("From", "<sip:a@x>;tag=1"), ("To", "<sip:Main@y>"), ("Call-ID", "c1")]
    return Request(method="INVITE", uri="sip:Main@y", headers=Headers([*headers, ("CSeq", "1 INVITE")]))


@pytest.mark.parametrize(("root", "name", "status"), [("ours", "evil.example.com", 403), ("another", POOL, 503)])
async def test_who_shows_a_wrong_name_or_another_root_is_not_served(
    servers: Servers, tmp_path: Path, root: str, name: str, status: int
) -> None:
    at = datetime.now(UTC)
    pki = servers.folder / "state" / "pki"
    place = pki / "authority" if root == "ours" else tmp_path / "authority"
    authority = Authority.open_or_create(place, organization="Example", at=at)
    store = CertificateStore(folder=tmp_path / name)
    store.install(*authority.issue(name, (), at=at), (pki / UM / "roots.pem").read_bytes())
    liar = Endpoint(
        clock=SystemClock(),
        ids=SystemIds(),
        resolver=Resolver({UM: ("127.0.0.1", servers.tls[UM])}),
        client_context=client_context(store),
        peer_names=peer_names,
    )
    response = await (await liar.send(request(), Hop(transport="tls", host=UM, port=5061))).final()
    await liar.close()
    assert response.status == status


async def test_an_impostor_in_the_place_of_um_gets_no_call(servers: Servers, tmp_path: Path) -> None:
    """Whoever answers at UM's address with a certificate of another name is not spoken to."""
    at = datetime.now(UTC)
    pki = servers.folder / "state" / "pki"
    authority = Authority.open_or_create(pki / "authority", organization="Example", at=at)
    store = CertificateStore(folder=tmp_path / "evil")
    store.install(*authority.issue("evil.example.com", (), at=at), authority.root_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(store.certificate, store.key)
    heard = asyncio.Event()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1):
            heard.set()
        writer.close()

    impostor = await asyncio.start_server(met, "127.0.0.67", 0, ssl=context)
    port = impostor.sockets[0].getsockname()[1]
    pool = Endpoint(
        clock=SystemClock(),
        ids=SystemIds(),
        resolver=Resolver({UM: ("127.0.0.67", port)}),
        client_context=client_context(CertificateStore(folder=pki / POOL)),
        peer_names=peer_names,
    )
    response = await (await pool.send(request(), Hop(transport="tls", host=UM, port=port))).final()
    await pool.close()
    impostor.close()
    assert response.status == 503 and not heard.is_set()
