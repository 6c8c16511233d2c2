"""RTP packets back into continuous sound: ordered, without duplicates, with silence where something was lost.

A recording has to have its true length, so time is taken from RTP timestamps: whatever is missing (lost packets, or a
sender that is silent instead of sending) becomes silence of that length. Packets wait for earlier ones for at most
``WINDOW`` packets.
"""

from dataclasses import dataclass

from tandem.media import g711
from tandem.media.rtp import SEQ_MOD, TS_MOD, RtpPacket

WINDOW = 10
"""Packets (200 ms) that are held back for one that is late."""
MAX_GAP = 60 * g711.RATE
"""Samples: a jump of the timestamp beyond this is a restart of the sender's clock, not a pause."""
_MAX_SEQ_JUMP = 3000  # RFC 3550 appendix A.1 (MAX_DROPOUT): beyond it, the sender began anew


@dataclass(slots=True)
class Statistics:
    """Counts of one stream, for the call's log line."""

    received: int = 0
    lost: int = 0
    late: int = 0
    duplicate: int = 0


class Receiver:
    """Feeds on audio packets of one codec (0 µ-law, 8 A-law), gives linear sound in order."""

    def __init__(self, payload_type: int) -> None:
        self.statistics = Statistics()
        self._payload_type = payload_type
        self._ssrc: int | None = None
        self._next_seq = 0
        self._next_ts = 0
        self._waiting: dict[int, RtpPacket] = {}

    def receive(self, packet: RtpPacket) -> bytes:
        """Take a packet; return the sound that is complete now (often one frame, sometimes none or several)."""
        self.statistics.received += 1
        out = b""
        ahead = (packet.sequence - self._next_seq) % SEQ_MOD
        restarted = _MAX_SEQ_JUMP < ahead < SEQ_MOD - _MAX_SEQ_JUMP
        if self._ssrc != packet.ssrc or restarted:
            out = self.flush()
            self._ssrc, self._next_seq, self._next_ts = packet.ssrc, packet.sequence, packet.timestamp
            ahead = 0
        if ahead >= SEQ_MOD // 2:
            self.statistics.late += 1
            return out
        if packet.sequence in self._waiting:
            self.statistics.duplicate += 1
            return out
        self._waiting[packet.sequence] = packet
        out += self._ready()
        while len(self._waiting) > WINDOW:
            out += self._skip()
        return out

    def flush(self) -> bytes:
        """The end: give out all that was held back."""
        out = b""
        while self._waiting:
            out += self._skip()
        return out

    def _skip(self) -> bytes:
        """Give up on what is missing before the next packet that we have."""
        nearest = min(self._waiting, key=lambda seq: (seq - self._next_seq) % SEQ_MOD)
        self.statistics.lost += (nearest - self._next_seq) % SEQ_MOD
        self._next_seq = nearest
        return self._ready()

    def _ready(self) -> bytes:
        out = []
        while (packet := self._waiting.pop(self._next_seq, None)) is not None:
            gap = (packet.timestamp - self._next_ts) % TS_MOD
            if 0 < gap <= MAX_GAP:
                out.append(bytes(2 * gap))
            out.append(g711.decode(packet.payload, self._payload_type))
            self._next_seq = (packet.sequence + 1) % SEQ_MOD
            self._next_ts = (packet.timestamp + len(packet.payload)) % TS_MOD
        return b"".join(out)

    def passed_over(self, packet: RtpPacket) -> bytes:
        """A packet of the stream that is no sound (a key): its number is not missing. Returns what it makes ready."""
        if self._ssrc == packet.ssrc and packet.sequence == self._next_seq:
            self._next_seq = (packet.sequence + 1) % SEQ_MOD
            return self._ready()
        return b""
