"""TLS contexts: version 1.2 or later, only the configured roots, names checked (RFC 5922), revoked peers refused.

A server's context either demands a certificate of its clients (UM: every peer is a server) or takes one if there is one
(voice: phones have none). A peer that shows one must show a valid one.
"""

import ssl
from pathlib import Path
from typing import Any

from tandem.pki.errors import PkiError
from tandem.pki.examine import sip_identities
from tandem.pki.store import CertificateStore


def server_context(store: CertificateStore, *, require_client: bool) -> ssl.SSLContext:
    """For listening."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _secure(context, store)
    context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL
    return context


def client_context(store: CertificateStore) -> ssl.SSLContext:
    """For connecting as a server that shows its own certificate; the peer's name is checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _secure(context, store)
    return context


def phone_tls_context(roots: Path) -> ssl.SSLContext:
    """For connecting without a certificate of one's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _minimum(context)
    _load(context, roots, "root certificates")
    return context


def peer_names(tls: ssl.SSLObject) -> frozenset[str]:
    """The SIP domains of the peer's verified certificate, in lower case; none without a certificate.

    RFC 5922 §7.1: ``sip:`` URIs of subjectAltName, or its DNS names; the common name counts only where that is missing.
    §7.2: a wildcard is no name of a SIP server.
    """
    certificate = tls.getpeercert()
    if not certificate:
        return frozenset()
    alternatives: Any = certificate.get("subjectAltName", ())
    if alternatives:
        uris = [str(value) for kind, value in alternatives if kind == "URI"]
        names = sip_identities(uris, [str(value) for kind, value in alternatives if kind == "DNS"])
    else:
        subject: Any = certificate.get("subject", ())
        names = frozenset(str(value).lower() for group in subject for kind, value in group if kind == "commonName")
    return frozenset(name for name in names if "*" not in name)


def _secure(context: ssl.SSLContext, store: CertificateStore) -> None:
    _minimum(context)
    try:
        context.load_cert_chain(store.certificate, store.key, password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise PkiError(f"{store.folder}: certificate and key cannot be used ({error}); apply phase 2 for it") from None
    _load(context, store.roots, "root certificates")
    if store.revoked.exists():
        _load(context, store.revoked, "revocation lists")
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _no_password() -> str:
    """Without this OpenSSL would ask the terminal for the passphrase of an encrypted key."""
    raise ValueError("the key is encrypted")


def _minimum(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2


def _load(context: ssl.SSLContext, path: Path, what: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise PkiError(f"{path} holds no {what} that can be used: {error}") from None
