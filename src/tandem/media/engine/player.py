"""What a call in a worker plays: sounds or a file, each with the number that the parent process knows it by."""

import os
from collections.abc import Callable

from tandem.media.engine import wire
from tandem.media.errors import BadWav
from tandem.media.playing import FileSource
from tandem.media.session import Sound
from tandem.media.stream import AudioStream

_AHEAD = 1 << 16  # bytes that the kernel is asked to read ahead: four seconds


class CallPlayer:
    """One call's; it tells of each playback's end once."""

    __slots__ = ("_call", "_fd", "_file", "_playback", "_stream", "_tell")

    def __init__(self, call: int, stream: AudioStream, tell: Callable[[wire.Message], None]) -> None:
        self._call = call
        self._stream = stream
        self._tell = tell
        self._playback = 0
        self._file: FileSource | None = None
        self._fd = -1

    def play(self, playback: int, sounds: tuple[Sound, ...]) -> None:
        """Play sounds; what was playing stops. None are silence, and played at once."""
        self._end(whole=False)
        self._playback = playback
        self._stream.play(sounds)
        if not sounds:
            self._end(whole=True)

    def play_file(self, message: wire.PlayFile) -> None:
        """Play a file; what was playing stops."""
        self._end(whole=False)
        self._playback = message.playback
        try:
            self._fd = fd = os.open(message.path, os.O_RDONLY | os.O_CLOEXEC)
            self._file = FileSource(
                lambda offset, size: read_ahead(fd, offset, size),
                os.fstat(fd).st_size,
                position=message.position,
                speed=message.speed,
            )
        except (OSError, BadWav) as error:
            self._stream.play(())
            self._end(whole=False, failed=str(error), position=message.position)
            return
        self._stream.play_source(self._file)
        self.report()

    def control(self, message: wire.ControlPlayback) -> None:
        """Change the file's playback, if it still is that one."""
        if self._file is None or message.playback != self._playback:
            return
        if message.paused is not None:
            self._file.pause(message.paused)
        if message.position is not None:
            self._file.seek(message.position)
        if message.skip is not None:
            self._file.skip(message.skip)
        if message.speed is not None:
            self._file.set_speed(message.speed)
        self.report()

    def stop(self, playback: int) -> None:
        """Be silent, if this is what plays."""
        if playback == self._playback:
            self._end(whole=False)
            self._stream.play(())

    def report(self) -> None:
        """Tell how far a file is."""
        if self._file is not None:
            self._tell(wire.PlaybackAt(self._call, self._playback, self._file.position(), self._file.duration))

    def played(self) -> None:
        """The stream has come to the end of what it plays."""
        failed = self._file.failed if self._file is not None else ""
        self._end(whole=not failed, failed=failed)

    def close(self) -> None:
        """The call is over."""
        self._end(whole=False)

    def _end(self, *, whole: bool, failed: str = "", position: int | None = None) -> None:
        playback, self._playback = self._playback, 0
        if position is None:
            position = self._file.position() if self._file is not None else self._stream.sending.position
        self._file = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if playback:
            self._tell(wire.PlaybackOver(self._call, playback, whole, position, failed))


def read_ahead(fd: int, offset: int, size: int) -> bytes:
    """Read a piece, and ask the kernel to fetch what follows, so that the next piece does not wait for the disk."""
    data = os.pread(fd, size, offset)
    os.posix_fadvise(fd, offset + len(data), _AHEAD, os.POSIX_FADV_WILLNEED)
    return data
