"""Flows: the connections (TCP, TLS) and address pairs (UDP) that SIP messages travel on.

A flow reads no more while its peer does not take what we send (back-pressure), and is cut off when that lasts. It has no
timer of its own: :class:`tandem.sip.aio.connections.Connections` looks at all of them every few seconds.
"""

import asyncio
import logging
import ssl
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from tandem.core.log import event, get_logger
from tandem.sip.aio.sockets import at_port
from tandem.sip.counts import dropped
from tandem.sip.errors import MalformedMessage
from tandem.sip.machines.limits import Bucket
from tandem.sip.message.framing import PAIR, PONG, KeepAlive, StreamFramer

_log = get_logger("sip")
_HIGH_WATER_BYTES, _MAX_UNSENT_BYTES = 1 << 18, 1 << 20
"""A peer that leaves so much unread is not read any more; at the second figure it is cut off: memory stays bounded."""
IDLE_S = 1_000.0
"""Seconds after which a connection that brought nothing is closed; phones send keep-alives or register more often, and a call
is refreshed after 900 s (half of RFC 4028's interval)."""
FIRST_MESSAGE_S, STRANGER_IDLE_S = 10.0, 60.0
"""The same for who has proved nothing yet: until the first whole message, and after one. Keep-alives do not count."""
MESSAGE_S = 30.0
"""Seconds that one message may take to arrive."""
STALLED_S = 30.0
"""Seconds that a peer may leave unread what it was sent."""
LINE_END_BYTES_PER_S, _LONGEST_HOLD_S = 1_000, 10.0
"""Line ends between messages that a connection may bring without a wait, and the longest wait. A keep-alive has four bytes."""
ITEMS_A_TURN = 16
"""Messages of one read that are served before it is the turn of other connections: one read may bring a thousand."""
_NEAR_S = 0.001
_MAX_UDP_FLOWS = 4_096

PeerNames = Callable[[ssl.SSLObject], frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """Where to send when no flow is there yet. ``host`` is also the name that a TLS peer's certificate must hold."""

    transport: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.transport}:{at_port(self.host, self.port)}"


class OnClose(dict[Callable[[], None], None]):
    """What is to be called when a flow closes, in its order; taking one out costs the same however many there are."""

    def append(self, call: Callable[[], None]) -> None:
        """Call this as well."""
        self[call] = None

    def discard(self, call: Callable[[], None]) -> None:
        """Do not call this, if it was to be."""
        self.pop(call, None)

    def run(self) -> None:
        """Call each, once; one that raises costs the others nothing."""
        calls = list(self)
        self.clear()
        for call in calls:
            try:
                call()
            except Exception:
                _log.exception("sip.defect")


class Flow(Protocol):
    """One way to a peer. ``peer_names`` come from its verified certificate and are empty without one.

    ``proved``: the peer has shown a certificate or known a secret, or is a gateway by the address that it connected from.
    """

    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    peer_names: frozenset[str]
    proved: bool
    on_close: OnClose

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        ...

    def send(self, data: bytes) -> None:
        """Send one message; raises :class:`ConnectionError` when closed."""
        ...

    def prove(self) -> None:
        """The peer has proved who it is, and stays the same for as long as this is a connection."""
        ...


class Owner(Protocol):
    """Whom flows tell what happens to them. ``checks_names``: whether :meth:`names_of` reads certificates."""

    checks_names: bool

    def received(self, data: bytes, flow: Flow) -> None:
        """A whole message came, undecoded."""
        ...

    def kept_alive(self, flow: Flow) -> None:
        """Line ends came, between messages."""
        ...

    def opened(self, flow: "StreamFlow") -> None:
        """A connection is open, its handshake done."""
        ...

    def names_of(self, tls: ssl.SSLObject) -> frozenset[str]:
        """The names in a peer's certificate."""
        ...


