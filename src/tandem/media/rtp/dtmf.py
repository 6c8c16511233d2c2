"""DTMF digits as RTP events (RFC 4733), both ways. Digits as tones in the audio itself are :mod:`tandem.media.codec.inband`.

All packets of one press carry the timestamp of its beginning, and any one of them tells of the digit: the first packets
may be lost, or all but one of the three that tell of the end. A press that lasts longer than the 16 bits of its
duration goes on in a further segment (§2.5.1.3), which is not another press. Left out: events other than the sixteen digits.
"""

import struct
from collections import deque

from tandem.media.rtp.packet import TS_MOD, RtpPacket

DIGITS = "0123456789*#ABCD"
PRESS_MS = 80
"""How long our digits are: well above the 40 ms that receivers need (ITU-T Q.24)."""
_END_REPEATS = 3  # RFC 4733 §2.5.1.4: the end goes out three times
_VOLUME = 10  # -10 dBm0
_END = 0x80
_LONGEST = 0xFFFF
_NEARLY_LONGEST = 60_000  # some end a segment a few packets early
_LOST_S = 0.4  # so much of a segment's end may be lost
_REMEMBERED = 8


def event_payloads(digit: str, clock: int = 8000) -> list[tuple[bytes, bool]]:
    """The payloads of one digit, one for each 20 ms, each with its marker bit; all share one timestamp."""
    event, step = DIGITS.index(digit.upper()), clock // 50
    whole = clock * (PRESS_MS + 20) // 1000
    out = [(struct.pack("!BBH", event, _VOLUME, duration), duration == step) for duration in range(step, whole, step)]
    return out + [(struct.pack("!BBH", event, _END | _VOLUME, whole), False)] * _END_REPEATS


class DtmfEventReceiver:
    """Turns event packets into digits: one per press, however many packets report it. ``clock`` is in Hz."""

    def __init__(self, clock: int = 8000) -> None:
        self._clock = clock
        self._ssrc: int | None = None
        self._told: deque[int] = deque(maxlen=_REMEMBERED)  # timestamps of presses, and of their segments
        self._event = -1
        self._duration = 0
        self._ended = True

    def receive(self, packet: RtpPacket) -> str | None:
        """The digit that this packet is the first to report, or ``None``."""
        if len(packet.payload) < 4:
            return None
        event, flags, duration = struct.unpack_from("!BBH", packet.payload)
        if event >= len(DIGITS):
            return None
        if packet.ssrc != self._ssrc:
            self._ssrc, self._ended = packet.ssrc, True
            self._told.clear()
        told = packet.timestamp in self._told
        if told and packet.timestamp != self._told[-1]:  # of an earlier press, and late
            return None
        continues = not told and self._continues(packet, event)
        if not told:
            self._told.append(packet.timestamp)
            self._duration, self._ended = 0, False
        self._event = event
        self._duration = max(self._duration, duration)
        self._ended = self._ended or bool(flags & _END)
        return None if told or continues else DIGITS[event]

    def _continues(self, packet: RtpPacket, event: int) -> bool:
        """Whether this is the next segment of the press before: at once after a segment of the longest duration."""
        if self._ended or packet.marker or event != self._event:
            return False
        passed = (packet.timestamp - self._told[-1]) % TS_MOD
        return _NEARLY_LONGEST <= passed <= _LONGEST + 1 and passed - self._duration <= _LOST_S * self._clock
