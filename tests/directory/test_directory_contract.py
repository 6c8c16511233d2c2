"""One contract for every directory: what the process and the servers rely on."""

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory import adapters
from directory.adapters import Adapter, alice
from tandem.directory import counts
from tandem.directory import objects as o
from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.directory.errors import (
    AccessDenied,
    AlreadyExists,
    BadEntry,
    BadName,
    DirectoryError,
    InvalidCredentials,
    NoSuchObject,
    SchemaViolation,
)
from tandem.directory.filters import escape
from tandem.directory.layout import Layout
from tandem.directory.opening import open_directory
from tandem.directory.port import Ace, Inherit, Part, Right, Scope
from tandem.directory.repository import Repository
from tandem.org.vocabulary import DigestAlgorithm, MediaEncryption, PoolKind, PoolType, Transport, VoIPSecurity

_COUNT = itertools.count(1)


def layout() -> Layout:
    return Layout(forest="example.com", organization=f"Org{next(_COUNT)}")


@pytest.fixture(scope="module")
def samba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adapter]:
    folder = tmp_path_factory.mktemp("samba") / "dc"
    with adapters.Samba(folder, "example.com", "127.0.0.31") as controller:
        place = controller.place
        owner = adapters.prepare_samba(place, adapters.administrator_password(folder))
        base = layout()
        adapters.populate_forest(owner, base)
        adapters.populate_rights(owner, base)
        opened = open_directory(place)
        owner = opened.bind("administrator", adapters.administrator_password(folder))
        yield Adapter(
            name="samba",
            layout=base,
            owner=owner,
            directory=opened,
        )
        owner.close()


@pytest.fixture(scope="module")
def slapd() -> Iterator[Adapter]:
    # It runs as nobody, whom pytest's own folders are closed to.
    with tempfile.TemporaryDirectory(prefix="tandem-slapd-") as folder, adapters.slapd(Path(folder)) as place:
        base = layout()
        owner = adapters.make_slapd_base(place, base)
        yield Adapter(name="slapd", layout=base, owner=owner, directory=open_directory(place))
        owner.close()


EMBEDDED = pytest.param("embedded")
SLAPD, SAMBA = (pytest.param(name, marks=pytest.mark.peer) for name in ("slapd", "samba"))


def own_organization(request: pytest.FixtureRequest, tmp_path: Path) -> Adapter:
    """A directory with an organization and people that are this test's own."""
    own = layout()
    if request.param == "embedded":
        made = adapters.make_embedded(tmp_path, own)
    else:
        base = request.getfixturevalue(request.param)
        made = Adapter(name=base.name, layout=own, owner=base.owner, directory=base.directory)
    adapters.populate_organization(made.owner, own, made.people, rights=made.has_rights)
    return made


@pytest.fixture(params=[EMBEDDED, SLAPD, SAMBA])
def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Adapter:
    return own_organization(request, tmp_path)


@pytest.fixture(params=[EMBEDDED, SAMBA])
def with_rights(request: pytest.FixtureRequest, tmp_path: Path) -> Adapter:
    """Those that have access control entries, accounts and change numbers: slapd's own configuration rules."""
    return own_organization(request, tmp_path)


# Objects


def test_objects_are_read_as_they_were_written(adapter: Adapter) -> None:
    repository = adapter.repository()
    gateway = o.UMIPGateway(
        name="pool1", address="pool1.example.com", port=5061, transport=Transport.TLS, outcalls_allowed=False
    )
    hunt_group = o.UMHuntGroup(name="Main", gateway="pool1", dial_plan="Main", pilot_identifier="Main")
    repository.add(gateway)
    repository.add(hunt_group)
    assert repository.get(o.UMIPGateway, "pool1") == gateway
    assert repository.all(o.UMHuntGroup) == (hunt_group,)
    assert repository.get(o.UMDialPlan, "main") == adapters.PLAN
    with pytest.raises(DirectoryError, match="refer"):
        repository.remove(adapters.PLAN)
    repository.remove(hunt_group)
    assert repository.all(o.UMHuntGroup) == ()


