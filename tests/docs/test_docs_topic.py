"""docs/topic.md: every statement of the topic has its task, step, check and test, and each of those is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem.org import model as m
from tandem.org.vocabulary import PoolKind, ServerKind
from tandem.process.runbook.steps import runbook_steps

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/topic.md").read_text(encoding="utf-8")
COLUMNS = ["The topic says", "Task", "Step", "Check", "Test"]


def rows() -> Iterator[list[str]]:
    for line in PAGE.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


STATEMENTS = [row for row in rows() if row != COLUMNS]


def real_servers() -> m.Organization:
    """An organization of real servers that has each step once."""
    contact = m.DeclaredContact(
        display_name="SA", sip_address="sa@example.com", um_dial_plan="Main",
        number="+14255550100", pool="pool1.example.com", ou="OU=UM,DC=example,DC=com",
    )  # fmt: skip
    user = m.DeclaredUser(
        account="alice", display_name="Alice", forest="example.com", ou="OU=UM,DC=example,DC=com", mail="alice@example.com",
        sip_address="alice@example.com", pool="pool1.example.com", line_uri="tel:+14255554101", extension="4101",
        um_mailbox_policy="Main Default Policy",
    )  # fmt: skip
    return m.Organization(
        name="Contoso",
        path=Path("/x/organization.yaml"),
        directory="/x/directory.db",
        state=Path("/x/state"),
        secrets=Path("/x/secrets"),
        forests=(m.Forest(name="example.com", domains=("example.com",)),),
        messaging_servers=(
            m.DeclaredMessagingServer(
                fqdn="ex1.example.com", forest="example.com", kind=ServerKind.EXCHANGE, version="2013"
            ),
        ),
        voice_pools=(m.DeclaredVoicePool(fqdn="pool1.example.com", forest="example.com", kind=PoolKind.LYNC),),
        um_dial_plans=(m.DeclaredUMDialPlan(name="Main", forest="example.com", extension_digits=4),),
        contacts=(contact,),
        users=(user,),
    )


def test_the_page_is_read_whole() -> None:
    assert len(STATEMENTS) == sum(line.startswith("| ") for line in PAGE.splitlines()) - PAGE.count("| The topic says")
    assert PAGE.count("\n## ") == 12  # what comes before, and the eleven phases


@pytest.mark.parametrize("row", STATEMENTS, ids=[row[0][:40] for row in STATEMENTS])
def test_a_statement_has_its_task_step_check_and_test(row: list[str]) -> None:
    assert len(row) == len(COLUMNS)
    assert all(row), "an empty cell"
    tasks = set(re.findall(r"`(\d+/[a-z-]+)`", (ROOT / "docs/process.md").read_text(encoding="utf-8"))) | {"0/trusts"}
    assert set(re.findall(r"`(\d+/[^`]+)`", row[1])) <= tasks
    steps = {step.id for step in runbook_steps(real_servers())}
    assert set(re.findall(r"`(\d+/[^`]+)`", row[2])) <= steps
    for name in row[4].split(", "):
        vector = ROOT / f"tests/vectors/process/{name}.yaml"
        assert vector.exists() or list(ROOT.glob(f"tests/*/{name}")), name
