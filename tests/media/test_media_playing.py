"""Files that are played: pause, skip, speed, position; in both drivers and in the fake."""

import asyncio
import itertools
import math
from array import array
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import pytest

from tandem.media.aio.session import AioMedia
from tandem.media.codec import g711
from tandem.media.codec.stretch import HOP
from tandem.media.codec.table import CODECS
from tandem.media.codec.wav import read_wav, write_wav
from tandem.media.engine.engine import MediaEngine
from tandem.media.errors import BadWav
from tandem.media.playing import SLICE, FileSource
from tandem.media.session import SPEEDS, FilePlayback, Media, MediaSession, Stream
from tandem.probe.compare import find_speech
from tandem.testing.loop import JumpingLoop
from tandem.testing.media import QuietSession

RATE = g711.RATE
SPEECH = read_wav((resources.files("tandem.speech.samples") / "bob-message.wav").read_bytes())[: 2 * RATE * 4]


def sine(hertz: float, seconds: float) -> bytes:
    turn = 2 * math.pi * hertz / RATE
    return array("h", (int(8000 * math.sin(turn * n)) for n in range(int(RATE * seconds)))).tobytes()


def source(data: bytes, **options: float) -> FileSource:
    return FileSource(lambda offset, size: data[offset : offset + size], len(data), **options)  # type: ignore[arg-type]


def samples(linear: bytes) -> "array[int]":
    return array("h", linear)


def heard(played: FileSource, codec: str = "PCMU", most: int = 10_000) -> bytes:
    decoder = CODECS[codec].decoder()
    payloads = played.payloads(codec, 0)
    return b"".join(decoder.decode(payload) for payload, _ in zip(payloads, range(most), strict=False))


def through_ulaw(linear: bytes) -> bytes:
    return g711.decode(g711.encode(linear, g711.PCMU), g711.PCMU)


@pytest.mark.parametrize("data", [write_wav(SPEECH), SPEECH], ids=["wav", "without a header"])
def test_a_file_is_played_sample_by_sample(data: bytes) -> None:
    played = source(data)
    assert played.duration == len(SPEECH) // 2
    assert heard(played) == through_ulaw(SPEECH)
    assert played.position() == played.duration and not played.failed


def test_a_file_of_g711_is_played() -> None:
    coded = g711.encode(SPEECH, g711.PCMA)
    form = (6).to_bytes(2, "little") + bytes.fromhex("0100 401f0000 401f0000 0100 0800")
    body = b"WAVEfmt \x10\0\0\0" + form + b"data" + len(coded).to_bytes(4, "little") + coded
    played = source(b"RIFF" + len(body).to_bytes(4, "little") + body)
    assert heard(played, "PCMA") == g711.decode(coded, g711.PCMA)


def test_a_file_is_read_a_second_at_a_time() -> None:
    data, sizes = write_wav(bytes(2 * RATE * 600)), []

    def read(offset: int, size: int) -> bytes:
        sizes.append(size)
        return data[offset : offset + size]

    played = FileSource(read, len(data))
    heard(played, most=50 * 10)
    assert max(sizes) <= 2 * (SLICE + 1024) and len(sizes) < 10 + 8


def test_pause_is_silence_and_then_it_goes_on_where_it_was() -> None:
    played = source(SPEECH)
    payloads = played.payloads("PCMU", 0)
    first = [next(payloads) for _ in range(10)]
    played.pause(True)
    assert {next(payloads) for _ in range(100)} == {b"\xff" * 160} and played.position() == 10 * HOP
    played.pause(False)
    assert first + list(payloads) == CODECS["PCMU"].frames(SPEECH)


def test_skip_and_seek_move_within_the_file_and_not_out_of_it() -> None:
    played = source(SPEECH)
    payloads = played.payloads("PCMU", 0)
    frames = CODECS["PCMU"].frames(SPEECH)
    next(payloads)
    played.skip(50 * HOP)
    assert next(payloads) == frames[51]
    played.skip(-1000 * HOP)
    assert next(payloads) == frames[0]
    played.seek(100 * HOP)
    assert played.position() == 100 * HOP and next(payloads) == frames[100]
    played.skip(10**9)
    assert list(payloads) == [] and played.position() == played.duration


def test_a_playback_begins_where_it_is_told_to() -> None:
    assert heard(source(write_wav(SPEECH), position=RATE)) == through_ulaw(SPEECH[2 * RATE :])


@pytest.mark.parametrize("speed", [speed for speed in SPEEDS if speed != 1.0])
def test_a_speed_changes_the_length_and_not_the_pitch(speed: float) -> None:
    for hertz in (110.0, 300.0, 1000.0):
        out = samples(heard(source(sine(hertz, 3.0), speed=speed)))
        assert len(out) == pytest.approx(3.0 * RATE / speed, abs=2 * HOP)
        middle = out[1600:-1600]
        crossings = sum(a < 0 <= b for a, b in itertools.pairwise(middle))
        assert crossings / (len(middle) / RATE) == pytest.approx(hertz, rel=0.02)
        loud = max(map(abs, middle))
        assert loud < 8000 * 1.05, "no clicks where pieces are joined"


