"""How loud sound is, and whether somebody speaks.

The threshold follows the line: speech is what stands clearly above the quietest that was heard lately, and above an
absolute floor, so that noise of a line is silence and a quiet voice is not.
"""

from array import array

from tandem.media.g711 import FRAME

FLOOR = 120.0
"""Mean absolute level below which nothing counts as speech: about -49 dBm0."""
_ABOVE_NOISE = 2.5
_CREEP = 1.02  # the noise floor rises by 2 % per frame towards what is heard, and falls at once


def level(linear: bytes) -> float:
    """The mean absolute sample, 0 to 32768."""
    samples = array("h")
    samples.frombytes(linear[: len(linear) & ~1])
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
        whole = len(data) // (2 * FRAME) * 2 * FRAME
        for at in range(0, whole, 2 * FRAME):
            self._frame(data[at : at + 2 * FRAME])
        self._rest = data[whole:]

    def _frame(self, frame: bytes) -> None:
        now = level(frame)
        self.heard_samples += FRAME
        speaking = now > max(FLOOR, self._noise * _ABOVE_NOISE)
        self._noise = min(now, self._noise * _CREEP) if now < self._noise else min(self._noise * _CREEP, now, 1500.0)
        if speaking:
            self.silent_samples = 0
            self.speech_ends_at = self.heard_samples
        else:
            self.silent_samples += FRAME
