"""Descriptions as they are read and written."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.sip.errors import IncompatibleMedia, SdpError
from tandem.sip.sdp.description import CODECS, Audio, build_sdp, parse_sdp
from tandem.sip.sdp.offer import Encryption, MediaTerms, answer_audio, check_answer, make_offer
from tandem.sip.sdp.sdes import MIN_LIFETIME, SUITES, Crypto, PassedOver, parse_crypto

KEY30 = base64.b64encode(bytes(30)).decode()
TERMS = MediaTerms(encryption=Encryption.PREFER)
OFFER = build_sdp(make_offer(TERMS, host="192.0.2.1", port=4000, new_key=bytes), session_id="7")


def read(text: str) -> Audio:
    """The audio stream of a description whose lines after the origin these are."""
    body = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n" + text
    audio = parse_sdp(body.encode()).audio
    assert audio is not None
    return audio


def test_an_offer_is_read_as_it_was_written() -> None:
    offered = make_offer(TERMS, host="2001:db8::1", port=4000, new_key=bytes)
    read_again = parse_sdp(build_sdp(offered, session_id="7")).audio
    assert read_again is not None
    assert (read_again.host, read_again.port, read_again.secure) == ("2001:db8::1", 4000, True)
    assert read_again.formats == offered.formats == tuple(CODECS.values())
    assert read_again.events == offered.events
    assert read_again.cryptos == offered.cryptos
    assert read_again.rtcp_mux and read_again.ptime_ms == 20


def test_formats_that_are_known_keep_their_order_and_the_others_their_names() -> None:
    audio = read(
        "m=audio 9 RTP/AVP 18 111 8 9 0 97 13 100 102\na=rtpmap:111 OPUS/48000/2\na=fmtp:111 useinbandfec=1\n"
        "a=rtpmap:97 iLBC/8000\na=rtpmap:100 telephone-event/8000\na=rtpmap:102 telephone-event/48000\n"
    )
    assert [(f.payload_type, f.name, f.clock) for f in audio.formats] == [
        (111, "opus", 48_000),
        (8, "PCMA", 8000),
        (9, "G722", 8000),
        (0, "PCMU", 8000),
    ]
    assert audio.formats[0].parameters == "useinbandfec=1"
    assert audio.others == ("payload type 18", "iLBC/8000")
    assert audio.comfort_noise
    assert audio.event_type == 102


@pytest.mark.parametrize(
    ("formats", "event"),
    [("0 101 102", 101), ("96 101 102", 102), ("96 101", 101), ("0 102", None), ("0", None)],
)
def test_keys_are_spoken_in_the_clock_of_the_codec_or_in_that_of_telephones(formats: str, event: int | None) -> None:
    audio = read(
        f"m=audio 9 RTP/AVP {formats}\na=rtpmap:96 opus/48000/2\n"
        "a=rtpmap:101 telephone-event/8000\na=rtpmap:102 telephone-event/48000\n"
    )
    assert audio.event_type == event


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ("", ("192.0.2.1", 4001)),
        ("a=rtcp-mux\n", ("192.0.2.1", 4000)),
        ("a=rtcp:5000\n", ("192.0.2.1", 5000)),
        ("a=rtcp:5000 IN IP6 2001:db8::2\n", ("2001:db8::2", 5000)),
        ("a=rtcp:70000\n", ("192.0.2.1", 4001)),
        ("a=rtcp:5000 IN IP4\n", ("192.0.2.1", 5000)),
        ("a=rtcp:5000 IN IP4 239.1.2.3\n", ("192.0.2.1", 5000)),
        ("a=rtcp:5000 IN IP4 phone.example.com\n", ("192.0.2.1", 5000)),
    ],
)
def test_rtcp_goes_where_it_is_heard(lines: str, where: tuple[str, int]) -> None:
    assert read("m=audio 4000 RTP/AVP 0\n" + lines).rtcp_address == where


@pytest.mark.parametrize(
    ("lines", "held"),
    [
        ("a=sendonly\n", True),
        ("a=inactive\n", True),
        ("c=IN IP4 0.0.0.0\n", True),
        ("c=IN IP6 ::\n", True),
        ("a=recvonly\n", False),
        ("", False),
    ],
)
def test_hold_is_seen_in_each_of_its_forms(lines: str, held: bool) -> None:
    assert read("m=audio 4000 RTP/AVP 0\n" + lines).held is held


def test_of_a_stream_offered_twice_the_encrypted_one_is_taken_and_the_other_refused_in_its_place() -> None:
    offer = parse_sdp(
        "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=video 8 RTP/AVP 31\nm=audio 9 RTP/AVP 0\n"
        f"m=audio 11 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY30}\n".encode()
    )
    ours, _ = answer_audio(offer, TERMS, host="192.0.2.2", port=6000)
    answered = parse_sdp(build_sdp(ours, session_id="1"))
    assert [line.split()[:3] for line in answered.media_lines] == [
        ["m=video", "0", "RTP/AVP"],
        ["m=audio", "0", "RTP/AVP"],
        ["m=audio", "6000", "RTP/SAVP"],
    ]


@pytest.mark.parametrize("profile", ["RTP/AVPF", "RTP/SAVPF"])
def test_a_profile_with_feedback_is_answered_in_kind(profile: str) -> None:
    body = OFFER.replace(b"RTP/SAVP", profile.encode())
    ours, _ = answer_audio(parse_sdp(body), TERMS, host="192.0.2.2", port=6000)
    assert f"m=audio 6000 {profile} 0 101\r\n".encode() in build_sdp(ours, session_id="1")


@pytest.mark.parametrize(
    "text",
    [
        "x\nm=audio 9 RTP/AVP 0 \n",
        "m=audio 9 RTP/AVP 0\n\n \n\0",
        "m=audio 9 RTP/AVP 0\nm=video 0 RTP/AVP\n",
        "m=audio 0 RTP/AVP\nm=audio 9 RTP/AVP 0\n",
        "m=audio 9 RTP/AVP 200 x 0 1000\n",
        "m=audio 9 RTP/AVP 0\na=maxptime:10\na=ptime:-\na=rtcp:x\n=\n",
    ],
)
def test_what_nobody_needs_costs_nothing(text: str) -> None:
    audio = read(text)
    assert (audio.host, audio.port, [f.name for f in audio.formats]) == ("192.0.2.1", 9, ["PCMU"])


def test_what_is_not_utf_8_is_read_all_the_same() -> None:
    body = b"v=0\r\no=J\xfcrgen 1 1 IN IP4 192.0.2.1\r\ns=T\xe9l\r\nc=IN IP4 192.0.2.1\r\nm=audio 9 RTP/AVP 0\r\n"
    assert parse_sdp(body).audio is not None


def test_a_refused_medium_without_formats_is_refused_with_one_as_the_grammar_wants() -> None:
    body = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=video 0 RTP/AVP\nm=audio 9 RTP/AVP 0\n"
    ours, _ = answer_audio(parse_sdp(body.encode()), TERMS, host="192.0.2.2", port=6000)
    assert parse_sdp(build_sdp(ours, session_id="1")).media_lines == ("m=video 0 RTP/AVP 0", "m=audio 6000 RTP/AVP 0")


@pytest.mark.parametrize(
    ("theirs", "ours", "taken"),
    [
        ("198.51.100.7", "192.0.2.2", True),
        ("127.0.0.1", "127.0.0.1", True),  # all on one machine: the demonstration, the tests
        ("127.0.0.9", "192.0.2.2", False),
        ("255.255.255.255", "192.0.2.2", False),
        ("240.0.0.1", "192.0.2.2", False),
        ("224.0.0.5", "192.0.2.2", False),
        ("::1", "2001:db8::2", False),
        ("::ffff:127.0.0.1", "2001:db8::2", False),
        ("ff02::1", "2001:db8::2", False),
        ("2001:db8::1", "2001:db8::2", True),
    ],
)
def test_media_is_sent_to_one_host_and_not_to_ourselves(theirs: str, ours: str, taken: bool) -> None:
    family = "IP6" if ":" in theirs else "IP4"
    body = f"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN {family} {theirs}\nt=0 0\nm=audio 9 RTP/AVP 0\n"
    try:
        answer_audio(parse_sdp(body.encode()), MediaTerms(encryption=Encryption.PREFER), host=ours, port=6000)
    except IncompatibleMedia:
        assert not taken
    else:
        assert taken


# Keys


@pytest.mark.parametrize("suite", SUITES)
def test_a_key_is_read_as_it_was_written(suite: str) -> None:
    crypto = Crypto(tag=3, suite=suite, key=bytes(range(SUITES[suite])))
    assert parse_crypto(crypto.line()) == crypto
    for lifetime in ("2^31", "2^20", "1048576", f"{MIN_LIFETIME}"):
        assert parse_crypto(f"{crypto.line()}|{lifetime}") == crypto
    assert parse_crypto(crypto.line() + " WSH=128") == crypto
    assert parse_crypto(crypto.line().rstrip("=")) == crypto


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (f"AES_256_CM_HMAC_SHA1_80 inline:{KEY30}", "unknown"),
        (f"AES_CM_128_HMAC_SHA1_80 inline:{KEY30}|2^31|1:1", "with MKI"),
        (f"AES_CM_128_HMAC_SHA1_80 inline:{KEY30}|1:4", "with MKI"),
        (f"AES_CM_128_HMAC_SHA1_80 inline:{KEY30}|2^10", "does not live long enough"),
        (f"AES_CM_128_HMAC_SHA1_80 inline:{KEY30}|{MIN_LIFETIME - 1}", "does not live long enough"),
        (f"AES_CM_128_HMAC_SHA1_80 inline:{KEY30}|soon", "does not live long enough"),
        (f"AES_CM_128_HMAC_SHA1_80 inline:{KEY30} UNENCRYPTED_SRTP", "UNENCRYPTED_SRTP is not spoken"),
        (f"AES_CM_128_HMAC_SHA1_80 inline:{KEY30} WSH=64 UNAUTHENTICATED_SRTP", "UNAUTHENTICATED_SRTP is not spoken"),
        (f"AES_CM_128_HMAC_SHA1_80 inline:{KEY30};inline:{KEY30}", "one inline key"),
        (f"AEAD_AES_256_GCM inline:{KEY30}", "30 bytes instead of 44"),
        ("AES_CM_128_HMAC_SHA1_80 inline:%%%", "not Base64"),
        ("AES_CM_128_HMAC_SHA1_80", "not TAG SUITE inline:KEY"),
    ],
)
def test_a_line_that_cannot_be_used_is_passed_over_with_the_reason(rest: str, why: str) -> None:
    found = parse_crypto(f"1 {rest}")
    assert isinstance(found, PassedOver)
    assert why in str(found)


def test_keys_are_not_shown() -> None:
    secret = bytes(range(65, 95))
    crypto = Crypto(tag=1, suite="AES_CM_128_HMAC_SHA1_80", key=secret)
    assert "ABCDEF" not in repr(crypto) and "key" not in repr(crypto)
    assert KEY30 not in str(parse_crypto(f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY30} KDR=1"))


# Whatever comes in


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("m=audio 70000 RTP/AVP 0\n", "not a media line"),
        ("m=audio x RTP/AVP 0\n", "not a media line"),
        ("m=audio 9\n", "not a media line"),
        ("m=audio 9 RTP/AVP 0\nc=IN\n", "not a connection line"),
        ("a=" + 17_000 * "x", "at most 16384"),
    ],
)
def test_what_is_no_description_is_refused_with_what_was_found(text: str, why: str) -> None:
    with pytest.raises(SdpError, match=why):
        read(text)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise_anything_else(data: bytes) -> None:
    for body in (data, b"v=0\r\n" + data, OFFER[:-40] + data, OFFER + b"m=audio " + data):
        try:
            description = parse_sdp(body)
            ours, _ = answer_audio(description, TERMS, host="192.0.2.2", port=1)
            parse_sdp(build_sdp(ours, session_id="1"))
            check_answer(ours, description)
        except (SdpError, IncompatibleMedia) as error:
            assert str(error).isprintable()


@given(st.text(max_size=120))
def test_no_crypto_line_makes_it_raise(text: str) -> None:
    for value in (text, f"1 AES_CM_128_HMAC_SHA1_80 {text}", f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY30}{text}"):
        assert str(parse_crypto(value)).isprintable()


@pytest.mark.parametrize(
    ("written", "host", "held"),
    [
        ("2001:0DB8:0:0::1", "2001:db8::1", False),
        ("0:0:0:0:0:0:0:0", "::", True),
        ("192.0.2.1/127", "192.0.2.1", False),
    ],
)
def test_an_address_is_known_as_the_kernel_writes_it(written: str, host: str, held: bool) -> None:
    family = "IP6" if ":" in written else "IP4"
    lines = (
        "v=0",
        "o=- 1 1 IN IP4 x",
        "s=-",
        f"c=IN {family} {written}",
        "t=0 0",
        "m=audio 4000 RTP/AVP 0",
        f"a=rtcp:9 IN {family} {written}",
    )
    audio = parse_sdp("\r\n".join(lines).encode()).audio
    assert audio is not None
    assert (audio.host, audio.rtcp, audio.held) == (host, (host, 9), held)
