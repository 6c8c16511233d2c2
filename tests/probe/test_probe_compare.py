import math
import random

from tandem.probe.compare import find_speech

RATE = 8000


def speech(seed: int, seconds: float) -> list[int]:
    """Bursts of tone with pauses between them: as unlike itself when shifted as speech is."""
    rng = random.Random(seed)
    samples: list[int] = []
    while len(samples) < seconds * RATE:
        pitch, loud, length = rng.uniform(120, 900), rng.uniform(2000, 12000), rng.randrange(600, 2400)
        samples += [int(loud * math.sin(2 * math.pi * pitch * i / RATE)) for i in range(length)]
        samples += [0] * rng.randrange(100, 900)
    return samples[: int(seconds * RATE)]


def test_the_same_sound_is_found_where_it_lies_at_any_volume() -> None:
    spoken = speech(1, 3.0)
    match = find_speech(spoken, [0] * 1234 + [s // 3 for s in spoken] + [0] * 777)
    assert match.offset == 1234
    assert match.correlation > 0.99


def test_a_recording_that_misses_the_beginning_is_found_and_counts_less() -> None:
    spoken = speech(2, 4.0)
    match = find_speech(spoken, spoken[RATE:])
    assert match.offset == -RATE
    assert 0.5 < match.correlation < 0.97


def test_another_sound_is_not_the_same() -> None:
    assert find_speech(speech(3, 3.0), speech(4, 3.0)).correlation < 0.5


def test_noise_is_not_speech() -> None:
    rng = random.Random(5)
    assert find_speech(speech(3, 2.0), [rng.randrange(-3000, 3000) for _ in range(2 * RATE)]).correlation < 0.2


def test_silence_matches_nothing() -> None:
    assert find_speech(speech(6, 1.0), [0] * RATE).correlation == 0.0
    assert find_speech([], []).correlation == 0.0
