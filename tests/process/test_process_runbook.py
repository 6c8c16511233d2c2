"""The steps of the runbook: right for each version, and in both languages."""

import dataclasses
from pathlib import Path

import pytest
from click.testing import CliRunner

from process.contoso import VERSIONS, organization
from tandem.cli.deploy.runbook import runbook
from tandem.org import model as m
from tandem.org.vocabulary import UriType
from tandem.process.errors import ProcessError
from tandem.process.phases import Side
from tandem.process.runbook.model import RunbookStep
from tandem.process.runbook.powershell import quote
from tandem.process.runbook.steps import for_team, runbook_steps


def text_of(steps: tuple[RunbookStep, ...], start: str) -> str:
    return "\n".join("\n".join(step.commands) for step in steps if step.id.startswith(start))


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
    assert any("not public" in note for note in said)
    assert not any("not public" in note.en for step in runbook_steps(org) for note in step.notes)


def test_a_value_with_a_line_break_is_refused() -> None:
    with pytest.raises(ProcessError, match="control character"):
        quote("a\nStop-Computer")
    assert quote("O'Brien\u2019s") == "'O''Brien\u2019\u2019s'"


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
