"""Our access control entries as Active Directory's (MS-ADTS 5.1.3.2), and back.

One of ours may become several: Active Directory names one attribute or class in each. What is read back is therefore
split; compare by :func:`encode`, never entry by entry.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tandem.directory import schema
from tandem.directory.dn import DN
from tandem.directory.ldap.descriptor import (
    ALLOWED,
    ALLOWED_OBJECT,
    AUTHENTICATED_USERS,
    CONTAINER_INHERIT,
    INHERIT_ONLY,
    RawAce,
)
from tandem.directory.port import Ace, Inherit, Right

_CREATE_CHILD, _DELETE_CHILD, _LIST, _WRITE_SELF = 0x1, 0x2, 0x4, 0x8
_READ_PROPERTY, _WRITE_PROPERTY, _LIST_OBJECT, _CONTROL_ACCESS = 0x10, 0x20, 0x80, 0x100
_DELETE, _READ_CONTROL, _WRITE_DACL = 0x10000, 0x20000, 0x40000
MASKS = {
    Right.LIST: _LIST | _LIST_OBJECT,
    Right.READ: _READ_PROPERTY | _READ_CONTROL,
    Right.WRITE: _WRITE_PROPERTY | _WRITE_SELF,
    Right.CREATE: _CREATE_CHILD,
    Right.DELETE: _DELETE_CHILD | _DELETE,
    Right.READ_CONFIDENTIAL: _READ_PROPERTY | _CONTROL_ACCESS,
    Right.WRITE_ACL: _WRITE_DACL,
}
_OF_CHILDREN = Right.CREATE | Right.DELETE
_FLAGS = {
    Inherit.THIS: 0,
    Inherit.ALL: CONTAINER_INHERIT,
    Inherit.DESCENDANTS: CONTAINER_INHERIT | INHERIT_ONLY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guids:
    """The schema's identifiers, by class and by attribute (names in lower case)."""

    classes: Mapping[str, uuid.UUID]
    attributes: Mapping[str, uuid.UUID]


def encode(ace: Ace, sid: str, guids: Guids) -> tuple[RawAce, ...]:
    """An entry of ours for the principal with this SID."""
    return tuple(_encoded(ace, sid, guids))


def _encoded(ace: Ace, sid: str, guids: Guids) -> Iterator[RawAce]:
    class_ = guids.classes[ace.object_class.lower()] if ace.object_class else None
    flags = _FLAGS[ace.inherit]
    children = ace.rights & _OF_CHILDREN if class_ else Right(0)
    if children:
        # Of a class: made and removed below whatever holds it.
        mask = _CREATE_CHILD * (Right.CREATE in children) | _DELETE_CHILD * (Right.DELETE in children)
        yield RawAce(type=ALLOWED_OBJECT, flags=flags, mask=mask, sid=sid, object_type=class_)
    # What is for entries of a class never is for the entry that it stands on.
    if class_:
        flags = CONTAINER_INHERIT | INHERIT_ONLY if ace.inherit is not Inherit.THIS else 0
    rest = ace.rights & ~children
    named = rest & (Right.WRITE | Right.READ_CONFIDENTIAL) if ace.attributes else Right(0)
    for name in _with_twins(ace.attributes) if named else ():
        yield RawAce(
            type=ALLOWED_OBJECT,
            flags=flags,
            mask=_mask(named),
            sid=sid,
            object_type=guids.attributes[name.lower()],
            inherited_type=class_ if flags & CONTAINER_INHERIT else None,
        )
    if mask := _mask(rest & ~named):
        if class_ and flags & CONTAINER_INHERIT:
            yield RawAce(type=ALLOWED_OBJECT, flags=flags, mask=mask, sid=sid, inherited_type=class_)
        else:
            yield RawAce(type=ALLOWED, flags=flags, mask=mask, sid=sid)


def _with_twins(names: frozenset[str]) -> list[str]:
    """Who may write a link may write what stands for it where its target is in another forest."""
    return sorted(names | {schema.FOREIGN[name] for name in names & schema.FOREIGN.keys()})


def _mask(rights: Right) -> int:
    mask = 0
    for right, bits in MASKS.items():
        if right in rights:
            mask |= bits
    return mask


def existence(guids: Guids) -> RawAce:
    """Lets everyone who is let into the forest see that an entry is there, by its class, and no more of it."""
    class_ = guids.attributes["objectclass"]
    return RawAce(type=ALLOWED_OBJECT, flags=0, mask=_READ_PROPERTY, sid=AUTHENTICATED_USERS, object_type=class_)


def decode(record: RawAce, principal: Callable[[str], DN | None], guids: Guids) -> Ace | None:
    """One of theirs as one of ours; ``None`` for what ours cannot say, and for identities that are not to be found."""
    if not record.sid or record.inherited:
        return None
    who = principal(record.sid)
    rights = Right(0)
    for right, bits in MASKS.items():
        if record.mask & bits == bits or (right is Right.DELETE and record.mask & _DELETE_CHILD):
            rights |= right
    attribute = next((name for name, each in guids.attributes.items() if each == record.object_type), "")
    class_ = next((n for n, each in guids.classes.items() if each in (record.object_type, record.inherited_type)), "")
    if who is None or not rights or (record.object_type is not None and not attribute and not class_):
        return None
    if not attribute:
        rights &= ~Right.READ_CONFIDENTIAL
    inherit = {0: Inherit.THIS, CONTAINER_INHERIT: Inherit.ALL}.get(
        record.flags & (CONTAINER_INHERIT | INHERIT_ONLY), Inherit.DESCENDANTS
    )
    return Ace(
        principal=who,
        rights=rights,
        inherit=inherit,
        object_class=class_,
        attributes=frozenset([attribute] if attribute else ()),
    )
