import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.directory import objects as o
from tandem.org.vocabulary import UriType, VoIPSecurity
from tandem.sip.headers import fields
from tandem.sip.headers.identity import asserted
from tandem.sip.headers.uri import parse_uri
from tandem.sip.message.message import Headers, Request
from tandem.voice.config import VoiceConfig
from tandem.voice.proxy.identity import TRUST_HEADERS, assert_identity, strip_trust
from tandem.voice.routing.decision import CallUM, Reject, RingUser, decide
from tandem.voice.routing.normalization import normalize


def rule(pattern: str, translation: str) -> o.NormalizationRule:
    return o.NormalizationRule(name=pattern, pattern=pattern, translation=translation)


@pytest.mark.parametrize(
    ("dialled", "pattern", "translation", "number"),
    [
        ("4101", r"^(\d{4})$", "+1425555$1", "+14255554101"),
        ("41-01", r"^(\d{4})$", "+1425555$1", "+14255554101"),
        ("51234", r"^5(\d{4})$", "+1425555$1", "+14255551234"),
        ("01144207946", r"^011(\d*)$", "+$1", "+44207946"),
        ("0", "^0$", "+14255550100", "+14255550100"),
        ("4101", r"^(?P<ext>\d{4})$", "+1425555${ext}", "+14255554101"),
        ("4101", r"^(\d{4})$", "$$$1$7", "$4101$7"),
        ("+14255550100", r"^(\d{4})$", "x", "+14255550100"),
        ("4101x", r"^(\d{4})$", "+1$1", None),
        ("4101\n", r"^(\d{4})$", "+1$1", None),
        ("٤١٠١", r"^(\d{4})$", "+1$1", None),  # other scripts' digits are none
        ("4101", r"^((\d{4})$", "+1$1", None),  # a pattern that does not compile
        ("", r"^(\d{4})$", "+1$1", None),
        ("1" * 64, r"^(\d+)$", "+$1", "+" + "1" * 64),
        ("1" * 65, r"^(\d+)$", "+$1", None),  # cut short, it would be another number
        ("+" + "1" * 64, r"^(\d+)$", "+$1", None),
    ],
)
def test_a_rule_normalizes(dialled: str, pattern: str, translation: str, number: str | None) -> None:
    assert normalize(dialled, [rule(pattern, translation)]).number == number


def test_the_first_rule_that_matches_wins_and_every_rule_tried_is_told() -> None:
    rules = [rule(r"^9(\d+)$", "+1$1"), rule(r"^(\d{4})$", "+1425555$1"), rule(r"^(\d+)$", "+$1")]
    result = normalize("4101", rules)
    assert result.number == "+14255554101"
    assert result.trace == ((r"^9(\d+)$", False), (r"^(\d{4})$", True))


def user(name: str, extension: str) -> o.User:
    return o.User(
        account=name,
        container="OU=People,DC=example,DC=com",
        display_name=f'{name.title()} "Q" O\'Neil',
        sip_address=f"sip:{name}@example.com",
        sip_enabled=True,
        line_uri=f"tel:+1425555{extension}",
        home_pool="pool1.example.com",
    )


ALICE, BOB = user("alice", "4101"), user("bob", "4102")
CONTACT = o.Contact(
    name="{1}",
    container="OU=x,DC=y",
    display_name="Main SA",
    sip_address="sip:um-main@example.com",
    line_uri="tel:+14255550100",
    home_pool="pool1.example.com",
    target="sip:um-main@example.com;opaque=app:sa;phone-context=Main.example.com",
)
PLAN = o.UMDialPlan(
    name="Main",
    phone_context="Main.example.com",
    uri_type=UriType.SIP_NAME,
    voip_security=VoIPSecurity.SECURED,
    extension_digits=4,
)
GLOBAL = o.VoiceDialPlan(
    identity="Global",
    simple_name="Default",
    rules=(rule(r"^(\d{4})$", "+1425555$1"), rule(r"^(\d{11})$", "+$1")),
)
OTHER = o.VoiceDialPlan(identity="Berlin", simple_name="Berlin", rules=(rule(r"^9(\d{4})$", "+1425555$1"),))
CONFIG = VoiceConfig(
    users={"alice@example.com": ALICE, "bob@example.com": BOB},
    lines={"tel:+14255554101": ALICE, "tel:+14255554102": BOB, "tel:+14255550100": CONTACT},
    contacts={"um-main@example.com": CONTACT},
    dial_plans={"Global": GLOBAL, "Berlin": OTHER},
    um_dial_plans={"main.example.com": PLAN},
)


