"""What each phase does, a file for each team's part of the process."""

from collections.abc import Iterator

from tandem.process.task import Context, Task
from tandem.process.tasks import exchucutil, messaging, preconditions, users, voice


def all_tasks(context: Context) -> tuple[Task, ...]:
    """Every task of the organization in the order of the phases."""

    def collect() -> Iterator[Task]:
        for module in (preconditions, messaging, exchucutil, voice, users):
            yield from module.tasks(context)

    return tuple(sorted(collect(), key=lambda task: task.phase.number))
