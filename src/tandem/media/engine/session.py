"""A session whose stream lives in a worker: commands go there, what happens there comes back as messages."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tandem.core.log import event, get_logger, surroundings
from tandem.core.tasks import spawn
from tandem.media.codec.g711 import RATE
from tandem.media.engine import counts, wire
from tandem.media.errors import NotBridgeable
from tandem.media.recording import recorded
from tandem.media.session import FilePlayback, MediaSession, Playback, Recorded, Recording, Sound, Stream

_log = get_logger("media")


class WorkerLink(Protocol):
    """What a session needs of its worker."""

    def tell(self, message: wire.Message) -> None:
        """Send a command."""

    def load(self, sounds: Sequence[Sound]) -> tuple[bytes, ...]:
        """See to it that the worker has these sounds; returns what they are called there."""


class _Control:
    """Controls a file's playback in the worker."""

    def __init__(self, tell: Callable[[wire.Message], None], call: int, playback: int) -> None:
        self._tell = tell
        self._ids = call, playback

    def stop(self) -> None:
        self._tell(wire.EndPlayback(*self._ids))

    def pause(self, paused: bool) -> None:
        self._tell(wire.ControlPlayback(*self._ids, paused=paused))

    def seek(self, position: int) -> None:
        self._tell(wire.ControlPlayback(*self._ids, position=position))

    def skip(self, samples: int) -> None:
        self._tell(wire.ControlPlayback(*self._ids, skip=samples))

    def set_speed(self, speed: float) -> None:
        self._tell(wire.ControlPlayback(*self._ids, speed=speed))


class EngineSession:
    """See :class:`tandem.media.session.MediaSession`; made by :class:`tandem.media.engine.engine.MediaEngine`."""

    def __init__(self, worker: WorkerLink, number: int, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.on_digit: Callable[[str], None] = lambda digit: None
        self.on_lost: Callable[[str], None] = lambda why: None
        self.last_heard: float | None = None
        self.dtmf_sent = True
        self._worker = worker
        self._number = number
        self._playbacks: dict[int, Playback] = {}
        self._numbers = itertools.count(1)
        self._recording: Recording | None = None
        self._path = Path()
        self._on_sound: Callable[[bytes], None] = lambda linear: None
        self._over = False
        self._about = surroundings()  # the call's, for the line at its end

    def start(self, stream: Stream) -> None:
        """See :class:`MediaSession`."""
        self._tell(wire.StartStream(self._number, stream))

    def play(self, sounds: Sequence[Sound]) -> Playback:
        """See :class:`MediaSession`."""
        number = next(self._numbers)
        playback = Playback(lambda: self._tell(wire.EndPlayback(self._number, number)))
        self._tell(wire.PlaySounds(self._number, number, self._worker.load(sounds)))
        self._began(number, playback)
        return playback

    def play_file(self, path: Path, *, position_s: float = 0.0, speed: float = 1.0) -> FilePlayback:
        """See :class:`MediaSession`."""
        number = next(self._numbers)
        control = _Control(self._tell, self._number, number)
        playback = FilePlayback(control.stop, control, speed=speed)
        playback.position_s = position_s
        self._tell(wire.PlayFile(self._number, number, str(path), round(position_s * RATE), speed))
        self._began(number, playback)
        return playback

    def _began(self, number: int, playback: Playback) -> None:
        if self._over:
            playback.end(whole=False)
        else:
            self._playbacks[number] = playback

    async def bridge(self, other: MediaSession) -> None:
        """See :class:`MediaSession`."""
        if not isinstance(other, EngineSession) or other._worker is not self._worker or other is self:
            raise NotBridgeable("the other session is not in the same media worker; open it beside this one")
        self._tell(wire.StartBridge(self._number, other._number))

    def unbridge(self) -> None:
        """See :class:`MediaSession`."""
        self._tell(wire.EndBridge(self._number))

    def record(self, path: Path, *, idle_s: float) -> Recording:
        """See :class:`MediaSession`."""
        self._recording = recording = Recording(lambda: self._tell(wire.EndRecording(self._number)))
        self._path = path
        self._tell(wire.RecordToFile(self._number, str(path), idle_s))
        if self._over:
            recording.end(Recorded(samples=0, speech_ends_at=0))
        return recording

    def send_dtmf(self, digits: str) -> None:
        """See :class:`MediaSession`."""
        self.dtmf_sent = self._over or not digits
        self._tell(wire.SendDtmf(self._number, digits))

    def hear(self, on_sound: Callable[[bytes], None]) -> None:
        """See :class:`MediaSession`; the sound comes a second at a time."""
        self._on_sound = on_sound
        self._tell(wire.StartListening(self._number))

    def close(self) -> None:
        """See :class:`MediaSession`; what was heard arrives in the recording's ``done``."""
        self._tell(wire.CloseCall(self._number))
        self._over = True
        self._end_playbacks()

    def _tell(self, message: wire.Message) -> None:
        if not self._over:
            self._worker.tell(message)

    def _end_playbacks(self) -> None:
        for playback in self._playbacks.values():
            playback.end(whole=False)
        self._playbacks.clear()

    # What the worker tells

    def told(self, message: wire.Message) -> None:
        """A message about this session."""
        match message:
            case wire.PlaybackAt():
                if isinstance(playback := self._playbacks.get(message.playback), FilePlayback):
                    playback.at(message.position, message.duration)
            case wire.PlaybackOver():
                if (playback := self._playbacks.pop(message.playback, None)) is not None:
                    playback.position_s = message.position / RATE
                    playback.end(whole=message.whole, failed=message.failed)
            case wire.DtmfDigit():
                self.on_digit(message.digit)
            case wire.DtmfOut():
                self.dtmf_sent = True
            case wire.SoundReceived():
                self._on_sound(message.linear)
            case wire.RecordingSilent():
                if self._recording is not None:
                    self._recording.on_silence()
            case wire.RecordingNotWritten():
                counts.not_written.value += 1
                event(_log, logging.ERROR, "media.not_written", file=self._path.name, error=message.why)
            case wire.RecordingEnded():
                if self._recording is not None:
                    self._recording.end(message.recorded)
            case wire.CallClosed():
                event(_log, logging.INFO, "media.closed", **{**self._about, **message.summary.fields})

    def lost(self, why: str) -> "asyncio.Task[None] | None":
        """The worker, or the call in it, died; the recording is what is in its file. The task ends that."""
        over, self._over = self._over, True
        self.dtmf_sent = True
        self._end_playbacks()
        recording = self._recording
        ended = None
        if recording is not None and not recording.done.done():
            ended = spawn(self._recover(recording), name="media.recover", log=_log)
        if not over:
            self.on_lost(why)
        return ended

    async def _recover(self, recording: Recording) -> None:
        # The default executor: this layer has no pools. A worker has died, and there is one short read for each of its calls.
        recording.end(await asyncio.to_thread(_read_recorded, self._path))


def _read_recorded(path: Path) -> Recorded:
    try:
        return recorded(path.read_bytes())
    except OSError as error:
        return Recorded(samples=0, speech_ends_at=0, failed=error.strerror or "disk error")
