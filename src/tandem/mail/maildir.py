"""A mailbox as a Maildir, which any IMAP server can serve: durable delivery, and counts for the lamp.

A file is named after its message, so that delivering the same one again (after a crash) does nothing. Voice messages are
told by their Content-Class, which is read once per file.
"""

import os
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path

from tandem.mail.compose import VOICE_MESSAGE
from tandem.mail.disk import sync_folder, write_synced
from tandem.mail.errors import MailError

_HEADER_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceCounts:
    """Voice messages of a mailbox: new (not read) and old, and how many of each are urgent."""

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0


class Maildir:
    """One mailbox; the folder is made when it is first used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kinds: dict[str, tuple[bool, bool]] = {}

    def deliver(self, message_id: str, data: bytes) -> Path:
        """Put a message into ``new``, synced. Raises :class:`MailError` when that cannot be."""
        for name in ("tmp", "new", "cur"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        if (there := self._find(message_id)) is not None:
            return there
        temporary, target = self.folder / "tmp" / message_id, self.folder / "new" / message_id
        write_synced(temporary, data)
        try:
            temporary.rename(target)
            sync_folder(target.parent)
        except OSError as error:
            raise MailError(f"{target} cannot be made ({error.strerror})", retryable=True) from error
        return target

    def counts(self) -> VoiceCounts:
        """Count the voice messages: read are those that a mail program flagged as seen."""
        found = {(new, urgent): 0 for new in (True, False) for urgent in (True, False)}
        names = set()
        for place in ("new", "cur"):
            for path in self._files(place):
                names.add(path.name)
                voice, urgent = self._kind(path)
                flags = path.name.partition(":2,")[2]
                if voice and "T" not in flags:
                    found["S" not in flags, urgent] += 1
        self._kinds = {key: kind for key, kind in self._kinds.items() if key in names}
        return VoiceCounts(
            new=found[True, False] + found[True, True],
            old=found[False, False] + found[False, True],
            urgent_new=found[True, True],
            urgent_old=found[False, True],
        )

    def changed_at(self) -> tuple[int, int]:
        """A value that differs whenever messages came, went, or were flagged."""
        return _mtime(self.folder / "new"), _mtime(self.folder / "cur")

    def _find(self, message_id: str) -> Path | None:
        for place in ("new", "cur"):
            for path in self._files(place):
                if path.name.partition(":")[0] == message_id:
                    return path
        return None

    def _files(self, place: str) -> list[Path]:
        try:
            return [Path(entry.path) for entry in os.scandir(self.folder / place) if not entry.name.startswith(".")]
        except FileNotFoundError:
            return []

    def _kind(self, path: Path) -> tuple[bool, bool]:
        if path.name not in self._kinds:
            try:
                with path.open("rb") as file:
                    headers = BytesHeaderParser().parsebytes(file.read(_HEADER_BYTES))
            except OSError:  # read or removed by a mail program just now
                return False, False
            voice = str(headers.get("Content-Class", "")).strip().lower() == VOICE_MESSAGE
            self._kinds[path.name] = voice, str(headers.get("Importance", "")).strip().lower() == "high"
        return self._kinds[path.name]


def _mtime(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def mailbox_folder(root: Path, address: str) -> Path:
    """The folder of a mail address below ``root``. Raises :class:`MailError` for a name that would lead elsewhere."""
    name = address.lower()
    if not name or name.startswith(".") or any(c in name for c in "/\\\0") or not name.isprintable():
        raise MailError(f"{address!r} cannot be the name of a mailbox", retryable=False)
    return root / name
