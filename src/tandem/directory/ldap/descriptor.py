"""Security descriptors in their binary form (MS-DTYP 2.4): read, changed and written back, byte for byte.

Only allow entries are understood (plain ones and those of an object type); every other entry is kept as it was found.
"""

import struct
import uuid
from dataclasses import dataclass, field, replace

from tandem.directory.errors import DirectoryError

ALLOWED, ALLOWED_OBJECT = 0x00, 0x05
CONTAINER_INHERIT, INHERIT_ONLY, INHERITED = 0x02, 0x08, 0x10
PROTECTED = 0x1000
"""Control bit SE_DACL_PROTECTED: nothing is inherited from above."""
_SELF_RELATIVE, _DACL_PRESENT = 0x8000, 0x0004
_OBJECT_TYPE, _INHERITED_TYPE = 0x1, 0x2
_HEAD = struct.Struct("<BBHIIII")
_ACL_HEAD = struct.Struct("<BBHHH")
_ACL_REVISION_DS = 4

AUTHENTICATED_USERS = "S-1-5-11"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAce:
    """One access control entry. ``sid`` is empty where the entry is of a kind that is only kept (``raw``)."""

    type: int
    flags: int
    mask: int = 0
    sid: str = ""
    object_type: uuid.UUID | None = None
    inherited_type: uuid.UUID | None = None
    raw: bytes = field(default=b"", repr=False)

    @property
    def inherited(self) -> bool:
        """Whether it came from above."""
        return bool(self.flags & INHERITED)

    def like(self, other: "RawAce") -> bool:
        """Whether both allow the same identity something at the same places."""
        return replace(self, mask=0) == replace(other, mask=0)

    def covers(self, other: "RawAce") -> bool:
        """Whether it allows all that the other does, at the same places."""
        return self.like(other) and self.mask & other.mask == other.mask

    def pack(self) -> bytes:
        """Its bytes."""
        if not self.sid:
            return self.raw
        body = struct.pack("<I", self.mask)
        if self.type == ALLOWED_OBJECT:
            present = _OBJECT_TYPE * (self.object_type is not None) | _INHERITED_TYPE * (
                self.inherited_type is not None
            )
            guids = b"".join(each.bytes_le for each in (self.object_type, self.inherited_type) if each)
            body += struct.pack("<I", present) + guids
        body += sid_bytes(self.sid)
        return struct.pack("<BBH", self.type, self.flags, 4 + len(body)) + body


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A security descriptor; owner, group and SACL are kept as bytes."""

    records: tuple[RawAce, ...] = ()
    protected: bool = False
    control: int = _SELF_RELATIVE | _DACL_PRESENT
    owner: bytes = b""
    group: bytes = b""
    sacl: bytes = b""

    def pack(self) -> bytes:
        """Its bytes, self-relative."""
        body, offsets = b"", []
        entries = b"".join(record.pack() for record in self.records)
        dacl = _ACL_HEAD.pack(_ACL_REVISION_DS, 0, _ACL_HEAD.size + len(entries), len(self.records), 0) + entries
        for part in (self.owner, self.group, self.sacl, dacl):
            offsets.append(_HEAD.size + len(body) if part else 0)
            body += part
        control = (self.control & ~PROTECTED) | PROTECTED * self.protected | _SELF_RELATIVE | _DACL_PRESENT
        return _HEAD.pack(1, 0, control, *offsets) + body

    def plus(self, added: tuple[RawAce, ...]) -> "Descriptor":
        """With these where they are lacking: explicit entries stand before inherited ones."""
        new = tuple(record for record in added if not self.holds(record))
        own = tuple(record for record in self.records if not record.inherited)
        return replace(self, records=(*own, *new, *(record for record in self.records if record.inherited)))

    def minus(self, removed: tuple[RawAce, ...]) -> "Descriptor":
        """Without what these allow; an entry that allows more keeps the rest."""
        kept = []
        for record in self.records:
            for gone in removed:
                if not record.inherited and record.sid and record.like(gone):
                    record = replace(record, mask=record.mask & ~gone.mask)
            if record.mask or not record.sid:
                kept.append(record)
        return replace(self, records=tuple(kept))

    def holds(self, wanted: RawAce) -> bool:
        """Whether an explicit entry allows all of it."""
        return any(record.covers(wanted) for record in self.records)


def parse_descriptor(data: bytes) -> Descriptor:
    """Read a descriptor. Raises :class:`DirectoryError` for bytes that are none."""
    try:
        _, _, control, owner, group, sacl, dacl = _HEAD.unpack_from(data)
        return Descriptor(
            records=_records(data, dacl) if dacl else (),
            protected=bool(control & PROTECTED),
            control=control,
            owner=_sid_at(data, owner) if owner else b"",
            group=_sid_at(data, group) if group else b"",
            sacl=data[sacl : sacl + _ACL_HEAD.unpack_from(data, sacl)[2]] if sacl else b"",
        )
    except (struct.error, IndexError, ValueError) as error:
        raise DirectoryError(f"a security descriptor of {len(data)} bytes cannot be read: {error}") from None


def _records(data: bytes, at: int) -> tuple[RawAce, ...]:
    _, _, _, count, _ = _ACL_HEAD.unpack_from(data, at)
    found, at = [], at + _ACL_HEAD.size
    for _ in range(count):
        type_, flags, size = struct.unpack_from("<BBH", data, at)
        if size < 4 or at + size > len(data):
            raise ValueError("an access control entry is longer than its list")
        found.append(_record(type_, flags, data[at : at + size]))
        at += size
    return tuple(found)


def _record(type_: int, flags: int, raw: bytes) -> RawAce:
    if type_ not in (ALLOWED, ALLOWED_OBJECT):
        return RawAce(type=type_, flags=flags, raw=raw)
    (mask,) = struct.unpack_from("<I", raw, 4)
    at, guids = 8, [None, None]
    if type_ == ALLOWED_OBJECT:
        (present,) = struct.unpack_from("<I", raw, at)
        at += 4
        for place, bit in enumerate((_OBJECT_TYPE, _INHERITED_TYPE)):
            if present & bit:
                guids[place] = uuid.UUID(bytes_le=raw[at : at + 16])  # type: ignore[call-overload]
                at += 16
    sid = sid_text(raw[at:])
    return RawAce(type=type_, flags=flags, mask=mask, sid=sid, object_type=guids[0], inherited_type=guids[1])


def _sid_at(data: bytes, at: int) -> bytes:
    return data[at : at + 8 + 4 * data[at + 1]]


def sid_text(data: bytes) -> str:
    """A security identifier as text: ``S-1-5-21-...`` (MS-DTYP 2.4.2)."""
    count = data[1]
    parts = struct.unpack_from(f"<{count}I", data, 8)
    return "-".join(map(str, ("S", data[0], int.from_bytes(data[2:8], "big"), *parts)))


def sid_bytes(text: str) -> bytes:
    """A security identifier as bytes."""
    revision, authority, *parts = map(int, text.split("-")[1:])
    return bytes((revision, len(parts))) + authority.to_bytes(6, "big") + struct.pack(f"<{len(parts)}I", *parts)
