"""What a server tells of its certificate and revocation lists."""

from tandem.core.counters import gauge

expires_at = gauge(
    "tandem_certificate_expiry_timestamp_seconds", "When the server's certificate expires; 0 without one."
).of()
lists_expire_at = gauge(
    "tandem_revocation_list_expiry_timestamp_seconds",
    "When the first of the server's revocation lists expires, after which peers are refused; 0 without one.",
).of()
