"""A network in memory that loses, repeats and reorders datagrams as its seed says, with SIP endpoints on it."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow, Hop, OnClose
from tandem.sip.aio.outbound import Target
from tandem.sip.aio.resolve import Resolver
from tandem.testing.ids import SeededIds
from tandem.testing.loop import JumpingLoop

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Shares of datagrams that are lost and that come twice; each one takes a time between the two."""

    loss: float = 0.0
    repeated: float = 0.0
    shortest_s: float = 0.005
    longest_s: float = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDatagram:
    """A datagram as it was sent; ``what`` is method or status with its CSeq's method."""

    at: float
    source: str
    destination: str
    what: str
    lost: bool


class Network:
    """Carries datagrams between the endpoints that :meth:`endpoint` makes. ``log`` holds what was sent, in its order."""

    def __init__(self, loop: JumpingLoop, *, seed: int = 1, weather: Weather | None = None) -> None:
        self.loop = loop
        self.weather = weather or Weather()
        self.log: list[SentDatagram] = []
        self.lose: Callable[[SentDatagram], bool] = lambda sent: False
        """For tests that lose a certain datagram; the weather comes on top."""
        self._random = random.Random(seed)  # noqa: S311 - repeatable by intent, in tests only
        self._endpoints: dict[str, MemoryEndpoint] = {}

    def endpoint(self, host: str) -> "MemoryEndpoint":
        """An endpoint at port 5060 of this host."""
        made = MemoryEndpoint(self, host, seed=len(self._endpoints) + self._random.randrange(2**20))
        self._endpoints[host] = made
        return made

    def endpoint_of(self, host: str) -> "MemoryEndpoint":
        """The endpoint that was made for this host."""
        return self._endpoints[host]

    @property
    def at_rest(self) -> bool:
        """Whether every transaction of every endpoint has ended."""
        return all(endpoint.at_rest for endpoint in self._endpoints.values())

    def carry(self, source: str, destination: str, data: bytes) -> None:
        """Take a datagram; what becomes of it is chance."""
        weather = self.weather
        sent = SentDatagram(
            at=self.loop.time(),
            source=source,
            destination=destination,
            what=_what(data),
            lost=self._random.random() < weather.loss,
        )
        self.log.append(sent)
        if sent.lost or self.lose(sent) or destination not in self._endpoints:
            return
        for _ in range(1 + (self._random.random() < weather.repeated)):
            delay = self._random.uniform(weather.shortest_s, weather.longest_s)
            self.loop.call_later(delay, self._arrived, source, destination, data)

    def _arrived(self, source: str, destination: str, data: bytes) -> None:
        receiver = self._endpoints[destination]
        receiver.received(data, receiver.flow(source))


class MemoryFlow:
    """The way between two hosts, as UDP would be."""

    def __init__(self, network: Network, local: str, remote: str) -> None:
        self.transport = "udp"
        self.local: Address = (local, 5060)
        self.remote: Address = (remote, 5060)
        self.peer_names: frozenset[str] = frozenset()
        self.proved = False
        self.on_close = OnClose()
        self._network = network

    @property
    def closed(self) -> bool:
        """Never: datagrams are lost, not refused."""
        return False

    def send(self, data: bytes) -> None:
        """Send one message."""
        self._network.carry(self.local[0], self.remote[0], data)

    def prove(self) -> None:
        """As by UDP: nothing follows from it."""


class _Names(Resolver):
    """A name is one place here, and DNS is not asked."""

    def is_one_place(self, hop: Hop) -> bool:
        """See :meth:`Resolver.is_one_place`."""
        return True


class MemoryEndpoint(Endpoint):
    """The real endpoint, with flows of the network in place of sockets."""

    def __init__(self, network: Network, host: str, *, seed: int) -> None:
        super().__init__(clock=network.loop, ids=SeededIds(seed), resolver=_Names(), name=host)
        self.host = host
        self._network = network
        self._memory_flows: dict[str, MemoryFlow] = {}

    @property
    def at_rest(self) -> bool:
        """Whether every transaction and every handler has ended."""
        return not len(self.handlers) and not self.server_transactions and not self._client_transactions

    def flow(self, remote: str) -> MemoryFlow:
        """The flow to a host."""
        return self._memory_flows.setdefault(remote, MemoryFlow(self._network, self.host, remote))

    async def flow_to(self, target: Target, patience_s: float = 0.0) -> Flow:
        """See :meth:`Endpoint.flow_to`; a name is its own address here."""
        await asyncio.sleep(0)
        return self.flow(target.host) if isinstance(target, Hop) else target


def _what(data: bytes) -> str:
    first, _, rest = data.partition(b"\r\n")
    word = first.split(b" ")
    if word[0] != b"SIP/2.0":
        return word[0].decode()
    cseq = next((line for line in rest.split(b"\r\n") if line.lower().startswith(b"cseq:")), b"")
    return f"{word[1].decode()} {cseq.split(b' ')[-1].decode()}"
