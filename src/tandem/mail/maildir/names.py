"""File names of a Maildir: ``KEY`` in ``new``, ``KEY:2,FLAGS`` in ``cur`` (https://cr.yp.to/proto/maildir.html). Pure.

The key of a message that we delivered is its message id. Names that Dovecot made may hold ``,S=SIZE`` and the like before the
colon, which belong to the key. Lower-case flags are Dovecot's keywords: they are kept as they are.
"""

from tandem.mail.errors import MailError
from tandem.mail.port import MessageFlag

_LETTERS = {
    MessageFlag.DRAFT: "D",
    MessageFlag.FLAGGED: "F",
    MessageFlag.FORWARDED: "P",
    MessageFlag.ANSWERED: "R",
    MessageFlag.SEEN: "S",
    MessageFlag.DELETED: "T",
}
_FLAGS = {letter: flag for flag, letter in _LETTERS.items()}


def key_of(name: str) -> str:
    """The key in a file name."""
    return name.partition(":")[0]


def flags_of(name: str) -> frozenset[MessageFlag]:
    """The flags in a file name; letters without a meaning for us are passed over."""
    return frozenset(_FLAGS[letter] for letter in _letters(name) if letter in _FLAGS)


def flagged(name: str, *, add: frozenset[MessageFlag], remove: frozenset[MessageFlag]) -> str:
    """A file name for ``cur`` with other flags, in ASCII order as the format asks; other letters stay."""
    letters = set(_letters(name)) - {_LETTERS[flag] for flag in remove} | {_LETTERS[flag] for flag in add}
    return f"{key_of(name)}:2,{''.join(sorted(letters))}"


def check_message_id(message_id: str) -> None:
    """Raise :class:`MailError` for an id that cannot be the name of a file."""
    plain = message_id.isascii() and message_id.translate(_REST).isalnum()
    if not plain or message_id.startswith(".") or len(message_id) > 128:
        raise MailError(f"{message_id!r} cannot be a message id", retryable=False)


def folder_name(address: str) -> str:
    """The name of the folder of a mail address. Raises :class:`MailError` for one that would lead elsewhere."""
    name = address.lower()
    if not name or name.startswith(".") or any(c in name for c in "/\\\0") or not name.isprintable():
        raise MailError(f"{address!r} cannot be the name of a mailbox", retryable=False)
    return name


_REST = str.maketrans("", "", "-_.")


def _letters(name: str) -> str:
    return name.partition(":2,")[2]
