"""Message waiting: the body of the message-summary event package (RFC 3842)."""

import re
from dataclasses import dataclass

from tandem.sip.errors import MalformedMessage
from tandem.sip.message.message import Headers, Request

CONTENT_TYPE = "application/simple-message-summary"
EVENT_PACKAGE = "message-summary"
_VOICE = re.compile(
    r"voice-message:\s*(\d{1,9})\s*/\s*(\d{1,9})(?:\s*\(\s*(\d{1,9})\s*/\s*(\d{1,9})\s*\))?", re.IGNORECASE
)
_WAITING = re.compile(r"messages-waiting:\s*(yes|no)\s*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSummary:
    """Counts of voice messages; messages wait while there are new ones."""

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0

    @property
    def waiting(self) -> bool:
        """Whether new messages wait."""
        return self.new > 0

    def body(self, account: str) -> bytes:
        """The body; ``account`` is the URI of the mailbox's user."""
        return (
            f"Messages-Waiting: {'yes' if self.waiting else 'no'}\r\n"
            f"Message-Account: {account}\r\n"
            f"Voice-Message: {self.new}/{self.old} ({self.urgent_new}/{self.urgent_old})\r\n"
        ).encode()


def unsolicited_notify(
    summary: MessageSummary, *, uri: str, account: str, contact: str, from_tag: str, call_id: str
) -> Request:
    """A NOTIFY outside of any subscription, as Exchange and Lync send it: it says at once that it is the last one.

    Args:
        summary: what it tells.
        uri: where it goes, as Request-URI.
        account: the URI of the mailbox's user, in From, To and the body.
        contact: the value of Contact.
        from_tag: a fresh tag.
        call_id: a fresh Call-ID.
    """
    headers = Headers(
        [
            ("Max-Forwards", "70"),
            ("From", f"<{account}>;tag={from_tag}"),
            ("To", f"<{account}>"),
            ("Call-ID", call_id),
            ("CSeq", "1 NOTIFY"),
            ("Contact", contact),
            ("Event", EVENT_PACKAGE),
            ("Subscription-State", "terminated;reason=noresource"),
            ("Content-Type", CONTENT_TYPE),
        ]
    )
    return Request(method="NOTIFY", uri=uri, headers=headers, body=summary.body(account))


def parse_summary(body: bytes) -> MessageSummary:
    """Read a body. Raises :class:`MalformedMessage` if it does not say whether messages wait."""
    lines = body[:8192].decode("utf-8", "replace").splitlines()
    waiting = next((m[1].lower() == "yes" for line in lines if (m := _WAITING.match(line.strip()))), None)
    if waiting is None:
        raise MalformedMessage("the message summary has no Messages-Waiting line")
    counts = next((m for line in lines if (m := _VOICE.match(line.strip()))), None)
    if counts is None:
        return MessageSummary(new=1 if waiting else 0)
    new, old, urgent_new, urgent_old = (int(group or 0) for group in counts.groups())
    return MessageSummary(new=new, old=old, urgent_new=urgent_new, urgent_old=urgent_old)
