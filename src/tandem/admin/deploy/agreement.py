"""What people declare, recorded in the journal: the split of work, and steps of the runbook that were carried out."""

from collections.abc import Sequence

from tandem.process import agreement
from tandem.process.phases import Side
from tandem.process.task import Context


def agree(context: Context) -> tuple[Side, ...]:
    """Accept the split of work for the teams whose roles the acting administrator holds; returns those teams.

    Raises:
        NotPermitted: the administrator holds no team's roles.
    """
    return agreement.agree(context)


def confirm(context: Context, steps: Sequence[str]) -> None:
    """Record that steps of the runbook were carried out and their checks passed.

    Raises:
        NotPermitted: the administrator lacks the roles of a step.
        ProcessError: there is no such step.
    """
    agreement.confirm(context, tuple(steps))
