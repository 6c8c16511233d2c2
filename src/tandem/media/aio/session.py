"""One audio stream on a UDP socket of this process: an :class:`AudioStream` driven by asyncio.

For a phone, the probe and single calls; many calls are ``media.engine``'s.
"""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Sequence
from typing import assert_never, cast

from tandem.core.log import event, get_logger
from tandem.media.aio.pacer import Pacer
from tandem.media.errors import NoPort
from tandem.media.frames import FrameCache
from tandem.media.session import MediaSession, Playback, Sound, Stream
from tandem.media.stream import AudioStream, KeyPressed, Played

_log = get_logger("media")


class AioMedia:
    """Opens sessions; those of one of these share what they encode."""

    def __init__(self) -> None:
        self._frames = FrameCache()

    async def open(self, host: str, ports: range) -> MediaSession:
        """See :class:`tandem.media.session.Media`."""
        loop = asyncio.get_running_loop()
        for port in _tries(ports):
            try:
                _, session = await loop.create_datagram_endpoint(
                    lambda: AioSession(self._frames), local_addr=(host, port)
                )
            except OSError:
                continue
            return session
        raise NoPort(f"no UDP port of {ports.start}-{ports.stop - 1} is free on {host} for media; widen the range")


class AioSession(asyncio.DatagramProtocol):
    """See :class:`tandem.media.session.MediaSession`; made by :class:`AioMedia`."""

    def __init__(self, frames: FrameCache) -> None:
        self.on_key: Callable[[str], None] = lambda key: None
        self.on_lost: Callable[[str], None] = lambda why: None
        self.host, self.port = "", 0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._audio = AudioStream(frames)
        self._playback: Playback | None = None
        self._on_sound: Callable[[bytes], None] = lambda linear: None

    @property
    def last_heard(self) -> float | None:
        """See :class:`MediaSession`."""
        return self._audio.last_heard

    @property
    def keys_sent(self) -> bool:
        """See :class:`MediaSession`."""
        return self._audio.keys_sent

    def start(self, stream: Stream) -> None:
        """See :class:`MediaSession`."""
        self._audio.start(stream)
        Pacer.here().add(self._tick)

    def play(self, sounds: Sequence[Sound]) -> Playback:
        """See :class:`MediaSession`."""
        if self._playback is not None:
            self._playback.end(whole=False)
        self._audio.play(sounds)
        self._playback = playback = Playback(lambda: self._audio.play(()))
        if not sounds:
            playback.end(whole=True)
        return playback

    def send_keys(self, keys: str) -> None:
        """See :class:`MediaSession`."""
        self._audio.press(keys)

    def hear(self, on_sound: Callable[[bytes], None]) -> None:
        """See :class:`MediaSession`."""
        self._on_sound = on_sound
        self._audio.listening = True

    def close(self) -> None:
        """See :class:`MediaSession`."""
        Pacer.here().remove(self._tick)
        if rest := self._audio.finish(self._loop.time()):
            self._on_sound(rest)
        if self._playback is not None:
            self._playback.end(whole=False)
        if self._transport is not None:
            self._transport.close()
        counts = self._audio.statistics
        event(
            _log,
            logging.DEBUG,
            "media.closed",
            received=counts.received,
            lost=counts.lost,
            late=counts.late,
            dropped=self._audio.dropped,
        )

    # Asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: the socket is bound."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own class does not say so before 3.12
        self.host, self.port = transport.get_extra_info("sockname")[:2]
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)

    def error_received(self, exc: Exception) -> None:
        """Asyncio: the peer's port is closed (ICMP); signalling decides about the call."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Asyncio: a packet came."""
        now = self._loop.time()
        self._audio.receive_from(data, (addr[0], addr[1]), now)
        if sound := self._audio.take_sound(now):
            self._on_sound(sound)
        self._drain()

    def _tick(self) -> None:
        data = self._audio.tick()
        if data is not None and self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, self._audio.target)
        self._drain()

    def _drain(self) -> None:
        events, self._audio.events = self._audio.events, []
        for what in events:
            match what:
                case KeyPressed(key=key):
                    self.on_key(key)
                case Played():
                    if self._playback is not None:
                        self._playback.end(whole=True)
                case _:
                    assert_never(what)


def _tries(ports: range) -> list[int]:
    if ports == range(1):
        return [0]
    even = [port for port in ports if port % 2 == 0]
    start = secrets.randbelow(len(even)) if even else 0
    return even[start:] + even[:start]