@pytest.mark.parametrize("speed", SPEEDS)
def test_the_speed_can_change_while_a_file_plays(speed: float) -> None:
    played = source(SPEECH)
    payloads = played.payloads("PCMU", 0)
    for _ in range(50):
        next(payloads)
    played.set_speed(speed)
    rest = sum(1 for _ in payloads)
    assert rest == pytest.approx((len(SPEECH) // 2 - 50 * HOP) / HOP / speed, abs=2)


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
def test_speech_at_another_speed_is_still_that_speech_in_every_codec(codec: str) -> None:
    played = source(SPEECH)
    assert find_speech(samples(SPEECH), samples(heard(played, codec))).correlation > 0.8


def test_a_file_that_ends_early_says_so() -> None:
    data = write_wav(SPEECH)
    played = FileSource(lambda offset, size: data[: 2 * RATE][offset : offset + size], len(data))
    assert len(heard(played)) == pytest.approx(2 * RATE, abs=2 * HOP)
    assert "shorter" in played.failed


def test_a_disk_that_fails_ends_the_playback_with_its_complaint() -> None:
    def read(offset: int, size: int) -> bytes:
        if offset > RATE:
            raise OSError(5, "Input/output error")
        return write_wav(SPEECH)[offset : offset + size]

    played = FileSource(read, len(SPEECH) + 44)
    heard(played)
    assert played.failed == "Input/output error"


@pytest.mark.parametrize("data", [b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0AVI ", write_wav(SPEECH)[:40], b"RIFF"])
def test_a_wav_file_without_sound_is_refused(data: bytes) -> None:
    with pytest.raises(BadWav):
        source(data)


@pytest.fixture(params=["engine", "aio"])
async def media(request: pytest.FixtureRequest) -> AsyncIterator[Media]:
    media: Media = MediaEngine(workers=1) if request.param == "engine" else AioMedia()
    await media.start()
    yield media
    await media.close()


async def pair(media: Media) -> tuple[MediaSession, MediaSession]:
    one, other = await media.open("127.0.0.1", range(1)), await AioMedia().open("127.0.0.1", range(1))
    for session, peer in ((one, other), (other, one)):
        session.start(Stream(host="127.0.0.1", port=peer.port, codec="PCMU", payload_type=0, event_type=101))
    return one, other


async def reported(playback: FilePlayback, at_s: float) -> None:
    async with asyncio.timeout(8):
        while playback.position_s < at_s:
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_a_session_plays_a_file_and_says_where_it_is(media: Media, tmp_path: Path) -> None:
    one, other = await pair(media)
    out = bytearray()
    other.hear(out.extend)
    (tmp_path / "m.wav").write_bytes(write_wav(SPEECH[: 2 * RATE]))
    playback = one.play_file(tmp_path / "m.wav")
    assert await playback.done
    assert (playback.position_s, playback.duration_s, playback.failed) == (1.0, 1.0, "")
    await asyncio.sleep(0.1)
    assert find_speech(samples(SPEECH[: 2 * RATE]), samples(bytes(out))).correlation > 0.95
    one.close()
    other.close()


@pytest.mark.slow
async def test_a_session_pauses_skips_and_changes_speed_and_a_stop_says_where(media: Media, tmp_path: Path) -> None:
    one, other = await pair(media)
    (tmp_path / "m.wav").write_bytes(write_wav(sine(300, 60)))
    playback = one.play_file(tmp_path / "m.wav", position_s=10)
    await reported(playback, 10.0)
    playback.pause()
    playback.seek(20)
    playback.skip(5)
    playback.skip(-1)
    await reported(playback, 24.0)
    assert playback.position_s == 24.0 and playback.duration_s == 60.0
    playback.resume()
    playback.set_speed(1.5)
    await reported(playback, 24.5)
    playback.stop()
    assert not await playback.done
    assert 24.5 <= playback.position_s < 30
    with pytest.raises(ValueError, match="expected one of"):
        playback.set_speed(7)
    one.close()
    other.close()


async def test_what_is_played_next_ends_a_file_and_says_where_it_was(media: Media, tmp_path: Path) -> None:
    one, other = await pair(media)
    (tmp_path / "m.wav").write_bytes(write_wav(sine(300, 60)))
    first = one.play_file(tmp_path / "m.wav", position_s=30)
    await reported(first, 30.0)
    second = one.play_file(tmp_path / "m.wav")
    assert not await first.done and first.position_s >= 30
    assert not second.done.done()
    one.close()
    other.close()
    assert not await second.done


async def test_a_file_that_cannot_be_played_says_why(media: Media, tmp_path: Path) -> None:
    one, other = await pair(media)
    (tmp_path / "bad.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    for name, why in (("none.wav", "No such file"), ("bad.wav", "no sound in it")):
        playback = one.play_file(tmp_path / name)
        assert not await playback.done and why in playback.failed
    one.close()
    other.close()


def test_the_fake_plays_files_by_the_loops_clock(tmp_path: Path) -> None:
    (tmp_path / "m.wav").write_bytes(write_wav(bytes(2 * RATE * 60)))

    async def run() -> None:
        session = QuietSession("192.0.2.1", 4000)
        playback = session.play_file(tmp_path / "m.wav", position_s=10)
        await asyncio.sleep(5)
        playback.pause()
        await asyncio.sleep(100)
        assert playback.position_s == pytest.approx(15, abs=0.01)
        playback.skip(20)
        playback.set_speed(0.75)
        playback.resume()
        begun = asyncio.get_running_loop().time()
        assert await playback.done
        assert asyncio.get_running_loop().time() - begun == pytest.approx(25 / 0.75, abs=0.1)
        assert playback.position_s == playback.duration_s == 60
        other = session.play_file(tmp_path / "m.wav")
        await asyncio.sleep(3)
        other.stop()
        assert not await other.done and other.position_s == pytest.approx(3, abs=0.01)

    loop = JumpingLoop()
    loop.complete(run())
    loop.close()
