"""What a stream plays: sounds that many calls share, or a file that is read piece by piece. Sans-IO: ``read`` is a port.

A file is read in slices of one second (16,000 bytes of linear sound), so that a message of any length takes that much memory.
The engine reads on the worker's loop: one ``pread`` a second and call, of a file whose next pages the kernel was told to
fetch (``POSIX_FADV_WILLNEED``), so that it rarely waits for the disk.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Protocol

from tandem.media.codec import g711
from tandem.media.codec.frames import FrameCache
from tandem.media.codec.stretch import HOP, Stretcher
from tandem.media.codec.table import CODECS, FRAME_BYTES, silence
from tandem.media.codec.wav import WavLayout, find_sound
from tandem.media.session import Sound

SLICE = g711.RATE
"""Samples that are read at once."""
_MARGIN = 512  # samples that are kept before the current position, for the stretcher
_LEAD = 5

Read = Callable[[int, int], bytes]
"""``read(offset, size)``, as ``os.pread``: fewer bytes than asked for at the end of the file."""


class PlaybackSource(Protocol):
    """Something that is played in frames of 20 ms."""

    def payloads(self, codec: str, played: int) -> Iterator[bytes]:
        """The frames still to be played, of which ``played`` have gone out before (after a change of codec, too)."""

    def position(self, played: int) -> int:
        """Samples of the source that have been played when so many frames have gone out."""


class SoundSource:
    """Sounds, one after the other."""

    def __init__(self, sounds: Sequence[Sound], frames: FrameCache) -> None:
        self._sounds = tuple(sounds)
        self._shared = frames

    def payloads(self, codec: str, played: int) -> Iterator[bytes]:
        """See :class:`PlaybackSource`."""
        frames = chain.from_iterable(self._shared.frames(sound, codec) for sound in self._sounds)
        return islice(frames, played, None) if played else frames

    def position(self, played: int) -> int:
        """See :class:`PlaybackSource`."""
        return min(played * g711.FRAME, sum(len(sound.linear) // 2 for sound in self._sounds))


class FileSource:
    """A WAV file, or linear sound at 8,000 Hz without a header, as a recording is before it is finished.

    It can be paused, moved in and played at another speed while it plays. Raises
    :class:`tandem.media.errors.BadWav` for a WAV file of another kind, and what ``read`` raises.
    """

    def __init__(self, read: Read, size: int, *, position: int = 0, speed: float = 1.0) -> None:
        self.paused = False
        self.failed = ""
        """Why it ended early: the file could not be read any more."""
        self._read = read
        self._layout: WavLayout = find_sound(read, size)
        self._speed = speed
        self._at = float(min(max(0, position), self._layout.samples))
        self._stretcher = Stretcher(self._samples)
        self._slice, self._slice_at = b"", 0

    @property
    def duration(self) -> int:
        """Samples in the file."""
        return self._layout.samples

    def position(self, played: int = 0) -> int:
        """See :class:`PlaybackSource`: the place in the file, whatever was skipped."""
        return min(int(self._at), self.duration)

    def pause(self, paused: bool) -> None:
        """Stay where it is, or go on."""
        self.paused = paused

    def seek(self, position: int) -> None:
        """Go on at this sample of the file; before its beginning is its beginning, behind its end its end."""
        self._at = float(min(max(0, position), self.duration))
        self._stretcher = Stretcher(self._samples)

    def skip(self, samples: int) -> None:
        """Go so far forward, or back if negative."""
        self.seek(int(self._at) + samples)

    def set_speed(self, speed: float) -> None:
        """Play on at this speed; 1.0 is the file's own."""
        if speed != self._speed:
            self._speed = speed
            self._stretcher = Stretcher(self._samples)

    def payloads(self, codec: str, played: int) -> Iterator[bytes]:
        """See :class:`PlaybackSource`; silence while it is paused."""
        spoken = CODECS[codec]
        encoder = spoken.encoder()
        if spoken.remembers:
            encoder.encode(bytes(_LEAD * FRAME_BYTES))
        quiet = silence(codec)
        while True:
            if self.paused:
                if spoken.remembers:
                    yield from encoder.encode(bytes(FRAME_BYTES))
                else:
                    yield quiet
            elif frame := self._frame():
                yield from encoder.encode(frame.ljust(FRAME_BYTES, b"\0"))
            else:
                return

    def _frame(self) -> bytes:
        at = int(self._at)
        if at >= self.duration:
            return b""
        try:
            frame = self._linear(at, HOP) if self._speed == 1.0 else self._stretcher.frame(at)
        except OSError as error:
            self.failed = error.strerror or "disk error"
            return b""
        if not frame:
            self.failed = "the file is shorter than its header says"
        self._at += HOP * self._speed
        return frame

    def _samples(self, at: int, count: int) -> "array[int]":
        return array("h", self._linear(at, count))

    def _linear(self, at: int, count: int) -> bytes:
        """So many samples from there, or as many as there are."""
        begin = at - self._slice_at
        if begin < 0 or (begin + count) * 2 > len(self._slice):
            end = min(at + count, self.duration)
            if begin < 0 or self._slice_at + len(self._slice) // 2 < end:
                self._slice_at = max(0, at - _MARGIN)
                self._slice = self._layout.read(self._read, self._slice_at, SLICE + _MARGIN + count)
            begin = at - self._slice_at
        return self._slice[2 * begin : 2 * (begin + count)]
