"""The media engine as asyncio sees it: starts the workers, gives each call to the one with the fewest, replaces the dead.

A worker that dies, or says nothing for ``SILENT_S``, costs its own calls: ``on_lost`` is called for each, its recording is what
is in the file, and another worker takes the place. Two calls that are to be bridged are given to one worker.
"""

import asyncio
import functools
import itertools
import logging
import os

from tandem.core.log import event, get_logger
from tandem.core.tasks import Supervisor
from tandem.media.engine import counts
from tandem.media.engine.client import WorkerClient
from tandem.media.engine.udp import EXPEDITED
from tandem.media.errors import NoWorker
from tandem.media.session import MediaSession

_log = get_logger("media")
AGAIN_S = 1.0
"""Seconds before a worker that died is replaced for the second time and later."""
CALLS_PER_CORE = 400
"""What a core carries with SRTP (bench/media.py): the default of what a server takes. With plain RTP it is three times that."""


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0))


class MediaEngine:
    """See :class:`tandem.media.session.Media`. Use :meth:`start`, then :meth:`open` for each call, at last :meth:`close`."""

    def __init__(self, *, workers: int | None = None, dscp: int = EXPEDITED) -> None:
        self._dscp = dscp
        self._slots: list[WorkerClient | None] = [None] * (workers or usable_cores())
        self._numbers = itertools.count(1)
        self._keepers = Supervisor(_log)
        counts.calls.source = lambda: sum(worker.calls for worker in self.workers)

    @property
    def workers(self) -> list[WorkerClient]:
        """Those that live."""
        return [worker for worker in self._slots if worker is not None and worker.alive]

    async def start(self) -> None:
        """Start the workers. Raises :class:`NoWorker` or :class:`OSError` if one cannot be started."""
        await asyncio.gather(*map(self._start, range(len(self._slots))))
        for slot in range(len(self._slots)):
            self._keepers.supervise(f"media.worker.{slot}", functools.partial(self._keep, slot))

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
        await self._keepers.stop()
        await asyncio.gather(*(worker.stop() for worker in self._slots if worker is not None))

    async def _start(self, slot: int) -> WorkerClient:
        worker = self._slots[slot] = WorkerClient(slot, dscp=self._dscp)
        await worker.start()
        event(_log, logging.INFO, "media.worker", worker=slot, pid=worker.pid)
        return worker

    async def _keep(self, slot: int) -> None:
        """Replace the worker of this slot whenever it dies."""
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
