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
from tandem.org.vocabulary import ServerKind, ServerRole

T = TypeVar("T")
SERVICES = tuple(type_ for type_, kept in OBJECT_CLASSES.items() if not kept.person)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A field of an object that is there, and whose value the directory does not tell: it stands at some default.

    ``name`` is the object's; an empty one means every object of the type in the forest. ``why`` says what was seen instead.
    """

    forest: str
    type_: type
    name: str
    field: str
    why: str

    @property
    def text(self) -> str:
        """What is not readable, in a line."""
        return f"not readable: {self.what}: {self.why}"

    @property
    def what(self) -> str:
        """The field with its object."""
        return f"{_LABELS[self.type_]}{f' {self.name}' if self.name else 's'}: {self.field}"


_LABELS: dict[type, str] = {
    o.MessagingServer: "messaging server",
    o.VoicePool: "voice pool",
    o.UMDialPlan: "UM dial plan",
    o.UMMailboxPolicy: "UM mailbox policy",
    o.UMIPGateway: "UM IP gateway",
    o.UMHuntGroup: "UM hunt group",
    o.UMAutoAttendant: "UM auto attendant",
    o.User: "user",
    o.Contact: "contact",
    o.VoiceDialPlan: "voice dial plan",
}
"""What an object is called of which something may be unread."""


@dataclass(slots=True, kw_only=True)
class Found:
    """One organization in one or several forests.

    ``foreign``: it stands as Exchange's and Lync's own setup keeps it. ``organizations`` is the name of the messaging
    organization of each forest that has one; ``objects`` are those of each forest; ``groups`` the direct members of its
    groups that Tandem knows; ``rights`` those of the voice side on UM containers, by container. ``notes`` name everything
    that was seen and not understood, or told by something else; ``unread`` what could not be read.
    """

    foreign: bool = False
    organizations: dict[str, str] = field(default_factory=dict)
    objects: dict[str, list[Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    rights: dict[str, dict[str, tuple[Ace, ...]]] = field(default_factory=dict)
    trusts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    @property
    def organization(self) -> str:
        """The name of the first messaging organization; empty if there is none."""
        return next(iter(self.organizations.values()), "")

    def unread_of(self, type_: type, name: str = "", field: str = "") -> tuple[Unread, ...]:
        """What is unread of a type: of all its objects, or of one; all fields, or one."""
        return tuple(
            each
            for each in self.unread
            if each.type_ is type_ and (not name or each.name in ("", name)) and (not field or each.field == field)
        )

    def all(self, type_: type[T], forest: str = "") -> list[T]:
        """The objects of a type, of one forest or of all."""
        return [
            each
            for name, held in self.objects.items()
            if forest in ("", name)
            for each in held
            if isinstance(each, type_)
        ]


def runs_um(server: o.MessagingServer) -> bool:
    """Whether a messaging server answers UM's calls: by its role until 2010, by either of its roles from 2013 on.

    A server whose roles are unread does, as far as is known.
    """
    old = server.version.startswith(("Exchange 2007", "Exchange 2010"))
    of_um = {ServerRole.UM} if old else {ServerRole.MAILBOX, ServerRole.CLIENT_ACCESS}
    return server.kind is ServerKind.TANDEM or not server.roles or not of_um.isdisjoint(server.roles)


def read_own(session: Session, forests: Sequence[str], groups: Sequence[str]) -> Found:
    """What Tandem itself keeps in these forests."""
    found = Found()
    for forest in forests:
        organization = _organization(session, forest)
        if organization:
            found.organizations[forest] = organization
        repository = Repository(session, Layout(forest=forest, organization=organization or "-"))
        held: list[Any] = []
        for type_ in (*SERVICES, o.Contact):
            held += repository.all(type_)
        held += [user for user in repository.all(o.User) if user.managed_by or user.um_flags or user.sip_address]
        found.objects[forest] = held
        found.groups[forest] = members_of(session, repository.layout, groups)
        outbound = [t.partner for t in repository.all(o.Trust) if t.direction & o.OUTBOUND and t.partner in forests]
        found.trusts[forest] = tuple(outbound)
    return found


def joined(parts: Sequence[Found], forests: Sequence[str]) -> Found:
    """What several forests hold, as one organization; trusts are those among ``forests``."""
    whole = Found()
    for part in parts:
        whole.foreign |= part.foreign
        whole.organizations |= part.organizations
        whole.objects |= part.objects
        whole.groups |= part.groups
        whole.rights |= part.rights
        whole.trusts |= {name: tuple(each for each in held if each in forests) for name, held in part.trusts.items()}
        whole.notes += part.notes
        whole.unread += part.unread
    return whole


def _organization(session: Session, forest: str) -> str:
    above = Layout(forest=forest, organization="-").microsoft_exchange
    entries = session.search(above, f"(objectClass={ORGANIZATION_CLASS})")
    return entries[0].dn.name if entries else ""


def members_of(session: Session, layout: Layout, groups: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The accounts that are direct members of groups, by the group's name; of absent groups there are none."""
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
