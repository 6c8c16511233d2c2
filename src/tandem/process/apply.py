"""Apply: do what the operator may do and what has what it needs, again and again until nothing more can be done.

Each task is one transaction. What a crash interrupts is simply still to be done the next time. Two applies at once: one
works, the other says so. A task that the directory refuses changes nothing and does not stop the others.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tandem.core.files import inherit_owner, private_folder
from tandem.directory.errors import DirectoryError, DirectoryUnavailable
from tandem.process.errors import Busy, NotPermitted, ProcessError
from tandem.process.guard import Guard
from tandem.process.holders import Roles
from tandem.process.journal import Journal
from tandem.process.phases import Phase
from tandem.process.plan import Observer, Plan, Planned, Status, Wanted, everything, make_plan
from tandem.process.roles import requirement_text
from tandem.process.saved import SavedPlan
from tandem.process.task import Change, Context, Step, Task, Tick
from tandem.process.tasks.every import all_tasks

_MOST_INTERRUPTIONS = 5
"""How often a task is begun again because the directory was lost, in one apply."""
_FEW = 200
"""Changes of a task that are written to the journal before it begins, too; of more, their number."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Told what happens: a task begins (with what it will change), has made so many changes, is done."""

    begun: Callable[[Planned], None] = lambda planned: None
    tick: Tick = lambda made: None
    done: Callable[[Planned, tuple[Change, ...]], None] = lambda planned, changes: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was done, what was refused or stale (task id and why), and the plan as it is afterwards."""

    done: tuple[str, ...]
    refused: dict[str, str]
    stale: dict[str, str]
    plan: Plan


@dataclass(slots=True, kw_only=True)
class _Run:
    context: Context
    wanted: Wanted
    guard: Guard
    saved: SavedPlan | None
    progress: Progress
    journal: Journal
    done: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    stale: dict[str, str] = field(default_factory=dict)
    interrupted: int = 0

    def round(self) -> None:
        """Go through all tasks once, or until one is interrupted: later ones may need what it makes."""
        observer = Observer(self.context, self.guard)
        interrupted = self.interrupted
        for task in all_tasks(self.context):
            planned = observer.observe(task)
            if self._due(planned) and self._carry_out(planned):
                observer.done(task)
            if self.interrupted > interrupted:
                return

    def _due(self, planned: Planned) -> bool:
        task = planned.task
        if planned.status is not Status.READY or not planned.permitted or not self.wanted(task):
            return False
        if task.id in self.refused:
            return False
        if self.saved is not None and task.id not in self.saved.tasks:
            return False  # the plan is a part: of one phase, say
        if self.saved is not None and (why := self.saved.stale(task.id, planned.changes)):
            self.stale[task.id] = why
            return False
        if task.id in self.done:
            changes = "; ".join(str(change) for change in planned.changes[:5])
            raise ProcessError(f"internal error: task {task.id} still reports changes after it was applied: {changes}")
        return True

    def _carry_out(self, planned: Planned) -> bool:
        task = planned.task
        self.progress.begun(planned)
        # If a crash comes now, the journal says what may have been changed.
        few = len(planned.changes) <= _FEW
        self._note(task, "begun", tuple(map(str, planned.changes)) if few else (f"{len(planned.changes)} change(s)",))
        try:
            changes = task.apply(self.context, self.progress.tick)
        except DirectoryUnavailable as error:
            self._note(task, "interrupted", (str(error),))
            self.interrupted += 1
            if self.interrupted > _MOST_INTERRUPTIONS:
                self.refused[task.id] = str(error)
            return False
        except (DirectoryError, ProcessError) as error:
            self._note(task, "refused", (str(error),))
            self.refused[task.id] = str(error)
            return False
        self._note(task, "done", tuple(str(change) for change in changes))
        self.done.append(task.id)
        self.progress.done(planned, changes)
        return True

    def _note(self, task: Task, state: str, changes: tuple[str, ...]) -> None:
        who = self.context.session.account
        self.journal.append(at=self.context.clock.at(), who=who, task=task.id, state=state, changes=changes)


def apply(
    context: Context,
    *,
    only: Phase | None = None,
    target: str = "",
    saved: SavedPlan | None = None,
    guard: Guard | None = None,
    progress: Progress | None = None,
) -> Applied:
    """Carry out what can be carried out: of one phase or task only, or what a saved plan says and no more.

    Raises:
        NotPermitted: ``only`` names a phase in which something is to be done, and the operator may do none of it.
        Busy: another apply is running.
    """
    wanted = selection(context, only, target)
    run = _Run(
        context=context,
        wanted=wanted,
        guard=guard or Guard(),
        saved=saved,
        progress=progress or Progress(),
        journal=Journal(path=context.journal),
    )
    with alone(context.organization.state):
        run.journal.check_end()
        if wanted is not everything:
            _demand_role(context, make_plan(context, wanted=wanted, guard=guard))
        while True:
            run.round()
            plan = make_plan(context, wanted=wanted, guard=guard)
            if not any(run._due(planned) for planned in plan.tasks):
                break
        if run.done or run.refused:
            run.journal.anchor(context.session.account)
        return Applied(done=tuple(run.done), refused=run.refused, stale=run.stale, plan=plan)


def selection(context: Context, only: Phase | None, target: str) -> Wanted:
    """Which tasks: those of a phase, or one (of every forest if the forest is not named).

    Raises :class:`ProcessError` if there is no such task.
    """
    if only is None and not target:
        return everything
    known = [task.id for task in all_tasks(context)]
    if target and target not in known and target not in [id_.partition("@")[0] for id_ in known]:
        raise ProcessError(f"there is no task {target!r}; there are: {', '.join(known)}")

    def wanted(task: Task) -> bool:
        return (only is None or task.phase == only) and target in ("", task.id, task.id.partition("@")[0])

    return wanted


def _demand_role(context: Context, plan: Plan) -> None:
    todo = [p for p in plan.todo if p.status is not Status.UNREADABLE or not p.permitted]
    if todo and not any(p.permitted for p in todo):
        first = todo[0].task
        raise NotPermitted(
            f"{first.id} needs {requirement_text(first.required)}; {plan.operator} is not in "
            f"{Roles(context).missing(first.required, first.forest)}. "
            f"It can be done by: {', '.join(todo[0].holders) or 'nobody yet'}. Nothing was changed."
        )


def carry_out(context: Context, name: str, steps: Iterable[Step]) -> tuple[Change, ...]:
    """What a tool does on its own: its steps in one transaction, alone, with a line in the journal."""
    made: list[Change] = []
    journal = Journal(path=context.journal)
    with alone(context.organization.state):
        journal.check_end()
        with context.session.transaction():
            for change, make in steps:
                make()
                made.append(change)
        if made:
            who, changes = context.session.account, tuple(map(str, made))
            journal.append(at=context.clock.at(), who=who, task=name, state="done", changes=changes)
            journal.anchor(who)
    return tuple(made)


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Nobody else changes the directory by the process at the same time. Raises :class:`Busy`."""
    private_folder(state)
    descriptor = os.open(state / "apply.lock", os.O_RDWR | os.O_CREAT, 0o600)
    inherit_owner(descriptor, state)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(
                f"another apply is running on {state}; nothing was changed. Try again when it has ended"
            ) from None
        yield
    finally:
        os.close(descriptor)
