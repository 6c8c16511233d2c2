"""Media that makes no sound: for tests of signalling on a loop whose time jumps."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count

from tandem.media.session import Playback, Sound, Stream


class QuietSession:
    """A :class:`tandem.media.session.MediaSession`; ``streams`` are those that were started, the last one in force."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.on_digit: Callable[[str], None] = lambda digit: None
        self.on_lost: Callable[[str], None] = lambda why: None
        self.streams: list[Stream] = []
        self.closed = False
        self.talks = False
        """Whether the peer counts as heard at every moment."""

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
        playback = Playback(lambda: None)
        playback.end(whole=True)
        return playback

    def send_dtmf(self, digits: str) -> None:
        """Nobody hears them."""

    def hear(self, on_sound: Callable[[bytes], None]) -> None:
        """There is nothing to be heard."""

    def close(self) -> None:
        """The end."""
        self.closed = True


class QuietMedia:
    """A :class:`tandem.media.session.Media`; ``sessions`` are all that were opened."""

    def __init__(self) -> None:
        self.sessions: list[QuietSession] = []
        self._ports = count(40_000, 2)

    async def open(self, host: str, ports: range) -> QuietSession:
        """A session with a port that nobody listens on."""
        session = QuietSession(host, next(self._ports))
        self.sessions.append(session)
        return session

    @property
    def at_rest(self) -> bool:
        """Whether every session was closed."""
        return all(session.closed for session in self.sessions)
