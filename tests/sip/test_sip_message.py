import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.sip.errors import IllegalHeader, MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.via import top_via
from tandem.sip.message import grammar
from tandem.sip.message.framing import KeepAlive, StreamFramer
from tandem.sip.message.message import Headers, Request, Response, response_to
from tandem.sip.message.parse import MAX_HEADERS, parse_message

INVITE = (
    b"INVITE sip:4101@example.com SIP/2.0\r\n"
    b"v: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKabc;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'f: "Bob, \xc3\xa9" <sip:bob@example.com>;tag=1\r\n'
    b"t: <sip:4101@example.com>\r\n"
    b"i: abc@host\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Subject: two\r\n lines\r\n"
    b"m: <sip:bob@127.0.0.1:40000;transport=tls>\r\n"
    b"l: 3\r\n\r\nabc"
)


def test_a_request_is_read_with_compact_and_folded_headers() -> None:
    request = parse_message(INVITE)
    assert isinstance(request, Request)
    assert request.method == "INVITE"
    assert request.body == b"abc"
    assert request.headers.get("Subject") == "two lines"
    assert fields.from_(request).name == "Bob, é"
    assert top_via(request).parameters["branch"] == "z9hG4bKabc"


def test_what_is_written_is_read_again() -> None:
    request = parse_message(INVITE)
    again = parse_message(request.to_bytes())
    assert again.headers.get("from") == request.headers.get("From")
    assert again.body == request.body


def test_bytes_that_are_no_utf_8_survive() -> None:
    message = parse_message(INVITE.replace(b"\xc3\xa9", b"\xe9\xff"))
    assert b'"Bob, \xe9\xff"' in message.to_bytes()
    assert parse_message(message.to_bytes()).to_bytes() == message.to_bytes()


def test_control_characters_stand_escaped_in_quoted_strings_only() -> None:
    escaped = parse_message(INVITE.replace(b'"Bob, \xc3\xa9"', b'"\\\x07\\\x00"'))
    assert fields.from_(escaped).name == "\x07\0"
    with pytest.raises(MalformedMessage, match="control character"):
        parse_message(INVITE.replace(b'"Bob, \xc3\xa9"', b'"\x07"'))


@pytest.mark.parametrize(
    ("method", "allowed"),
    [(b"x" * 64, True), (b"x" * 65, False), (b"!interesting-Method0123456789_*+`.%indeed'~", True)],
)
def test_a_method_is_any_token_of_a_sane_length(method: bytes, allowed: bool) -> None:
    data = INVITE.replace(b"INVITE", method)
    if allowed:
        assert parse_message(data).to_bytes().startswith(method)
    else:
        with pytest.raises(MalformedMessage, match="neither a method"):
            parse_message(data)


def test_a_response_copies_what_the_rfc_asks_and_adds_a_tag() -> None:
    request = parse_message(INVITE)
    assert isinstance(request, Request)
    response = parse_message(response_to(request, 180, to_tag="xyz").to_bytes())
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (180, "Ringing")
    assert fields.to_tag(response) == "xyz"
    assert fields.call_id(response) == "abc@host"


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nb", "a\x00b", "a\rb"])
def test_a_value_that_would_add_a_line_is_refused(value: str) -> None:
    with pytest.raises(IllegalHeader, match="control character"):
        Headers([("Subject", value)])


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (INVITE.replace(b"CSeq: 1 INVITE\r\n", b""), "no cseq"),
        (INVITE.replace(b"1 INVITE", b"1 BYE"), "CSeq names BYE"),
        (INVITE.replace(b"SIP/2.0\r\nv", b"SIP/7.0\r\nv"), "version 7.0"),
        (INVITE.replace(b"i: abc", b"i abc"), "without a colon"),
        (INVITE.replace(b"l: 3", b"l: 4"), "says 4 bytes"),
        (INVITE.replace(b"l: 3", b"l: -3"), "not a number"),
        (INVITE.replace(b"i: abc@host", b"i: abc@host\r\nCall-ID: other"), "more than once"),
        (INVITE.replace(b"1 INVITE", b"9999999999 INVITE"), "below 2"),
        (INVITE.replace(b"Max-Forwards: 70\r\n", b"X: 1\r\n" * (MAX_HEADERS + 1)), "header lines"),
        (INVITE.replace(b"Subject: two", b"Subject: " + b"x" * 9000), "more than 8192 characters"),
        (INVITE.replace(b"Subject: two", b"Subject: x\r\n" + b" x\r\n" * 100 + b" y" * 5000), "more than 8192"),
        (INVITE.replace(b"Subject: two", b"X: 0123456789\r\n" * 250 + b"Y: " + b"y" * 30_000), "a header section of"),
        (INVITE.replace(b"sip:4101@", b"sip:" + b"4" * 3000 + b"@"), "Request-URI of"),
        (INVITE.replace(b"sip:4101@example.com SIP", b"<sip:4101@example.com> SIP"), "nor a URI"),
        (INVITE.replace(b"abc@host", b"abc host"), "not a Call-ID"),
        (INVITE.replace(b"Subject: two", b"Subject: two\nEvil: 1"), "control character or line break"),
        (INVITE.replace(b"Subject: two", b"Subject: two\rEvil: 1"), "control character or line break"),
        (INVITE.replace(b"Subject: two", "Subject: two\u2028Evil: 1".encode()), "control character or line break"),
        (INVITE.replace(b"Subject:", b"Sub ject:"), "no header name"),
        (b"nonsense\r\n\r\n", "neither a request line"),
        (b"", "does not end"),
        (b"x" * 70_000, "at most"),
    ],
)
def test_what_is_broken_is_refused_and_the_reason_named(broken: bytes, why: str) -> None:
    with pytest.raises(MalformedMessage, match=why):
        parse_message(broken)


