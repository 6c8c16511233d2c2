"""What the headers of a message tell. Mail comes from anywhere: nothing in a header is an error here. Pure."""

from datetime import datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parseaddr

from tandem.mail.port import MessageFlag, MessageInfo, MessageKind

_KINDS = {kind.value: kind for kind in MessageKind}


def parse_headers(head: bytes) -> Message:
    """The headers at the begin of a message."""
    return BytesHeaderParser().parsebytes(head)


def kind_in(headers: Message) -> MessageKind:
    """The kind, by Content-Class."""
    return _KINDS.get(_text(headers, "Content-Class").lower(), MessageKind.OTHER)


def urgent_in(headers: Message) -> bool:
    """Whether the sender marked it as important."""
    return _text(headers, "Importance").lower() == "high"


def read_info(
    head: bytes, *, key: str, size: int, arrived_at: datetime, flags: frozenset[MessageFlag] = frozenset()
) -> MessageInfo:
    """What is known of a message whose first octets are ``head``; see :class:`MessageInfo`."""
    headers = parse_headers(head)
    duration = _text(headers, "X-VoiceMessageDuration")
    return MessageInfo(
        key=key,
        kind=kind_in(headers),
        urgent=urgent_in(headers),
        sender=parseaddr(_text(headers, "From"))[1].lower(),
        caller_number=_text(headers, "X-CallingTelephoneNumber"),
        duration_s=int(duration) if duration.isascii() and duration.isdigit() and len(duration) < 7 else 0,
        flags=flags,
        size=size,
        arrived_at=arrived_at,
    )


def _text(headers: Message, name: str) -> str:
    """A header as text, as well as it can be decoded."""
    return decoded(str(headers.get(name, "")))


def decoded(raw: str) -> str:
    """A header on one line, with its encoded words (:rfc:`2047`) read, once; as they are if they cannot be read."""
    raw = raw.replace("\r", "").replace("\n", "")
    try:
        text = str(make_header(decode_header(raw)))
    except (MessageError, ValueError, LookupError):
        text = raw
    return text.strip()
