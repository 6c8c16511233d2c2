"""The sending half of an audio stream, sans-IO: each 20 ms one datagram; on a bridge, what the other call received.

RTP flows without a pause (silence while nothing is played), so that the peer sees a living stream. Sequence numbers and
timestamps go on through everything: playbacks, changes of the codec, the beginning and end of a bridge, a bridged peer that
begins another stream.

On a bridge the peer gets each packet of the other side when it comes, with its place kept: what was lost or came late there
shows as a gap here, so that the peer can conceal it. Our own sound (a playback, DTMF) goes before: meanwhile the other
side's packets are dropped. When nothing comes for ``QUIET_TICKS``, silence is sent again.
"""

import secrets
import struct
from collections import deque
from collections.abc import Iterator
from itertools import repeat

from tandem.media.codec.inband import tone_pair
from tandem.media.codec.table import CODECS, FRAME_BYTES, silence
from tandem.media.events import DtmfSent, Played, StreamEvent
from tandem.media.playing import PlaybackSource
from tandem.media.rtp.dtmf import event_payloads
from tandem.media.rtp.packet import SEQ_MOD, TS_MOD, RtpPacket
from tandem.media.rtp.reports import SendingState
from tandem.media.rtp.srtp import SrtpSender
from tandem.media.session import Stream

_pack = struct.Struct("!BBHII").pack
_DIGIT_PAUSE = 5  # frames between two digits
_PAUSE, _AS_SOUND = -1, -2  # instead of a packet's place in its event
_MARKER = 0x80
QUIET_TICKS = 50
"""Ticks (1 s) without a packet from the other side of a bridge, after which silence is sent."""
_MAX_JUMP = 3000  # RFC 3550 appendix A.1 (MAX_DROPOUT): beyond it, the other side began another stream


