"""Header fields: Via, addresses, URIs, and what a message remembers of them."""

import pytest

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.uri import parse_uri
from tandem.sip.headers.via import note_source, remove_top_via, top_via
from tandem.sip.headers.via import vias as read_vias
from tandem.sip.message.grammar import same_host
from tandem.sip.message.message import Headers, Request, response_to


def request(*headers: tuple[str, str]) -> Request:
    return Request(method="OPTIONS", uri="sip:b@y", headers=Headers(headers))


@pytest.mark.parametrize(
    ("text", "scheme", "user", "host", "port"),
    [
        ("sip:example.com", "sip", None, "example.com", None),
        ("SIPS:Bob@Example.com:5061", "sips", "Bob", "Example.com", 5061),
        ("sip:bob:secret@[2001:db8::10]:5070;lr", "sip", "bob", "[2001:db8::10]", 5070),
        ("sip:[::ffff:192.0.2.1]", "sip", None, "[::ffff:192.0.2.1]", None),
        ("sip:[::192.0.2.1]", "sip", None, "[::192.0.2.1]", None),
        ("sip:user;par=u%40example.net@example.com", "sip", "user;par=u@example.net", "example.com", None),
        ("sip:a?b@c?Replaces=x%3Bto-tag%3Dy", "sip", "a?b", "c", None),
        ("sip:pbx_1.example.com", "sip", None, "pbx_1.example.com", None),
        ("sip:PBX#1000#9@10.0.0.1:5080", "sip", "PBX#1000#9", "10.0.0.1", 5080),
        ("tel:+1-201-555-0123", "tel", "+1-201-555-0123", "", None),
        ("TEL:7042;phone-context=example.com", "tel", "7042", "", None),
    ],
)
def test_a_uri_is_taken_apart(text: str, scheme: str, user: str | None, host: str, port: int | None) -> None:
    uri = parse_uri(text)
    assert (uri.scheme, uri.user, uri.host, uri.port) == (scheme, user, host, port)


def test_parameters_of_uris_are_read_without_case() -> None:
    uri = parse_uri("tel:863-1234;Phone-Context=+1-914-555;ext=12")
    assert dict(uri.parameters) == {"phone-context": "+1-914-555", "ext": "12"}
    assert "lr" in parse_uri("sip:p1.example.com;LR").parameters
    assert dict(parse_uri("sip:bob@x;self=1").parameters) == {"self": "1"}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("SIPS:bob:p%40ss@Example.com:5061;LR;maddr=[::1]", "sips:bob:p%40ss@Example.com:5061;lr;maddr=[::1]"),
        ("sip:user;par=u%40example.net@example.com", "sip:user;par=u%40example.net@example.com"),
        ("sip:a%20b%3A@x;m=%3B", "sip:a%20b%3A@x;m=%3B"),
        ("sip:PBX#1000@x", "sip:PBX%231000@x"),
        ("sip:x:5060", "sip:x:5060"),
        ("tel:*21#;phone-context=+1", "tel:*21#;phone-context=+1"),
    ],
)
def test_a_uri_is_written_with_what_needs_escapes_escaped(text: str, written: str) -> None:
    uri = parse_uri(text)
    assert str(uri) == written
    assert parse_uri(written) == uri


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("sip:2001:db8::10", 400),
        ("sip:bob@[2001:db8::10", 400),
        ("sip:bob@[1.2.3.4]", 400),
        ("sip:bob@example.com:70000", 400),
        ("sip:bob@a..b", 400),
        ("sip:bob@x;a=1;A=2", 400),
        ("sip:", 400),
        ("sip:bob smith@x", 400),
        ("tel:+", 400),
        ("tel:()", 400),
        ("nonsense", 400),
        ("mailto:bob@x", 416),
        ("sip:" + "x" * 3000, 414),
        # longer as they are written: %EF%BF%BD for each octet that is no UTF-8, %23 for each #
        ("sip:" + "%ff" * 300 + "@h", 414),
        ("sip:" + "#" * 700 + "@h", 414),
        ("tel:1;a=" + "%ff" * 300, 414),
    ],
)
def test_what_is_no_uri_of_ours_is_refused_with_a_status(text: str, status: int) -> None:
    with pytest.raises(MalformedMessage) as refused:
        parse_uri(text)
    assert refused.value.status == status


