"""The calls whose INVITE is being handled: how many there are in all and of each kind, and when there is none."""

import asyncio
import functools
from collections import Counter

from tandem.sip.aio.transactions import ServerTransaction


class OpenCalls:
    """A call is open from :meth:`begin` until its handler has ended."""

    def __init__(self) -> None:
        self._transactions: set[ServerTransaction] = set()
        self._counts: Counter[str] = Counter()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._transactions)

    def count(self, key: str) -> int:
        """How many of the open calls count under a key."""
        return self._counts[key]

    def begin(self, transaction: ServerTransaction, *keys: str) -> None:
        """A handler takes a call, which counts under these keys as well."""
        self._transactions.add(transaction)
        self._counts.update(keys)
        self._idle.clear()
        transaction.on_ended = functools.partial(self._ended, transaction, keys)

    async def idle(self) -> None:
        """Wait until no call is open."""
        await self._idle.wait()

    def _ended(self, transaction: ServerTransaction, keys: tuple[str, ...]) -> None:
        self._transactions.discard(transaction)
        self._counts -= Counter(keys)  # which keeps no zeros
        if not self._transactions:
            self._idle.set()
