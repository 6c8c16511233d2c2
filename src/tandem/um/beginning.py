"""Beginning a message on disk, before its call is answered: where the disk takes none, the caller is sent elsewhere."""

import asyncio

from tandem.core.tasks import Tasks
from tandem.mail.disk import BlockingCalls
from tandem.mail.envelope import Envelope
from tandem.mail.errors import MailError
from tandem.mail.spool import Draft, Spool

BEGIN_S = 3.0
"""A disk that takes longer than this to begin a message takes none."""


class MessageBeginning:
    """Begins messages in a spool; what comes of one after its call was refused is discarded."""

    def __init__(self, spool: Spool, disk: BlockingCalls, tasks: Tasks) -> None:
        self._spool = spool
        self._disk = disk
        self._tasks = tasks

    async def begin(self, envelope: Envelope) -> Draft | None:
        """A message on disk, or nothing where the disk takes none within :data:`BEGIN_S`."""
        begun = self._tasks.spawn(self._try(envelope), name="um.begin_message")
        try:
            await asyncio.wait((begun,), timeout=BEGIN_S)
            if begun.done():
                return begun.result()
        except asyncio.CancelledError:
            begun.add_done_callback(self._too_late)
            raise
        begun.add_done_callback(self._too_late)
        return None

    def discard(self, draft: Draft) -> None:
        """The call was not answered: there is no message."""
        self._tasks.spawn(self._disk.run(draft.discard), name="um.discard_message")

    async def _try(self, envelope: Envelope) -> Draft | None:
        try:
            return await self._disk.run(self._spool.begin, envelope)
        except MailError:  # the spool has told it
            return None

    def _too_late(self, begun: "asyncio.Task[Draft | None]") -> None:
        if not begun.cancelled() and begun.exception() is None and (draft := begun.result()) is not None:
            self.discard(draft)
