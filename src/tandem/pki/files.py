"""Files that are whole or not there, and secret ones that only their owner reads."""

import os
from pathlib import Path

from tandem.core.files import inherit_owner, private_folder


def write_whole(path: Path, data: bytes, *, secret: bool = False) -> None:
    """Write a file by way of a new one that takes its place; a crash leaves the old one. Secret files have mode 600.

    What root writes belongs to the owner of the folder.
    """
    private_folder(path.parent)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            inherit_owner(file.fileno(), path.parent)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
