"""Forged and replayed sound is not heard, with real sockets: neither by a phone nor by the engine of the UM server."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tandem.media.aio.session import AioMedia
from tandem.media.engine.engine import MediaEngine
from tandem.media.rtp.packet import RtpPacket
from tandem.media.rtp.srtp import SrtpSender
from tandem.media.session import MediaSession, Stream

KEY = bytes(range(30))
SUITE = "AES_CM_128_HMAC_SHA1_80"
PACKETS, FRAME = 25, 160
LOUD, FORGED = b"\x80" * FRAME, b"\x00" * FRAME
"""µ-law: the loudest sample of each sign; the peer says one, the attacker the other."""


@pytest.fixture(params=[AioMedia, lambda: MediaEngine(workers=1)], ids=["phone", "engine"])
async def session(request: pytest.FixtureRequest) -> AsyncIterator[MediaSession]:
    media = request.param()
    await media.start()
    opened = await media.open("127.0.0.1", range(1))
    yield opened
    opened.close()
    await media.close()


def packet(number: int, payload: bytes = LOUD) -> bytes:
    return RtpPacket(
        payload_type=0, sequence=1000 + number, timestamp=FRAME * number, ssrc=7, payload=payload, marker=False
    ).to_bytes()


def udp(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    return made


async def recorded(session: MediaSession, path: Path, send: Callable[[int], None], *, secure: bool, peer: int) -> bytes:
    """What is recorded of a peer while ``send`` is called every 20 ms."""
    key = KEY if secure else b""
    stream = Stream(
        host="127.0.0.1",
        port=peer,
        codec="PCMU",
        payload_type=0,
        suite=SUITE if secure else "",
        send_key=key,
        receive_key=key,
    )
    session.start(stream)
    recording = session.record(path, idle_s=60)
    for number in range(PACKETS):
        send(number)
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    done = await asyncio.wait_for(recording.stop(), 10)
    return (await asyncio.to_thread(path.read_bytes))[: 2 * done.samples]


@pytest.mark.slow
async def test_whoever_sends_from_elsewhere_is_not_heard(session: MediaSession, tmp_path: Path) -> None:
    with contextlib.closing(udp("127.0.0.1")) as peer, contextlib.closing(udp("127.0.0.81")) as spoofer:
        where = (session.host, session.port)

        def send(number: int) -> None:
            peer.sendto(packet(number), where)
            if number > 2:  # once the peer was heard
                for guess in range(-3, 4):
                    spoofer.sendto(packet(number + guess, FORGED), where)

        heard = await recorded(session, tmp_path / "part", send, secure=False, peer=peer.getsockname()[1])
    samples = memoryview(heard).cast("h")
    assert abs(len(samples) - PACKETS * FRAME) <= FRAME
    assert all(sample > 0 for sample in samples)


@pytest.mark.slow
async def test_what_was_sent_before_is_not_heard_again(session: MediaSession, tmp_path: Path) -> None:
    protect = SrtpSender(SUITE, KEY).protect
    sent: list[bytes] = []
    with contextlib.closing(udp("127.0.0.1")) as peer:
        where = (session.host, session.port)

        def send(number: int) -> None:
            sent.append(protect(packet(number)))
            peer.sendto(sent[-1], where)
            for old in sent[:: max(1, len(sent) // 5)]:  # from the right address, as one on the way could send it
                peer.sendto(old, where)

        heard = await recorded(session, tmp_path / "part", send, secure=True, peer=peer.getsockname()[1])
    assert abs(len(heard) // 2 - PACKETS * FRAME) <= FRAME


@pytest.mark.slow
async def test_plain_sound_is_not_heard_where_srtp_was_agreed_on(session: MediaSession, tmp_path: Path) -> None:
    with contextlib.closing(udp("127.0.0.1")) as peer:
        where = (session.host, session.port)
        port = peer.getsockname()[1]
        heard = await recorded(
            session, tmp_path / "part", lambda n: peer.sendto(packet(n, FORGED), where) and None, secure=True, peer=port
        )
    assert heard == b""
