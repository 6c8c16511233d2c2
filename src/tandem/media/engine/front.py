"""The engine as asyncio sees it: starts the workers, gives each call to the one with the fewest, and mourns the dead.

A worker that dies, or says nothing for ``SILENT_S``, costs its own calls: each is told by ``on_lost``, its recording is what
is in the file, and another worker takes the place. Sounds go to a worker once; of those, the least lately used are taken
away again when they are more than ``MAX_SOUNDS``.
"""

import asyncio
import itertools
import logging
import os
import socket
import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import cast

from tandem.core.log import event, get_logger
from tandem.media.engine import counts, wire
from tandem.media.engine.session import EngineSession
from tandem.media.engine.udp import EXPEDITED
from tandem.media.errors import NoPort, NoWorker
from tandem.media.session import MediaSession, Sound

_log = get_logger("media")
SILENT_S = 10.0
"""A worker reports every second; one that is silent for so long hangs, and is killed."""
AGAIN_S = 1.0
"""Seconds before a worker that died is replaced for the second time and later."""
START_S, OPEN_S = 20.0, 5.0
"""Seconds in which a worker has to say that it is there, and that a port is open."""
MAX_SOUNDS = 64 << 20
"""Bytes of linear sound that a worker keeps: more than an hour."""


CALLS_PER_CORE = 400
"""What a core carries with SRTP (bench/media.py): the default of what a server takes. With plain RTP it is three times that."""


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0))


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
        self._recoveries: set[asyncio.Future[None]] = set()

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
        if (recovery := self.sessions.pop(message.call).lost("its media came upon a defect")) is not None:
            self._recoveries.add(recovery)
            recovery.add_done_callback(self._recoveries.discard)

    def _reported(self, report: wire.WorkerReport) -> None:
        self.reported_at = now = asyncio.get_running_loop().time()
        if not self.ready.done():
            self.ready.set_result(None)
        for number in report.heard:
            if session := self.sessions.get(number):
                session.last_heard = now
        counts.reported(report)


class MediaEngine:
    """See :class:`tandem.media.session.Media`. Use :meth:`start`, then :meth:`open` for each call, at last :meth:`close`."""

    def __init__(self, *, workers: int | None = None, dscp: int = EXPEDITED) -> None:
        self._dscp = dscp
        self._slots: list[WorkerClient | None] = [None] * (workers or usable_cores())
        self._numbers = itertools.count(1)
        self._keepers: list[asyncio.Task[None]] = []
        counts.calls.source = lambda: sum(worker.calls for worker in self.workers)

    @property
    def workers(self) -> list[WorkerClient]:
        """Those that live."""
        return [worker for worker in self._slots if worker is not None and worker.alive]

    async def start(self) -> None:
        """Start the workers. Raises :class:`NoWorker` or :class:`OSError` if one cannot be started."""
        await asyncio.gather(*map(self._start, range(len(self._slots))))
        for slot in range(len(self._slots)):
            self._keepers.append(asyncio.get_running_loop().create_task(self._keep(slot)))

    async def open(self, host: str, ports: range, *, beside: MediaSession | None = None) -> MediaSession:
        """See :class:`tandem.media.session.Media`: on the worker of ``beside``, or the one with the fewest calls."""
        workers = self.workers
        if beside is not None:
            workers = [worker for worker in workers if beside in worker.sessions.values()]
            if not workers:
                raise NoWorker("the media worker of the first call does not run any more")
        if not workers:
            raise NoWorker(self.problem())
        return await min(workers, key=lambda worker: worker.calls).open(next(self._numbers), host, ports)

    def problem(self) -> str:
        """See :class:`tandem.media.session.Media`."""
        return "" if self.workers else "no media worker runs; the log says why, and another is being started"

    async def close(self) -> None:
        """End the workers, after they have written what they heard."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.stop() for worker in self._slots if worker is not None))

    async def _start(self, slot: int) -> WorkerClient:
        worker = self._slots[slot] = WorkerClient(slot, dscp=self._dscp)
        await worker.start()
        event(_log, logging.INFO, "media.worker", worker=slot, pid=worker.pid)
        return worker

    async def _keep(self, slot: int) -> None:
        """See to it that there is a worker in this slot."""
        while True:
            worker = self._slots[slot]
            assert worker is not None
            why = await worker.gone()
            counts.deaths.value += 1
            event(_log, logging.ERROR, "media.worker_died", worker=slot, calls=len(worker.sessions), why=why)
            await worker.bury(f"media worker {slot} died")
            await self._again(slot)

    async def _again(self, slot: int) -> None:
        while True:
            try:
                await self._start(slot)
            except (OSError, NoWorker) as error:
                event(_log, logging.ERROR, "media.worker_not_started", worker=slot, error=error)
                await asyncio.sleep(AGAIN_S)
            else:
                return


def _call_of(message: wire.Message) -> int:
    return int(getattr(message, "call", 0))
