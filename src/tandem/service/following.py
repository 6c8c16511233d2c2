"""Following the directory: what a server reads of it, taken over change by change between two calls.

The directory is asked every second in a thread of its own pool. While it is away, the snapshot that is in force stays so
(decision 11), and calls go on.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from tandem.core.clock import Clock
from tandem.core.log import event
from tandem.core.tasks import back_off_s
from tandem.directory import counts
from tandem.directory.errors import DirectoryUnavailable
from tandem.directory.index import Index, Snapshot
from tandem.service.threads import ThreadPool

FOLLOW_S = 1.0
"""Seconds between two looks into the directory: a change is in force within a second or two."""
LONGEST_PAUSE_S = 60.0
"""Seconds between two looks that the directory refuses: it may lock an account that asks too often."""
Config = TypeVar("Config")
Made = TypeVar("Made", covariant=True)


def pause_s(failures: int) -> float:
    """Seconds until the next look, after so many in a row that were refused: they double up to :data:`LONGEST_PAUSE_S`."""
    return back_off_s(failures + 1, first_s=FOLLOW_S, longest_s=LONGEST_PAUSE_S)


class ServerDirectory(Protocol[Made]):
    """What a server reads of the directory: an index, and what it makes of it."""

    @property
    def index(self) -> Index:
        """The objects, as they were when they were last read."""
        ...

    def config(self) -> Made:
        """What is in force by the objects that the index has now."""
        ...


class Following(Generic[Config]):
    """``config`` is what is in force; ``took`` is called with each new one. The index is closed with :meth:`close`."""

    def __init__(
        self,
        directory: ServerDirectory[Config],
        *,
        clock: Clock,
        pool: ThreadPool,
        log: logging.Logger,
        room: str,
        took: Callable[[Config], None],
    ) -> None:
        self.config = directory.config()
        self.freshness = counts.Freshness(clock)
        self._directory = directory
        self._pool = pool
        self._log = log
        self._room = room
        self._took = took

    @property
    def index(self) -> Index:
        """The objects of the directory in memory."""
        return self._directory.index

    async def look(self) -> None:
        """Ask the directory once. Raises what it raises, such as :class:`DirectoryUnavailable`."""
        found = await self._pool.run(self._directory.index.poll)
        self.freshness.answered()
        if found is not None:
            self.take(found)

    def take(self, found: Snapshot) -> None:
        """Put into force what was found."""
        self._directory.index.take(found)
        counts.objects.value = len(self._directory.index)
        self.config = self._directory.config()
        self._took(self.config)

    async def run(self) -> None:
        """Ask again and again, until cancelled."""
        failures, told = 0, ""
        while True:
            await asyncio.sleep(pause_s(failures))
            try:
                await self.look()
            except DirectoryUnavailable:
                counts.failed.value += 1  # it was logged when it was lost
            except Exception as error:  # whatever it is, the current snapshot stays in force, and we go on following
                counts.failed.value += 1
                failures += 1
                if str(error) != told:  # said once, not at every look
                    event(self._log, logging.ERROR, f"{self._room}.directory", error=error)
                told = str(error)
            else:
                failures, told = 0, ""

    def close(self) -> None:
        """Give back the session with the directory."""
        self._directory.index.close()
