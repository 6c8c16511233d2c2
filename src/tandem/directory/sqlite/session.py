"""The embedded directory: one SQLite file in WAL mode, opened by several processes of one machine at once.

Rights are enforced here, in the session: nothing above it can read or write more than its identity may. Every change
raises the change number in the same transaction, by which servers notice it. A transaction that dies leaves no trace.

One file may hold several forests, each with a root of its own. An account counts in another forest only if that forest
trusts its own (a trustedDomain object with the outbound bit), or if it is one of that forest's Enterprise Admins: so can
the initial administrator make the trust.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from tandem.core.clock import Clock, SystemClock
from tandem.directory import schema
from tandem.directory.dn import DN
from tandem.directory.errors import (
    AccessDenied,
    AlreadyExists,
    DirectoryError,
    DirectoryUnavailable,
    InvalidCredentials,
    NoSuchObject,
    SchemaViolation,
)
from tandem.directory.port import Ace, Right, difference
from tandem.directory.sqlite.reading import EmbeddedReader, LetIn
from tandem.directory.sqlite.store import open_store

_FAILURES_TO_LOCK = 10
_LOCK_S = 900.0
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's parameters for Argon2id
_NOBODY = _HASHER.hash("nobody")
"""What a password is compared with when the account does not exist: the work is the same."""


class EmbeddedDirectory:
    """Opens the file for each session."""

    def __init__(self, path: Path, clock: Clock | None = None, *, read_only: bool = False) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._read_only = read_only

    def bind(self, account: str, password: str | None) -> "EmbeddedSession":
        """See :class:`tandem.directory.port.Directory`. After 10 failures an account is locked for 15 minutes."""
        if password is None:
            raise InvalidCredentials(f"{account}: the embedded directory takes no Kerberos tickets; give a password")
        return EmbeddedSession(self._path, account, lambda db: self._let_in(db, account, password))

    def trusted(self) -> "EmbeddedSession":
        """A session that may do everything: for the owner of the file, who makes the first entries."""
        return EmbeddedSession(self._path, "(owner)", lambda _: None)

    def knows(self, account: str) -> bool:
        """Whether an account can bind: it is there, and has a password."""
        db = open_store(self._path)
        try:
            return _credential(db, account) is not None
        finally:
            db.close()

    def _let_in(self, db: sqlite3.Connection, account: str, password: str) -> DN:
        identity = self._authenticated(db, account, password)
        if self._read_only:
            db.execute("PRAGMA query_only = ON")
        return identity

    def _authenticated(self, db: sqlite3.Connection, account: str, password: str) -> DN:
        row = _credential(db, account)
        try:
            _HASHER.verify(row["hash"] if row else _NOBODY, password)
            right = row is not None
        except VerificationError:
            right = False
        now = self._clock.at().timestamp()
        # Others may have been guessing while this one was being hashed: the lock is looked at now.
        if row is None or self._locked(db, row["id"], now) or not right:
            if row is not None:
                db.execute(
                    "UPDATE credential SET failures = failures + 1, "
                    "locked_until = CASE WHEN (failures + 1) % ? = 0 THEN ? ELSE 0 END WHERE entry = ? AND locked_until <= ?",
                    (_FAILURES_TO_LOCK, now + _LOCK_S, row["id"], now),
                )
            raise InvalidCredentials(
                f"{account}: wrong account or password, or locked after {_FAILURES_TO_LOCK} failures (for 15 minutes)"
            )
        if row["failures"]:
            db.execute("UPDATE credential SET failures = 0, locked_until = 0 WHERE entry = ?", (row["id"],))
        return DN.parse(row["dn"])

    @staticmethod
    def _locked(db: sqlite3.Connection, entry: int, now: float) -> bool:
        """Whether an account is locked; for no longer than it ever is, though the machine's clock was put back since."""
        until = db.execute("SELECT locked_until FROM credential WHERE entry = ?", (entry,)).fetchone()["locked_until"]
        if until > now + _LOCK_S:
            db.execute("UPDATE credential SET locked_until = ? WHERE entry = ?", (now + _LOCK_S, entry))
        return bool(until > now)


def _credential(db: sqlite3.Connection, account: str) -> Any:
    return db.execute(
        "SELECT e.id, e.dn, c.hash, c.failures, c.locked_until FROM value v JOIN entry e ON e.id = v.entry "
        "JOIN credential c ON c.entry = e.id WHERE v.attribute = 'samaccountname' AND v.folded = ?",
        (account.lower(),),
    ).fetchone()