def test_rules_keep_their_order(adapter: Adapter) -> None:
    repository = adapter.repository()
    rules = tuple(o.NormalizationRule(name=n, pattern=f"^{n}$", translation="$1") for n in "zaqmbycx")
    plan = o.VoiceDialPlan(identity=f"Tag {adapter.layout.organization}", simple_name="Default", rules=rules)
    repository.add(plan)
    assert repository.get(o.VoiceDialPlan, plan.identity) == plan
    turned = o.VoiceDialPlan(identity=plan.identity, simple_name="Default", rules=rules[::-1])
    repository.update(plan, turned)
    assert repository.get(o.VoiceDialPlan, plan.identity) == turned


def test_a_user_is_changed_attribute_by_attribute(adapter: Adapter) -> None:
    repository = adapter.repository()
    before = repository.get(o.User, alice(adapter.layout))
    assert before is not None
    policy = o.UMMailboxPolicy(name="Main Default Policy", dial_plan="Main")
    repository.add(policy)
    after = o.User(
        account=before.account,
        container=before.container,
        display_name='Alice "A" O\'Neil, <Ltd>; #1',
        proxy_addresses=("sip:a@example.com", "EUM:4101;phone-context=Main.example.com"),
        um_flags=829,
        um_mailbox_policy=policy.name,
        um_dial_plan="Main",
        sip_enabled=True,
        option_flags=384,
    )
    repository.update(before, after)
    held = repository.get(o.User, before.account)
    assert held is not None
    assert sorted(held.proxy_addresses) == sorted(after.proxy_addresses)
    assert held == o.User(**{**_values(after), "proxy_addresses": held.proxy_addresses})
    assert repository.find(o.User, f"(msRTCSIP-PrimaryUserAddress={escape('sip:nobody')})") == ()
    repository.update(held, before)
    assert repository.get(o.User, before.account) == before


def test_an_entry_that_cannot_be_read_stops_the_process_and_not_a_server(adapter: Adapter) -> None:
    good, bad = (
        o.VoicePool(
            fqdn=f"{name}.example.com",
            kind=PoolKind.TANDEM,
            pool_type=PoolType.STANDARD_EDITION,
            servers=(f"{name}.example.com",),
            media_encryption=MediaEncryption.REQUIRE,
            digest=(DigestAlgorithm.SHA256,),
        )
        for name in ("good", "bad")
    )
    strict, lenient = adapter.repository(), Repository(adapter.owner, adapter.layout, lenient=True)
    for pool in (bad, good):
        strict.add(pool)
    adapter.owner.replace(strict.dn_of(bad), {"tandemKind": ["telepathy"]})
    with pytest.raises(BadEntry, match=r"(?i)CN=bad.example.com.*tandemkind holds 'telepathy'"):
        strict.all(o.VoicePool)
    before = counts.bad_entries.value
    assert lenient.all(o.VoicePool) == (good,)
    assert counts.bad_entries.value == before + 1
    for pool in (bad, good):
        adapter.owner.delete(strict.dn_of(pool))


def test_what_others_add_and_take_away_meanwhile_stays_so(adapter: Adapter) -> None:
    repository, session = adapter.repository(), adapter.owner
    user = adapter.people.child("CN", alice(adapter.layout))

    def addresses() -> list[str]:
        entry = session.get(user)
        return sorted(entry.all("proxyAddresses")) if entry else []

    session.replace(user, {"proxyAddresses": ["SMTP:a@example.com", "sip:a@example.com", "smtp:old@example.com"]})
    before = repository.get(o.User, alice(adapter.layout))
    assert before is not None
    # Exchange adds an address and takes one away after Tandem has looked.
    session.replace(user, {"proxyAddresses": ["SMTP:a@example.com", "sip:a@example.com", "x400:new"]})
    kept = [each for each in before.proxy_addresses if not each.startswith("sip:")]
    repository.update(before, replace(before, proxy_addresses=(*kept, "sip:b@example.com")))
    assert addresses() == ["SMTP:a@example.com", "sip:b@example.com", "x400:new"]
    # The same address becomes a secondary one: only its prefix changes.
    known = ["SMTP:a@example.com"]
    session.replace(user, {"proxyAddresses": ["smtp:a@example.com"]}, known={"proxyAddresses": known})
    assert addresses() == ["sip:b@example.com", "smtp:a@example.com", "x400:new"]
    # Without what was seen, everything is as it is given.
    session.replace(user, {"proxyAddresses": ["SMTP:c@example.com"]})
    assert addresses() == ["SMTP:c@example.com"]


