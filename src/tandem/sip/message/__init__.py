"""SIP messages as bytes and as values."""
