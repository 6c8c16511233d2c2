"""What the spool counts of itself."""

from tandem.core.counters import counter, gauge

pending = gauge("tandem_spool_pending", "Closed messages that wait to be delivered.").of()
oldest_s = gauge("tandem_spool_oldest_seconds", "How long the oldest of them has waited; 0 if none waits.").of()
delivered = counter("tandem_messages_delivered_total", "What reached a mailbox: voice, missed_call.", "kind")
voice, missed_call = delivered.of("voice"), delivered.of("missed_call")
not_delivered = counter("tandem_messages_not_delivered_total", "Deliveries that failed; each is tried again.").of()
recovered = counter("tandem_spool_recovered_total", "Recordings of a server that died, closed at the next start.").of()
disk_errors = counter(
    "tandem_spool_disk_errors_total", "Messages that could not begin, and failed syncs of the spool."
).of()
