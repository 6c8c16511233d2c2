"""The spool: recordings that grow while the caller speaks, and messages that wait to be delivered (docs/adr/0006).

Of a message ``ID`` there are, in this order: ``ID.open`` (who calls whom, JSON, synced before anything is heard),
``ID.part`` (16-bit linear sound at 8,000 Hz, grows), then ``ID.json`` (closed: what was known at the end) with the part
renamed to ``ID.pcm``. What dies in between is closed at the next start. Media writes the part, each second, and waits for no
disk; a thread here syncs what was written, every two.
"""

import contextlib
import dataclasses
import json
import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.core.log import event, get_logger
from tandem.mail import counts
from tandem.mail.disk import replace_synced, sync_files, sync_folder, write_synced
from tandem.mail.errors import MailError

_log = get_logger("mail")
SYNC_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is known of a message when its call is answered. ``mailbox`` is a mail address; ``begun_at`` ISO 8601, UTC."""

    message_id: str
    mailbox: str
    recipient_name: str
    call_id: str
    begun_at: str
    caller_number: str = ""
    caller_name: str = ""
    caller_address: str = ""
    phone_context: str = ""
    account: str = ""
    missed_call_wanted: bool = True
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledMessage:
    """A closed message. ``sound`` is the file of its recording, or ``None`` if nothing was recorded (a missed call).

    ``samples`` is how much of the recording is meant (trailing silence is not), ``cut`` whether the server died.
    """

    envelope: Envelope
    sound: Path | None
    samples: int
    ended_at: str
    cut: bool = False


class Draft:
    """A message whose call goes on; media appends what is heard to :attr:`part`."""

    def __init__(self, spool: "Spool", envelope: Envelope) -> None:
        self.envelope = envelope
        self.part = spool.folder / f"{envelope.message_id}.part"
        self._spool = spool
        write_synced(spool.folder / f"{envelope.message_id}.open", _json(dataclasses.asdict(envelope)))
        self.part.touch(mode=0o600)
        sync_folder(spool.folder)

    def close(self, *, samples: int, ended_at: str, cut: bool = False) -> SpooledMessage:
        """The call is over (blocks; call it in a thread). ``samples`` 0 keeps no sound: a missed call."""
        self._spool.forget(self)
        sync_files(self._spool.folder, [self.part])
        return self._spool.seal(self.envelope, samples=samples, ended_at=ended_at, cut=cut)


class Spool:
    """A folder of one UM server; :meth:`start` begins its thread, :meth:`recover` is called once before, and makes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: set[Draft] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        counts.pending.source = lambda: len(self.waiting())
        counts.oldest_s.source = self.oldest_s

    def start(self) -> None:
        """Begin to sync what is written."""
        self._thread.start()

    def stop(self) -> None:
        """Sync a last time and end the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def begin(self, envelope: Envelope) -> Draft:
        """A new message. Raises :class:`MailError` if the disk does not take it."""
        try:
            draft = Draft(self, envelope)
        except OSError as error:
            counts.disk_errors.value += 1
            raise MailError(f"{self.folder}: no recording can begin ({error.strerror})", retryable=True) from error
        with self._lock:
            self._open.add(draft)
        return draft

    def forget(self, draft: Draft) -> None:
        """A message is being closed: the thread leaves it alone."""
        with self._lock:
            self._open.discard(draft)

    def seal(self, envelope: Envelope, *, samples: int, ended_at: str, cut: bool) -> SpooledMessage:
        """Close a message: from here on it waits to be delivered, whatever dies."""
        name = envelope.message_id
        facts = {"envelope": dataclasses.asdict(envelope), "samples": samples, "ended_at": ended_at, "cut": cut}
        replace_synced(self.folder / f"{name}.json", _json(facts))
        part = self.folder / f"{name}.part"
        if part.exists():
            part.rename(self.folder / f"{name}.pcm")
        (self.folder / f"{name}.open").unlink(missing_ok=True)
        sync_folder(self.folder)
        return self._item(self.folder / f"{name}.json")

    def recover(self, *, ended_at: str) -> list[SpooledMessage]:
        """Close what a dead server left open; returns those. What cannot be read is set aside as ``*.bad``.

        The folder is made where there is none. Blocks.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = []
        for path in sorted(self.folder.glob("*.open")):
            try:
                envelope = _envelope(json.loads(path.read_bytes()))
            except (ValueError, TypeError, KeyError) as error:
                self._set_aside(path, error)
                continue
            if (self.folder / f"{envelope.message_id}.json").exists():
                self._finish_sealing(envelope.message_id)
                continue
            part = self.folder / f"{envelope.message_id}.part"
            samples = part.stat().st_size // 2 if part.exists() else 0
            found.append(self.seal(envelope, samples=samples, ended_at=ended_at, cut=True))
            counts.recovered.value += 1
            event(_log, logging.WARNING, "spool.recovered", message=envelope.message_id, seconds=samples / 8000)
        return found

    def _finish_sealing(self, name: str) -> None:
        part = self.folder / f"{name}.part"
        if part.exists():
            part.rename(self.folder / f"{name}.pcm")
        (self.folder / f"{name}.open").unlink(missing_ok=True)

    def pending(self) -> list[SpooledMessage]:
        """What waits to be delivered, oldest name first."""
        items = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                items.append(self._item(path))
            except (ValueError, TypeError, KeyError) as error:
                self._set_aside(path, error)
        return items

    def waiting(self) -> list[float]:
        """When each message that waits was closed, in seconds of the epoch."""
        found = []
        for path in self.folder.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # it was delivered meanwhile
                found.append(path.stat().st_mtime)
        return found

    def oldest_s(self) -> float:
        """How long the message that waits longest has waited, in seconds; 0 if none waits."""
        return max(0.0, time.time() - min(self.waiting(), default=time.time()))

    def done(self, item: SpooledMessage) -> None:
        """It is delivered: forget it. The description goes first, so that a crash leaves no message without sound."""
        name = item.envelope.message_id
        for kind in ("json", "pcm", "part", "open"):
            (self.folder / f"{name}.{kind}").unlink(missing_ok=True)
        sync_folder(self.folder)

    def _item(self, path: Path) -> SpooledMessage:
        facts = json.loads(path.read_bytes())
        sound = path.with_suffix(".pcm")
        if not sound.exists():
            sound = path.with_suffix(".part")
        return SpooledMessage(
            envelope=_envelope(facts["envelope"]),
            sound=sound if facts["samples"] and sound.exists() else None,
            samples=int(facts["samples"]),
            ended_at=str(facts["ended_at"]),
            cut=bool(facts["cut"]),
        )

    @staticmethod
    def _set_aside(path: Path, error: Exception) -> None:
        path.rename(path.with_suffix(path.suffix + ".bad"))
        event(_log, logging.ERROR, "spool.unreadable", file=path.name, error=error, kept_as=path.name + ".bad")

    def _run(self) -> None:
        while not self._stop.wait(SYNC_S):
            self._sync()
        self._sync()

    def _sync(self) -> None:
        with self._lock:
            parts = [draft.part for draft in self._open]
        try:
            sync_files(self.folder, parts)
        except OSError as error:
            counts.disk_errors.value += 1
            event(_log, logging.ERROR, "spool.not_synced", messages=len(parts), error=error.strerror)


def _json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, ensure_ascii=False, indent=1).encode("utf-8", "replace")


def _envelope(facts: dict[str, Any]) -> Envelope:
    envelope = Envelope(**facts)
    if not envelope.message_id.replace("-", "").isalnum():
        raise ValueError("the message id is no plain name")
    return envelope
