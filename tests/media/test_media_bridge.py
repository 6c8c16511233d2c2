"""Two calls that are bridged: what one peer sends the other gets, across codecs and keys; in the core and in both drivers."""

import asyncio
import math
from array import array
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib import resources
from itertools import pairwise

import pytest

from tandem.media.aio.session import AioMedia
from tandem.media.bridge import StreamBridge
from tandem.media.codec import comfort, g711
from tandem.media.codec.frames import FrameCache
from tandem.media.codec.table import CODECS, silence
from tandem.media.codec.wav import read_wav
from tandem.media.engine.engine import MediaEngine
from tandem.media.errors import NotBridgeable, Unavailable
from tandem.media.events import DtmfReceived
from tandem.media.rtp.dtmf import DIGITS
from tandem.media.rtp.packet import RtpPacket, parse_rtp
from tandem.media.rtp.srtp import SUITES, SrtpReceiver
from tandem.media.sending import QUIET_TICKS
from tandem.media.session import Media, MediaSession, Sound, Stream
from tandem.media.stream import AudioStream
from tandem.probe.compare import find_speech
from tandem.testing.media import QuietMedia

SPEECH = read_wav((resources.files("tandem.speech.samples") / "bob-message.wav").read_bytes())[: 2 * 8000 * 3]
SUITE = "AES_CM_128_HMAC_SHA1_80"
ALIKE = {"PCMU": 0.99, "PCMA": 0.99, "G722": 0.99, "opus": 0.8}


def samples(linear: bytes) -> "array[int]":
    out = array("h")
    out.frombytes(linear)
    return out


class Line:
    """A peer, and our stream that talks with it; time passes by :func:`pass_time`."""

    def __init__(self, number: int, codec: str = "PCMU", suite: str = "", **changes: object) -> None:
        spoken, size = CODECS[codec], SUITES[suite].key_bytes if suite else 0
        self.address = (f"192.0.2.{number}", 4000)
        self.agreed = replace(
            Stream(
                host=self.address[0],
                port=self.address[1],
                codec=codec,
                payload_type=spoken.payload_type,
                event_type=101,
                event_clock=spoken.clock,
                suite=suite,
                send_key=bytes(range(number, number + size)),
                receive_key=bytes(range(number + 100, number + 100 + size)),
            ),
            **changes,  # type: ignore[arg-type]
        )
        self.peer, self.ours = AudioStream(FrameCache()), AudioStream(FrameCache())
        self.got: list[bytes] = []
        self.now = 0.0
        self.start(self.agreed)
        self.peer.listening = True

    def start(self, agreed: Stream) -> None:
        self.agreed = agreed
        self.ours.start(agreed)
        turned = replace(
            agreed, host="198.51.100.1", send_key=agreed.receive_key, receive_key=agreed.send_key, send=True
        )
        self.peer.start(turned)

    def send(self, data: bytes) -> None:
        """To the peer."""
        self.got.append(data)
        self.peer.receive_from(data, ("198.51.100.1", 4000), self.now)

    def receive(self, data: bytes) -> None:
        """From the peer."""
        self.ours.receive_from(data, self.address, self.now)

    @property
    def packets(self) -> list[RtpPacket]:
        key = SrtpReceiver(self.agreed.suite, self.agreed.send_key) if self.agreed.suite else None
        return [parse_rtp(key.unprotect(data) if key else data) for data in self.got]

    @property
    def digits(self) -> str:
        return "".join(e.digit for e in self.peer.events if isinstance(e, DtmfReceived))


def join(one: Line, other: Line) -> StreamBridge:
    bridge = one.ours.bridge = other.ours.bridge = StreamBridge(one.ours.side(one.send), other.ours.side(other.send))
    return bridge


def pass_time(*lines: Line, seconds: float, silent: tuple[Line, ...] = ()) -> None:
    for _ in range(round(50 * seconds)):
        for line in lines:
            line.now += 0.02
            if line not in silent and (said := line.peer.tick()) is not None:
                line.receive(said)
        for line in lines:
            if (data := line.ours.tick()) is not None:
                line.send(data)