def _values(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__slots__}  # type: ignore[attr-defined]


def test_filters_and_scopes_find_what_they_say(adapter: Adapter) -> None:
    session, people = adapter.owner, adapter.people
    for name in ("one", "two", "three"):
        session.add(people.child("CN", name), {"objectClass": ["contact"], "displayName": [f"The {name}"]})
    session.add(people.child("OU", "inner"), {"objectClass": ["organizationalUnit"]})
    session.add(people.child("OU", "inner").child("CN", "four"), {"objectClass": ["contact"]})

    def names(filter_: str, scope: Scope = Scope.SUBTREE) -> list[str]:
        return [entry.dn.name for entry in session.search(people, filter_, scope)]

    assert names("(&(objectClass=contact)(!(displayName=*)))") == ["four"]
    assert sorted(names("(objectClass=contact)", Scope.ONE)) == ["one", "three", "two"]
    assert sorted(names("(|(displayName=the T*)(cn=FOUR))")) == ["four", "three", "two"]
    assert names("(objectClass=*)", Scope.BASE) == [people.name]
    assert session.search(people.child("OU", "nowhere")) == []
    with pytest.raises(BadName):
        session.search(people, "(cn=*)(")


def test_more_entries_than_one_answer_holds_are_found(adapter: Adapter) -> None:
    with adapter.owner.transaction():
        for number in range(1200):
            adapter.owner.add(adapter.people.child("CN", f"c{number}"), {"objectClass": ["contact"]})
    assert len(adapter.owner.search(adapter.people, "(objectClass=contact)")) == 1200


def test_a_group_of_more_members_than_one_answer_holds_is_whole(adapter: Adapter) -> None:
    session = adapter.owner
    dns = [adapter.people.child("CN", f"m{number}") for number in range(1600)]
    group = adapter.people.child("CN", f"Many {adapter.layout.organization}")
    with session.transaction():
        for dn in dns:
            session.add(dn, {"objectClass": ["contact"]})
        session.add(group, {"objectClass": ["group"], "member": [str(dn) for dn in dns]})
    held = session.get(group)
    assert held is not None
    assert {DN.parse(text) for text in held.all("member")} == set(dns)


def test_what_is_there_is_not_made_again_and_what_is_not_there_is_not_changed(adapter: Adapter) -> None:
    session, absent = adapter.owner, adapter.people.child("CN", "absent")
    with pytest.raises(AlreadyExists):
        session.add(adapter.people, {"objectClass": ["organizationalUnit"]})
    with pytest.raises(NoSuchObject):
        session.add(absent.child("CN", "below"), {"objectClass": ["contact"]})
    for change in (
        lambda: session.replace(absent, {"displayName": ["x"]}),
        lambda: session.delete(absent),
        lambda: session.set_password(absent, "Secret-pass-9"),
    ):
        with pytest.raises(NoSuchObject):
            change()
    with pytest.raises(DirectoryError, match="below it"):
        session.delete(adapter.people)
    assert session.get(absent) is None


# Transactions and hostile values