class AudioSender:
    """Call :meth:`tick` each 20 ms; part of :class:`tandem.media.stream.AudioStream`."""

    __slots__ = (
        "_began", "_bridged", "_dtmf_out", "_ended_at", "_frames", "_idle", "_joined", "_mapped_at", "_next", "_octets",
        "_payload_type", "_second", "_sending", "_sequence", "_sequence_offset", "_source", "_srtp", "_theirs",
        "_ticks", "_timestamp", "_timestamp_offset", "events", "ssrc", "stream",
    )  # fmt: skip

    def __init__(self, events: list[StreamEvent]) -> None:
        self.stream: Stream | None = None
        self.events = events
        self.ssrc = secrets.randbelow(TS_MOD)
        self._srtp: SrtpSender | None = None
        self._sending = False
        self._source: PlaybackSource | None = None
        self._began = self._ended_at = 0
        self._frames: Iterator[bytes] = iter(())
        self._dtmf_out: deque[tuple[bytes, bool, int]] = deque()
        self._sequence = secrets.randbelow(SEQ_MOD)
        self._timestamp = secrets.randbelow(TS_MOD)
        self._ticks = self._payload_type = self._second = 0
        self._octets = 0
        # On a bridge: whether the last packet was the other side's, its stream, and how its numbers become ours.
        self._bridged = self._joined = False
        self._theirs: int | None = None
        self._sequence_offset = self._timestamp_offset = self._mapped_at = 0
        self._next = self._idle = 0

    @property
    def state(self) -> SendingState:
        """Where our stream is."""
        return SendingState(sequence=self._sequence, timestamp=self._timestamp, octets=self._octets)

    def start(self, stream: Stream) -> None:
        """Begin, or go on with a new agreement; keys that did not change keep their state."""
        before, self.stream = self.stream, stream
        if before is None or (before.suite, before.send_key) != (stream.suite, stream.send_key):
            self._srtp = SrtpSender(stream.suite, stream.send_key) if stream.suite else None
        if before is None or before.codec != stream.codec:
            self._ticks = CODECS[stream.codec].ticks
            self._frames = self._payloads(stream.codec)
            self._joined = False
        self._payload_type = stream.payload_type
        self._second = stream.payload_type | (_MARKER if before is None else 0)
        self._sending = stream.send

    def pause(self, paused: bool) -> None:
        """Send nothing for a while, and go on where it was."""
        self._sending = self.stream is not None and self.stream.send and not paused

    def protect_control(self, data: bytes) -> bytes:
        """A datagram of RTCP as it goes onto the wire."""
        return data if self._srtp is None else self._srtp.protect_rtcp(data)

    # What is played

    def play(self, source: PlaybackSource | None) -> None:
        """Play this from now on instead of what is playing; ``None`` is silence. The end is told by :class:`Played`."""
        assert self.stream is not None, "started before something is played"
        self._source, self._began, self._ended_at = source, self._sequence, 0
        self._frames = self._payloads(self.stream.codec)

    @property
    def position(self) -> int:
        """Samples of what is playing that have gone out, or of what has been played to its end."""
        if self._source is None:
            return self._ended_at
        return self._source.position((self._sequence - self._began) % SEQ_MOD)

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
        if self._bridged and self._other_speaks():
            return None
        payload = next(self._frames, None) or self._played()
        second, timestamp, sequence = self._second, self._timestamp, self._sequence
        self._second = self._payload_type
        self._timestamp = timestamp + self._ticks & 0xFFFFFFFF
        self._sequence = sequence + 1 & 0xFFFF
        if self._dtmf_out:
            second, timestamp, payload = self._dtmf_or(second, timestamp, payload)
        self._octets += len(payload)
        packet = _pack(0x80, second, sequence, timestamp, self.ssrc) + payload
        return packet if self._srtp is None else self._srtp.protect(packet)

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
        return self.stream.event_type | (_MARKER if marker else 0), begun, event

    def _payloads(self, codec: str) -> Iterator[bytes]:
        """The frames of what is playing that have not gone out; after a change of the codec, too."""
        if self._source is None:
            return repeat(silence(codec))
        return self._source.payloads(codec, (self._sequence - self._began) % SEQ_MOD)

    def _played(self) -> bytes:
        assert self.stream is not None
        self._ended_at, self._source = self.position, None
        self._frames = repeat(silence(self.stream.codec))
        self.events.append(Played())
        return next(self._frames)

    # What the other side of a bridge says

    def bridge(self, bridged: bool) -> None:
        """Send what the other side of a bridge says from now on, or our own sound alone again."""
        self._leave()
        self._bridged, self._idle = bridged, QUIET_TICKS  # silence until the other side is heard

    def relay_next(self, payload: bytes, ticks: int, *, skipped: int = 0) -> bytes | None:
        """The next payload of the other side, of so many ticks of our clock, behind as many that are left out."""
        if not self._may_relay():
            return None
        second, timestamp = self._payload_type, self._next + skipped & 0xFFFFFFFF
        if not self._joined:
            self._theirs = None
            second, timestamp = second | _MARKER, self._timestamp
        self._next = self._timestamp = timestamp + ticks & 0xFFFFFFFF
        return self._relayed(second, self._sequence, timestamp, payload)

    def relay_packet(self, packet: RtpPacket, payload_type: int, ticks: int) -> bytes | None:
        """A packet of the other side in the same codec, whatever its place; of ``ticks``, 0 for an event."""
        if not self._may_relay():
            return None
        second = payload_type | (_MARKER if packet.marker else 0)
        sequence = (packet.sequence + self._sequence_offset) % SEQ_MOD
        ahead = (sequence - self._sequence) % SEQ_MOD
        if not self._joined or packet.ssrc != self._theirs or _MAX_JUMP < ahead < SEQ_MOD - _MAX_JUMP:
            second |= 0 if self._joined and self._theirs is None else _MARKER
            self._map(packet)
            sequence, ahead = self._sequence, 0
        if ahead >= SEQ_MOD // 2:
            if SEQ_MOD - ahead > (self._sequence - self._mapped_at) % SEQ_MOD:  # from before the bridge
                return None
            return self._packet(second, sequence, (packet.timestamp + self._timestamp_offset) % TS_MOD, packet.payload)
        timestamp = (packet.timestamp + self._timestamp_offset) % TS_MOD
        if ticks:
            self._next = self._timestamp = (timestamp + ticks) % TS_MOD
        return self._relayed(second, sequence, timestamp, packet.payload)

    def relay_event(self, payload: bytes, timestamp: int | None, *, marker: bool) -> tuple[bytes | None, int]:
        """A DTMF event of the other side in another codec: its packet, and the timestamp that the event has here."""
        if timestamp is None:
            timestamp = self._next if self._joined else self._timestamp
        if not self._may_relay():
            return None, timestamp
        assert self.stream is not None and self.stream.event_type is not None
        if not self._joined:
            self._next = timestamp
        second = self.stream.event_type | (_MARKER if marker else 0)
        return self._relayed(second, self._sequence, timestamp, payload), timestamp

    def _may_relay(self) -> bool:
        """Whether the peer is sent what the other side says: not on hold, and not while our own sound plays."""
        if self._sending and self._source is None and not self._dtmf_out:
            return True
        self._leave()
        return False

    def _relayed(self, second: int, sequence: int, timestamp: int, payload: bytes) -> bytes:
        self._joined, self._idle = True, 0
        self._sequence = sequence + 1 & 0xFFFF
        return self._packet(second, sequence, timestamp, payload)

    def _packet(self, second: int, sequence: int, timestamp: int, payload: bytes) -> bytes:
        self._octets += len(payload)
        packet = _pack(0x80, second, sequence, timestamp, self.ssrc) + payload
        return packet if self._srtp is None else self._srtp.protect(packet)

    def _map(self, packet: RtpPacket) -> None:
        """This packet of theirs is our next one."""
        timestamp = self._next if self._joined and self._theirs is None else self._timestamp
        self._theirs, self._mapped_at = packet.ssrc, self._sequence
        self._sequence_offset = self._sequence - packet.sequence
        self._timestamp_offset = timestamp - packet.timestamp

    def _other_speaks(self) -> bool:
        """Whether nothing of ours is to be sent at this tick of a bridge; our clock goes on."""
        self._idle += 1
        if self._source is None and not self._dtmf_out and self._idle < QUIET_TICKS:
            if self._idle > 1:  # the first tick behind a packet is that packet's own
                self._timestamp = self._timestamp + self._ticks & 0xFFFFFFFF
            return True
        self._leave()
        return False

    def _leave(self) -> None:
        if self._joined:
            self._joined = False
            self._second = self._payload_type | _MARKER
