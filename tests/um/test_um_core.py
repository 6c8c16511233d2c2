import dataclasses
import errno
import os
from pathlib import Path

import pytest

from tandem.directory import objects as o
from tandem.org.vocabulary import ServerKind, Transport, UMStatus, UriType, VoIPSecurity
from tandem.sip.headers.diversion import Diversion, Reason, diversions
from tandem.sip.headers.uri import parse_uri
from tandem.sip.message.message import Headers, Request
from tandem.speech.catalogue import Catalogue, beep
from tandem.speech.errors import SpeechError
from tandem.um.config import UmConfig, UmDirectory
from tandem.um.enrolment import PinHasher, acceptable, generate
from tandem.um.identity import CallRefusal, MailboxCall, UmInvite, classify, find_gateway, identify_caller, read_invite

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


CASEY = o.User(
    account="casey",
    container="OU=x,DC=y",
    um_dial_plan="Euro",
    um_flags=o.UM_ENABLED,
    sip_address="sip:casey@example.com",
    proxy_addresses=("EUM:+14255554777;phone-context=Euro.example.com",),
)


def euro(*, uri_type: UriType = UriType.E164) -> UmConfig:
    """A plain dial plan of numbers, in which Casey is."""
    number = dataclasses.replace(plan("Euro", VoIPSecurity.UNSECURED), uri_type=uri_type)
    return dataclasses.replace(
        CONFIG,
        dial_plans={"Euro": number},
        hunt_groups=(o.UMHuntGroup(name="Euro", gateway="pbx", dial_plan="Euro", pilot_identifier="5000"),),
        by_address={eum.key: CASEY for eum in CASEY.eum_addresses},
        attendants=(o.UMAutoAttendant(name="Reception", dial_plan="Euro", pilot_identifiers=("+14255550101",)),),
    )


def plain(**changes: object) -> UmInvite:
    at_pbx = {"transport": "tcp", "peer_names": frozenset(), "source": "192.0.2.10", "pilot": "5000"}
    return call(**{**at_pbx, **changes})


@pytest.mark.parametrize(
    "uri",
    [
        "sip:+14255554777@h;user=phone",
        "tel:+14255554777",
        "tel:+1-425-555-4777",
        "sip:14255554777@h",
        "sip:+1(425)555-4777;phone-context=x@h;user=phone",
    ],
)
def test_an_e164_dial_plan_answers_e164_numbers(uri: str) -> None:
    answer = classify(euro(), plain(diversions=diverted_from(uri)))
    assert isinstance(answer, MailboxCall) and answer.user is CASEY
    assert euro().extension(CASEY) == "14255554777"


def test_a_plus_makes_another_number_where_the_dial_plan_is_not_e164() -> None:
    refusal = classify(euro(uri_type=UriType.TEL_EXTN), plain(diversions=diverted_from("tel:14255554777")))
    assert isinstance(refusal, CallRefusal) and refusal.status == 404


@pytest.mark.parametrize("uri", ["tel:20-1", "sip:2.0.1;phone-context=pbx@h", "tel:(201)"])
def test_separators_and_parameters_of_an_extension_do_not_count(uri: str) -> None:
    assert isinstance(classify(CONFIG, plain(diversions=diverted_from(uri))), MailboxCall)


@pytest.mark.parametrize("pilot", ["5000;phone-context=pbx.example.com", "50-00", "5000"])
def test_a_pilot_is_compared_as_a_number(pilot: str) -> None:
    assert isinstance(classify(CONFIG, plain(pilot=pilot, diversions=diverted_from("tel:201"))), MailboxCall)


def test_a_carriers_diversion_does_not_hide_whom_the_call_is_for() -> None:
    foreign = diverted_from("sip:+61493363501@carrier.example")
    answer = classify(CONFIG, plain(diversions=foreign, called=parse_uri("sip:201@um.example.com")))
    assert isinstance(answer, MailboxCall) and answer.user is DAVE


