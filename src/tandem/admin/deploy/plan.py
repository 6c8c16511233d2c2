"""Planning: the tasks of an organization, as one team or one administrator sees them. Changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tandem.org.errors import Severity
from tandem.org.topology import not_served
from tandem.process import saved
from tandem.process.agreement import agreed
from tandem.process.apply import selection
from tandem.process.errors import ProcessError
from tandem.process.guard import Guard
from tandem.process.observing.standing import is_old, source_json
from tandem.process.phases import TEAM_WORDS, Phase, Side
from tandem.process.plan import Plan, make_plan, observations_of
from tandem.process.runbook.further import further_steps
from tandem.process.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """A plan, the further steps that people do by hand, and which teams have agreed to the split of work.

    ``not_served`` are sentences about what is declared and deployed, but not served by this release.
    """

    organization: str
    plan: Plan
    further: tuple[str, ...]
    not_served: tuple[str, ...]
    agreed: Mapping[Side, str]
    at: datetime

    def to_json(self) -> dict[str, Any]:
        """What ``tandem plan --json`` prints."""
        return {
            "operator": self.plan.operator,
            "tasks": [task.as_json() for task in self.plan.tasks],
            "observations": [
                source_json(each) | {"old": is_old(each, self.at)} for each in observations_of(self.plan.tasks)
            ],
            "further_steps": list(self.further),
            "not_served": list(self.not_served),
            "agreed": {str(side): who for side, who in self.agreed.items()},
        }


def plan(
    context: Context, *, guard: Guard, only: Phase | None = None, target: str = "", share: str | None = None
) -> PlanResult:
    """Plan an organization: everything, or one phase, one task (``target``), one team's or account's ``share``.

    Raises:
        ProcessError: there is no such task, team or account.
    """
    made = make_plan(context, guard=guard)
    if share:
        made = _share_of(made, share)
    wanted = selection(context, only, target)
    return PlanResult(
        organization=context.organization.name,
        plan=made.only(lambda planned: wanted(planned.task)),
        further=tuple(further_steps(context.organization)),
        not_served=tuple(
            f"{found}; {expected}"
            for _, severity, found, expected in not_served(context.organization)
            if severity is Severity.WARNING
        ),
        agreed=agreed(context),
        at=context.clock.at(),
    )


def save_plan(planned: PlanResult, out: Path, *, file: Path) -> None:
    """Write a plan for ``tandem apply``; ``file`` is the organization's."""
    saved.save(planned.plan, out, organization=planned.organization, file=file, at=planned.at)


def _share_of(made: Plan, who: str) -> Plan:
    if who in TEAM_WORDS:
        return made.only(lambda planned: planned.task.side is TEAM_WORDS[who])
    known = sorted({holder for planned in made.tasks for holder in (*planned.holders, *planned.expected)})
    if who not in known:
        teams, names = ", ".join(TEAM_WORDS), ", ".join(known) or "nobody yet"
        raise ProcessError(f"--for {who!r}: expected a team ({teams}) or an account that holds a role ({names})")
    return made.only(lambda planned: who in (*planned.holders, *planned.expected))
