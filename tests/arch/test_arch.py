"""The house as it was drawn: no circles, no crowds, one name for one thing, plain words."""

import pytest

from arch.rules import crowded_rooms


@pytest.mark.parametrize("rule", [crowded_rooms], ids=lambda rule: rule.__name__)
def test_nobody_breaks(rule: object) -> None:
    broken = rule()  # type: ignore[operator]
    assert not broken, "\n".join(broken)
