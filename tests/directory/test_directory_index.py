"""What a server holds of the directory in memory: it follows what it can see, and outlives the directory."""

import dataclasses
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory import adapters
from tandem.directory import counts
from tandem.directory import objects as o
from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.directory.errors import DirectoryUnavailable
from tandem.directory.index import Index, Snapshot, Table
from tandem.directory.layout import Layout
from tandem.directory.port import Changes, Entry, Session

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
    (dans,) = [uid for uid, user in index.by_id(o.User).items() if user.account == "dan"]
    adapter.owner.replace(repository.dn_of(dan), {"msRTCSIP-PrimaryUserAddress": ["sip:daniel@example.com"]})
    assert look(index)
    assert "sip:dan@example.com" not in table and table["sip:daniel@example.com"].account == "dan"
    assert index.by_id(o.User)[dans] is table["sip:daniel@example.com"]
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
    assert isinstance(changes, Snapshot) and changes.held and not table


class _Scripted:
    """A session whose feed hands over these changes, one after the other; each time it is followed, it begins again."""

    account = "reader"
    identity = DN.parse("CN=reader,DC=example,DC=com")

    def __init__(self, *changes: Changes) -> None:
        self._changes = changes

    def search(self, *_: object) -> list[Entry]:
        """There are no trusts."""
        return []

    def follow(self, _: object) -> "_Scripted":
        self._next = iter(self._changes)
        return self

    def poll(self) -> Changes | None:
        return next(self._next, None)


def entry(name: str, class_: str = "user", **attributes: str) -> Entry:
    held = {key.lower(): (text,) for key, text in attributes.items()}
    dn = DN.parse(f"CN={name},DC=example,DC=com")
    return Entry(dn=dn, uid=name, attributes={"objectclass": ("top", class_), "samaccountname": (name,), **held})


def scripted(*changes: Changes, table: Table | None = None) -> Index:
    session: Any = _Scripted(*changes)
    return Index(lambda: session, [(o.User, table)] if table is not None else [], own_people=True)


def accounts(index: Index) -> list[str]:
    return [user.account for user in index.all(o.User)]


def test_an_entry_of_a_class_that_nobody_knows_costs_itself_only_and_is_counted_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    people = tuple(entry(name, class_) for name, class_ in (("a", "user"), ("m", "acmeThing"), ("z", "user")))
    again = Changes(entries=people, present={DN.parse("DC=example,DC=com").path: frozenset("amz")})
    index = scripted(Changes(entries=people), again, again)
    before = counts.bad_entries.value
    with caplog.at_level(logging.WARNING, "tandem.directory"):
        look(index)
        assert not look(index), "what is read again and is the same is no change"
    assert accounts(index) == ["a", "z"]
    assert counts.bad_entries.value == before + 1
    assert [r.getMessage() for r in caplog.records if "CN=m," in r.getMessage() and "acmething" in r.getMessage()]


def test_what_was_found_and_not_taken_is_handed_over_again() -> None:
    index = scripted(Changes(entries=(entry("a"),)), Changes(entries=(entry("b"),)))
    index.poll()  # a server is interrupted before it takes it
    index.poll()
    assert accounts(index) == []
    again = index.poll()
    assert again is not None
    index.take(again)
    assert accounts(index) == ["a", "b"]
    assert index.poll() is None


def test_a_table_may_hold_objects_of_several_types() -> None:
    line = "tel:+14255550100"
    person = entry("a", **{"msRTCSIP-Line": line})
    contact = entry("c", "contact", displayName="C", **{"msRTCSIP-Line": "tel:+14255550199"})
    session: Any = _Scripted(Changes(entries=(person, contact)), Changes(gone=frozenset("c")))
    lines = Table(lambda each: [each.line_uri])
    index = Index(lambda: session, [(o.User, lines), (o.Contact, lines)], own_people=True)
    look(index)
    assert set(lines) == {line, "tel:+14255550199"}
    look(index)
    assert set(lines) == {line}


def test_the_directory_is_read_from_the_start_when_what_it_told_could_not_be_taken_in() -> None:
    asked = 0

    def keys(user: o.User) -> list[str]:
        nonlocal asked
        asked += 1
        if user.account == "b" and asked == 2:
            raise MemoryError
        return [user.account]

    index = scripted(Changes(entries=(entry("a"),)), Changes(entries=(entry("b"),)), table=Table(keys))
    look(index)
    with pytest.raises(MemoryError):
        look(index)
    assert accounts(index) == ["a"]
    look(index)
    look(index)
    assert accounts(index) == ["a", "b"]


def test_the_secret_of_who_takes_a_place_stays_when_the_one_before_leaves_it() -> None:
    moved = dataclasses.replace(entry("x", tandemSipSecret="two"), uid="2")
    left = dataclasses.replace(entry("y", tandemSipSecret="one"), uid="1")
    first = dataclasses.replace(entry("x", tandemSipSecret="one"), uid="1")
    index = scripted(Changes(entries=(first,)), Changes(entries=(moved, left)))
    look(index)
    look(index)
    assert {user.account: index.sip_secret(user) for user in index.all(o.User)} == {"x": "two", "y": "one"}


@pytest.mark.slow
def test_taking_20_000_users_into_force_is_no_work_for_the_loop_and_what_is_shown_before_is_the_old_state() -> None:
    many, asked = 20_000, 0

    def keys(user: o.User) -> list[str]:
        nonlocal asked
        asked += 1
        return [user.account]

    people = tuple(entry(f"user{number}") for number in range(many))
    changed = (entry("user7", displayName="Seven"), entry("more"))
    table = Table(keys)
    index = scripted(Changes(entries=people), Changes(entries=changed, gone=frozenset({"user9"})), table=table)
    for users, seven, nine in ((many, "", True), (many, "Seven", False)):
        before = len(table), asked
        found = index.poll()
        assert found is not None and len(table) == before[0]
        asked = 0
        index.take(found)
        assert asked == 0, "the loop looked at objects one by one"
        assert (len(table), len(index)) == (users, users)
        assert table["user7"].display_name == seven and ("user9" in table) is nine
