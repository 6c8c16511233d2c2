"""Drift: where the directory differs from the organization file. Only reads."""

from dataclasses import dataclass
from typing import Any

from tandem.process.drift import Difference, find_drift
from tandem.process.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftResult:
    """Every difference that the reader can see, by phase, and the tasks whose objects he cannot read."""

    differences: tuple[Difference, ...]
    unreadable: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What ``tandem drift --json`` prints."""
        return {"differences": [each.as_json() for each in self.differences], "unreadable": list(self.unreadable)}


def drift(context: Context) -> DriftResult:
    """Compare the directory with what is declared; open the organization with ``read_only=True`` for it."""
    found = find_drift(context)
    return DriftResult(differences=found.differences, unreadable=found.unreadable)
