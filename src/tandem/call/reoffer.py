"""Offers of ours within a call: re-INVITE and UPDATE (RFC 3261 §14, RFC 3311), and refreshing the session (RFC 4028)."""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable
from typing import Any, NoReturn, Protocol

from tandem.call.errors import CallFailed
from tandem.call.link import Link
from tandem.call.negotiation import Negotiation
from tandem.sip.aio.transactions import ClientTransaction
from tandem.sip.errors import IncompatibleMedia, SdpError
from tandem.sip.machines import sessiontimer
from tandem.sip.machines.dialog import ENDS_DIALOG
from tandem.sip.machines.offeranswer import glare_wait_s
from tandem.sip.machines.retry import retry_after_s
from tandem.sip.machines.sessiontimer import SessionInterval, SessionTimer
from tandem.sip.message.body import description_of
from tandem.sip.message.message import Request, Response

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY"
SUPPORTED = "100rel, timer, replaces"
_MOST_GLARES = 5
_LONGEST_WAIT_S = 10  # RFC 3261 §14.2: the 500 names at most 10 s


class OtherSide(Protocol):
    """The other leg of a bridge, as a leg sees it. Both methods raise :class:`CallFailed` where the other peer refuses."""

    async def reoffered(self, direction: str) -> str:
        """The peer offers to send and receive so (an SDP direction): ask the other peer; what that one does."""
        ...

    async def relayed(self, request: Request) -> Response | None:
        """Pass a request of the peer's on; the response to it, or ``None``: the leg answers it itself."""
        ...


class Reoffers(ABC):
    """The part of a :class:`tandem.call.leg.CallLeg` that offers again; the leg itself decides about its end."""

    def __init__(self, link: Link, negotiation: Negotiation) -> None:
        self.link = link
        self.dialog = link.dialog
        self.negotiation = negotiation
        self.peer_allows: frozenset[str] = frozenset()
        self.session: SessionTimer | None = None
        self.other_side: OtherSide | None = None
        """Who is asked before an offer of the peer's is answered, and gets its other requests; set by a bridge."""

    async def hold(self) -> None:
        """Tell the peer that we want to hear nothing for now. Raises what :meth:`reoffer` does."""
        self.negotiation.direction = "sendonly"
        await self.reoffer()

    async def resume(self) -> None:
        """End a hold."""
        self.negotiation.direction = "sendrecv"
        await self.reoffer()

    async def reoffer(self, *, offer: bool = True, tries: int = _MOST_GLARES) -> None:
        """Say again what we want, by re-INVITE; without ``offer`` the peer offers, and we answer in the ACK.

        Where both ask at once (491), or the peer has not done with the last one (500 with Retry-After), it is tried again, up
        to ``tries`` times in all, after the times of RFC 3261 §14. Raises :class:`CallFailed` when the peer refuses (what was
        agreed on before stays in force), :class:`OutOfTurn` while another one is under way.
        """
        for left in reversed(range(tries)):
            response = await self._reinvite(offer)
            if response.status < 300:
                return
            wait_s = self._later_s(response)
            if wait_s is None or self.is_over or not left:
                break
            await asyncio.sleep(wait_s)
        raise CallFailed(response.status, response.reason, response.headers.get("Warning") or "")

    async def update(self, *, offer: bool = False) -> Response:
        """Send an UPDATE, with an offer if wanted, on an early or answered call; its final response.

        Raises :class:`CallFailed` for an answer that cannot be, :class:`OutOfTurn` as :func:`reoffer` does.
        """
        body = self.negotiation.offer() if offer else b""
        response = await self.request("UPDATE", headers=self._said(), body=body)
        if response.status < 300:
            self.link.refresh_target(response)
            self._refreshed(response)
            self._take_answer(response)
        elif offer:
            self.negotiation.withdraw()
        return response

    async def refresh(self) -> None:
        """Refresh the session: by UPDATE where the peer knows it, which says nothing about media, else by re-INVITE."""
        response = Response(status=491)
        if "update" in self.peer_allows:
            response = await self.update()
        elif self.negotiation.offer_answer.idle:
            response = await self._reinvite(True)
        if response.status < 300 or self.session is None or self.is_over:
            return
        if response.status == 422:
            self.session.ask_longer(sessiontimer.after_422(response, min_se_s=self.session.interval.interval_s))
        self.session.retry_at(asyncio.get_running_loop().time() + 2 + secrets.randbelow(200) / 100)
        self.rearm()

    async def _reinvite(self, offer: bool) -> Response:
        offer_answer = self.negotiation.offer_answer
        offer_answer.invite_sent()
        try:
            body = self.negotiation.offer() if offer else b""
            request, response, transaction = await self.link.invite(self._said(), body)
            if response.status < 300:
                await self._agreed(request, response, transaction, offer)
        finally:
            offer_answer.invite_done()
        if response.status >= 300:
            self.negotiation.withdraw()
            if response.status in ENDS_DIALOG:
                self.gone(response.status)
        return response

    async def _agreed(
        self, request: Request, response: Response, transaction: ClientTransaction, offered: bool
    ) -> None:
        """A 2xx to our re-INVITE: it is acknowledged whatever it says, then what it says counts."""
        self.link.refresh_target(response)
        self._refreshed(response)
        answer, wrong = b"", None
        if not offered and not self.is_over:
            try:
                answer = self.negotiation.answer(description_of(response))
            except (SdpError, IncompatibleMedia) as error:
                wrong = error
        ack = self.link.ack(request, answer)
        transaction.on_late = lambda _: self.spawn(self.link.send_ack(ack))
        await self.link.send_ack(ack)
        if wrong is not None:
            self.disagree(str(wrong))
        self._take_answer(response)

    def _take_answer(self, response: Response) -> None:
        if self.is_over:
            return
        try:
            self.negotiation.accept(description_of(response))
        except (SdpError, IncompatibleMedia) as error:
            self.disagree(str(error))

    def _said(self) -> list[tuple[str, str]]:
        """Who we are, what we can, and the session that we want."""
        said = [("Contact", self.link.contact), ("Allow", ALLOW), ("Supported", SUPPORTED)]
        if self.session is not None:
            said += sessiontimer.wish(interval_s=self.session.interval.interval_s, ours=self.session.interval.ours)
        return said

    def _refreshed(self, response: Response) -> None:
        if self.session is not None:
            self.set_session(sessiontimer.granted(response))

    def _later_s(self, response: Response) -> float | None:
        """When a request that met another one may be tried again; ``None``: it was refused for other reasons."""
        if response.status == 491:
            return glare_wait_s(owns_call_id=self.dialog.is_caller, chance=secrets.randbelow(1000) / 1000)
        after = retry_after_s(response) if response.status == 500 else None
        return float(after) if after is not None and after <= _LONGEST_WAIT_S else None

    # What the leg does

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether the call has ended."""

    @abstractmethod
    async def request(self, method: str, *, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> Response:
        """Send any request but INVITE; its final response."""

    @abstractmethod
    def set_session(self, interval: SessionInterval | None) -> None:
        """The session timer as it was agreed on last."""

    @abstractmethod
    def disagree(self, why: str) -> NoReturn:
        """End the call, because what the peer's 2xx says cannot be."""

    @abstractmethod
    def gone(self, status: int) -> None:
        """The peer does not know the call any more."""

    @abstractmethod
    def rearm(self) -> None:
        """Set the timer again."""

    @abstractmethod
    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that takes time."""
