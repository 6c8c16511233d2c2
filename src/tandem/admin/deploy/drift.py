"""Drift: where the directory differs from the organization file. Only reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tandem.admin.people.leavers import leavers
from tandem.process.drift import Difference, find_drift
from tandem.process.observing.model import Observation
from tandem.process.observing.standing import source_text
from tandem.process.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftResult:
    """Every difference that the reader can see, by phase, and the tasks whose objects he cannot read.

    ``unobserved`` are steps on Exchange and Lync servers that could be observed and are not, with what is known of them.
    ``observations`` says of each observation that counts where it is from and its age, ``old`` of those that are old.
    ``leavers`` are addresses of mailboxes beside the organization file that no user has: no difference, but to be known.
    """

    differences: tuple[Difference, ...]
    unreadable: tuple[str, ...]
    unobserved: Mapping[str, str] = field(default_factory=dict)
    observations: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    leavers: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """3 for differences, 4 if there is none and not everything was observed, else 0."""
        return 3 if self.differences else 4 if self.unobserved else 0

    def to_json(self) -> dict[str, Any]:
        """What ``tandem drift --json`` prints."""
        return {
            "differences": [each.as_json() for each in self.differences],
            "unreadable": list(self.unreadable),
            "unobserved": dict(self.unobserved),
            "observations": list(self.observations),
            "old_observations": list(self.old),
            "leavers": list(self.leavers),
        }


def drift(context: Context) -> DriftResult:
    """Compare the directory with what is declared; open the organization with ``read_only=True`` for it."""
    found = find_drift(context)
    known = all(context.sees(forest.name) for forest in context.organization.forests)
    left = tuple(each.address for each in leavers(context)) if known else ()
    now = context.clock.at()

    def said(observation: Observation) -> str:
        return f"{observation.side} of {observation.forest}, {source_text(observation, now)}"

    return DriftResult(
        differences=found.differences,
        unreadable=found.unreadable,
        unobserved=found.unobserved,
        observations=tuple(map(said, found.observations)),
        old=tuple(map(said, found.old)),
        leavers=left,
    )
