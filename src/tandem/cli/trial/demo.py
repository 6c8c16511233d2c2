"""``tandem demo``: the main job on this machine, shown and proved.

An organization is declared, deployed by administrators who each hold only their own roles, and then called: real
processes, TLS and SRTP on loopback, real files. What is shown are Tandem's own commands, run as a user would run them;
what is proved is measured by phones and read from the mailbox.
"""

import asyncio
import contextlib
import email
import email.policy
import re
import socket
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from tandem.cli.common import console
from tandem.cli.show import show_output
from tandem.core.errors import TandemError
from tandem.media.codec.wav import read_wav
from tandem.pki.tls import phone_tls_context
from tandem.probe.compare import find_speech
from tandem.probe.phone import Account, Phone
from tandem.sip.aio.resolve import Resolver
from tandem.speech.samples.recorded import bob_message

UM, POOL = "um1.example.com", "pool1.example.com"
CALLER, CALLED, EXTENSION = "bob@example.com", "alice@example.com", "4101"
"""The servers and people of the example organization that take part."""
RING_S = 3
"""The example's no-answer time is 20 s, as a user wants it; the demonstration does not wait that long."""


class DemoFailed(TandemError):
    """A step did not end as it must; the message says which."""


@dataclass(slots=True)
class Stage:
    """Where the demonstration takes place, and what it has proved so far."""

    folder: Path
    out: Console
    proofs: list[tuple[str, str, bool]] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The organization file, as commands name it."""
        return str(self.folder / "organization.yaml")

    def prove(self, claim: str, evidence: str, holds: bool) -> None:
        """Keep one proof; a claim that does not hold ends the demonstration in failure."""
        self.proofs.append((claim, evidence, holds))

    def run(self, *arguments: str, expect: int) -> str:
        """Show a command, run it, show what it printed; its exit code has to be the expected one."""
        shown = " ".join(arguments).replace(str(self.folder), "x")
        self.out.print(f"\n[bold cyan]$ tandem {shown}[/]")
        done = subprocess.run(  # noqa: S603 - our own command, without a shell
            [sys.executable, "-m", "tandem", *arguments],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        show_output(done.stdout, self.out)
        self.out.print(f"[dim](exit {done.returncode})[/]")
        if done.returncode != expect:
            raise DemoFailed(f"tandem {shown} ended with {done.returncode}, expected {expect}:\n{done.stdout}")
        return done.stdout


@click.command()
@click.option("--stay", is_flag=True, help="Leave everything running, and print an account for a softphone.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where; a new folder, by default a temporary one.")
@click.option(
    "--directory", metavar="URL", help="An empty Active Directory forest example.com (ldaps://HOST) to deploy to."
)
@click.option(
    "--roots", type=click.Path(exists=True, path_type=Path), help="Authorities of its domain controllers, in PEM."
)
@click.option("--password-file", type=click.Path(exists=True, path_type=Path), help="Its administrator's password.")
def demo(
    stay: bool, folder: Path | None, directory: str | None, roots: Path | None, password_file: Path | None
) -> None:
    """Deploy an example organization and prove it with a real call.

    Takes about half a minute, needs no root and no network but loopback. Exit code 0: every proof holds. With --directory the
    same is done in Active Directory; "make demo DIRECTORY=samba" starts one for it.
    """
    out = console()
    place = folder or Path(tempfile.mkdtemp(prefix="tandem-demo-")) / "x"
    stage = Stage(folder=place, out=out)
    begun = time.monotonic()
    stage.run("init", str(stage.folder), expect=0)
    if directory is not None:
        if password_file is None:
            raise click.UsageError("--directory needs --password-file, with the password of its administrator")
        _use_active_directory(stage, directory, roots, password_file)
    deploy(stage)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_call(stage, begun, stay=stay))
    if not all(holds for _, _, holds in stage.proofs):
        raise DemoFailed("not every proof holds; see the table")


def show_proofs(stage: Stage, seconds: float) -> None:
    """The table that the demonstration ends with."""
    table = Table(title="What was proved", show_lines=True)
    for heading in ("", "claim", "evidence"):
        table.add_column(heading, overflow="fold")
    for claim, evidence, holds in stage.proofs:
        table.add_row("[green]yes[/]" if holds else "[red]NO[/]", claim, evidence)
    stage.out.print()
    stage.out.print(table, soft_wrap=False)
    stage.out.print(f"Everything is in {stage.folder} ({seconds:.0f} s).")


def _use_active_directory(stage: Stage, url: str, roots: Path | None, password_file: Path) -> None:
    """The example, with a forest of Active Directory in place of the embedded directory."""
    path = Path(stage.file)
    lines = [f"directory: {url}"] + ([f"directory_roots: {roots.resolve()}"] if roots else [])
    path.write_text(re.sub(r"^directory:.*$", "\n".join(lines), path.read_text(), flags=re.MULTILINE))
    for made in (stage.folder / "state").glob("directory.db*"):
        made.unlink()
    secret = stage.folder / "secrets" / "administrator"
    secret.write_text(password_file.read_text())
    stage.run("directory", "create", stage.file, expect=0)
    stage.run("directory", "prepare", stage.file, expect=0)


def deploy(stage: Stage) -> None:
    """Plan and apply, alternating between the administrators."""
    path = Path(stage.file)
    path.write_text(path.read_text().replace("ring_s: 20 ", f"ring_s: {RING_S} "))
    stage.run("plan", stage.file, expect=2)
    stage.run("apply", stage.file, "--phase", "preconditions", expect=0)
    stage.run("apply", stage.file, "--phase", "servers", expect=0)
    refusal = stage.run("apply", stage.file, "--as", "maria", "--phase", "ocsumutil", expect=1)
    lines = refusal.split()
    stage.prove(
        "Who lacks the role changes nothing",
        f"maria, phase ocsumutil: exit 1, missing {'RTCUniversalServerAdmins' if 'RTCUniversalServerAdmins' in lines else '-'}",
        "Nothing was changed." in refusal,
    )
    for account in ("maria", "victor"):
        stage.run("agree", stage.file, "--as", account, expect=0)
    stage.run("apply", stage.file, "--as", "maria", expect=4)
    stage.run("apply", stage.file, "--as", "victor", expect=4)
    stage.run("apply", stage.file, "--as", "maria", expect=0)
    again = stage.run("plan", stage.file, expect=0)
    stage.prove("The directory is as declared", "tandem plan: exit 0", "Nothing to do" in again)
    journal = stage.run("journal", stage.file, expect=0)
    who = {line.split()[1] for line in journal.splitlines() if line[:1].isdigit()}
    stage.prove("Two teams did it", f"journal: {', '.join(sorted(who))}", {"maria", "victor"} <= who)


async def _call(stage: Stage, begun: float, *, stay: bool) -> None:
    async with running(stage.folder) as servers:
        stage.out.print(f"\n{UM} and {POOL} are running; Bob dials {EXTENSION}, Alice does not answer.")
        async with phones(stage.folder, servers) as (alice, bob):
            await _leave_message(stage, alice, bob)
        show_proofs(stage, time.monotonic() - begun)
        if stay:
            secret = sip_secret(stage.folder, CALLED)
            stage.out.print(
                f"\nAn account for your softphone, until Ctrl-C: {CALLED}, password {secret}, server {POOL} at "
                f"127.0.0.1:{servers[POOL]} by TLS, SRTP (SDES) required, root certificate {roots(stage.folder)}"
            )
            await asyncio.Event().wait()


async def _leave_message(stage: Stage, alice: Phone, bob: Phone) -> None:
    await alice.register()
    await alice.subscribe_mwi()
    await bob.register()
    stage.prove("Phones register by TLS and digest", f"{CALLED}, {CALLER} at {POOL}", True)
    call = await bob.call(EXTENSION)
    stage.prove("Alice's phone rang before UM answered", "180 Ringing at her phone", alice.ringing.is_set())
    stage.prove("The call's media is SRTP", "RTP/SAVP, AES_CM_128_HMAC_SHA1_80", call.leg.secure)
    await call.wait_for_tone()
    await call.speak(bob_message())
    await asyncio.sleep(0.5)
    await call.hang_up()
    mwi = await alice.wait_mwi(lambda summary: summary.waiting)
    stage.prove(
        "Alice's phone shows message waiting", f"NOTIFY message-summary: {mwi.new} new, {mwi.old} old", mwi.new == 1
    )
    message, path = voice_message(stage.folder / "state" / "mail" / CALLED)
    stage.prove("The message is in Alice's mailbox", f"{path.name}: {message['Subject']}, from {message['From']}", True)
    spoken, recorded = samples(read_wav(bob_message())), samples(attachment(message))
    match = find_speech(spoken, recorded)
    difference = (len(recorded) - len(spoken)) / 8000
    stage.prove(
        "The recording is as long as what was said",
        f"said {len(spoken) / 8000:.2f} s, recorded {len(recorded) / 8000:.2f} s",
        abs(difference) < 1.0,
    )
    stage.prove(
        "The recording is what was said",
        f"correlation {match.correlation:.3f} (1 is identical), from {match.offset / 8000:.2f} s on",
        match.correlation > 0.9,
    )


# What the tests use too


@contextlib.asynccontextmanager
async def running(folder: Path, **ports: int) -> AsyncIterator[dict[str, int]]:
    """Both servers as processes of their own, on free ports of loopback; gives their TLS ports by name."""
    found = free_ports(2)
    servers = {UM: found[0], POOL: found[1]}
    names = [f"--resolve={name}=127.0.0.1:{port}" for name, port in servers.items()]
    extra = [f"--{name.replace('_', '-')}={port}" for name, port in ports.items()]
    with contextlib.ExitStack() as stack:
        for kind, name, more in (("um", UM, extra or free_plain_ports()), ("voice", POOL, [])):
            command = ["serve", kind, name, f"--home={folder}", f"--tls-port={servers[name]}", *names, *more]
            stack.enter_context(server_process(folder, name, command))
        yield servers


def free_plain_ports() -> list[str]:
    """Options that keep the plain listeners out of anyone's way."""
    tcp, udp = free_ports(2)
    return [f"--tcp-port={tcp}", f"--udp-port={udp}"]


