"""Makes the home of release 0.1 that is kept here; see README.md. Runs with the code of commit 09b4cc3 only."""

import asyncio
import shutil
import signal
import sys
import tarfile
from pathlib import Path

from tandem.cli.demo import CALLED, EXTENSION, POOL, RING_S, UM, free_plain_ports, free_ports, phones, server_process

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.org.load import require_organization
from tandem.pki import authority
from tandem.process.apply import apply
from tandem.process.bootstrap import open_context, write_example
from tandem.speech.samples import bob_message

SPOKEN = bob_message()[: 44 + 2 * 16_000]
"""Two seconds."""


def deploy(home: Path) -> None:
    # A fixture outlives the 825 days that a certificate is good for; what "tandem pki" issues is otherwise the same.
    authority.SERVER_DAYS, authority._LIST_DAYS, authority._ROOT_YEARS = 36_500, 36_500, 101
    write_example(home, SystemIds())
    file = home / "organization.yaml"
    file.write_text(file.read_text().replace("ring_s: 20 ", f"ring_s: {RING_S} "))
    context = open_context(require_organization(file), clock=SystemClock(), ids=SystemIds(), account="administrator")
    assert apply(context).plan.todo == ()
    context.session.close()


async def call(home: Path) -> None:
    ports = dict(zip((UM, POOL), free_ports(2), strict=True))
    names = [f"--resolve={name}=127.0.0.1:{port}" for name, port in ports.items()]
    um = ["serve", "um", UM, f"--home={home}", f"--tls-port={ports[UM]}", *names, *free_plain_ports()]
    voice = ["serve", "voice", POOL, f"--home={home}", f"--tls-port={ports[POOL]}", *names]
    spool, tmp = home / "state" / "spool" / UM, home / "state" / "mail" / CALLED / "tmp"
    with server_process(home, POOL, voice), server_process(home, UM, um) as process:
        async with phones(home, ports) as (alice, bob):
            await alice.register()
            await alice.subscribe_lamp()
            await bob.register()
            await message(bob)
            lamp = await alice.wait_lamp(lambda summary: summary.new == 1)
            assert lamp.old == 0
            # A mailbox that takes nothing: the next message waits in the spool.
            tmp.rmdir()
            tmp.touch()
            await message(bob)
            async with asyncio.timeout(10):
                while not list(spool.glob("*.json")):
                    await asyncio.sleep(0.1)
            # And one is being recorded when the server dies.
            third = await bob.call(EXTENSION)
            await third.wait_for_tone()
            await third.speak(SPOKEN)
            await asyncio.sleep(1.5)
            process.send_signal(signal.SIGKILL)
            process.wait()
    tmp.unlink()
    tmp.mkdir(mode=0o700)
    assert sorted(path.suffix for path in spool.iterdir()) == [".json", ".open", ".part", ".pcm"]


async def message(bob: "object") -> None:
    made = await bob.call(EXTENSION)
    await made.wait_for_tone()
    await made.speak(SPOKEN)
    await asyncio.sleep(0.5)
    await made.hang_up()


def main(target: Path) -> None:
    home = Path.cwd() / "home"
    shutil.rmtree(home, ignore_errors=True)
    deploy(home)
    asyncio.run(call(home))
    for log in home.glob("*.log"):
        log.unlink()
    with tarfile.open(target, "w:xz", preset=9) as archive:
        archive.add(home, "home", filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
