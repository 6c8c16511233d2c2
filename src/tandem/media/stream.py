"""One audio stream, sans-IO: bytes of datagrams in, sound and events out; each 20 ms one datagram to send.

The core of both drivers. RTP flows without a pause in both directions (silence while nothing is played), so that the peer
sees a living stream. Packets are heard from one source only: for SRTP the first that proves the key, for plain RTP only the
address that the peer's description names. Everything else is counted and dropped.

**The fast path.** Nearly every packet is the one that was expected: the first twelve bytes are known beforehand, as one
number, and the length is that of the packet before. Such a packet costs a comparison and an append; no object is made of
it. Its payload waits, encoded, until somebody takes the sound, and a second is decoded at once. Any other packet (the first,
after a loss, a DTMF event, another length, a counter that wraps around) goes to the :class:`Receiver`, which first is told
how far the fast path came: as every wrap goes there, nothing has to be counted on the way.
"""

import secrets
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat

from tandem.media.codec import comfort, g711
from tandem.media.codec.frames import FrameCache
from tandem.media.codec.inband import ToneReceiver, tone_pair
from tandem.media.codec.table import CODECS, FRAME_BYTES, silence
from tandem.media.errors import BadPacket
from tandem.media.rtp.dtmf import DtmfEventReceiver, event_payloads
from tandem.media.rtp.packet import SEQ_MOD, TS_MOD, RtpPacket, is_rtcp, parse_rtp
from tandem.media.rtp.quality import CallQuality
from tandem.media.rtp.receiver import PayloadKind, Receiver, Statistics
from tandem.media.rtp.reports import Reporter, SendingState
from tandem.media.rtp.srtp import SrtpReceiver, SrtpSender
from tandem.media.session import Sound, Stream

_pack = struct.Struct("!BBHII").pack
_number = int.from_bytes
_HEADER = 12
_NEVER = -1
_BYTE_A_TICK = frozenset({"PCMU", "PCMA", "G722"})  # the length of a payload tells the next timestamp
_DIGIT_PAUSE = 5  # frames between two digits
NOWHERE = ("0.0.0.0", "::")  # noqa: S104 - a peer's way to hold, by RFC 2543; the kernel would send to ourselves
_PAUSE, _AS_SOUND = -1, -2  # instead of a packet's place in its event

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfReceived:
    """The peer sent a DTMF digit."""

    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What was played has come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfSent:
    """The last of our DTMF digits has gone out."""


Event = DtmfReceived | Played | DtmfSent


