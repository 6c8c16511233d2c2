"""Exchange's runbook steps, by shared/domain/real-servers.md: the shell, the roles, the cmdlets and the checks of each version.

Expected values are worked out from Microsoft's documentation and from the topic (Gg425737), not taken from the code.
"""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell
import yaml

from tandem.org import model as m
from tandem.org.versions import is_um_server
from tandem.org.vocabulary import (
    MediaEncryption,
    MessagingOrganization,
    PhoneEdition,
    PoolKind,
    PoolType,
    ServerKind,
    UriType,
    VoIPSecurity,
)
from tandem.process.phases import Side
from tandem.process.runbook.exchange.forest import ExchangeForest
from tandem.process.runbook.exchange.steps import exchange_steps
from tandem.process.runbook.model import RunbookStep, Shell
from tandem.process.runbook.steps import runbook_steps

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
MAIL, VOICE = "proseware.example", "litware.example"
WHATIF = "-WhatIf:$WhatIfPreference"
CMDLETS = yaml.safe_load((Path(__file__).parents[1] / "vectors/powershell/exchange.yaml").read_text())
HOSTILE = "O'Brien $(Remove-Item x) `n \u2019; Stop-Computer #> \"&"


def server(
    name: str, version: str, *roles: str, pack: int = 0, plans: tuple[str, ...] | None = None
) -> m.DeclaredMessagingServer:
    return m.DeclaredMessagingServer(
        fqdn=f"{name}.{MAIL}", forest=MAIL, kind=ServerKind.EXCHANGE, version=version, service_pack=pack, roles=roles,
        dial_plans=plans,
    )  # fmt: skip


OLD = server("ex07um1", "2007", "UM", pack=3)
OLD_MAILBOX = server("ex07mbx1", "2007", "Mailbox", "HubTransport", "ClientAccess", pack=3)
MAILBOX = server("ex13mbx1", "2013", "Mailbox", plans=("New",))
ROUTER = server("ex13cas1", "2013", "ClientAccess", plans=("New",))


def organization(
    *servers: m.DeclaredMessagingServer, voice: str = VOICE, kind: PoolKind = PoolKind.LYNC
) -> m.Organization:
    """Proseware's Exchange and Litware's pools: two SIP URI dial plans, a policy, an attendant, a plain gateway, two users."""
    return m.Organization(
        name="Proseware",
        path=Path("/x/organization.yaml"),
        directory="/x/directory.db",
        state=Path("/x/state"),
        secrets=Path("/x/secrets"),
        certificate_authority="ca1.proseware.example\\Proseware CA",
        forests=tuple(
            m.Forest(name=name, domains=(name,), trusts=tuple({MAIL, voice} - {name}))
            for name in dict.fromkeys((MAIL, voice))
        ),
        messaging_servers=servers,
        voice_pools=(
            m.DeclaredVoicePool(
                fqdn=f"pool01.{voice}", forest=voice, kind=kind, pool_type=PoolType.FRONT_END, servers=(f"fe01.{voice}",)
            ),
            m.DeclaredVoicePool(
                fqdn=f"dir01.{voice}", forest=voice, kind=kind, pool_type=PoolType.DIRECTOR, servers=(f"d1.{voice}",)
            ),
        ),
        um_dial_plans=(
            m.DeclaredUMDialPlan(name="Main", forest=MAIL, extension_digits=4, access_numbers=("+14255550100",)),
            m.DeclaredUMDialPlan(name="New", forest=MAIL, extension_digits=5),
            m.DeclaredUMDialPlan(
                name="Lobby", forest=MAIL, extension_digits=3, uri_type=UriType.TEL_EXTN, voip_security=VoIPSecurity.UNSECURED
            ),
        ),
        um_mailbox_policies=(m.DeclaredUMMailboxPolicy(name="Strict", um_dial_plan="Main", min_pin_length=8),),
        um_auto_attendants=(
            m.DeclaredUMAutoAttendant(name="Reception", um_dial_plan="Main", pilot_identifiers=("+14255550101",)),
            m.DeclaredUMAutoAttendant(name="Closed", um_dial_plan="Main", enabled=False, speech_enabled=False),
        ),
        um_ip_gateways=(
            m.DeclaredUMIPGateway(name="PBX", um_dial_plan="Lobby", address="192.0.2.1", pilot_identifier="5000", port=5070),
        ),
        users=(
            user("alice", "Strict", "4101", voice),
            user("bob", "New Default Policy", "41022", voice),
        ),
    )  # fmt: skip


def user(account: str, policy: str, extension: str, voice: str = VOICE) -> m.DeclaredUser:
    return m.DeclaredUser(
        account=account, display_name=account, forest=voice, ou="OU=P,DC=litware,DC=example",
        mail=f"{account}@proseware.example", sip_address=f"{account}@{voice}", pool=f"pool01.{voice}",
        line_uri=f"tel:+1425555{extension[:4]}", extension=extension,
        um_mailbox_policy=policy,
    )  # fmt: skip


SINGLE = {
    "2007": organization(server("ex1", "2007", pack=3, plans=("Main", "New")), server("ex2", "2007", pack=3, plans=("Lobby",))),
    "2010": organization(server("ex1", "2010", pack=3), server("ex2", "2010", pack=3)),
    "2013": organization(server("ex1", "2013", plans=("Main", "New")), server("ex2", "2013")),
    "2016": organization(server("ex1", "2016"), server("ex2", "2016"), voice=MAIL),
    "mixed": organization(
        MAILBOX, ROUTER, dataclasses.replace(OLD, dial_plans=("Main",)), OLD_MAILBOX,
        server("ex10", "2010", pack=3, plans=("Lobby",)),
    ),
}  # fmt: skip
MIXED = SINGLE["mixed"]


