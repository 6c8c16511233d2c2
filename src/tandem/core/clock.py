"""Time as a value that is handed in.

Protocol cores take ``now`` as an argument and never read a clock. What drives them holds a :class:`Clock`.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time in the two ways that Tandem needs."""

    def now(self) -> float:
        """Monotonic seconds: for timers and durations, never for display."""
        ...

    def at(self) -> datetime:
        """The moment as an aware UTC datetime: for messages, logs and journals."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        """See :meth:`Clock.now`."""
        return time.monotonic()

    def at(self) -> datetime:
        """See :meth:`Clock.at`."""
        return datetime.now(UTC)
