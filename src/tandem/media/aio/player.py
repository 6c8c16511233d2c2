"""What a session of this process plays: sounds, or a file that is read piece by piece."""

import os
from collections.abc import Sequence
from pathlib import Path

from tandem.media.codec.g711 import RATE
from tandem.media.errors import BadWav
from tandem.media.playing import FileSource
from tandem.media.session import FilePlayback, Playback, PlaybackControl, Sound
from tandem.media.stream import AudioStream


class AioPlayer:
    """One session's; a playback that begins ends the one before."""

    def __init__(self, audio: AudioStream) -> None:
        self._audio = audio
        self._playback: Playback | None = None
        self._file: FileSource | None = None
        self._fd = -1

    def play(self, sounds: Sequence[Sound]) -> Playback:
        """See :class:`tandem.media.session.MediaSession`."""
        self._end(whole=False)
        self._audio.play(sounds)
        self._playback = playback = Playback(self._stop)
        if not sounds:
            self._end(whole=True)
        return playback

    def play_file(self, path: Path, *, position_s: float, speed: float) -> FilePlayback:
        """See :class:`tandem.media.session.MediaSession`."""
        self._end(whole=False)
        try:
            self._fd = fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._file = source = FileSource(
                lambda offset, size: os.pread(fd, size, offset),
                os.fstat(fd).st_size,
                position=round(position_s * RATE),
                speed=speed,
            )
        except (OSError, BadWav) as error:
            return self._unplayable(str(error), position_s, speed)
        self._audio.play_source(source)
        self._playback = playback = FilePlayback(self._stop, _Reporting(self, source), speed=speed)
        self.report()
        return playback

    def _unplayable(self, why: str, position_s: float, speed: float) -> FilePlayback:
        self._audio.play(())
        self._end(whole=False)
        playback = FilePlayback(_nothing, FileSource(lambda offset, size: b"", 0), speed=speed)
        playback.position_s = position_s
        playback.end(whole=False, failed=why)
        return playback

    def report(self) -> None:
        """Tell the playback how far its file is."""
        if self._file is not None and isinstance(self._playback, FilePlayback):
            self._playback.at(self._file.position(), self._file.duration)

    def played(self) -> None:
        """The stream has come to the end of what it plays."""
        failed = self._file.failed if self._file is not None else ""
        self._end(whole=not failed, failed=failed)

    def close(self) -> None:
        """The session is over."""
        self._end(whole=False)

    def _stop(self) -> None:
        self._end(whole=False)
        self._audio.play(())

    def _end(self, *, whole: bool, failed: str = "") -> None:
        self.report()
        playback, self._playback = self._playback, None
        if playback is not None:
            if self._file is None:
                playback.position_s = self._audio.sending.position / RATE
            playback.end(whole=whole, failed=failed)
        self._file = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Reporting:
    """A file's controls, with a report after each."""

    def __init__(self, player: AioPlayer, control: PlaybackControl) -> None:
        self._player = player
        self._control = control

    def pause(self, paused: bool) -> None:
        self._control.pause(paused)
        self._player.report()

    def seek(self, position: int) -> None:
        self._control.seek(position)
        self._player.report()

    def skip(self, samples: int) -> None:
        self._control.skip(samples)
        self._player.report()

    def set_speed(self, speed: float) -> None:
        self._control.set_speed(speed)
        self._player.report()


def _nothing() -> None:
    """There is nothing to stop."""
