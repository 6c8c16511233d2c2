"""One audio stream on a UDP socket of this process: an :class:`AudioStream` driven by asyncio.

For a phone, the probe and single calls; many calls are ``media.engine``'s.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import assert_never, cast

from tandem.core.log import event, get_logger, surroundings
from tandem.media.aio.control import ControlPort
from tandem.media.aio.pacer import Pacer
from tandem.media.aio.player import AioPlayer
from tandem.media.bridge import StreamBridge
from tandem.media.codec.frames import FrameCache
from tandem.media.errors import NoPort, NotBridgeable
from tandem.media.events import DtmfReceived, DtmfSent, Played
from tandem.media.ports import tries
from tandem.media.recording import WRITE_S, Recorder
from tandem.media.session import FilePlayback, MediaSession, Playback, Recording, Sound, Stream
from tandem.media.stream import AudioStream

_log = get_logger("media")


class AioMedia:
    """See :class:`tandem.media.session.Media`; the sessions of one of these share what they encode."""

    def __init__(self) -> None:
        self._frames = FrameCache()

    async def open(self, host: str, ports: range, *, beside: MediaSession | None = None) -> MediaSession:
        """See :class:`Media`; any two of these sessions can be bridged."""
        loop = asyncio.get_running_loop()
        for port in tries(ports):
            try:
                _, session = await loop.create_datagram_endpoint(
                    lambda: AioSession(self._frames), local_addr=(host, port)
                )
            except OSError:
                continue
            return session
        raise NoPort(f"no UDP port of {ports.start}-{ports.stop - 1} is free on {host} for media; widen the range")

    async def start(self) -> None:
        """See :class:`Media`: there is nothing to start."""

    def problem(self) -> str:
        """See :class:`Media`: there is none."""
        return ""

    async def close(self) -> None:
        """See :class:`Media`: there is nothing to end."""


class AioSession(asyncio.DatagramProtocol):
    """See :class:`tandem.media.session.MediaSession`; made by :class:`AioMedia`."""

    def __init__(self, frames: FrameCache) -> None:
        self.on_digit: Callable[[str], None] = lambda digit: None
        self.on_lost: Callable[[str], None] = lambda why: None
        self.host, self.port = "", 0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._audio = AudioStream(frames)
        self._player = AioPlayer(self._audio)
        self._other: AioSession | None = None
        self._on_sound: Callable[[bytes], None] | None = None
        self._recording: _AioRecording | None = None
        self._control: ControlPort | None = None
        self._about = surroundings()  # the call's, for the line at its end
        self._ticks = 0

    @property
    def last_heard(self) -> float | None:
        """See :class:`MediaSession`."""
        return self._audio.last_heard

    @property
    def dtmf_sent(self) -> bool:
        """See :class:`MediaSession`."""
        return self._audio.dtmf_sent

    def start(self, stream: Stream) -> None:
        """See :class:`MediaSession`."""
        self._audio.start(stream)
        if stream.rtcp is not None and self._control is None:
            self._control = ControlPort(self.host, self.port, self._received_control)
        Pacer.here().add(self._tick)

    def play(self, sounds: Sequence[Sound]) -> Playback:
        """See :class:`MediaSession`."""
        return self._player.play(sounds)

    def play_file(self, path: Path, *, position_s: float = 0.0, speed: float = 1.0) -> FilePlayback:
        """See :class:`MediaSession`."""
        return self._player.play_file(path, position_s=position_s, speed=speed)

    async def bridge(self, other: MediaSession) -> None:
        """See :class:`MediaSession`."""
        if not isinstance(other, AioSession) or other is self:
            raise NotBridgeable("the other session is not in this process's asyncio media")
        if self._other is other:
            return
        self.unbridge()
        other.unbridge()
        self._other, other._other = other, self
        self._audio.bridge = other._audio.bridge = StreamBridge(
            self._audio.side(self._send), other._audio.side(other._send)
        )

    def unbridge(self) -> None:
        """See :class:`MediaSession`."""
        other, self._other = self._other, None
        bridge, self._audio.bridge = self._audio.bridge, None
        if other is not None and bridge is not None:
            other._other = other._audio.bridge = None
            bridge.end()

    def send_dtmf(self, digits: str) -> None:
        """See :class:`MediaSession`."""
        self._audio.send_dtmf(digits)

    def hear(self, on_sound: Callable[[bytes], None]) -> None:
        """See :class:`MediaSession`."""
        self._on_sound = on_sound
        self._audio.listening = True

    def record(self, path: Path, *, idle_s: float) -> Recording:
        """See :class:`MediaSession`."""
        if self._recording is not None:
            self._recording.stop()
        self._audio.listening = True
        self._recording = _AioRecording(path, idle_s, self._audio)
        return self._recording

    def close(self) -> None:
        """See :class:`MediaSession`."""
        Pacer.here().remove(self._tick)
        self.unbridge()
        self._hand_over(self._audio.finish(self._loop.time()))
        if self._recording is not None:
            self._recording.stop()
        self._player.close()
        self._send_control(goodbye=True)
        if self._transport is not None:
            self._transport.close()
        if self._control is not None:
            self._control.close()
        self._transport = self._control = self._on_sound = None  # nothing points back here: no work for the collector
        event(_log, logging.INFO, "media.closed", **{**self._about, **self._audio.summary.fields})

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
        self._hand_over(self._audio.take_sound(now))
        self._drain()

    def _hand_over(self, sound: bytes) -> None:
        if sound and self._on_sound is not None:
            self._on_sound(sound)
        if sound and self._recording is not None:
            self._recording.heard += sound

    def _received_control(self, data: bytes, source: tuple[str, int]) -> None:
        self._audio.receive_control(data, source, self._loop.time())

    def _send_control(self, *, goodbye: bool = False) -> None:
        data = self._audio.control(self._loop.time(), goodbye=goodbye)
        if data is None or self._transport is None or self._transport.is_closing():
            return
        if self._control is not None:
            self._control.send(data, self._audio.control_target)
        else:
            self._transport.sendto(data, self._audio.control_target)

    def _tick(self) -> None:
        self._ticks += 1
        if self._ticks % 50 == 0:
            self._send_control()
            self._player.report()
        data = self._audio.tick()
        if data is not None:
            self._send(data)
        self._drain()

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, self._audio.target)

    def _drain(self) -> None:
        for what in self._audio.take_events():
            match what:
                case DtmfReceived(digit=digit):
                    self.on_digit(digit)
                case Played():
                    self._player.played()
                case DtmfSent():
                    pass  # users ask dtmf_sent
                case _:
                    assert_never(what)


class _AioRecording(Recording):
    """Writes what was :attr:`heard` each second."""

    def __init__(self, path: Path, idle_s: float, audio: AudioStream) -> None:
        super().__init__(self._end)
        self.heard = bytearray()
        self._loop = asyncio.get_running_loop()
        self._audio = audio
        self._file = file = path.open("ab", buffering=0)
        self._recorder = Recorder(lambda data: file.write(data) or 0, idle_s=idle_s, now=self._loop.time())
        self._timer = self._loop.call_later(WRITE_S, self._each_second)

    def _each_second(self) -> None:
        self._timer = self._loop.call_later(WRITE_S, self._each_second)
        if self._write():
            self.on_silence()

    def _write(self) -> bool:
        heard, self.heard = bytes(self.heard), bytearray()
        return self._recorder.feed(heard, self._loop.time(), self._audio.last_heard, held=self._audio.held)

    def _end(self) -> None:
        self._timer.cancel()
        self._write()
        self.end(self._recorder.end())
        self._file.close()
