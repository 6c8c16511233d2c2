"""How much one source may ask of us: messages, new connections, connections at once, unfinished handshakes. Sans-IO.

A source is an IPv4 address or an IPv6 network of /64, which is what one peer has; all networks of a /48, which is what one
site has, count together as well. Rates are token buckets, each kept as one moment (the generic cell rate algorithm: the time
at which the bucket would be full again). A connection whose peer has proved something has a bucket of its own, so that
strangers behind the same address (NAT) do not hold it; they leave it half of the connections too. A trusted source has no
limits: a gateway of the directory by its address, and on a connection a peer with a proven name (the endpoint does not ask
then). Tables are bounded: of more than they hold the source heard longest ago is forgotten. Left out: a bound on all sources
of UDP together, since their addresses can be forged.
"""

import functools
import ipaddress
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tandem.core.log import event, get_logger
from tandem.sip.counts import dropped

_log = get_logger("sip")
DEBT_S = 2.0
"""The longest that a connection is held for what its whole source has sent: many connections do not make each wait longer."""
_TELL_S = 60.0
"""A source is named in the log once in this time, however much it sends."""


@functools.lru_cache(maxsize=4_096)
def network_of(source: str) -> str:
    """What a source counts as: an IPv4 address itself, an IPv6 address as its /64."""
    return _network(source, 64) if ":" in source else source


@functools.lru_cache(maxsize=4_096)
def _site_of(source: str) -> str:
    """The /48 of an IPv6 address; an empty text for IPv4."""
    return _network(source, 48) if ":" in source else ""


