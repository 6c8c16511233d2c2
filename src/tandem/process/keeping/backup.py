"""Backup and restore of everything that an organization keeps on one machine, while its servers run.

An archive (tar, compressed) holds a manifest with a checksum of each file, the secrets, and the state: the embedded
directory as it was at one moment, certificates and keys, the PIN key, MWI, spool, mailboxes, the journal. It holds every
secret there is: its mode is 600, and it is to be kept as they are.

Restoring checks the whole archive before anything is changed. Servers that run see the directory of the archive at once. No
message is lost by it: mailboxes and spool get what they lack and keep what they have, and the journal goes on.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from tandem.directory.sqlite import store
from tandem.org.model import Organization
from tandem.pki.files import write_whole
from tandem.process.apply import alone
from tandem.process.errors import ProcessError

_MANIFEST = "manifest.json"
_DIRECTORY = "state/directory.db"
_FORMAT = 1
_TRANSIENT = (".lock", "-wal", "-shm", ".new", ".tmp", ".trace")
"""What is made again by itself, or is to be forgotten within a day: SIP messages are no part of a backup."""
_GROWING = ("state/mail/", "state/spool/")
"""Where what is there is never replaced: messages, by names that are unique."""
_JOURNAL = "state/journal.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What an archive holds, or what restoring it has written and kept."""

    organization: str
    made_at: str
    files: int
    size: int
    kept: tuple[str, ...] = ()


def backup(organization: Organization, archive: Path, *, at: datetime, mail: bool = True) -> Summary:
    """Write an archive. Raises :class:`ProcessError`; a half-written archive is taken away."""
    if archive.exists():
        raise ProcessError(f"{archive} is there already; name a new file")
    temporary = archive.with_name(archive.name + ".part")
    manifest: dict[str, str] = {}
    size = 0
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as tar:
            for name, data in _contents(organization, mail=mail):
                manifest[name] = hashlib.sha256(data).hexdigest()
                size += len(data)
                _add(tar, name, data, at)
            facts = {"format": _FORMAT, "organization": organization.name, "made_at": at.isoformat(), "files": manifest}
            _add(tar, _MANIFEST, json.dumps(facts, indent=1).encode(), at)
        temporary.rename(archive)
    except OSError as error:
        raise ProcessError(f"{archive} cannot be written: {error}; nothing is left of it") from None
    finally:
        temporary.unlink(missing_ok=True)
    return Summary(organization=organization.name, made_at=at.isoformat(), files=len(manifest), size=size)


def _add(tar: tarfile.TarFile, name: str, data: bytes, at: datetime) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(data), 0o600, int(at.timestamp())
    tar.addfile(info, io.BytesIO(data))


def _contents(organization: Organization, *, mail: bool) -> Iterator[tuple[str, bytes]]:
    """Every file with its name in the archive; the directory as of one moment."""
    if not organization.uses_ldap:
        with tempfile.TemporaryDirectory(dir=organization.state) as folder:
            copy = Path(folder) / "directory.db"
            store.backup(Path(organization.directory), copy)
            yield _DIRECTORY, copy.read_bytes()
    for place, root in (("secrets", organization.secrets), ("state", organization.state)):
        yield from _files(place, root, mail=mail)
    yield "organization.yaml", organization.path.read_bytes()


def _files(place: str, root: Path, *, mail: bool) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    # Twice: a message that is read meanwhile goes from one folder into another.
    for _ in range(2):
        for path in sorted(root.rglob("*")):
            name = f"{place}/{path.relative_to(root).as_posix()}"
            key = name.replace("/new/", "/cur/").partition(":")[0]
            if key in seen or not _wanted(name, mail=mail):
                continue
            try:
                if path.is_symlink() or not path.is_file():
                    continue
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            seen.add(key)
            yield name, data


def _wanted(name: str, *, mail: bool) -> bool:
    if PurePosixPath(name).name.startswith("directory.db") or name.endswith(_TRANSIENT):
        return False
    return "/tmp/" not in name and (mail or not name.startswith("state/mail/"))  # noqa: S108 - of a Maildir


def restore(organization: Organization, archive: Path, *, replace: bool) -> Summary:
    """Put an archive back. Raises :class:`ProcessError` before anything is changed if it is damaged or not this one's."""
    facts = _checked(archive)
    if facts["organization"] != organization.name:
        raise ProcessError(f"{archive} is of the organization {facts['organization']!r}, not of {organization.name!r}")
    there = organization.state.exists() and any(organization.state.iterdir())
    if there and not replace:
        raise ProcessError(
            f"{organization.state} holds a state already; --replace puts the archive in its place (messages and the journal "
            "of both are kept)"
        )
    kept: list[str] = []
    size = 0
    with alone(organization.state), tarfile.open(archive) as tar:
        for member in tar:
            if member.name in (_MANIFEST, "organization.yaml"):
                continue
            data = _data(tar, member)
            size += len(data)
            if not _put(organization, member.name, data):
                kept.append(member.name)
    return Summary(
        organization=organization.name,
        made_at=str(facts["made_at"]),
        files=len(facts["files"]),
        size=size,
        kept=tuple(kept),
    )


def _checked(archive: Path) -> dict[str, Any]:
    """The manifest of a whole archive. Raises :class:`ProcessError` for one that is damaged."""
    found: dict[str, str] = {}
    facts: dict[str, Any] = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                data = _data(tar, member)
                if member.name == _MANIFEST:
                    facts = json.loads(data)
                else:
                    found[member.name] = hashlib.sha256(data).hexdigest()
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise ProcessError(f"{archive} cannot be read as a backup: {error}; nothing was changed") from None
    if facts.get("format") != _FORMAT or not isinstance(facts.get("files"), dict):
        raise ProcessError(
            f"{archive} is no backup of this Tandem (format {facts.get('format')!r}, expected {_FORMAT})"
        )
    listed: dict[str, str] = facts["files"]
    if found != listed:
        wrong = sorted(name for name in found.keys() | listed.keys() if found.get(name) != listed.get(name))
        raise ProcessError(
            f"{archive} is damaged: {', '.join(wrong[:5])} differ(s) from its manifest; nothing was changed"
        )
    return facts


def _data(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    parts = PurePosixPath(member.name).parts
    if not member.isfile() or ".." in parts or member.name.startswith("/"):
        raise tarfile.TarError(f"{member.name!r} is no file of a backup")
    file = tar.extractfile(member)
    assert file is not None  # it is a file
    return file.read()


def _put(organization: Organization, name: str, data: bytes) -> bool:
    """Write one file; ``False`` if what is there was kept."""
    place, _, rest = name.partition("/")
    target = {"state": organization.state, "secrets": organization.secrets}[place] / rest
    if name == _DIRECTORY:
        with tempfile.TemporaryDirectory(dir=organization.state) as folder:
            copy = Path(folder) / "directory.db"
            copy.write_bytes(data)
            store.restore(copy, Path(organization.directory))
        return True
    message = target.name.partition(":")[0]
    held = [target] if target.exists() else []
    if name.startswith("state/mail/") and target.parent.name in ("new", "cur"):
        held = [p for each in ("new", "cur") for p in (target.parent.parent / each).glob(f"{message}*")]
    if held and (name.startswith(_GROWING) or name == _JOURNAL):
        return False
    write_whole(target, data, secret=True)
    return True
