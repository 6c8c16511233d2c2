"""SIP, sans-IO: parsing, framing, transactions, dialogs, digest, SDP. Drivers are in sip.aio."""