class StreamFlow(asyncio.Protocol):
    """A TCP or TLS connection, incoming or outgoing. ``on_proved`` is called once, when the peer has proved who it is.

    ``bucket`` is what it may send from then on, apart from others of its source.
    """

    def __init__(self, transport: str, owner: Owner, *, proved: bool = False) -> None:
        self.transport = transport
        self.proved = proved
        self.on_proved: Callable[[], None] = lambda: None
        self.bucket = Bucket()
        self.local: tuple[str, int] = ("", 0)
        self.remote: tuple[str, int] = ("", 0)
        self.peer_names: frozenset[str] = frozenset()
        self.on_close = OnClose()
        self.aliased = False
        self._owner = owner
        self._framer = StreamFramer()
        self._writer: asyncio.Transport | None = None
        self._heard = self._stalled = self._partial = self._begun = self._served = 0.0
        self._held_until = 0.0

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._writer is None or self._writer.is_closing()

    @property
    def certificate(self) -> bytes:
        """The peer's certificate (DER); empty without one."""
        tls = self._writer.get_extra_info("ssl_object") if self._writer is not None else None
        return (tls.getpeercert(binary_form=True) or b"") if tls is not None else b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: the connection (with its TLS handshake) is open."""
        stream = cast(asyncio.Transport, transport)  # uvloop's TLS transport has its methods and is none by name
        self._writer = stream
        self._heard = self._begun = asyncio.get_running_loop().time()
        stream.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self.local = transport.get_extra_info("sockname")[:2]
        self.remote = transport.get_extra_info("peername")[:2]
        if (tls := transport.get_extra_info("ssl_object")) is not None:
            self.peer_names = self._owner.names_of(tls)
        if self.peer_names:
            self.prove()
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes came."""
        self._heard = asyncio.get_running_loop().time()
        if not self._framer.pending:
            self._partial = self._heard
        self._work(data)

    def _work(self, data: bytes = b"") -> None:
        """Hand over what has come, for as long as nothing makes us wait; what is left waits in the framer."""
        items, kept_alive = self._framer.feed(data), False
        if self._stalled or self._held_until:
            return
        try:
            for number, item in enumerate(items, 1):
                self._partial = self._heard
                if isinstance(item, KeepAlive):
                    self._keep_alive(item.pairs, answered=not kept_alive)
                    kept_alive = True
                else:
                    self._served = self._heard
                    self._owner.received(item, self)
                if self._stalled or self._held_until or self.closed:
                    return
                if number == ITEMS_A_TURN:
                    self.hold(0.0)
                    return
        except MalformedMessage as error:
            event(_log, logging.WARNING, "sip.framing_lost", peer=self.remote, why=error)
            self.close()

    def _keep_alive(self, pairs: int, *, answered: bool) -> None:
        """Line ends count as one message and get one answer for each time that we read; many of them have to wait."""
        self._owner.kept_alive(self)
        if unanswered := pairs - answered:
            dropped.of("keep-alives").value += unanswered
            self.hold(min(len(PAIR) * pairs / LINE_END_BYTES_PER_S, _LONGEST_HOLD_S))
        if answered and not self.closed:
            self.send(PONG)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: the connection is gone."""
        self._writer = None
        self.on_close.run()

    def pause_writing(self) -> None:
        """Asyncio: the peer does not read; then neither do we, so that it cannot make us answer more."""
        self._stalled = asyncio.get_running_loop().time()
        self._read_or_not()

    def resume_writing(self) -> None:
        """Asyncio: the peer reads again."""
        self._stalled = 0.0
        self._read_or_not()

    def hold(self, seconds: float) -> None:
        """Read nothing for a while: a peer beyond its rate waits, and loses nothing."""
        loop = asyncio.get_running_loop()
        waits, self._held_until = bool(self._held_until), max(self._held_until, loop.time() + seconds)
        if not waits:
            self._read_or_not()
            loop.call_at(self._held_until, self._release)

    def _release(self) -> None:
        loop = asyncio.get_running_loop()
        if self._held_until > loop.time() + _NEAR_S:
            loop.call_at(self._held_until, self._release)
        else:
            self._held_until = 0.0
            self._read_or_not()

    def _read_or_not(self) -> None:
        if self._writer is None or self._writer.is_closing():
            return
        if self._stalled or self._held_until:
            self._writer.pause_reading()
        else:
            self._writer.resume_reading()
            self._work()

    def look(self, now: float) -> None:
        """End what has lasted too long: silence, half a message, a peer that does not read."""
        if self._stalled and now - self._stalled > STALLED_S:
            event(_log, logging.WARNING, "sip.stalled", peer=self.remote)
            self.abort()
        elif self._framer.pending and now - self._partial > MESSAGE_S:
            event(_log, logging.WARNING, "sip.half_a_message", peer=self.remote)
            self.abort()
        elif now - self._heard > IDLE_S:
            self.close()
        elif not self.proved and now > (
            self._served + STRANGER_IDLE_S if self._served else self._begun + FIRST_MESSAGE_S
        ):
            dropped.of("idle-strangers").value += 1
            self.abort()

    def prove(self) -> None:
        """See :meth:`Flow.prove`."""
        if not self.proved:
            self.proved = True
            self.on_proved()

    def send(self, data: bytes) -> None:
        """Send one message; raises :class:`ConnectionError` when closed or when the peer does not read."""
        if self._writer is None or self._writer.is_closing():
            raise ConnectionError(f"the connection to {self.remote} is closed")
        if self._stalled and self._writer.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            self._writer.abort()
            raise ConnectionError(f"{self.remote} does not read what it is sent")
        self._writer.write(data)

    def close(self) -> None:
        """Close after what is already written."""
        if self._writer is not None:
            self._writer.close()

    def abort(self) -> None:
        """Close at once."""
        if self._writer is not None:
            self._writer.abort()


class UdpFlow:
    """One remote address as seen from one UDP socket; it never closes by itself."""

    __slots__ = ("_socket", "local", "on_close", "peer_names", "proved", "remote", "transport")

    def __init__(self, socket: "UdpSocket", remote: tuple[str, int]) -> None:
        self.transport = "udp"
        self.local = socket.local
        self.remote = remote
        self.peer_names: frozenset[str] = frozenset()
        self.proved = False
        self.on_close = OnClose()
        self._socket = socket

    @property
    def closed(self) -> bool:
        """Whether the socket is closed."""
        return self._socket.closed

    def at_port(self, port: int) -> "UdpFlow":
        """The flow to another port of the same address."""
        return self if port == self.remote[1] else self._socket.flow_to((self.remote[0], port))

    def send(self, data: bytes) -> None:
        """Send one datagram; raises :class:`ConnectionError` when the socket is closed."""
        self._socket.send(data, self.remote)

    def prove(self) -> None:
        """An address proves nothing for long: the next datagram from it can be anybody's."""


