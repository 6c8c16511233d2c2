"""Security descriptors: what is not understood comes back as it was, and no bytes raise anything of their own."""

import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.directory.errors import DirectoryError
from tandem.directory.ldap.descriptor import (
    ALLOWED,
    ALLOWED_OBJECT,
    CONTAINER_INHERIT,
    INHERITED,
    Descriptor,
    RawAce,
    parse_descriptor,
    sid_bytes,
    sid_text,
)

SID, OTHER = "S-1-5-21-1-2-3-1104", "S-1-5-32-544"
DENY = RawAce(type=1, flags=0, raw=struct.pack("<BBHI", 1, 0, 24, 16) + sid_bytes("S-1-5-32-545"))
sids = st.builds(
    lambda authority, parts: "-".join(map(str, ("S", 1, authority, *parts))),
    st.integers(0, 2**48 - 1),
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=15),
)
guids = st.none() | st.uuids()
records = st.one_of(
    st.builds(RawAce, type=st.just(ALLOWED), flags=st.integers(0, 255), mask=st.integers(0, 2**32 - 1), sid=sids),
    st.builds(
        RawAce,
        type=st.just(ALLOWED_OBJECT),
        flags=st.integers(0, 255),
        mask=st.integers(0, 2**32 - 1),
        sid=sids,
        object_type=guids,
        inherited_type=guids,
    ),
    st.just(DENY),
)


def allow(mask: int, sid: str = SID, flags: int = CONTAINER_INHERIT, **more: uuid.UUID) -> RawAce:
    return RawAce(type=ALLOWED_OBJECT if more else ALLOWED, flags=flags, mask=mask, sid=sid, **more)


@given(st.lists(records, max_size=8), st.booleans(), sids, sids)
def test_a_descriptor_survives_being_written_and_read(
    held: list[RawAce], protected: bool, owner: str, group: str
) -> None:
    made = Descriptor(
        records=tuple(held),
        protected=protected,
        owner=sid_bytes(owner),
        group=sid_bytes(group),
        sacl=b"\2\0\x08\0\0\0\0\0",
    )
    again = parse_descriptor(made.pack())
    assert (again.records, again.protected) == (made.records, protected)
    assert (again.owner, again.group, again.sacl) == (made.owner, made.group, made.sacl)
    assert again.pack() == made.pack()


@given(sids)
@pytest.mark.slow
def test_an_identifier_survives_being_written_and_read(sid: str) -> None:
    assert sid_text(sid_bytes(sid)) == sid


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(0, 255))
@pytest.mark.slow
def test_bytes_that_are_none_are_refused_and_nothing_else(data: bytes, place: int, value: int) -> None:
    whole = bytearray(
        Descriptor(records=(allow(1), DENY, allow(2, object_type=uuid.UUID(int=5))), owner=sid_bytes(SID)).pack()
    )
    whole[place % len(whole)] = value
    for candidate in (data, bytes(whole), bytes(whole[: place % len(whole)])):
        try:
            parse_descriptor(candidate)
        except DirectoryError as error:
            assert "cannot be read" in str(error)


def test_what_is_added_stands_before_what_came_from_above_and_only_once() -> None:
    above = allow(0x10, OTHER, INHERITED)
    held = Descriptor(records=(DENY, above)).plus((allow(0x4), allow(0x4)))
    assert held.records == (DENY, allow(0x4), allow(0x4), above) or held.records == (DENY, allow(0x4), above)
    assert held.plus((allow(0x4),)) == held


def test_what_is_taken_away_is_that_and_no_more() -> None:
    above = allow(0x4, flags=CONTAINER_INHERIT | INHERITED)
    held = Descriptor(records=(DENY, allow(0x14), allow(0x4, OTHER), above)).minus((allow(0x4),))
    assert held.records == (DENY, allow(0x10), allow(0x4, OTHER), above)


@pytest.mark.parametrize("wanted", [allow(0x4), allow(0x14)])
def test_more_holds_less_and_only_at_the_same_places(wanted: RawAce) -> None:
    held = Descriptor(records=(allow(0x94),))
    assert held.holds(wanted)
    assert not held.holds(RawAce(type=ALLOWED, flags=0, mask=wanted.mask, sid=SID))
    assert not held.holds(allow(wanted.mask, OTHER))
    assert not held.holds(allow(wanted.mask, object_type=uuid.UUID(int=1)))
