"""Restore: an archive becomes a home, on an empty machine, or takes the place of what a home holds.

The whole archive is checked and written beside its goal before anything that is there is changed; what fails until then
leaves nothing. On an empty machine it is then moved to its place, the organization file last. With ``replace`` servers that
run see the directory of the archive at once, and no message is lost: mailboxes get what they lack and keep what they have,
the journal goes on, and the organization file and those it names, which are yours to write, stay as they are.

A server that has a spool keeps it, and takes none of the archive: what the archive's holds may have been delivered since, and
deleted by its owner. It would be delivered again, since nothing tells it from what was never delivered.

An archive says where its things belong, so it may name any place on the machine. Places outside of the home that are known
from the archive only are refused unless ``outside`` permits them; an organization file that is there already is its owner's.

Root acts as the owner of the home (:mod:`tandem.process.keeping.owner`). Symbolic links below ``state`` and ``secrets`` are
not followed.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from tandem.core.files import private_folder
from tandem.directory.address import read_place, write_place
from tandem.directory.sqlite import store
from tandem.pki.files import write_whole
from tandem.process.apply import alone
from tandem.process.errors import ProcessError
from tandem.process.keeping.backup import FORMAT, MANIFEST
from tandem.process.keeping.owner import make_folder, owner_of
from tandem.process.keeping.places import DIRECTORY, ORGANIZATION, Places, organization_places, server_places

_MAIL = "state/mail/"
"""Where what is there is never replaced: messages, by names that are unique."""
_SPOOL = "state/spool/"
_JOURNAL = "state/journal.jsonl"
_YOURS = ("named/", ORGANIZATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was put back in ``home``, which belongs to ``owner``. ``kept`` was there and stays; ``missing`` is in no archive of
    release 0.1: files that the organization file names. ``spooled`` are files of a spool that were not put back."""

    organization: str
    home: Path
    owner: str
    made_at: str
    files: int
    kept: tuple[str, ...]
    missing: tuple[Path, ...]
    spooled: tuple[str, ...]


def restore(
    archive: Path, *, to: Path | None, replace: bool = False, outside: bool = False, owner: str | None = None
) -> Restored:
    """Put an archive back.

    Args:
        archive: what :func:`tandem.process.keeping.backup.backup` wrote.
        to: the home; by default the folder that the archive was made from.
        replace: where there is a home already, put the archive's things in the place of its own.
        outside: write outside of the home too, where the organization file of the archive names such places.
        owner: an account that files are to belong to, as root; by default the owner of the home.

    Raises:
        ProcessError: before anything is changed: the archive is damaged, or of another organization, or a home is there,
            or it would be written outside of the home.
    """
    try:
        with archive.open("rb") as raw:
            facts, text = _checked(archive, raw)
            places = _places(archive, facts, text, to)
            if not outside and (places.file is None or not places.file.exists()) and (away := places.outside()):
                raise ProcessError(
                    f"{archive} would write outside of {places.home}: {', '.join(map(str, away))}, as its organization "
                    "file says. If you trust it, --outside permits that; nothing was changed"
                )
            there = [root for root in places.roots() if _holds(root) and root not in places.written()]
            if there and not replace:
                raise ProcessError(
                    f"{there[0]} is there already; --replace puts the archive in its place (messages, the journal and the "
                    "organization file are kept)"
                )
            account = owner_of(places.home, owner)
            made = make_folder(places.home, account)
            try:
                with account.acting():
                    raw.seek(0)
                    kept, spooled = _replace(places, raw) if there else (_begin(places, raw), ())
            except BaseException:
                if made:
                    with suppress(OSError):
                        places.home.rmdir()
                raise
    except OSError as error:
        raise ProcessError(f"{archive} cannot be restored: {error}") from None
    return Restored(
        organization=places.name,
        home=places.home,
        owner=account.name,
        made_at=str(facts["made_at"]),
        files=len(facts["files"]) - len(spooled),
        kept=kept,
        spooled=spooled,
        missing=tuple(path for path in places.named.values() if not path.exists()),
    )


