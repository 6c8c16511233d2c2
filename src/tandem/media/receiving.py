"""The receiving half of an audio stream, sans-IO: datagrams in, linear sound and events out.

**The fast path.** Nearly every packet is the one that was expected: the first twelve bytes are known beforehand, as one
number, and the length is that of the packet before. Such a packet costs a comparison and an append; no object is made of
it. Its payload waits, encoded, until somebody takes the sound, and a second is decoded at once. Any other packet (the first,
after a loss, a DTMF event, another length, a counter that wraps around) goes to the :class:`Receiver`, which first is told
how far the fast path came: as every wrap goes there, nothing has to be counted on the way.
"""

import struct
from typing import Protocol

from tandem.media.codec import comfort, g711
from tandem.media.codec.inband import ToneReceiver
from tandem.media.codec.table import CODECS, FRAME_BYTES
from tandem.media.errors import BadPacket
from tandem.media.events import DtmfReceived, StreamEvent
from tandem.media.rtp.dtmf import DtmfEventReceiver
from tandem.media.rtp.packet import SEQ_MOD, RtpPacket, is_rtcp, parse_rtp
from tandem.media.rtp.receiver import PayloadKind, Receiver
from tandem.media.rtp.reports import Reporter
from tandem.media.rtp.srtp import SrtpReceiver
from tandem.media.session import Stream

_pack = struct.Struct("!BBHII").pack
_number = int.from_bytes
_HEADER = 12
_NEVER = -1
SILENT_S = 0.5
"""Seconds without a packet after which a peer may be heard from another port of its host."""

Address = tuple[str, int]


class Relay(Protocol):
    """Takes what is received, for another stream: see :class:`tandem.media.bridge.RelayDirection`."""

    transcodes: bool

    def expected(self, payload: bytes) -> None:
        """The packet that follows the one before, of the same codec."""

    def received(self, packet: RtpPacket, kind: PayloadKind, sound: bytes, digit: str | None) -> None:
        """Any packet; the linear sound that is complete with it, and the DTMF digit that it is the first to report."""


