"""Exchange's and Lync's own forests: pools, groups, versions, and what the forest's schema tells (real-servers.md, part F)."""

from collections.abc import Sequence

import pytest

from directory.foreign import (
    EXCHANGE_OU,
    GROUP,
    SID,
    ForeignEntries,
    Made,
    MemoryForest,
    contoso,
    windows_groups,
)
from tandem.directory import objects as o
from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.directory.found import Found, joined
from tandem.directory.layout import Layout
from tandem.directory.ldap.descriptor import ALLOWED, CONTAINER_INHERIT, INHERITED, RawAce
from tandem.directory.ldap.exchange.grants import granted
from tandem.directory.ldap.exchange.reader import present, read_exchange
from tandem.directory.ldap.exchange.versions import product_of
from tandem.directory.ldap.groups import GroupPlaces, find_groups
from tandem.directory.port import Ace, Inherit, Right
from tandem.org.vocabulary import PoolType, UriType

NAMES = ("Domain Admins", "Enterprise Admins", "Administrators", "Organization Management", "RTCUniversalServerAdmins")
FRENCH = ("Admins du domaine", "Administrateurs de l'entreprise", "Administrateurs")
USERS = "CN=Users,DC=contoso,DC=example"


def read(made: ForeignEntries, *more: Made) -> Found:
    return read_exchange(MemoryForest(made, *windows_groups(made.forest), *more), NAMES)


def unread(found: Found, type_: type, name: str = "") -> set[str]:
    return {each.field for each in found.unread_of(type_, name)}


def bare(organization: str = "Contoso", forest: str = "contoso.example") -> ForeignEntries:
    """A forest with both sides' containers and nothing in them."""
    made = ForeignEntries(forest, organization)
    made.add_groups()
    made.add_exchange()
    made.add_lync()
    return made


# F1


def test_a_user_is_in_the_pool_that_the_home_server_is_below() -> None:
    found = read(contoso())
    homes = {user.account: user.home_pool for user in found.all(o.User)}
    # CN=Lc Services,CN=Microsoft,CN=1:1,... and 1:3: neither name is in the home server's.
    assert homes == {"alice": "pool1.contoso.example", "bob": "sba1.contoso.example"}


def test_a_home_server_in_no_pool_is_not_readable_and_no_pool_is_guessed() -> None:
    made = contoso()
    plan = f"CN=Main,CN=UM DialPlan Container,{made.exchange}"
    made.add_user("Carol Clark", "4103", f"CN=Lc Services,CN=Microsoft,CN=1:9,CN=Pools,{made.rtc}", plan)
    found = read(made)
    (carol,) = (user for user in found.all(o.User) if user.account == "carol")
    assert carol.home_pool == ""
    assert "home_pool" in unread(found, o.User, "carol")
    assert not found.unread_of(o.User, "alice")


# F2


def test_groups_are_found_by_identifier_well_known_object_and_account_name() -> None:
    made = contoso()
    forest = MemoryForest(made, *windows_groups(made.forest, FRENCH))
    found = {name: str(dn) for name, dn in find_groups(made.forest, forest.find).items()}
    assert found["Domain Admins"] == f"CN=Admins du domaine,{USERS}"
    assert found["Enterprise Admins"] == f"CN=Administrateurs de l'entreprise,{USERS}"
    assert found["Organization Management"] == "CN=Organization Management,OU=Admins,DC=contoso,DC=example"
    assert found["Recipient Management"] == f"CN=Recipient Management,{EXCHANGE_OU},DC=contoso,DC=example"
    assert found["RTCUniversalServerAdmins"] == f"CN=RTCUniversalServerAdmins,{USERS}"
    assert "Administrators" not in found  # those of the domain are never given to servers' administrators


def test_a_renamed_group_of_exchange_is_known_by_its_well_known_object() -> None:
    made = ForeignEntries("contoso.example")
    made.add(f"OU=Admins,{made.domain}", "organizationalUnit")
    dn = f"CN=Mail Chiefs,OU=Admins,{made.domain}"
    made.add(dn, "group", {"sAMAccountName": "Mail Chiefs"})
    known = f"B:32:C262A929D691B74A9E068728F8F842EA:{dn}"
    made.add(f"CN=Microsoft Exchange,{made.services}", "container", {"otherWellKnownObjects": known})
    forest = MemoryForest(made, *windows_groups(made.forest))
    assert str(find_groups(made.forest, forest.find)["Organization Management"]) == dn


