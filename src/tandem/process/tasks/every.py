"""Every task of the process, in its order."""

from collections.abc import Iterator

from tandem.process.task import Context, Task
from tandem.process.tasks import byhand, exchucutil, messaging, preconditions, records, removals, users, voice


def all_tasks(context: Context) -> tuple[Task, ...]:
    """Every task of the organization in the order in which they are carried out: by phase, then removals."""

    def collect() -> Iterator[Task]:
        for module in (preconditions, messaging, exchucutil, voice, users, byhand, records):
            yield from module.tasks(context)

    return (*sorted(collect(), key=lambda task: task.phase.number), *removals.tasks(context))
