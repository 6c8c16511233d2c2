"""RTP packets back into continuous sound: ordered, without duplicates, and of the length that really passed.

A recording must have its true length, so time is taken from RTP timestamps:

- Packets wait for earlier ones that are late, at most ``WINDOW`` of them; then the missing ones are lost.
- What was lost is concealed at first (the last sound again, fading) and is silence then.
- A sender that pauses (the numbers go on, the timestamp jumps) is silence, or the noise that its comfort noise packets
  (:rfc:`3389`) tell of.
- A sender that begins again (another SSRC, or numbers far off) proves it by two packets in sequence
  (:rfc:`3550#appendix-A.1`); of its pause only the clock on the wall can tell.
- A timestamp that runs ahead of the wall clock is the sender's clock set again, not a pause, and a sender of more sound
  than time is not taken at its word: it could fill a disk.

Left out: adapting play-out to jitter; nothing is played to a person here, and a recording can wait.
"""

from array import array
from dataclasses import dataclass
from enum import Enum

from tandem.media.codec import comfort, g711
from tandem.media.codec.table import FRAME_BYTES, Codec
from tandem.media.rtp.packet import SEQ_MOD, TS_MOD, RtpPacket

WINDOW = 10
"""Packets (200 ms) that are held back for one that is late."""
MAX_GAP_S = 60
"""A pause beyond this is cut: it is a hold or a sender's new clock, and nobody listens through it."""
SLACK_S = 10.0
"""How far sound may run ahead of the wall clock: bursts after a stop of the network, a sender's clock that is fast."""
_JITTER_S = 0.2  # below it, time on the wall between two packets is no pause
_MAX_DROPOUT, _MAX_MISORDER = 3000, 100
"""Of :rfc:`3550#appendix-A.1`: numbers further ahead, or further back, are of a sender that began again."""
_FADE = (0.8, 0.5, 0.25)
"""Gains of the frames that conceal a loss; after 60 ms a repeated sound is heard as a buzz."""


class PayloadKind(Enum):
    """What a packet of the stream carries."""

    SOUND = "sound"
    COMFORT = "comfort"
    EVENT = "event"  # DTMF
    OTHER = "other"  # what we do not know; only its number counts


@dataclass(slots=True)
class Statistics:
    """Counts of packets of one stream, for the call's log line."""

    received: int = 0
    lost: int = 0
    late: int = 0
    duplicate: int = 0
    excess: int = 0