def test_the_session_names_a_group_as_we_do_and_finds_it_where_it_is() -> None:
    made = contoso()
    forest = MemoryForest(made, *windows_groups(made.forest, FRENCH))
    places = GroupPlaces(made.forest, forest.find)
    for name, real in (
        ("Domain Admins", f"CN=Admins du domaine,{USERS}"),
        ("Organization Management", "CN=Organization Management,OU=Admins,DC=contoso,DC=example"),
        ("RTCUniversalServerAdmins", f"CN=RTCUniversalServerAdmins,{USERS}"),
    ):
        ours = Layout(forest=made.forest, organization="-").group(name)
        assert places.real(ours) == DN.parse(real)
        assert places.ours(DN.parse(real)) == ours
    alice = DN.parse(f"CN=Alice Adams,{USERS}")
    assert places.real(alice) is alice
    assert places.ours(alice) is alice


def test_a_group_that_is_made_later_is_found_then() -> None:
    made = ForeignEntries("contoso.example")
    forest = MemoryForest(made, *windows_groups(made.forest))
    places = GroupPlaces(made.forest, forest.find)
    ours = Layout(forest=made.forest, organization="-").group("UM Management")
    assert places.real(ours) == ours
    later = ForeignEntries("contoso.example")
    elsewhere = later.add(f"CN=UM Management,OU=Later,{made.domain}", "group", {"sAMAccountName": "UM Management"})
    forest.things += MemoryForest(later).things
    assert places.real(ours) == DN.parse(elsewhere)


def test_who_holds_a_role_is_imported_from_wherever_the_group_is() -> None:
    made = contoso()
    found = read_exchange(MemoryForest(made, *windows_groups(made.forest, FRENCH)), NAMES)
    assert found.groups["contoso.example"] == {
        "Domain Admins": ("ada",),  # the initial administrator (SID -500) holds everything anyway
        "Enterprise Admins": ("ada",),
        "Administrators": ("ada",),
        "Organization Management": ("xena",),
        "RTCUniversalServerAdmins": ("alice",),
    }


def test_a_group_in_a_group_is_named_and_not_taken_for_a_person() -> None:
    made = contoso()
    team = made.add(f"CN=Mail Team,CN=Users,{made.domain}", "group", {"sAMAccountName": "Mail Team"})
    made.join("Organization Management", team)
    found = read(made)
    assert found.groups["contoso.example"]["Organization Management"] == ("xena",)
    assert "group Organization Management: the members of Mail Team, a group in it, are not listed" in found.notes


# F3


@pytest.mark.parametrize(
    ("serial_number", "product"),
    [
        ("Version 8.3 (Build 30083.6)", "Exchange 2007 SP3"),
        ("Version 8.0 (Build 30685.25)", "Exchange 2007"),
        ("Version 14.3 (Build 30123.4)", "Exchange 2010 SP3"),
        ("Version 14.1 (Build 30218.15)", "Exchange 2010 SP1"),
        ("Version 14.0 (Build 30639.21)", "Exchange 2010"),
        ("Version 15.0 (Build 31497.2)", "Exchange 2013"),
        ("Version 15.1 (Build 31466.3)", "Exchange 2016"),
        ("Version 15.2 (Build 30221.9)", "Exchange 2019"),
        ("Version 16.0", ""),
        ("", ""),
    ],
)
def test_the_minor_number_is_the_service_pack_of_2007_and_2010(serial_number: str, product: str) -> None:
    assert product_of(serial_number) == product


# F4


def test_transport_services_are_no_servers() -> None:
    found = read(contoso())
    servers = [server.fqdn.partition(".")[0] for server in found.all(o.MessagingServer)]
    assert servers == ["ex10um1", "ex10hub1", "ex13mbx1", "ex13cas1"]