def continuous(packets: list[RtpPacket], step: int = 160) -> bool:
    """Whether a peer sees one stream without a gap."""
    pairs = list(pairwise(packets))
    return (
        len({p.ssrc for p in packets}) == 1
        and all((b.sequence - a.sequence) % 2**16 == 1 for a, b in pairs)
        and all((b.timestamp - a.timestamp) % 2**32 == step for a, b in pairs)
    )


@pytest.mark.parametrize("suites", [("", ""), (SUITE, ""), ("", "AEAD_AES_256_GCM"), (SUITE, SUITE)], ids=str)
@pytest.mark.parametrize("codec", CODECS)
def test_payloads_pass_bit_by_bit_where_the_codec_is_the_same(codec: str, suites: tuple[str, str]) -> None:
    one, other = Line(1, codec, suites[0]), Line(2, codec, suites[1], payload_type=97 if codec == "opus" else 9)
    join(one, other)
    one.peer.play([Sound.of(SPEECH)])
    pass_time(one, other, seconds=2)
    frames = CODECS[codec].frames(SPEECH)[:100]
    assert [p.payload for p in other.packets] == frames
    assert {p.payload_type for p in other.packets} == {other.agreed.payload_type}
    assert continuous(other.packets, CODECS[codec].ticks)
    assert {p.payload for p in one.packets} == {silence(codec)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("here", "there"),
    [pytest.param(a, b, marks=() if "PCMU" in (a, b) else pytest.mark.slow) for a in CODECS for b in CODECS if a != b],
)
def test_speech_is_transcoded_between_codecs(here: str, there: str) -> None:
    one, other = Line(1, here), Line(2, there, SUITE)
    join(one, other)
    one.peer.play([Sound.of(SPEECH)])
    other.peer.play([Sound.of(SPEECH)])
    pass_time(one, other, seconds=3.2)
    for line in (one, other):
        heard = line.peer.finish(line.now)
        assert find_speech(samples(SPEECH), samples(heard)).correlation > min(ALIKE[here], ALIKE[there]) - 0.02
        assert line.peer.statistics.lost == 0
        assert continuous(line.packets[2:], CODECS[line.agreed.codec].ticks)


