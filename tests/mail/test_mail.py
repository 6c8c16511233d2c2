import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.mail.compose import missed_call, voice_message, welcome
from tandem.mail.envelope import Envelope
from tandem.media.codec.wav import write_wav

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ENVELOPE = Envelope(
    message_id="voice-1",
    mailbox="alice@example.com",
    recipient_name="Alice Adams",
    call_id="abc@host",
    begun_at=AT.isoformat(),
    caller_number="+14255554102",
    caller_name="Bob Brown",
    caller_address="bob@example.com",
)


def parsed(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)


def test_a_voice_message_has_exchanges_headers_and_the_recording() -> None:
    wav = write_wav(b"\1\2" * 8000)
    message = parsed(voice_message(ENVELOPE, wav=wav, seconds=65.2, ended_at=AT))
    assert message["Content-Class"] == "voice-ca"
    assert message["Subject"] == "Voice Mail (1:05)"
    assert message["From"] == "Bob Brown <bob@example.com>"
    assert message["X-CallingTelephoneNumber"] == "+14255554102"
    assert message["X-VoiceMessageDuration"] == "65"
    assert message["X-VoiceMessageSenderName"] == "Bob Brown"
    assert message["X-CallID"] == "abc@host"
    (recording,) = message.iter_attachments()
    assert recording.get_content_type() == "audio/wav"
    assert recording.get_content() == wav
    assert message["X-AttachmentOrder"] == recording.get_filename()
    assert "Bob Brown (+14255554102)" in message.get_body(("plain",)).get_content()


def test_a_missed_call_has_no_attachment() -> None:
    message = parsed(missed_call(ENVELOPE, ended_at=AT))
    assert message["Content-Class"] == "missedcall"
    assert message["Subject"] == "Missed call from Bob Brown (+14255554102)"
    assert not list(message.iter_attachments())


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=80))
@pytest.mark.slow
def test_no_callers_name_adds_a_header_or_markup(name: str, number: str, address: str) -> None:
    envelope = Envelope(
        message_id="voice-1",
        mailbox="alice@example.com",
        recipient_name=name,
        call_id=number,
        begun_at=AT.isoformat(),
        caller_number=number,
        caller_name=name,
        caller_address=address,
    )
    known = {k.lower() for k in parsed(voice_message(ENVELOPE, wav=b"", seconds=1, ended_at=AT))}
    for data in (voice_message(envelope, wav=b"", seconds=1, ended_at=AT), missed_call(envelope, ended_at=AT)):
        message = parsed(data)
        assert {k.lower() for k in message} <= known
        html = message.get_body(("html",)).get_content()
        assert html.count("<") == 4 + 2 * html.count("<p>")
    told = welcome(
        mailbox="a@example.com",
        name=name,
        extension="4101",
        pin="123987",
        text=number,
        at=AT,
        message_id="w",
    )
    assert "123987" in parsed(told).get_content()