def _holds(root: Path) -> bool:
    """Whether something is there; folders that are made beforehand are nothing yet."""
    return root.exists() and (not root.is_dir() or any(root.iterdir()))


def _places(archive: Path, facts: dict[str, Any], text: bytes | None, to: Path | None) -> Places:
    """Where its things belong: as the file in place says, else as the one in the archive does."""
    home = to or (Path(facts["home"]) if "home" in facts else None)
    if home is None:
        raise ProcessError(
            f"{archive} is of release 0.1 and does not say where it was made; name the folder by --to DIR"
        )
    home = home.resolve()
    if (name := facts.get("file", ORGANIZATION)) == "":
        places = server_places(home, facts["organization"])
    else:
        file = home / str(name)
        if text is None or file.parent != home:
            raise ProcessError(f"{archive} holds no organization file; nothing was changed")
        places = organization_places(file, None if file.exists() else text)
    if facts["organization"] != places.name:
        raise ProcessError(
            f"{archive} is of {facts['organization']!r}, not of {places.name!r}, whose things are in {home}"
        )
    for file_name in facts["files"]:
        places.target(file_name)
    return places


def _checked(archive: Path, raw: IO[bytes]) -> tuple[dict[str, Any], bytes | None]:
    """The manifest of a whole archive, and its organization file. Raises :class:`ProcessError` for one that is damaged."""
    found: dict[str, str] = {}
    facts: Any = {}
    text = None
    try:
        for name, data in _members(raw):
            if name == MANIFEST:
                facts = json.loads(data)
                continue
            if name == ORGANIZATION:
                text = data
            found[name] = hashlib.sha256(data).hexdigest()
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise ProcessError(f"{archive} cannot be read as a backup: {error}; nothing was changed") from None
    if (
        not isinstance(facts, dict)
        or facts.get("format") not in (1, FORMAT)
        or not isinstance(facts.get("files"), dict)
    ):
        held = facts.get("format") if isinstance(facts, dict) else None
        raise ProcessError(f"{archive} is no backup of this Tandem (format {held!r}, expected 1 or {FORMAT})")
    for key in ("organization", "made_at", *({"home", "file"} & facts.keys())):
        if not isinstance(facts.get(key), str) or "\0" in facts[key]:
            raise ProcessError(
                f"{archive} is damaged: its manifest says {facts.get(key)!r} for {key}, expected a text; nothing was changed"
            )
    listed: dict[str, str] = facts["files"]
    if found != listed:
        wrong = sorted(name for name in found.keys() | listed.keys() if found.get(name) != listed.get(name))
        raise ProcessError(
            f"{archive} is damaged: {', '.join(wrong[:5])} differ(s) from its manifest; nothing was changed"
        )
    return facts, text


def _members(raw: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=raw) as tar:
        for member in tar:
            if not member.isfile() or ".." in PurePosixPath(member.name).parts or member.name.startswith("/"):
                raise tarfile.TarError(f"{member.name!r} is no file of a backup")
            file = tar.extractfile(member)
            assert file is not None  # it is a file
            yield member.name, file.read()


@dataclass(slots=True)
class _Staged:
    """The archive's files, each on the file system of its goal, in a folder beside the root that it belongs to."""

    beside: dict[Path, Path] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)


@contextmanager
def _staged(places: Places, raw: IO[bytes]) -> Iterator[_Staged]:
    staged = _Staged()
    with ExitStack() as stack:
        for name, data in _members(raw):
            if name == MANIFEST:
                continue
            target = places.target(name)
            root = next(each for each in places.roots() if each == target or each in target.parents)
            if root not in staged.beside:
                private_folder(root.parent)
                folder = tempfile.mkdtemp(prefix=".restore-", dir=root.parent)
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
                staged.beside[root] = Path(folder) / root.name
            staged.files[name] = staged.beside[root] / target.relative_to(root)
            write_whole(staged.files[name], data, secret=True)
        yield staged


