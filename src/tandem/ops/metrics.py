"""The process's counters as Prometheus reads them: text format 0.0.4, by prometheus-client.

What :mod:`tandem.core.counters` holds is translated when somebody asks; nothing is counted twice. To it come what
prometheus-client knows of the process itself (memory, processor, open files) and the version.
"""

import contextlib
from collections.abc import Iterable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from tandem.core.counters import AnyFamily, Counter, Gauge, Histogram, families

CONTENT_TYPE = CONTENT_TYPE_LATEST
_TYPES = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}


class Metrics:
    """Everything that a process counts; :meth:`text` may be called in any thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Counters())
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def text(self) -> bytes:
        """All of it, now."""
        return generate_latest(self._registry)


class _Counters(Collector):
    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("tandem_build", "The version that runs.", value={"version": version("tandem-um")})
        for family in families():
            yield _metric(family)

    def describe(self) -> Iterable[Metric]:
        """Names are ours alone, and are not known before somebody asks."""
        return ()


def _metric(family: AnyFamily) -> Metric:
    metric = Metric(family.name.removesuffix("_total"), family.help, _TYPES[family.kind])
    for values, member in list(family.members.items()):
        labels = dict(zip(family.labels, values, strict=True))
        match member:
            case Counter():
                metric.add_sample(family.name, labels, member.value)
            case Gauge():
                with contextlib.suppress(Exception):  # a gauge that cannot be read now is left out
                    metric.add_sample(family.name, labels, member.read())
            case Histogram():
                _add_histogram(metric, labels, member)
    return metric


def _add_histogram(metric: Metric, labels: dict[str, str], histogram: Histogram) -> None:
    """Prometheus' buckets hold all that is at most their bound."""
    total = 0
    for bound, count in zip((*histogram.bounds, "+Inf"), histogram.counts, strict=True):
        total += count
        metric.add_sample(f"{metric.name}_bucket", {**labels, "le": str(bound)}, total)
    metric.add_sample(f"{metric.name}_count", labels, total)
    metric.add_sample(f"{metric.name}_sum", labels, histogram.sum)
