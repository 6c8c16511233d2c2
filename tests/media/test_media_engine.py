"""The media engine with real workers and real sockets on loopback."""

import asyncio
import math
import os
import signal
import socket
import sys
import time
from array import array
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tandem.media.aio.session import AioMedia, AioSession
from tandem.media.codec.frames import FrameCache
from tandem.media.codec.g711 import RATE
from tandem.media.engine import client, udp, wire
from tandem.media.engine.engine import MediaEngine
from tandem.media.engine.session import EngineSession
from tandem.media.errors import NoPort
from tandem.media.session import Media, Recorded, Sound, Stream
from tandem.media.stream import AudioStream
from tandem.probe.compare import find_speech

KEY_A, KEY_B = bytes(range(30)), bytes(range(30, 60))
PORT = 20_000 + os.getpid() % 1000 * 8
"""Below those that the system gives, and not those of another run of these tests."""
SUITE = "AES_CM_128_HMAC_SHA1_80"


def tone(seconds: float) -> bytes:
    """Two tones that come and go, so that no part of it is like another."""
    return array(
        "h",
        (int(9000 * math.sin(i * 0.2) * abs(math.sin(i * i * 1e-8 + i * 0.0007))) for i in range(int(seconds * 8000))),
    ).tobytes()


@pytest.fixture
async def engine() -> AsyncIterator[MediaEngine]:
    engine = MediaEngine(workers=1)
    await engine.start()
    yield engine
    await engine.close()


def stream_to(port: int, **changes: object) -> Stream:
    base = Stream(host="127.0.0.1", port=port, codec="PCMU", payload_type=0, event_type=101)
    return replace(base, **changes)  # type: ignore[arg-type]


async def call(engine: Media, **changes: object) -> tuple[EngineSession, AioSession]:
    """A session of the engine and a phone that talk to each other."""
    session, phone = await engine.open("127.0.0.1", range(1)), await AioMedia().open("127.0.0.1", range(1))
    assert isinstance(session, EngineSession) and isinstance(phone, AioSession)
    session.start(stream_to(phone.port, send_key=KEY_A, receive_key=KEY_B, **changes))
    phone.start(stream_to(session.port, send_key=KEY_B, receive_key=KEY_A, **changes))
    return session, phone


async def until(true: object, timeout_s: float = 8.0) -> None:
    assert callable(true)
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("changes", [{}, {"suite": SUITE}, {"codec": "PCMA", "payload_type": 8}], ids=str)
@pytest.mark.slow
async def test_what_is_played_is_heard_and_what_is_said_is_recorded(
    engine: MediaEngine, tmp_path: Path, changes: dict[str, object]
) -> None:
    session, phone = await call(engine, **changes)
    heard, sound, part = bytearray(), tone(1.2), tmp_path / "x.part"
    phone.hear(heard.extend)
    recording = session.record(part, idle_s=60)
    said = phone.play([Sound.of(sound)])
    assert await session.play([Sound.of(sound[:8000]), Sound.of(sound[8000:])]).done
    assert await said.done
    await asyncio.sleep(0.2)
    recorded = await recording.stop()
    session.close()
    phone.close()
    written = part.read_bytes()
    for end in (bytes(heard), written):
        assert find_speech(array("h", sound), array("h", end)).correlation > 0.97
    assert recorded.samples == len(written) // 2 and not recorded.failed
    assert abs(recorded.speech_ends_at - 9600) < 2000


@pytest.mark.slow
async def test_a_recording_is_on_disk_while_somebody_speaks(engine: MediaEngine, tmp_path: Path) -> None:
    session, phone = await call(engine)
    session.record(tmp_path / "x.part", idle_s=60)
    phone.play([Sound.of(tone(8))])
    await until(lambda: (tmp_path / "x.part").stat().st_size >= 2 * 16_000)
    phone.close()
    session.close()


@pytest.mark.slow
async def test_a_recording_whose_file_cannot_be_opened_ends_and_says_so(engine: MediaEngine, tmp_path: Path) -> None:
    session, phone = await call(engine)
    phone.play([Sound.of(tone(8))])
    await until(lambda: session.last_heard is not None)
    recording = session.record(tmp_path / "gone" / "x.part", idle_s=60)
    await asyncio.sleep(0.1)  # something is said
    recorded = await asyncio.wait_for(recording.stop(), 5)
    assert (recorded.samples, recorded.failed) == (0, "No such file or directory")
    again = session.record(tmp_path / "gone" / "x.part", idle_s=60)
    await asyncio.sleep(0.1)
    session.close()  # while it goes on
    assert (await asyncio.wait_for(again.done, 5)).failed == "No such file or directory"
    phone.close()


@pytest.mark.slow
async def test_sound_of_a_file_that_can_be_opened_later_is_not_lost(engine: MediaEngine, tmp_path: Path) -> None:
    session, phone = await call(engine)
    recording = session.record(tmp_path / "later" / "x.part", idle_s=60)
    phone.play([Sound.of(tone(8))])
    await asyncio.sleep(1.2)
    (tmp_path / "later").mkdir()
    await until((tmp_path / "later" / "x.part").exists)
    recorded = await asyncio.wait_for(recording.stop(), 5)
    assert not recorded.failed and recorded.samples > 8000
    phone.close()
    session.close()


