"""The sockets of an endpoint: what it listens on, the open connections, those that it opens.

TLS begins only once a connection was let in, so that limits hold for handshakes too; each handshake takes the context of
that moment, so that a new certificate is used for the next connection and costs no call. A connection that we opened is used
again for the same hop; one that came in is used towards a name only if its certificate holds that name and its Via asked for
it (``alias``, :rfc:`5923`).
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from tandem.core.log import about, event, get_logger
from tandem.core.tasks import Tasks, spawn
from tandem.sip.aio.connecting import CONNECT_S, Connecting
from tandem.sip.aio.flow import Flow, Hop, Owner, StreamFlow, UdpFlow, UdpSocket
from tandem.sip.aio.sockets import ANY, family_of, is_address, source_towards, tcp_listener, tcp_socket, udp_socket
from tandem.sip.headers.via import Via
from tandem.sip.machines.locate import PORTS, ServerAddress

_log = get_logger("sip")
HANDSHAKE_S = 10.0
LOOK_S = 5.0
"""Seconds between two looks at every connection."""
_BACKLOG = 512
_ACCEPT_AGAIN_S = 0.1
_MAX_TOWARDS = 1_000
ContextSource = ssl.SSLContext | Callable[[], ssl.SSLContext] | None
"""A TLS context, or what gives the one that is in force now."""


class Gate(Protocol):
    """Who may connect; see :mod:`tandem.sip.machines.limits`."""

    def connected(self, source: str, *, handshake: bool, now: float) -> bool:
        """Whether a new connection is let in; if so, it is counted until :meth:`disconnected`."""
        ...

    def trusted(self, source: str) -> bool:
        """Whether its address alone proves who a source is, on a connection."""
        ...

    def greeted(self, source: str) -> None:
        """A handshake is over, one way or the other."""
        ...

    def proved(self, source: str) -> None:
        """Who is at the other end of a connection has proved who it is."""
        ...

    def disconnected(self, source: str, *, proved: bool) -> None:
        """A connection that was let in is gone."""
        ...


class Connections:
    """Listens, accepts, connects, and looks after open connections."""

    def __init__(self, owner: Owner, *, client_context: ContextSource, gate: Gate | None, dscp: int) -> None:
        self.ports: dict[str, int] = {}
        self.udp: list[UdpSocket] = []
        self._udp_towards: dict[str, UdpSocket] = {}
        self.flows: set[StreamFlow] = set()
        self._owner = owner
        self._client_context = client_context
        self._gate = gate
        self._dscp = dscp
        self._hosts: list[str] = []
        self._listeners: dict[socket.socket, asyncio.Task[None]] = {}
        self._closing: list[asyncio.Task[None]] = []
        self._by_hop: dict[Hop, StreamFlow] = {}
        self._connecting = Connecting(self._connect)
        self._handshakes = Tasks(_log)
        self._watch: asyncio.TimerHandle | None = None

    @property
    def has_tls(self) -> bool:
        """Whether connections by TLS can be opened."""
        return self._client_context is not None

    # Listening

    async def listen_udp(self, host: str, port: int) -> tuple[str, int]:
        """Bind a UDP socket; return the address that it has."""
        bound = await self._bind_udp(host, port)
        self._hosts.append(bound.local[0])
        return self._bound("udp", bound.local)

    async def _bind_udp(self, host: str, port: int) -> UdpSocket:
        made = udp_socket(host, port, dscp=self._dscp)
        _, bound = await asyncio.get_running_loop().create_datagram_endpoint(lambda: UdpSocket(self._owner), sock=made)
        self.udp.append(bound)
        return bound

    async def listen_stream(self, kind: str, host: str, port: int, context: ContextSource = None) -> tuple[str, int]:
        """Listen for connections of TCP or TLS; return the address bound."""
        made = tcp_listener(host, port, dscp=self._dscp)
        made.listen(_BACKLOG)
        self._listeners[made] = spawn(self._accept(made, kind, context), name="sip.accept", log=_log)
        self._hosts.append(made.getsockname()[0])
        return self._bound(kind, made.getsockname())

    def _bound(self, kind: str, address: tuple[str, int]) -> tuple[str, int]:
        self.ports.setdefault(kind, address[1])
        return address[0], address[1]

    def deaf(self) -> str:
        """Why nobody can reach us, or an empty text: what was bound has to listen still."""
        if not self._listeners and not self.udp:
            return "nothing is listened on"
        gone = any(task.done() for task in self._listeners.values()) or any(bound.closed for bound in self.udp)
        return "a socket that was listened on is closed" if gone else ""

    def stop_listening(self) -> None:
        """Take no more connections; open connections go on."""
        for listener, task in self._listeners.items():
            task.cancel()
            self._closing.append(task)
            listener.close()
        self._listeners.clear()

    async def close(self) -> None:
        """Stop listening and close every connection."""
        self.stop_listening()
        if self._watch:
            self._watch.cancel()
        await self._connecting.stop()
        await self._handshakes.stop()
        await asyncio.gather(*self._closing, return_exceptions=True)
        for flow in list(self.flows):
            flow.close()
        for bound in self.udp:
            bound.close()
        await asyncio.sleep(0)
        for flow in list(self.flows):
            flow.abort()
        await asyncio.sleep(0)

    # Accepting

    async def _accept(self, listener: socket.socket, kind: str, context: ContextSource) -> None:
        """Accept until cancelled; who is not let in costs no more than this."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                made, address = await loop.sock_accept(listener)
            except OSError as error:  # no descriptors left, or the peer is gone already: open connections go on
                event(_log, logging.WARNING, "sip.not_accepted", why=error)
                await asyncio.sleep(_ACCEPT_AGAIN_S)
                continue
            source = str(address[0])
            if self._gate and not self._gate.connected(source, handshake=context is not None, now=loop.time()):
                made.close()
                continue
            self._handshakes.spawn(self._greet(made, kind, context, source), name="sip.handshake")

    async def _greet(self, made: socket.socket, kind: str, context: ContextSource, source: str) -> None:
        """Make a flow of an accepted connection, with its handshake."""
        flow = StreamFlow(kind, self._owner, proved=self._gate is None)
        if (gate := self._gate) is not None:
            flow.on_proved = lambda: gate.proved(source)
            flow.on_close.append(lambda: gate.disconnected(source, proved=flow.proved))
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: flow,
                made,
                ssl=current(context) if context else None,
                ssl_handshake_timeout=HANDSHAKE_S if context else None,
            )
        except (OSError, ssl.SSLError) as error:
            event(_log, logging.INFO, "sip.handshake_failed", peer=source, why=error)
            flow.on_close.run()
        except asyncio.CancelledError:
            flow.on_close.run()
            raise
        finally:
            if gate is not None and context is not None:
                gate.greeted(source)

    # Connecting

    def note_alias(self, via: Via, flow: Flow) -> None:
        """Use a connection that came in towards the name that its peer proved as well, if it asked for that (RFC 5923 §5)."""
        if not isinstance(flow, StreamFlow) or flow.aliased:
            return
        flow.aliased = True
        name = via.host.lower()
        hop = Hop(transport="tls", host=name, port=via.port or PORTS["tls"])
        if "alias" in via.parameters and name in flow.peer_names and self.standing(hop) is None:
            self._keep(hop, flow)

    def standing(self, hop: Hop) -> Flow | None:
        """The open connection towards a hop, if there is one."""
        flow = self._by_hop.get(hop)
        return None if flow is None or flow.closed else flow

    async def connect(
        self, hop: Hop, place: ServerAddress, *, fresh: bool = False, patience_s: float = CONNECT_S
    ) -> Flow:
        """The flow to a hop at a place: the open one (unless ``fresh``), or a new one. Raises :class:`OSError`."""
        if place.transport == "udp":
            return await self._udp_to(place.host, place.port)
        standing = None if fresh else self.standing(hop)
        return standing or await self._connecting.connect(hop, place, patience_s=patience_s)

    async def _udp_to(self, host: str, port: int) -> UdpFlow:
        bound = self._udp_towards.get(host)
        if bound is None or bound.closed:
            bound = await self._udp_from(source_towards(host))
            if len(self._udp_towards) >= _MAX_TOWARDS:
                self._udp_towards.clear()
            self._udp_towards[host] = bound
        return bound.flow_to((host, port))

    async def _udp_from(self, source: str) -> UdpSocket:
        """A socket that listens, by whose address peers know us, if possible at this address of ours; else a client's."""
        known = self._known_at(source)
        for wanted in (source, *ANY, known):
            for bound in self.udp:
                if bound.local[0] == wanted and family_of(wanted) is family_of(source):
                    return bound
        return await self._bind_udp(source, 0)

    def _known_at(self, towards: str) -> str:
        """The address that we listen on in the family of another one, if it is a certain one."""
        hosts = (host for host in self._hosts if host not in ANY and family_of(host) is family_of(towards))
        return next(hosts, "")

    async def _connect(self, hop: Hop, place: ServerAddress) -> StreamFlow:
        loop = asyncio.get_running_loop()
        secure = place.transport == "tls"
        if secure and self._client_context is None:
            raise ConnectionError("no TLS context to connect with")
        made = tcp_socket(place.host, dscp=self._dscp, source=self._known_at(place.host))
        try:
            # The connection outlives the call that it is opened for: what is logged of it belongs to no call.
            with about(call=None, peer=None):
                await loop.sock_connect(made, (place.host, place.port))
                _, flow = await loop.create_connection(
                    lambda: StreamFlow(place.transport, self._owner, proved=True),
                    sock=made,
                    ssl=current(self._client_context) if secure else None,
                    server_hostname=hop.host if secure else None,
                )
        except BaseException:
            made.close()
            raise
        # OpenSSL has checked the name, but takes wildcards; RFC 5922 §7.2 takes none.
        if secure and self._owner.checks_names and not is_address(hop.host) and hop.host.lower() not in flow.peer_names:
            flow.abort()
            held = ", ".join(sorted(flow.peer_names)) or "no name that counts"
            raise ConnectionError(f"the certificate is for {held}, not for {hop.host}")
        self._keep(hop, flow)
        return flow

    def _keep(self, hop: Hop, flow: StreamFlow) -> None:
        self._by_hop[hop] = flow
        flow.on_close.append(lambda: self._forget(hop, flow))

    def _forget(self, hop: Hop, flow: StreamFlow) -> None:
        if self._by_hop.get(hop) is flow:
            del self._by_hop[hop]

    # Open connections

    def opened(self, flow: StreamFlow) -> None:
        """A connection is open: look after it."""
        self.flows.add(flow)
        if self._gate is not None and self._gate.trusted(flow.remote[0]):
            flow.prove()
        flow.on_close.append(lambda: self.flows.discard(flow))
        if self._watch is None:
            with about(call=None, peer=None):
                self._watch = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for flow in list(self.flows):
            flow.look(now)
        self._watch = loop.call_later(LOOK_S, self._look) if self.flows else None


def current(source: ContextSource) -> ssl.SSLContext:
    """The TLS context in force now."""
    assert source is not None
    return source if isinstance(source, ssl.SSLContext) else source()
