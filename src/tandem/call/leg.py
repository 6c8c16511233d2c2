"""One call leg: a dialog, its media, and how it ends. It begins early, with a provisional response, or by the answer.

A leg ends once, for one reason: a BYE from either side, an ACK that never came, a session that lapsed, or a peer that is
not heard any more. It has one timer for everything that it waits for, and no task of its own. Requests of the peer's are
served in :mod:`tandem.call.requests`, transfers in :mod:`tandem.call.transfer`.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Coroutine, Iterable
from enum import StrEnum
from typing import Any, NoReturn

from tandem.call.errors import CallFailed
from tandem.call.link import Link
from tandem.call.negotiation import CONTENT_TYPE, Negotiation
from tandem.core.log import event, get_logger
from tandem.media.session import Playback, Sound
from tandem.sip import fields, sessiontimer
from tandem.sip.aio.endpoint import ClientTransaction, ServerTransaction
from tandem.sip.dialog import ENDS_DIALOG, DialogInput, DialogState
from tandem.sip.errors import IncompatibleMedia, SdpError
from tandem.sip.exchange import Offer, glare_wait_s
from tandem.sip.message import Request, Response
from tandem.sip.params import tokens
from tandem.sip.reliable import ReliableSender, Resend, resend_answer
from tandem.sip.retry import retry_after_s
from tandem.sip.sessiontimer import Due, SessionTimer, Terms

_log = get_logger("call")
UNHEARD_S = 120.0
"""Seconds without a packet after which the peer counts as gone; long enough for a hold without media."""
BYE_S = 4.0
"""Seconds to wait for the answer to our BYE; the transaction itself goes on in the background."""
_ABOUT_LESS = ("BYE", "PRACK", "NOTIFY")
"""Methods whose 481 is about less than the call (RFC 5057 §5.1): it has ended, or about a response, or a subscription."""
_MOST_GLARES = 5
_LONGEST_WAIT_S = 10  # RFC 3261 §14.2: the 500 names at most 10 s
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY"
SUPPORTED = "100rel, timer, replaces"


class Ended(StrEnum):
    """Why a leg ended."""

    REMOTE = "remote"  # the peer said BYE, or gave up before the answer
    LOCAL = "local"  # we did
    NO_ACK = "no-ack"  # our answer was never acknowledged
    UNHEARD = "unheard"  # no media came any more
    MEDIA = "media"  # what served its media died
    LAPSED = "lapsed"  # the session was not refreshed in time
    FAILED = "failed"  # the peer does not know the call any more, or cannot be agreed with


class CallLeg:
    """A call with one peer; :class:`tandem.call.calls.Calls` makes them.

    ``invite`` is the request of a call that came in. ``give_up`` ends what would make the leg a call, while it is early.
    """

    def __init__(self, link: Link, negotiation: Negotiation) -> None:
        self._loop = asyncio.get_running_loop()
        self.link = link
        self.dialog = link.dialog
        self.negotiation = negotiation
        self.media = negotiation.media
        self.media.on_lost = lambda why: self._lost(Ended.MEDIA)
        self.invite: Request | None = None
        self.ended: asyncio.Future[Ended] = self._loop.create_future()
        self.peer_allows: frozenset[str] = frozenset()
        self.reliable: ReliableSender | None = None
        self.on_forget: Callable[[], None] = lambda: None
        self.on_refer: Callable[[ServerTransaction], None] | None = None
        self.on_notify: Callable[[ServerTransaction], None] | None = None
        self.on_info: Callable[[Request], None] = lambda request: None
        self.give_up: Callable[[], None] = lambda: None
        self.session: SessionTimer | None = None
        self.owns_media = True
        """Early dialogs of one fork share their media; who is answered gets it."""
        self._begun = self._loop.time()
        self._answer: tuple[ServerTransaction, Response, Resend] | None = None
        self._answer_in_ack = False
        self._ringing: ServerTransaction | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._bye_said: asyncio.Future[None] | None = None
        self._moved: asyncio.Event | None = None

    # What its user does

    @property
    def secure(self) -> bool:
        """Whether media is SRTP."""
        return self.negotiation.secure

    def play(self, *sounds: Sound) -> Playback:
        """Play sounds to the peer, one after the other; what was playing stops."""
        return self.media.play(sounds)

    async def hangup(self) -> None:
        """End the call, if it still stands, and wait a moment for the answer: a peer that is gone gives none."""
        if self.ended.done():
            return
        if self.dialog.state is DialogState.EARLY:
            self.end(Ended.LOCAL)
            self.give_up()
            return
        # RFC 3261 §15: the callee says no BYE before the ACK came, or could come no more.
        self._bye_said = self._loop.create_future()
        self.end(Ended.LOCAL)
        if self._answer is None:
            self.bye()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BYE_S):
                await asyncio.shield(self._bye_said)

    async def hold(self) -> None:
        """Tell the peer that we want to hear nothing for now. Raises what :meth:`reoffer` does."""
        self.negotiation.hold = True
        await self.reoffer()

    async def resume(self) -> None:
        """End a hold."""
        self.negotiation.hold = False
        await self.reoffer()

    async def reoffer(self, *, offer: bool = True) -> None:
        """Say anew what we want, by re-INVITE; without ``offer`` the peer offers, and we answer in the ACK.

        Where both ask at once (491), or the peer has not done with the last one (500 with Retry-After), it is tried
        again after the times of RFC 3261 §14. Raises :class:`CallFailed` when the peer refuses (what stood before then
        stands on), :class:`OutOfTurn` while another one is under way.
        """
        for _ in range(_MOST_GLARES):
            response = await self._reinvite(offer)
            if response.status < 300:
                return
            wait_s = self._later_s(response)
            if wait_s is None or self.ended.done():
                break
            await asyncio.sleep(wait_s)
        raise CallFailed(response.status, response.reason, response.headers.get("Warning") or "")

    async def update(self, *, offer: bool = False) -> Response:
        """Send an UPDATE (RFC 3311), with an offer if wanted, on an early or answered call; its final response."""
        body = self.negotiation.offer() if offer else b""
        response = await self.request("UPDATE", headers=(*self._said(), *self._session_wish()), body=body)
        if response.status < 300:
            self.link.refresh_target(response)
            self._refreshed(response)
            self._take_answer(response.body)
        elif offer:
            self.negotiation.withdraw()
        return response

    async def send_info(self, kind: str, body: bytes) -> Response:
        """Send an INFO (RFC 6086) with a body of this content type; its final response."""
        return await self.request("INFO", headers=(("Content-Type", kind),), body=body)

    async def ask(self) -> Response:
        """Send an OPTIONS within the dialog; a peer that does not know the call any more ends it."""
        return await self.request("OPTIONS", headers=(("Accept", CONTENT_TYPE),))

    async def request(self, method: str, *, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> Response:
        """Send any request within the dialog but INVITE; its final response. A 408 or 481 ends the leg (§12.2.1.2)."""
        response = await self.link.ask(method, headers, body)
        if response.status in ENDS_DIALOG and method not in _ABOUT_LESS:
            self._gone(response.status)
        return response

    # What Calls, Attempt and Incoming tell it

    def began(self, message: Request | Response) -> None:
        """What the peer's INVITE, or its 2xx, says of itself."""
        self.peer_allows = tokens(message.headers.all("Allow"))

    def answered(self, transaction: ServerTransaction, response: Response, terms: Terms | None) -> None:
        """We send this 200 to an INVITE, again until its ACK comes (RFC 3261 §13.3.1.4)."""
        self.dialog.happened(DialogInput.ANSWERED)
        if self.reliable is not None:
            self.reliable.answered()
        now = self._loop.time()
        exchange = self.negotiation.exchange
        self._answer_in_ack = exchange.state is Offer.OURS
        exchange.invite = Offer.THEIRS
        self._answer = (transaction, response, resend_answer(now))
        transaction.respond(response)
        self.set_session(terms)

    def confirmed(self, response: Response, terms: Terms | None) -> None:
        """Our INVITE was answered, and has been acknowledged."""
        self.began(response)
        self.media.on_lost = lambda why: self._lost(Ended.MEDIA)  # of several early dialogs, this one has the media
        self.set_session(terms)

    def acknowledged(self, ack: Request) -> None:
        """An ACK to a 2xx of ours came."""
        if self._answer is None or fields.cseq(ack).sequence != fields.cseq(self._answer[0].request).sequence:
            return
        self._answered_fully()
        if self.ended.done():
            self.bye()
        elif self._answer_in_ack:
            try:
                self.negotiation.accept(ack.body)
            except (SdpError, IncompatibleMedia) as error:
                event(_log, logging.WARNING, "call.no_agreement", call=self.dialog.call_id, why=error)
                self.end(Ended.FAILED)
                self.bye()
        self._settle()
        self.rearm()

    def ring_reliably(self, transaction: ServerTransaction, response: Response) -> None:
        """Send a provisional response, again until its PRACK comes (RFC 3262)."""
        if self.reliable is None:
            self.reliable = ReliableSender(transaction.request, first=1 + secrets.randbelow(2**31 - 1))
        self._ringing = transaction
        for each in self.reliable.send(response, self._loop.time()):
            transaction.respond(each)
        self.rearm()

    def pracked(self, prack: Request) -> None:
        """A PRACK came; raises :class:`DialogError` if it fits none of ours."""
        assert self.reliable is not None and self._ringing is not None
        for each in self.reliable.acknowledged(prack, self._loop.time()):
            self._ringing.respond(each)
        self._settle()
        self.rearm()

    async def settled(self) -> None:
        """Wait until no provisional response is under way: a 2xx may not overtake one with a description (RFC 3262 §3)."""
        while self.reliable is not None and self.reliable.pending and not self.ended.done():
            self._moved = asyncio.Event()
            await self._moved.wait()

    async def agreed(self) -> bool:
        """Wait until media is agreed on, if need be by the ACK; returns whether the call stands then."""
        while self.negotiation.theirs is None and not self.ended.done():
            self._moved = asyncio.Event()
            await self._moved.wait()
        return not self.ended.done()

    def remote_bye(self) -> None:
        """The peer said BYE."""
        self.dialog.happened(DialogInput.BYE)
        self.end(Ended.REMOTE)
        self._forget()
        self._said_bye()

    def discard(self) -> None:
        """An early dialog came to nothing: another one was answered, or none."""
        self.dialog.happened(DialogInput.REFUSED)
        self.end(Ended.REMOTE)

    def set_session(self, terms: Terms | None) -> None:
        """The terms of the session timer as they were agreed on last."""
        now = self._loop.time()
        self.session = None if terms is None else SessionTimer(terms, now)
        self.rearm()

    def end(self, why: Ended) -> None:
        """It is over; whoever calls this has said so to the peer, does now, or knows that it need not be said."""
        if self.ended.done():
            return
        if self.owns_media:
            self.media.close()
        self.ended.set_result(why)
        self._settle()
        if self._answer is None or why is not Ended.LOCAL:
            self._forget()

    # Inside: requests of ours

    def _said(self) -> tuple[tuple[str, str], ...]:
        return ("Contact", self.link.contact), ("Allow", ALLOW), ("Supported", SUPPORTED)

    def _later_s(self, response: Response) -> float | None:
        """When a request that met another one may be tried again; ``None``: it was refused for other reasons."""
        if response.status == 491:
            return glare_wait_s(owns_call_id=self.dialog.is_caller, chance=secrets.randbelow(1000) / 1000)
        after = retry_after_s(response) if response.status == 500 else None
        return float(after) if after is not None and after <= _LONGEST_WAIT_S else None

    async def _reinvite(self, offer: bool) -> Response:
        exchange = self.negotiation.exchange
        exchange.invite_sent()
        try:
            body = self.negotiation.offer() if offer else b""
            request, response, transaction = await self.link.invite((*self._said(), *self._session_wish()), body)
            if response.status < 300:
                await self._agreed(request, response, transaction, offer)
        finally:
            exchange.invite_done()
        if response.status >= 300:
            self.negotiation.withdraw()
            if response.status in ENDS_DIALOG:
                self._gone(response.status)
        return response

    async def _agreed(
        self, request: Request, response: Response, transaction: ClientTransaction, offered: bool
    ) -> None:
        """A 2xx to our re-INVITE: it is acknowledged whatever it says, then what it says counts."""
        self.link.refresh_target(response)
        self._refreshed(response)
        answer, wrong = b"", None
        if not offered and not self.ended.done():
            try:
                answer = self.negotiation.answer(response.body)
            except (SdpError, IncompatibleMedia) as error:
                wrong = error
        ack = self.link.ack(request, answer)
        transaction.on_late = lambda _: self.spawn(self.link.send_ack(ack))
        await self.link.send_ack(ack)
        if wrong is not None:
            self.disagree(str(wrong))
        self._take_answer(response.body)

    def disagree(self, why: str) -> NoReturn:
        """What the peer's 2xx says about media cannot be: end the call. Raises :class:`CallFailed`."""
        if not self.ended.done():
            self.end(Ended.FAILED)
            self.bye()
        raise CallFailed(488, why)

    def _take_answer(self, body: bytes) -> None:
        if self.ended.done():
            return
        try:
            self.negotiation.accept(body)
        except (SdpError, IncompatibleMedia) as error:
            self.disagree(str(error))

    def _gone(self, status: int) -> None:
        if self.ended.done():
            return
        event(_log, logging.WARNING, "call.gone", call=self.dialog.call_id, status=status)
        self.dialog.happened(DialogInput.GONE)
        self.end(Ended.FAILED)
        if status == 408:  # it may be there after all
            self.bye()

    def bye(self) -> None:
        """Say BYE, whatever becomes of it."""
        self.spawn(self._say_bye())

    async def _say_bye(self) -> None:
        self.dialog.happened(DialogInput.BYE)
        await self.request("BYE")
        self._forget()
        self._said_bye()

    def _said_bye(self) -> None:
        if self._bye_said is not None and not self._bye_said.done():
            self._bye_said.set_result(None)

    def _settle(self) -> None:
        if self._moved is not None:
            self._moved.set()

    # Inside: the session timer

    def _session_wish(self) -> list[tuple[str, str]]:
        if self.session is None:
            return []
        terms = self.session.terms
        return sessiontimer.wish(interval_s=terms.interval_s, ours=terms.ours)

    def _refreshed(self, response: Response) -> None:
        if self.session is not None:
            terms = sessiontimer.granted(response)
            self.set_session(terms)

    async def _refresh(self) -> None:
        """Refresh the session: by UPDATE where the peer knows it, which says nothing about media, else by re-INVITE."""
        response = Response(status=491)
        if "update" in self.peer_allows:
            response = await self.update()
        elif self.negotiation.exchange.idle:
            response = await self._reinvite(True)
        if response.status < 300 or self.session is None or self.ended.done():
            return
        if response.status == 422:
            self.session.ask_longer(sessiontimer.after_422(response, min_se_s=self.session.terms.interval_s))
        self.session.retry_at(self._loop.time() + 2 + secrets.randbelow(200) / 100)
        self.rearm()

    # Inside: time

    def rearm(self) -> None:
        """Set the one timer to what is due first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moments = [self._answer[2].next_timeout()] if self._answer else []
        if self.reliable is not None and (at := self.reliable.next_timeout()) is not None:
            moments.append(at)
        if not self.ended.done() and self.dialog.state is DialogState.CONFIRMED:
            moments.append((self.media.last_heard or self._begun) + UNHEARD_S)
            if self.session is not None:
                moments.append(self.session.next_timeout())
        if moments:
            self._timer = self._loop.call_at(max(min(moments), self._loop.time()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = self._loop.time()
        self._wake_resends(now)
        if not self.ended.done() and self.dialog.state is DialogState.CONFIRMED:
            if now >= (self.media.last_heard or self._begun) + UNHEARD_S:
                self._lost(Ended.UNHEARD)
            elif self.session is not None:
                match self.session.timeout(now):
                    case Due.END:
                        self._lost(Ended.LAPSED)
                    case Due.REFRESH:
                        self.spawn(self._refresh())
                    case None:
                        pass
        self.rearm()

    def _wake_resends(self, now: float) -> None:
        if self._answer is not None:
            transaction, response, resend = self._answer
            again = resend.timeout(now)
            if again:
                transaction.respond(response)
            elif again is None:
                self._answered_fully()
                self._lost(Ended.NO_ACK)
        if self.reliable is not None and self._ringing is not None:
            responses = self.reliable.timeout(now)
            for each in responses or ():
                self._ringing.respond(each)
            if responses is None:
                self.end(Ended.NO_ACK)
                self._ringing.respond_with(504)

    def _lost(self, why: Ended) -> None:
        event(_log, logging.WARNING, f"call.{why.value.replace('-', '_')}", call=self.dialog.call_id)
        self.end(why)
        self.bye()

    def _answered_fully(self) -> None:
        self._answer = None
        self.negotiation.exchange.invite_done()

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.session = self._answer = None
        self.on_forget()

    # Inside: tasks, for the few things that take time

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that takes time; what goes wrong in it ends the leg, and nothing else."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned_done)

    def _spawned_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if not isinstance(error, CallFailed):
                _log.error("call.defect call=%s", self.dialog.call_id, exc_info=error)
            self.end(Ended.FAILED)


def warning(text: str) -> tuple[str, str]:
    """A Warning header (RFC 3261 §20.43): 399, a text for people."""
    return "Warning", f"399 tandem {fields.quoted(text)}"
