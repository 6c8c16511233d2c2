"""Sentences with slots, by language. Pure: a sentence and its values become the prompts that speak them, in order.

The order of words, plural forms and the way to say numbers, dates and durations are the language's. A caller names a sentence
and gives its values, nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import Enum, auto

from tandem.speech.errors import SpeechError

Spoken = str | bytes
"""The id of a prompt, or sound: 16-bit linear samples at 8,000 Hz."""


class SlotKind(Enum):
    """What a slot takes."""

    NAME = auto()
    """``bytes``: a name that was recorded or synthesized."""
    NUMBER = auto()
    """``str``: digit by digit, such as an extension; what is not a digit is left out."""
    COUNT = auto()
    """``int``, 0 to 999, as a cardinal number."""
    DATE = auto()
    """``datetime.date``, without its year."""
    TIME = auto()
    """``datetime.time``, in hours and minutes."""
    DURATION = auto()
    """``int``, in seconds, up to 999 minutes."""


class Plural(Enum):
    """The plural forms that a language may have (Unicode CLDR's names)."""

    ONE = auto()
    FEW = auto()
    MANY = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a value."""

    name: str
    kind: SlotKind


@dataclass(frozen=True, slots=True)
class Counted:
    """A prompt whose form depends on the number in the slot ``of``, such as "message" and "messages"."""

    of: str
    forms: tuple[tuple[Plural, str], ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """Prompts, slots and counted words, in the order in which the language says them."""

    parts: tuple[str | Slot | Counted, ...]

    @property
    def slots(self) -> dict[str, SlotKind]:
        """The slots by name."""
        return {part.name: part.kind for part in self.parts if isinstance(part, Slot)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language. ``texts`` are its prompts by id; their sound is in the folder of this name."""

    tag: str
    folder: str
    texts: Mapping[str, str]
    sentences: Mapping[str, Sentence]
    plural: Callable[[int], Plural]
    cardinal: Callable[[int], list[str]]
    day: Callable[[date], list[str]]
    time_of_day: Callable[[time], list[str]]
    duration: Callable[[int], list[str]]

    def speak(self, sentence: str, values: Mapping[str, object]) -> list[Spoken]:
        """The prompts of a sentence.

        Raises:
            SpeechError: there is no such sentence, or a value is missing, unknown, or not of its slot's kind.
        """
        found = self.sentences.get(sentence)
        if found is None:
            raise SpeechError(f"there is no sentence {sentence!r} in {self.tag}")
        if found.slots.keys() != values.keys():
            wanted, given = ", ".join(found.slots) or "none", ", ".join(values) or "none"
            raise SpeechError(f"sentence {sentence!r} has the slots {wanted}; it was given {given}")
        return [spoken for part in found.parts for spoken in self._part(part, values)]

    def _part(self, part: str | Slot | Counted, values: Mapping[str, object]) -> list[Spoken]:
        match part:
            case str():
                return [part]
            case Slot():
                return self._value(part, values[part.name])
            case Counted():
                count = values[part.of]
                assert isinstance(count, int), "a count"
                return [dict(part.forms)[self.plural(count)]]

    def _value(self, slot: Slot, value: object) -> list[Spoken]:
        match slot.kind, value:
            case SlotKind.NAME, bytes():
                return [value]
            case SlotKind.NUMBER, str():
                return [f"digit-{digit}" for digit in value if digit in "0123456789"]
            case SlotKind.COUNT, int() if 0 <= value < 1000:
                return [*self.cardinal(value)]
            case SlotKind.DATE, date():
                return [*self.day(value)]
            case SlotKind.TIME, time():
                return [*self.time_of_day(value)]
            case SlotKind.DURATION, int() if 0 <= value < 60_000:
                return [*self.duration(value)]
        raise SpeechError(f"slot {slot.name!r} takes a {slot.kind.name.lower()}, not {value!r}")
