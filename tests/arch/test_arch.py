"""The house as it was drawn: no circles, no crowds, one name for one thing, plain words."""

from collections.abc import Callable

import pytest

from arch import rules
from arch.source import circles

RULES = (
    rules.import_circles,
    rules.long_classes,
    rules.crowded_rooms,
    rules.rooms_with_code,
    rules.twin_classes,
    rules.dialect,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_of_the_house_is_kept(rule: Callable[[], list[str]]) -> None:
    assert not (broken := rule()), "\n".join(broken)


def test_tasks_are_made_in_a_few_places_only() -> None:
    assert 0 < len(places := rules.spawned()) <= rules.SPAWNING, "\n".join(places)


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}}) == [["a", "b", "c"]]
