"""What a server's index of the directory counts of itself."""

import math

from tandem.core.clock import Clock
from tandem.core.counters import counter, gauge

age_s = gauge("tandem_directory_age_seconds", "How long ago the directory last answered.").of()
objects = gauge("tandem_directory_objects", "Objects in the index.").of()
polls = counter("tandem_directory_polls_total", "Looks into the directory for changes: answered, failed.", "outcome")
bad_entries = counter(
    "tandem_directory_bad_entries_total", "Entries that could not be read: each is out of force, and named in the log."
).of()
answered, failed = polls.of("answered"), polls.of("failed")


class Freshness:
    """When the directory last answered a server."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered_at: float | None = None
        age_s.source = self.age_s

    def answered(self) -> None:
        """It has answered just now."""
        self._answered_at = self._clock.now()
        answered.value += 1

    def problem(self) -> str:
        """That nothing is known yet. A directory that is away is none: calls go on with what was known (ADR 11)."""
        return "" if self._answered_at is not None else "the directory was not read yet"

    def age_s(self) -> float:
        """Seconds since it did; infinite before the first time."""
        return math.inf if self._answered_at is None else self._clock.now() - self._answered_at
