"""What a SIP element counts of itself. Methods come off the wire, so they are counted by name only if they are known."""

from tandem.core.counters import Counter, counter, gauge

METHODS = ("ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER",
           "SUBSCRIBE", "UPDATE")  # fmt: skip
requests = counter("tandem_sip_requests_total", "Requests by direction (in, out) and method.", "direction", "method")
responses = counter(
    "tandem_sip_responses_total", "Responses by direction and class (1xx to 6xx).", "direction", "class"
)
malformed = counter(
    "tandem_sip_malformed_total", "Messages that could not be read, or not be accepted as they were."
).of()
dropped = counter("tandem_sip_dropped_total", "Connections and messages that a limit kept out, by the limit.", "limit")
transactions = gauge("tandem_sip_transactions", "Transactions that are open: client, server.", "side")
connections = gauge("tandem_sip_connections", "Open TCP and TLS connections.").of()
unreachable = counter("tandem_sip_unreachable_total", "Requests whose target could not be connected to.").of()

_OTHER = "other"
_seen: dict[tuple[str, bytes], Counter] = {
    (direction, method.encode()): requests.of(direction, method) for direction in ("in", "out") for method in METHODS
}
_others = {direction: requests.of(direction, _OTHER) for direction in ("in", "out")}
_classes = {
    (direction, digit): responses.of(direction, f"{chr(digit)}xx") for direction in ("in", "out") for digit in b"123456"
}
_STATUS_AT = len(b"SIP/2.0 ")


def message(direction: str, data: bytes) -> None:
    """A message came (``in``) or went (``out``)."""
    if data.startswith(b"SIP/2.0 "):
        if found := _classes.get((direction, data[_STATUS_AT])) if len(data) > _STATUS_AT else None:
            found.value += 1
    else:
        _seen.get((direction, data.partition(b" ")[0]), _others[direction]).value += 1