def _network(source: str, bits: int) -> str:
    address = ipaddress.IPv6Address(source.partition("%")[0])
    return str(ipaddress.IPv6Network((int(address), bits), strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Rates per second and bursts are of one source, and ``site`` times as much of one site; from ``connections`` on of all
    together. ``strangers`` and ``strangers_handshakes`` are for sources that have proved nothing yet,
    ``strangers_of_source`` for the connections of one source on which nothing was proved yet.

    A burst lets the phones of one office, behind one address, come back all at once.
    """

    messages_per_s: float = 100.0
    messages_burst: float = 1_000.0
    connections_per_s: float = 20.0
    connections_burst: float = 400.0
    connections_of_source: int = 1_000
    strangers_of_source: int = 500
    handshakes_of_source: int = 50
    site: int = 4
    connections: int = 10_000
    strangers: int = 8_000
    handshakes: int = 1_000
    strangers_handshakes: int = 800
    sources: int = 20_000


@dataclass(slots=True)
class Bucket:
    """A token bucket: the moment, in seconds of a monotonic clock, at which it would be full again."""

    full_at: float = 0.0


class _Rate:
    """The buckets of every source for one thing."""

    def __init__(self, per_s: float, burst: float, sources: int) -> None:
        self._step_s = 1.0 / per_s
        self._burst_s = burst / per_s
        self._sources = sources
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, source: str, now: float, *, always: bool = False) -> float:
        """Take one token of a source's bucket; see :meth:`spend`."""
        bucket = self._buckets.setdefault(source, Bucket())
        self._buckets.move_to_end(source)
        if len(self._buckets) > self._sources:
            self._buckets.popitem(last=False)
        return self.spend(bucket, now, always=always)

    def spend(self, bucket: Bucket, now: float, *, always: bool = False) -> float:
        """Take one token; 0, or the seconds until there is one, :data:`DEBT_S` at most.

        ``always``: take it even then, as a debt, which is bounded by the same.
        """
        full_at = max(bucket.full_at, now)
        wait = full_at + self._step_s - now - self._burst_s
        if wait <= 0 or always:
            bucket.full_at = min(full_at + self._step_s, now + self._burst_s + DEBT_S)
        return min(max(0.0, wait), DEBT_S)

    def __len__(self) -> int:
        return len(self._buckets)


@dataclass(slots=True)
class _Open:
    connections: int = 0
    strangers: int = 0
    handshakes: int = 0


class SourceLimits:
    """What every source has used. ``trusted`` says whether an address has no limits."""

    def __init__(self, limits: Limits, trusted: Callable[[str], bool] = lambda source: False) -> None:
        self.limits = limits
        self.trusted = trusted
        self._messages = self._rates(limits.messages_per_s, limits.messages_burst)
        self._connections = self._rates(limits.connections_per_s, limits.connections_burst)
        self._open: dict[str, _Open] = {}
        self._all = _Open()
        self._proved: OrderedDict[str, None] = OrderedDict()
        self._told: OrderedDict[str, float] = OrderedDict()

    def _rates(self, per_s: float, burst: float) -> tuple[_Rate, _Rate]:
        times, sources = self.limits.site, self.limits.sources
        return _Rate(per_s, burst, sources), _Rate(per_s * times, burst * times, sources)

    @property
    def remembered(self) -> int:
        """Entries in the largest table."""
        tables = (*self._messages, *self._connections, self._open, self._proved, self._told)
        return max(len(table) for table in tables)

    def datagram(self, source: str, now: float) -> bool:
        """Whether a message by UDP is to be read; it is dropped otherwise, and comes again."""
        if self.trusted(source) or not _take(self._messages, source, now):
            return True
        self._refused("udp-messages", source, now)
        return False

    def streamed(self, source: str, now: float, own: Bucket | None = None) -> float:
        """Seconds to wait before the next message of a connection is read; nothing is lost by that.

        ``own``: the bucket of a connection whose peer has proved who it is; by default that of its source is used.
        """
        if self.trusted(source):
            return 0.0
        if own is None:
            wait = _take(self._messages, source, now, always=True)
        else:
            wait = self._messages[0].spend(own, now, always=True)
        if wait:
            self._refused("stream-messages", source, now)
        return wait

    def connected(self, source: str, *, handshake: bool, now: float) -> bool:
        """Whether a new connection is let in; if so, it is counted until :meth:`disconnected`."""
        if limit := self._beyond(source, handshake, now):
            self._refused(limit, source, now)
            return False
        for each in (self._all, *(self._open.setdefault(key, _Open()) for key, _ in self._shares(source))):
            each.connections += 1
            each.strangers += 1
            each.handshakes += handshake
        return True

    def _shares(self, source: str) -> tuple[tuple[str, int], ...]:
        """What a source counts as, and how many times the share of one source that may have."""
        network, site = network_of(source), _site_of(source)
        return ((network, 1), (site, self.limits.site)) if site else ((network, 1),)

    def _counted(self, source: str) -> tuple[_Open, ...]:
        """Where a connection that was let in is counted."""
        return (self._all, *(self._open.get(key) or _Open() for key, _ in self._shares(source)))

    def _beyond(self, source: str, handshake: bool, now: float) -> str:
        limits = self.limits
        if self.trusted(source):  # strangers who have taken all there is must not keep a gateway out
            return ""
        stranger = network_of(source) not in self._proved
        if self._all.connections >= limits.connections or (stranger and self._all.strangers >= limits.strangers):
            return "connections"
        most = min(limits.handshakes, limits.strangers_handshakes) if stranger else limits.handshakes
        if handshake and self._all.handshakes >= most:
            return "handshakes"
        for key, times in self._shares(source):
            each = self._open.get(key) or _Open()
            if (
                each.connections >= limits.connections_of_source * times
                or each.strangers >= limits.strangers_of_source * times
            ):
                return "connections-of-source"
            if handshake and each.handshakes >= limits.handshakes_of_source * times:
                return "handshakes-of-source"
        return "new-connections" if _take(self._connections, source, now) else ""

    def greeted(self, source: str) -> None:
        """A handshake is over, one way or the other."""
        for each in self._counted(source):
            each.handshakes -= 1

    def proved(self, source: str) -> None:
        """Who is at the other end of a connection has proved a name or a secret: it takes no stranger's place any more.

        Its source is remembered, and gets in where strangers do not.
        """
        for each in self._counted(source):
            each.strangers -= 1
        network = network_of(source)
        self._proved[network] = None
        self._proved.move_to_end(network)
        if len(self._proved) > self.limits.sources:
            self._proved.popitem(last=False)

    def disconnected(self, source: str, *, proved: bool) -> None:
        """A connection that was let in is gone, its handshake over; ``proved``: after :meth:`proved`."""
        for each in self._counted(source):
            each.connections -= 1
            each.strangers -= not proved
        for key, _ in self._shares(source):
            if self._open[key].connections <= 0:
                del self._open[key]

    def _refused(self, limit: str, source: str, now: float) -> None:
        dropped.of(limit).value += 1
        source = network_of(source)
        if now - self._told.get(source, -_TELL_S) >= _TELL_S:
            self._told[source] = now
            self._told.move_to_end(source)
            if len(self._told) > self.limits.sources:
                self._told.popitem(last=False)
            event(_log, logging.WARNING, "sip.limited", peer=source, limit=limit)


def _take(rates: tuple[_Rate, _Rate], source: str, now: float, *, always: bool = False) -> float:
    """Take one token of a source, and of its site if it has one; the seconds to wait."""
    of_source, of_site = rates
    wait = of_source.take(network_of(source), now, always=always)
    if (site := _site_of(source)) and (always or not wait):
        wait = max(wait, of_site.take(site, now, always=always))
    return wait
