"""Reading the wire is linear in its length (invariant 4): hostile text of every kind, for every reader of headers and bodies.

CPU time is measured, not the clock, and measured again where it was too long: only what is slow each time is slow. The bound
is that of ``make fuzz``; reading twice as much may then take four times as long, which no quadratic reader keeps for long.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from tandem.core.errors import TandemError
from tandem.org.numbers import line_key
from tandem.sip.headers import digest, fields, history, identity, mwi, params, refer, replaces
from tandem.sip.headers.diversion import diversions
from tandem.sip.headers.uri import parse_uri
from tandem.sip.headers.via import vias
from tandem.sip.machines import reliable, sessiontimer, subscription, uas
from tandem.sip.message.body import description_of
from tandem.sip.message.framing import StreamFramer
from tandem.sip.message.message import Headers, Request
from tandem.sip.message.parse import MAX_HEADER_BYTES, MAX_LINE, parse_message
from tandem.sip.message.salvage import answer_to_unreadable
from tandem.sip.sdp.description import parse_sdp
from tandem.sip.sdp.offer import Encryption, MediaTerms, answer_audio

MOST_S = 0.05
NOISE_S = 0.005
SIZES = (96, 2_048, MAX_LINE)
BIG = (1_024, 4_096, 16_384, MAX_HEADER_BYTES)
ABLE = uas.Abilities(methods=("INVITE",))


def header(name: str, read: Callable[[Request], object]) -> Callable[[str], object]:
    """A reader of a message, as one of a header's value."""
    return lambda text: read(Request(method="INVITE", uri="sip:x", headers=Headers([(name, text)])))


READERS: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "Authorization": (digest.parse_credentials, ("Digest ", 'Digest a="')),
    "WWW-Authenticate": (
        lambda text: digest.answer([text], username="u", secret="s", method="M", uri="x", cnonce="c"),
        ("Digest ", ""),
    ),
    "a stale challenge": (digest.is_stale, ("Digest ",)),
    "a URI": (parse_uri, ("", "sip:x", "tel:1")),
    "a number": (line_key, ("", "tel:+1;ext=")),
    "From": (header("From", fields.from_), ("", '"', "<sip:a@x>")),
    "Contact": (header("Contact", fields.contact_uri), ("", '"', "<sip:a@x>")),
    "Route": (header("Route", fields.routes), ("", '"', "<sip:a@x>")),
    "Record-Route": (header("Record-Route", fields.recorded_routes), ("", "<sip:a@x>")),
    "Via": (header("Via", vias), ("", "SIP/2.0/UDP x", "SIP/2.0/UDP x;a")),
    "Diversion": (header("Diversion", diversions), ("", '"', "<sip:a@x>")),
    "History-Info": (header("History-Info", history.diverted), ("", "<sip:x?Reason=SIP")),
    "P-Asserted-Identity": (header("P-Asserted-Identity", identity.asserted), ("", '"', "<sip:a@x>")),
    "Replaces": (header("Replaces", replaces.replaces), ("", "x;to-tag=")),
    "Refer-To": (header("Refer-To", refer.parse_refer), ("", "<sip:a@x?Replaces=")),
    "Session-Expires": (header("Session-Expires", sessiontimer.grant), ("", "90;refresher=")),
    "Event": (header("Event", subscription.event_of), ("", "x;id=")),
    "RAck": (reliable.parse_rack, ("", "1 ", "1 1 ")),
    "value;parameters": (params.with_parameters, ("", '"', "x;a=")),
    "tokens": (lambda text: params.tokens([text]), ("",)),
    "Require": (header("Require", lambda request: uas.refusal(request, ABLE)), ("", '"')),
    "CSeq": (header("CSeq", fields.cseq), ("", "1 ")),
    "Expires": (lambda text: fields.number(text, default=0), ("", "1")),
    "a message summary": (lambda text: mwi.parse_summary(SUMMARY + text.encode()), ("", "Voice-Message: 1/")),
    "a sipfrag": (lambda text: refer.parse_fragment(text.encode()), ("", "SIP/2.0 ")),
}
SUMMARY = b"Messages-Waiting: yes\r\n"
PIECES = (
    'a="b",',
    "a=b,",
    ",",
    " ",
    "\t",
    '"',
    '\\"',
    '"\\',
    '="',
    ";",
    ";a",
    "; a = ",
    "<",
    "<a:b>",
    '<a:b>;a="',
    "<sip:a@x>,",
    "1",
    "a",
    "a-",
    "a@",
    ":",
    "%41",
    ";cause ",
    "SIP/2.0/UDP x,",
    "(",
    "[:",
)
ENDS = ("", "!", ",")