def test_history_is_looked_at_beside_a_foreign_diversion() -> None:
    headers = Headers(
        [
            ("To", "<sip:5000@um.example.com>"),
            ("Diversion", "<sip:+61493363501@carrier.example>"),
            ("History-Info", "<sip:201@pbx.example.com>;index=1, <sip:5000@um.example.com>;index=1.1;mp=1"),
        ]
    )
    request = Request(method="INVITE", uri="sip:5000@um.example.com", headers=headers)
    invite = read_invite(request, transport="tcp", peer_names=frozenset(), source="192.0.2.10")
    answer = classify(CONFIG, invite)
    assert isinstance(answer, MailboxCall) and answer.user is DAVE


@pytest.mark.parametrize(
    ("called", "why"),
    [
        ("sip:+1425-555-0101@x", "+14255550101 is auto attendant Reception: attendants are not served by this release"),
        ("tel:+14255550100", "+14255550100: subscriber access is not served by this release"),
    ],
)
def test_a_number_of_um_itself_is_refused_by_what_it_is(called: str, why: str) -> None:
    refusal = classify(euro(), plain(diversions=(), called=parse_uri(called)))
    assert refusal == CallRefusal(status=480, why=why)


@pytest.mark.parametrize(
    ("uri_type", "address", "uri"),
    [
        (UriType.E164, "sip:+14255554777@192.0.2.10", "sip:+14255554777@192.0.2.10:5060;transport=tcp"),
        (UriType.TEL_EXTN, "sip:14255554777@192.0.2.10", "sip:14255554777@192.0.2.10:5060;transport=tcp"),
        (UriType.SIP_NAME, "sip:casey@example.com", "sip:casey@example.com;transport=tcp"),
    ],
)
def test_a_gateway_is_told_of_message_waiting_in_the_form_of_the_dial_plan(
    uri_type: UriType, address: str, uri: str
) -> None:
    config, pbx = euro(uri_type=uri_type), CONFIG.gateways[1]
    assert (config.mwi_address(CASEY, pbx), config.mwi_uri(CASEY, pbx)) == (address, uri)


def test_a_gateway_by_ipv6_address_is_told_with_brackets_and_its_own_port() -> None:
    six = o.UMIPGateway(name="six", address="2001:db8::10", port=5070, transport=Transport.UDP)
    config = euro(uri_type=UriType.TEL_EXTN)
    assert config.mwi_uri(CASEY, six) == "sip:14255554777@[2001:db8::10]:5070"


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


@pytest.mark.slow
def test_a_made_pin_is_acceptable_and_known_only_by_its_hash(tmp_path: Path) -> None:
    hasher = PinHasher(tmp_path / "um" / "pin.key")
    pin = generate(extension="4101", minimum=8)
    assert len(pin) == 8 and acceptable(pin, extension="4101", minimum=8)
    kept = hasher.hash(ALICE, pin)
    assert pin not in kept and kept.startswith("$argon2id$")
    assert hasher.verify(dataclasses.replace(ALICE, account="ALICE"), pin, kept)
    assert not hasher.verify(ALICE, "000000", kept)
    assert not hasher.verify(dataclasses.replace(ALICE, account="bob"), pin, kept)
    assert not PinHasher(tmp_path / "other.key").verify(ALICE, pin, kept)
    assert (tmp_path / "um" / "pin.key").stat().st_mode & 0o777 == 0o600


def test_a_disk_that_takes_no_key_leaves_none_and_a_key_that_is_there_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def made_meanwhile(descriptor: int) -> None:
        (tmp_path / "pin.key").write_bytes(b"k" * 32)

    with monkeypatch.context() as broken, pytest.raises(OSError, match="No space left"):
        broken.setattr(os, "fsync", full)
        PinHasher(tmp_path / "pin.key")
    assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as raced:
        raced.setattr(os, "fsync", made_meanwhile)
        kept = PinHasher(tmp_path / "pin.key").hash(ALICE, "482915")
    assert list(tmp_path.iterdir()) == [tmp_path / "pin.key"]
    assert PinHasher(tmp_path / "pin.key").verify(ALICE, "482915", kept)
    assert (tmp_path / "pin.key").read_bytes() == b"k" * 32


