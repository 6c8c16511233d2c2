"""One call in a worker: its socket, its stream, and what is done with both. The loop is :mod:`tandem.media.engine.worker`."""

import contextlib
import os
from collections.abc import Callable
from socket import socket
from typing import assert_never

from tandem.media.bridge import StreamBridge
from tandem.media.codec.frames import FrameCache
from tandem.media.engine import wire
from tandem.media.engine.player import CallPlayer
from tandem.media.engine.udp import disconnect, open_beside
from tandem.media.events import DtmfReceived, DtmfSent, Played
from tandem.media.recording import Recorder
from tandem.media.session import Stream
from tandem.media.stream import AudioStream

Tell = Callable[[wire.Message], None]
MAX_DATAGRAM = 2048
_MAX_QUEUED = 1000
_MAX_REPORTS = 10  # a peer sends one each five seconds; what is beyond that waits, and is dropped by the kernel


class WorkerCall:
    """``receive`` takes a datagram of the peer and ``send`` one to it; the loop calls both without asking more."""

    __slots__ = (
        "_control",
        "_file",
        "_hearing",
        "_other",
        "_path",
        "_recorder",
        "_sock",
        "_tell",
        "connected",
        "fd",
        "number",
        "player",
        "send",
        "stream",
        "tick",
    )

    def __init__(self, number: int, sock: socket, frames: FrameCache, tell: Tell) -> None:
        self.number = number
        self.fd = sock.fileno()
        self.stream = AudioStream(frames)
        self.tick = self.stream.tick
        self.send: Callable[[bytes], int] = self._send_to
        self.connected = False
        self._sock = sock
        self._tell = tell
        self.player = CallPlayer(number, self.stream, tell)
        self._other: WorkerCall | None = None
        self._hearing = False
        self._recorder: Recorder | None = None
        self._path, self._file = "", -1
        self._control: socket | None = None

    # The sockets

    def start(self, stream: Stream) -> None:
        """Begin, or go on with a new agreement; a peer that moves is looked for again."""
        self.stream.start(stream)
        if self.stream.source is None:
            self._disconnect()

    def receive_anybody(self, now: float) -> None:
        """Read what waits while the peer's address is not known, and bind the socket to it once it is.

        From then on the kernel drops what others send; what they sent before is read here, and not heard.
        """
        for _ in range(_MAX_QUEUED):
            try:
                data, source = self._sock.recvfrom(MAX_DATAGRAM)
            except OSError:
                return
            self.stream.receive_from(data, source[:2], now)
            if not self.connected and self.stream.source is not None:
                self._connect()

    def open_control(self) -> int | None:
        """Open the port beside, where reports come if the peer does not share one; returns its descriptor if it is new."""
        if self._control is not None or self.stream.stream is None or self.stream.stream.rtcp is None:
            return None
        self._control = open_beside(self._sock)
        return self._control.fileno() if self._control is not None else None

    @property
    def control_fd(self) -> int | None:
        """The descriptor of the port beside."""
        return self._control.fileno() if self._control is not None else None

    def receive_control(self, now: float) -> None:
        """Read what waits there."""
        assert self._control is not None, "opened"
        for _ in range(_MAX_REPORTS):
            try:
                data, source = self._control.recvfrom(MAX_DATAGRAM)
            except OSError:
                return
            self.stream.receive_control(data, source[:2], now)

    def _send_control(self, data: bytes | None) -> None:
        if data is None:
            return
        try:
            (self._control or self._sock).sendto(data, self.stream.control_target)
        except OSError:  # nobody there: as if it were lost on the way
            return

    def _connect(self) -> None:
        if self.stream.source != self.stream.target:  # it sends from elsewhere than it hears
            return
        try:
            self._sock.connect(self.stream.target)
        except OSError:
            return
        self.connected, self.send = True, self._sock.send

    def _disconnect(self) -> None:
        if self.connected:
            disconnect(self._sock)
            self.connected, self.send = False, self._send_to

    def _send_to(self, data: bytes) -> int:
        return self._sock.sendto(data, self.stream.target)

    # The bridge

    def bridge(self, other: "WorkerCall") -> None:
        """Send each peer what the other says."""
        if self._other is other:
            return
        self.unbridge()
        other.unbridge()
        self._other, other._other = other, self
        self.stream.bridge = other.stream.bridge = StreamBridge(
            self.stream.side(self._relay), other.stream.side(other._relay)
        )

    def unbridge(self) -> None:
        """End the bridge, if there is one."""
        other, self._other = self._other, None
        bridge, self.stream.bridge = self.stream.bridge, None
        if other is not None and bridge is not None:
            other._other = other.stream.bridge = None
            bridge.end()

    def _relay(self, data: bytes) -> None:
        try:
            self.send(data)
        except OSError:  # nobody there, or no room: as if it were lost on the way
            return

    # What is heard and recorded

    def listen(self) -> None:
        """Hand over what is heard."""
        self._hearing = self.stream.listening = True

    def record(self, path: str, idle_s: float, now: float) -> None:
        """Append what is heard to a file; one that cannot be opened is tried again each second, as it is written."""
        self.end_record(now)
        self._path = path
        with contextlib.suppress(OSError):  # told when there is something to write
            self._open()
        self.stream.listening = True
        self.stream.take_sound(now)
        self._recorder = Recorder(self._write, idle_s=idle_s, now=now)

    def _open(self) -> int:
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file

    def _write(self, data: bytes) -> int:
        return os.write(self._open(), data)

    def end_record(self, now: float) -> None:
        """Record no more; all that was heard is in the file."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        self._take_sound(self.stream.take_sound(now), recorder, now)
        self.stream.listening = self._hearing
        self._tell(wire.RecordingEnded(self.number, recorder.end()))
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def each_second(self, now: float) -> None:
        """Report, write what was heard, and see whether anybody speaks; a peer that is silent may have moved."""
        if self.connected and self.stream.receiving.silent(now):
            self._disconnect()
        self._send_control(self.stream.control(now))
        self.player.report()
        if self.stream.listening or self._other is not None:  # of a bridge, too, no more sound than time is taken
            self._take_sound(self.stream.take_sound(now), self._recorder, now)

    def _take_sound(self, linear: bytes, recorder: Recorder | None, now: float) -> None:
        if self._hearing and linear:
            self._tell(wire.SoundReceived(self.number, linear))
        if recorder is None:
            return
        failed = recorder.failed
        if recorder.feed(linear, now, self.stream.last_heard, held=self.stream.held):
            self._tell(wire.RecordingSilent(self.number))
        if recorder.failed and not failed:
            self._tell(wire.RecordingNotWritten(self.number, recorder.failed))

    def tell_events(self) -> None:
        """Tell what the stream has to tell."""
        for event in self.stream.take_events():
            match event:
                case DtmfReceived(digit=digit):
                    self._tell(wire.DtmfDigit(self.number, digit))
                case DtmfSent():
                    self._tell(wire.DtmfOut(self.number))
                case Played():
                    self.player.played()
                case _:
                    assert_never(event)

    def close(self, now: float) -> None:
        """End: write what was held back, say how it was, free the ports."""
        self.unbridge()
        try:
            self.player.close()
            if self._recorder is not None:
                self._take_sound(self.stream.finish(now), self._recorder, now)
                self.end_record(now)
            self._send_control(self.stream.control(now, goodbye=True))
            self._tell(wire.CallClosed(self.number, self.stream.summary))
        finally:
            if self._control is not None:
                self._control.close()
            self._sock.close()
