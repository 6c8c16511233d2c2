"""What an organization consists of as a directory holds it: objects by forest, and what was seen and not understood."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.layout import ORGANIZATION_CLASS, Layout
from tandem.directory.mapping import OBJECT_CLASSES
from tandem.directory.port import Ace, Session
from tandem.directory.repository import Repository

T = TypeVar("T")
SERVICES = tuple(type_ for type_, kept in OBJECT_CLASSES.items() if not kept.person)


@dataclass(slots=True, kw_only=True)
class Found:
    """One organization in one or several forests.

    ``objects`` are those of each forest; ``groups`` the direct members of its groups that Tandem knows; ``rights`` those of
    the voice side on UM containers, by container. ``notes`` name everything that was seen and not understood, or guessed.
    """

    organization: str = ""
    objects: dict[str, list[Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    rights: dict[str, dict[str, tuple[Ace, ...]]] = field(default_factory=dict)
    trusts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def all(self, type_: type[T], forest: str = "") -> list[T]:
        """The objects of a type, of one forest or of all."""
        return [
            each
            for name, held in self.objects.items()
            if forest in ("", name)
            for each in held
            if isinstance(each, type_)
        ]


def read_own(session: Session, forests: Sequence[str], groups: Sequence[str]) -> Found:
    """What Tandem itself keeps in these forests."""
    found = Found()
    for forest in forests:
        organization = _organization(session, forest)
        found.organization = found.organization or organization
        repository = Repository(session, Layout(forest=forest, organization=organization or "-"))
        held: list[Any] = []
        for type_ in (*SERVICES, o.Contact):
            held += repository.all(type_)
        held += [user for user in repository.all(o.User) if user.managed_by or user.um_flags or user.sip_address]
        found.objects[forest] = held
        found.groups[forest] = _members(session, repository.layout, groups)
        outbound = [t.partner for t in repository.all(o.Trust) if t.direction & o.OUTBOUND and t.partner in forests]
        found.trusts[forest] = tuple(outbound)
    return found


def _organization(session: Session, forest: str) -> str:
    above = Layout(forest=forest, organization="-").microsoft_exchange
    entries = session.search(above, f"(objectClass={ORGANIZATION_CLASS})")
    return entries[0].dn.name if entries else ""


def _members(session: Session, layout: Layout, groups: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for name in groups:
        entry = session.get(layout.users.child("CN", name))
        people = []
        for text in entry.all("member") if entry else ():
            member = session.get(DN.parse(text))
            if member is not None and "user" in member.all("objectClass"):
                people.append(member.first("sAMAccountName") or member.dn.name)
        found[name] = tuple(people)
    return found
