"""The calls of one endpoint: answers and places them, and hands each request within a dialog to its leg."""

import asyncio
from collections.abc import Callable, Iterable

from tandem.call.errors import CallFailed, CallRefused
from tandem.call.leg import CallLeg, MediaPolicy, target_of, warning
from tandem.media.aio.session import AioMedia
from tandem.media.errors import NoPort
from tandem.media.session import Media, MediaSession
from tandem.sip import digest, fields
from tandem.sip.aio.endpoint import ClientTransaction, Endpoint, Flow, ServerTransaction, Target
from tandem.sip.dialog import Dialog, dialog_key
from tandem.sip.errors import DialogError, IncompatibleMedia, SdpError
from tandem.sip.message import Headers, Request, Response
from tandem.sip.offer import answer_audio, check_answer, make_offer
from tandem.sip.sdp import Audio, build_sdp, parse_sdp


class Calls:
    """Takes over an endpoint's requests; those outside of a dialog go to ``on_request``.

    ``media`` is where sessions come from; by default they run in this process.
    """

    def __init__(self, endpoint: Endpoint, *, contact: Callable[[Flow], str], media: Media | None = None) -> None:
        self.endpoint = endpoint
        self.media: Media = media or AioMedia()
        self.on_request: Callable[[ServerTransaction], None] = lambda tx: tx.respond_with(405)
        self.legs: dict[tuple[str, str, str], CallLeg] = {}
        self.contact = contact
        endpoint.on_request = self._received
        endpoint.on_ack = self._acknowledged

    def _received(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if not fields.to_tag(request):
            self.on_request(transaction)
            return
        leg = self.legs.get(dialog_key(request))
        if leg is None:
            if request.method == "NOTIFY":  # within a subscription, which its owner knows
                self.on_request(transaction)
            else:
                transaction.respond_with(481)
            return
        try:
            leg.received(transaction, self.contact(transaction.flow))
        except DialogError as error:
            transaction.respond_with(error.status, headers=(warning(str(error)),))

    def _acknowledged(self, request: Request, flow: Flow) -> None:
        if leg := self.legs.get(dialog_key(request)):
            leg.acknowledged()

    async def answer(self, transaction: ServerTransaction, policy: MediaPolicy) -> CallLeg:
        """Answer an INVITE with 200. Raises :class:`CallRefused` when that cannot be; the INVITE is then answered."""
        request = transaction.request
        try:
            if not request.body:
                raise IncompatibleMedia("an INVITE without an offer is not served; offer PCMU or PCMA")
            offer = parse_sdp(request.body)
            media = await self.media.open(policy.host, policy.ports)
        except SdpError as error:
            raise self._refused(transaction, 400, str(error)) from None
        except IncompatibleMedia as error:
            raise self._refused(transaction, 488, str(error)) from None
        except NoPort as error:
            raise self._refused(transaction, 503, str(error)) from None
        try:
            ours, theirs = answer_audio(offer, policy.terms, host=policy.host, port=media.port)
        except IncompatibleMedia as error:
            media.close()
            raise self._refused(transaction, 488, str(error)) from None
        if transaction.final_sent or transaction.cancelled:
            media.close()
            raise CallRefused(487, "the caller hung up before the answer")
        dialog = Dialog.from_uas(request, local_tag=transaction.to_tag)
        target = target_of(dialog, transaction.flow)
        leg = CallLeg(
            self.endpoint, dialog=dialog, target=target, media=media, ours=ours, theirs=theirs, terms=policy.terms
        )
        self._keep(leg)
        leg.answered(transaction, leg.sdp(), self.contact(transaction.flow))
        return leg

    def place(
        self,
        *,
        uri: str,
        from_: str,
        target: Target,
        policy: MediaPolicy,
        headers: Iterable[tuple[str, str]] = (),
        credentials: tuple[str, str] | None = None,
    ) -> "Attempt":
        """Call ``uri``; ``credentials`` are user name and secret for a digest challenge."""
        return Attempt(self, uri, from_, target, policy, tuple(headers), credentials)

    def _keep(self, leg: CallLeg) -> None:
        key = leg.dialog.key
        self.legs[key] = leg

        def forget() -> None:
            self.legs.pop(key, None)

        leg.on_forget = forget

    @staticmethod
    def _refused(transaction: ServerTransaction, status: int, why: str) -> CallRefused:
        transaction.respond_with(status, headers=(warning(why),))
        return CallRefused(status, why)


class Attempt:
    """A call being placed. Wait for :meth:`answered`; :meth:`cancel` gives it up."""

    def __init__(
        self,
        calls: Calls,
        uri: str,
        from_: str,
        target: Target,
        policy: MediaPolicy,
        headers: tuple[tuple[str, str], ...],
        credentials: tuple[str, str] | None,
    ) -> None:
        self.provisional: list[int] = []
        self.ringing = asyncio.Event()
        self.call_id = calls.endpoint.ids.token(12)
        self._calls = calls
        self._uri = uri
        self._from = f"{from_};tag={calls.endpoint.ids.token(8)}"
        self._target = target
        self._policy = policy
        self._headers = headers
        self._credentials = credentials
        self._transaction: ClientTransaction | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """Hang up before the answer."""
        self._cancelled = True
        if self._transaction is not None:
            self._transaction.cancel()

    async def answered(self) -> CallLeg:
        """The leg, once the call is answered. Raises :class:`CallFailed` with the final status otherwise."""
        endpoint = self._calls.endpoint
        flow = await endpoint.flow_to(self._target)
        media = await self._calls.media.open(self._policy.host, self._policy.ports)
        ours = make_offer(self._policy.terms, host=self._policy.host, port=media.port)
        try:
            request, response = await self._exchange(flow, ours, cseq=1)
            if response.status in (401, 407) and (again := self._authorization(response)):
                request, response = await self._exchange(flow, ours, cseq=2, authorization=again)
            if response.status >= 300:
                raise CallFailed(response.status, response.reason, response.headers.get("Warning") or "")
            return await self._established(request, response, flow, media, ours)
        except BaseException:
            media.close()
            raise

    async def _exchange(
        self, flow: Flow, ours: Audio, *, cseq: int, authorization: tuple[str, str] | None = None
    ) -> tuple[Request, Response]:
        headers = Headers([("Max-Forwards", "70"), ("From", self._from), ("To", f"<{self._uri}>")])
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{cseq} INVITE")
        headers.add("Contact", self._calls.contact(flow))
        headers.add("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, NOTIFY")
        headers.add("Content-Type", "application/sdp")
        for name, value in (*self._headers, *((authorization,) if authorization else ())):
            headers.add(name, value)
        body = build_sdp(ours, session_id="1")
        request = Request(method="INVITE", uri=self._uri, headers=headers, body=body)
        self._transaction = await self._calls.endpoint.send(request, flow)
        if self._cancelled:
            self._transaction.cancel()
        async for response in self._transaction.responses():
            if response.status >= 200:
                return request, response
            self.provisional.append(response.status)
            if response.status > 100:
                self.ringing.set()
        raise AssertionError("responses() ends with a final one")

    def _authorization(self, response: Response) -> tuple[str, str] | None:
        if self._credentials is None:
            return None
        challenge, name = {401: ("WWW-Authenticate", "Authorization")}.get(
            response.status, ("Proxy-Authenticate", "Proxy-Authorization")
        )
        value = digest.answer(
            response.headers.all(challenge),
            username=self._credentials[0],
            secret=self._credentials[1],
            method="INVITE",
            uri=self._uri,
            cnonce=self._calls.endpoint.ids.token(8),
        )
        return (name, value) if value else None

    async def _established(
        self, request: Request, response: Response, flow: Flow, media: MediaSession, ours: Audio
    ) -> CallLeg:
        dialog = Dialog.from_uac(request, response)
        target = target_of(dialog, flow)
        ack = dialog.request("ACK", cseq=fields.cseq(request).sequence)
        await self._calls.endpoint.send_ack(ack, target)
        try:
            narrowed, theirs = check_answer(ours, parse_sdp(response.body))
        except (SdpError, IncompatibleMedia) as error:
            await self._calls.endpoint.send(dialog.request("BYE"), target)
            raise CallFailed(488, str(error)) from None
        leg = CallLeg(
            self._calls.endpoint,
            dialog=dialog,
            target=target,
            media=media,
            ours=narrowed,
            theirs=theirs,
            terms=self._policy.terms,
        )
        leg.acknowledged()
        self._calls._keep(leg)
        return leg
