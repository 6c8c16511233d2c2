"""RTP packets (RFC 3550 §5.1). Left out: sending CSRC lists and header extensions (both are read and passed over)."""

import struct
from dataclasses import dataclass

from tandem.media.errors import BadPacket

_HEADER = struct.Struct("!BBHII")
SEQ_MOD = 1 << 16
TS_MOD = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpPacket:
    """One packet. ``sequence`` is below 2**16, ``timestamp`` (in samples) and ``ssrc`` below 2**32."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def to_bytes(self) -> bytes:
        """The packet as it goes onto the wire."""
        second = self.payload_type | (0x80 if self.marker else 0)
        return _HEADER.pack(0x80, second, self.sequence, self.timestamp, self.ssrc) + self.payload


def parse_rtp(data: bytes) -> RtpPacket:
    """Read a packet; raises :class:`BadPacket` for anything that is not RTP version 2."""
    if len(data) < _HEADER.size:
        raise BadPacket(f"{len(data)} bytes are no RTP packet")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2 or 64 <= (second & 0x7F) <= 95:  # RFC 5761 §4: those numbers are RTCP's
        raise BadPacket("not RTP version 2")
    at = _HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < at + 4:
            raise BadPacket("the header extension is cut")
        at += 4 + 4 * struct.unpack_from("!H", data, at + 2)[0]
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if at > end or (first & 0x20 and data[-1] == 0):
        raise BadPacket("the header or padding is longer than the packet")
    return RtpPacket(
        payload_type=second & 0x7F,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=data[at:end],
        marker=bool(second & 0x80),
    )


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram on a port that both share is RTCP (RFC 5761 §4)."""
    return len(data) >= 2 and 192 <= data[1] <= 223