@pytest.mark.parametrize("text", ["sip:" + "%ff" * 200 + "@h", "sip:" + "#" * 600 + "@h", "sip:" + "x" * 2000 + "@h"])
def test_a_uri_that_is_read_is_read_again_as_it_is_written(text: str) -> None:
    uri = parse_uri(text)
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    ("text", "name", "user", "parameters"),
    [
        ("<sip:bob@x>", "", "bob", {}),
        ("sip:bob@x;tag=1", "", "bob", {"tag": "1"}),
        ("Bob van Dijk<sip:bob@x> ; TAG = 1", "Bob van Dijk", "bob", {"tag": "1"}),
        ("Jörg <sip:bob@x>", "Jörg", "bob", {}),
        (r'"J \"Bob\" \\ D" <sip:bob@x>;tag=a', r'J "Bob" \ D', "bob", {"tag": "a"}),
        ('<sip:bob@x>;note="a;b=c, d";tag=1', "", "bob", {"note": "a;b=c, d", "tag": "1"}),
        ('"x;tag=9" <sip:bob;tag=8@x;tag=7>', "x;tag=9", "bob;tag=8", {}),
        # as old PBXs and trunks write it
        ("Bell, Alexander <sip:a@x>;tag=1", "Bell, Alexander", "a", {"tag": "1"}),
        ("AT&T <sip:a@x>;tag=1", "AT&T", "a", {"tag": "1"}),
        ("Roe, Bob (Sales) <sip:a@x>;tag=1", "Roe, Bob (Sales)", "a", {"tag": "1"}),
        ('""unknown"" <sip:a@x>;tag=1', "unknown", "a", {"tag": "1"}),
        ('"Mr. Watson <sip:w@x>', "Mr. Watson", "w", {}),
        ("Bob <work> <sip:a@x>;tag=1", "Bob <work>", "a", {"tag": "1"}),
        # RFC 4475 §3.1.2.6: who infers the missing quote takes the last address
        ('"Mr J. User <sip:j.user@x> <sip:realj@x>', "Mr J. User <sip:j.user@x>", "realj", {}),
    ],
)
def test_an_address_is_taken_apart(text: str, name: str, user: str, parameters: dict[str, str]) -> None:
    address = fields.parse_address(text)
    assert (address.name, address.uri.user, dict(address.parameters)) == (name, user, parameters)


@pytest.mark.parametrize(
    "text",
    [
        "Bell, Alexander",
        '"Mr. Watson sip:w@x',
        "Bob <sip:a@x> Smith",
        "< sip:a@x >",
        "<sip:a@x",
        "<sip:a@x>;tag=1;tag=2",
        "<sip:a@x>;",
        "<sip:a@x>;=1",
        "sip:a@x?Route=b",
        "*",
        "",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage, match=r"not an address|more than once"):
        fields.parse_address(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("sip:bob@x;tag=1", "<sip:bob@x>;tag=1"),
        ("<sip:pool.example.com:5061;transport=tls;lr>", "<sip:pool.example.com:5061;transport=tls;lr>"),
        (r'"J \"Bob\"" <sip:bob@x>;ob;Note="a;b"', r'"J \"Bob\"" <sip:bob@x>;ob;note="a;b"'),
    ],
)
def test_an_address_is_written_as_a_header_has_it(text: str, written: str) -> None:
    assert str(fields.parse_address(text)) == written


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ('"J\xfcrgen"'.encode("latin-1"), "Jürgen"),
        ('"Jürgen"'.encode(), "Jürgen"),
        (b"J\xfcrgen", "Jürgen"),
        ('"株式会社"'.encode(), "株式会社"),
        (b'"a\x9bb\\\x07"', "ab"),  # a control character of Latin-1, and an escaped bell
    ],
)
def test_a_name_is_read_as_utf_8_and_else_as_latin_1(sent: bytes, read: str) -> None:
    value = (sent + b" <sip:a@x>;tag=1").decode("utf-8", "surrogateescape")
    assert fields.display_name(fields.from_(request(("From", value)))) == read


