"""Certificates that change under a running server: files are looked at every few seconds, and on request at once."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.pki.errors import PkiError
from tandem.pki.identity import Identity
from tandem.service.threads import ThreadPool

_log = get_logger("service")
LOOK_S = 5.0
"""Seconds between two looks at the certificate's files."""


def reload(identity: Identity) -> None:
    """Use the certificate's files as they are now; if they cannot be used, that is logged, and the old ones stay in force.

    Reads the disk: for a thread.
    """
    try:
        identity.reload()
        event(_log, logging.INFO, "service.certificate", expires=identity.store.expires_at())
    except PkiError as error:
        event(_log, logging.ERROR, "service.certificate_not_taken", why=error)


async def follow(identity: Identity, clock: Clock, disk: ThreadPool) -> None:
    """Reload files that changed, and warn of a certificate that expires soon, until cancelled."""
    while True:
        await disk.run(_look, identity, clock)
        await asyncio.sleep(LOOK_S)


def _look(identity: Identity, clock: Clock) -> None:
    if identity.changed():
        reload(identity)
    with contextlib.suppress(PkiError):  # it was logged when it was not taken
        if warning := identity.warning(clock.at()):
            event(_log, logging.WARNING, "service.certificate_ends", why=warning)


def unexpired(ends_at: Callable[[], datetime | None]) -> Callable[[], str]:
    """A check of a certificate: that there is one, and that it has not expired."""

    def check() -> str:
        at = ends_at()
        if at is None:
            return "there is none"
        left = at - datetime.now(UTC)
        return "" if left > timedelta() else f"it expired on {at:%Y-%m-%d}"

    return check
