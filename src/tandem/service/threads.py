"""Threads for what blocks: one pool each for the disk, mailboxes, the directory and hashing.

A directory or a mailbox that hangs takes the threads of its own pool and no others, so that messages are still written;
hashing, which takes a core for a while, cannot take more of them than its pool has. asyncio's default executor is one pool for
everything.
"""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
DISK_THREADS, MAIL_THREADS, DIRECTORY_THREADS, HASHING_THREADS = 16, 16, 4, 2
"""At most this many threads of each kind. A thread that hashes takes a core (Argon2id); two tasks ask the directory."""


class ThreadPool:
    """Threads with a name; they are started when they are needed. Calls beyond ``most`` wait for their turn."""

    def __init__(self, name: str, most: int) -> None:
        self._executor = ThreadPoolExecutor(max_workers=most, thread_name_prefix=name)
        self._taken: set[Future[Any]] = set()

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in one of the threads, with the fields of the log that are in force here.

        A cancellation ends the wait; the function itself goes on to its end.

        Raises:
            RuntimeError: the pool is closed.
        """
        context = contextvars.copy_context()
        work = functools.partial(context.run, function, *args, **kwargs)
        future = self._executor.submit(work)
        self._taken.add(future)
        future.add_done_callback(self._taken.discard)
        return await asyncio.wrap_future(future)

    async def run_last(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As :meth:`run`, after the calls that were taken before have ended, also those that nobody waits for any more."""
        if taken := [asyncio.wrap_future(future) for future in tuple(self._taken)]:
            await asyncio.wait(taken)
        return await self.run(function, *args, **kwargs)

    def close(self) -> None:
        """Take no more calls. Those that were taken are carried out; nobody waits for them here."""
        self._executor.shutdown(wait=False)


class Threads:
    """The pools of one server; ``room`` is in the names of the threads."""

    def __init__(self, room: str) -> None:
        self.disk = ThreadPool(f"{room}-disk", DISK_THREADS)
        self.mail = ThreadPool(f"{room}-mail", MAIL_THREADS)
        self.directory = ThreadPool(f"{room}-directory", DIRECTORY_THREADS)
        self.hashing = ThreadPool(f"{room}-hashing", HASHING_THREADS)

    def close(self) -> None:
        """See :meth:`ThreadPool.close`."""
        for pool in (self.disk, self.mail, self.directory, self.hashing):
            pool.close()
