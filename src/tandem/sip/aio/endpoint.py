"""A SIP element on real sockets: the sockets of :mod:`tandem.sip.aio.connections`, and the transactions on them.

Here messages meet transactions (RFC 3261 §17.1.3, §17.2.3), requests get their Via, and what comes notes where it came from
(§18.2.1, RFC 3581). Nothing here makes a task or a queue per message.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable

from tandem.core.clock import Clock
from tandem.core.ids import Ids
from tandem.core.log import event, get_logger
from tandem.sip import fields
from tandem.sip.aio.connections import Connections, ContextSource
from tandem.sip.aio.flow import Flow, Hop, PeerNames, StreamFlow
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.sockets import at_port
from tandem.sip.aio.transactions import ClientTransaction, Key, ServerTransaction, client_key
from tandem.sip.errors import MalformedMessage
from tandem.sip.message import Message, Request, Response
from tandem.sip.parse import parse_message
from tandem.sip.salvage import answer_to_unreadable
from tandem.sip.transaction import ack_to_failure

_log = get_logger("sip")
_MAGIC = "z9hG4bK"
Target = Flow | Hop
Tap = Callable[[str, bytes, Flow], None]
"""Sees every message, for traces: ``in`` or ``out``, its bytes, the flow."""


def no_names(_: ssl.SSLObject) -> frozenset[str]:
    """For endpoints that ask no peer for a certificate."""
    return frozenset()


class Endpoint:
    """One SIP element.

    ``name`` stands in Via (an FQDN for servers); ``client_context`` is for TLS connections that we open. Set
    ``on_request`` (every new request but CANCEL and ACK) and, where calls are answered, ``on_ack`` (ACK to a 2xx).
    """

    def __init__(
        self,
        *,
        clock: Clock,
        ids: Ids,
        resolver: Resolver,
        name: str = "",
        client_context: ContextSource = None,
        peer_names: PeerNames = no_names,
        dscp: int = 0,
    ) -> None:
        self.clock = clock
        self.ids = ids
        self.resolver = resolver
        self.name = name
        self.on_request: Callable[[ServerTransaction], None] = lambda tx: tx.respond_with(501)
        self.on_ack: Callable[[Request, Flow], None] = lambda request, flow: None
        self.tap: Tap | None = None
        self.connections = Connections(self, client_context=client_context, gate=None, dscp=dscp)
        self._peer_names = peer_names
        self._server_transactions: dict[Key, ServerTransaction] = {}
        self._client_transactions: dict[tuple[str, str], ClientTransaction] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that this endpoint runs on."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    # Listening and closing

    async def listen_udp(self, host: str, port: int) -> tuple[str, int]:
        """Bind a UDP socket; return the address that it has."""
        return await self.connections.listen_udp(host, port)

    async def listen_tcp(self, host: str, port: int) -> tuple[str, int]:
        """Listen for TCP connections; return the address bound."""
        return await self.connections.listen_stream("tcp", host, port)

    async def listen_tls(self, host: str, port: int, context: ContextSource) -> tuple[str, int]:
        """Listen for TLS connections; return the address bound. The context says if clients need a certificate."""
        return await self.connections.listen_stream("tls", host, port, context)

    async def close(self) -> None:
        """Stop listening, close every connection, end what transactions are left."""
        self.connections.stop_listening()
        for client in list(self._client_transactions.values()):
            client.fail()
        for transaction in list(self._server_transactions.values()):
            transaction.forget()
        await self.connections.close()

    # Sending

    async def send(self, request: Request, target: Target) -> ClientTransaction:
        """Start a client transaction: adds Via with a new branch. Failures of the transport appear as a local 503."""
        transaction = ClientTransaction(self, request)
        try:
            flow = await self.flow_to(target)
        except (OSError, TimeoutError) as error:
            event(_log, logging.WARNING, "sip.unreachable", method=request.method, target=target, error=error)
            transaction.fail()
            return transaction
        request.headers.prepend("Via", self.via(flow))
        transaction.start(flow)
        return transaction

    def via(self, flow: Flow, branch: str | None = None) -> str:
        """A Via value for a request on this flow."""
        where = at_port(self.name or flow.local[0], self.connections.ports.get(flow.transport) or flow.local[1])
        branch = branch or f"{_MAGIC}{self.ids.token(12)}"
        return f"SIP/2.0/{flow.transport.upper()} {where};rport;branch={branch}"

    async def send_ack(self, ack: Request, target: Target) -> None:
        """Send the ACK to a 2xx: it is a message of its own (§13.2.2.4). Failures are the INVITE's user's to notice."""
        try:
            flow = await self.flow_to(target)
            ack.headers.prepend("Via", self.via(flow))
            self.transmit(ack.to_bytes(), flow)
        except (OSError, TimeoutError) as error:
            event(_log, logging.WARNING, "sip.ack_not_sent", error=error)

    async def flow_to(self, target: Target) -> Flow:
        """The flow for a target: itself, one that is open to the same name, or a new one. Raises :class:`OSError`."""
        if not isinstance(target, Hop):
            if target.closed:
                raise ConnectionError(f"the connection to {target.remote} is closed")
            return target
        if (standing := self.connections.standing(target)) is not None:
            return standing
        host, port = await self.resolver.resolve(target.host, target.port)
        return await self.connections.connect(target, host, port)

    def transmit(self, data: bytes, flow: Flow) -> None:
        """Send bytes on a flow. Raises :class:`OSError`."""
        flow.send(data)
        if self.tap is not None:
            self.tap("out", data, flow)

    def answer(self, data: bytes, transaction: ServerTransaction) -> None:
        """Send a response the way its request came."""
        try:
            self.transmit(data, transaction.flow)
        except OSError as error:
            event(_log, logging.INFO, "sip.response_not_sent", peer=transaction.flow.remote, error=error)

    # Transactions keep themselves here

    def keep_client(self, transaction: ClientTransaction) -> tuple[str, str]:
        """Match responses to this one from now on; returns the key."""
        key = client_key(transaction.request)
        self._client_transactions[key] = transaction
        return key

    def forget_client(self, key: tuple[str, str]) -> None:
        """A client transaction is over."""
        self._client_transactions.pop(key, None)

    def forget_server(self, key: Key) -> None:
        """A server transaction is over."""
        self._server_transactions.pop(key, None)

    # Receiving: what flows tell their owner

    def opened(self, flow: StreamFlow) -> None:
        """A connection stands."""
        self.connections.opened(flow)

    def names_of(self, tls: ssl.SSLObject) -> frozenset[str]:
        """The names in a peer's certificate."""
        return self._peer_names(tls)

    def received(self, data: bytes, flow: Flow) -> None:
        """A message came; whatever is wrong with it costs nobody else anything."""
        if self.tap is not None:
            self.tap("in", data, flow)
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                self._response(message)
            else:
                self._request(message, flow)
        except MalformedMessage as error:
            event(_log, logging.WARNING, "sip.malformed", peer=flow.remote, why=error)
            self._refuse(data, flow, error)
        except Exception:  # a defect of ours in one message must not cost the others
            _log.exception("sip.defect peer=%s", flow.remote)

    def _refuse(self, data: bytes, flow: Flow, error: MalformedMessage) -> None:
        """Answer a request that could not be read; what cannot be answered is dropped."""
        if (answer := answer_to_unreadable(data, error.status)) is None:
            return
        try:
            self.transmit(answer, flow)
        except OSError as again:
            event(_log, logging.DEBUG, "sip.refusal_not_sent", why=again)

    def _response(self, response: Response) -> None:
        key = (fields.top_via(response).branch, fields.cseq(response).method)
        transaction = self._client_transactions.get(key)
        if transaction is None:
            event(_log, logging.DEBUG, "sip.stray_response", status=response.status, call=fields.call_id(response))
            return
        transaction.received(response)

    def _request(self, request: Request, flow: Flow) -> None:
        fields.note_source(request, *flow.remote)
        via = fields.top_via(request)
        branch, sent_by = via.branch, via.sent_by
        method = "INVITE" if request.method == "ACK" else request.method
        if not branch.startswith(_MAGIC) or branch == _MAGIC:
            # RFC 2543 branches identify nothing; what does, in our peers' messages, is Call-ID and CSeq.
            branch = f"{fields.call_id(request)}/{fields.cseq(request).sequence}/{fields.from_tag(request)}"
        existing = self._server_transactions.get((branch, sent_by, method))
        if existing is not None:
            existing.received(request)
        elif request.method == "ACK":
            self.on_ack(request, flow)
        else:
            transaction = ServerTransaction(self, request, flow, (branch, sent_by, method))
            self._server_transactions[transaction.key] = transaction
            if request.method == "CANCEL":
                _cancel(transaction, self._server_transactions.get((branch, sent_by, "INVITE")))
            else:
                self._serve(transaction)

    def _serve(self, transaction: ServerTransaction) -> None:
        """Hand a request to our user; whatever that meets in it, the request is answered."""
        try:
            self.on_request(transaction)
        except MalformedMessage as error:
            event(_log, logging.WARNING, "sip.malformed", peer=transaction.flow.remote, why=error)
            transaction.respond_with(error.status)
        except Exception:  # a defect of ours in one request must not cost the others
            _log.exception("sip.defect peer=%s", transaction.flow.remote)
            transaction.respond_with(500)


def _cancel(cancel: ServerTransaction, invite: ServerTransaction | None) -> None:
    cancel.respond_with(200 if invite else 481)
    if invite is not None and not invite.final_sent:
        invite.cancelled = True
        invite.on_cancel()


__all__ = [
    "ClientTransaction",
    "Endpoint",
    "Flow",
    "Hop",
    "Message",
    "ServerTransaction",
    "Target",
    "ack_to_failure",
]
