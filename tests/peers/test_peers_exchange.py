"""An existing Exchange UM and Lync, as public descriptions have them, in Samba: imported, and examined by the doctor."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from directory import adapters
from tandem.cli.main import tandem
from tandem.directory.address import Address
from tandem.org.load import load_organization

pytestmark = [pytest.mark.peer, pytest.mark.slow]
ADDRESS, FOREST = "127.0.0.34", "contoso.example"
DOMAIN = "DC=contoso,DC=example"
EXCHANGE = f"CN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,{DOMAIN}"
LYNC = f"CN=RTC Service,CN=Services,CN=Configuration,{DOMAIN}"
OWN = "1.2.840.113556.1.8000.2554.1.2.3.4.5.6.7"
"""For what stands for Microsoft's schema here: its own identifiers are not public."""
ATTRIBUTES = {
    "msExchUMVoiceMailPilotNumbers": ("2.5.5.12", "64", False),
    "msExchUMAutoAttendantDialedNumbers": ("2.5.5.12", "64", False),
    "msExchCurrentServerRoles": ("2.5.5.9", "2", True),
    "msExchUMEnabledFlags": ("2.5.5.9", "2", True),
    "msExchUMTemplateLink": ("2.5.5.1", "127", True),
    "msExchUMRecipientDialPlanLink": ("2.5.5.1", "127", True),
    "msRTCSIP-PrimaryUserAddress": ("2.5.5.12", "64", True),
    "msRTCSIP-UserEnabled": ("2.5.5.8", "1", True),
    "msRTCSIP-Line": ("2.5.5.12", "64", True),
    "msRTCSIP-OptionFlags": ("2.5.5.9", "2", True),
    "msRTCSIP-PrimaryHomeServer": ("2.5.5.1", "127", True),
    "msRTCSIP-SourceObjectType": ("2.5.5.9", "2", True),
    "msRTCSIP-PoolType": ("2.5.5.9", "2", True),
    # Published under no name: their values tell what they are.
    "xLinkToDialPlan": ("2.5.5.1", "127", False),
    "xContext": ("2.5.5.12", "64", True),
    "xAddress": ("2.5.5.12", "64", True),
    "xUnknown": ("2.5.5.9", "2", True),
}
CONTAINERS = ("container", "msExchOrganizationContainer", "msExchUMIPGateway", "msRTCSIP-Pools")
CLASSES = (
    "msExchOrganizationContainer",
    "msExchUMDialPlan",
    "msExchUMIPGateway",
    "msExchUMHuntGroup",
    "msExchUMAutoAttendant",
    "msExchUMRecipientTemplate",
    "msExchExchangeServer",
    "msRTCSIP-Pools",
    "msRTCSIP-Pool",
)


