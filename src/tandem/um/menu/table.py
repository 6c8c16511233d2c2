"""The words of menu tables. Pure data: what a table says is read, drawn (docs/menus.md) and run, never called.

A table has states and rows. A state says which verbs are done when it is entered (:data:`Verb`) and which digits it collects.
A row says: in this state, on this input, do these verbs and go there. The rules that every table shares:

- **A state ends what it began.** When it is left, its playback, recording and timers end, and what they still report counts
  for nothing. A row back to the same state enters it again; :attr:`Then.STAY` does not leave it. An operation goes on to its
  end, but only the state that began it sees the result.
- **Verbs of a row** belong to the state that it leads to: an apology is spoken before the next state's own prompts.
- **Digits** are taken by a state that has rows for them or collects them, and wait (type-ahead) while there is none. A state
  drops what was typed before it with ``clears_type_ahead``. Of two rows such as ``3`` and ``33`` the longer one wins if its
  second digit comes within ``inter_digit_s``.
- **A digit that fits nothing** is :attr:`Happening.WRONG_INPUT` where the state has a row for that, and otherwise is ignored.
- **Prompts** say what a digit does to them: see :class:`BargeIn`. ``PLAYED`` comes when a state's last prompt is over; the
  time for the first digit (``NO_INPUT``) begins then.
- **Attempts** are counted over all states that name the same :class:`Attempts`, and forgotten when a state without them is
  entered: ``NO_INPUT``, ``WRONG_INPUT`` and rows that ``fails``. At the limit, ``TOO_MANY_ATTEMPTS`` takes their place.
- **Hang-up** ends every table, in any state, without a row. So does the call limit, unless the state has a row for
  ``CALL_LIMIT``: then the call ends :data:`GRACE_S` later at the latest.
- **What must be done in the end** (``finally_do``) is begun however the table ends, unless it was performed since the table
  began or since the last recording began.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property

FIRST_DIGIT_S = 5.0
"""Seconds to wait for the first digit after the last prompt: the value of Exchange's auto attendant."""
INTER_DIGIT_S = 3.0
"""Seconds to wait for one more digit."""
GRACE_S = 20.0
"""Seconds for saying goodbye after the call limit."""
DIGITS = "0123456789*#ABCD"


@dataclass(frozen=True, slots=True)
class Fact:
    """A value that is known during the call only, by name: the caller's name, the digits that were collected."""

    name: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A number that the dial plan or mailbox policy sets, by name. Times are in seconds."""

    name: str


Number = float | Setting
SlotValue = Fact | str | int


@dataclass(frozen=True, slots=True)
class Say:
    """One sentence of the catalogue (:mod:`tandem.speech.sentences`) with the values of its slots."""

    sentence: str
    slots: tuple[tuple[str, SlotValue], ...] = ()


def say(sentence: str, **slots: SlotValue) -> Say:
    """A sentence with its slots by name."""
    return Say(sentence, tuple(slots.items()))


class BargeIn(Enum):
    """What a digit that the state can use does to a prompt."""

    STOPS = auto()
    """It ends the prompt and counts: menus."""
    WAITS = auto()
    """It counts when the prompt is over: announcements that must be heard."""
    PLAYS_ON = auto()
    """It counts, and the prompt goes on unless the digit's row leaves the state: messages with pause and skip."""


@dataclass(frozen=True, slots=True)
class MenuOperation:
    """Work outside the table, such as checking a PIN: performed by the application, ends with one of ``results``.

    Without results nothing waits for its end.
    """

    name: str
    results: tuple[str, ...] = ()


# Verbs


@dataclass(frozen=True, slots=True)
class Speak:
    """Play sentences one after the other, after the prompts that were asked for before."""

    sentences: tuple[Say, ...]
    barge_in: BargeIn = BargeIn.STOPS


@dataclass(frozen=True, slots=True)
class PlayMessage:
    """Play a message or another recording, whose path is this fact, after the prompts that were asked for before.

    Digits count at once and it goes on, as with :attr:`BargeIn.PLAYS_ON`. A file that cannot be played is over at once.
    """

    file: Fact


class ChangePlayback(Enum):
    """Change how the file plays that plays now; nothing happens if none does."""

    PAUSE_OR_RESUME = auto()
    SLOWER = auto()
    FASTER = auto()


@dataclass(frozen=True, slots=True)
class SkipPlayback:
    """Go so many seconds forward in the file that plays now, or back if negative; not beyond its ends."""

    seconds: float


@dataclass(frozen=True, slots=True)
class RecordCaller:
    """Record the caller until the state ends; ``SILENCE`` comes after ``idle_s`` without speech."""

    idle_s: Number


