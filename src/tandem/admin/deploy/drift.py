"""Drift: where the directory differs from the organization file. Only reads."""

from dataclasses import dataclass
from typing import Any

from tandem.admin.people.leavers import leavers
from tandem.process.drift import Difference, find_drift
from tandem.process.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftResult:
    """Every difference that the reader can see, by phase, and the tasks whose objects he cannot read.

    ``leavers`` are addresses of mailboxes beside the organization file that no user has: no difference, but to be known.
    """

    differences: tuple[Difference, ...]
    unreadable: tuple[str, ...]
    leavers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What ``tandem drift --json`` prints."""
        return {
            "differences": [each.as_json() for each in self.differences],
            "unreadable": list(self.unreadable),
            "leavers": list(self.leavers),
        }


def drift(context: Context) -> DriftResult:
    """Compare the directory with what is declared; open the organization with ``read_only=True`` for it."""
    found = find_drift(context)
    known = all(context.sees(forest.name) for forest in context.organization.forests)
    left = tuple(each.address for each in leavers(context)) if known else ()
    return DriftResult(differences=found.differences, unreadable=found.unreadable, leavers=left)
