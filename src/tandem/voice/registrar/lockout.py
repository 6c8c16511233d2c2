"""Lock-out of those who guess: per account and per source address, the same for accounts that do not exist.

Ten wrong answers within five minutes lock an account for the address that guessed, thirty lock an address for every account.
A hundred, from wherever they come, lock an account for addresses from which it was never proved: many addresses that guess
together get nowhere, and still nobody can lock a user's own phone out.
"""

from collections import OrderedDict

FAILURES, WINDOW_S = 10, 300.0
_OF_SOURCE, _OF_ACCOUNT = 3 * FAILURES, 10 * FAILURES
_MOST = 20_000


class Lockout:
    """Counts wrong answers; memory is bounded, the oldest are forgotten first."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self._proved: OrderedDict[tuple[str, str], None] = OrderedDict()

    def locked(self, account: str, source: str, now: float) -> bool:
        """Whether an answer for this account from this address is not even looked at."""
        name = account.lower()
        return (
            self._count((name, source), now) >= FAILURES
            or self._count(("", source), now) >= _OF_SOURCE
            or (self._count((name, ""), now) >= _OF_ACCOUNT and (name, source) not in self._proved)
        )

    def failed(self, account: str, source: str, now: float) -> None:
        """A wrong answer came."""
        name = account.lower()
        for key in ((name, source), ("", source), (name, "")):
            self._failures[key] = self._count(key, now) + 1, now
            self._failures.move_to_end(key)
        while len(self._failures) > _MOST:
            self._failures.popitem(last=False)

    def succeeded(self, account: str, source: str) -> None:
        """A right answer came: the account's count for this address starts over, and the address is known."""
        key = account.lower(), source
        self._failures.pop(key, None)
        self._proved[key] = None
        self._proved.move_to_end(key)
        if len(self._proved) > _MOST:
            self._proved.popitem(last=False)

    def _count(self, key: tuple[str, str], now: float) -> int:
        count, at = self._failures.get(key, (0, 0.0))
        return count if now - at < WINDOW_S else 0
