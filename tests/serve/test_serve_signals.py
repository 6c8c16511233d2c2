"""What signals do to a server process; here they are sent to this one."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tandem.cli.operate import serving
from tandem.ops.notify import ServiceManager
from tandem.ops.operation import Operation, Settings
from tandem.wiring import Running


class Server:
    """Counts how often it reloads, and has no calls."""

    def __init__(self) -> None:
        self.reloaded = 0
        self.drained = asyncio.Event()

    def checks(self) -> dict[str, Any]:
        return {}

    notices = checks

    async def reload(self) -> None:
        self.reloaded += 1
        if self.reloaded == 1:
            raise OSError("the disk is away")

    def drain(self) -> None:
        self.drained.set()

    async def idle(self) -> None:
        await asyncio.sleep(0)

    async def stop(self) -> None:
        assert self.drained.is_set()


@pytest.mark.slow
async def test_many_reloads_asked_for_at_once_are_one_and_one_that_fails_does_not_end_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "RELOAD_S", 0.1)
    monkeypatch.setattr(os, "umask", lambda mode: mode)  # this process has other tests to run
    server = Server()
    started = asyncio.Event()

    async def start(tap: object) -> Running:
        started.set()
        return Running(server=server, bound={})  # type: ignore[arg-type]

    operation = Operation(Settings(), fqdn="x", traces=tmp_path, service_manager=ServiceManager())
    running = asyncio.ensure_future(serving.run(start, "x", operation, drain_s=1.0))
    await started.wait()
    async with asyncio.timeout(10):
        os.kill(os.getpid(), signal.SIGHUP)
        while server.reloaded < 1:
            await asyncio.sleep(0.001)
        begun = asyncio.get_running_loop().time()
        while (elapsed := asyncio.get_running_loop().time() - begun) < 0.4:
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0)
        assert 2 <= server.reloaded <= 2 + elapsed / 0.1
        os.kill(os.getpid(), signal.SIGTERM)
        await running
