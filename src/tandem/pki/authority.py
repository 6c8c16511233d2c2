"""The organization's own certification authority, made on demand, for servers that no other authority serves.

Its key is a file of its own that no server reads. Keys are ECDSA on P-256; certificates are for servers and clients at
once, since in mutual TLS each side is both. Left out: other algorithms.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tandem.core.files import private_folder
from tandem.pki import examine
from tandem.pki.errors import PkiError
from tandem.pki.files import write_whole

_ROOT_YEARS = 20
SERVER_DAYS = 825
"""The longest life that current TLS clients accept of a server's certificate."""
_LIST_DAYS = 365
_LIST = "revoked.pem"
_CLOCK_SKEW = timedelta(hours=1)


class Authority:
    """An authority in a folder: ``root.pem`` (to be trusted), ``root.key`` (mode 600) and maybe ``revoked.pem``."""

    def __init__(self, root: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._root = root
        self._key = key

    @classmethod
    def open_or_create(cls, folder: Path, *, organization: str, at: datetime) -> "Authority":
        """Open the authority, or make it. Raises :class:`PkiError` if only half of it is there."""
        root_file, key_file = folder / "root.pem", folder / "root.key"
        if not key_file.exists():
            if root_file.exists():
                raise PkiError(
                    f"{root_file} is there without {key_file}: restore the key, or remove both to make a new authority"
                )
            private_folder(folder)
            key = ec.generate_private_key(ec.SECP256R1())
            write_whole(key_file, _pem(key), secret=True)
            write_whole(root_file, _root(key, organization, at).public_bytes(serialization.Encoding.PEM))
        loaded = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise PkiError(f"{key_file} holds no ECDSA key")
        if not root_file.exists():
            # A crash came between the two files: the key is good, only its certificate is missing.
            write_whole(root_file, _root(loaded, organization, at).public_bytes(serialization.Encoding.PEM))
        return cls(x509.load_pem_x509_certificate(root_file.read_bytes()), loaded)

    @property
    def root_pem(self) -> bytes:
        """The root certificate, for everyone's trust."""
        return self._root.public_bytes(serialization.Encoding.PEM)

    def issue(self, subject: str, names: tuple[str, ...], *, at: datetime) -> tuple[bytes, bytes]:
        """A certificate and its key (PEM) for a server; ``names`` are every FQDN (or address) that it answers to."""
        self._refuse_wildcards(subject, *names)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])]))
            .issuer_name(self._root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - _CLOCK_SKEW)
            .not_valid_after(at + timedelta(days=SERVER_DAYS))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([_general(n) for n in dict.fromkeys((subject, *names))]), critical=False
            )
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM), _pem(key)

    def issued(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate is one of ours."""
        try:
            certificate.verify_directly_issued_by(self._root)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def revocation_list(self, serials: Iterable[int], *, at: datetime) -> bytes:
        """A revocation list (PEM) of these serial numbers, good for a year."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._root.subject)
            .last_update(at - _CLOCK_SKEW)
            .next_update(at + timedelta(days=_LIST_DAYS))
        )
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def kept_list(self, folder: Path, *, at: datetime) -> bytes | None:
        """The revocation list in the authority's folder, made again where that is due; ``None`` before the first revocation."""
        path = folder / _LIST
        if not path.exists():
            return None
        data = path.read_bytes()
        if any(examine.list_due(each, at) for each in examine.read_revocations(data, str(path))):
            data = self.revoke(folder, (), at=at)
        return data

    def revoke(self, folder: Path, serials: Iterable[int], *, at: datetime) -> bytes:
        """Add serial numbers to the revocation list in the authority's folder, which is good for a year from now on."""
        path = folder / _LIST
        known = examine.read_revocations(path.read_bytes(), str(path)) if path.exists() else []
        made = self.revocation_list(sorted({*serials, *(entry.serial_number for crl in known for entry in crl)}), at=at)
        write_whole(path, made)
        return made

    @staticmethod
    def _refuse_wildcards(*names: str) -> None:
        for name in names:
            if "*" in name:
                raise PkiError(f"{name}: a certificate's name is to be the server's own; no wildcard here")


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _root(key: ec.EllipticCurvePrivateKey, organization: str, at: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{organization} Tandem authority"[:64])])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _CLOCK_SKEW)
        .not_valid_after(at + timedelta(days=365 * _ROOT_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
