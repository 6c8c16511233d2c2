"""sipsak, which nobody here wrote, asks whether the UM server is alive: OPTIONS by UDP and by TCP."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import deployment
from peers.servers import Um, um_server

pytestmark = [pytest.mark.peer, pytest.mark.slow]
GATEWAYS = {"udp": "127.0.0.20", "tcp": "127.0.0.21"}
"""What the organization's plain gateways are known by."""
UNKNOWN = "127.0.0.29"


@pytest.fixture(scope="module")
def um(deployed_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Um]:
    with um_server(deployment.copy(deployed_template, tmp_path_factory.mktemp("sipsak") / "x")) as running:
        yield running


def options(um: Um, transport: str, source: str) -> "subprocess.CompletedProcess[str]":
    command = ["sipsak", "-vv", "-E", transport, "-k", source, "-s", f"sip:um@127.0.0.1:{um.port(transport)}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("transport", GATEWAYS)
def test_a_gateway_that_asks_is_told_what_is_allowed(um: Um, transport: str) -> None:
    done = options(um, transport, GATEWAYS[transport])
    assert done.returncode == 0, done.stdout + um.log()[-4000:]
    assert "SIP/2.0 200 OK" in done.stdout
    assert "\nAllow: INVITE, ACK, CANCEL, BYE" in done.stdout


@pytest.mark.parametrize("transport", GATEWAYS)
def test_an_address_that_is_no_gateway_is_refused_without_a_reason(um: Um, transport: str) -> None:
    done = options(um, transport, UNKNOWN)
    assert done.returncode == 1, done.stdout + um.log()[-4000:]
    assert "SIP/2.0 403 Forbidden" in done.stdout
    assert "Warning:" not in done.stdout


def test_a_gateway_of_one_transport_is_none_of_another(um: Um) -> None:
    assert "SIP/2.0 403 Forbidden" in options(um, "tcp", GATEWAYS["udp"]).stdout
