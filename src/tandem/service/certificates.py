"""Certificates that change under a running server: files are looked at every few seconds, and on request at once."""

import asyncio
import logging
from collections import defaultdict

from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.pki.errors import PkiError
from tandem.pki.identity import Identity
from tandem.service.threads import ThreadPool
from tandem.sip.aio.connections import Connections
from tandem.sip.aio.flow import StreamFlow

_log = get_logger("service")
LOOK_S = 5.0
"""Seconds between two looks at the certificate's files."""


def reload(identity: Identity) -> None:
    """Use the certificate's files as they are now; if they cannot be used, that is logged, and the old ones stay in force.

    Reads the disk: for a thread.
    """
    known = identity.unusable
    try:
        identity.reload()
        event(_log, logging.INFO, "service.certificate", expires=identity.expires_at)
    except PkiError as error:
        if str(error) != known:  # said once, and not at every look
            event(_log, logging.ERROR, "service.certificate_not_taken", why=error)


async def follow(identity: Identity, clock: Clock, disk: ThreadPool, connections: Connections) -> None:
    """Reload files that changed, and warn of a certificate or revocation list that expires soon, until cancelled."""
    lists = identity.lists
    while True:
        await disk.run(look, identity, clock)
        if identity.lists is not lists:
            lists = identity.lists
            await end_revoked(identity, disk, connections)
        await asyncio.sleep(LOOK_S)


async def end_revoked(identity: Identity, disk: ThreadPool, connections: Connections) -> None:
    """End the connections of peers whose certificates have been revoked since their handshakes."""
    held = defaultdict[bytes, list[StreamFlow]](list)
    for flow in connections.flows:
        if certificate := flow.certificate:
            held[certificate].append(flow)
    for certificate in await disk.run(identity.revoked_among, list(held)):
        for flow in held[certificate]:
            event(_log, logging.WARNING, "service.revoked", peer=flow.remote, names=",".join(sorted(flow.peer_names)))
            flow.abort()


def look(identity: Identity, clock: Clock) -> None:
    """Look once: see :func:`follow`. Reads the disk: for a thread."""
    # What could not be used may be usable without a change that its stamp shows: its mode, its owner, a clock.
    if identity.changed() or identity.unusable:
        reload(identity)
    if warning := identity.warning(clock.at()):
        event(_log, logging.WARNING, "service.certificate_ends", why=warning)
