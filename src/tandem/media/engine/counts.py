"""What the engine counts of its workers."""

from tandem.core.counters import counter, gauge, histogram
from tandem.media.engine import wire

calls = gauge("tandem_media_calls", "Calls whose media runs now.").of()
closed_total = counter("tandem_media_calls_total", "Calls whose media is over.").of()
datagrams = counter("tandem_media_datagrams_total", "Datagrams of media; unsent: not taken by the kernel.", "direction")
_received, _sent, _unsent = datagrams.of("received"), datagrams.of("sent"), datagrams.of("unsent")
packets = counter(
    "tandem_media_packets_total",
    "Packets of calls that are over: received, lost on the way, late (came when they were given up), dropped (not the peer's).",
    "what",
)
deaths = counter("tandem_media_worker_deaths_total", "Workers that died.").of()
defects = counter("tandem_media_defects_total", "Calls that ended by a defect in their media.").of()
not_written = counter("tandem_media_disk_errors_total", "Recordings that the disk did not take for a while.").of()
lateness = histogram(
    "tandem_media_send_lateness_seconds", "The worst delay in sending of each second of each worker."
).of()
mos = histogram(
    "tandem_media_mos",
    "Estimated mean opinion scores of calls that are over.",
    bounds=(1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.3),
).of()
_OF_CALL = {name: packets.of(name) for name in ("received", "lost", "late", "dropped")}


def reported(report: wire.WorkerReport) -> None:
    """A worker's second."""
    _received.value += report.received
    _sent.value += report.sent - report.unsent
    _unsent.value += report.unsent
    lateness.observe(report.worst_late_s)


def closed(call: wire.CallClosed) -> None:
    """A call is over."""
    closed_total.value += 1
    for name, counted in _OF_CALL.items():
        counted.value += getattr(call.summary, name)
    if call.summary.received:
        mos.observe(call.summary.quality.mos)
