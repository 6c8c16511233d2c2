"""What can go wrong with mail."""

from pathlib import Path

from tandem.core.errors import TandemError


class MailError(TandemError):
    """``retryable`` says whether trying again later can help (a full disk can be emptied, a bad name stays bad)."""

    def __init__(self, why: str, *, retryable: bool) -> None:
        super().__init__(why)
        self.retryable = retryable


class NoSuchMessage(MailError):
    """The message is not in its mailbox, or is no longer."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"message {key} is not in its mailbox; another mail program may have removed it", retryable=False
        )


class SpoolTaken(MailError):
    """Another process works on the same spool."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is in use by another process: this UM server runs already. Stop that one first "
            "('systemctl stop tandem-um@NAME'), or give this one a home of its own",
            retryable=True,
        )
