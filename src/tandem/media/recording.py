"""A recording that grows: what is heard goes to a file each second, and silence is noticed. Sans-IO: ``write`` is a port."""

from collections.abc import Callable

from tandem.media.codec.g711 import RATE
from tandem.media.codec.level import SpeechDetector
from tandem.media.session import Recorded

WRITE_S = 1.0
"""Seconds between two calls of :meth:`Recorder.feed`."""
MAX_UNWRITTEN = 60 * 2 * RATE
"""Bytes (a minute) that are kept while the disk takes nothing; what comes then is lost."""


class Recorder:
    """``write`` takes bytes and returns how many it took, as ``os.write`` does; what it did not take is tried again."""

    def __init__(self, write: Callable[[bytes], int], *, idle_s: float, now: float) -> None:
        self.failed = ""
        self._write = write
        self._idle_s = idle_s
        self._begun = now
        self._detector = SpeechDetector()
        self._held_samples = 0  # of the silence that the detector counts: those from before the end of a hold
        self._unwritten = b""
        self._samples = 0
        self._lost = False
        self._told = False

    def feed(self, linear: bytes, now: float, last_heard: float | None, *, held: bool = False) -> bool:
        """Take the sound since the last time; returns whether it has now, for the first time, been silent too long.

        Silence counts also where nothing at all arrives, but not while one side holds the other (``held``).
        """
        self._detector.feed(linear)
        self._keep(linear)
        quiet = self._detector.silent_samples
        if held:
            self._begun, self._held_samples = now, quiet
        elif quiet < self._held_samples:  # somebody spoke since
            self._held_samples = 0
        unheard = now - max(last_heard or 0.0, self._begun)
        silent = max((quiet - self._held_samples) / RATE, unheard) >= self._idle_s
        tell, self._told = silent and not self._told, silent
        return tell

    def _keep(self, linear: bytes) -> None:
        data = self._unwritten + linear
        try:
            while data:
                taken = self._write(data)
                self._samples += taken // 2
                data = data[taken:]
            self.failed = ""
        except OSError as error:
            self.failed = error.strerror or "disk error"
        self._unwritten = data[:MAX_UNWRITTEN]
        self._lost = self._lost or len(data) > MAX_UNWRITTEN

    def end(self) -> Recorded:
        """What there is; sound that the disk did not take is tried a last time."""
        self._keep(b"")
        failed = self.failed or ("the disk took nothing for too long" if self._lost else "")
        return Recorded(samples=self._samples, speech_ends_at=self._detector.speech_ends_at, failed=failed)


def recorded(linear: bytes) -> Recorded:
    """What a recorder would say of this sound, whose own recorder died."""
    detector = SpeechDetector()
    detector.feed(linear)
    return Recorded(samples=len(linear) // 2, speech_ends_at=detector.speech_ends_at)
