"""Backup and restore of everything that an organization keeps on this machine, while its servers run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.core.clock import SystemClock
from tandem.org.load import require_organization
from tandem.process.keeping import backup as process


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """An archive that was written: how many files, and their bytes before compression."""

    archive: Path
    files: int
    bytes: int
    made_at: str

    def to_json(self) -> dict[str, Any]:
        """What ``tandem backup --json`` prints."""
        return {"archive": str(self.archive), "files": self.files, "bytes": self.bytes, "made_at": self.made_at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """An archive that was put back; ``kept`` are files that were there and newer by nature: messages, journal lines."""

    archive: Path
    files: int
    made_at: str
    kept: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What ``tandem restore --json`` prints."""
        return {"archive": str(self.archive), "files": self.files, "made_at": self.made_at, "kept": list(self.kept)}


def backup(file: Path, archive: Path, *, mail: bool = True) -> BackedUp:
    """Write an archive of the organization in ``file``; without ``mail``, mailboxes are left out."""
    made = process.backup(require_organization(file), archive, at=SystemClock().at(), mail=mail)
    return BackedUp(archive=archive, files=made.files, bytes=made.size, made_at=made.made_at)


def restore(file: Path, archive: Path, *, replace: bool = False) -> Restored:
    """Put an archive back; all of it is checked before anything is changed. ``replace``: where there is a state already."""
    done = process.restore(require_organization(file), archive, replace=replace)
    return Restored(archive=archive, files=done.files, made_at=done.made_at, kept=tuple(done.kept))
