"""What a caller does with its keys and its voice, as a capture file that sipp plays (it puts its own addresses in).

One RTP stream with one clock and one numbering, keys as RTP events (RFC 4733); written without Tandem's media.
"""

import struct
from pathlib import Path

KEYS = "0123456789*#"
EVENT_TYPE = 101
_MS = 8
"""Ticks of the RTP clock in a millisecond."""


class Caller:
    """Builds up the stream: :meth:`wait`, :meth:`press`, :meth:`speak`; then :meth:`write`."""

    def __init__(self, payload_type: int = 0) -> None:
        self._payload_type = payload_type
        self._packets: list[tuple[int, bytes]] = []
        self._ms = 0

    def wait(self, milliseconds: int) -> "Caller":
        """Send nothing for this time."""
        self._ms += milliseconds
        return self

    def press(self, key: str) -> "Caller":
        """Press a key for 100 ms; its end is told three times, as the RFC wants it."""
        began, number = self._ms, KEYS.index(key)
        for step, ended in [*((step, 0) for step in range(1, 5)), *[(5, 0x80)] * 3]:
            payload = struct.pack("!BBH", number, ended | 10, step * 20 * _MS)
            self._add(EVENT_TYPE, began, payload, marker=step == 1)
        return self

    def speak(self, encoded: bytes) -> "Caller":
        """Say something in G.711, which is one byte to a sample."""
        for at in range(0, len(encoded) - 159, 160):
            self._add(self._payload_type, self._ms, encoded[at : at + 160], marker=at == 0)
        return self

    def write(self, path: Path) -> Path:
        """The capture: Ethernet, IPv4, UDP."""
        records = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
        for ms, rtp in self._packets:
            udp = struct.pack("!HHHH", 6000, 6000, 8 + len(rtp), 0) + rtp
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
            frame = bytes(12) + b"\x08\0" + ip + udp
            records.append(struct.pack("<IIII", 1 + ms // 1000, ms % 1000 * 1000, len(frame), len(frame)) + frame)
        path.write_bytes(b"".join(records))
        return path

    def _add(self, payload_type: int, stamp_ms: int, payload: bytes, *, marker: bool) -> None:
        number = len(self._packets) & 0xFFFF
        head = struct.pack("!BBHII", 0x80, marker << 7 | payload_type, number, stamp_ms * _MS, 0x5EED)
        self._packets.append((self._ms, head + payload))
        self._ms += 20