def test_a_transaction_that_fails_leaves_nothing(adapter: Adapter) -> None:
    session = adapter.owner
    user = adapter.people.child("CN", alice(adapter.layout))
    contact = adapter.people.child("CN", "kept")
    session.add(contact, {"objectClass": ["contact"], "displayName": ["Kept"]})
    before = session.get(user)
    with pytest.raises(AlreadyExists), session.transaction():
        session.add(adapter.people.child("CN", "new"), {"objectClass": ["contact"]})
        session.replace(user, {"displayName": ["Other"], "proxyAddresses": ["sip:x@example.com"]})
        session.delete(contact)
        session.add(user, {"objectClass": ["user"]})
    assert session.get(adapter.people.child("CN", "new")) is None
    assert session.get(user).attributes == before.attributes  # type: ignore[union-attr]
    assert session.get(contact).first("displayName") == "Kept"  # type: ignore[union-attr]


HOSTILE = [
    "*)(objectClass=*",
    "a,CN=Users,DC=example",
    "q\"u\\o'te;<script>=+#",
    " leading and trailing ",
    "#hash",
    "İstanbul ß ﬁ ﷽ \U0001f4de \u202egnp.exe",
    "combining e\u0301 and zero\u200bwidth",
    "line\nbreak\tand\x7f",
    "(&(|!",
    "\\2a\\28",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_survive_or_are_refused(adapter: Adapter, value: str) -> None:
    session = adapter.owner
    dn = adapter.people.child("CN", "hostile")
    session.add(dn, {"objectClass": ["contact"], "displayName": [value]})
    assert session.get(dn).first("displayName") == value  # type: ignore[union-attr]
    found = session.search(adapter.people, f"(displayName={escape(value)})")
    assert (
        dn in [entry.dn for entry in found] or value.strip() != value or not value.isprintable() or not value.isascii()
    )
    assert len(session.search(adapter.people, f"(&(objectClass=contact)(displayName={escape('*)(cn=*')}))")) == 0


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_names_survive_or_are_refused(adapter: Adapter, value: str) -> None:
    dn = adapter.people.child("CN", value)
    try:
        adapter.owner.add(dn, {"objectClass": ["contact"]})
    except DirectoryError as error:
        assert str(error)
        assert adapter.owner.get(dn) is None
        return
    held = adapter.owner.get(dn)
    assert held is not None
    assert held.dn.parent == adapter.people
    assert held.dn.name.strip() == value.strip()
    adapter.owner.delete(dn)
    assert adapter.owner.get(dn) is None


@pytest.mark.parametrize("size", [4096, 65_536])
def test_a_large_value_comes_back_whole_or_is_refused(adapter: Adapter, size: int) -> None:
    repository = adapter.repository()
    policy = o.UMMailboxPolicy(name="Large", dial_plan="Main", um_enabled_text="é" * size)
    repository.add(policy)
    assert repository.get(o.UMMailboxPolicy, "Large") == policy
    with pytest.raises(SchemaViolation):
        repository.update(policy, o.UMMailboxPolicy(name="Large", dial_plan="Main", um_enabled_text="x" * 65_537))
    assert repository.get(o.UMMailboxPolicy, "Large") == policy


@pytest.mark.parametrize(
    "attributes",
    [
        {"objectClass": ["user"], "unheardOf": ["1"]},
        {"objectClass": ["unheardOf"]},
        {},
        {"objectClass": ["user"], "mail": ["a", "b"]},
        {"objectClass": ["user"], "mail": [""]},
        {"objectClass": ["user"], "mail": ["a\0b"]},
        {"objectClass": ["user"], "mail": ["\ud800"]},
    ],
)
def test_what_the_schema_does_not_have_is_refused(adapter: Adapter, attributes: dict[str, list[str]]) -> None:
    dn = adapter.people.child("CN", "x")
    with pytest.raises(SchemaViolation):
        adapter.owner.add(dn, attributes)
    assert adapter.owner.get(dn) is None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=200))
def test_any_text_comes_back(adapter: Adapter, value: str) -> None:
    dn = adapter.people.child("CN", alice(adapter.layout))
    try:
        adapter.owner.replace(dn, {"displayName": [value]})
    except SchemaViolation:
        return
    assert adapter.owner.get(dn).first("displayName") == value  # type: ignore[union-attr]


