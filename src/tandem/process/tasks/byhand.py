"""Steps for servers of kind exchange and lync: carried out by people with the runbook, then observed or confirmed.

The embedded directory holds nothing of theirs. A step is done when an observation shows it as declared ('tandem observe'), or
when somebody who holds its roles has confirmed the text as it is ('tandem confirm') and no later observation shows otherwise.
What an observation shows to differ are the step's changes.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tandem.org.model import Organization
from tandem.process.journal import Journal
from tandem.process.observing.judges.case import Case
from tandem.process.observing.judges.table import judge, sources
from tandem.process.observing.kept import kept_observations
from tandem.process.observing.seen import Everything, Seen, by_side_and_forest
from tandem.process.observing.standing import Confirmation, StepStanding, standing
from tandem.process.observing.verdict import UNSEEN
from tandem.process.phases import PHASES
from tandem.process.runbook.model import RunbookStep
from tandem.process.runbook.steps import runbook_steps
from tandem.process.task import Change, Context, Step, Task, nothing

_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
"""The digest of evidence that came with a confirmation, and the part of it that people read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandTask(Task):
    """A ``step`` of the runbook as a task. ``standing`` says whether it was observed or confirmed, and by whom."""

    step: RunbookStep = field(repr=False)
    standing: Callable[[], StepStanding] = field(repr=False)


def tasks(context: Context) -> Iterator[Task]:
    """A task for each step of the runbook."""
    if steps := runbook_steps(context.organization):
        known = Known(context.organization, steps, at=context.clock.at())
        for step in steps:
            yield _task(step, known)


class Known:
    """What is known at a time of the steps of a runbook: what was seen, and what people have confirmed."""

    def __init__(self, organization: Organization, steps: tuple[RunbookStep, ...], *, at: datetime) -> None:
        self._organization = organization
        self._journal = organization.state / "journal.jsonl"
        self._steps = steps
        self._at = at
        self._standings: dict[str, StepStanding] = {}
        self._everything: Everything | None = None
        self._confirmations = _confirmations(self._journal, steps)

    def standing(self, step: RunbookStep) -> StepStanding:
        """The state of a step; worked out when it is first asked for."""
        if step.id not in self._standings:
            self._standings[step.id] = self._standing(step)
        return self._standings[step.id]

    def _standing(self, step: RunbookStep) -> StepStanding:
        if self._everything is None:
            self._everything = by_side_and_forest(kept_observations(self._organization.state, self._journal))
        seen = self._everything.get((side_of(step), step.forest), Seen())
        confirmed = {id_: each.at for id_, each in self._confirmations.items()}
        case = Case(
            step=step,
            steps=self._steps,
            organization=self._organization,
            seen=seen,
            everything=self._everything,
            now=self._at,
            confirmed=confirmed,
        )
        todo = Change(action="!", kind="runbook step", name=step.id)
        found = judge(case) if seen else UNSEEN
        return standing(found, self._confirmations.get(step.id), sources(case), todo=todo, now=self._at)


def side_of(step: RunbookStep) -> str:
    """The side whose collector sees what a step brings about: ``exchange`` or ``lync``, as its id says."""
    return step.id.partition("/")[2].partition("-")[0]


def _confirmations(journal: Path, steps: tuple[RunbookStep, ...]) -> dict[str, Confirmation]:
    """The last confirmation of each step's text as it is."""
    digests = {step.id: step.digest for step in steps}
    return {
        line["task"]: Confirmation(
            who=line["who"],
            at=datetime.fromisoformat(line["at"]),
            text=", ".join(_DIGEST.sub(r"\1", each) for each in line["changes"] if each != digests[line["task"]]),
        )
        for line in Journal(path=journal).declared("confirmed")
        if digests.get(line["task"]) in line["changes"]
    }


def _task(step: RunbookStep, known: Known) -> HandTask:
    def steps(context: Context) -> Iterator[Step]:
        for change in known.standing(step).changes:
            yield change, nothing

    return HandTask(
        id=step.id,
        phase=PHASES[step.phase.number],
        title=step.title.en,
        side=step.side,
        required=step.required,
        forest=step.forest,
        steps=steps,
        by_hand=f"by hand, in {step.where.en}: 'tandem runbook' has the commands, 'tandem confirm' records it",
        digest=step.digest,
        step=step,
        standing=lambda: known.standing(step),
    )
