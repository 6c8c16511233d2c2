"""The way out of an endpoint: which place of a hop a request goes to, by which transport, and where next when that fails.

RFC 3263 §4.3 for the next place, RFC 3261 §18.1.1 for requests too large for UDP. What is remembered is bounded.
"""

import asyncio
import dataclasses
import functools
import logging
from typing import Protocol

from tandem.core.log import event, get_logger
from tandem.core.tasks import Tasks
from tandem.sip import counts
from tandem.sip.aio.connecting import CONNECT_S
from tandem.sip.aio.connections import Connections
from tandem.sip.aio.flow import Flow, Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.sockets import at_port
from tandem.sip.aio.transactions import Answering, ClientTransaction, TransactionOwner
from tandem.sip.headers.via import remove_top_via
from tandem.sip.machines.locate import ServerAddress
from tandem.sip.message.message import Request, Response

_log = get_logger("sip")
MAGIC = "z9hG4bK"
"""What a branch begins with (RFC 3261 §8.1.1.7)."""
Target = Flow | Hop
HURRY_S = 1.5
"""Seconds that a connection may take to open where there is another place to go to."""
_MOST_BY_UDP = 1_300 - 120
"""Bytes of a request that still goes by UDP (RFC 3261 §18.1.1), less the Via that it gets."""
_TRY_TCP_S, _NO_TCP_S, _MAX_NO_TCP = 1.0, 3_600.0, 1_000
"""How long TCP is tried for a large request, how long a refusal is remembered, of how many hops."""


class Sender(TransactionOwner, Protocol):
    """What the way out needs of its endpoint. ``name`` is the host in Via, if it is not the address."""

    name: str
    resolver: Resolver
    connections: Connections
    closing: bool

    async def flow_to(self, target: Target, patience_s: float = CONNECT_S) -> Flow:
        """The flow for a target: itself, one that is open to the same name, or a new one. Raises :class:`OSError`."""
        ...


_MOST_AWAY = 1000


