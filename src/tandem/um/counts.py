"""What the UM server counts of itself."""

from tandem.core.counters import counter, gauge

calls = gauge("tandem_um_calls", "Calls that are being answered now.").of()
ended = counter(
    "tandem_um_calls_total",
    "Calls that are over: message, no_message (nothing was said, or hung up before), refused, busy (too many), failed.",
    "outcome",
)
message, no_message = ended.of("message"), ended.of("no_message")
refused, busy, failed = ended.of("refused"), ended.of("busy"), ended.of("failed")
pins_made = counter("tandem_um_pins_made_total", "PINs that were made and mailed.").of()
mwi = counter(
    "tandem_um_mwi_sent_total",
    "Message waiting of a user: told (a gateway took it), or not_told (none did; it is tried again).",
    "outcome",
)
mwi_sent, mwi_not_sent = mwi.of("told"), mwi.of("not_told")
