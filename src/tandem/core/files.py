"""Whose a file is that root makes: its folder's owner's. What an administrator writes as root is then readable for the account
that a folder was made for: a server's certificate for the server, the journal for who deploys."""

import os
from pathlib import Path


def inherit_owner(made: int | Path, folder: Path) -> None:
    """Give what root has made in a folder to the folder's owner: an open file, or a path, of which no link is followed."""
    if os.geteuid() == 0:
        owner = folder.stat()
        change = os.fchown if isinstance(made, int) else os.lchown
        change(made, owner.st_uid, owner.st_gid)  # type: ignore[arg-type] # each takes its own


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for its owner alone (mode 700)."""
    for each in (*reversed(folder.parents), folder):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)
            inherit_owner(each, each.parent)
