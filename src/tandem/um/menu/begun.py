"""What the state of a call has begun: prompts, a recording, timers, operations. All of it ends with the state."""

from collections import deque
from collections.abc import Mapping

from tandem.um.menu.events import (
    AdjustFile,
    BeginFile,
    BeginOperation,
    BeginPrompt,
    BeginRecording,
    FactValue,
    MenuCommand,
    Phrase,
    StopPlaying,
    StopRecording,
)
from tandem.um.menu.table import (
    BargeIn,
    ChangePlayback,
    Fact,
    Happening,
    MenuInput,
    MenuOperation,
    PlayMessage,
    SkipPlayback,
    SlotValue,
    Speak,
)


class Begun:
    """``commands`` collects what the driver is to do; ``facts`` are the runner's."""

    def __init__(self, facts: Mapping[str, FactValue]) -> None:
        self.commands: list[MenuCommand] = []
        self.timers: dict[MenuInput, float] = {}
        """When each is due; those for digits are under ``NO_INPUT`` and ``ENTERED``."""
        self._facts = facts
        self._prompts: deque[Speak | PlayMessage] = deque()
        self._playing: tuple[int, Speak | PlayMessage] | None = None
        self._spoke = False
        self._recording: int | None = None
        self._operations: dict[int, MenuOperation] = {}
        self._serial = 0

    def end(self) -> None:
        """The state is left: only the call's own limit goes on."""
        self._stop_playing()
        self._prompts.clear()
        self._spoke = False
        if self._recording is not None:
            self._recording = None
            self.commands.append(StopRecording())
        self._operations.clear()
        self.timers = {what: at for what, at in self.timers.items() if what is Happening.CALL_LIMIT}

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    # Prompts

    def speak(self, prompt: Speak | PlayMessage) -> None:
        """Play this after the others."""
        self._prompts.append(prompt)

    def play(self) -> bool:
        """Go on with the next prompt if none plays; whether one plays now."""
        if self._playing is None and self._prompts:
            self._playing = self._next(), self._prompts.popleft()
            self._spoke = True
            self.commands.append(self._start(*self._playing))
        return self._playing is not None

    def _start(self, number: int, prompt: Speak | PlayMessage) -> MenuCommand:
        if isinstance(prompt, PlayMessage):
            return BeginFile(number, self._value(prompt.file))
        phrases = (
            Phrase(each.sentence, tuple((slot, self._value(value)) for slot, value in each.slots))
            for each in prompt.sentences
        )
        return BeginPrompt(number, tuple(phrases))

    def adjust(self, change: ChangePlayback | SkipPlayback) -> None:
        """Change how the file plays, if one does."""
        if self._playing is not None and isinstance(self._playing[1], PlayMessage):
            self.commands.append(AdjustFile(self._playing[0], change))

    def played(self, number: int) -> None:
        """A playback came to its end."""
        if self._playing is not None and self._playing[0] == number:
            self._playing = None

    def has_spoken(self) -> bool:
        """Whether prompts were played and are over; says so once."""
        spoke, self._spoke = self._spoke and self._playing is None and not self._prompts, False
        return spoke

    def barge_in(self) -> bool:
        """A digit stops the prompts that it may stop; whether it counts now, as none is left that must be heard first."""
        if self._playing is not None and _barge_in(self._playing[1]) is BargeIn.STOPS:
            self._stop_playing()
        while self._playing is None and self._prompts and _barge_in(self._prompts[0]) is BargeIn.STOPS:
            self._prompts.popleft()
            self._spoke = True
        first = self._playing[1] if self._playing else next(iter(self._prompts), None)
        return first is None or _barge_in(first) is not BargeIn.WAITS

    def _stop_playing(self) -> None:
        if self._playing is not None:
            self._playing = None
            self.commands.append(StopPlaying())

    def _value(self, value: SlotValue) -> FactValue:
        return self._facts[value.name] if isinstance(value, Fact) else value

    # Recording and operations

    def record(self, idle_s: float) -> None:
        """Record the caller."""
        self._recording = self._next()
        self.commands.append(BeginRecording(self._recording, idle_s))

    def records(self, number: int) -> bool:
        """Whether the recording of this number goes on."""
        return self._recording == number

    def perform(self, operation: MenuOperation, *, awaited: bool = True) -> None:
        """Begin an operation; if it is ``awaited``, its end counts as long as the state lasts."""
        number = self._next()
        if awaited:
            self._operations[number] = operation
        self.commands.append(BeginOperation(number, operation))

    def performed(self, number: int) -> MenuOperation | None:
        """The operation that ended, if its end counts."""
        return self._operations.pop(number, None)

    # Timers

    def due(self, now: float) -> MenuInput | None:
        """The timer that is due first, if one is; it is over with that."""
        first = min(self.timers, key=self.timers.__getitem__, default=None)
        if first is None or self.timers[first] > now:
            return None
        del self.timers[first]
        return first


def _barge_in(prompt: Speak | PlayMessage) -> BargeIn:
    return prompt.barge_in if isinstance(prompt, Speak) else BargeIn.PLAYS_ON