def cpu_s(read: Callable[[], object]) -> float:
    """The CPU time of one reading; whatever may be read or refused."""
    begun = time.thread_time()
    try:
        read()
    except TandemError:
        pass
    return time.thread_time() - begun


def check(read: Callable[[Any], object], inputs: list[Any]) -> None:
    """Read growing inputs: each within the bound, and the longer ones in proportion."""
    before = 0.0
    for each in inputs:
        took = cpu_s(lambda each=each: read(each))
        if took > MOST_S or (before > NOISE_S and took > 8 * before):
            took = min(took, *(cpu_s(lambda each=each: read(each)) for _ in range(3)))
        assert took <= MOST_S, f"{took:.3f} s for {each[:60]!r}..., {len(each)} long"
        assert before < NOISE_S or took <= 8 * before, f"{before:.3f} s became {took:.3f} s for {each[:60]!r}..."
        before = took


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_header_is_read_in_time_that_grows_with_its_length(name: str) -> None:
    read, beginnings = READERS[name]
    for beginning, piece, end in itertools.product(beginnings, PIECES, ENDS):
        check(read, [beginning + piece * (size // len(piece)) + end for size in SIZES])


def datagram(head: str = "", body: str = "") -> bytes:
    """An INVITE with these further lines."""
    return (
        "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n"
        f"Call-ID: 1\r\nCSeq: 1 INVITE\r\n{head}\r\n{body}"
    ).encode()


@pytest.mark.parametrize(
    "piece",
    ["a:\r\n", "l: \r\n ", "l:\r\n", "\r\n \r\n", "Via: SIP/2.0/UDP x\r\n", 'Subject: "\\\x07\r\n', "\r", "v:\t\r\n\t,"],
)  # fmt: skip
def test_a_message_is_read_in_time_that_grows_with_its_length(piece: str) -> None:
    def framed(data: bytes) -> None:
        for _ in StreamFramer().feed(data):
            pass

    messages = [datagram(piece * (size // len(piece))) for size in BIG]
    for read in (parse_message, framed, lambda data: answer_to_unreadable(data, 400)):
        check(read, messages)


@pytest.mark.parametrize(
    "piece", [b"--b", b"--b\r\n", b"\r\n--", b"--" + b"b" * 70, b"--b\r\na:b;", b"\r\n\r\n", b"--b\r\n\r\n"]
)
def test_parts_of_a_body_are_read_in_time_that_grows_with_their_length(piece: bytes) -> None:
    kind = ("Content-Type", f"multipart/mixed;boundary={'b' * 70 if len(piece) > 70 else 'b'}")

    def read(body: bytes) -> None:
        description_of(Request(method="INVITE", uri="sip:x", headers=Headers([kind]), body=body))

    check(read, [b"--b\r\n" + piece * (size // len(piece)) for size in BIG])


SESSION = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
STREAM = "m=audio 4000 RTP/AVP 0\r\n"


@pytest.mark.parametrize(
    ("session", "piece"),
    [
        ("", STREAM),
        ("", STREAM + "a=x\r\n"),
        ("a=x\r\n", STREAM),
        ("", "m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n"),
        ("", "m=video 0 RTP/AVP 0\r\n"),
        (STREAM, "a=rtpmap:0 x/1\r\n"),
        (STREAM, "a=ptime:20\r\n"),
        (STREAM, "c=IN IP4 192.0.2.1\r\n"),
        (STREAM, "a=rtcp:x\r\n"),
        (STREAM.replace(" 0\r", ""), " 96"),
    ],
)
def test_a_description_is_read_in_time_that_grows_with_its_length(session: str, piece: str) -> None:
    def read(body: bytes) -> None:
        terms = MediaTerms(encryption=Encryption.PREFER)
        answer_audio(parse_sdp(body), terms, host="192.0.2.2", port=4000, new_key=bytes)

    half = session * (1 if session == STREAM else 1_300)
    check(read, [(SESSION + half + piece * (size // len(piece))).encode() for size in (1_024, 4_096, 8_000)])
