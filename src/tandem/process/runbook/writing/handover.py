"""The text that one team sends the other when its part of a phase is done."""

from tandem.process.phases import Phase
from tandem.process.runbook.model import Language, Text
from tandem.process.runbook.order import awaited
from tandem.process.runbook.writing.book import Runbook
from tandem.process.runbook.writing.needs import needs_text
from tandem.process.runbook.writing.words import TEAMS, labelled, numbered, semicolon, word

_HAND_OVER = Text("Hand-over after phase", "Passation après la phase")
_WAS_DONE = Text("Steps of this phase:", "Étapes de cette phase :")
_NEXT = Text("What waited for it:", "Ce qui l'attendait :")
_REPLICATION = Text(
    "Wait for (or force) the replication of Active Directory before you begin.",
    "Attendez (ou forcez) la réplication d'Active Directory avant de commencer.",
)


def hand_over(book: Runbook, phase: Phase, language: Language) -> str:
    """What was done in a phase, by whom, and what may begin now.

    Args:
        book: its steps are those of the team that hands over, with the state of each.
        phase: the phase that is done.
        language: ``en`` or ``fr``.
    """
    done = [step for step in book.steps if step.phase == phase]
    following = [
        step
        for step in book.every
        if step not in done and any(each in done for each in awaited(step, book.every, book.organization.voice_forest))
    ]
    lines = [f"{_HAND_OVER.of(language)} {numbered(phase, language)}", ""]
    lines += [" ".join(book.organization.name.split()), f"{book.at:%Y-%m-%d %H:%M} UTC", "", _WAS_DONE.of(language)]
    for step in done:
        lines.append(f"- {step.id}: {' '.join(step.title.of(language).split())} ({step.forest})")
        lines.append(f"  {book.states[step.id].of(language)}")
    lines += ["", _NEXT.of(language)]
    for step in following:
        others = [each for each in awaited(step, book.every, book.organization.voice_forest) if each not in done]
        waits = f"{semicolon(language)}{labelled('waits', needs_text(others, language), language)}" if others else ""
        title = " ".join(step.title.of(language).split())
        lines.append(f"- {step.id}: {title} ({TEAMS[step.side].of(language)}, {step.forest}{waits})")
    if not following:
        lines.append(f"- {word('none', language)}")
    return "\n".join((*lines, "", _REPLICATION.of(language), ""))
