"""Objects to entries and back, as the types and their fields say (:mod:`tandem.directory.mapping`).

The same mapping serves every adapter, so that the embedded directory cannot drift from a real one.
"""

import dataclasses
import json
import logging
import sys
import typing
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, TypeVar

from tandem.core.log import event, get_logger
from tandem.directory import counts
from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.errors import BadEntry, BadName, StillReferenced
from tandem.directory.filters import escape
from tandem.directory.layout import ORGANIZATION_CLASS, Layout, forest_of
from tandem.directory.mapping import OBJECT_CLASSES, stored_fields
from tandem.directory.port import Entry, Scope, Session
from tandem.org.vocabulary import PinState

_log = get_logger("directory")
T = TypeVar("T")


_ACCOUNTS = (o.User, o.Computer)
_BOOLEANS = {"TRUE": True, "FALSE": False}
_REFERRERS: dict[type, tuple[str, ...]] = {
    target: tuple(
        dict.fromkeys(
            field.kept.attribute
            for type_ in OBJECT_CLASSES
            for field in stored_fields(type_)
            if field.kept.reference is target
        )
    )
    for target in OBJECT_CLASSES
}
"""Attributes by which others refer to an object that cannot go before them."""

Cache = dict[tuple[type, tuple[DN, ...]], tuple[int, tuple[Any, ...]]]


