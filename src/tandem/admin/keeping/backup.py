"""Backup and restore of everything that an organization keeps on this machine, while its servers run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.core.clock import SystemClock
from tandem.process.keeping import backup as writing
from tandem.process.keeping import restore as reading
from tandem.process.keeping.places import organization_places, server_places


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """An archive that was written: how many files, and their bytes before compression; symbolic links are ``left_out``."""

    archive: Path
    files: int
    bytes: int
    made_at: str
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What ``tandem backup --json`` prints."""
        return {
            "archive": str(self.archive),
            "files": self.files,
            "bytes": self.bytes,
            "made_at": self.made_at,
            "left_out": list(self.left_out),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """An archive that was put back in ``home``, whose files belong to ``owner``.

    ``kept`` was there and stays: messages, the journal, the organization file. ``missing`` are files that the organization
    file names and that are in no archive of release 0.1. ``spooled`` are files of a spool that were not put back, since they
    may have been delivered since: their servers have a spool already.
    """

    archive: Path
    home: Path
    owner: str
    files: int
    made_at: str
    kept: tuple[str, ...]
    missing: tuple[Path, ...]
    spooled: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What ``tandem restore --json`` prints."""
        return {
            "archive": str(self.archive),
            "home": str(self.home),
            "owner": self.owner,
            "files": self.files,
            "made_at": self.made_at,
            "kept": list(self.kept),
            "missing": [str(path) for path in self.missing],
            "spooled": list(self.spooled),
        }


def backup(file: Path, archive: Path, *, mail: bool = True) -> BackedUp:
    """Write an archive of the organization in ``file``, or of the server whose home that is; ``mail``: with mailboxes."""
    places = server_places(file) if file.is_dir() else organization_places(file)
    made = writing.backup(places, archive, at=SystemClock().at(), mail=mail)
    return BackedUp(archive=archive, files=made.files, bytes=made.size, made_at=made.made_at, left_out=made.left_out)


def restore(
    archive: Path, *, to: Path | None = None, replace: bool = False, outside: bool = False, owner: str | None = None
) -> PutBack:
    """Put an archive back, in the folder ``to`` or where it was made; all of it is checked before anything is changed.

    ``replace``: where there is a home already. ``outside``: where the archive's organization file names places outside of it.
    ``owner``: the account that files are to belong to, if root restores.
    """
    done = reading.restore(archive, to=to, replace=replace, outside=outside, owner=owner)
    return PutBack(
        archive=archive,
        home=done.home,
        owner=done.owner,
        files=done.files,
        made_at=done.made_at,
        kept=done.kept,
        missing=done.missing,
        spooled=done.spooled,
    )
