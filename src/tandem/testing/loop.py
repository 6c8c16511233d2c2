"""An event loop whose time jumps: what waits for a timer happens at once, in the order of the moments.

Whole engines run on it with their own timers, hours of them in a moment. Where nothing is left that could ever happen,
the loop says so instead of waiting for ever. Real sockets do not go with it.
"""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

_START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_T = TypeVar("_T")


class Stuck(AssertionError):
    """Everything waits, and no timer is left."""


class _JumpingSelector(selectors.BaseSelector):
    """Asks the system about what is ready now, and jumps instead of waiting."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._inner = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._inner.select(0)
        if not ready and timeout is None:
            raise Stuck("every task waits, and no timer is left that could wake one")
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready

    def close(self) -> None:
        self._inner.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()


class JumpingLoop(asyncio.SelectorEventLoop):
    """Use :meth:`complete`; it is a :class:`tandem.core.clock.Clock` too."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Asyncio: the time as it jumps."""
        return self._jumping.now

    def now(self) -> float:
        """See :meth:`tandem.core.clock.Clock.now`."""
        return self._jumping.now

    def at(self) -> datetime:
        """See :meth:`tandem.core.clock.Clock.at`."""
        return _START + timedelta(seconds=self._jumping.now - 1000.0)

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        """The timers that still wait."""
        return [handle for handle in self._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]

    def complete(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run this to its end, and close the loop."""
        try:
            return self.run_until_complete(work)
        finally:
            self.close()
