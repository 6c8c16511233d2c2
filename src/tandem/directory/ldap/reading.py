"""What a session with Active Directory reads: entries of its own forest and of those that let it in."""

import dataclasses
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import ldap

from tandem.core.log import event, get_logger
from tandem.directory import counts
from tandem.directory.address import Address
from tandem.directory.dn import DN
from tandem.directory.errors import (
    BadName,
    DirectoryUnavailable,
    InvalidCredentials,
    NoSuchObject,
)
from tandem.directory.filters import escape
from tandem.directory.layout import domain_of, forest_of
from tandem.directory.ldap.connection import Raw, search
from tandem.directory.ldap.feed import LdapFeed
from tandem.directory.ldap.forest import LdapForest
from tandem.directory.ldap.groups import GroupPlaces
from tandem.directory.ldap.refusal import refusal
from tandem.directory.ldap.things import Thing, thing_of
from tandem.directory.ldap.values import (
    ATTRIBUTES,
    entry_of,
    rendered,
)
from tandem.directory.port import Entry, Feed, Part, Scope

_log = get_logger("directory")
_SCOPES = {Scope.BASE: ldap.SCOPE_BASE, Scope.ONE: ldap.SCOPE_ONELEVEL, Scope.SUBTREE: ldap.SCOPE_SUBTREE}


