"""Acceptance scenarios S1 to S7: deployments as they go wrong in the field, seen by callers and by administrators."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import deployment
from tandem.admin.trial.demo import CALLED, messages, phones, running
from tandem.call.errors import CallFailed
from tandem.cli.main import tandem as command
from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.port import FULL_CONTROL, Ace
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.probe.phone import Phone
from tandem.process.apply import apply
from tandem.process.phases import find_phase
from tandem.process.plan import make_plan
from tandem.process.tools.exchucutil import outcall_problems
from tandem.process.verify.matrix import Grade, verify_matrix
from tandem.speech.samples.recorded import bob_message

MAIN = (
    "CN=Main,CN=UM DialPlan Container,CN=Example,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=example,DC=com"
)
pytestmark = pytest.mark.slow
ALICE = "CN=alice,OU=People,DC=example,DC=com"


def edit(folder: Path, dn: str, **attributes: str) -> None:
    session = EmbeddedDirectory(folder / "state" / "directory.db").trusted()
    session.replace(DN.parse(dn), {name: [value] if value else [] for name, value in attributes.items()})
    session.close()


def tandem(folder: Path, *arguments: str, account: str = "administrator") -> Result:
    """A command on the organization of a folder: FILE stands where its argument goes."""
    file = str(folder / "organization.yaml")
    words = [file if word == "FILE" else word for word in arguments]
    return CliRunner().invoke(command, [*words, "--as", account])


@contextlib.asynccontextmanager
async def calling(folder: Path) -> AsyncIterator[tuple[Phone, Phone]]:
    async with running(folder) as servers, phones(folder, servers) as (alice, bob):
        await alice.register()
        await alice.subscribe_mwi()
        await bob.register()
        yield alice, bob


async def follow() -> None:
    """Servers follow the directory within a second."""
    await asyncio.sleep(2)


async def test_s1_a_green_field_is_deployed_called_and_mwi_goes_on_and_off(deployed: Path) -> None:
    assert {check.grade for check in verify_matrix(deployment.context(deployed))} == {Grade.PASSED, Grade.WARNING}
    async with calling(deployed) as (alice, bob):
        call = await bob.call("4101")
        await call.wait_for_tone()
        await call.speak(bob_message())
        await call.hang_up()
        lamp = await alice.wait_mwi(lambda summary: summary.waiting)
        assert (lamp.new, lamp.old) == (1, 0)
        for message, path in messages(deployed / "state" / "mail" / CALLED):
            if message["Content-Class"] == "voice-ca":
                path.rename(path.parent.parent / "cur" / f"{path.name}:2,S")
        lamp = await alice.wait_mwi(lambda summary: not summary.waiting)
        assert (lamp.new, lamp.old) == (0, 1)


async def test_s2_a_security_that_does_not_fit_refuses_every_call_until_it_is_mended(deployed: Path) -> None:
    edit(deployed, MAIN, msExchUMVoIPSecurity="SIPSecured")
    failed = [c for c in verify_matrix(deployment.context(deployed)) if c.grade is Grade.FAILED]
    assert [c.name for c in failed] == ["Security of Main with pool1.example.com"] and failed[
        0
    ].phase == "dial-plan-security"
    async with calling(deployed) as (_, bob):
        with pytest.raises(CallFailed) as refused:
            await bob.call("4101")
        assert refused.value.status == 488
        assert tandem(deployed, "drift", "FILE").exit_code == 3
        assert tandem(deployed, "apply", "FILE", "--phase", "4", account="maria").exit_code == 0
        await follow()
        call = await bob.call("4101")
        await call.wait_for_tone()
        await call.hang_up()


def test_s3_exchucutil_before_the_dial_plan_makes_gateways_without_hunt_groups_and_again_after(tmp_path: Path) -> None:
    deployment.make_example(tmp_path / "x")
    folder = tmp_path / "x"
    for phase in ("0", "1", "2"):
        apply(deployment.context(folder), only=find_phase(phase))
    first = tandem(folder, "exchucutil", "FILE", account="maria")
    assert first.exit_code == 0 and "no secured SIP URI dial plan" in first.stdout
    context = deployment.context(folder)
    assert [g.address for g in context.repository.all(o.UMIPGateway)] == ["pool1.example.com"]
    assert context.repository.all(o.UMHuntGroup) == ()
    for phase in ("3", "4"):
        apply(deployment.context(folder, "maria"), only=find_phase(phase))
    assert tandem(folder, "exchucutil", "FILE", "--verify", account="maria").exit_code == 3
    assert tandem(folder, "exchucutil", "FILE", account="maria").exit_code == 0
    assert tandem(folder, "exchucutil", "FILE", "--verify", account="maria").exit_code == 0
    pilots = [(g.gateway, g.pilot_identifier) for g in context.repository.all(o.UMHuntGroup)]
    assert ("pool1.example.com", "Main") in pilots
    assert tandem(folder, "apply", "FILE").exit_code == 0


def test_s4_outgoing_calls_of_one_gateway_stay_as_an_administrator_set_them(deployed: Path) -> None:
    pools = "voice_pools:\n"
    more = "".join(
        f"  - {{fqdn: {name}.example.com, forest: example.com, pool_type: {type_}, digest: [MD5]}}\n"
        for name, type_ in (("pool2", "StandardEdition"), ("director", "Director"), ("branch", "Branch"))
    )
    deployment.change(deployed, (pools, pools + more))
    assert tandem(deployed, "directory", "create", "FILE").exit_code != 0  # it takes no --as
    assert tandem(deployed, "apply", "FILE").exit_code == 0
    context = deployment.context(deployed)
    calling = {g.name for g in context.repository.all(o.UMIPGateway) if g.outcalls_allowed}
    assert calling == {"pool1.example.com"} and list(outcall_problems(context)) == []
    base = "CN=UM IPGateway Container,CN=Example,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=example,DC=com"
    edit(deployed, f"CN=director.example.com,{base}", msExchUMOutcallsAllowed="TRUE")
    problems = list(outcall_problems(deployment.context(deployed)))
    assert any("2 of 4" in p for p in problems) and any("which is a Director" in p for p in problems)
    again = tandem(deployed, "exchucutil", "FILE", account="maria")
    assert again.exit_code == 0 and "Nothing to do" in again.stdout and "exactly one" in again.stdout
    edit(deployed, f"CN=director.example.com,{base}", msExchUMOutcallsAllowed="FALSE")
    assert list(outcall_problems(deployment.context(deployed))) == []


def test_s5_a_name_that_does_not_match_matters_before_2010_sp1_only(deployed: Path) -> None:
    warned = tandem(deployed, "ocsumutil", "check-names", "FILE", account="victor")
    assert warned.exit_code == 0 and "may be ignored" in warned.stdout
    server = deployment.context(deployed).repository.all(o.MessagingServer)[0]
    dn = deployment.context(deployed).repository.dn_of(server)
    edit(deployed, str(dn), msExchVersion="Exchange 2007 SP3")
    missing = tandem(deployed, "ocsumutil", "check-names", "FILE", account="victor")
    assert missing.exit_code == 3 and "transfers by auto attendants fail" in missing.stdout
    assert any(c.name == "Name of Main" for c in verify_matrix(deployment.context(deployed)) if c.grade is Grade.FAILED)
    deployment.change(
        deployed, ("voice_dial_plans:\n", "voice_dial_plans:\n  - {identity: Main, simple_name: Main.example.com}\n")
    )
    assert tandem(deployed, "apply", "FILE", "--phase", "8", account="victor").exit_code == 0
    assert tandem(deployed, "ocsumutil", "check-names", "FILE", account="victor").exit_code == 0


async def test_s6_a_user_without_an_eum_address_has_no_voice_mail_until_he_is_enabled(deployed: Path) -> None:
    edit(deployed, ALICE, proxyAddresses="sip:alice@example.com", msExchUMEnabledFlags="")
    todo = make_plan(deployment.context(deployed)).todo
    assert {planned.task.id for planned in todo} == {"6/eum-addresses", "11/um-users"}
    async with calling(deployed) as (_, bob):
        with pytest.raises(CallFailed) as refused:
            await bob.call("4101")
        assert refused.value.status in (404, 408, 480)
        assert tandem(deployed, "apply", "FILE", account="maria").exit_code == 0
        await follow()
        call = await bob.call("4101")
        await call.wait_for_tone()
        await call.hang_up()


def add(folder: Path, **changed: str) -> Result:
    wanted = {
        "dial-plan": "Main",
        "number": "+14255550155",
        "pool": "pool1.example.com",
        "ou": "OU=UM Contacts,DC=example,DC=com",
        "sip-address": "sip:um-second@example.com",
    }
    account = changed.pop("account", "victor")
    wanted |= {name.replace("_", "-"): value for name, value in changed.items()}
    options = [word for name, value in wanted.items() for word in (f"--{name}", value)]
    return tandem(folder, "ocsumutil", "contacts", "add", "FILE", *options, account=account)


def test_s7_a_contact_has_to_be_right_in_every_respect_and_its_maker_too(deployed: Path) -> None:
    for changed, said in (
        ({"number": "+14255554101"}, "is assigned already, to user alice"),
        ({"number": "14255550155"}, "is not in E.164 form"),
        ({"sip_address": "um-second@example.com"}, "does not begin with sip:"),
        ({"sip_address": "sip:um-second@example.org"}, "SIP domain that is supported: example.com"),
        ({"sip_address": "sip:alice@example.com"}, "is used already, by user alice"),
        ({"pool": "nopool.example.com"}, "there is no voice pool"),
        ({"ou": "OU=Nowhere,DC=example,DC=com"}, "there is no OU"),
        ({"ou": "nonsense"}, "no distinguished name"),
        ({"dial_plan": "Lobby"}, "there is no SIP URI dial plan 'Lobby'"),
        ({"auto_attendant": "Reception"}, "has no auto attendant 'Reception'"),
        ({"account": "maria"}, "RTCUniversalServerAdmins and RTCUniversalUserAdmins"),
    ):
        refused = add(deployed, **changed)
        assert refused.exit_code != 0 and said in str(refused.exception), (changed, refused.exception)
    assert len(deployment.context(deployed).repository.all(o.Contact)) == 1
    made = add(deployed)
    assert made.exit_code == 0, made.exception
    assert "um-second" in tandem(deployed, "ocsumutil", "contacts", "list", "FILE", account="victor").stdout


def test_s7_an_ou_whose_inheritance_is_blocked_takes_contacts_once_the_permission_is_granted(deployed: Path) -> None:
    ou = "OU=Locked,DC=example,DC=com"
    session = EmbeddedDirectory(deployed / "state" / "directory.db").trusted()
    admins = Ace(principal=DN.parse("CN=Domain Admins,CN=Users,DC=example,DC=com"), rights=FULL_CONTROL)
    session.add(DN.parse(ou), {"objectClass": ["top", "organizationalUnit"]}, aces=[admins], protected=True)
    session.close()
    on_it = ("FILE", "--type", "Contact", "--ou", ou)
    assert tandem(deployed, "ou-permission", "test", *on_it).exit_code == 3
    assert "there is no OU" in str(add(deployed, ou=ou).exception)
    refused = tandem(deployed, "ou-permission", "grant", *on_it, account="victor")
    assert "needs Domain Admins, or Enterprise Admins" in str(refused.exception)
    assert "4 change(s)" in tandem(deployed, "ou-permission", "grant", *on_it).stdout
    assert "Nothing to do" in tandem(deployed, "ou-permission", "grant", *on_it).stdout
    assert tandem(deployed, "ou-permission", "test", *on_it).stdout == "Contact: True\n"
    assert add(deployed, ou=ou).exit_code == 0
    assert "4 change(s)" in tandem(deployed, "ou-permission", "revoke", *on_it).stdout
    assert tandem(deployed, "ou-permission", "test", *on_it).exit_code == 3
