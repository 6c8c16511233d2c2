"""Steps for servers of kind exchange and lync: carried out by people with the runbook, and confirmed by them.

The embedded directory holds nothing of theirs that could be read, so a step is done when somebody who holds its roles has
confirmed the text as it is ('tandem confirm').
"""

from collections.abc import Iterator

from tandem.process.journal import Journal
from tandem.process.phases import PHASES
from tandem.process.runbook.model import RunbookStep
from tandem.process.runbook.steps import runbook_steps
from tandem.process.task import Change, Context, Step, Task, nothing


def tasks(context: Context) -> Iterator[Task]:
    """A task for each step of the runbook."""
    steps = runbook_steps(context.organization)
    lines = Journal(path=context.journal).declared("confirmed") if steps else []
    confirmed = {(line["task"], digest) for line in lines for digest in line["changes"]}
    for step in steps:
        yield _task(step, done=(step.id, step.digest) in confirmed)


def _task(step: RunbookStep, *, done: bool) -> Task:
    def steps(context: Context) -> Iterator[Step]:
        if not done:
            yield Change(action="!", kind="runbook step", name=step.id), nothing

    return Task(
        id=step.id,
        phase=PHASES[step.phase.number],
        title=step.title.en,
        side=step.side,
        required=step.required,
        forest=step.forest,
        steps=steps,
        by_hand=f"by hand, in {step.where.en}: 'tandem runbook' has the commands, 'tandem confirm' records it",
        digest=step.digest,
    )
