"""What a caller or an administrator wrote stays text, whatever it looks like, however mail programs read it."""

import dataclasses
import email
import email.policy
import logging
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.mail.compose import missed_call, voice_message, welcome
from tandem.mail.envelope import Envelope
from tandem.mail.mime import Correspondent, Mail, read_back, write_mail

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ENVELOPE = Envelope(
    message_id="voice-1",
    mailbox="alice@example.com",
    recipient_name="Alice",
    call_id="abc@host",
    begun_at=AT.isoformat(),
)
KEYS = ["From", "To", "Date", "Message-ID", "Content-Class", "X-CallID", "Subject"]
LAST = ["MIME-Version", "Content-Type"]


def voice(**changes: str) -> Message:
    envelope = dataclasses.replace(ENVELOPE, **changes)
    return email.message_from_bytes(voice_message(envelope, wav=b"RIFF", seconds=3, ended_at=AT))


def text(message: Message, name: str) -> str:
    return str(make_header(decode_header(message[name])))


def bodies(message: Message) -> list[str]:
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    return [part.get_payload(decode=True).decode().replace("\r\n", "\n") for part in parts]


HOSTILE = [
    "=?utf-8?q?Bob=0D=0AX-Injected:_yes=0D=0ABcc:_eve@example.net?=",
    "=?utf-8?q?Bob=0D=0A=0D=0A<html>The_whole_body</html>?=",
    "=?utf-8?b?Qm9iDQpYLUluamVjdGVkOiB5ZXM=?=",
    "Bob\r\nX-Injected: yes\r\n\r\nbody",
    "Chief Executive <ceo@example.com>, calling through the telephone system today",
    "Hollingsworth-Featherstonehaugh, Bartholomew (Procurement, Building 7, Room 1204)",
    'a"b\\c <x@y.example>; "',
    "Bob\u202egro.elpmaxe@eve\u2066\x00\x1b",
    "\u65e5\u672c" * 80,
    "n\u00b0 7 " * 40,
    "\udcff\ud800 J\udcfcrgen",
    "--=_mixed--\r\n\r\n--=_alternative--",
    "@" * 200,
    "group: a@b.example, c@d.example;",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("where", ["caller_name", "caller_number", "recipient_name", "call_id", "text"])
def test_no_text_becomes_a_header_an_address_or_a_part(name: str, where: str) -> None:
    message = voice(**{where: name})
    added = {"caller_name": ["X-VoiceMessageSenderName"], "caller_number": ["X-CallingTelephoneNumber"]}.get(where, [])
    assert set(message.keys()) == {*KEYS, *added, "X-VoiceMessageDuration", "X-AttachmentOrder", *LAST}
    assert len(message.keys()) == len(set(message.keys()))
    assert [address for _, address in getaddresses([message["From"]])] == ["unified-messaging@example.com"]
    assert [address for _, address in getaddresses([message["To"]])] == ["alice@example.com"]
    types = [part.get_content_type() for part in message.walk()]
    assert types == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "audio/wav"]
    assert list(message.walk())[-1].get_payload(decode=True) == b"RIFF"
    modern = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert modern["To"].addresses[0].addr_spec == "alice@example.com"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (HOSTILE[0], HOSTILE[0]),  # whoever decodes it did so before: what still looks so is text
        (HOSTILE[4], HOSTILE[4]),
        (HOSTILE[5], HOSTILE[5]),
        ("n\u00b0 7 " * 20, ("n\u00b0 7 " * 20).strip()),
        ("Bob\u202e Brown\r\n", "Bob Brown"),
        ("J\udcfcrgen", "J\u00fcrgen"),
        ("O'Neil  Bob", "O'Neil Bob"),
    ],
)
def test_a_name_is_shown_as_it_was_given(name: str, shown: str) -> None:
    message = voice(caller_name=name, recipient_name=name)
    for header in ("From", "To"):
        assert str(make_header(decode_header(message[header].rpartition("<")[0].strip()))) == shown
    assert text(message, "X-VoiceMessageSenderName") == shown


@settings(max_examples=40, deadline=None)
@given(
    st.text(max_size=120)
    | st.lists(st.sampled_from(["=?", "?=", "utf-8?q?", "=0D=0A", "\r\n", ",", "<a@b.c>", '"', " ", "x"])).map("".join)
)
def test_any_text_reads_back_as_text(hostile: str) -> None:
    message = voice(caller_name=hostile, recipient_name=hostile, caller_number=hostile, call_id=hostile, text=hostile)
    assert message["Subject"] == "Voice Mail (0:03)"  # the plain form was not needed
    assert [address for _, address in getaddresses([message["To"]])] == ["alice@example.com"]


