"""The tools that scan every SIP server on the Internet: svwar finds no extension, svcrack no password.

They speak UDP, which a voice server does only where it is told to.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import deployment
from attacks.scene import Servers, attackable
from tandem.admin.trial.demo import CALLED, POOL, sip_secret

pytestmark = [pytest.mark.peer, pytest.mark.slow]


@pytest.fixture(scope="module")
def servers(deployed_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = deployment.copy(deployed_template, tmp_path_factory.mktemp("scanned") / "x")
    with attackable(folder) as running:
        yield running


async def run(program: str, *arguments: str, source: str, servers: Servers, seconds: float = 30.0) -> str:
    """What a scanner says within a time (svcrack never ends by itself once it is locked out); it has its own address."""
    command = [program, *arguments, "--domain=example.com", f"-b{source}", "-x127.0.0.1", "--maximumtime=5"]
    process = await asyncio.create_subprocess_exec(
        *(*command, f"udp://127.0.0.1:{servers.plain[POOL]}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    reading = asyncio.ensure_future(process.communicate())
    await asyncio.wait([reading], timeout=seconds)
    if process.returncode is None:
        process.terminate()
    said, _ = await reading
    return said.decode()


def words(folder: Path, *lines: str) -> str:
    path = folder / "words.txt"
    path.write_text("\n".join(lines) + "\n")
    return f"-d{path}"


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "INVITE"])
async def test_svwar_cannot_tell_extensions_that_are_there(servers: Servers, tmp_path: Path, method: str) -> None:
    there, not_there = ["alice", "bob", "4101"], ["mallory", "trent", "4999"]
    listed = words(tmp_path, *there, *not_there)
    # Answers to INVITE come again until they are acknowledged, which svwar never does; so each scan has its own address.
    for more, source in (((), f"127.0.71.{len(method)}"), (("--force",), f"127.0.72.{len(method)}")):
        said = await run("svwar", listed, f"-m{method}", *more, source=source, servers=servers)
        found = {name: [line for line in said.splitlines() if f"| {name} " in line] for name in (*there, *not_there)}
        states = {tuple(line.replace(name, "X").split()) for name, lines in found.items() for line in lines}
        assert len(states) <= 1, said
        assert len({len(lines) for lines in found.values()}) == 1, said


@pytest.mark.alone  # it repeats its guesses where answers are slow, and so is locked out at once
async def test_svcrack_is_locked_out_before_it_comes_to_the_password(servers: Servers, tmp_path: Path) -> None:
    secret = sip_secret(servers.folder, CALLED)
    wrong = [f"wrong{number}" for number in range(60)]
    quick = await run("svcrack", words(tmp_path, *wrong[:3], secret), "-ualice", source="127.0.0.73", servers=servers)
    assert secret in quick, quick  # the tool works: three guesses are not yet an attack
    # Carla's phone has proved itself nowhere; where one has, its right secret is always taken (it has 128 random bits).
    secret = sip_secret(servers.folder, "carla@example.com")
    slow = await run("svcrack", words(tmp_path, *wrong, secret), "-ucarla", source="127.0.0.74", servers=servers)
    assert "unknown response" in slow and secret not in slow, slow
