"""The port of mail: mailboxes as UM needs them, whatever keeps them (Maildir here; an IMAP server can be another adapter).

Rules of every adapter, held by the contract suite in ``tests/mail``:

- No call blocks the event loop, and none takes or gives a file name.
- What a call did is durable when it returns: it survives a crash of this machine.
- A message has a *key*, which stays the same as long as the message is in its mailbox, whatever mail programs do to it. Our
  own messages are appended with a message id of ours.
- Several clients use a mailbox at once: another server, mail programs, an IMAP server. A message that they delete just now is
  absent, never an error of :meth:`Mailbox.list` or :meth:`Mailbox.counts`.
- A mailbox need not exist: it is empty until the first message is appended, which makes it.
- Every method raises :class:`tandem.mail.errors.MailError` when the store cannot do it; ``retryable`` says whether trying the
  same again can help. Nothing was done then, or the whole of it.

Left out: folders below the inbox, search, and the body's structure, which no user of the port has needed yet.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum, auto
from typing import Protocol


class MessageKind(StrEnum):
    """What a message is, by its Content-Class header (MS-OXCMAIL, docs/voice-message.md)."""

    VOICE = "voice-ca"
    MISSED_CALL = "missedcall"
    OTHER = ""


class MessageFlag(Enum):
    """What readers note about a message: the system flags of :rfc:`3501#section-2.3.2`, and ``$Forwarded``."""

    SEEN = auto()
    ANSWERED = auto()
    FORWARDED = auto()
    FLAGGED = auto()
    DELETED = auto()
    DRAFT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageInfo:
    """A message without its content.

    Attributes:
        key: names the message within its mailbox.
        kind: voice message, missed call, or any other mail.
        urgent: whether its Importance header is ``high``. No flag: readers do not change it.
        sender: the mail address in its From header, in lower case; empty if there is none.
        caller_number: its X-CallingTelephoneNumber header, or an empty string.
        duration_s: the length of its recording in whole seconds, or 0.
        flags: what readers noted about it.
        size: octets of the whole message.
        arrived_at: when it came into the mailbox, UTC.
    """

    key: str
    kind: MessageKind = MessageKind.OTHER
    urgent: bool = False
    sender: str = ""
    caller_number: str = ""
    duration_s: int = 0
    flags: frozenset[MessageFlag] = field(default_factory=frozenset)
    size: int
    arrived_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceCounts:
    """Voice messages of a mailbox that are not deleted: new (not seen) and old, and how many of each are urgent."""

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0


class Mailbox(Protocol):
    """The messages of one mail address."""

    async def append(self, message_id: str, data: bytes) -> str:
        """Take a message in as new; return its key.

        Appending the same id again does nothing, also after a crash and when the message was read meanwhile: each message
        comes into the mailbox exactly once, as long as nobody deletes it in between.

        Args:
            message_id: a name of ours, up to 128 letters, digits, ``-``, ``_`` and ``.``, that does not begin with a dot.
            data: the whole message as MIME (:rfc:`5322`).

        Raises:
            MailError: the store does not take it now (retryable), or the id is no such name (not retryable).
        """
        ...

    async def list(self) -> tuple[MessageInfo, ...]:
        """Every message, the oldest first, those flagged as deleted included."""
        ...

    async def open(self, key: str) -> bytes:
        """The whole message; its flags do not change. Raises :class:`NoSuchMessage` if it is gone."""
        ...

    async def flag(
        self, key: str, *, add: Iterable[MessageFlag] = (), remove: Iterable[MessageFlag] = ()
    ) -> frozenset[MessageFlag]:
        """Change the flags of a message; return all that it has now. Raises :class:`NoSuchMessage` if it is gone.

        Flags that are named in neither argument stay, and so does what other clients noted beyond :class:`MessageFlag`.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove a message for good; one that is gone is no error."""
        ...

    async def counts(self) -> VoiceCounts:
        """Count the voice messages."""
        ...

    def watch(self) -> AsyncGenerator[None, None]:
        """Yield at once, and then whenever messages may have come, gone, or got other flags, until cancelled.

        It yields within a few seconds of a change, sometimes without one, and never misses the last change.
        """
        ...


class MailStore(Protocol):
    """All mailboxes."""

    def mailbox(self, address: str) -> Mailbox:
        """The mailbox of a mail address; upper and lower case are the same.

        Raises:
            MailError: the address cannot be one of a mailbox (not retryable).
        """
        ...

    def watch(self, addresses: Callable[[], Iterable[str]]) -> AsyncGenerator[frozenset[str], None]:
        """Yield the addresses whose mailboxes may have changed; see :meth:`Mailbox.watch`. Costs less than one each.

        Of many mailboxes it looks at 2,000 a second or more. ``addresses`` is asked again when all were looked at, in any
        thread, and answers are given in its spelling. An address is first yielded when its
        mailbox exists; one that cannot be of a mailbox never is.
        """
        ...

    async def addresses(self) -> tuple[str, ...]:
        """The address of every mailbox that exists, in lower case, sorted."""
        ...

    async def move(self, address: str, to: str) -> bool:
        """Put all messages of a mailbox into another, with their keys and flags; then the first one does not exist any more.

        Each message is in exactly one of the two at any time, so that an interrupted move is finished by the same again.
        Returns whether there was a mailbox to move.
        """
        ...

    async def remove(self, address: str) -> None:
        """Remove a mailbox with all its messages for good; one that is gone is no error."""
        ...


class Submission(Protocol):
    """Where mail is handed in that goes to a recipient."""

    async def send(self, *, message_id: str, recipient: str, data: bytes) -> None:
        """Send a message to one mail address.

        Sending the same id to the same recipient again does no harm where the way there can tell (a mailbox can).

        Args:
            message_id: see :meth:`Mailbox.append`.
            recipient: a mail address.
            data: the whole message as MIME (:rfc:`5322`).

        Raises:
            MailError: it was not taken.
        """
        ...
