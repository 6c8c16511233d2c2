"""A call being placed: what its responses make of it.

A proxy may fork the INVITE, so that several phones ring and answer, each with a dialog of its own. The first 2xx is the
call; another one is acknowledged and ended by BYE (RFC 3261 §13.2.2.4), as is one that crosses our CANCEL. Reliable
provisional responses get their PRACK (RFC 3262), challenges, redirections and 422 another INVITE
(:mod:`tandem.sip.machines.retry`)."""

import asyncio
import logging
from collections.abc import Callable

from tandem.call.errors import CallFailed
from tandem.call.host import CallHost
from tandem.call.leg import CallLeg
from tandem.call.link import Credentials, Link, answer_challenge
from tandem.call.negotiation import CONTENT_TYPE, MediaPolicy, Negotiation
from tandem.call.reoffer import ALLOW, SUPPORTED
from tandem.core.log import event, get_logger
from tandem.sip.aio.endpoint import ClientTransaction, Flow, Target
from tandem.sip.errors import IncompatibleMedia, MalformedMessage, SdpError
from tandem.sip.headers import fields
from tandem.sip.machines import sessiontimer
from tandem.sip.machines.dialog import Dialog, DialogState
from tandem.sip.machines.reliable import ReliableReceiver, is_reliable
from tandem.sip.machines.retry import AskLonger, Authenticate, GoElsewhere, Retries, retry_after_s
from tandem.sip.message.message import Headers, Request, Response

_log = get_logger("call")
SILENT_S = 190.0
"""Seconds without any response after which a call that rang is given up: who calls waits a little longer than the timer C
of a proxy (RFC 3261 §16.6: more than 3 minutes), so that the proxy can say what happened."""


