"""The plan: every task, what it would change, whose it is, who may do it, and what it waits for."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tandem.directory.layout import Layout
from tandem.directory.port import Session
from tandem.process.phases import PHASES, Phase, Requirement, requirement_text
from tandem.process.task import Change, Context, Task
from tandem.process.tasks import all_tasks


class Status(StrEnum):
    """Where a task stands."""

    DONE = "done"
    READY = "ready"
    WAITING = "waiting"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A task as it was observed. ``waits_for`` are the ids of phases; ``holders`` the accounts that may do it."""

    task: Task
    status: Status
    changes: tuple[Change, ...]
    waits_for: tuple[str, ...]
    holders: tuple[str, ...]
    permitted: bool

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "id": self.task.id,
            "phase": self.task.phase.id,
            "title": self.task.title,
            "team": self.task.side,
            "required": requirement_text(self.task.required),
            "holders": list(self.holders),
            "permitted": self.permitted,
            "status": self.status,
            "waits_for": list(self.waits_for),
            "changes": [str(change) for change in self.changes],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it, as one operator sees it."""

    operator: str
    tasks: tuple[Planned, ...]

    @property
    def todo(self) -> tuple[Planned, ...]:
        """What is not done yet, or cannot be seen to be and others wait for."""
        return tuple(
            planned
            for planned in self.tasks
            if planned.status is not Status.DONE and (planned.status is not Status.UNREADABLE or planned.task.gate)
        )


def make_plan(context: Context, *, only: Phase | None = None) -> Plan:
    """Observe everything and say what is to be done. Changes nothing."""
    tasks = all_tasks(context)
    roles = Roles(context.session, context.layout)
    seen: dict[str, tuple[Status, tuple[Change, ...]]] = {}
    for task in tasks:
        if task.unreadable(context.session):
            seen[task.id] = Status.UNREADABLE, ()
        else:
            changes = task.changes(context)
            seen[task.id] = (Status.READY if changes else Status.DONE), changes
    open_phases = {t.phase.number for t in tasks if t.gate and seen[t.id][0] is not Status.DONE}
    planned = []
    for task in tasks:
        status, changes = seen[task.id]
        needs = task.phase.needs if task.needs is None else task.needs
        waits = tuple(PHASES[n].id for n in needs if n in open_phases)
        if status is Status.READY and waits:
            status = Status.WAITING
        if only is None or task.phase == only:
            planned.append(
                Planned(
                    task=task,
                    status=status,
                    changes=changes,
                    waits_for=waits if status is not Status.DONE else (),
                    holders=roles.holders(task.required),
                    permitted=roles.permits(task.required),
                )
            )
    return Plan(operator=context.session.account, tasks=tuple(planned))


class Roles:
    """Who holds which roles, read from the directory with nested membership."""

    def __init__(self, session: Session, layout: Layout) -> None:
        self._session = session
        self._layout = layout
        self._own = {dn.name for dn in session.groups_of(session.identity)}
        self._members: dict[str, frozenset[str]] = {}

    def permits(self, required: Requirement) -> bool:
        """Whether the operator may do a task."""
        return any(alternative <= self._own for alternative in required)

    def missing(self, required: Requirement) -> str:
        """The groups that the operator lacks, of the alternative that is nearest."""
        lacking = sorted((sorted(alternative - self._own) for alternative in required), key=lambda names: len(names))
        return " and ".join(lacking[0])

    def holders(self, required: Requirement) -> tuple[str, ...]:
        """The accounts that may do a task, sorted."""
        found: set[str] = set()
        for alternative in required:
            sets = [self._of(group) for group in alternative]
            found |= frozenset.intersection(*sets) if sets else frozenset()
        return tuple(sorted(found))

    def _of(self, group: str) -> frozenset[str]:
        if group not in self._members:
            members = self._session.members(self._layout.group(group))
            self._members[group] = frozenset(dn.name for dn in members)
        return self._members[group]