class AudioStream:
    """Feed :meth:`receive`, call :meth:`tick` each 20 ms, and take :attr:`events` after either."""

    __slots__ = (
        "_began",
        "_begun",
        "_byte_a_tick",
        "_came",
        "_chunks",
        "_dtmf_in",
        "_dtmf_out",
        "_expected",
        "_frame_s",
        "_frames",
        "_jitter_s",
        "_last",
        "_length",
        "_octets",
        "_opener",
        "_payload_type",
        "_playing",
        "_receiver",
        "_reporter",
        "_second",
        "_sender",
        "_sending",
        "_sequence",
        "_shared",
        "_sound",
        "_ssrc",
        "_step",
        "_ticks",
        "_timestamp",
        "_tones",
        "dropped",
        "events",
        "listening",
        "source",
        "stream",
    )  # fmt: skip

    def __init__(self, frames: FrameCache) -> None:
        self.stream: Stream | None = None
        self.source: Address | None = None
        """Where the peer sends from, once that is known; nobody else is heard."""
        self.events: list[Event] = []
        self.listening = False
        """Whether sound is kept for :meth:`take_sound`."""
        self.dropped = 0
        self._shared = frames
        self._receiver = Receiver(CODECS["PCMU"])
        self._dtmf_in = DtmfEventReceiver()
        self._sender: SrtpSender | None = None
        self._opener: SrtpReceiver | None = None
        # Receiving: the header that is expected, the length of its packet, and what a header grows by.
        self._expected = self._begun = _NEVER
        self._length = self._step = 0
        self._byte_a_tick = False
        self._chunks: list[bytes] = []
        self._sound = bytearray()
        self._last = b""
        self._came = -1.0
        self._frame_s = self._jitter_s = 0.0
        self._tones: ToneReceiver | None = None
        # Sending.
        self._sending = False
        self._playing: tuple[Sound, ...] = ()
        self._began = 0
        self._frames: Iterator[bytes] = iter(())
        self._dtmf_out: deque[tuple[bytes, bool, int]] = deque()
        self._sequence = secrets.randbelow(SEQ_MOD)
        self._timestamp = secrets.randbelow(TS_MOD)
        self._ssrc = secrets.randbelow(TS_MOD)
        self._ticks = self._payload_type = self._second = 0
        self._octets = 0
        self._reporter = Reporter(self._ssrc, self._sequence)

    @property
    def last_heard(self) -> float | None:
        """When the peer's last packet came."""
        return self._came if self._came >= 0 else None

    @property
    def statistics(self) -> Statistics:
        """Counts of what was received."""
        self._report()
        return self._receiver.statistics

    @property
    def target(self) -> Address:
        """Where datagrams go: a peer behind address translation is heard where it proved its key."""
        assert self.stream is not None, "started"
        proven = self.source if self._opener is not None else None
        return proven or (self.stream.host, self.stream.port)

    @property
    def summary(self) -> CallQuality:
        """How the stream went, so far."""
        self._report()
        return self._reporter.summary(self._receiver, dropped=self.dropped)

    def start(self, stream: Stream) -> None:
        """Begin, or go on as agreed anew."""
        before, self.stream = self.stream, stream
        if before is None or (before.suite, before.send_key) != (stream.suite, stream.send_key):
            self._sender = SrtpSender(stream.suite, stream.send_key) if stream.suite else None
        if before is None or (before.suite, before.receive_key) != (stream.suite, stream.receive_key):
            self._opener = SrtpReceiver(stream.suite, stream.receive_key) if stream.suite else None
        if before is None or (before.host, before.port) != (stream.host, stream.port):
            self.source = None
        self._settle()
        if before is None or before.codec != stream.codec:
            self._take_codec(stream)
        if before is None or before.event_clock != stream.event_clock:
            self._dtmf_in = DtmfEventReceiver(stream.event_clock)
        self._tones = (self._tones or ToneReceiver()) if stream.tones else None
        self._payload_type = stream.payload_type
        self._second = stream.payload_type | (0x80 if before is None else 0)
        self._sending = stream.send

    def _take_codec(self, stream: Stream) -> None:
        self._keep(self._receiver.flush(self._came))
        statistics = self._receiver.statistics
        self._receiver = Receiver(CODECS[stream.codec])
        self._receiver.statistics = statistics
        self._ticks = CODECS[stream.codec].ticks
        self._byte_a_tick = stream.codec in _BYTE_A_TICK
        self._frames = self._encoded(stream.codec)

    # Receiving

    def receive_from(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram that anybody may have sent."""
        if self.stream is None:
            return
        known = self.source
        if source != known and (known is not None or (self._opener is None and source[0] != self.stream.host)):
            self.dropped += 1
        elif self.receive(data, now):
            self.source = source

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
        self._jitter_s += (abs(now - self._came - self._frame_s) - self._jitter_s) / 16
        self._came = now
        return True

    def take_sound(self, now: float) -> bytes:
        """The linear sound since the last time, as far as it is complete; none unless :attr:`listening`."""
        self._report()
        if not self._receiver.in_time(now):  # more sound than time: the receiver deals with it
            self._settle()
        sound, self._sound = bytes(self._sound), bytearray()
        return sound

    def finish(self, now: float) -> bytes:
        """The end of receiving: the sound since the last time, with all that was held back for what may have come."""
        self._flush(now)
        return self.take_sound(now)

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
            self._take_control(data, now)
            return False
        try:
            packet = parse_rtp(data)
        except BadPacket:
            self.dropped += 1
            return False
        self._settle()
        kind = self._kind(packet, stream)
        sound = self._receiver.receive(packet, now, kind)
        self._keep(sound)
        if self._tones is not None:
            self.events.extend(DtmfReceived(digit=digit) for digit in self._tones.feed(sound))
        self._came = now
        if kind is PayloadKind.SOUND and len(data) == _HEADER + len(packet.payload):
            self._expect(packet, now)
        return True

    def _kind(self, packet: RtpPacket, stream: Stream) -> PayloadKind:
        if packet.payload_type == stream.payload_type:
            return PayloadKind.SOUND
        if packet.payload_type == stream.event_type and (digit := self._dtmf_in.receive(packet)):
            self.events.append(DtmfReceived(digit=digit))
        return PayloadKind.COMFORT if packet.payload_type == comfort.PAYLOAD_TYPE else PayloadKind.OTHER

    def _expect(self, packet: RtpPacket, now: float) -> None:
        """Set the fast path for what follows this packet, if it was the last and a payload's length tells its time."""
        receiver = self._receiver
        ssrc, sequence, timestamp = packet.ssrc, receiver.next_sequence, receiver.next_timestamp
        if not self._byte_a_tick or self._tones is not None or not receiver.in_time(now):
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

    def _settle(self) -> None:
        """Leave the fast path."""
        self._report()
        self._expected = self._begun = _NEVER

    def _report(self) -> None:
        """Tell the receiver how far the fast path came."""
        if self._expected == self._begun:
            return
        payload = self._length - _HEADER
        if self._chunks:
            sound = self._receiver.decode(b"".join(self._chunks))
            self._chunks.clear()
            self._sound += sound
            self._last = sound[-2 * payload :][-FRAME_BYTES:]
        last = self._expected - self._step  # the header of the last packet, as it came off the wire
        packets = ((last >> 64) + 1 - self._receiver.next_sequence) % SEQ_MOD
        self._receiver.advance(packets, packets * payload, self._came, self._last)
        self._receiver.jitter_s = self._jitter_s
        self._begun = self._expected

    def _flush(self, now: float) -> None:
        self._settle()
        self._keep(self._receiver.flush(now))

    def _keep(self, sound: bytes) -> None:
        if self.listening:
            self._sound += sound

    # Control (RTCP)

    @property
    def control_target(self) -> Address:
        """Where reports go."""
        assert self.stream is not None, "started"
        return self.stream.rtcp or self.target

    def control(self, now: float, *, goodbye: bool = False) -> bytes | None:
        """The report that is due now, or the last one; ask each second."""
        if self.stream is None or self.stream.host in NOWHERE or not (self._reporter.due(now) or goodbye):
            return None
        self._report()
        sent = SendingState(sequence=self._sequence, timestamp=self._timestamp, octets=self._octets)
        data = self._reporter.report(now, self._receiver, sent, goodbye=goodbye)
        return data if self._sender is None else self._sender.protect_rtcp(data)

    def receive_control(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram from the port beside: of the host that is heard, or that proves the key."""
        if self.stream is None:
            return
        known = self.source or (self.stream.host, self.stream.port)
        if self._opener is None and source[0] not in (known[0], self.control_target[0]):
            self.dropped += 1
        else:
            self._take_control(data, now)

    def _take_control(self, data: bytes, now: float) -> None:
        try:
            opened = data if self._opener is None else self._opener.unprotect_rtcp(data)
            self._reporter.receive(opened, now, self._receiver.ssrc)
        except BadPacket:
            self.dropped += 1

    # Sending

    def play(self, sounds: Sequence[Sound]) -> None:
        """Play sounds from now on instead of what is playing; none is silence. The end is told by :class:`Played`."""
        assert self.stream is not None, "started before something is played"
        self._playing, self._began = tuple(sounds), self._sequence
        self._frames = self._encoded(self.stream.codec)

    def send_dtmf(self, digits: str) -> None:
        """Send DTMF digits, one after the other with pauses of 100 ms; as tones if the peer knows no events."""
        assert self.stream is not None, "started before a digit is sent"
        if self.stream.event_type is None:
            tones = b"".join(tone_pair(digit) + bytes(_DIGIT_PAUSE * FRAME_BYTES) for digit in digits)
            self._dtmf_out.extend((payload, False, _AS_SOUND) for payload in CODECS[self.stream.codec].frames(tones))
            return
        for digit in digits:
            payloads = event_payloads(digit, self.stream.event_clock)
            self._dtmf_out.extend((payload, marker, at) for at, (payload, marker) in enumerate(payloads))
            self._dtmf_out.extend([(b"", False, _PAUSE)] * _DIGIT_PAUSE)

    @property
    def dtmf_sent(self) -> bool:
        """Whether every digit has gone out."""
        return not self._dtmf_out

    def tick(self) -> bytes | None:
        """The datagram of these 20 ms: a digit, or sound, or silence; ``None`` while the peer wants to hear nothing."""
        if not self._sending:
            return None
        payload = next(self._frames, None) or self._played()
        second, timestamp, sequence = self._second, self._timestamp, self._sequence
        self._second = self._payload_type
        self._timestamp = timestamp + self._ticks & 0xFFFFFFFF
        self._sequence = sequence + 1 & 0xFFFF
        if self._dtmf_out:
            second, timestamp, payload = self._dtmf_or(second, timestamp, payload)
        self._octets += len(payload)
        packet = _pack(0x80, second, sequence, timestamp, self._ssrc) + payload
        return packet if self._sender is None else self._sender.protect(packet)

    def _dtmf_or(self, second: int, timestamp: int, payload: bytes) -> tuple[int, int, bytes]:
        assert self.stream is not None
        event, marker, at = self._dtmf_out.popleft()
        if not self._dtmf_out:
            self.events.append(DtmfSent())
        if at == _AS_SOUND:
            return second, timestamp, event
        if at == _PAUSE or self.stream.event_type is None:  # a re-INVITE may have taken the events away
            return second, timestamp, payload
        # Every packet of one event carries the timestamp of its beginning (RFC 4733 §2.2.1).
        begun = (timestamp - at * self._ticks) % TS_MOD
        return self.stream.event_type | (0x80 if marker else 0), begun, event

    def _encoded(self, codec: str) -> Iterator[bytes]:
        """The frames of what is playing that have not gone out; after a change of the codec, too."""
        if not self._playing:
            return repeat(silence(codec))
        frames = chain.from_iterable(self._shared.frames(sound, codec) for sound in self._playing)
        played = (self._sequence - self._began) % SEQ_MOD
        return islice(frames, played, None) if played else frames

    def _played(self) -> bytes:
        assert self.stream is not None
        self._playing = ()
        self._frames = repeat(silence(self.stream.codec))
        self.events.append(Played())
        return next(self._frames)
