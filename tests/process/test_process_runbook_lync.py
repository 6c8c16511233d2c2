"""The Lync steps of the runbook: what is done on which server, in which shell, and how it is checked and backed out.

The deployment is made up: litware.example has two Front End Servers, a Director, a Survivable Branch Appliance (all 2013) and
a Standard Edition server of 2010; Exchange is in proseware.example. What is expected comes from shared/domain/real-servers.md
(its numbers are named), the topic Gg425737 and the cmdlet reference.
"""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell

from tandem.org import model as m
from tandem.org.vocabulary import (
    MediaEncryption,
    PhoneEdition,
    PoolKind,
    PoolType,
    ServerKind,
    Transport,
    VoiceFeature,
    VoIPSecurity,
)
from tandem.process.phases import Side
from tandem.process.runbook.further import further_steps
from tandem.process.runbook.model import RunbookStep, Shell, saved_file
from tandem.process.runbook.steps import runbook_steps

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
CHANGING = (
    "Add",
    "Clear",
    "Disable",
    "Enable",
    "Grant",
    "Import",
    "New",
    "Remove",
    "Request",
    "Restart",
    "Revoke",
    "Set",
    "Start",
    "Stop",
)
HARMLESS = {"New-Object", "Import-Csv", "Import-Clixml"}
OPERATORS_OF_LATER_SHELLS = re.compile(
    r"\[pscustomobject\]|\[ordered\]|ConvertTo-Json|\s-(not)?in\s|\s-(Raw|Encoding)\b", re.IGNORECASE
)
CMDLETS = {
    "Get-CsCertificate": {"Type"},
    "Get-CsDialPlan": {"Identity"},
    "Get-CsManagementStoreReplicationStatus": set(),
    "Get-CsMediaConfiguration": {"Identity"},
    "Get-CsPool": {"Identity"},
    "Get-CsPstnUsage": {"Identity"},
    "Get-CsServerVersion": set(),
    "Get-CsService": {"MediationServer", "PstnGateway"},
    "Get-CsUser": {"Identity"},
    "Get-CsVoiceNormalizationRule": {"Identity"},
    "Get-CsVoicePolicy": {"Identity"},
    "Get-CsVoiceRoute": {"Identity"},
    "Grant-CsDialPlan": {"Identity", "PolicyName", "WhatIf"},
    "Grant-CsOUPermission": {"ObjectType", "OU", "WhatIf"},
    "Grant-CsVoicePolicy": {"Identity", "PolicyName", "WhatIf"},
    "New-CsDialPlan": {"Identity", "SimpleName", "WhatIf"},
    "New-CsVoiceNormalizationRule": {"Identity", "Priority", "Pattern", "Translation", "IsInternalExtension", "WhatIf"},
    "New-CsVoicePolicy": {"Identity", "PstnUsages", "AllowCallForwarding", "AllowSimulRing", "EnableCallTransfer", "WhatIf"},
    "New-CsVoiceRoute": {"Identity", "Priority", "NumberPattern", "PstnUsages", "PstnGatewayList", "WhatIf"},
    "Remove-CsDialPlan": {"Identity", "WhatIf"},
    "Remove-CsVoiceNormalizationRule": {"Identity", "WhatIf"},
    "Remove-CsVoicePolicy": {"Identity", "WhatIf"},
    "Remove-CsVoiceRoute": {"Identity", "WhatIf"},
    "Request-CsCertificate": {"New", "Retrieve", "Type", "ComputerFqdn", "CA", "FriendlyName", "DomainName", "WhatIf"},
    "Revoke-CsOUPermission": {"ObjectType", "OU", "WhatIf"},
    "Set-CsCertificate": {"Type", "Thumbprint", "WhatIf"},
    "Set-CsDialPlan": {"Identity", "SimpleName", "WhatIf"},
    "Set-CsPstnUsage": {"Identity", "Usage", "WhatIf"},
    "Set-CsUser": {"Identity", "SipAddress", "EnterpriseVoiceEnabled", "LineURI", "WhatIf"},
    "Set-CsVoiceNormalizationRule": {"Identity", "Priority", "Pattern", "Translation", "IsInternalExtension", "WhatIf"},
    "Set-CsVoicePolicy": {"Identity", "PstnUsages", "AllowCallForwarding", "AllowSimulRing", "EnableCallTransfer", "WhatIf"},
    "Set-CsVoiceRoute": {"Identity", "Priority", "NumberPattern", "PstnUsages", "PstnGatewayList", "WhatIf"},
    "Start-CsWindowsService": {"Name", "ComputerName", "WhatIf"},
    "Stop-CsWindowsService": {"Name", "ComputerName", "Graceful", "WhatIf"},
    "Test-CsDialPlan": {"DialedNumber", "Dialplan"},
    "Test-CsExUMConnectivity": {"TargetFqdn", "UserSipAddress", "Authentication"},
    "Test-CsExUMVoiceMail": {"TargetFqdn", "SenderSipAddress", "ReceiverSipAddress", "Authentication"},
    "Test-CsOUPermission": {"ObjectType", "OU"},
}  # fmt: skip
"""Lync's cmdlets and the parameters that the steps may use: MicrosoftDocs/office-docs-powershell, skype/skype-ps/skype/NAME.md.

All are for Lync Server 2010, 2013 and Skype for Business Server 2015, but the tests of UM, which came with 2013.
"""
LYNC_CMDLET = re.compile(r"\w+-Cs[A-Z]")
SINCE_2013 = {"Test-CsExUMConnectivity", "Test-CsExUMVoiceMail"}
TOPIC = "https://learn.microsoft.com/previous-versions/office/lync-server-2013/lync-server-2013-"


def user(account: str, pool: str = "pool01.litware.example", **more: str) -> m.DeclaredUser:
    """A user of Lync whose extension ends the line."""
    values: dict[str, str] = {"extension": "", "um_mailbox_policy": "Main Default Policy"} | more
    line = f"tel:+1425555{values['extension']}" if values["extension"] else ""
    return m.DeclaredUser(
        account=account, display_name=account, forest="litware.example", ou="OU=P,DC=litware,DC=example",
        sip_address=f"{account}@litware.example", pool=pool, line_uri=line, voice_policy="Staff", **values,
    )  # fmt: skip