class Directory:
    """A forest that somebody else has set up."""

    def __init__(self, controller: adapters.Samba) -> None:
        from tandem.directory.ldap.session import LdapDirectory  # the extra is there where peers are

        password = adapters.administrator_password(controller.folder)
        address = Address(forest=FOREST, url=f"ldaps://{ADDRESS}", roots=controller.folder / "roots.pem")
        self._session = LdapDirectory((address,)).bind("administrator", password)
        self._pool = self._session.forest(FOREST).pool
        self._schema = f"CN=Schema,CN=Configuration,{DOMAIN}"

    def add(self, dn: str, class_: str, **attributes: Any) -> None:
        values = [("objectClass", [class_.encode()])]
        for name, value in attributes.items():
            held = value if isinstance(value, list) else [value]
            values.append((name.replace("__", "-"), [v if isinstance(v, bytes) else str(v).encode() for v in held]))
        self._pool.write(lambda c: c.add_s(dn, values))

    def change(self, dn: str, *changes: tuple[int, str, list[bytes]]) -> None:
        self._pool.write(lambda c: c.modify_s(dn, list(changes)))

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
        for number, name in enumerate(CLASSES):
            above = [each for each in CONTAINERS if each == "container" or each in CLASSES[:number]]
            self.add(
                f"CN={name},{self._schema}",
                "classSchema",
                lDAPDisplayName=name,
                governsID=f"{OWN}.2.{number}",
                subClassOf="top",
                objectClassCategory=1,
                rDNAttID="cn",
                possSuperiors=above,
                mayContain=[*ATTRIBUTES, "networkAddress", "serialNumber", "dNSHostName"],
                schemaIDGUID=uuid.uuid4().bytes_le,
            )
            self.change("", (0, "schemaUpdateNow", [b"1"]))
        names = [name.encode() for name in ATTRIBUTES if not name.startswith("x")]
        for class_ in ("User", "Contact"):
            self.change(f"CN={class_},{self._schema}", (0, "mayContain", names))
        self.change(f"CN=Container,{self._schema}", (0, "possSuperiors", [b"msExchOrganizationContainer"]))
        self.change("", (0, "schemaUpdateNow", [b"1"]))

    def fill(self) -> None:
        plan = f"CN=Main,CN=UM DialPlan Container,{EXCHANGE}"
        policy = f"CN=Main Default Policy,CN=UM Mailbox Policies,{EXCHANGE}"
        gateway = f"CN=pool1,CN=UM IPGateway Container,{EXCHANGE}"
        group = "Exchange Administrative Group (FYDIBOHF23SPDLT)"
        self.add(f"CN=Microsoft Exchange,CN=Services,CN=Configuration,{DOMAIN}", "container")
        self.add(EXCHANGE, "msExchOrganizationContainer")
        for name in (
            *("UM DialPlan Container", "UM IPGateway Container", "UM AutoAttendant Container", "UM Mailbox Policies"),
            *("Administrative Groups", f"{group},CN=Administrative Groups"),
            f"Servers,CN={group},CN=Administrative Groups",
        ):
            self.add(f"CN={name},{EXCHANGE}", "container")
        self.add(plan, "msExchUMDialPlan", msExchUMVoiceMailPilotNumbers=["+14255550100", "0100"],
                 xContext="Main.contoso.example", xUnknown=42)  # fmt: skip
        self.add(policy, "msExchUMRecipientTemplate", xLinkToDialPlan=plan)
        self.add(gateway, "msExchUMIPGateway", xAddress="pool1.contoso.example")
        self.add(f"CN=Main,{gateway}", "msExchUMHuntGroup", xLinkToDialPlan=plan)
        self.add(f"CN=Reception,CN=UM AutoAttendant Container,{EXCHANGE}", "msExchUMAutoAttendant",
                 msExchUMAutoAttendantDialedNumbers="+14255550101", xLinkToDialPlan=plan)  # fmt: skip
        self.add(f"CN=EX1,CN=Servers,CN={group},CN=Administrative Groups,{EXCHANGE}", "msExchExchangeServer",
                 networkAddress=["ncacn_ip_tcp:ex1.contoso.example", "netbios:EX1"],
                 serialNumber="Version 15.0 (Build 31497.2)", msExchCurrentServerRoles=2 | 4 | 16 | 32 | 0x4000,
                 xLinkToDialPlan=plan)  # fmt: skip
        self.add(LYNC, "container")
        self.add(f"CN=Pools,{LYNC}", "msRTCSIP-Pools")
        self.add(
            f"CN=pool1,CN=Pools,{LYNC}", "msRTCSIP-Pool", dNSHostName="pool1.contoso.example", msRTCSIP__PoolType=5
        )
        for name, extension in (("Alice Adams", "4101"), ("Bob Brown", "4102")):
            account = name.split()[0].lower()
            self.add(
                f"CN={name},CN=Users,{DOMAIN}",
                "user",
                sAMAccountName=account,
                displayName=name,
                mail=f"{account}@contoso.example",
                proxyAddresses=[
                    f"SMTP:{account}@contoso.example",
                    f"EUM:{account}@contoso.example;phone-context=Main.contoso.example",
                    f"eum:{extension};phone-context=Main.contoso.example",
                ],
                msExchUMEnabledFlags=829,
                msExchUMTemplateLink=policy,
                msExchUMRecipientDialPlanLink=plan,
                msRTCSIP__PrimaryUserAddress=f"sip:{account}@contoso.example",
                msRTCSIP__UserEnabled="TRUE",
                msRTCSIP__Line=f"tel:+1425555{extension}",
                msRTCSIP__OptionFlags=384,
                msRTCSIP__PrimaryHomeServer=f"CN=pool1,CN=Pools,{LYNC}",
            )
        self.add(
            f"CN=UM Main,CN=Users,{DOMAIN}",
            "contact",
            displayName="UM Main",
            msRTCSIP__SourceObjectType=-1879048192,
            msRTCSIP__Line="tel:+14255550100",
            otherIpPhone="whatever this says",
        )


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[adapters.Samba]:
    with adapters.Samba(tmp_path_factory.mktemp("exchange") / "dc", FOREST, ADDRESS) as samba:
        directory = Directory(samba)
        directory.extend()
        directory.fill()
        yield samba


def run(controller: adapters.Samba, command: str) -> Any:
    arguments = [command, f"ldaps://{ADDRESS}", "--as", "administrator", f"--roots={controller.folder / 'roots.pem'}"]
    arguments.append(f"--password-file={controller.folder / 'admin.password'}")
    return CliRunner().invoke(tandem, arguments)


def test_an_existing_deployment_becomes_a_file_that_drops_nothing(controller: adapters.Samba, tmp_path: Path) -> None:
    done = run(controller, "import")
    assert done.exit_code == 0, done.output
    path = tmp_path / "organization.yaml"
    path.write_text(done.stdout)
    held = yaml.safe_load(done.stdout)
    assert held["name"] == "Contoso"
    assert held["messaging_servers"] == [
        {
            "fqdn": "ex1.contoso.example",
            "forest": FOREST,
            "kind": "exchange",
            "version": "2013",
            "roles": ["Mailbox", "ClientAccess"],
        }
    ]
    assert held["voice_pools"] == [{"fqdn": "pool1.contoso.example", "forest": FOREST, "kind": "lync"}]
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
    for named in (
        "xunknown = 42 not understood",
        "'0100' is not E.164",
        "voice dial plans and normalization rules outside of Active Directory: unread",
        "otherIpPhone, whose form is not public ('whatever this says')",
        "VoIP security Secured assumed",
    ):
        assert named in done.stdout, done.stdout
    assert "xLinkToDialPlan" not in done.stdout
    loaded = load_organization(path)
    assert loaded.organization is not None, loaded.findings


def test_the_doctor_examines_it_and_changes_nothing(controller: adapters.Samba) -> None:
    done = run(controller, "doctor")
    assert "passed   Gateway of pool1.contoso.example" in done.output, done.output
    assert "passed   Hunt groups of pool1.contoso.example" in done.output
    assert "failed   Voice side's rights on UM DialPlan Container" in done.output
    assert "xunknown = 42 not understood" in done.output
    assert done.exit_code == 1
    assert run(controller, "import").stdout == run(controller, "import").stdout
