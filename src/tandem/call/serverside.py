"""The part of a call leg that answers the peer's INVITE: provisional responses, the 200, and how both are acknowledged.

A 200 is sent again until its ACK comes (RFC 3261 §13.3.1.4), a reliable provisional response until its PRACK comes (RFC 3262).
"""

import asyncio
import logging
import secrets
from abc import abstractmethod
from enum import Enum, auto

from tandem.call.errors import Ended
from tandem.call.link import Link
from tandem.call.negotiation import Negotiation
from tandem.call.reoffer import Reoffers
from tandem.core.log import event, get_logger
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import IncompatibleMedia, SdpError
from tandem.sip.headers import fields
from tandem.sip.machines.dialog import DialogInput
from tandem.sip.machines.offeranswer import Offer
from tandem.sip.machines.reliable import ReliableSender, Resend, resend_answer
from tandem.sip.machines.sessiontimer import SessionInterval
from tandem.sip.message.body import description_of
from tandem.sip.message.message import Request, Response

_log = get_logger("call")


class GivenUp(Enum):
    """What was never acknowledged."""

    ANSWER = auto()
    PROVISIONAL = auto()


class Resending:
    """The unacknowledged responses of one leg. ``now`` is the loop's time, in seconds."""

    __slots__ = ("_answer", "_reliable", "_ringing")

    def __init__(self) -> None:
        self._answer: tuple[ServerTransaction, Response, Resend] | None = None
        self._reliable: ReliableSender | None = None
        self._ringing: ServerTransaction | None = None

    @property
    def awaits_ack(self) -> bool:
        """Whether a 200 waits for its ACK."""
        return self._answer is not None

    @property
    def awaits_prack(self) -> bool:
        """Whether a provisional response waits for its PRACK."""
        return self._reliable is not None and bool(self._reliable.pending)

    @property
    def is_reliable(self) -> bool:
        """Whether a provisional response was sent that wants a PRACK."""
        return self._reliable is not None

    def answer(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a 200 to an INVITE."""
        if self._reliable is not None:
            self._reliable.answered()
        self._answer = (transaction, response, resend_answer(now))
        transaction.respond(response)

    def is_acknowledged_by(self, ack: Request) -> bool:
        """Whether an ACK is the one that the 200 waits for; if so, it is not sent again."""
        if self._answer is None or fields.cseq(ack).sequence != fields.cseq(self._answer[0].request).sequence:
            return False
        self._answer = None
        return True

    def ring(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a provisional response reliably, in its turn."""
        if self._reliable is None:
            self._reliable = ReliableSender(transaction.request, first=1 + secrets.randbelow(2**31 - 1))
        self._ringing = transaction
        for each in self._reliable.send(response, now):
            transaction.respond(each)

    def pracked(self, prack: Request, now: float) -> None:
        """A PRACK came; raises :class:`DialogError` if it fits none of ours."""
        assert self._reliable is not None and self._ringing is not None
        for each in self._reliable.acknowledged(prack, now):
            self._ringing.respond(each)

    def forget_answer(self) -> None:
        """Send the 200 no more."""
        self._answer = None

    def next_timeouts(self) -> list[float]:
        """When :meth:`wake` is due."""
        moments = [self._answer[2].next_timeout()] if self._answer else []
        if self._reliable is not None and (at := self._reliable.next_timeout()) is not None:
            moments.append(at)
        return moments

    def wake(self, now: float) -> GivenUp | None:
        """Send again what is due; what was not acknowledged in time is given up."""
        given_up = None
        if self._answer is not None:
            transaction, response, resend = self._answer
            again = resend.timeout(now)
            if again:
                transaction.respond(response)
            elif again is None:
                self._answer, given_up = None, GivenUp.ANSWER
        if self._reliable is not None and self._ringing is not None:
            responses = self._reliable.timeout(now)
            for each in responses or ():
                self._ringing.respond(each)
            if responses is None:
                return GivenUp.PROVISIONAL
        return given_up

    def refuse(self, status: int) -> None:
        """Refuse the INVITE whose provisional response was not acknowledged."""
        assert self._ringing is not None
        self._ringing.respond_with(status)


class ServerSide(Reoffers):
    """The leg itself, :class:`tandem.call.leg.CallLeg`, decides about its end."""

    def __init__(self, link: Link, negotiation: Negotiation) -> None:
        super().__init__(link, negotiation)
        self.resending = Resending()
        self._answer_in_ack = False
        self._moved: asyncio.Event | None = None

    def answered(self, transaction: ServerTransaction, response: Response, interval: SessionInterval | None) -> None:
        """We send this 200 to an INVITE, again until its ACK comes (RFC 3261 §13.3.1.4)."""
        self.dialog.happened(DialogInput.ANSWERED)
        offer_answer = self.negotiation.offer_answer
        self._answer_in_ack = offer_answer.state is Offer.OURS
        offer_answer.invite = Offer.THEIRS
        transaction.on_failed = lambda: self.spawn(self.hangup())
        self.resending.answer(transaction, response, asyncio.get_running_loop().time())
        self.set_session(interval)

    def acknowledged(self, ack: Request) -> None:
        """An ACK to a 2xx of ours came."""
        if not self.resending.is_acknowledged_by(ack):
            return
        self.negotiation.offer_answer.invite_done()
        if self.is_over:
            self.bye()
        elif self._answer_in_ack:
            try:
                self.negotiation.accept(description_of(ack))
            except (SdpError, IncompatibleMedia) as error:
                event(_log, logging.WARNING, "call.no_agreement", call=self.dialog.call_id, why=error)
                self.end(Ended.FAILED)
                self.bye()
        self.settle()
        self.rearm()

    def ring_reliably(self, transaction: ServerTransaction, response: Response) -> None:
        """Send a provisional response, again until its PRACK comes (RFC 3262)."""
        self.resending.ring(transaction, response, asyncio.get_running_loop().time())
        self.rearm()

    def pracked(self, prack: Request) -> None:
        """A PRACK came; raises :class:`DialogError` if it fits none of ours."""
        self.resending.pracked(prack, asyncio.get_running_loop().time())
        self.settle()
        self.rearm()

    async def settled(self) -> None:
        """Wait until no provisional response is under way: a 2xx may not overtake one with a description (RFC 3262 §3)."""
        while self.resending.awaits_prack and not self.is_over:
            self._moved = asyncio.Event()
            await self._moved.wait()

    async def agreed(self) -> bool:
        """Wait until media is agreed on, if need be by the ACK; returns whether the call goes on then."""
        while self.negotiation.theirs is None and not self.is_over:
            self._moved = asyncio.Event()
            await self._moved.wait()
        return not self.is_over

    def settle(self) -> None:
        """Wake what waits for the state to change."""
        if self._moved is not None:
            self._moved.set()

    def wake_resending(self, now: float) -> None:
        """Send again what is due; a call whose answer is not acknowledged ends."""
        match self.resending.wake(now):
            case GivenUp.ANSWER:
                self.negotiation.offer_answer.invite_done()
                self.lost(Ended.NO_ACK)
            case GivenUp.PROVISIONAL:
                self.end(Ended.NO_ACK)
                self.resending.refuse(504)
            case None:
                pass

    # What the leg does

    @abstractmethod
    async def hangup(self) -> None:
        """End the call, if it has not ended."""

    @abstractmethod
    def bye(self) -> None:
        """Send BYE, whatever becomes of it."""

    @abstractmethod
    def end(self, why: Ended) -> None:
        """The call is over; the caller of this sends the BYE, if one is needed."""

    @abstractmethod
    def lost(self, why: Ended) -> None:
        """End the call by BYE, with a reason."""
