"""Tasks: what a phase does, as values that can be observed, shown, and applied.

A task looks at the directory (or a server's files) and says what differs from what is declared: its changes. Applying it
makes those changes in one transaction; afterwards it has none. So a task may be applied any number of times, and one that
was interrupted is taken up by applying again.

What a change says depends on the object that it is about and not on whether an earlier task has made that object yet: an
absent object is described as it will be made. So a change reads the same when it is planned and when its turn comes.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tandem.core.clock import Clock
from tandem.core.ids import Ids
from tandem.directory.dn import DN
from tandem.directory.layout import Layout, domain_of
from tandem.directory.objects import same
from tandem.directory.port import Ace, Right, Session
from tandem.directory.repository import Cache, Repository
from tandem.org.model import Organization
from tandem.process.phases import PHASES, Phase, Side
from tandem.process.roles import Requirement

ACTIONS = {"+": "to make", "~": "to change", "-": "to remove", "!": "by hand"}
"""What :attr:`Change.action` may be, as people read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. ``action`` is one of :data:`ACTIONS`."""

    action: str
    kind: str
    name: str
    details: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What is done to which object, without how it differs."""
        return f"{self.action} {self.kind} {self.name}"

    def __str__(self) -> str:
        return f"{self.what}: {', '.join(self.details)}" if self.details else self.what


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What tasks work with: the declared organization, and the directory as the operator may use it.

    ``layout`` and ``repository`` are those of one forest; :meth:`at` gives another's.
    """

    organization: Organization
    session: Session
    repository: Repository
    layout: Layout
    clock: Clock
    ids: Ids
    cache: Cache = field(default_factory=dict, repr=False)

    @property
    def pki(self) -> Path:
        """Where servers' certificates are."""
        return self.organization.state / "pki"

    @property
    def journal(self) -> Path:
        """The file of the journal."""
        return self.organization.state / "journal.jsonl"

    def at(self, forest: str) -> "Context":
        """The same, in another forest."""
        if forest == self.layout.forest:
            return self
        layout = layout_of(self.organization, forest)
        repository = Repository(self.session, layout, owner=self.organization.name, cache=self.cache)
        return dataclasses.replace(self, layout=layout, repository=repository)

    def sees(self, forest: str) -> bool:
        """Whether the operator can read a forest's accounts; if not, everything there would seem to be missing."""
        return self.session.may(Right.READ, domain_of(forest).child("CN", "Users"))


def layout_of(organization: Organization, forest: str) -> Layout:
    """Where an organization's objects are in a forest."""
    return Layout(forest=forest, organization=organization.name, voice_forest=organization.voice_forest)


T = TypeVar("T")
Step = tuple[Change, Callable[[], None]]
"""A change and how to make it."""
Steps = Callable[[Context], Iterable[Step]]
Tick = Callable[[int], None]
"""Told of each step that was made, with their number so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task. ``steps`` observes and yields what is to be done, in the ``forest`` that the task is for.

    ``reads`` are containers that the operator has to be able to read before it can be said whether something is to be
    done, and ``hidden`` says why if he may not. ``gate`` says whether later phases wait for it; ``needs`` replaces the
    phase's own. ``after`` names tasks that come before, whatever their phase: removals wait for what refers to their
    objects, of which ``kept`` counts those that are managed. A task ``only_when_due`` is left out of a plan where it has
    nothing to do. ``by_hand`` says where a step is carried out that is for servers of another product; ``digest`` identifies
    its text.
    """

    id: str
    phase: Phase
    title: str
    side: Side
    required: Requirement
    forest: str
    steps: Steps = field(repr=False)
    reads: tuple[DN, ...] = ()
    hidden: str = "You cannot read UM objects until phase 7 (exchucutil) has run"
    gate: bool = True
    needs: tuple[int, ...] | None = None
    after: tuple[str, ...] = ()
    only_when_due: bool = False
    kept: Callable[[Context], int] = field(default=lambda context: 0, repr=False)
    by_hand: str = ""
    digest: str = ""

    def changes(self, context: Context) -> tuple[Change, ...]:
        """What is to be done now."""
        return tuple(change for change, _ in self.steps(context.at(self.forest)))

    def unreadable(self, session: Session) -> bool:
        """Whether the operator may not see what this task is about."""
        return not all(session.may(Right.READ, dn) for dn in self.reads)

    def population(self, context: Context) -> int:
        """How many managed objects there are of the kind that this task removes."""
        return self.kept(context.at(self.forest))

    def apply(self, context: Context, tick: Tick = lambda made: None) -> tuple[Change, ...]:
        """Make the changes, all or none; returns them."""
        made: list[Change] = []
        with context.session.transaction():
            for change, make in self.steps(context.at(self.forest)):
                make()
                made.append(change)
                tick(len(made))
        return tuple(made)