@pytest.mark.parametrize(
    "called",
    [
        "sip:alice@example.com",
        "sip:ALICE@example.com",
        "sip:4101@example.com;user=phone",
        "sip:4101@example.com",
        "tel:+14255554101",
        "sip:+14255554101@example.com;user=phone",
        "sip:14255554101@example.com",
        "sip:94101;phone-context=Berlin@example.com",
    ],
)
def test_a_user_is_reached_by_address_extension_and_number(called: str) -> None:
    decision = decide(CONFIG, caller=BOB, called=parse_uri(called))
    assert isinstance(decision, RingUser) and decision.user is ALICE and decision.trace


@pytest.mark.parametrize("called", ["sip:+14255550100@example.com", "sip:um-main@example.com"])
def test_an_access_number_calls_um(called: str) -> None:
    decision = decide(CONFIG, caller=BOB, called=parse_uri(called))
    assert isinstance(decision, CallUM) and decision.dial_plan is PLAN


@pytest.mark.parametrize(
    ("called", "status", "why"),
    [
        ("sip:41011@example.com", 404, "matches no normalization rule of voice dial plan Global"),
        ("sip:4199@example.com", 404, "nobody's line"),
        ("sip:94101@example.com", 404, "matches no normalization rule"),
    ],
)
def test_what_leads_nowhere_is_refused_with_the_reason(called: str, status: int, why: str) -> None:
    decision = decide(CONFIG, caller=BOB, called=parse_uri(called))
    assert isinstance(decision, Reject) and decision.status == status and why in decision.why


def test_a_contact_of_an_unknown_dial_plan_is_refused_as_15030() -> None:
    config = VoiceConfig(users=CONFIG.users, lines=CONFIG.lines, contacts=CONFIG.contacts, dial_plans=CONFIG.dial_plans)
    decision = decide(config, caller=BOB, called=parse_uri("sip:+14255550100@example.com"))
    assert isinstance(decision, Reject) and "15030" in decision.why


def test_what_a_phone_claims_is_removed_and_what_its_account_proves_is_set() -> None:
    headers = Headers([(name, "<sip:boss@example.com>") for name in TRUST_HEADERS])
    headers.add("diversion", "<sip:boss@example.com>")
    headers.add("Proxy-Authorization", "Digest secret")
    request = Request(method="INVITE", uri="sip:x@y", headers=headers)
    strip_trust(request)
    assert len(request.headers) == 0
    request.headers.add("From", '"CEO" <sip:bob@example.com;user=phone>;epid="a;b";tag=1;x')
    assert_identity(request, BOB)
    shown = '"Bob \\"Q\\" O\'Neil" <sip:bob@example.com;user=phone>;epid="a;b";tag=1;x'
    assert request.headers.get("From") == shown
    assert request.headers.all("P-Asserted-Identity") == [
        '"Bob \\"Q\\" O\'Neil" <sip:bob@example.com>',
        "<tel:+14255554102>",
    ]


@pytest.mark.parametrize(
    ("from_", "privacy", "hidden"),
    [
        ('"CEO" <sip:bob@example.com>;tag=1', None, False),
        ('"CEO" <sip:bob@example.com>;tag=1', "none", False),
        ("<sip:bob@example.com>;tag=1", "id", True),
        ("<sip:bob@example.com>;tag=1", "header;user", True),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', None, True),
    ],
)
def test_who_wants_privacy_is_shown_as_nobody_and_told_to_servers_only(
    from_: str, privacy: str | None, hidden: bool
) -> None:
    headers = Headers([("From", from_), *([("Privacy", privacy)] if privacy else [])])
    request = Request(method="INVITE", uri="sip:x@y", headers=headers)
    assert_identity(request, BOB)
    assert asserted(request).private is hidden
    assert ("bob" not in (request.headers.get("From") or "")) is hidden
    assert fields.from_tag(request) == "1"


@given(st.text(max_size=80), st.text(max_size=20))
def test_no_dialled_text_raises(dialled: str, translation: str) -> None:
    normalize(dialled, [rule(r"^(\d{1,8})(.*)$", translation)])