class Repository:
    """Typed objects over a session.

    ``owner`` marks what is made here as managed by that organization. With a ``cache`` (which several repositories of one
    session may share) all objects of a type are read once for as long as the directory does not change.
    An entry that cannot be read is an error, since the process must know everything that it compares with; a server is
    ``lenient``: it goes on with the others.
    """

    def __init__(
        self,
        session: Session,
        layout: Layout,
        *,
        owner: str = "",
        cache: Cache | None = None,
        lenient: bool = False,
    ) -> None:
        self.session = session
        self._lenient = lenient
        self.layout = layout
        self.owner = owner
        self._cache = cache

    def dn_of(self, value: object) -> DN:
        """The name of an object's entry."""
        kind = OBJECT_CLASSES[type(value)]
        name = str((kind.own_name and getattr(value, kind.own_name)) or getattr(value, kind.naming))
        if kind.below == "container":
            return _parsed(str(getattr(value, "container"))).child("CN", name)  # noqa: B009 - not every type has it
        if kind.below:
            return kind.container(self.layout).child("CN", str(getattr(value, kind.below))).child("CN", name)
        return kind.container(self.layout).child("CN", name)

    def all(self, type_: type[T]) -> tuple[T, ...]:
        """Every object of a type that this session may see."""
        if self._cache is None:
            return self.find(type_, "(objectClass=*)")
        key, number = (type_, self._bases(type_)), self.session.change_number()
        if key not in self._cache or self._cache[key][0] != number:
            self._cache[key] = number, self.find(type_, "(objectClass=*)")
        return self._cache[key][1]

    def find(self, type_: type[T], filter_: str) -> tuple[T, ...]:
        """Those that match a filter."""
        both, found = f"(&(objectClass={OBJECT_CLASSES[type_].name}){filter_})", []
        for entry in (each for base in self._bases(type_) for each in self.session.search(base, both, Scope.SUBTREE)):
            try:
                found.append(read_object(type_, entry))
            except BadEntry as error:
                if not self._lenient:
                    raise
                pass_over(error)
        return tuple(found)

    def owned(self, type_: type[T]) -> tuple[T, ...]:
        """Those that bear this organization's mark."""
        return self.find(type_, f"({o.MANAGED_BY}={escape(self.owner)})")

    def _bases(self, type_: type) -> tuple[DN, ...]:
        kind = OBJECT_CLASSES[type_]
        return kind.bases(self.layout) if kind.bases else (kind.container(self.layout),)

    def get(self, type_: type[T], name: str) -> T | None:
        """The one of this name (for users, the account)."""
        attribute = "sAMAccountName" if OBJECT_CLASSES[type_].own_name else "cn"
        found = self.find(type_, f"({attribute}={escape(name)})")
        return found[0] if found else None

    def same(self, value: T) -> tuple[T, bool] | None:
        """The object of the same name, and whether it has our mark; ``None`` if there is none."""
        entry = self.session.get(self.dn_of(value))
        return (read_object(type(value), entry), entry.first(o.MANAGED_BY) == self.owner) if entry else None

    def add(self, value: object) -> None:
        """Make the entry of an object."""
        kind = OBJECT_CLASSES[type(value)]
        attributes: dict[str, Sequence[str]] = {"objectClass": ("top", kind.name), "cn": (self.dn_of(value).name,)}
        if isinstance(value, _ACCOUNTS):
            attributes["sAMAccountName"] = (str(getattr(value, kind.naming)),)
        if self.owner and not isinstance(value, o.User):  # a user's mark is one of its fields
            attributes[o.MANAGED_BY] = (self.owner,)
        attributes.update({name: values for name, values in self.attributes(value).items() if values})
        self.session.add(self.dn_of(value), attributes)
        self._changed()

    def adopt(self, value: object) -> None:
        """Mark what was there already as managed."""
        self.session.replace(self.dn_of(value), {o.MANAGED_BY: (self.owner,)})

    def update(self, before: object, after: object) -> None:
        """Write what differs; both have the same name. Values that others have added since ``before`` was read stay."""
        changed = [
            field
            for field in stored_fields(type(after))
            if not o.same(field.name, getattr(before, field.name), getattr(after, field.name))
        ]
        if changed:
            known, wanted = (
                {
                    field.kept.attribute: self._text(field.kept.reference, getattr(value, field.name))
                    for field in changed
                }
                for value in (before, after)
            )
            self.session.replace(self.dn_of(after), wanted, known=known)
            self._changed()

    def rename(self, user: o.User, was: str) -> None:
        """Give an account the name that ``user`` has, where it ``was`` another. The entry keeps its own name and all it holds.

        A user principal name that begins with the old name begins with the new one from now on.
        """
        dn = self.dn_of(user)
        entry = self.session.get(dn)
        login, _, domain = entry.first("userPrincipalName").partition("@") if entry else ("", "", "")
        renamed: dict[str, Sequence[str]] = {"sAMAccountName": (user.account,)}
        if login.lower() == was.lower():
            renamed["userPrincipalName"] = (f"{user.account}@{domain}",)
        self.session.replace(dn, renamed)
        self._changed()

    def remove(self, value: object) -> None:
        """Delete the entry. Raises :class:`StillReferenced` while others that this session can see refer to it."""
        dn = self.dn_of(value)
        if found := self.referrers(value):
            raise StillReferenced(dn.name, found)
        self.session.delete(dn)
        self._changed()

    def referrers(self, value: object) -> list[str]:
        """The names of what refers to an object, or is below it."""
        dn = self.dn_of(value)
        found = [entry.dn.name for entry in self.session.search(dn, scope=Scope.ONE)]
        for attribute in _REFERRERS.get(type(value), ()):
            for base in self.layout.domains:
                found += [e.dn.name for e in self.session.search(base, f"({attribute}={escape(str(dn))})")]
        return sorted(found)

    def sip_secret(self, user: o.User) -> str:
        """The SIP secret, or an empty string: to whom the directory shows it."""
        entry = self.session.get(self.dn_of(user))
        return entry.first("tandemSipSecret") if entry else ""

    def set_sip_secret(self, user: o.User, secret: str) -> None:
        """Keep a user's SIP secret (confidential)."""
        self.session.replace(self.dn_of(user), {"tandemSipSecret": (secret,) if secret else ()})

    def set_pin(self, user: o.User, state: PinState, *, checksum: str = "") -> None:
        """Write the state of a user's PIN, with a new ``checksum`` (confidential) or with the one that is kept."""
        written: dict[str, Sequence[str]] = {"msExchUMPinState": (state.value,)}
        if checksum:
            written["msExchUMPinChecksum"] = (checksum,)
        self.session.replace(self.dn_of(user), written)

    def has_pin(self, user: o.User) -> bool:
        """Whether a PIN was ever made: to whom the directory shows its hash."""
        entry = self.session.get(self.dn_of(user))
        return bool(entry and entry.first("msExchUMPinChecksum"))

    def _changed(self) -> None:
        if self._cache:
            self._cache.clear()

    def attributes(self, value: object) -> dict[str, tuple[str, ...]]:
        """The attributes of an object but its name and class, as text."""
        return {
            field.kept.attribute: self._text(field.kept.reference, getattr(value, field.name))
            for field in stored_fields(type(value))
        }

    def _text(self, reference: type | None, value: Any) -> tuple[str, ...]:
        match value:
            case "" | ():
                return ()
            case tuple():
                return tuple(text for each in value for text in self._text(reference, each))
            case bool():
                return (str(value).upper(),)
            case o.NormalizationRule():
                return (json.dumps(dataclasses.asdict(value)),)
            case _ if reference is not None:
                return (_reference(self.layout, reference, str(value)),)
            case _:
                return (str(value),)