def test_a_pin_is_good_after_its_account_is_renamed(tmp_path: Path) -> None:
    hasher = PinHasher(tmp_path / "pin.key")
    kept = hasher.hash(ALICE, "482915")
    assert hasher.verify(dataclasses.replace(ALICE, account="alicia", cn="alice"), "482915", kept)


def test_a_pin_of_release_0_1_is_good_where_the_entry_has_another_name_than_the_account(tmp_path: Path) -> None:
    hasher = PinHasher(tmp_path / "pin.key")
    kept = hasher.hash(ALICE, "482915")  # by the account
    assert hasher.verify(dataclasses.replace(ALICE, cn="Alice Ames"), "482915", kept)


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


@pytest.mark.parametrize(
    ("caller", "number", "name"),
    [
        ("<sip:+12025550123;npdi;rn=+12025550000@carrier.example;user=phone>", "+12025550123", ""),
        ("<sip:+12025550123;cpc=ordinary@carrier.example>", "+12025550123", ""),
        ("<tel:+1-202-555-0123;ext=4>", "+12025550123", ""),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>', "", ""),
        ('"Anonymous" <sip:anonymous@carrier.example>', "", ""),
        ("<sip:c8oqz84zk7z@anonymous.invalid>", "", ""),  # RFC 3323 section 4.1.1.3
        ('"Alice" <sip:alice@partner.example>', "alice@partner.example", "Alice"),
        ("<sip:alice;x=y@partner.example>", "alice@partner.example", ""),
        ("<sip:%2B12025550123@carrier.example>", "+12025550123", ""),
        ("<sip:carrier.example>", "", ""),
    ],
)
def test_a_callers_number_is_a_number_or_a_sip_address(caller: str, number: str, name: str) -> None:
    request = Request(method="INVITE", uri="sip:x@y", headers=Headers([("From", f"{caller};tag=1")]))
    found = identify_caller(CONFIG, request, proven=False)
    assert (found.number, found.name) == (number, name)


def test_an_anonymous_from_does_not_hide_who_the_gateway_says_it_is() -> None:
    headers = Headers([("From", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1')])
    headers.add("P-Asserted-Identity", '"Eve" <sip:eve@example.com>')
    request = Request(method="INVITE", uri="sip:x@y", headers=headers)
    found = identify_caller(CONFIG, request, proven=True)
    assert (found.number, found.name) == ("eve@example.com", "Eve")


def test_a_known_caller_is_shown_by_the_number_of_the_line() -> None:
    line = dataclasses.replace(BOB_IN_THE_DIRECTORY, line_uri="TEL:+1-425-555-4102;ext=7")
    config = dataclasses.replace(CONFIG, by_sip={"bob@example.com": line})
    headers = Headers([("From", "<sip:bob@example.com>;tag=1"), ("P-Asserted-Identity", "<sip:bob@example.com>")])
    request = Request(method="INVITE", uri="sip:x@y", headers=headers)
    assert identify_caller(config, request, proven=True).number == "+14255554102"


def test_partners_are_tandems_other_servers_in_the_same_dial_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = o.MessagingServer(fqdn="um1.example.com", kind=ServerKind.TANDEM, dial_plans=("Main",))
    others = (
        o.MessagingServer(fqdn="um2.example.com", kind=ServerKind.TANDEM, dial_plans=("Lobby", "Main")),
        o.MessagingServer(fqdn="um3.example.com", kind=ServerKind.TANDEM, dial_plans=("Lobby",)),
        o.MessagingServer(fqdn="ex1.example.com", kind=ServerKind.EXCHANGE, dial_plans=("Main",)),
    )
    directory = UmDirectory(lambda: None, "UM1.example.com", "example.com")  # type: ignore[arg-type,return-value]
    found = {o.MessagingServer: (ours, *others)}
    monkeypatch.setattr(directory.index, "all", lambda type_, forest: found.get(type_, ()))
    assert directory.config().partners == ("um2.example.com",)
