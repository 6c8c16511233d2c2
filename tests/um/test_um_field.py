"""INVITEs as carriers, old PBXs and strangers send them, from their bytes to the mail (after bug reports of other systems)."""

import email
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message

import pytest

from tandem.directory import objects as o
from tandem.mail.compose import missed_call
from tandem.org.vocabulary import Transport, UriType, VoIPSecurity
from tandem.sip.message.message import Request
from tandem.sip.message.parse import parse_message
from tandem.um.config import UmConfig
from tandem.um.delivery import make_envelope
from tandem.um.identity import CallRefusal, MailboxCall, classify, read_invite

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LONG_NAME = "Hollingsworth-Featherstonehaugh, Bartholomew (Procurement, Building 7, Room 1204)"


def plan(name: str, uri_type: UriType, digits: int) -> o.UMDialPlan:
    return o.UMDialPlan(
        name=name,
        phone_context=f"{name}.example.com",
        uri_type=uri_type,
        voip_security=VoIPSecurity.UNSECURED,
        extension_digits=digits,
    )


def user(account: str, dial_plan: str, address: str, name: str = "") -> o.User:
    return o.User(
        account=account,
        container="OU=People,DC=example,DC=com",
        display_name=name,
        mail=f"{account}@example.com",
        um_dial_plan=dial_plan,
        um_flags=o.UM_ENABLED,
        proxy_addresses=(f"EUM:{address};phone-context={dial_plan}.example.com",),
    )


USERS = (
    user("frida", "Plain", "5101"),
    user("gustav", "Plain", "5102", LONG_NAME),
    user("casey", "Euro", "+14255554777"),
)
CONFIG = UmConfig(
    dial_plans={"Plain": plan("Plain", UriType.TEL_EXTN, 4), "Euro": plan("Euro", UriType.E164, 11)},
    gateways=(
        o.UMIPGateway(name="pbx", address="192.0.2.1", port=5060, transport=Transport.UDP),
        o.UMIPGateway(name="carrier", address="192.0.2.2", port=5060, transport=Transport.UDP),
    ),
    hunt_groups=(
        o.UMHuntGroup(name="Plain", gateway="pbx", dial_plan="Plain", pilot_identifier="5000"),
        o.UMHuntGroup(name="Euro", gateway="carrier", dial_plan="Euro", pilot_identifier="5000"),
    ),
    by_address={eum.key: each for each in USERS for eum in each.eum_addresses},
)


def answered(**lines: str) -> tuple[Request, MailboxCall | CallRefusal]:
    """What UM makes of an INVITE with these lines."""
    said = {
        "uri": "sip:5000@192.0.2.60",
        "from": '"Caller" <sip:+14255550123@192.0.2.1>;tag=1',
        "to": "<sip:5101@192.0.2.60>",
        "diversion": "<sip:5101@192.0.2.1>;reason=no-answer",
        "call-id": "field@192.0.2.1",
        "source": "192.0.2.1",
    } | {name.replace("_", "-"): text for name, text in lines.items()}
    head = (
        f"INVITE {said['uri']} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
        f"From: {said['from']}\r\nTo: {said['to']}\r\nCall-ID: {said['call-id']}\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:gw@192.0.2.1>\r\nDiversion: {said['diversion']}\r\nContent-Length: 0\r\n\r\n"
    )
    request = parse_message(head.encode())
    assert isinstance(request, Request)
    call = read_invite(request, transport="udp", peer_names=frozenset(), source=said["source"])
    return request, classify(CONFIG, call)


def mail_of(**lines: str) -> Message:
    request, call = answered(**lines)
    assert isinstance(call, MailboxCall), call
    envelope = make_envelope(CONFIG, request, call, message_id="voice-1", begun_at=AT)
    return email.message_from_bytes(missed_call(envelope, ended_at=AT))


