"""sipp, which nobody here wrote, as a plain gateway of an Unsecured dial plan."""

import asyncio
import dataclasses
import subprocess
from array import array
from pathlib import Path

import pytest

import deployment
from tandem.cli.demo import attachment, free_ports, messages, running, samples, voice_message
from tandem.directory import objects as o
from tandem.media import g711
from tandem.media.wav import read_wav
from tandem.probe.compare import find_speech
from tandem.speech.samples import bob_message

pytestmark = pytest.mark.peer
SCENARIOS = Path(__file__).parent / "scenarios"
GREETING_MS = 12_000
"""The greeting and the tone take less; what is spoken after them is the message."""


def scenario(folder: Path, name: str, before: str, after: str) -> Path:
    """A scenario of ours; sipp itself puts no keywords into regular expressions and file names."""
    path = folder / name
    path.write_text((SCENARIOS / name).read_text().replace(before, after))
    return path


def sipp(folder: Path, scenario: Path, transport: str, address: str, port: int, *more: str) -> "subprocess.Popen[str]":
    mode = {"udp": "u1", "tcp": "t1"}[transport]
    command = ["sipp", "-sf", str(scenario), "-t", mode, "-i", address, "-p", str(port), "-m", "1"]
    command += [
        "-nostdin",
        "-timeout",
        "60",
        "-timeout_error",
        "-trace_err",
        "-error_file",
        f"{folder}/{scenario.name}.err",
    ]
    return subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)


def only_lamp(folder: Path, name: str) -> None:
    """Of the plain gateways only this one gets NOTIFYs."""
    repository = deployment.context(folder).repository
    for gateway in repository.all(o.UMIPGateway):
        repository.update(gateway, dataclasses.replace(gateway, mwi_allowed=gateway.name == name))
    repository.session.close()


async def lamp(folder: Path, log: Path, transport: str, address: str, expected: str) -> None:
    """The gateway is told this state of the lamp."""
    process = sipp(folder, scenario(folder, "gateway_lamp.xml", "EXPECTED", expected), transport, address, 5060)
    told, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, told + errors(folder, log)


@pytest.mark.parametrize(
    ("transport", "address", "gateway"), [("udp", "127.0.0.20", "LobbyUDP"), ("tcp", "127.0.0.21", "LobbyTCP")]
)
async def test_a_plain_gateway_leaves_a_message_and_gets_its_notify(
    deployed: Path, tmp_path: Path, transport: str, address: str, gateway: str
) -> None:
    spoken = read_wav(bob_message())
    (tmp_path / "speech.ul").write_bytes(g711.encode(spoken, g711.PCMU))
    only_lamp(deployed, gateway)
    plain = dict(zip(("tcp_port", "udp_port"), free_ports(2), strict=True))
    async with running(deployed, **plain):
        await lamp(tmp_path, deployed, transport, address, "no")
        call = call_with(tmp_path, transport, address, plain[f"{transport}_port"], GREETING_MS)
        await lamp(tmp_path, deployed, transport, address, "yes")
        told, _ = await asyncio.to_thread(call.communicate)
        assert call.returncode == 0, told + errors(tmp_path, deployed)
    message, _ = voice_message(deployed / "state" / "mail" / "dave@example.com")
    assert message["X-CallingTelephoneNumber"] == "+14255550199"
    assert "Carol" in message["From"]
    assert find_speech(array("h", spoken), samples(attachment(message))).correlation > 0.9


def call_with(folder: Path, transport: str, address: str, port: int, wait_ms: int) -> "subprocess.Popen[str]":
    return sipp(
        folder,
        scenario(folder, "gateway_call.xml", "AUDIO", str(folder / "speech.ul")),
        transport,
        address,
        5070,
        *("-s", "5000", "-d", str(wait_ms), "-mi", address),
        *("-key", "extension", "201", f"127.0.0.1:{port}"),
    )


def errors(*folders: Path) -> str:
    return "\n".join(p.read_text()[-4000:] for f in folders for p in (*f.glob("*.err"), *f.glob("*.log")))


async def test_an_unknown_address_is_refused_and_leaves_nothing(deployed: Path, tmp_path: Path) -> None:
    (tmp_path / "speech.ul").write_bytes(b"\xff" * 8000)
    plain = dict(zip(("tcp_port", "udp_port"), free_ports(2), strict=True))
    async with running(deployed, **plain):
        call = call_with(tmp_path, "udp", "127.0.0.22", plain["udp_port"], 100)
        await asyncio.to_thread(call.communicate)
        assert call.returncode == 1
    assert "403" in errors(tmp_path)
    kinds = [m["Content-Class"] for m, _ in messages(deployed / "state" / "mail" / "dave@example.com")]
    assert kinds in ([], [None])  # at most the welcome mail
