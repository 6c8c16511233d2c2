"""Where a directory is: a file of the embedded one, or the domain controllers of each forest."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tandem.core.files import inherit_owner
from tandem.directory.errors import BadAddress, DirectoryUnavailable

CONNECT_S = 5.0
"""How long a host or DNS is waited for."""
SCHEMES = ("ldaps", "ldap+starttls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a forest's directory is.

    ``url`` is ``ldaps://HOST[:PORT][,HOST...]`` or ``ldap+starttls://...``; a host that is the forest's own name is short for
    its domain controllers as DNS names them (SRV). ``roots`` is a PEM file of the authorities that are trusted, of the
    system if it is ``None``.
    """

    forest: str
    url: str
    roots: Path | None = None

    def hosts(self) -> tuple[str, ...]:
        """The addresses to try, each with its scheme. Raises :class:`BadAddress`."""
        scheme, _, rest = self.url.partition("://")
        hosts = [host for host in rest.rstrip("/").split(",") if host]
        if scheme not in SCHEMES or not hosts or any("/" in host or "@" in host for host in hosts):
            raise BadAddress(
                f"{self.url!r} is no address of a directory: expected ldaps://HOST[,HOST...], such as "
                "ldaps://dc1.example.com, or ldap+starttls://HOST"
            )
        found: list[str] = []
        for host in hosts:
            found += _controllers(self.forest) if host.lower() == self.forest.lower() else [host]
        return tuple(f"{'ldaps' if scheme == 'ldaps' else 'ldap'}://{host}" for host in found)

    @property
    def starttls(self) -> bool:
        """Whether the connection begins in the clear and is then secured."""
        return not self.url.startswith("ldaps://")


def _controllers(forest: str) -> list[str]:
    """The domain controllers of a forest, as DNS orders them. Raises :class:`DirectoryUnavailable`."""
    import dns.exception
    import dns.resolver

    name = f"_ldap._tcp.dc._msdcs.{forest}"
    try:
        answers = list(dns.resolver.resolve(name, "SRV", lifetime=CONNECT_S))
    except dns.exception.DNSException as error:
        raise DirectoryUnavailable(
            f"DNS names no domain controller of {forest} (SRV {name}): {error}; name them: ldaps://dc1.{forest}"
        ) from None
    answers.sort(key=lambda each: (each.priority, -each.weight))
    return [str(each.target).rstrip(".") for each in answers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory: the embedded one's ``file``, or the ``addresses`` of forests. ``accounts`` tells as what
    each of the organization's accounts binds there: ``maria@example.com``, a server as ``um1.example.com$@example.com``.
    """

    file: Path | None = None
    addresses: tuple[Address, ...] = ()
    accounts: Mapping[str, str] = field(default_factory=dict)

    def account(self, name: str) -> str:
        """An account as it binds here."""
        return self.accounts.get(name, name)


def write_place(state: Path, place: Place) -> None:
    """Keep where the directory is, for the servers. Files of the same home are named from ``state`` on: it may move."""

    def written(file: Path) -> str:
        inside = state.parent.resolve() in file.resolve().parents
        return os.path.relpath(file.resolve(), state.resolve()) if inside else str(file)

    path = state / "directory.json"
    held: dict[str, Any]
    if place.addresses:
        forests = [
            {"forest": each.forest, "url": each.url, **({"roots": written(each.roots)} if each.roots else {})}
            for each in place.addresses
        ]
        held = {"forests": forests, "accounts": dict(place.accounts)}
    elif place.file and place.file != state / "directory.db":
        held = {"file": written(place.file)}
    else:
        path.unlink(missing_ok=True)
        return
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
    temporary.chmod(0o600)
    inherit_owner(temporary, state)
    temporary.replace(path)


def _beside(state: Path, name: str) -> Path:
    """A file that ``directory.json`` names: from its folder on, if not from the root."""
    return Path(os.path.normpath(state / name))


def read_place(state: Path) -> Place:
    """Where the directory of a state folder is: ``directory.json`` says so, or ``directory.db`` is it."""
    path = state / "directory.json"
    if not path.exists():
        return Place(file=state / "directory.db")
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        if "file" in held:
            return Place(file=_beside(state, held["file"]))
        addresses = tuple(
            Address(
                forest=each["forest"], url=each["url"], roots=_beside(state, each["roots"]) if "roots" in each else None
            )
            for each in held["forests"]
        )
        return Place(addresses=addresses, accounts=held["accounts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadAddress(f"{path} cannot be read ({error}); 'tandem directory create' writes it again") from None
