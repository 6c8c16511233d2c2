"""Drives one call's menus: its leg's media, DTMF, timer and end go to the runner, and what that wants done is done.

Commands are obeyed one after the other; operations run beside them, to their end, also when the caller hangs up or the
server stops. Whatever fails ends the call.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, assert_never

from tandem.call.leg import CallLeg
from tandem.core.log import get_logger
from tandem.core.tasks import Tasks
from tandem.media.session import SPEEDS, FilePlayback, Playback, Recorded, Recording, Sound
from tandem.um.menu.events import (
    AdjustFile,
    BeginFile,
    BeginOperation,
    BeginPrompt,
    BeginRecording,
    CallEnded,
    CallerSilent,
    DigitPressed,
    FactValue,
    HangUp,
    MenuCommand,
    MenuEvent,
    OperationEnded,
    Phrase,
    PromptEnded,
    StopPlaying,
    StopRecording,
)
from tandem.um.menu.runner import MenuRunner
from tandem.um.menu.table import ChangePlayback, MenuOperation, SkipPlayback

_log = get_logger("um")


class MenuApplication(Protocol):
    """What a call's tables need of the world."""

    def sounds(self, phrases: Sequence[Phrase]) -> Sequence[Sound]:
        """Phrases as sound, in the caller's language."""

    async def recording_file(self) -> Path:
        """Where a recording grows; it is there when this returns. An exception ends the call."""

    async def perform(
        self, operation: MenuOperation, facts: Mapping[str, FactValue], recorded: Awaitable[Recorded] | None
    ) -> tuple[str, Mapping[str, FactValue]]:
        """Do this; ``recorded`` is the last recording. Returns one of its results, and new facts.

        An exception ends the call.
        """


def _passed_over(digit: str) -> None:
    """A digit after the menu."""


class MenuCall:
    """One call; :meth:`run` serves it until it is over."""

    def __init__(self, leg: CallLeg, runner: MenuRunner, application: MenuApplication) -> None:
        self._leg = leg
        self._runner = runner
        self._application = application
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[MenuEvent | Exception | None] = asyncio.Queue()
        self._commands: deque[MenuCommand] = deque()
        self._operations = Tasks(_log)
        self._timer: asyncio.TimerHandle | None = None
        self._playback: Playback | None = None
        self._recording: Recording | None = None

    async def run(self) -> None:
        """Serve until the call is over. When it is cancelled, it does what has to be done in the end, and hangs up.

        Raises:
            Exception: what the application raised.
        """
        self._leg.media.on_digit = lambda digit: self._events.put_nowait(DigitPressed(digit))
        self._leg.ended.add_done_callback(lambda _: self._events.put_nowait(CallEnded()))
        try:
            self._runner.start(self._loop.time())
            await self._obey()
            while not self._runner.is_over:
                self._take(await self._events.get())
                await self._obey()
        finally:
            try:
                self._runner.receive(CallEnded(), self._loop.time())
                await self._obey()
                await self._operations.idle()
                self._raise_failures()
            finally:  # also where the disk takes nothing: the call must not go on for ever
                self._arm()
                self._leg.media.on_digit = _passed_over
                await self._leg.hangup()

    def _take(self, event: MenuEvent | Exception | None) -> None:
        if isinstance(event, Exception):
            raise event
        if event is None:
            self._runner.timeout(self._loop.time())
        else:
            self._runner.receive(event, self._loop.time())

    def _raise_failures(self) -> None:
        """Of operations that ended after the call."""
        while not self._events.empty():
            if isinstance(event := self._events.get_nowait(), Exception):
                raise event

    async def _obey(self) -> None:
        self._commands.extend(self._runner.commands())
        while self._commands:
            await self._do(self._commands.popleft())
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (at := self._runner.next_timeout()) is not None:
            self._timer = self._loop.call_at(at, self._events.put_nowait, None)

    async def _do(self, command: MenuCommand) -> None:
        match command:
            case BeginPrompt():
                self._play(command)
            case BeginFile():
                self._play_file(command)
            case AdjustFile():
                self._adjust(command.change)
            case StopPlaying():
                if self._playback is not None:
                    self._playback.stop()
            case BeginRecording():
                self._record(command, await self._application.recording_file())
            case StopRecording():
                if self._recording is not None:
                    self._recording.stop()
            case BeginOperation():
                self._operations.spawn(self._perform(command), name="um.menu_operation")
            case HangUp():
                await self._leg.hangup()
            case _:
                assert_never(command)

    def _play(self, command: BeginPrompt) -> None:
        self._playing(self._leg.play(*self._application.sounds(command.phrases)), command.number)

    def _play_file(self, command: BeginFile) -> None:
        assert isinstance(command.path, str | Path), "the fact is a path"
        self._playing(self._leg.media.play_file(Path(command.path)), command.number)

    def _playing(self, playback: Playback, number: int) -> None:
        self._playback, ended = playback, PromptEnded(number)
        playback.done.add_done_callback(
            lambda done: self._events.put_nowait(ended) if done.result() or playback.failed else None
        )

    def _adjust(self, change: ChangePlayback | SkipPlayback) -> None:
        file = self._playback
        assert isinstance(file, FilePlayback), "the runner adjusts files only"
        match change:
            case SkipPlayback():
                file.skip(change.seconds)
            case ChangePlayback.PAUSE_OR_RESUME:
                file.resume() if file.paused else file.pause()
            case ChangePlayback.SLOWER:
                file.set_speed(max((each for each in SPEEDS if each < file.speed), default=file.speed))
            case ChangePlayback.FASTER:
                file.set_speed(min((each for each in SPEEDS if each > file.speed), default=file.speed))
            case _:
                assert_never(change)

    def _record(self, command: BeginRecording, file: Path) -> None:
        self._recording = self._leg.media.record(file, idle_s=command.idle_s)
        silent = CallerSilent(command.number)
        self._recording.on_silence = lambda: self._events.put_nowait(silent)

    async def _perform(self, command: BeginOperation) -> None:
        recorded = self._recording.done if self._recording is not None else None
        try:
            result, facts = await self._application.perform(command.operation, self._runner.facts, recorded)
        except Exception as error:  # the call's own task raises it
            self._events.put_nowait(error)
        else:
            self._events.put_nowait(OperationEnded(command.number, result, facts))
