"""The life of a server process: ready, reload, drain, end.

SIGHUP takes new certificates at once (changed files are noticed within seconds anyway). SIGTERM and Ctrl-C drain: new calls are
answered 503, active calls may end within ``drain_s``; a second one ends at once.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import click

from tandem.core.garbage import collect_rarely
from tandem.core.tasks import cancel, spawn
from tandem.ops.operation import Operation
from tandem.sip.aio.endpoint import Tap
from tandem.wiring import Running

Start = Callable[[Tap], Awaitable[Running]]


async def run(start: Start, fqdn: str, operation: Operation, *, drain_s: float) -> None:
    """Serve until a signal ends it. What the server writes is for its account alone."""
    os.umask(0o077)
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for name in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, signals.put_nowait, name)
    await operation.start()
    running = await start(operation.seen)
    bound = running.bound if operation.bound is None else {**running.bound, "http": operation.bound}
    where = ", ".join(f"{kind} {host}:{port}" for kind, (host, port) in bound.items())
    operation.serves(where, running.server.checks(), running.server.notices())
    collect_rarely()
    click.echo(f"{fqdn} is ready: {where}")
    while await signals.get() is signal.SIGHUP:
        operation.reloads()
        await running.server.reload()
        operation.serves(where, running.server.checks(), running.server.notices())
    operation.drains("ending", drain_s)
    await _drain(running, signals, drain_s)
    await running.server.stop()
    await operation.stop()


async def _drain(running: Running, signals: "asyncio.Queue[signal.Signals]", drain_s: float) -> None:
    running.server.drain()
    waits = spawn(running.server.idle(), name="serve.idle"), spawn(_second(signals), name="serve.second_signal")
    await asyncio.wait(waits, timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
    await cancel(*waits)


async def _second(signals: "asyncio.Queue[signal.Signals]") -> None:
    while await signals.get() is signal.SIGHUP:
        pass
