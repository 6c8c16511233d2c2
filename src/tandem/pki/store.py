"""A server's certificate, key and trusted roots on disk: ``FOLDER/FQDN/{certificate,key,roots}.pem``."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization

from tandem.pki.errors import PkiError
from tandem.pki.files import write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateStore:
    """The files of one server."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """The server's certificate."""
        return self.folder / "certificate.pem"

    @property
    def key(self) -> Path:
        """The server's key, mode 600."""
        return self.folder / "key.pem"

    @property
    def roots(self) -> Path:
        """The roots that this server trusts."""
        return self.folder / "roots.pem"

    def install(self, certificate: bytes, key: bytes, roots: bytes) -> None:
        """Write all three; the certificate comes last, so that a crash before leaves what :meth:`problem` tells of."""
        write_whole(self.roots, roots)
        write_whole(self.key, key, secret=True)
        write_whole(self.certificate, certificate)

    def thumbprint(self) -> str:
        """The SHA-1 fingerprint by which Exchange names a certificate, in capitals; empty without one."""
        loaded = self._certificate()
        return loaded.fingerprint(hashes.SHA1()).hex().upper() if loaded else ""  # noqa: S303 - a name, no protection

    def problem(self, subject: str, names: tuple[str, ...], *, at: datetime) -> str:
        """Why this is not a good certificate for a server, or an empty string."""
        loaded = self._certificate()
        if loaded is None or not self.key.exists() or not self.roots.exists():
            return "there is none"
        held = _names(loaded)
        if missing := sorted({subject, *names} - held):
            return f"it is not for {', '.join(missing)}"
        if any("*" in name for name in held):
            return "it has a wildcard name"
        if loaded.not_valid_after_utc <= at:
            return f"it expired on {loaded.not_valid_after_utc:%Y-%m-%d}"
        key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        public = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if key.public_key().public_bytes(*public) != loaded.public_key().public_bytes(*public):
            return "its key is another one's"
        return "" if self._trusted(loaded) else "it is not issued by a root that is trusted here"

    def _trusted(self, certificate: x509.Certificate) -> bool:
        for root in x509.load_pem_x509_certificates(self.roots.read_bytes()):
            try:
                certificate.verify_directly_issued_by(root)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return certificate.subject != certificate.issuer
        return False

    def _certificate(self) -> x509.Certificate | None:
        if not self.certificate.exists():
            return None
        try:
            return x509.load_pem_x509_certificate(self.certificate.read_bytes())
        except ValueError:
            raise PkiError(f"{self.certificate} is no certificate in PEM; remove it, and apply phase 2 again") from None


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return {name.lower() for name in extension.value.get_values_for_type(x509.DNSName)}
