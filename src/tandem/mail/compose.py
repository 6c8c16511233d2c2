"""The mails that UM writes, as MIME: voice message, missed call, welcome (docs/voice-message.md).

Headers and Content-Class are Exchange's (MS-OXCMAIL). Every text from outside (a caller's name!) is cleaned for headers
by the ``email`` package's own encoding, after control characters are taken out, and escaped for HTML.
"""

import html
import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from tandem.mail.port import MessageKind
from tandem.mail.spool import Envelope

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}\Z")


def voice_message(envelope: Envelope, *, wav: bytes, seconds: float, ended_at: datetime, cut: bool = False) -> bytes:
    """A voice message with its recording as a WAV file (16-bit linear: Exchange's codec G711)."""
    caller = caller_text(envelope)
    length = max(1, round(seconds))
    message = _message(envelope, ended_at, f"Voice Mail ({_clock(length)})")
    message["X-VoiceMessageDuration"] = str(length)
    file_name = f"{_file_part(caller)} ({length} seconds) Voice Mail.wav"
    message["X-AttachmentOrder"] = file_name
    lines = [f"You received a voice mail from {caller}."]
    if cut:
        lines.append("The recording was cut: the server stopped while the caller spoke.")
    _bodies(message, lines, envelope)
    message.add_attachment(wav, maintype="audio", subtype="wav", filename=file_name)
    return _bytes(message, MessageKind.VOICE)


def missed_call(envelope: Envelope, *, ended_at: datetime) -> bytes:
    """A notice that someone called and left nothing."""
    caller = caller_text(envelope)
    message = _message(envelope, ended_at, f"Missed call from {caller}")
    _bodies(message, [f"You missed a call from {caller} at {ended_at:%Y-%m-%d %H:%M} UTC."], envelope)
    return _bytes(message, MessageKind.MISSED_CALL)


def welcome(
    *,
    mailbox: str,
    name: str,
    extension: str,
    access_numbers: tuple[str, ...],
    pin: str,
    text: str,
    at: datetime,
    message_id: str,
) -> bytes:
    """The mail that tells a newly enabled user extension and PIN; the PIN has to be changed at the first sign-in."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Unified Messaging", addr_spec=_sender(mailbox))
    message["To"] = Address(_clean(name), addr_spec=mailbox)
    message["Subject"] = "Welcome to Unified Messaging"
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{message_id}@{mailbox.partition('@')[2]}>"
    lines = [
        "You have been enabled for Unified Messaging.",
        f"Your extension is {extension}.",
        f"Your PIN is {pin}. You will be asked to change it when you first sign in.",
    ]
    if access_numbers:
        lines.append(f"Call {' or '.join(access_numbers)} to reach your mailbox by phone.")
    if text:
        lines.append(_clean(text))
    message.set_content("\n".join(lines) + "\n")
    return message.as_bytes()


def caller_text(envelope: Envelope) -> str:
    """The caller for people: name and number as far as they are known."""
    name, number = _clean(envelope.caller_name), _clean(envelope.caller_number)
    if name and number and name != number:
        return f"{name} ({number})"
    return name or number or "an anonymous caller"


def _message(envelope: Envelope, ended_at: datetime, subject: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    known = _ADDRESS.match(envelope.caller_address)
    sender = envelope.caller_address if known else _sender(envelope.mailbox)
    message["From"] = Address(_clean(envelope.caller_name) or _clean(envelope.caller_number), addr_spec=sender)
    message["To"] = Address(_clean(envelope.recipient_name), addr_spec=envelope.mailbox)
    message["Subject"] = _clean(subject)
    message["Date"] = format_datetime(ended_at)
    message["Message-ID"] = f"<{envelope.message_id}@{envelope.mailbox.partition('@')[2]}>"
    if number := _clean(envelope.caller_number):
        message["X-CallingTelephoneNumber"] = number
    if name := _clean(envelope.caller_name):
        message["X-VoiceMessageSenderName"] = name
    message["X-CallID"] = _clean(envelope.call_id)
    return message


def _bytes(message: EmailMessage, kind: MessageKind) -> bytes:
    """The finished message. Content-Class comes last: building parts moves every Content- header into them."""
    message["Content-Class"] = kind.value
    return message.as_bytes()


def _bodies(message: EmailMessage, lines: list[str], envelope: Envelope) -> None:
    if number := _clean(envelope.caller_number):
        lines = [*lines, f"Number: {number}"]
    if envelope.text:
        lines = [*lines, _clean(envelope.text)]
    message.set_content("\n".join(lines) + "\n")
    paragraphs = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    message.add_alternative(f"<html><body>{paragraphs}</body></html>\n", subtype="html")


def _sender(mailbox: str) -> str:
    return f"unified-messaging@{mailbox.partition('@')[2]}"


def _clean(text: str) -> str:
    """One line without control and direction characters, at most 200 characters."""
    kept = "".join(c if c.isprintable() else " " for c in text if not 0xD800 <= ord(c) < 0xE000)
    return " ".join(kept.split())[:200]


def _file_part(text: str) -> str:
    return re.sub(r"[^\w .+()@-]", "_", text)[:80].strip(" .") or "caller"


def _clock(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02d}"
