"""Whether media stays encrypted where the pool requires it: what offers, answers and their responses describe.

A phone may offer the same stream twice, plain and encrypted, if the answer then takes the encrypted one; or keys under RTP/AVP
(RFC 8643, "optional" SRTP), if the answer then has keys, too.
"""

import logging

from tandem.core.log import event, get_logger
from tandem.org.vocabulary import MediaEncryption
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.transactions import ClientTransaction
from tandem.sip.errors import MalformedMessage, SdpError
from tandem.sip.headers import fields
from tandem.sip.machines.dialog import Dialog
from tandem.sip.message.body import DESCRIPTION, content_kind, description_of, parts_of
from tandem.sip.message.message import Headers, Message, Request, Response
from tandem.sip.sdp.description import Description, parse_sdp
from tandem.voice.config import VoiceConfig
from tandem.voice.proxy.routes import Routes

_log = get_logger("voice")
REFUSED = "this pool requires SRTP (RTP/SAVP)"


def required(config: VoiceConfig) -> bool:
    """Whether the pool requires encryption."""
    return config.pool is not None and config.pool.media_encryption is MediaEncryption.REQUIRE


def why_plain_offer(message: Message) -> str | None:
    """Why an offer could end in plain media; ``None`` if it cannot, or if there is none."""
    return _why(message, answer=False)


def why_plain_answer(message: Message) -> str | None:
    """Why an answer leads to plain media; ``None`` if it does not, or if there is none."""
    return _why(message, answer=True)


class EncryptionGuard:
    """Lets no response through that leads to plain media."""

    def __init__(self, endpoint: Endpoint, routes: Routes) -> None:
        self._endpoint = endpoint
        self._routes = routes

    async def passed(self, client: ClientTransaction, response: Response) -> Response | None:
        """The response, or what is taken for it: nothing for a provisional one, a 488 for a 2xx.

        Who sent such a 2xx to an INVITE gets its ACK, and BYE where that began the call.
        """
        request = client.request
        # RFC 3264: what a response to a request without a description brings is an offer.
        why = (why_plain_answer if request.body else why_plain_offer)(response)
        if why is None or response.status >= 300:
            return response
        event(_log, logging.WARNING, "voice.plain_answer", status=response.status, why=why)
        if response.status < 200:
            return None
        if request.method == "INVITE":
            await self._end(client, response)
        return Response(status=488, headers=Headers([fields.warning(why)]))

    async def _end(self, client: ClientTransaction, response: Response) -> None:
        flow = (client.again or client).flow
        if flow is None:
            return
        try:
            dialog = Dialog.from_uac(client.request, response)
        except MalformedMessage:
            return
        ack = self._within(dialog.request("ACK", cseq=dialog.local_cseq))
        await self._endpoint.send_ack(ack, flow)
        if not fields.to_tag(client.request):
            await self._endpoint.send(self._within(dialog.request("BYE")), flow)

    def _within(self, request: Request) -> Request:
        """A request to this side: what is left of its route when we are past."""
        self._routes.remove_own(request)
        return request


def _why(message: Message, *, answer: bool) -> str | None:
    if not message.body:
        return None
    try:
        described = [parse_sdp(body) for body in _descriptions(message)]
    except SdpError as error:
        return str(error)
    return None if all(_is_secure(each, answer=answer) for each in described) else REFUSED


def _descriptions(message: Message) -> list[bytes]:
    """Every description of a body; raises :class:`SdpError` for one of several parts that may hide another."""
    kind = content_kind(message)
    if not kind.startswith("multipart/"):
        return [described] if (described := description_of(message)) else []
    parts = parts_of(message)
    found = [part.body for part in parts if part.kind == DESCRIPTION]
    if not found or any(part.kind.startswith("multipart/") for part in parts):
        raise SdpError(f"{REFUSED}, and this {kind} cannot be checked for it")
    return found


def _is_secure(described: Description, *, answer: bool) -> bool:
    secure: dict[str, list[bool]] = {}
    for line, encrypted in zip(described.media_lines, described.encrypted, strict=True):
        medium, port, profile, *_ = line.removeprefix("m=").split()
        if "RTP/" in profile.upper() and port.partition("/")[0] != "0":
            secure.setdefault(medium, []).append(encrypted)
    return all(all(each) if answer else any(each) for each in secure.values())
