"""Drift: where the directory differs from the organization file. Only reads."""

from dataclasses import dataclass
from typing import Any

from tandem.process.drift import Difference, find_drift
from tandem.process.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftResult:
    """Every difference, by phase."""

    differences: tuple[Difference, ...]

    def to_json(self) -> list[Any]:
        """What ``tandem drift --json`` prints."""
        return [each.as_json() for each in self.differences]


def drift(context: Context) -> DriftResult:
    """Compare the directory with what is declared; open the organization with ``read_only=True`` for it."""
    return DriftResult(differences=tuple(find_drift(context)))
