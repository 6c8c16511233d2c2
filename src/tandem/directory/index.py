"""A directory in memory: what a server reads of it, followed change by change.

A call asks the index and never the directory; when the directory is away, what was known stays. The index finds forests by
the trusts of its own one. Polling may take long and happens in a thread of its own, where the objects of the next state are
made beside those in force; between two calls the one takes the place of the other, however many objects have changed.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.errors import BadEntry
from tandem.directory.layout import Layout, domain_of, forest_of
from tandem.directory.mapping import OBJECT_CLASSES
from tandem.directory.port import Changes, Entry, Feed, Part, Session
from tandem.directory.repository import Repository, pass_over, read_object

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
        self._others: dict[Hashable, tuple[Any, ...]] = {}

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
                self._others[key] = (*self._others.get(key, ()), value)

    def remove(self, value: object) -> None:
        """Take out an object that is in."""
        for key in self._keys(value):
            others = self._others.pop(key, ())
            if self._first.get(key) is not value:
                others = tuple(each for each in others if each is not value)
            elif others:
                self._first[key], *rest = others
                others = tuple(rest)
            else:
                del self._first[key]
            if others:
                self._others[key] = others

    def copy(self) -> "Table":
        """A table of its own with the same objects."""
        made = Table(self._keys)
        made._first, made._others = self._first.copy(), self._others.copy()
        return made

    def show(self, other: "Table") -> None:
        """Be as another table is, which nobody changes any more."""
        self._first, self._others = other._first, other._others


@dataclass(frozen=True, slots=True)
class _IndexedObject:
    value: Any
    place: str
    class_: str
    secret: str


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """Everything that is known at one moment. It is not changed any more once it was handed out."""

    tables: dict[type, list[Table]]
    held: dict[str, _IndexedObject] = field(default_factory=dict)
    by_type: dict[type, dict[str, _IndexedObject]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    """What is wrong with entries that could not be read."""

    def copy(self) -> "Snapshot":
        """One of its own with the same objects. A table may be of several types."""
        copies = {id(table): table.copy() for tables in self.tables.values() for table in tables}
        return Snapshot(
            tables={type_: [copies[id(table)] for table in tables] for type_, tables in self.tables.items()},
            held=self.held.copy(),
            by_type={type_: held.copy() for type_, held in self.by_type.items()},
            secrets=self.secrets.copy(),
            unread=self.unread.copy(),
        )

    def put(self, uid: str, held: _IndexedObject) -> None:
        """Take an object in, in place of the one that was there."""
        self.drop(uid)
        self.held[uid] = held
        self.by_type.setdefault(type(held.value), {})[uid] = held
        if held.secret:
            self.secrets[held.place] = held.secret
        for table in self.tables.get(type(held.value), ()):
            table.add(held.value)

    def drop(self, uid: str) -> None:
        """Take an object out, if it is in."""
        self.unread.pop(uid, None)
        if held := self.held.pop(uid, None):
            del self.by_type[type(held.value)][uid]
            if self.secrets.get(held.place) == held.secret:  # its place may be another one's by now
                del self.secrets[held.place]
            for table in self.tables.get(type(held.value), ()):
                table.remove(held.value)


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
        self._classes: dict[str, frozenset[str]] = {}
        self._tables: dict[type, list[Table]] = {}
        for type_, table in tables:
            self._tables.setdefault(type_, []).append(table)
        self._found, self._shown = (Snapshot(tables=self._tables).copy() for _ in range(2))

    # In a thread of its own

    def poll(self) -> Snapshot | None:
        """Everything as it is now, if that is not in force yet. Takes as long as the directory does; raises what it raises."""
        if self._feed is None:
            self._session = self._session or self._connect()
            followed = parts(self._session, own_people=self._own_people)
            self._classes = {part.base.path: part.classes for part in followed}
            self._feed = self._session.follow(followed)
        if (changes := self._feed.poll()) is not None:
            try:
                self._found = self._with(changes)
            except BaseException:
                self._feed = None  # it will not tell of them again: begin from the start
                raise
        return self._found if self._found is not self._shown else None

    def close(self) -> None:
        """Give back the session."""
        if self._session is not None:
            self._session.close()

    def _with(self, changes: Changes) -> Snapshot:
        """What is known with what a feed tells: the same snapshot, where that makes no difference."""
        before, made = self._found, self._found.copy()
        for uid in (*changes.gone, *self._absent(changes)):
            made.drop(uid)
        for entry in changes.entries:
            self._take_in(made, entry)
        return before if made.held == before.held and made.unread == before.unread else made

    def _absent(self, changes: Changes) -> Iterator[str]:
        for base, present in changes.present.items():
            # The services of a forest are below its domain: their entries are of other classes.
            classes = self._classes[base]
            for uid, held in self._found.held.items():
                if uid not in present and held.class_ in classes and held.place.startswith(base):
                    yield uid

    @staticmethod
    def _take_in(made: Snapshot, entry: Entry) -> None:
        """An entry that cannot be read costs itself and no other: it is named and counted, and out of force."""
        class_ = entry.all("objectClass")[-1].lower()
        try:
            type_ = _TYPES.get(class_)
            if type_ is None:
                raise BadEntry(entry.dn, "objectClass", class_)
            value: Any = read_object(type_, entry)
        except BadEntry as error:
            known = made.unread.get(entry.uid) == str(error)
            made.drop(entry.uid)
            made.unread[entry.uid] = str(error)
            if not known:
                pass_over(error)
            return
        held = _IndexedObject(value, entry.dn.path, class_, entry.first(_CONFIDENTIAL))
        if made.held.get(entry.uid) != held:
            made.put(entry.uid, held)

    # Between two calls

    def take(self, found: Snapshot) -> None:
        """Put into force what a poll has found."""
        self._shown = found
        for type_, tables in self._tables.items():
            for shown, made in zip(tables, found.tables[type_], strict=True):
                shown.show(made)

    # Reading

    def __len__(self) -> int:
        return len(self._shown.held)

    def all(self, type_: type[T], forest: str = "") -> tuple[T, ...]:
        """Every object of a type that is seen, of one forest or of all."""
        found = self._shown.by_type.get(type_, {}).values()
        within = domain_of(forest).path if forest else ""
        return tuple(held.value for held in found if held.place.startswith(within))

    def by_id(self, type_: type[T]) -> dict[str, T]:
        """Every object of a type by its entry's id, which stays whatever the entry is renamed to. Also from a thread."""
        return {uid: held.value for uid, held in self._shown.by_type.get(type_, {}).items()}

    def sip_secret(self, user: o.User) -> str:
        """A user's SIP secret, or an empty string; only voice servers see any."""
        return self._shown.secrets.get(DN.parse(user.container).child("CN", user.entry_name).path, "")


def parts(session: Session, *, own_people: bool) -> tuple[Part, ...]:
    """What a server follows: people and services of its own forest, and of those that it has a trust with."""
    own = forest_of(session.identity)
    trusts = Repository(session, Layout(forest=own, organization="-"), lenient=True).all(o.Trust)
    found = []
    for forest in (own, *(trust.partner for trust in trusts)):
        if forest == own or not own_people:
            found.append(Part(base=domain_of(forest), classes=_PEOPLE))
        found.append(Part(base=Layout(forest=forest, organization="-").services, classes=_SERVICES, few=True))
    return tuple(found)
