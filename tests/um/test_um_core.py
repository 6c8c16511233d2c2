import dataclasses
from pathlib import Path

import pytest

from tandem.directory import objects as o
from tandem.org.vocabulary import Transport, UMStatus, UriType, VoIPSecurity
from tandem.sip.headers.diversion import Diversion, Reason, diversions
from tandem.sip.headers.uri import parse_uri
from tandem.sip.message.message import Headers, Request
from tandem.speech.catalogue import Catalogue, beep
from tandem.speech.errors import SpeechError
from tandem.um.config import UmConfig
from tandem.um.enrolment import PinHasher, acceptable, generate
from tandem.um.identity import CallRefusal, MailboxCall, UmInvite, classify, find_gateway, identify_caller

ALICE = o.User(
    account="alice",
    container="OU=People,DC=example,DC=com",
    um_dial_plan="Main",
    um_flags=o.UM_ENABLED,
    proxy_addresses=("EUM:alice@example.com;phone-context=Main.example.com", "eum:4101;phone-context=Main.example.com"),
)
DAVE = o.User(account="dave", container="OU=x,DC=y", um_dial_plan="Lobby", um_flags=o.UM_ENABLED)


def plan(name: str, security: str) -> o.UMDialPlan:
    return o.UMDialPlan(
        name=name,
        phone_context=f"{name}.example.com",
        uri_type=UriType.SIP_NAME,
        voip_security=security,
        extension_digits=4,
        access_numbers=("+14255550100",),
    )


CONFIG = UmConfig(
    dial_plans={"Main": plan("Main", VoIPSecurity.SECURED), "Lobby": plan("Lobby", VoIPSecurity.UNSECURED)},
    gateways=(
        o.UMIPGateway(name="pool1", address="pool1.example.com", port=5061, transport=Transport.TLS),
        o.UMIPGateway(name="pbx", address="192.0.2.10", port=5060, transport=Transport.TCP),
        o.UMIPGateway(name="off", address="192.0.2.11", port=5060, transport=Transport.TCP, status=UMStatus.DISABLED),
        o.UMIPGateway(name="odd", address="192.0.2.12", port=5060, transport=Transport.TCP),
    ),
    hunt_groups=(
        o.UMHuntGroup(name="Main", gateway="pool1", dial_plan="Main", pilot_identifier="Main"),
        o.UMHuntGroup(name="Gone", gateway="pool1", dial_plan="Gone", pilot_identifier="Gone"),
        o.UMHuntGroup(name="Lobby", gateway="pbx", dial_plan="Lobby", pilot_identifier="5000"),
        o.UMHuntGroup(name="Main", gateway="odd", dial_plan="Main", pilot_identifier="5000"),
    ),
    by_address={
        ("alice@example.com", "main.example.com"): ALICE,
        ("4101", "main.example.com"): ALICE,
        ("201", "lobby.example.com"): DAVE,
    },
)


def call(**changes: object) -> UmInvite:
    diverted = Diversion(uri=parse_uri("sip:alice@example.com"), reason=Reason.NO_ANSWER)
    base = UmInvite(
        transport="tls",
        peer_names=frozenset({"pool1.example.com"}),
        source="127.0.0.1",
        pilot="Main",
        called=parse_uri("sip:+14255554101@example.com"),
        diversions=(diverted,),
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def diverted_from(uri: str) -> tuple[Diversion, ...]:
    return (Diversion(uri=parse_uri(uri), reason=Reason.UNKNOWN),)


def test_a_diverted_call_is_answered_for_its_user() -> None:
    answer = classify(CONFIG, call())
    assert isinstance(answer, MailboxCall)
    assert (answer.user, answer.dial_plan.name, answer.proven) == (ALICE, "Main", True)


@pytest.mark.parametrize("uri", ["tel:4101", "sip:4101@pbx.example.net", "sip:ALICE@EXAMPLE.COM", "sip:4101;x=y@h"])
def test_a_user_is_found_by_extension_and_by_sip_address(uri: str) -> None:
    assert isinstance(classify(CONFIG, call(diversions=diverted_from(uri))), MailboxCall)


def test_a_plain_gateway_is_known_by_address_and_proves_nothing() -> None:
    answer = classify(
        CONFIG,
        call(
            transport="tcp",
            peer_names=frozenset(),
            source="192.0.2.10",
            pilot="5000",
            diversions=diverted_from("tel:201"),
        ),
    )
    assert isinstance(answer, MailboxCall) and answer.user is DAVE and not answer.proven


@pytest.mark.parametrize("address", ["2001:0DB8::0:10", "[2001:db8::10]", "2001:db8:0:0:0:0:0:10"])
def test_a_plain_gateway_is_known_by_its_address_in_whatever_spelling(address: str) -> None:
    six = o.UMIPGateway(name="six", address=address, port=5060, transport=Transport.TCP)
    config = dataclasses.replace(CONFIG, gateways=(*CONFIG.gateways, six))
    found = find_gateway(config, call(transport="tcp", peer_names=frozenset(), source="2001:db8::10"))
    assert found is six


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        ({"peer_names": frozenset({"evil.example.com"})}, 403, "evil.example.com"),
        ({"peer_names": frozenset()}, 403, "127.0.0.1"),
        ({"transport": "tcp", "source": "192.0.2.99"}, 403, "192.0.2.99"),
        ({"transport": "udp", "source": "192.0.2.10"}, 403, "over udp"),
        ({"transport": "tcp", "source": "192.0.2.11"}, 480, "Disabled"),
        ({"pilot": "Other"}, 404, "pilot identifier 'Other'"),
        ({"pilot": "Gone"}, 480, "not in UM dial plan Gone"),
        ({"transport": "tcp", "source": "192.0.2.12", "pilot": "5000"}, 403, "incompatible security"),
        ({"diversions": diverted_from("sip:nobody@example.com")}, 404, "nobody@example.com"),
        ({"diversions": diverted_from("tel:201")}, 404, "tel:201"),  # a user of another dial plan
        ({"diversions": (), "called": parse_uri("sip:+14255550100@x")}, 480, "subscriber access"),
    ],
)
def test_everything_else_is_refused_for_its_reason(changes: dict[str, object], status: int, why: str) -> None:
    refusal = classify(CONFIG, call(**changes))
    assert isinstance(refusal, CallRefusal)
    assert refusal.status == status and why in refusal.why


