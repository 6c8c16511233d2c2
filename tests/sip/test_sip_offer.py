"""Offer and answer: what is chosen, what is refused, and what never changes within a call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.sip.errors import IncompatibleMedia
from tandem.sip.sdp.description import CODECS, Audio, Description, build_sdp, parse_sdp
from tandem.sip.sdp.offer import Encryption, MediaTerms, answer_audio, check_answer, make_offer
from tandem.sip.sdp.sdes import SUITES, Crypto

REQUIRE, PREFER, REFUSE = (MediaTerms(encryption=kind) for kind in Encryption)


def offer(
    terms: MediaTerms = PREFER, *, change: tuple[str, str] = ("", ""), before: Audio | None = None
) -> Description:
    """An offer of ours as the other side reads it, with a change in its text."""
    text = build_sdp(make_offer(terms, host="192.0.2.1", port=4000, before=before), session_id="7").decode()
    assert change[0] in text, "the change changes something"
    return parse_sdp(text.replace(*change).encode())


def answer(to: Description, terms: MediaTerms = PREFER, *, before: Audio | None = None) -> tuple[Audio, Audio]:
    return answer_audio(to, terms, host="192.0.2.2", port=6000, before=before)


def only(*suites: str) -> MediaTerms:
    return MediaTerms(encryption=Encryption.REQUIRE, suites=suites)


@given(
    codecs=st.lists(st.sampled_from(list(CODECS)), min_size=1, unique=True),
    spoken=st.lists(st.sampled_from(list(CODECS)), min_size=1, unique=True),
    suites=st.lists(st.sampled_from(list(SUITES)), min_size=1, unique=True),
    kinds=st.tuples(*[st.sampled_from(list(Encryption))] * 2),
    own_order=st.booleans(),
)
def test_two_of_us_agree_on_the_same_stream_or_on_why_not(
    codecs: list[str], spoken: list[str], suites: list[str], kinds: tuple[str, str], own_order: bool
) -> None:
    ours = make_offer(MediaTerms(encryption=kinds[0], codecs=tuple(codecs)), host="192.0.2.1", port=4000)
    terms = MediaTerms(encryption=kinds[1], codecs=tuple(spoken), suites=tuple(suites), own_order=own_order)
    try:
        answered, offered = answer(parse_sdp(build_sdp(ours, session_id="1")), terms)
    except IncompatibleMedia:
        never = {
            (Encryption.REFUSE, Encryption.REQUIRE),
            (Encryption.REQUIRE, Encryption.REFUSE),
            (Encryption.PREFER, Encryption.REFUSE),
        }
        assert not set(codecs) & set(spoken) or kinds in never
        return
    mine, theirs = check_answer(ours, parse_sdp(build_sdp(answered, session_id="2")))
    assert mine.formats == offered.formats
    assert (mine.event, theirs.event_type) == (offered.event, answered.event_type)
    assert mine.cryptos == offered.cryptos and theirs.cryptos == answered.cryptos
    assert mine.secure == theirs.secure == (kinds[0] is not Encryption.REFUSE)
    assert mine.rtcp_mux and theirs.rtcp_mux and answered.rtcp_mux


def test_the_answer_names_one_codec_the_first_that_the_offer_has_and_we_speak() -> None:
    for spoken, chosen in ((("opus", "PCMA"), "PCMA"), (("G722",), "G722"), (tuple(CODECS), "PCMU")):
        ours, theirs = answer(offer(), MediaTerms(encryption=Encryption.PREFER, codecs=spoken))
        assert [f.name for f in ours.formats] == [f.name for f in theirs.formats] == [chosen]


def test_our_own_order_decides_if_the_terms_say_so() -> None:
    ours, _ = answer(offer(), MediaTerms(encryption=Encryption.PREFER, codecs=("opus", "PCMU"), own_order=True))
    assert ours.formats[0].name == "opus"
    for offered, chosen in (
        (("opus", "PCMA", "PCMU"), "PCMA"),
        (("G722", "PCMU", "PCMA"), "PCMU"),
        (("opus", "G722"), "G722"),
    ):
        theirs = offer(MediaTerms(encryption=Encryption.REQUIRE, codecs=offered))
        ours, _ = answer(theirs, MediaTerms(encryption=Encryption.PREFER, own_order=True))
        assert ours.formats[0].name == chosen, "between the two laws of G.711 the offer decides"


def test_the_best_suite_in_common_is_taken_whatever_the_order_of_the_offer() -> None:
    weakest_first = only("AES_CM_128_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM")
    ours, theirs = answer(offer(weakest_first))
    assert (ours.cryptos[0].suite, ours.cryptos[0].tag) == ("AEAD_AES_128_GCM", 3)
    assert len(ours.cryptos[0].key) == len(theirs.cryptos[0].key) == SUITES["AEAD_AES_128_GCM"]
    assert ours.cryptos[0].key != theirs.cryptos[0].key


@pytest.mark.parametrize(
    ("offered", "answering", "why"),
    [
        (offer(), REFUSE, "SRTP .* is offered, but media is not encrypted here"),
        (offer(REFUSE), REQUIRE, "SRTP .* is required here, RTP/AVP was offered"),
        (offer(change=("m=audio", "m=video")), PREFER, "expected; offered: video over RTP/SAVP$"),
        (offer(change=("RTP/SAVP", "UDP/TLS/RTP/SAVPF")), PREFER, "offered: audio over UDP/TLS/RTP/SAVPF$"),
        (offer(change=("audio 4000", "audio 0")), PREFER, r"offered: audio over RTP/SAVP \(port 0\)"),
        (
            offer(change=("SAVP 0 8 9 96 101 102", "SAVP 18 97")),
            PREFER,
            "offered: payload type 18, payload type 97; spoken: PCMU, PCMA, G722, opus",
        ),
        (
            offer(),
            MediaTerms(encryption=Encryption.REQUIRE, codecs=("GSM",)),
            "offered: PCMU, PCMA, G722, opus; spoken: GSM",
        ),
        (offer(only("AES_CM_128_HMAC_SHA1_32")), only("AEAD_AES_128_GCM"), "offered: AES_CM_128_HMAC_SHA1_32; spoken"),
        (
            offer(only("AEAD_AES_256_GCM"), change=("AEAD_AES_256_GCM", "F8_128_HMAC_SHA1_80")),
            PREFER,
            r"offered: F8_128_HMAC_SHA1_80 \(unknown\); spoken: AEAD",
        ),
        (offer(change=("c=IN IP4 192.0.2.1", "c=IN IP4 phone.example.com")), PREFER, "address of one host"),
        (offer(change=("c=IN IP4 192.0.2.1", "c=IN IP4 239.1.2.3/127")), PREFER, "address of one host"),
        (offer(change=("c=IN IP4 192.0.2.1", "c=IN IP6 2001:db8::1")), PREFER, "media comes by IP6, and IP4 is spoken"),
        (offer(change=("SAVP 0 8 9 96 101 102", "SAVP")), PREFER, "no codec in common; offered: none"),
    ],
)
def test_an_offer_that_does_not_fit_is_refused_with_what_was_found_and_what_is_spoken(
    offered: Description, answering: MediaTerms, why: str
) -> None:
    with pytest.raises(IncompatibleMedia, match=why):
        answer(offered, answering)


TWICE = (
    "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 11 RTP/SAVP 0\n"
    "a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA\nm=audio 9 RTP/AVP 0\n"
)


def test_where_the_encrypted_one_of_two_streams_has_no_usable_key_policy_decides() -> None:
    ours, _ = answer(parse_sdp(TWICE.encode()), PREFER)
    assert not ours.secure and ours.index == 1
    with pytest.raises(IncompatibleMedia, match="F8_128_HMAC_SHA1_80"):
        answer(parse_sdp(TWICE.encode()), REQUIRE)
    first, _ = answer(offer())
    with pytest.raises(IncompatibleMedia, match="F8_128_HMAC_SHA1_80"):
        answer(parse_sdp(TWICE.encode()), PREFER, before=first)


PLAIN_FIRST = (
    "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 9 RTP/AVP 0\nm=audio 11 RTP/SAVP 0\n"
    f"a=crypto:{Crypto(tag=4, suite='AES_CM_128_HMAC_SHA1_80', key=bytes(30)).line()}\n"
)


@pytest.mark.parametrize("terms", [REQUIRE, PREFER])
def test_the_encrypted_one_of_two_streams_is_found_wherever_it_is(terms: MediaTerms) -> None:
    ours, theirs = answer(parse_sdp(PLAIN_FIRST.encode()), terms)
    assert (ours.secure, ours.index, theirs.port, ours.profile) == (True, 1, 11, "RTP/SAVP")


OPTIONAL = (
    "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 9 RTP/AVP 0\n"
    f"a=crypto:{Crypto(tag=4, suite='AES_CM_128_HMAC_SHA1_80', key=bytes(30)).line()}\n"
)
"""What a phone with "optional" SRTP offers (RFC 8643)."""


@pytest.mark.parametrize("terms", [REQUIRE, PREFER])
def test_keys_under_a_plain_profile_are_taken_and_answered_under_it(terms: MediaTerms) -> None:
    ours, theirs = answer(parse_sdp(OPTIONAL.encode()), terms)
    assert ours.secure and theirs.secure and theirs.cryptos[0].key == bytes(30)
    written = build_sdp(ours, session_id="1").decode()
    assert "m=audio 6000 RTP/AVP 0\r\n" in written and "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:" in written


def test_keys_under_a_plain_profile_are_left_alone_where_media_is_plain() -> None:
    ours, _ = answer(parse_sdp(OPTIONAL.encode()), REFUSE)
    written = build_sdp(ours, session_id="1").decode()
    assert not ours.secure and "RTP/AVP 0" in written and "crypto" not in written


def test_keys_under_a_plain_profile_that_cannot_be_used_leave_it_plain() -> None:
    unknown = parse_sdp(OPTIONAL.replace("AES_CM_128", "AES_CM_999").encode())
    assert not answer(unknown, PREFER)[0].secure
    with pytest.raises(IncompatibleMedia, match="is required here"):
        answer(unknown, REQUIRE)


def test_an_encrypted_stream_under_its_own_profile_goes_before_one_under_the_plain_one() -> None:
    both = OPTIONAL + PLAIN_FIRST.partition("RTP/AVP 0\n")[2]
    ours, _ = answer(parse_sdp(both.encode()), PREFER)
    assert (ours.index, ours.profile) == (1, "RTP/SAVP")


def test_a_call_with_keys_under_a_plain_profile_goes_on_so_and_stays_encrypted() -> None:
    first, _ = answer(parse_sdp(OPTIONAL.encode()), PREFER)
    ours = make_offer(PREFER, host="192.0.2.2", port=6000, before=first)
    assert (ours.secure, ours.profile) == (True, "RTP/AVP")
    _, theirs = check_answer(ours, parse_sdp(OPTIONAL.replace("crypto:4", "crypto:3").encode()))
    assert theirs.secure
    with pytest.raises(IncompatibleMedia, match="the answer is RTP/AVP"):
        check_answer(ours, parse_sdp(OPTIONAL.replace("a=crypto", "a=x").encode()))
    with pytest.raises(IncompatibleMedia, match="is required here"):
        answer(parse_sdp(OPTIONAL.replace("a=crypto", "a=x").encode()), PREFER, before=first)


def test_the_family_of_addresses_that_is_spoken_is_taken_of_two_streams() -> None:
    dual = PLAIN_FIRST.replace("RTP/AVP 0\n", "RTP/AVP 0\nc=IN IP6 2001:db8::1\n").replace("RTP/SAVP", "RTP/AVP")
    assert answer(parse_sdp(dual.encode()), REFUSE)[0].index == 1


def test_a_hold_of_old_is_taken_in_either_family() -> None:
    _, theirs = answer(offer(change=("c=IN IP4 192.0.2.1", "c=IN IP6 ::")))
    assert theirs.held


@pytest.mark.parametrize(("asked", "given_"), [("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive",) * 2])
def test_hold_is_answered_in_kind_and_resumed(asked: str, given_: str) -> None:
    first, _ = answer(offer())
    held, theirs = answer(offer(change=("a=sendrecv", f"a={asked}")), before=first)
    assert held.direction == given_ and theirs.held == (asked != "recvonly")
    resumed, theirs = answer(offer(), before=held)
    assert resumed.direction == "sendrecv" and not theirs.held
    assert resumed.cryptos == held.cryptos == first.cryptos


def test_a_call_that_was_encrypted_stays_so() -> None:
    first, _ = answer(offer(), PREFER)
    with pytest.raises(IncompatibleMedia, match="is required here"):
        answer(offer(REFUSE), PREFER, before=first)
    assert make_offer(REFUSE, host="192.0.2.2", port=6000, before=first).secure


def test_a_call_that_was_plain_may_become_encrypted() -> None:
    first, _ = answer(offer(REFUSE), PREFER)
    again, _ = answer(offer(PREFER), PREFER, before=first)
    assert not first.secure and again.secure


def test_the_codec_in_use_stays_while_it_is_offered() -> None:
    first, _ = answer(offer(MediaTerms(encryption=Encryption.REQUIRE, codecs=("PCMA",))))
    again, _ = answer(offer(), before=first)
    assert again.formats[0].name == "PCMA"


def test_a_suite_that_changes_gets_a_new_key() -> None:
    first, _ = answer(offer(only("AES_CM_128_HMAC_SHA1_80")))
    again, _ = answer(offer(only("AES_CM_128_HMAC_SHA1_32")), before=first)
    assert first.cryptos[0].key != again.cryptos[0].key


def test_an_offer_within_a_call_keeps_what_numbers_mean_and_the_key_in_use() -> None:
    # The peer has opus at our number for its keys, and its keys at our number for opus.
    theirs = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 9 RTP/SAVP 101 96\n"
    theirs += "a=rtpmap:101 opus/48000/2\na=rtpmap:96 telephone-event/48000\n"
    theirs += "a=crypto:" + Crypto(tag=9, suite="AEAD_AES_128_GCM", key=bytes(28)).line() + "\n"
    first, _ = answer(parse_sdp(theirs.encode()))
    ours = make_offer(PREFER, host="192.0.2.2", port=6000, before=first)
    numbers = [f.payload_type for f in (*ours.formats, *ours.events)]
    assert len(numbers) == len(set(numbers))
    assert first.formats[0] in ours.formats and first.events[0] in ours.events
    assert first.cryptos[0].key in [crypto.key for crypto in ours.cryptos]


def test_refused_media_keep_their_place_in_our_later_offers() -> None:
    text = build_sdp(make_offer(PREFER, host="192.0.2.1", port=4000), session_id="1").decode()
    with_video = text.replace("m=audio", "m=video 5000 RTP/AVP 31\r\nm=audio")
    first, _ = answer(parse_sdp(with_video.encode()))
    later = build_sdp(make_offer(PREFER, host="192.0.2.2", port=6000, before=first), session_id="2")
    assert [line.split()[:2] for line in parse_sdp(later).media_lines] == [["m=video", "0"], ["m=audio", "6000"]]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("RTP/SAVP", "RTP/AVP"), "the answer is RTP/AVP, the offer was RTP/SAVP"),
        (("audio 6000", "audio 0"), r"refuses our audio: audio over RTP/SAVP \(port 0\)"),
        (("m=audio", "m=video 0 RTP/AVP 31\r\nm=audio"), "2 media lines, the offer 1"),
        (("RTP/SAVP 0", "RTP/SAVP 18"), "none of our codecs: payload type 18"),
        (("a=crypto:1", "a=crypto:8"), "none of our keys: AEAD_AES_256_GCM"),
        (("a=crypto", "a=x-crypto"), "none of our keys: none"),
        (("IP4 192.0.2.2", "IP4 example.com"), "address of one host"),
        (("c=IN IP4 192.0.2.2", "c=IN IP6 2001:db8::2"), "media comes by IP6, and IP4 is spoken here"),
    ],
)
def test_an_answer_that_does_not_fit_our_offer_is_refused(change: tuple[str, str], why: str) -> None:
    ours = make_offer(PREFER, host="192.0.2.1", port=4000)
    answered, _ = answer(parse_sdp(build_sdp(ours, session_id="1")))
    text = build_sdp(answered, session_id="2").decode()
    assert change[0] in text, "the change changes something"
    with pytest.raises(IncompatibleMedia, match=why):
        check_answer(ours, parse_sdp(text.replace(*change).encode()))


def test_an_answer_without_a_shared_port_for_rtcp_gets_it_on_the_next_one() -> None:
    ours = make_offer(PREFER, host="192.0.2.1", port=4000)
    answered, _ = answer(parse_sdp(build_sdp(ours, session_id="1")))
    text = build_sdp(answered, session_id="2").decode().replace("a=rtcp-mux\r\n", "")
    mine, theirs = check_answer(ours, parse_sdp(text.encode()))
    assert not mine.rtcp_mux and theirs.rtcp_address == ("192.0.2.2", 6001)