# Rights


def test_the_voice_side_sees_no_um_object_before_exchucutil_and_does_after_it(with_rights: Adapter) -> None:
    at = with_rights.layout
    voice = with_rights.repository("RTCComponentUniversalServices")
    assert voice.all(o.UMDialPlan) == ()
    assert voice.session.get(at.um_dial_plans) is None
    assert voice.session.get(at.exchange) is None
    assert not voice.session.may(Right.READ, at.um_dial_plans)
    with pytest.raises(DirectoryError, match=r"not there|not visible"):
        voice.session.grant(at.um_dial_plans, ())
    exchange = with_rights.bind("Organization Management")
    for dn, aces in exchucutil_aces(at):
        assert exchange.lacking(DN.parse(dn), aces) == aces
        exchange.grant(DN.parse(dn), aces)
        exchange.grant(DN.parse(dn), aces)
        assert exchange.lacking(DN.parse(dn), aces) == ()
    assert len(exchange.aces(at.um_dial_plans)) == 2
    assert [plan.name for plan in voice.all(o.UMDialPlan)] == ["Main"]
    assert voice.session.may(Right.READ, at.um_dial_plans)
    assert voice.session.get(at.um_mailbox_policies) is None
    plan = voice.all(o.UMDialPlan)[0]
    with pytest.raises(AccessDenied, match=r"has no right to write"):
        voice.update(plan, o.UMDialPlan(**{**_values(plan), "voip_security": VoIPSecurity.UNSECURED}))
    exchange.revoke(at.um_dial_plans, exchucutil_aces(at)[1][1])
    assert voice.all(o.UMDialPlan) == ()


def test_who_is_in_no_group_sees_no_um_object_since_the_organization_inherits_nothing(with_rights: Adapter) -> None:
    at, owner = with_rights.layout, with_rights.owner
    dn = with_rights.people.child("CN", alice(at))
    owner.set_password(dn, adapters.PASSWORD)
    assert owner.protected(at.exchange) and not owner.protected(at.services)
    user = with_rights.directory.bind(alice(at), adapters.PASSWORD)
    assert user.search(at.exchange) == []
    assert user.get(at.um_dial_plans) is None
    assert {entry.dn for entry in owner.search(at.exchange)} >= {at.exchange, at.um_dial_plans}


def test_the_sip_secret_is_written_by_voice_administrators_and_read_by_voice_servers(with_rights: Adapter) -> None:
    admin = with_rights.repository("RTCUniversalUserAdmins")
    user = admin.get(o.User, alice(with_rights.layout))
    assert user is not None
    admin.set_sip_secret(user, "s3cret")
    assert admin.sip_secret(user) == ""
    assert with_rights.repository("RTCHSUniversalServices").sip_secret(user) == "s3cret"
    groups = ["Organization Management", "Exchange Servers", "RTCUniversalServerAdmins"]
    # In Active Directory a Domain Admin has every right on users, this one too.
    for group in [*groups, "Domain Admins"] if with_rights.name == "embedded" else groups:
        assert with_rights.repository(group).sip_secret(user) == ""


def test_each_side_writes_only_its_own_attributes_of_a_user(with_rights: Adapter) -> None:
    people = with_rights.people
    dn = people.child("CN", alice(with_rights.layout))
    recipient, user_admin = with_rights.bind("Recipient Management"), with_rights.bind("RTCUniversalUserAdmins")
    recipient.replace(dn, {"msExchUMEnabledFlags": ["1"]})
    user_admin.replace(dn, {"msRTCSIP-Line": ["tel:+14255554101"]})
    with pytest.raises(AccessDenied):
        recipient.replace(dn, {"msRTCSIP-Line": ["tel:+1900"]})
    with pytest.raises(AccessDenied):
        user_admin.replace(dn, {"msExchUMEnabledFlags": ["0"]})
    with pytest.raises(AccessDenied):
        user_admin.add(people.child("CN", "eve"), {"objectClass": ["user"]})
    assert user_admin.may(Right.CREATE, people, object_class="contact")
    assert not user_admin.may(Right.CREATE, people, object_class="user")
    assert user_admin.may(Right.WRITE, dn, "msRTCSIP-Line")
    assert not recipient.may(Right.WRITE, dn, "msRTCSIP-Line")
    user_admin.add(people.child("CN", "sa"), {"objectClass": ["contact"]})
    user_admin.delete(people.child("CN", "sa"))


