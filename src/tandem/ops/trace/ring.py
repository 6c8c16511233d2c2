"""The ring on disk: a folder for each server, in it segments of which the oldest make room for the new.

Bounded by bytes and by age: a segment is ended when it holds an eighth of the bytes or of the hours, and removed when the
folder is full or its last record too old. Files are for their owner alone (mode 600). Nothing is synced: a trace
that a power cut takes is no loss to anyone.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tandem.ops.errors import BadTrace
from tandem.ops.trace.record import MAGIC, Record, decode_all, encode

_PARTS = 8


class Ring:
    """Writes one server's records. Not for several threads at once."""

    def __init__(self, folder: Path, *, max_bytes: int, max_age_s: float) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._file = -1
        self._size = 0
        self._begun_at = 0.0

    def write(self, records: Iterable[Record], now: float) -> None:
        """Append records, and let go of what is too much or too old. ``now`` in seconds of the epoch."""
        data = b"".join(map(encode, records))
        if self._size + len(data) > self._max_bytes // _PARTS or now - self._begun_at > self._max_age_s / _PARTS:
            self.close()
            self._prune(len(data), now)
            self._begun_at = now
        if data:
            if self._file < 0:
                self._begin(now)
            self._size += _write_all(self._file, data)

    def close(self) -> None:
        """End the segment; the next record begins another one."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = -1, 0

    def _begin(self, now: float) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{round(now * 1e6):018d}-{os.getpid()}.trace"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = _write_all(self._file, MAGIC)

    def _prune(self, coming: int, now: float) -> None:
        left = self._max_bytes - max(coming, self._max_bytes // _PARTS)
        for path in reversed(segments(self._folder)):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                left -= status.st_size
                if left < 0 or now - status.st_mtime > self._max_age_s:
                    path.unlink()


def segments(folder: Path) -> list[Path]:
    """The files of one server, oldest first."""
    return sorted(folder.glob("*.trace"))


def read(trace: Path, *, about: str = "") -> Iterator[Record]:
    """The records of all servers below a folder; with ``about`` those that hold this text. Raises :class:`BadTrace`."""
    for folder in sorted(path for path in trace.iterdir() if path.is_dir()) if trace.is_dir() else ():
        for path in segments(folder):
            try:
                yield from decode_all(path.read_bytes(), folder.name, about=about.encode())
            except FileNotFoundError:
                continue  # it made room meanwhile
            except OSError as error:
                raise BadTrace(
                    f"{path}: {error.strerror}; the trace is for the servers' own user, and for root"
                ) from None
            except BadTrace as error:
                raise BadTrace(f"{path} cannot be read: {error}; remove it to see the others") from None


def _write_all(file: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    return len(data)
