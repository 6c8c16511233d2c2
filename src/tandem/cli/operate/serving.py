"""The life of a server process: ready, certificates renewed under it, draining, end.

SIGHUP takes new certificates at once (changed files are noticed within seconds anyway). SIGTERM and Ctrl-C drain: new calls are
answered 503, those that stand may end within ``drain_s``; a second one ends at once.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable

import click

from tandem.core.clock import SystemClock
from tandem.core.garbage import collect_rarely
from tandem.core.log import event, get_logger
from tandem.ops.operation import Operation
from tandem.pki.errors import PkiError
from tandem.pki.identity import Identity
from tandem.sip.aio.endpoint import Tap
from tandem.wiring import Running

_log = get_logger("serve")
LOOK_S = 5.0
"""Seconds between two looks at the certificate's files."""
Start = Callable[[Tap], Awaitable[Running]]


async def run(start: Start, fqdn: str, operation: Operation, *, drain_s: float) -> None:
    """Serve until a signal ends it."""
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for name in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, signals.put_nowait, name)
    await operation.start()
    running = await start(operation.seen)
    bound = running.bound if operation.bound is None else {**running.bound, "http": operation.bound}
    where = ", ".join(f"{kind} {host}:{port}" for kind, (host, port) in bound.items())
    operation.serves(where, running.server.checks())
    collect_rarely()
    click.echo(f"{fqdn} is ready: {where}")
    tending = asyncio.get_running_loop().create_task(_tend(running.identity))
    while await signals.get() is signal.SIGHUP:
        operation.reloads()
        if running.identity is not None:
            reload(running.identity)
        operation.serves(where, running.server.checks())
    operation.drains("ending", drain_s)
    await _drain(running, signals, drain_s)
    tending.cancel()
    await asyncio.gather(tending, return_exceptions=True)
    await running.server.stop()
    await operation.stop()


async def _drain(running: Running, signals: "asyncio.Queue[signal.Signals]", drain_s: float) -> None:
    running.server.drain()
    waits = [asyncio.ensure_future(running.server.idle()), asyncio.ensure_future(_second(signals))]
    await asyncio.wait(waits, timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


async def _second(signals: "asyncio.Queue[signal.Signals]") -> None:
    while await signals.get() is signal.SIGHUP:
        pass


async def _tend(identity: Identity | None) -> None:
    """Take new files, and warn of a certificate that ends soon, until cancelled."""
    clock = SystemClock()
    while identity is not None:
        if identity.changed():
            reload(identity)
        with contextlib.suppress(PkiError):  # told when it was not taken
            if warning := identity.warning(clock.at()):
                event(_log, logging.WARNING, "serve.certificate_ends", why=warning)
        await asyncio.sleep(LOOK_S)


def reload(identity: Identity) -> None:
    """Take the certificate's files as they are; what cannot be used is told, and the old ones stay in force."""
    try:
        identity.reload()
        event(_log, logging.INFO, "serve.certificate", expires=identity.store.expires_at())
    except PkiError as error:
        event(_log, logging.ERROR, "serve.certificate_not_taken", why=error)
