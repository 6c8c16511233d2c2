"""Entries of any directory with all that they hold as text: what the setup of Exchange and Lync has made, and its groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tandem.directory.dn import DN
from tandem.directory.errors import BadName
from tandem.directory.ldap.descriptor import sid_text
from tandem.directory.port import Scope


@dataclass(frozen=True, slots=True)
class Thing:
    """An entry with all its text values, by attribute in lower case; ``objectsid`` as text, other binary values left out."""

    dn: DN
    values: Mapping[str, tuple[str, ...]]

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of an attribute."""
        return self.values.get(name.lower(), ())

    def first(self, name: str) -> str:
        """The first value, or an empty string."""
        return next(iter(self.all(name)), "")

    def number(self, name: str) -> int | None:
        """The first value as a number; ``None`` where there is none."""
        text = self.first(name)
        return int(text) if text.removeprefix("-").isdigit() else None

    def links(self, targets: Mapping[DN, str]) -> dict[str, str]:
        """The names of those of these entries that any of its values is the name of, with the attribute that says so."""
        found: dict[str, str] = {}
        for attribute, values in self.values.items():
            for text in values:
                if (dn := name_in(text)) is not None and dn in targets:
                    found.setdefault(targets[dn], attribute)
        return found


class Find(Protocol):
    """A search as one identity may make it: the entries at or below a base that match a filter (RFC 4515)."""

    def __call__(self, base: DN, filter_: str, scope: Scope = Scope.SUBTREE, /) -> Sequence[Thing]:
        """None where the base is not there, or not visible."""
        ...


def thing_of(name: str, values: Mapping[str, Sequence[bytes]]) -> Thing:
    """An entry as LDAP gives it. Raises :class:`BadName`."""
    texts: dict[str, tuple[str, ...]] = {}
    for key, held in values.items():
        lower = key.lower()
        if lower == "objectsid":
            texts[lower] = tuple(sid_text(value) for value in held)
        else:
            texts[lower] = tuple(text for value in held if (text := _text(value)) is not None)
    return Thing(DN.parse(name), texts)


def name_in(text: str) -> DN | None:
    """The distinguished name that a value is, if it is one."""
    if text[:3].upper() not in ("CN=", "OU="):
        return None
    try:
        return DN.parse(text)
    except BadName:
        return None


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
