"""Seven made-up deployments (tests/vectors/observations), written by hand: observe, plan and verify say what is written beside.

A folder holds ``organization.yaml``, the files of the collectors, and ``expected.yaml``: the exit code of verify, and for every
step of the runbook ``observed``, ``open``, ``{differs: [words of each change]}`` or ``{unreadable: words of the reason}``. All
words have to be in the change or the reason; a step that is not mentioned is a mistake.
"""

import json
import runpy
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tandem.admin.deploy.observe import observe
from tandem.admin.deploy.plan import plan
from tandem.admin.deploy.verify import verify
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.org.load import require_organization
from tandem.process.apply import apply
from tandem.process.bootstrap import create_directory, open_context
from tandem.process.guard import Guard
from tandem.process.observing.format import SECTIONS
from tandem.process.observing.standing import StepStanding
from tandem.process.passwords import kept_password
from tandem.process.plan import Planned
from tandem.process.runbook.steps import runbook_steps
from tandem.process.task import Context

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors" / "observations"
DEPLOYMENTS = sorted(each.parent.name for each in VECTORS.glob("*/expected.yaml"))
FILES = sorted(VECTORS.glob("*/*.json"))
NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
"""When the vectors are looked at; the newest was read two hours earlier."""


class Noon(SystemClock):
    """A clock at which it is always :data:`NOON`."""

    def at(self) -> datetime:
        return NOON


@dataclass(frozen=True)
class Seen:
    """What became of a deployment: each step as it is known, the grades of verify, and its exit code."""

    steps: dict[str, StepStanding]
    grades: Counter[str]
    exit_code: int


@pytest.fixture(scope="module", params=DEPLOYMENTS)
def deployment(request: pytest.FixtureRequest) -> str:
    """Each of the folders."""
    return str(request.param)


@pytest.fixture(scope="module")
def expected(deployment: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((VECTORS / deployment / "expected.yaml").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def seen(deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """A home of the deployment of which Tandem has done its own part, after its files were observed."""
    home = tmp_path_factory.mktemp(deployment)
    shutil.copy(VECTORS / deployment / "organization.yaml", home)
    create_directory(require_organization(home / "organization.yaml"), SystemIds())
    apply(context(home))
    observe(context(home), sorted((VECTORS / deployment).glob("*.json")))
    planned = plan(context(home), guard=Guard()).plan.tasks
    verified = verify(context(home))
    return Seen(
        steps={each.task.id: standing for each, standing in _known(planned)},
        grades=Counter(str(check.grade) for check in verified.checks),
        exit_code=verified.exit_code(accept_confirmed=True),
    )


def context(home: Path) -> Context:
    organization = require_organization(home / "organization.yaml")
    password = kept_password(organization, "administrator")
    return open_context(organization, clock=Noon(), ids=SystemIds(), account="administrator", password=password)


def _known(planned: tuple[Planned, ...]) -> Iterator[tuple[Planned, StepStanding]]:
    for each in planned:
        if each.standing is not None:
            yield each, each.standing


def problem(standing: StepStanding, wanted: object) -> str:
    """What is not as it is written in ``expected.yaml``; empty if all is."""
    word, said = next(iter(wanted.items())) if isinstance(wanted, dict) else (str(wanted), [])
    changes = [str(change) for change in standing.changes]
    found = {"as declared": "observed", "different": "differs", "unreadable": "unreadable"}.get(
        standing.outcome, "open"
    )
    if word != found:
        return f"{word} is written, {found} is found: {'; '.join(changes) or standing.text}"
    texts, wordings = ([standing.text], [said]) if isinstance(said, str) else (changes, said)
    if word in ("differs", "unreadable") and not (
        len(texts) == len(wordings)
        and all(each in text for text, words in zip(texts, wordings, strict=True) for each in words.split())
    ):
        return f"{wordings} is written, {texts} is found"
    return ""


@pytest.mark.slow
def test_every_step_is_as_it_was_worked_out_by_hand(seen: Seen, expected: dict[str, Any]) -> None:
    wrong = {
        id_: found
        for id_, standing in seen.steps.items()
        if (found := problem(standing, expected["steps"].get(id_, "nothing")))
    }
    assert wrong == {}


def test_every_step_of_the_runbook_is_written_and_no_other(deployment: str, expected: dict[str, Any]) -> None:
    org = require_organization(VECTORS / deployment / "organization.yaml")
    assert sorted(step.id for step in runbook_steps(org)) == sorted(expected["steps"])


@pytest.mark.slow
def test_verify_fails_exactly_where_a_step_differs(seen: Seen, expected: dict[str, Any]) -> None:
    words = Counter(next(iter(each)) if isinstance(each, dict) else each for each in expected["steps"].values())
    assert seen.exit_code == expected["verify"]
    assert seen.grades["failed"] == words["differs"]
    assert seen.grades["observed"] == words["observed"]
    assert seen.grades["open"] == words["open"] + words["unreadable"]


@pytest.mark.parametrize("path", FILES, ids=[f"{each.parent.name}/{each.name}" for each in FILES])
def test_a_file_is_sealed_and_has_no_property_that_the_documentation_does_not_list(path: Path) -> None:
    seal = runpy.run_path(str(ROOT / "tools" / "seal_observation"))["sealed"]
    assert seal(path.read_bytes()) == path.read_bytes()
    members = json.loads(path.read_bytes())
    known = SECTIONS[members["side"]]
    assert set(members["objects"]) | set(members["unread"]) == set(known)
    unknown = {
        (section, name)
        for section, held in members["objects"].items()
        for each in held
        for name in each
        if name not in known[section]
    }
    assert unknown == set()


def test_an_altered_byte_needs_a_new_seal(tmp_path: Path) -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "seal_observation"))
    data = FILES[0].read_bytes()
    file = tmp_path / "altered.json"
    file.write_bytes(data.replace(b"MSExchangeUM", b"MSExchangeUMx", 1))
    assert tool["main"]([str(file)]) == 0 and file.read_bytes()[-70:] != data[-70:]
    file.write_bytes(b'{"objects":')
    assert tool["main"]([str(file)]) == 1 and file.read_bytes() == b'{"objects":'


def test_what_nobody_has_seen_of_exchange_leaves_the_restart_of_the_front_end_open(tmp_path: Path) -> None:
    folder = VECTORS / "standard-edition"
    shutil.copy(folder / "organization.yaml", tmp_path)
    create_directory(require_organization(tmp_path / "organization.yaml"), SystemIds())
    observe(context(tmp_path), [folder / "lync-sfb1.json"])
    known = {each.task.id: standing for each, standing in _known(plan(context(tmp_path), guard=Guard()).plan.tasks)}
    assert "whose result is not there yet" in known["7/lync-front-end"].text
    assert known["10/lync-users"].state == "observed" and known["7/exchange-exchucutil"].state == "open"


SEVEN = "2007-and-2013 2007-sp3 2010-sp1 2013-two-forests director-and-branch french-directory standard-edition"


def test_seven_deployments_are_written_and_each_leaves_something_else_undone() -> None:
    assert SEVEN.split() == DEPLOYMENTS
    undone = [_undone(yaml.safe_load((VECTORS / name / "expected.yaml").read_text("utf-8"))) for name in DEPLOYMENTS]
    assert len(set(undone)) == len(undone)


def _undone(expected: dict[str, Any]) -> str:
    return str(sorted(str(each) for each in expected["steps"].values() if isinstance(each, dict)))
