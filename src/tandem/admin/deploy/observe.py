"""Observations: what collectors have read on real servers, taken into account from now on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tandem.process.observing.recording import KeptResult, record
from tandem.process.observing.seen import can_read
from tandem.process.observing.standing import age_text, is_old, source_json
from tandem.process.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What became of each file, as of ``at``."""

    files: tuple[KeptResult, ...]
    at: datetime

    def age(self, file: KeptResult) -> str:
        """How old an observation is, for people."""
        return age_text(self.at - file.observation.ended)

    def is_old(self, file: KeptResult) -> bool:
        """Whether an observation is so old that it is warned of."""
        return is_old(file.observation, self.at)

    def unread(self, file: KeptResult) -> dict[str, str]:
        """Sections that could not be read, and why; without those that the shell has no cmdlet for."""
        seen = file.observation
        return {name: why for name, why in seen.unread.items() if can_read(seen.shell, name)}

    def to_json(self) -> list[dict[str, Any]]:
        """What ``tandem observe --json`` prints."""
        return [
            source_json(each.observation)
            | {
                "file": each.file,
                "new": each.new,
                "counts": each.newer is None,
                "certificates_count": each.local,
                "old": self.is_old(each),
                "unread": self.unread(each),
            }
            for each in self.files
        ]


def observe(context: Context, files: Sequence[Path]) -> Observed:
    """Validate and keep observations. All are kept, or none.

    Raises:
        ObservationRefused: a file is no observation of this organization that can be used.
    """
    recorded = record(context, {str(path): path for path in files})
    return Observed(files=recorded, at=context.clock.at())