def steps_of(org: m.Organization) -> dict[str, RunbookStep]:
    found = list(exchange_steps(ExchangeForest(org, MAIL)))
    assert len({step.id for step in found}) == len(found)
    return {step.id: step for step in found}


def commands(step: RunbookStep) -> str:
    return "\n".join(step.commands)


def checks(step: RunbookStep) -> str:
    return "\n".join(step.checks)


def said(step: RunbookStep) -> str:
    return "\n".join(text.en for text in (*step.notes, *step.typed))


def nodes(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def cmdlets(script: str) -> list[tuple[str, str]]:
    """Each command of a script, with its whole text."""
    found = []
    for node in nodes(PARSER.parse(script.encode()).root_node):
        if node.type == "command_name" and node.text and node.parent and node.parent.text:
            found.append((node.text.decode(), node.parent.text.decode()))
    return found


def blocks(step: RunbookStep) -> Iterator[str]:
    yield from (*step.commands, *step.checks, *step.undo, *(saved.expression for saved in step.saves))


def everything() -> Iterator[RunbookStep]:
    for org in SINGLE.values():
        yield from steps_of(org).values()


CHANGING = re.compile(r"(New|Set|Enable|Disable|Import|Add|Remove|Grant)-")
HARMLESS = {"New-Object", "Set-StrictMode", "Import-Csv", "Import-Clixml"}


@pytest.mark.parametrize("name", SINGLE)
def test_every_block_parses_and_is_powershell_2(name: str) -> None:
    for step in steps_of(SINGLE[name]).values():
        for block in blocks(step):
            tree = PARSER.parse(block.encode())
            assert [n.text for n in nodes(tree.root_node) if n.is_error or n.is_missing] == [], (step.id, block)
            assert not re.search(
                r"\[pscustomobject\]|\[ordered\]|ConvertTo-Json|(?i: -in )|Import-Csv [^\n]*-Encoding", block
            ), step.id


@pytest.mark.slow
@pytest.mark.parametrize("name", SINGLE)
def test_every_changing_cmdlet_takes_whatif_and_no_check_changes_anything(name: str) -> None:
    for step in steps_of(SINGLE[name]).values():
        for block in (*step.commands, *step.undo):
            for cmdlet, text in cmdlets(block):
                if CHANGING.match(cmdlet) and cmdlet not in HARMLESS and cmdlet != "Set-Content":
                    assert WHATIF in text, (step.id, text)
                if cmdlet in ("Restart-Service", "certreq.exe", ".\\exchucutil.ps1"):
                    assert "if ($WhatIfPreference) {" in block
        for block in (*step.checks, *(saved.expression for saved in step.saves)):
            changing = [c for c, _ in cmdlets(block) if CHANGING.match(c) or c in ("Restart-Service", "certreq.exe")]
            assert set(changing) <= HARMLESS, (step.id, changing)


@pytest.mark.parametrize("name", SINGLE)
def test_every_check_throws(name: str) -> None:
    for step in steps_of(SINGLE[name]).values():
        assert step.checks, step.id
        for check in step.checks:
            assert "throw " in check or step.id.startswith("0/exchange-prerequisites"), (step.id, check)
        assert "Format-List" not in checks(step), step.id


@pytest.mark.parametrize("name", SINGLE)
def test_a_changing_step_keeps_what_was_and_says_how_it_is_backed_out(name: str) -> None:
    for step in steps_of(SINGLE[name]).values():
        if not step.commands:
            continue
        assert step.saves and (step.undo or step.no_return), step.id
        names = {re.sub(r"[^A-Za-z0-9.-]", "_", step.id) + f"-{saved.name}.xml" for saved in step.saves}
        read = set(re.findall(r"Join-Path \$saved '([^']*)'", "\n".join(step.undo)))
        assert read and read <= names, step.id


@pytest.mark.parametrize("name", SINGLE)
def test_every_text_is_in_both_languages(name: str) -> None:
    for step in steps_of(SINGLE[name]).values():
        for text in (step.title, step.where, *step.notes, *step.typed, *((step.no_return,) if step.no_return else ())):
            assert text.en != text.fr, (step.id, text.en)
            assert not re.search(r"\w[:;?!]( |$)", re.sub(r"https?://\S+|Setup\S* /\S.*", "", text.fr)), (
                step.id,
                text.fr,
            )


def test_hostile_names_stay_within_their_literals() -> None:
    org = organization(server("ex1", "2013"), server("ex2", "2007", pack=3))
    plans = tuple(dataclasses.replace(p, name=p.name + HOSTILE) for p in org.um_dial_plans)
    org = dataclasses.replace(
        org, name=HOSTILE, um_dial_plans=plans, certificate_authority=HOSTILE,
        um_mailbox_policies=(m.DeclaredUMMailboxPolicy(name=HOSTILE, um_dial_plan=plans[0].name, um_enabled_text=HOSTILE),),
        um_auto_attendants=(m.DeclaredUMAutoAttendant(name=HOSTILE, um_dial_plan=plans[0].name),), um_ip_gateways=(), users=(),
    )  # fmt: skip
    for step in steps_of(org).values():
        for block in blocks(step):
            assert not {name for name, _ in cmdlets(block)} & {"Remove-Item", "Stop-Computer"}, step.id


# Phase 0


def test_phase_0_looks_at_trusts_groups_and_functional_level_and_changes_nothing() -> None:
    step = steps_of(MIXED)["0/exchange-preconditions"]
    assert step.commands == () and step.shell is Shell.WINDOWS and step.side is Side.DIRECTORY
    text = checks(step)
    assert "GetAllTrustRelationships()" in text and "'litware.example' -and $_.TrustDirection -ne 'Inbound'" in text
    assert "'litware.example' -and $_.TrustDirection -ne 'Outbound'" in text and "Write-Warning" in text
    assert "'RTCUniversalServerAdmins', 'RTCUniversalUserAdmins', 'RTCComponentUniversalServices'" in text
    assert "forestFunctionality" in text and "-lt 2" in text
    assert "guidelines" in said(step)


def test_one_forest_has_no_trust_to_look_at() -> None:
    step = steps_of(SINGLE["2016"])["0/exchange-preconditions"]
    assert "Trust" not in checks(step) and "-lt 3" in checks(step)  # 2016 needs Windows Server 2008's level


def test_the_prerequisites_are_only_read_and_cover_what_point_4_lists() -> None:
    step = steps_of(MIXED)["0/exchange-prerequisites"]
    assert step.commands == () and step.shell is Shell.WINDOWS
    text = checks(step)
    assert "ms-Exch-Schema-Version-Pt" in text and "rangeUpper" in text
    assert "msExchExchangeTransportServer" in text  # not a server (F4)
    assert "$each.Major -eq 14 -and $each.Minor -lt 3" in text  # 2010 SP3 beside 2013
    assert "$each.Build -lt 712" in text  # 2013 CU2: 15.0.712.22
    assert "FileBuildPart -lt 298" in text and "Update Rollup 10" in text  # 2007 SP3 RU10: 8.3.298.3
    assert "Get-UMServer" in text and "Get-UMService" in text and "UM language pack" in text
    assert "'pool01.litware.example', 'fe01.litware.example'" in text and "GetHostEntry" in text
    assert "repadmin.exe /showrepl" in text and "$_.Failures -match '^[1-9]'" in text
    assert "X509Chain" in text and "'ca1.proseware.example\\Proseware CA'" in text


def test_ports_are_those_of_the_roles() -> None:
    text = checks(steps_of(MIXED)["0/exchange-prerequisites"])

    def ports(name: str) -> list[str]:
        return re.findall(rf"Server = '{re.escape(name)}'; Ports = @\(([\d, ]+)\)", text)

    assert ports("ex07um1.proseware.example") == ["5060, 5061", "5065, 5066, 5067, 5068"]
    assert ports("ex13cas1.proseware.example") == ["5060, 5061"]
    assert ports("ex13mbx1.proseware.example") == ["5062, 5063", "5065, 5066, 5067, 5068"]
    assert ports("pool01.litware.example") == ["5061"] and ports("ex07mbx1.proseware.example") == []


def test_exchange_2016_refuses_2007_and_wants_2013s_cumulative_update_10() -> None:
    text = checks(steps_of(organization(server("a", "2013"), server("b", "2016")))["0/exchange-prerequisites"])
    assert "if ($each.Major -eq 8)" in text and "$each.Build -lt 1130" in text


# Phase 1


def test_setup_installs_the_declared_roles_oldest_version_and_2013s_mailbox_first() -> None:
    org = organization(ROUTER, MAILBOX, OLD)
    steps = steps_of(org)
    assert [i for i in steps if i.startswith("1/")] == ["1/exchange-first-server", "1/exchange-servers"]
    first, others = steps["1/exchange-first-server"], steps["1/exchange-servers"]
    assert [text.en for text in first.typed] == [
        'On ex07um1.proseware.example: Setup.com /mode:Install /roles:UnifiedMessaging /OrganizationName:"Proseware"'
    ]
    assert [text.en for text in others.typed] == [
        "On ex13mbx1.proseware.example: Setup.exe /mode:Install /roles:Mailbox /IAcceptExchangeServerLicenseTerms",
        "On ex13cas1.proseware.example: Setup.exe /mode:Install /roles:ClientAccess /IAcceptExchangeServerLicenseTerms",
    ]
    assert first.shell is Shell.EXCHANGE_2007 and others.shell is Shell.EXCHANGE_2013
    assert first.no_return and first.minutes == 60 and others.minutes == 120 + 90  # 2013's UM beside 2007's
    assert "Mailbox role before" in said(others)


def test_servers_of_several_versions_are_deployed_in_a_step_for_each_shell() -> None:
    steps = steps_of(MIXED)
    assert [(i, s.shell) for i, s in steps.items() if i.startswith("1/")] == [
        ("1/exchange-first-server", Shell.EXCHANGE_2007),
        ("1/exchange-servers-2007", Shell.EXCHANGE_2007),
        ("1/exchange-servers-2010", Shell.EXCHANGE_2010),
        ("1/exchange-servers-2013", Shell.EXCHANGE_2013),
    ]


@pytest.mark.parametrize(
    ("state", "named", "required"),
    [
        ("new", True, {frozenset({"Enterprise Admins", "Schema Admins"})}),
        ("schema_prepared", True, {frozenset({"Enterprise Admins"})}),
        ("present", False, {frozenset({"Organization Management"})}),
    ],
)
def test_who_deploys_the_first_server_follows_what_is_there(
    state: str, named: bool, required: set[frozenset[str]]
) -> None:
    org = SINGLE["2013"]
    known = dataclasses.replace(org, messaging_organization=MessagingOrganization(state))
    first = steps_of(known)["1/exchange-first-server"]
    assert ("/OrganizationName:" in first.typed[0].en) is named and set(first.required) == required
    assert ("Schema Admins" in said(first)) is named


def test_a_new_organization_has_the_name_that_its_forest_declares() -> None:
    org = SINGLE["2013"]
    (forest,) = (each for each in org.forests if each.name == org.messaging_forests[0])
    own = dataclasses.replace(forest, messaging_organization_name="Fabrikam Mail")
    named = dataclasses.replace(
        org,
        messaging_organization=MessagingOrganization.NEW,
        forests=tuple(own if each == forest else each for each in org.forests),
    )
    assert '/OrganizationName:"Fabrikam Mail"' in steps_of(named)["1/exchange-first-server"].typed[0].en


# Phase 2


@pytest.mark.parametrize(
    ("version", "roles", "expected"),
    [
        ("2007", ("UM",), True),
        ("2007", ("Mailbox", "HubTransport", "ClientAccess"), False),
        ("2007", (), True),
        ("2010", ("HubTransport",), False),
        ("2013", ("Mailbox",), True),
        ("2013", ("ClientAccess",), True),
        ("2013", ("EdgeTransport",), False),
        ("2016", ("Mailbox",), True),
        ("2016", ("EdgeTransport",), False),
    ],
)
def test_a_um_server_is_one_by_its_roles(version: str, roles: tuple[str, ...], expected: bool) -> None:
    assert is_um_server(server("x", version, *roles)) is expected
    assert is_um_server(m.DeclaredMessagingServer(fqdn="um1.proseware.example", forest=MAIL))


def test_only_um_servers_get_a_certificate_and_a_dial_plan() -> None:
    for step in steps_of(organization(OLD, OLD_MAILBOX)).values():
        if step.phase.number in (2, 5):
            assert "ex07mbx1" not in step.id + commands(step) + checks(step)


def test_2007s_certificates_are_a_step_on_each_server_without_server_parameter() -> None:
    steps = steps_of(organization(OLD, MAILBOX, ROUTER))
    old = steps["2/exchange-certificates-ex07um1.proseware.example"]
    assert old.server == "ex07um1.proseware.example" and old.shell is Shell.EXCHANGE_2007
    for block in blocks(old):
        for cmdlet, text in cmdlets(block):
            if cmdlet.endswith("-ExchangeCertificate"):
                assert "-Server" not in text, text
    new = steps["2/exchange-certificates"]
    assert new.server == "" and new.shell is Shell.EXCHANGE_2013
    found = [text for cmdlet, text in cmdlets(commands(new)) if cmdlet.endswith("-ExchangeCertificate")]
    assert found and all("-Server 'ex13" in text for text in found)
    assert "1112" in said(old)


def test_2010_and_2013_servers_get_their_certificates_in_their_own_shells() -> None:
    steps = steps_of(organization(server("a", "2010", pack=3), server("b", "2013")))
    assert steps["2/exchange-certificates-2010"].shell is Shell.EXCHANGE_2010
    assert "'b.proseware.example'" not in commands(steps["2/exchange-certificates-2010"])
    assert "'b.proseware.example'" in commands(steps["2/exchange-certificates-2013"])


def test_a_request_is_made_once_and_its_answer_fetched_by_number() -> None:
    step = steps_of(SINGLE["2013"])["2/exchange-certificates"]
    block = step.commands[0]
    assert "if (-not (Test-Path 'ex1.proseware.example.req')) {" in block
    assert "-PrivateKeyExportable $true" in block and "CertificateTemplate:WebServer" in block
    assert "certreq.exe -retrieve -f -q -config $authority (Get-Content 'ex1.proseware.example.id')" in block
    assert "if ($LASTEXITCODE -ne 0) { throw" in block
    assert "template WebServer" in said(step) and "mutual TLS (MTLS)" in said(step)


def test_without_a_declared_authority_the_script_asks_for_one() -> None:
    step = steps_of(dataclasses.replace(SINGLE["2013"], certificate_authority=""))["2/exchange-certificates"]
    assert (
        "if (-not $authority) { throw" in step.commands[0] and "$authority = $CertificateAuthority" in step.commands[0]
    )


# Phases 3 and 4


def test_a_dial_plan_is_made_in_the_shell_of_the_oldest_server_that_serves_it() -> None:
    steps = steps_of(MIXED)
    for name in ("3/exchange-dial-plans", "4/exchange-security"):
        old, mid, new = (steps[f"{name}-{year}"] for year in ("2007", "2010", "2013"))
        assert (old.shell, mid.shell, new.shell) == (Shell.EXCHANGE_2007, Shell.EXCHANGE_2010, Shell.EXCHANGE_2013)
        assert ["'Main'" in commands(s) for s in (old, mid, new)] == [True, False, False]
        assert ["'Lobby'" in commands(s) for s in (old, mid, new)] == [False, True, False]
        assert ["'New'" in commands(s) for s in (old, mid, new)] == [False, False, True]
    assert "CountryOrRegionCode" not in commands(steps["3/exchange-dial-plans-2007"])
    assert "-CountryOrRegionCode '1'" in commands(steps["3/exchange-dial-plans-2010"])
    assert steps["3/exchange-auto-attendants"].shell is Shell.EXCHANGE_2007  # all of Main, which 2007 serves
    told = [
        "the oldest version that serves them" in said(steps[f"3/exchange-dial-plans-{y}"]) for y in (2007, 2010, 2013)
    ]
    assert told == [True, True, False]
    assert steps["3/exchange-plain-gateways"].shell is Shell.EXCHANGE_2010


def test_a_dial_plan_of_2007_is_not_upgraded_by_the_way() -> None:
    step = steps_of(SINGLE["2013"])["3/exchange-dial-plans"]
    text = step.commands[0]
    assert text.index("ExchangeVersion") < text.index("Set-UMDialPlan -Identity") and "ForceUpgrade" in text
    assert step.no_return and "URI type" in step.no_return.en
    assert "ExchangeVersion" not in commands(steps_of(SINGLE["2007"])["3/exchange-dial-plans"])


def test_phase_3_compares_phone_context_and_access_numbers() -> None:
    check = steps_of(SINGLE["2013"])["3/exchange-dial-plans"].checks[0]
    assert "\"$($plan.PhoneContext)\" -ne 'Main.proseware.example'" in check
    assert "@('+14255550100')" in check and "\"$($plan.NumberOfDigitsInExtension)\" -ne '4'" in check


def test_message_waiting_of_a_policy_is_set_from_2010_on_only() -> None:
    assert "AllowMessageWaitingIndicator" not in "".join(
        "".join(blocks(step)) for step in steps_of(SINGLE["2007"]).values()
    )
    for version in ("2010", "2013", "2016"):
        assert "-AllowMessageWaitingIndicator $true" in commands(
            steps_of(SINGLE[version])["3/exchange-mailbox-policies"]
        )


def test_a_policy_is_checked_to_be_of_its_dial_plan() -> None:
    step = steps_of(SINGLE["2013"])["3/exchange-mailbox-policies"]
    assert "$policy.UMDialPlan.Name -ne 'Main'" in checks(step) and "\"$($policy.MinPINLength)\" -ne '8'" in checks(
        step
    )
    assert "'New Default Policy'" in checks(step) and "'New Default Policy'" not in commands(step)


def test_an_attendant_that_is_there_is_set_and_one_that_is_not_to_answer_is_disabled() -> None:
    step = steps_of(SINGLE["2013"])["3/exchange-auto-attendants"]
    reception, closed = step.commands
    assert (
        "Set-UMAutoAttendant -Identity 'Reception' -PilotIdentifierList @('+14255550101') -SpeechEnabled $true"
        in reception
    )
    assert "Enable-UMAutoAttendant -Identity 'Reception'" in reception and "Disable-" not in reception
    assert "Disable-UMAutoAttendant -Confirm:$false -Identity 'Closed'" in closed and "Enable-UM" not in closed
    assert "$attendant.UMDialPlan.Name -ne 'Main'" in step.checks[0] and "-ne 'Disabled'" in step.checks[1]


def test_a_plain_gateway_is_known_by_its_address_and_checked_with_port_and_pilot() -> None:
    step = steps_of(SINGLE["2013"])["3/exchange-plain-gateways"]
    assert "$gateway.Port -ne 5070" in checks(step) and "-eq '5000'" in checks(step)
    assert "-PilotIdentifier '5000'" in commands(step) and "-Port 5070 -OutcallsAllowed $false" in commands(step)


@pytest.mark.parametrize(
    ("encryption", "fitting"),
    [
        (MediaEncryption.REQUIRE, "RequireEncryption: Secured."),
        (MediaEncryption.SUPPORT, "SupportEncryption: SIPSecured or Secured."),
        (MediaEncryption.DO_NOT_SUPPORT, "DoNotSupportEncryption: SIPSecured."),
    ],
)
def test_the_advice_for_phone_edition_follows_the_pools_encryption(encryption: MediaEncryption, fitting: str) -> None:
    org = SINGLE["2013"]
    pools = tuple(dataclasses.replace(pool, media_encryption=encryption) for pool in org.voice_pools)
    step = steps_of(dataclasses.replace(org, voice_pools=pools, phone_edition=PhoneEdition.DEPLOYED))[
        "4/exchange-security"
    ]
    assert fitting in said(step) and "insist on SRTP" not in said(step)
    assert "Support: SIPSecured or Secured, Secured recommended; none: SIPSecured" in said(step)


# Phase 5


def test_2007_has_no_startup_mode_follows_its_dial_plans_and_is_checked_by_event_1112() -> None:
    step = steps_of(MIXED)["5/exchange-um-service-ex07um1.proseware.example"]
    text = "\n".join(blocks(step))
    assert "UMStartupMode" not in text and "Enable-ExchangeCertificate" not in text and "UMService" not in text
    assert "Set-UMServer -Identity 'ex07um1.proseware.example' -DialPlans ($held + $missing) -WhatIf" in text
    assert step.server == "ex07um1.proseware.example" and step.shell is Shell.EXCHANGE_2007
    assert "$_.EventID -eq 1112" in checks(step) and "'MSExchange Unified Messaging'" in checks(step)
    assert "$_.VoIPSecurity" not in text and "(Get-UMDialPlan -Identity $_).WhenChanged" in commands(step)


def test_2010_sets_startup_mode_then_the_certificate_then_restarts() -> None:
    step = steps_of(SINGLE["2010"])["5/exchange-um-service-ex1.proseware.example"]
    text = commands(step)
    words = ("Set-UMServer", "Enable-ExchangeCertificate", "-Name MSExchangeUM | Restart-Service")
    assert [text.index(word) for word in words] == sorted(text.index(word) for word in words)
    assert "-UMStartupMode Dual" in text and "@('Main', 'New', 'Lobby')" in text  # Lobby is Unsecured


def test_2013_has_the_service_and_the_call_router_and_keeps_to_sip_uri_dial_plans() -> None:
    steps = steps_of(SINGLE["2013"])
    for start, words in (
        ("5/exchange-um-service-ex1", ("Set-UMService", "-Services UM ", "-Name MSExchangeUM |")),
        (
            "5/exchange-call-router-ex1",
            ("Set-UMCallRouterSettings", "-Services UMCallRouter ", "-Name MSExchangeUMCR |"),
        ),
    ):
        text = commands(steps[f"{start}.proseware.example"])
        assert [text.index(word) for word in words] == sorted(text.index(word) for word in words)
        assert "-UMStartupMode TLS" in text and "Lobby" not in text
        other = commands(steps[f"{start.replace('ex1', 'ex2')}.proseware.example"])
        assert "-UMStartupMode Dual" in other and "@('Main', 'New')" in other and "Lobby" not in other
    assert "UMServer" not in "".join("".join(step.commands) for step in steps.values())
    assert "Dual" in said(steps["5/exchange-um-service-ex1.proseware.example"])  # why it differs from the guides


def test_a_certificate_is_enabled_for_um_or_the_call_router_and_nothing_else() -> None:
    services = {
        match
        for step in everything()
        for cmdlet, text in cmdlets(commands(step))
        if cmdlet == "Enable-ExchangeCertificate"
        for match in re.findall(r"-Services (\S+)", text)
    }
    assert services == {"UM", "UMCallRouter"}


def known(cmdlet: str, year: int) -> set[str] | None:
    """The parameters that a cmdlet has in a version's shell, or None if the shell has no such cmdlet."""
    fact = CMDLETS.get(cmdlet)
    if fact is None or not fact.get("since", 0) <= year <= fact.get("until", 9999):
        return None
    parameters = set(fact["parameters"]) | {"ErrorAction"} | set(fact.get("only", {}).get(year, ()))
    for since, more in fact.get("from", {}).items():
        parameters |= set(more) if year >= since else set()
    return parameters | {"WhatIf", "Confirm"} if fact.get("changes") else parameters


def parameters_of(script: str) -> Iterator[tuple[str, set[str]]]:
    """Each command of a script with the names of its parameters."""
    for node in nodes(PARSER.parse(script.encode()).root_node):
        name = next((c.text.decode() for c in node.children if c.type == "command_name" and c.text), None)
        if node.type == "command" and name:
            elements = next((c for c in node.children if c.type == "command_elements"), node)
            found = [c.text.decode() for c in elements.children if c.type == "command_parameter" and c.text]
            yield name, {each.lstrip("-").rstrip(":") for each in found}


PROGRAMS = {"certreq.exe", "repadmin.exe", ".\\exchucutil.ps1"}
"""What is no cmdlet; the first and the last say themselves what they would do (unless_whatif), repadmin only reads."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SINGLE)
def test_each_cmdlet_and_parameter_is_in_the_shell_of_its_step(name: str) -> None:
    seen = set()
    for step in steps_of(SINGLE[name]).values():
        year = 0 if step.shell is Shell.WINDOWS else int(step.shell.value.removeprefix("exchange-"))
        for block in blocks(step):
            for cmdlet, parameters in parameters_of(block):
                if cmdlet in PROGRAMS or (year == 0 and f"Get-Command -Name {cmdlet} " in block):
                    continue
                seen.add(cmdlet)
                there = known(cmdlet, year)
                assert there is not None, (step.id, cmdlet)
                assert parameters <= there, (step.id, cmdlet, parameters - there)
    assert len(seen) > 40


def test_the_table_knows_what_release_0_1_got_wrong() -> None:
    assert "UMStartupMode" not in (known("Set-UMServer", 2007) or ()) and known("Set-UMServer", 2013) is None
    assert "AllowMessageWaitingIndicator" not in (known("Set-UMMailboxPolicy", 2007) or ())
    assert "Server" not in (known("Get-ExchangeCertificate", 2007) or ())


def test_2007s_objects_are_not_asked_for_what_they_do_not_have() -> None:
    """Properties are in no table: strict mode throws for one that is not there."""
    for step in everything():
        if step.shell is Shell.EXCHANGE_2007:
            text = "\n".join(blocks(step))
            assert "MessageWaiting" not in text and "UMStartupMode" not in text, step.id


@pytest.mark.parametrize("router", [False, True])
def test_phase_5_checks_dial_plans_mode_services_and_restart(router: bool) -> None:
    name, service = ("call-router", "UMCallRouter") if router else ("um-service", "UM")
    step = steps_of(SINGLE["2013"])[f"5/exchange-{name}-ex1.proseware.example"]
    text = checks(step)
    assert "foreach ($plan in @('Main', 'New'))" in text and "-notcontains $plan" in text
    assert "-ne 'TLS'" in text and f"-match '\\b{service}\\b'" in text
    assert "$started -lt $written" in text
    assert ("UM language pack" in text) is not router
    assert "answers no call until it is in a UM dial plan" in said(step)


def test_a_restart_follows_from_the_time_of_the_last_change_and_not_from_this_run_alone() -> None:
    text = commands(steps_of(SINGLE["2013"])["5/exchange-um-service-ex1.proseware.example"])
    assert "if ($changed -or -not $started -or $started -lt $written) {" in text
    assert "Win32_Service" in text and "WhenChanged" in text and "CreationDate" in text


# Phases 6 and 11


def test_users_lie_in_one_table_and_are_named_by_their_mail_address() -> None:
    org = SINGLE["2013"]
    many = tuple(user(f"u{n}", "New Default Policy", f"{n:05}") for n in range(1000))
    few, more = steps_of(org), steps_of(dataclasses.replace(org, users=many))
    for name in ("6/exchange-eum-addresses", "11/exchange-um-users"):
        assert few[name].commands == more[name].commands and few[name].checks == more[name].checks
        (table,) = few[name].tables
        assert table.file == "exchange-users.csv" and len(more[name].tables[0].rows) == 1000
        assert "Import-Csv -Path (Join-Path $tables 'exchange-users.csv')" in commands(few[name])
        assert "-Identity $row.Mail" in commands(few[name])
        assert dict(table.rows[0]) == {
            "Mail": "alice@proseware.example", "Sip": "alice@litware.example", "Extension": "4101", "Policy": "Strict",
            "Plan": "Main", "Context": "Main.proseware.example", "Linked": "yes",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("uri_type", "sip"), [(UriType.SIP_NAME, "alice@litware.example"), (UriType.E164, "+4101"), (UriType.TEL_EXTN, "")]
)
def test_a_user_is_enabled_by_the_address_of_the_dial_plans_uri_type(uri_type: UriType, sip: str) -> None:
    org = SINGLE["2013"]
    main = dataclasses.replace(org.um_dial_plans[0], uri_type=uri_type)
    step = steps_of(dataclasses.replace(org, um_dial_plans=(main, *org.um_dial_plans[1:])))["11/exchange-um-users"]
    assert step.tables[0].rows[0]["Sip"] == sip
    assert "if ($row.Sip) { $more['SIPResourceIdentifier'] = $row.Sip }" in commands(step)


def test_two_messaging_forests_have_a_table_each() -> None:
    org = SINGLE["2013"]
    other = m.DeclaredUMDialPlan(name="Fab", forest="fabrikam.example", extension_digits=4)
    forests = (*org.forests, m.Forest(name="fabrikam.example", domains=("fabrikam.example",)))
    two = dataclasses.replace(org, forests=forests, um_dial_plans=(*org.um_dial_plans, other))
    step = steps_of(two)["11/exchange-um-users@proseware.example"]
    assert step.tables[0].file == "exchange-users-proseware.example.csv" and step.tables[0].file in commands(step)


def test_the_eum_address_takes_the_phone_context_that_exchange_has() -> None:
    text = commands(steps_of(SINGLE["2013"])["6/exchange-eum-addresses"])
    assert "'EUM:' + $row.Sip + ';phone-context=' + (Get-UMDialPlan -Identity $row.Plan).PhoneContext" in text
    assert "Where-Object { $_.Sip }" in text


def test_policy_and_extension_are_verified_before_anyone_is_enabled() -> None:
    step = steps_of(SINGLE["2013"])["11/exchange-um-users"]
    verify, enable = step.commands
    assert "Enable-UMMailbox" not in verify and "Enable-UMMailbox" in enable
    assert "there is no UM mailbox policy" in verify and "already'" in verify and "wrong number of digits" in verify
    text = checks(step)
    assert "$um.UMMailboxPolicy.Name -ne $row.Policy" in text and "-notcontains $row.Extension" in text
    assert "phone-context=" in text
    assert "Recipient Management holds no role" in said(step)


def test_2007s_recipient_administrators_enable_users() -> None:
    assert set(steps_of(SINGLE["2007"])["11/exchange-um-users"].required) == {
        frozenset({"Exchange Recipient Administrators"})
    }
    assert "Recipient Management" not in said(steps_of(SINGLE["2007"])["11/exchange-um-users"])


def test_in_a_mixed_forest_a_mailbox_is_changed_in_its_servers_shell() -> None:
    steps = steps_of(MIXED)
    for year, others in (
        ("2007", "-notmatch '^Version 8\\.'"),
        ("2010", "-notmatch '^Version 14\\.'"),
        ("2013", "-match '^Version 8\\.|^Version 14\\.'"),
    ):
        step = steps[f"11/exchange-um-users-{year}"]
        for block in (*step.commands, *step.checks):
            assert f"if ($version {others}) {{ continue }}" in block and "$mailbox.ServerName" in block
    assert "AdminDisplayVersion" not in commands(steps_of(SINGLE["2013"])["11/exchange-um-users"])


def test_with_two_forests_the_um_settings_are_looked_for_on_the_users_of_the_lync_forest() -> None:
    step = steps_of(SINGLE["2013"])["11/exchange-linked-users"]
    assert "msRTCSIP-PrimaryUserAddress=sip:" in checks(step) and "'litware.example'" in checks(step)
    assert "proxyaddresses" in checks(step) and step.typed
    assert "11/exchange-linked-users" not in steps_of(SINGLE["2016"])


# Phase 7


def test_exchucutil_runs_in_its_own_folder_without_strict_mode_and_only_if_something_is_missing() -> None:
    step = steps_of(SINGLE["2013"])["7/exchange-exchucutil"]
    (run,) = [block for block in step.commands if "exchucutil.ps1" in block]
    assert "$env:ProgramFiles" not in commands(step)
    lines = [line.strip() for line in run.split("\n")]
    at = lines.index("Set-StrictMode -Off")
    assert lines[at + 1 : at + 4] == [
        "$ErrorActionPreference = 'Continue'",
        "Push-Location $exscripts",
        "try { .\\exchucutil.ps1 -Forest:'litware.example' } finally { Pop-Location }",
    ]
    assert run.index("if ($missing.Count -gt 0) {") < run.index("Push-Location")
    assert "UM IPGateway Container" not in run  # the script does not grant that one: it would run for ever
    assert step.minutes == 2


def test_what_exchucutil_overwrites_is_kept_before_and_put_back_after() -> None:
    step = steps_of(SINGLE["2013"])["7/exchange-exchucutil"]
    text = commands(step)
    order = (
        "Waiting = $gateway.MessageWaitingIndicatorAllowed",
        "$groups = @(Get-UMHuntGroup",
        ".\\exchucutil.ps1",
        "New-UMHuntGroup -Name $name -UMIPGateway $group.Gateway",
        "-OutcallsAllowed $wanted",
        "-MessageWaitingIndicatorAllowed $before[$gateway.Name].Waiting",
    )
    assert [text.index(word) for word in order] == sorted(text.index(word) for word in order)
    assert {saved.name for saved in step.saves} == {"gateways", "hunt-groups", "permissions"}
    assert "-eq 'pool01.litware.example')" in text  # the Director never calls out


def test_phase_7_checks_gateways_hunt_groups_permissions_and_the_one_that_calls_out() -> None:
    text = checks(steps_of(SINGLE["2013"])["7/exchange-exchucutil"])
    assert "foreach ($pool in @('pool01.litware.example', 'dir01.litware.example'))" in text
    assert "foreach ($plan in @('Main', 'New'))" in text  # not Lobby, which is Unsecured
    assert "$_.UMIPGateway.Name -eq $gateway.Name -and $_.UMDialPlan.Name -eq $plan" in text
    assert '"$($_.PilotIdentifier)" -eq $plan' in text
    for container in ("UM DialPlan", "UM AutoAttendant", "UM IPGateway"):
        assert f"'{container} Container'" in text
    assert "'Administrative Groups'" in text
    assert "'litware.example\\RTCUniversalServerAdmins', 'litware.example\\RTCComponentUniversalServices'" in text
    assert "$calling.Count -ne 1" in text


def test_only_ev_pools_asks_for_those_alone_and_says_what_the_script_still_does() -> None:
    step = steps_of(dataclasses.replace(SINGLE["2013"], only_ev_pools=True))["7/exchange-exchucutil"]
    assert "foreach ($pool in @('pool01.litware.example'))" in checks(step)
    assert "still creates a gateway for every pool" in said(step)


def test_2007s_shell_runs_exchucutil_where_2007_serves_a_dial_plan() -> None:
    step = steps_of(MIXED)["7/exchange-exchucutil"]
    assert step.shell is Shell.EXCHANGE_2007 and "-Port 5061" in commands(step)


def test_a_director_alone_may_not_call_out() -> None:
    org = SINGLE["2013"]
    only = dataclasses.replace(org, voice_pools=org.voice_pools[1:], users=())
    text = checks(steps_of(only)["7/exchange-exchucutil"])
    assert "$calling.Count -ne 0" in text


def test_pools_of_tandem_get_their_objects_without_the_shipped_script() -> None:
    text = commands(steps_of(organization(server("ex1", "2013"), kind=PoolKind.TANDEM))["7/exchange-exchucutil"])
    assert "exchucutil.ps1" not in text
    assert "New-UMIPGateway -Name 'pool01.litware.example' -Address 'pool01.litware.example'" in text
    assert "New-UMHuntGroup -Name 'Main' -UMIPGateway $gateway.Name -UMDialPlan 'Main' -PilotIdentifier 'Main'" in text


# Documentation


BASE = "https://learn.microsoft.com/previous-versions/office/lync-server-2013/lync-server-2013-"


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("2007", {1: "268694", 3: "268632", 4: "268696", 5: "268681", 6: "268698", 11: "268700"}),
        ("2010", {1: "268695", 3: "268674", 4: "268697", 5: "268682", 6: "268699", 11: "268701"}),
        ("2013", {1: "266569", 3: "266579", 4: "266579", 5: "266579", 6: "266579", 11: "266579"}),
    ],
)
def test_each_step_names_the_topics_pages_for_its_version(version: str, numbers: dict[int, str]) -> None:
    for step in steps_of(SINGLE[version]).values():
        own = [link for link in step.links if link.about.startswith("Exchange")]
        expected = numbers.get(step.phase.number)
        assert [link.url for link in own] == (
            [f"https://go.microsoft.com/fwlink/p/?LinkId={expected}"] if expected else []
        )
        assert all(link.about == f"Exchange {version}" for link in own)


def test_phases_0_2_4_and_7_name_the_lync_pages_of_the_topic() -> None:
    steps = steps_of(SINGLE["2013"])

    def lync(name: str) -> list[str]:
        return [link.url.removeprefix(BASE) for link in steps[name].links if link.about == "Lync Server 2013"]

    assert lync("0/exchange-preconditions") == [
        "guidelines-for-integrating-on-premises-unified-messaging",
        "deploying-enterprise-voice",
    ]
    assert lync("2/exchange-certificates") == [
        "configure-certificates-on-the-server-running-microsoft-exchange-server-unified-messaging"
    ]
    assert (
        lync("4/exchange-security")
        == lync("7/exchange-exchucutil")
        == ["configure-unified-messaging-on-microsoft-exchange"]
    )


def test_in_a_mixed_forest_a_steps_links_are_those_of_its_shell() -> None:
    steps = steps_of(MIXED)
    assert [link.about for link in steps["3/exchange-dial-plans-2007"].links] == ["Exchange 2007"]
    assert [link.about for link in steps["11/exchange-um-users-2013"].links] == ["Exchange 2013"]


def test_the_steps_are_in_the_order_of_the_phases() -> None:
    for org in SINGLE.values():
        numbers = [step.phase.number for step in runbook_steps(org)]
        assert numbers == sorted(numbers)
