"""Backup of everything that an organization keeps on one machine, while its servers run.

An archive (tar, compressed) holds the organization file and the files that it names, the secrets, and the state: the
embedded directory as it was at one moment, certificates and keys, the PIN key, MWI, spool, mailboxes, the journal; and a
manifest with a checksum of each. It holds every secret there is: its mode is 600, and it is to be kept as they are.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from tandem.directory.sqlite import store
from tandem.process.errors import ProcessError
from tandem.process.keeping.places import DIRECTORY, ORGANIZATION, Places

MANIFEST = "manifest.json"
FORMAT = 2
"""2 holds what the organization file names, and says where it was. 1, of release 0.1, is restored too."""
_TRANSIENT = (".lock", "-wal", "-shm", ".new", ".tmp", ".trace")
"""What is made again by itself, or is to be forgotten within a day: SIP messages are no part of a backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What an archive holds; ``size`` in bytes before compression. ``left_out`` are symbolic links, which nobody follows."""

    organization: str
    made_at: str
    files: int
    size: int
    left_out: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    places: Places
    mail: bool
    left_out: list[str] = field(default_factory=list)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Every file with its name in the archive; the directory as of one moment."""
        places = self.places
        if places.directory is not None and places.directory.exists():
            with tempfile.TemporaryDirectory(dir=places.state) as folder:
                copy = Path(folder) / "directory.db"
                store.backup(places.directory, copy)
                yield DIRECTORY, copy.read_bytes()
        for place, root in (("secrets", places.secrets), ("state", places.state)):
            yield from self._files(place, root)
        for key, path in places.named.items():
            yield f"named/{key}", _read_named(path, key)
        if places.file is not None:
            yield ORGANIZATION, places.file.read_bytes()

    def _files(self, place: str, root: Path) -> Iterator[tuple[str, bytes]]:
        seen: set[str] = set()
        # Twice: a message that is read meanwhile goes from one folder into another.
        for _ in range(2):
            for path in sorted(root.rglob("*")):
                name = f"{place}/{path.relative_to(root).as_posix()}"
                key = name.replace("/new/", "/cur/").partition(":")[0]
                if key in seen or not self._wanted(name):
                    continue
                try:
                    if path.is_symlink():
                        seen.add(key)
                        self.left_out.append(name)
                        continue
                    if not path.is_file():
                        continue
                    data = path.read_bytes()
                except FileNotFoundError:
                    continue
                seen.add(key)
                yield name, data

    def _wanted(self, name: str) -> bool:
        if PurePosixPath(name).name.startswith("directory.db") or name.endswith(_TRANSIENT):
            return False
        return "/tmp/" not in name and (self.mail or not name.startswith("state/mail/"))  # noqa: S108 - of a Maildir


def _read_named(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProcessError(f"{path}, which {key} names, cannot be read: {error.strerror}; no backup was made") from None


def backup(places: Places, archive: Path, *, at: datetime, mail: bool = True) -> Summary:
    """Write an archive. Raises :class:`ProcessError`; a half-written archive is taken away."""
    if archive.exists():
        raise ProcessError(f"{archive} is there already; name a new file")
    if {places.state.resolve(), places.secrets.resolve()} & set(archive.resolve().parents):
        raise ProcessError(f"{archive} would be in what it is a backup of; name a file elsewhere")
    temporary = archive.with_name(archive.name + ".part")
    reading = _Reading(places, mail)
    manifest: dict[str, str] = {}
    size = 0
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as tar:
            for name, data in reading.contents():
                manifest[name] = hashlib.sha256(data).hexdigest()
                size += len(data)
                _add(tar, name, data, at)
            facts = {
                "format": FORMAT,
                "organization": places.name,
                "made_at": at.isoformat(),
                "home": str(places.home),
                "file": places.file.name if places.file else "",
                "files": manifest,
            }
            _add(tar, MANIFEST, json.dumps(facts, indent=1).encode(), at)
        temporary.rename(archive)
    except OSError as error:
        raise ProcessError(f"{archive} cannot be written: {error}; nothing is left of it") from None
    finally:
        temporary.unlink(missing_ok=True)
    return Summary(
        organization=places.name,
        made_at=at.isoformat(),
        files=len(manifest),
        size=size,
        left_out=tuple(reading.left_out),
    )


def _add(tar: tarfile.TarFile, name: str, data: bytes, at: datetime) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(data), 0o600, int(at.timestamp())
    tar.addfile(info, io.BytesIO(data))
