"""Both servers as processes, told on by their counters; honest phones on 127.0.0.1, attackers elsewhere in 127.0.0.0/8."""

import asyncio
import contextlib
import re
import socket
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from tandem.admin.trial.demo import POOL, UM, free_ports, phones, server_process
from tandem.probe.phone import When

HONEST_CALLS = 3
MOST_GROWTH_BYTES = 96 << 20
"""What a server's memory may grow by in an attack; its tables are bounded to much less."""


@dataclass(frozen=True)
class Servers:
    """Where the servers listen, by name and transport, and where they are counted."""

    folder: Path
    tls: dict[str, int]
    plain: dict[str, int]
    counted: dict[str, int]
    pids: dict[str, int]

    def count(self, name: str, metric: str) -> float:
        """The sum of a counter over its labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.counted[name]}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return sum(float(value) for value in re.findall(rf"^{metric}(?:{{.*?}})? (\S+)$", text, re.MULTILINE))

    def memory(self, name: str) -> int:
        """Bytes that a server holds."""
        status = Path(f"/proc/{self.pids[name]}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) << 10


@contextlib.contextmanager
def attackable(folder: Path) -> Iterator[Servers]:
    """Both servers, on plain TCP and UDP too."""
    um, pool, um_plain, pool_plain, um_counted, pool_counted = free_ports(6)
    tls, plain, counted = {UM: um, POOL: pool}, {UM: um_plain, POOL: pool_plain}, {UM: um_counted, POOL: pool_counted}
    names = [f"--resolve={name}=127.0.0.1:{port}" for name, port in tls.items()]
    with contextlib.ExitStack() as stack:
        pids = {}
        for kind, name in (("um", UM), ("voice", POOL)):
            where = [f"--tls-port={tls[name]}", f"--tcp-port={plain[name]}", f"--udp-port={plain[name]}"]
            more = [*where, *names, f"--ops-port={counted[name]}", "--drain-s=0", "--trace-mb=0"]
            more += ["--media-workers=1"] if kind == "um" else []
            process = stack.enter_context(
                server_process(folder, name, ["serve", kind, name, f"--home={folder}", *more])
            )
            pids[name] = process.pid
        yield Servers(folder, tls, plain, counted, pids)


@contextlib.asynccontextmanager
async def unharmed(servers: Servers, *, counted: tuple[str, str]) -> AsyncIterator[None]:
    """While the attack inside goes on and after it every honest call completes; the attacker is counted, memory bounded."""
    name, metric = counted
    before, memory = servers.count(name, metric), {each: servers.memory(each) for each in servers.pids}
    calling = asyncio.create_task(honest_calls(servers))
    try:
        yield
        await calling
    finally:
        calling.cancel()
    assert servers.count(name, metric) > before, f"nothing was counted as {metric}"
    for each, held in memory.items():
        assert servers.memory(each) - held < MOST_GROWTH_BYTES


async def honest_calls(servers: Servers) -> None:
    """Bob calls Alice, who answers, several times; each time both phones are new, with connections of their own."""
    for _ in range(HONEST_CALLS):
        async with asyncio.timeout(60), phones(servers.folder, servers.tls) as (alice, bob):
            await alice.register()
            await bob.register()
            alice.when = When.ANSWER
            call = await bob.call("4101")
            answered = await alice.incoming.get()
            await call.send_dtmf("7")
            while answered.digits != ["7"]:
                await asyncio.sleep(0.02)
            await answered.hang_up()
            assert await call.leg.ended == "remote"


def attacker(source: str, kind: socket.SocketKind = socket.SOCK_DGRAM) -> socket.socket:
    """A socket at another address than the honest phones have."""
    made = socket.socket(socket.AF_INET, kind)
    made.bind((source, 0))
    made.setblocking(False)
    return made
