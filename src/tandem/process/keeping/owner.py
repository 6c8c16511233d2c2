"""Acting as the account that files are to belong to, where root does it: what that account may not do is not done for it."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tandem.process.errors import ProcessError


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOwner:
    """An account of this machine."""

    name: str
    uid: int
    gid: int

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Within, files are made and opened with this account's rights, so that no link of its own leads further."""
        if self.uid == os.geteuid():
            yield
            return
        groups, gid, uid = os.getgroups(), os.getegid(), os.geteuid()
        os.setgroups([self.gid])
        os.setegid(self.gid)
        os.seteuid(self.uid)
        try:
            yield
        finally:
            os.seteuid(uid)
            os.setegid(gid)
            os.setgroups(groups)


def owner_of(folder: Path, wanted: str | None) -> FileOwner:
    """Whom files in ``folder`` are to belong to: ``wanted``; else, for root, the owner of the folder; else who runs this.

    Raises:
        ProcessError: there is no such account, or only root can give files to it.
    """
    me = os.geteuid()
    if wanted is not None:
        try:
            found = pwd.getpwnam(wanted)
        except KeyError:
            raise ProcessError(f"--owner {wanted}: this machine has no such account") from None
        if me not in (0, found.pw_uid):
            raise ProcessError(f"--owner {wanted}: only root can give files to another account; run this with sudo")
        return FileOwner(name=wanted, uid=found.pw_uid, gid=found.pw_gid)
    held = folder.stat() if me == 0 and folder.exists() else None
    uid, gid = (held.st_uid, held.st_gid) if held else (me, os.getegid())
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return FileOwner(name=name, uid=uid, gid=gid)


def make_folder(folder: Path, owner: FileOwner) -> bool:
    """Make a folder (mode 700), and those above it, for its owner; ``False`` if it was there."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if folder.is_dir():
            return False
        raise ProcessError(f"{folder} is there and is no folder") from None
    except OSError as error:
        raise ProcessError(f"{folder} cannot be made: {error.strerror}") from None
    if owner.uid != os.geteuid():
        os.chown(folder, owner.uid, owner.gid)
    return True
