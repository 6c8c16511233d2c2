"""The certificates of a home folder: their state, new ones, those made elsewhere, revoked ones; and those of peers.

Running servers take new files within seconds (or at once, by SIGHUP) and drop no call for it.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

from tandem.core.clock import SystemClock
from tandem.org.rules import FQDN
from tandem.pki import examine
from tandem.pki.authority import Authority
from tandem.pki.errors import PkiError
from tandem.pki.store import CertificateStore

_AUTHORITY = "authority"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCertificate:
    """The certificate of a server or pool. ``problem`` is empty if it can be used; times are UTC."""

    name: str
    names: tuple[str, ...]
    issuer: str
    expires_at: datetime | None
    days_left: int
    problem: str
    revocations_until: datetime | None
    revocations_due: bool

    @property
    def well(self) -> bool:
        """Whether nobody needs to do anything about it."""
        return not self.problem and self.days_left >= examine.WARN_DAYS and not self.revocations_due

    def to_json(self) -> dict[str, object]:
        """What ``tandem pki status --json`` prints of it."""
        return {
            "name": self.name,
            "names": list(self.names),
            "issuer": self.issuer,
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
            "days_left": self.days_left,
            "problem": self.problem,
            "revocations_until": self.revocations_until.isoformat() if self.revocations_until else None,
            "revocations_due": self.revocations_due,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A certificate that was written for a server, pool or peer, or a revocation list for all of them."""

    name: str
    expires_at: datetime | None

    def to_json(self) -> dict[str, str | None]:
        """As JSON values."""
        return {"name": self.name, "expires_at": self.expires_at.isoformat() if self.expires_at else None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """A certificate that was revoked."""

    subject: str
    serial_number: int

    def to_json(self) -> dict[str, str]:
        """As JSON values; the serial number in hexadecimal."""
        return {"subject": self.subject, "serial_number": f"{self.serial_number:x}"}


def certificates(home: Path) -> tuple[HeldCertificate, ...]:
    """Every certificate of a home folder."""
    at = SystemClock().at()
    return tuple(_held(store, at) for store in _stores(home))


def install_certificate(
    home: Path,
    name: str,
    *,
    certificate: Path,
    key: Path,
    chain: Path | None = None,
    roots: Path | None = None,
    crl: Path | None = None,
    also: Sequence[str] = (),
) -> Installed:
    """Install a certificate that was made elsewhere; everything is checked first, and nothing is written if it is not right.

    Args:
        home: the folder with ``state``.
        name: the server or pool.
        certificate: PEM; its chain may follow in the file.
        key: its private key, PEM without a passphrase.
        chain: the authorities between it and a root.
        roots: the roots to trust from now on; by default those trusted now.
        crl: revocation lists in PEM.
        also: further names that the certificate needs.

    Raises:
        PkiError: what is wrong with it.
    """
    store = CertificateStore(folder=home / "state" / "pki" / name)
    if roots is None and not store.roots.exists():
        raise PkiError(f"{store.roots} does not exist yet: --roots is needed, with the roots to trust")
    trusted = (roots or store.roots).read_bytes()
    leading = certificate.read_bytes() + b"\n" + (chain.read_bytes() if chain else b"")
    lists = crl.read_bytes() if crl else None
    why = examine.problem(
        examine.read_certificates(leading, str(certificate)),
        examine.read_certificates(trusted, str(roots or store.roots)),
        key.read_bytes(),
        (name, *also),
        at=SystemClock().at(),
        revocations=examine.read_revocations(lists, str(crl)) if lists is not None else store.revocations(),
    )
    if why:
        raise PkiError(f"{certificate} is not installed for {name}: {why}")
    store.install(leading, key.read_bytes(), trusted, lists)
    return Installed(name=name, expires_at=store.expires_at())


def issue_certificate(home: Path, name: str, *, also: Sequence[str] = ()) -> CertificateStore:
    """Make a certificate for a peer that Tandem does not deploy: a PBX, a session border controller, a phone.

    Args:
        home: the folder with ``state``.
        name: the peer's FQDN, or its IP address.
        also: further names and addresses that it answers to.

    Returns:
        Its files, to be handed to the peer: certificate, key, and the root that it is to trust.

    Raises:
        PkiError: there is a certificate of this name, a name cannot be one, or the authority's key is elsewhere.
    """
    for each in (name, *also):
        _demand_name(each)
    at = SystemClock().at()
    authority = _authority(home, at)
    store = CertificateStore(folder=home / "state" / "pki" / name)
    if store.certificate.exists():
        raise PkiError(
            f"{store.certificate} is there already; 'tandem pki renew {name}' makes a new one with the same names"
        )
    store.install(*authority.issue(name, tuple(also), at=at), authority.root_pem)
    _renew_list(home, authority, at)
    return store


def renew_certificates(home: Path, names: Sequence[str] = ()) -> Iterator[Installed]:
    """Make new certificates from the organization's own authority, with the names of the old ones; yields each when it is made.

    Without ``names``: those that expire within :data:`tandem.pki.examine.WARN_DAYS`, and the authority's revocation list, if
    it expires that soon or a server has an older one.

    Raises:
        PkiError: a certificate is not of this authority, there is none of a name, or the authority's key is elsewhere.
    """
    at = SystemClock().at()
    authority = _authority(home, at)
    for store in _stores(home):
        leaf = store.leaf()
        if leaf is None or (store.folder.name not in names if names else not _is_due(leaf, authority, at)):
            continue
        if not authority.issued(leaf):
            raise PkiError(
                f"{store.folder.name}: its certificate is of {leaf.issuer.rfc4514_string()}, not of this organization's own "
                f"authority; have it renewed there, and use 'tandem pki install'"
            )
        held = examine.dns_names_and_addresses(leaf)
        store.install(*authority.issue(store.folder.name, held, at=at), store.roots.read_bytes())
        yield Installed(name=store.folder.name, expires_at=store.expires_at())
    if missing := set(names) - {store.folder.name for store in _stores(home)}:
        raise PkiError(f"there is no certificate for {', '.join(sorted(missing))} in {home / 'state' / 'pki'}")
    if not names and (until := _renew_list(home, authority, at)) is not None:
        yield Installed(name="revocation list", expires_at=until)


def revoke_certificate(home: Path, certificate: Path) -> Revoked:
    """Revoke a certificate of the organization's own authority: every server of this home refuses peers that show it.

    Raises:
        PkiError: it is of another authority, or the authority's key is elsewhere.
    """
    at = SystemClock().at()
    authority = _authority(home, at)
    leaf = examine.read_certificates(certificate.read_bytes(), str(certificate))[0]
    if not authority.issued(leaf):
        raise PkiError(f"{certificate} is of {leaf.issuer.rfc4514_string()}, which alone can revoke it")
    _hand_out(home, authority.revoke(home / "state" / "pki" / _AUTHORITY, (leaf.serial_number,), at=at))
    return Revoked(subject=leaf.subject.rfc4514_string(), serial_number=leaf.serial_number)


def _renew_list(home: Path, authority: Authority, at: datetime) -> datetime | None:
    """Renew the authority's revocation list where it is due, for every server; until when it is good if any had another one."""
    made = authority.kept_list(home / "state" / "pki" / _AUTHORITY, at=at)
    return _hand_out(home, made) if made is not None else None


def _hand_out(home: Path, made: bytes) -> datetime | None:
    taken = [store.put_list(made) for store in _stores(home)]
    return examine.read_revocations(made, "the revocation list")[0].next_update_utc if any(taken) else None


def _demand_name(name: str) -> None:
    """Raises :class:`PkiError` for what is neither an FQDN nor an IP address: it becomes a folder's name."""
    with contextlib.suppress(ValueError):
        ip_address(name)
        return
    if not FQDN.holds(name):
        raise PkiError(f"{name!r} cannot be a name in a certificate: expected {FQDN.expected}, or an IP address")


def _authority(home: Path, at: datetime) -> Authority:
    folder = home / "state" / "pki" / _AUTHORITY
    if not (folder / "root.key").exists():
        raise PkiError(f"{folder / 'root.key'} does not exist: only the machine of the authority can do this")
    return Authority.open_or_create(folder, organization="", at=at)


def _stores(home: Path) -> list[CertificateStore]:
    folders = sorted(path.parent for path in (home / "state" / "pki").glob("*/certificate.pem"))
    return [CertificateStore(folder=folder) for folder in folders]


def _is_due(leaf: x509.Certificate, authority: Authority, at: datetime) -> bool:
    return (leaf.not_valid_after_utc - at).days < examine.WARN_DAYS and authority.issued(leaf)


def _held(store: CertificateStore, at: datetime) -> HeldCertificate:
    try:
        leaf = store.leaf()
        problem = store.problem(store.folder.name, (), at=at)
        lists = store.revocations()
    except PkiError as error:
        leaf, problem, lists = None, str(error), []
    return HeldCertificate(
        name=store.folder.name,
        names=tuple(sorted(examine.names(leaf))) if leaf else (),
        issuer=leaf.issuer.rfc4514_string() if leaf else "",
        expires_at=leaf.not_valid_after_utc if leaf else None,
        days_left=(leaf.not_valid_after_utc - at).days if leaf else 0,
        problem=problem,
        revocations_until=min((each.next_update_utc for each in lists if each.next_update_utc), default=None),
        revocations_due=any(examine.list_due(each, at) for each in lists),
    )