def test_who_loses_the_membership_has_lost_the_rights_when_he_binds_anew(with_rights: Adapter) -> None:
    group = with_rights.layout.group("Recipient Management people")
    dn = with_rights.people.child("CN", alice(with_rights.layout))
    held = with_rights.owner.get(group).all("member")  # type: ignore[union-attr]
    with_rights.owner.replace(group, {"member": []})
    try:
        session = with_rights.bind("Recipient Management")
        assert not session.may(Right.WRITE, dn, "proxyAddresses")
        with pytest.raises(DirectoryError):
            session.replace(dn, {"proxyAddresses": ["sip:x@example.com"]})
    finally:
        with_rights.owner.replace(group, {"member": held})
    assert with_rights.bind("Recipient Management").may(Right.WRITE, dn, "proxyAddresses")


def test_membership_counts_through_groups(with_rights: Adapter) -> None:
    at = with_rights.layout
    session = with_rights.bind("UM Management")
    groups = session.groups_of(session.identity)
    assert {at.group("UM Management"), at.group("UM Management people")} <= groups
    assert at.group("Organization Management") not in groups
    assert session.identity in with_rights.owner.members(at.group("UM Management"))
    assert with_rights.owner.members(at.group("absent")) == frozenset()


def test_rights_for_a_class_and_for_some_attributes_are_read_back(with_rights: Adapter) -> None:
    session, people = with_rights.owner, with_rights.people
    group = with_rights.layout.group("UM Management")
    attributes = frozenset({"mail", "displayname"})
    wanted = (
        Ace(principal=group, rights=Right.LIST | Right.READ, inherit=Inherit.THIS),
        Ace(principal=group, rights=Right.WRITE, object_class="user", attributes=attributes),
        Ace(principal=group, rights=Right.CREATE | Right.DELETE | Right.WRITE, object_class="contact"),
    )
    assert session.lacking(people, wanted) == wanted
    session.grant(people, wanted[:2])
    assert session.lacking(people, wanted) == wanted[2:]
    shown = [ace for ace in session.aces(people) if ace.principal == group and ace.attributes]
    assert frozenset().union(*(ace.attributes for ace in shown)) == attributes
    member = with_rights.bind("UM Management")
    member.replace(people.child("CN", alice(with_rights.layout)), {"mail": ["a@example.com"]})
    session.revoke(people, wanted[:2])
    assert session.lacking(people, wanted) == wanted
    with pytest.raises(AccessDenied):
        member.replace(people.child("CN", alice(with_rights.layout)), {"mail": ["b@example.com"]})


def test_a_wrong_password_is_refused(with_rights: Adapter) -> None:
    session = with_rights.bind("UM Management")
    assert session.has_password(session.identity)
    assert not session.has_password(with_rights.people.child("CN", alice(with_rights.layout)))
    for password in ("Wrong-horse-9", ""):
        with pytest.raises(InvalidCredentials):
            with_rights.directory.bind(session.account, password)
    with pytest.raises(InvalidCredentials):
        with_rights.directory.bind("nobody", adapters.PASSWORD)


def test_an_account_name_is_there_once(with_rights: Adapter) -> None:
    name = alice(with_rights.layout).upper()
    with pytest.raises((AlreadyExists, SchemaViolation)):
        with_rights.owner.add(
            with_rights.people.child("CN", "other"), {"objectClass": ["user"], "sAMAccountName": [name]}
        )
    assert with_rights.owner.get(with_rights.people.child("CN", "other")) is None


