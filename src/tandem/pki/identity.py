"""What a running server shows and whom it trusts: the TLS contexts in force, made again when the files change.

New handshakes take the new contexts; connections that stand are not touched. Files that cannot be used leave what was in
force. Left out: files on network shares whose clocks go backwards.
"""

import ssl
from datetime import datetime, timedelta

from tandem.pki import counts
from tandem.pki.store import CertificateStore
from tandem.pki.tls import client_context, server_context

WARN_DAYS = 30
"""From so many days before a certificate expires it is warned of, once a day."""


class Identity:
    """The contexts of one server. Raises :class:`tandem.pki.errors.PkiError` where its files cannot be used."""

    def __init__(self, store: CertificateStore, *, require_client: bool) -> None:
        self.store = store
        self._require_client = require_client
        self._warned_on: object = None
        self.reload()
        counts.expires_at.source = self._expiry_s

    def _expiry_s(self) -> float:
        at = self.store.expires_at()
        return at.timestamp() if at else 0.0

    def server(self) -> ssl.SSLContext:
        """For connections that come in now."""
        return self._server

    def client(self) -> ssl.SSLContext:
        """For connections that are opened now."""
        return self._client

    def reload(self) -> None:
        """Take the files as they are now. Raises :class:`tandem.pki.errors.PkiError`; what was in force stays then."""
        self._stamp = self.store.stamp()
        server = server_context(self.store, require_client=self._require_client)
        client = client_context(self.store)
        self._server, self._client = server, client

    def changed(self) -> bool:
        """Whether a file is another one than when :meth:`reload` was last called."""
        return self.store.stamp() != self._stamp

    def warning(self, at: datetime) -> str:
        """What to warn of today, once a day; an empty text otherwise."""
        expires_at = self.store.expires_at()
        if self._warned_on == at.date() or expires_at is None or expires_at - at > timedelta(days=WARN_DAYS):
            return ""
        self._warned_on = at.date()
        when = f"{expires_at:%Y-%m-%d %H:%M} UTC"
        return f"the certificate in {self.store.folder} expires on {when}; 'tandem pki renew' or 'install' replaces it"
