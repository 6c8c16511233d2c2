"""What is known of one forest while a session lasts: its controllers, schema identifiers, identities."""

import re
import uuid
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import ldap
from ldap.controls import RequestControl

from tandem.directory import schema
from tandem.directory.address import Address
from tandem.directory.dn import DN
from tandem.directory.errors import DirectoryError, NoSuchObject
from tandem.directory.filters import escape
from tandem.directory.layout import domain_of
from tandem.directory.ldap.connection import ControllerPool, Raw, Simple, search
from tandem.directory.ldap.descriptor import sid_text
from tandem.directory.ldap.kerberos import Ticket
from tandem.directory.ldap.rights import Guids

_ACTIVE_DIRECTORY = b"1.2.840.113556.1.4.800"
_RANGE = re.compile(r"([^;]+);range=(\d+)-(\d+|\*)\Z", re.IGNORECASE)
_DACL = 4


def sd_flags() -> RequestControl:
    """Asks for, or writes, the DACL alone (LDAP_SERVER_SD_FLAGS_OID)."""
    return RequestControl("1.2.840.113556.1.4.801", True, bytes((0x30, 0x03, 0x02, 0x01, _DACL)))


class LdapForest:
    """One forest as one identity reaches it."""

    def __init__(self, address: Address, account: str, home: str, password: str | None, patience_s: float) -> None:
        self.name = address.forest.lower()
        self.pool = ControllerPool(address, _credentials(self.name, account, home, password), patience_s)
        self._sids: dict[DN, str] = {}
        self._principals: dict[str, DN | None] = {}

    @cached_property
    def _root(self) -> dict[str, list[bytes]]:
        wanted = ("supportedCapabilities", "schemaNamingContext", "configurationNamingContext", "highestCommittedUSN")
        found = self.pool.read(lambda c: c.search_ext_s("", ldap.SCOPE_BASE, "(objectClass=*)", list(wanted)))
        return dict(found[0][1]) if found else {}

    @property
    def active_directory(self) -> bool:
        """Whether it is Active Directory, or Samba's."""
        return _ACTIVE_DIRECTORY in self._root.get("supportedCapabilities", ())

    @property
    def schema_dn(self) -> str:
        """Where the schema is."""
        return self._root["schemaNamingContext"][0].decode()

    def context_of(self, dn: DN) -> str:
        """The naming context that a name is in: the configuration's, or its domain's."""
        configuration = DN.parse(self._root["configurationNamingContext"][0].decode())
        if dn.below(configuration):
            return str(configuration)
        return str(DN(tuple(rdn for rdn in dn.rdns if rdn[0].upper() == "DC")))

    def demand_rights(self) -> None:
        """Raises :class:`DirectoryError` where there are no access control entries that LDAP shows."""
        if not self.active_directory:
            raise DirectoryError(
                f"{self.name} is no Active Directory: rights on its entries are set in its own configuration"
            )

    def committed(self) -> int:
        """The highest change number of the controller that the session is connected to."""
        found = self.pool.read(
            lambda c: c.search_ext_s("", ldap.SCOPE_BASE, "(objectClass=*)", ["highestCommittedUSN", "contextCSN"])
        )
        values = found[0][1] if found else {}
        return int(values.get("highestCommittedUSN", [b"0"])[0])

    def guids(self) -> Guids:
        """The identifiers of our classes and attributes in this forest's schema; read once."""
        return self._guids

    @cached_property
    def _guids(self) -> Guids:
        classes = {wire.lower(): ours for ours, wire in schema.WIRE_CLASSES.items()}
        attributes = {each.wire.lower(): each.name.lower() for each in schema.WIRE_ATTRIBUTES}
        names = [*classes, *attributes]
        terms = "".join(f"(lDAPDisplayName={escape(name)})" for name in names)
        base = self.schema_dn
        wanted = ("lDAPDisplayName", "schemaIDGUID", "objectClass")
        found = self.pool.read(lambda c: search(c, base, ldap.SCOPE_ONELEVEL, f"(|{terms})", wanted))
        kinds: dict[bool, dict[str, uuid.UUID]] = {True: {}, False: {}}
        for _, values in found:
            name, is_class = values["lDAPDisplayName"][0].decode().lower(), b"classSchema" in values["objectClass"]
            ours = (classes if is_class else attributes).get(name)
            if ours is not None:
                kinds[is_class][ours] = uuid.UUID(bytes_le=values["schemaIDGUID"][0])
        return Guids(classes=_Known(kinds[True], self.name), attributes=_Known(kinds[False], self.name))

    def whole(self, name: str, values: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
        """Values that came in ranges (more than 1500 of an attribute), with the rest of them."""
        for key in list(values):
            if found := _RANGE.match(key):
                attribute, end = found[1], found[3]
                held = values.setdefault(attribute, [])
                held += values.pop(key)
                while end != "*":
                    held_more, end = self._range(name, attribute, int(end) + 1)
                    held += held_more
        return values

    def _range(self, name: str, attribute: str, start: int) -> tuple[list[bytes], str]:
        asked = f"{attribute};range={start}-*"
        found = self.pool.read(lambda c: search(c, name, ldap.SCOPE_BASE, "(objectClass=*)", (asked,)))
        for key, values in found[0][1].items() if found else ():
            if part := _RANGE.match(key):
                return values, part[3]
        return [], "*"

    def descriptor(self, dn: DN) -> bytes:
        """The bytes of an entry's descriptor (owner and audit entries left out); none if it may not be read."""
        found = one_entry(self.pool, str(dn), "(objectClass=*)", ("nTSecurityDescriptor",), (sd_flags(),))
        return found[1].get("nTSecurityDescriptor", [b""])[0] if found else b""

    def sid(self, dn: DN) -> str:
        """The security identifier of an account or group. Raises :class:`NoSuchObject`."""
        if dn not in self._sids:
            found = one_entry(self.pool, str(dn), "(objectClass=*)", ("objectSid",))
            if found is None or "objectSid" not in found[1]:
                raise NoSuchObject(f"{dn} is not there, or not visible: rights cannot be given to it")
            self._sids[dn] = sid_text(found[1]["objectSid"][0])
        return self._sids[dn]

    def principal(self, sid: str) -> DN | None:
        """The account or group of this forest with an identifier."""
        if sid not in self._principals:
            found = one_entry(self.pool, f"<SID={sid}>", "(objectClass=*)", ("objectClass",))
            local = found is not None and b"foreignSecurityPrincipal" not in found[1].get("objectClass", [])
            self._principals[sid] = DN.parse(found[0]) if found is not None and local else None
        return self._principals[sid]

    def foreign(self, sid: str) -> str:
        """The entry here for an identity of another forest; an empty string if there is none."""
        name = f"CN={sid},CN=ForeignSecurityPrincipals,{domain_of(self.name)}"
        return name if one_entry(self.pool, name, "(objectClass=*)", ("objectClass",)) else ""


def _credentials(forest: str, account: str, home: str, password: str | None) -> Simple | Ticket:
    """A simple bind in one's own forest; other forests take a ticket."""
    if "=" in account:
        return Simple(account, password or "")
    if password is None or forest != home:
        return Ticket(account, home, password)
    return Simple(f"{account}@{home}", password)


class _Known(dict[str, uuid.UUID]):
    def __init__(self, found: dict[str, uuid.UUID], forest: str) -> None:
        super().__init__(found)
        self._forest = forest

    def __missing__(self, name: str) -> uuid.UUID:
        raise DirectoryError(f"the schema of {self._forest} has no {name}; 'tandem directory prepare' extends it")


def one_entry(
    pool: ControllerPool, base: str, filter_: str, attributes: Sequence[str], controls: Sequence[RequestControl] = ()
) -> Raw | None:
    """One entry by its name, or ``None``."""

    def ask(connection: Any) -> Raw | None:
        message = connection.search_ext(base, ldap.SCOPE_BASE, filter_, list(attributes), serverctrls=list(controls))
        _, entries, *_ = connection.result3(message)
        return next(((name, values) for name, values in entries if name is not None), None)

    try:
        return pool.read(ask)
    except (ldap.NO_SUCH_OBJECT, ldap.REFERRAL, ldap.INSUFFICIENT_ACCESS, ldap.INVALID_DN_SYNTAX):
        return None
