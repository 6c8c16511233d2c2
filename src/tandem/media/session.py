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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What was agreed on: where the peer hears us, the codec by its name, and the keys for SRTP (master key and salt).

    ``rtcp`` is where the peer hears reports, if not on the port of its RTP. ``tones`` says to detect DTMF in the sound.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """16-bit linear sound at 8,000 Hz with an identity, so that it is encoded once for however many calls play it."""

    digest: bytes
    linear: bytes = field(repr=False, compare=False)

    @classmethod
    def of(cls, linear: bytes) -> "Sound":
        """This sound; equal samples are equal sounds."""
        return cls(digest=hashlib.blake2b(linear, digest_size=16).digest(), linear=linear)


class Playback:
    """Sound that is being played; wait for :attr:`done`, which says whether it was played to its end."""

    def __init__(self, silence: Callable[[], None]) -> None:
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._silence = silence

    def stop(self) -> None:
        """Be silent from here on."""
        if not self.done.done():
            self._silence()
            self.end(whole=False)

    def end(self, *, whole: bool) -> None:
        """The session: it is over."""
        if not self.done.done():
            self.done.set_result(whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a recording came to. ``speech_ends_at`` is the sample behind the last speech; ``failed`` a disk's complaint."""

    samples: int
    speech_ends_at: int
    failed: str = ""


class Recording:
    """A recording that grows on disk; wait for :attr:`done`, which comes after :meth:`stop` or the session's end."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.on_silence: Callable[[], None] = lambda: None
        """Told when nobody has spoken for the time that was given."""
        self.done: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()
        self._stop = stop

    def stop(self) -> "asyncio.Future[Recorded]":
        """Record no more. Returns :attr:`done`."""
        if not self.done.done():
            self._stop()
        return self.done

    def end(self, what: Recorded) -> None:
        """The session: it is over."""
        if not self.done.done():
            self.done.set_result(what)


class MediaSession(Protocol):
    """One audio stream of a call: made by :class:`Media`, begun by :meth:`start`, ended by :meth:`close`."""

    host: str
    port: int
    on_digit: Callable[[str], None]
    """Called with each DTMF digit that the peer sends."""
    on_lost: Callable[[str], None]
    """Told once, and why, when the stream is gone for another reason than :meth:`close`."""

    @property
    def last_heard(self) -> float | None:
        """When the peer was last heard, on the monotonic clock; up to two seconds older than the truth."""

    @property
    def dtmf_sent(self) -> bool:
        """Whether every DTMF digit has gone out."""

    def start(self, stream: Stream) -> None:
        """Send and hear as agreed. Starting again (re-INVITE) keeps sequence and clock, and SRTP keys that did not change."""

    def play(self, sounds: Sequence[Sound]) -> Playback:
        """Play sounds, one after the other; what was playing stops."""

    def record(self, path: Path, *, idle_s: float) -> Recording:
        """Append what the peer says to a file, as 16-bit linear sound at 8,000 Hz, each second; one at a time."""

    def send_dtmf(self, digits: str) -> None:
        """Send DTMF digits (``0``-``9``, ``*``, ``#``, ``A``-``D``), one after the other with pauses of 100 ms."""

    def hear(self, on_sound: Callable[[bytes], None]) -> None:
        """Hand over what the peer says from now on, as linear sound."""

    def close(self) -> None:
        """Stop, give out what was held back, end recording and playback, free the port."""


class Media(Protocol):
    """Where sessions come from."""

    async def start(self) -> None:
        """Get ready to serve."""

    async def open(self, host: str, ports: range) -> MediaSession:
        """A session on an even port of the range on ``host``; ``range(0, 1)`` leaves the port to the system.

        Raises :class:`tandem.media.errors.Unavailable` if none is free, or nobody is there to serve it.
        """

    def problem(self) -> str:
        """Why nothing can be opened now; an empty text if it can."""

    async def close(self) -> None:
        """Serve no more, after what was heard has been written."""
