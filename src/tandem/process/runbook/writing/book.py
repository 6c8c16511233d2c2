"""What is written: the steps of one runbook, when it was made, and by which version of Tandem."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tandem.org.model import Organization
from tandem.process.phases import Phase, Side
from tandem.process.runbook.model import RunbookStep, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """``steps`` are those to write, in their order; ``every`` are all steps of the organization, of all teams and forests.

    ``states`` say of steps, by their id, whether they were observed, confirmed, or are open, and what is different. ``done`` is
    how many steps are left out, as they were observed or confirmed.
    """

    organization: Organization
    steps: tuple[RunbookStep, ...]
    every: tuple[RunbookStep, ...]
    at: datetime
    version: str
    states: Mapping[str, Text] = field(default_factory=dict)
    done: int = 0

    @property
    def digest(self) -> str:
        """Identifies the steps as they are: 16 hexadecimal digits, the same for the same text."""
        said = "\n".join(f"{step.id} {step.digest}" for step in self.steps)
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases that have steps."""
        return tuple(dict.fromkeys(step.phase for step in self.steps))

    @property
    def sides(self) -> tuple[Side, ...]:
        """The teams that have steps."""
        return tuple(side for side in Side if any(step.side is side for step in self.steps))

    def by_phase(self) -> Iterator[tuple[Phase, tuple[RunbookStep, ...]]]:
        """The steps of each phase."""
        for phase in self.phases:
            yield phase, tuple(step for step in self.steps if step.phase == phase)
