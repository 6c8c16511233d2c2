"""The steps of the runbook: right for each version, and in both languages."""

import dataclasses
from pathlib import Path

import pytest
from click.testing import CliRunner

from process.contoso import VERSIONS, organization
from tandem.cli.deploy.runbook import runbook
from tandem.org import model as m
from tandem.process.errors import ProcessError
from tandem.process.runbook.powershell import quote
from tandem.process.runbook.steps import runbook_steps


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


def test_what_cannot_be_known_is_said() -> None:
    org = organization()
    tandem = m.DeclaredMessagingServer(fqdn="um1.example.com", forest="example.com")
    mixed = dataclasses.replace(org, messaging_servers=(tandem,))
    said = [note.en for step in runbook_steps(mixed) for note in step.notes]
    assert any("docs/protocols/mixed.md" in note for note in said)
    assert not any("mixed.md" in note.en for step in runbook_steps(org) for note in step.notes)


def test_a_value_with_a_line_break_is_refused() -> None:
    with pytest.raises(ProcessError, match="control character"):
        quote("a\nStop-Computer")
    assert quote("O'Brien\u2019s") == "'O''Brien\u2019\u2019s'"


def test_the_command_says_when_nothing_is_to_be_done_by_hand(deployed: Path) -> None:
    done = CliRunner().invoke(runbook, [str(deployed / "organization.yaml")])
    assert done.exit_code == 0 and "nothing to do by hand" in done.stderr
