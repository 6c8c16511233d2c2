import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.directory import objects as o
from tandem.directory.defaults import domain_aces, exchange_aces, voice_aces
from tandem.directory.dn import DN
from tandem.directory.errors import (
    AccessDenied,
    BadName,
    DirectoryUnavailable,
    InvalidCredentials,
    SchemaViolation,
)
from tandem.directory.filters import escape, parse_filter
from tandem.directory.layout import Layout
from tandem.directory.port import FULL_CONTROL, Ace, Feed, Part, Right, Scope
from tandem.directory.repository import Repository
from tandem.directory.sqlite.session import EmbeddedDirectory, EmbeddedSession
from tandem.directory.sqlite.store import backup, create_embedded, restore
from tandem.org.groups import GROUPS
from tandem.org.vocabulary import UriType, VoIPSecurity
from tandem.testing.clock import ManualClock

LAYOUT = Layout(forest="example.com", organization="Example")
PEOPLE = "OU=People,DC=example,DC=com"
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The containers, the groups, one account per group named like it without spaces, a dial plan and a user."""
    path = tmp_path_factory.mktemp("template") / "directory.db"
    create_embedded(path)
    made = EmbeddedDirectory(path)
    owner = made.trusted()
    repository = Repository(owner, LAYOUT)
    with owner.transaction():
        owner.add(LAYOUT.domain, {"objectClass": ["domainDNS"]}, aces=domain_aces("example.com", (LAYOUT,)))
        for dn in (LAYOUT.users, LAYOUT.computers, LAYOUT.configuration, LAYOUT.services, LAYOUT.microsoft_exchange):
            owner.add(dn, {"objectClass": ["container"]})
        owner.add(
            LAYOUT.exchange,
            {"objectClass": ["msExchOrganizationContainer"]},
            aces=exchange_aces(LAYOUT),
            protected=True,
        )
        for dn in (
            LAYOUT.um_dial_plans,
            LAYOUT.um_ip_gateways,
            LAYOUT.um_auto_attendants,
            LAYOUT.administrative_groups,
        ):
            owner.add(dn, {"objectClass": ["container"]})
        for dn, class_ in ((LAYOUT.rtc_service, "msRTCSIP-Service"), (LAYOUT.voice, "container")):
            owner.add(dn, {"objectClass": [class_]}, aces=voice_aces(LAYOUT))
        owner.add(LAYOUT.pools, {"objectClass": ["msRTCSIP-Pools"]})
        owner.add(DN.parse(PEOPLE), {"objectClass": ["organizationalUnit"]})
        for names in GROUPS.values():
            for name in names:
                account = o.User(account=name.replace(" ", ""), container=str(LAYOUT.computers))
                repository.add(account)
                # The account is in a group that is in the group.
                repository.add(o.Group(name=f"{name} people", members=(str(repository.dn_of(account)),)))
                repository.add(o.Group(name=name, members=(str(LAYOUT.group(f"{name} people")),)))
                owner.set_password(repository.dn_of(account), PASSWORD)
        repository.add(
            o.UMDialPlan(
                name="Main",
                phone_context="Main.example.com",
                uri_type=UriType.SIP_NAME,
                voip_security=VoIPSecurity.SECURED,
                extension_digits=4,
                access_numbers=("+14255550100",),
            )
        )
        repository.add(o.User(account="alice", container=PEOPLE, sip_address="sip:alice@example.com"))
    owner.close()
    return path


@pytest.fixture
def directory(template: Path, tmp_path: Path) -> EmbeddedDirectory:
    shutil.copy(template, tmp_path / "directory.db")
    return EmbeddedDirectory(tmp_path / "directory.db")


def bound(directory: EmbeddedDirectory, group: str) -> EmbeddedSession:
    return directory.bind(group.replace(" ", ""), PASSWORD)


def repository_of(directory: EmbeddedDirectory, group: str) -> Repository:
    return Repository(bound(directory, group), LAYOUT)


def test_a_group_that_loses_a_member_takes_its_rights_at_once(directory: EmbeddedDirectory) -> None:
    session = bound(directory, "Recipient Management")
    dn = DN.parse(f"CN=alice,{PEOPLE}")
    assert session.may(Right.WRITE, dn, "proxyAddresses")
    directory.trusted().replace(LAYOUT.group("Recipient Management people"), {"member": []})
    assert not session.may(Right.WRITE, dn, "proxyAddresses")


def test_who_may_make_contacts_cannot_make_groups_users_or_accounts_of_them(directory: EmbeddedDirectory) -> None:
    session = bound(directory, "RTCUniversalUserAdmins")
    here = str(session.identity)
    with pytest.raises(SchemaViolation, match="no group"):
        session.add(LAYOUT.group("Not yet there"), {"objectClass": ["contact"], "member": [here]})
    with pytest.raises(SchemaViolation, match="one objectClass"):
        session.add(DN.parse(f"CN=x,{PEOPLE}"), {"objectClass": ["user", "contact"]})
    contact = DN.parse(f"CN=x,{PEOPLE}")
    session.add(contact, {"objectClass": ["contact"]})
    with pytest.raises(SchemaViolation, match="cannot be changed"):
        session.replace(contact, {"objectClass": ["group"]})
    with pytest.raises(SchemaViolation, match="no account"):
        session.set_password(contact, "p")


def test_who_may_make_an_entry_gives_no_rights_by_it_and_puts_nothing_below_it(directory: EmbeddedDirectory) -> None:
    owner, maker = directory.trusted(), bound(directory, "RTCUniversalUserAdmins")
    people = DN.parse(PEOPLE)
    owner.grant(people, (Ace(principal=maker.identity, rights=Right.CREATE, object_class="contact"),))
    contact = people.child("CN", "mine")
    own = Ace(principal=maker.identity, rights=FULL_CONTROL)
    for how in ({"aces": (own,)}, {"protected": True}):
        with pytest.raises(AccessDenied, match="write acl"):
            maker.add(contact, {"objectClass": ["contact"]}, **how)  # type: ignore[arg-type]
    maker.add(contact, {"objectClass": ["contact"]})
    assert owner.aces(contact) == ()
    for class_ in ("user", "group", "container"):
        with pytest.raises(SchemaViolation, match=f"a {class_} cannot be below a contact; expected .*container"):
            owner.add(contact.child("CN", "below"), {"objectClass": [class_]})
    owner.add(people.child("CN", "other"), {"objectClass": ["contact"]}, aces=(own,))


def test_who_takes_a_deleted_accounts_name_is_in_none_of_its_groups(directory: EmbeddedDirectory) -> None:
    session = directory.trusted()
    alice = DN.parse(f"CN=alice,{PEOPLE}")
    session.replace(LAYOUT.group("Domain Admins people"), {"member": [str(alice).replace("CN=", "cn=")]})
    assert LAYOUT.group("Domain Admins") in session.groups_of(alice)
    session.delete(alice)
    session.add(alice, {"objectClass": ["user"]})
    assert session.groups_of(alice) == frozenset()


WRITER = f"""
import pathlib, sys
from tandem.directory.dn import DN
from tandem.directory.sqlite.session import EmbeddedDirectory
session = EmbeddedDirectory(pathlib.Path(sys.argv[1])).trusted()
for number in range(100_000):
    with session.transaction():
        for part in "ab":
            session.add(DN.parse(f"CN={{number}}{{part}},{PEOPLE}"), {{"objectClass": ["user"]}})