@pytest.mark.parametrize(("here", "there"), [("PCMU", "PCMU"), ("PCMU", "opus"), ("opus", "PCMA"), ("opus", "opus")])
def test_digits_pass_with_the_other_sides_payload_type_and_clock(here: str, there: str) -> None:
    one, other = Line(1, here), Line(2, there, SUITE, event_type=110)
    join(one, other)
    pass_time(one, other, seconds=0.2)
    one.peer.send_dtmf(DIGITS)
    other.peer.send_dtmf("#")
    pass_time(one, other, seconds=5)
    assert (other.digits, one.digits) == (DIGITS, "#")
    assert "".join(e.digit for e in one.ours.events if isinstance(e, DtmfReceived)) == DIGITS, "menus see them, too"
    events = [p for p in other.packets if p.payload_type == 110]
    assert len(events) == 7 * len(DIGITS) and len({p.timestamp for p in events}) == len(DIGITS)
    clock = CODECS[there].clock
    assert {int.from_bytes(p.payload[2:], "big") for p in events} == {clock // 50 * n for n in range(1, 6)}


def test_digits_are_tones_for_a_side_that_knows_no_events() -> None:
    one, other = Line(1), Line(2, event_type=None, tones=True)
    join(one, other)
    one.peer.send_dtmf("159#")
    pass_time(one, other, seconds=3)
    assert other.digits == "159#"
    other.peer.send_dtmf("0")
    before = len(one.got)
    pass_time(one, other, seconds=1)
    assert continuous(one.packets[before:]), "its tones are sound"


def test_what_was_lost_there_is_a_gap_here_and_what_came_twice_is_sent_once_with_srtp() -> None:
    one, other = Line(1), Line(2, suite=SUITE)
    join(one, other)
    sent = [one.peer.tick() or b"" for _ in range(30)]
    arrived = [*sent[:10], *sent[12:20], sent[21], sent[20], *sent[21:]]
    for data in arrived:
        one.now += 0.02
        one.receive(data)
    first = other.packets[0].sequence
    assert [(p.sequence - first) % 2**16 for p in other.packets] == [*range(10), *range(12, 20), 21, 20, *range(22, 30)]
    places = {(p.timestamp - 160 * ((p.sequence - first) % 2**16)) % 2**32 for p in other.packets}
    assert len(places) == 1, "each has the time of its number"


def test_a_sender_that_begins_again_is_one_stream_to_the_other_side() -> None:
    one, other = Line(1), Line(2)
    join(one, other)
    pass_time(one, other, seconds=0.5)
    one.peer = AudioStream(FrameCache())
    one.peer.start(replace(one.agreed, host="198.51.100.1"))
    pass_time(one, other, seconds=0.5)
    packets = other.packets
    assert len({p.ssrc for p in packets}) == 1
    assert [(b.sequence - a.sequence) % 2**16 for a, b in pairwise(packets)] == [1] * 49
    assert all(0 < (b.timestamp - a.timestamp) % 2**32 <= 480 for a, b in pairwise(packets))


def test_our_own_sound_goes_first_and_the_stream_goes_on_from_prompt_to_bridge_and_back() -> None:
    one, other = Line(1), Line(2)
    tone = Sound.of(array("h", (int(5000 * math.sin(n / 3)) for n in range(1600))).tobytes())
    other.ours.play([tone])
    pass_time(one, other, seconds=0.4)
    bridge = join(one, other)
    one.peer.play([Sound.of(SPEECH)])
    pass_time(one, other, seconds=0.5)
    other.ours.play([tone])
    pass_time(one, other, seconds=0.5)
    bridge.end()
    other.ours.play([tone])
    pass_time(one, other, seconds=0.3)
    packets, frames = other.packets, CODECS["PCMU"].frames(tone.linear)
    payloads = [p.payload for p in packets]
    assert payloads[:10] == payloads[45:55] == payloads[-15:-5] == frames
    assert payloads[20:45] == CODECS["PCMU"].frames(SPEECH)[:25]
    assert payloads[-5:] == [silence("PCMU")] * 5
    assert [(b.sequence - a.sequence) % 2**16 for a, b in pairwise(packets)] == [1] * (len(packets) - 1)
    steps = [(b.timestamp - a.timestamp) % 2**32 for a, b in pairwise(packets)]
    assert all(0 < step <= 480 for step in steps) and sum(step != 160 for step in steps) <= 4


def test_a_side_on_hold_is_sent_nothing_and_what_it_plays_is_passed_on() -> None:
    one, other = Line(1), Line(2)
    join(one, other)
    pass_time(one, other, seconds=0.2)
    one.start(replace(one.agreed, send=False))  # sendonly: music on hold
    before = len(one.got)
    one.peer.play([Sound.of(SPEECH)])
    pass_time(one, other, seconds=1)
    assert len(one.got) == before
    assert [p.payload for p in other.packets][-50:] == CODECS["PCMU"].frames(SPEECH)[:50]
    one.start(replace(one.agreed, send=True))
    pass_time(one, other, seconds=0.2)
    assert len(one.got) == before + 10 and continuous(one.packets[1:]), "nothing counts as lost"


def test_a_side_that_sends_nothing_is_silence_for_the_other_after_a_second() -> None:
    one, other = Line(1), Line(2)
    join(one, other)
    pass_time(one, other, seconds=0.2)
    before = len(other.got)
    pass_time(one, other, seconds=3, silent=(one,))  # inactive
    packets = other.packets[before:]
    assert len(packets) == pytest.approx(150 - QUIET_TICKS, abs=2) and {p.payload for p in packets} == {silence("PCMU")}
    assert packets[0].marker
    pass_time(one, other, seconds=0.2)
    whole = other.packets
    ticks = (whole[-1].timestamp - whole[0].timestamp) % 2**32
    assert ticks == pytest.approx(3.4 * 8000, abs=640), "the peer's time went on"


def test_a_codec_that_changes_in_a_bridge_goes_on_as_the_same_stream() -> None:
    one, other = Line(1), Line(2)
    join(one, other)
    one.peer.play([Sound.of(SPEECH)])
    pass_time(one, other, seconds=1)
    other.start(replace(other.agreed, codec="PCMA", payload_type=8))
    pass_time(one, other, seconds=1)
    one.start(replace(one.agreed, codec="PCMA", payload_type=8))
    pass_time(one, other, seconds=1)
    packets = other.packets
    assert len({p.ssrc for p in packets}) == 1 and [p.payload_type for p in packets] == [0] * 50 + [8] * 100
    assert [(b.sequence - a.sequence) % 2**16 for a, b in pairwise(packets)] == [1] * 149
    decoded = b"".join(g711.decode(p.payload, p.payload_type) for p in packets)
    assert find_speech(samples(SPEECH), samples(decoded)).correlation > 0.98


def test_comfort_noise_passes_where_the_codec_is_the_same() -> None:
    one, other = Line(1), Line(2)
    join(one, other)
    said = parse_rtp(one.peer.tick() or b"")
    one.receive(said.to_bytes())
    noise = replace(
        said, payload_type=comfort.PAYLOAD_TYPE, payload=comfort.payload(50), sequence=(said.sequence + 1) % 2**16
    )
    one.receive(noise.to_bytes())
    assert (other.packets[-1].payload_type, other.packets[-1].payload) == (comfort.PAYLOAD_TYPE, comfort.payload(50))
    one.receive(replace(noise, payload_type=77 + 40, sequence=(said.sequence + 2) % 2**16).to_bytes())
    assert len(other.got) == 2, "what nobody agreed on stays here"


def test_reports_of_each_side_tell_of_its_own_stream() -> None:
    one, other = Line(1), Line(2)
    join(one, other)
    pass_time(one, other, seconds=2)
    for line in (one, other):
        line.ours.control(0.0)
        report = line.ours.control(10.0)
        assert report is not None
        line.peer.receive(report, line.now)
        assert line.ours.summary.received == 100 and line.ours.summary.lost == 0
        answer = line.peer.control(0.0) or line.peer.control(10.0)
        assert answer is not None
        line.receive(answer)
        assert line.ours.summary.quality.remote_lost == 0
        assert not any(192 <= data[1] <= 223 for data in line.got)


def test_a_flood_is_passed_on_no_longer_than_its_sound_may_run_ahead_of_time() -> None:
    one, other = Line(1), Line(2)
    join(one, other)
    for number in range(5000):
        one.receive(one.peer.tick() or b"")
        if number % 50 == 0:
            one.ours.take_sound(one.now)
    assert len(other.got) < 600


def test_a_bridge_can_be_made_before_either_side_has_begun() -> None:
    one, late = Line(1), AudioStream(FrameCache())
    sent: list[bytes] = []
    one.ours.bridge = late.bridge = StreamBridge(one.ours.side(one.send), late.side(sent.append))
    pass_time(one, seconds=0.2)
    assert sent == []
    late.start(one.agreed)
    pass_time(one, seconds=0.2)
    assert len(sent) == 10


# With sockets


@pytest.fixture(params=["engine", "aio"])
async def media(request: pytest.FixtureRequest) -> AsyncIterator[Media]:
    media: Media = MediaEngine(workers=2) if request.param == "engine" else AioMedia()
    await media.start()
    yield media
    await media.close()


async def talk(session: MediaSession, codec: str, suite: str, number: int) -> MediaSession:
    """A phone that talks with this session."""
    phone = await AioMedia().open("127.0.0.1", range(1))
    size = SUITES[suite].key_bytes if suite else 0
    keys = [bytes(range(start + number, start + number + size)) for start in (0, 100)]
    for side, peer, (ours, theirs) in ((session, phone, keys), (phone, session, keys[::-1])):
        side.start(
            Stream(
                host="127.0.0.1",
                port=peer.port,
                codec=codec,
                payload_type=CODECS[codec].payload_type,
                event_type=101,
                event_clock=CODECS[codec].clock,
                suite=suite,
                send_key=ours,
                receive_key=theirs,
            )
        )
    return phone


async def until(true: object) -> None:
    assert callable(true)
    async with asyncio.timeout(8):
        while not true():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kinds", [("PCMU", "", "PCMU", SUITE), ("PCMA", SUITE, "opus", "")], ids=str)
@pytest.mark.slow
async def test_two_phones_talk_over_a_bridge_and_then_with_us_again(
    media: Media, kinds: tuple[str, str, str, str]
) -> None:
    one = await media.open("127.0.0.1", range(1))
    other = await media.open("127.0.0.1", range(1), beside=one)
    alice, bob = await talk(one, *kinds[:2], 1), await talk(other, *kinds[2:], 2)
    await one.bridge(other)
    heard, digits = bytearray(), []
    bob.hear(heard.extend)
    bob.on_digit = digits.append
    assert await alice.play([Sound.of(SPEECH)]).done
    alice.send_dtmf("7")
    await until(lambda: digits == ["7"])
    assert find_speech(samples(SPEECH), samples(bytes(heard))).correlation > 0.75
    other.unbridge()
    assert await other.play([Sound.of(SPEECH[:16_000])]).done
    alice.send_dtmf("8")
    await asyncio.sleep(0.3)
    assert digits == ["7"]
    for session in (alice, bob, one, other):
        session.close()


async def test_the_end_of_one_side_leaves_the_other_with_us(media: Media) -> None:
    one = await media.open("127.0.0.1", range(1))
    other = await media.open("127.0.0.1", range(1), beside=one)
    alice, bob = await talk(one, "PCMU", "", 1), await talk(other, "PCMU", "", 2)
    await one.bridge(other)
    await until(lambda: bob.last_heard is not None)
    one.close()
    alice.close()
    assert await other.play([Sound.of(SPEECH[:3200])]).done
    third = await media.open("127.0.0.1", range(1), beside=other)
    await third.bridge(other)
    for session in (bob, other, third):
        session.close()


async def test_a_defect_of_one_side_leaves_the_other_with_us() -> None:
    engine = MediaEngine(workers=1)
    await engine.start()
    one = await engine.open("127.0.0.1", range(1))
    other = await engine.open("127.0.0.1", range(1), beside=one)
    alice, bob = await talk(one, "PCMU", "", 1), await talk(other, "PCMU", "", 2)
    await one.bridge(other)
    lost: list[str] = []
    one.on_lost = other.on_lost = lost.append
    one.start(Stream(host="127.0.0.1", port=alice.port, codec="unheard of", payload_type=0))
    await until(lambda: lost)
    assert await other.play([Sound.of(SPEECH[:3200])]).done and len(lost) == 1
    for session in (alice, bob, other):
        session.close()
    await engine.close()


@pytest.mark.slow
async def test_sessions_of_two_places_are_not_bridged() -> None:
    engine = MediaEngine(workers=2)
    await engine.start()
    one, far = await engine.open("127.0.0.1", range(1)), await engine.open("127.0.0.1", range(1))
    near = await engine.open("127.0.0.1", range(1), beside=one)
    phone = await AioMedia().open("127.0.0.1", range(1))
    await one.bridge(near)
    for stranger in (far, phone, one):
        with pytest.raises(NotBridgeable):
            await one.bridge(stranger)
        with pytest.raises(NotBridgeable):
            await phone.bridge(stranger if stranger is phone else one)
    for session in (one, near, far, phone):
        session.close()
    with pytest.raises(Unavailable):
        await engine.open("127.0.0.1", range(1), beside=phone)
    await engine.close()


async def test_the_fake_notes_what_is_bridged() -> None:
    media = QuietMedia()
    one, other, third = [await media.open("192.0.2.1", range(1)) for _ in range(3)]
    await one.bridge(other)
    await third.bridge(one)
    assert (one.bridged_with, third.bridged_with, other.bridged_with) == (third, one, None)
    one.close()
    assert third.bridged_with is None
