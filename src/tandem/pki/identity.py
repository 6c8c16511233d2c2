"""What a running server shows and whom it trusts: the TLS contexts in force, made again when the files change.

New handshakes take the new contexts; open connections go on, but for those of peers that have been revoked. Files that cannot
be used leave what was in force, and are tried again at each look until they can. Left out: files on network shares whose
clocks go backwards.
"""

import ssl
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from cryptography import x509

from tandem.pki import counts, examine
from tandem.pki.errors import PkiError
from tandem.pki.store import CertificateStore
from tandem.pki.tls import client_context, server_context


class Identity:
    """The contexts of one server. Raises :class:`tandem.pki.errors.PkiError` where its files cannot be used.

    ``unusable`` says why the files as they are now are not in force; it is empty if they are.
    """

    def __init__(self, store: CertificateStore, *, require_client: bool) -> None:
        self.store = store
        self.unusable = ""
        self._require_client = require_client
        self._warned_on: date | None = None
        self._expires_at: datetime | None = None
        self._lists: Sequence[x509.CertificateRevocationList] = ()
        self.reload()
        counts.expires_at.source = lambda: _seconds(self._expires_at)
        counts.lists_expire_at.source = lambda: _seconds(self._lists_expire_at)

    def server(self) -> ssl.SSLContext:
        """For connections that come in now."""
        return self._server

    def client(self) -> ssl.SSLContext:
        """For connections that are opened now."""
        return self._client

    @property
    def expires_at(self) -> datetime | None:
        """When the certificate in force expires."""
        return self._expires_at

    def reload(self) -> None:
        """Take the files as they are now. Raises :class:`tandem.pki.errors.PkiError`; what was in force stays then."""
        self._stamp = self.store.stamp()
        try:
            server = server_context(self.store, require_client=self._require_client)
            client = client_context(self.store)
            expires_at, lists = self.store.expires_at(), self.store.revocations()
        except PkiError as error:
            self.unusable = str(error)
            raise
        self._server, self._client, self._expires_at, self._lists = server, client, expires_at, lists
        self.unusable = ""

    def revoked_among(self, certificates: Iterable[bytes]) -> list[bytes]:
        """Those of these certificates (DER) that a revocation list in force names. Takes time: for a thread."""
        return [each for each in certificates if examine.is_revoked(x509.load_der_x509_certificate(each), self._lists)]

    @property
    def lists(self) -> Sequence[x509.CertificateRevocationList]:
        """The revocation lists in force; others after each reload."""
        return self._lists

    def changed(self) -> bool:
        """Whether a file is another one than when :meth:`reload` was last called."""
        return self.store.stamp() != self._stamp

    def problem(self, at: datetime) -> str:
        """Why peers are refused now, or will be once this server starts again; an empty text otherwise."""
        if self._expires_at is None:
            return "there is none"
        if self._expires_at <= at:
            return f"it expired on {self._expires_at:%Y-%m-%d}"
        if self._lists_expire_at is not None and self._lists_expire_at <= at:
            return f"a revocation list in {self.store.revoked} expired on {self._lists_expire_at:%Y-%m-%d}: peers are refused"
        if self.unusable:
            return f"{self.unusable} (what was read before stays in force)"
        return ""

    def warning(self, at: datetime) -> str:
        """What to warn of today, once a day; an empty text otherwise."""
        if self._warned_on == at.date():
            return ""
        found = []
        if self._expires_at is not None and self._expires_at - at <= timedelta(days=examine.WARN_DAYS):
            when = f"{self._expires_at:%Y-%m-%d %H:%M} UTC"
            found.append(
                f"the certificate in {self.store.folder} expires on {when}; 'tandem pki renew' or 'install' replaces it"
            )
        if due := [crl.next_update_utc for crl in self._lists if crl.next_update_utc and examine.list_due(crl, at)]:
            found.append(
                f"a revocation list in {self.store.revoked} expires on {min(due):%Y-%m-%d %H:%M} UTC, and peers are refused "
                "from then on; 'tandem pki renew --due' renews the own authority's, 'tandem pki install --crl' takes others"
            )
        if found:
            self._warned_on = at.date()
        return "; ".join(found)

    @property
    def _lists_expire_at(self) -> datetime | None:
        return min((crl.next_update_utc for crl in self._lists if crl.next_update_utc), default=None)


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0
