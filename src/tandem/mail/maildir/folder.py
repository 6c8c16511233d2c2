"""One Maildir on disk; every method blocks. A file is named after its message, so that a second delivery finds the first.

Other programs rename and remove files meanwhile: a file that is gone is looked for again.
"""

import contextlib
import errno
import itertools
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from tandem.mail.disk import sync_folder, write_synced
from tandem.mail.errors import MailError, NoSuchMessage
from tandem.mail.headers import kind_in, parse_headers, read_info, urgent_in
from tandem.mail.maildir.names import check_message_id, flagged, flags_of, key_of
from tandem.mail.port import MessageFlag, MessageInfo, MessageKind, VoiceCounts

Stamp = tuple[int, int]
"""When ``new`` and ``cur`` changed, in nanoseconds of the epoch; 0 for one that is not there."""
_HEADER_BYTES = 16_384
_LOOKS = 4
"""How often a folder is read that changes while it is read, and a file looked for that is renamed meanwhile."""
_T = TypeVar("_T")
_numbers = itertools.count()


class MaildirFolder:
    """The folder is made when the first message comes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._kinds: dict[str, tuple[MessageKind, bool]] = {}

    def append(self, message_id: str, data: bytes) -> str:
        """See :meth:`tandem.mail.port.Mailbox.append`."""
        check_message_id(message_id)
        with self._lock, self._disk("take a message"):
            for _ in range(_LOOKS - 1):
                with contextlib.suppress(FileNotFoundError):
                    return self._append(message_id, data)
                # The folder was moved away meanwhile, by this process or another one: it is made again.
            return self._append(message_id, data)

    def _append(self, message_id: str, data: bytes) -> str:
        self._make()
        if self._find(message_id) is None:
            temporary = self.folder / "tmp" / f"{message_id}.{os.getpid()}.{next(_numbers)}"
            write_synced(temporary, data)
            temporary.rename(self.folder / "new" / message_id)
        sync_folder(self.folder / "new")  # also of one that is there: it may be from before a crash
        return message_id

    def list(self) -> tuple[MessageInfo, ...]:
        """See :meth:`tandem.mail.port.Mailbox.list`."""
        with self._disk("be read"):
            found = self._each(_info)
        return tuple(sorted(found.values(), key=lambda info: (info.arrived_at, info.key)))

    def open(self, key: str) -> bytes:
        """See :meth:`tandem.mail.port.Mailbox.open`."""
        with self._disk("be read"):
            for path in self._looks_for(key):
                try:
                    return path.read_bytes()
                except FileNotFoundError:
                    continue
        raise NoSuchMessage(key)

    def flag(self, key: str, *, add: frozenset[MessageFlag], remove: frozenset[MessageFlag]) -> frozenset[MessageFlag]:
        """See :meth:`tandem.mail.port.Mailbox.flag`."""
        with self._disk("change"):
            for path in self._looks_for(key):
                target = self.folder / "cur" / flagged(path.name, add=add, remove=remove)
                try:
                    path.rename(target)
                except FileNotFoundError:
                    continue
                sync_folder(self.folder / "cur")
                if path.parent != target.parent:
                    sync_folder(path.parent)
                return flags_of(target.name)
        raise NoSuchMessage(key)

    def delete(self, key: str) -> None:
        """See :meth:`tandem.mail.port.Mailbox.delete`."""
        with self._disk("change"):
            for path in self._looks_for(key):
                path.unlink(missing_ok=True)
                sync_folder(path.parent)

    def counts(self) -> VoiceCounts:
        """See :meth:`tandem.mail.port.Mailbox.counts`."""
        with self._disk("be read"):
            messages = self._each(self._counted)
        self._kinds = {key: (message.kind, message.urgent) for key, message in messages.items()}
        found = Counter(
            (MessageFlag.SEEN not in message.flags, message.urgent)
            for message in messages.values()
            if message.kind is MessageKind.VOICE and MessageFlag.DELETED not in message.flags
        )
        return VoiceCounts(
            new=found[True, False] + found[True, True],
            old=found[False, False] + found[False, True],
            urgent_new=found[True, True],
            urgent_old=found[False, True],
        )

    def move(self, target: "MaildirFolder") -> bool:
        """See :meth:`tandem.mail.port.MailStore.move`."""
        if self.folder == target.folder or not self.folder.is_dir():
            return False
        with self._disk("be moved"):
            if target.folder.exists():
                self._merge_into(target)
            else:
                self.folder.rename(target.folder)
            sync_folder(target.folder.parent)
        return True

    def _merge_into(self, target: "MaildirFolder") -> None:
        """Others may append to both meanwhile: a folder goes when it is empty, and never with what is in it."""
        target._make()
        there = {key_of(path.name) for path in target._files()}
        for place in ("new", "cur"):
            sync_folder(target.folder / place)
            for _ in range(_LOOKS):
                for path in _scan(self.folder / place):
                    with contextlib.suppress(FileNotFoundError):  # renamed or removed just now
                        if key_of(path.name) in there:  # it is the same one, under whatever flags
                            path.unlink()
                        else:
                            path.rename(target.folder / place / path.name)
                            there.add(key_of(path.name))
            sync_folder(target.folder / place)
        for other in sorted(self.folder.iterdir()):  # folders below the inbox, of an IMAP server
            if other.name not in ("tmp", "new", "cur") and not (target.folder / other.name).exists():
                other.rename(target.folder / other.name)
        # What is in tmp was acknowledged to nobody: who is writing it finds it gone, and writes it again.
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        for folder in (self.folder / "new", self.folder / "cur", self.folder):
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
                return  # somebody has put something there again: it goes with the next move

    def destroy(self) -> None:
        """See :meth:`tandem.mail.port.MailStore.remove`."""
        with self._disk("be removed"):
            if self.folder.is_dir():
                shutil.rmtree(self.folder)
                sync_folder(self.folder.parent)

    def stamp(self) -> Stamp:
        """Differs whenever messages came, went, or got other flags; two changes at the same moment may have the same."""
        return _changed_ns(self.folder / "new"), _changed_ns(self.folder / "cur")

    def _make(self) -> None:
        if all((self.folder / name).is_dir() for name in ("tmp", "new", "cur")):
            return
        for name in ("tmp", "new", "cur"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(self.folder)
        sync_folder(self.folder.parent)

    def _looks_for(self, key: str) -> Iterator[Path]:
        """Where a message is, as long as it is there and the caller asks again."""
        for _ in range(_LOOKS):
            if (path := self._find(key)) is None:
                return
            yield path

    def _find(self, key: str) -> Path | None:
        return next((path for path in self._files() if key_of(path.name) == key), None)

    def _counted(self, path: Path) -> "_Counted | None":
        known = self._kinds.get(key_of(path.name)) or _kind(path)
        return known and _Counted(kind=known[0], urgent=known[1], flags=flags_of(path.name))

    def _each(self, read: Callable[[Path], _T | None]) -> dict[str, _T]:
        """What ``read`` gives of each message; one that is renamed meanwhile is read again under its new name."""
        found: dict[str, _T] = {}
        for _ in range(_LOOKS):
            missing = False
            for path in self._files():
                if key_of(path.name) in found:
                    continue
                if (value := read(path)) is None:
                    missing = True
                else:
                    found[key_of(path.name)] = value
            if not missing:
                break
        return found

    def _files(self) -> tuple[Path, ...]:
        """Every message, once. The folder may leave out what is renamed while we read it, and so it is read again then."""
        found: dict[str, Path] = {}
        for _ in range(_LOOKS):
            before = self.stamp()
            for place in ("new", "cur"):
                found |= {key_of(path.name): path for path in _scan(self.folder / place)}
            if self.stamp() == before:
                break
        return tuple(found.values())

    @contextlib.contextmanager
    def _disk(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MailError(
                f"mailbox {self.folder} cannot {what}: {error.strerror}; check its owner, its mode and the disk",
                retryable=True,
            ) from error


def folders_below(root: Path) -> tuple[str, ...]:
    """The names of the Maildirs in a folder (blocks). Raises :class:`MailError` if it cannot be read."""
    try:
        return tuple(sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise MailError(
            f"{root} cannot be read: {error.strerror}; check its owner and its mode", retryable=True
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What counting needs of a message."""

    kind: MessageKind
    urgent: bool
    flags: frozenset[MessageFlag]


def _kind(path: Path) -> tuple[MessageKind, bool] | None:
    """Kind and urgency; nothing for a file that was renamed or removed just now, or that cannot be read."""
    try:
        with path.open("rb") as file:
            headers = parse_headers(file.read(_HEADER_BYTES))
    except OSError:
        return None
    return kind_in(headers), urgent_in(headers)


def _info(path: Path) -> MessageInfo | None:
    """What is known of a message, or nothing if it is gone."""
    try:
        with path.open("rb") as file:
            head, facts = file.read(_HEADER_BYTES), os.fstat(file.fileno())
    except OSError:
        return None
    return read_info(
        head,
        key=key_of(path.name),
        flags=flags_of(path.name),
        size=facts.st_size,
        arrived_at=datetime.fromtimestamp(facts.st_mtime, UTC),
    )


def _scan(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []


def _changed_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
