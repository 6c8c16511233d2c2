import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem.ops.notify import ServiceManager


@contextlib.contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    """What systemd is to us: a datagram socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind("\0" + address[1:] if address.startswith("@") else address)
        bound.settimeout(5)
        yield bound


def words(bound: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in bound.recv(4096).decode().splitlines())


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_systemd_is_told_of_each_change(kind: str, tmp_path: Path) -> None:
    address = str(tmp_path / "notify") if kind == "path" else f"@tandem-test{tmp_path}"
    with manager(address) as bound:
        service_manager = ServiceManager.of({"NOTIFY_SOCKET": address}, pid=7)
        service_manager.ready("serves\nREADY=0")
        service_manager.reloading()
        service_manager.stopping("3 calls end", 90.0)
        ready, reloading, stopping = words(bound), words(bound), words(bound)
    assert (ready["READY"], ready["STATUS"]) == ("1", "serves READY=0")
    assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
    assert (stopping["STOPPING"], stopping["EXTEND_TIMEOUT_USEC"]) == ("1", "90000000")


async def test_the_watchdog_is_fed_twice_a_period(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with manager(address) as bound:
        service_manager = ServiceManager.of(
            {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": "7"}, pid=7
        )
        task = asyncio.create_task(service_manager.watch())
        await asyncio.sleep(0.25)
        task.cancel()
        assert service_manager.watchdog_s == pytest.approx(0.2)
        assert [words(bound), words(bound)] == [{"WATCHDOG": "1"}] * 2


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "8"}, {"WATCHDOG_USEC": "soon"}, {"NOTIFY_SOCKET": ""}],
)
async def test_where_nobody_asks_nothing_is_said(environment: dict[str, str]) -> None:
    service_manager = ServiceManager.of(environment, pid=7)
    assert service_manager == ServiceManager()
    service_manager.ready("x")
    await service_manager.watch()


def test_a_manager_that_is_gone_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager(address=str(tmp_path / "gone")).ready("x")
    assert "ops.not_notified" in caplog.text
