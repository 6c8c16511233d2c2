import cmath
import math
import subprocess
import sys
from array import array
from importlib import resources
from itertools import pairwise

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.media.codec.frames import FrameCache
from tandem.media.codec.level import level
from tandem.media.codec.table import CODECS, FRAME_BYTES, silence
from tandem.media.codec.wav import read_wav
from tandem.media.session import Sound
from tandem.probe.compare import find_speech

SPEECH = read_wav((resources.files("tandem.speech.samples") / "bob-message.wav").read_bytes())[: 2 * 8000 * 3]
# Waveform coders keep the waveform (G.722 adapts for a moment after silence that was repeated); Opus models the voice.
ALIKE = {"PCMU": 0.999, "PCMA": 0.999, "G722": 0.99, "opus": 0.85}
DELAY = {"PCMU": 0, "PCMA": 0, "G722": 48, "opus": 80}


def samples(linear: bytes) -> "array[int]":
    out = array("h")
    out.frombytes(linear)
    return out


@pytest.mark.parametrize("name", CODECS)
def test_speech_survives_the_codec_with_little_delay(name: str) -> None:
    codec = CODECS[name]
    decoder = codec.decoder()
    for _ in range(5):
        decoder.decode(silence(name))
    heard = b"".join(decoder.decode(payload) for payload in codec.frames(SPEECH))
    match = find_speech(samples(SPEECH), samples(heard))
    assert match.correlation > ALIKE[name]
    assert 0 <= match.offset <= DELAY[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", CODECS)
@given(cuts=st.lists(st.integers(0, 1700), max_size=8))
def test_sound_cut_anyhow_becomes_payloads_of_its_true_length(name: str, cuts: list[int]) -> None:
    encoder, decoder = CODECS[name].encoder(), CODECS[name].decoder()
    payloads = [payload for cut in cuts for payload in encoder.encode(bytes(cut))] + encoder.finish()
    frames = -(-sum(cuts) // FRAME_BYTES)
    assert len(payloads) == frames
    assert sum(len(decoder.decode(payload)) for payload in payloads) == frames * FRAME_BYTES


@pytest.mark.parametrize("name", CODECS)
@given(payload=st.binary(max_size=1600))
def test_no_payload_makes_a_decoder_raise_and_the_next_one_is_decoded(name: str, payload: bytes) -> None:
    decoder = CODECS[name].decoder()
    assert len(decoder.decode(payload)) <= 2 * 1600
    assert len(decoder.decode(silence(name))) == FRAME_BYTES


@pytest.mark.parametrize(("toc", "ms"), [(0x00, 10), (0x08, 20), (0x10, 40), (0x18, 60)])
def test_an_opus_payload_is_as_long_as_it_says(toc: int, ms: int) -> None:
    # RFC 6716 §3.1: narrowband SILK, mono, one frame; what follows in it does not matter to its length.
    assert len(CODECS["opus"].decoder().decode(bytes((toc,)) + bytes(range(40)))) == 2 * 8 * ms


@pytest.mark.parametrize("name", CODECS)
def test_silence_stays_silent_when_it_is_repeated(name: str) -> None:
    decoder = CODECS[name].decoder()
    heard = [decoder.decode(silence(name)) for _ in range(50)]
    assert max(map(level, heard)) < 16  # about -66 dBm0


def test_timestamps_follow_the_clock_of_the_codec() -> None:
    assert {name: codec.ticks for name, codec in CODECS.items()} == {"PCMU": 160, "PCMA": 160, "G722": 160, "opus": 960}
    assert CODECS["opus"].samples(960) == CODECS["G722"].samples(160) == 160


def test_a_call_in_g711_does_not_load_ffmpeg() -> None:
    program = (
        "import sys; from tandem.media.codec.table import CODECS\n"
        "CODECS['PCMA'].decoder().decode(CODECS['PCMA'].frames(bytes(640))[0])\n"
        "sys.exit('av' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", CODECS)
def test_a_sound_is_encoded_once_for_everyone_who_plays_it_at_the_pace_of_the_first(name: str) -> None:
    cache, sound = FrameCache(), Sound.of(SPEECH)
    first, second = iter(cache.frames(sound, name)), iter(cache.frames(sound, name))
    begun = [next(first) for _ in range(10)]
    assert [next(second) for _ in range(12)][:10] == begun
    assert [*begun, *first] == list(cache.frames(sound, name)) == CODECS[name].frames(SPEECH)
    assert all(a is b for a, b in zip(cache.frames(sound, name), cache.frames(sound, name), strict=True))


def test_a_stereo_opus_payload_is_heard_as_one_channel() -> None:
    stereo = [8000 * math.sin(n * 440 * 2 * math.pi / 48_000) for n in range(960 * 20)]
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format, encoder.layout = 48_000, "s16", "stereo"
    decoder, heard = CODECS["opus"].decoder(), b""
    for at in range(0, len(stereo), 960):
        frame = av.AudioFrame(format="s16", layout="stereo", samples=960)
        frame.sample_rate = 48_000
        frame.planes[0].update(array("h", [int(s) for s in stereo[at : at + 960] for _ in (0, 1)]).tobytes())
        for packet in encoder.encode(frame):
            heard += decoder.decode(bytes(packet))
    tone = samples(heard)[800:]
    crossings = sum(a < 0 <= b for a, b in pairwise(tone))
    assert crossings / (len(tone) / 8000) == pytest.approx(440, rel=0.03)
    assert level(heard[1600:]) == pytest.approx(8000 * 2 / math.pi, rel=0.1)


def bands(linear: bytes) -> list[float]:
    """Energy (dB) of a voice by thirds of an octave from 300 Hz on, by straight correlation."""
    sound, out = samples(linear), []
    for third in range(10):
        energy = 0.0
        for part in range(4):
            step = 2 * math.pi * 300 * 2 ** ((third + part / 4) / 3) / 8000
            for start in range(0, len(sound) - 400, 400):
                window = sound[start : start + 400]
                energy += abs(sum(s * cmath.exp(-1j * step * n) for n, s in enumerate(window))) ** 2
        out.append(10 * math.log10(energy + 1))
    return out


def test_a_voice_keeps_its_colour_in_opus() -> None:
    """It is no waveform coder at this rate, so its spectrum is compared."""
    codec = CODECS["opus"]
    heard = b"".join(map(codec.decoder().decode, codec.frames(SPEECH[:24_000])))
    for before, after in zip(bands(SPEECH[:24_000]), bands(heard), strict=True):
        assert after == pytest.approx(before, abs=3.0)
