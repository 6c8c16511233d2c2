"""How an object is kept as an entry: said at the class and at each of its fields, once (:mod:`tandem.directory.objects`).

The schema, the repository and the index are made from it.
"""

import dataclasses
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from tandem.directory.dn import DN
from tandem.directory.layout import Layout

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptIn:
    """Where a field is kept. See :func:`kept_in`."""

    attribute: str
    number: int
    oid: str
    reference: type | None
    syntax: str
    multi: bool
    ordered: bool
    indexed: bool


def kept_in(
    attribute: str,
    number: int = 0,
    *,
    oid: str = "",
    reference: type | None = None,
    syntax: str = "",
    multi: bool = False,
    ordered: bool = False,
    indexed: bool = False,
) -> KeptIn:
    """The attribute of a field, for its annotation: ``language: Annotated[str, kept_in("msExchUMDefaultLanguage", 11)]``.

    Args:
        attribute: Its name in the embedded directory.
        number: Its number below :data:`tandem.directory.schema.ARC`, never given twice; 0 for what is not ours.
        oid: Its published identifier, where Active Directory has it only with Lync or Exchange.
        reference: The type of the object that the field names; the entry holds its distinguished name.
        syntax: ``text``, ``int``, ``bool`` or ``dn``, where the type of the field does not say it.
        multi: Whether it may hold several values although the field is one.
        ordered: Whether the order of the values means something.
        indexed: Whether searches ask for it.
    """
    return KeptIn(
        attribute=attribute,
        number=number,
        oid=oid,
        reference=reference,
        syntax=syntax,
        multi=multi,
        ordered=ordered,
        indexed=indexed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectClass:
    """How a type is kept: its class, the field that names its entries, and the container that they are in.

    ``number`` is the class's below :data:`tandem.directory.schema.ARC`, 0 for one of Active Directory's own; ``above`` is the
    class of the entries that it may be below.
    """

    name: str
    number: int = 0
    above: str = "container"
    naming: str = "name"
    container: Callable[[Layout], DN]
    bases: Callable[[Layout], tuple[DN, ...]] | None = None
    """Where to look for them, if not in the container alone."""
    below: str = ""
    """The field that holds the container's name itself (users, contacts: a DN; hunt groups: their gateway)."""
    own_name: str = ""
    """The field that holds the entry's name where that is not what ``naming`` says (users: their account)."""
    person: bool = False
    """Whether it is of a domain (accounts, groups, contacts, trusts) rather than a service of the configuration."""


OBJECT_CLASSES: dict[type, ObjectClass] = {}
"""Every type that the directory keeps, in the order of their declaration."""


def entry(kept: ObjectClass) -> Callable[[type[T]], type[T]]:
    """Says of a type how it is kept."""

    def register(type_: type[T]) -> type[T]:
        OBJECT_CLASSES[type_] = kept
        return type_

    return register


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredField:
    """A field of an object: its name, its type as declared, where it is kept, and whether it may be absent."""

    name: str
    hint: Any
    kept: KeptIn
    optional: bool

    @property
    def multi(self) -> bool:
        """Whether the attribute may hold several values."""
        return self.kept.multi or typing.get_origin(self.hint) is tuple

    @property
    def syntax(self) -> str:
        """The syntax of the attribute's values."""
        if self.kept.syntax or self.kept.reference:
            return self.kept.syntax or "dn"
        return {bool: "bool", int: "int"}.get(self.hint, "text")


def stored_fields(type_: Any) -> tuple[StoredField, ...]:
    """The fields of a type that are kept in attributes."""
    return _stored_fields(type_)


@cache
def _stored_fields(type_: Any) -> tuple[StoredField, ...]:
    hints = typing.get_type_hints(type_, include_extras=True)
    found = []
    for field in dataclasses.fields(type_):
        declared = hints[field.name]
        for kept in getattr(declared, "__metadata__", ()):
            if isinstance(kept, KeptIn):
                optional = field.default is not dataclasses.MISSING
                found.append(StoredField(name=field.name, hint=declared.__origin__, kept=kept, optional=optional))
    return tuple(found)