def organization(version: str = "2013", pack: int = 0, *, exchange_forest: str = "proseware.example") -> m.Organization:
    """Litware's and Proseware's deployment."""
    both = ("litware.example", "proseware.example")

    def pool(name: str, kind: PoolType, *servers: str, lync: str = "2013") -> m.DeclaredVoicePool:
        return m.DeclaredVoicePool(
            fqdn=f"{name}.litware.example", forest="litware.example", kind=PoolKind.LYNC, pool_type=kind, version=lync,
            servers=tuple(f"{each}.litware.example" for each in servers),
        )  # fmt: skip

    return m.Organization(
        name="Litware", path=Path("/x/organization.yaml"), directory="/x/directory.db", state=Path("/x/s"), secrets=Path("/x/p"),
        certificate_authority="ca1.litware.example\\Litware Root",
        forests=tuple(m.Forest(name=name, domains=(name,), trusts=tuple({*both} - {name})) for name in both),
        messaging_servers=tuple(
            m.DeclaredMessagingServer(fqdn=f"ex{n}.{exchange_forest}", forest=exchange_forest, kind=ServerKind.EXCHANGE, version=version, service_pack=pack)
            for n in (1, 2)
        ),
        voice_pools=(
            pool("pool01", PoolType.FRONT_END, "fe01", "fe02"),
            pool("dir01", PoolType.DIRECTOR, "dir01"),
            pool("sba01", PoolType.BRANCH, "sba01"),
            pool("se01", PoolType.STANDARD_EDITION, lync="2010"),
        ),
        um_dial_plans=(m.DeclaredUMDialPlan(name="Main", forest=exchange_forest, extension_digits=4, access_numbers=("+14255550100",)),),
        voice_dial_plans=(
            m.DeclaredVoiceDialPlan(identity="Global", simple_name="Main.proseware.example"),
            m.DeclaredVoiceDialPlan(
                identity="Seattle", simple_name="Seattle",
                normalization_rules=(
                    m.DeclaredNormalizationRule(name="Ext", pattern=r"^(4\d{3})$", translation="+1425555$1"),
                    m.DeclaredNormalizationRule(name="Local", pattern=r"^9(\d{7})$", translation="+1425$1", is_internal_extension=True),
                ),
            ),
        ),
        voice_policies=(m.DeclaredVoicePolicy(identity="Staff", pstn_usages=("Local", "Long"), allow_simul_ring=False), m.DeclaredVoicePolicy(identity="Global")),
        pstn_usages=("Local", "Long"),
        voice_routes=(m.DeclaredVoiceRoute(name="All", number_pattern=r"^\+1", pstn_usages=("Local",), pstn_gateways=("gw1.litware.example",)),),
        pstn_gateways=(m.DeclaredPstnGateway(fqdn="gw1.litware.example", pool="pool01.litware.example"),),
        contacts=(m.DeclaredContact(display_name="Main SA", sip_address="um-main@litware.example", um_dial_plan="Main", number="+14255550100", pool="pool01.litware.example", ou="OU=UM/Voice,DC=litware,DC=example"),),
        users=(user("alice", extension="4101"), user("bob", extension="4102"), user("sam", pool="se01.litware.example", extension="4103")),
    )  # fmt: skip


def steps_of(org: m.Organization) -> dict[str, RunbookStep]:
    """The Lync steps by id."""
    return {step.id: step for step in runbook_steps(org) if "/lync-" in step.id}


def one(org: m.Organization, step: str) -> RunbookStep:
    return steps_of(org)[step]


def blocks(step: RunbookStep) -> list[str]:
    return [*step.commands, *step.checks, *step.undo, *(saved.expression for saved in step.saves)]


def joined(texts: tuple[str, ...]) -> str:
    return "\n".join(texts)


