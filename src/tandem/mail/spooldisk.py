"""The folder of a spool as a whole: whether it is ours, and whether the disk takes anything.

The lock of the folder (flock) ends with the process that holds it, however that ends.
"""

import fcntl
import logging
import os
import threading
import time
from pathlib import Path

from tandem.core.log import event, get_logger
from tandem.mail import counts
from tandem.mail.disk import problem_of
from tandem.mail.errors import MailError, SpoolTaken

_log = get_logger("mail")
HUNG_S = 10.0
"""A disk that has not answered for so long takes nothing."""


class SpoolDisk:
    """Methods block and may be called in any thread, but :meth:`problem`, which does not block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._held: int | None = None
        self._refuses = ""
        self._probing_since: float | None = None

    def hold(self) -> None:
        """Hold the folder that is there now; it may be another one than before, of a disk that came back.

        It is made where there is none, but not again when it has vanished: that is a disk that is away.

        Raises:
            SpoolTaken: another process holds it.
            OSError: it is not there, or cannot be made.
        """
        with self._lock:
            if self._held is None:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                if self._held is not None and os.path.sameopenfile(descriptor, self._held):
                    return
                self._lock_folder(descriptor)
                descriptor, self._held = self._held or -1, descriptor
            finally:
                if descriptor >= 0:
                    os.close(descriptor)

    def _lock_folder(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SpoolTaken(self.folder) from None
        except OSError as error:  # some network filesystems lock no folders
            event(_log, logging.WARNING, "spool.not_locked", folder=self.folder, error=error.strerror)

    def let_go(self) -> None:
        """Let others have the folder."""
        with self._lock:
            held, self._held = self._held, None
            if held is not None:
                os.close(held)

    def problem(self) -> str:
        """Why the disk takes no message now, as far as is known, or an empty text."""
        since = self._probing_since
        if since is not None and (hung_s := time.monotonic() - since) > HUNG_S:
            return f"{self.folder}: the disk has not answered for {hung_s:.0f} s"
        return self._refuses

    def failed(self, error: OSError | MailError) -> MailError:
        """Count what went wrong, and take no message until the disk was probed; returns what to raise."""
        counts.disk_errors.value += 1
        self._refuses = why(error)
        event(_log, logging.ERROR, "spool.disk", folder=self.folder, error=self._refuses)
        return error if isinstance(error, MailError) else MailError(f"{self.folder}: {why(error)}", retryable=True)

    def probe(self) -> None:
        """Try whether the disk takes something, which :meth:`problem` then tells."""
        self._probing_since = time.monotonic()
        try:
            self.hold()
            found = problem_of(self.folder)
        except (OSError, SpoolTaken) as error:
            found = why(error)
        finally:
            self._probing_since = None
        if found != self._refuses:
            event(_log, logging.ERROR if found else logging.INFO, "spool.probed", problem=found or "none")
        self._refuses = found


def why(error: OSError | MailError) -> str:
    """An error as a text for people."""
    if isinstance(error, MailError):
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
