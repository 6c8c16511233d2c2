"""What a server holds of the directory in memory: it follows what it can see, and outlives the directory."""

import logging
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory import adapters
from tandem.directory import objects as o
from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.directory.errors import DirectoryUnavailable
from tandem.directory.index import Index, Table
from tandem.directory.layout import Layout
from tandem.directory.port import Changes, Session

ADMINISTRATORS = "Domain Admins"


@pytest.fixture
def adapter(tmp_path: Path) -> adapters.Adapter:
    made = adapters.make_embedded(tmp_path, Layout(forest="example.com", organization="Example"))
    adapters.populate_organization(made.owner, made.layout, made.people, rights=True)
    return made


def by_address(user: o.User) -> Iterable[str]:
    return (user.sip_address,) if user.sip_address else ()


def opened(connect: Session) -> tuple[Index, Table]:
    table = Table(by_address)
    return Index(lambda: connect, [(o.User, table)], own_people=True), table


def look(index: Index) -> bool:
    changes = index.poll()
    if changes is not None:
        index.take(changes)
    return changes is not None


def test_what_is_added_changed_renamed_and_deleted_is_followed(adapter: adapters.Adapter) -> None:
    index, table = opened(adapter.bind(ADMINISTRATORS))
    assert look(index) and not look(index)
    assert table["sip:aliceexample@example.com"].account == "aliceexample"
    repository = adapter.repository()
    dan = o.User(account="dan", container=str(adapter.people), sip_address="sip:dan@example.com")
    repository.add(dan)
    assert look(index)
    assert table["sip:dan@example.com"].account == "dan"
    adapter.owner.replace(repository.dn_of(dan), {"msRTCSIP-PrimaryUserAddress": ["sip:daniel@example.com"]})
    assert look(index)
    assert "sip:dan@example.com" not in table and table["sip:daniel@example.com"].account == "dan"
    adapter.owner.delete(repository.dn_of(dan))
    assert look(index)
    assert "sip:daniel@example.com" not in table and not look(index)
    assert [u.account for u in index.all(o.User)].count("dan") == 0


def test_what_may_no_longer_be_seen_is_gone_and_comes_back(adapter: adapters.Adapter) -> None:
    reader = adapter.bind("RTCComponentUniversalServices")
    index, _ = opened(reader)
    look(index)
    assert index.all(o.UMDialPlan) == ()
    rights = [(DN.parse(text), aces) for text, aces in exchucutil_aces(adapter.layout)]
    for dn, aces in rights:
        adapter.owner.grant(dn, aces)
    look(index)
    assert [plan.name for plan in index.all(o.UMDialPlan)] == ["Main"]
    for dn, aces in rights:
        adapter.owner.revoke(dn, aces)
    look(index)
    assert index.all(o.UMDialPlan) == ()


def test_an_entry_that_cannot_be_read_is_named_and_harms_no_other(
    adapter: adapters.Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    index, table = opened(adapter.bind(ADMINISTRATORS))
    look(index)
    adapter.repository().add(o.VoiceDialPlan(identity="Global", simple_name="Global"))
    dn = adapter.layout.voice_dial_plans.child("CN", "Global")
    look(index)
    assert [each.simple_name for each in index.all(o.VoiceDialPlan)] == ["Global"]
    adapter.owner.replace(dn, {"tandemNormalizationRules": ["no rule"]})
    with caplog.at_level(logging.WARNING, "tandem.directory"):
        look(index)
    assert "no rule" in caplog.text and "CN=Global" in caplog.text
    assert index.all(o.VoiceDialPlan) == () and table
    adapter.owner.replace(dn, {"tandemNormalizationRules": []})
    look(index)
    assert [each.simple_name for each in index.all(o.VoiceDialPlan)] == ["Global"]


def test_what_is_known_stays_while_the_directory_is_away(adapter: adapters.Adapter, tmp_path: Path) -> None:
    session = adapter.bind(ADMINISTRATORS)
    index, table = opened(session)
    look(index)
    session.close()
    with pytest.raises(Exception, match="closed"):
        index.poll()
    assert table["sip:aliceexample@example.com"].account == "aliceexample"

    def away() -> Session:
        raise DirectoryUnavailable("no domain controller answers")

    never = Index(away, own_people=True)
    with pytest.raises(DirectoryUnavailable):
        never.poll()
    assert never.all(o.User) == ()


class _Thing:
    def __init__(self, keys: tuple[int, ...]) -> None:
        self.keys = keys


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.sets(st.integers(0, 3)))))
def test_of_several_with_a_key_the_first_that_is_still_there_has_it(steps: list[tuple[bool, int, set[int]]]) -> None:
    table = Table(lambda thing: thing.keys)
    held: list[_Thing] = []
    for add, place, keys in steps:
        if add:
            held.append(_Thing(tuple(keys)))
            table.add(held[-1])
        elif held:
            table.remove(held.pop(place % len(held)))
        first: dict[int, _Thing] = {}
        for thing in held:
            for key in thing.keys:
                first.setdefault(key, thing)
        assert dict(table) == first


def test_nothing_is_taken_over_by_looking_alone(adapter: adapters.Adapter) -> None:
    index, table = opened(adapter.bind(ADMINISTRATORS))
    changes = index.poll()
    assert isinstance(changes, Changes) and not table