@pytest.mark.parametrize(
    ("value", "user", "reason"),
    [
        ('"A, B" <tel:4101>;reason=no-answer;counter=1', "4101", Reason.NO_ANSWER),
        ('<sip:a@b>;reason="user-busy", <sip:c@d>;reason=unconditional', "a", Reason.USER_BUSY),
        ("<sip:a@b>;reason=whatever", "a", Reason.UNKNOWN),
        ("sip:a@b", "a", Reason.UNKNOWN),
    ],
)
def test_diversion_is_read_as_it_comes(value: str, user: str, reason: Reason) -> None:
    first = diversions(Request(method="INVITE", uri="sip:x@y", headers=Headers([("Diversion", value)])))[0]
    assert (first.uri.user, first.reason) == (user, reason)


@pytest.mark.parametrize(
    ("pin", "good"),
    [
        ("283746", True),
        ("123456", False),
        ("654321", False),
        ("777777", False),
        ("28374", False),
        ("941018", False),  # holds the extension
        ("28374a", False),
        ("1" * 25, False),
    ],
)
def test_pins_follow_the_policy(pin: str, good: bool) -> None:
    assert acceptable(pin, extension="4101", minimum=6) is good


def test_a_made_pin_is_acceptable_and_known_only_by_its_hash(tmp_path: Path) -> None:
    hasher = PinHasher(tmp_path / "um" / "pin.key")
    pin = generate(extension="4101", minimum=8)
    assert len(pin) == 8 and acceptable(pin, extension="4101", minimum=8)
    kept = hasher.hash("alice", pin)
    assert pin not in kept and kept.startswith("$argon2id$")
    assert hasher.verify("ALICE", pin, kept)
    assert not hasher.verify("alice", "000000", kept)
    assert not hasher.verify("bob", pin, kept)
    assert not PinHasher(tmp_path / "other.key").verify("alice", pin, kept)
    assert (tmp_path / "um" / "pin.key").stat().st_mode & 0o777 == 0o600


def test_prompts_speak_numbers_digit_by_digit() -> None:
    speech = Catalogue("en-US")
    spoken = speech.speak("answering-greeting", {"extension": "4-10"})
    assert spoken[1:4] == ["digit-4", "digit-1", "digit-0"] and len(spoken) == 6
    long = b"".join(speech.sound(prompt) for prompt in spoken if isinstance(prompt, str))
    assert 8000 * 2 * 2 < len(long) < 8000 * 2 * 12
    assert len(beep()) == 2 * 2400
    with pytest.raises(SpeechError, match="no prompt"):
        speech.sound("unheard-of")
    with pytest.raises(SpeechError, match="no prompts for language"):
        Catalogue("xx-YY")


BOB_IN_THE_DIRECTORY = o.User(
    account="bob",
    container="OU=x,DC=y",
    sip_address="sip:bob@example.com",
    mail="bob@mail.example.com",
    display_name="Bob Brown",
    line_uri="tel:+14255554102",
)


@pytest.mark.parametrize(
    ("proven", "asserted", "number", "name", "address"),
    [
        (True, ("<sip:bob@example.com>",), "+14255554102", "Bob Brown", "bob@mail.example.com"),
        (True, ("<sip:BOB@EXAMPLE.COM>", "<tel:+19>"), "+19", "Bob Brown", "bob@mail.example.com"),
        (True, ('"Eve" <sip:eve@example.com>',), "5001", "Eve", ""),
        (True, (), "5001", "Shown", ""),
        (False, ("<sip:bob@example.com>",), "5001", "Shown", ""),
    ],
)
def test_only_a_proven_gateway_says_who_the_caller_is(
    proven: bool, asserted: tuple[str, ...], number: str, name: str, address: str
) -> None:
    config = dataclasses.replace(CONFIG, by_sip={"bob@example.com": BOB_IN_THE_DIRECTORY})
    headers = Headers([("From", '"Shown" <sip:5001@gateway.example.com>;tag=1')])
    for value in asserted:
        headers.add("P-Asserted-Identity", value)
    request = Request(method="INVITE", uri="sip:alice@example.com", headers=headers)
    caller = identify_caller(config, request, proven=proven)
    assert (caller.number, caller.name, caller.address) == (number, name, address)


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ("=?utf-8?q?J=C3=BCrgen?=", "Jürgen"),
        ("=?utf-8?q?Bob=0D=0ABcc:_eve@example.net?=", "BobBcc: eve@example.net"),
        ("=?utf-8?q?a=E2=80=AEb?=", "ab"),  # a right-to-left override
        ("=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3D0Dy=3F=3D?=", "=?utf-8?q?x=0Dy?="),  # read once
        ("=?no-such-charset?q?x?=", "=?no-such-charset?q?x?="),
    ],
)
def test_an_encoded_word_in_a_callers_name_is_read_once_and_then_cleaned(shown: str, name: str) -> None:
    headers = Headers([("From", f'"{shown}" <sip:5001@gateway.example.com>;tag=1')])
    request = Request(method="INVITE", uri="sip:alice@example.com", headers=headers)
    assert identify_caller(CONFIG, request, proven=False).name == name
