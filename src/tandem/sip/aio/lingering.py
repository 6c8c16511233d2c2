"""Transactions that only wait to be forgotten: at 500 calls a second 32,000 of them, with one timer for all.

They come in with one of few durations (timers J and L: 64*T1, I: T4), so that each duration's are in order by themselves.
"""

import asyncio
from collections import deque
from typing import Protocol

from tandem.core.clock import Clock

_NEAR_S = 0.001
"""A timer may fire this much early."""


class Lingering(Protocol):
    """What waits here."""

    until: float

    def expire(self) -> None:
        """The time is over."""
        ...


class LingeringTransactions:
    """The transactions of one endpoint that linger."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[int, deque[Lingering]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def add(self, transaction: Lingering, now: float) -> None:
        """Have it expire when its time comes."""
        self._queues.setdefault(round(transaction.until - now), deque()).append(transaction)
        if self._timer is None or transaction.until < self._due:
            self._arm(transaction.until, now)

    def close(self) -> None:
        """Forget them all."""
        self._queues.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, at: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = at
        self._timer = asyncio.get_running_loop().call_later(max(0.0, at - now), self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._clock.now()
        for queue in self._queues.values():
            while queue and queue[0].until <= now + _NEAR_S:
                queue.popleft().expire()
        waiting = [queue[0].until for queue in self._queues.values() if queue]
        if waiting and self._timer is None:
            self._arm(min(waiting), now)