@contextlib.contextmanager
def server_process(folder: Path, name: str, command: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """A server that is ready; its log is in the folder. Raises :class:`DemoFailed` with the log if it does not start."""
    log_path = folder / f"{name}.log"
    with log_path.open("a") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command, without a shell
            [sys.executable, "-m", "tandem", *command], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        if "is ready" not in process.stdout.readline():
            raise DemoFailed(f"{name} did not start:\n{log_path.read_text()}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


@contextlib.asynccontextmanager
async def phones(folder: Path, servers: dict[str, int]) -> AsyncIterator[tuple[Phone, Phone]]:
    """Alice's and Bob's phones, not registered yet."""
    resolver = Resolver({name: ("127.0.0.1", port) for name, port in servers.items()})
    context = phone_tls_context(roots(folder))
    made = []
    for address in (CALLED, CALLER):
        account = Account(address=address, secret=sip_secret(folder, address), pool=POOL, port=servers[POOL])
        made.append(Phone(account, context, resolver=resolver))
    try:
        yield made[0], made[1]
    finally:
        for phone in made:
            await phone.close()


def roots(folder: Path) -> Path:
    """The roots that phones of the pool trust."""
    return folder / "state" / "pki" / POOL / "roots.pem"


def sip_secret(folder: Path, address: str) -> str:
    """A user's SIP secret, as the voice server may read it."""
    arguments = ["directory", "sip-secret", str(folder / "organization.yaml"), POOL, address]
    done = subprocess.run(  # noqa: S603 - our own command, without a shell
        [sys.executable, "-m", "tandem", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DemoFailed(f"the SIP secret of {address} cannot be read: {done.stderr}")
    return done.stdout.strip()


def messages(maildir: Path) -> list[tuple[EmailMessage, Path]]:
    """Every message of a mailbox."""
    paths = sorted(path for place in ("new", "cur") for path in (maildir / place).glob("*"))
    parse = email.message_from_bytes
    return [(parse(path.read_bytes(), policy=email.policy.default), path) for path in paths]


def voice_message(maildir: Path) -> tuple[EmailMessage, Path]:
    """The one voice message of a mailbox. Raises :class:`DemoFailed` if there is none."""
    found = [(message, path) for message, path in messages(maildir) if message["Content-Class"] == "voice-ca"]
    if not found:
        raise DemoFailed(f"there is no voice message in {maildir}")
    return found[-1]


def attachment(message: EmailMessage) -> bytes:
    """The recording of a voice message, as 16-bit linear sound."""
    wav = next(part.get_content() for part in message.iter_attachments())
    return read_wav(wav)


def samples(linear: bytes) -> "array[int]":
    """Linear sound as numbers."""
    return array("h", linear)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
