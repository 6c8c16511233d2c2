"""Both servers as processes, as an operator and systemd meet them: ready, traced, counted, drained."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tandem.admin.trial.demo import POOL, UM, free_plain_ports, free_ports, phones, server_process
from tandem.speech.samples.recorded import bob_message

pytestmark = pytest.mark.slow


def ask(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def metrics(port: int) -> dict[tuple[str, ...], float]:
    _, body = ask(port, "/metrics")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "tandem", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_call_is_counted_and_traced_through_both_servers_and_holds_no_secret(deployed: Path) -> None:
    tls_um, tls_pool, ops_um, ops_pool = free_ports(4)
    servers = {UM: tls_um, POOL: tls_pool}
    names = [f"--resolve={name}=127.0.0.1:{port}" for name, port in servers.items()]

    def command(kind: str, name: str, ops: int, *more: str) -> list[str]:
        log = ("--log-format=json", "--log-level=sip=debug")
        return [
            "serve",
            kind,
            name,
            f"--home={deployed}",
            f"--tls-port={servers[name]}",
            f"--ops-port={ops}",
            *names,
            *log,
            *more,
        ]

    with (
        server_process(deployed, UM, command("um", UM, ops_um, *free_plain_ports())),
        server_process(deployed, POOL, command("voice", POOL, ops_pool)),
    ):
        for port in (ops_um, ops_pool):
            status, body = ask(port, "/readyz")
            assert status == 200, body
            assert {"directory", "listening", "certificate"} <= json.loads(body)["checks"].keys()
        async with phones(deployed, servers) as (_, bob):
            await bob.register()
            call = await bob.call("4101")
            await call.wait_for_tone()
            await call.speak(bob_message())
            assert metrics(ops_um)["tandem_um_calls",] == 1
            await call.send_dtmf("#")
            await asyncio.wait_for(call.leg.ended, 20)
        async with asyncio.timeout(15):
            while not metrics(ops_um).get(("tandem_messages_delivered_total", "voice")):
                await asyncio.sleep(0.2)
        um, pool = metrics(ops_um), metrics(ops_pool)
        await asyncio.sleep(0.5)  # the trace is written four times a second
        listed = json.loads(run("trace", f"--home={deployed}", "--list", "--json"))
    assert um["tandem_um_calls_total", "message"] == 1 and um["tandem_um_calls",] == 0
    assert um["tandem_sip_requests_total", "in", "INVITE"] == 1
    assert pool["tandem_sip_requests_total", "in", "INVITE"] == 2  # the first one is challenged
    assert pool["tandem_voice_registrations_total", "bound"] == 1
    assert pool["tandem_voice_calls_total", "RingUser"] == 1
    (found,) = listed
    assert (found["status"], found["servers"]) == (200, [POOL, UM]) and found["talked_s"] > 1
    ladder = run("trace", f"--home={deployed}", found["call_id"])
    assert all(party in ladder for party in (POOL, UM, "407 Proxy Authentication", "181 Call Is Being", "BYE"))
    for path in (deployed / "state" / "trace").glob("*/*.trace"):
        raw = path.read_bytes()
        assert b"a=crypto:" in raw or b"username=" in raw
        keys = [line.split(b"inline:")[1].split(b"|")[0].strip() for line in raw.split(b"\n") if b"inline:" in line]
        assert all(set(key) == {ord("x")} for key in keys)
        assert raw.count(b'response="') == raw.count(b'response="' + b"x" * 32)
    lines = [json.loads(line) for line in (deployed / f"{UM}.log").read_text().splitlines()]
    of_call = {line["event"] for line in lines if line.get("call") == found["call_id"]}
    assert {"um.answered", "um.kept"} <= of_call


def test_systemd_is_told_of_the_start_and_of_the_end(
    deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        (port,) = free_ports(1)
        with server_process(
            deployed, POOL, ["serve", "voice", POOL, f"--home={deployed}", f"--tls-port={port}"]
        ) as process:
            said: list[dict[str, str]] = []
            deadline = time.monotonic() + 20
            while sum("WATCHDOG" in words for words in said) < 3 or not any("READY" in words for words in said):
                assert time.monotonic() < deadline, said
                said.append(dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines()))
            ready = next(words for words in said if "READY" in words)
            assert ready["MAINPID"] == str(process.pid) and f"127.0.0.1:{port}" in ready["STATUS"]
            process.send_signal(signal.SIGHUP)
            while not (any("RELOADING" in words for words in said) and "READY" in said[-1]):
                said.append(dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines()))
            process.send_signal(signal.SIGTERM)
            while "STOPPING" not in said[-1]:
                said.append(dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines()))
            assert process.wait(20) == 0
    told = [next(iter(words)) for words in said if "WATCHDOG" not in words]
    assert told == ["READY", "RELOADING", "READY", "STOPPING"]


async def test_a_server_that_drains_says_so_while_its_call_goes_on(deployed: Path) -> None:
    tls_um, tls_pool, ops_um = free_ports(3)
    servers = {UM: tls_um, POOL: tls_pool}
    names = [f"--resolve={name}=127.0.0.1:{port}" for name, port in servers.items()]
    um = [
        "serve",
        "um",
        UM,
        f"--home={deployed}",
        f"--tls-port={tls_um}",
        f"--ops-port={ops_um}",
        *names,
        *free_plain_ports(),
    ]
    pool = ["serve", "voice", POOL, f"--home={deployed}", f"--tls-port={tls_pool}", *names]
    with server_process(deployed, UM, um) as process, server_process(deployed, POOL, pool):
        async with phones(deployed, servers) as (_, bob):
            await bob.register()
            call = await bob.call("4101")
            await call.wait_for_tone()
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                while (await asyncio.to_thread(ask, ops_um, "/readyz"))[0] == 200:
                    await asyncio.sleep(0.1)
            status, body = await asyncio.to_thread(ask, ops_um, "/readyz")
            assert (status, json.loads(body)["state"]) == (503, "draining")
            assert (await asyncio.to_thread(ask, ops_um, "/healthz"))[0] == 200
            assert (await asyncio.to_thread(metrics, ops_um))["tandem_um_calls",] == 1
            await call.speak(bob_message())
            await call.send_dtmf("#")
            await asyncio.wait_for(call.leg.ended, 20)
        assert await asyncio.to_thread(process.wait, 20) == 0
