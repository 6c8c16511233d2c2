"""The files of the spool: which there are of a message, in which order they come and go, and what each state means.

Of a message ``ID`` there are

    ID.open   who calls whom, JSON; there, and synced, before the call is answered
    ID.part   16-bit linear sound at 8,000 Hz, which grows
    ID.pcm    the same file once the call is over
    ID.json   the record: the envelope, and what was known at the end. From here on the message waits to be delivered

Each step is durable before the next one begins: ``.open``, ``.part`` | sync ``.part``, rename it to ``.pcm``, sync the folder,
write ``.json`` | remove ``.open`` | delivered | remove ``.json``, then ``.pcm``. So after a crash at any point,

    .open, no .json        is closed with the sound that there is (``.pcm`` is whole, ``.part`` was cut off)
    .json with or without .open   waits to be delivered; release 0.1 could leave its sound as ``.part``
    sound alone            was delivered: it is removed

Files whose names begin with a dot were being written and are removed. ``ID.open.bad`` and ``ID.json.bad`` could not be read;
their sound is kept beside them. Every function blocks.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from tandem.mail.disk import SharedSync, replace, sync_files
from tandem.mail.envelope import (
    Envelope,
    SpooledMessage,
    envelope_from_json,
    envelope_to_json,
    message_from_json,
    message_to_json,
)

OPEN, PART, SOUND, RECORD = "open", "part", "pcm", "json"
_BAD = ".bad"


class SpoolFiles:
    """A folder of such files. Every method raises :class:`OSError` or :class:`MailError` when the disk does not take it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sync = SharedSync(folder)

    def path(self, name: str, kind: str) -> Path:
        """Where a file of a message is."""
        return self.folder / f"{name}.{kind}"

    def begin(self, envelope: Envelope) -> Path:
        """Make ``.open`` and ``.part``; returns the latter. Where that fails, nothing stays that the disk lets go."""
        name = envelope.message_id
        part = self.path(name, PART)
        try:
            replace(self.path(name, OPEN), envelope_to_json(envelope))
            part.touch(mode=0o600)
            self._sync()
        except Exception:
            with contextlib.suppress(OSError):
                self.discard(name)
            raise
        return part

    def discard(self, name: str) -> None:
        """Forget a message that never was one. The envelope goes last: sound without one counts as delivered."""
        for kind in (PART, OPEN):
            self.path(name, kind).unlink(missing_ok=True)

    def seal(self, envelope: Envelope, *, samples: int, ended_at: str, cut: bool) -> SpooledMessage:
        """Close a message, from whatever state a crash or a full disk has left it in. ``samples`` 0 means no sound.

        Raises:
            FileNotFoundError: there is no sound, although ``samples`` says so. No record is written then.
        """
        name = envelope.message_id
        sound = self.path(name, SOUND)
        if samples and not sound.exists():
            part = self.path(name, PART)
            sync_files(self.folder, [part])
            part.rename(sound)
            self._sync()
        message = SpooledMessage(
            envelope=envelope, sound=sound if samples else None, samples=samples, ended_at=ended_at, cut=cut
        )
        replace(self.path(name, RECORD), message_to_json(message))
        self._sync()
        with contextlib.suppress(OSError):  # the message is closed; whoever finds both removes this
            self.path(name, OPEN).unlink(missing_ok=True)
        return message

    def envelope(self, name: str) -> Envelope:
        """Read ``.open``. Raises :class:`ValueError` for what is none."""
        return envelope_from_json(self.path(name, OPEN).read_bytes())

    def length(self, name: str, kinds: frozenset[str]) -> int:
        """How many samples of sound there are of a message that has files of these kinds."""
        kind = SOUND if SOUND in kinds else PART
        return self.path(name, kind).stat().st_size // 2 if kind in kinds else 0

    def message(self, name: str, kinds: frozenset[str]) -> SpooledMessage:
        """Read ``.json``. Raises :class:`ValueError` for what is no record, :class:`OSError` also if its sound is missing."""
        path = self.path(name, RECORD)
        sound = self.path(name, PART if PART in kinds and SOUND not in kinds else SOUND)
        message = message_from_json(path.read_bytes(), sound=sound)
        if message.sound is not None:
            message.sound.stat()
        return message

    def exists(self, name: str) -> bool:
        """Whether there is a message of this name, closed or not."""
        return any(self.path(name, kind).exists() for kind in (OPEN, RECORD))

    def closed_at(self, name: str) -> float:
        """When a message was closed, in seconds of the epoch."""
        return self.path(name, RECORD).stat().st_mtime

    def remove(self, name: str) -> None:
        """A message was delivered. ``.open`` goes first, so that it is not closed again, the sound last."""
        for kind in (OPEN, RECORD, SOUND, PART):
            self.path(name, kind).unlink(missing_ok=True)
        self._sync()

    def set_aside(self, name: str, kind: str) -> Path:
        """Keep a file that cannot be read under another name, which is returned."""
        path = self.path(name, kind)
        return path.rename(path.with_name(path.name + _BAD))

    def scan(self) -> Mapping[str, frozenset[str]]:
        """The kinds of files of each message, by name. Leaves out messages that were set aside, and other files."""
        found: dict[str, set[str]] = {}
        aside = set()
        with os.scandir(self.folder) as entries:
            for entry in entries:
                name, _, kind = entry.name.removesuffix(_BAD).rpartition(".")
                if entry.name.endswith(_BAD):
                    aside.add(name)
                elif name and not name.startswith(".") and kind in (OPEN, PART, SOUND, RECORD):
                    found.setdefault(name, set()).add(kind)
        return {name: frozenset(kinds) for name, kinds in sorted(found.items()) if name not in aside}

    def remove_unfinished(self) -> None:
        """Remove what was being written when the server died; call it before anything is written."""
        for path in self.folder.glob(".*.new"):
            path.unlink(missing_ok=True)
