"""Packets into continuous sound: order, true length, what fills gaps, and senders that misbehave."""

import random
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.media.codec import comfort, g711
from tandem.media.codec.level import level
from tandem.media.codec.table import CODECS, silence
from tandem.media.rtp.packet import RtpPacket
from tandem.media.rtp.receiver import WINDOW, PayloadKind, Receiver

FRAME = 160
PCMU = CODECS["PCMU"]


def packet(number: int, *, seq0: int = 65_530, ts0: int = 2**32 - 500, ssrc: int = 7, shift: int = 0) -> RtpPacket:
    """Packet ``number`` of a stream whose counters wrap around soon; its payload tells which one it is."""
    return RtpPacket(
        payload_type=0,
        sequence=(seq0 + number) % 2**16,
        timestamp=(ts0 + FRAME * number + shift) % 2**32,
        ssrc=ssrc,
        payload=bytes([number % 256]) * FRAME,
    )


def sound(number: int) -> bytes:
    return g711.decode(bytes([number % 256]) * FRAME, 0)


def heard_of(receiver: Receiver, packets: list[RtpPacket]) -> bytes:
    """What comes of packets that arrive every 20 ms."""
    out = b"".join(receiver.receive(each, 0.02 * at) for at, each in enumerate(packets))
    return out + receiver.flush(0.02 * len(packets))


def seconds(linear: bytes) -> float:
    return len(linear) / 2 / g711.RATE


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_a_recording_has_its_true_length_and_order_under_loss_and_disorder(seed: int, count: int) -> None:
    rng = random.Random(seed)
    numbers = [n for n in range(count) if n in (0, count - 1) or rng.random() > 0.2]
    # The first packet comes first, each other may come up to three places too late, some come twice.
    order = sorted(
        (n + rng.choice([0, 0, 0, 1.5, 3.5]) * (n > 0), n) for n in numbers for _ in range(1 + (rng.random() < 0.1))
    )
    receiver = Receiver(PCMU, conceal=False)
    heard = b"".join(receiver.receive(packet(n), 0.02 * at) for at, n in order) + receiver.flush(0.02 * count)
    assert heard == b"".join(sound(n) if n in numbers else bytes(2 * FRAME) for n in range(count))
    assert receiver.statistics.lost == count - len(numbers)


@pytest.mark.slow
@settings(max_examples=30)
@pytest.mark.parametrize("name", CODECS)
@given(seed=st.integers(0, 2**32))
def test_the_length_is_true_in_every_codec_with_losses_concealed(name: str, seed: int) -> None:
    codec, rng, count = CODECS[name], random.Random(seed), 40
    receiver, heard = Receiver(codec), b""
    for n in range(count):
        if n in (0, count - 1) or rng.random() > 0.3:
            heard += receiver.receive(
                RtpPacket(payload_type=0, sequence=n, timestamp=n * codec.ticks, ssrc=1, payload=silence(name)),
                0.02 * n,
            )
    assert len(heard + receiver.flush(0.02 * count)) == 2 * FRAME * count


@given(st.lists(st.tuples(st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2)), max_size=40))
def test_no_stream_makes_a_recording_much_longer_than_the_time_it_took(arrivals: list[tuple[int, int, int]]) -> None:
    packets = [
        RtpPacket(payload_type=0, sequence=seq, timestamp=ts, ssrc=ssrc, payload=bytes(160))
        for seq, ts, ssrc in arrivals
    ]
    assert seconds(heard_of(Receiver(PCMU), packets)) < 0.02 * len(packets) + 11


def test_a_loss_is_concealed_by_the_sound_before_it_fading() -> None:
    receiver = Receiver(PCMU)
    heard = heard_of(receiver, [packet(16)] + [packet(16, shift=n * FRAME, seq0=65_530 + n) for n in range(6, 9)])
    assert len(heard) == 9 * 2 * FRAME
    levels = [level(heard[at : at + 2 * FRAME]) for at in range(0, len(heard), 2 * FRAME)]
    assert levels[0] > levels[1] > levels[2] > levels[3] > levels[4] == levels[5] == 0
    assert levels[6] == levels[0]


def test_a_sender_that_pauses_is_heard_as_silence() -> None:
    receiver = Receiver(PCMU)
    heard = receiver.receive(packet(0), 0.0) + receiver.receive(packet(1, shift=8000), 1.02)
    assert heard == sound(0) + bytes(2 * 8000) + sound(1)


def test_comfort_noise_is_soft_noise_until_the_sender_speaks_again() -> None:
    receiver = Receiver(PCMU)
    heard = receiver.receive(packet(0), 0.0)
    noise = RtpPacket(payload_type=13, sequence=65_531, timestamp=packet(1).timestamp, ssrc=7, payload=b"\x32")
    heard += receiver.receive(noise, 0.02, PayloadKind.COMFORT)
    heard += receiver.receive(packet(2, shift=8000 - FRAME), 1.02)
    pause = array("h", heard[2 * FRAME : -2 * FRAME])
    assert len(pause) == 8000
    rms = (sum(sample * sample for sample in pause) / len(pause)) ** 0.5
    assert rms == pytest.approx(32768 * 10 ** (-50 / 20), rel=0.1)  # -50 dBov, as the packet says


