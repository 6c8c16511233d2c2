"""The active calls that go through this server, so that it can wait for their end before it stops.

A proxy keeps no dialogs; what is known of a call is when its first 2xx and a BYE went through. A call also counts as over when
its caller's connection is gone: whether the phone comes back is not waited for.
"""

import asyncio
from collections.abc import Callable

from tandem.sip.aio.flow import Flow


class ActiveCalls:
    """Calls by their Call-ID."""

    def __init__(self) -> None:
        self._calls: dict[str, tuple[Flow, Callable[[], None]]] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._calls)

    def begun(self, call_id: str, caller: Flow) -> None:
        """A call was answered."""
        if call_id in self._calls:
            return

        def lost() -> None:
            self.ended(call_id)

        self._calls[call_id] = caller, lost
        caller.on_close.append(lost)
        self._idle.clear()

    def ended(self, call_id: str) -> None:
        """A BYE went through, or the caller's connection is gone."""
        if (held := self._calls.pop(call_id, None)) is not None:
            caller, lost = held
            caller.on_close.discard(lost)
        if not self._calls:
            self._idle.set()

    async def none_left(self) -> None:
        """Wait until no call is active."""
        await self._idle.wait()
