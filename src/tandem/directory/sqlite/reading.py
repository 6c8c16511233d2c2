"""What a session reads of the embedded directory: no more than its identity may see; and how a server follows it."""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tandem.core.log import event, get_logger
from tandem.directory import filters
from tandem.directory.dn import DN
from tandem.directory.errors import (
    AccessDenied,
)
from tandem.directory.port import Ace, Changes, Entry, Feed, Part, Right, Scope
from tandem.directory.sqlite.access import CONFIDENTIAL, Access, ace_of
from tandem.directory.sqlite.store import StoreFile

_log = get_logger("directory")
_CHUNK = 400
"""Entries whose values are read at once."""
_COMMON = {"objectclass": 1, "tandemmanagedby": 2}
"""What many entries have alike narrows a search least."""


LetIn = Callable[[sqlite3.Connection], DN | None]
"""Proves an account to an open file, and says who it is; ``None`` is the file's owner, who may do everything."""


class EmbeddedReader:
    """What a session reads, and which rights its identity has. See :class:`EmbeddedSession`.

    Where another file takes the place of the one that is open, as a backup does that is moved there, the session goes on
    with that one, if its account is let in there.
    """

    def __init__(self, path: Path, account: str, let_in: LetIn) -> None:
        self.account = account
        self._path = path
        self._let_in = let_in
        self._depth = 0
        self._enter(StoreFile(path))

    def _enter(self, file: StoreFile) -> None:
        try:
            identity = self._let_in(file.db)
        except BaseException:
            file.db.close()
            raise
        self._file = file
        self._owner = identity is None
        self.identity = identity or DN(())
        self._access = Access(file.db, self.identity, everything=self._owner)

    @property
    def _db(self) -> sqlite3.Connection:
        """The file that is in place; within a transaction or a snapshot, the one in which that was begun."""
        if not self._file.db.in_transaction:
            self.follow_file()
        return self._file.db

    def follow_file(self) -> bool:
        """Open the file that is in place, if it is another one than before; whether it is.

        Raises :class:`DirectoryUnavailable` if it cannot be used, :class:`InvalidCredentials` if it does not let us in.
        """
        if not self._file.replaced():
            return False
        before = self._file
        self._enter(before.opened_again())
        before.db.close()
        event(_log, logging.WARNING, "directory.file_replaced", file=self._path)
        return True

    def close(self) -> None:
        """See the port."""
        self._file.db.close()

    # Reading

    def get(self, dn: DN) -> Entry | None:
        """See the port."""
        return next(self._entries([self._find(dn)]), None)

    def search(self, base: DN, filter_: str = "(objectClass=*)", scope: Scope = Scope.SUBTREE) -> list[Entry]:
        """See the port."""
        wanted = filters.parse_filter(filter_)
        return [e for e in self._entries(self._candidates(base, wanted, scope)) if wanted.match(e.all)]

    def _candidates(self, base: DN, wanted: filters.Filter, scope: Scope) -> list[Any]:
        """Rows in the scope, narrowed by an index where the filter demands an equality."""
        match scope:
            case Scope.BASE:
                where, values = "e.path = ?", [base.path]
            case Scope.ONE:
                where, values = "e.parent = (SELECT id FROM entry WHERE path = ?)", [base.path]
            case Scope.SUBTREE:
                where, values = "e.path >= ? AND e.path < ?", [base.path, base.path[:-1] + "\x20"]
        sql = "SELECT e.id, e.dn, e.path FROM entry e"
        if (key := _equality(wanted)) is not None:
            sql += " JOIN value v ON v.entry = e.id AND v.attribute = ? AND v.folded = ?"
            values = [key.attribute.lower(), key.value.lower(), *values]
        rows = self._db.execute(f"{sql} WHERE {where} ORDER BY e.path", values).fetchall()
        self._access.refresh(alone=self._depth > 0)
        if inner := [root for root in self._access.roots if root != base.path and root.startswith(base.path)]:
            return [r for r in rows if not r["path"].startswith(tuple(inner))]
        return rows

    def _find(self, dn: DN) -> Any:
        return self._db.execute("SELECT id, dn, path FROM entry WHERE path = ?", (dn.path,)).fetchone()

    def _entries(self, rows: Sequence[Any]) -> Iterator[Entry]:
        """Those of the rows that are visible, with what of them is. Values are fetched for many entries at once."""
        self._access.refresh(alone=self._depth > 0)
        for start in range(0, len(rows), _CHUNK):
            chunk = [row for row in rows[start : start + _CHUNK] if row is not None]
            found: dict[int, dict[str, list[str]]] = {row["id"]: {} for row in chunk}
            marks = ",".join("?" * len(found))
            for entry, attribute, value in self._db.execute(
                f"SELECT entry, attribute, value FROM value WHERE entry IN ({marks}) ORDER BY entry, attribute, place",  # noqa: S608
                list(found),
            ):
                found[entry].setdefault(attribute, []).append(value)
            for row in chunk:
                dn, attributes = DN.known(row["dn"], row["path"]), found[row["id"]]
                classes = frozenset(c.lower() for c in attributes["objectclass"])
                if self._access.visible(dn, classes):
                    for name in CONFIDENTIAL & attributes.keys():
                        if not self._access.may(Right.READ_CONFIDENTIAL, dn, name, classes):
                            del attributes[name]
                    yield Entry(
                        dn=dn,
                        attributes={name: tuple(values) for name, values in attributes.items()},
                        uid=str(row["id"]),
                    )

    def follow(self, parts: Sequence[Part]) -> Feed:
        """See the port."""
        return EmbeddedFeed(self, parts)

    def changed_since(self, number: int, parts: Sequence[Part]) -> tuple[list[Entry], frozenset[str]]:
        """Visible entries of these parts that changed after a change number, and what is gone since."""
        rows = self._db.execute("SELECT id, dn, path FROM entry WHERE changed > ? ORDER BY path", (number,)).fetchall()
        bases = tuple(part.base.path for part in parts)
        visible = self._entries([row for row in rows if row["path"].startswith(bases)])
        entries = [entry for entry in visible if any(part.holds(entry) for part in parts)]
        gone = self._db.execute("SELECT id FROM gone WHERE number > ?", (number,))
        # What changed and is not to be seen is not there for this reader.
        hidden = {str(row["id"]) for row in rows} - {entry.uid for entry in entries}
        return entries, frozenset(str(row["id"]) for row in gone) | hidden

    def numbers(self) -> tuple[int, int, int]:
        """The numbers of the last change, of the last one of this identity's rights, and of the last restore."""
        self._access.refresh(alone=self._depth > 0)
        return self._state("change"), self._access.changes, self._state("restored")

    def change_number(self) -> int:
        """See the port."""
        return self._state("change")

    def _state(self, name: str) -> int:
        row = self._db.execute("SELECT number FROM state WHERE name = ?", (name,)).fetchone()
        return int(row["number"]) if row is not None else 0

    # Rights

    def may(self, right: Right, dn: DN, attribute: str = "", object_class: str = "") -> bool:
        """See the port."""
        self._access.refresh(alone=self._depth > 0)
        return self._access.may(
            right, dn, attribute.lower(), frozenset([object_class.lower()]) if object_class else None
        )

    def _seen(self, dn: DN) -> bool:
        self._access.refresh(alone=self._depth > 0)
        return self._access.visible(dn)

    def _demand(self, right: Right, dn: DN, attribute: str = "", object_class: str = "") -> None:
        if not self.may(right, dn, attribute, object_class):
            what = (right.name or "").lower().replace("_", " ")
            raise AccessDenied(self.account, f"{what} {attribute or object_class}".strip() + " on", dn)

    def aces(self, dn: DN) -> tuple[Ace, ...]:
        """See the port."""
        if not self._seen(dn):
            return ()
        rows = self._db.execute("SELECT a.* FROM ace a JOIN entry e ON e.id = a.entry WHERE e.path = ?", (dn.path,))
        return tuple(ace_of(row) for row in rows)

    def lacking(self, dn: DN, aces: Sequence[Ace]) -> tuple[Ace, ...]:
        """See the port."""
        present = set(self.aces(dn))
        return tuple(ace for ace in aces if ace not in present)

    def protected(self, dn: DN) -> bool:
        """See the port."""
        row = self._db.execute("SELECT protected FROM entry WHERE path = ?", (dn.path,)).fetchone()
        return row is not None and bool(row["protected"]) and self._seen(dn)

    def groups_of(self, dn: DN) -> frozenset[DN]:
        """See the port."""
        return self._access.groups_of(dn)

    def members(self, group: DN) -> frozenset[DN]:
        """See the port."""
        return self._access.members(group)

    def has_password(self, dn: DN) -> bool:
        """Whether an account has a password, so that it can bind."""
        row = self._db.execute(
            "SELECT 1 FROM credential c JOIN entry e ON e.id = c.entry WHERE e.path = ?", (dn.path,)
        ).fetchone()
        return row is not None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read within is of one moment."""
        if self._depth:
            yield
            return
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")


class EmbeddedFeed:
    """See :class:`tandem.directory.port.Feed`. Everything is read again when the reader's rights have changed, or the file.

    The file has, where it was restored, where another one is in its place, and where its number went back.
    """

    def __init__(self, session: EmbeddedReader, parts: Sequence[Part]) -> None:
        self._session = session
        self._parts = parts
        self._reached: tuple[int, ...] = ()

    def poll(self) -> Changes | None:
        """See the port."""
        if self._session.follow_file():
            self._reached = ()
        with self._session.snapshot():
            now = self._session.numbers()
            if now == self._reached:
                return None
            whole = now[1:] != self._reached[1:] or now[0] < self._reached[0]
            changes = self._whole() if whole else self._more(self._reached[0])
        self._reached = now
        return changes

    def _whole(self) -> Changes:
        entries, present = [], {}
        for part in self._parts:
            filter_ = f"(|{''.join(f'(objectClass={each})' for each in sorted(part.classes))})"
            found = self._session.search(part.base, filter_)
            present[part.base.path] = frozenset(entry.uid for entry in found)
            entries += found
        return Changes(entries=tuple(entries), present=present)

    def _more(self, since: int) -> Changes:
        entries, gone = self._session.changed_since(since, self._parts)
        return Changes(entries=tuple(entries), gone=gone)


def _equality(wanted: filters.Filter) -> filters.Equal | None:
    """An equality that everything that matches has to fulfil."""
    match wanted:
        case filters.Equal():
            return wanted
        case filters.Junction(every=True, filters=parts):
            found = [e for part in parts if (e := _equality(part)) is not None]
            return min(found, key=lambda e: _COMMON.get(e.attribute.lower(), 0), default=None)
        case _:
            return None
