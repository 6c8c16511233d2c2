"""Who may do what in the embedded directory: its access control entries, as they hold for one identity."""

import sqlite3
from collections.abc import Callable
from typing import Any

from tandem.directory import schema
from tandem.directory.dn import DN
from tandem.directory.layout import forest_of
from tandem.directory.objects import OUTBOUND
from tandem.directory.port import Ace, Inherit, Right

CONFIDENTIAL = {name for name, each in schema.ATTRIBUTES.items() if each.confidential}
_ANY: frozenset[str] = frozenset()


class Access:
    """The rights of one identity in an open file, read again when those in the file have changed.

    ``everything``: the identity is the file's owner, who may do everything.
    """

    def __init__(self, db: sqlite3.Connection, identity: DN, *, everything: bool) -> None:
        self._db = db
        self._identity = identity
        self._everything = everything
        self._number = -1
        self.changes = 0
        """Rises whenever this identity's own rights have become others; most changes of rights concern other identities."""
        self._aces: dict[str, list[Ace]] = {}
        self._protected: set[str] = set()
        self._own_rights: set[str] = set()
        self._closed: set[str] = set()
        self._memo: dict[tuple[Right, str, str, frozenset[str]], bool] = {}
        self.roots: tuple[str, ...] = ()

    def refresh(self, *, alone: bool) -> None:
        """Read what concerns this identity, if any of it has changed; ``alone``: nobody else can have written meanwhile."""
        if alone and self._number >= 0:
            return
        number = int(self._db.execute("SELECT number FROM state WHERE name = 'access'").fetchone()["number"])
        if number == self._number:
            return
        before = self._facts()
        groups = self.groups_of(self._identity)
        principals = {self._identity.path, *(g.path for g in groups)}
        self._aces, self._memo = {}, {}
        for row in self._db.execute("SELECT a.*, e.path FROM ace a JOIN entry e ON e.id = a.entry"):
            if (ace := ace_of(row)).principal.path in principals:
                self._aces.setdefault(row["path"], []).append(ace)
        self._protected = {r["path"] for r in self._db.execute("SELECT path FROM entry WHERE protected")}
        self._own_rights = self._protected | self._aces.keys()
        roots = [r["path"] for r in self._db.execute("SELECT path FROM entry WHERE parent IS NULL")]
        self.roots = tuple(sorted(roots, key=len, reverse=True))  # of two that fit, the longer is nearer
        self._closed = {root for root in roots if not self._everything and not self._trusted(root, groups)}
        self._number = number
        if self._facts() != before:
            self.changes += 1

    def _facts(self) -> tuple[object, ...]:
        """Everything that decides what this identity may do."""
        return self._aces, self._protected, self.roots, self._closed

    def forget(self) -> None:
        """What is known is out of date."""
        self._number = -1

    def may(self, right: Right, dn: DN, attribute: str, classes: frozenset[str] | None) -> bool:
        """Whether a right is there. ``classes`` of the entry, ``None`` where they have to be looked up.

        Entries without rights of their own are alike below one parent: the answer is remembered for them.
        """
        if self._everything:
            return True
        path = dn.path
        if self._root_of(path) in self._closed:
            return False
        known = classes if classes is not None else self.classes(dn)
        if path in self._own_rights:
            return self._granted(right, dn, attribute, known)
        key = (right, attribute, path[: path.rfind("\x1f", 0, -1)], known)
        if key not in self._memo:
            self._memo[key] = self._granted(right, dn, attribute, known)
        return self._memo[key]

    def visible(self, dn: DN, classes: frozenset[str] | None = None) -> bool:
        """Whether an entry may be read, and listed in the one above."""
        if not self.may(Right.READ, dn, "", classes):
            return False
        if self._everything or len(dn.rdns) < 2 or dn.path in self.roots:
            return True
        return self.may(Right.LIST, dn.parent, "", _ANY)

    def classes(self, dn: DN) -> frozenset[str]:
        """The classes of an entry, in lower case; none if it is not there."""
        rows = self._db.execute(
            "SELECT v.folded FROM value v JOIN entry e ON e.id = v.entry WHERE e.path = ? AND v.attribute = 'objectclass'",
            (dn.path,),
        )
        return frozenset(row["folded"] for row in rows)

    def groups_of(self, dn: DN) -> frozenset[DN]:
        """The groups of an account, nested ones too."""
        return self._closure(
            dn,
            "SELECT e.dn FROM value v JOIN entry e ON e.id = v.entry WHERE v.attribute = 'member' AND v.folded = ?",
            lambda each: str(each).lower(),
        )

    def members(self, group: DN) -> frozenset[DN]:
        """The accounts that are in a group, by nested groups too."""
        found = self._closure(
            group,
            "SELECT v.value AS dn FROM value v JOIN entry e ON e.id = v.entry WHERE v.attribute = 'member' AND e.path = ?",
            lambda each: each.path,
        )
        return frozenset(dn for dn in found if "group" not in self.classes(dn))

    def _granted(self, right: Right, dn: DN, attribute: str, classes: frozenset[str]) -> bool:
        at, own = dn, True
        while at.rdns:
            for ace in self._aces.get(at.path, ()):
                if (ace.inherit is Inherit.THIS and not own) or (ace.inherit is Inherit.DESCENDANTS and own):
                    continue
                if right in ace.rights and _fits(ace, right, attribute, classes):
                    return True
            if at.path in self._protected or at.path in self.roots:
                return False
            at, own = at.parent, False
        return False

    def _root_of(self, path: str) -> str:
        return next((root for root in self.roots if path.startswith(root)), "")

    def _trusted(self, root: str, groups: frozenset[DN]) -> bool:
        """Whether the forest of a root lets this identity in."""
        if self._root_of(self._identity.path) == root:
            return True
        if any(g.name == "Enterprise Admins" and g.path.startswith(root) for g in groups):
            return True
        row = self._db.execute(
            "SELECT v.value FROM entry e JOIN value v ON v.entry = e.id WHERE e.path = ? AND v.attribute = 'trustdirection'",
            (f"{root}cn=system\x1fcn={forest_of(self._identity)}\x1f",),
        ).fetchone()
        return row is not None and bool(int(row["value"]) & OUTBOUND)

    def _closure(self, start: DN, sql: str, key: Callable[[DN], str]) -> frozenset[DN]:
        seen: set[DN] = set()
        todo = [start]
        while todo:
            for row in self._db.execute(sql, (key(todo.pop()),)).fetchall():
                dn = DN.parse(row["dn"])
                if dn not in seen:
                    seen.add(dn)
                    todo.append(dn)
        return frozenset(seen)


def ace_of(row: Any) -> Ace:
    """An access control entry as the file holds it."""
    return Ace(
        principal=DN.parse(row["principal"]),
        rights=Right(row["rights"]),
        inherit=Inherit(row["inherit"]),
        object_class=row["object_class"],
        attributes=frozenset(row["attributes"].split()),
    )


def _fits(ace: Ace, right: Right, attribute: str, classes: frozenset[str]) -> bool:
    if right is Right.READ_CONFIDENTIAL and attribute not in ace.attributes:
        return False
    if ace.attributes and right in (Right.WRITE, Right.READ_CONFIDENTIAL):
        if attribute not in ace.attributes:
            return False
    elif right is Right.WRITE and attribute in CONFIDENTIAL:
        return False
    return not ace.object_class or ace.object_class.lower() in classes
