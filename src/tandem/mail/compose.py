"""What the mails of UM say: voice message, missed call, welcome, change (docs/voice-message.md).

Headers and Content-Class are Exchange's (MS-OXCMAIL). Every text from outside (a caller's name!) is cleaned to one line without
control and direction characters; :mod:`tandem.mail.mime` writes it so that nothing in it is read again as anything else. Each
mail is read back before it is given out; one that is not as it was meant is written in a plain form instead, and logged.
"""

import html
import logging
import re
from datetime import datetime
from email.utils import format_datetime

from tandem.core.log import event, get_logger
from tandem.mail.envelope import Envelope
from tandem.mail.mime import Attachment, Correspondent, Mail, read_back, write_mail
from tandem.mail.port import MessageKind

_log = get_logger("mail")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}\Z")
_VISIBLE = re.compile(r"[!-~]{1,980}\Z")
_NOT_OF_A_FILE_NAME = re.compile(r"[^\w .+()@-]")
MAX_FILE_NAME = 200
"""Octets of an attachment's name; file systems take 255, some that encrypt fewer."""
MAX_LINE = 200
"""Characters of a name, a number, a subject."""
MAX_TEXT = 4096
"""Characters of a policy's text; 512 are declared at most."""


def voice_message(envelope: Envelope, *, wav: bytes, seconds: float, ended_at: datetime, cut: bool = False) -> bytes:
    """A voice message with its recording as a WAV file (16-bit linear: Exchange's codec G711)."""
    length = max(1, round(seconds))
    file_name = _file_name(envelope, f" ({length} seconds) Voice Mail.wav")
    lines = [f"You received a voice mail from {caller_text(envelope)}."]
    if cut:
        lines.append("The recording was cut: the server stopped while the caller spoke.")
    return _written(
        _mail(
            envelope,
            ended_at,
            MessageKind.VOICE,
            subject=f"Voice Mail ({_clock(length)})",
            lines=lines,
            texts=(("X-VoiceMessageDuration", str(length)), ("X-AttachmentOrder", file_name)),
            attachment=Attachment(name=file_name, content_type="audio/wav", data=wav),
        )
    )


def missed_call(envelope: Envelope, *, ended_at: datetime) -> bytes:
    """A notice that someone called and left nothing."""
    caller = caller_text(envelope)
    lines = [f"You missed a call from {caller} at {ended_at:%Y-%m-%d %H:%M} UTC."]
    subject = f"Missed call from {caller}"
    return _written(_mail(envelope, ended_at, MessageKind.MISSED_CALL, subject=subject, lines=lines))


_ENABLED = "You have been enabled for Unified Messaging: callers who do not reach you can leave a message, which comes by mail."
_NEW_PIN = "You have a new PIN for Unified Messaging, as an administrator wished; the old one is of no use any more."


def welcome(
    *,
    mailbox: str,
    name: str,
    extension: str,
    pin: str,
    text: str,
    at: datetime,
    message_id: str,
    renewed: bool = False,
) -> bytes:
    """The mail that tells a newly enabled user extension and PIN; ``renewed``: a user who had a PIN before."""
    lines = [
        _NEW_PIN if renewed else _ENABLED,
        f"Your extension is {_clean(extension)}.",
        f"Your PIN is {_clean(pin)}. Keep it for access by telephone, which is not there yet.",
        *_lines(text),
    ]
    subject = "Your new PIN for Unified Messaging" if renewed else "Welcome to Unified Messaging"
    return _written(_notice(mailbox, name, at, message_id, subject=subject, lines=lines))


def changed(
    *,
    mailbox: str,
    name: str,
    extension: str,
    dial_plan: str,
    access_numbers: tuple[str, ...] | None,
    at: datetime,
    message_id: str,
) -> bytes:
    """The mail that tells a user of a move or a new extension. ``dial_plan``: empty if it is the same; ``access_numbers``: none
    if they are."""
    lines = ["Your Unified Messaging was changed, as an administrator wished. Messages and PIN stay as they are."]
    if dial_plan:
        lines.append(f"Your dial plan is {_clean(dial_plan)} now.")
    lines.append(f"Your extension is {_clean(extension)}.")
    if access_numbers:
        numbers = " or ".join(map(_clean, access_numbers))
        lines.append(f"Your access number is {numbers} now. Keep it for access by telephone, which is not there yet.")
    elif access_numbers is not None:
        lines.append("There is no access number any more.")
    subject = "Your Unified Messaging has changed"
    return _written(_notice(mailbox, name, at, message_id, subject=subject, lines=lines))


def caller_text(envelope: Envelope) -> str:
    """The caller for people: name and number as far as they are known."""
    name, number = _clean(envelope.caller_name), _clean(envelope.caller_number)
    if name and number and name != number:
        return f"{name} ({number})"
    return name or number or "an anonymous caller"


