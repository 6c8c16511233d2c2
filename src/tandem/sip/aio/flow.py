"""Flows: the connections (TCP, TLS) and address pairs (UDP) that SIP messages travel on."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from tandem.core.log import event, get_logger
from tandem.sip.errors import MalformedMessage
from tandem.sip.framing import KeepAlive, StreamFramer

_log = get_logger("sip")
_MAX_UNSENT_BYTES = 1 << 20
"""A peer that does not read what we send is cut off at this many bytes: memory stays bounded."""
IDLE_S = 900.0
"""Seconds after which a connection that brought nothing is closed; phones send keep-alives or register more often."""

PeerNames = Callable[[ssl.SSLObject], frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """Where to send when no flow is there yet. ``host`` is also the name that a TLS peer's certificate must hold."""

    transport: str
    host: str
    port: int


class Flow(Protocol):
    """One way to a peer. ``peer_names`` come from its verified certificate and are empty without one."""

    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    peer_names: frozenset[str]
    on_close: list[Callable[[], None]]

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        ...

    def send(self, data: bytes) -> None:
        """Send one message; raises :class:`ConnectionError` when closed."""
        ...


Received = Callable[[bytes, "Flow"], None]


class StreamFlow(asyncio.Protocol):
    """A TCP or TLS connection, incoming or outgoing."""

    def __init__(
        self, transport: str, received: Received, peer_names: PeerNames, opened: Callable[["StreamFlow"], None]
    ) -> None:
        self.transport = transport
        self.local: tuple[str, int] = ("", 0)
        self.remote: tuple[str, int] = ("", 0)
        self.peer_names: frozenset[str] = frozenset()
        self.on_close: list[Callable[[], None]] = []
        self._received = received
        self._names_of = peer_names
        self._opened = opened
        self._framer = StreamFramer()
        self._writer: asyncio.Transport | None = None
        self._idle: asyncio.TimerHandle | None = None

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._writer is None or self._writer.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: the connection (with its TLS handshake) stands."""
        assert isinstance(transport, asyncio.Transport)
        self._writer = transport
        self.local = transport.get_extra_info("sockname")[:2]
        self.remote = transport.get_extra_info("peername")[:2]
        if (tls := transport.get_extra_info("ssl_object")) is not None:
            self.peer_names = self._names_of(tls)
        self._opened(self)
        self._rearm()

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes came."""
        self._rearm()
        try:
            for item in self._framer.feed(data):
                self._take(item)
        except MalformedMessage as error:
            event(_log, logging.WARNING, "sip.framing_lost", peer=self.remote, why=error)
            self.close()

    def _take(self, item: bytes | KeepAlive) -> None:
        if not isinstance(item, KeepAlive):
            self._received(item, self)
        elif not self.closed:
            self.send(b"\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: the connection is gone."""
        self._writer = None
        if self._idle:
            self._idle.cancel()
        callbacks, self.on_close = self.on_close, []
        for callback in callbacks:
            callback()

    def send(self, data: bytes) -> None:
        """Send one message; raises :class:`ConnectionError` when closed or when the peer does not read."""
        if self._writer is None or self._writer.is_closing():
            raise ConnectionError(f"the connection to {self.remote} is closed")
        if self._writer.get_write_buffer_size() > _MAX_UNSENT_BYTES:
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

    def _rearm(self) -> None:
        if self._idle:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self.close)


class UdpFlow:
    """One remote address as seen from one UDP socket; it never closes by itself."""

    def __init__(self, socket: "UdpSocket", remote: tuple[str, int]) -> None:
        self.transport = "udp"
        self.local = socket.local
        self.remote = remote
        self.peer_names: frozenset[str] = frozenset()
        self.on_close: list[Callable[[], None]] = []
        self._socket = socket

    @property
    def closed(self) -> bool:
        """Whether the socket is closed."""
        return self._socket.closed

    def send(self, data: bytes) -> None:
        """Send one datagram; raises :class:`ConnectionError` when the socket is closed."""
        self._socket.send(data, self.remote)


class UdpSocket(asyncio.DatagramProtocol):
    """A UDP socket that we listen on and send from."""

    def __init__(self, received: Received) -> None:
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None
        self.local: tuple[str, int] = ("", 0)

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: the socket is bound."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own class does not say so before 3.12
        self.local = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Asyncio: a datagram came. Those of nothing but line ends are keep-alives."""
        if data.strip(b"\r\n\0 "):
            self._received(data, UdpFlow(self, (addr[0], addr[1])))

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