def nodes(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def text_of(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode()


def parameters(command: tree_sitter.Node) -> Iterator[str]:
    """The parameters of a command, not those of commands within its arguments."""
    for child in command.children:
        if child.type == "command_parameter":
            yield text_of(child).lstrip("-").rstrip(":")
        elif child.type != "command":
            yield from parameters(child)


def commands(block: str) -> Iterator[tuple[str, set[str]]]:
    """Each command of a block, with its parameters."""
    for node in nodes(PARSER.parse(block.encode()).root_node):
        if node.type == "command" and (name := next((c for c in node.children if c.type == "command_name"), None)):
            yield text_of(name), set(parameters(node))


def changes(block: str) -> list[tuple[str, set[str]]]:
    return [(n, p) for n, p in commands(block) if n.partition("-")[0] in CHANGING and n not in HARMLESS]


ORGANIZATIONS = [
    pytest.param(organization(), id="2013-two-forests"),
    pytest.param(organization(exchange_forest="litware.example"), id="2013-one-forest"),
    pytest.param(organization("2007", 3), id="2007"),
    pytest.param(organization("2010", 0), id="2010-RTM"),
]


@pytest.mark.parametrize("org", ORGANIZATIONS)
def test_every_block_parses_in_the_syntax_of_powershell_2(org: m.Organization) -> None:
    for step in steps_of(org).values():
        for block in blocks(step):
            root = PARSER.parse(block.encode()).root_node
            assert not [text_of(n) for n in nodes(root) if n.is_error or n.is_missing], (step.id, block)
            assert not OPERATORS_OF_LATER_SHELLS.search(block), (step.id, block)


@pytest.mark.parametrize("org", ORGANIZATIONS)
def test_every_cmdlet_and_parameter_is_documented_for_the_shell_of_its_step(org: m.Organization) -> None:
    seen = set()
    for step in steps_of(org).values():
        for name, used in (found for block in blocks(step) for found in commands(block) if LYNC_CMDLET.match(found[0])):
            assert used - {"ErrorAction"} <= CMDLETS[name], (step.id, name, used)
            assert step.shell is not Shell.WINDOWS, (step.id, name)
            assert step.shell is not Shell.LYNC_2010 or name not in SINCE_2013, (step.id, name)
            seen.add(name)
    assert "Set-CsDialPlan" in seen and "Test-CsExUMConnectivity" in seen


@pytest.mark.slow
@pytest.mark.parametrize("org", ORGANIZATIONS)
def test_every_changing_cmdlet_takes_whatif_and_no_check_or_kept_value_changes_anything(org: m.Organization) -> None:
    for step in steps_of(org).values():
        for block in (*step.commands, *step.undo):
            for name, used in changes(block):
                assert "WhatIf" in used, (step.id, name)
        for block in (*step.checks, *(saved.expression for saved in step.saves)):
            assert changes(block) == [], (step.id, block)


def test_a_step_that_changes_something_says_what_is_kept_and_how_it_is_backed_out() -> None:
    for step in steps_of(organization()).values():
        changing = [found for block in step.commands for found in changes(block)]
        if changing or step.id == "9/lync-contacts":
            assert step.saves and (step.undo or step.no_return), step.id
        elif step.id != "11/lync-acceptance":
            assert not step.saves and not step.undo, step.id
        kept = {saved_file(step.id, saved.name) for saved in step.saves}
        read = set(re.findall(r"Join-Path \$saved '([^']+)'", joined(step.undo)))
        assert read <= kept, step.id


def test_the_file_of_a_kept_value_has_the_name_that_the_script_gives_it() -> None:
    assert saved_file("8/lync-dial-plans", "rules") == "8_lync-dial-plans-rules.xml"
    certificates = one(organization(), "2/lync-certificates-pool01.litware.example")
    assert "'2_lync-certificates-pool01.litware.example-certificates.xml'" in certificates.undo[0]


def test_every_check_can_fail() -> None:
    warns_only = "Write-Warning"  # of the prerequisites that may come later
    for step in steps_of(organization()).values():
        for block in step.checks:
            assert "throw" in block or (step.id.startswith("0/lync-prerequisites") and warns_only in block), block
            assert "Format-List -Property" not in block  # A2.5: to print is no check


# --- Phase 0 (A1.14) and the prerequisites ---------------------------------------------------------------------------


def test_phase_0_looks_at_groups_trusts_pools_and_users_and_changes_nothing() -> None:
    steps = [step for step in steps_of(organization()).values() if step.phase.number == 0]
    assert [step.id for step in steps] == [
        "0/lync-prerequisites",
        "0/lync-prerequisites-2010",
        "0/lync-directory",
        "0/lync-pools",
        "0/lync-users",
    ]
    assert not any(step.commands or step.undo or step.typed for step in steps)
    directory = one(organization(), "0/lync-directory")
    assert directory.side is Side.DIRECTORY and directory.shell is Shell.WINDOWS
    for group in ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins", "RTCComponentUniversalServices"):
        assert f"'{group}'" in directory.checks[0]
    assert "ConsecutiveFailureCount -gt 0" in directory.checks[1]
    assert "proseware.example does not trust this forest" in directory.checks[2]
    assert "-ne 'Outbound'" in directory.checks[2]  # inbound or both ways: proseware lets litware's accounts in


def test_an_embedded_directory_of_tandem_has_no_trust_that_could_be_looked_at() -> None:
    tandem = m.DeclaredMessagingServer(fqdn="um1.proseware.example", forest="proseware.example")
    org = dataclasses.replace(organization(), messaging_servers=(tandem,))
    assert "does not trust this forest" not in joined(one(org, "0/lync-directory").checks)
    real = dataclasses.replace(org, directory="ldaps://dc1.litware.example")
    assert "proseware.example does not trust this forest" in joined(one(real, "0/lync-directory").checks)


def test_a_user_who_is_not_enabled_is_named_and_the_command_is_offered_not_run() -> None:
    step = one(organization(), "0/lync-users")
    for wrong in ("is not enabled", "is the address of ", "is in pool "):
        assert wrong in step.checks[0]
    assert any("Enable-CsUser -Identity UPN -RegistrarPool POOL" in note.en for note in step.notes)


def test_a_pool_that_hosts_users_needs_a_collocated_mediation_server_and_a_director_does_not() -> None:
    checks = joined(one(organization(), "0/lync-pools").checks)
    for pool, needed in (("pool01", True), ("se01", True), ("dir01", False), ("sba01", False)):
        assert (f"{pool}.litware.example has no collocated Mediation Server" in checks) is needed, pool
    assert "Get-CsService -MediationServer" in checks


def test_the_prerequisites_are_read_in_the_shell_of_each_version_with_its_build_number() -> None:
    new, old = one(organization(), "0/lync-prerequisites"), one(organization(), "0/lync-prerequisites-2010")
    assert (new.shell, old.shell) == (Shell.LYNC_2013, Shell.LYNC_2010)
    assert "'5.0.8308'" in new.checks[0] and "'4.0.7577'" in old.checks[0]
    assert "[version]'4.0.7577.166'" in joined(old.checks)  # cumulative update 3, for Exchange 2013
    assert "4.0.7577.166" not in joined(one(organization("2010", 3), "0/lync-prerequisites-2010").checks)
    assert "Get-CsManagementStoreReplicationStatus" in joined(new.checks)


def test_the_prerequisites_look_up_names_try_ports_and_build_the_chain_of_the_authority() -> None:
    checks = joined(one(organization(), "0/lync-prerequisites").checks)
    for name in ("fe01.litware.example", "ex1.proseware.example", "gw1.litware.example"):
        assert f"'{name}'" in checks, name
    assert "GetHostAddresses($name)" in checks and "GetHostEntry($address)" in checks
    assert "BeginConnect($name, 5061" in checks and "BeginConnect($name, 5067" in checks
    assert "BeginConnect($name, 5068" not in checks  # no trunk uses TCP
    assert "'ca1.litware.example\\Litware Root'" in checks and "$chain.Build($certificate)" in checks
    tcp = dataclasses.replace(organization().pstn_gateways[0], transport=Transport.TCP, port=5066)
    with_tcp = joined(one(dataclasses.replace(organization(), pstn_gateways=(tcp,)), "0/lync-prerequisites").checks)
    assert "BeginConnect($name, 5068" in with_tcp and "BeginConnect('gw1.litware.example', 5066" in with_tcp


def test_the_guidelines_and_the_agreement_are_said_before_anything_else() -> None:
    first = next(iter(steps_of(organization()).values()))
    assert first.notes[0].en.startswith("First read the guidelines")
    assert "Agree with the Exchange administrators" in first.notes[1].en
    assert first.links[0].url == TOPIC + "guidelines-for-integrating-on-premises-unified-messaging"


# --- Phase 2: certificates (A1.1) ------------------------------------------------------------------------------------


def test_each_pool_has_a_certificate_step_that_names_its_own_servers_only() -> None:
    steps = {id_: step for id_, step in steps_of(organization()).items() if id_.startswith("2/")}
    assert list(steps) == [
        f"2/lync-certificates-{pool}.litware.example" for pool in ("pool01", "dir01", "sba01", "se01")
    ]
    servers = {"pool01": ("fe01", "fe02"), "dir01": ("dir01",), "sba01": ("sba01",), "se01": ("se01",)}
    for pool, own in servers.items():
        step = steps[f"2/lync-certificates-{pool}.litware.example"]
        said = joined((*step.commands, *step.checks))
        expected = ", ".join(f"'{each}.litware.example'" for each in own)
        for block in (*step.commands, *step.checks):
            assert f"if (@({expected}) -notcontains $here)" in block
        for other in {name for names in servers.values() for name in names} - {*own, pool}:
            assert f"{other}.litware.example" not in said, (pool, other)
    assert steps["2/lync-certificates-pool01.litware.example"].server == ""
    assert steps["2/lync-certificates-dir01.litware.example"].server == "dir01.litware.example"
    assert steps["2/lync-certificates-se01.litware.example"].server == "se01.litware.example"
    assert steps["2/lync-certificates-se01.litware.example"].shell is Shell.LYNC_2010
    assert steps["2/lync-certificates-pool01.litware.example"].shell is Shell.LYNC_2013


def test_a_certificate_is_asked_for_the_computer_and_found_by_its_friendly_name() -> None:
    text = joined(one(organization(), "2/lync-certificates-pool01.litware.example").commands)
    assert "-ComputerFqdn $here" in text and "-CA $authority" in text
    assert "-DomainName 'pool01.litware.example,fe01.litware.example,fe02.litware.example'" in text
    assert "@('WebServicesInternal', 'WebServicesExternal')" in text and "-Type $types" in text
    assert "$made = Request-CsCertificate" not in text  # its output is documented as none
    found = text.index("$_.FriendlyName -eq 'pool01.litware.example default'")
    assert "Cert:\\LocalMachine\\My" in text and found < text.index("Set-CsCertificate -Type $types -Thumbprint")


def test_a_request_that_the_authority_holds_is_retrieved_and_not_made_again() -> None:
    text = joined(one(organization(), "2/lync-certificates-pool01.litware.example").commands)
    assert (
        text.index("Cert:\\LocalMachine\\REQUEST")
        < text.index("Request-CsCertificate -Retrieve")
        < text.index("Request-CsCertificate -New")
    )
    without = dataclasses.replace(organization(), certificate_authority="")
    assert "throw 'give -CertificateAuthority HOST\\NAME'" in joined(
        one(without, "2/lync-certificates-se01.litware.example").commands
    )


def test_a_branch_has_no_web_services_and_an_undeclared_pool_reads_its_servers_from_the_topology() -> None:
    branch = joined(one(organization(), "2/lync-certificates-sba01.litware.example").commands)
    assert "foreach ($type in @())" in branch
    org = organization()
    bare = dataclasses.replace(org.voice_pools[0], servers=())
    org = dataclasses.replace(org, voice_pools=(bare, *org.voice_pools[1:]))
    text = joined(one(org, "2/lync-certificates-pool01.litware.example").commands)
    assert "@((Get-CsPool -Identity 'pool01.litware.example').Computers" in text
    assert "-DomainName ('pool01.litware.example' + ',' + $here)" in text
    assert any("its servers are not declared" in note.en for note in one(org, "0/lync-pools").notes)


def test_the_check_asks_for_subject_names_validity_and_an_authority() -> None:
    check = one(organization(), "2/lync-certificates-pool01.litware.example").checks[0]
    for wanted in (
        "-contains 'CN=pool01.litware.example'", "$_.Issuer -ne $_.Subject", "$_.NotAfter -gt (Get-Date)",
        "$_.AlternativeNames -contains 'pool01.litware.example'", "$_.AlternativeNames -contains $here", "$started -lt $held.NotBefore",
    ):  # fmt: skip
        assert wanted in check, wanted


# --- Phase 4: media encryption (A1.11, A2.1) -------------------------------------------------------------------------


def test_media_encryption_is_that_of_the_site_else_global_and_of_the_mediation_server() -> None:
    org = organization()
    support = dataclasses.replace(org.voice_pools[0], media_encryption=MediaEncryption.SUPPORT)
    step = one(dataclasses.replace(org, voice_pools=(support, *org.voice_pools[1:])), "4/lync-media")
    first = step.checks[0]
    assert not step.commands and "Registrar" not in joined(step.checks)
    assert (
        "$site = ('site:' + (\"$((Get-CsPool -Identity 'pool01.litware.example').Site)\" -replace '^Site:', ''))"
        in first
    )
    assert (
        first.index("-eq $site")
        < first.index("Get-CsMediaConfiguration -Identity Global")
        < first.index("'MediationServer:pool01.litware.example'")
    )
    assert first.count("-ne 'SupportEncryption'") == 2 and step.checks[1].count("-ne 'RequireEncryption'") == 2


def test_phone_edition_is_told_that_both_sides_have_to_agree_and_never_that_it_insists_on_secured() -> None:
    org = dataclasses.replace(organization(), phone_edition=PhoneEdition.PLANNED)
    said = [note.en for note in one(org, "4/lync-media").notes if "Phone Edition" in note.en]
    assert len(said) == 1 and "DoNotSupportEncryption: SIPSecured" in said[0] and "insist" not in said[0]
    assert not any("Phone Edition" in note.en for note in one(organization(), "4/lync-media").notes)


# --- Identities (A1.12) ----------------------------------------------------------------------------------------------


def test_users_are_rows_of_one_file_with_documented_identities() -> None:
    steps = steps_of(organization())
    rows = steps["0/lync-users"].tables[0].rows
    assert steps["0/lync-users"].tables[0].file == "lync-users.csv"
    assert dict(rows[0]) == {
        "Account": "alice", "Upn": "alice@litware.example", "Sip": "sip:alice@litware.example", "Pool": "pool01.litware.example",
        "Line": "tel:+14255554101", "DialPlan": "", "Policy": "Staff",
    }  # fmt: skip
    for name in ("0/lync-users", "6/lync-sip-addresses", "10/lync-users"):
        step = steps[name]
        assert step.tables[0].rows == rows and "alice" not in joined(tuple(blocks(step))), name
        assert "Import-Csv -Path (Join-Path $tables 'lync-users.csv')" in joined(step.checks)
        assert not re.search(r"-Identity \$(row|_)\.(Account|User)\b", joined(tuple(blocks(step))))
    assert "Set-CsUser -Identity $row.Upn -SipAddress $row.Sip" in steps["6/lync-sip-addresses"].commands[0]
    assert "Set-CsUser -Identity $row.Sip -EnterpriseVoiceEnabled $true" in steps["10/lync-users"].commands[0]
    assert any(
        "correct it in the file where the user principal name differs" in n.en
        for n in steps["6/lync-sip-addresses"].notes
    )


def test_the_line_dial_plan_and_policy_of_a_user_are_checked_and_put_back() -> None:
    step = one(organization(), "10/lync-users")
    for wrong in (
        "is not enabled for Enterprise Voice",
        "has the line",
        "does not have the dial plan",
        "does not have the voice policy",
    ):
        assert wrong in step.checks[0]
    assert "Grant-CsVoicePolicy -Identity $was.SipAddress -PolicyName $name" in step.undo[0]
    assert '-LineURI "$($was.LineURI)"' in step.undo[0]


def test_without_users_there_are_no_steps_for_users() -> None:
    ids = steps_of(dataclasses.replace(organization(), users=()))
    assert not {"0/lync-users", "6/lync-sip-addresses", "10/lync-users", "11/lync-um-settings"} & set(ids)


# --- Phase 7: restart (A2.9, A2.12) ----------------------------------------------------------------------------------


def test_a_front_end_is_restarted_only_if_it_was_started_before_um_was_changed() -> None:
    step = one(organization(), "7/lync-front-end")
    text, check = step.commands[0], step.checks[0]
    assert "@('proseware.example')" in text and "(cn=UM DialPlan Container)(cn=UM IPGateway Container)" in text
    assert (
        text.index("if ($started -lt $changed)")
        < text.index("Stop-CsWindowsService -Name RTCSRV")
        < text.index("Start-CsWindowsService")
    )
    assert "if ($started -lt $changed) { throw" in check and "RTCSRV does not run" in check
    assert step.no_return is not None and not step.undo


def test_front_ends_restart_one_at_a_time_by_a_local_administrator_in_a_window() -> None:
    step = one(organization(), "7/lync-front-end")
    text = step.commands[0]
    assert text.index("Start-CsWindowsService") < text.index("before you go on with the next server")
    assert "-Graceful" in text
    assert step.required == (frozenset({"RTCUniversalServerAdmins", "Administrators"}),)
    said = " ".join(note.en for note in step.notes)
    assert "maintenance window" in said and "one Front End Server at a time" in said and "15030" in said
    assert all(f"'{name}.litware.example'" in text for name in ("fe01", "fe02", "dir01", "sba01"))
    assert "se01" not in text  # of 2010: in its own shell
    old = one(organization(), "7/lync-front-end-2010")
    assert old.shell is Shell.LYNC_2010 and "'se01.litware.example'" in old.commands[0]


def test_with_tandem_um_alone_a_restart_needs_no_exchange_objects() -> None:
    org = organization()
    tandem = m.DeclaredMessagingServer(fqdn="um1.proseware.example", forest="proseware.example")
    step = one(dataclasses.replace(org, messaging_servers=(tandem,)), "7/lync-front-end")
    assert "DirectorySearcher" not in step.commands[0] and "$started -lt $changed" not in step.checks[0]


# --- Phase 8: dial plans (A1.8, A2.5, A2.6) --------------------------------------------------------------------------


def test_a_simple_name_is_set_wherever_it_differs_in_the_global_dial_plan_too() -> None:
    everywhere = one(organization(), "8/lync-dial-plans")
    overall, tag = everywhere.commands
    assert "New-CsDialPlan" not in overall and "Remove-Cs" not in overall
    assert (
        "if ($plan.SimpleName -ne 'Main.proseware.example') { Set-CsDialPlan -Identity 'Global' -SimpleName 'Main.proseware.example'"
        in overall
    )
    assert tag.index("New-CsDialPlan -Identity 'Seattle' -SimpleName 'Seattle'") < tag.index(
        "Set-CsDialPlan -Identity 'Seattle' -SimpleName 'Seattle'"
    )
    assert "if ($plan.SimpleName -ne 'Seattle') { throw" in everywhere.checks[1]


def test_rules_are_made_or_set_in_their_order_and_compared() -> None:
    step = one(organization(), "8/lync-dial-plans")
    text, check = step.commands[1], step.checks[1]
    ext = "-Priority 0 -Pattern '^(4\\d{3})$' -Translation '+1425555$1' -IsInternalExtension $false"
    local = "-Priority 1 -Pattern '^9(\\d{7})$' -Translation '+1425$1' -IsInternalExtension $true"
    for name, settings in (("Ext", ext), ("Local", local)):
        for verb in ("New", "Set"):
            assert f"{verb}-CsVoiceNormalizationRule -Identity 'Seattle/{name}' {settings}" in text
    for property_ in (
        "Pattern -cne '^9(\\d{7})$'",
        "Translation -cne '+1425$1'",
        "IsInternalExtension -ne $true",
        "Priority -ne 1",
    ):
        assert f"$rule.{property_}" in check


def test_the_rule_that_a_new_dial_plan_brings_is_removed_from_a_new_one_only() -> None:
    text = one(organization(), "8/lync-dial-plans").commands[1]
    inside = text[text.index("if (-not $plan)") : text.index("if ($plan.SimpleName")]
    assert "$own = @($plan.NormalizationRules" in inside  # only after New-CsDialPlan
    assert text.index("New-CsVoiceNormalizationRule") < text.index(
        "Remove-CsVoiceNormalizationRule -Identity ('Seattle/' + $name)"
    )
    assert "@('Ext', 'Local') -notcontains $_" in text
    assert any("Prefix All or Keep All" in note.en for note in one(organization(), "8/lync-dial-plans").notes)


def test_the_phase_context_is_asked_for_only_where_the_oldest_server_needs_it() -> None:
    def asked(version: str, pack: int) -> bool:
        return "no dial plan has the simple name Main.proseware.example" in joined(
            one(organization(version, pack), "8/lync-dial-plans").checks
        )

    assert asked("2007", 3) and asked("2010", 0)
    assert not asked("2010", 1) and not asked("2013", 0) and not asked("2016", 0)


def test_the_dial_plan_in_force_at_a_pool_has_a_rule_and_a_directors_is_not_asked() -> None:
    checks = joined(one(organization(), "8/lync-dial-plans").checks)
    assert (
        "pool01.litware.example: no normalization rule in " in checks and "'Registrar:pool01.litware.example'" in checks
    )
    assert "dir01.litware.example: no normalization rule" not in checks


# --- Phase 9: contacts (A2.4, A2.8, C) -------------------------------------------------------------------------------


def test_contacts_are_typed_into_the_tool_of_the_newest_version_field_by_field() -> None:
    step = one(organization(), "9/lync-contacts")
    assert not step.commands
    assert (
        step.typed[0].en
        == "Run %CommonProgramFiles%\\Microsoft Lync Server 2013\\Support\\OcsUmUtil.exe, then click Load Data."
    )
    assert step.typed[1].en == (
        "SIP dial plan Main, Add: Organizational Unit OU=UM/Voice,DC=litware,DC=example; Name Main SA; SIP Address sip:um-main@litware.example; "
        "Server or Pool pool01.litware.example; Phone Number +14255550100; Contact Type Subscriber Access."
    )
    assert "Accès abonné" in step.typed[1].fr
    assert step.tables[0].file == "lync-contacts.csv" and step.tables[0].rows[0]["ContactType"] == "Subscriber Access"
    assert step.required == (frozenset({"RTCUniversalServerAdmins", "RTCUniversalUserAdmins"}),)


def test_contacts_are_read_from_active_directory_and_not_by_the_cmdlet_for_hosted_um() -> None:
    everything = "\n".join(block for step in steps_of(organization()).values() for block in blocks(step))
    assert "ExUmContact" not in everything
    check = one(organization(), "9/lync-contacts").checks[0]
    assert "(&(objectClass=contact)(msRTCSIP-PrimaryUserAddress=*))" in check
    assert "'LDAP://litware.example/OU=UM\\/Voice,DC=litware,DC=example'" in check
    assert "-ne ('tel:' + $row.PhoneNumber)" in check


def test_the_tools_warning_about_names_may_be_ignored_from_2010_sp1_on_only() -> None:
    def note(version: str, pack: int) -> str:
        return " ".join(note.en for note in one(organization(version, pack), "9/lync-contacts").notes)

    assert "ignore the tool's warning about names" in note("2010", 1) and "stop and correct phase 8" not in note(
        "2010", 1
    )
    assert "stop and correct phase 8" in note("2010", 0) and "ignore the tool's warning" not in note("2010", 0)


def test_the_right_on_an_ou_is_revoked_only_where_the_step_granted_it() -> None:
    step = one(organization(), "9/lync-ou-permission")
    assert step.side is Side.DIRECTORY
    assert "if (-not $was.Granted) { Revoke-CsOUPermission" in step.undo[0]
    assert "Granted = [bool](Test-CsOUPermission" in step.saves[0].expression


def test_a_contact_of_a_pool_of_tandem_is_none_of_the_tools() -> None:
    org = organization()
    tandem = m.DeclaredVoicePool(fqdn="tan01.litware.example", forest="litware.example")
    moved = dataclasses.replace(org.contacts[0], pool="tan01.litware.example")
    ids = steps_of(dataclasses.replace(org, voice_pools=(*org.voice_pools, tandem), contacts=(moved,)))
    assert "9/lync-contacts" not in ids and "9/lync-ou-permission" not in ids


# --- Phase 10: Enterprise Voice (A2.6, A2.7, C) ----------------------------------------------------------------------


def test_gateways_are_typed_into_topology_builder_and_looked_for_before_any_route() -> None:
    step = one(organization(), "10/lync-voice")
    assert [text.en for text in step.typed] == [
        "Topology Builder: PSTN gateway gw1.litware.example, TLS port 5067, trunk to the Mediation Server of pool01.litware.example; then publish the topology."
    ]
    assert step.typed[0].fr.startswith("Générateur de topologie : ") and step.typed[0].fr.endswith(
        "puis publiez la topologie."
    )
    assert "PSTN gateway gw1.litware.example is not in the topology" in step.commands[0]
    assert "'PstnGateway:gw1.litware.example'" in step.commands[0] and changes(step.commands[0]) == []


def test_policies_and_routes_are_made_with_add_and_set_with_replace_where_they_differ() -> None:
    step = one(organization(), "10/lync-voice")
    staff = next(block for block in step.commands if "'Staff'" in block)
    assert "New-CsVoicePolicy -Identity 'Staff' -PstnUsages @{ add = @('Local', 'Long') }" in staff
    assert "Set-CsVoicePolicy -Identity 'Staff' -PstnUsages @{ replace = @('Local', 'Long') }" in staff
    assert "$policy.AllowSimulRing -ne $false" in staff and "-AllowSimulRing $false" in staff
    route = next(block for block in step.commands if "New-CsVoiceRoute" in block)
    for verb, how in (("New", "add"), ("Set", "replace")):
        assert (
            f"{verb}-CsVoiceRoute -Identity 'All' -Priority 0 -NumberPattern '^\\+1' -PstnUsages @{{ {how} = @('Local') }} -PstnGatewayList @{{ {how} = @('PstnGateway:gw1.litware.example') }}"
            in route
        )
    assert "$route.NumberPattern -cne '^\\+1'" in route


def test_usages_that_are_not_declared_stay_with_their_policy() -> None:
    overall = next(block for block in one(organization(), "10/lync-voice").commands if "'Global'" in block)
    assert "PstnUsages" not in overall and "Set-CsVoicePolicy -Identity 'Global'" in overall


def test_trunks_mediation_usages_policies_and_routes_are_checked() -> None:
    checks = joined(one(organization(), "10/lync-voice").checks)
    for wrong in (
        "pool01.litware.example has no Mediation Server for PSTN gateway gw1.litware.example",
        "the trunk of gw1.litware.example leads to ",
        "no PSTN usage record Long",
        "voice policy Staff is missing, or not as declared",
        "voice route All is missing, or not as declared at place 0",
    ):
        assert wrong in checks, wrong


def test_what_was_made_is_removed_and_what_was_there_gets_its_former_values() -> None:
    undo = joined(one(organization(), "10/lync-voice").undo)
    assert (
        undo.index("Remove-CsVoiceRoute")
        < undo.index("Remove-CsVoicePolicy")
        < undo.index("-Usage @{ remove = 'Local' }")
    )
    assert "-PstnGatewayList @{ replace = $then }" in undo and "-PstnUsages @{ remove = $now }" in undo
    plans = one(organization(), "8/lync-dial-plans").undo
    assert "Remove-CsDialPlan" not in plans[0] and "Remove-CsDialPlan -Identity 'Seattle'" in plans[1]


def test_further_steps_are_said_in_both_languages() -> None:
    org = dataclasses.replace(organization(), voice_features=tuple(VoiceFeature))
    english, french = further_steps(org), further_steps(org, "fr")
    assert len(english) == len(french) == len(VoiceFeature) == len({*english, *french}) // 2
    notes = one(org, "10/lync-voice").notes
    assert [note.en for note in notes] == [f"Further step: {text}." for text in english]
    assert all(note.fr.startswith("Étape supplémentaire : ") for note in notes)


# --- Phase 11: two forests, acceptance -------------------------------------------------------------------------------


def test_with_exchange_in_another_forest_the_users_of_the_lync_forest_need_their_eum_addresses() -> None:
    step = one(organization(), "11/lync-um-settings")
    assert dict(step.tables[0].rows[0]) == {
        "Sip": "sip:alice@litware.example",
        "Address": "alice@litware.example;phone-context=Main.proseware.example",
    }
    assert "proxyaddresses" in step.checks[0] and "'GC://litware.example'" in step.checks[0] and not step.commands
    assert any("UM settings of each user" in note.en for note in one(organization(), "0/lync-pools").notes)
    assert "11/lync-um-settings" not in steps_of(organization(exchange_forest="litware.example"))


def test_acceptance_is_the_last_step_and_tests_um_from_each_pool_of_2013_that_has_users() -> None:
    steps = runbook_steps(organization())
    last = steps[-1]
    assert last.id == "11/lync-acceptance"
    assert joined(last.checks).count("Test-CsExUMConnectivity") == 1
    assert "-TargetFqdn 'pool01.litware.example' -UserSipAddress 'sip:alice@litware.example'" in last.checks[0]
    assert (
        "-SenderSipAddress 'sip:bob@litware.example' -ReceiverSipAddress 'sip:alice@litware.example'"
        in last.commands[0]
    )
    assert last.commands[0].startswith("if ($WhatIfPreference) {")  # a real voice message
    assert any(
        "se01.litware.example: Lync Server 2010 has no Test-CsExUMConnectivity" in note.en for note in last.notes
    )


def test_an_extension_is_dialed_through_each_dial_plan_whose_rules_can_be_predicted() -> None:
    last = one(organization(), "11/lync-acceptance")
    table = next(table for table in last.tables if table.file == "lync-dialing.csv")
    assert [dict(row) for row in table.rows] == [{"DialPlan": "Seattle", "Dialed": "4101", "Expected": "+14255554101"}]
    assert "Test-CsDialPlan -DialedNumber $row.Dialed -Dialplan $plan" in joined(last.checks)
    org = organization()
    loose = m.DeclaredNormalizationRule(name="Loose", pattern=r"4(\d{3})", translation="+1$1")  # Lync finds it anywhere
    plan = dataclasses.replace(org.voice_dial_plans[1], normalization_rules=(loose,))
    without = one(dataclasses.replace(org, voice_dial_plans=(plan,)), "11/lync-acceptance")
    assert not any(table.file == "lync-dialing.csv" for table in without.tables)


def test_the_call_list_has_a_column_for_the_result_and_the_calls_that_the_organization_can_have() -> None:
    def calls(org: m.Organization) -> list[str]:
        return [row["Call"] for row in one(org, "11/lync-acceptance").tables[0].rows]

    table = one(organization(), "11/lync-acceptance").tables[0]
    assert table.file == "lync-acceptance.csv" and set(table.rows[0]) == {
        "Call",
        "What",
        "Quoi",
        "Result",
        "By",
        "Date",
    }
    assert calls(organization()) == ["S1", "S2", "S3", "S4", "S7", "S8", "S9", "S10", "S11"]
    org = organization("2010", 0)
    attendant = dataclasses.replace(org.contacts[0], auto_attendant="Reception")
    carl = dataclasses.replace(user("carl"), um_mailbox_policy="")
    org = dataclasses.replace(
        org, contacts=(attendant,), users=(*org.users, carl), voice_features=(VoiceFeature.LOCATION_BASED_ROUTING,)
    )
    assert calls(org) == [f"S{n}" for n in range(1, 13)]
    single = dataclasses.replace(org, messaging_servers=org.messaging_servers[:1])
    assert "S9" not in calls(single)
    assert [text.en.partition(":")[0] for text in one(org, "11/lync-acceptance").typed[1:]] == calls(org)


# --- Shells ----------------------------------------------------------------------------------------------------------


def test_what_concerns_all_pools_is_done_in_the_newest_shell_whatever_the_order_of_the_pools() -> None:
    org = organization()
    skype = dataclasses.replace(org.voice_pools[0], version="2015")
    org = dataclasses.replace(org, voice_pools=(org.voice_pools[3], org.voice_pools[1], skype))
    steps = steps_of(org)
    for name in (
        "4/lync-media",
        "8/lync-dial-plans",
        "9/lync-contacts",
        "10/lync-voice",
        "10/lync-users",
        "11/lync-acceptance",
    ):
        assert steps[name].shell is Shell.SKYPE_2015, name
        assert steps[name].where.en == "Skype for Business Server Management Shell, on a Front End Server"
    shells = {step.id: step.shell for step in steps.values() if step.id.startswith(("7/", "0/lync-pre"))}
    assert shells == {
        "0/lync-prerequisites": Shell.SKYPE_2015,
        "0/lync-prerequisites-2013": Shell.LYNC_2013,
        "0/lync-prerequisites-2010": Shell.LYNC_2010,
        "7/lync-front-end": Shell.SKYPE_2015,
        "7/lync-front-end-2013": Shell.LYNC_2013,
        "7/lync-front-end-2010": Shell.LYNC_2010,
    }
    assert "'6.0.9319'" in steps["0/lync-prerequisites"].checks[0]
    assert "Skype for Business Server 2015\\Support\\OcsUMUtil.exe" in steps["9/lync-contacts"].typed[0].en


# --- Links (A2.3), words (A2.13, D) ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "slugs"),
    [
        ("2/lync-certificates-se01.litware.example", ["configure-certificates-on-the-server-running-microsoft-exchange-server-unified-messaging"]),
        ("4/lync-media", ["configure-unified-messaging-on-microsoft-exchange"]),
        ("7/lync-front-end", ["configure-unified-messaging-on-microsoft-exchange"]),
        ("8/lync-dial-plans", ["configuring-dial-plans"]),
        ("9/lync-contacts", ["configure-lync-server-2013-to-work-with-unified-messaging-on-microsoft-exchange-server"]),
        ("10/lync-voice", ["configuring-voice-policies-pstn-usage-records-and-voice-routes", "deploying-enterprise-voice"]),
    ],
)  # fmt: skip
def test_the_topics_own_link_stands_beside_the_step(step: str, slugs: list[str]) -> None:
    links = one(organization(), step).links
    assert [link.url for link in links] == [TOPIC + slug for slug in slugs]
    assert {link.about for link in links} == {"Lync Server 2013"}


def test_titles_are_as_microsofts_french_documentation_writes_them() -> None:
    titles = {id_: (step.title.en, step.title.fr) for id_, step in steps_of(organization()).items()}
    assert titles["0/lync-pools"] == ("Check the Lync Server pools", "Vérifier les pools Lync Server")
    assert titles["6/lync-sip-addresses"] == ("SIP addresses that differ", "Adresses SIP à corriger")
    assert titles["8/lync-dial-plans"][1] == "Configurer les plans de numérotation Lync Server"
    assert (
        titles["10/lync-voice"][1]
        == "Jonctions, stratégies de voix, enregistrements d'utilisation RTC et itinéraires des communications vocales"
    )
    for step in steps_of(organization()).values():
        for text in (step.title, step.where, *step.notes, *step.typed, *((step.no_return,) if step.no_return else ())):
            assert text.en != text.fr, (step.id, text.en)
            assert "Front End" not in text.fr and "Front-End" not in text.fr, text.fr
            assert not re.search(r"(?<=[a-zéè])[;?!]|(?<=[a-zéè]):(?= )", text.fr), text.fr  # a space before : ; ? !


def test_the_restart_says_in_french_what_happens_without_it() -> None:
    said = [note.fr for note in one(organization(), "7/lync-front-end").notes]
    assert said[0] == (
        "Sans redémarrage, le service frontal ne détecte ni les nouveaux plans de numérotation ni les nouveaux serveurs ; "
        "les appels échouent (ms-diagnostics 15030)."
    )


def test_hostile_names_stay_within_their_literals() -> None:
    org = organization()
    evil = "O'Brien $(Remove-Item x) `n \u2019; Stop-Computer #> \"&"
    rule = m.DeclaredNormalizationRule(name=evil, pattern="^1$", translation=evil)
    plan = dataclasses.replace(org.voice_dial_plans[1], normalization_rules=(rule,))
    org = dataclasses.replace(
        org, certificate_authority=evil, voice_dial_plans=(plan,), pstn_usages=(evil,),
        voice_routes=(dataclasses.replace(org.voice_routes[0], name=evil, pstn_usages=(evil,)),),
        um_dial_plans=(dataclasses.replace(org.um_dial_plans[0], voip_security=VoIPSecurity.SIP_SECURED),),
    )  # fmt: skip
    for step in steps_of(org).values():
        for block in blocks(step):
            assert {name for name, _ in commands(block)} & {"Remove-Item", "Stop-Computer"} == set(), (step.id, block)
            root = PARSER.parse(block.encode()).root_node
            assert not [text_of(n) for n in nodes(root) if n.is_error or n.is_missing], (step.id, block)
