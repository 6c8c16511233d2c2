"""Keys as tones: the limits of ITU-T Q.24, noise, speech, codecs."""

import math
import random
from array import array
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.media.codec.inband import FULL_SCALE_DBM0, ToneReceiver, tone_pair
from tandem.media.codec.table import CODECS
from tandem.media.codec.wav import read_wav
from tandem.media.rtp.dtmf import DIGITS

PAUSE_MS = 60
TONES = {key: (low, high) for low, row in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"), strict=True)
         for high, key in zip((1209, 1336, 1477, 1633), row, strict=True)}  # fmt: skip
SPEECH = [
    read_wav(path.read_bytes())
    for room in ("samples", "prompts/en_US")
    for path in sorted((resources.files("tandem.speech") / room).iterdir(), key=str)
    if path.name.endswith(".wav")
]


def tone(key: str, ms: float, *, low_db: float = -10, high_db: float = -10, off: float = 0.0) -> list[float]:
    """A key at these levels (dBm0), its frequencies off by a share."""
    parts = [
        (2 * math.pi * f * (1 + off) / 8000, 32768 * 10 ** ((db - FULL_SCALE_DBM0) / 20))
        for f, db in zip(TONES[key], (low_db, high_db), strict=True)
    ]
    return [sum(a * math.sin(w * n + 1) for w, a in parts) for n in range(round(8 * ms))]


def quiet(ms: float) -> list[float]:
    return [0.0] * round(8 * ms)


def noise(samples: int, dbm0: float, seed: int = 1) -> list[float]:
    rng, rms = random.Random(seed), 32768 / math.sqrt(2) * 10 ** ((dbm0 - FULL_SCALE_DBM0) / 20)
    return [rng.gauss(0, rms) for _ in range(samples)]


def linear(*parts: list[float]) -> bytes:
    return array("h", [max(-32768, min(32767, round(s))) for part in parts for s in part]).tobytes()


def heard(*parts: list[float]) -> str:
    return ToneReceiver().feed(linear(*parts, quiet(PAUSE_MS)))


def mixed(a: list[float], b: list[float]) -> list[float]:
    return [x + y for x, y in zip(a, b, strict=False)]


@pytest.mark.parametrize("name", CODECS)
def test_every_key_that_we_make_is_heard_through_the_codec(name: str) -> None:
    codec, sound = CODECS[name], b"".join(tone_pair(key) + bytes(16 * PAUSE_MS) for key in DIGITS)
    decoder = codec.decoder()
    assert ToneReceiver().feed(b"".join(map(decoder.decode, codec.frames(sound)))) == DIGITS


@given(st.lists(st.integers(1, 900), max_size=20))
def test_sound_cut_anyhow_has_the_same_keys(cuts: list[int]) -> None:
    sound, receiver, keys = tone_pair("4") + bytes(960) + tone_pair("#") + bytes(960), ToneReceiver(), ""
    for cut in cuts:
        keys, sound = keys + receiver.feed(sound[: 2 * cut]), sound[2 * cut :]
    assert keys + receiver.feed(sound) == "4#"


@pytest.mark.parametrize("key", DIGITS)
def test_frequencies_within_one_and_a_half_per_cent_are_taken_and_beyond_three_and_a_half_refused(key: str) -> None:
    for off in (-0.015, 0.015):
        assert heard(tone(key, 50, off=off)) == key
    for off in (-0.035, 0.035):
        assert heard(tone(key, 200, off=off)) == ""


@pytest.mark.parametrize(
    ("low_db", "high_db", "taken"),
    [(-10, -6, True), (-4, -12, True), (-25, -25, True), (0, 0, True), (-6, -17, False), (-17, -9, False), (-55,) * 2
     + (False,)],
)  # fmt: skip
def test_levels_and_twist_are_taken_and_refused_by_the_table(low_db: float, high_db: float, taken: bool) -> None:
    assert heard(tone("5", 60, low_db=low_db, high_db=high_db)) == ("5" if taken else "")


@pytest.mark.parametrize("start", range(0, 160, 7))
def test_a_key_of_40_ms_is_heard_and_one_of_23_is_not_wherever_it_begins(start: int) -> None:
    assert heard(quiet(start / 8), tone("8", 40)) == "8"
    assert heard(quiet(start / 8), tone("8", 23)) == ""


@pytest.mark.parametrize("start", range(0, 160, 7))
def test_a_pause_of_40_ms_parts_two_keys_and_a_break_of_10_does_not(start: int) -> None:
    assert heard(quiet(start / 8), tone("8", 40), quiet(40), tone("8", 40)) == "88"
    assert heard(quiet(start / 8), tone("8", 50), quiet(10), tone("8", 50)) == "8"


@settings(max_examples=30)
@given(st.sampled_from(DIGITS), st.integers(0, 2**32))
def test_keys_are_heard_in_noise(key: str, seed: int) -> None:
    # Q.24's table asks for 23 dB between tones and noise; 13 are taken here.
    pressed = [*quiet(100), *tone(key, 60), *quiet(100)]
    assert heard(mixed(pressed, noise(len(pressed), -20, seed))) == key


@pytest.mark.slow
@pytest.mark.parametrize("key", DIGITS)
def test_keys_are_heard_while_somebody_speaks_in_the_background(key: str) -> None:
    speech = [sample / 8 for sample in array("h", SPEECH[0])]
    presses = len(speech) // 2400
    pressed = [*quiet(20), *presses * [*tone(key, 80, low_db=-6, high_db=-6), *quiet(220)]]
    assert presses > 20
    assert heard(mixed(speech, pressed)) == key * presses


@pytest.mark.slow
def test_nobody_speaks_a_key() -> None:
    assert sum(map(len, SPEECH)) > 16_000 * 20  # seconds
    for speech in SPEECH:
        for gain in (0.5, 1.0, 2.0):
            assert heard([sample * gain for sample in array("h", speech)]) == ""


@pytest.mark.slow
@settings(max_examples=40)
@given(st.floats(80, 400), st.floats(0.3, 1.0), st.integers(0, 2**32))
def test_nobody_sings_a_key(pitch: float, fall: float, seed: int) -> None:
    """A voice is a row of harmonics; so are most instruments."""
    rng = random.Random(seed)
    parts = [(2 * math.pi * pitch * n / 8000, fall**n, rng.uniform(0, 6)) for n in range(1, int(3800 / pitch))]
    sung = [4000 * sum(a * math.sin(w * n + p) for w, a, p in parts) for n in range(1600)]
    assert heard(sung) == ""


def test_a_single_tone_and_noise_are_no_keys() -> None:
    assert heard(tone("5", 300, high_db=-60)) == heard(tone("5", 300, low_db=-60)) == ""
    assert heard(noise(80_000, -15)) == ""
