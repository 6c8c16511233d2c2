"""The audio stream: its fast path gives what the receiver alone gives, and it sends what a peer of this kind expects."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.media import receiving as module
from tandem.media.codec.frames import FrameCache
from tandem.media.codec.table import CODECS, silence
from tandem.media.events import DtmfReceived, DtmfSent, Played
from tandem.media.receiving import SILENT_S
from tandem.media.rtp.packet import RtpPacket, parse_rtp
from tandem.media.rtp.receiver import SLACK_S, PayloadKind, Receiver, Statistics
from tandem.media.session import Sound, Stream
from tandem.media.stream import UNANSWERED_S, AudioStream

FRAME_S = 0.02
PEER = ("192.0.2.1", 4000)
PLAIN = Stream(host=PEER[0], port=PEER[1], codec="PCMU", payload_type=0, event_type=101)
KEY = bytes(range(30))
SRTP = replace(PLAIN, suite="AES_CM_128_HMAC_SHA1_80", send_key=KEY, receive_key=KEY)


def listening(stream: Stream = PLAIN) -> AudioStream:
    audio = AudioStream(FrameCache())
    audio.start(stream)
    audio.listening = True
    return audio


@st.composite
def datagrams(draw: st.DrawFn) -> list[bytes]:
    """What a sender and a bad network may make of a stream whose counters wrap around soon."""
    rng = draw(st.randoms(use_true_random=False))
    sequence, timestamp = 2**16 - rng.randrange(40), 2**32 - rng.randrange(40) * 160
    ssrc, size, sent = 7, 160, []
    for number in range(draw(st.integers(1, 120))):
        if rng.random() < 0.05:
            size = rng.choice((80, 160, 240))
        if rng.random() < 0.03:
            timestamp += rng.choice((160, 8000, 10**9))
        if rng.random() < 0.01:
            ssrc, sequence = ssrc + 1, rng.randrange(2**16)
        kind = rng.choice((0,) * 30 + (101, 13))
        payload = bytes((number % 256,)) * size if kind == 0 else bytes((number % 10, 10, 0, 160))
        packet = RtpPacket(
            payload_type=kind,
            sequence=sequence % 2**16,
            timestamp=timestamp % 2**32,
            ssrc=ssrc,
            payload=payload,
            marker=rng.random() < 0.03,
        )
        sent.append((number + rng.choice((0,) * 30 + (1.5, 4.5, 20.5)), packet.to_bytes()))
        sequence += 1
        timestamp += size if kind == 0 else 0
    lost = [rng.random() < 0.03 for _ in sent]
    arrived = [data for (_, data), gone in zip(sorted(sent), lost, strict=True) if not gone]
    return [data for data in arrived for _ in range(1 + (rng.random() < 0.03))]


def by_the_receiver_alone(arrived: list[bytes], pace_s: float) -> tuple[bytes, Statistics]:
    kinds = {0: PayloadKind.SOUND, 13: PayloadKind.COMFORT, 101: PayloadKind.EVENT}
    receiver, heard = Receiver(CODECS["PCMU"]), b""
    for number, data in enumerate(arrived):
        packet = parse_rtp(data)
        heard += receiver.receive(packet, number * pace_s, kinds[packet.payload_type])
    return heard + receiver.flush(len(arrived) * pace_s), receiver.statistics


@given(datagrams(), st.integers(1, 50))
def test_the_fast_path_gives_what_the_receiver_alone_gives(arrived: list[bytes], often: int) -> None:
    audio, heard = listening(), b""
    for number, data in enumerate(arrived):
        audio.receive_from(data, PEER, number * FRAME_S)
        if number % often == 0:
            heard += audio.take_sound(number * FRAME_S)
    heard += audio.finish(len(arrived) * FRAME_S)
    expected, statistics = by_the_receiver_alone(arrived, FRAME_S)
    assert heard == expected
    assert audio.statistics == statistics


def test_a_packet_that_was_expected_is_not_parsed_even_over_every_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    monkeypatch.setattr(module, "parse_rtp", lambda data: parsed.append(data) or parse_rtp(data))
    audio = listening()
    for number in range(70_000):
        header = RtpPacket(
            payload_type=0,
            sequence=(number + 65_500) % 2**16,
            timestamp=(number * 160 - 32_000) % 2**32,
            ssrc=7,
            payload=bytes(160),
        )
        audio.receive_from(header.to_bytes(), PEER, number * FRAME_S)
    # The first packet, one at each of two wraps of the sequence, and one at that of the timestamp.
    assert len(parsed) == 1 + 2 + 1
    assert audio.statistics == Statistics(received=70_000)
    assert len(audio.take_sound(70_000 * FRAME_S)) == 70_000 * 320


def played(audio: AudioStream, ticks: int) -> list[RtpPacket]:
    return [parse_rtp(data) for _ in range(ticks) if (data := audio.tick()) is not None]


def test_sounds_follow_each_other_and_then_comes_silence() -> None:
    one, two = Sound.of(b"\1\7" * 200), Sound.of(b"\2\7" * 160)
    audio = listening()
    audio.play((one, two))
    packets = played(audio, 5)
    cut = CODECS["PCMU"].frames
    assert [p.payload for p in packets] == [*cut(one.linear), *cut(two.linear), silence("PCMU"), silence("PCMU")]
    assert audio.events == [Played()]
    assert [p.marker for p in packets] == [True, False, False, False, False]
    assert [(p.sequence - packets[0].sequence) % 2**16 for p in packets] == [0, 1, 2, 3, 4]
    assert [(p.timestamp - packets[0].timestamp) % 2**32 for p in packets] == [0, 160, 320, 480, 640]


def test_a_change_of_the_codec_goes_on_with_the_next_frame() -> None:
    rng = random.Random(5)
    sound = Sound.of(bytes(rng.randrange(256) for _ in range(3200)))
    audio = listening()
    audio.play((sound,))
    heard = [p.payload for p in played(audio, 4)]
    audio.start(replace(PLAIN, codec="PCMA", payload_type=8))
    heard += [p.payload for p in played(audio, 6)]
    assert heard == CODECS["PCMU"].frames(sound.linear)[:4] + CODECS["PCMA"].frames(sound.linear)[4:]


def test_a_sound_is_encoded_once_for_all_streams() -> None:
    frames, sound = FrameCache(), Sound.of(b"\1\7" * 800)
    assert frames.frames(sound, "PCMU") is frames.frames(Sound.of(b"\1\7" * 800), "PCMU")
    frames.forget(sound.digest)
    assert frames.frames(sound, "PCMU") == CODECS["PCMU"].frames(sound.linear)


def test_keys_go_from_stream_to_stream() -> None:
    here, there = listening(), listening()
    here.send_dtmf("1#")
    for _ in range(40):
        data = here.tick()
        assert data is not None
        there.receive_from(data, PEER, 0.0)
    assert here.dtmf_sent and here.events == [DtmfSent()]
    assert there.events == [DtmfReceived(digit="1"), DtmfReceived(digit="#")]


def test_nothing_is_sent_while_the_peer_holds_the_call() -> None:
    audio = listening(replace(PLAIN, send=False))
    assert audio.tick() is None
    audio.start(PLAIN)
    assert audio.tick() is not None


STRANGER, OTHER_PORT = ("198.51.100.7", 9), (PEER[0], PEER[1] + 2)


def says(audio: AudioStream, sender: AudioStream, source: tuple[str, int], at: float, packets: int = 1) -> int:
    """Send packets, 20 ms apart; returns how many of them were dropped."""
    dropped = audio.dropped
    for number in range(packets):
        audio.receive_from(sender.tick() or b"", source, at + number * FRAME_S)
    return audio.dropped - dropped


@pytest.mark.parametrize("stream", [PLAIN, SRTP], ids=["rtp", "srtp"])
def test_who_is_not_at_the_peers_host_and_has_no_key_is_never_heard(stream: Stream) -> None:
    forger, audio = listening(PLAIN), listening(stream)
    for at in (0.0, 1.0, 60.0):
        assert says(audio, forger, STRANGER, at) == 1
        assert says(audio, listening(stream), PEER, at) == 0
    assert audio.source == PEER


def test_where_the_description_says_is_heard_whoever_spoke_before() -> None:
    """Comfort noise from another port of the gateway, then the caller from the port that its SDP names."""
    audio = listening()
    assert says(audio, listening(), OTHER_PORT, 0.0, 10) == 0
    assert audio.source == OTHER_PORT
    assert says(audio, listening(), PEER, 0.2, 50) == 0
    assert says(audio, listening(), OTHER_PORT, 1.2, 10) == 10  # and it is not left for another stream while it speaks
    assert audio.source == PEER
    assert len(audio.finish(1.4)) == (10 + 50) * 320


def test_a_stream_that_goes_on_from_another_port_is_followed_at_once() -> None:
    audio, sender = listening(), listening()
    assert says(audio, sender, PEER, 0.0, 50) + says(audio, sender, OTHER_PORT, 1.0, 50) == 0
    assert audio.source == OTHER_PORT
    assert len(audio.finish(2.0)) == 100 * 320


def test_another_stream_from_another_port_is_followed_once_the_first_is_silent() -> None:
    audio, other = listening(), listening()
    says(audio, listening(), PEER, 0.0)
    assert says(audio, other, OTHER_PORT, SILENT_S - 0.01) == 1
    assert says(audio, other, OTHER_PORT, SILENT_S) == 0
    assert audio.source == OTHER_PORT


def test_who_proves_the_key_from_elsewhere_is_followed_and_a_copy_proves_nothing() -> None:
    audio, sender = listening(SRTP), listening(SRTP)
    heard = sender.tick() or b""
    audio.receive_from(heard, PEER, 0.0)
    audio.receive_from(heard, STRANGER, 0.02)
    assert (audio.source, audio.target, audio.dropped) == (PEER, PEER, 1)
    moved = ("203.0.113.5", 30_000)
    assert says(audio, sender, moved, 0.04) == 0
    assert (audio.source, audio.target) == (moved, moved)


def test_a_peer_behind_address_translation_is_sent_to_where_it_proved_its_key() -> None:
    sender, audio = listening(SRTP), listening(SRTP)
    outside = ("203.0.113.5", 30_000)
    assert audio.target == PEER
    audio.receive_from(sender.tick() or b"", outside, 0.0)
    assert audio.target == outside


def ticks_sent(audio: AudioStream, seconds: range) -> list[int]:
    """The seconds in which something was sent; drivers ask for a report each second."""
    sent = []
    for second in seconds:
        audio.control(float(second))
        if audio.tick() is not None:
            sent.append(second)
    return sent


def test_a_place_that_answers_nothing_is_not_sent_to_for_ever() -> None:
    """An offer may name anybody's address: plain RTP stops after half a minute, and goes on when somebody answers."""
    audio, sender = listening(), listening()
    limit = int(UNANSWERED_S)
    assert ticks_sent(audio, range(1000, 1000 + limit + 10)) == list(range(1000, 1000 + limit))
    assert audio.control(1100.0) is None
    says(audio, sender, PEER, 1100.5)
    assert ticks_sent(audio, range(1101, 1300)) == list(range(1101, 1300))  # heard once is enough
    audio.start(replace(PLAIN, host="198.51.100.7"))  # a re-INVITE names another one
    assert ticks_sent(audio, range(1300, 1400)) == list(range(1300, 1300 + limit))


