"""The event loop goes on turning while a server waits for the directory or the disk."""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import deployment
from service.servers import page, serving
from tandem import wiring
from tandem.admin.trial.demo import POOL, UM
from tandem.directory.errors import DirectoryUnavailable
from tandem.ops.notify import ServiceManager
from tandem.ops.operation import Operation, Settings
from tandem.wiring import Home, Listen, Running, start_um, start_voice

Start = Callable[[Home, str, Listen], Coroutine[Any, Any, Running]]
DISK = {"open", "os.mkdir", "os.listdir", "os.scandir", "os.rename", "os.remove", "os.chmod", "sqlite3.connect"}


@pytest.mark.parametrize(("start", "fqdn"), [(start_um, UM), (start_voice, POOL)])
async def test_health_is_told_while_a_directory_hangs_at_the_start(
    start: Start, fqdn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, release = threading.Event(), threading.Event()

    def hang(home: Home, account: str) -> None:
        asked.set()
        release.wait(5)
        raise DirectoryUnavailable("gone")

    monkeypatch.setattr(wiring, "connect", hang)
    operation = Operation(Settings(port=0), fqdn=fqdn, traces=tmp_path, service_manager=ServiceManager())
    await operation.start()
    starting = asyncio.ensure_future(start(Home(folder=tmp_path), fqdn, Listen()))
    while not asked.is_set():
        await asyncio.sleep(0)
    status, body = await page(operation, "/healthz")
    assert (status, json.loads(body)["state"]) == (200, "starting")
    assert not starting.done(), "the loop stood still until the directory had answered"
    release.set()
    with pytest.raises(DirectoryUnavailable):
        await starting
    await operation.stop()


@pytest.mark.slow
async def test_servers_start_and_stop_without_the_disk_on_the_loop(deployed_template: Path, tmp_path: Path) -> None:
    folder = deployment.copy(deployed_template, tmp_path / "x")
    loops, watching, seen = threading.get_ident(), True, []

    def hear(name: str, arguments: tuple[object, ...]) -> None:  # a hook cannot be taken away again
        if watching and name in DISK and threading.get_ident() == loops and str(folder) in str(arguments[0]):
            seen.append((name, os.fspath(str(arguments[0]))))

    sys.addaudithook(hear)
    async with serving(folder):
        pass
    watching = False
    assert seen == []
