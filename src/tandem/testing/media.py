"""Media that makes no sound: for tests of signalling and menus on a loop whose time jumps."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from tandem.media.codec.g711 import RATE
from tandem.media.codec.wav import find_sound
from tandem.media.session import FilePlayback, MediaSession, Playback, Sound, Stream


class QuietSession:
    """A :class:`tandem.media.session.MediaSession`; ``streams`` are those that were started, the last one in force.

    Sounds are over at once; a file takes its time on the loop's clock.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.on_digit: Callable[[str], None] = lambda digit: None
        self.on_lost: Callable[[str], None] = lambda why: None
        self.streams: list[Stream] = []
        self.closed = False
        self.talks = False
        """Whether the peer counts as heard at every moment."""
        self.digits_sent = ""
        self.bridged_with: QuietSession | None = None
        self.beside: MediaSession | None = None
        """Which session this one was opened beside."""
        self._file: _SilentFile | None = None

    @property
    def last_heard(self) -> float | None:
        """See :class:`tandem.media.session.MediaSession`."""
        return asyncio.get_running_loop().time() if self.talks else None

    @property
    def dtmf_sent(self) -> bool:
        """Always."""
        return True

    def start(self, stream: Stream) -> None:
        """Note the agreement."""
        assert not self.closed, "media is not started after its end"
        self.streams.append(stream)

    def play(self, sounds: Sequence[Sound]) -> Playback:
        """Over at once."""
        self._stop_file()
        playback = Playback(lambda: None)
        playback.end(whole=True)
        return playback

    def play_file(self, path: Path, *, position_s: float = 0.0, speed: float = 1.0) -> FilePlayback:
        """Over after the time that the file takes."""
        self._stop_file()
        self._file = _SilentFile(path, position_s, speed)
        return self._file.playback

    def _stop_file(self) -> None:
        if self._file is not None:
            self._file.stop()

    async def bridge(self, other: MediaSession) -> None:
        """Note it at both."""
        assert isinstance(other, QuietSession) and not (self.closed or other.closed)
        self.unbridge()
        other.unbridge()
        self.bridged_with, other.bridged_with = other, self

    def unbridge(self) -> None:
        """Note it at both."""
        other, self.bridged_with = self.bridged_with, None
        if other is not None:
            other.bridged_with = None

    def send_dtmf(self, digits: str) -> None:
        """Noted in :attr:`digits_sent`."""
        self.digits_sent += digits

    def hear(self, on_sound: Callable[[bytes], None]) -> None:
        """There is nothing to be heard."""

    def close(self) -> None:
        """The end."""
        self.unbridge()
        self._stop_file()
        self.closed = True


class _SilentFile:
    """A file that is played by the loop's clock alone; see :class:`tandem.media.session.PlaybackControl`."""

    def __init__(self, path: Path, position_s: float, speed: float) -> None:
        data = path.read_bytes()
        self._duration = find_sound(lambda offset, size: data[offset : offset + size], len(data)).samples
        self._loop = asyncio.get_running_loop()
        self._position = min(max(0, round(position_s * RATE)), self._duration)
        self._since = self._loop.time()
        self._paused, self._speed = False, speed
        self._timer: asyncio.TimerHandle | None = None
        self.playback = FilePlayback(self.stop, self, speed=speed)
        self._go_on()

    def pause(self, paused: bool) -> None:
        self._stay()
        self._paused = paused
        self._go_on()

    def seek(self, position: int) -> None:
        self._stay()
        self._position = min(max(0, position), self._duration)
        self._go_on()

    def skip(self, samples: int) -> None:
        self._stay()
        self.seek(self._position + samples)

    def set_speed(self, speed: float) -> None:
        self._stay()
        self._speed = speed
        self._go_on()

    def stop(self) -> None:
        self._stay()
        self.playback.end(whole=False)

    def _stay(self) -> None:
        """Count what was played since the last change."""
        now = self._loop.time()
        if not self._paused:
            self._position = min(self._duration, self._position + round((now - self._since) * RATE * self._speed))
        self._since = now
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.playback.done.done():
            self.playback.at(self._position, self._duration)

    def _go_on(self) -> None:
        self.playback.at(self._position, self._duration)
        if not self._paused:
            self._timer = self._loop.call_later((self._duration - self._position) / RATE / self._speed, self._played)

    def _played(self) -> None:
        self._stay()
        self.playback.at(self._duration, self._duration)
        self.playback.end(whole=True)


class QuietMedia:
    """A :class:`tandem.media.session.Media`; ``sessions`` are all that were opened."""

    def __init__(self) -> None:
        self.sessions: list[QuietSession] = []
        self._ports = count(40_000, 2)

    async def open(self, host: str, ports: range, *, beside: MediaSession | None = None) -> QuietSession:
        """A session with a port that nobody listens on."""
        session = QuietSession(host, next(self._ports))
        session.beside = beside
        self.sessions.append(session)
        return session

    @property
    def at_rest(self) -> bool:
        """Whether every session was closed."""
        return all(session.closed for session in self.sessions)
