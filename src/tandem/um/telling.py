"""Telling the gateways of a user's dial plan how many voice messages wait (RFC 3842, unsolicited NOTIFY).

Of several gateways the first that accepts is enough, as Exchange does it. While none does, it is tried again for ever, with a
delay that grows for each user. A change is told at once, a few at a time; what is told again (tries, refreshes) is told at an
even pace, so that neither a gateway that comes back nor a restart brings a burst. Of several changes the last one counts.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tandem.core.log import event, get_logger
from tandem.core.tasks import Work, back_off_s, cancel, spawn
from tandem.directory import objects as o
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.headers.mwi import MessageSummary, unsolicited_notify
from tandem.um import counts
from tandem.um.config import UmConfig

_log = get_logger("um")
FIRST_DELAY_S, LONGEST_DELAY_S = 2.0, 300.0
"""Seconds after which a user's gateways are tried again; it doubles each time, up to the longest."""
AWAY_S = 5.0
"""A gateway that did not answer, or answered that it takes nothing, is passed over for so long."""
PACED_PER_S = 20.0
"""Messages a second that tell again."""
AT_ONCE = 8
"""What is told at the same time, of changes and of what is told again."""
SILENT_S = 1.0
"""A gateway that has not answered after so long is passed over until it does, so that it holds up no other."""
_TAKES_NOTHING = (408, 500, 503)


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """What gateways should know of a mailbox, and what they were told last."""

    wanted: MessageSummary
    told: MessageSummary | None = None
    tries: int = 0
    busy: bool = False
    again: asyncio.TimerHandle | None = None


class _Due:
    """Mailboxes in the order in which they came, each once."""

    def __init__(self) -> None:
        self._addresses: dict[str, None] = {}
        self._some = asyncio.Event()

    def add(self, address: str) -> None:
        self._addresses[address] = None
        self._some.set()

    async def first(self) -> str:
        while not self._addresses:
            self._some.clear()
            await self._some.wait()
        address = next(iter(self._addresses))
        del self._addresses[address]
        return address


class MwiTeller:
    """Mailboxes are named by their mail addresses, as in :attr:`UmConfig.by_mail`."""

    def __init__(self, endpoint: Endpoint, config: Callable[[], UmConfig], contact: Callable[[str], str]) -> None:
        self._endpoint = endpoint
        self._config = config
        self._contact = contact
        self._waiting: dict[str, _Waiting] = {}
        self._changed, self._paced = _Due(), _Due()
        self._away_until: dict[str, float] = {}

    def works(self) -> Mapping[str, Work]:
        """What runs as long as the server does, by name."""
        return {**{f"mwi.tell.{n}": self._tell_changes for n in range(AT_ONCE)}, "mwi.tell_again": self._tell_again}

    def tell(self, address: str, summary: MessageSummary, *, at_once: bool) -> None:
        """So many messages wait in a mailbox: tell it if that is not what was told last.

        What is told for the first time is told ``at_once``, or at the pace of what is told again: after a start it is most.
        """
        known = self._waiting.get(address)
        if known is None:
            self._waiting[address] = _Waiting(wanted=summary)
            (self._changed if at_once else self._paced).add(address)
        elif known.wanted != summary:
            known.wanted = summary
            self._changed.add(address)

    def forget(self, address: str) -> None:
        """Nobody is to be told of a mailbox any more."""
        waiting = self._waiting.pop(address, None)
        if waiting is not None and waiting.again is not None:
            waiting.again.cancel()

    async def refresh(self) -> None:
        """Tell all again, at the pace of what is told again."""
        for address in tuple(self._waiting):
            if (waiting := self._waiting.get(address)) is not None:
                waiting.told = None
                self._paced.add(address)
            await asyncio.sleep(1 / PACED_PER_S)

    async def _tell_changes(self) -> None:
        while True:
            await self._tell(await self._changed.first())

    async def _tell_again(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                address = await self._paced.first()
                if len(under_way) >= AT_ONCE:
                    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                task = spawn(self._tell(address), name="um.mwi_again", log=_log)
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                await asyncio.sleep(1 / PACED_PER_S)
        finally:
            await cancel(*under_way)

    async def _tell(self, address: str) -> None:
        """Tell a mailbox's gateways how many messages wait now, if they do not know it."""
        waiting, user = self._waiting.get(address), self._config().by_mail.get(address)
        if user is None:
            self.forget(address)
            return
        if waiting is None or waiting.busy or waiting.told == waiting.wanted:
            return
        if waiting.again is not None:
            waiting.again.cancel()
            waiting.again = None
        summary, waiting.busy = waiting.wanted, True
        try:
            gateway = await self._notify_first(user, summary)
        finally:
            waiting.busy = False
        if gateway is None:
            self._failed(address, waiting)
            return
        waiting.told, waiting.tries = summary, 0
        counts.mwi_sent.value += 1
        event(_log, logging.INFO, "um.mwi", account=user.account, gateway=gateway, new=summary.new)
        if waiting.wanted != summary:
            self._changed.add(address)

    def _failed(self, address: str, waiting: _Waiting) -> None:
        waiting.tries += 1
        counts.mwi_not_sent.value += 1
        if waiting.tries == 1:
            event(_log, logging.WARNING, "um.mwi_not_sent", mailbox=address, new=waiting.wanted.new)
        delay_s = back_off_s(waiting.tries, first_s=FIRST_DELAY_S, longest_s=LONGEST_DELAY_S)
        waiting.again = asyncio.get_running_loop().call_later(delay_s, self._paced.add, address)

    async def _notify_first(self, user: o.User, summary: MessageSummary) -> str | None:
        """The name of the gateway that took it."""
        loop = asyncio.get_running_loop()
        now = loop.time
        gateways = self._config().gateways_of(user.um_dial_plan)
        # The user's own pool first: a PBX may take what is for nobody it knows, and other pools refuse it.
        for gateway in sorted(gateways, key=lambda each: each.address.lower() != user.home_pool.lower()):
            away_until = self._away_until.get(gateway.name, 0.0)
            if not gateway.mwi_allowed or away_until > now():
                continue
            if away_until:  # whether it is back, one asks for all
                self._away_until[gateway.name] = math.inf
            silent = loop.call_later(SILENT_S, self._away_until.__setitem__, gateway.name, math.inf)
            status = 503
            try:
                status = await self._notify(user, gateway, summary)
            except Exception as error:  # whatever it is, it is told again
                event(_log, logging.INFO, "um.notify_failed", gateway=gateway.name, error=error)
            finally:
                silent.cancel()
                self._away_until[gateway.name] = now() + AWAY_S if status in _TAKES_NOTHING else 0.0
            if status < 300:
                return gateway.name
            event(_log, logging.INFO, "um.notify_refused", gateway=gateway.name, status=status)
        return None

    async def _notify(self, user: o.User, gateway: o.UMIPGateway, summary: MessageSummary) -> int:
        ids = self._endpoint.ids
        request = unsolicited_notify(
            summary,
            uri=self._config().mwi_uri(user, gateway),
            account=self._config().mwi_address(user, gateway),
            contact=self._contact(gateway.transport),
            from_tag=ids.token(8),
            call_id=ids.token(12),
        )
        hop = Hop(transport=gateway.transport, host=gateway.address, port=gateway.port)
        return (await (await self._endpoint.send(request, hop)).final()).status
