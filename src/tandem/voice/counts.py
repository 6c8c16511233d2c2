"""What the voice server counts of itself."""

from tandem.core.counters import counter, gauge

calls = gauge("tandem_voice_calls_in_setup", "Calls that are being set up now.").of()
decided = counter(
    "tandem_voice_calls_total",
    "Calls from phones by what was decided: RingUser, RingPhone, CallUM, Reject.",
    "decision",
)
diverted = counter("tandem_voice_diverted_total", "Calls that went to UM, by the reason in Diversion.", "reason")
no_um = counter("tandem_voice_no_um_total", "Calls that should have gone to UM, and could not.").of()
registrations = counter(
    "tandem_voice_registrations_total", "Contacts that phones registered, refreshed or took back.", "what"
)
bound, unbound = registrations.of("bound"), registrations.of("unbound")
held = gauge("tandem_voice_contacts", "Contacts of phones that are registered now.").of()
mwi_received = counter("tandem_voice_mwi_received_total", "Message waiting states that UM sent.").of()
lockouts = counter(
    "tandem_voice_lockouts_total",
    "Lock-outs that began after too many wrong SIP secrets: of an account at an address, of an address, of an account.",
    "what",
)
locks = gauge("tandem_voice_locked", "Lock-outs that are in force now.").of()
locked_refusals = counter("tandem_voice_locked_refusals_total", "Requests refused for a lock-out.").of()