def test_an_account_is_renamed_and_its_entry_keeps_its_name_and_all_that_it_holds(adapter: Adapter) -> None:
    name, renamed = alice(adapter.layout), f"n{alice(adapter.layout)}"
    repository, dn = adapter.repository(), adapter.people.child("CN", name)
    adapter.owner.replace(dn, {"userPrincipalName": [f"{name}@example.com"]})
    user = repository.get(o.User, name)
    assert user is not None
    repository.set_sip_secret(user, "s3cret")
    before = adapter.owner.get(dn)
    repository.rename(replace(user, account=renamed, cn=name), name)
    assert repository.get(o.User, name) is None
    now = repository.get(o.User, renamed)
    assert now == replace(user, account=renamed, cn=name) and now.entry_name == name
    after = adapter.owner.get(dn)
    assert before is not None and after is not None and after.uid == before.uid
    own = {"samaccountname": (renamed,), "userprincipalname": (f"{renamed}@example.com",)}
    assert after.attributes == {**before.attributes, **own}
    with pytest.raises(SchemaViolation, match="cannot be changed"):
        adapter.owner.replace(dn, {"sAMAccountName": []})


def test_an_account_is_not_renamed_to_one_that_is_there(with_rights: Adapter) -> None:
    repository, taken = with_rights.repository(), adapters.account_of("UM Management")
    user = repository.get(o.User, alice(with_rights.layout))
    assert user is not None
    with pytest.raises((AlreadyExists, SchemaViolation)):
        repository.rename(replace(user, account=taken, cn=user.account), user.account)
    assert repository.get(o.User, user.account) == user


def test_who_may_write_settings_of_users_renames_none(with_rights: Adapter) -> None:
    dn = with_rights.people.child("CN", alice(with_rights.layout))
    with pytest.raises(AccessDenied):
        with_rights.bind("Recipient Management").replace(dn, {"sAMAccountName": ["other"]})


# Following


def test_a_feed_tells_what_is_there_and_then_what_changes(with_rights: Adapter) -> None:
    session, people, name = with_rights.owner, with_rights.people, alice(with_rights.layout)
    feed = session.follow([Part(base=people, classes=frozenset({"user", "contact"}))])
    first = feed.poll()
    assert first is not None
    assert [entry.dn.name for entry in first.entries] == [name]
    uid = first.entries[0].uid
    assert first.present == {people.path: {uid}}
    session.replace(people.child("CN", name), {"displayName": ["Changed"]})
    session.add(people.child("CN", "new"), {"objectClass": ["contact"]})
    second = feed.poll()
    assert second is not None
    assert {(e.dn.name, e.first("displayName")) for e in second.entries} == {
        (name, "Changed"),
        ("new", ""),
    }
    assert uid in {entry.uid for entry in second.entries}
    gone = next(entry.uid for entry in second.entries if entry.dn.name == "new")
    session.delete(people.child("CN", "new"))
    third = feed.poll()
    assert third is not None
    assert gone in third.gone
    assert feed.poll() is None


def test_who_does_not_see_an_entry_does_not_hear_of_it(with_rights: Adapter) -> None:
    at = with_rights.layout
    voice = with_rights.bind("RTCComponentUniversalServices")
    part = Part(base=at.services, classes=frozenset({"msexchumdialplan"}), few=True)
    feed = voice.follow([part])
    mine = f"CN={at.organization},"

    def plans() -> list[str]:
        changes = feed.poll()
        return [e.dn.name for e in changes.entries if mine in str(e.dn)] if changes else []

    assert plans() == []
    exchange = with_rights.bind("Organization Management")
    for dn, aces in exchucutil_aces(at):
        exchange.grant(DN.parse(dn), aces)
    assert plans() == ["Main"]


def test_repositories_of_several_organizations_do_not_mix(adapter: Adapter) -> None:
    other = Layout(forest=adapter.layout.forest, organization="Elsewhere")
    assert Repository(adapter.owner, other).all(o.UMDialPlan) == ()
