"""What a directory can do: the port of the embedded one (:mod:`.sqlite`) and of Active Directory (:mod:`.ldap`)."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum, Flag, StrEnum, auto
from typing import Protocol

from tandem.directory.dn import DN


class Scope(Enum):
    """How far a search goes."""

    BASE = auto()
    ONE = auto()
    SUBTREE = auto()


class Right(Flag):
    """What an entry's owner of rights may do. An entry is seen with READ on it and LIST on the entry above."""

    LIST = auto()
    READ = auto()
    WRITE = auto()
    CREATE = auto()
    DELETE = auto()
    READ_CONFIDENTIAL = auto()
    WRITE_ACL = auto()


FULL_CONTROL = Right.LIST | Right.READ | Right.WRITE | Right.CREATE | Right.DELETE | Right.WRITE_ACL
"""Everything but confidential attributes, which are named one by one."""


class Inherit(StrEnum):
    """Which entries an access control entry is for."""

    THIS = "None"
    ALL = "All"
    DESCENDANTS = "Descendents"  # Active Directory's own spelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Ace:
    """An access control entry: allows ``rights`` to an account or group.

    ``object_class`` limits CREATE and DELETE to a class and the others to entries of it; ``attributes`` limits WRITE and
    READ_CONFIDENTIAL to those named.
    """

    principal: DN
    rights: Right
    inherit: Inherit = Inherit.ALL
    object_class: str = ""
    attributes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry as its reader may see it. Attribute names compare without case; ``uid`` stays when it is renamed."""

    dn: DN
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    uid: str = ""

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of an attribute."""
        return self.attributes.get(name.lower(), ())

    def first(self, name: str) -> str:
        """The first value, or an empty string."""
        values = self.all(name)
        return values[0] if values else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a directory that is followed: entries of some classes at and below a base.

    ``few``: there are so few that all are read again whenever one has changed.
    """

    base: DN
    classes: frozenset[str]
    few: bool = False

    def holds(self, entry: Entry) -> bool:
        """Whether an entry is of this part."""
        return entry.dn.below(self.base) and entry.all("objectClass")[-1].lower() in self.classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is new in the parts that are followed.

    ``gone`` are the identifiers of entries that are no longer there; ``present`` are those that are there at all of a part
    (the place of its base), where that was looked at: every other one is gone, or no longer to be seen.
    """

    entries: tuple[Entry, ...] = ()
    gone: frozenset[str] = frozenset()
    present: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Feed(Protocol):
    """Follows parts of a directory. One thread at a time."""

    def poll(self) -> Changes | None:
        """What is new since the last time, all of it the first time; ``None`` if nothing is.

        Raises :class:`tandem.directory.errors.DirectoryError`; the next poll then begins where the last good one ended.
        """
        ...


def difference(
    held: Sequence[str], known: Sequence[str], wanted: Sequence[str], *, links: bool = False
) -> tuple[list[str], list[str]]:
    """What goes and what comes where ``held`` is there now, and who saw ``known`` decided for ``wanted``.

    Values are told apart as they stand, since the case of an address's prefix makes it the primary one, and found in any
    case; distinguished names (``links``) however they are spelt.
    """
    exact, key = _COMPARED[links]
    stay = {exact(text) for text in wanted}
    unwanted = {key(text) for text in known if exact(text) not in stay}
    gone = [text for text in held if key(text) in unwanted and exact(text) not in stay]
    seen, kept = {exact(text) for text in known}, {key(text) for text in held if text not in gone}
    return gone, [text for text in wanted if exact(text) not in seen and key(text) not in kept]


_Key = Callable[[str], Hashable]
_COMPARED: dict[bool, tuple[_Key, _Key]] = {False: (str, str.lower), True: (DN.parse, DN.parse)}


class Session(Protocol):
    """The directory as one identity may use it."""

    account: str
    identity: DN

    def get(self, dn: DN) -> Entry | None:
        """The entry, or ``None`` if it is absent or not visible."""
        ...

    def search(self, base: DN, filter_: str = "(objectClass=*)", scope: Scope = Scope.SUBTREE) -> list[Entry]:
        """The visible entries that match, sorted by name. A base that is not visible gives none."""
        ...

    def may(self, right: Right, dn: DN, attribute: str = "", object_class: str = "") -> bool:
        """Whether this identity has a right on an entry (that may be still to come)."""
        ...

    def add(
        self,
        dn: DN,
        attributes: Mapping[str, Sequence[str]],
        *,
        aces: Sequence[Ace] = (),
        protected: bool = False,
    ) -> None:
        """Add an entry; a protected one inherits no rights from above."""
        ...

    def replace(
        self, dn: DN, attributes: Mapping[str, Sequence[str]], *, known: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Set attributes to these values; an empty sequence removes one.

        ``known`` says what attributes held when that was decided. Of one that holds several values without an order only the
        difference is then written: what somebody else has added or taken away meanwhile stays so.
        """
        ...

    def delete(self, dn: DN) -> None:
        """Delete an entry that has none below it."""
        ...

    def aces(self, dn: DN) -> tuple[Ace, ...]:
        """The access control entries on the entry itself; a directory may show one of ours as several."""
        ...

    def lacking(self, dn: DN, aces: Sequence[Ace]) -> tuple[Ace, ...]:
        """Those of these that are not on the entry itself, as far as this identity can see."""
        ...

    def protected(self, dn: DN) -> bool:
        """Whether an entry inherits no rights from above."""
        ...

    def grant(self, dn: DN, aces: Sequence[Ace]) -> None:
        """Add those that are not there."""
        ...

    def revoke(self, dn: DN, aces: Sequence[Ace]) -> None:
        """Take away those on the entry itself."""
        ...

    def groups_of(self, dn: DN) -> frozenset[DN]:
        """The groups of an account, nested ones too."""
        ...

    def members(self, group: DN) -> frozenset[DN]:
        """The accounts that are in a group, by nested groups too."""
        ...

    def set_password(self, dn: DN, password: str) -> None:
        """Set an account's password."""
        ...

    def has_password(self, dn: DN) -> bool:
        """Whether an account has a password, so that it can bind."""
        ...

    def follow(self, parts: Sequence[Part]) -> Feed:
        """Follow parts of the directory, as far as this identity sees them."""
        ...

    def change_number(self) -> int:
        """A number that rises with each change of any session."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing of what is changed within; may be nested."""
        ...

    def close(self) -> None:
        """Give back what the session holds."""
        ...


class Directory(Protocol):
    """A directory that accounts can bind to."""

    def bind(self, account: str, password: str | None) -> Session:
        """A session for an account; without a password by its Kerberos ticket, where the directory takes one.

        Raises :class:`tandem.directory.errors.InvalidCredentials`.
        """
        ...
