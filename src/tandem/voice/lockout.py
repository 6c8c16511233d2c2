"""Lock-out of those who guess: per account and per source address, the same for accounts that do not exist.

Ten wrong answers within five minutes lock for five minutes. That lets somebody lock an account from one address for
others; so an account is locked only for the address that guessed, and an address for every account.
"""

from collections import OrderedDict

FAILURES, WINDOW_S = 10, 300.0
_MOST = 20_000


class Lockout:
    """Counts wrong answers; memory is bounded, the oldest are forgotten first."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def locked(self, account: str, source: str, now: float) -> bool:
        """Whether an answer for this account from this address is not even looked at."""
        return any(self._count(key, now) >= limit for key, limit in self._keys(account, source))

    def failed(self, account: str, source: str, now: float) -> None:
        """A wrong answer came."""
        for key, _ in self._keys(account, source):
            self._failures[key] = self._count(key, now) + 1, now
            self._failures.move_to_end(key)
        while len(self._failures) > _MOST:
            self._failures.popitem(last=False)

    def succeeded(self, account: str, source: str) -> None:
        """A right answer came: the account's count for this address begins anew."""
        self._failures.pop(f"{account.lower()} {source}", None)

    def _count(self, key: str, now: float) -> int:
        count, at = self._failures.get(key, (0, 0.0))
        return count if now - at < WINDOW_S else 0

    @staticmethod
    def _keys(account: str, source: str) -> tuple[tuple[str, int], ...]:
        return (f"{account.lower()} {source}", FAILURES), (source, 3 * FAILURES)
