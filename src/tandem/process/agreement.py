"""What people declare, in the journal: that a team accepts the split of work, and that a runbook step was carried out.

The topic's first advice is that the two teams agree beforehand who performs which task. An agreement is about the split as
it is: tasks, teams and roles. When the split changes, it is void. So is a confirmation when the step's text changes.
"""

import dataclasses
import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence

from tandem.process.apply import alone
from tandem.process.destroy import Emptied
from tandem.process.errors import NotPermitted, ProcessError
from tandem.process.guard import Guard
from tandem.process.holders import Roles, require
from tandem.process.journal import Journal
from tandem.process.observing.verdict import StepOutcome
from tandem.process.phases import Side
from tandem.process.plan import Observer, Status
from tandem.process.roles import requirement_text
from tandem.process.runbook.evidence import EVIDENCE, FORCED, Evidence, EvidenceRefused, keep, one_line, problems
from tandem.process.runbook.order import before_in_phase
from tandem.process.runbook.steps import runbook_steps
from tandem.process.task import Context, Task
from tandem.process.tasks.byhand import HandTask
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


def confirm(
    context: Context, ids: Sequence[str], *, evidence: Sequence[Evidence] = (), force: str = ""
) -> tuple[str, ...]:
    """Record that runbook steps were carried out and their checks passed, by who holds their roles. All of them, or none.

    Args:
        context: the organization, as the operator may use it.
        ids: the steps. One may wait for another that is named with it.
        evidence: result files of some of them, which are kept.
        force: why steps are confirmed although others that come before are open; recorded.

    Returns:
        What the operator is warned of.

    Raises:
        ProcessError: there is no such step, or one waits for others and no reason is given.
        EvidenceRefused: a result is of another step, text or forest, or its outcome is not ``done``.
        NotPermitted: the operator lacks a step's role.
    """
    steps = {task.id: task for task in all_tasks(context) if task.by_hand}
    for id_ in ids:
        if id_ not in steps:
            if near := difflib.get_close_matches(id_.lower(), steps, 1):
                raise ProcessError(f"there is no runbook step {id_!r}; did you mean {near[0]}? Nothing was recorded.")
            raise ProcessError(f"there is no runbook step {id_!r}; there are: {', '.join(steps) or 'none'}")
        require(context, steps[id_].required, forest=steps[id_].forest, what=id_)
    for each in evidence:
        _check(context, each, steps, ids)
    unmet = unmet_needs(context, ids)
    if unmet and not force:
        said = "; ".join(f"{id_} {why}" for id_, why in unmet.items())
        raise ProcessError(f"{said}. Confirm that first, or give a reason with --force. Nothing was recorded.")
    with alone(context.organization.state):
        for each in evidence:
            keep(each, context.organization.state)
        for id_ in dict.fromkeys(ids):
            proofs = [f"{EVIDENCE}{each.sha256}" for each in evidence if each.result.step == id_]
            forced = [f"{FORCED}{one_line(force)}"] if id_ in unmet else []
            _declare(context, id_, "confirmed", (steps[id_].digest, *proofs, *forced))
    return tuple(_warnings(context, [steps[id_] for id_ in dict.fromkeys(ids)]))


def _check(context: Context, evidence: Evidence, steps: Mapping[str, Task], ids: Sequence[str]) -> None:
    step = evidence.result.step
    if step not in ids:
        problem: str | None = f"it is of step {step!r}, expected one that is confirmed now"
    else:
        now = context.clock.at()
        task = steps[step]
        found = problems(evidence, digest=task.digest, forest=task.forest, now=now)
        problem = next(found, None) or _contradicted(evidence, task)
    if problem:
        raise EvidenceRefused(f"{evidence.name}: {problem}. Nothing was recorded.")


def _contradicted(evidence: Evidence, task: Task) -> str | None:
    """A result that is older than an observation that differs proves nothing of what was changed since."""
    standing = task.standing() if isinstance(task, HandTask) else None
    if standing is None or standing.outcome is not StepOutcome.DIFFERENT:
        return None
    seen = max(standing.observations, key=lambda each: each.ended)
    if evidence.result.ended > seen.ended:
        return None
    return (
        f"it ended at {evidence.result.ended:%Y-%m-%d %H:%M} UTC, and the observation of {seen.host}, "
        f"{seen.ended:%Y-%m-%d %H:%M} UTC, differs: run the script again"
    )


def unmet_needs(context: Context, ids: Sequence[str]) -> dict[str, str]:
    """What steps wait for, by the plan's own order; those that are named before count as done, and so does what is done."""
    observer, found = Observer(context, Guard()), {}
    runbook = {step.id: step for step in runbook_steps(context.organization)}
    todo: set[str] = set()
    for task in all_tasks(context):
        planned = observer.observe(task)
        if planned.status is not Status.DONE:
            todo.add(task.id)
        if task.id not in ids or planned.status is Status.DONE:
            continue
        near = [
            each.id
            for each in before_in_phase(runbook[task.id], runbook.values(), context.organization.voice_forest)
            if each.id in todo
        ]
        if planned.status is Status.WAITING or near:
            unseen = f" (you cannot see whether {', '.join(planned.unseen)} is done)" if planned.unseen else ""
            found[task.id] = (
                planned.reason if planned.status is Status.WAITING else f"waits for {', '.join(near)}"
            ) + unseen
        observer.done(task)
        todo.discard(task.id)
    return found


def _warnings(context: Context, confirmed_now: Sequence[Task]) -> Iterator[str]:
    if warning := disagreement(context):
        yield warning
    roles = Roles(context)
    for task in confirmed_now:
        if advice := roles.advice(task.required, task.forest):
            yield f"{task.id}: {advice}"


def _declare(context: Context, task: str, state: str, changes: tuple[str, ...]) -> None:
    who, at = context.session.account, context.clock.at()
    Journal(path=context.journal).append(at=at, who=who, task=task, state=state, changes=changes)
