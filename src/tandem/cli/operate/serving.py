"""The life of a server process: ready, reload, drain, end.

SIGHUP takes new certificates at once (changed files are noticed within seconds anyway); many of them are one a second.
SIGTERM and Ctrl-C drain: new calls are answered 503, active calls may end within ``drain_s``; a second one ends at once.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import click

from tandem.core.garbage import collect_rarely
from tandem.core.memory import give_back_memory
from tandem.core.tasks import Supervisor, cancel, spawn
from tandem.ops.operation import Operation
from tandem.sip.aio.endpoint import Tap
from tandem.wiring import Running

Start = Callable[[Tap], Awaitable[Running]]
RELOAD_S = 1.0
"""Seconds from one reload to the next at least, however often it is asked for."""


async def run(start: Start, fqdn: str, operation: Operation, *, drain_s: float) -> None:
    """Serve until a signal ends it. What the server writes is for its account alone."""
    os.umask(0o077)
    give_back_memory()
    loop, reload, ends = asyncio.get_running_loop(), asyncio.Event(), asyncio.Queue[signal.Signals]()
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ends.put_nowait, name)
    await operation.start()
    running = await start(operation.seen)
    bound = running.bound if operation.bound is None else {**running.bound, "http": operation.bound}
    where = ", ".join(f"{kind} {host}:{port}" for kind, (host, port) in bound.items())
    operation.serves(where, running.server.checks(), running.server.notices())
    collect_rarely()
    click.echo(f"{fqdn} is ready: {where}")
    reloading = Supervisor(first_delay_s=RELOAD_S)
    reloading.supervise("serve.reload", lambda: _reload(running, operation, where, reload))
    await ends.get()
    await reloading.stop()
    operation.drains("ending", drain_s)
    await _drain(running, ends, drain_s)
    await running.server.stop()
    await operation.stop()


async def _reload(running: Running, operation: Operation, where: str, wanted: asyncio.Event) -> None:
    """Reload whenever it is wanted, until cancelled."""
    while True:
        await wanted.wait()
        wanted.clear()
        operation.reloads()
        await running.server.reload()
        operation.serves(where, running.server.checks(), running.server.notices())
        await asyncio.sleep(RELOAD_S)


async def _drain(running: Running, ends: "asyncio.Queue[signal.Signals]", drain_s: float) -> None:
    """Wait until no call is left, for ``drain_s`` at most, or until the next signal that ends."""
    running.server.drain()
    waits = spawn(running.server.idle(), name="serve.idle"), spawn(ends.get(), name="serve.second_signal")
    await asyncio.wait(waits, timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
    await cancel(*waits)
