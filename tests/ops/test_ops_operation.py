import asyncio
import contextlib
import importlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tandem.core.counters import families
from tandem.ops.errors import OpsError
from tandem.ops.notify import ServiceManager
from tandem.ops.operation import Operation, Settings
from tandem.ops.trace.ring import read
from tandem.sip import counts


@dataclass
class Way:
    transport: str = "udp"
    local: tuple[str, int] = ("127.0.0.1", 5060)
    remote: tuple[str, int] = ("127.0.0.2", 5070)


@contextlib.asynccontextmanager
async def operated(
    folder: Path, service_manager: ServiceManager | None = None, **chosen: object
) -> AsyncIterator[Operation]:
    settings = Settings(port=0, **chosen)  # type: ignore[arg-type]
    operation = Operation(
        settings, fqdn="um1.example.com", traces=folder, service_manager=service_manager or ServiceManager()
    )
    await operation.start()
    yield operation
    await operation.stop()


async def page(operation: Operation, path: str) -> tuple[int, bytes]:
    assert operation.bound is not None
    reader, writer = await asyncio.open_connection(*operation.bound)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


async def test_ready_is_said_only_while_calls_are_taken_and_all_is_well(tmp_path: Path) -> None:
    wrong = ""
    async with operated(tmp_path) as operation:
        seen = []

        async def look() -> None:
            status, body = await page(operation, "/readyz")
            facts = json.loads(body)
            seen.append((status, facts["ready"], facts["state"], facts["checks"]))
            assert (await page(operation, "/healthz"))[0] == 200

        await look()
        operation.serves("serves", {"spool": lambda: wrong})
        await look()
        wrong = "no room"
        await look()
        wrong = ""
        operation.drains("2 calls end", 30.0)
        await look()
    assert seen == [
        (503, False, "starting", {}),
        (200, True, "serving", {"spool": "ok"}),
        (503, False, "serving", {"spool": "no room"}),
        (503, False, "draining", {"spool": "ok"}),
    ]


async def test_a_check_that_hangs_holds_up_no_other_page(tmp_path: Path) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with operated(tmp_path) as operation:

        def hangs() -> str:
            return asyncio.run_coroutine_threadsafe(release.wait(), loop).result(10) and ""

        operation.serves("serves", {"disk": hangs})
        waiting = asyncio.create_task(page(operation, "/readyz"))
        await asyncio.sleep(0.05)
        assert (await page(operation, "/healthz"))[0] == 200
        assert not waiting.done()
        release.set()
        assert (await waiting)[0] == 200


async def test_systemd_hears_the_whole_life(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        async with operated(tmp_path, ServiceManager(address=str(tmp_path / "notify"), watchdog_s=60.0)) as operation:
            await asyncio.sleep(0)
            operation.serves("takes calls", {})
            operation.reloads()
            operation.serves("takes calls", {})
            operation.drains("ends", 5.0)
        words = [manager.recv(4096).decode().partition("\n")[0] for _ in range(5)]
    assert words == ["WATCHDOG=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]


async def test_messages_are_counted_traced_and_sent_to_the_collector(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as homer:
        homer.bind(("127.0.0.1", 0))
        homer.settimeout(5)
        before = counts.requests.of("in", "INVITE").value, counts.responses.of("out", "4xx").value
        async with operated(tmp_path, trace_bytes=1 << 20, collector=homer.getsockname()) as operation:
            operation.seen("in", b"INVITE sip:x SIP/2.0\r\nCall-ID: c\r\n\r\nk=clear:secret\r\n", Way())
            operation.seen("out", b"SIP/2.0 404 Not Found\r\nCall-ID: c\r\n\r\n", Way())
        sent = [homer.recv(65_535), homer.recv(65_535)]
    assert (counts.requests.of("in", "INVITE").value, counts.responses.of("out", "4xx").value) == (
        before[0] + 1,
        before[1] + 1,
    )
    kept = list(read(tmp_path))
    assert [(each.sent, each.server) for each in kept] == [(False, "um1.example.com"), (True, "um1.example.com")]
    assert all(each.data in datagram for each, datagram in zip(kept, sent, strict=True))
    assert b"secret" not in sent[0] + kept[0].data


async def test_without_a_trace_nothing_is_on_disk(tmp_path: Path) -> None:
    async with operated(tmp_path) as operation:
        operation.seen("in", b"INVITE sip:x SIP/2.0\r\n\r\n", Way())
    assert not list(read(tmp_path)) and not (tmp_path / "um1.example.com").exists()


async def test_a_collector_that_is_unknown_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="expected the address of a HEP collector"):
        Operation(
            Settings(collector=("nowhere.invalid", 9060)), fqdn="x", traces=tmp_path, service_manager=ServiceManager()
        )


@pytest.mark.parametrize(
    "data", [b"", b"SIP/2.0 ", b"SIP/2.0 999", b"\0" * 70_000, b"invite x", *(b"M%d x" % n for n in range(99))]
)
def test_what_is_no_known_message_counts_as_other_and_makes_no_counter(data: bytes) -> None:
    members = len(counts.requests.members), len(counts.responses.members)
    counts.message("in", data)
    assert (len(counts.requests.members), len(counts.responses.members)) == members


async def test_every_name_and_help_is_as_prometheus_wants_it(tmp_path: Path) -> None:
    importlib.import_module("tandem.wiring")  # every room that counts
    async with operated(tmp_path) as operation:
        status, body = await page(operation, "/metrics")
    assert status == 200
    ours = [family for family in families() if not family.name.startswith("tandem_test_")]
    assert len(ours) >= 15
    for family in ours:
        assert family.name.startswith("tandem_") and family.help.endswith("."), family.name
        assert f"# TYPE {family.name} ".encode() in body
