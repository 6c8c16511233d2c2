"""The spool: recordings that grow while the caller speaks, and messages that wait to be delivered (docs/adr/0006, 0028).

Files and their order are in :mod:`tandem.mail.spoolfiles`. A message that the disk did not take when its call ended is closed
later by :meth:`Spool.recover`, as is what a dead server left open. Media writes the sound, each second, and waits for no disk;
a thread here syncs what was written, every two, and looks whether the disk takes anything at all.
"""

import contextlib
import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tandem.core.log import event, get_logger
from tandem.mail import counts
from tandem.mail.disk import sync_files
from tandem.mail.envelope import Envelope, SpooledMessage
from tandem.mail.errors import MailError, SpoolTaken
from tandem.mail.spooldisk import HUNG_S, SpoolDisk, why
from tandem.mail.spoolfiles import OPEN, PART, RECORD, SOUND, SpoolFiles

_log = get_logger("mail")
SYNC_S = 2.0
PROBE_ROUNDS = 5
"""The disk is tried once in so many rounds, and in each round while it takes nothing."""


class Draft:
    """A message whose call goes on; media appends what is heard to :attr:`part`."""

    def __init__(self, spool: "Spool", envelope: Envelope, part: Path) -> None:
        self.envelope = envelope
        self.part = part
        self._spool = spool

    def close(self, *, samples: int, ended_at: str, cut: bool = False) -> SpooledMessage:
        """The call is over (blocks; call it in a thread). ``samples`` 0 keeps no sound: a missed call.

        Raises:
            MailError: the disk does not take it now. :meth:`Spool.recover` closes it as soon as it does.
        """
        return self._spool.close(self.envelope, samples=samples, ended_at=ended_at, cut=cut)

    def discard(self) -> None:
        """The call was never answered: there is no message (blocks)."""
        self._spool.discard(self.envelope)


@dataclass(slots=True, kw_only=True)
class _Closing:
    """A message whose call is over; ``failed`` while nobody tries to write it. ``since`` is in seconds of the epoch."""

    envelope: Envelope
    samples: int
    ended_at: str
    cut: bool
    since: float
    failed: bool = False


