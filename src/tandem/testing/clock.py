"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

_START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class ManualClock:
    """A :class:`tandem.core.clock.Clock` that :meth:`advance` moves; both its times move together."""

    def __init__(self, now: float = 1000.0, at: datetime = _START) -> None:
        self._now = now
        self._at = at

    def now(self) -> float:
        """Monotonic seconds."""
        return self._now

    def at(self) -> datetime:
        """Aware UTC."""
        return self._at

    def advance(self, seconds: float) -> float:
        """Move on by ``seconds`` and return the new ``now``."""
        self._now += seconds
        self._at += timedelta(seconds=seconds)
        return self._now
