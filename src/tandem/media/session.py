"""What a call needs of its media: the port :class:`MediaSession`, and the values that pass through it.

Two adapters: ``media.aio`` serves single calls within the process (a phone, the probe), ``media.engine`` many calls in
processes of their own. Both drive the same core, :class:`tandem.media.stream.AudioStream`. A port of asyncio's users, so
that what ends later is a future.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tandem.media.codec.g711 import RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What was agreed on: where the peer receives, the codec by its name, and the keys for SRTP (master key and salt).

    ``rtcp`` is where the peer receives reports, if not on the port of its RTP. ``tones`` says to detect DTMF in the sound.
    ``held`` says that one side holds the other: silence then means nothing.
    """

    host: str
    port: int
    codec: str
    payload_type: int
    event_type: int | None = None
    event_clock: int = 8000
    tones: bool = False
    rtcp: tuple[str, int] | None = None
    suite: str = ""
    send_key: bytes = field(default=b"", repr=False)
    receive_key: bytes = field(default=b"", repr=False)
    send: bool = True
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """16-bit linear sound at 8,000 Hz with an identity, so that it is encoded once for however many calls play it."""

    digest: bytes
    linear: bytes = field(repr=False, compare=False)

    @classmethod
    def of(cls, linear: bytes) -> "Sound":
        """This sound; equal samples are equal sounds."""
        return cls(digest=hashlib.blake2b(linear, digest_size=16).digest(), linear=linear)


SPEEDS = (0.75, 1.0, 1.25, 1.5)
"""Speeds at which a file is played, its pitch unchanged; 1.0 is its own."""


class Playback:
    """Sound that is being played; wait for :attr:`done`, which says whether it was played to its end."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.position_s = 0.0
        """Seconds of sound that were played; for a file the place in it. Exact once :attr:`done` is."""
        self.failed = ""
        """Why a file was not played, or not to its end; empty if it was or was stopped."""
        self._stop = stop

    def stop(self) -> None:
        """Be silent from here on; :attr:`done` follows, and :attr:`position_s` is where it stopped."""
        if not self.done.done():
            self._stop()

    def end(self, *, whole: bool, failed: str = "") -> None:
        """The session: it is over. Whom it would stop can be forgotten."""
        self._stop = _nothing
        if not self.done.done():
            self.failed = failed
            self.done.set_result(whole)


def _nothing() -> None:
    """Nobody is told."""


def _check_speed(speed: float) -> None:
    if speed not in SPEEDS:
        raise ValueError(f"speed {speed:g}; expected one of {', '.join(f'{s:g}' for s in SPEEDS)}")


class PlaybackControl(Protocol):
    """What a driver does for a :class:`FilePlayback`; samples are the file's, at 8,000 Hz."""

    def pause(self, paused: bool) -> None:
        """Stay where it is, or go on."""

    def seek(self, position: int) -> None:
        """Go on at this sample."""

    def skip(self, samples: int) -> None:
        """Go so far forward, or back if negative."""

    def set_speed(self, speed: float) -> None:
        """Play on at this speed."""


