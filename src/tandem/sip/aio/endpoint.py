"""A SIP element on real sockets: listens, connects, and runs the transactions of :mod:`tandem.sip.transaction`.

What happens inside a transaction is decided there; here is only what needs a socket or a clock: sending, one timer per
transaction, matching (RFC 3261 §17.1.3, §17.2.3), and reuse of connections. A TLS connection that we opened is used again
for the same name; what came in on a connection is answered on it. Left out: SRV and NAPTR, connections towards a Via
whose connection is gone (the client sends again).
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable

from tandem.core.clock import Clock
from tandem.core.ids import Ids
from tandem.core.log import event, get_logger
from tandem.sip import fields
from tandem.sip.aio.flow import Flow, Hop, PeerNames, StreamFlow, UdpFlow, UdpSocket
from tandem.sip.aio.resolve import Resolver
from tandem.sip.errors import MalformedMessage, SipError
from tandem.sip.message import Headers, Message, Request, Response, response_to
from tandem.sip.parse import parse_message
from tandem.sip.transaction import (
    T1,
    ClientTransactionMachine,
    Do,
    Output,
    ServerTransactionMachine,
    ack_to_failure,
    cancel_for,
)

_log = get_logger("sip")
_MAGIC = "z9hG4bK"
HANDSHAKE_S = 10.0
CONNECT_S = 5.0
Target = Flow | Hop


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
        client_context: ssl.SSLContext | None = None,
        peer_names: PeerNames = no_names,
    ) -> None:
        self.clock = clock
        self.ids = ids
        self.resolver = resolver
        self.name = name
        self.on_request: Callable[[ServerTransaction], None] = lambda tx: tx.respond_with(501)
        self.on_ack: Callable[[Request, Flow], None] = lambda request, flow: None
        self._client_context = client_context
        self._peer_names = peer_names
        self._servers: list[asyncio.Server] = []
        self._udp: list[UdpSocket] = []
        self._flows: set[StreamFlow] = set()
        self._outgoing: dict[Hop, StreamFlow] = {}
        self._connecting: dict[Hop, asyncio.Lock] = {}
        self._ports: dict[str, int] = {}
        self._server_transactions: dict[tuple[str, str, str], ServerTransaction] = {}
        self._client_transactions: dict[tuple[str, str], ClientTransaction] = {}

    # Listening and closing

    async def listen_udp(self, host: str, port: int) -> tuple[str, int]:
        """Bind a UDP socket; return the address that it has."""
        _, socket = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: UdpSocket(self._received), local_addr=(host, port)
        )
        self._udp.append(socket)
        return self._bound("udp", socket.local)

    async def listen_tcp(self, host: str, port: int) -> tuple[str, int]:
        """Listen for TCP connections; return the address bound."""
        return await self._listen("tcp", host, port, None)

    async def listen_tls(self, host: str, port: int, context: ssl.SSLContext) -> tuple[str, int]:
        """Listen for TLS connections; return the address bound. The context says if clients need a certificate."""
        return await self._listen("tls", host, port, context)

    async def _listen(self, kind: str, host: str, port: int, context: ssl.SSLContext | None) -> tuple[str, int]:
        server = await asyncio.get_running_loop().create_server(
            lambda: self._stream(kind),
            host,
            port,
            ssl=context,
            backlog=512,
            ssl_handshake_timeout=HANDSHAKE_S if context else None,
        )
        self._servers.append(server)
        return self._bound(kind, server.sockets[0].getsockname()[:2])

    def _bound(self, kind: str, address: tuple[str, int]) -> tuple[str, int]:
        self._ports.setdefault(kind, address[1])
        return address[0], address[1]

    async def close(self) -> None:
        """Stop listening, close every connection, end what transactions are left."""
        for server in self._servers:
            server.close()
        for client in list(self._client_transactions.values()):
            client.fail()
        for transaction in list(self._server_transactions.values()):
            transaction.forget()
        for flow in list(self._flows):
            flow.close()
        for socket in self._udp:
            socket.close()
        await asyncio.sleep(0)
        for flow in list(self._flows):
            flow.abort()
        await asyncio.sleep(0)

    # Sending

    async def send(self, request: Request, target: Target) -> "ClientTransaction":
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
        host = self.name or flow.local[0]
        port = self._ports.get(flow.transport) or flow.local[1]
        where = f"[{host}]" if ":" in host else host
        branch = branch or f"{_MAGIC}{self.ids.token(12)}"
        return f"SIP/2.0/{flow.transport.upper()} {where}:{port};rport;branch={branch}"

    async def send_ack(self, ack: Request, target: Target) -> None:
        """Send the ACK to a 2xx: it is a message of its own (§13.2.2.4). Failures are the INVITE's user's to notice."""
        try:
            flow = await self.flow_to(target)
            ack.headers.prepend("Via", self.via(flow))
            flow.send(ack.to_bytes())
        except (OSError, TimeoutError) as error:
            event(_log, logging.WARNING, "sip.ack_not_sent", error=error)

    async def flow_to(self, target: Target) -> Flow:
        """The flow for a target: itself, one that is open to the same name, or a new one. Raises :class:`OSError`."""
        if not isinstance(target, Hop):
            if target.closed:
                raise ConnectionError(f"the connection to {target.remote} is closed")
            return target
        async with self._connecting.setdefault(target, asyncio.Lock()):
            if (open_flow := self._outgoing.get(target)) and not open_flow.closed:
                return open_flow
            return await self._connect(target)

    async def _connect(self, hop: Hop) -> Flow:
        host, port = await self.resolver.resolve(hop.host, hop.port)
        if hop.transport == "udp":
            if not self._udp:
                await self.listen_udp("0.0.0.0" if ":" not in host else "::", 0)  # noqa: S104 - a client's socket
            return UdpFlow(self._udp[0], (host, port))
        secure = hop.transport == "tls"
        if secure and self._client_context is None:
            raise ConnectionError("no TLS context to connect with")
        async with asyncio.timeout(CONNECT_S):
            _, flow = await asyncio.get_running_loop().create_connection(
                lambda: self._stream(hop.transport),
                host,
                port,
                ssl=self._client_context if secure else None,
                server_hostname=hop.host if secure else None,
            )
        self._outgoing[hop] = flow
        flow.on_close.append(lambda: self._forget_outgoing(hop, flow))
        return flow

    def _forget_outgoing(self, hop: Hop, flow: StreamFlow) -> None:
        if self._outgoing.get(hop) is flow:
            del self._outgoing[hop]
            self._connecting.pop(hop, None)

    def _stream(self, kind: str) -> StreamFlow:
        return StreamFlow(kind, self._received, self._peer_names, self._opened)

    def _opened(self, flow: StreamFlow) -> None:
        self._flows.add(flow)
        flow.on_close.append(lambda: self._flows.discard(flow))

    # Receiving

    def _received(self, data: bytes, flow: Flow) -> None:
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
        """Answer a request that could be read but not accepted; what cannot be answered is dropped."""
        first, _, rest = data.lstrip(b"\r\n").partition(b"\r\n")
        if first.startswith((b"SIP/", b"ACK ")) or b" SIP/" not in first:
            return
        headers = Headers()
        try:
            for line in rest.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")[:64]:
                name, _, value = line.partition(":")
                if name.strip().lower() in ("via", "v", "from", "f", "to", "t", "call-id", "i", "cseq"):
                    headers.add(name.strip(), value)
            if "Via" in headers and "CSeq" in headers and "From" in headers:
                flow.send(Response(status=error.status, headers=headers).to_bytes())
        except (SipError, OSError) as again:
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
                self._cancel(transaction, self._server_transactions.get((branch, sent_by, "INVITE")))
            else:
                self._serve(transaction)

    def _serve(self, transaction: "ServerTransaction") -> None:
        """Hand a request to our user; whatever that meets in it, the request is answered."""
        try:
            self.on_request(transaction)
        except MalformedMessage as error:
            event(_log, logging.WARNING, "sip.malformed", peer=transaction.flow.remote, why=error)
            transaction.respond_with(error.status)
        except Exception:  # a defect of ours in one request must not cost the others
            _log.exception("sip.defect peer=%s", transaction.flow.remote)
            transaction.respond_with(500)

    def _cancel(self, cancel: "ServerTransaction", invite: "ServerTransaction | None") -> None:
        cancel.respond_with(200 if invite else 481)
        if invite is not None and not invite.final_sent:
            invite.cancelled = True
            invite.on_cancel()


class ServerTransaction:
    """A request that came, and the way to answer it."""

    def __init__(self, endpoint: Endpoint, request: Request, flow: Flow, key: tuple[str, str, str]) -> None:
        self.endpoint = endpoint
        self.request = request
        self.flow = flow
        self.key = key
        self.to_tag = endpoint.ids.token(8)
        self.final_sent = False
        self.cancelled = False
        self.on_cancel: Callable[[], None] = lambda: None
        self._machine = ServerTransactionMachine(request, reliable=flow.transport != "udp", now=endpoint.clock.now())
        self._timer: asyncio.TimerHandle | None = None

    def respond(self, response: Response) -> None:
        """Send a response; after a final one, further ones are ignored (but a 2xx to INVITE may be sent again)."""
        self.final_sent = self.final_sent or response.status >= 200
        self._do(self._machine.respond(response, self.endpoint.clock.now()))

    def respond_with(
        self, status: int, reason: str = "", *, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> None:
        """Make a response to the request (with this transaction's To tag) and send it."""
        response = response_to(self.request, status, reason, to_tag=self.to_tag)
        for name, value in headers:
            response.headers.add(name, value)
        response.body = body
        self.respond(response)

    def received(self, request: Request) -> None:
        """The endpoint: the request came again, or its ACK."""
        self._do(self._machine.received(request, self.endpoint.clock.now()))

    def forget(self) -> None:
        """The endpoint: no more timers."""
        if self._timer:
            self._timer.cancel()
        self.endpoint._server_transactions.pop(self.key, None)

    def _do(self, outputs: list[Output]) -> None:
        for output in outputs:
            if output.do is Do.SEND:
                try:
                    self.flow.send(output.data)
                except OSError as error:
                    event(_log, logging.INFO, "sip.response_not_sent", peer=self.flow.remote, error=error)
        self._rearm()

    def _rearm(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._machine.terminated:
            self.forget()
        elif (at := self._machine.next_timeout()) is not None:
            delay = max(0.0, at - self.endpoint.clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        self._do(self._machine.timeout(self.endpoint.clock.now()))


class ClientTransaction:
    """A request that we sent, and the responses to it.

    A time-out gives a 408, a failing transport a 503, both made here (:attr:`local` is then true). ``on_late`` is called
    with each 2xx to an INVITE that comes after the first final response: the same again (its ACK was lost) or, where the
    INVITE was forked, another one's (RFC 3261 §13.2.2.4).
    """

    def __init__(self, endpoint: Endpoint, request: Request) -> None:
        self.endpoint = endpoint
        self.request = request
        self.local = False
        self.flow: Flow | None = None
        self.on_late: Callable[[Response], None] = lambda response: None
        self._queue: asyncio.Queue[Response] = asyncio.Queue()
        self._machine: ClientTransactionMachine | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._key = ("", "")
        self._provisional = False
        self._cancel_wanted = False
        self._finished = False

    def start(self, flow: Flow) -> None:
        """The endpoint: send the request on this flow."""
        self.flow = flow
        reliable = flow.transport != "udp"
        self._machine = ClientTransactionMachine(self.request, reliable=reliable, now=self.endpoint.clock.now())
        self._key = (fields.top_via(self.request).branch, self.request.method)
        self.endpoint._client_transactions[self._key] = self
        flow.on_close.append(self._broken)
        try:
            flow.send(self._machine.data)
        except OSError:
            self._broken()
            return
        self._rearm()

    async def responses(self) -> AsyncIterator[Response]:
        """The responses in their order, ending with the first final one."""
        while True:
            response = await self._queue.get()
            yield response
            if response.status >= 200:
                return

    async def final(self) -> Response:
        """Wait for the final response."""
        async for response in self.responses():
            if response.status >= 200:
                return response
        raise AssertionError("responses() ends with a final one")

    def cancel(self) -> None:
        """Ask to end a pending INVITE: a CANCEL goes out once a provisional response came (§9.1)."""
        self._cancel_wanted = True
        if self._provisional and not self._finished and self._machine is not None and self.flow is not None:
            self._cancel_wanted = False
            self._machine.expire_after(64 * T1, self.endpoint.clock.now())
            self._rearm()
            cancel = ClientTransaction(self.endpoint, cancel_for(self.request))
            cancel.start(self.flow)

    def received(self, response: Response) -> None:
        """The endpoint: a response came."""
        assert self._machine is not None
        self._do(self._machine.received(response, self.endpoint.clock.now()))
        if response.status < 200:
            self._provisional = True
            if self._cancel_wanted:
                self.cancel()

    def fail(self) -> None:
        """End with a local 503: there is no transport."""
        self._finish_locally(503)
        self._forget()

    def _broken(self) -> None:
        if self._machine is not None:
            self._do(self._machine.broken(self.endpoint.clock.now()))

    def _do(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output.do:
                case Do.SEND | Do.ACK:
                    assert self.flow is not None
                    try:
                        self.flow.send(output.data)
                    except OSError as error:
                        event(_log, logging.INFO, "sip.request_not_sent", peer=self.flow.remote, error=error)
                case Do.DELIVER:
                    assert output.response is not None
                    self._deliver(output.response)
                case Do.TIME_OUT:
                    self._finish_locally(408)
                case Do.BREAK:
                    self._finish_locally(503)
        self._rearm()

    def _deliver(self, response: Response) -> None:
        if self._finished:
            self.on_late(response)
            return
        self._finished = response.status >= 200
        self._queue.put_nowait(response)

    def _finish_locally(self, status: int) -> None:
        if not self._finished:
            self._finished = self.local = True
            self._queue.put_nowait(Response(status=status))

    def _rearm(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._machine is None or self._machine.terminated:
            self._forget()
        elif (at := self._machine.next_timeout()) is not None:
            delay = max(0.0, at - self.endpoint.clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        assert self._machine is not None
        self._do(self._machine.timeout(self.endpoint.clock.now()))

    def _forget(self) -> None:
        if self._timer:
            self._timer.cancel()
        self.endpoint._client_transactions.pop(self._key, None)
        if self.flow is not None and self._broken in self.flow.on_close:
            self.flow.on_close.remove(self._broken)


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
