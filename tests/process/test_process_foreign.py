"""An organization file, and the doctor's look, of forests that Exchange's and Lync's own setup have prepared."""

from pathlib import Path

import pytest
import yaml

from directory.foreign import ForeignEntries, MemoryForest, contoso, windows_groups
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.directory import objects as o
from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.directory.found import Found, Unread, joined
from tandem.directory.layout import Layout
from tandem.directory.ldap.descriptor import ALLOWED, CONTAINER_INHERIT, RawAce
from tandem.directory.ldap.exchange.reader import read_exchange
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.org.groups import GROUPS
from tandem.org.load import load_organization
from tandem.process.keeping.importing import organization_text
from tandem.process.verify.examine import examine
from tandem.process.verify.matrix import Check, Grade
from tandem.process.verify.readable import _RULES, graded

NAMES = tuple(name for side in GROUPS.values() for name in side)
MAIN = "CN=Main,CN=UM DialPlan Container,CN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=contoso,DC=example"


def found_in(made: ForeignEntries) -> Found:
    return read_exchange(MemoryForest(made, *windows_groups(made.forest)), NAMES)


def doctor(found: Found, folder: Path, deployed: Path) -> dict[str, Check]:
    """The checks on what is found; the session is another forest's, and nothing of it may be asked."""
    path = folder / "organization.yaml"
    path.write_text(organization_text(found, {name: f"ldaps://dc1.{name}" for name in found.objects}))
    organization = load_organization(path).declared
    assert organization is not None
    session = EmbeddedDirectory(deployed / "state" / "directory.db").trusted()
    work = folder / "doctor"
    work.mkdir()
    checks = examine(found, organization, session, work, clock=SystemClock(), ids=SystemIds())
    return {each.name: each for each in checks}


def test_an_imported_file_says_what_was_read_and_leaves_out_what_was_not(tmp_path: Path) -> None:
    text = organization_text(found_in(contoso()), {"contoso.example": "ldaps://dc1.contoso.example"})
    held = yaml.safe_load(text)
    servers = {server["fqdn"].partition(".")[0]: server for server in held["messaging_servers"]}
    assert (servers["ex10um1"]["version"], servers["ex10um1"]["service_pack"]) == ("2010", 3)
    assert "service_pack" not in servers["ex13mbx1"]
    assert "dial_plans" not in servers["ex13cas1"]  # a call router: unread is not none
    assert servers["ex10hub1"]["dial_plans"] == []  # it is read to have none
    pools = {pool["fqdn"].partition(".")[0]: pool for pool in held["voice_pools"]}
    assert (pools["pool1"]["pool_type"], pools["pool1"]["servers"]) == (
        "FrontEnd",
        ["fe1.contoso.example", "fe2.contoso.example"],
    )
    assert [pools[name]["pool_type"] for name in ("dir1", "sba1")] == ["Director", "Branch"]
    assert all("media_encryption" not in pool for pool in pools.values())
    assert held["um_dial_plans"] == [
        {
            "name": "Main",
            "forest": "contoso.example",
            "extension_digits": 4,
            "access_numbers": ["+14255550100"],
        }
    ]
    assert {user["account"]: user["pool"] for user in held["users"]} == {
        "alice": "pool1.contoso.example",
        "bob": "sba1.contoso.example",
    }
    assert {each["account"]: each["groups"] for each in held["administrators"]} == {
        "ada": ["Domain Admins", "Enterprise Admins", "Administrators"],
        "xena": ["Organization Management"],
    }
    for named in (
        "not readable: voice pool dir1.contoso.example: media_encryption",
        "not readable: UM dial plan Main: voip_security: msExchUMStandInVoIPSecurity is 3",
        "not readable: messaging server ex13cas1.contoso.example: dial_plans",
        "not readable: contact UM Main: target",
        "user alice: also a member of RTCUniversalServerAdmins",
    ):
        assert named in text
    path = tmp_path / "organization.yaml"
    path.write_text(text)
    assert load_organization(path).organization is not None


def test_what_rests_on_unread_values_neither_passes_nor_fails(tmp_path: Path, deployed: Path) -> None:
    made = contoso()
    made.add_server("EX07UM1", "Version 8.3 (Build 30083.6)", 16, MAIN)  # whose dial plan's name matters in phase 8
    checks = doctor(found_in(made), tmp_path, deployed)
    unreadable = {name for name, each in checks.items() if each.grade is Grade.UNREADABLE}
    assert unreadable >= {
        "Startup mode of ex13mbx1.contoso.example",
        "Certificate for UM on ex13cas1.contoso.example",
        "Security of Main with pool1.contoso.example",
        "Every UM server in Main",
        "Auto attendant Reception",
        "Subscriber access of Main",
        "Contact of Reception",
        "Name of Main",
    }
    # What is read is judged as ever.
    assert checks["URI type of Main"].grade is Grade.PASSED
    assert checks["UM servers of Main"].grade is Grade.PASSED
    assert checks["Gateway of pool1.contoso.example"].grade is Grade.PASSED
    assert checks["Gateway of dir1.contoso.example"].grade is Grade.FAILED
    assert checks["Numbers are assigned once"].evidence == "3 numbers"  # the contact's among them
    assert "ex10hub1" not in "".join(checks)  # it has no UM


