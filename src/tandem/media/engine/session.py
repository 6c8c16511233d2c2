"""A session whose stream lives in a worker: commands go there, what happens there comes back as messages."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tandem.core.log import event, get_logger, surroundings
from tandem.media.engine import counts, wire
from tandem.media.recording import recorded
from tandem.media.session import Playback, Recorded, Recording, Sound, Stream

_log = get_logger("media")


class WorkerLink(Protocol):
    """What a session needs of its worker."""

    def tell(self, message: wire.Message) -> None:
        """Send a command."""

    def load(self, sounds: Sequence[Sound]) -> tuple[bytes, ...]:
        """See to it that the worker has these sounds; returns what they are called there."""


class EngineSession:
    """See :class:`tandem.media.session.MediaSession`; made by :class:`tandem.media.engine.front.MediaEngine`."""

    def __init__(self, worker: WorkerLink, number: int, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.on_digit: Callable[[str], None] = lambda digit: None
        self.on_lost: Callable[[str], None] = lambda why: None
        self.last_heard: float | None = None
        self.dtmf_sent = True
        self._worker = worker
        self._number = number
        self._playback: Playback | None = None
        self._playbacks = 0
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
        self._end_playback(whole=False)
        self._playback = playback = Playback(self._silence)
        self._playbacks += 1
        self._tell(wire.StartPlayback(self._number, self._playbacks, self._worker.load(sounds)))
        if self._over or not sounds:
            self._end_playback(whole=not self._over)
        return playback

    def _silence(self) -> None:
        self._tell(wire.StartPlayback(self._number, 0, ()))

    def record(self, path: Path, *, idle_s: float) -> Recording:
        """See :class:`MediaSession`."""
        self._recording = recording = Recording(lambda: self._tell(wire.EndRecording(self._number)))
        self._path = path
        self._tell(wire.StartRecording(self._number, str(path), idle_s))
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
        self._end_playback(whole=False)

    def _tell(self, message: wire.Message) -> None:
        if not self._over:
            self._worker.tell(message)

    def _end_playback(self, *, whole: bool) -> None:
        if self._playback is not None:
            self._playback.end(whole=whole)
            self._playback = None

    # What the worker tells

    def told(self, message: wire.Message) -> None:
        """A message about this session."""
        match message:
            case wire.PlaybackEnded():
                if message.playback == self._playbacks:
                    self._end_playback(whole=True)
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

    def lost(self, why: str) -> "asyncio.Future[None] | None":
        """The worker, or the call in it, died; the recording is what is in its file. The future is to be awaited."""
        over, self._over = self._over, True
        self.dtmf_sent = True
        self._end_playback(whole=False)
        recording = self._recording
        ended = asyncio.ensure_future(self._recover(recording)) if recording and not recording.done.done() else None
        if not over:
            self.on_lost(why)
        return ended

    async def _recover(self, recording: Recording) -> None:
        recording.end(await asyncio.to_thread(_read_recorded, self._path))


def _read_recorded(path: Path) -> Recorded:
    try:
        return recorded(path.read_bytes())
    except OSError as error:
        return Recorded(samples=0, speech_ends_at=0, failed=error.strerror or "disk error")
