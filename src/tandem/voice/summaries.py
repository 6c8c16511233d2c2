"""The last state of message waiting of each user, kept in a SQLite file across restarts.

UM sends a state when it changes, and otherwise only twice a day; without the file, phones would show nothing until then. What
has changed is written in a thread of the disk's pool, soon after it came: one row for each user, and all that came meanwhile
in one transaction. The JSON file of release 0.1 is read where there is no other yet.
"""

import asyncio
import contextlib
import json
import logging
import sqlite3
from pathlib import Path

from tandem.core.log import event, get_logger
from tandem.service.threads import ThreadPool
from tandem.sip.headers.mwi import MessageSummary

_log = get_logger("voice")
_NOTHING = MessageSummary()
AGAIN_S = 10.0
"""Seconds until what could not be written is tried again."""
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS mwi (user TEXT PRIMARY KEY, new INTEGER, old INTEGER, urgent_new INTEGER, "
    "urgent_old INTEGER) WITHOUT ROWID"
)
Summaries = dict[str, MessageSummary]


class SavedSummaries:
    """Summaries by SIP address. :meth:`load` them first, have :meth:`run` supervised, and call :meth:`save` at the end.

    ``before`` is the file of release 0.1.
    """

    def __init__(self, file: Path, disk: ThreadPool, *, before: Path | None = None) -> None:
        self._file = file
        self._before = before
        self._disk = disk
        self._summaries: Summaries = {}
        self._unwritten: Summaries = {}
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read what was known before a restart; a file that cannot be read is set aside and logged, and counts as none."""
        self._summaries, self._unwritten = await self._disk.run(_read, self._file, self._before)
        if self._unwritten:
            self._changed.set()

    def of(self, user: str) -> MessageSummary:
        """What is known of a user; no messages where nothing is."""
        return self._summaries.get(user, _NOTHING)

    def put(self, user: str, summary: MessageSummary) -> None:
        """A user's state is another one now."""
        self._summaries[user] = self._unwritten[user] = summary
        self._changed.set()

    async def run(self) -> None:
        """Write changes, until cancelled."""
        while True:
            await self._changed.wait()
            if not await self.save():
                await asyncio.sleep(AGAIN_S)

    async def save(self) -> bool:
        """Write what has changed since it was last written; whether that worked. A failure is logged, and kept for later."""
        async with self._writing:
            self._changed.clear()
            batch, self._unwritten = self._unwritten, {}
            if not batch:
                return True
            try:
                await self._disk.run(_write, self._file, batch)
            except (OSError, sqlite3.Error) as error:
                event(_log, logging.ERROR, "voice.mwi_not_written", file=self._file, error=error)
                self._keep(batch)
                return False
            except asyncio.CancelledError:
                self._keep(batch)  # whether it was written is not known
                raise
            return True

    def _keep(self, batch: Summaries) -> None:
        self._unwritten = {**batch, **self._unwritten}
        self._changed.set()


def _write(file: Path, batch: Summaries) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute(_SCHEMA)
        db.executemany(
            "INSERT OR REPLACE INTO mwi VALUES (?, ?, ?, ?, ?)",
            [(user, s.new, s.old, s.urgent_new, s.urgent_old) for user, s in batch.items()],
        )


def _read(file: Path, before: Path | None) -> tuple[Summaries, Summaries]:
    """What is known, and what of it is still to be written."""
    if not file.exists():
        known = _read_json(before) if before is not None and before.exists() else {}
        return known, dict(known)
    try:
        with contextlib.closing(sqlite3.connect(file)) as db:
            db.execute(_SCHEMA)
            rows = db.execute("SELECT user, new, old, urgent_new, urgent_old FROM mwi").fetchall()
        return {user: _summary(*counts) for user, *counts in rows}, {}
    except (OSError, sqlite3.Error, TypeError, ValueError) as error:
        event(_log, logging.ERROR, "voice.mwi_not_read", file=file, error=error)
        with contextlib.suppress(OSError):
            file.replace(file.with_name(f"{file.name}.bad"))
        return {}, {}


def _read_json(file: Path) -> Summaries:
    try:
        return {user: _summary(*counts) for user, counts in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        event(_log, logging.ERROR, "voice.mwi_not_read", file=file, error=error)
        return {}


def _summary(new: object, old: object, urgent_new: object, urgent_old: object) -> MessageSummary:
    new, old, urgent_new, urgent_old = (int(str(each)) for each in (new, old, urgent_new, urgent_old))
    return MessageSummary(new=new, old=old, urgent_new=urgent_new, urgent_old=urgent_old)