@pytest.mark.slow
async def test_silence_is_told_once_until_somebody_speaks_again(engine: MediaEngine, tmp_path: Path) -> None:
    session, phone = await call(engine)
    silences: list[float] = []
    recording = session.record(tmp_path / "x.part", idle_s=1.0)
    recording.on_silence = lambda: silences.append(time.monotonic())
    await until(lambda: len(silences) == 1)
    await phone.play([Sound.of(tone(1.0))]).done
    await until(lambda: len(silences) == 2)
    phone.close()
    session.close()
    assert (await recording.done).samples > 16_000


async def test_keys_pass_in_both_directions(engine: MediaEngine) -> None:
    session, phone = await call(engine)
    here: list[str] = []
    there: list[str] = []
    session.on_digit, phone.on_digit = here.append, there.append
    phone.send_dtmf("5#")
    session.send_dtmf("19")
    assert not session.dtmf_sent
    await until(lambda: here == ["5", "#"] and there == ["1", "9"] and session.dtmf_sent)
    phone.close()
    session.close()


async def test_a_new_sound_ends_the_one_before_and_stop_is_silence(engine: MediaEngine) -> None:
    session, phone = await call(engine)
    first = session.play([Sound.of(tone(5))])
    second = session.play([Sound.of(tone(0.2))])
    third = session.play([])
    assert not await first.done and not await second.done and await third.done
    fourth = session.play([Sound.of(tone(5))])
    fourth.stop()
    assert not await fourth.done
    phone.close()
    session.close()


@pytest.mark.slow
async def test_only_the_peer_is_heard_and_after_a_move_its_new_address(engine: MediaEngine) -> None:
    session, phone = await call(engine)
    heard = bytearray()
    session.hear(heard.extend)
    await until(lambda: session.last_heard is not None)
    stranger = AudioStream(FrameCache())
    stranger.start(stream_to(session.port))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.82", 0))
        phone.start(stream_to(session.port, send=False))
        await asyncio.sleep(1.2)  # what the phone sent is handed over
        before = len(heard)
        for _ in range(20):
            sock.sendto(stranger.tick() or b"", ("127.0.0.1", session.port))
        await asyncio.sleep(1.2)
        assert len(heard) == before
        session.start(stream_to(sock.getsockname()[1], host="127.0.0.82"))  # re-INVITE: the stranger is the peer now
        await asyncio.sleep(0.1)
        for _ in range(20):
            sock.sendto(stranger.tick() or b"", ("127.0.0.1", session.port))
        await until(lambda: len(heard) >= before + 20 * 320)
    phone.close()
    session.close()


@pytest.mark.slow
async def test_a_peer_that_sends_from_another_port_than_it_hears_is_served(engine: MediaEngine) -> None:
    session, ear = await engine.open("127.0.0.1", range(1)), await AioMedia().open("127.0.0.1", range(1))
    heard, mouth = bytearray(), AudioStream(FrameCache())
    session.start(stream_to(ear.port))
    ear.start(stream_to(session.port))
    ear.hear(heard.extend)
    mouth.start(stream_to(session.port))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(mouth.tick() or b"", ("127.0.0.1", session.port))
        sock.sendto(mouth.tick() or b"", ("127.0.0.1", session.port))
        await until(lambda: session.last_heard is not None)
        heard.clear()
        await until(lambda: len(heard) > 3200)
    session.close()
    ear.close()


@pytest.mark.slow
async def test_a_peer_that_moves_to_another_port_is_heard_there(engine: MediaEngine, tmp_path: Path) -> None:
    """At first the kernel keeps others out (the socket is connected); a silence of half a second opens it again."""
    session, mouth = await engine.open("127.0.0.1", range(1)), AudioStream(FrameCache())
    mouth.start(stream_to(session.port))
    mouth.play([Sound.of(tone(6))])
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        one.bind(("127.0.0.1", 0))
        session.start(stream_to(one.getsockname()[1]))
        recording = session.record(tmp_path / "x.part", idle_s=60)
        for tick in range(250):  # two seconds from here, three from there
            (one if tick < 100 else other).sendto(mouth.tick() or b"", ("127.0.0.1", session.port))
            await asyncio.sleep(0.02)
    recorded = await recording.stop()
    session.close()
    # What is missing was said between the last packet from there and the look after half a second of silence; it is
    # filled with as much silence, as the numbers tell.
    assert recorded.samples / RATE == pytest.approx(5.0, abs=0.3)
    sound = array("h", (tmp_path / "x.part").read_bytes())
    assert sum(sample == 0 for sample in sound) / RATE < 1.7


async def test_no_free_port_is_told(engine: MediaEngine) -> None:
    sessions = [await engine.open("127.0.0.1", range(PORT, PORT + 4)) for _ in range(2)]
    assert {s.port for s in sessions} == {PORT, PORT + 2}
    with pytest.raises(NoPort, match="widen the range"):
        await engine.open("127.0.0.1", range(PORT, PORT + 4))
    sessions[0].close()
    again = await engine.open("127.0.0.1", range(PORT, PORT + 4))
    assert again.port == sessions[0].port
    for session in (sessions[1], again):
        session.close()


