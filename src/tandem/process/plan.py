"""The plan: every task, what it would change, whose it is, who may do it, and what it waits for."""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tandem.directory.layout import forest_of
from tandem.process.guard import Guard
from tandem.process.holders import Roles
from tandem.process.observing.model import Observation
from tandem.process.observing.standing import StepStanding
from tandem.process.observing.verdict import StepOutcome
from tandem.process.phases import PHASES, Side
from tandem.process.roles import requirement_text
from tandem.process.task import Change, Context, Task
from tandem.process.tasks.byhand import HandTask
from tandem.process.tasks.every import all_tasks


class Status(StrEnum):
    """The state of a task."""

    DONE = "done"
    READY = "ready"
    WAITING = "waiting"
    UNREADABLE = "unreadable"
    BY_HAND = "by hand"
    GUARDED = "guarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A task as it was observed.

    ``reason`` says what a task that is not ready waits for, of which the operator cannot see whether ``unseen`` is done;
    ``holders`` are the accounts that may do it, where there are none ``expected`` those that will when phase 0 is done;
    ``missing`` are the groups that the operator lacks; ``advice`` is what he should know of his roles. ``standing`` says of a
    step that people carry out whether it was observed, confirmed, or is open.
    """

    task: Task
    status: Status
    changes: tuple[Change, ...]
    reason: str
    holders: tuple[str, ...]
    permitted: bool
    advice: str = ""
    expected: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    missing: str = ""
    standing: StepStanding | None = None

    @property
    def word(self) -> str:
        """What a person reads as its state: ``observed``, ``confirmed``, or the status."""
        if self.status is Status.DONE and self.standing is not None:
            return str(self.standing.state)
        return "differs" if self.differs else str(self.status)

    @property
    def differs(self) -> bool:
        """Whether an observation shows a difference, which is more than a step that nobody has looked at."""
        return self.standing is not None and self.standing.outcome is StepOutcome.DIFFERENT and bool(self.changes)

    def as_json(self) -> dict[str, Any]:
        """For scripts, and for a saved plan."""
        return {
            "id": self.task.id,
            "phase": self.task.phase.id,
            "title": self.task.title,
            "team": self.task.side,
            "forest": self.task.forest,
            "required": requirement_text(self.task.required),
            "holders": list(self.holders),
            "expected_holders": list(self.expected),
            "permitted": self.permitted,
            "status": self.status,
            "reason": self.reason,
            "unseen": list(self.unseen),
            "advice": self.advice,
            "missing_groups": self.missing,
            "known": self.standing.as_json() if self.standing else None,
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

    def only(self, wanted: Callable[[Planned], bool]) -> "Plan":
        """A part of it."""
        return Plan(operator=self.operator, tasks=tuple(filter(wanted, self.tasks)))


def observations_of(tasks: Iterable[Planned]) -> tuple[Observation, ...]:
    """The observations that count for some tasks, each once."""
    found = {each.sha256: each for planned in tasks if planned.standing for each in planned.standing.observations}
    return tuple(found.values())


Wanted = Callable[[Task], bool]


def everything(task: Task) -> bool:
    """No selection."""
    return True


def make_plan(context: Context, *, wanted: Wanted = everything, guard: Guard | None = None) -> Plan:
    """Observe everything and say what is to be done. Changes nothing."""
    observer = Observer(context, guard or Guard())
    planned = [observer.observe(task) for task in all_tasks(context)]
    planned = [p for p in planned if p.status is not Status.DONE or not p.task.only_when_due]
    planned.sort(key=lambda each: each.task.phase.number)
    return Plan(operator=context.session.account, tasks=tuple(p for p in planned if wanted(p.task)))


class Observer:
    """Goes through the tasks in the order in which they are carried out, and knows what each waits for."""

    def __init__(self, context: Context, guard: Guard) -> None:
        self._context = context
        self._guard = guard
        self._open: dict[str, Task] = {}
        self._hidden: set[str] = set()
        self._own = forest_of(context.session.identity)
        self.roles = Roles(context)

    def observe(self, task: Task) -> Planned:
        """The state of a task now. Observe first the tasks that it may wait for."""
        context = self._context
        permitted = self.roles.permits(task.required, task.forest)
        hidden = task.unreadable(context.session)
        if hidden and self._own not in (task.forest, context.organization.voice_forest):
            task = dataclasses.replace(task, gate=False)  # another messaging forest's: nothing here waits for it
        if not (hidden or permitted or task.reads or task.by_hand) and not context.sees(task.forest):
            waited_for = task.forest == context.organization.voice_forest
            hidden = True
            task = dataclasses.replace(task, hidden=f"You cannot read {task.forest}", gate=waited_for)
        changes = () if hidden else task.changes(context)
        status, reason, waits = Status.READY, "", []
        if hidden:
            self._hidden.add(task.id)
            status, reason = Status.UNREADABLE, task.hidden
        elif not changes:
            status = Status.DONE
        elif waits := self._waits(task):
            status, reason = Status.WAITING, f"waits for {', '.join(waits)}"
        elif task.by_hand:
            status, reason = Status.BY_HAND, task.by_hand
        elif refusal := self._guard.refusal(context, task, changes):
            status, reason = Status.GUARDED, refusal
        if status is not Status.DONE and (status is not Status.UNREADABLE or task.gate):
            self._open[task.id] = task
        holders = self.roles.holders(task.required, task.forest)
        return Planned(
            task=task,
            status=status,
            changes=changes,
            reason=reason,
            unseen=tuple(name for name in waits if self._unseen(name)),
            holders=holders,
            expected=() if holders else self.roles.expected(task.required, task.forest),
            permitted=permitted,
            advice=self.roles.advice(task.required, task.forest),
            missing="" if permitted else self.roles.missing(task.required, task.forest),
            standing=task.standing() if isinstance(task, HandTask) and not hidden else None,
        )

    def done(self, task: Task) -> None:
        """It was carried out since: nothing waits for it any more, and it may have changed who may do what."""
        self._open.pop(task.id, None)
        if task.side is Side.DIRECTORY:
            self.roles = Roles(self._context)

    def _unseen(self, name: str) -> bool:
        """Whether a task or a phase is only waited for because the operator cannot see what it has done."""
        waited = [id_ for id_, each in self._open.items() if name in (id_, each.phase.id) and each.gate]
        return bool(waited) and self._hidden.issuperset(waited)

    def _waits(self, task: Task) -> list[str]:
        """Messaging tasks of a forest wait for what is of their forest or of the voice forest; voice tasks for all."""
        needs = task.phase.needs if task.needs is None else task.needs
        voice = self._context.organization.voice_forest
        near = {
            id_: each
            for id_, each in self._open.items()
            if task.forest == voice or each.forest in (task.forest, voice) or each.side is Side.VOICE
        }
        open_phases = {each.phase.number for each in near.values() if each.gate}
        names = [PHASES[n].id for n in needs if n in open_phases]
        return names + [id_ for id_ in near if id_.partition("@")[0] in task.after]
