"""A session with Active Directory: one identity, in its own forest and in those that let it in.

Rights are Active Directory's own; what it refuses comes back as our errors. There are no transactions over LDAP: what a
failed one has written is taken back, and what a crash leaves is completed by the next apply, since tasks only do what is
still to be done.

Left out: child domains (continuations to them are not followed), and change by notification (changes are polled).
"""

import logging
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
    InvalidCredentials,
    NoSuchObject,
    SchemaViolation,
)
from tandem.directory.ldap.access import LdapAccess
from tandem.directory.ldap.descriptor import Descriptor, RawAce
from tandem.directory.ldap.forest import LdapForest, sd_flags
from tandem.directory.ldap.refusal import refusal
from tandem.directory.ldap.rights import encode, existence
from tandem.directory.ldap.values import (
    changes_of,
    new_attributes,
    password_value,
)
from tandem.directory.port import Ace, Entry

_log = get_logger("directory")
_OWN_DESCRIPTOR = {"user", "computer", "group", "contact", "organizationalunit"}
"""Classes whose default rights Active Directory knows best; every other entry has those that it inherits."""
_Change = Callable[[Descriptor, tuple[RawAce, ...]], Descriptor]
_DESCRIPTOR_ATTEMPTS = 3
_NORMAL_ACCOUNT, _WORKSTATION_ACCOUNT = 0x200, 0x1000


class LdapDirectory:
    """Forests by their addresses. An account is of the first, or of the one that it names: ``maria@example.com``.

    ``patience_s``: how long a request waits for a domain controller that answers.
    """

    def __init__(self, addresses: Sequence[Address], *, read_only: bool = False, patience_s: float = 0.0) -> None:
        self._read_only = read_only
        self._patience_s = patience_s
        self._addresses = {address.forest.lower(): address for address in addresses}

    def bind(self, account: str, password: str | None) -> "LdapSession":
        """See :class:`tandem.directory.port.Directory`; without a password the user's Kerberos ticket is used."""
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


class LdapSession(LdapAccess):
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
        super().__init__(addresses, account, forest, password)
        self._read_only = read_only
        self._undo: list[Callable[[], None]] = []
        self._depth = 0

    def grant(self, dn: DN, aces: Sequence[Ace]) -> None:
        """See the port. Raises :class:`NoSuchObject` for a principal that is not there."""
        self._change_rights(dn, aces, "grant rights on", Descriptor.plus, Descriptor.minus)

    def revoke(self, dn: DN, aces: Sequence[Ace]) -> None:
        """See the port."""
        self._change_rights(dn, aces, "revoke rights on", Descriptor.minus, Descriptor.plus)

    def _change_rights(self, dn: DN, aces: Sequence[Ace], what: str, change: _Change, back: _Change) -> None:
        """A descriptor is written whole, so it is read just before; and again after, in case others wrote theirs between."""
        for _ in range(_DESCRIPTOR_ATTEMPTS):
            before = self._descriptor(dn)
            if before is None:
                raise NoSuchObject(f"{dn} is not there, or its rights are not readable by {self.account}")
            forest = self._of(dn)
            records = tuple(r for ace in aces for r in encode(ace, self._sid(ace.principal), forest.guids()))
            after = change(before, records)
            if after == before:
                return
            self._write_descriptor(dn, after, what)
            new = tuple(record for record in records if before.holds(record) != after.holds(record))
            self._remember(lambda new=new: self._take_rights_back(dn, new, what, back))  # type: ignore[misc]

    def _take_rights_back(self, dn: DN, records: tuple[RawAce, ...], what: str, back: _Change) -> None:
        if (now := self._descriptor(dn)) is not None:
            self._write_descriptor(dn, back(now, records), what)

    def _write_descriptor(self, dn: DN, descriptor: Descriptor, what: str) -> None:
        dn = self.place(dn)
        bare = Descriptor(records=descriptor.records, protected=descriptor.protected, control=descriptor.control)
        changes = [(ldap.MOD_REPLACE, "nTSecurityDescriptor", [bare.pack()])]
        self._write(dn, what, lambda c: c.modify_ext_s(str(dn), changes, serverctrls=[sd_flags()]))

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

    def replace(
        self, dn: DN, attributes: Mapping[str, Sequence[str]], *, known: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """See the port."""
        before, dn = self.get(dn), self.place(dn)
        if before is None:
            raise NoSuchObject(f"{dn} is not there, or not visible to {self.account}")
        schema.check_entry(str(dn), [c for c in before.all("objectClass") if c != "top"], attributes, new=False)
        self._replace(dn, before, attributes, known or {})
        held = {name: before.all(name) for name in attributes}
        # What others have written since stays, when this is taken back.
        self._remember(lambda: self._replace(dn, self.get(dn), held, attributes))

    def _replace(
        self,
        dn: DN,
        before: Entry | None,
        attributes: Mapping[str, Sequence[str]],
        known: Mapping[str, Sequence[str]],
    ) -> None:
        forest = self._of(dn)
        changes = changes_of(dn, before, _checked(attributes), partial(self._member, forest), _checked(known))
        if changes:
            what = "write " + ", ".join(attributes) + " on"
            self._write(dn, what, lambda c: c.modify_ext_s(str(dn), changes))

    def _member(self, forest: LdapForest, text: str) -> str:
        dn = DN.parse(text)
        there = self._of(dn)
        place = self.place(dn)
        if there is forest or not forest.active_directory:
            return text if place is dn else str(place)
        return f"<SID={there.sid(place)}>"

    def delete(self, dn: DN) -> None:
        """See the port."""
        before, dn = self.get(dn), self.place(dn)
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
