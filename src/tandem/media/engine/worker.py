"""A worker: one flat loop over the sockets of its calls, and a wheel that says whose turn it is to send.

The wheel has 20 slots of 1 ms: a call is in one of them and sends when the wheel passes, so that the load is even and no
call has a timer. A second wheel, of 1,000 slots, gives each call its turn once a second, to write what was heard. A
packet passes through no object: the loop reads bytes and hands them to the stream, the stream gives bytes and the loop sends
them. Messages to the parent process are collected and sent once a round.

A worker ends when its parent does (end of file on their socket), after it has written what it heard.
"""

import contextlib
import gc
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from time import monotonic, sleep

from tandem.media.codec.frames import FrameCache
from tandem.media.codec.table import CODECS, silence
from tandem.media.engine import wire
from tandem.media.engine.call import MAX_DATAGRAM, WorkerCall
from tandem.media.engine.udp import EXPEDITED, open_socket
from tandem.media.session import Sound

SLOT_S = 0.001
SLOTS = 20
SECOND = 1000
"""Slots in a second."""
CATCH_UP_S = 0.1
"""A loop that was held up for longer sends five frames for each call at once, and what it plays is late by the rest."""
PRIORITY = -10
"""A worker's nice value; as a mere user it stays at what it was given."""
_MAX_EVENTS = 256  # sockets read between two looks at the wheel
_MAX_TURNS = 5  # slots between two looks at the sockets: a worker with more to do than time still receives
_IDLE_S = 1.0