def test_a_2016_server_has_the_role_mailbox_alone() -> None:
    made = bare()
    made.add_server("EX16", "Version 15.1 (Build 31466.3)", 16439)
    (server,) = read(made).all(o.MessagingServer)
    assert server.roles == ("Mailbox",)


# F5


def test_lync_in_the_system_container_is_read_too() -> None:
    made = ForeignEntries("contoso.example", in_system=True)
    made.add_lync()
    home = made.add_pool("1:1", "se1.contoso.example", "CentralRegistrar", 5)
    assert "CN=Microsoft,CN=System,DC=contoso,DC=example" in home
    forest = MemoryForest(made, *windows_groups(made.forest))
    assert present(forest)
    (pool,) = read_exchange(forest, ()).all(o.VoicePool)
    assert (pool.fqdn, pool.pool_type) == ("se1.contoso.example", PoolType.STANDARD_EDITION)


def test_a_forest_without_either_product_is_not_taken_for_one() -> None:
    made = ForeignEntries("contoso.example")
    assert not present(MemoryForest(made, *windows_groups(made.forest)))


# F6


def test_pools_are_told_apart_and_have_the_members_that_trusted_services_name() -> None:
    pools = {pool.fqdn: pool for pool in read(contoso()).all(o.VoicePool)}
    assert {fqdn: (pool.pool_type, pool.servers) for fqdn, pool in pools.items()} == {
        "pool1.contoso.example": (PoolType.FRONT_END, ("fe1.contoso.example", "fe2.contoso.example")),
        "dir1.contoso.example": (PoolType.DIRECTOR, ("d1.contoso.example",)),
        "sba1.contoso.example": (PoolType.BRANCH, ("sba1.contoso.example",)),
    }


def test_an_enterprise_pool_without_trusted_servers_has_unread_members() -> None:
    made = bare()
    made.add_pool("1:1", "pool1.contoso.example", "CentralRegistrar", 10)
    found = read(made)
    assert "servers" in unread(found, o.VoicePool, "pool1.contoso.example")
    assert found.all(o.VoicePool)[0].servers == ()


# F7


def test_attributes_are_found_by_the_words_of_their_names_in_the_forests_own_schema() -> None:
    found = read(contoso())
    (plan,) = found.all(o.UMDialPlan)
    assert (plan.phone_context, plan.extension_digits) == ("Main.contoso.example", 4)
    assert plan.uri_type is UriType.SIP_NAME  # by its users' EUM addresses
    (gateway,) = found.all(o.UMIPGateway)
    assert (gateway.name, gateway.address, gateway.port) == ("1:1", "pool1.contoso.example", 5060)
    assert gateway.outcalls_allowed
    (group,) = found.all(o.UMHuntGroup)
    assert (group.gateway, group.dial_plan, group.pilot_identifier) == ("1:1", "Main", "Main")
    assert unread(found, o.UMHuntGroup) == set()
    assert unread(found, o.UMIPGateway) == {"status"}  # a number, and nobody says which is which
    assert unread(found, o.UMDialPlan) == {"voip_security", "other settings"}
    assert "not understood" in next(note for note in found.notes if "somethingelse = 42" in note)


def test_a_hunt_groups_pilot_is_its_own_and_not_its_name() -> None:
    made = bare()
    plan = made.add_plan("Main")
    made.add_gateway("PBX", plan, {"msExchUMStandInGatewayAddress": "10.1.2.3"}, pilot="5000")
    found = read(made)
    assert [group.pilot_identifier for group in found.all(o.UMHuntGroup)] == ["5000"]


BY_NAME: dict[str, tuple[type, str]] = {
    "msExchUMStandInPhoneContext": (o.UMDialPlan, "phone_context"),
    "msExchUMStandInNumberOfDigits": (o.UMDialPlan, "extension_digits"),
    "msExchUMStandInPort": (o.UMIPGateway, "port"),
    "msExchUMStandInOutcallsAllowed": (o.UMIPGateway, "outcalls_allowed"),
    "msExchUMStandInMessageWaitingAllowed": (o.UMIPGateway, "mwi_allowed"),
    "msExchUMStandInPilotIdentifier": (o.UMHuntGroup, "pilot_identifier"),
    "msExchUMStandInSpeechEnabled": (o.UMAutoAttendant, "speech_enabled"),
}
"""What is read by a name in the schema, and by nothing else where there are no users."""