class Outbound:
    """Of one endpoint."""

    def __init__(self, endpoint: Sender) -> None:
        self._endpoint = endpoint
        self._tasks = Tasks(_log)
        self._away: dict[str, str] = {}
        self._no_tcp: dict[Hop, float] = {}

    async def send(self, request: Request, target: Target, *, patience_s: float = CONNECT_S) -> ClientTransaction:
        """Start a client transaction: adds Via with a new branch. Failures of the transport appear as a local 503.

        Where DNS knows several places for a hop, those after the first are tried when it fails, says 503 or nothing.
        ``patience_s`` is how long a connection may take to open.
        """
        transaction = ClientTransaction(self._endpoint, request)
        try:
            flow = await self.flow_for(request, target, patience_s)
        except (OSError, TimeoutError) as error:
            counts.unreachable.value += 1
            self._told_away(request.method, target, error)
            transaction.fail()
            return transaction
        self._away.pop(str(target), None)
        if isinstance(target, Hop) and not self._endpoint.resolver.is_one_place(target):
            transaction.on_failed = functools.partial(self._failed, transaction, target, set())
        request.headers.prepend("Via", self.via(flow))
        transaction.start(flow)
        return transaction

    def _told_away(self, method: str, target: Target, error: Exception) -> None:
        """Warn once of a target that cannot be reached for one reason, until it is reached again: who asks asks often."""
        name, why = str(target), str(error)
        if len(self._away) >= _MOST_AWAY:
            self._away.clear()
        known, self._away[name] = self._away.get(name), why
        level = logging.DEBUG if known == why else logging.WARNING
        event(_log, level, "sip.unreachable", method=method, target=name, error=why)

    def via(self, flow: Flow, branch: str | None = None) -> str:
        """A Via value for a request on this flow."""
        listens_at = self._endpoint.connections.ports.get(flow.transport)
        port = flow.local[1] if flow.transport == "udp" or not listens_at else listens_at
        where = at_port(self._endpoint.name or flow.local[0], port)
        branch = branch or f"{MAGIC}{self._endpoint.ids.token(12)}"
        # RFC 5923 §5: the peer may use this connection towards the name that our certificate proves.
        alias = ";alias" if listens_at and flow.transport == "tls" else ""
        return f"SIP/2.0/{flow.transport.upper()} {where};rport{alias};branch={branch}"

    async def send_ack(self, ack: Request, target: Target) -> None:
        """Send the ACK to a 2xx: it is a message of its own (§13.2.2.4). Failures are the INVITE's user's to notice."""
        try:
            flow = await self.flow_for(ack, target)
            ack.headers.prepend("Via", self.via(flow))
            self._endpoint.transmit(ack.to_bytes(), flow)
        except (OSError, TimeoutError) as error:
            event(_log, logging.WARNING, "sip.ack_not_sent", error=error)

    async def close(self) -> None:
        """Try nothing further."""
        await self._tasks.stop()

    async def reach(self, hop: Hop, tried: set[ServerAddress], patience_s: float = CONNECT_S) -> Flow:
        """A new flow to the first place of a hop that can be reached and was not tried. Raises :class:`OSError`."""
        why: Exception = ConnectionError(f"there is no other place for {hop}")
        places = await self._endpoint.resolver.locate(hop, transports=self._transports)
        left = [place for place in places if place not in tried]
        for place in left:
            patience = patience_s if place is left[-1] else min(patience_s, HURRY_S)
            connect = self._endpoint.connections.connect(hop, place, fresh=bool(tried), patience_s=patience)
            try:
                return await connect
            except (OSError, TimeoutError) as error:
                self._endpoint.resolver.failed(place)
                tried.add(place)
                why = error
        raise why

    @property
    def _transports(self) -> tuple[str, ...]:
        return ("tls", "tcp", "udp") if self._endpoint.connections.has_tls else ("tcp", "udp")

    async def flow_for(self, request: Request, target: Target, patience_s: float = CONNECT_S) -> Flow:
        """The flow for a request: a large one goes by TCP where UDP was meant (§18.1.1), if the target takes that."""
        if not isinstance(target, Hop) or target.transport != "udp" or len(request.to_bytes()) <= _MOST_BY_UDP:
            return await self._endpoint.flow_to(target, patience_s)
        now = self._endpoint.clock.now()
        if self._no_tcp.get(target, 0.0) <= now:
            try:
                async with asyncio.timeout(_TRY_TCP_S):
                    return await self._endpoint.flow_to(dataclasses.replace(target, transport="tcp"))
            except (OSError, TimeoutError):
                if len(self._no_tcp) >= _MAX_NO_TCP:
                    self._no_tcp.clear()
                self._no_tcp[target] = now + _NO_TCP_S
        return await self._endpoint.flow_to(target)

    def _failed(
        self, transaction: ClientTransaction, hop: Hop, tried: set[ServerAddress], response: Response, local: bool
    ) -> bool:
        """A server failed (RFC 3263 §4.3): try the next, if DNS knows one. Whether it is being tried."""
        flow = (transaction.again or transaction).flow
        if self._endpoint.closing or flow is None:
            return False
        place = ServerAddress(transport=flow.transport, host=flow.remote[0], port=flow.remote[1])
        tried.add(place)
        self._endpoint.resolver.failed(place)
        self._tasks.spawn(self._try_another(transaction, hop, tried, response, local), name="sip.next_server")
        return True

    async def _try_another(
        self, transaction: ClientTransaction, hop: Hop, tried: set[ServerAddress], response: Response, local: bool
    ) -> None:
        try:
            flow = await self.reach(hop, tried)
        except (OSError, TimeoutError):
            transaction.give_up(response, local=local)
            return
        event(_log, logging.WARNING, "sip.next_server", hop=hop, remote=at_port(*flow.remote), after=response.status)
        request = transaction.request.copy()
        remove_top_via(request)
        request.headers.prepend("Via", self.via(flow))
        transaction.again = ClientTransaction(self._endpoint, request, origin=transaction)
        transaction.again.start(flow)
        if transaction.cancel_wanted:
            transaction.again.cancel()

    def answer(self, data: bytes, transaction: Answering) -> None:
        """Send a response the way its request came; if that connection is gone, to where its Via says (§18.2.2)."""
        try:
            self._endpoint.transmit(data, transaction.flow)
        except OSError as error:
            hop = transaction.sender
            if hop is None or transaction.rerouted or self._endpoint.closing:
                event(_log, logging.INFO, "sip.response_not_sent", peer=transaction.flow.remote, error=error)
            else:
                transaction.rerouted = True
                self._tasks.spawn(self._answer_elsewhere(data, transaction, hop), name="sip.answer_elsewhere")

    async def _answer_elsewhere(self, data: bytes, transaction: Answering, hop: Hop) -> None:
        try:
            transaction.flow = await self._endpoint.flow_to(hop)
            self._endpoint.transmit(data, transaction.flow)
        except (OSError, TimeoutError) as error:
            event(_log, logging.INFO, "sip.response_not_sent", peer=hop, error=error)
