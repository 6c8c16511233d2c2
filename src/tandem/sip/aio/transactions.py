"""Transactions on real flows: each drives one machine of :mod:`tandem.sip.machines.transaction`.

What happens inside a transaction is decided there; here is only what needs a socket or a clock: sending, and one timer.
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from tandem.core.clock import Clock
from tandem.core.ids import Ids
from tandem.core.log import event, get_logger
from tandem.sip.aio.flow import Flow, Hop
from tandem.sip.aio.lingering import LingeringTransactions
from tandem.sip.headers.via import top_via
from tandem.sip.machines.transaction import (
    T1,
    ClientTransactionMachine,
    Output,
    ServerTransactionMachine,
    TransactionVerb,
    cancel_for,
)
from tandem.sip.message.message import Request, Response, response_to

_log = get_logger("sip")
Key = tuple[str, str, str]
"""What a request is matched by (§17.2.3): branch, sent-by, method."""


class TransactionOwner(Protocol):
    """What transactions need of their endpoint: time, the network, and that it matches messages to them."""

    clock: Clock
    ids: Ids
    lingering: LingeringTransactions

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that timers run on."""
        ...

    def transmit(self, data: bytes, flow: Flow) -> None:
        """Send bytes on a flow. Raises :class:`OSError`."""
        ...

    def answer(self, data: bytes, transaction: "Answering") -> None:
        """Send a response to where its request came from."""
        ...

    def keep_client(self, transaction: "ClientTransaction") -> tuple[str, str]:
        """Match responses to this one from now on; returns the key."""
        ...

    def forget_client(self, key: tuple[str, str]) -> None:
        """A client transaction is over."""
        ...

    def forget_server(self, key: Key) -> None:
        """A server transaction is over."""
        ...


