"""The runbook: what people carry out on servers of kind exchange and lync."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.org.load import require_organization
from tandem.process.runbook.model import Language
from tandem.process.runbook.render import RENDERERS
from tandem.process.runbook.steps import for_team, runbook_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookText:
    """A runbook in one format. ``steps`` is how many it has."""

    format: str
    text: str
    steps: int

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"format": self.format, "text": self.text, "steps": self.steps}

    def as_file(self) -> bytes:
        """What a file of it holds: Windows PowerShell 5.1 needs a byte order mark, or it assumes the system's code page."""
        return self.text.encode("utf-8-sig" if self.format == "ps1" else "utf-8")


def write_runbook(file: Path, *, team: str = "all", format: str = "md", language: Language = "en") -> RunbookText:
    """The runbook of the organization in ``file``.

    Args:
        file: the organization file. The directory is not opened.
        team: ``directory``, ``exchange``, ``voice`` or ``all``.
        format: ``md``, ``html`` or ``ps1``.
        language: ``en`` or ``fr``.
    """
    organization = require_organization(file)
    steps = for_team(runbook_steps(organization), team)
    return RunbookText(format=format, text=RENDERERS[format](steps, organization, language), steps=len(steps))