class LdapReader:
    """The forests of an identity and what it sees there. See :class:`tandem.directory.ldap.session.LdapSession`."""

    def __init__(
        self,
        addresses: Mapping[str, Address],
        account: str,
        forest: str,
        password: str | None,
    ) -> None:
        self.account = account.removesuffix("$")
        self._login = account
        self.patience_s = 0.0
        self.identity = DN(())
        self._home = forest
        self._password = password
        self._addresses = addresses
        self._forests: dict[str, LdapForest] = {}
        self._places: dict[str, GroupPlaces] = {}
        self._lock = threading.RLock()

    def find_identity(self) -> None:
        """Find the account's own entry. Raises :class:`InvalidCredentials` if it cannot see itself."""
        home = self.forest(self._home)
        if "=" in self._login:
            home.pool.read(lambda c: c.whoami_s())
            self.identity = DN.parse(self._login)
            return
        name = escape(self._login)
        names = f"(|(sAMAccountName={name})(uid={name}))"
        found = self.raw(home, str(domain_of(self._home)), ldap.SCOPE_SUBTREE, names, ("objectClass",))
        if not found:
            raise InvalidCredentials(f"{self.account} is let into {self._home}, but cannot see its own entry there")
        self.identity = DN.parse(found[0][0])

    def close(self) -> None:
        """See the port."""
        for forest in self._forests.values():
            forest.pool.close()

    def forest(self, name: str) -> LdapForest:
        """A forest as this session reaches it."""
        with self._lock:
            if name not in self._forests:
                self._forests[name] = LdapForest(
                    self._addresses[name], self._login, self._home, self._password, self.patience_s
                )
            return self._forests[name]

    def _of(self, dn: DN) -> LdapForest:
        """The forest of a name. Raises :class:`NoSuchObject` for one that no address is known of."""
        name = forest_of(dn)
        # A forest's name may end in another one's: the longest is it.
        for known in sorted(self._addresses, key=len, reverse=True):
            if name == known or name.endswith("." + known):
                return self.forest(known)
        raise NoSuchObject(f"{dn} is in no forest whose directory is known; there are {', '.join(self._addresses)}")

    def get(self, dn: DN) -> Entry | None:
        """See the port."""
        forest = self.forest_at(dn)
        if forest is None:
            return None
        at = self.place(dn)
        found = self.raw(forest, str(at), ldap.SCOPE_BASE, "(objectClass=*)", ATTRIBUTES)
        return next((e if at is dn else dataclasses.replace(e, dn=dn) for e in self.entries(forest, found)), None)

    def search(self, base: DN, filter_: str = "(objectClass=*)", scope: Scope = Scope.SUBTREE) -> list[Entry]:
        """See the port. A search of a whole forest is one of its configuration, too."""
        forest = self.forest_at(base)
        if forest is None:
            return []
        text = rendered(filter_, active_directory=forest.active_directory)
        bases = [str(base)]
        if forest.active_directory and scope is Scope.SUBTREE and base == domain_of(forest.name):
            bases.append(str(base.child("CN", "Configuration")))
        found = [raw for each in bases for raw in self.raw(forest, each, _SCOPES[scope], text, ATTRIBUTES)]
        return sorted(self.entries(forest, found), key=lambda entry: entry.dn.path)

    def things(self, forest: str, base: DN, filter_: str, scope: Scope = Scope.SUBTREE) -> list[Thing]:
        """Entries of a forest with everything that they hold, under the names that they have there."""
        at, found = self.forest(forest), []
        for name, values in self.raw(at, str(base), _SCOPES[scope], filter_, ("*",)):
            try:
                found.append(thing_of(name, at.whole(name, values)))
            except BadName as error:  # it costs itself and no other
                counts.bad_entries.value += 1
                event(_log, logging.WARNING, "directory.bad_entry", entry=name, error=error)
        return found

    def place(self, dn: DN) -> DN:
        """Where an entry is: a group may be elsewhere than we name it (:mod:`tandem.directory.ldap.groups`)."""
        forest = self.forest_at(dn)
        return dn if forest is None or not forest.active_directory else self._places_in(forest).real(dn)

    def _named(self, dn: DN) -> DN:
        """The other way: the name that we have for an entry that is there."""
        forest = self.forest_at(dn)
        return dn if forest is None or not forest.active_directory else self._places_in(forest).ours(dn)

    def _places_in(self, forest: LdapForest) -> GroupPlaces:
        if forest.name not in self._places:
            self._places[forest.name] = GroupPlaces(forest.name, partial(self.things, forest.name))
        return self._places[forest.name]

    def raw(self, forest: LdapForest, base: str, scope: int, filter_: str, attributes: Sequence[str]) -> list[Raw]:
        """Entries as they come; none where the base is not there, or not visible."""
        try:
            return forest.pool.read(lambda c: search(c, base, scope, filter_, attributes))
        except (ldap.NO_SUCH_OBJECT, ldap.INSUFFICIENT_ACCESS):
            return []
        except ldap.LDAPError as error:
            raise refusal(error, self.account, "read", base) from None

    def entries(self, forest: LdapForest, found: Sequence[Raw]) -> Iterator[Entry]:
        """Entries of which more is visible than that they are there."""
        for name, values in found:
            values = forest.whole(name, values)
            try:
                entry = entry_of(name, values, self._person)
            except (BadName, ValueError) as error:  # it costs itself and no other
                counts.bad_entries.value += 1
                event(_log, logging.WARNING, "directory.bad_entry", entry=name, error=error)
                continue
            if entry is not None:
                yield entry

    def follow(self, parts: Sequence[Part]) -> Feed:
        """See the port."""
        return LdapFeed(self, parts)

    def forest_at(self, dn: DN) -> LdapForest | None:
        """The forest of a name, if its directory is known."""
        try:
            return self._of(dn)
        except NoSuchObject:
            return None

    def is_home(self, dn: DN) -> bool:
        """Whether a name is in the identity's own forest."""
        return dn.below(domain_of(self._home))

    def bind_again(self) -> None:
        """Take the groups into account that the identity came into since it bound."""
        for forest in tuple(self._forests.values()):
            forest.pool.close()

    def change_number(self) -> int:
        """See the port. It rises by much when another domain controller answers, whose numbers are others."""
        total = 0
        for forest in tuple(self._forests.values()):
            total += forest.committed() + (forest.pool.generation << 48)
        return total

    def _sid(self, dn: DN) -> str:
        return self._of(dn).sid(self.place(dn))

    def principal(self, sid: str) -> DN | None:
        """The entry of an identity, in whichever forest it is."""
        for name in self._addresses:
            if (dn := self.forest(name).principal(sid)) is not None:
                return self._named(dn)
        return None

    def _person(self, value: str) -> str:
        """A foreign member of a group by its own name; every other name as it is."""
        if ",CN=ForeignSecurityPrincipals," not in value or not value.upper().startswith("CN=S-1-"):
            return value
        dn = DN.parse(value)
        try:
            own = self.principal(dn.name)
        except DirectoryUnavailable:
            own = None
        return str(own) if own is not None else value

    def _members_by_steps(self, group: DN) -> frozenset[DN]:
        seen: set[DN] = set()
        people: set[DN] = set()
        todo = [group]
        while todo:
            entry = self.get(todo.pop())
            for dn in (DN.parse(text) for text in entry.all("member")) if entry else ():
                if dn not in seen:
                    seen.add(dn)
                    held = self.get(dn)
                    if held is not None and "group" in held.all("objectClass"):
                        todo.append(dn)
                    else:
                        people.add(dn)
        return frozenset(people)


def one(values: Mapping[str, Sequence[bytes]], name: str) -> bytes:
    """The first value of an attribute, or none."""
    return next(iter(values.get(name, ())), b"")
