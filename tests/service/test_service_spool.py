"""A UM server whose spool or mailboxes take nothing: what its callers, its operator and the mailboxes get."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

import deployment
from service.servers import RawPeer, Servers, operated, page, serving
from tandem.admin.trial.demo import CALLED, CALLER, UM
from tandem.call.errors import CallFailed
from tandem.mail.port import MessageKind
from tandem.mail.spoolfiles import SpoolFiles
from tandem.sip.message.message import Headers, Request
from tandem.um import beginning, counts
from tandem.wiring import Home, Listen, start_um

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(deployed_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    folder = deployment.copy(deployed_template, tmp_path_factory.mktemp("spool") / "x")
    async with serving(folder) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def peer(servers: Servers) -> AsyncIterator[RawPeer]:
    made = await RawPeer.connect(servers, UM)
    yield made
    await made.close()


_number = 0


def request(servers: Servers, method: str) -> bytes:
    """A request of the pool: an INVITE that was diverted from Alice's phone, or OPTIONS."""
    global _number
    _number += 1
    plan = next(each for each in servers.um.config.dial_plans.values() if each.uri_type == "SipName")
    made = Request(method=method, uri=f"sip:{plan.name}@{UM};transport=tls", headers=Headers())
    for name, value in (
        ("Via", f"SIP/2.0/TLS pool1.example.com:5061;branch=z9hG4bKspool{_number};rport"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:{CALLER}>;tag=1"),
        ("To", f"<sip:{CALLED}>"),
        ("Call-ID", f"spool-{_number}"),
        ("CSeq", f"1 {method}"),
        ("Contact", "<sip:pool1.example.com;transport=tls>"),
        ("Diversion", f"<sip:{CALLED}>;reason=no-answer"),
    ):
        made.headers.add(name, value)
    return made.to_bytes()


async def final(peer: RawPeer) -> tuple[int, str]:
    while True:
        status, _, head = await peer.response()
        if status >= 200:
            return status, head


def spool_folder(servers: Servers) -> Path:
    return servers.folder / "state" / "spool" / UM


async def probed(servers: Servers) -> str:
    """The spool looks at its disk now, and not in two seconds."""
    await asyncio.to_thread(servers.um._spool._disk.probe)  # type: ignore[attr-defined]
    return str(servers.um.checks()["spool"]())


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await true():
            await asyncio.sleep(0.05)


async def mails(servers: Servers) -> list[MessageKind]:
    infos = await servers.um._mwi._store.mailbox(CALLED).list()  # type: ignore[attr-defined]
    return [info.kind for info in infos if info.kind is not MessageKind.OTHER]


async def test_no_call_is_answered_while_the_spool_takes_nothing_and_calls_are_again_when_it_does(
    servers: Servers, peer: RawPeer, tmp_path: Path
) -> None:
    folder, before = spool_folder(servers), len(await mails(servers))
    away = folder.rename(folder.with_name("away"))
    async with operated(servers.um, tmp_path) as operation:
        for _ in range(2):  # the first one finds out, the second one is told so
            peer.write(request(servers, "INVITE"))
            status, head = await final(peer)
            assert status == 503 and "Retry-After:" in head
        peer.write(request(servers, "OPTIONS"))
        assert (await final(peer))[0] == 503
        status, body = await page(operation, "/readyz")
        assert status == 503 and "No such file" in json.loads(body)["checks"]["spool"]
        away.rename(folder)
        assert await probed(servers) == ""
        assert (await page(operation, "/readyz"))[0] == 200
    peer.write(request(servers, "OPTIONS"))
    assert (await final(peer))[0] == 200
    assert len(await mails(servers)) == before and not list(folder.iterdir())
    async with servers.phones() as (_, bob):
        await bob.register()
        await (await bob.call("4101")).hang_up()


async def test_a_caller_is_refused_by_the_voice_server_too_and_hears_no_greeting(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with servers.phones() as (_, bob):
        await bob.register()
        with monkeypatch.context() as full:
            full.setattr(SpoolFiles, "begin", _full)
            async with asyncio.timeout(15):
                with pytest.raises(CallFailed, match=r"^(480|503)"):
                    await bob.dial("4101").answered()
        assert await probed(servers) == ""
        await (await bob.call("4101")).hang_up()


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def test_a_disk_that_hangs_refuses_the_call_and_keeps_nothing_of_it(
    servers: Servers, peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begin, done = threading.Event(), SpoolFiles.begin, threading.Event()

    def hang(self: SpoolFiles, envelope: object) -> Path:
        go_on.wait(10)
        try:
            return begin(self, envelope)  # type: ignore[arg-type]
        finally:
            done.set()

    with monkeypatch.context() as slow:
        slow.setattr(SpoolFiles, "begin", hang)
        slow.setattr(beginning, "BEGIN_S", 0.1)
        peer.write(request(servers, "INVITE"))
        status, head = await final(peer)
        assert status == 503 and "Retry-After:" in head
        go_on.set()
        await asyncio.to_thread(done.wait, 10)
    async with asyncio.timeout(10):
        while list(spool_folder(servers).iterdir()):
            await asyncio.sleep(0.02)


async def test_a_call_that_is_given_up_before_the_answer_leaves_nothing(servers: Servers, peer: RawPeer) -> None:
    before = len(await mails(servers))
    body = request(servers, "INVITE").replace(
        b"Content-Length: 0\r\n\r\n", b"Content-Type: application/sdp\r\nContent-Length: 3\r\n\r\nv=x"
    )
    peer.write(body)
    assert (await final(peer))[0] in (400, 488)
    async with asyncio.timeout(10):
        while list(spool_folder(servers).iterdir()):
            await asyncio.sleep(0.02)
    assert len(await mails(servers)) == before


async def test_a_bad_mailbox_is_named_and_keeps_no_call_away(servers: Servers, tmp_path: Path) -> None:
    box = servers.folder / "state" / "mail" / CALLED
    away = box.rename(box.with_name("away")) if box.exists() else None
    box.write_text("a file in the folder's place")
    async with operated(servers.um, tmp_path) as operation, servers.phones() as (_, bob):
        await bob.register()
        kept = counts.no_message.value + counts.message.value
        await (await bob.call("4101")).hang_up()

        async def named() -> bool:
            status, body = await page(operation, "/readyz")
            assert status == 200
            return f"mailbox {CALLED}" in json.loads(body).get("notices", {}).get("delivery", "")

        await until(named)
        assert counts.no_message.value + counts.message.value == kept + 1
        box.unlink()
        if away is not None:
            away.rename(box)

        async def over() -> bool:
            return "delivery" not in json.loads((await page(operation, "/readyz"))[1]).get("notices", {})

        await until(over)
        assert not list(spool_folder(servers).iterdir())


async def test_another_um_server_of_the_dial_plans_that_has_no_part_in_this_home_is_named(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "um2.example.com"
    monkeypatch.setattr(servers.um.following, "config", replace(servers.um.config, partners=(other,)))
    async with operated(servers.um, tmp_path) as operation:
        status, body = await page(operation, "/readyz")
        assert (
            status == 200
            and f"{other} answers calls of the same dial plans" in json.loads(body)["notices"]["mailboxes"]
        )
        spool_folder(servers).with_name(other).mkdir()
        assert "notices" not in json.loads((await page(operation, "/readyz"))[1])


async def test_a_server_that_drains_delivers_what_was_recorded_before_it_is_idle(
    deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(deployed) as servers:
        slow = asyncio.Event()
        deliver = servers.um._delivery._deliver  # type: ignore[attr-defined]

        async def later(message: object) -> None:
            await slow.wait()
            await deliver(message)

        monkeypatch.setattr(servers.um._delivery, "_deliver", later)  # type: ignore[attr-defined]
        before = len(await mails(servers))
        async with servers.phones() as (_, bob):
            await bob.register()
            await (await bob.call("4101")).hang_up()
        servers.um.drain()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(servers.um.idle(), 1)
        slow.set()
        await asyncio.wait_for(servers.um.idle(), 10)
        assert len(await mails(servers)) == before + 1 and not list(spool_folder(servers).iterdir())


async def test_a_server_that_starts_delivers_what_the_last_one_left_and_a_spool_that_is_no_folder_ends_no_start(
    deployed: Path,
) -> None:
    folder = deployed / "state" / "spool" / UM
    with contextlib.suppress(FileNotFoundError):
        folder.rmdir()
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file in the folder's place")
    listen = Listen(ports={"tls": 0, "tcp": 0, "udp": 0}, media_workers=1)
    running = await start_um(Home(folder=deployed), UM, listen)
    assert running.server.checks()["spool"]() != ""
    folder.unlink()
    await asyncio.to_thread(running.server._spool._disk.probe)  # type: ignore[attr-defined]
    assert running.server.checks()["spool"]() == ""
    await running.server.stop()
