"""Keys as RTP events, as peers send them and as networks lose them."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.media.rtp.dtmf import DIGITS, DtmfEventReceiver, event_payloads
from tandem.media.rtp.packet import RtpPacket


def event(key: str, duration: int, *, at: int = 0, end: bool = False, marker: bool = False, ssrc: int = 1) -> RtpPacket:
    payload = struct.pack("!BBH", DIGITS.index(key), 0x80 * end | 10, duration)
    return RtpPacket(payload_type=101, sequence=0, timestamp=at % 2**32, ssrc=ssrc, payload=payload, marker=marker)


def press(key: str, at: int, clock: int = 8000) -> list[RtpPacket]:
    """A press as we send it."""
    return [
        RtpPacket(payload_type=101, sequence=0, timestamp=at % 2**32, ssrc=1, payload=payload, marker=marker)
        for payload, marker in event_payloads(key, clock)
    ]


def digits_of(packets: list[RtpPacket], clock: int = 8000) -> str:
    receiver = DtmfEventReceiver(clock)
    return "".join(key for packet in packets if (key := receiver.receive(packet)))


@pytest.mark.parametrize("clock", [8000, 48_000])
def test_every_key_is_told_of_once_in_every_clock(clock: int) -> None:
    packets = [packet for at, key in enumerate(DIGITS) for packet in press(key, at * clock // 4, clock)]
    assert digits_of(packets, clock) == DIGITS


@pytest.mark.parametrize("clock", [8000, 48_000])
def test_a_press_says_how_long_it_is_and_tells_of_its_end_three_times(clock: int) -> None:
    read = [struct.unpack("!BBH", payload) for payload, _ in event_payloads("7", clock)]
    assert [duration for _, _, duration in read] == [clock * ms // 1000 for ms in (20, 40, 60, 80, 100, 100, 100)]
    assert [flags >> 7 for _, flags, _ in read] == [0, 0, 0, 0, 1, 1, 1]
    assert [marker for _, marker in event_payloads("7", clock)] == [True] + 6 * [False]


@given(st.lists(st.tuples(st.sampled_from(DIGITS), st.sets(st.integers(0, 6), max_size=6)), max_size=10), st.randoms())
def test_a_press_is_told_of_once_whichever_of_its_packets_are_lost_doubled_or_late(
    presses: list[tuple[str, set[int]]], rng: random.Random
) -> None:
    arrivals = []
    for number, (key, lost) in enumerate(presses):
        for at, packet in enumerate(press(key, number * 1600)):
            if at not in lost:
                # Each may come twice, and late, but presses begin in the order in which they were pressed.
                delays = [0, rng.choice([0, 5, 12])] if at else [0]
                arrivals += [(number * 10 + at + delay * bool(index), packet) for index, delay in enumerate(delays)]
    arrivals.sort(key=lambda arrival: arrival[0])
    assert digits_of([packet for _, packet in arrivals]) == "".join(key for key, _ in presses)


def test_a_press_longer_than_its_duration_can_tell_is_one_press() -> None:
    packets = [event("5", 160 * n, marker=n == 1) for n in range(1, 410)]
    packets += [event("5", 160 * n, at=0xFFFF) for n in range(1, 410)]
    packets += [event("5", 160 * n, at=2 * 0xFFFF, end=n > 50) for n in range(1, 53)]
    assert digits_of(packets) == "5"
    assert digits_of(packets[:400] + packets[425:]) == "5"  # what joins the segments was lost


def test_two_long_presses_of_one_key_are_two_even_if_the_ends_were_lost() -> None:
    first = [event("5", 160 * n, marker=n == 1) for n in range(1, 300)]
    assert digits_of(first + [event("5", 160 * n, at=0xFFFF + 3000, marker=n == 1) for n in range(1, 9)]) == "55"
    ended = [*first, event("5", 0xFFFF, end=True)]
    assert digits_of([*ended, event("5", 160, at=0xFFFF)]) == "55"


def test_a_late_packet_of_the_key_before_is_no_key() -> None:
    first, second = press("1", 0), press("2", 1600)
    assert digits_of([*first[:3], *second[:2], *first[3:], *second[2:]]) == "12"


def test_a_new_stream_may_begin_at_a_timestamp_that_was_there_before() -> None:
    assert digits_of([event("1", 160), event("1", 160, ssrc=2), event("1", 320, ssrc=2)]) == "11"


@given(st.lists(st.tuples(st.binary(max_size=6), st.integers(0, 2**32 - 1)), max_size=20))
def test_no_payload_makes_it_raise(packets: list[tuple[bytes, int]]) -> None:
    receiver = DtmfEventReceiver()
    for payload, timestamp in packets:
        packet = RtpPacket(payload_type=101, sequence=0, timestamp=timestamp, ssrc=1, payload=payload)
        assert receiver.receive(packet) in (None, *DIGITS)
