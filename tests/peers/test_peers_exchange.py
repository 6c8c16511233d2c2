"""An existing Exchange UM and Lync, as public descriptions have them, in Samba: imported, and examined by the doctor."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from directory import adapters
from directory.foreign import ATTRIBUTES, CLASSES, SUBCLASSES, contoso
from tandem.cli.main import tandem
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.directory.address import Address
from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.directory.layout import Layout
from tandem.directory.repository import Repository
from tandem.org.groups import GROUPS
from tandem.org.load import load_organization, require_organization
from tandem.process.plan import make_plan
from tandem.process.task import Context, layout_of

pytestmark = [pytest.mark.peer, pytest.mark.slow]
ADDRESS, FOREST = "127.0.0.34", "contoso.example"
DOMAIN = "DC=contoso,DC=example"
LAYOUT = Layout(forest=FOREST, organization="Contoso")
OWN = "1.2.840.113556.1.8000.2554.1.2.3.4.5.6.7"
"""For what stands for Microsoft's schema here: its own identifiers are not public."""
FRENCH = {"Domain Admins": "Admins du domaine", "Enterprise Admins": "Administrateurs de l'entreprise"}


class Directory:
    """A forest that somebody else has set up: the entries of :mod:`directory.foreign`, in a French Windows domain."""

    def __init__(self, controller: adapters.Samba) -> None:
        from tandem.directory.ldap.session import LdapDirectory  # the extra is there where peers are

        password = adapters.administrator_password(controller.folder)
        address = Address(forest=FOREST, url=f"ldaps://{ADDRESS}", roots=controller.folder / "roots.pem")
        self.session = LdapDirectory((address,)).bind("administrator", password)
        self.folder = controller.folder
        self._pool = self.session.forest(FOREST).pool
        self._schema = f"CN=Schema,CN=Configuration,{DOMAIN}"

    def add(self, dn: str, class_: str, **attributes: Any) -> None:
        values = [("objectClass", [class_.encode()])]
        for name, value in attributes.items():
            held = value if isinstance(value, list) else [value]
            values.append((name, [v if isinstance(v, bytes) else str(v).encode() for v in held]))
        self._pool.write(lambda c: c.add_s(dn, values))

    def change(self, dn: str, *changes: tuple[int, str, list[bytes]]) -> None:
        self._pool.write(lambda c: c.modify_s(dn, list(changes)))

    def rename(self, dn: str, name: str) -> None:
        self._pool.write(lambda c: c.rename_s(dn, f"CN={name}"))

    def extend(self) -> None:
        for number, (name, (syntax, om, single)) in enumerate(ATTRIBUTES.items()):
            more = {"oMObjectClass": bytes.fromhex("2b0c0287731c00854a")} if om == "127" else {}
            self.add(
                f"CN={name},{self._schema}",
                "attributeSchema",
                lDAPDisplayName=name,
                attributeID=f"{OWN}.1.{number}",
                attributeSyntax=syntax,
                oMSyntax=om,
                isSingleValued=str(single).upper(),
                schemaIDGUID=uuid.uuid4().bytes_le,
                **more,
            )
        self.change("", (0, "schemaUpdateNow", [b"1"]))
        for number, (name, held) in enumerate(CLASSES.items()):
            self.add(
                f"CN={name},{self._schema}",
                "classSchema",
                lDAPDisplayName=name,
                governsID=f"{OWN}.2.{number}",
                subClassOf=SUBCLASSES.get(name, "top"),
                objectClassCategory=1,
                rDNAttID="cn",
                possSuperiors=["container", *list(CLASSES)[:number]],
                **({"mayContain": list(held)} if held else {}),
                schemaIDGUID=uuid.uuid4().bytes_le,
            )
            self.change("", (0, "schemaUpdateNow", [b"1"]))
        people = [name.encode() for name in ATTRIBUTES if name.startswith("msRTCSIP-") or "Enabled" in name]
        people += [b"msExchUMTemplateLink", b"msExchUMRecipientDialPlanLink"]
        for class_ in ("User", "Contact"):
            self.change(f"CN={class_},{self._schema}", (0, "mayContain", people))
        above = [b"msExchOrganizationContainer", b"msRTCSIP-Pool"]
        self.change(f"CN=Container,{self._schema}", (0, "possSuperiors", above))
        self.change("", (0, "schemaUpdateNow", [b"1"]))

    def fill(self) -> None:
        made = contoso()
        for each in made.entries:
            self.add(each.dn, each.class_, **{name: list(held) for name, held in each.values.items()})
        for group, members in made.members.items():
            self.change(group, (0, "member", [member.encode() for member in members]))
        for name, french in FRENCH.items():
            dn = f"CN={name},CN=Users,{DOMAIN}"
            self.change(dn, (2, "sAMAccountName", [french.encode()]))
            self.rename(dn, french)

    def grant(self) -> None:
        """What the shipped script's Add-ADPermission writes (MS-ADTS 5.1.3.2): ListChildren, and ReadProperty beside it."""
        from tandem.directory.ldap.descriptor import ALLOWED, CONTAINER_INHERIT, Descriptor, RawAce, parse_descriptor
        from tandem.directory.ldap.forest import sd_flags

        forest = self.session.forest(FOREST)
        for text, wanted in exchucutil_aces(LAYOUT):
            container = "Container" in text.partition(",")[0] or text.startswith("CN=Administrative Groups")
            mask, flags = (0x14, CONTAINER_INHERIT) if container else (0x4, 0)
            sids = [forest.sid(ace.principal) for ace in wanted]
            old = parse_descriptor(forest.descriptor(DN.parse(text)))
            more = tuple(RawAce(type=ALLOWED, flags=flags, mask=mask, sid=sid) for sid in sids)
            new = Descriptor(records=(*old.records, *more), protected=old.protected, control=old.control).pack()
            self._pool.write(
                lambda c, text=text, new=new: c.modify_ext_s(
                    text, [(2, "nTSecurityDescriptor", [new])], serverctrls=[sd_flags()]
                )
            )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    with adapters.Samba(tmp_path_factory.mktemp("exchange") / "dc", FOREST, ADDRESS) as samba:
        made = Directory(samba)
        made.extend()
        made.fill()
        yield made


