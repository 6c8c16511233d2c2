"""Lock-out of those who guess: per account and per source, the same for accounts that do not exist.

A source is an IPv4 address or an IPv6 network of /64 (:func:`tandem.sip.machines.limits.network_of`). Only answers to
challenges that were sent there come here, so that no forged sender counts.

Ten wrong answers within five minutes of the first lock an account for the source that guessed; thirty lock a source for every
account; a hundred, from wherever they come, lock an account for every source. Each lasts for five minutes and then starts over.
None is for a source from which the account was proved before: there a right answer is always taken, so that no neighbour
behind the same address can lock a phone out, and wrong answers (of a phone that was not told of a new secret) count for the
account there alone. SIP secrets are 128 random bits (phase 0), so guesses at the rate that a source is allowed get nowhere.
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

FAILURES, WINDOW_S = 10, 300.0
LOCKED_S = 300.0
_OF_SOURCE, _OF_ACCOUNT = 3 * FAILURES, 10 * FAILURES
_MOST, _MOST_PROVED = 20_000, 200_000
"""What is remembered: counts of wrong answers, and accounts with the addresses that they were proved from."""


class Locked(StrEnum):
    """What is locked."""

    ACCOUNT_AT_SOURCE = "account_at_source"
    SOURCE = "source"
    ACCOUNT = "account"


@dataclass(slots=True, kw_only=True)
class _Wrong:
    """Wrong answers since the first, at ``since``; ``until`` is the end of the lock, 0 while there is none.

    ``epoch`` as in :meth:`Lockout.failed`.
    """

    epoch: object
    since: float
    count: int = 0
    until: float = 0.0


_Key = tuple[str, str]


class Lockout:
    """Counts wrong answers. Memory is bounded: what was counted longest ago is forgotten first.

    ``account`` is an account's one name, however the phone wrote it. ``epoch`` is anything that changes when an administrator
    unlocks the account or gives it another secret: what was counted before does not count any more.
    """

    def __init__(self) -> None:
        self._wrong: OrderedDict[_Key, _Wrong] = OrderedDict()
        self._proved: OrderedDict[_Key, None] = OrderedDict()

    def locked_s(self, account: str, source: str, now: float, epoch: object = None) -> float:
        """Seconds for which an answer for this account from this address is not taken; 0 if it is."""
        if self.is_proved(account, source):
            return 0.0
        held = (self._held(key, now, epoch if key[0] else None) for key, _, _ in _counted(account, source))
        return max((wrong.until - now for wrong in held if wrong and wrong.until), default=0.0)

    def is_proved(self, account: str, source: str) -> bool:
        """Whether the account was proved from this address before."""
        return (account, source) in self._proved

    def failed(self, account: str, source: str, now: float, epoch: object = None) -> tuple[Locked, ...]:
        """A wrong answer came; what it has locked."""
        locked = []
        at_source, *wider = _counted(account, source)
        for key, most, what in (at_source, *(() if self.is_proved(account, source) else wider)):
            epoch_of = epoch if key[0] else None
            wrong = self._held(key, now, epoch_of) or _Wrong(epoch=epoch_of, since=now)
            self._wrong[key] = wrong
            self._wrong.move_to_end(key)
            if wrong.until:
                continue
            wrong.count += 1
            if wrong.count >= most:
                wrong.until = now + LOCKED_S
                locked.append(what)
        while len(self._wrong) > _MOST:
            self._wrong.popitem(last=False)
        return tuple(locked)

    def succeeded(self, account: str, source: str) -> bool:
        """A right answer came: the account's count for this address starts over, and the address is known.

        Returns whether that ended a lock.
        """
        key = account, source
        wrong = self._wrong.pop(key, None)
        self._proved[key] = None
        self._proved.move_to_end(key)
        if len(self._proved) > _MOST_PROVED:
            self._proved.popitem(last=False)
        return wrong is not None and bool(wrong.until)

    def locks(self, now: float) -> int:
        """How many locks there are now."""
        return sum(wrong.until > now for wrong in self._wrong.values())

    def _held(self, key: _Key, now: float, epoch: object) -> _Wrong | None:
        wrong = self._wrong.get(key)
        if wrong is None or wrong.epoch != epoch or now >= (wrong.until or wrong.since + WINDOW_S):
            return None
        return wrong


def _counted(account: str, source: str) -> tuple[tuple[_Key, int, Locked], ...]:
    return (
        ((account, source), FAILURES, Locked.ACCOUNT_AT_SOURCE),
        (("", source), _OF_SOURCE, Locked.SOURCE),
        ((account, ""), _OF_ACCOUNT, Locked.ACCOUNT),
    )