class EmbeddedSession(EmbeddedReader):
    """See :class:`tandem.directory.port.Session`."""

    def __init__(self, path: Path, account: str, let_in: LetIn) -> None:
        super().__init__(path, account, let_in)
        self._number = 0
        """The change number of the transaction."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See the port."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise DirectoryUnavailable(
                f"the directory is being written by another process for too long: {error}"
            ) from None
        self._depth = 1
        self._number = self._state("change") + 1
        try:
            yield
            self._db.execute("UPDATE state SET number = ? WHERE name = 'change'", (self._number,))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            self._access.forget()
            raise
        finally:
            self._depth = 0

    def add(
        self, dn: DN, attributes: Mapping[str, Sequence[str]], *, aces: Sequence[Ace] = (), protected: bool = False
    ) -> None:
        """See the port."""
        classes = [c.lower() for c in attributes.get("objectClass", ())]
        schema.check_entry(str(dn), classes, attributes)
        self._demand(Right.CREATE, dn.parent, object_class=classes[-1])
        with self.transaction():
            parent = None if classes[-1] == "domaindns" else self._find(dn.parent)
            if parent is None and not (self._owner and classes[-1] == "domaindns"):
                raise NoSuchObject(f"{dn.parent} is not there (or not visible), so nothing can be added below it")
            if parent is not None:
                schema.check_place(dn, classes[-1], self._access.classes(dn.parent))
            try:
                cursor = self._db.execute(
                    "INSERT INTO entry (path, dn, parent, protected, changed) VALUES (?, ?, ?, ?, ?)",
                    (dn.path, str(dn), parent["id"] if parent else None, protected, self._number),
                )
            except sqlite3.IntegrityError:
                raise AlreadyExists(f"{dn} is there already") from None
            assert cursor.lastrowid is not None
            # An entry has the attribute that names it, said or not.
            for name, values in {dn.rdns[0][0].lower(): (dn.name,), **_lowered(attributes)}.items():
                known = schema.attribute(name)
                if known.confidential:
                    self._demand(Right.WRITE, dn, attribute=known.name, object_class=classes[-1])
                self._store(cursor.lastrowid, name, tuple(values))
            if aces or protected:  # who may make an entry may not by that give rights on it
                self._demand(Right.WRITE_ACL, dn, object_class=classes[-1])
            self._insert_aces(cursor.lastrowid, aces)
            self._check_account_name(cursor.lastrowid, attributes)
            if aces or protected or {"member", "trustdirection"} & {n.lower() for n in attributes}:
                self._access_changed()

    def replace(
        self, dn: DN, attributes: Mapping[str, Sequence[str]], *, known: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """See the port."""
        entry, classes = self._id(dn)
        schema.check_entry(str(dn), sorted(classes - {"top"}), attributes, new=False)
        names = [name.lower() for name in attributes]
        for name in names:
            spelt = schema.attribute(name).name
            if not self._access.may(Right.WRITE, dn, name, classes):
                raise AccessDenied(self.account, f"write {spelt} on", dn)
        seen = _lowered(known or {})
        with self.transaction():
            attributes = {name: self._merged(entry, name, seen, values) for name, values in attributes.items()}
            marks = ",".join("?" * len(names))
            self._db.execute(f"DELETE FROM value WHERE entry = ? AND attribute IN ({marks})", [entry, *names])  # noqa: S608
            for name, values in attributes.items():
                if values:
                    self._store(entry, name, tuple(values))
            self._check_account_name(entry, attributes)
            self._touch(entry)
            if "member" in names or "trustdirection" in names:
                self._access_changed()

    def delete(self, dn: DN) -> None:
        """See the port."""
        entry, classes = self._id(dn)
        if not self._access.may(Right.DELETE, dn, "", classes):
            raise AccessDenied(self.account, "delete", dn)
        with self.transaction():
            if self._db.execute("SELECT 1 FROM entry WHERE parent = ?", (entry,)).fetchone():
                raise DirectoryError(f"{dn} has entries below it; delete those first")
            held = self._db.execute("SELECT 1 FROM ace WHERE entry = ?", (entry,)).fetchone()
            self._db.execute("DELETE FROM entry WHERE id = ?", (entry,))
            self._db.execute("INSERT OR REPLACE INTO gone VALUES (?, ?)", (entry, self._number))
            # An account that gets this name later is not a member of anything by it.
            left = self._db.execute("DELETE FROM value WHERE attribute = 'member' AND folded = ?", (str(dn).lower(),))
            if held or left.rowcount or classes & {"group", "trusteddomain"}:
                self._access_changed()

    def grant(self, dn: DN, aces: Sequence[Ace]) -> None:
        """See the port."""
        entry, _ = self._id(dn)
        self._demand(Right.WRITE_ACL, dn)
        with self.transaction():
            self._insert_aces(entry, aces)
            self._access_changed()

    def revoke(self, dn: DN, aces: Sequence[Ace]) -> None:
        """See the port."""
        entry, _ = self._id(dn)
        self._demand(Right.WRITE_ACL, dn)
        with self.transaction():
            self._db.executemany(
                "DELETE FROM ace WHERE entry = ? AND principal = ? AND rights = ? AND inherit = ? AND object_class = ? "
                "AND attributes = ?",
                [_row(entry, ace) for ace in aces],
            )
            self._access_changed()

    def set_password(self, dn: DN, password: str) -> None:
        """See the port. The right is WRITE on the account."""
        entry, classes = self._id(dn)
        self._demand(Right.WRITE, dn)
        if not classes & {"user", "computer"}:
            raise SchemaViolation(f"{dn} is no account: only users and computers have passwords")
        with self.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO credential (entry, hash) VALUES (?, ?)", (entry, _HASHER.hash(password))
            )

    def _merged(self, entry: int, name: str, seen: Mapping[str, Sequence[str]], wanted: Sequence[str]) -> Sequence[str]:
        """What an attribute is to hold, with what others have made of it since it was seen."""
        known = schema.attribute(name)
        if name.lower() not in seen or not known.multi or known.ordered:
            return wanted
        rows = self._db.execute(
            "SELECT value FROM value WHERE entry = ? AND attribute = ? ORDER BY place", (entry, name.lower())
        )
        held = [row["value"] for row in rows]
        gone, added = difference(held, seen[name.lower()], wanted, links=known.syntax == "dn")
        return [text for text in held if text not in gone] + added

    def _touch(self, entry: int) -> None:
        self._db.execute("UPDATE entry SET changed = ? WHERE id = ?", (self._number, entry))

    def _id(self, dn: DN) -> tuple[int, frozenset[str]]:
        """The row of a visible entry, and its classes."""
        self._access.refresh(alone=self._depth > 0)
        row = self._find(dn)
        classes = self._access.classes(dn) if row is not None else frozenset()
        if row is None or not self._access.visible(dn, classes):
            raise NoSuchObject(f"{dn} is not there, or not visible to {self.account}")
        return int(row["id"]), classes

    def _check_account_name(self, entry: int, attributes: Mapping[str, Sequence[str]]) -> None:
        for name in attributes.get("sAMAccountName", ()):
            row = self._db.execute(
                "SELECT 1 FROM value WHERE attribute = 'samaccountname' AND folded = ? AND entry <> ?",
                (name.lower(), entry),
            ).fetchone()
            if row is not None:
                raise AlreadyExists(f"there is an account {name} already")

    def _store(self, entry: int, name: str, values: tuple[str, ...]) -> None:
        schema.check_values(name, values)
        if name.lower() == "member":  # compared as names, however they were spelt
            values = tuple(str(DN.parse(value)) for value in values)
        self._db.executemany(
            "INSERT INTO value VALUES (?, ?, ?, ?, ?)",
            [(entry, name.lower(), place, value, value.lower()) for place, value in enumerate(values)],
        )

    def _insert_aces(self, entry: int, aces: Sequence[Ace]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO ace VALUES (?, ?, ?, ?, ?, ?)", [_row(entry, ace) for ace in aces])

    def _access_changed(self) -> None:
        self._db.execute("UPDATE state SET number = number + 1 WHERE name = 'access'")
        self._access.forget()


def _lowered(attributes: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    return {name.lower(): values for name, values in attributes.items()}


def _row(entry: int, ace: Ace) -> tuple[object, ...]:
    attributes = " ".join(sorted(name.lower() for name in ace.attributes))
    return entry, str(ace.principal), ace.rights.value, ace.inherit.value, ace.object_class, attributes
