"""A bridge of two calls, sans-IO: what either side receives is sent to the other, opened and protected by each one's own keys.

Where both speak the same codec, packets are passed on as they came, payload for payload, under our own source, numbers
and payload types. Where they do not, the sound is decoded and encoded again, in order and with losses concealed. DTMF events
(RFC 4733) get the payload type and clock of the other side; a peer that knows none gets tones. Tones in the sound are sound.
RTCP ends at each side, and tells each peer of its own stream. A side that is on hold is sent nothing; what it still sends
(music) goes to the other.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from tandem.media.codec.table import CODECS, FRAME_BYTES, Encoder
from tandem.media.errors import BadPacket
from tandem.media.receiving import AudioReceiver
from tandem.media.rtp.packet import RtpPacket
from tandem.media.rtp.receiver import PayloadKind
from tandem.media.sending import AudioSender
from tandem.media.session import Stream

MAX_AT_ONCE = 10
"""Frames (200 ms) that are encoded at once: a late packet releases so many, but a pause is passed on as a gap in time."""

Send = Callable[[bytes], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSide:
    """One call of a bridge; ``send`` takes datagrams for its peer."""

    receiver: AudioReceiver
    sender: AudioSender
    send: Send


class RelayDirection:
    """One of the two ways: see :class:`tandem.media.receiving.Relay`. ``send`` takes datagrams for the other peer."""

    def __init__(self, sender: AudioSender, send: Send) -> None:
        self.transcodes = False
        self._sender = sender
        self._send = send
        self._encoder: Encoder | None = None
        self._from = self._to = ""
        self._open = self._same_clock = False
        self._event: tuple[int, int] = (-1, 0)  # timestamp there and here
        self._scale = (1, 1)

    def settle(self, source: Stream | None, target: Stream | None) -> None:
        """The sides are these now; nothing is passed on before both have begun."""
        self._open = source is not None and target is not None
        if source is None or target is None:
            return
        self.transcodes = source.codec != target.codec
        if (source.codec, target.codec) != (self._from, self._to):
            self._encoder = CODECS[target.codec].encoder() if self.transcodes else None
        self._from, self._to = source.codec, target.codec
        self._scale = target.event_clock, source.event_clock
        self._same_clock = not self.transcodes and target.event_clock == source.event_clock

    def expected(self, payload: bytes) -> None:
        """See :class:`Relay`: bytes are ticks here, as only such codecs have the fast path."""
        if self._open and (data := self._sender.relay_next(payload, len(payload))) is not None:
            self._send(data)

    def received(self, packet: RtpPacket, kind: PayloadKind, sound: bytes, digit: str | None) -> None:
        """See :class:`Relay`."""
        if not self._open:
            return
        try:
            if kind is PayloadKind.EVENT:
                self._pass_event(packet, digit)
            elif self.transcodes:
                self._transcode(sound)
            elif kind is not PayloadKind.OTHER:
                self._pass_packet(packet, kind)
        except BadPacket:  # it came twice: SRTP sends no number a second time
            return

    def _pass_packet(self, packet: RtpPacket, kind: PayloadKind) -> None:
        stream = self._sender.stream
        assert stream is not None
        comfort = kind is PayloadKind.COMFORT
        payload_type = packet.payload_type if comfort else stream.payload_type
        ticks = (
            0 if comfort else len(packet.payload) if CODECS[stream.codec].byte_a_tick else CODECS[stream.codec].ticks
        )
        self._give(self._sender.relay_packet(packet, payload_type, ticks))

    def _transcode(self, sound: bytes) -> None:
        assert self._encoder is not None
        ticks = CODECS[self._to].ticks
        left_out = max(0, len(sound) // FRAME_BYTES - MAX_AT_ONCE)
        for payload in self._encoder.encode(sound[left_out * FRAME_BYTES :]):
            self._give(self._sender.relay_next(payload, ticks, skipped=left_out * ticks))
            left_out = 0

    def _pass_event(self, packet: RtpPacket, digit: str | None) -> None:
        stream = self._sender.stream
        assert stream is not None
        if stream.event_type is None:
            if digit is not None:
                self._sender.send_dtmf(digit)
        elif self._same_clock:
            self._give(self._sender.relay_packet(packet, stream.event_type, 0))
        elif len(packet.payload) >= 4:
            there, here = self._event
            begun = here if there == packet.timestamp else None
            data, here = self._sender.relay_event(self._scaled(packet.payload), begun, marker=packet.marker)
            self._event = packet.timestamp, here
            self._give(data)

    def _scaled(self, payload: bytes) -> bytes:
        event, flags, duration = struct.unpack_from("!BBH", payload)
        ours, theirs = self._scale
        return struct.pack("!BBH", event, flags, min(0xFFFF, duration * ours // theirs))

    def _give(self, data: bytes | None) -> None:
        if data is not None:
            self._send(data)


class StreamBridge:
    """Two streams joined; :meth:`settle` after either began or changed, :meth:`end` to part them."""

    def __init__(self, one: BridgeSide, other: BridgeSide) -> None:
        self._ways = [(one.receiver, RelayDirection(other.sender, other.send), other.sender)]
        self._ways.append((other.receiver, RelayDirection(one.sender, one.send), one.sender))
        for receiver, way, sender in self._ways:
            receiver.relay = way
            sender.bridge(True)
        self.settle()

    def settle(self) -> None:
        """Take what was agreed on with either side."""
        for receiver, way, sender in self._ways:
            receiver.settle()
            way.settle(receiver.stream, sender.stream)

    def end(self) -> None:
        """Part them: each side gets our own sound again."""
        for receiver, _, sender in self._ways:
            receiver.relay = None
            sender.bridge(False)
        self._ways.clear()
