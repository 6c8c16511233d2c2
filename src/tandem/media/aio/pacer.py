"""One clock for all senders of a process: every 20 ms each of them sends one frame.

A loop that was held up catches up by at most five frames at once, so that no sound is lost in a hiccup and no burst
follows a long stop.
"""

import asyncio
from collections.abc import Callable
from typing import ClassVar
from weakref import WeakKeyDictionary

FRAME_S = 0.02
_MOST_AT_ONCE = 5

Tick = Callable[[], None]


class Pacer:
    """Calls every registered function each 20 ms; runs only while there is one."""

    _of_loop: ClassVar["WeakKeyDictionary[asyncio.AbstractEventLoop, Pacer]"] = WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ticks: set[Tick] = set()
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def here(cls) -> "Pacer":
        """The pacer of the running loop."""
        loop = asyncio.get_running_loop()
        return cls._of_loop.setdefault(loop, cls(loop))

    def add(self, tick: Tick) -> None:
        """Call this from now on."""
        self._ticks.add(tick)
        if self._timer is None:
            self._next = self._loop.time() + FRAME_S
            self._arm()

    def remove(self, tick: Tick) -> None:
        """Call it no more."""
        self._ticks.discard(tick)
        if not self._ticks and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = self._loop.call_at(self._next, self._run)

    def _run(self) -> None:
        due = 1 + int((self._loop.time() - self._next) / FRAME_S)
        for _ in range(min(due, _MOST_AT_ONCE)):
            for tick in list(self._ticks):
                tick()
        self._next += due * FRAME_S
        if self._ticks:
            self._arm()
        else:
            self._timer = None
