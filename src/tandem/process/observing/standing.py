"""How a step of the runbook is known to be done: it was observed, or somebody has confirmed it, or it is open.

An observation counts before a person's word. A confirmation that is younger than an observation which shows a difference stays
a confirmation: the step may have been carried out since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tandem.process.observing.model import Observation
from tandem.process.observing.verdict import Judgement, StepOutcome
from tandem.process.task import Change

OLD_AFTER = timedelta(days=7)
"""From this age on an observation is warned of: a week is how often a change board usually meets, and nobody knows what was
changed since."""


NOTHING_KNOWN = "neither observed nor confirmed"


class StepState(StrEnum):
    """How much is known of a step."""

    OBSERVED = "observed"
    CONFIRMED = "confirmed"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Somebody's word that a step was carried out. ``text`` names the evidence that was given, if any."""

    who: str
    at: datetime
    text: str = ""

    def __str__(self) -> str:
        return f"confirmed by {self.who} {self.at:%Y-%m-%d}" + (f" ({self.text})" if self.text else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStanding:
    """The state of a step and why. ``changes`` are what is still to be done, ``old`` says that what was seen is old.

    ``confirmation`` is the last word on the step's text, which an observation may contradict.
    """

    state: StepState
    text: str
    outcome: StepOutcome = StepOutcome.UNSEEN
    changes: tuple[Change, ...] = ()
    observations: tuple[Observation, ...] = ()
    old: bool = False
    confirmation: Confirmation | None = None

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "state": self.state,
            "text": self.text,
            "outcome": self.outcome,
            "old": self.old,
            "observations": [source_json(each) for each in self.observations],
        }


def source_json(observation: Observation) -> dict[str, Any]:
    """Where something was seen: who, on which host, when, in which file."""
    return {
        "side": observation.side,
        "forest": observation.forest,
        "by": observation.by,
        "host": observation.host,
        "shell": observation.shell,
        "ended": observation.ended.isoformat(),
        "sha256": observation.sha256,
    }


def source_text(observation: Observation, now: datetime) -> str:
    """The same for people, with its age."""
    at = f"{observation.ended:%Y-%m-%d %H:%M} UTC ({age_text(now - observation.ended)})"
    return f"by {observation.by} on {observation.host}, {at}, {observation.sha256[:12]}"


def age_text(age: timedelta) -> str:
    """An age in days, or in hours below two days: ``9 days old``."""
    hours = max(0, int(age.total_seconds() // 3600))
    if hours >= 48:
        return f"{hours // 24} days old"
    if hours > 1:
        return f"{hours} hours old"
    return f"{hours} hour old" if hours else "less than an hour old"


def is_old(observation: Observation, now: datetime) -> bool:
    """Whether it is to be warned of."""
    return now - observation.ended > OLD_AFTER


def standing(
    found: Judgement,
    confirmation: Confirmation | None,
    sources: tuple[Observation, ...],
    *,
    todo: Change,
    now: datetime,
) -> StepStanding:
    """The state of a step, which ``sources`` have shown. ``todo`` is what is to be done where nothing more exact is known."""
    old = any(is_old(each, now) for each in sources)
    by = "; ".join(source_text(each, now) for each in sources)
    why = "; ".join(found.why)
    more = f" ({why})" if why else ""

    def with_(state: StepState, text: str, changes: Sequence[Change] = ()) -> StepStanding:
        return StepStanding(
            state=state,
            text=text,
            outcome=found.outcome,
            changes=tuple(changes),
            observations=sources,
            old=old,
            confirmation=confirmation,
        )

    if found.outcome is StepOutcome.AS_DECLARED:
        return with_(StepState.OBSERVED, f"observed {by}")
    if found.outcome is StepOutcome.DIFFERENT:
        if confirmation is None:
            return with_(StepState.OPEN, f"differs, as observed {by}{more}", found.changes)
        if confirmation.at > max(each.ended for each in sources):
            text = f"{confirmation}, after an observation that differs ({by}); not observed since"
            return with_(StepState.CONFIRMED, text)
        text = f"{confirmation}, but differs, as observed {by}: the observation counts{more}"
        return with_(StepState.OPEN, text, found.changes)
    if confirmation is not None:
        return with_(StepState.CONFIRMED, f"{confirmation}, not observed{more}")
    return with_(StepState.OPEN, NOTHING_KNOWN + more, (todo,))