class Receiver:
    """Takes the packets of one stream, gives linear sound in order.

    :attr:`ssrc`, :attr:`next_sequence` and :attr:`next_timestamp` tell which packet is expected. A driver that has a
    shorter way for an expected sound packet asks :meth:`expects` and tells of it by :meth:`advance`.
    """

    def __init__(self, codec: Codec, *, conceal: bool = True) -> None:
        self.codec = codec
        self.statistics = Statistics()
        self.jitter_s = 0.0
        """How unevenly sound packets come (:rfc:`3550#appendix-A.8`)."""
        self.first_sequence = self.passed = self.missed = 0
        """Of this SSRC: where its numbers began, how many passed, and how many of them never came."""
        self.ssrc: int | None = None
        self.next_sequence = 0
        self.next_timestamp = 0
        self._decoder = codec.decoder()
        self._waiting: dict[int, tuple[RtpPacket, PayloadKind]] = {}
        self._newcomer: tuple[RtpPacket, PayloadKind] | None = None
        self._given_up = range(0)
        self._begun = 0.0
        self._heard_at = 0.0
        self._arrived: tuple[int, float] | None = None  # the last sound packet: its timestamp, and when it came
        self._produced = 0  # samples
        self._noise_level = 127
        self._conceal = conceal
        self._last_frame = b""

    def receive(self, packet: RtpPacket, now: float, kind: PayloadKind = PayloadKind.SOUND) -> bytes:
        """Take a packet; return the sound that is complete now (often one frame, sometimes none or several)."""
        self.statistics.received += 1
        out = b""
        if self.ssrc is None:
            self._begun = self._heard_at = now
            self._start(packet)
        elif self._room(now) < 0:
            self.statistics.excess += 1
            return b""
        elif not self.belongs(packet):
            newcomer, self._newcomer = self._newcomer, (packet, kind)
            if newcomer is None or not _follows(packet, newcomer[0]):
                return b""
            out = self._restarted(newcomer[0], now)
            out += self._take(*newcomer, now)
        self._newcomer = None
        out += self._take(packet, kind, now)
        self._heard_at = now
        if kind is PayloadKind.SOUND:
            self._measure(packet.timestamp, now)
        return out

    def flush(self, now: float) -> bytes:
        """The end: give out all that was held back."""
        out = b""
        while self._waiting:
            out += self._skip(now)
        return out

    def expects(self, ssrc: int, sequence: int, timestamp: int) -> bool:
        """Whether this sound packet is the very next one, with nothing to wait for or to fill in."""
        return (
            sequence == self.next_sequence
            and timestamp == self.next_timestamp
            and ssrc == self.ssrc
            and not self._waiting
            and self._newcomer is None
        )

    def advance(self, packets: int, ticks: int, now: float, last: bytes = b"") -> None:
        """So many expected packets, of so many ticks together, were taken past this receiver.

        ``last`` is the linear sound of the last one, to conceal a loss after it.
        """
        self.statistics.received += packets
        self.passed += packets
        self.next_sequence = (self.next_sequence + packets) % SEQ_MOD
        self.next_timestamp = (self.next_timestamp + ticks) % TS_MOD
        self._produced += self.codec.samples(ticks)
        self._heard_at = now
        self._last_frame = last
        self._arrived = (self.next_timestamp - ticks // packets) % TS_MOD, now

    def decode(self, payloads: bytes) -> bytes:
        """The sound of packets that were taken past this receiver, in their turn among all others."""
        return self._decoder.decode(payloads)

    def belongs(self, packet: RtpPacket) -> bool:
        """Whether a packet goes on with the stream that is heard, and does not begin another."""
        ahead = (packet.sequence - self.next_sequence) % SEQ_MOD
        return packet.ssrc == self.ssrc and not _MAX_DROPOUT <= ahead <= SEQ_MOD - _MAX_MISORDER

    def in_time(self, now: float) -> bool:
        """Whether sound does not run ahead of the wall clock by more than is allowed."""
        return self._room(now) >= 0

    # Which stream

    def _start(self, packet: RtpPacket) -> None:
        self.ssrc, self.next_sequence, self.next_timestamp = packet.ssrc, packet.sequence, packet.timestamp
        self.first_sequence, self.passed, self.missed = packet.sequence, 0, 0
        self._arrived = None
        self._given_up = range(0)
        self._noise_level = 127

    def _restarted(self, packet: RtpPacket, now: float) -> bytes:
        """A sender began again: give out what waited, and the pause before it."""
        out = self.flush(now)
        self._start(packet)
        return out + self._filled(self._pause(now))

    # In which order

    def _take(self, packet: RtpPacket, kind: PayloadKind, now: float) -> bytes:
        ahead = (packet.sequence - self.next_sequence) % SEQ_MOD
        if ahead >= SEQ_MOD // 2:
            if (packet.sequence in self._given_up) or (packet.sequence + SEQ_MOD in self._given_up):
                self.statistics.late += 1
                self.missed -= 1
            else:
                self.statistics.duplicate += 1
            return b""
        if packet.sequence in self._waiting:
            self.statistics.duplicate += 1
            return b""
        self._waiting[packet.sequence] = (packet, kind)
        out = self._ready(now)
        while len(self._waiting) > WINDOW:
            out += self._skip(now)
        return out

    def _skip(self, now: float) -> bytes:
        """Give up on what is missing before the next packet that we have."""
        missing = min((sequence - self.next_sequence) % SEQ_MOD for sequence in self._waiting)
        self.statistics.lost += missing
        self.missed += missing
        self.passed += missing
        self._given_up = range(self.next_sequence, self.next_sequence + missing)
        self.next_sequence = (self.next_sequence + missing) % SEQ_MOD
        return self._ready(now, after_loss=missing > 0)

    def _ready(self, now: float, *, after_loss: bool = False) -> bytes:
        out = []
        while (waiting := self._waiting.pop(self.next_sequence, None)) is not None:
            self.next_sequence = (self.next_sequence + 1) % SEQ_MOD
            self.passed += 1
            packet, kind = waiting
            if kind in (PayloadKind.SOUND, PayloadKind.COMFORT):
                out.append(self._before(packet, now, after_loss))
                out.append(self._sound(packet, kind))
                after_loss = False
        return b"".join(out)

    # Which sound

    def _sound(self, packet: RtpPacket, kind: PayloadKind) -> bytes:
        if kind is PayloadKind.COMFORT:  # it lasts until the next packet, and is filled in then
            self._noise_level = comfort.level_of(packet.payload)
            self.next_timestamp = packet.timestamp
            return b""
        linear = self._decoder.decode(packet.payload)
        samples = len(linear) // 2
        self.next_timestamp = (packet.timestamp + samples * self.codec.clock // g711.RATE) % TS_MOD
        self._produced += samples
        self._last_frame = linear[-FRAME_BYTES:]
        self._noise_level = 127
        return linear

    def _before(self, packet: RtpPacket, now: float, after_loss: bool) -> bytes:
        """What fills the time between the sound before and this packet."""
        ticks = (packet.timestamp - self.next_timestamp) % TS_MOD
        if not ticks:
            return b""
        samples = self.codec.samples(ticks)
        if samples > min(self._room(now), (now - self._heard_at + SLACK_S) * g711.RATE):  # ahead of time, or backwards
            samples = self._pause(now)
        return self._filled(samples, conceal=after_loss and self._conceal)

    def _room(self, now: float) -> float:
        """Samples by which the sound may still run ahead of the wall clock."""
        return (now - self._begun + SLACK_S) * g711.RATE - self._produced

    def _pause(self, now: float) -> int:
        """Samples that passed since the last packet, by the wall clock."""
        pause = now - self._heard_at
        return int(pause * g711.RATE) if pause > _JITTER_S else 0

    def _filled(self, samples: int, *, conceal: bool = False) -> bytes:
        samples = min(samples, MAX_GAP_S * g711.RATE)
        again = _concealed(self._last_frame)[: 2 * samples] if conceal else b""
        start, self._produced = self._produced, self._produced + samples
        return again + comfort.noise(self._noise_level, samples - len(again) // 2, start)

    def _measure(self, timestamp: int, now: float) -> None:
        before, self._arrived = self._arrived, (timestamp, now)
        if before is None:
            return
        ticks = (timestamp - before[0] + TS_MOD // 2) % TS_MOD - TS_MOD // 2
        uneven = abs(now - before[1] - ticks / self.codec.clock)
        if uneven < SLACK_S:  # else the sender's clock was set again
            self.jitter_s += (uneven - self.jitter_s) / 16


def _follows(packet: RtpPacket, before: RtpPacket) -> bool:
    return packet.ssrc == before.ssrc and packet.sequence == (before.sequence + 1) % SEQ_MOD


def _concealed(frame: bytes) -> bytes:
    samples = array("h", frame)
    return b"".join(array("h", [int(sample * gain) for sample in samples]).tobytes() for gain in _FADE)
