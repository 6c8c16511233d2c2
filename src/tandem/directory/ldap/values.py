"""Entries as Active Directory keeps them, and as we do.

What differs: Active Directory keeps no order among an attribute's values (ours that have one bear it: ``{0}first``); an
account of a server ends in ``$``; a computer is a user, too; a name may not point into another forest (such links stand as
text in an attribute of ours); passwords have their own form; groups are made universal.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import ldap

from tandem.directory import filters, schema
from tandem.directory.dn import DN
from tandem.directory.layout import forest_of
from tandem.directory.port import Entry, difference

_OURS = {each.wire.lower(): each.name.lower() for each in schema.WIRE_ATTRIBUTES}
_OURS |= {theirs: ours for ours, theirs in schema.FOREIGN.items()}
_OUR_CLASSES = {
    wire.lower(): ours for ours, wire in schema.WIRE_CLASSES.items() if ours in schema.STRUCTURAL and ours != "top"
}
_SPELT = {name.lower(): name for name in schema.CLASSES}
_UNIVERSAL_SECURITY_GROUP = str(-2147483640)  # 0x80000008
_NEW_ACCOUNT = {"user": "514", "computer": "4098"}  # disabled until it has a password
SERVER_ADMINISTRATORS = "Tandem Server Administrators"
"""The account name of our group CN=Administrators,CN=Users: the domain's own Administrators has that name already."""
_ORDER = re.compile(r"\{\d+\}")
ATTRIBUTES = ("objectGUID", "entryUUID", *(each.wire for each in schema.WIRE_ATTRIBUTES))
"""What is asked for."""
Wire = tuple[str, list[bytes]]
Modification = tuple[int, str, list[bytes] | None]
Member = Callable[[str], str]
"""How a member's name is written: those of other forests by their SID."""


def entry_of(name: str, values: Mapping[str, Sequence[bytes]], person: Callable[[str], str]) -> Entry | None:
    """An entry as its reader may see it; ``None`` where only its class is shown."""
    found: dict[str, tuple[str, ...]] = {}
    for key, held in values.items():
        attribute = _OURS.get(key.lower(), "")
        known = schema.ATTRIBUTES.get(attribute)
        if known is None:
            continue
        texts = tuple(text for each in held if (text := _text(each)) is not None)
        if known.ordered:
            texts = tuple(_ORDER.sub("", text, count=1) for text in sorted(texts, key=_place))
        found[attribute] = texts if known.multi else texts[:1]
    classes = found.get("objectclass", ())
    if not classes or not found.keys() - {"objectclass"}:
        return None
    class_ = _class_of(classes)
    found["objectclass"] = ("top", class_)
    if class_ == "computer":
        found["samaccountname"] = tuple(text.removesuffix("$") for text in found.get("samaccountname", ()))
    if "member" in found:
        found["member"] = tuple(person(text) for text in found["member"])
    uid = values.get("objectGUID", values.get("entryUUID", [b""]))[0].hex()
    return Entry(dn=DN.parse(name), attributes={key: texts for key, texts in found.items() if texts}, uid=uid)


def _class_of(classes: Sequence[str]) -> str:
    """The most derived class that we know: an inetOrgPerson, or of any class made from user, is a user.

    A directory names the classes from the most general to the most derived one (MS-ADTS 3.1.1.2.4).
    """
    known = [_OUR_CLASSES[name.lower()] for name in classes if name.lower() in _OUR_CLASSES]
    return _SPELT[known[-1]] if known else classes[-1]


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None  # none of ours: we write UTF-8


def _place(text: str) -> int:
    found = _ORDER.match(text)
    return int(found[0][1:-1]) if found else 0


def _wire(name: str, values: Sequence[str]) -> list[bytes]:
    if schema.attribute(name).ordered:
        return [f"{{{place}}}{value}".encode() for place, value in enumerate(values)]
    return [value.encode() for value in values]


