"""Transfers (RFC 3515, RFC 5589): asking the peer to call somebody else, and doing so when it asks us.

Who asks hears by NOTIFY, within the call, how the new call goes; the subscription for that is made by the REFER itself and
ends with the new call's final response. Nothing is transferred unless the leg's user said so (``leg.on_refer``).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from tandem.call.errors import CallFailed
from tandem.call.leg import CallLeg
from tandem.core.log import event, get_logger
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import DialogError
from tandem.sip.headers import fields
from tandem.sip.headers.refer import CONTENT_TYPE, EVENT, Refer, event_id, fragment, parse_fragment, parse_refer
from tandem.sip.headers.replaces import Replaces
from tandem.sip.machines.subscription import Event, Notifier, SubscriptionState, event_of, told

_log = get_logger("call")
LASTS_S = 300
"""Seconds that the subscription of a REFER is granted; a call that rings longer is not followed to its end."""


class Transfer:
    """A REFER of ours that was accepted: ``progress`` are the statuses told so far, ``done`` gives the last one.

    ``done`` gives 0 where the peer stopped telling before it knew.
    """

    def __init__(self, leg: CallLeg, cseq: int) -> None:
        self.progress: list[int] = []
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._cseq = cseq
        self._leg = leg
        leg.ended.add_done_callback(lambda _: self._over(0))

    def notified(self, transaction: ServerTransaction) -> None:
        """A NOTIFY within the call came."""
        request = transaction.request
        if event_of(request).package != EVENT or event_id(request) not in (None, self._cseq):
            raise DialogError("there is no such subscription", status=481)
        state, status = told(request.headers), parse_fragment(request.body)
        transaction.respond_with(200)
        self.progress.append(status)
        if status >= 200 or state.state is SubscriptionState.TERMINATED:
            self._over(status if status >= 200 else 0)

    def _over(self, status: int) -> None:
        if not self.done.done():
            self.done.set_result(status)


async def transfer(leg: CallLeg, uri: str, *, instead_of: CallLeg | None = None, referred_by: str = "") -> Transfer:
    """Ask the peer to call ``uri``; with ``instead_of``, to take our place in that call (an attended transfer).

    Raises :class:`CallFailed` if the peer will not.
    """
    replaces = Replaces.of(instead_of.dialog.key) if instead_of is not None else None
    cseq = leg.dialog.local_cseq + 1
    following = Transfer(leg, cseq)
    before, leg.on_notify = leg.on_notify, following.notified  # a NOTIFY may overtake the 202
    headers = Refer(uri=uri, replaces=replaces, referred_by=referred_by).headers()
    response = await leg.request("REFER", headers=(("Contact", leg.link.contact), *headers))
    if response.status >= 300:
        leg.on_notify = before
        raise CallFailed(response.status, response.reason, response.headers.get("Warning") or "")
    return following


class Referred:
    """A REFER of the peer's: :meth:`accept` it with what places the call, or :meth:`refuse` it."""

    def __init__(self, leg: CallLeg, transaction: ServerTransaction) -> None:
        """Raises :class:`tandem.sip.errors.MalformedMessage` for one that cannot be read."""
        self.wanted = parse_refer(transaction.request)
        self._leg = leg
        self._transaction = transaction
        cseq = fields.cseq(transaction.request).sequence
        now = asyncio.get_running_loop().time()
        self._notifier = Notifier(Event(package=EVENT, id=str(cseq)), expires_s=LASTS_S, now=now)

    def refuse(self, status: int = 603) -> None:
        """The call goes on as it is."""
        self._transaction.respond_with(status)

    def accept(self, place: Callable[[Refer], Awaitable[None]]) -> None:
        """Say that we will, place the call, and tell how it went; ``place`` raises :class:`CallFailed` if it fails."""
        self._transaction.respond_with(202, headers=(("Contact", self._leg.link.contact),))
        self._leg.spawn(self._follow(place))

    async def _follow(self, place: Callable[[Refer], Awaitable[None]]) -> None:
        await self._tell(100)
        try:
            async with asyncio.timeout(LASTS_S):
                await place(self.wanted)
            status = 200
        except CallFailed as failed:
            status = failed.status
        except (OSError, TimeoutError):
            status = 503
        self._notifier.end("noresource")
        event(_log, logging.INFO, "call.referred", call=self._leg.dialog.call_id, to=self.wanted.uri, status=status)
        await self._tell(status)

    async def _tell(self, status: int) -> None:
        if self._leg.ended.done():
            return
        said = self._notifier.tell(asyncio.get_running_loop().time())
        headers = (
            ("Event", self._notifier.event.value()),
            ("Subscription-State", said.value()),
            ("Contact", self._leg.link.contact),
            ("Content-Type", CONTENT_TYPE),
        )
        response = await self._leg.request("NOTIFY", headers=headers, body=fragment(status))
        self._notifier.answered(response.status)