def _begin(places: Places, raw: IO[bytes]) -> tuple[str, ...]:
    """An empty machine: each root is moved to its place. What fails is taken back."""
    kept = []
    with _staged(places, raw) as staged:
        if DIRECTORY in staged.files:
            store.open_store(staged.files[DIRECTORY]).close()
        moved: list[Path] = []
        try:
            for root in places.roots():
                if (held := staged.beside.get(root)) is None:
                    continue
                if root in places.written() and root.exists():
                    kept += [name for name, path in staged.files.items() if path == held]
                    continue
                held.rename(root)
                moved.append(root)
            _point(places)
        except BaseException:
            for root in moved:
                shutil.rmtree(root) if root.is_dir() else root.unlink()
            raise
    return tuple(kept)


def _replace(places: Places, raw: IO[bytes]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A home that is there, maybe in use: each file is moved to its place.

    Returns those that were there and stay, and those of spools that are not put back.
    """
    kept, spooled = [], []
    mailboxes: dict[Path, set[str]] = {}
    with alone(places.state), _staged(places, raw) as staged:
        spools = {name for name in staged.files if name.startswith(_SPOOL) and _spool_of(places, name).exists()}
        targets = {name: places.target(name) for name in staged.files}
        for target in targets.values():
            _refuse_links(places, target)
            _require_writable(target)
        if DIRECTORY in staged.files and places.directory is not None:
            store.restore(staged.files.pop(DIRECTORY), places.directory)
        for name, held in staged.files.items():
            if name in spools:
                spooled.append(name)
                continue
            if _stays(name, targets[name], mailboxes):
                kept.append(name)
                continue
            private_folder(targets[name].parent)
            held.rename(targets[name])  # a link in this place is replaced, not followed
        _point(places)
    return tuple(kept), tuple(spooled)


def _spool_of(places: Places, name: str) -> Path:
    """The spool, one folder for each server, that a file of an archive belongs to."""
    return places.target(_SPOOL + name.removeprefix(_SPOOL).partition("/")[0])


def _refuse_links(places: Places, target: Path) -> None:
    for root in (places.state, places.secrets):
        for folder in target.parents if root in target.parents else ():
            if folder == root:
                break
            if folder.is_symlink():
                raise ProcessError(
                    f"{folder} is a symbolic link, which is not followed; remove it. Nothing was changed"
                )
    if target == places.directory and target.is_symlink():
        raise ProcessError(f"{target} is a symbolic link, which is not followed; remove it. Nothing was changed")


def _require_writable(target: Path) -> None:
    folder = next(each for each in target.parents if each.exists())
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise ProcessError(
            f"{folder} cannot be written by the owner of the home: chmod u+wx {folder}. Nothing was changed"
        )


def _stays(name: str, target: Path, mailboxes: dict[Path, set[str]]) -> bool:
    """Whether what is there is not replaced: a message (which may have been read meanwhile), the journal, what you write."""
    if name.startswith(_MAIL) and target.parent.name in ("new", "cur"):
        mailbox = target.parent.parent
        if mailbox not in mailboxes:
            mailboxes[mailbox] = {_key(p) for each in ("new", "cur") for p in (mailbox / each).glob("*")}
        return _key(target) in mailboxes[mailbox]
    there = target.exists() or target.is_symlink()
    return there and (name == _JOURNAL or name.startswith((_MAIL, *_YOURS)))


def _key(message: Path) -> str:
    """A message of a Maildir, whatever its flags are."""
    return message.name.partition(":")[0]


def _point(places: Places) -> None:
    """Let ``directory.json`` name the files of this home: release 0.1 wrote where they were."""
    if places.file is None:
        return
    place = read_place(places.state)
    if place.addresses:
        roots = places.named.get("directory_roots")
        place = dataclasses.replace(
            place, addresses=tuple(dataclasses.replace(each, roots=roots) for each in place.addresses)
        )
    elif places.directory is not None:
        place = dataclasses.replace(place, file=places.directory)
    write_place(places.state, place)
