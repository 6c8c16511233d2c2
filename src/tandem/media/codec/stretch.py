"""Speech played faster or slower at its own pitch: WSOLA (Verhelst and Roelands, 1993), with 20 ms hops, sans-IO.

Each output frame is a piece of the input near the place that the speed asks for. The piece is moved by at most ``SEARCH``
samples, to where it resembles best what would have followed the frame before, and the two are cross-faded over ``OVERLAP``
samples. The search compares every fourth sample first and refines the best place. A frame costs about 150 µs on a busy core,
0.75 % of a core while a file plays (``bench/codecs.py`` measures it). Left out: transients, which other methods keep sharp.
"""

from array import array
from collections.abc import Callable
from itertools import accumulate
from operator import mul

HOP = 160
"""Samples in a frame of 20 ms at 8,000 Hz."""
OVERLAP = 80
SEARCH = 64
"""8 ms to either side: the period of the lowest voices (62 Hz) fits in."""
_COARSE = 4

Samples = Callable[[int, int], "array[int]"]


class Stretcher:
    """Made for one stretch of input; a seek makes a new one. ``samples(at, count)`` reads the input; it may give fewer."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._natural = -1  # where what follows the frame before is in the input

    def frame(self, at: int) -> bytes:
        """The next 160 samples of output, from about this place of the input; fewer at the end of the input."""
        if self._natural < 0:
            self._natural = at + HOP
            return self._samples(at, HOP).tobytes()
        follows = self._samples(self._natural, OVERLAP)
        begin = max(0, at - SEARCH)
        window = self._samples(begin, 2 * SEARCH + HOP)
        if len(follows) < OVERLAP or len(window) < SEARCH + HOP:  # the end of the input
            self._natural = at + HOP
            return self._samples(at, HOP).tobytes()
        place = _best_place(follows, window, len(window) - HOP)
        self._natural = begin + place + HOP
        piece = window[place : place + HOP]
        for i, old in enumerate(follows):
            piece[i] = (old * (OVERLAP - i) + piece[i] * i) // OVERLAP
        return piece.tobytes()


def _best_place(follows: "array[int]", window: "array[int]", last: int) -> int:
    """Where, up to ``last``, the window resembles most what follows: by normalized cross-correlation."""
    coarse, wide = follows[::_COARSE], window[::_COARSE]
    count = len(coarse)
    energy = [0, *accumulate(map(mul, wide, wide))]
    best, score = 0, float("-inf")
    for place in range(last // _COARSE + 1):
        likeness = sum(map(mul, coarse, wide[place : place + count]))
        likeness = likeness * abs(likeness) / (energy[place + count] - energy[place] + 1)
        if likeness > score:
            best, score = place * _COARSE, likeness
    near = range(max(0, best - _COARSE + 1), min(last, best + _COARSE - 1) + 1)
    return max(near, key=lambda place: sum(map(mul, follows, window[place : place + OVERLAP])))
