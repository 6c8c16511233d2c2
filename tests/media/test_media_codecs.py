import subprocess
import sys
from array import array
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.media.codecs import CODECS, FRAME_BYTES, silence
from tandem.media.level import level
from tandem.media.wav import read_wav
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
        "import sys; from tandem.media.codecs import CODECS\n"
        "CODECS['PCMA'].decoder().decode(CODECS['PCMA'].frames(bytes(640))[0])\n"
        "sys.exit('av' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