class UdpSocket(asyncio.DatagramProtocol):
    """A UDP socket that we listen on and send from."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.DatagramTransport | None = None
        self._flows: OrderedDict[tuple[str, int], UdpFlow] = OrderedDict()
        self.local: tuple[str, int] = ("", 0)

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport is None or self._transport.is_closing()

    def flow_to(self, remote: tuple[str, int]) -> UdpFlow:
        """The flow of a remote address; the same one for as long as it is used among the last few thousand."""
        flow = self._flows.get(remote)
        if flow is None:
            flow = self._flows[remote] = UdpFlow(self, remote)
            if len(self._flows) > _MAX_UDP_FLOWS:
                self._flows.popitem(last=False)
        return flow

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: the socket is bound."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own class does not say so before 3.12
        self.local = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Asyncio: a datagram came. Those of nothing but line ends are keep-alives."""
        if data.strip(b"\r\n\0 "):
            self._owner.received(data, self.flow_to(addr[:2]))
        else:
            self._owner.kept_alive(UdpFlow(self, addr[:2]))

    def error_received(self, exc: Exception) -> None:
        """Asyncio: ICMP told of an unreachable port; the transaction's timers decide."""
        event(_log, logging.DEBUG, "sip.udp_unreachable", error=exc)

    def send(self, data: bytes, remote: tuple[str, int]) -> None:
        """Send one datagram."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the UDP socket is closed")
        self._transport.sendto(data, remote)

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()
