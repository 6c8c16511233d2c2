"""Submission without a mail server: a message goes straight into its recipient's mailbox."""

from tandem.mail.port import MailStore


class MailboxSubmission:
    """See :class:`tandem.mail.port.Submission`; sending the same message again does nothing."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    async def send(self, *, message_id: str, recipient: str, data: bytes) -> None:
        """See :meth:`tandem.mail.port.Submission.send`."""
        await self._store.mailbox(recipient).append(message_id, data)
