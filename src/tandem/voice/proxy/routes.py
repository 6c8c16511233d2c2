"""Record-Route and Route at this proxy (RFC 3261 §16.4, §16.6): which values are ours, and where a side of a call is now.

A phone is where its newest registration came from; one that did not register, on the connection that it called by. Each side
is named the transport and port that it can reach us by, twice where they differ (RFC 5658). Left out: routes through other
proxies that a phone asks for, since calls go where the directory says.
"""

from typing import Protocol

from tandem.core.ids import Ids
from tandem.org.vocabulary import Transport
from tandem.sip.aio.flow import Flow, Hop
from tandem.sip.aio.outbound import Target
from tandem.sip.headers import fields
from tandem.sip.headers.address import SipAddress
from tandem.sip.machines.locate import PORTS
from tandem.sip.message.message import Request
from tandem.voice.proxy.sides import UDP, Passage, PhoneSide, ProvenServer, RouteSeal, Side, Sides, phone_mark
from tandem.voice.registrar.location import Binding, Location


class Listening(Protocol):
    """What is listened on: ports by transport."""

    ports: dict[str, int]


class Host(Protocol):
    """What routes need of the endpoint; ``name`` is the host that we call ourselves."""

    name: str
    ids: Ids

    @property
    def connections(self) -> Listening:
        """Where we listen."""
        ...


class Routes:
    """Names us in Record-Route, knows our values in Route, and finds the sides of a call."""

    def __init__(self, host: Host, location: Location, key: bytes) -> None:
        self._host = host
        self._location = location
        self._seal = RouteSeal(key)
        self._ways: dict[str, Flow] = {}
        self._names: dict[Flow, str] = {}
        self._proved: dict[Flow, set[str]] = {}

    def use_key(self, key: bytes) -> None:
        """Seal with this key from now on, and open what it has sealed."""
        self._seal = RouteSeal(key)

    # Sides

    def caller(self, user: str, request: Request, flow: Flow, now: float) -> PhoneSide:
        """The phone that an INVITE came from."""
        here = [binding for binding in self._location.of(user, now) if _same(binding.flow, flow)]
        if not here:
            return PhoneSide(user=user, way=self._way(flow))
        contact = fields.contact_uri(request)
        return self.phone(user, next((binding for binding in here if binding.contact == contact), here[0]))

    def phone(self, user: str, binding: Binding) -> PhoneSide:
        """A phone that is registered."""
        return PhoneSide(user=user, phone=phone_mark(binding.instance, binding.contact), way=self._way(binding.flow))

    def reach(self, side: Side, now: float) -> Target | None:
        """Where a side is now, if it is anywhere."""
        match side:
            case ProvenServer():
                return Hop(transport=Transport.TLS, host=side.host, port=side.port)
            case PhoneSide():
                # RFC 5626 §5.3: of several flows of one phone the newest.
                found = [
                    b for b in self._location.of(side.user, now) if phone_mark(b.instance, b.contact) == side.phone
                ]
                return found[-1].flow if found else self._by_way(side.way)

    def sent_by(self, side: Side, flow: Flow, now: float) -> bool:
        """Whether this connection is proved to be that side's."""
        match side:
            case ProvenServer():
                return side.host.lower() in flow.peer_names
            case PhoneSide():
                if (side.way and side.way == self._way(flow)) or side.user in self._proved.get(flow, ()):
                    return True
                return any(_same(binding.flow, flow) for binding in self._location.of(side.user, now))

    def prove(self, user: str, flow: Flow) -> None:
        """An account was proved over this connection: its phone uses it within calls, and registered over another one."""
        if flow.closed or flow.transport == Transport.UDP:
            return
        if flow not in self._proved:
            self._proved[flow] = set()
            flow.on_close.append(lambda: self._forget_proofs(flow))
        self._proved[flow].add(user)

    def _way(self, flow: Flow) -> str:
        if flow.transport == Transport.UDP:
            return f"{UDP}{flow.remote[1]} {flow.remote[0]}"
        if flow.closed:
            return ""
        if flow not in self._names:
            name = self._host.ids.token(6)
            self._names[flow], self._ways[name] = name, flow
            flow.on_close.append(lambda: self._forget(flow))
        return self._names[flow]

    def _by_way(self, way: str) -> Target | None:
        if way.startswith(UDP):
            port, _, host = way.removeprefix(UDP).partition(" ")
            return Hop(transport=Transport.UDP, host=host, port=int(port))
        return self._ways.get(way)

    def _forget_proofs(self, flow: Flow) -> None:
        self._proved.pop(flow, None)

    def _forget(self, flow: Flow) -> None:
        self._ways.pop(self._names.pop(flow, ""), None)

    # Headers

    def record(self, request: Request, sides: Sides, caller_by: str, callee_by: str) -> None:
        """Name ourselves in the Record-Route of an INVITE, for sides that are on these transports."""
        token = self._seal.token(sides, request)
        for transport in dict.fromkeys((caller_by, callee_by)):
            request.headers.prepend("Record-Route", f"<sip:{token}@{self.reached_by(transport)};lr>")

    def reached_by(self, transport: str) -> str:
        """Host, port and transport by which we are reached, as in a URI."""
        port = self._host.connections.ports.get(transport, PORTS[transport])
        return f"{self._host.name}:{port};transport={transport}"

    def take(self, request: Request, flow: Flow) -> Passage | None:
        """Remove our own values from the top of Route, and open the token of one of them, if there is one of ours.

        A value is ours by its token, by our name, or by the address and port that this connection came to: some phones write
        the address that they see in place of the name that they were given.
        """
        routes = fields.routes(request)
        passage: Passage | None = None
        while routes:
            uri = routes[0].uri
            opened = self._seal.opened(uri.user or "", request)
            if opened is None and not self._is_named(uri.host) and not self.is_here(uri.host, uri.port, flow):
                break
            passage = opened or passage
            routes.pop(0)
        _set_routes(request, routes)
        return passage

    def remove_own(self, request: Request) -> None:
        """Remove our values from the top of Route of a request that we make ourselves."""
        routes = fields.routes(request)
        while routes and self._is_named(routes[0].uri.host):
            routes.pop(0)
        _set_routes(request, routes)

    def _is_named(self, host: str) -> bool:
        return host.lower() == self._host.name.lower()

    def is_here(self, host: str, port: int | None, flow: Flow) -> bool:
        """Whether this is the address and a port that we are reached at by this connection."""
        ports = self._host.connections.ports.values()
        return host.strip("[]") == flow.local[0] and (port or PORTS[flow.transport]) in ports


def _set_routes(request: Request, routes: list[SipAddress]) -> None:
    request.headers.remove("Route")
    for route in routes:
        request.headers.add("Route", str(route))


def _same(one: Flow, other: Flow) -> bool:
    """Whether two flows are one; those of UDP are made again when they have not been used for long."""
    return one is other or (one.transport == other.transport == Transport.UDP and one.remote == other.remote)
