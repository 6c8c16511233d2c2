"""What people declare, recorded in the journal: the split of work, and steps of the runbook that were carried out."""

from collections.abc import Sequence
from pathlib import Path

from tandem.process import agreement
from tandem.process.phases import Side
from tandem.process.runbook.evidence import load_evidence
from tandem.process.task import Context


def agree(context: Context) -> tuple[Side, ...]:
    """Accept the split of work for the teams whose roles the acting administrator holds; returns those teams.

    Raises:
        NotPermitted: the administrator holds no team's roles.
    """
    return agreement.agree(context)


def confirm(
    context: Context, steps: Sequence[str], *, evidence: Sequence[Path] = (), force: str = ""
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Record that steps of the runbook were carried out and their checks passed.

    Args:
        context: the organization, as the acting administrator may use it.
        steps: their ids; without any, those that the evidence is of.
        evidence: result files that the runbook's script has left. They are kept, and the journal names them.
        force: the reason to confirm steps before those that they wait for.

    Returns:
        The steps that were recorded, and what the administrator is warned of.

    Raises:
        NotPermitted: the administrator lacks the roles of a step.
        EvidenceRefused: a result file cannot be used.
        ProcessError: there is no such step, or it waits for others.
    """
    given = [load_evidence(path) for path in evidence]
    ids = tuple(steps) or tuple(dict.fromkeys(each.result.step for each in given))
    return ids, agreement.confirm(context, ids, evidence=given, force=force)
