"""DTMF digits as tones in the sound (ITU-T Q.23), for peers that speak no telephone-event: hearing and making them.

Sound is looked at in blocks of 10 ms; two neighbours make a window, in which eight frequencies are measured (a discrete
Fourier transform at just these, which is what Goertzel's recurrence computes). A window tells of a digit if, by the rules
of ITU-T Q.24 (AT&T's column of its table, where the administrations differ):

- each of the two tones is loud enough, and neither is much louder than the other (twist);
- their frequencies are right to 2.5 % (to be taken within 1.5 %, refused beyond 3.5 %): seen by how the phase turns from
  one block to the next;
- nearly all that is heard is these two tones, which is what speech and music fail at.

Two windows in a row (30 ms; 40 ms have to be enough, 23 ms may not) start a digit, four without it (a pause of 40 ms has to
be seen, a break of 10 ms may not) end it. Blocks that are too quiet cost one look at their loudest sample.
"""

import cmath
import math
from array import array
from operator import mul

from tandem.media.codec import g711

LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_DIGITS = ("123A", "456B", "789C", "*0#D")
BLOCK = g711.RATE // 100
FULL_SCALE_DBM0 = 3.17  # G.711: the loudest sine
_QUIETEST_DBM0 = -32.0  # Q.24: -25 has to be heard, -55 may not
_MAX_HIGH_DB, _MAX_LOW_DB = 5.0, 9.0  # Q.24: 4 and 8 have to be taken
_MAX_DEVIATION = 0.025
_PURITY = 0.86
"""Share of the energy: the rest is 8 dB below. A tone of 23 ms makes at most one window, of two neighbours, that pure."""
_PRESSED, _RELEASED = 2, 4  # windows
_MADE_DBM0 = (-9.0, -7.0)  # a phone's, the high tone louder as the line will weaken it


def _amplitude(dbm0: float) -> float:
    return 32768 * 10 ** ((dbm0 - FULL_SCALE_DBM0) / 20)


_QUIETEST = _amplitude(_QUIETEST_DBM0)
_GATE = int(_QUIETEST)  # two tones add up to more than one at its peak
_COS = {f: [math.cos(2 * math.pi * f * n / g711.RATE) for n in range(BLOCK)] for f in (*LOW, *HIGH)}
_SIN = {f: [math.sin(2 * math.pi * f * n / g711.RATE) for n in range(BLOCK)] for f in (*LOW, *HIGH)}
_TURN = {f: cmath.exp(-2j * math.pi * f * BLOCK / g711.RATE) for f in (*LOW, *HIGH)}


class ToneReceiver:
    """Feed it all sound in order; it returns the digits."""

    def __init__(self) -> None:
        self._rest = b""
        self._before: _Block | None = None
        self._candidate = ""
        self._seen = 0
        self._pressed = ""
        self._missed = 0

    def feed(self, linear: bytes) -> str:
        """Take sound; return the digits that begin in it, mostly none."""
        data = self._rest + linear
        whole = len(data) // (2 * BLOCK) * 2 * BLOCK
        self._rest = data[whole:]
        return "".join(self._block(data[at : at + 2 * BLOCK]) for at in range(0, whole, 2 * BLOCK))

    def _block(self, linear: bytes) -> str:
        samples = array("h", linear)
        block = _Block(samples) if max(samples) >= _GATE else None
        before, self._before = self._before, block
        return self._window(_digit_of(before, block) if before and block else "")

    def _window(self, key: str) -> str:
        self._seen = self._seen + 1 if key == self._candidate else 1
        self._candidate = key
        if key == self._pressed:
            self._missed = 0
            return ""
        self._missed += 1
        if self._missed >= _RELEASED:
            self._pressed = ""
        if key and self._seen >= _PRESSED:
            self._pressed, self._missed = key, 0
            return key
        return ""


class _Block:
    """10 ms of sound: its energy, and what it has of each frequency."""

    __slots__ = ("_of", "energy", "samples")

    def __init__(self, samples: "array[int]") -> None:
        self.samples = samples
        self.energy = sum(map(mul, samples, samples))
        self._of: dict[int, complex] = {}

    def of(self, frequency: int) -> complex:
        found = self._of.get(frequency)
        if found is None:
            real = sum(map(mul, self.samples, _COS[frequency]))
            found = self._of[frequency] = complex(real, -sum(map(mul, self.samples, _SIN[frequency])))
        return found


def _digit_of(first: _Block, second: _Block) -> str:
    """The digit that two neighbouring blocks tell of, or nothing."""
    energy = (first.energy + second.energy) / (2 * BLOCK)
    low = _strongest(first, second, LOW)
    if low is None or low[1] < _PURITY * energy / (1 + 10 ** (_MAX_HIGH_DB / 10)):
        return ""  # too little for any twist that is taken: speech mostly ends here
    high = _strongest(first, second, HIGH)
    if high is None or low[1] + high[1] < _PURITY * energy:
        return ""
    twist_db = 10 * math.log10(high[1] / low[1])
    return _DIGITS[low[0]][high[0]] if -_MAX_LOW_DB <= twist_db <= _MAX_HIGH_DB else ""


def _strongest(first: _Block, second: _Block, group: tuple[int, ...]) -> tuple[int, float] | None:
    """Place and power of the strongest tone of a group, if it is loud enough and of the right frequency."""
    pairs = [(first.of(f), second.of(f) * _TURN[f]) for f in group]
    place = max(range(len(group)), key=lambda at: abs(sum(pairs[at])))
    one, other = pairs[place]
    off = cmath.phase(other * one.conjugate()) / (2 * math.pi) * g711.RATE / BLOCK  # Hz
    if abs(off) > _MAX_DEVIATION * group[place]:
        return None
    # A tone that is off by so much is measured weaker by this; 20 ms are a filter of 50 Hz.
    weaker = off / (g711.RATE / (2 * BLOCK)) * math.pi
    gain = math.sin(weaker) / weaker if abs(weaker) > 0.01 else 1.0
    amplitude = abs(one + other) / BLOCK / gain
    return (place, amplitude * amplitude / 2) if amplitude >= _QUIETEST else None


def tone_pair(digit: str, press_ms: int = 80) -> bytes:
    """A DTMF digit as linear sound."""
    row = next(at for at, digits in enumerate(_DIGITS) if digit.upper() in digits)
    tones = zip((LOW[row], HIGH[_DIGITS[row].index(digit.upper())]), map(_amplitude, _MADE_DBM0), strict=True)
    parts = [(2 * math.pi * frequency / g711.RATE, amplitude) for frequency, amplitude in tones]
    count = g711.RATE * press_ms // 1000
    return array("h", [int(sum(a * math.sin(w * n) for w, a in parts)) for n in range(count)]).tobytes()