def run(directory: Directory, command: str) -> Any:
    folder = directory.folder
    arguments = [command, f"ldaps://{ADDRESS}", "--as", "administrator", f"--roots={folder / 'roots.pem'}"]
    arguments.append(f"--password-file={folder / 'admin.password'}")
    return CliRunner().invoke(tandem, arguments)


def test_1_an_existing_deployment_becomes_a_file_that_drops_nothing(directory: Directory, tmp_path: Path) -> None:
    done = run(directory, "import")
    assert done.exit_code == 0, done.output
    path = tmp_path / "organization.yaml"
    path.write_text(done.stdout)
    held = yaml.safe_load(done.stdout)
    assert held["name"] == "Contoso"
    exchange = {"forest": FOREST, "kind": "exchange"}
    assert sorted(held["messaging_servers"], key=lambda each: each["fqdn"]) == [
        {"fqdn": "ex10hub1.contoso.example", **exchange, "version": "2010", "service_pack": 3,
         "roles": ["Mailbox", "ClientAccess", "HubTransport"], "dial_plans": []},
        {"fqdn": "ex10um1.contoso.example", **exchange, "version": "2010", "service_pack": 3, "roles": ["UM"]},
        {"fqdn": "ex13cas1.contoso.example", **exchange, "version": "2013", "roles": ["ClientAccess"]},
        {"fqdn": "ex13mbx1.contoso.example", **exchange, "version": "2013", "roles": ["Mailbox"]},
    ]  # fmt: skip
    lync = {"forest": FOREST, "kind": "lync"}
    assert sorted(held["voice_pools"], key=lambda each: each["fqdn"]) == [
        {"fqdn": "dir1.contoso.example", **lync, "pool_type": "Director", "servers": ["d1.contoso.example"]},
        {"fqdn": "pool1.contoso.example", **lync, "pool_type": "FrontEnd",
         "servers": ["fe1.contoso.example", "fe2.contoso.example"]},
        {"fqdn": "sba1.contoso.example", **lync, "pool_type": "Branch", "servers": ["sba1.contoso.example"]},
    ]  # fmt: skip
    assert held["um_dial_plans"] == [
        {"name": "Main", "forest": FOREST, "extension_digits": 4, "access_numbers": ["+14255550100"]}
    ]
    assert held["um_auto_attendants"] == [
        {"name": "Reception", "um_dial_plan": "Main", "pilot_identifiers": ["+14255550101"]}
    ]
    users = {user["account"]: user for user in held["users"]}
    assert users["alice"] == {
        "account": "alice",
        "display_name": "Alice Adams",
        "forest": FOREST,
        "ou": f"CN=Users,{DOMAIN}",
        "mail": "alice@contoso.example",
        "sip_address": "alice@contoso.example",
        "pool": "pool1.contoso.example",
        "line_uri": "tel:+14255554101",
        "extension": "4101",
        "um_mailbox_policy": "Main Default Policy",
    }
    assert users["bob"]["pool"] == "sba1.contoso.example"
    assert held["administrators"] == [
        {"account": "xena", "display_name": "xena", "groups": ["Organization Management"]}
    ]
    for named in (
        "msexchumstandinsomethingelse = 42 not understood",
        "'0100' is not E.164",
        "voice dial plans and normalization rules outside of Active Directory: unread",
        "otherIpPhone, whose form is not public ('whatever this says'",
        "not readable: UM dial plan Main: voip_security: msExchUMStandInVoIPSecurity is 3",
        "not readable: messaging server ex13cas1.contoso.example: dial_plans",
        "user alice: also a member of RTCUniversalServerAdmins",
    ):
        assert named in done.stdout, done.stdout
    assert "StandInDialPlanLink" not in done.stdout
    loaded = load_organization(path)
    assert loaded.organization is not None, loaded.findings