@dataclass(frozen=True, slots=True)
class StartTimer:
    """``Timeout(name)`` comes ``after_s`` from now, if the state lasts. Starting it again begins at zero."""

    name: str
    after_s: Number


@dataclass(frozen=True, slots=True)
class Perform:
    """Begin an operation; its :class:`Result` comes later."""

    operation: MenuOperation


@dataclass(frozen=True, slots=True)
class Visit:
    """Hand the call to another application, which comes back with :class:`Returned`."""

    application: str


Verb = Speak | PlayMessage | ChangePlayback | SkipPlayback | RecordCaller | StartTimer | Perform | Visit

# Inputs


class Happening(Enum):
    """Inputs without a value."""

    PLAYED = auto()
    ENTERED = auto()
    NO_INPUT = auto()
    WRONG_INPUT = auto()
    TOO_MANY_ATTEMPTS = auto()
    SILENCE = auto()
    CALL_LIMIT = auto()


@dataclass(frozen=True, slots=True)
class Digit:
    """A DTMF digit, or several in a row, such as ``#`` or ``33``."""

    digits: str


@dataclass(frozen=True, slots=True)
class Timeout:
    """The state's timer of this name is due."""

    timer: str


@dataclass(frozen=True, slots=True)
class Result:
    """An operation that this state began has ended so."""

    operation: MenuOperation
    result: str


@dataclass(frozen=True, slots=True)
class Returned:
    """The application that this state visited came back with this result."""

    result: str


MenuInput = Happening | Digit | Timeout | Result | Returned

# Where a row leads


class Then(Enum):
    """Where a row leads, if not to a state."""

    STAY = auto()
    """Nowhere: timers, playback and recording go on."""
    END = auto()
    """To the end of the call."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Back to the application that visited this one; to the end of the call if none did."""

    result: str


@dataclass(frozen=True, slots=True)
class Goto:
    """To another application, which does not come back."""

    application: str


Next = Enum | Leave | Goto
"""An ``Enum`` is one of :class:`Then`, or the name of a state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """Digits that become the fact ``into``: at most ``length``, fewer if ``terminator`` or a pause ends them.

    ``ENTERED`` comes with ``minimum`` digits or more, ``WRONG_INPUT`` with fewer. The terminator is not kept.
    """

    into: str
    length: Number
    minimum: int = 1
    terminator: str = "#"


@dataclass(frozen=True, slots=True)
class Attempts:
    """How many inputs may fail, over all states that name these attempts."""

    name: str
    limit: Number


@dataclass(frozen=True, slots=True)
class MenuState:
    """A state of a menu."""

    name: Enum
    enter: tuple[Verb, ...] = ()
    collect: Collect | None = field(default=None, kw_only=True)
    first_digit_s: Number = field(default=FIRST_DIGIT_S, kw_only=True)
    inter_digit_s: Number = field(default=INTER_DIGIT_S, kw_only=True)
    clears_type_ahead: bool = field(default=False, kw_only=True)
    attempts: Attempts | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table; by position, as it is read. ``fails`` counts as a failed attempt."""

    state: Enum
    on: MenuInput
    then: Next
    verbs: tuple[Verb, ...] = ()
    fails: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class MenuTable:
    """A menu. The first state is where it begins. :func:`tandem.um.menu.check.checked` returns it if it is sound."""

    name: str
    states: tuple[MenuState, ...]
    rows: tuple[Row, ...]
    finally_do: tuple[MenuOperation, ...] = ()

    @cached_property
    def by_name(self) -> dict[Enum, MenuState]:
        """The states by name."""
        return {state.name: state for state in self.states}

    @cached_property
    def by_input(self) -> dict[tuple[Enum, MenuInput], Row]:
        """The rows by state and input."""
        return {(row.state, row.on): row for row in self.rows}

    @cached_property
    def digits(self) -> dict[Enum, frozenset[str]]:
        """The digits that each state has rows for."""
        found: dict[Enum, set[str]] = {state.name: set() for state in self.states}
        for row in self.rows:
            if isinstance(row.on, Digit):
                found[row.state].add(row.on.digits)
        return {state: frozenset(digits) for state, digits in found.items()}

    def verbs_in(self, state: Enum) -> Iterator[Verb]:
        """Every verb that may be done within a state: at its entry, by rows that lead to it, by rows that stay."""
        yield from self.by_name[state].enter
        for row in self.rows:
            if row.then is state or (row.then is Then.STAY and row.state is state):
                yield from row.verbs