@given(st.binary(max_size=400))
def test_no_bytes_make_the_parser_raise_anything_else(data: bytes) -> None:
    try:
        parse_message(data)
    except MalformedMessage:
        pass


@given(st.integers(0, len(INVITE) - 1), st.binary(min_size=1, max_size=6))
def test_no_damage_to_a_message_makes_the_parser_raise_anything_else(at: int, patch: bytes) -> None:
    try:
        message = parse_message(INVITE[:at] + patch + INVITE[at + len(patch) :])
        fields.contact(message)
    except MalformedMessage:
        pass


@given(st.lists(st.integers(1, 90), max_size=40))
def test_a_stream_is_cut_into_the_same_messages_wherever_it_breaks(sizes: list[int]) -> None:
    folded = INVITE.replace(b"l: 3", b"Content-Length :\r\n  3")
    stream = INVITE + b"\r\n\r\n" + folded + b"\r\n" + INVITE
    framer, out, at = StreamFramer(), [], 0
    for size in [*sizes, len(stream)]:
        out += framer.feed(stream[at : at + size])
        at += size
    assert out == [INVITE, KeepAlive(), folded, INVITE]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 1_001])
def test_a_run_of_line_ends_is_one_keep_alive_and_the_message_after_it_is_whole(count: int) -> None:
    line_ends, pairs = b"\r\n" * count, count // 2
    assert list(StreamFramer().feed(line_ends + INVITE)) == [KeepAlive(pairs=pairs)] * bool(pairs) + [INVITE]
    framer, out = StreamFramer(), list[bytes | KeepAlive]()
    for byte in line_ends + INVITE:
        out += framer.feed(bytes([byte]))
    assert out == [KeepAlive()] * pairs + [INVITE]


@pytest.mark.parametrize(
    "stream",
    [
        INVITE.replace(b"l: 3\r\n", b""),
        INVITE.replace(b"l: 3", b"l: 3\r\nContent-Length: 5"),
        INVITE.replace(b"l: 3", b"l: 99999"),
        b"A" * 40_000,
    ],
)
def test_a_stream_that_cannot_be_framed_is_given_up(stream: bytes) -> None:
    with pytest.raises(MalformedMessage):
        list(StreamFramer().feed(stream))


def test_what_was_whole_before_framing_was_lost_is_given() -> None:
    items = StreamFramer().feed(INVITE + b"A" * 40_000)
    assert next(items) == INVITE
    with pytest.raises(MalformedMessage):
        next(items)


def test_a_stream_that_drips_is_not_searched_again_and_again() -> None:
    head = INVITE.replace(b"Subject:", b"X: " + b"x" * 8000 + b"\r\nSubject:")
    body = b"y" * 50_000
    data = head.replace(b"l: 3\r\n\r\nabc", b"l: 50000\r\n\r\n") + body
    framer, out = StreamFramer(), []
    begun = time.process_time()
    for at in range(len(data)):
        out += framer.feed(data[at : at + 1])
    assert out == [data]
    assert time.process_time() - begun < 1  # searched from the beginning for each byte, it takes half a minute


def test_lists_are_split_outside_quotes_and_brackets() -> None:
    assert fields.split_list('"a, b" <sip:x@y;p="1,2">, <sip:c,d@e>') == ['"a, b" <sip:x@y;p="1,2">', "<sip:c,d@e>"]


def test_a_quoted_string_cannot_end_early() -> None:
    assert grammar.quoted('x" <sip:evil@x>\r\n') == '"x\\" <sip:evil@x>"'
