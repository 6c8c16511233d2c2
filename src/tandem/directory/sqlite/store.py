"""The file of the embedded directory: how it is made, opened, brought up to date, copied and put back.

Its schema has a number. A file of an older Tandem is brought up to date when it is opened, in one transaction, after a copy
of it was put beside it; one of a newer Tandem is left alone.
"""

import logging
import os
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

from tandem.core.files import inherit_owner, private_folder
from tandem.core.log import event, get_logger
from tandem.directory.errors import DirectoryError, DirectoryUnavailable

_log = get_logger("directory")
_SCHEMA = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE NOT NULL, dn TEXT NOT NULL,
    parent INTEGER REFERENCES entry(id), protected INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0);
CREATE INDEX entry_parent ON entry(parent);
CREATE INDEX entry_changed ON entry(changed);
CREATE TABLE gone (id INTEGER PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE value (
    entry INTEGER NOT NULL REFERENCES entry(id) ON DELETE CASCADE, attribute TEXT NOT NULL,
    place INTEGER NOT NULL, value TEXT NOT NULL, folded TEXT NOT NULL, PRIMARY KEY (entry, attribute, place)
) WITHOUT ROWID;
CREATE INDEX value_folded ON value(attribute, folded);
CREATE TABLE ace (
    entry INTEGER NOT NULL REFERENCES entry(id) ON DELETE CASCADE, principal TEXT NOT NULL, rights INTEGER NOT NULL,
    inherit TEXT NOT NULL, object_class TEXT NOT NULL, attributes TEXT NOT NULL,
    UNIQUE (entry, principal, rights, inherit, object_class, attributes));
CREATE TABLE credential (
    entry INTEGER PRIMARY KEY REFERENCES entry(id) ON DELETE CASCADE, hash TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0, locked_until REAL NOT NULL DEFAULT 0);
CREATE TABLE state (name TEXT PRIMARY KEY, number INTEGER NOT NULL);
INSERT INTO state VALUES ('change', 1), ('access', 1), ('version', 3);
"""


def _follow_changes(db: sqlite3.Connection) -> None:
    """2: entries bear the number of their last change, those that are gone leave theirs; two attributes have other names."""
    db.execute("ALTER TABLE entry ADD COLUMN changed INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX entry_changed ON entry(changed)")
    db.execute("CREATE TABLE gone (id INTEGER PRIMARY KEY, number INTEGER NOT NULL)")
    for old, new in (
        ("tandemvoicedialplan", "tandemassigneddialplan"),
        ("tandemvoicepolicy", "tandemassignedvoicepolicy"),
    ):
        db.execute("UPDATE value SET attribute = ? WHERE attribute = ?", (new, old))
        db.execute("UPDATE ace SET attributes = replace(attributes, ?, ?)", (old, new))
    for row in db.execute("SELECT rowid, attributes FROM ace WHERE attributes <> ''").fetchall():
        names = " ".join(sorted(row["attributes"].split()))
        db.execute("UPDATE ace SET attributes = ? WHERE rowid = ?", (names, row["rowid"]))


def _keep_release_0_1_out(db: sqlite3.Connection) -> None:
    """3: the file is as before. Release 0.1 knows versions up to 2, and refuses a home that this release has written to."""


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {2: _follow_changes, 3: _keep_release_0_1_out}
"""How a file becomes one of this version from the one before."""
VERSION = max(MIGRATIONS)


def create_embedded(path: Path) -> None:
    """Make the file. Raises :class:`DirectoryError` if it is there."""
    if path.exists():
        raise DirectoryError(f"{path} is there already; a directory is made only once")
    private_folder(path.parent)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    db = sqlite3.connect(temporary)
    try:
        db.executescript(_SCHEMA)
    finally:
        db.close()
    temporary.chmod(0o600)
    inherit_owner(temporary, path.parent)
    temporary.rename(path)


def open_store(path: Path) -> sqlite3.Connection:
    """Open the file, in WAL mode, brought up to date. Raises :class:`DirectoryUnavailable` with what to do."""
    if not path.exists():
        raise DirectoryUnavailable(
            f"there is no directory at {path}; make one with 'tandem init' or 'tandem directory create'"
        )
    try:
        # One session is used by one thread at a time, if not always by the one that opened it.
        db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        version = _version(db)
        if version < VERSION:
            _migrate(db, path, version)
    except sqlite3.Error as error:
        raise DirectoryUnavailable(f"{path} cannot be used as a directory: {error}") from None
    if version > VERSION:
        db.close()
        raise DirectoryUnavailable(
            f"{path} is of version {version}, made by a newer Tandem; this one knows versions up to {VERSION}"
        )
    return db


class StoreFile:
    """The file, open, and by what it is known again: another one that is renamed to its path is another file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.db = open_store(path)
        self._at, self._log_at = _place(path), _place(self._log)

    @property
    def _log(self) -> Path:
        return self._path.with_name(f"{self._path.name}-wal")

    def replaced(self) -> bool:
        """Whether another file is at the path now. One that is gone is not replaced yet."""
        return _place(self._path) not in (self._at, None)

    def opened_again(self) -> "StoreFile":
        """The file that is at the path now; this one stays open. Raises :class:`DirectoryUnavailable`."""
        if _place(self._log) == self._log_at is not None:
            # It is the write-ahead log of the file that was here before: SQLite would apply it to the new one.
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        return StoreFile(self._path)


def _place(path: Path) -> tuple[int, int] | None:
    try:
        held = os.stat(path)  # noqa: PTH116 - Path.stat is this, and slower; it is asked at each request
    except OSError:
        return None
    return held.st_dev, held.st_ino


def _version(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT number FROM state WHERE name = 'version'").fetchone()
    return int(row["number"])


def _migrate(db: sqlite3.Connection, path: Path, found: int) -> None:
    kept = path.with_name(f"{path.name}.version{found}")
    if not kept.exists():
        backup(path, kept)
    db.execute("BEGIN IMMEDIATE")
    try:
        for number in range(_version(db) + 1, VERSION + 1):  # another process may have done it meanwhile
            MIGRATIONS[number](db)
            db.execute("UPDATE state SET number = ? WHERE name = 'version'", (number,))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    event(_log, logging.INFO, "directory.migrated", file=path, before=found, now=VERSION, kept=kept)


def backup(source: Path, target: Path) -> None:
    """A whole copy of a directory that may be in use, of one moment. Raises :class:`DirectoryError` if it cannot be made."""
    temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        held, copy = sqlite3.connect(source), sqlite3.connect(temporary)
        try:
            held.backup(copy)
        finally:
            held.close()
            copy.close()
        temporary.chmod(0o600)
        inherit_owner(temporary, target.parent)
        temporary.replace(target)
    except (sqlite3.Error, OSError) as error:
        temporary.unlink(missing_ok=True)
        raise DirectoryError(f"{source} cannot be copied to {target}: {error}") from None


def restore(source: Path, target: Path) -> None:
    """Put a copy back in place of a directory that may be in use: who reads it sees the change.

    Raises :class:`DirectoryError` for a file that is no directory; the one in place is then as it was.
    """
    checked = open_store(source)
    checked.close()
    if not target.exists():
        backup(source, target)
        return
    now = open_store(target)
    held = sqlite3.connect(source)
    try:
        numbers = {row["name"]: row["number"] for row in now.execute("SELECT name, number FROM state")}
        given = now.execute("SELECT max(id) FROM (SELECT id FROM entry UNION ALL SELECT id FROM gone)").fetchone()[0]
        held.backup(now)
        now.execute(
            "INSERT OR IGNORE INTO state VALUES ('restored', 0)"
        )  # what changed by it bears no number of a change
        for name in ("change", "access", "restored"):
            now.execute("UPDATE state SET number = max(number, ?) + 1 WHERE name = ?", (numbers.get(name, 0), name))
        # Servers know users by the ids of their entries: no other user gets one that was given since the copy.
        if now.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():  # not in 0.1's files
            now.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'entry'", (given or 0,))
    except sqlite3.Error as error:
        raise DirectoryError(f"{target} cannot be replaced by {source}: {error}") from None
    finally:
        held.close()
        now.close()