def test_an_address_of_a_scheme_that_we_do_not_speak_is_read_until_somebody_looks_into_it() -> None:
    message = request(("From", "<isbn:2983792873>;tag=1"))
    assert fields.from_tag(message) == "1"
    with pytest.raises(MalformedMessage, match="scheme 'isbn'"):
        fields.from_(message)


@pytest.mark.parametrize(
    ("text", "host", "port", "branch"),
    [
        ("SIP/2.0/UDP a.example.com;branch=z9hG4bK1", "a.example.com", None, "z9hG4bK1"),
        ("SIP / 2.0 / TCP  [2001:db8::9:1] : 5070 ; branch = z9hG4bK2", "[2001:db8::9:1]", 5070, "z9hG4bK2"),
        ("sip/2.0/UNKNOWN h;rport;BRANCH=z,SIP/2.0/UDP second", "h", None, "z"),
        ("SIP/2.0/UDP h;received=2001:db8::9:255;branch=z", "h", None, "z"),
        ("SIP/2.0/UDP h;received=[2001:db8::9:255];branch=z", "h", None, "z"),
    ],
)
def test_the_topmost_via_is_taken_apart(text: str, host: str, port: int | None, branch: str) -> None:
    via = top_via(request(("Via", text)))
    assert (via.host, via.port, via.branch) == (host, port, branch)


@pytest.mark.parametrize("text", ["", "SIP/1.0/UDP h", "SIP/2.0/UDP", "SIP/2.0/UDP h:99999", "SIP/2.0/UDP h;branch=1;"])
def test_what_is_no_via_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        top_via(request(("Via", text)))


def test_the_source_is_noted_in_the_topmost_via_alone() -> None:
    vias = "SIP/2.0/UDP a:5060;received=6.6.6.6;rport;branch=1, SIP/2.0/UDP b;branch=2"
    message = request(("Via", vias), ("Via", "SIP/2.0/UDP c;branch=3"))
    note_source(message, "127.0.0.1", 5070)
    assert message.headers.all("Via") == [
        "SIP/2.0/UDP a:5060;branch=1;rport=5070;received=127.0.0.1, SIP/2.0/UDP b;branch=2",
        "SIP/2.0/UDP c;branch=3",
    ]
    assert [via.branch for via in read_vias(message)] == ["1", "2", "3"]


def test_a_source_that_the_via_names_itself_is_not_noted() -> None:
    message = request(("Via", "SIP/2.0/UDP [2001:DB8:0::1];branch=1"))
    note_source(message, "2001:db8::1", 5060)
    assert message.headers.get("Via") == "SIP/2.0/UDP [2001:DB8:0::1];branch=1"


def test_vias_are_taken_away_from_the_top() -> None:
    message = request(("Via", "SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2"), ("v", "SIP/2.0/UDP c;branch=3"))
    for left in (["2", "3"], ["3"], []):
        remove_top_via(message)
        assert [via.branch for via in read_vias(message)] == left


def test_what_was_parsed_is_remembered_until_the_header_changes() -> None:
    message = request(("CSeq", "1 OPTIONS"))
    assert fields.cseq(message) is fields.cseq(message)
    message.headers.set("CSeq", "2 OPTIONS")
    assert fields.cseq(message).sequence == 2


def test_a_copy_remembers_for_itself() -> None:
    message = request(("From", "<sip:a@x>;tag=1"))
    copy = message.copy()
    copy.headers.set("f", "<sip:a@x>;tag=2")
    assert (fields.from_tag(message), fields.from_tag(copy)) == ("1", "2")


def test_a_tag_in_the_display_name_or_the_uri_is_none() -> None:
    message = request(("To", '"x;tag=1" <sip:b@y;tag=2>'))
    assert response_to(message, 200, to_tag="ours").headers.get("To") == '"x;tag=1" <sip:b@y;tag=2>;tag=ours'


def test_hosts_are_compared_by_what_they_mean() -> None:
    assert same_host("[2001:DB8::1]", "2001:db8:0::1")
    assert same_host("Example.COM", "example.com")
    assert not same_host("[2001:db8::1]", "192.0.2.1")
