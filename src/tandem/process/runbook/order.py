"""What a step of the runbook waits for: the steps of the phases that its own needs, and a few of its own phase.

The same as the plan's rule (:mod:`tandem.process.plan`): a messaging step waits for what is of its forest or of the voice
forest, or not the messaging side's; every other step waits for all forests.
"""

from collections.abc import Iterable

from tandem.process.phases import Side
from tandem.process.runbook.model import RunbookStep

_WITHIN = (
    ("1/exchange-servers", "1/exchange-first-server"),
    ("7/lync-front-end", "7/exchange-exchucutil"),
    ("9/lync-contacts", "9/lync-ou-permission"),
    ("11/lync-", "11/exchange-"),
)
"""Steps that wait for others of their own phase, both by how their ids begin: the Front-End service reads what exchucutil
has made when it starts, OcsUmUtil needs the right to create contacts, and users are tested when they are enabled."""


def awaited(step: RunbookStep, steps: Iterable[RunbookStep], voice_forest: str) -> tuple[RunbookStep, ...]:
    """The steps that come before one, in the order of the runbook."""
    return tuple(
        each
        for each in steps
        if (each.phase.number in step.phase.needs or _within(step, each)) and _near(step, each, voice_forest)
    )


def before_in_phase(step: RunbookStep, steps: Iterable[RunbookStep], voice_forest: str) -> tuple[RunbookStep, ...]:
    """Those of them that are of the same phase: the plan's order does not know them."""
    return tuple(each for each in awaited(step, steps, voice_forest) if each.phase == step.phase)


def _near(step: RunbookStep, each: RunbookStep, voice_forest: str) -> bool:
    if step.forest == voice_forest or each.side is Side.VOICE:
        return True
    return each.forest in (step.forest, voice_forest)


def _within(step: RunbookStep, each: RunbookStep) -> bool:
    return any(step.id.startswith(later) and each.id.startswith(earlier) for later, earlier in _WITHIN)
