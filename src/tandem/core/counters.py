"""Counters: what a process counts of itself, by name, for :mod:`tandem.ops.metrics` and other readers.

As with loggers, a room makes its counters once, at the top of the module that counts, and they belong to the process. What
is counted often binds its labels beforehand, so that an event costs one attribute add::

    _received = counter("tandem_sip_requests_received_total", "Requests that came in.", "method")
    _invites = _received.of("INVITE")
    ...
    _invites.value += 1

Names and units follow Prometheus: seconds and bytes, ``_total`` for what only grows. Label values that come off the wire
cannot fill the memory: a family keeps ``MAX_MEMBERS`` of them, and counts every further one as ``other``. Left out: threads
that add at the same moment (one loop or one thread owns a counter), and other processes (their owner tells us the counts).
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

MAX_MEMBERS = 64
OTHER = "other"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of a histogram of seconds; one more bucket takes what is above."""


class Counter:
    """Only grows: ``counter.value += 1``."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Gauge:
    """Goes up and down: set ``value``, or give it a ``source`` that is asked whenever somebody reads."""

    __slots__ = ("source", "value")

    def __init__(self) -> None:
        self.value: float = 0
        self.source: Callable[[], float] | None = None

    def read(self) -> float:
        """The value now."""
        return self.value if self.source is None else self.source()


class Histogram:
    """How often a value was within which bounds: ``counts`` has one more entry than ``bounds``."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


M = TypeVar("M", bound=Counter | Gauge | Histogram)


class Family(Generic[M]):
    """The counters of one name, one for each combination of label values."""

    __slots__ = ("_make", "help", "kind", "labels", "members", "name")

    def __init__(self, kind: type[M], name: str, help_: str, labels: tuple[str, ...], make: Callable[[], M]) -> None:
        self.kind, self.name, self.help, self.labels = kind, name, help_, labels
        self.members: dict[tuple[str, ...], M] = {}
        self._make = make

    def of(self, *values: str) -> M:
        """The counter with these label values, in the order of ``labels``; the same one every time."""
        member = self.members.get(values)
        if member is None:
            if len(values) != len(self.labels):
                raise ValueError(f"{self.name} has the labels {self.labels}, not {len(values)} of them")
            if len(self.members) >= MAX_MEMBERS:
                values = (OTHER,) * len(values)
            member = self.members.setdefault(values, self._make())
        return member

    def total(self) -> float:
        """The sum over all label values; for a histogram, how many values were observed."""
        return sum(_count(member) for member in self.members.values())


AnyFamily = Family[Counter] | Family[Gauge] | Family[Histogram]
_families: dict[str, AnyFamily] = {}


def counter(name: str, help_: str, *labels: str) -> Family[Counter]:
    """Make and register a family of counters; ``name`` ends in ``_total``."""
    if not name.endswith("_total"):
        raise ValueError(f"{name}: the name of a counter ends in _total")
    return _registered(Family(Counter, name, help_, labels, Counter))


def gauge(name: str, help_: str, *labels: str) -> Family[Gauge]:
    """Make and register a family of gauges."""
    return _registered(Family(Gauge, name, help_, labels, Gauge))


def histogram(name: str, help_: str, *labels: str, bounds: tuple[float, ...] = SECONDS) -> Family[Histogram]:
    """Make and register a family of histograms; ``bounds`` ascend."""
    return _registered(Family(Histogram, name, help_, labels, lambda: Histogram(bounds)))


def families() -> Iterator[AnyFamily]:
    """Every family of this process, by name."""
    return iter([_families[name] for name in sorted(_families)])


F = TypeVar("F", Family[Counter], Family[Gauge], Family[Histogram])


def _registered(family: F) -> F:
    if family.name in _families:
        raise ValueError(f"{family.name} is registered already")
    _families[family.name] = family
    return family


def _count(member: Counter | Gauge | Histogram) -> float:
    match member:
        case Counter():
            return member.value
        case Gauge():
            return member.read()
        case Histogram():
            return sum(member.counts)
