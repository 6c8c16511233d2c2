"""What failed of late, so that it is tried after everything else, or not at all. Sans-IO, bounded."""

from collections import OrderedDict
from collections.abc import Hashable

AVOIDED_S = 60.0
"""Seconds that a place which failed comes last, where it did not say how long (RFC 3261 §20.33: Retry-After)."""
LONGEST_S = 600.0
_MOST = 1_000


class Failures:
    """Of places, names, or whatever else can be told apart. ``now`` is of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._until: OrderedDict[Hashable, float] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._until)

    def failed(self, what: Hashable, now: float, *, for_s: float | None = None) -> None:
        """It failed: avoid it for a while, or for as long as it said. The oldest are forgotten where there are too many."""
        self._until[what] = now + min(AVOIDED_S if for_s is None else for_s, LONGEST_S)
        self._until.move_to_end(what)
        if len(self._until) > _MOST:
            self._until.popitem(last=False)

    def avoided(self, what: Hashable, now: float) -> bool:
        """Whether it failed a short time ago."""
        until = self._until.get(what)
        if until is not None and until <= now:
            del self._until[what]
        return until is not None and until > now