def phase(number: int) -> Phase:
    """The phase of this number."""
    return PHASES[number]


def phase_of(task_id: str) -> Phase:
    """The phase that a task's name begins with: ``9/contacts`` is of phase 9."""
    return phase(int(task_id.partition("/")[0]))


def nothing() -> None:
    """How to make a change whose object another task makes first."""


def from_declared(type_: type[T], declared: Any, **own: Any) -> T:
    """An object of the directory as it is declared: fields of the same name are taken over, ``own`` are the others."""
    names = {f.name for f in dataclasses.fields(type_)} & {f.name for f in dataclasses.fields(declared)}  # type: ignore[arg-type]
    return type_(**{name: getattr(declared, name) for name in names} | own)


def ensure(context: Context, kind: str, wanted: Any, *, keep: Iterable[str] = ()) -> Iterable[Step]:
    """An object as it is declared: made if absent, changed where it differs; ``keep`` are fields left as they are.

    One that was there already, made by somebody else, becomes managed.
    """
    repository = context.repository
    name = repository.dn_of(wanted).name
    held = repository.same(wanted)
    if held is None:
        yield Change(action="+", kind=kind, name=name, details=described(wanted)), partial(repository.add, wanted)
        return
    current, managed = held
    after = dataclasses.replace(wanted, **{each: getattr(current, each) for each in keep})
    if details := differences(current, after):
        yield Change(action="~", kind=kind, name=name, details=details), partial(repository.update, current, after)
    if not managed:
        change = Change(action="~", kind=kind, name=name, details=("managed from now on",))
        yield change, partial(repository.adopt, current)


def described(value: Any) -> tuple[str, ...]:
    """What is said of an object that is made: its fields, but those that are as by default, its name and place."""
    fields = [f for f in dataclasses.fields(value) if f.name not in _UNSAID]
    return tuple(
        f"{f.name} {_shown(getattr(value, f.name))}"
        for f in fields
        if f.default is dataclasses.MISSING or getattr(value, f.name) != f.default
    )


_UNSAID = {"name", "fqdn", "identity", "account", "cn", "members", "managed_by"}


def differences(before: Any, after: Any) -> tuple[str, ...]:
    """What differs between two objects of a type, as text."""
    return tuple(
        difference(f.name, getattr(before, f.name), getattr(after, f.name))
        for f in dataclasses.fields(before)
        if not same(f.name, getattr(before, f.name), getattr(after, f.name))
    )


def difference(name: str, before: Any, after: Any) -> str:
    """How one field differs: of a list, what comes and goes; of a value, what it was and will be."""
    if isinstance(before, tuple) and isinstance(after, tuple):
        come = [f"+{_shown(each)}" for each in after if each not in before]
        gone = [f"-{_shown(each)}" for each in before if each not in after]
        if come or gone:
            return " ".join((name, *come, *gone))
    return f"{name} {_shown(before)} -> {_shown(after)}"


def ensure_aces(context: Context, dn: DN, aces: Iterable[Ace]) -> Iterable[Step]:
    """Access control entries that an entry needs; none is ever removed."""
    for ace in context.session.lacking(dn, tuple(aces)):
        yield ace_change("+", dn, ace), partial(context.session.grant, dn, (ace,))


def ace_change(action: str, dn: DN, ace: Ace) -> Change:
    """An access control entry that comes or goes."""
    rights = "+".join(r.name or "" for r in Right if r in ace.rights)
    of = f" of {ace.object_class}" if ace.object_class else ""
    detail = f"{ace.principal.name} {rights}{of} ({ace.inherit})"
    return Change(action=action, kind="permission", name=dn.name, details=(detail,))


def container(context: Context, dn: DN, object_class: str, **extra: Any) -> Iterable[Step]:
    """A container that has to be there."""
    if context.session.get(dn) is None:
        change = Change(action="+", kind="container", name=dn.name)
        yield change, lambda: context.session.add(dn, {"objectClass": ("top", object_class)}, **extra)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value)) or "-"
    if dataclasses.is_dataclass(value):
        fields = (getattr(value, f.name) for f in dataclasses.fields(value))
        return "(" + " ".join(str(each) for each in fields if each not in ("", False)) + ")"
    return str(value) if value != "" else "-"
