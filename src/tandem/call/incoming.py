"""A call that came in, until it is answered or refused: ringing (reliably where the caller requires it), early media, CANCEL.

Where the caller requires 100rel, or early media is sent to one who supports it, a dialog begins before the answer: it takes
PRACK and UPDATE already. Everyone else gets plain provisional responses, and a leg only by the 200.
"""

import asyncio

from tandem.call.errors import CallRefused, Ended
from tandem.call.host import CallHost
from tandem.call.leg import CallLeg
from tandem.call.link import Link
from tandem.call.negotiation import CONTENT_TYPE, MediaPolicy, Negotiation
from tandem.call.requests import answer_with
from tandem.media.errors import Unavailable
from tandem.media.session import MediaSession
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import DialogError, IncompatibleMedia, SdpError
from tandem.sip.headers import fields
from tandem.sip.headers.params import tokens
from tandem.sip.headers.replaces import replaces
from tandem.sip.machines import sessiontimer
from tandem.sip.machines.dialog import Dialog, DialogInput, DialogState, check_replaced
from tandem.sip.machines.reliable import OPTION as RELIABLE
from tandem.sip.message.body import description_of
from tandem.sip.message.message import Response, response_to

RETRY_AFTER_S = 10
"""After which time a call that found no port, or nobody to serve its media, may be tried again."""


