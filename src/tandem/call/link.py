"""The dialog with one peer, and the way to it: sends our requests within the dialog, and answers challenges to them."""

import asyncio
from collections.abc import Iterable

from tandem.call.negotiation import CONTENT_TYPE
from tandem.core.ids import Ids
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow
from tandem.sip.aio.outbound import Target
from tandem.sip.aio.resolve import hop_of
from tandem.sip.aio.transactions import ClientTransaction
from tandem.sip.headers import digest, fields
from tandem.sip.headers.uri import parse_uri
from tandem.sip.machines.dialog import Dialog
from tandem.sip.machines.retry import Authenticate, Retries
from tandem.sip.machines.transaction import T1
from tandem.sip.message.message import Message, Request, Response

PENDING_S = 64 * T1
"""Seconds after which a re-INVITE of ours without a final response is cancelled."""
Headers = Iterable[tuple[str, str]]
Credentials = tuple[str, str]
"""User name and secret."""


class Link:
    """``flow`` is the connection on which the dialog began; ``contact`` is what we say of ourselves."""

    def __init__(
        self, endpoint: Endpoint, dialog: Dialog, flow: Flow, contact: str, credentials: Credentials | None = None
    ) -> None:
        self.dialog = dialog
        self.contact = contact
        self._endpoint = endpoint
        self._flow = flow
        self._credentials = credentials

    async def ask(self, method: str, headers: Headers = (), body: bytes = b"") -> Response:
        """Send any request but INVITE, again if it is challenged; its final response."""
        wanted, retries = tuple(headers), Retries()
        extra = wanted
        while True:
            request = self._made(method, extra, body)
            response = await (await self._endpoint.send(request, self._target)).final()
            again = self._authorization(request, response, retries)
            if again is None:
                return response
            extra = (*wanted, again)

    async def invite(self, headers: Headers, body: bytes) -> tuple[Request, Response, ClientTransaction]:
        """Send a re-INVITE, again if it is challenged; it is cancelled where nothing comes of it."""
        wanted, retries = tuple(headers), Retries()
        extra = wanted
        while True:
            request = self._made("INVITE", extra, body)
            transaction = await self._endpoint.send(request, self._target)
            give_up = asyncio.get_running_loop().call_later(PENDING_S, transaction.cancel)
            try:
                response = await transaction.final()
            finally:
                give_up.cancel()
            again = self._authorization(request, response, retries)
            if again is None:
                return request, response, transaction
            extra = (*wanted, again)

    def ack(self, invite: Request, body: bytes) -> Request:
        """The ACK to a 2xx (RFC 3261 §13.2.2.4), with the answer if the 2xx held the offer."""
        ack = self.dialog.request("ACK", cseq=fields.cseq(invite).sequence)
        if body:
            ack.headers.add("Content-Type", CONTENT_TYPE)
            ack.body = body
        return ack

    async def send_ack(self, ack: Request) -> None:
        """Send an ACK, for the first time or again."""
        await self._endpoint.send_ack(ack.copy(), self._target)

    def refresh_target(self, message: Message) -> None:
        """Take the Contact of a target refresh, and send there from here on."""
        self.dialog.refresh_target(message)

    @property
    def _target(self) -> Target:
        return target_of(self.dialog, self._flow)

    def _made(self, method: str, headers: Headers, body: bytes) -> Request:
        request = self.dialog.request(method)
        for name, value in headers:
            request.headers.add(name, value)
        if body and "Content-Type" not in request.headers:
            request.headers.add("Content-Type", CONTENT_TYPE)
        request.body = body
        return request

    def _authorization(self, request: Request, response: Response, retries: Retries) -> tuple[str, str] | None:
        match retries.after(response):
            case Authenticate() as wanted:
                return answer_challenge(wanted, request, self._credentials, self._endpoint.ids)
            case _:
                return None


def target_of(dialog: Dialog, flow: Flow) -> Target:
    """Where requests within a dialog go: the peer's own connection where there is no route set, else the first route.

    Once that connection is gone a request goes to where the route or Contact says, by DNS (RFC 3263); but not to a TLS peer
    that proved no name, since none could be checked. What came by TLS goes by TLS, unless the peer names another transport.
    """
    stays = flow.transport != "udp" and (not dialog.route_set or not flow.peer_names)
    if stays and not (flow.closed and (flow.transport == "tcp" or flow.peer_names)):
        return flow
    return hop_of(parse_uri(dialog.next_hop), otherwise="tls" if flow.transport == "tls" else "")


def answer_challenge(
    wanted: Authenticate, request: Request, credentials: Credentials | None, ids: Ids
) -> tuple[str, str] | None:
    """The header that answers a challenge; ``None`` without credentials, or where no challenge can be answered."""
    if credentials is None:
        return None
    value = digest.answer(
        wanted.challenges,
        username=credentials[0],
        secret=credentials[1],
        method=request.method,
        uri=request.uri,
        cnonce=ids.token(8),
    )
    return (wanted.header, value) if value else None