class Alarm:
    """The one timer of a transaction. A moment that is put off does not touch the loop: most timers never fire."""

    __slots__ = ("_at", "_call", "_endpoint", "_handle", "_set_for")

    def __init__(self, endpoint: TransactionOwner, call: Callable[[], None]) -> None:
        self._endpoint = endpoint
        self._call = call
        self._handle: asyncio.TimerHandle | None = None
        self._at = self._set_for = 0.0

    def set(self, at: float | None) -> None:
        """Call at this moment; ``None``: not at all."""
        if at is None:
            self.cancel()
            return
        self._at = at
        if self._handle is None or at < self._set_for:
            if self._handle is not None:
                self._handle.cancel()
            self._arm(self._endpoint.clock.now())

    def cancel(self) -> None:
        """Do not call."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def close(self) -> None:
        """Do not call, and never again: whom it would call can be forgotten."""
        self.cancel()
        self._call = _nothing

    def _arm(self, now: float) -> None:
        self._set_for = self._at
        self._handle = self._endpoint.loop.call_later(max(0.0, self._at - now), self._fire)

    def _fire(self) -> None:
        self._handle = None
        now = self._endpoint.clock.now()
        if self._at > now + 0.001:
            self._arm(now)
        else:
            self._call()


class Answering:
    """The part of a server transaction that the network needs: it stays for 32 s after the answer (timers H, J, L), when the
    request and its handler are long forgotten. At 500 calls a second that are 32,000 of them, so it is small.
    """

    __slots__ = ("_alarm", "_machine", "endpoint", "flow", "key", "rerouted", "sender", "stranger", "until", "user")

    def __init__(self, user: "ServerTransaction", flow: Flow, key: Key, sender: Hop | None) -> None:
        self.user: ServerTransaction | None = user
        self.endpoint = user.endpoint
        self.flow = flow
        self.key = key
        self.sender = sender
        self.rerouted = False
        self.stranger = ""
        self.until = 0.0
        now = self.endpoint.clock.now()
        self._machine = ServerTransactionMachine(user.request, reliable=flow.transport != "udp", now=now)
        self._alarm: Alarm | None = Alarm(self.endpoint, self.expire)

    def respond(self, response: Response) -> None:
        """Send a response, if it is not too late for it."""
        if response.status >= 200:
            self.user = None
        self._do(self._machine.respond(response, self.endpoint.clock.now()))

    def wait(self) -> None:
        """The answer takes time: see to it that it does not take for ever."""
        if self._alarm is not None:
            self._rearm(self._alarm)

    def received(self, request: Request) -> None:
        """The request came again, or its ACK."""
        self._do(self._machine.received(request, self.endpoint.clock.now()))

    def expire(self) -> None:
        """The time of a timer came; one that waits afterwards may be called a little early, and is not called again."""
        self._do(self._machine.timeout(max(self.endpoint.clock.now(), self.until)))

    def forget(self) -> None:
        """No more timers."""
        self._close_alarm()
        self.endpoint.forget_server(self.key)

    def _do(self, outputs: list[Output]) -> None:
        for output in outputs:
            if output.do is TransactionVerb.SEND:
                self.endpoint.answer(output.data, self)
            elif output.do is TransactionVerb.TIME_OUT and self.user is not None:
                self.user.time_out()
        if self._machine.terminated:
            self.forget()
        elif self._alarm is not None:
            self._rearm(self._alarm)

    def _rearm(self, alarm: Alarm) -> None:
        at = self._machine.next_timeout()
        if at is not None and self._machine.lingers:
            self.until = at
            self._close_alarm()
            self.endpoint.lingering.add(self, self.endpoint.clock.now())
        else:
            alarm.set(at)

    def _close_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None


class ServerTransaction:
    """A request that came, and the way to answer it.

    ``on_cancel`` is called when a CANCEL came. Until a handler sets one, a CANCEL answers the request with 487 and cancels the
    handler. ``on_failed`` is called when the handler has raised, was cancelled, or left the request unanswered; the final
    response has been sent then. ``on_ended`` is called last, however the handler ended. Who is not ``proved`` is a
    stranger, whose refusal leaves nothing here.
    """

    def __init__(
        self,
        endpoint: TransactionOwner,
        request: Request,
        flow: Flow,
        key: Key,
        sender: Hop | None = None,
        *,
        proved: bool = True,
    ) -> None:
        self.endpoint = endpoint
        self.request = request
        self.to_tag = endpoint.ids.token(8)
        self.final_sent = False
        self.proved = proved
        self._said = False
        self.cancelled = False
        self.on_cancel: Callable[[], None] | None = None
        self.on_failed: Callable[[], None] = _nothing
        self.on_ended: Callable[[], None] = _nothing
        self.task: asyncio.Task[Any] | None = None
        self.answering = Answering(self, flow, key, sender)

    @property
    def flow(self) -> Flow:
        """The way that the request came."""
        return self.answering.flow

    def cancel(self) -> None:
        """The endpoint: a CANCEL for this request came."""
        self.cancelled = True
        try:
            if self.on_cancel is not None:
                self.on_cancel()
                return
        except Exception:  # a defect of the handler: the request is answered all the same
            _log.exception("sip.defect peer=%s", self.flow.remote)
        self.respond_with(487)
        if self.task is not None:
            self.task.cancel()

    def time_out(self) -> None:
        """The last resort: nobody has answered an INVITE for minutes."""
        event(_log, logging.ERROR, "sip.no_answer", method=self.request.method, peer=self.flow.remote)
        self.respond_with(408)
        if self.task is not None:
            self.task.cancel()

    def forget_handler(self) -> None:
        """The endpoint: the handler has ended, nothing is to be told to it any more."""
        self.on_cancel = self.on_failed = self.on_ended = _nothing

    def prove(self) -> None:
        """Who sent this knows a secret; on a connection, what comes next is from the same."""
        self.proved = True
        self.answering.flow.prove()

    def respond(self, response: Response) -> None:
        """Send a response; after a final one, further ones are ignored (but a 2xx to INVITE may be sent again)."""
        self._said = True
        if response.status >= 200:
            self.final_sent = True
            self.on_cancel = _nothing
        self.answering.respond(response)

    def respond_with(
        self, status: int, reason: str = "", *, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> None:
        """Make a response to the request (with this transaction's To tag) and send it; a stranger's refusal is stateless."""
        if status >= 300 and not self.proved and not self._said:
            self.respond_stateless(status, reason, headers=headers, body=body)
        else:
            self.respond(self._response(status, reason, self.to_tag, headers, body))

    def respond_stateless(
        self, status: int, reason: str = "", *, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> None:
        """Answer and forget the request (RFC 3261 §8.2.7): a flood fills no table, and nothing is repeated unasked.

        For a refusal of which nothing was said before, and for what changes nothing, such as OPTIONS: a peer that asks again is
        answered again, with the same tag.
        """
        if self.final_sent:
            return
        tag = hashlib.blake2s(ascii(self.answering.key).encode(), digest_size=8).hexdigest()
        response = self._response(status, reason, tag, headers, body)
        self._said = self.final_sent = True
        self.on_cancel, self.answering.user = _nothing, None
        self.endpoint.answer(response.to_bytes(), self.answering)
        self.answering.forget()

    def _response(
        self, status: int, reason: str, to_tag: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> Response:
        response = response_to(self.request, status, reason, to_tag=to_tag)
        for name, value in headers:
            response.headers.add(name, value)
        response.body = body
        return response


class ClientTransaction:
    """A request that we sent, and the responses to it.

    A time-out gives a 408, a failing transport a 503, both made here (:attr:`local` is then true). ``on_late`` is called
    with each 2xx to an INVITE that comes after the first final response: the same again (its ACK was lost) or, where the
    INVITE was forked, another one's (RFC 3261 §13.2.2.4). Where a server fails, the endpoint may try another one (RFC 3263
    §4.3): by a transaction of its own whose ``origin`` is this one, and which answers in its place.
    """

    def __init__(
        self, endpoint: TransactionOwner, request: Request, *, origin: "ClientTransaction | None" = None
    ) -> None:
        self.endpoint = endpoint
        self.request = request
        self.local = False
        self.flow: Flow | None = None
        self.on_late: Callable[[Response], None] = lambda response: None
        self.on_failed: Callable[[Response, bool], bool] | None = None
        self.again: ClientTransaction | None = None
        self._origin = origin
        self._handed_over = False
        self._arrived: deque[Response] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._machine: ClientTransactionMachine | None = None
        self._alarm = Alarm(endpoint, self._fire)
        self._key = ("", "")
        self._provisional = False
        self.cancel_wanted = False
        self._cancel_reason = ""
        self._finished = False

    def start(self, flow: Flow) -> None:
        """The endpoint: send the request on this flow."""
        self.flow = flow
        reliable = flow.transport != "udp"
        self._machine = ClientTransactionMachine(self.request, reliable=reliable, now=self.endpoint.clock.now())
        self._key = self.endpoint.keep_client(self)
        flow.on_close.append(self._broken)
        try:
            self.endpoint.transmit(self._machine.data, flow)
        except OSError:
            self._broken()
            return
        self._rearm()

    async def responses(self) -> AsyncIterator[Response]:
        """The responses in their order, ending with the first final one."""
        while True:
            response = await self._next()
            yield response
            if response.status >= 200:
                return

    async def final(self) -> Response:
        """Wait for the final response."""
        while (response := await self._next()).status < 200:
            pass
        return response

    async def _next(self) -> Response:
        while not self._arrived:
            self._waiter = self.endpoint.loop.create_future()
            await self._waiter
        return self._arrived.popleft()

    def cancel(self, reason: str = "") -> None:
        """Ask to end a pending INVITE: a CANCEL goes out once a provisional response came (§9.1).

        ``reason`` is a Reason value (RFC 3326) to go with it.
        """
        self.cancel_wanted, self._cancel_reason = True, reason or self._cancel_reason
        if self.again is not None:
            self.again.cancel(reason)
        elif self._provisional and not self._finished and self._machine is not None and self.flow is not None:
            self.cancel_wanted = False
            self._machine.expire_after(64 * T1, self.endpoint.clock.now())
            self._rearm()
            cancel = ClientTransaction(self.endpoint, cancel_for(self.request, self._cancel_reason))
            cancel.start(self.flow)

    def received(self, response: Response) -> None:
        """The endpoint: a response came."""
        assert self._machine is not None
        self._do(self._machine.received(response, self.endpoint.clock.now()))
        if response.status < 200:
            self._provisional = True
            if self.cancel_wanted:
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
                case TransactionVerb.SEND | TransactionVerb.ACK:
                    self._send(output.data)
                case TransactionVerb.DELIVER:
                    assert output.response is not None
                    self._deliver(output.response)
                case TransactionVerb.TIME_OUT:
                    self._finish_locally(408)
                case TransactionVerb.BREAK:
                    self._finish_locally(503)
        self._rearm()

    def _send(self, data: bytes) -> None:
        assert self.flow is not None
        try:
            self.endpoint.transmit(data, self.flow)
        except OSError as error:
            event(_log, logging.INFO, "sip.request_not_sent", peer=self.flow.remote, error=error)

    def _deliver(self, response: Response) -> None:
        self._finished = self._finished or response.status >= 200
        (self._origin or self)._hand_over(response, local=self.local)

    def _hand_over(self, response: Response, *, local: bool) -> None:
        if self._handed_over:
            self.on_late(response)
            return
        failed = (local or response.status == 503) and not self.cancel_wanted
        if failed and self.on_failed is not None and self.on_failed(response, local):
            return
        self.local, self._handed_over = local, response.status >= 200
        self._arrived.append(response)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def give_up(self, response: Response, *, local: bool) -> None:
        """The endpoint: there was nobody else to try after this."""
        self.on_failed = None
        self._hand_over(response, local=local)

    def _finish_locally(self, status: int) -> None:
        if not self._finished:
            self.local = True
            self._deliver(Response(status=status))

    def _rearm(self) -> None:
        if self._machine is None or self._machine.terminated:
            self._forget()
        else:
            self._alarm.set(self._machine.next_timeout())

    def _fire(self) -> None:
        assert self._machine is not None
        self._do(self._machine.timeout(self.endpoint.clock.now()))

    def _forget(self) -> None:
        self._alarm.close()
        self.endpoint.forget_client(self._key)
        if self.flow is not None:
            self.flow.on_close.discard(self._broken)


def client_key(request: Request) -> tuple[str, str]:
    """What the responses to a request are matched by (§17.1.3): the branch of our Via, and the method."""
    return top_via(request).branch, request.method


def _nothing() -> None:
    pass
