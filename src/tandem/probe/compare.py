"""Is what was recorded what was spoken? The evidence behind "a message arrived, with this content".

Both are 16-bit linear samples at 8,000 Hz. The loudness of 20 ms windows finds roughly where the spoken piece lies in
the recording; samples then find it exactly, and their normalized correlation over the whole piece is the answer: 1.0
for the same sound at any volume, above 0.95 after G.711, near 0 for anything else. Sub-sample shifts and changes of
speed are left out: the path is digital from end to end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

RATE = 8000
_WINDOW = 160  # 20 ms
_PROBE = 4000  # half a second is enough to find the exact offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Where the spoken piece was found (samples into the recording; may be negative) and how alike it is there."""

    offset: int
    correlation: float


def find_speech(spoken: Sequence[int], recorded: Sequence[int]) -> Match:
    """Find ``spoken`` in ``recorded``; either may be the longer. Silence or nothing matches with correlation 0."""
    spoken, recorded = list(spoken), list(recorded)  # an array makes a number of each sample each time that it is read
    spoken_loud, recorded_loud = _loudness(spoken), _loudness(recorded)
    if not any(spoken_loud) or not any(recorded_loud):
        return Match(offset=0, correlation=0.0)
    rough = max(
        range(-len(spoken_loud) // 2, len(recorded_loud)), key=lambda shift: _dot(spoken_loud, recorded_loud, shift)
    )
    heard = range(max(0, -rough), min(len(spoken_loud), len(recorded_loud) - rough))
    loudest = max(heard, key=spoken_loud.__getitem__) * _WINDOW
    start = max(heard.start * _WINDOW, min(loudest - _PROBE // 2, heard.stop * _WINDOW - _PROBE))
    piece = spoken[start : start + _PROBE]
    near = rough * _WINDOW
    exact = max(
        range(near - 2 * _WINDOW, near + 2 * _WINDOW + 1), key=lambda shift: _dot(piece, recorded, shift + start)
    )
    return Match(offset=exact, correlation=_correlation(spoken, recorded, exact))


def _loudness(samples: Sequence[int]) -> list[float]:
    windows = (samples[at : at + _WINDOW] for at in range(0, len(samples) - _WINDOW + 1, _WINDOW))
    return [math.sqrt(sum(map(mul, window, window)) / _WINDOW) for window in windows]


def _overlap(a: Sequence[float], b: Sequence[float], shift: int) -> tuple[Sequence[float], Sequence[float]]:
    """The parts of ``a`` and ``b`` that meet when ``a`` begins ``shift`` places into ``b``."""
    skip = max(0, -shift)
    first = max(0, shift)
    length = max(0, min(len(a) - skip, len(b) - first))
    return a[skip : skip + length], b[first : first + length]


def _dot(a: Sequence[float], b: Sequence[float], shift: int) -> float:
    total: float = sum(map(mul, *_overlap(a, b, shift)))
    return total


def _correlation(a: Sequence[float], b: Sequence[float], shift: int) -> float:
    """What is missing from ``b`` counts against the match: the norm of ``a`` is that of the whole piece."""
    met = _overlap(a, b, shift)[1]
    norm = math.sqrt(sum(map(mul, a, a)) * sum(map(mul, met, met)))
    return _dot(a, b, shift) / norm if norm else 0.0