def test_2_groups_are_used_where_they_are_whatever_they_are_called(directory: Directory) -> None:
    session = directory.session
    for name, place in (
        ("Domain Admins", f"CN={FRENCH['Domain Admins']},CN=Users,{DOMAIN}"),
        ("Enterprise Admins", f"CN={FRENCH['Enterprise Admins']},CN=Users,{DOMAIN}"),
        ("Organization Management", f"CN=Organization Management,OU=Admins,{DOMAIN}"),
        ("UM Management", f"CN=UM Management,OU=Microsoft Exchange Security Groups,{DOMAIN}"),
        ("RTCUniversalServerAdmins", f"CN=RTCUniversalServerAdmins,CN=Users,{DOMAIN}"),
    ):
        ours = LAYOUT.group(name)
        assert session.place(ours) == DN.parse(place)
        entry = session.get(ours)
        assert entry is not None and entry.dn == ours
    xena = DN.parse(f"CN=Xena,CN=Users,{DOMAIN}")
    assert session.members(LAYOUT.group("Organization Management")) == {xena}
    assert LAYOUT.group("Organization Management") in session.groups_of(xena)
    assert LAYOUT.group("Domain Admins") in session.groups_of(session.identity)


def columns(text: str) -> str:
    """What was printed, with one space where columns are apart, however wide they are."""
    return re.sub(r"(?<=\S) {2,}", " ", text)


def test_3_the_doctor_examines_it_and_changes_nothing(directory: Directory) -> None:
    done = run(directory, "doctor")
    said = columns(done.output)
    assert "passed Gateway of pool1.contoso.example" in said, done.output
    assert "passed Hunt groups of pool1.contoso.example" in said
    assert "failed Gateway of dir1.contoso.example" in said
    assert "failed Voice side's rights on UM DialPlan Container" in said
    assert "not readable Subscriber access of Main" in said
    assert "not readable Startup mode of ex13mbx1.contoso.example" in said
    assert "msexchumstandinsomethingelse = 42 not understood" in done.output
    assert done.exit_code == 1
    assert run(directory, "import").stdout == run(directory, "import").stdout


def test_4_the_rights_of_the_shipped_script_are_seen(directory: Directory) -> None:
    directory.grant()
    done = run(directory, "doctor")
    said = columns(done.output)
    for place in ("Contoso", "UM DialPlan Container", "UM AutoAttendant Container", "Administrative Groups"):
        assert f"passed Voice side's rights on {place}" in said, done.output


def test_5_phase_0_makes_no_second_group_of_any_that_is_there(directory: Directory, tmp_path: Path) -> None:
    """Tandem's own servers are to be in this forest: of its groups only those that it lacks are made."""
    from tandem.directory.ldap.prepare import extend, extensions

    forest = directory.session.forest(FOREST)
    list(extend(forest, "administrator", extensions(forest)))
    path = tmp_path / "organization.yaml"
    path.write_text(
        "\n".join(
            [
                "tandem: 1\nname: Own",
                f"directory: ldaps://{ADDRESS}\nforests: [{{name: {FOREST}, domains: [{FOREST}]}}]",
                f"messaging_servers: [{{fqdn: um1.{FOREST}, forest: {FOREST}}}]",
                f"voice_pools: [{{fqdn: own1.{FOREST}, forest: {FOREST}}}]",
                f"um_dial_plans: [{{name: Own, forest: {FOREST}, extension_digits: 4}}]",
            ]
        )
    )
    organization, session = require_organization(path), directory.session
    layout = layout_of(organization, FOREST)
    repository = Repository(session, layout, owner=organization.name)
    context = Context(
        organization=organization,
        session=session,
        repository=repository,
        layout=layout,
        clock=SystemClock(),
        ids=SystemIds(),
    )
    made = {
        change.name
        for planned in make_plan(context).tasks
        if planned.task.id == "0/groups"
        for change in planned.changes
        if change.action == "+"
    }
    there = {*FRENCH, "Organization Management", "Recipient Management", "UM Management", "Server Management"}
    there |= {"Exchange Servers", "RTCUniversalServerAdmins", "RTCUniversalUserAdmins", "RTCComponentUniversalServices"}
    assert made == {name for side in GROUPS.values() for name in side} - there
