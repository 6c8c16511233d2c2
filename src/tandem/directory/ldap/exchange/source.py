"""Where the readers of Exchange's and Lync's objects read from, and where they say what they could not read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tandem.directory.dn import DN
from tandem.directory.found import Found, Unread
from tandem.directory.layout import Layout, domain_of
from tandem.directory.ldap.descriptor import RawAce
from tandem.directory.ldap.things import Find, Thing


class ForeignForest(Protocol):
    """A forest that others have set up, as one identity sees it."""

    @property
    def name(self) -> str:
        """Its root domain."""
        ...

    @property
    def find(self) -> Find:
        """A search in it."""
        ...

    def records(self, dn: DN) -> tuple[RawAce, ...]:
        """The access control entries of an entry; none where they may not be read."""
        ...

    def principal(self, sid: str) -> DN | None:
        """The account or group of an identity, by the name that we have for it."""
        ...


_OF_EVERY_ENTRY = frozenset(
    (
        *("objectclass", "cn", "name", "distinguishedname", "objectguid", "objectcategory", "instancetype"),
        *("whencreated", "whenchanged", "usncreated", "usnchanged", "showinadvancedviewonly", "systemflags"),
        *("admindisplayname", "dscorepropagationdata", "msexchversion"),
    )
)


@dataclass(slots=True)
class ForestReport:
    """What is read of one forest, with what is said of it."""

    forest: ForeignForest
    found: Found = field(default_factory=Found)

    def note(self, text: str) -> None:
        """Say something that was seen, and not understood or told by something else."""
        self.found.notes.append(text)

    def unread(self, type_: type, name: str, what: str, why: str) -> None:
        """Say what could not be read: it stands at some default."""
        self.found.unread.append(Unread(forest=self.forest.name, type_=type_, name=name, field=what, why=why))

    def rest(self, what: str, thing: Thing, read: Mapping[str, str] | set[str]) -> None:
        """Name what was not read of an entry; ``read`` are attributes in lower case."""
        for name, values in sorted(thing.values.items()):
            if name not in _OF_EVERY_ENTRY and name not in read:
                self.note(f"{what} {thing.dn.name}: {name} = {', '.join(values)[:80]} not understood")

    def things(self, class_: str, *, people: bool = False) -> Iterator[Thing]:
        """The entries of a class: of people and trusts in the domain, of everything else in the configuration."""
        name = self.forest.name
        base = domain_of(name) if people else Layout(forest=name, organization="-").services
        yield from self.forest.find(base, f"(objectClass={class_})")
