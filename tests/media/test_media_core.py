import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.media.codec import g711
from tandem.media.codec.level import SpeechDetector
from tandem.media.codec.wav import read_wav, write_wav
from tandem.media.errors import BadPacket, BadWav
from tandem.media.rtp.packet import RtpPacket, parse_rtp

FRAME = 160


def packet(number: int, *, seq0: int = 65_530, ts0: int = 2**32 - 500, ssrc: int = 7) -> RtpPacket:
    """Packet ``number`` of a stream whose counters wrap around soon; its payload tells which one it is."""
    return RtpPacket(
        payload_type=0,
        sequence=(seq0 + number) % 2**16,
        timestamp=(ts0 + FRAME * number) % 2**32,
        ssrc=ssrc,
        payload=bytes([number % 256]) * FRAME,
    )


@pytest.mark.parametrize("kind", [g711.PCMU, g711.PCMA])
def test_every_code_survives_decoding_and_encoding(kind: int) -> None:
    codes = bytes(range(256))
    again = g711.encode(g711.decode(codes, kind), kind)
    # µ-law has two zeros: the negative one becomes the positive.
    assert [a for a, b in zip(codes, again, strict=True) if a != b] in ([], [0x7F])


def test_g711_follows_the_recommendation() -> None:
    assert g711.decode(b"\x00\x80\xff", 0) == b"".join(v.to_bytes(2, "little", signed=True) for v in (-32124, 32124, 0))
    assert g711.decode(b"\xd5\x55\xaa", 8) == b"".join(v.to_bytes(2, "little", signed=True) for v in (8, -8, 32256))


@given(st.binary(max_size=60))
def test_no_bytes_make_the_rtp_parser_raise_anything_else(data: bytes) -> None:
    for candidate in (data, b"\xbf\x00" + data):
        try:
            parse_rtp(candidate)
        except BadPacket:
            pass


def test_rtp_is_read_as_it_was_written() -> None:
    assert parse_rtp(packet(3).to_bytes()) == packet(3)


def test_wav_is_read_as_it_was_written() -> None:
    linear = bytes(range(256)) * 4
    assert read_wav(write_wav(linear)) == linear


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"ID3", "not a WAV"),
        (write_wav(b"")[:20], "no sound"),
        (write_wav(b"\0\0").replace(b"\x40\x1f\0\0", b"\x44\xac\0\0", 1), "44100 Hz"),
    ],
)
def test_other_files_are_refused_with_what_was_expected(data: bytes, why: str) -> None:
    with pytest.raises(BadWav, match=why):
        read_wav(data)


def test_silence_is_counted_from_the_end_of_speech() -> None:
    rng = random.Random(1)
    noise = b"".join(rng.randrange(-40, 40).to_bytes(2, "little", signed=True) for _ in range(8000))
    speech = b"".join(rng.randrange(-6000, 6000).to_bytes(2, "little", signed=True) for _ in range(8000))
    detector = SpeechDetector()
    detector.feed(noise + speech + noise + noise)
    assert 15_800 <= detector.silent_samples <= 16_000
    assert detector.speech_ends_at == 16_000
