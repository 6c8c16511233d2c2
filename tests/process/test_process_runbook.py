"""The runbook: right for each version, in both languages, safe to run again, and closed to hostile names."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell
from click.testing import CliRunner

from tandem.cli.deploy.runbook import runbook
from tandem.org import model as m
from tandem.org.vocabulary import PhoneEdition, PoolKind, PoolType, ServerKind, UriType, VoiceFeature, VoIPSecurity
from tandem.process.errors import ProcessError
from tandem.process.phases import Side
from tandem.process.runbook.model import Language, RunbookStep
from tandem.process.runbook.powershell import quote
from tandem.process.runbook.render import RENDERERS
from tandem.process.runbook.steps import for_team, runbook_steps

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
VERSIONS = [("2007", 3), ("2010", 0), ("2010", 2), ("2013", 0), ("2016", 0)]
HOSTILE = "O'Brien $(Remove-Item x) `n \u2019; Stop-Computer #> \"&"


def organization(version: str = "2013", pack: int = 0, *, forests: int = 1, name: str = "Main") -> m.Organization:
    """An Exchange organization with a Lync pool, a branch, an auto attendant, plain gateways and users."""
    mail = "mail.example.com" if forests == 2 else "example.com"
    named = [
        m.Forest(name=n, domains=("example.com",), trusts=tuple({mail, "example.com"} - {n}))
        for n in dict.fromkeys((mail, "example.com"))
    ]
    return m.Organization(
        name="Contoso",
        path=Path("/x/organization.yaml"),
        directory="/x/directory.db",
        state=Path("/x/state"),
        secrets=Path("/x/secrets"),
        phone_edition=PhoneEdition.DEPLOYED,
        voice_features=tuple(VoiceFeature),
        forests=tuple(named),
        messaging_servers=tuple(
            m.DeclaredMessagingServer(fqdn=f"ex{n}.{mail}", forest=mail, kind=ServerKind.EXCHANGE, version=version, service_pack=pack)
            for n in (1, 2)
        ),
        voice_pools=(
            m.DeclaredVoicePool(fqdn="pool1.example.com", forest="example.com", kind=PoolKind.LYNC, pool_type=PoolType.FRONT_END, servers=("fe1.example.com", "fe2.example.com")),
            m.DeclaredVoicePool(fqdn="branch.example.com", forest="example.com", kind=PoolKind.LYNC, pool_type=PoolType.BRANCH),
        ),
        um_dial_plans=(
            m.DeclaredUMDialPlan(name=name, forest=mail, extension_digits=4, access_numbers=("+14255550100",)),
            m.DeclaredUMDialPlan(name="Lobby", forest=mail, extension_digits=3, uri_type=UriType.TEL_EXTN, voip_security=VoIPSecurity.UNSECURED),
        ),
        um_mailbox_policies=(m.DeclaredUMMailboxPolicy(name="Strict", um_dial_plan=name, min_pin_length=8),),
        um_ip_gateways=(m.DeclaredUMIPGateway(name="PBX", um_dial_plan="Lobby", address="192.0.2.1", pilot_identifier="5000"),),
        um_auto_attendants=(m.DeclaredUMAutoAttendant(name="Reception", um_dial_plan=name, pilot_identifiers=("+14255550101",)),),
        voice_dial_plans=(
            m.DeclaredVoiceDialPlan(identity="Main", simple_name=f"{name}.{mail}", normalization_rules=(m.DeclaredNormalizationRule(name="Ext", pattern=r"^(\d{4})$", translation="+1425555$1"),)),
        ),
        voice_policies=(m.DeclaredVoicePolicy(identity="Staff", pstn_usages=("Local",)),),
        pstn_usages=("Local",),
        voice_routes=(m.DeclaredVoiceRoute(name="All", number_pattern=r"^\+1", pstn_usages=("Local",), pstn_gateways=("gw.example.com",)),),
        pstn_gateways=(m.DeclaredPstnGateway(fqdn="gw.example.com", pool="pool1.example.com"),),
        contacts=(m.DeclaredContact(display_name="SA", sip_address="sa@example.com", um_dial_plan=name, number="+14255550100", pool="pool1.example.com", ou="OU=UM,DC=example,DC=com"),),
        users=(
            m.DeclaredUser(account="alice", display_name="Alice", forest="example.com", ou="OU=P,DC=example,DC=com", mail="alice@example.com", sip_address="alice@example.com", pool="pool1.example.com", line_uri="tel:+14255554101", extension="4101", um_mailbox_policy=f"{name} Default Policy", voice_policy="Staff"),
        ),
    )  # fmt: skip


def text_of(steps: tuple[RunbookStep, ...], start: str) -> str:
    return "\n".join("\n".join(step.commands) for step in steps if step.id.startswith(start))


def nodes(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def faults(script: str) -> list[str]:
    tree = PARSER.parse(script.encode())
    return [n.text.decode()[:80] for n in nodes(tree.root_node) if (n.is_error or n.is_missing) and n.text is not None]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("forests", [1, 2])
@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: f"{v[0]}-SP{v[1]}")
def test_the_script_parses(version: tuple[str, int], forests: int, language: Language) -> None:
    org = organization(*version, forests=forests)
    for team in ("all", "exchange", "voice", "directory"):
        assert faults(RENDERERS["ps1"](for_team(runbook_steps(org), team), org, language)) == []


@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: f"{v[0]}-SP{v[1]}")
def test_each_step_has_a_check_roles_and_both_languages_in_the_order_of_the_phases(version: tuple[str, int]) -> None:
    steps = runbook_steps(organization(*version))
    numbers = [step.phase.number for step in steps]
    assert numbers == sorted(numbers) and set(numbers) == set(range(12))
    assert len({step.id for step in steps}) == len(steps)
    for step in steps:
        assert step.checks and step.required, step.id
        for text in (step.title, step.where, *step.notes):
            assert text.en != text.fr, (step.id, text.en)


def test_2007_has_no_country_code_uses_set_umserver_and_chooses_its_certificate_itself() -> None:
    steps = runbook_steps(organization("2007", 3))
    assert "CountryOrRegionCode" not in text_of(steps, "3/")
    fifth = text_of(steps, "5/")
    assert "Set-UMServer" in fifth and "Set-UMService" not in fifth and "Enable-ExchangeCertificate" not in fifth
    assert any("1112" in note.en for step in steps if step.id == "2/exchange-certificates" for note in step.notes)
    assert "Exchange Server\\Scripts" in text_of(steps, "7/exchange-exchucutil")
    assert {g for s in steps if s.id == "11/exchange-um-users" for a in s.required for g in a} == {
        "Exchange Recipient Administrators"
    }


def test_2010_sets_startup_mode_then_certificate_then_restarts() -> None:
    steps = runbook_steps(organization("2010", 2))
    assert "-CountryOrRegionCode '1'" in text_of(steps, "3/")
    fifth = text_of(steps, "5/exchange-um-service-ex1")
    order = [
        fifth.index(word) for word in ("Set-UMServer", "Enable-ExchangeCertificate", "Restart-Service MSExchangeUM")
    ]
    assert order == sorted(order)
    assert "V14\\Scripts" in text_of(steps, "7/")


def test_2013_has_the_service_and_the_call_router_each_in_order_and_dual_for_plans_that_differ() -> None:
    steps = runbook_steps(organization())
    for start, words in (
        ("5/exchange-um-service-ex1", ("Set-UMService", "Enable-ExchangeCertificate", "Restart-Service MSExchangeUM")),
        ("5/exchange-call-router-ex1", ("Set-UMCallRouterSettings", "'UMCallRouter'", "MSExchangeUMCR")),
    ):
        text = text_of(steps, start)
        order = [text.index(word) for word in words]
        assert order == sorted(order) and "-UMStartupMode Dual" in text
        assert "@('Main')" in text and "Lobby" not in text  # a 2013 server cannot be put into a TelExtn dial plan
        assert "$held + $missing" in text and "if ($changed)" in text
    assert "V15\\Scripts" in text_of(steps, "7/")


def test_exchucutil_puts_back_what_an_administrator_set_and_lets_one_pool_call_out() -> None:
    steps = runbook_steps(organization(forests=2))
    text = text_of(steps, "7/exchange-exchucutil")
    assert text.index("$before[$gateway.Name]") < text.index("exchucutil.ps1'") < text.index("ContainsKey")
    assert "$pools -contains $_.Address" in text  # a PBX that may call out counts for itself only
    assert "-Forest:'example.com'" in text and "-eq 'pool1.example.com')" in text
    assert "UM IPGateway Container" in text and "-Port 5061" in text


def test_voice_names_are_checked_only_where_the_oldest_server_needs_them() -> None:
    def names(version: tuple[str, int]) -> str:
        return "\n".join(
            c for s in runbook_steps(organization(*version)) if s.id == "8/lync-dial-plans" for c in s.checks
        )

    assert "Main.example.com" in names(("2007", 3)) and "Main.example.com" in names(("2010", 0))
    assert "Main.example.com" not in names(("2010", 1)) and "Main.example.com" not in names(("2013", 0))


def test_the_front_ends_are_restarted_and_each_teams_share_is_its_own() -> None:
    steps = runbook_steps(organization())
    restart = text_of(steps, "7/lync-front-end")
    assert all(f"'{name}.example.com'" in restart for name in ("fe1", "fe2", "branch"))
    assert {step.side for step in for_team(steps, "voice")} == {Side.VOICE}
    assert [step.id for step in for_team(steps, "directory")] == ["9/lync-ou-permission"]


def test_what_cannot_be_known_is_said() -> None:
    org = organization()
    tandem = m.DeclaredMessagingServer(fqdn="um1.example.com", forest="example.com")
    mixed = dataclasses.replace(org, messaging_servers=(tandem,))
    said = [note.en for step in runbook_steps(mixed) for note in step.notes]
    assert any("docs/protocols/mixed.md" in note for note in said)
    assert not any("mixed.md" in note.en for step in runbook_steps(org) for note in step.notes)


def test_hostile_text_stays_within_its_literal() -> None:
    org = organization(name=HOSTILE)
    org = dataclasses.replace(org, name=HOSTILE)
    script = RENDERERS["ps1"](runbook_steps(org), org, "en")
    assert faults(script) == []
    tree = PARSER.parse(script.encode())
    commands = [n.text.decode() for n in nodes(tree.root_node) if n.type == "command_name" and n.text]
    assert {name.lower() for name in commands} & {"remove-item", "stop-computer"} == set()
    kinds = {n.type for n in nodes(tree.root_node) if n.text and b"Stop-Computer" in n.text and not n.children}
    assert kinds <= {"verbatim_string_characters", "comment", "string_literal"}, kinds
    page = RENDERERS["html"](runbook_steps(org), org, "en")
    assert "<script" not in page and '"&</h1>' not in page


def test_a_value_with_a_line_break_is_refused() -> None:
    with pytest.raises(ProcessError, match="control character"):
        quote("a\nStop-Computer")
    assert quote("O'Brien\u2019s") == "'O''Brien\u2019\u2019s'"


def test_french_changes_no_command() -> None:
    org = organization()
    scripts = [RENDERERS["ps1"](runbook_steps(org), org, language) for language in ("en", "fr")]  # type: ignore[arg-type]
    without = [re.sub(r"(?m)^#.*$", "", script) for script in scripts]
    assert without[0] == without[1] and scripts[0] != scripts[1]
    assert "groupements de postes" in scripts[1]


def test_every_changing_command_takes_whatif() -> None:
    changing = re.compile(r"\b(New|Set|Enable|Import|Add|Grant|Request)-(?!Content)\w+[^\n|]*")
    for version in VERSIONS:
        for step in runbook_steps(organization(*version)):
            for block in step.commands:
                for found in changing.finditer(block):
                    assert "-WhatIf:$WhatIfPreference" in found.group(), found.group()
                if "Restart-Service" in block or "certreq.exe" in block or "exchucutil.ps1" in block:
                    assert "if ($WhatIfPreference) {" in block and "ShouldProcess" not in block


def test_the_command_says_when_nothing_is_to_be_done_by_hand(deployed: Path) -> None:
    done = CliRunner().invoke(runbook, [str(deployed / "organization.yaml")])
    assert done.exit_code == 0 and "nothing to do by hand" in done.stderr


@pytest.mark.parametrize(
    ("uri_type", "resource", "address"),
    [
        (UriType.SIP_NAME, "Sip = 'alice@example.com'", "EUM:alice@example.com;phone-context=Main.example.com"),
        (UriType.E164, "Sip = '+4101'", "EUM:+4101;phone-context=Main.example.com"),
        (UriType.TEL_EXTN, "Sip = ''", ""),
    ],
)
def test_a_user_is_enabled_by_the_address_of_the_dial_plans_uri_type(
    uri_type: UriType, resource: str, address: str
) -> None:
    org = organization()
    main = dataclasses.replace(org.um_dial_plans[0], uri_type=uri_type)
    steps = runbook_steps(dataclasses.replace(org, um_dial_plans=(main, *org.um_dial_plans[1:])))
    assert resource in text_of(steps, "11/exchange-um-users")
    assert (f"'{address}'" in text_of(steps, "6/exchange-eum-addresses")) is bool(address)
