"""Two or more whole engines (calls, transactions, dialogs) over a network in memory, on a loop whose time jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from tandem.call.attempt import Attempt
from tandem.call.calls import Calls
from tandem.call.errors import CallRefused
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.call.negotiation import MediaPolicy
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.message.message import Headers, Request, Response
from tandem.sip.sdp.offer import Encryption
from tandem.testing.loop import JumpingLoop
from tandem.testing.media import QuietMedia
from tandem.testing.network import Network, Weather

T = TypeVar("T")
Serve = Callable[[IncomingCall], Awaitable[object]]


class Party:
    """One who calls and is called: ``serve`` says what becomes of a call that comes in; ``legs`` are those answered."""

    def __init__(self, network: Network, host: str) -> None:
        self.endpoint = network.endpoint(host)
        self.media = QuietMedia()
        self.calls = Calls(self.endpoint, contact=lambda flow: f"<sip:{host}@{host}>", media=self.media)
        self.calls.on_request = self._received
        self.policy = MediaPolicy(host="127.0.0.1", encryption=Encryption.REFUSE)
        self.serve: Serve = lambda call: call.answer()
        self.incoming: list[Request] = []
        self.others: Callable[[ServerTransaction], None] = lambda transaction: transaction.respond_with(200)
        self.legs: asyncio.Queue[CallLeg] = asyncio.Queue()
        self.refused: list[CallRefused] = []

    def place(self, host: str, *, via: str = "", **more: Any) -> Attempt:
        return self.calls.place(
            uri=f"sip:{host}@{host}",
            from_=f"<sip:{self.endpoint.host}@{self.endpoint.host}>",
            target=hop(via or host),
            policy=self.policy,
            **more,
        )

    async def ask(self, method: str, host: str, *headers: tuple[str, str], cseq: int = 1) -> Response:
        """A request outside of a dialog."""
        name = self.endpoint.host
        base = [("Max-Forwards", "70"), ("From", f"<sip:{name}@{name}>;tag=1"), ("To", f"<sip:{host}@{host}>")]
        request = Request(
            method=method, uri=f"sip:{host}@{host}", headers=Headers([*base, ("Call-ID", f"{name}-{method}")])
        )
        for header in (("CSeq", f"{cseq} {method}"), ("Contact", f"<sip:{name}@{name}>"), *headers):
            request.headers.add(*header)
        return await (await self.endpoint.send(request, hop(host))).final()

    @property
    def at_rest(self) -> bool:
        return self.media.at_rest and not self.calls.legs

    def _received(self, transaction: ServerTransaction) -> Handling:
        if transaction.request.method != "INVITE":
            self.others(transaction)
            return None
        self.incoming.append(transaction.request)
        return self._serve(self.calls.incoming(transaction, self.policy))

    async def _serve(self, call: IncomingCall) -> None:
        try:
            leg = await self.serve(call)
        except CallRefused as refused:
            self.refused.append(refused)
        else:
            if isinstance(leg, CallLeg):
                self.legs.put_nowait(leg)


class World:
    """A network with parties; use :func:`play`."""

    def __init__(self, loop: JumpingLoop, *, seed: int = 1, weather: Weather | None = None) -> None:
        self.loop = loop
        self.network = Network(loop, seed=seed, weather=weather)
        self.parties: dict[str, Party] = {}

    def party(self, host: str) -> Party:
        return self.parties.setdefault(host, Party(self.network, host))

    def seen(self, *hosts: str) -> list[str]:
        """What was sent between these hosts (or all), in its order, with arrows for the direction."""
        return [
            f"{s.source} {s.what}" for s in self.network.log if not hosts or {s.source, s.destination} == set(hosts)
        ]

    def _at_rest(self) -> bool:
        return self.network.at_rest and all(party.at_rest for party in self.parties.values())

    async def _quiet(self) -> bool:
        """Whether nothing happens while what is still on its way arrives."""
        await asyncio.sleep(4)
        return self._at_rest()

    async def rest(self, limit_s: float = 7200.0) -> None:
        """Wait until every transaction and call is over, and see that no timer is left."""
        async with asyncio.timeout(limit_s):
            while not (at_rest := self._at_rest()) or not await self._quiet():
                await asyncio.sleep(0 if at_rest else 1)
        assert self.loop.timers == []


def play(scene: Callable[[World], Coroutine[Any, Any, T]], *, seed: int = 1, weather: Weather | None = None) -> T:
    """Play a scene to its end; after it everything comes to rest."""
    loop = JumpingLoop()
    world = World(loop, seed=seed, weather=weather)

    async def whole() -> T:
        result = await scene(world)
        await world.rest()
        return result

    return loop.complete(whole())


def hop(host: str) -> Hop:
    return Hop(transport="udp", host=host, port=5060)
