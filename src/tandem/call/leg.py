"""One call leg: a dialog, its media, and how it ends. It begins early, with a provisional response, or by the answer.

A leg ends once, for one reason: a BYE from either side, an ACK that never came, a session that lapsed, or a peer that is
not heard any more. It has one timer for everything that it waits for, and no task of its own. Requests of the peer's are
served in :mod:`tandem.call.requests`, transfers in :mod:`tandem.call.transfer`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NoReturn

from tandem.call.errors import CallFailed, Ended
from tandem.call.link import Link
from tandem.call.negotiation import CONTENT_TYPE, Negotiation
from tandem.call.serverside import ServerSide
from tandem.core.log import event, get_logger
from tandem.core.tasks import spawn
from tandem.media.session import Playback, Sound
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers.params import tokens
from tandem.sip.machines.dialog import ENDS_DIALOG, DialogInput, DialogState
from tandem.sip.machines.sessiontimer import Due, SessionInterval, SessionTimer
from tandem.sip.message.message import Request, Response

_log = get_logger("call")
UNHEARD_S, HELD_S = 120.0, 4 * 3600.0
"""Seconds without a packet after which the peer counts as gone: while it is to be heard, and on hold, when the session timer
watches it, if it knows one."""
BYE_S = 4.0
"""Seconds to wait for the answer to our BYE; the transaction itself goes on in the background."""
_ABOUT_LESS = ("BYE", "PRACK", "NOTIFY")
"""Methods whose 481 is about less than the call (RFC 5057 §5.1): it has ended, or about a response, or a subscription."""


class CallLeg(ServerSide):
    """A call with one peer; :class:`tandem.call.calls.Calls` makes them.

    ``invite`` is the request of a call that came in. ``give_up`` ends what would make the leg a call, while it is early.
    """

    def __init__(self, link: Link, negotiation: Negotiation) -> None:
        super().__init__(link, negotiation)
        self._loop = asyncio.get_running_loop()
        self.media = negotiation.media
        self.media.on_lost = lambda why: self.lost(Ended.MEDIA)
        self.invite: Request | None = None
        self.ended: asyncio.Future[Ended] = self._loop.create_future()
        self.on_forget: Callable[[], None] = lambda: None
        self.on_refer: Callable[[ServerTransaction], None] | None = None
        self.on_notify: Callable[[ServerTransaction], None] | None = None
        self.on_early_bye: Callable[[], None] = _nothing
        """Told when the caller ends the early dialog of a call that came in (RFC 3261 §15.1.2: the INVITE gets 487)."""
        self.give_up: Callable[[], None] = lambda: None
        self.owns_media = True
        """Early dialogs of one fork share their media; who is answered gets it."""
        self._agreed_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._bye_said: asyncio.Future[None] | None = None

    # What its user does

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self.ended.done()

    @property
    def secure(self) -> bool:
        """Whether media is SRTP."""
        return self.negotiation.secure

    def play(self, *sounds: Sound) -> Playback:
        """Play sounds to the peer, one after the other; what was playing stops."""
        return self.media.play(sounds)

    async def hangup(self) -> None:
        """End the call, if it has not ended, and wait a moment for the answer: a peer that is gone gives none."""
        if self.is_over:
            return
        if self.dialog.state is DialogState.EARLY:
            self.end(Ended.LOCAL)
            self.give_up()
            return
        # RFC 3261 §15: the callee says no BYE before the ACK came, or could come no more.
        self._bye_said = self._loop.create_future()
        self.end(Ended.LOCAL)
        if not self.resending.awaits_ack:
            self.bye()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BYE_S):
                await asyncio.shield(self._bye_said)

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
            self.gone(response.status)
        return response

    # What Calls and Attempt tell it

    def began(self, message: Request | Response) -> None:
        """What the peer's INVITE, or its 2xx, says of itself."""
        self.peer_allows = tokens(message.headers.all("Allow"))

    def confirmed(self, response: Response, interval: SessionInterval | None) -> None:
        """Our INVITE was answered, and has been acknowledged."""
        self.began(response)
        self.media.on_lost = lambda why: self.lost(Ended.MEDIA)  # of several early dialogs, this one has the media
        self.set_session(interval)

    def remote_bye(self) -> None:
        """The peer said BYE."""
        early = self.dialog.state is DialogState.EARLY
        self.dialog.happened(DialogInput.BYE)
        self.end(Ended.REMOTE)
        if early:
            self.on_early_bye()
        self._forget()
        self._said_bye()

    def discard(self) -> None:
        """An early dialog came to nothing: another one was answered, or none."""
        self.dialog.happened(DialogInput.REFUSED)
        self.end(Ended.REMOTE)

    def set_session(self, interval: SessionInterval | None) -> None:
        """The session timer as it was agreed on last."""
        now = self._loop.time()
        self._agreed_at = now
        self.session = None if interval is None else SessionTimer(interval, now)
        self.rearm()

    def end(self, why: Ended) -> None:
        """It is over; the caller has sent the BYE, sends it now, or knows that none is needed."""
        if self.is_over:
            return
        if self.owns_media:
            self.media.close()
            self.media.on_lost = _of_no_matter  # what points back at the leg would keep both for the garbage collector
        self.ended.set_result(why)
        self.settle()
        if not self.resending.awaits_ack or why is not Ended.LOCAL:
            self._forget()

    def disagree(self, why: str) -> NoReturn:
        """What the peer's 2xx says about media cannot be: end the call. Raises :class:`CallFailed`."""
        if not self.is_over:
            self.end(Ended.FAILED)
            self.bye()
        raise CallFailed(488, why)

    def gone(self, status: int) -> None:
        """A request within the dialog was answered so: the peer does not know the call any more."""
        if self.is_over:
            return
        event(_log, logging.WARNING, "call.gone", call=self.dialog.call_id, status=status)
        self.dialog.happened(DialogInput.GONE)
        self.end(Ended.FAILED)
        if status == 408:  # it may be there after all
            self.bye()

    # Inside

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

    # Inside: time

    def rearm(self) -> None:
        """Set the one timer to what is due first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moments = self.resending.next_timeouts()
        if not self.is_over and self.dialog.state is DialogState.CONFIRMED:
            moments.append(self._unheard_at())
            if self.session is not None:
                moments.append(self.session.next_timeout())
        if moments:
            self._timer = self._loop.call_at(max(min(moments), self._loop.time()), self._wake)

    def _unheard_at(self) -> float:
        """When the peer counts as gone, if nothing is heard until then."""
        heard = max(self.media.last_heard or 0.0, self._agreed_at)
        return heard + (HELD_S if self.negotiation.held else UNHEARD_S)

    def _wake(self) -> None:
        self._timer = None
        now = self._loop.time()
        self.wake_resending(now)
        if not self.is_over and self.dialog.state is DialogState.CONFIRMED:
            if now >= self._unheard_at():
                self.lost(Ended.UNHEARD)
            elif self.session is not None:
                match self.session.timeout(now):
                    case Due.END:
                        self.lost(Ended.LAPSED)
                    case Due.REFRESH:
                        self.spawn(self.refresh())
                    case None:
                        pass
        self.rearm()

    def lost(self, why: Ended) -> None:
        """End the call by BYE, with a reason."""
        event(_log, logging.WARNING, f"call.{why.value.replace('-', '_')}", call=self.dialog.call_id)
        self.end(why)
        self.bye()

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.session = None
        self.resending.forget_answer()
        forget, self.on_forget, self.give_up, self.on_early_bye = self.on_forget, _nothing, _nothing, _nothing
        forget()

    # Inside: tasks, for the few things that take time

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that takes time; what goes wrong in it ends the leg, and nothing else."""
        spawn(self._ending_if_it_fails(work), name="call.leg", log=_log)

    async def _ending_if_it_fails(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except CallFailed:
            self.end(Ended.FAILED)
        except Exception:
            self.end(Ended.FAILED)
            raise


def _nothing() -> None:
    pass


def _of_no_matter(why: str) -> None:
    pass
