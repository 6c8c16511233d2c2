"""Every case of tests/vectors/process: each line of the process's tables and each ruling."""

from pathlib import Path

import pytest

import vectors_runner as vectors

CASES = vectors.cases()


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.mark.slow
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_comes_out_as_written_and_a_second_plan_is_empty(path: Path, tmp_path: Path, templates: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    case = vectors.Case(path, folder, templates)
    assert case.run() == case.data["expect"]


def test_there_are_enough_cases_and_each_names_its_rule() -> None:
    assert len(CASES) >= 150
    rules = [path.read_text(encoding="utf-8").splitlines()[0] for path in CASES]
    assert all(rule.startswith("rule: ") for rule in rules)
    for phase in range(12):
        assert any(f"phase {phase}:" in rule for rule in rules), phase
    assert sum("ruling:" in rule for rule in rules) >= 14