@given(st.integers(0, 127), st.integers(0, 30_000), st.integers(0, 10**9))
def test_noise_has_the_length_that_was_asked_for_and_peaks_within_its_level(
    told: int, samples: int, start: int
) -> None:
    linear = comfort.noise(comfort.level_of(comfort.payload(told)), samples, start)
    assert len(linear) == 2 * samples
    # Uniform noise peaks 4.8 dB above its effective level.
    assert max(map(abs, array("h", linear[:400])), default=0) <= 32768 * 10 ** ((4.8 - told) / 20)


def test_keys_between_sounds_are_not_missing() -> None:
    receiver = Receiver(PCMU)
    receiver.receive(packet(0), 0.0)
    assert receiver.receive(packet(2), 0.02) == b""
    assert receiver.receive(packet(1), 0.03, PayloadKind.OTHER) == bytes(2 * FRAME) + sound(2)
    assert receiver.statistics.lost == 0


def test_a_new_stream_begins_without_a_gap_and_with_all_its_sound() -> None:
    streams = [packet(0), packet(3000, ssrc=8), packet(3001, ssrc=8), packet(9), packet(10)]
    assert heard_of(Receiver(PCMU), streams) == sound(0) + sound(3000) + sound(3001) + sound(9) + sound(10)


@pytest.mark.parametrize("back", [101, 200, 3000])
def test_numbers_that_jump_back_begin_a_new_stream_while_its_clock_goes_on(back: int) -> None:
    """RFC 3550 appendix A.1: MAX_MISORDER is 100; further back is a restart, proved by two packets in sequence."""
    before = [packet(n) for n in range(5)]
    after = [packet(n, seq0=65_530 - back) for n in range(5, 50)]
    assert heard_of(Receiver(PCMU), before + after) == b"".join(sound(n) for n in range(50))


def test_a_packet_that_is_late_by_less_is_no_new_stream() -> None:
    streams = [packet(n) for n in range(100)]
    receiver = Receiver(PCMU)
    heard_of(receiver, [*streams, packet(1), packet(2)])
    assert receiver.statistics.duplicate == 2


def test_one_stray_packet_does_not_end_the_stream() -> None:
    streams = [packet(0), packet(20_000), packet(1), packet(5, ssrc=9), packet(2)]
    assert heard_of(Receiver(PCMU), streams) == sound(0) + sound(1) + sound(2)


def test_the_pause_before_a_new_stream_is_as_long_as_it_was() -> None:
    receiver = Receiver(PCMU)
    receiver.receive(packet(0), 0.0)
    receiver.receive(packet(7, ssrc=8), 3.0)
    assert seconds(receiver.receive(packet(8, ssrc=8), 3.02)) == pytest.approx(3.04, abs=0.03)


@pytest.mark.parametrize("shift", [2**31, 2**32 - 4000, 30 * 8000])
def test_a_clock_that_is_set_anew_is_no_pause(shift: int) -> None:
    streams = [packet(0), packet(1, shift=shift), packet(2, shift=shift)]
    assert heard_of(Receiver(PCMU), streams) == sound(0) + sound(1) + sound(2)


def test_more_sound_than_time_is_not_taken() -> None:
    receiver = Receiver(PCMU)
    heard = b"".join(receiver.receive(packet(n), 0.0001 * n) for n in range(3000))
    assert 10 < seconds(heard) < 11
    assert receiver.statistics.excess > 2000


def test_what_is_held_back_is_bounded() -> None:
    receiver = Receiver(PCMU, conceal=False)
    receiver.receive(packet(0), 0.0)
    out = [receiver.receive(packet(n), 0.02 * n) for n in range(2, 3 + WINDOW)]
    assert not any(out[:-1]) and len(out[-1]) == 2 * FRAME * (WINDOW + 2)
    assert receiver.statistics.lost == 1


def test_late_packets_and_duplicates_are_told_apart() -> None:
    receiver = Receiver(PCMU)
    for n in (0, *range(2, 13), 1, 5, 5):
        receiver.receive(packet(n), 0.3)
    assert (receiver.statistics.late, receiver.statistics.duplicate) == (1, 2)


def test_packets_taken_past_the_receiver_are_continued_from() -> None:
    receiver = Receiver(PCMU)
    receiver.receive(packet(0), 0.0)
    third = packet(3)
    assert receiver.expects(7, packet(1).sequence, packet(1).timestamp)
    receiver.advance(2, 2 * FRAME, 0.04, last=sound(2))
    assert receiver.expects(7, third.sequence, third.timestamp)
    assert receiver.receive(third, 0.06) == sound(3)
    assert receiver.statistics.received == 4