class FilePlayback(Playback):
    """A file that is being played. ``position_s`` is reported each second, after each command and at the end."""

    def __init__(self, stop: Callable[[], None], control: PlaybackControl, *, speed: float = 1.0) -> None:
        super().__init__(stop)
        _check_speed(speed)
        self.duration_s: float | None = None
        """Seconds in the whole file, once it was opened."""
        self.paused = False
        self.speed = speed
        self._control = control

    def pause(self) -> None:
        """Be silent, and stay where it is."""
        self._set_paused(True)

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        self._set_paused(False)

    def skip(self, seconds: float) -> None:
        """Go so many seconds forward, or back if negative; at most to the file's end, which ends the playback."""
        if not self.done.done():
            self._control.skip(round(seconds * RATE))

    def seek(self, position_s: float) -> None:
        """Go on at this place."""
        if not self.done.done():
            self._control.seek(round(position_s * RATE))

    def set_speed(self, speed: float) -> None:
        """Play on at one of :data:`SPEEDS`. Raises :class:`ValueError` for another."""
        _check_speed(speed)
        if not self.done.done():
            self.speed = speed
            self._control.set_speed(speed)

    def at(self, position: int, duration: int) -> None:
        """The session: it is there, in samples."""
        self.position_s, self.duration_s = position / RATE, duration / RATE

    def _set_paused(self, paused: bool) -> None:
        if not self.done.done():
            self.paused = paused
            self._control.pause(paused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a recording came to. ``speech_ends_at`` is the sample behind the last speech; ``failed`` a disk's complaint."""

    samples: int
    speech_ends_at: int
    failed: str = ""


class Recording:
    """A recording that grows on disk; wait for :attr:`done`, which comes after :meth:`stop` or the session's end."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.on_silence: Callable[[], None] = _nothing
        """Told when nobody has spoken for the time that was given."""
        self.done: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()
        self._stop = stop

    def stop(self) -> "asyncio.Future[Recorded]":
        """Record no more. Returns :attr:`done`."""
        if not self.done.done():
            self._stop()
        return self.done

    def end(self, what: Recorded) -> None:
        """The session: it is over. Whom it would stop or tell can be forgotten."""
        self._stop = self.on_silence = _nothing
        if not self.done.done():
            self.done.set_result(what)


class MediaSession(Protocol):
    """One audio stream of a call: made by :class:`Media`, begun by :meth:`start`, ended by :meth:`close`."""

    host: str
    port: int
    on_digit: Callable[[str], None]
    """Called with each DTMF digit that the peer sends."""
    on_lost: Callable[[str], None]
    """Called once, with the reason, when the stream is lost for another reason than :meth:`close`."""

    @property
    def last_heard(self) -> float | None:
        """When the peer was last heard, on the monotonic clock; up to two seconds older than the truth."""

    @property
    def dtmf_sent(self) -> bool:
        """Whether every DTMF digit has gone out."""

    def start(self, stream: Stream) -> None:
        """Send and receive as agreed. A re-INVITE starts it again: numbers, clock and unchanged SRTP keys go on."""

    def play(self, sounds: Sequence[Sound]) -> Playback:
        """Play sounds, one after the other; what was playing stops."""

    def play_file(self, path: Path, *, position_s: float = 0.0, speed: float = 1.0) -> FilePlayback:
        """Play a WAV file (mono, 8,000 Hz, 16-bit linear or G.711), or what :meth:`record` writes; what was playing stops.

        A file that cannot be opened or read ends the playback, with the reason in its ``failed``. ``speed`` is one of
        :data:`SPEEDS`; another raises :class:`ValueError`.
        """

    def record(self, path: Path, *, idle_s: float) -> Recording:
        """Append what the peer says to a file, as 16-bit linear sound at 8,000 Hz, each second; one at a time.

        :attr:`Recording.on_silence` is called after ``idle_s`` seconds without speech, of which none counts while one side
        holds the other.
        """

    def send_dtmf(self, digits: str) -> None:
        """Send DTMF digits (``0``-``9``, ``*``, ``#``, ``A``-``D``), one after the other with pauses of 100 ms."""

    def hear(self, on_sound: Callable[[bytes], None]) -> None:
        """Hand over what the peer says from now on, as linear sound."""

    async def bridge(self, other: "MediaSession") -> None:
        """Send each peer what the other says, DTMF included; a bridge with another session ends first, the same one goes on.

        Neither has to be started yet. Our own sound goes before that of the other peer while it plays. Both sessions
        have to be of one :class:`Media`, and ``other`` opened ``beside`` this one, or this beside it: else
        :class:`tandem.media.errors.NotBridgeable`. A session that is closed or lost leaves the other one unbridged.
        """

    def unbridge(self) -> None:
        """End the bridge, if there is one: each peer hears our own sound again."""

    def close(self) -> None:
        """Stop, give out what was held back, end recording and playback, free the port."""


class Media(Protocol):
    """Where sessions come from."""

    async def start(self) -> None:
        """Get ready to serve."""

    async def open(self, host: str, ports: range, *, beside: MediaSession | None = None) -> MediaSession:
        """A session on an even port of the range on ``host``; ``range(0, 1)`` leaves the port to the system.

        It can be bridged with the session ``beside`` which it is opened.

        Raises :class:`tandem.media.errors.Unavailable` if none is free, or nobody is there to serve it.
        """

    def problem(self) -> str:
        """Why nothing can be opened now; an empty text if it can."""

    async def close(self) -> None:
        """Serve no more, after what was heard has been written."""
