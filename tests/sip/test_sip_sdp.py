import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.sip.errors import IncompatibleMedia, SdpError
from tandem.sip.sdp import Audio, Crypto, answer_audio, build_sdp, parse_sdp

KEY = bytes(range(30))
OFFER = build_sdp(
    Audio(
        host="127.0.0.1",
        port=4000,
        secure=True,
        payload_types=(0, 8),
        event_type=101,
        cryptos=(Crypto(tag=1, suite="AES_CM_128_HMAC_SHA1_80", key=KEY),),
    ),
    session_id="7",
)


def test_an_offer_is_read_as_it_was_written() -> None:
    audio = parse_sdp(OFFER).audio
    assert audio is not None
    assert (audio.host, audio.port, audio.secure, audio.payload_types, audio.event_type) == (
        "127.0.0.1",
        4000,
        True,
        (0, 8),
        101,
    )
    assert audio.cryptos[0].key == KEY


def test_the_answer_takes_the_first_codec_and_the_offered_key_with_one_of_its_own() -> None:
    ours, theirs = answer_audio(parse_sdp(OFFER), host="127.0.0.2", port=6000, encryption="require", key=KEY[::-1])
    assert ours.payload_types == (0,)
    assert (ours.cryptos[0].tag, ours.cryptos[0].key) == (1, KEY[::-1])
    assert theirs.cryptos[0].key == KEY


@pytest.mark.parametrize(
    ("change", "encryption", "why"),
    [
        (b"", "refuse", "not encrypted"),
        (b"RTP/SAVP", "require", "SRTP .* is required"),
        (b"AES_CM_128_HMAC_SHA1_80", "require", "no usable key"),
        (b"RTP/SAVP 0 8", "prefer", "no codec in common"),
        (b"m=audio", "prefer", "no audio"),
    ],
)
def test_an_offer_that_does_not_fit_is_refused_with_the_reason(change: bytes, encryption: str, why: str) -> None:
    replaced = {
        b"": OFFER,
        b"RTP/SAVP": OFFER.replace(b"RTP/SAVP", b"RTP/AVP"),
        b"AES_CM_128_HMAC_SHA1_80": OFFER.replace(b"AES_CM_128_HMAC_SHA1_80", b"F8_128_HMAC_SHA1_80"),
        b"RTP/SAVP 0 8": OFFER.replace(b"RTP/SAVP 0 8", b"RTP/SAVP 96"),
        b"m=audio": OFFER.replace(b"m=audio", b"m=video"),
    }[change]
    with pytest.raises(IncompatibleMedia, match=why):
        answer_audio(parse_sdp(replaced), host="h", port=1, encryption=encryption, key=KEY)


def test_hold_is_answered_in_kind() -> None:
    held = parse_sdp(OFFER.replace(b"a=sendrecv", b"a=sendonly"))
    assert held.audio is not None and held.audio.held
    ours, _ = answer_audio(held, host="h", port=1, encryption="require", key=KEY)
    assert ours.direction == "recvonly"


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise_anything_else(data: bytes) -> None:
    for body in (data, b"v=0\r\n" + data, OFFER[:-40] + data):
        try:
            parse_sdp(body)
        except SdpError:
            pass
