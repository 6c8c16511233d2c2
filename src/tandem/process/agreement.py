"""What people declare, in the journal: that a team accepts the split of work, and that a runbook step was carried out.

The topic's first advice is that the two teams agree beforehand who performs which task. An agreement is about the split as
it is: tasks, teams and roles. When the split changes, it is void. So is a confirmation when the step's text changes.
"""

import dataclasses
import hashlib
from collections.abc import Sequence

from tandem.process.apply import alone
from tandem.process.destroy import Emptied
from tandem.process.errors import NotPermitted, ProcessError
from tandem.process.holders import Roles, require
from tandem.process.journal import Journal
from tandem.process.phases import Side
from tandem.process.roles import requirement_text
from tandem.process.task import Context
from tandem.process.tasks.every import all_tasks


def split(context: Context) -> str:
    """The split of work as a hash: each task, its team and what it requires.

    Without phase 1, whose role changes when the first server is there, and without what is only sometimes due. What is
    agreed on is the split of what is declared, also when it is to be removed.
    """
    if isinstance(context.organization, Emptied):
        context = dataclasses.replace(context, organization=context.organization.declared)
    tasks = (task for task in all_tasks(context) if task.phase.number != 1 and not task.only_when_due)
    lines = (f"{task.id}|{task.side}|{requirement_text(task.required)}" for task in tasks)
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def agreed(context: Context) -> dict[Side, str]:
    """Who agreed to the split as it is now, by team."""
    now = split(context)
    lines = Journal(path=context.journal).declared("agreed")
    return {
        Side(line["task"]): line["who"] for line in lines if line["changes"] == [now] and line["task"] in list(Side)
    }


def disagreement(context: Context) -> str:
    """The warning of an apply before both teams have agreed; empty afterwards."""
    there = agreed(context)
    missing = [side for side in (Side.MESSAGING, Side.VOICE) if side not in there]
    if not missing:
        return ""
    return f"the {' and the '.join(missing)} have not agreed to the split of work yet ('tandem agree' records it)"


def agree(context: Context) -> tuple[Side, ...]:
    """Record that the operator accepts the split for the teams whose roles he holds. Raises :class:`NotPermitted`."""
    roles = Roles(context)
    tasks = all_tasks(context)
    # Administrators of servers (phase 2) are on both sides: they speak for neither.
    own = [task for task in tasks if task.phase.number != 2 and roles.permits(task.required, task.forest)]
    mine = {task.side for task in own} - {Side.DIRECTORY}
    if not mine:
        raise NotPermitted(
            f"{context.session.account} holds no role of the messaging or voice administrators, and cannot agree for them"
        )
    now = split(context)
    with alone(context.organization.state):
        for side in sorted(mine):
            _declare(context, side, "agreed", (now,))
    return tuple(sorted(mine))


def confirm(context: Context, ids: Sequence[str]) -> None:
    """Record that runbook steps were carried out and their checks passed, by who holds their roles.

    Raises:
        ProcessError: no such step.
        NotPermitted: the operator lacks a step's role; then none is recorded.
    """
    steps = {task.id: task for task in all_tasks(context) if task.by_hand}
    for id_ in ids:
        if id_ not in steps:
            raise ProcessError(f"there is no runbook step {id_!r}; there are: {', '.join(steps) or 'none'}")
        require(context, steps[id_].required, forest=steps[id_].forest, what=id_)
    with alone(context.organization.state):
        for id_ in ids:
            _declare(context, id_, "confirmed", (steps[id_].digest,))


def _declare(context: Context, task: str, state: str, changes: tuple[str, ...]) -> None:
    who, at = context.session.account, context.clock.at()
    Journal(path=context.journal).append(at=at, who=who, task=task, state=state, changes=changes)