class Spool:
    """A folder of one UM server; :meth:`hold` comes first and makes it, :meth:`start` begins the thread.

    Methods block, and may be called in any thread, but :meth:`problem`, which does not.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = SpoolFiles(folder)
        self._disk = SpoolDisk(folder)
        self._lock = threading.Lock()
        self._recovering = threading.Lock()
        self._live: dict[str, Draft] = {}
        self._closing: dict[str, _Closing] = {}
        self._waiting: dict[str, tuple[SpooledMessage, float]] = {}
        self._delivered: set[str] = set()
        self._unreadable: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        counts.pending.source = lambda: len(self._since())
        counts.oldest_s.source = lambda: max(0.0, time.time() - min(self._since(), default=time.time()))

    # The life of the server

    def hold(self) -> None:
        """Make the folder where there is none, and hold it until :meth:`stop`, or until this process dies.

        A disk that takes nothing now is no error: :meth:`problem` tells it, and :meth:`recover` tries again.

        Raises:
            SpoolTaken: another process holds it.
        """
        try:
            self._disk.hold()
            self._files.remove_unfinished()
        except OSError as error:
            self._disk.failed(error)

    def start(self) -> None:
        """Begin to sync what is written."""
        self._thread.start()

    def stop(self) -> None:
        """Sync a last time, end the thread, and let the folder go. A disk that hangs is not waited for."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(HUNG_S)
        self._disk.let_go()

    def problem(self) -> str:
        """Why no message can be taken now, or an empty text; does not block."""
        return self._disk.problem()

    # Messages of calls

    def begin(self, envelope: Envelope) -> Draft:
        """A new message. Raises :class:`MailError` if the disk does not take it."""
        if self.problem():  # it would fail, or fill the last of the disk
            raise MailError(f"no recording can begin: {self.problem()}", retryable=True)
        with self._lock:
            self._live[envelope.message_id] = draft = Draft(self, envelope, self._files.path(envelope.message_id, PART))
        try:
            self._files.begin(envelope)
        except (OSError, MailError) as error:
            with self._lock:
                del self._live[envelope.message_id]
            raise self._disk.failed(error) from error
        return draft

    def close(self, envelope: Envelope, *, samples: int, ended_at: str, cut: bool) -> SpooledMessage:
        """See :meth:`Draft.close`."""
        closing = _Closing(envelope=envelope, samples=samples, ended_at=ended_at, cut=cut, since=time.time())
        with self._lock:
            self._live.pop(envelope.message_id, None)
            self._closing[envelope.message_id] = closing
        try:
            return self._seal(closing)
        except (OSError, MailError) as error:
            closing.failed = True
            raise self._disk.failed(error) from error

    def discard(self, envelope: Envelope) -> None:
        """See :meth:`Draft.discard`."""
        try:
            self._files.discard(envelope.message_id)
        except OSError as error:
            self._disk.failed(error)
        with self._lock:
            self._live.pop(envelope.message_id, None)

    def _seal(self, closing: _Closing) -> SpooledMessage:
        name = closing.envelope.message_id
        message = self._files.seal(
            closing.envelope, samples=closing.samples, ended_at=closing.ended_at, cut=closing.cut
        )
        with self._lock:
            self._waiting[name] = message, closing.since
            del self._closing[name]
        return message

    # Delivery

    def pending(self) -> list[SpooledMessage]:
        """What waits to be delivered, as far as it is known; :meth:`recover` finds the rest."""
        with self._lock:
            return [message for message, _ in self._waiting.values()]

    def waits(self, name: str) -> bool:
        """Whether the message of this name is one of :meth:`pending`; does not block."""
        with self._lock:
            return name in self._waiting

    def done(self, message: SpooledMessage) -> None:
        """It is delivered: forget it. Where the disk does not, it is not delivered again, and :meth:`recover` removes it."""
        name = message.envelope.message_id
        with self._lock:
            self._waiting.pop(name, None)
            self._delivered.add(name)
        self._remove(name)

    def _remove(self, name: str) -> None:
        try:
            self._files.remove(name)
        except OSError as error:
            self._disk.failed(error)
            return
        with self._lock:
            self._delivered.discard(name)

    def recover(self, *, ended_at: str) -> list[SpooledMessage]:
        """Find what waits and was not known: what another process left, or what the disk did not take when its call ended.

        Call it at the start, and then from time to time. It raises nothing: what cannot be done now is told, counted, and
        tried again the next time. What will never be readable is set aside as ``*.bad``.
        """
        with self._recovering:
            try:
                self._disk.hold()
                scanned = self._files.scan()
            except (OSError, SpoolTaken) as error:
                self._disk.failed(error)
                return []
            for name in tuple(self._delivered):
                self._remove(name)
            self._unreadable = {name: why for name, why in self._unreadable.items() if name in scanned}
            found = (self._take_up(name, kinds, ended_at) for name, kinds in scanned.items())
            return [message for message in found if message is not None]

    def _take_up(self, name: str, kinds: frozenset[str], ended_at: str) -> SpooledMessage | None:
        with self._lock:
            if name in self._live or name in self._waiting or name in self._delivered:
                return None
            closing = self._closing.get(name)
        if closing is not None and not closing.failed:
            return None
        try:
            if closing is not None:
                message = self._try_again(closing, kinds)
            elif RECORD in kinds:
                message = self._take_record(name, kinds)
            elif OPEN in kinds:
                message = self._close_orphan(name, kinds, ended_at)
            else:
                self._files.remove(name)  # it was delivered
                return None
        except ValueError as error:
            self._set_aside(name, RECORD if RECORD in kinds else OPEN, error)
        except (OSError, MailError) as error:
            if self._files.exists(name):  # else it was delivered while we looked
                self._not_read(name, error)
        else:
            self._unreadable.pop(name, None)
            return message
        return None

    def _try_again(self, closing: _Closing, kinds: frozenset[str]) -> SpooledMessage:
        if not self._files.length(closing.envelope.message_id, kinds):
            closing.samples, closing.cut = 0, True  # somebody removed the sound: what is known is that there was a call
        message = self._seal(closing)
        event(_log, logging.WARNING, "spool.closed_late", message=closing.envelope.message_id)
        return message

    def _take_record(self, name: str, kinds: frozenset[str]) -> SpooledMessage:
        message, since = self._files.message(name, kinds), self._files.closed_at(name)
        if OPEN in kinds:
            with contextlib.suppress(OSError):
                self._files.path(name, OPEN).unlink(missing_ok=True)
        with self._lock:
            self._waiting[name] = message, since
        return message

    def _close_orphan(self, name: str, kinds: frozenset[str], ended_at: str) -> SpooledMessage:
        closing = _left_open(self._files, name, kinds, ended_at)
        with self._lock:  # if the disk does not take it, it is tried again with what is known now
            self._closing[name] = closing
        message = self._seal(closing)
        counts.recovered.value += 1
        event(_log, logging.WARNING, "spool.recovered", message=name, seconds=closing.samples / 8000)
        return message

    def _set_aside(self, name: str, kind: str, error: ValueError) -> None:
        try:
            kept = self._files.set_aside(name, kind)
        except OSError as refused:
            self._not_read(name, refused)
        else:
            event(_log, logging.ERROR, "spool.unreadable", file=f"{name}.{kind}", error=error, kept_as=kept.name)

    def unreadable(self) -> dict[str, str]:
        """Why messages cannot be read or closed, by their names; each is tried again."""
        return self._unreadable.copy()

    def _not_read(self, name: str, error: OSError | MailError) -> None:
        counts.disk_errors.value += 1
        found = why(error)
        if self._unreadable.get(name) != found:
            event(_log, logging.ERROR, "spool.not_read", message=name, error=found)
        self._unreadable[name] = found

    def _since(self) -> list[float]:
        """When each message was closed that is not delivered, in seconds of the epoch."""
        with self._lock:
            waiting = [since for _, since in self._waiting.values()]
            return waiting + [closing.since for closing in self._closing.values()]

    # The thread

    def _run(self) -> None:
        self._disk.probe()
        rounds = 0
        while not self._stop.wait(SYNC_S):
            self._sync()
            rounds = (rounds + 1) % PROBE_ROUNDS
            if self.problem() or not rounds:
                self._disk.probe()
        self._sync()

    def _sync(self) -> None:
        with self._lock:
            parts = [draft.part for draft in self._live.values()]
        try:
            sync_files(self.folder, parts)
        except OSError as error:
            self._disk.failed(error)


def _left_open(files: SpoolFiles, name: str, kinds: frozenset[str], ended_at: str) -> _Closing:
    """What is known of a message that a dead server left open."""
    return _Closing(
        envelope=files.envelope(name),
        samples=files.length(name, kinds),
        ended_at=ended_at,
        cut=SOUND not in kinds,
        since=time.time(),
        failed=True,
    )
