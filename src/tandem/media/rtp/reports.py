"""When reports go out and what is in them (RFC 3550 §6.2 to §6.4): one stream's side of RTCP, sans-IO.

Two parties of one call: the interval is the shortest that the RFC allows, 5 seconds (half at first), drawn between half and
one and a half of it and divided by e - 3/2. Nothing has to be reconsidered, as nobody joins. Times of ours are counted from
the start of the stream, which §6.4.1 permits who tells no time of day. Left out: the reports' own bandwidth, which is below
any limit, and what a peer reports of others.
"""

import math
import secrets
from dataclasses import dataclass

from tandem.media.rtp.packet import SEQ_MOD
from tandem.media.rtp.quality import CallQuality, Quality
from tandem.media.rtp.receiver import Receiver
from tandem.media.rtp.rtcp import ReportBlock, RtcpReport, SenderInfo, build_rtcp, parse_rtcp

INTERVAL_S = 5.0
_COMPENSATION = math.e - 1.5
_LONGEST_TRIP_S = 10.0  # beyond it, a peer's numbers do not fit ours
_MOD = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingState:
    """The state of our stream: number and timestamp of its next packet, and the bytes of payload so far."""

    sequence: int
    timestamp: int
    octets: int


class Reporter:
    """Give it what comes (:meth:`receive`), send what is due (:meth:`due`, :meth:`report`), each second at least."""

    def __init__(self, ssrc: int, sequence: int) -> None:
        self.ssrc = ssrc
        self.cname = secrets.token_urlsafe(12)  # RFC 7022: 96 random bits for each call
        self.due_at: float | None = None
        self.round_trip_s: float | None = None
        self.remote_lost: float | None = None
        """Share of our packets that the peer lost, all in all; known once it reported."""
        self.remote_jitter: int | None = None
        """Ticks."""
        self._begun: float | None = None
        self._heard: tuple[int, float] | None = None  # middle of the peer's last NTP time, and when it came
        self._reported: tuple[int | None, int, int] = (None, 0, 0)  # the source, and what was told of it last
        self._sequence = sequence
        self._packets = 0

    def due(self, now: float) -> bool:
        """Whether it is time for a report; the first time this is asked, time begins."""
        if self.due_at is None:
            self.due_at = now + _drawn(INTERVAL_S / 2)
        return now >= self.due_at

    def report(self, now: float, receiver: Receiver, sent: SendingState, *, goodbye: bool = False) -> bytes:
        """The compound datagram of this moment; the next one is due at :attr:`due_at`."""
        self.due_at = now + _drawn(INTERVAL_S)
        sender = None
        if fresh := (sent.sequence - self._sequence) % SEQ_MOD:
            self._sequence, self._packets = sent.sequence, self._packets + fresh
            ntp = self._ntp(now)
            sender = SenderInfo(ntp=ntp, timestamp=sent.timestamp, packets=self._packets, octets=sent.octets)
        blocks = (self._block(now, receiver),) if receiver.ssrc is not None else ()
        return build_rtcp(RtcpReport(ssrc=self.ssrc, sender=sender, blocks=blocks), cname=self.cname, goodbye=goodbye)

    def receive(self, data: bytes, now: float, source: int | None) -> None:
        """Take a datagram that came; ``source`` is the SSRC of the stream that we receive, if any.

        Raises :class:`tandem.media.errors.BadPacket` for anything that is not RTCP.
        """
        for each in parse_rtcp(data):
            if isinstance(each, RtcpReport):  # a goodbye changes nothing: signalling ends calls
                self._take(each, now, source)

    def summary(self, receiver: Receiver, *, dropped: int) -> CallQuality:
        """How the stream went, so far; ``dropped`` packets were not the peer's."""
        counts = receiver.statistics
        return CallQuality(
            received=counts.received,
            lost=counts.lost,
            late=counts.late,
            dropped=dropped,
            quality=Quality(
                codec=receiver.codec.name,
                lost=max(0, counts.lost - counts.late) / max(1, counts.received + counts.lost),
                jitter_s=receiver.jitter_s,
                round_trip_s=self.round_trip_s,
                remote_lost=self.remote_lost,
            ),
        )

    def _take(self, report: RtcpReport, now: float, source: int | None) -> None:
        if report.sender and source in (None, report.ssrc):
            self._heard = report.sender.ntp >> 16 & 0xFFFFFFFF, now
        for block in report.blocks:
            if block.ssrc != self.ssrc:
                continue
            self.remote_jitter = block.jitter
            if self._packets:
                self.remote_lost = min(1.0, max(0, block.lost) / self._packets)
            if block.last_report:
                trip = ((self._ntp(now) >> 16) - block.last_report - block.delay) % _MOD / 65_536
                self.round_trip_s = trip if trip < _LONGEST_TRIP_S else self.round_trip_s

    def _block(self, now: float, receiver: Receiver) -> ReportBlock:
        """Appendix A.3: lost is what was expected less what came, so that what came twice makes up for it."""
        assert receiver.ssrc is not None
        same = self._reported[0] == receiver.ssrc and self._reported[1] <= receiver.passed
        expected_before, lost_before = self._reported[1:] if same else (0, 0)
        expected, lost = receiver.passed - expected_before, receiver.missed - lost_before
        self._reported = receiver.ssrc, receiver.passed, receiver.missed
        last_report, heard_at = self._heard or (0, now)
        return ReportBlock(
            ssrc=receiver.ssrc,
            fraction=min(255, 256 * max(0, lost) // expected) if expected > 0 else 0,
            lost=receiver.missed,
            highest=(receiver.first_sequence + max(0, receiver.passed - 1)) % _MOD,
            jitter=int(receiver.jitter_s * receiver.codec.clock) % _MOD,
            last_report=last_report,
            delay=int((now - heard_at) * 65_536) % _MOD,
        )

    def _ntp(self, now: float) -> int:
        if self._begun is None:
            self._begun = now
        return int((now - self._begun + 1) * _MOD)  # not 0, which would say that there is no time


def _drawn(interval_s: float) -> float:
    return interval_s * (0.5 + secrets.randbelow(1 << 16) / (1 << 16)) / _COMPENSATION
