"""What happens to a call, and what its menu wants done: the values that pass between runner and driver.

Everything that begins has a number, and what happens to it carries that number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tandem.um.menu.table import ChangePlayback, MenuOperation, SkipPlayback

FactValue = str | int | object
"""Text, a number, or what an application's prompts know how to say."""

# Events


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """The caller pressed a DTMF digit."""

    digit: str


@dataclass(frozen=True, slots=True)
class PromptEnded:
    """A playback came to its end; not when it was stopped."""

    number: int


@dataclass(frozen=True, slots=True)
class CallerSilent:
    """Nobody has spoken into this recording for its ``idle_s``."""

    number: int


@dataclass(frozen=True, slots=True)
class OperationEnded:
    """An operation ended with a result, and with facts that it found."""

    number: int
    result: str
    facts: Mapping[str, FactValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The caller hung up, the leg was lost, or the server stops."""


MenuEvent = DigitPressed | PromptEnded | CallerSilent | OperationEnded | CallEnded

# Commands


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence whose slots have values."""

    sentence: str
    values: tuple[tuple[str, FactValue], ...] = ()


@dataclass(frozen=True, slots=True)
class BeginPrompt:
    """Play phrases, one after the other."""

    number: int
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class BeginFile:
    """Play a file; ``path`` is a ``str`` or a ``Path``."""

    number: int
    path: FactValue


@dataclass(frozen=True, slots=True)
class AdjustFile:
    """Change how the file of this number plays."""

    number: int
    change: ChangePlayback | SkipPlayback


@dataclass(frozen=True, slots=True)
class StopPlaying:
    """Stop what plays."""


@dataclass(frozen=True, slots=True)
class BeginRecording:
    """Record the caller."""

    number: int
    idle_s: float


@dataclass(frozen=True, slots=True)
class StopRecording:
    """End the recording that goes on."""


@dataclass(frozen=True, slots=True)
class BeginOperation:
    """Begin an operation; it always runs to its end."""

    number: int
    operation: MenuOperation


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call; the last command."""


MenuCommand = (
    BeginPrompt | BeginFile | AdjustFile | StopPlaying | BeginRecording | StopRecording | BeginOperation | HangUp
)
