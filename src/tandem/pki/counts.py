"""What a server tells of its certificate."""

from tandem.core.counters import gauge

expires_at = gauge(
    "tandem_certificate_expiry_timestamp_seconds", "When the server's certificate expires; 0 without one."
).of()
