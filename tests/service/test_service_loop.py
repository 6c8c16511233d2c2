"""The event loop goes on turning while a server waits for the directory or the disk."""

import asyncio
import json
import logging
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
from tandem.directory.dn import DN
from tandem.directory.errors import DirectoryUnavailable
from tandem.directory.port import Changes, Entry
from tandem.ops.notify import ServiceManager
from tandem.ops.operation import Operation, Settings
from tandem.service.following import Following, ServerDirectory
from tandem.service.threads import Threads
from tandem.testing.clock import ManualClock
from tandem.um.config import UmDirectory
from tandem.voice.config import VoiceDirectory
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


class Users:
    """A directory that tells first of 20,000 users, then of one who has changed, then of all of them again."""

    account = "server"
    identity = DN.parse("CN=server,CN=Computers,DC=example,DC=com")
    many = 20_000

    def __init__(self) -> None:
        people = tuple(self.user(number) for number in range(self.many))
        every = {DN.parse("DC=example,DC=com").path: frozenset(each.uid for each in people)}
        changed = self.user(7, "Changed")
        again = Changes(entries=(*people[:7], changed, *people[8:]), present=every)
        self._told = iter([Changes(entries=people, present=every), Changes(entries=(changed,)), again])

    @staticmethod
    def user(number: int, name: str = "") -> Entry:
        """One of them."""
        attributes = {
            "objectclass": ("top", "user"),
            "samaccountname": (f"user{number}",),
            "displayname": (name or f"User {number}",),
            "mail": (f"user{number}@example.com",),
            "msrtcsip-primaryuseraddress": (f"sip:user{number}@example.com",),
            "msrtcsip-userenabled": ("TRUE",),
            "msrtcsip-line": (f"tel:+1425{number:07d}",),
            "proxyaddresses": (f"eum:user{number}@example.com;phone-context=Main.example.com",),
            "msexchumenabledflags": ("829",),
        }
        return Entry(dn=DN.parse(f"CN=user{number},DC=example,DC=com"), uid=str(number), attributes=attributes)

    def search(self, *_: object) -> list[Entry]:
        """There are no trusts."""
        return []

    def follow(self, _: object) -> "Users":
        return self

    def poll(self) -> Changes | None:
        return next(self._told)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [UmDirectory, VoiceDirectory])
async def test_following_20_000_users_is_no_work_for_the_loop(kind: Callable[..., ServerDirectory[Any]]) -> None:
    session, threads, calls = Users(), Threads("test"), 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    followed = Following(
        kind(lambda: session, "server", "example.com"),
        clock=ManualClock(),
        pool=threads.directory,
        log=logging.getLogger("tandem.test"),
        room="test",
        took=lambda config: None,
    )
    for _ in range(3):
        calls = 0
        sys.setprofile(count)  # counts what this thread calls, which is the loop's
        try:
            await followed.look()
        finally:
            sys.setprofile(None)
        assert calls < 2_000, "work that grows with the users was done on the loop"
        assert len(followed.config.users) == Users.many
    threads.close()


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
