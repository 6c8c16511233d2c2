"""Apply: do what the operator may do and what has what it needs, again and again until nothing more can be done.

Each task is one transaction. What a crash interrupts is simply still to be done the next time. Two applies at once: one
works, the other says so.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tandem.process.errors import Busy, NotPermitted, ProcessError
from tandem.process.journal import Journal
from tandem.process.phases import Phase, requirement_text
from tandem.process.plan import Plan, Planned, Roles, Status, make_plan
from tandem.process.task import Change, Context

Progress = Callable[[Planned, tuple[Change, ...]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was done, and the plan as it is afterwards."""

    done: tuple[str, ...]
    plan: Plan


def apply(
    context: Context, *, only: Phase | None = None, progress: Progress = lambda planned, changes: None
) -> Applied:
    """Carry out what can be carried out.

    Raises:
        NotPermitted: ``only`` names a phase in which something is to be done, and the operator may do none of it.
        Busy: another apply is at work.
    """
    journal = Journal(path=context.organization.state / "journal.jsonl")
    with _alone(context.organization.state):
        plan = make_plan(context, only=only)
        if only is not None:
            _demand_role(context, plan, only)
        done: list[str] = []
        while (planned := _next(plan, done)) is not None:
            _carry_out(context, journal, planned, progress)
            done.append(planned.task.id)
            plan = make_plan(context, only=only)
        return Applied(done=tuple(done), plan=plan)


def _next(plan: Plan, done: list[str]) -> Planned | None:
    for planned in plan.tasks:
        if planned.status is Status.READY and planned.permitted:
            if planned.task.id in done:
                changes = "; ".join(str(change) for change in planned.changes)
                raise ProcessError(f"task {planned.task.id} was done and is still to be done: {changes}")
            return planned
    return None


def _carry_out(context: Context, journal: Journal, planned: Planned, progress: Progress) -> None:
    def note(state: str, changes: tuple[Change, ...]) -> None:
        journal.append(
            at=context.clock.at(),
            who=context.session.account,
            task=planned.task.id,
            state=state,
            changes=tuple(str(change) for change in changes),
        )

    note("begun", planned.changes)
    changes = planned.task.apply(context)
    note("done", changes)
    progress(planned, changes)


def _demand_role(context: Context, plan: Plan, only: Phase) -> None:
    todo = [p for p in plan.todo if p.status is not Status.UNREADABLE or not p.permitted]
    if todo and not any(p.permitted for p in todo):
        roles = Roles(context.session, context.layout)
        first = todo[0]
        raise NotPermitted(
            f"phase {only.number} ({only.id}) needs {requirement_text(first.task.required)}; "
            f"{plan.operator} is not in {roles.missing(first.task.required)}. "
            f"It can be done by: {', '.join(first.holders) or 'nobody yet'}. Nothing was changed."
        )


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(state / "apply.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(
                f"another apply is at work on {state}; nothing was changed, try again when it has ended"
            ) from None
        yield
    finally:
        os.close(descriptor)
