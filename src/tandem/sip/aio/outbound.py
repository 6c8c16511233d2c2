"""The way out of an endpoint: which place of a hop a request goes to, by which transport, and where next when that fails.

RFC 3263 §4.3 for the next place, RFC 3261 §18.1.1 for requests too large for UDP. What is remembered is bounded.
"""

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING

from tandem.core.log import event, get_logger
from tandem.sip.aio.flow import Flow, Hop
from tandem.sip.aio.sockets import at_port
from tandem.sip.aio.transactions import ClientTransaction
from tandem.sip.headers import fields
from tandem.sip.machines.locate import ServerAddress
from tandem.sip.message.message import Request, Response

if TYPE_CHECKING:
    from tandem.sip.aio.endpoint import Endpoint

_log = get_logger("sip")
_MOST_BY_UDP = 1_300 - 120
"""Bytes of a request that still goes by UDP (RFC 3261 §18.1.1), less the Via that it gets."""
_TRY_TCP_S, _NO_TCP_S, _MAX_NO_TCP = 1.0, 3_600.0, 1_000
"""How long TCP is tried for a large request, how long a refusal is remembered, of how many hops."""


class Outbound:
    """Of one endpoint."""

    def __init__(self, endpoint: "Endpoint") -> None:
        self._endpoint = endpoint
        self._no_tcp: dict[Hop, float] = {}

    async def reach(self, hop: Hop, tried: set[ServerAddress]) -> Flow:
        """A new flow to the first place of a hop that can be reached and was not tried. Raises :class:`OSError`."""
        why: Exception = ConnectionError(f"there is no other place for {hop}")
        for place in await self._endpoint.resolver.locate(hop, transports=self._transports):
            if place not in tried:
                try:
                    return await self._endpoint.connections.connect(hop, place, anew=bool(tried))
                except (OSError, TimeoutError) as error:
                    self._endpoint.resolver.failed(place)
                    tried.add(place)
                    why = error
        raise why

    @property
    def _transports(self) -> tuple[str, ...]:
        return ("tls", "tcp", "udp") if self._endpoint.connections.has_tls else ("tcp", "udp")

    async def flow_for(self, request: Request, target: "Flow | Hop") -> Flow:
        """The flow for a request: a large one goes by TCP where UDP was meant (§18.1.1), if the target takes that."""
        if not isinstance(target, Hop) or target.transport != "udp" or len(request.to_bytes()) <= _MOST_BY_UDP:
            return await self._endpoint.flow_to(target)
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

    def failed(
        self, transaction: ClientTransaction, hop: Hop, tried: set[ServerAddress], response: Response, local: bool
    ) -> bool:
        """A server failed (RFC 3263 §4.3): try the next, if DNS knows one. Whether it is being tried."""
        flow = (transaction.again or transaction).flow
        if self._endpoint.closing or flow is None:
            return False
        place = ServerAddress(transport=flow.transport, host=flow.remote[0], port=flow.remote[1])
        tried.add(place)
        self._endpoint.resolver.failed(place)
        self._endpoint.spawn(self._try_another(transaction, hop, tried, response, local))
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
        fields.remove_top_via(request)
        request.headers.prepend("Via", self._endpoint.via(flow))
        transaction.again = ClientTransaction(self._endpoint, request, origin=transaction)
        transaction.again.start(flow)
        if transaction.cancel_wanted:
            transaction.again.cancel()
