"""What a session reads of the embedded directory: no more than its identity may see; and how a server follows it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tandem.directory import filters
from tandem.directory.dn import DN
from tandem.directory.errors import (
    AccessDenied,
)
from tandem.directory.port import Ace, Changes, Entry, Feed, Part, Right, Scope
from tandem.directory.sqlite.access import CONFIDENTIAL, Access, ace_of

_CHUNK = 400
"""Entries whose values are read at once."""
_COMMON = {"objectclass": 1, "tandemmanagedby": 2}
"""What many entries have alike narrows a search least."""


class EmbeddedReader:
    """What a session reads, and which rights its identity has. See :class:`EmbeddedSession`."""

    def __init__(self, db: sqlite3.Connection, account: str, identity: DN | None) -> None:
        self._db = db
        self.account = account
        self._owner = identity is None
        self.identity = identity or DN(())
        self._access = Access(db, self.identity, everything=self._owner)
        self._depth = 0

    def close(self) -> None:
        """See the port."""
        self._db.close()

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

    def numbers(self) -> tuple[int, int]:
        """The number of the last change, and of the last one that concerned rights."""
        return self._state("change"), self._state("access")

    def change_number(self) -> int:
        """See the port."""
        return self._state("change")

    def _state(self, name: str) -> int:
        row = self._db.execute("SELECT number FROM state WHERE name = ?", (name,)).fetchone()
        return int(row["number"])

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
    """See :class:`tandem.directory.port.Feed`. A change of rights, or of memberships, has everything read again."""

    def __init__(self, session: EmbeddedReader, parts: Sequence[Part]) -> None:
        self._session = session
        self._parts = parts
        self._change, self._access = -1, -1

    def poll(self) -> Changes | None:
        """See the port."""
        with self._session.snapshot():
            change, access = self._session.numbers()
            if (change, access) == (self._change, self._access):
                return None
            changes = self._whole() if access != self._access else self._more()
        self._change, self._access = change, access
        return changes

    def _whole(self) -> Changes:
        entries, present = [], {}
        for part in self._parts:
            filter_ = f"(|{''.join(f'(objectClass={each})' for each in sorted(part.classes))})"
            found = self._session.search(part.base, filter_)
            present[part.base.path] = frozenset(entry.uid for entry in found)
            entries += found
        return Changes(entries=tuple(entries), present=present)

    def _more(self) -> Changes:
        entries, gone = self._session.changed_since(self._change, self._parts)
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