@pytest.mark.slow
async def test_a_worker_that_dies_costs_its_own_calls_and_keeps_what_it_wrote(tmp_path: Path) -> None:
    engine = MediaEngine(workers=2)
    await engine.start()
    (lost, phone), (other, phone2) = await call(engine), await call(engine)
    why: list[str] = []
    lost.on_lost = other.on_lost = why.append
    victim = next(w for w in engine.workers if lost in w.sessions.values())
    recording = lost.record(tmp_path / "x.part", idle_s=60)
    playback = lost.play([Sound.of(tone(30))])
    phone.play([Sound.of(tone(30))])
    await until(lambda: (tmp_path / "x.part").exists() and (tmp_path / "x.part").stat().st_size >= 16_000)
    os.kill(victim.pid, signal.SIGKILL)
    recorded = await recording.stop()
    assert not await playback.done
    assert recorded.samples == (tmp_path / "x.part").stat().st_size // 2
    assert 0 < recorded.speech_ends_at <= recorded.samples
    assert why == [f"media worker {victim.number} died"]
    assert await other.play([Sound.of(tone(0.2))]).done
    await until(lambda: len(engine.workers) == 2)
    third, phone3 = await call(engine)
    assert await third.play([Sound.of(tone(0.2))]).done
    for p in (phone, phone2, phone3):
        p.close()
    await engine.close()


@pytest.mark.slow
async def test_a_defect_ends_its_own_call_and_no_other(
    engine: MediaEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (broken, phone), (other, phone2) = await call(engine), await call(engine)
    why: list[str] = []
    broken.on_lost = other.on_lost = why.append
    recording = broken.record(tmp_path / "x.part", idle_s=60)
    await until(lambda: broken.last_heard is not None)
    broken.start(stream_to(phone.port, codec="unheard of"))
    recorded = await recording.done
    assert 0 < recorded.samples == (tmp_path / "x.part").stat().st_size // 2
    assert why == ["its media came upon a defect"] and "KeyError: 'unheard of'" in caplog.text
    assert await other.play([Sound.of(tone(0.2))]).done
    phone.close()
    phone2.close()
    other.close()


@pytest.mark.slow
async def test_a_worker_that_hangs_is_killed_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = MediaEngine(workers=1)
    await engine.start()
    session, phone = await call(engine)
    why: list[str] = []
    session.on_lost = why.append
    monkeypatch.setattr(client, "SILENT_S", 3.0)
    (hanging,) = engine.workers
    os.kill(hanging.pid, signal.SIGSTOP)
    await until(lambda: why == ["media worker 0 died"], 20)
    await until(lambda: [w.pid for w in engine.workers] not in ([], [hanging.pid]), 20)
    phone.close()
    await engine.close()


def test_a_socket_for_media_is_on_an_even_port_and_marked_for_expedited_forwarding() -> None:
    with udp.open_socket("127.0.0.1", range(PORT + 5, PORT + 8)) as sock:  # type: ignore[union-attr]
        assert sock.getsockname()[1] == PORT + 6
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == udp.EXPEDITED << 2


PARENT = """
import asyncio, sys
from pathlib import Path
from tandem.media.engine.engine import MediaEngine
from tandem.media.session import Stream

async def main():
    engine = MediaEngine(workers=1)
    await engine.start()
    session = await engine.open("127.0.0.1", range(1))
    session.start(Stream(host="127.0.0.1", port=int(sys.argv[2]), codec="PCMU", payload_type=0))
    session.record(Path(sys.argv[1]), idle_s=60)
    print(session.port, engine.workers[0].pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_worker_whose_parent_is_killed_writes_what_it_heard_and_ends(tmp_path: Path) -> None:
    part = tmp_path / "x.part"
    phone = await AioMedia().open("127.0.0.1", range(1))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(part), str(phone.port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    port, pid = map(int, (await process.stdout.readline()).split())
    phone.start(stream_to(port))
    await asyncio.sleep(0.5)
    process.kill()
    await process.wait()
    await until(lambda: not Path(f"/proc/{pid}").exists())
    phone.close()
    assert 0.3 * 16_000 < part.stat().st_size < 1.5 * 16_000


def test_messages_are_read_as_they_were_written_however_they_are_cut() -> None:
    messages: list[wire.Message] = [
        wire.StartStream(1, stream_to(4000, suite=SUITE, send_key=KEY_A)),
        wire.PlaySounds(1, 2, (b"x", b"y")),
        wire.RecordingEnded(1, Recorded(samples=3, speech_ends_at=2)),
        wire.WorkerReport((1, 2), 3, 4, 0, 0.5),
    ]
    data = b"".join(map(wire.pack, messages))
    unpacker = wire.Unpacker()
    assert [m for at in range(0, len(data), 7) for m in unpacker.feed(data[at : at + 7])] == messages