def test_a_forest_without_contacts_of_um_lacks_them(tmp_path: Path, deployed: Path) -> None:
    made = contoso()
    made.entries = [each for each in made.entries if each.class_ != "contact"]
    checks = doctor(found_in(made), tmp_path, deployed)
    assert checks["Subscriber access of Main"].grade is Grade.FAILED
    assert checks["Contact of Reception"].grade is Grade.FAILED


@pytest.mark.slow
@pytest.mark.parametrize("begins", sorted({rule.begins for rule in _RULES}))
def test_every_rule_is_about_checks_that_there_are(begins: str, tmp_path: Path, deployed: Path) -> None:
    made = contoso()
    made.add_server("EX07UM1", "Version 8.3 (Build 30083.6)", 16, MAIN)
    assert any(name.startswith(begins) for name in doctor(found_in(made), tmp_path, deployed))


@pytest.mark.parametrize(("grade", "expected"), [(Grade.PASSED, Grade.PASSED), (Grade.FAILED, Grade.UNREADABLE)])
def test_what_was_found_among_several_stays_found(grade: Grade, expected: Grade) -> None:
    unread = Unread(forest="x.example", type_=o.Contact, name="UM", field="target", why="its form is not public")
    held = Check(name="Subscriber access of Main", grade=grade, evidence="", phase="contacts")
    assert next(graded(Found(unread=[unread]), [held])).grade is expected


def test_a_forest_with_lync_alone_is_examined_too(tmp_path: Path, deployed: Path) -> None:
    made = ForeignEntries("contoso.example", in_system=True)
    made.add_lync()
    made.add_pool("1:1", "se1.contoso.example", "CentralRegistrar", 5)
    checks = doctor(found_in(made), tmp_path, deployed)
    assert checks["UM objects, read by the voice side"].grade is Grade.WARNING
    assert not any(name.startswith("Gateway of ") for name in checks)


def test_two_messaging_forests_keep_their_names_and_their_rights(tmp_path: Path, deployed: Path) -> None:
    """Fabrikam's exchucutil has run against its own organization, whose name the file does not bear."""
    parts = []
    for forest, organization in (("contoso.example", "Contoso"), ("fabrikam.example", "Fabrikam Mail")):
        made = ForeignEntries(forest, organization)
        made.add_groups()
        made.add_exchange()
        made.add_server("EX1", "Version 15.0 (Build 31497.2)", 16439, made.add_plan(f"{organization.split()[0]}-Main"))
        if forest == "contoso.example":
            made.add_lync()
            made.add_pool("1:1", "se1.contoso.example", "CentralRegistrar", 5)
        else:
            values = {"trustPartner": "contoso.example", "trustDirection": "3"}
            made.add(f"CN=contoso.example,CN=System,{made.domain}", "trustedDomain", values)
        parts.append((made, organization))
    sids = {"S-1-5-21-1-2-3-2000": "RTCUniversalServerAdmins", "S-1-5-21-1-2-3-2001": "RTCComponentUniversalServices"}
    fabrikam = MemoryForest(parts[1][0], *windows_groups("fabrikam.example"), aces=_rights("fabrikam.example", sids))
    voice = Layout(forest="contoso.example", organization="-")
    fabrikam.principal = lambda sid: voice.group(sids[sid])  # type: ignore[method-assign] # of the trusted forest
    found = joined([found_in(parts[0][0]), read_exchange(fabrikam, NAMES)], ("contoso.example", "fabrikam.example"))
    assert found.organizations == {"contoso.example": "Contoso", "fabrikam.example": "Fabrikam Mail"}
    text = organization_text(found, dict.fromkeys(found.objects, "ldaps://dc1.contoso.example"))
    assert [each.get("messaging_organization_name") for each in yaml.safe_load(text)["forests"]] == [
        None,
        "Fabrikam Mail",
    ]
    path = tmp_path / "organization.yaml"
    path.write_text(text)
    organization = load_organization(path).declared
    assert organization is not None
    session = EmbeddedDirectory(deployed / "state" / "directory.db").trusted()
    checks = list(examine(found, organization, session, tmp_path, clock=SystemClock(), ids=SystemIds()))
    grades = [each.grade for each in checks if each.name == "Voice side's rights on UM DialPlan Container"]
    assert grades == [Grade.FAILED, Grade.PASSED]


def _rights(forest: str, sids: dict[str, str]) -> dict[str, list[RawAce]]:
    """What the shipped script sets: ListChildren on the organization, with ReadProperty on the containers."""
    at = Layout(forest=forest, organization="Fabrikam Mail")
    containers = [text for text, _ in exchucutil_aces(at)]
    held = {
        text: [RawAce(type=ALLOWED, flags=CONTAINER_INHERIT, mask=0x14, sid=sid) for sid in sids] for text in containers
    }
    held[containers[0]] = [RawAce(type=ALLOWED, flags=0, mask=0x4, sid=sid) for sid in sids]
    assert DN.parse(containers[0]).name == "Fabrikam Mail"
    return held
