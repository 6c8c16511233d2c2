"""A trace as a capture file (pcap 2.4, link type RAW) for Wireshark and the like.

The headers below the message are made up, since a server sees none: IPv4 or IPv6 with the true addresses, UDP as it was,
and TCP (for TLS too: what was decrypted) with numbers that follow each other. Where a socket listens on every
address, the trace knows no better than ``0.0.0.0``.
"""

import ipaddress
import struct
from collections.abc import Iterable, Iterator

from tandem.ops.trace.record import Record

_FILE = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101)
_TCP, _UDP = 6, 17
_PSH_ACK = 0x18
_SEGMENT = 16_384
"""Bytes of one made-up TCP segment: a packet can hold no more than 65,535 with its headers."""


def pcap(records: Iterable[Record]) -> Iterator[bytes]:
    """The file, piece by piece."""
    yield _FILE
    numbers: dict[tuple[object, object], int] = {}
    for record in records:
        for packet in _packets(record, numbers):
            yield struct.pack("<IIII", *record.moment, len(packet), len(packet)) + packet


def _packets(record: Record, numbers: dict[tuple[object, object], int]) -> Iterator[bytes]:
    source, target = record.source, record.target
    if record.transport == "udp":
        header = struct.pack(">HHHH", source[1], target[1], 8 + len(record.data), 0)
        yield _ip(record, _UDP, header, 6, record.data)
        return
    for begin in range(0, len(record.data), _SEGMENT):
        data = record.data[begin : begin + _SEGMENT]
        number = numbers.get((source, target), 1)
        received = numbers.get((target, source), 1)
        numbers[source, target] = (number + len(data)) % (1 << 32)
        header = struct.pack(">HHIIBBHHH", source[1], target[1], number, received, 5 << 4, _PSH_ACK, 65_535, 0, 0)
        yield _ip(record, _TCP, header, 16, data)


def _ip(record: Record, protocol: int, header: bytes, checksum_at: int, data: bytes) -> bytes:
    source, target = ipaddress.ip_address(record.source[0]), ipaddress.ip_address(record.target[0])
    length = len(header) + len(data)
    addresses = source.packed + target.packed
    pseudo = addresses + struct.pack(">HBBH", 0, 0, protocol, length)
    # RFC 768: a sum of zero goes out as all ones.
    checksum = struct.pack(">H", _checksum(pseudo + header + data) or 0xFFFF)
    whole = header[:checksum_at] + checksum + header[checksum_at + 2 :] + data
    if source.version == 6:
        return struct.pack(">IHBB", 6 << 28, length, protocol, 64) + addresses + whole
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, protocol, 0) + addresses
    return ip[:10] + struct.pack(">H", _checksum(ip)) + ip[12:] + whole


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
