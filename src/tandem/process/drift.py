"""Drift: where the directory is not as the file says. Only reads; the session that it is given cannot write.

A difference is what the plan would change, and also an object of the deployment's kinds that is neither declared nor made
by Tandem: it was made outside Tandem. Of Exchange and Lync servers it is what an observation shows; a step that nobody has
observed is no difference, but named.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.process.observing.kept import kept_observations
from tandem.process.observing.model import Observation
from tandem.process.observing.seen import by_side_and_forest
from tandem.process.observing.standing import StepState, is_old
from tandem.process.observing.undeclared import undeclared
from tandem.process.observing.verdict import StepOutcome
from tandem.process.phases import Phase
from tandem.process.plan import Planned, Status, make_plan, observations_of
from tandem.process.task import Context, phase, phase_of
from tandem.process.tasks.removals import MESSAGING, VOICE
from tandem.process.tasks.renames import people


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference, the phase that it belongs to, and the accounts that may fix it."""

    phase: Phase
    what: str
    holders: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {"phase": self.phase.id, "what": self.what, "holders": list(self.holders)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Every difference that the reader can see, in the order of the phases, and the tasks whose objects he cannot read.

    ``unobserved`` are steps on Exchange and Lync servers that could be observed and are not, with what is known of them;
    ``observations`` are those that count, ``old`` those of them that are old.
    """

    differences: tuple[Difference, ...]
    unreadable: tuple[str, ...]
    unobserved: Mapping[str, str] = field(default_factory=dict)
    observations: tuple[Observation, ...] = ()
    old: tuple[Observation, ...] = ()


def find_drift(context: Context) -> Drift:
    """Compare what can be read, and what was observed."""
    tasks = make_plan(context).tasks
    found = [
        Difference(phase=planned.task.phase, what=str(change), holders=planned.holders)
        for planned in tasks
        if planned.status not in (Status.DONE, Status.UNREADABLE) and (planned.standing is None or planned.differs)
        for change in planned.changes
    ]
    foreign = (*_foreign(context), *_observed_foreign(context), *_misplaced(context))
    # What the voice side does not read and needs none of is hidden from it for good; nobody is told of that.
    hidden = (each.task for each in tasks if each.status is Status.UNREADABLE and each.task.gate)
    now = context.clock.at()
    return Drift(
        differences=tuple(sorted(_once((*found, *foreign)), key=lambda each: each.phase.number)),
        unreadable=tuple(task.id for task in hidden),
        unobserved={each.task.id: each.standing.text for each in tasks if each.standing and _unobserved(each)},
        observations=observations_of(tasks),
        old=tuple(each for each in observations_of(tasks) if is_old(each, now)),
    )


def _once(found: Iterable[Difference]) -> Iterator[Difference]:
    """Each difference once, in the first phase that it belongs to: an expired certificate is one of phase 5 too."""
    said = set()
    for each in found:
        if each.what not in said:
            said.add(each.what)
            yield each


def _unobserved(planned: Planned) -> bool:
    """Whether a step could have been observed and was not; one that a collector cannot see is known by a person's word."""
    known = planned.standing
    if known is None or known.state is StepState.OBSERVED or planned.differs:
        return False
    return known.state is StepState.OPEN or known.outcome is not StepOutcome.NOT_OBSERVABLE


def _observed_foreign(context: Context) -> Iterator[Difference]:
    kept = kept_observations(context.organization.state, context.journal)
    for number, kind, name in undeclared(context.organization, by_side_and_forest(kept)):
        yield Difference(phase=phase(number), what=f"? {kind} {name}: observed, and not declared")


def _misplaced(context: Context) -> Iterator[Difference]:
    """Users and contacts who stand in another OU than declared: Tandem moves no account, and no contact."""
    org = context.organization
    present = {user.account.lower(): user for f in org.forests for user in people(context.at(f.name))}
    for user in org.users:
        held = present.get(user.account.lower())
        if held is not None and DN.parse(held.container) != DN.parse(user.ou):
            what = f"? user {user.account}: in {held.container}, declared in {user.ou}: move the account, or change the file"
            yield Difference(phase=phase(0), what=what)
    contacts = context.at(org.voice_forest).repository.all(o.Contact)
    ous = {f"sip:{contact.sip_address}".lower(): contact.ou for contact in org.contacts}
    for each in contacts:
        ou = ous.get(each.sip_address.lower())
        if ou is not None and DN.parse(each.container) != DN.parse(ou):
            what = (
                f"? contact {each.display_name}: in {each.container}, declared in {ou}: remove it, or change the file"
            )
            yield Difference(phase=phase(9), what=what)


def _foreign(context: Context) -> Iterator[Difference]:
    org = context.organization
    for forests, removals in ((org.messaging_forests, MESSAGING), ((org.voice_forest,), VOICE)):
        for here in map(context.at, forests):
            for removal in removals:
                wanted, owned = removal.declared(here), set(here.repository.owned(removal.type))
                for each in here.repository.all(removal.type):
                    if each not in owned and removal.key(each) not in wanted:
                        name = here.repository.dn_of(each).name
                        what = f"? {removal.kind} {name}: not declared, and not made by Tandem"
                        yield Difference(phase=phase_of(removal.id), what=what)