@pytest.mark.parametrize(
    ("lines", "account"),
    [
        ({}, "frida"),
        ({"diversion": "<tel:51-01>;reason=no-answer"}, "frida"),
        ({"uri": "sip:5000;phone-context=Plain.example.com@192.0.2.60;user=phone"}, "frida"),
        ({"uri": "tel:5000;phone-context=Plain.example.com"}, "frida"),
        ({"diversion": "<sip:+61493363501@carrier.example>;reason=no-answer"}, "frida"),
        ({"diversion": "<sip:+14255554777@192.0.2.2;user=phone>", "source": "192.0.2.2"}, "casey"),
        ({"diversion": "<tel:+14255554777>", "source": "192.0.2.2"}, "casey"),
        ({"diversion": "<tel:+1-425-555-4777>", "source": "192.0.2.2"}, "casey"),
        ({"diversion": "<sip:14255554777@192.0.2.2>", "source": "192.0.2.2"}, "casey"),
    ],
)
def test_the_mailbox_is_found(lines: dict[str, str], account: str) -> None:
    _, call = answered(**lines)
    assert isinstance(call, MailboxCall), call
    assert call.user.account == account


@pytest.mark.parametrize(
    ("from_", "sender", "number", "subject"),
    [
        (
            "<sip:+12025550123;npdi;rn=+12025550000@192.0.2.1;user=phone>",
            "+12025550123",
            "+12025550123",
            "Missed call from +12025550123",
        ),
        ("<sip:+12025550123;cpc=ordinary@192.0.2.1>", "+12025550123", "+12025550123", "Missed call from +12025550123"),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>', "", None, "Missed call from an anonymous caller"),
        (
            '"Alice P" <sip:alice@partner.example>',
            "Alice P",
            "alice@partner.example",
            "Missed call from Alice P (alice@partner.example)",
        ),
        (
            '"=?utf-8?q?Bob=0D=0AX-Injected:_yes=0D=0ABcc:_eve@example.net?=" <sip:+1202@192.0.2.1>',
            "BobX-Injected: yesBcc: eve@example.net",
            "+1202",
            "Missed call from BobX-Injected: yesBcc: eve@example.net (+1202)",
        ),
        (
            '"=?utf-8?q?Bob=0D=0A=0D=0A<html>all_of_it</html>?=" <sip:+1202@192.0.2.1>',
            "Bob<html>all of it</html>",
            "+1202",
            "Missed call from Bob<html>all of it</html> (+1202)",
        ),
        (
            "<sip:%3D%3F%75%74%66%2D%38%3F%71%3F%78%3D%30%44%3D%30%41%58%2D%49%6E%6A%65%63%74%65%64%3A%5F%32%3F%3D@192.0.2.1>",
            "=?utf-8?q?x=0D=0AX-Injected:_2?=@192.0.2.1",
            "=?utf-8?q?x=0D=0AX-Injected:_2?=@192.0.2.1",
            "Missed call from =?utf-8?q?x=0D=0AX-Injected:_2?=@192.0.2.1",
        ),
        (
            '"Chief Executive <ceo@example.com>, calling through the telephone system today" <sip:+1202@192.0.2.1>',
            "Chief Executive <ceo@example.com>, calling through the telephone system today",
            "+1202",
            "Missed call from Chief Executive <ceo@example.com>, calling through the telephone system today (+1202)",
        ),
    ],
)
def test_a_callers_text_stays_text(from_: str, sender: str, number: str | None, subject: str) -> None:
    message = mail_of(**{"from": f"{from_};tag=1"})
    shown, _, address = message["From"].rpartition("<")
    assert (str(make_header(decode_header(shown.strip()))), address) == (sender, "unified-messaging@example.com>")
    found = message["X-CallingTelephoneNumber"]
    assert (str(make_header(decode_header(found))) if found else found) == number
    assert str(make_header(decode_header(message["Subject"]))) == subject
    assert "X-Injected" not in message and "Bcc" not in message
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_a_recipients_name_with_commas_is_one_address() -> None:
    message = mail_of(to="<sip:5102@192.0.2.60>", diversion="<sip:5102@192.0.2.1>")
    shown, _, address = message["To"].rpartition("<")
    assert (str(make_header(decode_header(shown.strip()))), address) == (LONG_NAME, "gustav@example.com>")
    modern = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    (found,) = modern["To"].addresses  # this reader puts a blank between encoded words
    assert (" ".join(found.display_name.split()), found.addr_spec) == (LONG_NAME, "gustav@example.com")


def test_a_long_call_id_is_whole_in_the_mail() -> None:
    call_id = "c" * 91 + "@10.0.0.1"
    assert f"\r\nX-CallID: {call_id}\r\n".encode() in mail_of(call_id=call_id).as_bytes(
        policy=email.policy.SMTP.clone(max_line_length=None)
    )