def _notice(mailbox: str, name: str, at: datetime, message_id: str, *, subject: str, lines: list[str]) -> Mail:
    return Mail(
        sender=Correspondent(name="Unified Messaging", address=_own_address(mailbox)),
        recipient=_recipient(mailbox, name),
        raw=(("Date", format_datetime(at)), ("Message-ID", f"<{message_id}@{_domain(mailbox)}>")),
        texts=(("Subject", subject),),
        text=_paragraphs(lines),
    )


def _mail(
    envelope: Envelope,
    ended_at: datetime,
    kind: MessageKind,
    *,
    subject: str,
    lines: list[str],
    texts: tuple[tuple[str, str], ...] = (),
    attachment: Attachment | None = None,
) -> Mail:
    name, number = _clean(envelope.caller_name), _clean(envelope.caller_number)
    sender = envelope.caller_address if _ADDRESS.match(envelope.caller_address) else _own_address(envelope.mailbox)
    told = {"X-CallingTelephoneNumber": number, "X-VoiceMessageSenderName": name}
    raw = {
        "Date": format_datetime(ended_at),
        "Message-ID": f"<{envelope.message_id}@{_domain(envelope.mailbox)}>",
        "Content-Class": kind.value,
    }
    if _VISIBLE.match(envelope.call_id) and "=?" not in envelope.call_id:
        raw["X-CallID"] = envelope.call_id  # as it is in traces and logs, so that it is found there
    else:
        told["X-CallID"] = _clean(envelope.call_id)
    lines = [*lines, *([f"Number: {number}"] if number else []), *_lines(envelope.text)]
    return Mail(
        sender=Correspondent(name=name or number, address=sender),
        recipient=_recipient(envelope.mailbox, envelope.recipient_name),
        raw=tuple(raw.items()),
        texts=(("Subject", _clean(subject)), *((key, value) for key, value in told.items() if value), *texts),
        text=_paragraphs(lines),
        html=f"<html><body>{''.join(f'<p>{html.escape(line)}</p>' for line in lines)}</body></html>\n",
        attachment=attachment,
    )


def _written(mail: Mail) -> bytes:
    """The mail, if it reads as it was meant; a plain one otherwise, with the same recording."""
    if why := read_back(mail):
        event(_log, logging.ERROR, "mail.plain_form", why=why[:400], **{"Message-ID": dict(mail.raw)["Message-ID"]})
        mail = _plain(mail)
    return write_mail(mail)


def _plain(mail: Mail) -> Mail:
    """A mail of which no header holds a text from outside. Its text is in the body, where nothing is read again."""
    kept = {key: value for key, value in mail.raw if value.isascii() and value.isprintable()}
    return Mail(
        sender=Correspondent(address="unified-messaging@invalid"),
        recipient=None,
        raw=tuple((key, kept[key]) for key in ("Date", "Message-ID", "Content-Class") if key in kept),
        texts=(
            ("Subject", "Unified Messaging"),
            *((key, value) for key, value in mail.texts if key == "X-VoiceMessageDuration"),
        ),
        text=mail.text,
        attachment=mail.attachment
        and Attachment(name="Voice Mail.wav", content_type="audio/wav", data=mail.attachment.data),
    )


def _recipient(mailbox: str, name: str) -> Correspondent | None:
    return Correspondent(name=_clean(name), address=mailbox) if _ADDRESS.match(mailbox) else None


def _own_address(mailbox: str) -> str:
    return f"unified-messaging@{_domain(mailbox)}"


def _domain(mailbox: str) -> str:
    return mailbox.partition("@")[2] if _ADDRESS.match(mailbox) else "invalid"


def _clean(text: str, longest: int = MAX_LINE) -> str:
    """One line without control and direction characters; a byte that was no UTF-8 is read as Latin-1."""
    kept = "".join(chr(ord(c) - 0xDC00) if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text[: 8 * longest])
    kept = "".join(c if c.isprintable() else " " for c in kept)
    return " ".join(kept.split())[:longest].rstrip()


def _lines(text: str) -> list[str]:
    """A policy's text: its lines are kept, each is cleaned."""
    cleaned = [_clean(line, MAX_TEXT) for line in text[:MAX_TEXT].splitlines()]
    return cleaned if any(cleaned) else []


def _paragraphs(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _file_name(envelope: Envelope, rest: str) -> str:
    """The caller and ``rest`` as a file name. A name that is too long is cut; the number stays."""
    name, number = _clean(envelope.caller_name), _clean(envelope.caller_number)[:64]
    caller = name or number or "an anonymous caller"
    if name and number and name != number:
        rest = f" ({number}){rest}"
    rest = _NOT_OF_A_FILE_NAME.sub("_", rest)
    room = MAX_FILE_NAME - len(rest.encode())
    kept = _NOT_OF_A_FILE_NAME.sub("_", caller).encode()[:room].decode(errors="ignore")
    return (kept.strip(" .") or "caller") + rest


def _clock(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02d}"
