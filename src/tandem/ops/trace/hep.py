"""HEP version 3 (also called EEP): a traced message for a collector such as Homer, one datagram each.

Chunks of the generic vendor as sipcapture's document has them: addresses, moment, protocol, capture agent, payload, and the
Call-ID as correlation. TLS counts as TCP, as there is no word for it. Left out: compression, and the key that authenticates
a sender, which goes over the wire in the clear.
"""

import ipaddress
import socket
import struct

from tandem.ops.errors import OpsError
from tandem.ops.trace.record import Record, call_id_of

AGENT = 2001
"""Our number as a capture agent, where nobody gives another."""
_SIP = 1
_LONGEST_PAYLOAD = 60_000
"""Bytes: the rest of a message beyond this is cut, since a datagram holds at most 65,507."""


def hep3(record: Record, *, agent: int = AGENT) -> bytes:
    """The datagram of a record."""
    source, target = ipaddress.ip_address(record.source[0]), ipaddress.ip_address(record.target[0])
    six = source.version == 6
    chunks = (
        (1, bytes((10 if six else 2,))),  # AF_INET6, AF_INET
        (2, bytes((17 if record.transport == "udp" else 6,))),
        (5 if six else 3, source.packed),
        (6 if six else 4, target.packed),
        (7, struct.pack(">H", record.source[1])),
        (8, struct.pack(">H", record.target[1])),
        (9, struct.pack(">I", record.moment[0])),
        (10, struct.pack(">I", record.moment[1])),
        (11, bytes((_SIP,))),
        (12, struct.pack(">I", agent)),
        (15, record.data[:_LONGEST_PAYLOAD]),
        (17, call_id_of(record.data).encode()[:256]),
    )
    body = b"".join(struct.pack(">HHH", 0, kind, 6 + len(value)) + value for kind, value in chunks)
    return b"HEP3" + struct.pack(">H", 6 + len(body)) + body


class Collector:
    """Where records go; raises :class:`OpsError` where the name is not known."""

    def __init__(self, host: str, port: int) -> None:
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise OpsError(f"{host}: {error.strerror}; expected the address of a HEP collector, HOST:PORT") from None
        self._address = address
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)

    def __call__(self, record: Record) -> None:
        """Send one; raises :class:`OSError` where it cannot be sent."""
        self._socket.sendto(hep3(record), self._address)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