class AudioReceiver:
    """Feed :meth:`receive` or :meth:`receive_from`; part of :class:`tandem.media.stream.AudioStream`."""

    __slots__ = (
        "_begun", "_byte_a_tick", "_came", "_chunks", "_dtmf", "_expected", "_frame_s", "_jitter_s", "_last", "_length",
        "_opener", "_reporter", "_sound", "_step", "_tones", "answered", "dropped", "events", "listening", "receiver",
        "relay", "source", "stream",
    )  # fmt: skip

    def __init__(self, events: list[StreamEvent], reporter: Reporter) -> None:
        self.stream: Stream | None = None
        self.events = events
        self.source: Address | None = None
        """Where the peer sends from, once that is known; packets from elsewhere are dropped."""
        self.answered = False
        """Whether anything came from the peer since its address is this one."""
        self.listening = False
        """Whether sound is kept for :meth:`take_sound`."""
        self.dropped = 0
        self.receiver = Receiver(CODECS["PCMU"])
        self.relay: Relay | None = None
        self._reporter = reporter
        self._dtmf = DtmfEventReceiver()
        self._opener: SrtpReceiver | None = None
        # The header that is expected, the length of its packet, and what a header grows by.
        self._expected = self._begun = _NEVER
        self._length = self._step = 0
        self._byte_a_tick = False
        self._chunks: list[bytes] = []
        self._sound = bytearray()
        self._last = b""
        self._came = -1.0
        self._frame_s = self._jitter_s = 0.0
        self._tones: ToneReceiver | None = None

    @property
    def last_heard(self) -> float | None:
        """When the peer's last packet came."""
        return self._came if self._came >= 0 else None

    @property
    def proven(self) -> Address | None:
        """Where the peer proved its key, if it has one."""
        return self.source if self._opener is not None else None

    def start(self, stream: Stream) -> None:
        """Begin, or go on with a new agreement; keys that did not change keep their state."""
        before, self.stream = self.stream, stream
        if before is None or (before.suite, before.receive_key) != (stream.suite, stream.receive_key):
            self._opener = SrtpReceiver(stream.suite, stream.receive_key) if stream.suite else None
        if before is None or (before.host, before.port) != (stream.host, stream.port):
            self.source, self.answered = None, False
        self.settle()
        if before is None or before.codec != stream.codec:
            self._take_codec(stream.codec)
        if before is None or before.event_clock != stream.event_clock:
            self._dtmf = DtmfEventReceiver(stream.event_clock)
        self._tones = (self._tones or ToneReceiver()) if stream.tones else None

    def _take_codec(self, codec: str) -> None:
        self._keep(self.receiver.flush(self._came))
        statistics = self.receiver.statistics
        self.receiver = Receiver(CODECS[codec])
        self.receiver.statistics = statistics
        self._byte_a_tick = CODECS[codec].byte_a_tick

    def receive_from(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram that anybody may have sent."""
        if self.stream is None:
            return
        if source != self.source and not self._may_be_the_peers(data, source, now):
            self.dropped += 1
        elif self.receive(data, now):
            self.source, self.answered = source, True

    def _may_be_the_peers(self, data: bytes, source: Address, now: float) -> bool:
        """Whether a datagram from elsewhere than what is heard is taken: see docs/protocols/media.md, "From where"."""
        stream = self.stream
        if stream is None or self._opener is not None:  # with SRTP the key decides
            return stream is not None
        if source[0] != stream.host:
            return False
        if self.source is None or source[1] == stream.port or self.silent(now):
            return True
        self.report()
        try:
            return self.receiver.belongs(parse_rtp(data))
        except BadPacket:
            return False

    def silent(self, now: float) -> bool:
        """Whether the peer has paused so long that it may have moved."""
        return now - self._came >= SILENT_S

    def receive(self, data: bytes, now: float) -> bool:
        """Take a datagram from :attr:`source`; returns whether it was RTP of our peer."""
        if self._opener is not None:
            data = self._opened(data)
        head = _number(data[:_HEADER], "big")
        if head != self._expected or len(data) != self._length:
            return self._receive_slowly(data, now)
        self._expected = head + self._step
        if self.listening:
            self._chunks.append(data[_HEADER:])
        if self.relay is not None:
            self.relay.expected(data[_HEADER:])
        self._jitter_s += (abs(now - self._came - self._frame_s) - self._jitter_s) / 16
        self._came = now
        return True

    def take_sound(self, now: float) -> bytes:
        """The linear sound since the last time, as far as it is complete; none unless :attr:`listening`."""
        self.report()
        if not self.receiver.in_time(now):  # more sound than time: the receiver deals with it
            self.settle()
        sound, self._sound = bytes(self._sound), bytearray()
        return sound

    def finish(self, now: float) -> bytes:
        """The end of receiving: the sound since the last time, with all that was held back for what may have come."""
        self.settle()
        self._keep(self.receiver.flush(now))
        return self.take_sound(now)

    def take_control(self, data: bytes, now: float) -> None:
        """Take a datagram of RTCP."""
        try:
            opened = data if self._opener is None else self._opener.unprotect_rtcp(data)
            self._reporter.receive(opened, now, self.receiver.ssrc)
            self.answered = True
        except BadPacket:
            self.dropped += 1

    def settle(self) -> None:
        """Leave the fast path."""
        self.report()
        self._expected = self._begun = _NEVER

    def report(self) -> None:
        """Tell the receiver how far the fast path came."""
        if self._expected == self._begun:
            return
        payload = self._length - _HEADER
        if self._chunks:
            sound = self.receiver.decode(b"".join(self._chunks))
            self._chunks.clear()
            self._sound += sound
            self._last = sound[-2 * payload :][-FRAME_BYTES:]
        last = self._expected - self._step  # the header of the last packet, as it came off the wire
        packets = ((last >> 64) + 1 - self.receiver.next_sequence) % SEQ_MOD
        self.receiver.advance(packets, packets * payload, self._came, self._last)
        self.receiver.jitter_s = self._jitter_s
        self._begun = self._expected

    def _opened(self, data: bytes) -> bytes:
        assert self._opener is not None
        if is_rtcp(data):
            return data
        try:
            return self._opener.unprotect(data)
        except BadPacket:
            return b""

    def _receive_slowly(self, data: bytes, now: float) -> bool:
        stream = self.stream
        if stream is None:
            return False
        if is_rtcp(data):
            self.take_control(data, now)
            return False
        try:
            packet = parse_rtp(data)
        except BadPacket:
            self.dropped += 1
            return False
        self.settle()
        kind = _kind(packet, stream)
        digit = self._dtmf.receive(packet) if kind is PayloadKind.EVENT else None
        if digit:
            self.events.append(DtmfReceived(digit=digit))
        excess = self.receiver.statistics.excess
        sound = self.receiver.receive(packet, now, kind)
        self._keep(sound)
        if self._tones is not None:
            self.events.extend(DtmfReceived(digit=tone) for tone in self._tones.feed(sound))
        if self.relay is not None and self.receiver.statistics.excess == excess:
            self.relay.received(packet, kind, sound, digit)
        self._came = now
        if kind is PayloadKind.SOUND and len(data) == _HEADER + len(packet.payload):
            self._expect(packet, now)
        return True

    def _expect(self, packet: RtpPacket, now: float) -> None:
        """Set the fast path for what follows this packet, if it was the last and a payload's length tells its time."""
        receiver = self.receiver
        ssrc, sequence, timestamp = packet.ssrc, receiver.next_sequence, receiver.next_timestamp
        if not self._byte_a_tick or self._tones is not None or not receiver.in_time(now):
            return
        if self.relay is not None and self.relay.transcodes:  # it needs the sound of each packet at once
            return
        # Never through 0: in one go there are always fewer than 65,536 packets.
        last = sequence == (packet.sequence + 1) % SEQ_MOD != 0
        if not last or not receiver.expects(ssrc, sequence, timestamp):
            return
        self._length = _HEADER + len(packet.payload)
        self._step = (1 << 64) + (len(packet.payload) << 32)
        self._frame_s, self._jitter_s = len(packet.payload) / g711.RATE, receiver.jitter_s
        # A counter that overflows makes the number another than that of the packet that comes then.
        self._expected = self._begun = _number(_pack(0x80, packet.payload_type, sequence, timestamp, ssrc), "big")

    def _keep(self, sound: bytes) -> None:
        if self.listening:
            self._sound += sound


def _kind(packet: RtpPacket, stream: Stream) -> PayloadKind:
    if packet.payload_type == stream.payload_type:
        return PayloadKind.SOUND
    if packet.payload_type == stream.event_type:
        return PayloadKind.EVENT
    return PayloadKind.COMFORT if packet.payload_type == comfort.PAYLOAD_TYPE else PayloadKind.OTHER