@pytest.mark.parametrize("hidden", sorted(BY_NAME))
def test_nothing_is_guessed_where_the_schema_has_no_such_name(hidden: str) -> None:
    made = contoso()
    made.entries = [each for each in made.entries if each.class_ != "user"]  # whose addresses would tell
    forest = MemoryForest(made, *windows_groups(made.forest))
    type_, field = BY_NAME[hidden]
    assert field not in unread(read_exchange(forest, NAMES), type_)
    definition = DN.parse(f"CN={hidden},CN=Schema,CN=Configuration,{made.domain}")
    forest.things = [each for each in forest.things if each.dn != definition]
    assert field in unread(read_exchange(forest, NAMES), type_)


def test_links_and_addresses_tell_by_their_values_whatever_the_attribute_is_called() -> None:
    made = contoso()
    forest = MemoryForest(made, *windows_groups(made.forest))
    forest.things = [each for each in forest.things if not each.first("lDAPDisplayName").startswith("msExchUMStandIn")]
    found = read_exchange(forest, NAMES)
    assert [group.dial_plan for group in found.all(o.UMHuntGroup)] == ["Main"]
    assert [gateway.address for gateway in found.all(o.UMIPGateway)] == ["pool1.contoso.example"]


def test_numbers_that_stand_for_words_are_shown_and_never_translated() -> None:
    made = contoso()
    made.entries = [each for each in made.entries if each.class_ != "user"]
    found = read(made)
    why = {(each.type_, each.field): each.why for each in found.unread}
    for type_, field, said in (
        (o.UMDialPlan, "uri_type", "msExchUMStandInURIType is 2"),
        (o.UMDialPlan, "voip_security", "msExchUMStandInVoIPSecurity is 3"),
        (o.UMIPGateway, "status", "msExchUMStandInGatewayStatus is 0"),
        (o.UMAutoAttendant, "enabled", "msExchUMStandInAttendantStatus is 0"),
        (o.MessagingServer, "startup_mode", "msExchUMStandInStartupMode is 2"),
    ):
        assert f"{said}, and which number means what is not published" in why[type_, field]


def test_two_names_with_the_same_words_tell_nothing() -> None:
    made = bare()
    made.add_plan("Main", {"msExchUMStandInPhoneContext": "Main.contoso.example"})
    forest = MemoryForest(made)
    assert "phone_context" not in unread(read_exchange(forest, ()), o.UMDialPlan)
    base = f"CN=Schema,CN=Configuration,{made.domain}"
    values = {"lDAPDisplayName": ["msExchUMOldPhoneContext"], "attributeSyntax": ["2.5.5.12"]}
    plan = {
        "lDAPDisplayName": ["msExchUMDialPlan"],
        "mayContain": ["msExchUMStandInPhoneContext", "msExchUMOldPhoneContext"],
    }
    twin, class_ = Made(f"CN=twin,{base}", "attributeSchema", values), Made(f"CN=again,{base}", "classSchema", plan)
    found = read_exchange(MemoryForest(made, twin, class_), ())
    (why,) = (each.why for each in found.unread_of(o.UMDialPlan, "Main", "phone_context"))
    assert "msExchUMOldPhoneContext, msExchUMStandInPhoneContext" in why


def test_a_call_routers_dial_plans_are_not_readable_and_not_none() -> None:
    found = read(contoso())
    assert "dial_plans" in unread(found, o.MessagingServer, "ex13cas1.contoso.example")
    plans = {server.fqdn.partition(".")[0]: server.dial_plans for server in found.all(o.MessagingServer)}
    assert plans["ex13mbx1"] == plans["ex10um1"] == ("Main",)
    assert "dial_plans" not in unread(found, o.MessagingServer, "ex13mbx1.contoso.example")
    assert not found.unread_of(o.MessagingServer, "ex10hub1.contoso.example")  # it is no UM server


