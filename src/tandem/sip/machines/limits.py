"""How much one source may ask of us: messages, new connections, connections at once, unfinished handshakes. Sans-IO.

A source is an IP address. Rates are token buckets, each kept as one moment (the generic cell rate algorithm: the time at which
the bucket would be full again). A trusted source has no limits: a gateway of the directory by its address, and on a
connection a peer with a proven name (the endpoint does not ask then). Tables are bounded: of more than they hold the
source heard longest ago is forgotten. Left out: a bound on all sources of UDP together, since their addresses can be forged.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tandem.core.log import event, get_logger
from tandem.sip.counts import dropped

_log = get_logger("sip")
_TELL_S = 60.0
"""A source is named in the log once in this time, however much it sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Rates per second and bursts are of one source; the last three are of all together.

    A burst lets the phones of one office, behind one address, come back all at once.
    """

    messages_per_s: float = 100.0
    messages_burst: float = 1_000.0
    connections_per_s: float = 20.0
    connections_burst: float = 400.0
    connections_of_source: int = 1_000
    handshakes_of_source: int = 50
    connections: int = 10_000
    handshakes: int = 1_000
    sources: int = 20_000


class _Rate:
    """The buckets of every source for one thing."""

    def __init__(self, per_s: float, burst: float, sources: int) -> None:
        self._step_s = 1.0 / per_s
        self._burst_s = burst / per_s
        self._sources = sources
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, source: str, now: float, *, always: bool = False) -> float:
        """Take one token; 0, or the seconds until there is one. ``always``: take it even then, as a debt."""
        full_at = max(self._full_at.get(source, now), now)
        wait = full_at + self._step_s - now - self._burst_s
        if wait <= 0 or always:
            self._full_at[source] = full_at + self._step_s
        self._full_at.move_to_end(source)
        if len(self._full_at) > self._sources:
            self._full_at.popitem(last=False)
        return max(0.0, wait)

    def __len__(self) -> int:
        return len(self._full_at)


@dataclass(slots=True)
class _Standing:
    connections: int = 0
    handshakes: int = 0


class SourceLimits:
    """What every source has used. ``trusted`` says whether an address has no limits."""

    def __init__(self, limits: Limits, trusted: Callable[[str], bool] = lambda source: False) -> None:
        self.limits = limits
        self.trusted = trusted
        self._messages = _Rate(limits.messages_per_s, limits.messages_burst, limits.sources)
        self._connections = _Rate(limits.connections_per_s, limits.connections_burst, limits.sources)
        self._standing: dict[str, _Standing] = {}
        self._open = self._greeting = 0
        self._told: OrderedDict[str, float] = OrderedDict()

    @property
    def remembered(self) -> int:
        """Entries in the largest table."""
        return max(len(self._messages), len(self._connections), len(self._standing), len(self._told))

    def datagram(self, source: str, now: float) -> bool:
        """Whether a message by UDP is to be read; it is dropped otherwise, and comes again."""
        if self.trusted(source) or not self._messages.take(source, now):
            return True
        self._refused("udp-messages", source, now)
        return False

    def streamed(self, source: str, now: float) -> float:
        """Seconds to wait before the next message of a connection is read; nothing is lost by that."""
        if self.trusted(source):
            return 0.0
        wait = self._messages.take(source, now, always=True)
        if wait:
            self._refused("stream-messages", source, now)
        return wait

    def connected(self, source: str, *, handshake: bool, now: float) -> bool:
        """Whether a new connection is let in; if so, it is counted until :meth:`disconnected`."""
        standing = self._standing.get(source) or _Standing()
        if limit := self._beyond(source, standing, handshake, now):
            self._refused(limit, source, now)
            return False
        self._standing[source] = standing
        standing.connections += 1
        self._open += 1
        if handshake:
            standing.handshakes += 1
            self._greeting += 1
        return True

    def _beyond(self, source: str, standing: _Standing, handshake: bool, now: float) -> str:
        limits = self.limits
        if self.trusted(source):  # strangers who have taken all there is must not keep a gateway out
            return ""
        if self._open >= limits.connections:
            return "connections"
        if handshake and self._greeting >= limits.handshakes:
            return "handshakes"
        if standing.connections >= limits.connections_of_source:
            return "connections-of-source"
        if handshake and standing.handshakes >= limits.handshakes_of_source:
            return "handshakes-of-source"
        return "new-connections" if self._connections.take(source, now) else ""

    def greeted(self, source: str) -> None:
        """A handshake is over, one way or the other."""
        standing = self._standing.get(source)
        if standing is not None and standing.handshakes:
            standing.handshakes -= 1
            self._greeting -= 1

    def disconnected(self, source: str) -> None:
        """A connection that was let in is gone."""
        standing = self._standing.get(source)
        if standing is not None:
            standing.connections -= 1
            self._open -= 1
            if standing.connections <= 0:
                self._greeting -= standing.handshakes
                del self._standing[source]

    def _refused(self, limit: str, source: str, now: float) -> None:
        dropped.of(limit).value += 1
        if now - self._told.get(source, -_TELL_S) >= _TELL_S:
            self._told[source] = now
            self._told.move_to_end(source)
            if len(self._told) > self.limits.sources:
                self._told.popitem(last=False)
            event(_log, logging.WARNING, "sip.limited", peer=source, limit=limit)
