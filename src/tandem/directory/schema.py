"""Classes and attributes, as the fields of objects declare them, under Exchange's and Lync's names where those are known.

In the embedded directory these are the names. In Active Directory a name of Microsoft's is used only where its identifier
and syntax are public (Lync's user attributes, the link to a user's dial plan): everything else is there under a name and
an identifier of our own (:func:`wire_name`, docs/adr/0004 and 0010), so that it is never in the way of Microsoft's setup.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tandem.directory.errors import SchemaViolation
from tandem.directory.layout import ORGANIZATION_CLASS, POOLS_CLASS, RTC_SERVICE_CLASS
from tandem.directory.mapping import OBJECT_CLASSES, stored_fields
from tandem.directory.objects import MANAGED_BY, Contact, User

MAX_VALUE = 65_536
"""Characters in one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute.

    ``oid`` is its object identifier: as published, or below :data:`ARC`; empty if every Active Directory has it.
    ``syntax`` is ``text``, ``int``, ``bool`` or ``dn``. ``confidential`` ones are read and written only with a right that
    names them. ``ordered``: the order of its values means something. ``abroad``: only a directory over LDAP has use of it.
    """

    name: str
    oid: str = ""
    syntax: str = "text"
    multi: bool = False
    ordered: bool = False
    confidential: bool = False
    indexed: bool = False
    abroad: bool = False

    @property
    def wire(self) -> str:
        """Its name in Active Directory."""
        return _wire(self.name) if self.oid.startswith(ARC) else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """A class of our own or of Exchange's or Lync's; ``above`` are the classes that its entries may be below.

    An auxiliary one gives its attributes to the classes in ``above``.
    """

    name: str
    number: int
    above: tuple[str, ...]
    attributes: tuple[str, ...]
    auxiliary: bool = False

    @property
    def oid(self) -> str:
        """Its object identifier."""
        return f"{ARC}.2.{self.number}"

    @property
    def wire(self) -> str:
        """Its name in Active Directory."""
        return _wire(self.name)


def _wire(name: str) -> str:
    """The name of what is ours, but bears a name of Exchange's or Lync's here.

    In Active Directory a name of Microsoft's stands only for what Microsoft has defined: with another identifier it would
    be in the way of their own setup.
    """
    return name.replace("msExch", "tandemExch", 1).replace("msRTCSIP-", "tandemRTCSIP-", 1)


ARC = "1.2.840.113556.1.8000.2554.51991.60771.39737.16805.39569.7438448.12613532"
"""Ours, made from a GUID as Microsoft's procedure for private object identifiers has it: below it 1.N is attribute N,
2.N class N. A number is never given twice."""

_SECRET, _CHECKSUM = "tandemSipSecret", "msExchUMPinChecksum"
_FOREIGN_UM_TEMPLATE, _FOREIGN_DIAL_PLAN = "tandemForeignUMTemplate", "tandemForeignUMDialPlan"
_OF_NO_FIELD = (
    *(
        Attribute(name=name)
        for name in ("cn", "ou", "dc", "name", "description", "sAMAccountName", "telephoneNumber", "dNSHostName")
    ),
    *(Attribute(name=name) for name in ("userPrincipalName", "versionNumber", "trustPartner")),
    Attribute(name="objectClass", multi=True),
    Attribute(name="servicePrincipalName", multi=True),
    Attribute(name=_SECRET, oid=f"{ARC}.1.65", confidential=True),
    Attribute(name=_CHECKSUM, oid=f"{ARC}.1.66", confidential=True),
    Attribute(name=_FOREIGN_UM_TEMPLATE, oid=f"{ARC}.1.67", abroad=True),
    Attribute(name=_FOREIGN_DIAL_PLAN, oid=f"{ARC}.1.68", abroad=True),
)
"""Attributes that no object has as a field: of every entry, confidential ones, and links to other forests."""
_CONTAINERS = (
    Class(name=ORGANIZATION_CLASS, number=1, above=("container",), attributes=()),
    Class(name=RTC_SERVICE_CLASS, number=8, above=("container",), attributes=()),
    Class(name=POOLS_CLASS, number=9, above=(RTC_SERVICE_CLASS,), attributes=()),
)


def _attributes() -> Iterator[Attribute]:
    """Of objects, in the order of their declaration, and the rest."""
    found: dict[str, Attribute] = {}
    for field in (each for type_ in OBJECT_CLASSES for each in stored_fields(type_)):
        kept = field.kept
        found.setdefault(
            kept.attribute,
            Attribute(
                name=kept.attribute,
                oid=kept.oid or (f"{ARC}.1.{kept.number}" if kept.number else ""),
                syntax=field.syntax,
                multi=field.multi,
                ordered=kept.ordered,
                indexed=kept.indexed,
            ),
        )
    yield from found.values()
    yield from _OF_NO_FIELD


def _classes() -> Iterator[Class]:
    """Those of objects, and auxiliary ones for the marker of managed objects and for the attributes of people."""
    services = {type_: kept for type_, kept in OBJECT_CLASSES.items() if kept.number}
    yield from _CONTAINERS
    for type_, kept in services.items():
        attributes = tuple(field.kept.attribute for field in stored_fields(type_))
        yield Class(name=kept.name, number=kept.number, above=(kept.above,), attributes=attributes)
    managed = ("group", "user", "contact", *(kept.name for kept in services.values()))
    yield Class(name="tandemManaged", number=16, above=managed, attributes=(MANAGED_BY,), auxiliary=True)
    own = dict.fromkeys(
        field.kept.attribute
        for type_ in (User, Contact)
        for field in stored_fields(type_)
        if (field.kept.number or field.kept.oid) and field.kept.attribute != MANAGED_BY
    )
    people = (*own, _SECRET, _CHECKSUM, _FOREIGN_UM_TEMPLATE, _FOREIGN_DIAL_PLAN)
    yield Class(name="tandemUser", number=17, above=("user", "contact"), attributes=people, auxiliary=True)


FOREIGN = {
    "msexchumtemplatelink": "tandemforeignumtemplate",
    "msexchumrecipientdialplanlink": "tandemforeignumdialplan",
}
"""Where a link of a user is kept, as text, whose target is in another forest: Active Directory has no link there."""
WIRE_ATTRIBUTES = tuple(_attributes())
"""Every attribute that is used in a directory."""
ATTRIBUTES = {each.name.lower(): each for each in WIRE_ATTRIBUTES if not each.abroad}
"""Those that objects have."""
DEFINED = tuple(_classes())
"""The classes that Active Directory does not have by itself."""
_NATIVE = (
    "top",
    "domainDNS",
    "container",
    "organizationalUnit",
    "user",
    "computer",
    "contact",
    "group",
    "trustedDomain",
)
WIRE_CLASSES = {**{name.lower(): name for name in _NATIVE}, **{each.name.lower(): each.wire for each in DEFINED}}
"""The names of classes in Active Directory, by our names in lower case."""
CLASSES = {*_NATIVE, *(each.name for each in DEFINED if not each.auxiliary)}
STRUCTURAL = frozenset(name.lower() for name in CLASSES)
"""The names in lower case of the classes that an entry can be of."""


_HOLDERS = frozenset({"domainDNS", "container", "organizationalUnit", *(each.name for each in _CONTAINERS)})
_PEOPLE_HOLDERS = frozenset({"domainDNS", "container", "organizationalUnit"})
_ABOVE: dict[str, frozenset[str]] = {
    "domaindns": frozenset({"domainDNS"}),
    "container": _HOLDERS,
    "organizationalunit": frozenset({"domainDNS", "organizationalUnit"}),
    **dict.fromkeys(("user", "computer", "contact", "group"), _PEOPLE_HOLDERS),
    "trusteddomain": frozenset({"container"}),
    **{each.name.lower(): frozenset(each.above) for each in DEFINED if not each.auxiliary},
}
"""What an entry may be below, by its class, as Active Directory's schema has it (possSuperiors)."""


