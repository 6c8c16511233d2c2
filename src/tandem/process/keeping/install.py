"""A server's home: what one server needs and nothing of anybody else's, so that it can run on a machine of its own.

It holds the server's password, its certificate (of its pool, for a voice server) with the key and the roots it trusts, and
where the directory is; for a UM server the key of all PINs, which UM servers share. Neither the authority's key nor an
administrator's password nor another server's is there. What the server makes itself (spool, mailboxes, traces) is left alone,
so installing again brings a renewed certificate or another password.
"""

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tandem.core.files import private_folder
from tandem.directory.address import Place, write_place
from tandem.org.model import Organization
from tandem.org.vocabulary import PoolKind
from tandem.pki.files import write_whole
from tandem.pki.store import CertificateStore
from tandem.process.bootstrap import place_of
from tandem.process.errors import ProcessError
from tandem.process.keeping.owner import FileOwner, make_folder, owner_of
from tandem.process.passwords import kept_password
from tandem.process.tasks.preconditions import tandem_um_servers

PIN_KEY = Path("state") / "um" / "pin.key"
ROOTS = "directory-roots.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHome:
    """A home that was written for a ``server`` of a ``kind`` (``um``, ``voice``). ``shared_directory`` is the file of the
    embedded directory, which is elsewhere and used by all servers of its machine."""

    server: str
    kind: str
    home: Path
    owner: str
    certificate: str
    shared_directory: Path | None


def install(
    organization: Organization,
    server: str,
    home: Path,
    *,
    at: datetime,
    password: str | None = None,
    owner: str | None = None,
) -> ServerHome:
    """Write a server's home, or bring it up to date.

    Args:
        organization: as deployed up to phase 2.
        server: its FQDN.
        home: the folder: new, empty, or this server's.
        at: now.
        password: the server's, where it is not in the secrets folder any more.
        owner: the account that the server runs as, if root installs; by default the owner of the folder.

    Raises:
        ProcessError: before anything is written: no such server, no password, no certificate, another server's home.
    """
    kind, subject, names = _server(organization, server)
    kept = CertificateStore(folder=organization.state / "pki" / subject)
    if problem := kept.problem(subject, names, at=at):
        raise ProcessError(
            f"the certificate of {subject} in {kept.folder} cannot be used: {problem}; phase 2 makes it, or "
            "'tandem pki install' takes one that was made elsewhere"
        )
    secret = password or kept_password(organization, server)
    account = owner_of(home, owner)
    _refuse_foreign(home, server)
    place = _place(organization, server, account)
    pin_key = _pin_key(organization, home) if kind == "um" else None
    files = [path.read_bytes() for path in (kept.certificate, kept.key, kept.roots)]
    revoked = kept.revoked.read_bytes() if kept.revoked.exists() else None
    roots = place.addresses[0].roots.read_bytes() if place.addresses and place.addresses[0].roots else None
    make_folder(home, account)
    with account.acting():
        for folder in (home / "state", home / "secrets"):
            private_folder(folder)
        write_whole(home / "secrets" / server, f"{secret}\n".encode(), secret=True)
        if roots is not None:
            held = home / "state" / ROOTS
            write_whole(held, roots)
            addresses = tuple(dataclasses.replace(each, roots=held) for each in place.addresses)
            place = dataclasses.replace(place, addresses=addresses)
        write_place(home / "state", place)
        if pin_key is not None:
            write_whole(home / PIN_KEY, pin_key, secret=True)
        certificate, key, trusted = files
        CertificateStore(folder=home / "state" / "pki" / subject).install(certificate, key, trusted, revoked)
    return ServerHome(
        server=server, kind=kind, home=home, owner=account.name, certificate=subject, shared_directory=place.file
    )


def _server(organization: Organization, server: str) -> tuple[str, str, tuple[str, ...]]:
    """What kind of server it is, whose certificate it shows, and what further names that has."""
    for pool in organization.pools_of(PoolKind.TANDEM):
        if server in (pool.servers or (pool.fqdn,)):
            return "voice", pool.fqdn, pool.servers
    known = [each.fqdn for each in tandem_um_servers(organization)]
    if server in known:
        return "um", server, ()
    for pool in organization.pools_of(PoolKind.TANDEM):
        known += pool.servers or (pool.fqdn,)
    raise ProcessError(f"{organization.path} declares no server {server} of kind tandem; there are {', '.join(known)}")


def _refuse_foreign(home: Path, server: str) -> None:
    others = [name for name in _secrets(home) if name != server]
    if others or (home / "organization.yaml").exists():
        held = f"the password of {', '.join(others)}" if others else "an organization file"
        raise ProcessError(f"{home} holds {held}; expected a folder for {server} alone. Nothing was changed")


def _secrets(home: Path) -> Iterator[str]:
    folder = home / "secrets"
    return (path.name for path in sorted(folder.iterdir())) if folder.is_dir() else iter(())


def _place(organization: Organization, server: str, account: FileOwner) -> Place:
    """Where the directory is, with this server's account and no other."""
    place = place_of(organization)
    if place.file is None:
        return dataclasses.replace(place, accounts={server: place.account(server)})
    if not place.file.exists():
        raise ProcessError(f"there is no directory at {place.file}; 'tandem directory create' makes it")
    held = place.file.stat().st_uid
    if account.uid not in (0, held):
        raise ProcessError(
            f"{place.file} does not belong to {account.name}, whom {server} runs as, and servers write to the embedded "
            f"directory: chown -R {account.name} {place.file.parent}"
        )
    return place


def _pin_key(organization: Organization, home: Path) -> bytes:
    """The key that all UM servers share: the organization's, else the one that is in the home, else a new one."""
    ours, theirs = organization.state / PIN_KEY.relative_to("state"), home / PIN_KEY
    held = {path.read_bytes() for path in (ours, theirs) if path.exists()}
    if len(held) > 1:
        raise ProcessError(
            f"{theirs} is another key than {ours}: PINs that were made with one are wrong with the other. Keep the one that "
            "PINs were made with in both places"
        )
    key = held.pop() if held else os.urandom(32)
    if not ours.exists():
        write_whole(ours, key, secret=True)
    return key
