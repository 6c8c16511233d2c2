"""The journal: who changed what, and when."""

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tandem.org.load import require_organization
from tandem.process.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalResult:
    """Every line, oldest first, as it was written."""

    lines: tuple[dict[str, Any], ...]

    def to_json(self) -> list[dict[str, Any]]:
        """What ``tandem journal --json`` prints."""
        return list(self.lines)

    def ended(self) -> list[dict[str, Any]]:
        """The lines without those of beginnings whose end follows."""
        return [
            line
            for line, following in zip_longest(self.lines, self.lines[1:])
            if following is None or following["task"] != line["task"] or line["state"] != "begun"
        ]


def read_journal(file: Path) -> JournalResult:
    """The journal of the organization in ``file``. Raises :class:`ProcessError` if a line was altered."""
    journal = Journal(path=require_organization(file).state / "journal.jsonl")
    return JournalResult(lines=tuple(journal.lines()))