class Attempt:
    """Made by :meth:`tandem.call.calls.Calls.place`. Wait for :meth:`answered`; :meth:`cancel` gives it up."""

    def __init__(
        self,
        calls: CallHost,
        *,
        uri: str,
        from_: str,
        target: Target,
        policy: MediaPolicy,
        headers: tuple[tuple[str, str], ...],
        credentials: Credentials | None,
        offer: bool,
        redirects: int,
    ) -> None:
        self.provisional: list[int] = []
        self.ringing = asyncio.Event()
        self.call_id = calls.endpoint.ids.token(12)
        self.early: dict[str, CallLeg] = {}
        """Early dialogs by their To tag."""
        self.on_provisional: Callable[[Response, CallLeg | None], None] = lambda response, leg: None
        """Told of each provisional response but 100, with its early leg, if it makes one. What its SDP says has been agreed on
        by then: ``leg.negotiation.theirs``."""
        self._calls = calls
        self._uri = uri
        self._from = f"{from_};tag={calls.endpoint.ids.token(8)}"
        self._target = target
        self._policy = policy
        self._headers = headers
        self._credentials = credentials
        self._offer = offer
        self._retries = Retries(redirects=redirects, visited={uri})
        self._elsewhere: list[str] = []
        self._receivers: dict[str, ReliableReceiver] = {}
        self._previews: dict[str, bytes] = {}
        self._acks: dict[str, tuple[CallLeg, Request]] = {}
        self._negotiation: Negotiation | None = None
        self._transaction: ClientTransaction | None = None
        self._pending: tuple[ClientTransaction, Request, Flow] | None = None
        self._cseq = 0
        self._cancelled = False
        self._over = False

    def cancel(self) -> None:
        """Hang up before the answer."""
        self._cancelled = True
        if self._transaction is not None and not self._over:
            self._transaction.cancel()

    async def answered(self) -> CallLeg:
        """The leg, once the call is answered. Raises :class:`CallFailed` with the final status otherwise."""
        flow = await self._calls.endpoint.flow_to(self._target)
        media = await self._calls.media.open(self._policy.host, self._policy.ports)
        self._negotiation = Negotiation(media, self._policy)
        try:
            request, response = await self._until_final(flow)
            if response.status >= 300:
                raise _failed(response)
            return await self._established(request, response, flow)
        except BaseException:
            self._abandon()
            media.close()
            raise

    # Requests

    async def _until_final(self, flow: Flow) -> tuple[Request, Response]:
        """Ask as often as it makes sense; the last INVITE and its final response."""
        extra: tuple[tuple[str, str], ...] = ()
        body = self._begun().offer() if self._offer else b""
        while True:
            request = self._invite(flow, extra, body)
            response = await self._exchange(request, flow)
            again = None if self._cancelled else self._retries.after(response)
            match again:
                case Authenticate():
                    answer = answer_challenge(again, request, self._credentials, self._calls.endpoint.ids)
                    if answer is None:
                        return request, response
                    extra = (answer,)
                case AskLonger():
                    extra = ()
                case GoElsewhere():
                    self._elsewhere = [*again.uris]
                    self._go_elsewhere()
                    extra = ()
                case None:
                    if response.status < 300 or response.status >= 600 or not self._elsewhere or self._cancelled:
                        return request, response
                    self._go_elsewhere()
                    extra = ()
            self._drop_early()

    def _go_elsewhere(self) -> None:
        self._uri = self._elsewhere.pop(0)
        self._retries.visited.add(self._uri)
        event(_log, logging.INFO, "call.redirected", call=self.call_id, to=self._uri)

    def _invite(self, flow: Flow, extra: tuple[tuple[str, str], ...], body: bytes) -> Request:
        self._cseq += 1
        headers = Headers([("Max-Forwards", "70"), ("From", self._from), ("To", f"<{self._uri}>")])
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{self._cseq} INVITE")
        headers.add("Contact", self._calls.contact(flow))
        headers.add("Allow", ALLOW)
        headers.add("Supported", SUPPORTED)
        for name, value in (*sessiontimer.wish(min_se_s=self._retries.min_se_s), *self._headers, *extra):
            headers.add(name, value)
        if body:
            headers.add("Content-Type", CONTENT_TYPE)
        return Request(method="INVITE", uri=self._uri, headers=headers, body=body)

    async def _exchange(self, request: Request, flow: Flow) -> Response:
        self._transaction = transaction = await self._calls.endpoint.send(request, flow)
        transaction.on_late = lambda response: self._late(request, response, flow)
        if self._cancelled:
            transaction.cancel()
        self._pending = transaction, request, flow
        response = Response(status=100)
        patience = self._patience(transaction)
        try:
            async for response in transaction.responses():
                patience.cancel()
                if response.status < 200:
                    patience = self._patience(transaction)
                    self.provisional.append(response.status)
                if 100 < response.status < 200:
                    self.ringing.set()
                    self.on_provisional(response, self._provisional(request, response, flow))
        finally:
            patience.cancel()
        self._pending = None
        return response

    @staticmethod
    def _patience(transaction: ClientTransaction) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(SILENT_S, transaction.cancel)

    # Early dialogs

    def _provisional(self, request: Request, response: Response, flow: Flow) -> CallLeg | None:
        try:
            tag = fields.to_tag(response)
            leg = self.early.get(tag) or self._begin(request, response, flow)
        except MalformedMessage:
            return None  # without Contact or tag it makes no dialog; it rings all the same
        if response.status == 199:  # RFC 6228: this early dialog has ended
            self.early.pop(tag).discard()
            return None
        try:
            rack = self._receivers.setdefault(tag, ReliableReceiver()).received(response)
        except MalformedMessage:
            return leg  # an RSeq that is no number: there is nothing that a PRACK could name
        if rack is None and is_reliable(response):
            return leg  # again, or before its turn
        try:
            answer = self._early_media(leg, tag, response, reliable=rack is not None)
        except (SdpError, IncompatibleMedia) as error:
            event(_log, logging.WARNING, "call.no_agreement", call=self.call_id, why=error)
            answer = b""
            self.cancel()
        if rack is not None:
            leg.spawn(_prack(leg, rack.value(), answer))
        return leg

    def _early_media(self, leg: CallLeg, tag: str, response: Response, *, reliable: bool) -> bytes:
        """Take what a provisional response says about media; returns the answer for its PRACK, if it held an offer."""
        if not response.body:
            return b""
        if not self._offer:
            return leg.negotiation.answer(response.body) if reliable and leg.negotiation.theirs is None else b""
        if reliable:
            leg.negotiation.accept(response.body)
        elif leg.negotiation.theirs is None:
            leg.negotiation.preview(response.body)
            self._previews[tag] = response.body
        return b""

    def _begin(self, request: Request, response: Response, flow: Flow) -> CallLeg:
        """A dialog of this call, early or answered."""
        dialog = Dialog.from_uac(request, response)
        contact = self._calls.contact(flow)
        link = Link(self._calls.endpoint, dialog, flow, contact, self._credentials)
        leg = CallLeg(link, self._begun().fork())
        leg.owns_media = False
        leg.give_up = self.cancel
        leg.began(response)
        self.early[dialog.key[2]] = leg
        self._calls.keep(leg)
        return leg

    def _drop_early(self) -> None:
        for leg in self.early.values():
            if leg.dialog.state is DialogState.EARLY:
                leg.discard()
            else:  # we stopped waiting while it was being acknowledged
                self._calls.spawn(leg.hangup())
        self.early.clear()
        self._receivers.clear()
        self._previews.clear()

    # Answered

    async def _established(self, request: Request, response: Response, flow: Flow) -> CallLeg:
        tag = fields.to_tag(response)
        leg = await self._acknowledge(request, response, flow)
        self.early.pop(tag)
        if leg.ended.done():  # the early dialog was lost before
            leg.bye()
            raise CallFailed(481, "the call was answered after its dialog was lost")
        if self._cancelled:  # our CANCEL and the answer crossed
            self._calls.spawn(leg.hangup())
            raise CallFailed(487, "the call was answered as it was given up")
        self._over = True
        self._drop_early()
        leg.owns_media = True
        leg.confirmed(response, sessiontimer.granted(response))
        return leg

    async def _acknowledge(self, request: Request, response: Response, flow: Flow) -> CallLeg:
        """Send the ACK to a 2xx, with an answer if it holds an offer; raises :class:`CallFailed` if it cannot be agreed on."""
        try:
            tag = fields.to_tag(response)
            leg = self.early.get(tag)
            if leg is None:
                leg = self._begin(request, response, flow)
            else:
                leg.dialog.confirm(response)
        except MalformedMessage as error:
            raise CallFailed(response.status, f"an answer that makes no dialog: {error}") from None
        answer, wrong = b"", ""
        try:
            if self._offer:
                leg.negotiation.accept(response.body or self._previews.get(tag, b""))
            elif leg.negotiation.theirs is None:
                answer = leg.negotiation.answer(response.body)
        except (SdpError, IncompatibleMedia) as error:
            wrong = str(error)
        ack = leg.link.ack(request, answer)
        self._acks[tag] = leg, ack
        await leg.link.send_ack(ack)
        if wrong:
            leg.disagree(wrong)
        return leg

    def _late(self, request: Request, response: Response, flow: Flow) -> None:
        """A further 2xx: the same again (its ACK was lost), or that of another phone, which is ended."""
        tag = fields.to_tag(response)
        if known := self._acks.get(tag):
            known[0].spawn(known[0].link.send_ack(known[1]))
            return
        event(_log, logging.INFO, "call.surplus_answer", call=self.call_id)
        try:
            leg = self._begin(request, response, flow)
        except MalformedMessage:
            return
        self.early.pop(tag, None)
        ack = leg.link.ack(request, b"")
        self._acks[tag] = leg, ack
        self._calls.spawn(_end_surplus(leg, ack))

    def _abandon(self) -> None:
        """Whatever ended the wait: nothing goes on ringing, and an answer that still comes is ended."""
        if self._pending is not None:
            self.cancel()
            self._calls.spawn(self._mop_up(*self._pending))
        self._over = True
        self._drop_early()

    async def _mop_up(self, transaction: ClientTransaction, request: Request, flow: Flow) -> None:
        response = await transaction.final()
        if 200 <= response.status < 300:
            self._late(request, response, flow)

    def _begun(self) -> Negotiation:
        assert self._negotiation is not None, "answered() begins with media"
        return self._negotiation


async def _prack(leg: CallLeg, rack: str, answer: bytes) -> None:
    await leg.request("PRACK", headers=(("RAck", rack),), body=answer)


async def _end_surplus(leg: CallLeg, ack: Request) -> None:
    await leg.link.send_ack(ack)
    await leg.hangup()


def _failed(response: Response) -> CallFailed:
    return CallFailed(
        response.status,
        response.reason,
        response.headers.get("Warning") or "",
        retry_after_s=retry_after_s(response),
    )
