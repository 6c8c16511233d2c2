"""What a step waits for, in words: the phases of each team, forest and shell."""

from collections.abc import Iterable

from tandem.process.phases import Phase
from tandem.process.runbook.model import Language, RunbookStep
from tandem.process.runbook.writing.words import TEAMS, phase_title, semicolon


def needs_text(steps: Iterable[RunbookStep], language: Language) -> str:
    """``1 Deploy the messaging servers, 3 Create ... (Exchange administrators, contoso.example); 8 ...``; empty for none."""
    found: dict[tuple[str, str], dict[Phase, None]] = {}
    for step in steps:
        found.setdefault((TEAMS[step.side].of(language), step.forest), {})[step.phase] = None
    return semicolon(language).join(
        f"{', '.join(f'{phase.number} {phase_title(phase, language)}' for phase in phases)} ({team}, {forest})"
        for (team, forest), phases in found.items()
    )
