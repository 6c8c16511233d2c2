"""Applying: carry out what the acting administrator may do, from the organization file or a saved plan."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.admin.opening import Operator, open_organization
from tandem.process import saved
from tandem.process.agreement import disagreement
from tandem.process.apply import Applied, Progress
from tandem.process.apply import apply as carry_out
from tandem.process.errors import ProcessError
from tandem.process.guard import Guard
from tandem.process.phases import Phase
from tandem.process.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """What was done by ``account``, what was refused or stale, and what remains."""

    account: str
    applied: Applied

    def to_json(self) -> dict[str, Any]:
        """What ``tandem apply --json`` prints."""
        return {
            "done": list(self.applied.done),
            "refused": self.applied.refused,
            "stale": self.applied.stale,
            "remaining": [planned.as_json() for planned in self.applied.plan.todo],
        }


def open_file_or_plan(file: Path, operator: Operator | None = None) -> tuple[Context, saved.SavedPlan | None]:
    """Open an organization file, or a saved plan with the organization that it is for.

    Raises:
        ProcessError: the plan is of another organization; and what :func:`open_organization` raises.
    """
    plan = saved.load(file) if saved.is_saved(file) else None
    context = open_organization(plan.file if plan else file, operator)
    if plan and plan.organization != context.organization.name:
        raise ProcessError(f"{file} is a plan of {plan.organization!r}, not of {context.organization.name!r}")
    return context, plan


def apply(
    context: Context,
    *,
    guard: Guard,
    only: Phase | None = None,
    target: str = "",
    plan: saved.SavedPlan | None = None,
    progress: Progress | None = None,
    warn: Callable[[str], None] = lambda warning: None,
) -> ApplyResult:
    """Carry out the tasks that the operator may do and that have what they need.

    Args:
        context: the opened organization (for ``tandem destroy``: opened with ``destroy=True``).
        guard: how many removals of one kind are allowed.
        only: this phase only.
        target: this task only.
        plan: do what it says, and no more.
        progress: called for each task.
        warn: called before anything is changed if a team has not agreed to the split of work yet.

    Raises:
        NotPermitted: with ``only`` or ``target``: the operator lacks the role.
        ProcessError: there is no such task; another apply is running.
    """
    if warning := disagreement(context):
        warn(warning)
    applied = carry_out(context, only=only, target=target, saved=plan, guard=guard, progress=progress or Progress())
    return ApplyResult(account=context.session.account, applied=applied)
