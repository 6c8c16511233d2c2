"""The last state of message waiting of each user, kept in a file across restarts.

UM sends a state when it changes, and otherwise only twice a day; without the file, phones would show nothing until then. A
change is written in a thread of the disk's pool, soon after it came; changes that come meanwhile are written together.
"""

import asyncio
import json
import logging
import threading
from pathlib import Path

from tandem.core.log import event, get_logger
from tandem.pki.files import write_whole
from tandem.service.threads import ThreadPool
from tandem.sip.headers.mwi import MessageSummary

_log = get_logger("voice")
_NOTHING = MessageSummary()


class SavedSummaries:
    """Summaries by SIP address. :meth:`load` them first, have :meth:`run` supervised, and call :meth:`save` at the end."""

    def __init__(self, file: Path, disk: ThreadPool) -> None:
        self._file = file
        self._disk = disk
        self._summaries: dict[str, MessageSummary] = {}
        self._changed = asyncio.Event()
        self._writing = threading.Lock()

    async def load(self) -> None:
        """Read what was known before a restart; a file that cannot be read is logged, and counts as none."""
        self._summaries = await self._disk.run(_read, self._file)

    def of(self, user: str) -> MessageSummary:
        """What is known of a user; no messages where nothing is."""
        return self._summaries.get(user, _NOTHING)

    def put(self, user: str, summary: MessageSummary) -> None:
        """A user's state is another one now."""
        self._summaries[user] = summary
        self._changed.set()

    async def run(self) -> None:
        """Write changes, until cancelled."""
        while True:
            await self._changed.wait()
            await self.save()

    async def save(self) -> None:
        """Write what has changed since it was last written; a failure is logged, and the next change tries again."""
        if not self._changed.is_set():
            return
        self._changed.clear()
        try:
            await self._disk.run(self._write, dict(self._summaries))
        except OSError as error:
            event(_log, logging.ERROR, "voice.mwi_not_written", file=self._file, error=error)
        except asyncio.CancelledError:
            self._changed.set()  # whether it was written is not known
            raise

    def _write(self, summaries: dict[str, MessageSummary]) -> None:
        facts = {user: (s.new, s.old, s.urgent_new, s.urgent_old) for user, s in summaries.items()}
        with self._writing:
            write_whole(self._file, json.dumps(facts).encode())


def _read(file: Path) -> dict[str, MessageSummary]:
    if not file.exists():
        return {}
    try:
        facts = json.loads(file.read_bytes())
        return {
            user: MessageSummary(new=new, old=old, urgent_new=urgent_new, urgent_old=urgent_old)
            for user, (new, old, urgent_new, urgent_old) in facts.items()
        }
    except (OSError, ValueError, AttributeError, TypeError) as error:
        event(_log, logging.ERROR, "voice.mwi_not_read", file=file, error=error)
        return {}
