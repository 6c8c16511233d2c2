"""Call answering: greet, give the tone, record, thank, hang up.

The rules are the table below: (state, input) -> (next state, what to do). ``#`` during the greeting skips to the tone, as
it ends the recording later. Whoever hangs up before the tone has left no message, but is told of in a missed-call notice;
so is one who says less than a second. The menu after a recording (review, importance) comes with a later release.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from enum import Enum, auto

from tandem.call.leg import CallLeg
from tandem.mail.spool import Recording
from tandem.media.level import SpeechDetector
from tandem.media.session import Sound

MINIMUM_S = 1.0
"""Speech that ends earlier than this after the tone is no message (our choice; Exchange's value is not public)."""
TAIL_S = 0.3
"""How much of the silence after the last speech stays in the message."""
_TICK_S = 0.25
_RATE = 8000


class State(Enum):
    """Where a call stands."""

    GREETING = auto()
    TONE = auto()
    RECORDING = auto()
    THANKING = auto()
    ENDED = auto()


class Input(Enum):
    """What can happen."""

    PLAYED = auto()
    POUND = auto()
    SILENCE = auto()
    LIMIT = auto()
    HUNG_UP = auto()


class Do(Enum):
    """What is to be done."""

    PLAY_TONE = auto()
    RECORD = auto()
    KEEP = auto()
    THANK = auto()
    HANG_UP = auto()


S, I = State, Input  # noqa: E741 - the table is read as one
TABLE: dict[tuple[State, Input], tuple[State, tuple[Do, ...]]] = {
    (S.GREETING, I.PLAYED): (S.TONE, (Do.PLAY_TONE,)),
    (S.GREETING, I.POUND): (S.TONE, (Do.PLAY_TONE,)),
    (S.GREETING, I.LIMIT): (S.ENDED, (Do.HANG_UP, Do.KEEP)),
    (S.GREETING, I.HUNG_UP): (S.ENDED, (Do.KEEP,)),
    (S.TONE, I.PLAYED): (S.RECORDING, (Do.RECORD,)),
    (S.TONE, I.LIMIT): (S.ENDED, (Do.HANG_UP, Do.KEEP)),
    (S.TONE, I.HUNG_UP): (S.ENDED, (Do.KEEP,)),
    (S.RECORDING, I.POUND): (S.THANKING, (Do.KEEP, Do.THANK)),
    (S.RECORDING, I.SILENCE): (S.THANKING, (Do.KEEP, Do.THANK)),
    (S.RECORDING, I.LIMIT): (S.THANKING, (Do.KEEP, Do.THANK)),
    (S.RECORDING, I.HUNG_UP): (S.ENDED, (Do.KEEP,)),
    (S.THANKING, I.PLAYED): (S.ENDED, (Do.HANG_UP,)),
    (S.THANKING, I.LIMIT): (S.ENDED, (Do.HANG_UP,)),
    (S.THANKING, I.HUNG_UP): (S.ENDED, ()),
}


class CallAnswering:
    """One call for a mailbox.

    ``begin`` starts a recording (on disk); ``keep`` ends it with the count of samples that are meant, 0 for none (or is
    called with no recording at all, when the caller hung up before the tone) and says whether a message was made.
    """

    def __init__(
        self,
        leg: CallLeg,
        *,
        greeting: bytes,
        tone: bytes,
        thanks: bytes,
        regrets: bytes,
        begin: Callable[[], Awaitable[Recording]],
        keep: Callable[[Recording | None, int], Awaitable[None]],
        idle_s: float,
        recording_s: float,
        call_s: float,
    ) -> None:
        self.state = State.GREETING
        self._leg = leg
        self._greeting, self._tone, self._thanks, self._regrets = greeting, tone, thanks, regrets
        self._begin, self._keep = begin, keep
        self._idle_s, self._recording_s, self._call_s = idle_s, recording_s, call_s
        self._inputs: asyncio.Queue[Input] = asyncio.Queue()
        self._recording: Recording | None = None
        self._detector = SpeechDetector()
        self._recorded_from = 0.0
        self._message = False

    async def run(self) -> None:
        """Answer until the call is over."""
        loop = asyncio.get_running_loop()
        self._leg.media.on_key = lambda key: self._inputs.put_nowait(Input.POUND) if key == "#" else None
        self._leg.ended.add_done_callback(lambda _: self._inputs.put_nowait(Input.HUNG_UP))
        ticker = loop.create_task(self._tick(loop.time() + self._call_s))
        try:
            self._play(self._greeting)
            while self.state is not State.ENDED:
                await self._step(await self._inputs.get())
        finally:
            ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticker
            if self._recording is not None:  # cancelled: the server stops; what was heard is kept
                await self._do(Do.KEEP)
            await self._leg.hangup()

    async def _step(self, what: Input) -> None:
        rule = TABLE.get((self.state, what))
        if rule is None:
            return
        self.state, verbs = rule
        for verb in verbs:
            await self._do(verb)

    async def _do(self, verb: Do) -> None:
        match verb:
            case Do.PLAY_TONE:
                self._play(self._tone)
            case Do.RECORD:
                self._recording = await self._begin()
                self._recorded_from = asyncio.get_running_loop().time()
                self._leg.media.hear(self._heard)
            case Do.KEEP:
                self._leg.media.hear(lambda linear: None)
                recording, self._recording = self._recording, None
                ends = self._detector.speech_ends_at
                self._message = recording is not None and ends >= MINIMUM_S * _RATE
                tail = min(self._detector.heard_samples, ends + int(TAIL_S * _RATE))
                await self._keep(recording, tail if self._message else 0)
            case Do.THANK:
                self._play(self._thanks if self._message else self._regrets)
            case Do.HANG_UP:
                await self._leg.hangup()

    def _heard(self, linear: bytes) -> None:
        if self._recording is not None:
            self._recording.append(linear)
            self._detector.feed(linear)

    def _play(self, linear: bytes) -> None:
        playback = self._leg.play(Sound.of(linear))
        playback.done.add_done_callback(lambda done: self._inputs.put_nowait(Input.PLAYED) if done.result() else None)

    async def _tick(self, call_ends_at: float) -> None:
        """Notice silence and the limits; silence counts also where nothing at all arrives."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK_S)
            now = loop.time()
            if now >= call_ends_at:
                self._inputs.put_nowait(Input.LIMIT)
            elif self.state is State.RECORDING:
                unheard = now - max(self._leg.media.last_heard or 0.0, self._recorded_from)
                silent = max(self._detector.silent_samples / _RATE, unheard)
                if now - self._recorded_from >= self._recording_s:
                    self._inputs.put_nowait(Input.LIMIT)
                elif silent >= self._idle_s:
                    self._inputs.put_nowait(Input.SILENCE)
