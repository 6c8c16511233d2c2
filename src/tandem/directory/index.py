"""A directory in memory: what a server reads of it, followed change by change.

A call asks the index and never the directory; when the directory is away, what was known stays. The index finds forests by
the trusts of its own one. Polling may take long and happens in a thread of its own; what came of it is taken over between
two calls.
"""

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.errors import BadEntry
from tandem.directory.layout import Layout, domain_of, forest_of
from tandem.directory.mapping import OBJECT_CLASSES
from tandem.directory.port import Changes, Feed, Part, Session
from tandem.directory.repository import Repository, read_object

_log = get_logger("directory")
T = TypeVar("T")
_TYPES = {kept.name.lower(): type_ for type_, kept in OBJECT_CLASSES.items()}
_PEOPLE = frozenset({"user", "contact"})
_SERVICES = frozenset(kept.name.lower() for kept in OBJECT_CLASSES.values() if not kept.person)
_CONFIDENTIAL = "tandemSipSecret"


class Table(Mapping[Any, Any]):
    """Objects by a key; of several that have the same one, that which came first."""

    def __init__(self, keys: Callable[[Any], Iterable[Hashable]]) -> None:
        self._keys = keys
        self._first: dict[Hashable, Any] = {}
        self._others: dict[Hashable, list[Any]] = {}

    def __getitem__(self, key: Hashable) -> Any:
        return self._first[key]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    def add(self, value: object) -> None:
        """Take an object in."""
        for key in self._keys(value):
            if self._first.setdefault(key, value) is not value:
                self._others.setdefault(key, []).append(value)

    def remove(self, value: object) -> None:
        """Take out an object that is in."""
        for key in self._keys(value):
            others = self._others.get(key, [])
            if self._first.get(key) is not value:
                others[:] = [each for each in others if each is not value]
            elif others:
                self._first[key] = others.pop(0)
            else:
                self._first.pop(key, None)
            if not others:
                self._others.pop(key, None)


@dataclass(slots=True)
class _IndexedObject:
    value: Any
    place: str
    class_: str


Connect = Callable[[], Session]


class Index:
    """Objects by type and by the keys of ``tables``, which are given with the type that they are for.

    With ``own_people`` users and contacts are those of the server's own forest alone.
    """

    def __init__(self, connect: Connect, tables: Iterable[tuple[type, Table]] = (), *, own_people: bool) -> None:
        self._connect = connect
        self._own_people = own_people
        self._session: Session | None = None
        self._feed: Feed | None = None
        self._tables: dict[type, list[Table]] = {}
        for type_, table in tables:
            self._tables.setdefault(type_, []).append(table)
        self._held: dict[str, _IndexedObject] = {}
        self._by_type: dict[type, dict[str, _IndexedObject]] = {}
        self._secrets: dict[str, str] = {}
        self._classes: dict[str, frozenset[str]] = {}

    # In a thread of its own

    def poll(self) -> Changes | None:
        """What is new, all of it the first time. Takes as long as the directory does; raises what it raises."""
        if self._feed is None:
            self._session = self._session or self._connect()
            followed = parts(self._session, own_people=self._own_people)
            self._classes = {part.base.path: part.classes for part in followed}
            self._feed = self._session.follow(followed)
        return self._feed.poll()

    def close(self) -> None:
        """Give back the session."""
        if self._session is not None:
            self._session.close()

    # Between two calls

    def take(self, changes: Changes) -> None:
        """Take over what a poll has found."""
        for uid in changes.gone:
            self._drop(uid)
        for base, present in changes.present.items():
            # The services of a forest are below its domain: their entries are of other classes.
            classes = self._classes[base]
            absent = [
                uid
                for uid, held in self._held.items()
                if held.place.startswith(base) and held.class_ in classes and uid not in present
            ]
            for uid in absent:
                self._drop(uid)
        for entry in changes.entries:
            class_ = entry.all("objectClass")[-1].lower()
            type_ = _TYPES[class_]
            self._drop(entry.uid)
            try:
                value: Any = read_object(type_, entry)
            except BadEntry as error:
                event(_log, logging.WARNING, "directory.bad_entry", error=error)
                continue
            if secret := entry.first(_CONFIDENTIAL):
                self._secrets[entry.dn.path] = secret
            self._put(entry.uid, type_, _IndexedObject(value, entry.dn.path, class_))

    def _put(self, uid: str, type_: type, held: _IndexedObject) -> None:
        self._held[uid] = held
        self._by_type.setdefault(type_, {})[uid] = held
        for table in self._tables.get(type_, ()):
            table.add(held.value)

    def _drop(self, uid: str) -> None:
        if held := self._held.pop(uid, None):
            del self._by_type[type(held.value)][uid]
            self._secrets.pop(held.place, None)
            for table in self._tables.get(type(held.value), ()):
                table.remove(held.value)

    # Reading

    def __len__(self) -> int:
        return len(self._held)

    def all(self, type_: type[T], forest: str = "") -> tuple[T, ...]:
        """Every object of a type that is seen, of one forest or of all."""
        found = self._by_type.get(type_, {}).values()
        within = domain_of(forest).path if forest else ""
        return tuple(held.value for held in found if held.place.startswith(within))

    def sip_secret(self, user: o.User) -> str:
        """A user's SIP secret, or an empty string; only voice servers see any."""
        return self._secrets.get(DN.parse(user.container).child("CN", user.cn or user.account).path, "")


def parts(session: Session, *, own_people: bool) -> tuple[Part, ...]:
    """What a server follows: people and services of its own forest, and of those that it has a trust with."""
    own = forest_of(session.identity)
    trusts = Repository(session, Layout(forest=own, organization="-")).all(o.Trust)
    found = []
    for forest in (own, *(trust.partner for trust in trusts)):
        if forest == own or not own_people:
            found.append(Part(base=domain_of(forest), classes=_PEOPLE))
        found.append(Part(base=Layout(forest=forest, organization="-").services, classes=_SERVICES, few=True))
    return tuple(found)