def test_a_call_id_is_in_the_raw_header_as_in_the_log() -> None:
    call_id = "c" * 150 + "@" + "h" * 150
    data = voice_message(dataclasses.replace(ENVELOPE, call_id=call_id), wav=b"", seconds=3, ended_at=AT)
    assert f"\r\nX-CallID: {call_id}\r\n".encode() in data


@pytest.mark.parametrize(
    "name", ["\u682a\u5f0f\u4f1a\u793e" * 30, "Bob " * 50, "../../etc/passwd\x00" * 20], ids=range(3)
)
def test_a_long_name_leaves_the_number_in_a_file_name_that_a_disk_takes(name: str) -> None:
    message = voice(caller_name=name, caller_number="+12025550123")
    found = list(message.walk())[-1].get_filename()
    assert found.endswith(" (+12025550123) (3 seconds) Voice Mail.wav")
    assert len(found.encode()) <= 200 and "/" not in found and "\x00" not in found
    assert text(message, "X-AttachmentOrder") == found


def test_a_policys_text_is_whole_with_its_lines() -> None:
    policy_text = "\n".join(["Please call back <soon> & often = now."] * 12)
    plain, html = bodies(voice(text=policy_text))
    assert policy_text in plain
    assert html.count("<p>Please call back &lt;soon&gt; &amp; often = now.</p>") == 12
    told = welcome(
        mailbox="a@example.com", name="A", extension="4101", pin="12", text=policy_text, at=AT, message_id="w"
    )
    assert policy_text in bodies(email.message_from_bytes(told))[0]


def test_a_welcome_promises_nothing_that_is_not_served() -> None:
    told = welcome(mailbox="a@example.com", name="A", extension="4101", pin="129876", text="", at=AT, message_id="w")
    (body,) = bodies(email.message_from_bytes(told))
    assert "4101" in body and "129876" in body
    assert "not there yet" in body and "sign in" not in body and "Call +" not in body


@pytest.mark.parametrize(
    "mailbox", ["a@b.example, c@d.example", "a b@c.example", "a@b\r\nBcc: c@d", "\u00fc@x.example"]
)
def test_a_mailbox_that_no_header_can_hold_is_in_none(mailbox: str) -> None:
    message = voice(mailbox=mailbox, caller_name="Bob")
    assert message["To"] == "undisclosed-recipients:;"
    assert message["From"] == "Bob <unified-messaging@invalid>"
    assert message["Message-ID"] == "<voice-1@invalid>"


def test_a_mail_that_does_not_read_as_meant_is_written_plainly_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "tandem.mail"):
        message = voice(message_id="voice-1\r\nBcc: eve@example.net\r\n", caller_name="Bob", caller_number="+1202")
    assert "mail.plain_form" in caplog.text
    assert "Bcc" not in message and message["X-VoiceMessageDuration"] == "3"
    assert bodies(message)[0].startswith("You received a voice mail from Bob (+1202).")
    assert list(message.walk())[-1].get_payload(decode=True) == b"RIFF"
    assert message["Content-Class"] == "voice-ca"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"raw": (("Date", "x\r\nBcc: a@b"),)}, "headers"),
        ({"recipient": Correspondent(address="a@b>, <c@d")}, "To is"),
        ({"sender": Correspondent(name="Bob\r\n", address="a@b.example")}, "From is"),
        ({"sender": Correspondent(address="\u00fc@b.example")}, "UnicodeEncodeError"),
        ({"texts": (("Subject", " a "),)}, "Subject is"),
    ],
)
def test_reading_back_says_what_is_not_as_meant(changes: dict[str, object], why: str) -> None:
    good = Mail(
        sender=Correspondent(name="Bob", address="a@b.example"),
        recipient=Correspondent(address="c@d.example"),
        raw=(),
        texts=(),
        text="x\n",
    )
    assert read_back(good) == ""
    assert read_back(dataclasses.replace(good, **changes)).startswith(why)


def test_every_line_is_one_that_mail_servers_take() -> None:
    for name in HOSTILE:
        envelope = dataclasses.replace(ENVELOPE, caller_name=name, text=name * 20, call_id="c" * 2000)
        for line in missed_call(envelope, ended_at=AT).split(b"\r\n"):
            assert len(line) <= 998 and b"\n" not in line and b"\r" not in line
            assert len(line) <= 76 or b"=?" not in line  # RFC 2047 section 2


def test_a_mail_is_written_without_a_name() -> None:
    mail = Mail(
        sender=Correspondent(address="a@b.example"), recipient=None, raw=(), texts=(("Subject", ""),), text="x\n"
    )
    assert read_back(mail) == "" and write_mail(mail).startswith(
        b"From: <a@b.example>\r\nTo: undisclosed-recipients:;\r\nSubject:\r\n"
    )
