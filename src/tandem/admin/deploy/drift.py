"""Drift: where the directory differs from the organization file. Only reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tandem.admin.people.leavers import leavers
from tandem.process.drift import Difference, find_drift
from tandem.process.observing.standing import source_text
from tandem.process.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftResult:
    """Every difference that the reader can see, by phase, and the tasks whose objects he cannot read.

    ``unobserved`` are steps on Exchange and Lync servers that could be observed and are not, with what is known of them.
    ``old`` says of each observation that is old where it is from. ``leavers`` are addresses of mailboxes beside the
    organization file that no user has: no difference, but to be known.
    """

    differences: tuple[Difference, ...]
    unreadable: tuple[str, ...]
    unobserved: Mapping[str, str] = field(default_factory=dict)
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
            "old_observations": list(self.old),
            "leavers": list(self.leavers),
        }


def drift(context: Context) -> DriftResult:
    """Compare the directory with what is declared; open the organization with ``read_only=True`` for it."""
    found = find_drift(context)
    known = all(context.sees(forest.name) for forest in context.organization.forests)
    left = tuple(each.address for each in leavers(context)) if known else ()
    now = context.clock.at()
    return DriftResult(
        differences=found.differences,
        unreadable=found.unreadable,
        unobserved=found.unobserved,
        old=tuple(f"{each.side} of {each.forest}, {source_text(each, now)}" for each in found.old),
        leavers=left,
    )
