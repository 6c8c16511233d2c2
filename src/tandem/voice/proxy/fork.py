"""Forking (RFC 3261 §16.7): several phones ring at once, and what they say becomes one answer.

Every 2xx is passed on, also one that comes after the first (step 10), so that the caller can end what it does not want. A
CANCEL is passed on too, and what the phones say to it decides: one that answers at that moment has the call. A 6xx ends the
ringing everywhere.
"""

import asyncio
import math
from collections.abc import Callable

from tandem.core.tasks import spawn
from tandem.sip.aio.transactions import ClientTransaction
from tandem.sip.message.message import Response
from tandem.voice.proxy.encryption import EncryptionGuard

CANCELLED_S = 2.0
"""Seconds that phones have to confirm the CANCEL after the no-answer time."""
TIMER_C_S = 185.0
"""Seconds without any response after which a branch that rang is cancelled (§16.6: more than three minutes)."""
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
DECLINED = 'SIP;cause=603;text="Declined elsewhere"'
"""Reason values (RFC 3326) of a CANCEL, so that a phone knows whether to show a missed call."""


class Fork:
    """The branches of one INVITE that are tried at once; ``relay`` sends a response to the caller, ``guard`` sees it first."""

    def __init__(self, relay: Callable[[Response], None], guard: EncryptionGuard | None = None) -> None:
        self.answered = False
        self._relay = relay
        self._guard = guard
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[tuple[ClientTransaction, Response] | None] = asyncio.Queue()
        self._pending: set[ClientTransaction] = set()
        self._readers: set[asyncio.Task[None]] = set()
        self._given_up = self._decided = False

    def add(self, client: ClientTransaction) -> None:
        """One more branch; its INVITE has been sent."""
        self._pending.add(client)
        client.on_late = lambda response: self._again(client, response)
        # The reader ends by itself with the final response (487 after a CANCEL, or the time-out's 408).
        reader = spawn(self._read(client), name="voice.branch")
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    def cancel(self, reason: str = "") -> None:
        """End what still rings."""
        for client in self._pending:
            client.cancel(reason)

    def stop(self) -> None:
        """The call was answered elsewhere, by a phone that had been given up."""
        self.answered = True
        self._arrived.put_nowait(None)

    def give_up(self) -> None:
        """The caller hung up: what the phones say to the CANCEL decides, for a moment."""
        self._arrived.put_nowait(None)

    async def result(self, ring_s: float | None, silent_s: float | None) -> Response | None:
        """Relay what comes until it is decided; the best refusal, or ``None`` when the call was answered.

        ``ring_s`` is how long phones ring at most; a branch that says nothing at all for ``silent_s`` has failed.
        """
        try:
            return await self._result(ring_s, silent_s)
        finally:
            self._decided = True
            while not self._arrived.empty():
                if (arrived := self._arrived.get_nowait()) is not None:
                    self._late(arrived[1])

    async def _result(self, ring_s: float | None, silent_s: float | None) -> Response | None:
        now = self._loop.time()
        ends_at = now + ring_s if ring_s is not None else math.inf
        silent_at = now + (silent_s if silent_s is not None else TIMER_C_S)
        best: Response | None = None
        while self._pending:
            try:
                async with asyncio.timeout_at(min(ends_at, silent_at)):
                    arrived = await self._arrived.get()
            except TimeoutError:
                if self._given_up or (silent_s is not None and silent_at <= ends_at):
                    return Response(status=408)
                arrived = None
            if self.answered:
                return None
            if arrived is None:  # a phone may be answering at this very moment: what it says to the CANCEL decides
                self._given_up, ends_at = True, self._loop.time() + CANCELLED_S
                self.cancel()
                continue
            client, response = arrived
            silent_s, silent_at = None, self._loop.time() + TIMER_C_S
            if response.status < 200:
                self._ringing(response)
            elif self._final(client, response):
                return None
            elif best is None or _rank(response.status) < _rank(best.status):
                best = response
        return Response(status=408) if self._given_up else best

    def _ringing(self, response: Response) -> None:
        if response.status > 100 and not self._given_up:
            self._relay(response)

    def _final(self, client: ClientTransaction, response: Response) -> bool:
        """Note a final response; whether it is an answer."""
        self._pending.discard(client)
        if response.status < 300:
            self.answered = True
            self._relay(response)
        elif response.status >= 600:  # §16.7 step 5: nobody else needs to ring
            self.cancel(DECLINED)
        return self.answered

    async def _read(self, client: ClientTransaction) -> None:
        async for came in client.responses():
            response = came if self._guard is None else await self._guard.passed(client, came)
            if response is None:
                continue
            if self._decided:
                self._late(response)
            else:
                self._arrived.put_nowait((client, response))

    def _again(self, client: ClientTransaction, response: Response) -> None:
        """One more 2xx came on a branch that has its final response."""
        if self._guard is None:
            self._relay(response)
        else:
            spawn(self._screen(self._guard, client, response), name="voice.branch")

    async def _screen(self, guard: EncryptionGuard, client: ClientTransaction, response: Response) -> None:
        if (passed := await guard.passed(client, response)) is not None:
            self._late(passed)

    def _late(self, response: Response) -> None:
        if 200 <= response.status < 300:
            self._relay(response)


def _rank(status: int) -> int:
    """Which refusal tells the caller most: a 6xx, then 486, then other 4xx, then 5xx, then 408."""
    return 0 if status >= 600 else 1 if status == 486 else 4 if status == 408 else 3 if status >= 500 else 2