def test_where_the_schema_is_silent_the_users_tell_of_their_dial_plan() -> None:
    made = contoso()
    forest = MemoryForest(made, *windows_groups(made.forest))
    forest.things = [each for each in forest.things if "StandIn" not in each.first("lDAPDisplayName")]
    (plan,) = read_exchange(forest, ()).all(o.UMDialPlan)
    assert (plan.phone_context, plan.extension_digits, plan.uri_type) == ("Main.contoso.example", 4, UriType.SIP_NAME)


# F8


def test_the_rights_of_the_shipped_script_count_as_given() -> None:
    """ListChildren and ReadProperty are 0x4 and 0x10 (MS-ADTS 5.1.3.2), and no more is set than these."""
    made = contoso()
    admins = Made(
        f"CN=RTC Admins,CN=Users,{made.domain}", "group", {"sAMAccountName": ["x"], "objectSid": [f"{SID}-2000"]}
    )
    who = DN.parse(admins.dn)
    organization = RawAce(type=ALLOWED, flags=0, mask=0x4, sid=f"{SID}-2000")
    container = RawAce(type=ALLOWED, flags=CONTAINER_INHERIT, mask=0x14, sid=f"{SID}-2000")
    from_above = RawAce(type=ALLOWED, flags=CONTAINER_INHERIT | INHERITED, mask=0x14, sid=f"{SID}-2000")
    forest = MemoryForest(made, admins)

    def told(*records: RawAce) -> Sequence[Ace]:
        return list(granted(records, forest.principal))

    assert told(organization) == [Ace(principal=who, rights=Right.LIST, inherit=Inherit.THIS)]
    assert told(container) == [Ace(principal=who, rights=Right.LIST | Right.READ, inherit=Inherit.ALL)]
    assert told(from_above) == []


def test_only_the_voice_sides_groups_are_among_the_rights() -> None:
    made = contoso()
    group = next(each for each in made.entries if each.dn.startswith("CN=RTCUniversalServerAdmins,"))
    made.entries.remove(group)
    admins = Made(group.dn, "group", {**group.values, "objectSid": [f"{SID}-2000"]})
    others = Made(f"CN=Others,CN=Users,{made.domain}", "group", {"objectSid": [f"{SID}-2001"]})
    places = [text for text, _ in exchucutil_aces(Layout(forest=made.forest, organization="Contoso"))]
    records = [RawAce(type=ALLOWED, flags=0, mask=0x4, sid=f"{SID}-{number}") for number in (2000, 2001)]
    found = read_exchange(MemoryForest(made, admins, others, aces={places[0]: records}), ())
    held = found.rights[made.forest]
    assert list(held) == places
    assert [ace.principal.name for ace in held[places[0]]] == ["RTCUniversalServerAdmins"]
    assert GROUP not in places[0]


# F9


def test_a_contact_is_there_and_what_it_points_to_is_not_readable() -> None:
    found = read(contoso())
    (contact,) = found.all(o.Contact)
    assert (contact.display_name, contact.line_uri) == ("UM Main", "tel:+14255550100")
    assert contact.home_pool == "pool1.contoso.example"
    (what,) = found.unread_of(o.Contact, "UM Main", "target")
    assert "'whatever this says'" in what.why


# F10


def test_two_messaging_forests_keep_the_names_of_their_organizations() -> None:
    made = [bare("Contoso Mail"), bare("Fabrikam", "fabrikam.example")]
    parts = [read(each) for each in made]
    whole = joined(parts, ("contoso.example", "fabrikam.example"))
    assert whole.organizations == {"contoso.example": "Contoso Mail", "fabrikam.example": "Fabrikam"}
    assert whole.organization == "Contoso Mail"
    for forest, organization in whole.organizations.items():
        assert all(f"CN={organization}," in text for text in whole.rights[forest])


def test_trusts_are_read_as_far_as_they_are_with_the_forests_that_are_imported() -> None:
    made = bare()
    for partner, direction in (("litware.example", 2), ("oneway.example", 1), ("other.example", 3)):
        values = {"trustPartner": partner, "trustDirection": str(direction)}
        made.add(f"CN={partner},CN=System,{made.domain}", "trustedDomain", values)
    found = read(made)
    assert found.trusts["contoso.example"] == ("litware.example", "other.example")
    assert joined([found], ("contoso.example", "litware.example")).trusts == {"contoso.example": ("litware.example",)}
