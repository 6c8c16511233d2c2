"""Two streams that talk to each other over a network that delays and loses, in every codec and suite; their reports."""

import asyncio
import heapq
import logging
import random
import socket
from array import array
from collections.abc import Iterable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tandem.core.log import about
from tandem.media.aio.session import AioMedia
from tandem.media.codec.frames import FrameCache
from tandem.media.codec.table import CODECS
from tandem.media.codec.wav import read_wav
from tandem.media.engine.engine import MediaEngine
from tandem.media.events import DtmfReceived
from tandem.media.rtp.dtmf import DIGITS
from tandem.media.rtp.srtp import SUITES
from tandem.media.session import Media, Sound, Stream
from tandem.media.stream import AudioStream
from tandem.probe.compare import find_speech

SPEECH = read_wav((resources.files("tandem.speech.samples") / "bob-message.wav").read_bytes())[: 2 * 8000 * 2]
A, B = ("192.0.2.1", 4000), ("192.0.2.2", 6000)
ALIKE = {"PCMU": 0.999, "PCMA": 0.999, "G722": 0.999, "opus": 0.85}


def agreed(codec: str = "PCMU", suite: str = "", **more: object) -> tuple[AudioStream, AudioStream]:
    """Two streams as an offer and its answer would start them."""
    spoken = CODECS[codec]
    size = SUITES[suite].key_bytes if suite else 0
    keys = bytes(range(size)), bytes(range(100, 100 + size))
    stream = Stream(
        host=B[0],
        port=B[1],
        codec=codec,
        payload_type=spoken.payload_type,
        event_type=101,
        event_clock=spoken.clock,
        suite=suite,
        send_key=keys[0],
        receive_key=keys[1],
    )
    stream = replace(stream, **more)  # type: ignore[arg-type]
    a, b = AudioStream(FrameCache()), AudioStream(FrameCache())
    a.start(stream)
    b.start(replace(stream, host=A[0], port=A[1], send_key=keys[1], receive_key=keys[0]))
    a.listening = b.listening = True
    return a, b


def talk(
    a: AudioStream, b: AudioStream, seconds: float, *, delay_s: float = 0.01, jitter_s: float = 0.0, loss: float = 0.0
) -> tuple[bytes, bytes]:
    """Let time pass; return what each of them heard."""
    rng, on_the_way, number = random.Random(1), [], 0
    for tick in range(round(50 * seconds)):
        now = tick / 50
        while on_the_way and on_the_way[0][0] <= now:
            came, _, to, data, source = heapq.heappop(on_the_way)
            to.receive_from(data, source, came)
        for sender, to, source in ((a, b, A), (b, a, B)):
            report = sender.control(now) if tick % 50 == 0 else None
            for data in filter(None, (sender.tick(), report)):
                number += 1
                if rng.random() >= loss:
                    heapq.heappush(on_the_way, (now + delay_s + jitter_s * rng.random(), number, to, data, source))
    return a.finish(seconds), b.finish(seconds)


def samples(linear: bytes) -> "array[int]":
    out = array("h")
    out.frombytes(linear)
    return out


def digits_of(audio: AudioStream) -> str:
    return "".join(event.digit for event in audio.events if isinstance(event, DtmfReceived))


def each_once(first: Iterable[str], second: Iterable[str]) -> list[Any]:
    """Every pair of two kinds; where neither is the first of its kind, it is left to `make test`."""
    (common, *_), (usual, *_) = first, second = tuple(first), tuple(second)
    slow = pytest.mark.slow
    return [pytest.param(a, b, marks=() if a == common or b == usual else slow) for a in first for b in second]


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "suite"), each_once(CODECS, ["", *SUITES]))
def test_speech_and_keys_go_both_ways_in_every_codec_and_suite(codec: str, suite: str) -> None:
    a, b = agreed(codec, suite)
    a.play([Sound.of(SPEECH)])
    b.play([Sound.of(SPEECH)])
    a.send_dtmf("12#")
    b.send_dtmf("*0D")
    for heard in talk(a, b, 4):
        # The keys stood in the place of the first second of speech.
        assert find_speech(samples(SPEECH[16_000:]), samples(heard)).correlation > ALIKE[codec]
    assert (digits_of(a), digits_of(b)) == ("*0D", "12#")
    assert a.dropped == b.dropped == 0


@pytest.mark.parametrize("codec", CODECS)
def test_keys_are_tones_for_a_peer_that_knows_no_events(codec: str) -> None:
    a, b = agreed(codec, event_type=None, tones=True)
    a.send_dtmf(DIGITS)
    heard, recorded = talk(a, b, 5)
    assert digits_of(b) == DIGITS and digits_of(a) == ""
    assert len(recorded) == pytest.approx(2 * 8000 * 5, abs=2 * 400)
    assert heard


def test_where_events_are_agreed_on_tones_in_the_sound_are_no_keys() -> None:
    _, b = agreed()
    tones, _ = agreed(event_type=None)
    tones.send_dtmf("5")
    for tick in range(20):
        data = tones.tick()
        assert data is not None
        b.receive_from(data, A, tick / 50)
    assert digits_of(b) == ""


@pytest.mark.parametrize("suite", ["", *SUITES])
def test_both_sides_learn_from_reports_how_it_goes(suite: str) -> None:
    a, b = agreed(suite=suite)
    talk(a, b, 40, delay_s=0.05, jitter_s=0.03, loss=0.05)
    for side in (a, b):
        quality = side.summary.quality
        assert quality.lost == pytest.approx(0.05, abs=0.02)
        assert quality.remote_lost == pytest.approx(0.05, abs=0.02)
        assert quality.jitter_s == pytest.approx(0.01, abs=0.006)
        assert quality.round_trip_s == pytest.approx(0.13, abs=0.05)
        assert 1.8 < quality.mos < 2.6
        assert side.dropped == 0