def pass_over(error: BadEntry) -> None:
    """Name and count an entry that cannot be read, and costs itself only."""
    counts.bad_entries.value += 1
    event(_log, logging.WARNING, "directory.bad_entry", error=error)


def read_object(type_: type[T], entry: Entry) -> T:
    """The object that an entry holds. Raises :class:`BadEntry`."""
    kind = OBJECT_CLASSES[type_]
    values: dict[str, Any] = {kind.naming: entry.dn.name}
    if kind.own_name and (account := entry.first("sAMAccountName")):
        values = {kind.naming: account, kind.own_name: entry.dn.name if entry.dn.name != account else ""}
    if kind.below:
        # Many are in the same container: they share its name.
        values[kind.below] = sys.intern(str(entry.dn.parent) if kind.below == "container" else entry.dn.parent.name)
    for field, attribute, read, optional in _readers(type_):  # type: ignore[arg-type] # a type is hashable
        texts = entry.attributes.get(attribute, ())
        if not texts and optional:
            continue
        try:
            values[field] = read(texts)
        except (ValueError, TypeError, KeyError, BadName):
            raise BadEntry(entry.dn, attribute, " ".join(texts)) from None
    return type_(**values)


@lru_cache(maxsize=4096)
def _reference(layout: Layout, type_: Any, name: str) -> str:
    return str(OBJECT_CLASSES[type_].container(layout).child("CN", name))


Reader = Callable[[tuple[str, ...]], Any]


@cache
def _readers(type_: Any) -> tuple[tuple[str, str, Reader, bool], ...]:
    """For each field: its attribute in lower case, how its values are read, and whether it may be absent."""
    return tuple(
        (field.name, field.kept.attribute.lower(), _reader(field.hint, field.kept.reference), field.optional)
        for field in stored_fields(type_)
    )


def _reader(hint: Any, reference: type | None) -> Reader:
    if typing.get_origin(hint) is tuple:
        each = _value_reader(typing.get_args(hint)[0], reference)
        return (lambda texts: texts) if each is str else (lambda texts: tuple(map(each, texts)))
    each = _value_reader(hint, reference)
    if each is str:
        return lambda texts: texts[0] if texts else ""
    if reference:
        return lambda texts: each(texts[0]) if texts else ""
    return lambda texts: each(texts[0] if texts else "")


def _value_reader(hint: Any, reference: type | None) -> Callable[[str], Any]:
    if reference:
        return _name
    if hint is bool:
        return lambda text: _BOOLEANS[text.upper()]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return lambda text: hint(**json.loads(text))
    if issubclass(hint, StrEnum):
        return {word.value: word for word in hint}.__getitem__
    return typing.cast("Callable[[str], Any]", hint)  # text, or a number


@lru_cache(maxsize=4096)
def _parsed(dn: str) -> DN:
    return DN.parse(dn)


def _name(dn: str) -> str:
    return _parsed(dn).name


def discover(session: Session) -> tuple[Repository, ...]:
    """Repositories for a server that knows only its account: forests and organizations are read from the directory.

    The first is of the server's own forest. A UM server finds its voice forest, a voice server the messaging forests that
    let it in, by the trusts of its own forest. The voice side may not read a messaging organization, but what is below it
    once exchucutil has run. Before, the organization's name is ``-``, below which nothing is.
    """
    own = forest_of(session.identity)
    at = Layout(forest=own, organization="-")
    partners = [trust.partner for trust in Repository(session, at, lenient=True).all(o.Trust)]
    voice = next((name for name in (own, *partners) if session.get(Layout(forest=name, organization="-").pools)), own)
    return tuple(_discover(session, name, voice) for name in (own, *partners))


def _discover(session: Session, forest: str, voice: str) -> Repository:
    layout = Layout(forest=forest, organization="-", voice_forest=voice)
    for class_, above in ((ORGANIZATION_CLASS, 0), ("msExchUMDialPlan", 2)):
        if found := session.search(layout.microsoft_exchange, f"(objectClass={class_})"):
            organization = DN(found[0].dn.rdns[above:]).name
            layout = Layout(forest=forest, organization=organization, voice_forest=voice)
            break
    return Repository(session, layout, lenient=True)