"""


def test_a_process_killed_while_it_writes_leaves_whole_transactions(
    directory: EmbeddedDirectory, tmp_path: Path
) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "directory.db")])
    session = directory.trusted()
    before = session.change_number()
    deadline = time.monotonic() + 20
    while session.change_number() < before + 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    written = [e.dn.name for e in session.search(DN.parse(PEOPLE), scope=Scope.ONE) if e.dn.name != "alice"]
    assert len(written) >= 10
    assert sorted(n[:-1] for n in written if n.endswith("a")) == sorted(n[:-1] for n in written if n.endswith("b"))


def test_a_wrong_password_is_refused_and_ten_lock_the_account(directory: EmbeddedDirectory) -> None:
    for _ in range(10):
        with pytest.raises(InvalidCredentials):
            directory.bind("DomainAdmins", "wrong")
    with pytest.raises(InvalidCredentials, match="locked"):
        directory.bind("DomainAdmins", PASSWORD)
    with pytest.raises(InvalidCredentials):
        directory.bind("nobody", PASSWORD)


def test_a_missing_or_foreign_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DirectoryUnavailable, match="tandem init"):
        EmbeddedDirectory(tmp_path / "none.db").bind("a", "b")
    (tmp_path / "text.db").write_text("this is no database, however long it may be" * 50)
    with pytest.raises(DirectoryUnavailable, match="cannot be used"):
        EmbeddedDirectory(tmp_path / "text.db").bind("a", "b")


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip))
def test_any_value_survives_a_distinguished_name_and_a_filter(value: str) -> None:
    dn = DN.parse(PEOPLE).child("CN", value)
    assert DN.parse(str(dn)) == dn
    assert DN.parse(str(dn)).name == value
    assert parse_filter(f"(&(cn={escape(value)})(objectClass=user))").match(
        lambda name: {"cn": [value], "objectClass": ["user"]}[name]
    )


def test_escaped_bytes_are_utf_8_in_names_and_filters() -> None:
    assert DN.parse(r"CN=Ren\C3\A9e\2C \e6\97\a5,DC=example").name == "Renée, 日"
    assert parse_filter(r"(cn=Ren\c3\a9e\2a)").match(lambda _: ("renée*",))
    for wrong in (r"CN=\C3,DC=example", r"CN=a\ff,DC=example", "CN=a\\"):
        with pytest.raises(BadName):
            DN.parse(wrong)
    with pytest.raises(BadName):
        parse_filter(r"(cn=\c3\28)")


@given(st.text('\\,="+ #;<>aé\x00\n', max_size=30))
def test_no_text_makes_a_name_that_is_read_as_another(text: str) -> None:
    try:
        dn = DN.parse(f"CN={text}")
    except BadName:
        return
    assert DN.parse(str(dn)) == dn


@given(st.text(max_size=40))
def test_no_text_makes_the_filter_parser_raise_anything_else(text: str) -> None:
    for candidate in (text, f"({text})", "(&" * 50 + text):
        try:
            parse_filter(candidate)
        except BadName:
            pass


@pytest.mark.slow
@pytest.mark.parametrize("jump_s", [-86_400.0, 0.0, 86_400.0], ids=["back a day", "none", "forward a day"])
def test_a_lock_lasts_no_longer_than_a_quarter_of_an_hour_however_the_clock_jumps(
    directory: EmbeddedDirectory, tmp_path: Path, jump_s: float
) -> None:
    clock = ManualClock()
    guarded = EmbeddedDirectory(tmp_path / "directory.db", clock)
    for _ in range(10):
        with pytest.raises(InvalidCredentials):
            guarded.bind("DomainAdmins", "wrong")
    clock.advance(jump_s)
    if jump_s <= 0:
        with pytest.raises(InvalidCredentials, match="locked"):
            guarded.bind("DomainAdmins", PASSWORD)
    clock.advance(901)
    guarded.bind("DomainAdmins", PASSWORD).close()


def test_guesses_at_the_same_time_are_all_counted(directory: EmbeddedDirectory) -> None:
    def guess(_: int) -> None:
        with pytest.raises(InvalidCredentials):
            directory.bind("DomainAdmins", "wrong")

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(guess, range(10)))
    with pytest.raises(InvalidCredentials, match="locked"):
        directory.bind("DomainAdmins", PASSWORD)


# Following


USERS = (Part(base=DN.parse(PEOPLE), classes=frozenset({"user"})),)


def told(feed: Feed) -> tuple[list[str], bool] | None:
    """The names of entries that a poll tells of, and whether everything was read."""
    changes = feed.poll()
    return None if changes is None else ([entry.dn.name for entry in changes.entries], bool(changes.present))


def test_everything_is_read_again_for_rights_of_ones_own_and_not_for_those_of_others(
    directory: EmbeddedDirectory,
) -> None:
    owner, reader = directory.trusted(), bound(directory, "RTCUniversalUserAdmins")
    feed = reader.follow(USERS)
    assert told(feed) == (["alice"], True)
    people, group = DN.parse(PEOPLE), LAYOUT.group("UM Management")
    foreign = Ace(principal=LAYOUT.group("UM Management"), rights=Right.WRITE)
    owner.grant(people, (foreign,))
    owner.replace(group, {"member": ()})
    owner.replace(people.child("CN", "alice"), {"displayName": ["Alice"]})
    assert told(feed) == (["alice"], False)
    assert told(feed) is None
    own = Ace(principal=reader.identity, rights=Right.READ)
    owner.grant(people, (own,))
    assert told(feed) == (["alice"], True)
    owner.revoke(people, (own,))
    assert told(feed) == (["alice"], True)
    mine = LAYOUT.group("RTCUniversalUserAdmins people")
    owner.replace(mine, {"member": ()})
    assert told(feed) == ([], True), "who is in no group any more sees nobody"


def test_a_restored_directory_is_read_again_though_its_changes_are_older(
    directory: EmbeddedDirectory, tmp_path: Path
) -> None:
    owner, alice = directory.trusted(), DN.parse(PEOPLE).child("CN", "alice")
    kept = other(directory, tmp_path)
    owner.replace(alice, {"displayName": ["Later"]})
    feed = bound(directory, "RTCUniversalUserAdmins").follow(USERS)
    feed.poll()
    for _ in range(2):
        restore(kept, tmp_path / "directory.db")
        assert told(feed) == (["alice"], True)
        assert told(feed) is None


def test_an_id_that_was_given_since_the_copy_is_nobody_elses_after_a_restore(
    directory: EmbeddedDirectory, tmp_path: Path
) -> None:
    owner = directory.trusted()
    kept = other(directory, tmp_path)
    owner.add(DN.parse(PEOPLE).child("CN", "zoe"), {"objectClass": ["user"], "sAMAccountName": ["zoe"]})
    zoe = uid_of(directory, "zoe")
    restore(kept, tmp_path / "directory.db")
    directory.trusted().add(DN.parse(PEOPLE).child("CN", "dan"), {"objectClass": ["user"], "sAMAccountName": ["dan"]})
    assert int(uid_of(directory, "dan")) > int(zoe)


def uid_of(directory: EmbeddedDirectory, account: str) -> str:
    entry = directory.trusted().get(DN.parse(PEOPLE).child("CN", account))
    assert entry is not None
    return entry.uid


def other(directory: EmbeddedDirectory, tmp_path: Path, **names: str) -> Path:
    """A copy of the directory, in which accounts are displayed by other names."""
    copy = tmp_path / "other.db"
    backup(tmp_path / "directory.db", copy)
    owner = EmbeddedDirectory(copy).trusted()
    for account, name in names.items():
        owner.replace(DN.parse(PEOPLE).child("CN", account), {"displayName": [name]})
    owner.close()
    return copy


def test_a_file_that_is_moved_in_place_of_the_directory_is_read_and_written_from_then_on(
    directory: EmbeddedDirectory, tmp_path: Path
) -> None:
    copy = other(directory, tmp_path, alice="Of the copy")
    reader, writer = bound(directory, "RTCUniversalUserAdmins"), directory.trusted()
    alice = DN.parse(PEOPLE).child("CN", "alice")
    # What is only in the log of the file before must not show in the one after.
    writer.replace(alice, {"displayName": ["Of the log"]})
    feed = reader.follow(USERS)
    assert told(feed) == (["alice"], True)
    assert told(feed) is None
    copy.rename(tmp_path / "directory.db")
    changes = feed.poll()
    assert changes is not None
    assert [entry.first("displayName") for entry in changes.entries] == ["Of the copy"]
    writer.replace(alice, {"displayName": ["Written since"]})
    assert told(feed) == (["alice"], False)
    again = EmbeddedDirectory(tmp_path / "directory.db").trusted().get(alice)
    assert again is not None and again.first("displayName") == "Written since"


def test_a_session_is_let_in_by_the_file_that_takes_the_place_or_waits_for_one_that_does(
    directory: EmbeddedDirectory, tmp_path: Path
) -> None:
    reader = bound(directory, "RTCUniversalUserAdmins")
    feed = reader.follow(USERS)
    feed.poll()
    place = tmp_path / "directory.db"
    good, changed = other(directory, tmp_path).rename(tmp_path / "good.db"), other(directory, tmp_path)
    owner = EmbeddedDirectory(changed).trusted()
    owner.set_password(reader.identity, "another one")
    owner.close()
    (tmp_path / "bad.db").write_bytes(b"no directory")
    place.unlink()
    assert feed.poll() is None, "a file that is gone for a moment is no reason to forget what is known"
    for file, error in ((tmp_path / "bad.db", DirectoryUnavailable), (changed, InvalidCredentials)):
        file.rename(place)
        for _ in range(2):
            with pytest.raises(error):
                feed.poll()
    good.rename(place)
    assert told(feed) == (["alice"], True)
