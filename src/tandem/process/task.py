"""Tasks: what a phase does, as values that can be observed, shown, and applied.

A task looks at the directory (or a server's files) and says what differs from what is declared: its changes. Applying it
makes those changes in one transaction; afterwards it has none. So a task may be applied any number of times, and one that
was interrupted is taken up by applying again.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tandem.core.clock import Clock
from tandem.core.ids import Ids
from tandem.directory.dn import DN
from tandem.directory.filters import escape
from tandem.directory.layout import Layout
from tandem.directory.port import Ace, Right, Session
from tandem.directory.repository import Repository
from tandem.org.model import Organization
from tandem.process.phases import PHASES, Phase, Requirement, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference: ``action`` is ``+`` (make), ``~`` (change) or ``-`` (remove)."""

    action: str
    kind: str
    name: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        details = f": {', '.join(self.details)}" if self.details else ""
        return f"{self.action} {self.kind} {self.name}{details}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What tasks work with: the declared organization, and the directory as the operator may use it."""

    organization: Organization
    session: Session
    repository: Repository
    layout: Layout
    clock: Clock
    ids: Ids

    @property
    def pki(self) -> Path:
        """Where servers' certificates are."""
        return self.organization.state / "pki"


Step = tuple[Change, Callable[[], None]]
"""A change and how to make it."""
Steps = Callable[[Context], Iterable[Step]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task. ``steps`` observes and yields what is to be done.

    ``reads`` are containers that the operator has to be able to read before it can be said whether something is to be
    done; ``gate`` says whether later phases wait for it; ``needs`` replaces the phase's own.
    """

    id: str
    phase: Phase
    title: str
    side: Side
    required: Requirement
    steps: Steps = field(repr=False)
    reads: tuple[DN, ...] = ()
    gate: bool = True
    needs: tuple[int, ...] | None = None

    def changes(self, context: Context) -> tuple[Change, ...]:
        """What is to be done now."""
        return tuple(change for change, _ in self.steps(context))

    def unreadable(self, session: Session) -> bool:
        """Whether the operator may not see what this task is about."""
        return not all(session.may(Right.READ, dn) for dn in self.reads)

    def apply(self, context: Context) -> tuple[Change, ...]:
        """Make the changes, all or none; returns them."""
        made = []
        with context.session.transaction():
            for change, make in self.steps(context):
                make()
                made.append(change)
        return tuple(made)


def phase(number: int) -> Phase:
    """The phase of this number."""
    return PHASES[number]


def ensure(context: Context, kind: str, wanted: Any, *, keep: Iterable[str] = ()) -> Iterable[Step]:
    """An object as it is declared: made if absent, changed where it differs; ``keep`` are fields left as they are."""
    repository = context.repository
    name = repository.dn_of(wanted).name
    there = repository.find(type(wanted), f"(cn={escape(name)})")
    current = next((each for each in there if repository.dn_of(each) == repository.dn_of(wanted)), None)
    if current is None:
        yield Change(action="+", kind=kind, name=name), lambda: repository.add(wanted)
        return
    after = dataclasses.replace(wanted, **{each: getattr(current, each) for each in keep})
    if details := differences(current, after):
        yield Change(action="~", kind=kind, name=name, details=details), lambda: repository.update(current, after)


def differences(before: Any, after: Any) -> tuple[str, ...]:
    """What differs between two objects of a type, as text."""
    return tuple(
        f"{f.name} {_shown(getattr(before, f.name))} -> {_shown(getattr(after, f.name))}"
        for f in dataclasses.fields(before)
        if getattr(before, f.name) != getattr(after, f.name)
    )


def ensure_aces(context: Context, dn: DN, aces: Iterable[Ace]) -> Iterable[Step]:
    """Access control entries that have to stand on an entry; none is ever taken away."""
    present = set(context.session.aces(dn))
    for ace in aces:
        if ace not in present:
            rights = "+".join(r.name or "" for r in Right if r in ace.rights)
            change = Change(
                action="+", kind="permission", name=dn.name, details=(f"{ace.principal.name} {rights} ({ace.inherit})",)
            )
            yield change, partial(context.session.grant, dn, (ace,))


def container(context: Context, dn: DN, object_class: str, **extra: Any) -> Iterable[Step]:
    """A container that has to be there."""
    if context.session.get(dn) is None:
        change = Change(action="+", kind="container", name=dn.name)
        yield change, lambda: context.session.add(dn, {"objectClass": ("top", object_class)}, **extra)


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) or "-" if isinstance(value, tuple) else str(value) if value != "" else "-"
