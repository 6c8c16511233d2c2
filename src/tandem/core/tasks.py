"""The one place where asyncio tasks are made: one-shot work, and background work that is restarted when it fails.

:func:`spawn` starts work that ends by itself, :class:`Tasks` keeps such work for an owner that ends it. An exception is
always logged and counted, whether or not somebody awaits the task. :class:`Supervisor` runs what lasts as long as a server: it
restarts it with a growing delay and says what is down. Left out: jitter, since the tasks of one process share nothing that
simultaneous restarts could overload.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from tandem.core.counters import counter
from tandem.core.log import get_logger

_log = get_logger("core")
T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, None]]
"""Makes the coroutine of a background task; called again at each restart."""
FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 60.0
"""Delay before the first restart, in seconds; it doubles with each failure, up to the longest."""
RAN_WELL_S = 60.0
"""After running this many seconds without a failure, a task starts again with the first delay."""

_failures = counter("tandem_task_failures_total", "One-shot tasks that ended with an exception, by name.", "task")
_restarts = counter("tandem_task_restarts_total", "Background tasks that failed and were restarted, by name.", "task")
_running: set[asyncio.Task[Any]] = set()  # the event loop itself keeps only weak references


def spawn(work: Coroutine[Any, Any, T], *, name: str, log: logging.Logger | None = None) -> asyncio.Task[T]:
    """Start one-shot work on the running loop.

    Args:
        work: the coroutine; its exception is logged and counted, a cancellation is not.
        name: what kind of work it is, such as ``um.answer``. It labels a counter: put no call or user into it.
        log: where a failure is logged; by default the logger of core.

    Raises:
        RuntimeError: no event loop is running.
    """
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)

    def done(task: asyncio.Task[T]) -> None:
        _running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _failures.of(name).value += 1
            (log or _log).error("task.failed task=%s", name, exc_info=error)

    task.add_done_callback(done)
    return task


def back_off_s(failures: int, *, first_s: float, longest_s: float) -> float:
    """Seconds to wait after so many failures in a row (1 or more): they double with each, up to the longest."""
    # 2 ** 30 times the first is longer than any bound; without the limit the float overflows after 1,000 failures.
    return min(first_s * 2.0 ** min(failures - 1, 30), longest_s)


async def cancel(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait for their end; what they raise was logged by :func:`spawn`."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Tasks:
    """One-shot tasks of one owner, who can wait for them and end them."""

    def __init__(self, log: logging.Logger | None = None) -> None:
        self._log = log
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Start one-shot work, see :func:`spawn`."""
        task = spawn(work, name=name, log=self._log)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def idle(self) -> None:
        """Wait until none is running."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self) -> None:
        """Cancel all, and wait for their end."""
        await cancel(*self._tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Down:
    """A background task that failed and waits for its restart."""

    failures: int
    error: str


class Supervisor:
    """Background work that lasts until :meth:`stop`. Work that returns is over, and is not restarted."""

    def __init__(
        self,
        log: logging.Logger | None = None,
        *,
        first_delay_s: float = FIRST_DELAY_S,
        longest_delay_s: float = LONGEST_DELAY_S,
        ran_well_s: float = RAN_WELL_S,
    ) -> None:
        self._log = log or _log
        self._first_delay_s, self._longest_delay_s, self._ran_well_s = first_delay_s, longest_delay_s, ran_well_s
        self._tasks = Tasks(log)
        self._down: dict[str, _Down] = {}
        self._stopping = False

    def supervise(self, name: str, work: Work) -> None:
        """Run ``work()`` in the background, and again with a delay whenever it raises or is cancelled by anybody but us."""
        self._tasks.spawn(self._keep_running(name, work), name=name)

    def problem(self) -> str:
        """Which tasks are down, why, and since how many failures; an empty text if none is. May be called in any thread."""
        return "; ".join(
            f"{name} is down and will be restarted (failures: {down.failures}, last: {down.error})"
            for name, down in sorted(self._down.copy().items())
        )

    async def stop(self) -> None:
        """Cancel all, and wait for their end."""
        self._stopping = True
        await self._tasks.stop()
        self._down.clear()

    async def _keep_running(self, name: str, work: Work) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began_at = loop.time()
            try:
                await work()
                return
            except asyncio.CancelledError as error:
                if self._stopping or _is_cancelled():
                    raise
                failed: BaseException = error
            except Exception as error:
                failed = error
            failures = 1 if loop.time() - began_at >= self._ran_well_s else failures + 1
            delay_s = back_off_s(failures, first_s=self._first_delay_s, longest_s=self._longest_delay_s)
            self._log.error("task.restarts task=%s failures=%d in_s=%.0f", name, failures, delay_s, exc_info=failed)
            self._down[name] = _Down(failures=failures, error=repr(failed))
            await asyncio.sleep(delay_s)
            self._down.pop(name, None)
            _restarts.of(name).value += 1


def _is_cancelled() -> bool:
    """Whether somebody cancelled the task that runs now, rather than something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