def check_place(dn: object, class_: str, above: Iterable[str]) -> None:
    """Check the class of the entry above a new one (names in lower case). Raises :class:`SchemaViolation`."""
    allowed = _ABOVE.get(class_, frozenset())
    if not {name.lower() for name in allowed}.intersection(above):
        held = ", ".join(sorted(set(above) - {"top"})) or "nothing"
        expected = " or ".join(sorted(allowed)) or "nothing"
        raise SchemaViolation(f"{dn}: a {class_} cannot be below a {held}; expected {expected}")


_WIRE_NAMES = {each.name.lower(): each.wire for each in WIRE_ATTRIBUTES}


def wire_name(name: str) -> str:
    """An attribute's name in Active Directory; an unknown one as it is."""
    return _WIRE_NAMES.get(name.lower(), name)


def attribute(name: str) -> Attribute:
    """The attribute of this name (in any case). Raises :class:`SchemaViolation`."""
    found = ATTRIBUTES.get(name.lower())
    if found is None:
        raise SchemaViolation(f"the schema has no attribute {name!r}")
    return found


def check_values(name: str, values: tuple[str, ...]) -> None:
    """Check what an attribute is to hold. Raises :class:`SchemaViolation`."""
    known = attribute(name)
    if len(values) > 1 and not known.multi:
        raise SchemaViolation(f"{known.name} holds one value, {len(values)} were given")
    for value in values:
        if not value or len(value) > MAX_VALUE or "\0" in value:
            raise SchemaViolation(
                f"a value of {known.name} is empty, longer than {MAX_VALUE} characters, or holds a NUL"
            )
        try:
            value.encode()
        except UnicodeEncodeError:
            raise SchemaViolation(f"a value of {known.name} is not valid Unicode") from None
        if known.name == "objectClass" and value.lower() not in STRUCTURAL:
            raise SchemaViolation(f"the schema has no class {value!r}")


_FIXED = {"objectclass", "cn", "samaccountname"}
"""Attributes that an entry keeps for its life: they decide which rights are for it, and who it is. A person's account may be
renamed."""


def check_entry(dn: str, classes: list[str], attributes: Mapping[str, object], *, new: bool = True) -> None:
    """Check what belongs together. Raises :class:`SchemaViolation`.

    An entry has one class (beside ``top``), which the right to create it is for; only groups have members.
    """
    structural = [name for name in classes if name != "top"]
    if len(structural) != 1:
        raise SchemaViolation(f"{dn} is to have one objectClass beside top, found {', '.join(structural) or 'none'}")
    names = {name.lower() for name in attributes}
    if "member" in names and structural != ["group"]:
        raise SchemaViolation(f"{dn} is no group and cannot have members")
    if "samaccountname" in names and structural[0] not in ("user", "computer"):
        raise SchemaViolation(f"{dn} is no account and cannot have a sAMAccountName")
    kept = _FIXED - {"samaccountname"} if structural == ["user"] and attributes.get("sAMAccountName") else _FIXED
    if not new and (fixed := names & kept):
        raise SchemaViolation(f"{', '.join(sorted(fixed))} of {dn} cannot be changed")
