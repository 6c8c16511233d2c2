"""A SIP element on real sockets: the sockets of :mod:`tandem.sip.aio.connections`, and the transactions on them.

Here messages meet transactions (RFC 3261 §17.1.3, §17.2.3), requests get their Via, and what comes notes where it came from
(§18.2.1, RFC 3581). Nothing here makes a task or a queue per message.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from typing import Protocol

from tandem.core.clock import Clock
from tandem.core.ids import Ids
from tandem.core.log import about, event, get_logger
from tandem.sip import counts
from tandem.sip.aio.connecting import CONNECT_S
from tandem.sip.aio.connections import Connections, ContextSource
from tandem.sip.aio.flow import Flow, Hop, PeerNames, StreamFlow, UdpFlow
from tandem.sip.aio.handlers import Handler, Handlers, Handling
from tandem.sip.aio.lingering import LingeringTransactions
from tandem.sip.aio.outbound import MAGIC, Outbound, Target
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.table import ServerTransactions, Standing
from tandem.sip.aio.transactions import Answering, ClientTransaction, Key, ServerTransaction, client_key
from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.via import Via, note_source, top_via
from tandem.sip.machines.dialog import dialog_key
from tandem.sip.machines.failures import Failures
from tandem.sip.machines.limits import SourceLimits
from tandem.sip.machines.locate import PORTS
from tandem.sip.message.message import Request, Response, response_to
from tandem.sip.message.parse import parse_message
from tandem.sip.message.salvage import answer_to_unreadable

_log = get_logger("sip")
DialogKey = tuple[str, str, str]
"""Call-ID, our tag, the peer's tag; see :func:`tandem.sip.machines.dialog.dialog_key`."""
RETRY_AFTER_S = 10
Tap = Callable[[str, bytes, Flow], None]
"""Sees every message, for traces: ``in`` or ``out``, its bytes, the flow."""


def no_names(_: ssl.SSLObject) -> frozenset[str]:
    """For endpoints that ask no peer for a certificate."""
    return frozenset()


class DialogOwner(Protocol):
    """Serves the requests within its dialogs."""

    def requested(self, transaction: ServerTransaction) -> Handling:
        """A request within a dialog came; a handler as in :mod:`tandem.sip.aio.handlers`."""
        ...

    def acknowledged(self, ack: Request) -> None:
        """An ACK to a 2xx came."""
        ...


