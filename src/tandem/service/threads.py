"""Threads for what blocks: one pool each for the disk, the directory and hashing.

A directory that hangs takes the threads of its own pool and no others, so that messages are still written; hashing, which takes
a core for a while, cannot take more of them than its pool has. asyncio's default executor is one pool for everything.
"""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
DISK_THREADS, DIRECTORY_THREADS, HASHING_THREADS = 16, 4, 2
"""At most this many threads of each kind. A thread that hashes takes a core (Argon2id); two tasks ask the directory."""


class ThreadPool:
    """Threads with a name; they are started when they are needed. Calls beyond ``most`` wait for their turn."""

    def __init__(self, name: str, most: int) -> None:
        self._executor = ThreadPoolExecutor(max_workers=most, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in one of the threads, with the fields of the log that are in force here.

        A cancellation ends the wait; the function itself goes on to its end.

        Raises:
            RuntimeError: the pool is closed.
        """
        context = contextvars.copy_context()
        work = functools.partial(context.run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """Take no more calls. Those that were taken are carried out; nobody waits for them here."""
        self._executor.shutdown(wait=False)


class Threads:
    """The pools of one server; ``room`` is in the names of the threads."""

    def __init__(self, room: str) -> None:
        self.disk = ThreadPool(f"{room}-disk", DISK_THREADS)
        self.directory = ThreadPool(f"{room}-directory", DIRECTORY_THREADS)
        self.hashing = ThreadPool(f"{room}-hashing", HASHING_THREADS)

    def close(self) -> None:
        """See :meth:`ThreadPool.close`."""
        for pool in (self.disk, self.directory, self.hashing):
            pool.close()
