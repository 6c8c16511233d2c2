"""Connections that are being opened: who wants the same one waits for the attempt under way and shares what comes of it.

A place that does not answer is asked again by nobody for some seconds: calls to a dead server fail at once, or go elsewhere.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tandem.core.log import get_logger
from tandem.core.tasks import Tasks
from tandem.sip.aio.flow import Hop, StreamFlow
from tandem.sip.machines.failures import Failures
from tandem.sip.machines.locate import ServerAddress

_log = get_logger("sip")
CONNECT_S = 5.0
"""Seconds that a connection and its handshake may take."""
SILENT_S = 5.0
"""Seconds after that in which the place is not tried again."""
_Where = tuple[Hop, ServerAddress]
Open = Callable[[Hop, ServerAddress], Awaitable[StreamFlow]]


class Connecting:
    """Of one endpoint. ``open_`` connects, and raises :class:`OSError` or :class:`TimeoutError`."""

    def __init__(self, open_: Open) -> None:
        self._open = open_
        self._tasks = Tasks(_log)
        self._under_way: dict[_Where, tuple[float, asyncio.Task[StreamFlow | OSError]]] = {}
        self._silent = Failures()

    async def connect(self, hop: Hop, place: ServerAddress, *, patience_s: float) -> StreamFlow:
        """A new connection. Raises :class:`OSError`, after ``patience_s`` of the attempt at the latest.

        The attempt goes on then, for those who have more patience.
        """
        where, now = (hop, place), asyncio.get_running_loop().time()
        if self._silent.avoided(where, now):
            raise ConnectionError(f"{place.host} did not answer less than {SILENT_S:.0f} s ago")
        if where not in self._under_way:
            self._under_way[where] = now, self._tasks.spawn(self._attempt(where), name="sip.connect")
        begun, attempt = self._under_way[where]
        try:
            async with asyncio.timeout_at(begun + patience_s):
                outcome = await asyncio.shield(attempt)
        except TimeoutError:
            raise ConnectionError(f"{place.host} did not answer within {patience_s} s") from None
        if isinstance(outcome, OSError):
            raise ConnectionError(str(outcome)) from outcome
        return outcome

    async def stop(self) -> None:
        """Give up what is under way."""
        await self._tasks.stop()

    async def _attempt(self, where: _Where) -> StreamFlow | OSError:
        """What came of it, as a value: each who waits is told."""
        try:
            async with asyncio.timeout(CONNECT_S):
                return await self._open(*where)
        except TimeoutError:
            self._silent.failed(where, asyncio.get_running_loop().time(), for_s=SILENT_S)
            return ConnectionError(f"{where[1].host} did not answer within {CONNECT_S:.0f} s")
        except OSError as error:
            return error
        finally:
            del self._under_way[where]
