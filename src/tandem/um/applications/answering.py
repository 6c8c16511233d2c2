"""Call answering: greet, give the tone, record, thank, hang up.

The rules are the table below: (state, input) -> (next state, what to do). ``#`` during the greeting skips to the tone, as
it ends the recording later. Whoever hangs up before the tone has left no message, but is told of in a missed-call notice;
so is one who says less than a second. The menu after a recording (review, importance) comes with a later release.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto

from tandem.call.errors import Ended
from tandem.call.leg import CallLeg
from tandem.mail.spool import Draft
from tandem.media.session import Recording, Sound

MINIMUM_S = 1.0
"""Speech that ends earlier than this after the tone is no message (our choice; Exchange's value is not public)."""
TAIL_S = 0.3
"""How much of the silence after the last speech stays in the message."""
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

    ``begin`` makes a message of it (on disk) as soon as the call is answered; ``keep`` closes that with the count of samples
    that are meant, 0 for none, and whether we, not the caller, cut it off.
    """

    def __init__(
        self,
        leg: CallLeg,
        *,
        greeting: Sequence[Sound],
        tone: Sequence[Sound],
        thanks: Sequence[Sound],
        regrets: Sequence[Sound],
        begin: Callable[[], Awaitable[Draft]],
        keep: Callable[[Draft, int, bool], Awaitable[None]],
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
        self._draft: asyncio.Future[Draft] | None = None
        self._recording: Recording | None = None
        self._limits: list[asyncio.TimerHandle] = []
        self._message = False

    async def run(self) -> None:
        """Answer until the call is over."""
        self._leg.media.on_digit = lambda key: self._inputs.put_nowait(Input.POUND) if key == "#" else None
        self._leg.ended.add_done_callback(lambda _: self._inputs.put_nowait(Input.HUNG_UP))
        self._limit(self._call_s)
        self._draft = asyncio.ensure_future(self._begin())  # the disk takes its time while the greeting plays
        try:
            self._play(self._greeting)
            while self.state is not State.ENDED:
                await self._step(await self._inputs.get())
        finally:
            for limit in self._limits:
                limit.cancel()
            try:
                if self._draft is not None:  # cancelled: the server stops; what was heard is kept
                    await self._do(Do.KEEP)
            finally:  # also where the disk takes nothing: the call must not go on for ever
                await self._leg.hangup()

    def _limit(self, after_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._limits.append(loop.call_later(after_s, self._inputs.put_nowait, Input.LIMIT))

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
                assert self._draft is not None
                self._record(await self._draft)
            case Do.KEEP:
                draft, self._draft = self._draft, None
                if draft is not None:
                    await self._keep_what_was_heard(await draft)
            case Do.THANK:
                self._play(self._thanks if self._message else self._regrets)
            case Do.HANG_UP:
                await self._leg.hangup()

    def _record(self, draft: Draft) -> None:
        self._recording = self._leg.media.record(draft.part, idle_s=self._idle_s)
        self._recording.on_silence = lambda: self._inputs.put_nowait(Input.SILENCE)
        self._limit(self._recording_s)

    async def _keep_what_was_heard(self, draft: Draft) -> None:
        samples = 0
        if self._recording is not None:
            recorded = await self._recording.stop()
            self._message = recorded.speech_ends_at >= MINIMUM_S * _RATE
            samples = min(recorded.samples, recorded.speech_ends_at + int(TAIL_S * _RATE)) if self._message else 0
        cut = self._leg.ended.done() and self._leg.ended.result() is Ended.MEDIA
        await self._keep(draft, samples, cut)

    def _play(self, sounds: Sequence[Sound]) -> None:
        playback = self._leg.play(*sounds)
        playback.done.add_done_callback(lambda done: self._inputs.put_nowait(Input.PLAYED) if done.result() else None)