class IncomingCall:
    """Made by :meth:`tandem.call.calls.Calls.incoming`. A CANCEL is answered here.

    Raises :class:`MalformedMessage` for an INVITE that makes no dialog, or whose Replaces cannot be read.
    """

    def __init__(self, calls: CallHost, transaction: ServerTransaction, policy: MediaPolicy) -> None:
        self._calls = calls
        self._transaction = transaction
        self._policy = policy
        self._leg: CallLeg | None = None
        self._described = False
        self.cancelled = asyncio.Event()
        """Set once the caller has given up, by CANCEL (the INVITE is answered then) or by a BYE within an early dialog."""
        self.beside: MediaSession | None = None
        """The media session that ours will be bridged with; set before the first media is opened."""
        self.direction = "sendrecv"
        """The direction that our description says at most: that of the other peer, in a bridge."""
        self.request = request = transaction.request
        # All that the call needs is read before the caller hears that it rings.
        self._dialog = Dialog.from_uas(request, local_tag=transaction.to_tag, early=True)
        self._wanted = replaces(request)
        self._offer = description_of(request)
        self._required = RELIABLE in tokens(request.headers.all("Require"))
        self._supported = self._required or RELIABLE in tokens(request.headers.all("Supported"))
        transaction.on_cancel = self._cancelled
        transaction.on_failed = self._failed

    async def ring(self, status: int = 180) -> None:
        """Send a provisional response. Raises :class:`CallRefused` where the caller requires what cannot be."""
        if self._required:
            leg = await self._early_leg()
            # RFC 3262 §5: the first reliable response to an INVITE without an offer holds ours.
            self._send_reliably(leg, status, with_media=not self._offer)
        else:
            self._transaction.respond_with(status, headers=(("Contact", self._contact),))

    async def progress(self, status: int = 183) -> CallLeg:
        """Send early media: a provisional response with our description; the leg can play from here on.

        Raises :class:`CallRefused` when the call cannot be.
        """
        leg = await self._early_leg()
        if self._supported:
            self._send_reliably(leg, status, with_media=True)
        else:
            self._transaction.respond(self._provisional(status, self._describe(leg)))
        return leg

    async def answer(self) -> CallLeg:
        """Answer with 200, and wait for the ACK if that answers our offer: with the leg, media is agreed on.

        Raises :class:`CallRefused` when that cannot be; the INVITE is then answered otherwise, or the call ended.
        """
        request = self._transaction.request
        try:
            session, interval = sessiontimer.grant(request)
            replaced = self._replaced()
        except DialogError as error:
            raise self.refuse(error.status, str(error), *error.headers) from None
        leg = await self._early_leg()
        await leg.settled()
        self._still_wanted()
        body = b"" if self._described and self._supported else self._describe(leg)
        leg.invite = request
        leg.answered(self._transaction, answer_with(self._transaction, self._contact, body, session), interval)
        if replaced is not None:
            self._calls.spawn(replaced.hangup())
        if not await leg.agreed():
            raise CallRefused(488, "the call ended before media was agreed on")
        return leg

    def refuse(self, status: int, why: str = "", *headers: tuple[str, str]) -> CallRefused:
        """Refuse the call, and return what to raise where that was not the wish."""
        said = (fields.warning(why),) if why else ()
        self._transaction.respond_with(status, headers=(*headers, *said))
        self._drop(Ended.LOCAL)
        return CallRefused(status, why)

    def redirect(self, *uris: str, permanent: bool = False) -> None:
        """Tell the caller to try these URIs, the best first."""
        weights = (f"<{uri}>;q={max(0.0, 1 - at / 10):.1f}" for at, uri in enumerate(uris))
        self._transaction.respond_with(301 if permanent else 302, headers=tuple(("Contact", each) for each in weights))
        self._drop(Ended.LOCAL)

    # Inside

    @property
    def _contact(self) -> str:
        return self._calls.contact(self._transaction.flow)

    async def _early_leg(self) -> CallLeg:
        """The leg, early as long as the call is not answered; made when it is asked for first."""
        if self._leg is not None:
            return self._leg
        calls, transaction, policy = self._calls, self._transaction, self._policy
        try:
            media = await calls.media.open(policy.host, policy.ports, beside=self.beside)
        except Unavailable as error:  # where, and of which ports, is no business of the peer's
            self.refuse(503, "no media can be served now", ("Retry-After", str(RETRY_AFTER_S)))
            raise CallRefused(503, str(error)) from None
        try:
            self._still_wanted()
        except BaseException:
            media.close()
            raise
        link = Link(calls.endpoint, self._dialog, transaction.flow, self._contact)
        self._leg = leg = CallLeg(link, Negotiation(media, policy))
        leg.began(transaction.request)
        leg.give_up = lambda: transaction.respond_with(480)
        leg.on_early_bye = self._cancelled
        calls.keep(leg)
        return leg

    def _still_wanted(self) -> None:
        over = self._leg is not None and self._leg.ended.done()  # by BYE in an early dialog (RFC 3261 §15.1.2)
        if self._transaction.final_sent or self._transaction.cancelled or over:
            self._cancelled()  # the CANCEL may have come before anybody listened
            raise CallRefused(487, "the caller hung up before the answer")

    def _describe(self, leg: CallLeg) -> bytes:
        """Our answer to the INVITE's offer, or our offer where it has none; made once."""
        if self._described:
            return leg.negotiation.describe()
        leg.negotiation.direction = self.direction
        try:
            body = leg.negotiation.answer(self._offer) if self._offer else leg.negotiation.offer()
        except SdpError as error:
            raise self.refuse(400, str(error)) from None
        except IncompatibleMedia as error:
            raise self.refuse(488, str(error)) from None
        self._described = True
        return body

    def _provisional(self, status: int, body: bytes) -> Response:
        response = response_to(self._transaction.request, status, to_tag=self._transaction.to_tag)
        response.headers.add("Contact", self._contact)
        if body:
            response.headers.add("Content-Type", CONTENT_TYPE)
            response.body = body
        return response

    def _send_reliably(self, leg: CallLeg, status: int, *, with_media: bool) -> None:
        body = self._describe(leg) if with_media and not self._described else b""
        leg.ring_reliably(self._transaction, self._provisional(status, body))

    def _replaced(self) -> CallLeg | None:
        """The call that this one takes the place of; raises :class:`DialogError` if it cannot."""
        if self._wanted is None:
            return None
        leg = self._calls.find(self._wanted)
        check_replaced(self._wanted, leg.dialog if leg else None)
        return leg

    def _cancelled(self) -> None:
        self.cancelled.set()
        self._transaction.respond_with(487)
        self._drop(Ended.REMOTE)

    def _failed(self) -> None:
        """The handler raised, was cancelled, or left the call unanswered: end what it began."""
        self._drop(Ended.LOCAL)

    def _drop(self, why: Ended) -> None:
        if self._leg is not None and self._leg.dialog.state is DialogState.EARLY:
            self._leg.dialog.happened(DialogInput.REFUSED)
            self._leg.end(why)
