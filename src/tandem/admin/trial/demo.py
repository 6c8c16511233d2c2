"""The demonstration: the main job on this machine, proved; and what it shares with the tests.

An organization is declared, deployed by administrators who each hold only their own roles, and then called: real
processes, TLS and SRTP on loopback, real files. Tandem's own commands run as a user would run them; what is proved is
measured by phones and read from the mailbox.
"""

import asyncio
import contextlib
import email
import email.policy
import re
import socket
import subprocess
import sys
import time
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Protocol

from tandem.core.errors import TandemError
from tandem.media.codec.wav import read_wav, write_wav
from tandem.pki.tls import phone_tls_context
from tandem.probe.compare import find_speech
from tandem.probe.phone import Account, Phone
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR
from tandem.sip.aio.resolve import Resolver
from tandem.speech.samples.recorded import bob_message

UM, POOL = "um1.example.com", "pool1.example.com"
CALLER, CALLED, EXTENSION = "bob@example.com", "alice@example.com", "4101"
"""The servers and people of the example organization that take part."""
RING_S = 3
"""The example's no-answer time is 20 s, as a user wants it; the demonstration does not wait that long."""


_RECORDING = "message.wav"


class DemoFailed(TandemError):
    """A step did not end as it must; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A claim, what was measured, and whether the claim holds."""

    claim: str
    evidence: str
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstrated:
    """What was proved, where everything is, how long it took, and the recording as a WAV file of its own."""

    proofs: tuple[Proof, ...]
    folder: Path
    seconds: float
    recording: Path

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        proofs = [{"claim": each.claim, "evidence": each.evidence, "holds": each.holds} for each in self.proofs]
        return {
            "proofs": proofs,
            "folder": str(self.folder),
            "seconds": self.seconds,
            "recording": str(self.recording),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftphoneAccount:
    """An account of the demonstration for a softphone: SRTP (SDES) over TLS, to ``port`` of 127.0.0.1."""

    address: str
    password: str
    server: str
    port: int
    root: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoForest:
    """An empty Active Directory forest example.com to deploy to, and the password of its administrator."""

    url: str
    password_file: Path
    roots: Path | None = None


class DemoView(Protocol):
    """Who is shown what happens."""

    def command(self, shown: str) -> None:
        """A command is about to run."""

    def ended(self, output: str, code: int) -> None:
        """It printed this and ended with this exit code."""

    def note(self, text: str) -> None:
        """Something else happened."""


AfterCall = Callable[[Demonstrated, SoftphoneAccount], Awaitable[None]]


@dataclass(slots=True)
class Stage:
    """Where the demonstration takes place, and what it has proved so far."""

    folder: Path
    view: DemoView
    proofs: list[Proof] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The organization file, as commands name it."""
        return str(self.folder / "organization.yaml")

    def prove(self, claim: str, evidence: str, holds: bool) -> None:
        """Keep one proof."""
        self.proofs.append(Proof(claim=claim, evidence=evidence, holds=holds))

    def act(self, account: str, command: str, *arguments: str, expect: int) -> str:
        """Run a command on the organization as one of its accounts, with that account's password and no other."""
        password = self.folder / "secrets" / account
        acting = (*(("--as", account) if account != INITIAL_ADMINISTRATOR else ()), "--password-file", str(password))
        return self.run(*command.split(), self.file, *acting, *arguments, expect=expect)

    def run(self, *arguments: str, expect: int) -> str:
        """Run a command and return what it printed. Raises :class:`DemoFailed` on another exit code than the expected one."""
        shown = " ".join(arguments).replace(str(self.folder), "x")
        self.view.command(shown)
        done = subprocess.run(  # noqa: S603 - our own command, without a shell
            [sys.executable, "-m", "tandem", *arguments],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.view.ended(done.stdout, done.returncode)
        if done.returncode != expect:
            raise DemoFailed(f"tandem {shown} ended with {done.returncode}, expected {expect}:\n{done.stdout}")
        return done.stdout


def demonstrate(
    folder: Path, view: DemoView, *, forest: DemoForest | None = None, after_call: AfterCall | None = None
) -> Demonstrated:
    """Deploy the example organization in a new folder and prove it with a real call. Runs an event loop of its own.

    Args:
        folder: new or empty.
        view: is shown each command.
        forest: an Active Directory in place of the embedded directory.
        after_call: runs while the servers still do, such as until Ctrl-C.

    Raises:
        DemoFailed: a step failed. A claim that does not hold is in the result.
    """
    stage = Stage(folder=folder, view=view)
    began_s = time.monotonic()
    stage.run("init", str(stage.folder), expect=0)
    if forest is not None:
        _use_active_directory(stage, forest)
    deploy(stage)
    return asyncio.run(_call(stage, began_s, after_call))


def _use_active_directory(stage: Stage, forest: DemoForest) -> None:
    """The example, with a forest of Active Directory in place of the embedded directory."""
    path = Path(stage.file)
    lines = [f"directory: {forest.url}"] + ([f"directory_roots: {forest.roots.resolve()}"] if forest.roots else [])
    path.write_text(re.sub(r"^directory:.*$", "\n".join(lines), path.read_text(), flags=re.MULTILINE))
    for made in (stage.folder / "state").glob("directory.db*"):
        made.unlink()
    secret = stage.folder / "secrets" / "administrator"
    secret.write_text(forest.password_file.read_text())
    stage.run("directory", "create", stage.file, expect=0)
    stage.act(INITIAL_ADMINISTRATOR, "directory prepare", expect=0)


def deploy(stage: Stage) -> None:
    """Plan and apply, alternating between the administrators."""
    path = Path(stage.file)
    path.write_text(path.read_text().replace("ring_s: 20 ", f"ring_s: {RING_S} "))
    stage.act(INITIAL_ADMINISTRATOR, "plan", expect=2)
    stage.act(INITIAL_ADMINISTRATOR, "apply", "--phase", "preconditions", expect=0)
    stage.act(INITIAL_ADMINISTRATOR, "apply", "--phase", "servers", expect=0)
    refusal = stage.act("maria", "apply", "--phase", "ocsumutil", expect=1)
    lines = refusal.split()
    stage.prove(
        "Who lacks the role changes nothing",
        f"maria, phase ocsumutil: exit 1, missing {'RTCUniversalServerAdmins' if 'RTCUniversalServerAdmins' in lines else '-'}",
        "Nothing was changed." in refusal,
    )
    for account in ("maria", "victor"):
        stage.act(account, "agree", expect=0)
    stage.act("maria", "apply", expect=4)
    stage.act("victor", "apply", expect=4)
    stage.act("maria", "apply", expect=0)
    again = stage.act(INITIAL_ADMINISTRATOR, "plan", expect=0)
    stage.prove("The directory is as declared", "tandem plan: exit 0", "Nothing to do" in again)
    journal = stage.run("journal", stage.file, expect=0)
    who = {line.split()[1] for line in journal.splitlines() if line[:1].isdigit()}
    stage.prove("Two teams did it", f"journal: {', '.join(sorted(who))}", {"maria", "victor"} <= who)


async def _call(stage: Stage, began_s: float, after_call: AfterCall | None) -> Demonstrated:
    async with running(stage.folder) as servers:
        stage.view.note(f"{UM} and {POOL} are running; Bob dials {EXTENSION}, Alice does not answer.")
        async with phones(stage.folder, servers) as (alice, bob):
            await _leave_message(stage, alice, bob)
        seconds = time.monotonic() - began_s
        demonstrated = Demonstrated(
            proofs=tuple(stage.proofs), folder=stage.folder, seconds=seconds, recording=stage.folder / _RECORDING
        )
        if after_call is not None:
            account = SoftphoneAccount(
                address=CALLED,
                password=sip_secret(stage.folder, CALLED),
                server=POOL,
                port=servers[POOL],
                root=roots(stage.folder),
            )
            await after_call(demonstrated, account)
        return demonstrated


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
    (stage.folder / _RECORDING).write_bytes(write_wav(attachment(message)))
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