class Endpoint:
    """One SIP element.

    ``name`` is in Via (an FQDN for servers); ``client_context`` is for TLS connections that we open. Set
    ``on_request`` (every new request but CANCEL and ACK) and, where calls are answered, ``on_ack`` (ACK to a 2xx).
    Requests within one of ``dialogs`` go to its owner instead: so a proxy and call legs share an endpoint.
    ``failures`` is for its users: what of their own choice failed of late, such as a server among several.
    ``on_request`` answers, or returns a coroutine that will: see :mod:`tandem.sip.aio.handlers`.
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
        limits: SourceLimits | None = None,
        dscp: int = 0,
    ) -> None:
        self.clock = clock
        self.ids = ids
        self.resolver = resolver
        self.failures = Failures()
        self.name = name
        self.on_request: Handler = lambda tx: tx.respond_with(501)
        self.on_ack: Callable[[Request, Flow], None] = lambda request, flow: None
        self.dialogs: dict[DialogKey, DialogOwner] = {}
        self.tap: Tap | None = None
        self.connections = Connections(self, client_context=client_context, gate=limits, dscp=dscp)
        self._limits = limits
        self.checks_names = peer_names is not no_names
        self._peer_names = peer_names
        self.server_transactions = ServerTransactions()
        self.handlers = Handlers()
        self.lingering = LingeringTransactions(clock)
        self._client_transactions: dict[tuple[str, str], ClientTransaction] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outbound = Outbound(self)
        self.closing = False
        counts.transactions.of("server").source = lambda: len(self.server_transactions)
        counts.transactions.of("client").source = lambda: len(self._client_transactions)
        counts.connections.source = lambda: len(self.connections.flows)

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
        self.closing = True
        self.connections.stop_listening()
        await self.handlers.cancel()
        await self._outbound.close()
        for client in list(self._client_transactions.values()):
            client.fail()
        for transaction in self.server_transactions:
            transaction.forget()
        self.lingering.close()
        await self.connections.close()

    # Sending

    async def send(self, request: Request, target: Target, *, patience_s: float = CONNECT_S) -> ClientTransaction:
        """Start a client transaction, see :meth:`Outbound.send`."""
        return await self._outbound.send(request, target, patience_s=patience_s)

    async def send_ack(self, ack: Request, target: Target) -> None:
        """Send the ACK to a 2xx; what fails is logged, since the 2xx then comes again."""
        await self._outbound.send_ack(ack, target)

    async def flow_to(self, target: Target, patience_s: float = CONNECT_S) -> Flow:
        """The flow for a target: itself, one that is open to the same name, or a new one. Raises :class:`OSError`."""
        if not isinstance(target, Hop):
            if target.closed:
                raise ConnectionError(f"the connection to {target.remote} is closed")
            return target
        return self.connections.standing(target) or await self._outbound.reach(target, set(), patience_s)

    def transmit(self, data: bytes, flow: Flow) -> None:
        """Send bytes on a flow. Raises :class:`OSError`."""
        flow.send(data)
        if self.tap is not None:
            self.tap("out", data, flow)

    def answer(self, data: bytes, transaction: Answering) -> None:
        """Send a response the way its request came; if that connection is gone, to where its Via says (§18.2.2)."""
        self._outbound.answer(data, transaction)

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
        self.server_transactions.forget(key)

    # Receiving: what flows tell their owner

    def opened(self, flow: StreamFlow) -> None:
        """A connection is open."""
        self.connections.opened(flow)

    def names_of(self, tls: ssl.SSLObject) -> frozenset[str]:
        """The names in a peer's certificate."""
        return self._peer_names(tls)

    def received(self, data: bytes, flow: Flow) -> None:
        """A message came; whatever is wrong with it costs nobody else anything."""
        try:
            if not flow.peer_names and not self._within(flow):
                return
            if self.tap is not None:
                self.tap("in", data, flow)
            message = parse_message(data)
            with about(call=fields.call_id(message), peer=flow.remote[0]):
                if isinstance(message, Response):
                    self._response(message)
                else:
                    self._request(message, flow)
        except MalformedMessage as error:
            counts.malformed.value += 1
            event(_log, logging.WARNING, "sip.malformed", peer=flow.remote, why=error)
            self._refuse(data, flow, error)
        except Exception:  # a defect of ours in one message must not cost the others
            _log.exception("sip.defect peer=%s", flow.remote)

    def kept_alive(self, flow: Flow) -> None:
        """Line ends came, between messages: they count as a message."""
        if not flow.peer_names:
            self._within(flow)

    def _within(self, flow: Flow) -> bool:
        """Whether who proved no name is within the rate of its source, or of its own connection if it has proved a secret.

        A connection beyond it waits, a datagram is dropped.
        """
        now = self.clock.now()
        if self._limits is None:
            return True
        if not isinstance(flow, StreamFlow):
            return self._limits.datagram(flow.remote[0], now)
        if wait := self._limits.streamed(flow.remote[0], now, flow.bucket if flow.proved else None):
            flow.hold(wait)
        return True

    def _refuse(self, data: bytes, flow: Flow, error: MalformedMessage) -> None:
        """Answer a request that could not be read; what cannot be answered is dropped."""
        if (answer := answer_to_unreadable(data, error.status)) is None:
            return
        try:
            self.transmit(answer, flow)
        except OSError as again:
            event(_log, logging.DEBUG, "sip.refusal_not_sent", why=again)

    def _response(self, response: Response) -> None:
        key = (top_via(response).branch, fields.cseq(response).method)
        transaction = self._client_transactions.get(key)
        if transaction is None:
            event(_log, logging.DEBUG, "sip.stray_response", status=response.status, call=fields.call_id(response))
            return
        transaction.received(response)

    def _request(self, request: Request, flow: Flow) -> None:
        note_source(request, *flow.remote)
        via = top_via(request)
        branch, sent_by = via.branch, via.sent_by
        method = "INVITE" if request.method == "ACK" else request.method
        if not branch.startswith(MAGIC) or branch == MAGIC:
            # RFC 2543 branches identify nothing; what does, in our peers' messages, is Call-ID and CSeq.
            branch = f"{fields.call_id(request)}/{fields.cseq(request).sequence}/{fields.from_tag(request)}"
        existing = self.server_transactions.get((branch, sent_by, method))
        if existing is not None:
            existing.received(request)
        elif request.method == "ACK":
            self._acknowledged(request, flow)
        elif not self.server_transactions.has_room(standing := self._standing(flow), flow.remote[0]):
            self._overloaded(request, flow)
        else:
            if isinstance(flow, UdpFlow):
                # §18.2.2: to the port of sent-by. Where that names another address there is NAT between us, or a name: then
                # only the source port leads back, with rport (RFC 3581) or without.
                if "rport" not in via.parameters and via.host.strip("[]") == flow.remote[0]:
                    flow = flow.at_port(via.port or PORTS["udp"])
            elif flow.peer_names:
                self.connections.note_alias(via, flow)
            key = (branch, sent_by, method)
            proved = standing is Standing.PROVED
            transaction = ServerTransaction(self, request, flow, key, _sender_of(via, flow), proved=proved)
            self.server_transactions.add(transaction.answering, standing)
            if request.method == "CANCEL":
                _cancel(transaction, self.server_transactions.get((branch, sent_by, "INVITE")))
            else:
                self.handlers.run(self._dispatch, transaction)

    def _owner_of(self, request: Request) -> DialogOwner | None:
        return self.dialogs.get(dialog_key(request)) if self.dialogs and fields.to_tag(request) else None

    def _dispatch(self, transaction: ServerTransaction) -> Handling:
        owner = self._owner_of(transaction.request)
        if owner is not None:
            transaction.proved = True  # who knows the tags of a dialog is in it
        return self.on_request(transaction) if owner is None else owner.requested(transaction)

    def _acknowledged(self, ack: Request, flow: Flow) -> None:
        if (owner := self._owner_of(ack)) is not None:
            owner.acknowledged(ack)
        else:
            self.on_ack(ack, flow)

    def _standing(self, flow: Flow) -> Standing:
        if self._limits is None or flow.proved:
            return Standing.PROVED
        gateway = isinstance(flow, UdpFlow) and self._limits.trusted(flow.remote[0])
        return Standing.CLAIMED if gateway else Standing.STRANGER

    def _overloaded(self, request: Request, flow: Flow) -> None:
        """So many transactions are open that a further one gets its answer without."""
        counts.dropped.of("transactions").value += 1
        with contextlib.suppress(OSError):
            self.transmit(_busy(request, self.ids.token(8)), flow)


def _busy(request: Request, to_tag: str) -> bytes:
    response = response_to(request, 503, to_tag=to_tag)
    response.headers.add("Retry-After", str(RETRY_AFTER_S))
    return response.to_bytes()


def _sender_of(via: Via, flow: Flow) -> Hop | None:
    """Where a response goes whose connection is gone: back to the source, or to the name that it proved."""
    if flow.transport == "tcp":
        host = via.parameters.get("received") or via.host.strip("[]")
        return Hop(transport="tcp", host=host, port=via.port or PORTS["tcp"])
    if flow.transport == "tls" and via.host.lower() in flow.peer_names:
        return Hop(transport="tls", host=via.host.lower(), port=via.port or PORTS["tls"])
    return None


def _cancel(cancel: ServerTransaction, invite: Answering | None) -> None:
    cancel.respond_with(200 if invite else 481)
    if invite is not None and (user := invite.user) is not None:
        user.cancel()
