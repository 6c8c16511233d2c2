"""A server's certificate, key and trust on disk: ``FOLDER/FQDN/{certificate,key,roots}.pem``, and maybe ``revoked.pem``.

``certificate.pem`` holds the server's certificate and then the authorities between it and a root. ``revoked.pem`` holds a
revocation list of every authority whose certificates peers show; where it is there, who is on it is refused.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tandem.pki import examine
from tandem.pki.errors import PkiError
from tandem.pki.files import write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateStore:
    """The files of one server."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """The server's certificate, and what leads from it to a root."""
        return self.folder / "certificate.pem"

    @property
    def key(self) -> Path:
        """The server's key, mode 600."""
        return self.folder / "key.pem"

    @property
    def roots(self) -> Path:
        """The roots that this server trusts."""
        return self.folder / "roots.pem"

    @property
    def revoked(self) -> Path:
        """Revocation lists, if any are kept here."""
        return self.folder / "revoked.pem"

    def install(self, certificate: bytes, key: bytes, roots: bytes, revoked: bytes | None = None) -> None:
        """Write all; the certificate comes last, so that a crash before leaves what :meth:`problem` tells of."""
        write_whole(self.roots, roots)
        if revoked is not None:
            write_whole(self.revoked, revoked)
        write_whole(self.key, key, secret=True)
        write_whole(self.certificate, certificate)

    def thumbprint(self) -> str:
        """The SHA-1 fingerprint by which Exchange names a certificate, in capitals; empty without one."""
        loaded = self.leaf()
        return loaded.fingerprint(hashes.SHA1()).hex().upper() if loaded else ""  # noqa: S303 - a name, no protection

    def expires_at(self) -> datetime | None:
        """When the certificate expires; ``None`` without one. Raises :class:`PkiError` where it cannot be read."""
        loaded = self.leaf()
        return loaded.not_valid_after_utc if loaded else None

    def problem(self, subject: str, names: tuple[str, ...], *, at: datetime) -> str:
        """Why this is not a good certificate for a server, or an empty string."""
        chain = self.chain()
        if not chain or not self.key.exists() or not self.roots.exists():
            return "there is none"
        roots = examine.read_certificates(_read(self.roots), str(self.roots))
        lists = self.revocations()
        key = _read(self.key)
        return examine.problem(chain, roots, key, (subject, *names), at=at, revocations=lists)

    def chain(self) -> list[x509.Certificate]:
        """The server's certificate and those after it; empty if there is none."""
        if not self.certificate.exists():
            return []
        data = _read(self.certificate)
        try:
            return examine.read_certificates(data, str(self.certificate))
        except PkiError as error:
            raise PkiError(f"{error}; remove it, and apply phase 2 again") from None

    def leaf(self) -> x509.Certificate | None:
        """The server's certificate, or ``None``."""
        return next(iter(self.chain()), None)

    def revocations(self) -> list[x509.CertificateRevocationList]:
        """The revocation lists that are kept here."""
        if not self.revoked.exists():
            return []
        return examine.read_revocations(_read(self.revoked), str(self.revoked))

    def put_list(self, made: bytes) -> bool:
        """Put an authority's revocation list in place of its earlier one, beside those of others; false if it is there."""
        (own,) = examine.read_revocations(made, "a new revocation list")
        held = self.revocations()
        if own in held:
            return False
        others = [each for each in held if each.issuer != own.issuer]
        write_whole(self.revoked, made + b"".join(each.public_bytes(examine.PEM) for each in others))
        return True

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """Changes whenever one of the files does; cheap enough to ask every few seconds."""
        return tuple(_stamp(path) for path in (self.certificate, self.key, self.roots, self.revoked))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PkiError(
            f"{path} cannot be read: {error.strerror}; expected a file in PEM that this account may read"
        ) from None


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        held = os.stat(path)  # noqa: PTH116 - Path.stat is this, and slower
    except OSError:
        return 0, 0, 0
    return held.st_ino, held.st_mtime_ns, held.st_size
