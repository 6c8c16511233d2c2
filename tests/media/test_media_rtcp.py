"""RTCP: what is written is read, what is no RTCP is refused, and two of us learn of each other how it goes."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.media.codec.table import CODECS
from tandem.media.errors import BadPacket
from tandem.media.rtp.packet import RtpPacket
from tandem.media.rtp.quality import IMPAIRMENT, Quality
from tandem.media.rtp.receiver import Receiver
from tandem.media.rtp.reports import INTERVAL_S, Reporter, SendingState
from tandem.media.rtp.rtcp import Goodbye, ReportBlock, RtcpReport, SenderInfo, build_rtcp, parse_rtcp

WORDS = st.integers(0, 2**32 - 1)
BLOCKS = st.builds(
    ReportBlock,
    ssrc=WORDS,
    fraction=st.integers(0, 255),
    lost=st.integers(-(2**23), 2**23 - 1),
    highest=WORDS,
    jitter=WORDS,
    last_report=WORDS,
    delay=WORDS,
)
SENDERS = st.builds(SenderInfo, ntp=st.integers(0, 2**64 - 1), timestamp=WORDS, packets=WORDS, octets=WORDS)
REPORTS = st.builds(
    RtcpReport, ssrc=WORDS, sender=st.none() | SENDERS, blocks=st.lists(BLOCKS, max_size=31).map(tuple)
)  # fmt: skip
ONE = build_rtcp(RtcpReport(ssrc=7, blocks=(ReportBlock(ssrc=8, fraction=1, lost=2, highest=3, jitter=4),)), cname="x")


@given(REPORTS, st.text(max_size=300), st.booleans())
def test_a_report_is_read_as_it_was_written(report: RtcpReport, cname: str, goodbye: bool) -> None:
    data = build_rtcp(report, cname=cname, goodbye=goodbye)
    assert len(data) % 4 == 0
    assert parse_rtcp(data) == [report, *([Goodbye(ssrcs=(report.ssrc,))] if goodbye else [])]


def test_the_cname_stands_where_others_read_it() -> None:
    assert ONE[32:] == struct.pack("!BBHIBB", 0x81, 202, 2, 7, 1, 1) + b"x\0"


def test_types_that_are_not_known_and_padding_at_the_end_are_passed_over() -> None:
    app = struct.pack("!BBHI4s", 0x80, 204, 2, 7, b"test")
    padded = struct.pack("!BBHI", 0xA0, 204, 2, 7) + b"\0\0\0\4"
    assert parse_rtcp(ONE + app + padded) == parse_rtcp(ONE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ONE[:-1],
        ONE[:6],
        b"\x40" + ONE[1:],
        b"\x82" + ONE[1:],  # two blocks are told of, one is there
        b"\xa1" + ONE[1:],  # padding in front of another packet
        struct.pack("!BBHI", 0xA0, 201, 1, 0),  # padding of no bytes
        struct.pack("!BBHI", 0x80, 100, 1, 7),
        struct.pack("!BBH", 0x83, 203, 0),
        struct.pack("!BBHI", 0x80, 200, 1, 7),
    ],
)
def test_what_is_no_rtcp_is_refused(data: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_rtcp(data)


@given(st.binary(max_size=80), st.integers(200, 203), st.integers(0, 31))
def test_no_bytes_make_it_raise_anything_else(data: bytes, kind: int, count: int) -> None:
    for candidate in (data, struct.pack("!BBH", 0x80 | count, kind, len(data) // 4) + data, ONE + data):
        try:
            parse_rtcp(candidate)
        except BadPacket:
            pass


# How it goes


def stream(receiver: Receiver, numbers: list[int], *, jitter_s: float = 0.0, ssrc: int = 2) -> None:
    rng = random.Random(1)
    for n in numbers:
        packet = RtpPacket(payload_type=0, sequence=n % 2**16, timestamp=160 * n, ssrc=ssrc, payload=bytes(160))
        receiver.receive(packet, 0.02 * n + jitter_s * rng.random())


def block_of(reporter: Reporter, receiver: Receiver, now: float = 10.0) -> ReportBlock:
    (report,) = parse_rtcp(reporter.report(now, receiver, SendingState(sequence=0, timestamp=0, octets=0)))
    assert isinstance(report, RtcpReport) and report.sender is None
    return report.blocks[0]


def test_losses_are_told_of_since_the_last_report_and_of_all() -> None:
    reporter, receiver = Reporter(1, 0), Receiver(CODECS["PCMU"])
    stream(receiver, [n for n in range(65_500, 65_600) if n % 4 or n > 65_580])
    first = block_of(reporter, receiver)
    # The first of all nobody can miss.
    assert first.lost == 20 and first.fraction == 256 * 20 // 99
    assert first.highest == 65_599  # extended: once around
    stream(receiver, list(range(65_600, 65_700)))
    second = block_of(reporter, receiver)
    assert (second.lost, second.fraction, second.highest) == (20, 0, 65_699)


def test_a_packet_that_comes_when_it_was_given_up_is_not_lost() -> None:
    reporter, receiver = Reporter(1, 0), Receiver(CODECS["PCMU"])
    stream(receiver, [0, *range(2, 30), 1])
    assert block_of(reporter, receiver).lost == 0


def test_a_new_stream_is_counted_anew() -> None:
    reporter, receiver = Reporter(1, 0), Receiver(CODECS["PCMU"])
    stream(receiver, [n for n in range(100) if n % 2 == 0])
    assert block_of(reporter, receiver).fraction > 100
    stream(receiver, list(range(200, 300)), ssrc=3)
    fresh = block_of(reporter, receiver)
    assert (fresh.ssrc, fresh.lost, fresh.fraction, fresh.highest) == (3, 0, 0, 299)


@pytest.mark.parametrize("name", CODECS)
def test_jitter_is_how_unevenly_packets_come(name: str) -> None:
    codec = CODECS[name]
    receiver, rng = Receiver(codec), random.Random(1)
    for n in range(500):
        packet = RtpPacket(payload_type=0, sequence=n, timestamp=codec.ticks * n, ssrc=1, payload=b"")
        receiver.receive(packet, 0.02 * n + 0.03 * rng.random())
    assert receiver.jitter_s == pytest.approx(0.01, rel=0.4)  # two uniform draws lie a third of their range apart
    assert Reporter(1, 0).report(10, receiver, SendingState(sequence=0, timestamp=0, octets=0))
    assert block_of(Reporter(1, 0), receiver).jitter == int(receiver.jitter_s * codec.clock)


@given(st.floats(0, 2), st.floats(0, 4), st.floats(0, 1e6))
def test_two_of_us_measure_the_round_trip(one_way_s: float, waits_s: float, start: float) -> None:
    ours, theirs = Reporter(1, 0), Reporter(2, 0)
    ours_hears, theirs_hears = Receiver(CODECS["PCMU"]), Receiver(CODECS["PCMU"])
    stream(ours_hears, [0], ssrc=2)
    stream(theirs_hears, [0], ssrc=1)
    sent = SendingState(sequence=50, timestamp=0, octets=8000)
    there = start + 1 + one_way_s
    theirs.receive(ours.report(start + 1, ours_hears, sent), there, 1)
    back = there + waits_s
    ours.receive(theirs.report(back, theirs_hears, sent), back + one_way_s, 2)
    assert ours.round_trip_s == pytest.approx(2 * one_way_s, abs=0.001)


def test_a_sender_is_told_what_the_peer_lost_of_its_packets() -> None:
    ours, theirs, hears = Reporter(1, 0), Reporter(2, 0), Receiver(CODECS["PCMU"])
    stream(hears, [n for n in range(100) if n % 4 or n > 80], ssrc=1)
    ours.report(2.0, Receiver(CODECS["PCMU"]), SendingState(sequence=100, timestamp=0, octets=16_000))
    ours.receive(theirs.report(2.0, hears, SendingState(sequence=0, timestamp=0, octets=0)), 2.1, None)
    assert ours.remote_lost == 0.2


@given(st.lists(REPORTS, max_size=5))
@pytest.mark.slow
def test_a_peer_that_reports_nonsense_changes_nothing_that_cannot_be(reports: list[RtcpReport]) -> None:
    ours, receiver = Reporter(1, 0), Receiver(CODECS["PCMU"])
    ours.report(1.0, receiver, SendingState(sequence=10, timestamp=0, octets=0))
    for at, report in enumerate(reports):
        blocks = tuple(ReportBlock(ssrc=1, fraction=255, lost=b.lost, highest=0, jitter=b.jitter, last_report=b.last_report,
                             delay=b.delay) for b in report.blocks)  # fmt: skip
        ours.receive(build_rtcp(RtcpReport(ssrc=2, sender=report.sender, blocks=blocks), cname="x"), 2.0 + at, 2)
        assert ours.round_trip_s is None or 0 <= ours.round_trip_s <= 10
        assert ours.remote_lost is None or 0 <= ours.remote_lost <= 1
        assert ours.report(2.5 + at, receiver, SendingState(sequence=10, timestamp=0, octets=0))


def test_reports_are_due_every_five_seconds_or_so_and_at_once_at_the_start() -> None:
    reporters = [Reporter(1, 0) for _ in range(300)]
    assert not any(reporter.due(100.0) for reporter in reporters)
    firsts = [reporter.due_at - 100 for reporter in reporters if reporter.due_at]
    assert 1.0 < min(firsts) < max(firsts) < 3.1 and all(reporter.due(103.1) for reporter in reporters)
    reporter, receiver = Reporter(1, 0), Receiver(CODECS["PCMU"])
    waits = []
    for at in range(300):
        reporter.report(float(at), receiver, SendingState(sequence=0, timestamp=0, octets=0))
        waits.append((reporter.due_at or 0) - at)
    # RFC 3550 §6.3.1: drawn from half to one and a half, over e - 3/2; which makes it somewhat less on average.
    assert 2.05 <= min(waits) < 2.6 and 5.6 < max(waits) <= 6.2
    assert sum(waits) / len(waits) == pytest.approx(INTERVAL_S / 1.218, rel=0.1)


def test_a_side_that_sends_tells_of_itself_and_one_that_is_silent_does_not() -> None:
    reporter, receiver = Reporter(1, 0), Receiver(CODECS["PCMU"])
    sent = SendingState(sequence=7, timestamp=5, octets=9)
    (sender,) = parse_rtcp(reporter.report(1.0, receiver, sent))
    (silent,) = parse_rtcp(reporter.report(2.0, receiver, sent))
    assert isinstance(sender, RtcpReport) and sender.sender and sender.sender.packets == 7
    assert isinstance(silent, RtcpReport) and silent.sender is None and silent.blocks == ()


# Quality


@pytest.mark.parametrize(
    ("quality", "mos"),
    [
        # By hand, with R: 93.2; 93.2 - 95/5.3; 93.2 - 475/9.3; 93.2 - 24.07 (at 400 ms); 93.2 - 5 - 90/11.
        (Quality(codec="PCMU", lost=0, jitter_s=0), 4.41),
        (Quality(codec="PCMA", lost=0.01, jitter_s=0.002), 3.84),
        (Quality(codec="PCMU", lost=0.05, jitter_s=0.01), 2.17),
        (Quality(codec="PCMU", lost=0, jitter_s=0, round_trip_s=0.76), 3.55),
        (Quality(codec="opus", lost=0.01, jitter_s=0), 4.01),
        (Quality(codec="PCMU", lost=1, jitter_s=3, round_trip_s=9), 1.0),
    ],
)
def test_the_score_follows_the_model(quality: Quality, mos: float) -> None:
    assert quality.mos == pytest.approx(mos, abs=0.02)


@given(st.sampled_from(list(IMPAIRMENT)), st.floats(0, 1), st.floats(0, 2), st.floats(0, 10))
def test_more_loss_or_delay_is_never_better(codec: str, lost: float, jitter_s: float, trip_s: float) -> None:
    quality = Quality(codec=codec, lost=lost, jitter_s=jitter_s, round_trip_s=trip_s)
    assert 1.0 <= quality.mos <= 4.5
    assert Quality(codec=codec, lost=lost / 2, jitter_s=jitter_s, round_trip_s=trip_s).rating >= quality.rating
    assert (
        Quality(codec=codec, lost=lost, jitter_s=jitter_s / 2, round_trip_s=trip_s / 2).rating >= quality.rating - 1e-9
    )


def test_every_codec_has_its_values() -> None:
    assert set(IMPAIRMENT) == set(CODECS)
