"""What an observation says of a step of the runbook."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tandem.process.task import Change


class StepOutcome(StrEnum):
    """How an observation and a step compare."""

    AS_DECLARED = "as declared"
    DIFFERENT = "different"
    UNREADABLE = "unreadable"
    NOT_OBSERVABLE = "not observable"
    UNSEEN = "not observed yet"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What would decide the step could not be read, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class NotObservable:
    """What a collector cannot see at all, such as whether a call was heard."""

    why: str


Finding = Change | Unreadable | NotObservable
"""What a judge says; a step of which it says nothing is as declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The outcome for one step. ``changes`` are what differs; ``why`` is what could not be decided."""

    outcome: StepOutcome
    changes: tuple[Change, ...] = ()
    why: tuple[str, ...] = ()


UNSEEN = Judgement(outcome=StepOutcome.UNSEEN)


def judgement(findings: Iterable[Finding]) -> Judgement:
    """A difference decides before what could not be read, and that before what nobody can observe."""
    changes: dict[Change, None] = {}
    unreadable: dict[str, None] = {}
    not_observable: dict[str, None] = {}
    for each in findings:
        match each:
            case Unreadable(why):
                unreadable[why] = None
            case NotObservable(why):
                not_observable[why] = None
            case _:
                changes[each] = None
    outcome = (
        StepOutcome.DIFFERENT
        if changes
        else StepOutcome.UNREADABLE
        if unreadable
        else StepOutcome.NOT_OBSERVABLE
        if not_observable
        else StepOutcome.AS_DECLARED
    )
    return Judgement(outcome=outcome, changes=tuple(changes), why=(*unreadable, *not_observable))
