"""The schema: what Tandem needs of it, what is there, and what is to be added.

Attributes and classes that are there under their name, Exchange's and Lync's among them, are used as they are; only what is
missing is added. A schema is never taken back: Active Directory has no removal.
"""

import base64
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ldap

from tandem.directory import schema
from tandem.directory.errors import AccessDenied, DirectoryError
from tandem.directory.ldap.connection import ControllerPool, search, text_of
from tandem.directory.ldap.forest import LdapForest

_SYNTAXES = {"text": ("2.5.5.12", "64"), "int": ("2.5.5.9", "2"), "bool": ("2.5.5.8", "1"), "dn": ("2.5.5.1", "127")}
_INDEXED, _CONFIDENTIAL = 0x1, 0x80
_STRUCTURAL, _AUXILIARY = "1", "3"
_ORGANIZATION = schema.WIRE_CLASSES["msexchorganizationcontainer"]
"""Containers are below it."""
_NAMESPACE = uuid.UUID("cb17ed63-9b39-41a5-9a91-718070c0779c")
"""The GUID that the arc was made from; identifiers of what we add are made from it and their name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """One step: an entry of the schema that is added, or one that gets further values of an attribute."""

    dn: str
    name: str
    action: str
    attributes: tuple[tuple[str, tuple[str | bytes, ...]], ...]
    refresh: bool = False
    """Whether the directory has to take the schema into force after it."""

    @property
    def what(self) -> str:
        """What it does, in a line."""
        if self.action == "modify":
            return f"~ class {self.name}: +{', '.join(map(str, self.attributes[0][1]))}"
        return f"+ {self.action} {self.name}"

    def ldif(self) -> str:
        """As a record of LDIF (RFC 2849) that ``ldifde`` and ``ldapmodify`` take."""
        lines = [f"dn: {self.dn}"]
        if self.action == "modify":
            name, values = self.attributes[0]
            lines += ["changetype: modify", f"add: {name}", *(_line(name, value) for value in values), "-"]
        else:
            lines += ["changetype: add", *(_line(name, v) for name, values in self.attributes for v in values)]
        if self.refresh:
            lines += ["", "dn:", "changetype: modify", "add: schemaUpdateNow", "schemaUpdateNow: 1", "-"]
        return "\n".join(lines) + "\n"


def _line(name: str, value: str | bytes) -> str:
    return f"{name}:: {base64.b64encode(value).decode()}" if isinstance(value, bytes) else f"{name}: {value}"


def extensions(forest: LdapForest) -> tuple[Extension, ...]:
    """What the schema of a forest lacks, in the order in which it has to be added."""
    forest.demand_rights()
    base = forest.schema_dn
    held = _held(forest.pool, base)
    missing_ones = [a for a in schema.WIRE_ATTRIBUTES if a.oid and a.wire.lower() not in held]
    steps = [_attribute(base, each) for each in missing_ones]
    steps[-1:] = [_refreshed(steps[-1])] if steps else []
    for each in schema.DEFINED:
        there = held.get(each.wire.lower())
        wanted = [schema.wire_name(name) for name in each.attributes]
        if there is None:
            steps.append(_refreshed(_class(base, each)))
        elif missing := [name for name in wanted if name.lower() not in there]:
            steps.append(_more(there.dn, each.wire, "mayContain", missing))
    for helper in (each for each in schema.DEFINED if each.auxiliary):
        for name in (schema.WIRE_CLASSES[each.lower()] for each in helper.above):
            there = held.get(name.lower())
            if there is None or helper.wire.lower() not in there:
                dn = there.dn if there else f"CN={name},{base}"
                steps.append(_more(dn, name, "auxiliaryClass", [helper.wire]))
    containers = held["container"]
    if _ORGANIZATION.lower() not in containers:
        steps.append(_more(containers.dn, "container", "possSuperiors", [_ORGANIZATION]))
    steps[-1:] = [_refreshed(steps[-1])] if steps else []
    return tuple(steps)


class _Held(set[str]):
    """A class or attribute that is there: its name, and what a class may hold or is helped by (in lower case)."""

    dn = ""


def _held(pool: ControllerPool, base: str) -> dict[str, _Held]:
    wanted = ("lDAPDisplayName", "mayContain", "systemMayContain", "mustContain", "systemMustContain", "auxiliaryClass",
              "possSuperiors", "systemPossSuperiors")  # fmt: skip
    names = [a.wire for a in schema.WIRE_ATTRIBUTES] + list(schema.WIRE_CLASSES.values())
    terms = "".join(f"(lDAPDisplayName={name})" for name in dict.fromkeys(names))
    found: dict[str, _Held] = {}
    for dn, values in pool.read(lambda c: search(c, base, ldap.SCOPE_ONELEVEL, f"(|{terms})", wanted)):
        each = found[values["lDAPDisplayName"][0].decode().lower()] = _Held(
            value.decode().lower() for key in wanted[1:] for value in values.get(key, ())
        )
        each.dn = dn
    return found


def _refreshed(step: Extension) -> Extension:
    return Extension(dn=step.dn, name=step.name, action=step.action, attributes=step.attributes, refresh=True)


def _more(dn: str, name: str, attribute: str, values: Sequence[str]) -> Extension:
    return Extension(dn=dn, name=name, action="modify", attributes=((attribute, tuple(values)),))


def _identity(name: str) -> bytes:
    return uuid.uuid5(_NAMESPACE, name).bytes_le


def _attribute(base: str, each: schema.Attribute) -> Extension:
    syntax, om = _SYNTAXES[each.syntax]
    flags = _INDEXED * each.indexed | _CONFIDENTIAL * each.confidential
    values: tuple[tuple[str, str | bytes], ...] = (
        ("objectClass", "attributeSchema"),
        ("cn", each.wire),
        ("lDAPDisplayName", each.wire),
        ("attributeID", each.oid),
        ("attributeSyntax", syntax),
        ("oMSyntax", om),
        *((("oMObjectClass", bytes.fromhex("2b0c0287731c00854a")),) if each.syntax == "dn" else ()),
        ("isSingleValued", str(not each.multi).upper()),
        ("searchFlags", str(flags)),
        ("schemaIDGUID", _identity(each.wire)),
        ("adminDescription", "Tandem unified messaging and voice"),
    )
    return Extension(
        dn=f"CN={each.wire},{base}", name=each.wire, action="attribute", attributes=tuple((n, (v,)) for n, v in values)
    )


def _class(base: str, each: schema.Class) -> Extension:
    above = tuple(schema.WIRE_CLASSES[name.lower()] for name in each.above)
    values: tuple[tuple[str, tuple[str | bytes, ...]], ...] = (
        ("objectClass", ("classSchema",)),
        ("cn", (each.wire,)),
        ("lDAPDisplayName", (each.wire,)),
        ("governsID", (each.oid,)),
        ("subClassOf", ("top",)),
        ("objectClassCategory", (_AUXILIARY if each.auxiliary else _STRUCTURAL,)),
        *(
            ()
            if each.auxiliary
            else (
                ("rDNAttID", ("cn",)),
                ("possSuperiors", above),
            )
        ),
        *((("mayContain", tuple(map(schema.wire_name, each.attributes))),) if each.attributes else ()),
        ("schemaIDGUID", (_identity(each.wire),)),
        # An entry has the rights that it inherits, and none of its own.
        *(() if each.auxiliary else (("defaultSecurityDescriptor", ("D:",)),)),
        ("adminDescription", ("Tandem unified messaging and voice",)),
    )
    return Extension(dn=f"CN={each.wire},{base}", name=each.wire, action="class", attributes=values)


def extend(forest: LdapForest, account: str, steps: Sequence[Extension]) -> Iterator[Extension]:
    """Carry them out, each told as it is done. Raises :class:`AccessDenied` for who is no Schema Admin."""
    for step in steps:
        try:
            forest.pool.write(lambda c, step=step: _carry_out(c, step))  # type: ignore[misc] # bound now
        except ldap.INSUFFICIENT_ACCESS:
            raise AccessDenied(account, f"extend the schema (Schema Admins may): {step.what} in", step.dn) from None
        except ldap.LDAPError as error:
            raise DirectoryError(f"the schema refuses {step.what} ({step.dn}): {text_of(error)}") from None
        yield step


def _carry_out(connection: Any, step: Extension) -> None:
    coded = [(name, [v if isinstance(v, bytes) else v.encode() for v in values]) for name, values in step.attributes]
    if step.action == "modify":
        connection.modify_s(step.dn, [(ldap.MOD_ADD, name, values) for name, values in coded])
    else:
        connection.add_s(step.dn, coded)
    if step.refresh:
        connection.modify_s("", [(ldap.MOD_ADD, "schemaUpdateNow", [b"1"])])
