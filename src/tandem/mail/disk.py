"""Files that survive: written, synced, then given their name, and the name synced too."""

import ctypes
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from tandem.mail.errors import MailError

_libc = ctypes.CDLL(None, use_errno=True)
MANY = 16
"""From so many files on it is cheaper to sync all that the filesystem holds, in one commit, than one file after another."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class BlockingCalls(Protocol):
    """Calls functions that block in threads of its own, several at the same time."""

    async def run(self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what the function returns, or raise what it raises."""
        ...


def sync_files(folder: Path, paths: list[Path]) -> None:
    """Make what was written to files of a folder last; those that are gone are passed over. Raises :class:`OSError`."""
    if len(paths) >= MANY:
        _with_open(folder, _sync_filesystem)
        return
    for path in paths:
        try:
            _with_open(path, os.fdatasync)
        except FileNotFoundError:
            continue


def _sync_filesystem(descriptor: int) -> None:
    if _libc.syncfs(descriptor):  # Python has none
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _with_open(path: Path, sync: Callable[[int], None]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make renames within a folder last."""
    _with_open(folder, os.fsync)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file of mode 600 and sync it. Raises :class:`MailError` (retryable) when the disk does not take it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise MailError(
            f"{path} cannot be written ({error.strerror}); free up or repair the disk", retryable=True
        ) from error


def replace(path: Path, data: bytes) -> None:
    """Write a file whole: a crash leaves the old one or the new one. Its name lasts once the folder is synced."""
    temporary = path.with_name(f".{path.name}.new")
    write_synced(temporary, data)
    temporary.rename(path)


def replace_synced(path: Path, data: bytes) -> None:
    """As :func:`replace`, in a folder that is made if it is not there; its name lasts."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace(path, data)
    sync_folder(path.parent)


class SharedSync:
    """Syncs a folder for several threads at once: who asks while a sync runs shares the next one with all others who do."""

    def __init__(self, folder: Path, sync: Callable[[Path], None] = sync_folder) -> None:
        self._folder = folder
        self._sync = sync
        self._turn = threading.Condition()
        self._asked = self._synced = 0
        self._running = False

    def __call__(self) -> None:
        """Return when everything that was done in the folder before lasts. Raises :class:`OSError`."""
        with self._turn:
            self._asked += 1
            mine = self._asked
            while self._running:
                self._turn.wait()
                if self._synced >= mine:
                    return
            self._running, asked = True, self._asked
        try:
            self._sync(self._folder)
        except OSError:
            asked = 0  # the others try for themselves
            raise
        finally:
            with self._turn:
                self._running = False
                self._synced = max(self._synced, asked)
                self._turn.notify_all()


ROOM_BYTES = 50 << 20
"""What has to be free for a spool to take messages: fifty minutes of sound."""


def problem_of(folder: Path) -> str:
    """Why a folder could not take messages now, or an empty text (blocks: it writes and syncs a block)."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        held = os.statvfs(folder)
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror}"
    free = held.f_bavail * held.f_frsize
    return "" if free >= ROOM_BYTES else f"{folder} has {free >> 20} MiB free, {ROOM_BYTES >> 20} MiB are wanted"