def _placed(dn: DN, attributes: Mapping[str, Sequence[str]]) -> dict[str, list[bytes]]:
    """Values by the attribute that holds them, links into other forests apart."""
    wire: dict[str, list[bytes]] = {}
    for name, values in attributes.items():
        if twin := schema.FOREIGN.get(name.lower()):
            abroad = [value for value in values if forest_of(DN.parse(value)) != forest_of(dn)]
            wire[schema.wire_name(twin)] = [value.encode() for value in abroad]
            wire[schema.wire_name(name)] = [value.encode() for value in values if value not in abroad]
        else:
            wire[schema.wire_name(name)] = _wire(name, values)
    return wire


def new_attributes(
    dn: DN, class_: str, attributes: Mapping[str, Sequence[str]], member: Member, *, active_directory: bool
) -> list[Wire]:
    """Everything that a new entry is made with."""
    wire = {name: values for name, values in _placed(dn, attributes).items() if values}
    if "member" in wire:
        wire["member"] = [member(value.decode()).encode() for value in wire["member"]]
    wire["objectClass"] = [schema.WIRE_CLASSES[name.lower()].encode() for name in attributes["objectClass"]]
    if active_directory and class_ == "group":
        wire["groupType"] = [_UNIVERSAL_SECURITY_GROUP.encode()]
        wire["sAMAccountName"] = [(SERVER_ADMINISTRATORS if dn.name == "Administrators" else dn.name).encode()]
    if active_directory and class_ in _NEW_ACCOUNT:
        wire["userAccountControl"] = [_NEW_ACCOUNT[class_].encode()]
        account = wire.get("sAMAccountName", [dn.name.encode()])[0]
        wire["sAMAccountName"] = [account + b"$" if class_ == "computer" else account]
    return list(wire.items())


def changes_of(
    dn: DN,
    before: Entry | None,
    attributes: Mapping[str, Sequence[str]],
    member: Member,
    known: Mapping[str, Sequence[str]],
) -> list[Modification]:
    """The modifications that set attributes to these values; those without an order come and go one by one.

    ``known`` is what the caller has seen of them (see the port's ``replace``); of others it is what is there.
    """
    changes: list[Modification] = []
    several = {name for name in attributes if (each := schema.attribute(name)).multi and not each.ordered}
    for name, values in _placed(dn, {key: held for key, held in attributes.items() if key not in several}).items():
        changes.append((ldap.MOD_REPLACE, name, values or None))
    for name in several:
        write: Member = member if name == "member" else str
        held = before.all(name) if before else ()
        links = schema.attribute(name).syntax == "dn"
        gone, added = difference(held, known.get(name, held), attributes[name], links=links)
        for operation, texts in ((ldap.MOD_DELETE, gone), (ldap.MOD_ADD, added)):
            if texts:
                changes.append((operation, schema.wire_name(name), [write(text).encode() for text in texts]))
    return changes


def password_value(password: str, *, active_directory: bool) -> Wire:
    """The attribute that sets a password."""
    if active_directory:
        return "unicodePwd", [f'"{password}"'.encode("utf-16-le")]
    return "userPassword", [password.encode()]


def rendered(filter_: str, *, active_directory: bool) -> str:
    """A filter as the directory wants it: a computer is no user here. Raises :class:`BadName`."""
    return _render(filters.parse_filter(filter_), active_directory)


def _render(wanted: filters.Filter, active_directory: bool) -> str:
    match wanted:
        case filters.Equal(attribute, value):
            if attribute.lower() == "objectclass":
                value = schema.WIRE_CLASSES.get(value.lower(), value)
            equal = f"({schema.wire_name(attribute)}={filters.escape(value)})"
            if active_directory and attribute.lower() == "objectclass" and value.lower() == "user":
                return f"(&(objectCategory=person){equal})"
            return equal
        case filters.Like(attribute, parts):
            return f"({schema.wire_name(attribute)}={'*'.join(map(filters.escape, parts))})"
        case filters.Junction(every, inner):
            return f"({'&' if every else '|'}{''.join(_render(each, active_directory) for each in inner)})"
        case filters.Negation(inner):
            return f"(!{_render(inner, active_directory)})"
