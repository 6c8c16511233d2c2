"""The calls whose INVITE is being handled: how many there are, and when there is none."""

import asyncio
import functools

from tandem.sip.aio.transactions import ServerTransaction


class OpenCalls:
    """A call is open from :meth:`begin` until its handler has ended."""

    def __init__(self) -> None:
        self._transactions: set[ServerTransaction] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._transactions)

    def begin(self, transaction: ServerTransaction) -> None:
        """A handler takes a call."""
        self._transactions.add(transaction)
        self._idle.clear()
        transaction.on_ended = functools.partial(self._ended, transaction)

    async def idle(self) -> None:
        """Wait until no call is open."""
        await self._idle.wait()

    def _ended(self, transaction: ServerTransaction) -> None:
        self._transactions.discard(transaction)
        if not self._transactions:
            self._idle.set()
