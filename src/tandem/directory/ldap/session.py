"""A session with Active Directory: one identity, in its own forest and in those that let it in.

Rights are Active Directory's own; what it refuses comes back as our errors. There are no transactions over LDAP: what a
failed one has written is taken back, and what a crash leaves is completed by the next apply, since tasks only do what is
still to be done.

Left out: child domains (continuations to them are not followed), and change by notification (changes are polled).
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import ldap

from tandem.core.log import event, get_logger
from tandem.directory import schema
from tandem.directory.address import Address
from tandem.directory.dn import DN
from tandem.directory.errors import (
    DirectoryError,
    DirectoryUnavailable,
    InvalidCredentials,
    NoSuchObject,
    SchemaViolation,
)
from tandem.directory.filters import escape
from tandem.directory.layout import domain_of, forest_of
from tandem.directory.ldap.connection import Raw, search
from tandem.directory.ldap.descriptor import Descriptor, parse_descriptor
from tandem.directory.ldap.feed import LdapFeed
from tandem.directory.ldap.forest import LdapForest, sd_flags
from tandem.directory.ldap.refusal import refusal
from tandem.directory.ldap.rights import decode, encode, existence
from tandem.directory.ldap.values import (
    ATTRIBUTES,
    changes_of,
    entry_of,
    new_attributes,
    password_value,
    rendered,
)
from tandem.directory.port import Ace, Entry, Feed, Part, Right, Scope

_log = get_logger("directory")
_SCOPES = {Scope.BASE: ldap.SCOPE_BASE, Scope.ONE: ldap.SCOPE_ONELEVEL, Scope.SUBTREE: ldap.SCOPE_SUBTREE}
_IN_CHAIN = "1.2.840.113556.1.4.1941"
_OWN_DESCRIPTOR = {"user", "computer", "group", "contact", "organizationalunit"}
"""Classes whose default rights Active Directory knows best; every other entry has those that it inherits."""
_NORMAL_ACCOUNT, _WORKSTATION_ACCOUNT, _DISABLED, _NO_EXPIRY = 0x200, 0x1000, 0x2, 0x10000


class LdapDirectory:
    """Forests by their addresses. An account is of the first, or of the one that it names: ``maria@example.com``.

    ``patience_s``: how long a request waits for a domain controller that answers.
    """

    def __init__(self, addresses: Sequence[Address], *, read_only: bool = False, patience_s: float = 0.0) -> None:
        self._read_only = read_only
        self._patience_s = patience_s
        self._addresses = {address.forest.lower(): address for address in addresses}

    def bind(self, account: str, password: str | None) -> "LdapSession":
        """See :class:`tandem.directory.port.Directory`; without a password the Kerberos ticket at hand is used."""
        name, _, forest = account.rpartition("@") if "@" in account else (account, "", next(iter(self._addresses)))
        if forest.lower() not in self._addresses:
            raise InvalidCredentials(f"{account}: the forest {forest} is none of {', '.join(self._addresses)}")
        session = LdapSession(self._addresses, name, forest.lower(), password, read_only=self._read_only)
        session.patience_s = self._patience_s
        try:
            session.find_identity()
        except BaseException:
            session.close()
            raise
        return session


class LdapSession:
    """See :class:`tandem.directory.port.Session`. May be used by several threads."""

    def __init__(
        self,
        addresses: Mapping[str, Address],
        account: str,
        forest: str,
        password: str | None,
        *,
        read_only: bool = False,
    ) -> None:
        self.account = account.removesuffix("$")
        self._login = account
        self._read_only = read_only
        self.patience_s = 0.0
        self.identity = DN(())
        self._home = forest
        self._password = password
        self._addresses = addresses
        self._forests: dict[str, LdapForest] = {}
        self._undo: list[Callable[[], None]] = []
        self._depth = 0
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

    # Where

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

    # Reading

    def get(self, dn: DN) -> Entry | None:
        """See the port."""
        forest = self.forest_at(dn)
        if forest is None:
            return None
        found = self.raw(forest, str(dn), ldap.SCOPE_BASE, "(objectClass=*)", ATTRIBUTES)
        return next((e for e in self.entries(forest, found)), None)

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
            entry = entry_of(name, values, self._person)
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

    # Rights

    def may(self, right: Right, dn: DN, attribute: str = "", object_class: str = "") -> bool:
        """See the port, by what the domain controller says of the entry, or of the nearest one above that it shows.

        DELETE is answered as CREATE of the class below the entry above, LIST as READ.
        """
        if right is Right.DELETE:
            entry = self.get(dn)
            classes = entry.all("objectClass") if entry else ()
            return bool(classes) and self.may(Right.CREATE, dn.parent, object_class=classes[-1])
        forest = self.forest_at(dn)
        if forest is None:
            return False
        wanted = (
            "objectClass",
            "name",
            "allowedAttributesEffective",
            "allowedChildClassesEffective",
            "sDRightsEffective",
        )
        at = dn
        while at.below(domain_of(forest.name)):
            found = self.raw(forest, str(at), ldap.SCOPE_BASE, "(objectClass=*)", wanted)
            if found:
                return _allowed(found[0][1], right, attribute, object_class, seen=at == dn)
            at = at.parent
        return False

    def aces(self, dn: DN) -> tuple[Ace, ...]:
        """See the port. Active Directory names one attribute in an entry: ours come back split."""
        descriptor = self._descriptor(dn)
        if descriptor is None:
            return ()
        forest = self._of(dn)
        found = (decode(record, self._principal, forest.guids()) for record in descriptor.records)
        return tuple(ace for ace in found if ace is not None)

    def lacking(self, dn: DN, aces: Sequence[Ace]) -> tuple[Ace, ...]:
        """See the port."""
        descriptor = self._descriptor(dn)
        if descriptor is None:
            return tuple(aces)
        return tuple(ace for ace in aces if not self._stands(descriptor, dn, ace))

    def _stands(self, descriptor: Descriptor, dn: DN, ace: Ace) -> bool:
        try:
            sid = self._sid(ace.principal)
        except NoSuchObject:
            return False
        return all(descriptor.holds(record) for record in encode(ace, sid, self._of(dn).guids()))

    def protected(self, dn: DN) -> bool:
        """See the port."""
        descriptor = self._descriptor(dn)
        return descriptor is not None and descriptor.protected

    def grant(self, dn: DN, aces: Sequence[Ace]) -> None:
        """See the port. Raises :class:`NoSuchObject` for a principal that is not there."""
        self._change_rights(dn, aces, "grant rights on", Descriptor.plus)

    def revoke(self, dn: DN, aces: Sequence[Ace]) -> None:
        """See the port."""
        self._change_rights(dn, aces, "revoke rights on", Descriptor.minus)

    def _change_rights(self, dn: DN, aces: Sequence[Ace], what: str, change: Callable[..., Descriptor]) -> None:
        before = self._descriptor(dn)
        if before is None:
            raise NoSuchObject(f"{dn} is not there, or its rights are not readable by {self.account}")
        forest = self._of(dn)
        records = tuple(r for ace in aces for r in encode(ace, self._sid(ace.principal), forest.guids()))
        after = change(before, records)
        if after != before:
            self._write_descriptor(dn, after, what)
            self._remember(lambda: self._write_descriptor(dn, before, what))

    def _write_descriptor(self, dn: DN, descriptor: Descriptor, what: str) -> None:
        bare = Descriptor(records=descriptor.records, protected=descriptor.protected, control=descriptor.control)
        changes = [(ldap.MOD_REPLACE, "nTSecurityDescriptor", [bare.pack()])]
        self._write(dn, what, lambda c: c.modify_ext_s(str(dn), changes, serverctrls=[sd_flags()]))

    def _descriptor(self, dn: DN) -> Descriptor | None:
        forest = self.forest_at(dn)
        if forest is None:
            return None
        forest.demand_rights()
        values = forest.descriptor(dn)
        return parse_descriptor(values) if values else None

    # Identities

    def _sid(self, dn: DN) -> str:
        return self._of(dn).sid(dn)

    def _principal(self, sid: str) -> DN | None:
        """The entry of an identity, in whichever forest it is."""
        for name in self._addresses:
            if (dn := self.forest(name).principal(sid)) is not None:
                return dn
        return None

    def _person(self, value: str) -> str:
        """A foreign member of a group by its own name; every other name as it is."""
        if ",CN=ForeignSecurityPrincipals," not in value or not value.upper().startswith("CN=S-1-"):
            return value
        dn = DN.parse(value)
        try:
            own = self._principal(dn.name)
        except DirectoryUnavailable:
            own = None
        return str(own) if own is not None else value

    def groups_of(self, dn: DN) -> frozenset[DN]:
        """See the port; by the matching rule in chain, in every forest that is known."""
        found: set[DN] = set()
        for name in self._addresses:
            try:
                found |= self._groups_in(self.forest(name), dn)
            except (DirectoryUnavailable, InvalidCredentials) as error:
                if name == self._home:
                    raise
                event(_log, logging.WARNING, "directory.forest_unread", forest=name, error=error)
        return frozenset(found)

    def _groups_in(self, forest: LdapForest, dn: DN) -> set[DN]:
        member = str(dn)
        if self._of(dn) is not forest:
            try:
                member = forest.foreign(self._sid(dn))
            except NoSuchObject:
                return set()
            if not member:
                return set()
        if forest.active_directory:
            text = f"(member:{_IN_CHAIN}:={escape(member)})"
            found = self.raw(forest, str(domain_of(forest.name)), ldap.SCOPE_SUBTREE, text, ("objectClass",))
            return {DN.parse(name) for name, _ in found}
        seen: set[DN] = set()
        todo = [member]
        while todo:
            text = f"(member={escape(todo.pop())})"
            for name, _ in self.raw(forest, str(domain_of(forest.name)), ldap.SCOPE_SUBTREE, text, ("objectClass",)):
                if (group := DN.parse(name)) not in seen:
                    seen.add(group)
                    todo.append(name)
        return seen

    def members(self, group: DN) -> frozenset[DN]:
        """See the port; of foreign members, those whose forest can be read."""
        forest = self.forest_at(group)
        if forest is None:
            return frozenset()
        if not forest.active_directory:
            return self._members_by_steps(group)
        text = f"(&(memberOf:{_IN_CHAIN}:={escape(str(group))})(|(objectClass=user)(objectClass=foreignSecurityPrincipal)))"
        found = self.raw(forest, str(domain_of(forest.name)), ldap.SCOPE_SUBTREE, text, ("objectClass",))
        return frozenset(DN.parse(self._person(name)) for name, _ in found)

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

    def has_password(self, dn: DN) -> bool:
        """See the port: an account that is enabled and whose password was set once."""
        try:
            found = self.raw(
                self._of(dn),
                str(dn),
                ldap.SCOPE_BASE,
                "(objectClass=*)",
                ("pwdLastSet", "userAccountControl", "userPassword"),
            )
        except NoSuchObject:
            return False
        values = found[0][1] if found else {}
        control = int(one(values, "userAccountControl") or b"0")
        return bool(values.get("userPassword")) or (
            (one(values, "pwdLastSet") or b"0") != b"0" and control != 0 and not control & _DISABLED
        )

    # Writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See the port: what was written is taken back as far as the directory allows it."""
        with self._lock:
            self._depth += 1
            mark = len(self._undo)
            try:
                yield
            except BaseException:
                self._take_back(mark)
                raise
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._undo.clear()

    def _remember(self, step: Callable[[], None]) -> None:
        """How the last change is taken back, if the transaction that it is part of fails."""
        if self._depth:
            self._undo.append(step)

    def _take_back(self, mark: int) -> None:
        steps = self._undo[mark:]
        del self._undo[mark:]
        for step in reversed(steps):
            try:
                step()
            except DirectoryError as error:
                event(_log, logging.ERROR, "directory.not_taken_back", error=error)

    def add(
        self, dn: DN, attributes: Mapping[str, Sequence[str]], *, aces: Sequence[Ace] = (), protected: bool = False
    ) -> None:
        """See the port."""
        classes = [c.lower() for c in attributes.get("objectClass", ())]
        schema.check_entry(str(dn), classes, attributes)
        forest = self._of(dn)
        if forest.active_directory and classes[-1] == "trusteddomain":
            raise DirectoryError(
                f"a trust of {forest.name} with {dn.name} is made by the administrators of both forests (Active Directory "
                f"Domains and Trusts, or 'samba-tool domain trust create {dn.name} --type=forest'), not over LDAP"
            )
        member = partial(self._member, forest)
        values: list[Any] = list(
            new_attributes(dn, classes[-1], _checked(attributes), member, active_directory=forest.active_directory)
        )
        if aces or protected:
            forest.demand_rights()
        if forest.active_directory and (aces or protected or classes[-1] not in _OWN_DESCRIPTOR):
            records = [r for ace in aces for r in encode(ace, self._sid(ace.principal), forest.guids())]
            if protected:
                records.append(existence(forest.guids()))
            values.append(("nTSecurityDescriptor", [Descriptor(records=tuple(records), protected=protected).pack()]))
        self._write(dn, f"create {classes[-1]}", lambda c: c.add_ext_s(str(dn), values))
        self._remember(lambda: self._write(dn, "delete", lambda c: c.delete_ext_s(str(dn))))

    def replace(self, dn: DN, attributes: Mapping[str, Sequence[str]]) -> None:
        """See the port."""
        before = self.get(dn)
        if before is None:
            raise NoSuchObject(f"{dn} is not there, or not visible to {self.account}")
        schema.check_entry(str(dn), [c for c in before.all("objectClass") if c != "top"], attributes, new=False)
        self._replace(dn, before, attributes)
        held = {name: before.all(name) for name in attributes}
        self._remember(lambda: self._replace(dn, self.get(dn), held))

    def _replace(self, dn: DN, before: Entry | None, attributes: Mapping[str, Sequence[str]]) -> None:
        forest = self._of(dn)
        changes = changes_of(dn, before, _checked(attributes), partial(self._member, forest))
        if changes:
            what = "write " + ", ".join(attributes) + " on"
            self._write(dn, what, lambda c: c.modify_ext_s(str(dn), changes))

    def _member(self, forest: LdapForest, text: str) -> str:
        dn = DN.parse(text)
        there = self._of(dn)
        return text if there is forest or not forest.active_directory else f"<SID={there.sid(dn)}>"

    def delete(self, dn: DN) -> None:
        """See the port."""
        before = self.get(dn)
        if before is None:
            raise NoSuchObject(f"{dn} is not there, or not visible to {self.account}")
        self._write(dn, "delete", lambda c: c.delete_ext_s(str(dn)))
        attributes = {schema.attribute(name).name: values for name, values in before.attributes.items()}
        self._remember(lambda: self.add(dn, attributes))

    def set_password(self, dn: DN, password: str) -> None:
        """See the port; the account is enabled by it."""
        entry = self.get(dn)
        if entry is None:
            raise NoSuchObject(f"{dn} is not there, or not visible to {self.account}")
        if not {"user", "computer"} & {c.lower() for c in entry.all("objectClass")}:
            raise SchemaViolation(f"{dn} is no account: only users and computers have passwords")
        forest = self._of(dn)
        changes: list[tuple[int, str, Any]] = [
            (ldap.MOD_REPLACE, *password_value(password, active_directory=forest.active_directory))
        ]
        if forest.active_directory:
            kind = _WORKSTATION_ACCOUNT if "computer" in entry.all("objectClass") else _NORMAL_ACCOUNT
            changes.append((ldap.MOD_REPLACE, "userAccountControl", [str(kind).encode()]))
        self._write(dn, "set the password of", lambda c: c.modify_ext_s(str(dn), changes))

    def _write(self, dn: DN, what: str, ask: Callable[[Any], object]) -> None:
        if self._read_only:
            raise DirectoryError(f"this session only reads; it was asked to {what} {dn}")
        try:
            self._of(dn).pool.write(ask)
        except ldap.LDAPError as error:
            raise refusal(error, self.account, what, dn) from None


def _checked(attributes: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Attributes by their names as the schema spells them. Raises :class:`SchemaViolation`."""
    found = {schema.attribute(name).name: tuple(values) for name, values in attributes.items()}
    for name, values in found.items():
        schema.check_values(name, values)
    return found


def one(values: Mapping[str, Sequence[bytes]], name: str) -> bytes:
    """The first value of an attribute, or none."""
    return next(iter(values.get(name, ())), b"")


def _allowed(
    values: Mapping[str, Sequence[bytes]], right: Right, attribute: str, object_class: str, *, seen: bool
) -> bool:
    def named(of: str, wanted: str) -> bool:
        return wanted.lower().encode() in {each.lower() for each in values.get(of, ())}

    match right:
        case Right.WRITE if attribute:
            return seen and named("allowedAttributesEffective", schema.wire_name(attribute))
        case Right.WRITE:
            return seen and bool(values.get("allowedAttributesEffective"))
        case Right.CREATE:
            return named("allowedChildClassesEffective", schema.WIRE_CLASSES.get(object_class.lower(), object_class))
        case Right.WRITE_ACL:
            return bool(int(one(values, "sDRightsEffective") or b"0") & 4)
        case _:
            # Only its class is shown of an entry that is protected from this reader.
            return "name" in values
