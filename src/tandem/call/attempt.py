"""A call being placed: what its responses make of it.

A proxy may fork the INVITE, so that several phones ring and answer, each with a dialog of its own. The first 2xx is the
call; another one is acknowledged and ended by BYE (RFC 3261 §13.2.2.4), as is one that crosses our CANCEL. Reliable
provisional responses get their PRACK (RFC 3262), challenges, redirections and 422 another INVITE
(:mod:`tandem.sip.machines.retry`)."""

import asyncio
import logging
from collections.abc import Callable

from tandem.call.early import EarlyDialogs
from tandem.call.errors import CallFailed
from tandem.call.host import CallHost
from tandem.call.leg import CallLeg
from tandem.call.link import Credentials, answer_challenge
from tandem.call.negotiation import CONTENT_TYPE, MediaPolicy, Negotiation
from tandem.call.reoffer import ALLOW, SUPPORTED
from tandem.core.log import event, get_logger
from tandem.media.session import MediaSession
from tandem.sip.aio.flow import Flow
from tandem.sip.aio.outbound import Target
from tandem.sip.aio.transactions import ClientTransaction
from tandem.sip.errors import IncompatibleMedia, MalformedMessage, SdpError
from tandem.sip.headers import fields
from tandem.sip.machines import sessiontimer
from tandem.sip.machines.retry import AskLonger, Authenticate, GoElsewhere, Retries, retry_after_s
from tandem.sip.message.body import description_of
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
        self.on_provisional: Callable[[Response, CallLeg | None], None] = lambda response, leg: None
        """Told of each provisional response but 100, with its early leg, if it makes one. What its SDP says has been agreed on
        by then: ``leg.negotiation.theirs``."""
        self._calls = calls
        self._uri = uri
        self._from = f"{from_};tag={calls.endpoint.ids.token(8)}"
        self._target = target
        self._policy = policy
        self.beside: MediaSession | None = None
        """The session that media will be bridged with, if there is one before the call is placed."""
        self._headers = headers
        self._credentials = credentials
        self._offer = offer
        self._retries = Retries(redirects=redirects, visited={uri})
        self._elsewhere: list[str] = []
        self._acks: dict[str, tuple[CallLeg, Request]] = {}
        self._dialogs: EarlyDialogs | None = None
        self._transaction: ClientTransaction | None = None
        self._pending: tuple[ClientTransaction, Request, Flow] | None = None
        self._cseq = 0
        self._cancelled = False
        self._over = False

    @property
    def early(self) -> dict[str, CallLeg]:
        """Early dialogs by their To tag."""
        return self._dialogs.legs if self._dialogs is not None else {}

    @property
    def media(self) -> MediaSession | None:
        """The media session, once :meth:`answered` has opened it."""
        return self._dialogs.negotiation.media if self._dialogs is not None else None

    def cancel(self) -> None:
        """Hang up before the answer."""
        self._cancelled = True
        if self._transaction is not None and not self._over:
            self._transaction.cancel()

    async def answered(self) -> CallLeg:
        """The leg, once the call is answered. Raises :class:`CallFailed` with the final status otherwise."""
        flow = await self._calls.endpoint.flow_to(self._target)
        media = await self._calls.media.open(self._policy.host, self._policy.ports, beside=self.beside)
        self._dialogs = EarlyDialogs(
            self._calls,
            Negotiation(media, self._policy),
            credentials=self._credentials,
            offers=self._offer,
            give_up=self.cancel,
        )
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
        body = self._early.negotiation.offer() if self._offer else b""
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
            self._early.drop()

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
                    self.on_provisional(response, self._early.provisional(request, response, flow))
        finally:
            patience.cancel()
        self._pending = None
        return response

    @staticmethod
    def _patience(transaction: ClientTransaction) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(SILENT_S, transaction.cancel)

    # Answered

    async def _established(self, request: Request, response: Response, flow: Flow) -> CallLeg:
        tag = fields.to_tag(response)
        leg = await self._acknowledge(request, response, flow)
        self._early.legs.pop(tag)
        if leg.ended.done():  # the early dialog was lost before
            leg.bye()
            raise CallFailed(481, "the call was answered after its dialog was lost")
        if self._cancelled:  # our CANCEL and the answer crossed
            self._calls.spawn(leg.hangup())
            raise CallFailed(487, "the call was answered as it was given up")
        self._over = True
        self._early.close()
        leg.owns_media = True
        leg.confirmed(response, sessiontimer.granted(response))
        return leg

    async def _acknowledge(self, request: Request, response: Response, flow: Flow) -> CallLeg:
        """Send the ACK to a 2xx, with an answer if it holds an offer; raises :class:`CallFailed` if it cannot be agreed on."""
        try:
            tag = fields.to_tag(response)
            leg = self._early.legs.get(tag)
            if leg is None:
                leg = self._early.begin(request, response, flow)
            else:
                leg.dialog.confirm(response)
        except MalformedMessage as error:
            raise CallFailed(response.status, f"an answer that makes no dialog: {error}") from None
        answer, wrong = b"", ""
        try:
            if self._offer:
                leg.negotiation.accept(description_of(response) or self._early.previews.get(tag, b""))
            elif leg.negotiation.theirs is None:
                answer = leg.negotiation.answer(description_of(response))
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
            leg = self._early.begin(request, response, flow)
        except MalformedMessage:
            return
        self._early.legs.pop(tag, None)
        ack = leg.link.ack(request, b"")
        self._acks[tag] = leg, ack
        self._calls.spawn(_end_surplus(leg, ack))

    def _abandon(self) -> None:
        """Whatever ended the wait: nothing goes on ringing, and an answer that still comes is ended."""
        if self._pending is not None:
            self.cancel()
            self._calls.spawn(self._mop_up(*self._pending))
        self._over = True
        self._early.close()

    async def _mop_up(self, transaction: ClientTransaction, request: Request, flow: Flow) -> None:
        response = await transaction.final()
        if 200 <= response.status < 300:
            self._late(request, response, flow)

    @property
    def _early(self) -> EarlyDialogs:
        assert self._dialogs is not None, "answered() begins with media"
        return self._dialogs


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