class Worker:
    """Made with its end of the socket to the parent process; :meth:`run` returns when that is closed."""

    def __init__(self, parent: socket.socket, *, dscp: int = EXPEDITED) -> None:
        self._parent = parent
        self._dscp = dscp
        self._unpacker = wire.Unpacker()
        self._out = bytearray()
        self._over = False
        self._epoll = select.epoll()
        self._epoll.register(parent.fileno(), select.EPOLLIN)
        self._frames = FrameCache()
        self._sounds: dict[bytes, Sound] = {}
        self._calls: dict[int, WorkerCall] = {}
        self._by_fd: dict[int, WorkerCall] = {}
        self._controls: dict[int, WorkerCall] = {}
        self._receivers: dict[int, Callable[[bytes, float], object]] = {}
        self._wheel: list[list[WorkerCall]] = [[] for _ in range(SLOTS)]
        self._seconds: list[list[WorkerCall]] = [[] for _ in range(SECOND)]
        self._received = self._sent = self._unsent = 0
        self._worst_late_s = 0.0
        self._reported = monotonic()

    def run(self) -> None:
        """Serve until the parent process is gone."""
        poll, read, receivers = self._epoll.poll, os.read, self._receivers
        self._report(monotonic())
        self._flush()  # it is there; a call that comes at once waits a moment
        for codec in CODECS:  # FFmpeg and all tables: the first call that needs them would hold up the others for 0.1 s
            silence(codec)
        gc.freeze()
        due, slot = monotonic(), 0
        while not self._over:
            # It sleeps until the next slot, and then takes what has come: to be woken by each packet costs more than all else.
            if self._calls and (left := due - monotonic()) > 0:
                sleep(left)
            events = poll(0 if self._calls else _IDLE_S, _MAX_EVENTS)
            now = monotonic()
            for fd, _ in events:
                receive = receivers.get(fd)
                try:
                    if receive is not None:
                        receive(read(fd, MAX_DATAGRAM), now)
                    else:
                        self._read_slowly(fd, now)
                except OSError:  # the peer's port is closed (ICMP): signalling decides about the call
                    continue
                except Exception:
                    self._fail(self._by_fd.get(fd) or self._controls[fd], now)
            self._received += len(events)
            due = max(due, now - CATCH_UP_S) if self._calls else now
            for _ in range(_MAX_TURNS):
                if due > (now := monotonic()):
                    break
                self._turn(slot, now, now - due)
                slot = (slot + 1) % SECOND
                due += SLOT_S
            if now - self._reported >= 1.0:
                self._report(now)
            if self._out:
                self._flush()
        self._end()

    def _turn(self, slot: int, now: float, late_s: float) -> None:
        """Everyone of this slot sends; some of them write."""
        calls, failed = self._wheel[slot % SLOTS], []
        for call in calls:
            tick, send, stream = call.tick, call.send, call.stream
            try:
                data = tick()
                if data is not None:
                    send(data)
                if stream.events:
                    call.tell_events()
            except OSError:  # nobody there, or no room: as if it were lost on the way
                self._unsent += 1
            except Exception:
                failed.append((call, traceback.format_exc()))
        self._sent += len(calls)
        for call in self._seconds[slot]:
            try:
                call.each_second(now)
            except Exception:
                failed.append((call, traceback.format_exc()))
            if not call.connected:
                self._receivers.pop(call.fd, None)
        for call, why in failed:
            self._fail(call, now, why)
        if calls and late_s > self._worst_late_s:
            self._worst_late_s = late_s

    def _read_slowly(self, fd: int, now: float) -> None:
        call = self._by_fd.get(fd)
        if call is None and fd in self._controls:
            self._controls[fd].receive_control(now)
            return
        if call is None:
            if fd == self._parent.fileno():
                self._read_parent(now)
            return
        call.receive_anybody(now)
        if call.connected:
            self._receivers[fd] = call.stream.receive

    # The parent process

    def _read_parent(self, now: float) -> None:
        try:
            data = self._parent.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._over = True
        for message in self._unpacker.feed(data):
            self._obey(message, now)

    def _obey(self, message: wire.Message, now: float) -> None:
        if isinstance(message, wire.OpenPort):
            self._open(message)
        elif isinstance(message, wire.LoadSound):
            self._sounds[message.digest] = Sound(digest=message.digest, linear=message.linear)
        elif isinstance(message, wire.ForgetSound):
            self._sounds.pop(message.digest, None)
            self._frames.forget(message.digest)
        elif not isinstance(message, wire.WorkerReport) and (call := self._calls.get(message.call)) is not None:
            try:
                self._obey_for(call, message, now)
            except Exception:
                self._fail(call, now)

    def _obey_for(self, call: WorkerCall, message: wire.Message, now: float) -> None:
        match message:
            case wire.StartStream():
                call.start(message.stream)
                if (control := call.open_control()) is not None:
                    self._controls[control] = call
                    self._epoll.register(control, select.EPOLLIN)
                if not call.connected:
                    self._receivers.pop(call.fd, None)
            case wire.PlaySounds():
                call.player.play(message.playback, tuple(self._sounds[digest] for digest in message.digests))
            case wire.PlayFile():
                call.player.play_file(message)
            case wire.ControlPlayback():
                call.player.control(message)
            case wire.EndPlayback():
                call.player.stop(message.playback)
            case wire.StartBridge():
                if (other := self._calls.get(message.other)) is not None:
                    call.bridge(other)
            case wire.EndBridge():
                call.unbridge()
            case wire.SendDtmf():
                call.stream.send_dtmf(message.digits)
            case wire.StartListening():
                call.listen()
            case wire.RecordToFile():
                call.record(message.path, message.idle_s, now)
            case wire.EndRecording():
                call.end_record(now)
            case wire.CloseCall():
                self._close(call, now)

    def _open(self, message: wire.OpenPort) -> None:
        try:
            sock = open_socket(message.host, range(message.first, message.end), self._dscp)
        except OSError:  # no descriptors left, or no such address
            sock = None
        if sock is None:
            self._tell(wire.PortOpened(message.call, 0))
            return
        call = WorkerCall(message.call, sock, self._frames, self._tell)
        self._calls[call.number] = self._by_fd[call.fd] = call
        min(self._wheel, key=len).append(call)
        min(self._seconds, key=len).append(call)
        self._epoll.register(call.fd, select.EPOLLIN)
        self._tell(wire.PortOpened(call.number, sock.getsockname()[1]))

    def _close(self, call: WorkerCall, now: float) -> None:
        del self._calls[call.number], self._by_fd[call.fd]
        self._receivers.pop(call.fd, None)
        for wheel in (self._wheel, self._seconds):
            next(slot for slot in wheel if call in slot).remove(call)
        self._epoll.unregister(call.fd)
        if call.control_fd is not None:
            del self._controls[call.control_fd]
            self._epoll.unregister(call.control_fd)
        call.close(now)

    def _fail(self, call: WorkerCall, now: float, why: str = "") -> None:
        """A defect of ours, or what a peer made of one, ends that call and no other."""
        self._tell(wire.MediaFailed(call.number, why or traceback.format_exc()))
        if call.number in self._calls:
            with contextlib.suppress(Exception):  # it is broken already; what matters of it, its sockets, is closed
                self._close(call, now)

    def _report(self, now: float) -> None:
        heard = tuple(number for number, call in self._calls.items() if (call.stream.last_heard or 0) > self._reported)
        self._tell(wire.WorkerReport(heard, self._received, self._sent, self._unsent, self._worst_late_s))
        self._received = self._sent = self._unsent = 0
        self._worst_late_s = 0.0
        self._reported = now

    def _tell(self, message: wire.Message) -> None:
        self._out += wire.pack(message)

    def _flush(self) -> None:
        try:
            sent = self._parent.send(self._out)
        except BlockingIOError:  # the parent process is busy; the next round tries again
            return
        except OSError:
            self._over = True
            return
        del self._out[:sent]

    def _end(self) -> None:
        now = monotonic()
        for call in list(self._calls.values()):
            self._close(call, now)


def main() -> None:
    """A worker process; its arguments are the descriptor of its socket and the code point of its packets."""
    # Both are the parent's business: a worker goes on through Ctrl-C and a drain, and ends with its parent.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    with contextlib.suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with contextlib.suppress(OSError):  # media goes before all else, where that is permitted
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    parent = socket.socket(fileno=int(sys.argv[1]))
    parent.setblocking(False)
    Worker(parent, dscp=int(sys.argv[2])).run()
