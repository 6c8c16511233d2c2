"""What is known of a step, as the runbook says it: observed, confirmed, or open. The three never look alike."""

from collections.abc import Callable

from tandem.process.observing.model import Observation
from tandem.process.observing.standing import Confirmation, StepStanding, StepState
from tandem.process.observing.verdict import StepOutcome
from tandem.process.runbook.model import Text


def state_text(standing: StepStanding, french: Callable[[str], str]) -> Text:
    """The state of a step in a sentence, with what an observation has shown to differ, or why nothing is known."""
    if standing.state is StepState.OBSERVED:
        return _joined(Text("OBSERVED as declared", "OBSERVÉ, conforme à la déclaration"), _sources(standing))
    if standing.state is StepState.CONFIRMED and standing.confirmation:
        return _joined(_confirmed(standing.confirmation), Text("not observed", "non observé"))
    if standing.outcome is StepOutcome.DIFFERENT:
        changes = "; ".join(map(str, standing.changes))
        different = Text(
            f"OPEN, differs (seen -> declared): {changes}", f"OUVERT, différent (vu -> déclaré) : {changes}"
        )
        return _joined(different, _sources(standing))
    return Text(f"OPEN, {standing.text}", f"OUVERT, {french(standing.text)}")


def _joined(first: Text, second: Text) -> Text:
    return Text(f"{first.en}; {second.en}", f"{first.fr} ; {second.fr}")


def _confirmed(word: Confirmation) -> Text:
    more = f" ({word.text})" if word.text else ""
    day = f"{word.at:%Y-%m-%d}"
    return Text(f"CONFIRMED by {word.who} {day}{more}", f"CONFIRMÉ par {word.who} le {day}{more}")


def _sources(standing: StepStanding) -> Text:
    seen = standing.observations
    old = standing.old
    return Text(
        "; ".join(f"seen by {_where(each)}" for each in seen) + (" (old: collect again)" if old else ""),
        " ; ".join(f"vu par {_where(each)}" for each in seen) + (" (ancien : collectez de nouveau)" if old else ""),
    )


def _where(seen: Observation) -> str:
    return f"{seen.by} ({seen.host}, {seen.ended:%Y-%m-%d %H:%M} UTC)"