def test_a_listener_that_only_reports_is_sent_to() -> None:
    audio, peer = listening(), listening()
    peer.tick()
    report = next(filter(None, (peer.control(float(second)) for second in range(20))))
    audio.receive_control(report, PEER, 10.0)
    assert ticks_sent(audio, range(100, 110)) == list(range(100, 110))


def test_who_has_a_key_is_sent_to_without_an_answer() -> None:
    assert ticks_sent(listening(SRTP), range(100)) == list(range(100))


def test_what_is_not_listened_to_is_counted_and_not_kept() -> None:
    audio = listening()
    audio.listening = False
    sender = listening()
    for _ in range(10):
        audio.receive_from(sender.tick() or b"", PEER, 0.0)
    assert audio.statistics.received == 10 and audio.finish(1.0) == b""


def test_a_flood_of_packets_in_order_is_worth_no_more_than_the_time_it_takes() -> None:
    audio, sender, heard = listening(), listening(), 0
    for number in range(200 * 60):  # a minute, two hundred times as fast as sound
        audio.receive_from(sender.tick() or b"", PEER, number * FRAME_S / 200)
        if number % 100 == 0:
            heard += len(audio.take_sound(number * FRAME_S / 200))
    assert heard / 16_000 < SLACK_S + 1.2 + 100 * FRAME_S
    assert audio.statistics.excess > 10_000
