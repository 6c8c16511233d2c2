"""Who may do what, and who is in which group, as domain controllers tell it."""

import logging
from collections.abc import Mapping, Sequence

import ldap

from tandem.core.log import event, get_logger
from tandem.directory import schema
from tandem.directory.dn import DN
from tandem.directory.errors import (
    DirectoryUnavailable,
    InvalidCredentials,
    NoSuchObject,
)
from tandem.directory.filters import escape
from tandem.directory.layout import domain_of
from tandem.directory.ldap.descriptor import Descriptor, parse_descriptor
from tandem.directory.ldap.forest import LdapForest
from tandem.directory.ldap.reading import LdapReader, one
from tandem.directory.ldap.rights import decode, encode
from tandem.directory.port import Ace, Right

_log = get_logger("directory")
_IN_CHAIN = "1.2.840.113556.1.4.1941"
_DISABLED = 0x2


class LdapAccess(LdapReader):
    """Rights and memberships. See :class:`tandem.directory.ldap.session.LdapSession`."""

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
        dn = self.place(dn)
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
        found = (decode(record, self.principal, forest.guids()) for record in descriptor.records)
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

    def _descriptor(self, dn: DN) -> Descriptor | None:
        forest = self.forest_at(dn)
        if forest is None:
            return None
        forest.demand_rights()
        values = forest.descriptor(self.place(dn))
        return parse_descriptor(values) if values else None

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
        return frozenset(self._named(each) for each in found)

    def _groups_in(self, forest: LdapForest, dn: DN) -> set[DN]:
        member = str(self.place(dn))
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
        inside = f"(memberOf:{_IN_CHAIN}:={escape(str(self.place(group)))})"
        text = f"(&{inside}(|(objectClass=user)(objectClass=foreignSecurityPrincipal)))"
        found = self.raw(forest, str(domain_of(forest.name)), ldap.SCOPE_SUBTREE, text, ("objectClass",))
        return frozenset(DN.parse(self._person(name)) for name, _ in found)

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
