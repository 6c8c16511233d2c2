"""What is told is also counted: a counter that nobody adds to would say that all is well."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "tandem"
COUNTS = sorted(SOURCE.rglob("counts.py"))


@pytest.fixture(scope="module")
def used() -> set[str]:
    names: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                names.add(node.id)
    return names


@pytest.mark.parametrize("path", COUNTS, ids=lambda path: path.parent.name)
def test_every_counter_of_a_room_is_counted(path: Path, used: set[str]) -> None:
    made = [
        name.id
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    ]
    assert made and [name for name in made if name not in used] == []