def test_a_call_without_a_flaw_has_the_best_score_and_one_never_heard_has_none() -> None:
    a, b = agreed()
    talk(a, b, 5)
    assert a.summary.fields["mos"] == b.summary.fields["mos"] == 4.41
    assert a.summary.fields["lost"] == 0
    assert agreed()[0].summary.fields["mos"] is None


@pytest.mark.parametrize("suite", ["", "AEAD_AES_128_GCM"])
def test_reports_on_the_port_beside_are_taken_from_the_peer_alone(suite: str) -> None:
    a, b = agreed(suite=suite, rtcp=(B[0], B[1] + 1))
    other, _ = agreed(suite=suite)
    talk(a, b, 0.1)
    assert a.control(9.0), "what a lost is counted of what it sent"
    sent, forged = b.control(9.0), other.control(9.0, goodbye=True)
    assert sent and forged
    assert a.control_target == (B[0], B[1] + 1)
    a.receive_control(forged, ("192.0.2.66", 6001), 9.1)
    assert a.dropped == 1 and a.summary.quality.remote_lost is None
    a.receive_control(sent, (B[0], 6001), 9.1)
    assert a.dropped == 1 and a.summary.quality.remote_lost == 0
    a.receive_control(b"\x80\xc9" + bytes(40), (B[0], 6001), 9.1)
    assert a.dropped == 2


@pytest.mark.parametrize("nowhere", ["0.0.0.0", "::"])
def test_nothing_goes_to_a_peer_that_holds_by_an_address_of_nowhere(nowhere: str) -> None:
    a, _ = agreed()
    assert a.stream is not None
    a.start(replace(a.stream, host=nowhere, send=False))
    assert a.tick() is None
    assert a.control(0.0) is a.control(60.0) is a.control(61.0, goodbye=True) is None


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
async def test_a_call_ends_with_a_line_that_says_how_it_went(shared: bool, caplog: pytest.LogCaptureFixture) -> None:
    engine = MediaEngine(workers=1)
    await engine.start()
    caplog.set_level(logging.INFO, "tandem.media")
    sides: list[Media] = [engine, AioMedia()]
    with about(call="x@example.com"):
        one, other = [await media.open("127.0.0.1", range(1)) for media in sides]
    for session, peer in ((one, other), (other, one)):
        rtcp = None if shared else ("127.0.0.1", peer.port + 1)
        session.start(Stream(host="127.0.0.1", port=peer.port, codec="PCMU", payload_type=0, rtcp=rtcp))
    await asyncio.sleep(12)  # first reports within 3.1 s, their answers within 6.2, and each is asked for once a second
    one.close()
    other.close()
    await asyncio.sleep(0.3)
    await engine.close()
    ended = [record.fields for record in caplog.records if getattr(record, "event", "") == "media.closed"]
    assert len(ended) == 2
    for fields in ended:
        assert fields["mos"] > 4 and fields["received"] > 300 and fields["codec"] == "PCMU"
        assert fields["call"] == "x@example.com"
        assert 0 <= fields["round_trip_ms"] < 200


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "suite"), [("G722", "AEAD_AES_256_GCM"), ("opus", "AES_CM_128_HMAC_SHA1_32")])
async def test_a_worker_plays_and_records_in_every_codec(codec: str, suite: str, tmp_path: Path) -> None:
    engine = MediaEngine(workers=1)
    await engine.start()
    one, other = [await media.open("127.0.0.1", range(1)) for media in (engine, AioMedia())]
    keys = [bytes(range(start, start + SUITES[suite].key_bytes)) for start in (0, 100)]
    for session, peer, (ours, theirs) in ((one, other, keys), (other, one, keys[::-1])):
        session.start(
            Stream(
                host="127.0.0.1",
                port=peer.port,
                codec=codec,
                payload_type=CODECS[codec].payload_type,
                suite=suite,
                send_key=ours,
                receive_key=theirs,
                tones=True,
            )
        )
    heard, pressed = bytearray(), asyncio.Event()
    other.hear(heard.extend)
    one.on_digit = lambda key: pressed.set() if key == "#" else None
    recording = one.record(tmp_path / "x.part", idle_s=60)
    said, played = other.play([Sound.of(SPEECH)]), one.play([Sound.of(SPEECH)])
    assert await said.done and await played.done
    other.send_dtmf("#")
    async with asyncio.timeout(5):
        await pressed.wait()
    await recording.stop()
    one.close()
    other.close()
    await engine.close()
    for sound in (bytes(heard), (tmp_path / "x.part").read_bytes()):
        assert find_speech(samples(SPEECH), samples(sound)).correlation > ALIKE[codec] - 0.01


@pytest.mark.parametrize("in_engine", [True, False])
async def test_a_call_goes_on_where_the_port_beside_is_taken(in_engine: bool) -> None:
    engine = MediaEngine(workers=1)
    await engine.start()
    media: Media = engine if in_engine else AioMedia()
    session, phone = await media.open("127.0.0.1", range(1)), await AioMedia().open("127.0.0.1", range(1))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", session.port + 1))
        for side, peer in ((session, phone), (phone, session)):
            rtcp = ("127.0.0.1", peer.port + 1)
            side.start(
                Stream(host="127.0.0.1", port=peer.port, codec="PCMU", payload_type=0, event_type=101, rtcp=rtcp)
            )
        pressed = asyncio.Event()
        phone.on_digit = lambda key: pressed.set()
        session.send_dtmf("1")
        async with asyncio.timeout(5):
            await pressed.wait()
    session.close()
    phone.close()
    await engine.close()
