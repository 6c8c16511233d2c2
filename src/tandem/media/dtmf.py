"""Keys as RTP events (RFC 4733). Left out: tones in the audio itself."""

import struct

from tandem.media.rtp import RtpPacket

KEYS = "0123456789*#ABCD"
_DURATION = 800  # 100 ms, well above the 40 ms that receivers need
_STEP = 160
_END_REPEATS = 3  # RFC 4733 §2.5.1.4: the end goes out three times
_VOLUME = 10  # -10 dBm0


def key_payloads(key: str) -> list[tuple[bytes, bool]]:
    """The payloads of one key press, one for each 20 ms, each with its marker bit; all share one timestamp."""
    event = KEYS.index(key.upper())
    out = [
        (struct.pack("!BBH", event, _VOLUME, duration), duration == _STEP)
        for duration in range(_STEP, _DURATION, _STEP)
    ]
    return out + [(struct.pack("!BBH", event, 0x80 | _VOLUME, _DURATION), False)] * _END_REPEATS


class KeyReceiver:
    """Turns event packets into keys: one key per event, however many packets tell of it."""

    def __init__(self) -> None:
        self._last: int | None = None

    def receive(self, packet: RtpPacket) -> str | None:
        """The key that this packet is the first to tell of, or ``None``."""
        if len(packet.payload) < 4 or packet.payload[0] >= len(KEYS) or packet.timestamp == self._last:
            return None
        self._last = packet.timestamp
        return KEYS[packet.payload[0]]
