"""One worker as its parent process sees it: the process, the socket to it, and the sessions whose calls it has.

Sounds go to a worker once; of those, the least lately used are taken away again when they are more than ``MAX_SOUNDS``.
"""

import asyncio
import socket
import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import cast

from tandem.core.log import get_logger
from tandem.media.engine import counts, wire
from tandem.media.engine.session import EngineSession
from tandem.media.errors import NoPort, NoWorker
from tandem.media.session import Sound

_log = get_logger("media")
SILENT_S = 10.0
"""A worker reports every second; one that is silent for so long hangs, and is killed."""
START_S, OPEN_S = 20.0, 5.0
"""Seconds in which a worker has to say that it is there, and that a port is open."""
MAX_SOUNDS = 64 << 20
"""Bytes of linear sound that a worker keeps: more than an hour."""


class WorkerClient(asyncio.Protocol):
    """One worker, from the parent process's side."""

    def __init__(self, number: int, *, dscp: int) -> None:
        self.number = number
        self._dscp = dscp
        self.sessions: dict[int, EngineSession] = {}
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reported_at = 0.0
        self._opening: dict[int, asyncio.Future[int]] = {}
        self._unpacker = wire.Unpacker()
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._sounds: OrderedDict[bytes, int] = OrderedDict()

    async def start(self) -> None:
        """Start the process. Raises :class:`NoWorker` if it does not report, :class:`OSError` if there can be none."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "tandem.media.engine", str(theirs.fileno()), str(self._dscp)),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
            )
        finally:
            theirs.close()
        ours.setblocking(False)
        await loop.create_unix_connection(lambda: self, sock=ours)
        self.reported_at = loop.time()
        await asyncio.wait([self.ready, self.lost], timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        if not self.ready.done():
            self.kill()
            raise NoWorker(f"media worker {self.number} did not start; it may have said why on standard error")

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None, "started"
        return self._process.pid

    @property
    def calls(self) -> int:
        """Calls that it has or is about to have."""
        return len(self.sessions) + len(self._opening)

    @property
    def alive(self) -> bool:
        """Whether it can take a call."""
        return self._transport is not None and not self.lost.done()

    async def open(self, number: int, host: str, ports: range) -> EngineSession:
        """A session there. Raises :class:`NoPort`, or :class:`NoWorker` if it dies over that."""
        opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._opening[number] = opened
        self.tell(wire.OpenPort(number, host, ports.start, ports.stop))
        try:
            async with asyncio.timeout(OPEN_S):
                port = await opened
        except BaseException as error:
            self.tell(wire.CloseCall(number))
            if isinstance(error, TimeoutError):
                raise NoWorker(f"media worker {self.number} did not open a port within {OPEN_S:g} s") from None
            raise
        finally:
            del self._opening[number]
        if not port:
            raise NoPort(f"no UDP port of {ports.start}-{ports.stop - 1} is free on {host} for media; widen the range")
        session = self.sessions[number] = EngineSession(self, number, host, port)
        return session

    def tell(self, message: wire.Message) -> None:
        """See :class:`tandem.media.engine.session.WorkerLink`."""
        if self._transport is not None:
            self._transport.write(wire.pack(message))

    def load(self, sounds: Sequence[Sound]) -> tuple[bytes, ...]:
        """See :class:`tandem.media.engine.session.WorkerLink`."""
        for sound in sounds:
            if sound.digest in self._sounds:
                self._sounds.move_to_end(sound.digest)
            else:
                self._sounds[sound.digest] = len(sound.linear)
                self.tell(wire.LoadSound(sound.digest, sound.linear))
        while len(self._sounds) > len(sounds) and sum(self._sounds.values()) > MAX_SOUNDS:
            self.tell(wire.ForgetSound(self._sounds.popitem(last=False)[0]))
        return tuple(sound.digest for sound in sounds)

    def kill(self) -> None:
        """End it at once; what it has not written is lost."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def gone(self) -> str:
        """Wait until it has died, or hangs and is killed; returns which."""
        loop = asyncio.get_running_loop()
        while not self.lost.done():
            left = self.reported_at + SILENT_S - loop.time()
            if left <= 0:
                self.kill()
                return f"it said nothing for {SILENT_S:g} s"
            await asyncio.wait([self.lost], timeout=left)
        assert self._process is not None, "started"
        return f"it ended with {await self._process.wait()}"

    async def bury(self, why: str) -> None:
        """Tell every call that it is over, and find out what was recorded."""
        sessions, self.sessions = list(self.sessions.values()), {}
        await asyncio.gather(*filter(None, [session.lost(why) for session in sessions]))

    async def stop(self) -> None:
        """Let it write what it has, and end."""
        if self._transport is not None:
            self._transport.close()
        if self._process is not None:
            try:
                async with asyncio.timeout(OPEN_S):
                    await self._process.wait()
            except TimeoutError:
                self.kill()

    # Asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: connected."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Asyncio: messages came."""
        for message in self._unpacker.feed(data):
            self._told(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: it is gone."""
        self._transport = None
        if not self.lost.done():
            self.lost.set_result(None)
        for opening in self._opening.values():
            if not opening.done():
                opening.set_exception(NoWorker(f"media worker {self.number} died"))

    def _told(self, message: wire.Message) -> None:
        if isinstance(message, wire.WorkerReport):
            self._reported(message)
        elif isinstance(message, wire.PortOpened):
            if (opening := self._opening.get(message.call)) is not None and not opening.done():
                opening.set_result(message.port)
        elif (session := self.sessions.get(_call_of(message))) is not None:
            if isinstance(message, wire.MediaFailed):
                self._failed(message)
                return
            if isinstance(message, wire.CallClosed):
                del self.sessions[message.call]
                counts.closed(message)
            session.told(message)

    def _failed(self, message: wire.MediaFailed) -> None:
        """What the worker had heard is in the file by now: it wrote before it told."""
        counts.defects.value += 1
        _log.error("media.defect worker=%s\n%s", self.number, message.why)
        self.sessions.pop(message.call).lost("its media came upon a defect")

    def _reported(self, report: wire.WorkerReport) -> None:
        self.reported_at = now = asyncio.get_running_loop().time()
        if not self.ready.done():
            self.ready.set_result(None)
        for number in report.heard:
            if session := self.sessions.get(number):
                session.last_heard = now
        counts.reported(report)


def _call_of(message: wire.Message) -> int:
    return int(getattr(message, "call", 0))
