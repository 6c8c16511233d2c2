"""Where an organization's things are on this machine, read from its file without judging the rest of it.

A backup of a file with a mistake in it is still a backup, and an archive is restored before anything in it is used. Names in
an archive do not depend on where things are: ``state/...``, ``secrets/...``, ``named/KEY`` for each file that the organization
file names, and ``organization.yaml`` for itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tandem.process.errors import ProcessError

ORGANIZATION = "organization.yaml"
DIRECTORY = "state/directory.db"
NAMED = ("users_csv", "directory_roots")
"""Keys of the organization file that name another file."""
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """A home: that of an organization, or of a server, which has no ``file`` and holds that server's things only.

    ``directory`` is the file of the embedded directory, ``None`` where the directory is elsewhere. ``named`` are further files
    by the key that names them. Paths are absolute.
    """

    name: str
    home: Path
    file: Path | None
    state: Path
    secrets: Path
    directory: Path | None
    named: Mapping[str, Path] = field(default_factory=dict)

    def roots(self) -> Iterator[Path]:
        """Every folder and file of its own; the organization file, which the others belong to, comes last."""
        yield from (self.state, self.secrets, *self.named.values())
        if self.directory is not None and self.state not in self.directory.parents:
            yield self.directory
        if self.file is not None:
            yield self.file

    def outside(self) -> tuple[Path, ...]:
        """Its own folders and files that are not below the home, or are behind a symbolic link that leads out of it."""
        return tuple(root for root in self.roots() if not root.resolve().is_relative_to(self.home))

    def written(self) -> tuple[Path, ...]:
        """What people write: the organization file and those that it names."""
        return (*self.named.values(), *((self.file,) if self.file else ()))

    def target(self, name: str) -> Path:
        """Where a file of an archive belongs. Raises :class:`ProcessError` for one that belongs nowhere here.

        A name leads nowhere but below its folder: there is no ``..`` in it, and no second slash that would make it absolute.
        """
        top, _, rest = name.partition("/")
        below = PurePosixPath(rest)
        if "\0" in name or ".." in below.parts or (rest and (below.is_absolute() or str(below) != rest or rest == ".")):
            raise ProcessError(
                f"the archive holds {name!r}, expected a plain path below state or secrets; nothing was changed"
            )
        match top:
            case "state" if name == DIRECTORY and self.directory is not None:
                return self.directory
            case "state" | "secrets" if rest:
                return (self.state if top == "state" else self.secrets) / below
            case "named" if rest in self.named:
                return self.named[rest]
            case "organization.yaml" if self.file is not None and not rest:
                return self.file
        raise ProcessError(f"the archive holds {name!r}, which has no place in {self.home}; nothing was changed")


def organization_places(file: Path, text: bytes | None = None) -> Places:
    """The places of an organization ``file``; ``text`` is what it holds where it is not there yet.

    Raises:
        ProcessError: the file cannot be read, says no name, or names a path that no path can be.
    """
    said = _said(file, text)
    if "name" not in said:
        raise ProcessError(f"{file} names no organization; expected 'name: ...'")
    home = file.resolve().parent
    directory = said.get("directory", "state/directory.db")
    return Places(
        name=said["name"],
        home=home,
        file=file.resolve(),
        state=_path(home, said.get("state", "state")),
        secrets=_path(home, said.get("secrets", "secrets")),
        directory=None if "://" in directory else _path(home, directory),
        named={key: _path(home, said[key]) for key in NAMED if key in said},
    )


def _path(home: Path, said: str) -> Path:
    if "\0" in said:
        raise ProcessError(f"the organization file names {said!r}; expected a path, which has no NUL in it")
    path = home / said
    return path.resolve() if ".." in path.parts else path


def server_places(home: Path, name: str = "") -> Places:
    """The places of a server's home, whose name is that of the one password in it, or ``name`` where nothing is there yet.

    Raises:
        ProcessError: it is no server's home.
    """
    secrets = home.resolve() / "secrets"
    held = [path.name for path in secrets.iterdir()] if secrets.is_dir() else []
    if len(held) > 1 or not (held or name):
        raise ProcessError(
            f"{home} is no home of one server: its secrets folder holds {len(held)} passwords. Of an organization, name "
            "its file"
        )
    return Places(
        name=held[0] if held else name,
        home=home.resolve(),
        file=None,
        state=home.resolve() / "state",
        secrets=secrets,
        directory=None,
    )


def _said(file: Path, text: bytes | None) -> dict[str, str]:
    """The top-level keys of the file that have one value."""
    try:
        root = yaml.compose(file.read_bytes() if text is None else text, Loader=_Loader)
    except OSError as error:
        raise ProcessError(f"{file} cannot be read: {error.strerror}; expected an organization file") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ProcessError(f"{file} cannot be read as YAML: {error}") from None
    pairs = root.value if isinstance(root, yaml.MappingNode) else ()
    return {
        str(key.value): str(value.value)
        for key, value in pairs
        if isinstance(value, yaml.ScalarNode) and not value.tag.endswith(":null")
    }
