"""A bridge (B2BUA): a call that came in, and the one that is placed for it, signalled as one call.

What one peer does, the other peer is told: provisional responses with their early media, the answer, a refusal, CANCEL,
hold and its end, INFO, BYE from either side. Each leg keeps a dialog, a session timer and a description of its own: an offer
of one peer becomes an offer of ours to the other one, and what that one answers becomes our answer (directions; codecs and
keys belong to a leg). An offer that changes no direction is answered without asking the other peer.

Left out: REFER and NOTIFY are the legs' own (``on_refer``, ``on_notify``), since what they name are dialogs of one side.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from tandem.call.attempt import Attempt
from tandem.call.errors import CallFailed, CallRefused
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.call.negotiation import direction_of
from tandem.core import tasks
from tandem.core.log import event, get_logger
from tandem.media.errors import Unavailable
from tandem.sip.message.message import Request, Response

_log = get_logger("call")
_PASSED_ON = ("Content-Type", "Content-Disposition", "Info-Package")
"""Headers of an INFO that go with its body (RFC 6086)."""
_HOP_BY_HOP = {401: 500, 407: 500}
"""A challenge to us is no business of the caller's; nobody else can answer it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progressed:
    """The callee's side sent a provisional response; ``early`` is its dialog, if it began one."""

    response: Response
    early: CallLeg | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    leg: CallLeg


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    why: CallFailed


class _Cancelled:
    """The caller gave up."""


_Happened = _Progressed | _Answered | _Failed | _Cancelled


class BridgedCall:
    """Two legs as one call. :meth:`run` is the handler of the INVITE that came in. Both legs have media of one ``Media``."""

    def __init__(self, incoming: IncomingCall, attempt: Attempt) -> None:
        self.caller: CallLeg | None = None
        self.callee: CallLeg | None = None
        self._incoming = incoming
        self._attempt = attempt
        self._events: asyncio.Queue[_Happened] = asyncio.Queue()
        self._early_media: CallLeg | None = None
        attempt.on_provisional = lambda response, leg: self._events.put_nowait(
            _Progressed(response=response, early=leg)
        )

    async def run(self) -> None:
        """Bridge the call until it is over; when cancelled, both peers are told."""
        waiting = [
            tasks.spawn(self._place(), name="call.bridge_place", log=_log),
            tasks.spawn(self._watch_cancel(), name="call.bridge_cancel", log=_log),
        ]
        try:
            if await self._until_answered():
                await self._until_over()
        finally:
            await tasks.cancel(*waiting)
            await self._hang_up()

    async def _hang_up(self) -> None:
        while not self._events.empty():
            match self._events.get_nowait():
                case _Answered(leg=leg):  # as the caller gave up
                    self.callee = leg
                case _:
                    pass
        legs = [leg for leg in (self.caller, self.callee) if leg is not None]
        for leg in legs:
            leg.other_side = None
        await asyncio.gather(*(leg.hangup() for leg in legs))

    # Until the answer

    async def _place(self) -> None:
        try:
            self._events.put_nowait(_Answered(leg=await self._attempt.answered()))
        except CallFailed as failed:
            self._events.put_nowait(_Failed(why=failed))
        except (OSError, TimeoutError, Unavailable) as error:
            self._events.put_nowait(_Failed(why=CallFailed(503, "Service Unavailable", str(error))))
        except Exception:
            self._events.put_nowait(_Failed(why=CallFailed(500, "Server Internal Error")))
            raise

    async def _watch_cancel(self) -> None:
        await self._incoming.cancelled.wait()
        self._events.put_nowait(_Cancelled())

    async def _until_answered(self) -> bool:
        """Pass on what happens until both legs are answered; returns whether they are."""
        try:
            while True:
                match await self._events.get():
                    case _Progressed() as progressed:
                        await self._progress(progressed)
                    case _Answered(leg=leg):
                        await self._answer(leg)
                        return True
                    case _Failed(why=failed):
                        self._refuse(failed)
                        return False
                    case _Cancelled():
                        return False  # the attempt's task is cancelled, which sends CANCEL
        except CallRefused as refused:  # the caller gave up, or cannot be agreed with; it has been told
            event(_log, logging.INFO, "call.bridge_refused", status=refused.status, why=refused)
            return False

    async def _progress(self, progressed: _Progressed) -> None:
        early, status = progressed.early, progressed.response.status
        self._incoming.beside = self._attempt.media
        if early is None or early.negotiation.theirs is None or early.is_over:
            await self._incoming.ring(status)
        elif self._early_media is not early:
            self._early_media = early
            self._incoming.direction = direction_of(early.negotiation.theirs)
            caller = await self._incoming.progress(status)
            await caller.media.bridge(early.media)

    async def _answer(self, callee: CallLeg) -> None:
        self.callee = callee
        self._incoming.beside = callee.media
        if callee.negotiation.theirs is not None:
            self._incoming.direction = direction_of(callee.negotiation.theirs)
        self.caller = caller = await self._incoming.answer()
        caller.other_side, callee.other_side = _Other(callee), _Other(caller)
        await caller.media.bridge(callee.media)

    def _refuse(self, failed: CallFailed) -> None:
        retry = () if failed.retry_after_s is None else (("Retry-After", str(failed.retry_after_s)),)
        self._incoming.refuse(_HOP_BY_HOP.get(failed.status, failed.status), "", *retry)

    # After the answer

    async def _until_over(self) -> None:
        assert self.caller is not None and self.callee is not None
        await asyncio.wait({self.caller.ended, self.callee.ended}, return_when=asyncio.FIRST_COMPLETED)


class _Other:
    """One leg as the other leg sees it: see :class:`tandem.call.reoffer.OtherSide`."""

    def __init__(self, leg: CallLeg) -> None:
        self._leg = leg

    async def reoffered(self, direction: str) -> str:
        """Offer this direction to the peer of this leg."""
        negotiation = self._leg.negotiation
        before, negotiation.direction = negotiation.direction, direction
        try:
            await self._leg.reoffer(tries=1)  # after a 491 the peer that asked tries again, not we
        except BaseException:
            negotiation.direction = before
            raise
        assert negotiation.theirs is not None
        return direction_of(negotiation.theirs)

    async def relayed(self, request: Request) -> Response | None:
        """Send an INFO on; the other methods are the legs' own."""
        if request.method != "INFO":
            return None
        return await self._leg.request("INFO", headers=_passed_on(request), body=request.body)


def _passed_on(request: Request) -> Iterable[tuple[str, str]]:
    return [(name, value) for name in _PASSED_ON for value in request.headers.all(name)]
