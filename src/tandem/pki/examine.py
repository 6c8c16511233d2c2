"""Certificates from anywhere, examined before they are used: names, dates, key, chain, purpose, revocation.

Every finding is one sentence that says what was found and what was expected. Names are those of RFC 5922 §7.1.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tandem.pki.errors import PkiError

_LONGEST_CHAIN = 8
LEAST_RSA_BITS = 2_048
PEM = serialization.Encoding.PEM
_PUBLIC = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
_PURPOSES = {ExtendedKeyUsageOID.SERVER_AUTH: "server", ExtendedKeyUsageOID.CLIENT_AUTH: "client"}


def read_certificates(data: bytes, what: str) -> list[x509.Certificate]:
    """Every certificate of a PEM text, in its order. Raises :class:`PkiError`."""
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise PkiError(f"{what} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)") from None


def read_revocations(data: bytes, what: str) -> list[x509.CertificateRevocationList]:
    """Every revocation list of a PEM text. Raises :class:`PkiError`."""
    end = b"-----END X509 CRL-----"
    parts = [part + end for part in data.split(end)[:-1]]
    try:
        found = [x509.load_pem_x509_crl(part[part.index(b"-----BEGIN X509 CRL-----") :]) for part in parts]
    except ValueError:
        found = []
    if not found:
        raise PkiError(f"{what} holds no revocation list in PEM (-----BEGIN X509 CRL-----)")
    return found


WARN_DAYS = 30
"""From so many days before a certificate or a revocation list expires it is due: renewed, and warned of once a day."""


def list_due(crl: x509.CertificateRevocationList, at: datetime) -> bool:
    """Whether a revocation list is to be renewed: 30 days before it expires, or a third of its life where that is shorter."""
    ends_at = crl.next_update_utc
    if ends_at is None:
        return False
    return ends_at - at <= min(timedelta(days=WARN_DAYS), (ends_at - crl.last_update_utc) / 3)


def names(certificate: x509.Certificate) -> frozenset[str]:
    """The SIP domains that a certificate is for (RFC 5922 §7.1), in lower case; wildcards are among them as they stand."""
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return frozenset(str(name.value).lower() for name in common)
    return sip_identities(
        alternative.get_values_for_type(x509.UniformResourceIdentifier),
        alternative.get_values_for_type(x509.DNSName),
    )


def dns_names_and_addresses(certificate: x509.Certificate) -> tuple[str, ...]:
    """Every DNS name and IP address that a certificate is for, in its order."""
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in alternative if isinstance(name, x509.DNSName | x509.IPAddress))


def sip_identities(uris: Iterable[str], dns: Iterable[str]) -> frozenset[str]:
    """The names that count: ``sip:domain`` URIs without a user, and where there is none of them, DNS names."""
    domains = [uri.partition(":")[2] for uri in uris if uri.lower().startswith("sip:") and "@" not in uri]
    found = [domain.partition(";")[0].partition("?")[0] for domain in domains] or list(dns)
    return frozenset(name.lower() for name in found)


def problem(
    chain: Sequence[x509.Certificate],
    roots: Iterable[x509.Certificate],
    key: bytes,
    wanted: Iterable[str],
    *,
    at: datetime,
    revocations: Iterable[x509.CertificateRevocationList] = (),
) -> str:
    """Why a chain (the server's certificate first) is not good for a server of these names, or an empty string."""
    leaf = chain[0]
    held = names(leaf)
    lists = tuple(revocations)
    return (
        _names_problem(held, {name.lower() for name in wanted})
        or _dates_problem(leaf, at)
        or _purpose_problem(leaf)
        or _key_problem(leaf, key)
        or _chain_problem(chain, tuple(roots), at)
        or next((each for each in (_list_problem(crl, leaf, at) for crl in lists) if each), "")
    )


def _names_problem(held: frozenset[str], wanted: set[str]) -> str:
    if missing := sorted(wanted - held):
        return f"it is not for {', '.join(missing)}"
    return "it has a wildcard name" if any("*" in name for name in held) else ""


def _dates_problem(certificate: x509.Certificate, at: datetime) -> str:
    if certificate.not_valid_after_utc <= at:
        return f"it expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if certificate.not_valid_before_utc > at:
        return f"it is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on"
    return ""


def _purpose_problem(certificate: x509.Certificate) -> str:
    """In mutual TLS each server is a client too, so it needs both purposes, where the certificate states any."""
    try:
        stated = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ""
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in stated:
        return ""
    missing = [name for purpose, name in _PURPOSES.items() if purpose not in stated]
    return f"its extended key usage is not for a TLS {' and '.join(missing)}" if missing else ""


def _key_problem(certificate: x509.Certificate, data: bytes) -> str:
    try:
        key = serialization.load_pem_private_key(data, None)
    except TypeError:
        return "its key is encrypted with a passphrase, which a server that starts alone cannot enter"
    except (ValueError, UnsupportedAlgorithm):
        return "its key is not a private key in PEM"
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return "its key is neither RSA nor ECDSA"
    if key.public_key().public_bytes(*_PUBLIC) != certificate.public_key().public_bytes(*_PUBLIC):
        return "its key is another one's"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_RSA_BITS:
        return f"its RSA key has {key.key_size} bits; at least {LEAST_RSA_BITS} are needed"
    return ""


def _chain_problem(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime) -> str:
    certificate = chain[0]
    if certificate.subject == certificate.issuer:
        return "it is not issued by a root that is trusted here (it is self-signed)"
    for _ in range(_LONGEST_CHAIN):
        if issuer := _issuer_of(certificate, roots):
            return _dates_problem(issuer, at) and f"its root {_name(issuer)}: {_dates_problem(issuer, at)}"
        issuer = _issuer_of(certificate, chain[1:])
        if issuer is None:
            return f"it is not issued by a root that is trusted here (no certificate of {certificate.issuer.rfc4514_string()})"
        if why := _dates_problem(issuer, at) or _authority_problem(issuer):
            return f"{_name(issuer)}, which issued it: {why}"
        certificate = issuer
    return f"its chain has more than {_LONGEST_CHAIN} certificates"


def _issuer_of(certificate: x509.Certificate, among: Iterable[x509.Certificate]) -> x509.Certificate | None:
    for candidate in among:
        try:
            certificate.verify_directly_issued_by(candidate)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return candidate
    return None


def _authority_problem(certificate: x509.Certificate) -> str:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return "it is no authority"
    return "" if constraints.ca else "it is no authority"


def _list_problem(crl: x509.CertificateRevocationList, leaf: x509.Certificate, at: datetime) -> str:
    if crl.next_update_utc is not None and crl.next_update_utc <= at:
        return (
            f"the revocation list of {crl.issuer.rfc4514_string()} was to be renewed by {crl.next_update_utc:%Y-%m-%d}"
        )
    return "it is revoked" if is_revoked(leaf, (crl,)) else ""


def is_revoked(certificate: x509.Certificate, lists: Iterable[x509.CertificateRevocationList]) -> bool:
    """Whether a revocation list of its issuer names a certificate."""
    serial = certificate.serial_number
    own = (crl for crl in lists if crl.issuer == certificate.issuer)
    return any(crl.get_revoked_certificate_by_serial_number(serial) is not None for crl in own)


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()
