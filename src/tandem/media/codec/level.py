"""How loud sound is, and whether somebody speaks.

The threshold follows the line: speech is what is clearly above the quietest that was heard lately, and above an
absolute floor, so that noise of a line is silence and a quiet voice is not. A level is the mean of every eleventh sample
of 100 ms: near enough, and a tenth of the work of all samples in 20 ms, which was more than all else that a recording costs.
"""

from array import array

from tandem.media.codec.g711 import RATE

FLOOR = 120.0
"""Mean absolute level below which nothing counts as speech: about -49 dBm0."""
WINDOW = RATE // 10
"""Samples over which a level is taken."""
_STRIDE = 11  # no usual tone has a period of eleven samples (727 Hz), or a whole part of it
_ABOVE_NOISE = 2.5
_CREEP = 1.1  # in 100 ms the noise floor rises by a tenth towards what is heard; it falls at once


def level(linear: bytes) -> float:
    """The mean absolute sample, 0 to 32768."""
    samples = array("h", linear[: len(linear) & ~1])[::_STRIDE]
    return sum(map(abs, samples)) / len(samples) if samples else 0.0


class SpeechDetector:
    """Counts how long it has been silent. Feed it all sound in order."""

    def __init__(self) -> None:
        self.silent_samples = 0
        self.heard_samples = 0
        self.speech_ends_at = 0
        self._noise = FLOOR
        self._rest = b""

    def feed(self, linear: bytes) -> None:
        """Take sound; :attr:`silent_samples` is then the length of the silence at its end."""
        data = self._rest + linear
        whole = len(data) // (2 * WINDOW) * 2 * WINDOW
        for at in range(0, whole, 2 * WINDOW):
            self._window(level(data[at : at + 2 * WINDOW]))
        self._rest = data[whole:]

    def _window(self, now: float) -> None:
        self.heard_samples += WINDOW
        speaking = now > max(FLOOR, self._noise * _ABOVE_NOISE)
        self._noise = now if now < self._noise else min(self._noise * _CREEP, now, 1500.0)
        if speaking:
            self.silent_samples = 0
            self.speech_ends_at = self.heard_samples
        else:
            self.silent_samples += WINDOW
