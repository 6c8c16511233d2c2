"""A deployed organization with running servers, for `make soak` and `make chaos`: the example, with more users behind its PBX.

The generator is that PBX: a plain gateway on 127.0.0.20 that sends diverted calls to the UM server by UDP.
"""

import contextlib
import email
import email.policy
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tandem.admin.trial.demo import POOL, UM
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.org.load import require_organization
from tandem.process.apply import apply
from tandem.process.bootstrap import open_context, write_example
from tandem.process.passwords import kept_password

PBX = "127.0.0.20"
PILOT = "5000"
_GATEWAY = f"""  - name: LobbyPBX
    um_dial_plan: Lobby
    address: {PBX}
    transport: udp
    port: 5060
    pilot_identifier: "{PILOT}"

"""
_USER = """  - account: u{0}
    display_name: User {0}
    forest: example.com
    ou: OU=People,DC=example,DC=com
    mail: u{0}@example.com
    extension: "{0}"
    um_mailbox_policy: Lobby Default Policy
"""
FIRST = 300
"""The first extension of the users u300, u301 ... of the dial plan Lobby."""


def deploy(folder: Path, users: int) -> None:
    """Make and deploy the organization in a new folder."""
    write_example(folder, SystemIds())
    path = folder / "organization.yaml"
    text = path.read_text()
    gateway = text[text.index("  - name: LobbyPBX") : text.index("# --- Voice side")]
    more = "".join(_USER.format(FIRST + n) for n in range(users))
    text = text.replace(gateway, _GATEWAY).replace(
        "\n# Who carries out the tasks", f"{more}\n# Who carries out the tasks"
    )
    path.write_text(text.replace("ring_s: 20 ", "ring_s: 2 "))
    organization = require_organization(path)
    context = open_context(
        organization,
        clock=SystemClock(),
        ids=SystemIds(),
        account="administrator",
        password=kept_password(organization, "administrator"),
    )
    todo = apply(context).plan.todo
    context.session.close()
    assert todo == (), todo


def extensions(users: int) -> list[str]:
    """Of the users that :func:`deploy` makes."""
    return [str(FIRST + n) for n in range(users)]


@contextlib.contextmanager
def pbx() -> Iterator[Counter[str]]:
    """The PBX takes every NOTIFY; gives how many it got of each method."""
    got: Counter[str] = Counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((PBX, 5060))

        def serve() -> None:
            while True:
                data, source = sock.recvfrom(65_535)
                if not source:  # shut down
                    return
                first, _, rest = data.partition(b"\r\n")
                got[first.split(b" ", 1)[0].decode("ascii", "replace")] += 1
                copied = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")
                lines = [
                    line for line in rest.partition(b"\r\n\r\n")[0].split(b"\r\n") if line.lower().startswith(copied)
                ]
                sock.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *lines, b"Content-Length: 0", b"", b""]), source)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield got
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def ports(count: int) -> list[int]:
    """Free TCP ports of loopback."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            sock = stack.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            found.append(sock.getsockname()[1])
    return found


@dataclass(kw_only=True)
class Server:
    """A server process of the deployment; :meth:`start` again after it was killed."""

    folder: Path
    name: str = UM
    kind: str = "um"
    options: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    core: int | None = None

    def __post_init__(self) -> None:
        self.tls, self.tcp, self.udp, self.ops = ports(4)
        self.process: subprocess.Popen[str] | None = None

    @property
    def log(self) -> Path:
        """Where it logs."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Start it and wait until it is ready. Raises :class:`RuntimeError` with its log if it does not get there."""
        plain = [f"--tcp-port={self.tcp}", f"--udp-port={self.udp}"] if self.kind == "um" else []
        command = [sys.executable, "-m", "tandem", "serve", self.kind, self.name, f"--home={self.folder}"]
        command += [f"--tls-port={self.tls}", *plain, f"--ops-port={self.ops}", *self.options]
        if self.core is not None:
            command = ["taskset", "-c", str(self.core), *command]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **self.environment}
            )
        assert self.process.stdout is not None
        if "is ready" not in self.process.stdout.readline():
            raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        """End it as an administrator does."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        assert self.process is not None, "started"
        self.process.kill()
        self.process.wait()

    def workers(self) -> list[int]:
        """Processes that carry its media."""
        assert self.process is not None, "started"
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in found]

    def metrics(self) -> dict[str, float]:
        """Its counters, by name and labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ops}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[:1] != "#")}

    def ready(self) -> str:
        """What ``/readyz`` says; empty if all is well."""
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.ops}/readyz", timeout=10).close()
        except urllib.error.HTTPError as error:
            return str(error.read().decode())
        return ""

    def memory_mib(self) -> float:
        """Resident memory of the process and its workers."""
        assert self.process is not None, "started"
        pages = 0
        for pid in (self.process.pid, *self.workers()):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def descriptors(self) -> int:
        """Open files of the process and its workers."""
        assert self.process is not None, "started"
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in (self.process.pid, *self.workers()))


@contextlib.contextmanager
def running(*servers: Server) -> Iterator[None]:
    """Servers that find each other; they are stopped at the end."""
    names = [f"--resolve={each.name}=127.0.0.1:{each.tls}" for each in servers]
    try:
        for each in servers:
            each.options = [*each.options, *names]
            each.start()
        yield
    finally:
        for each in servers:
            each.stop()


def pair(folder: Path, core: int | None = None) -> tuple[Server, Server]:
    """The UM server and the voice server of the example."""
    return Server(folder=folder, core=core), Server(folder=folder, name=POOL, kind="voice", core=core)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """Mails by the Call-ID of their call, and how long each recording is in seconds."""

    mails: Counter[str]
    seconds: dict[str, float]


def delivered(folder: Path) -> Delivered:
    """What is in the mailboxes. Nothing is parsed that is not needed: there may be ten thousand."""
    mails: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    for path in (folder / "state" / "mail").glob("*/*/*"):
        if path.parent.name not in ("new", "cur"):
            continue
        head = email.message_from_bytes(path.read_bytes().partition(b"\n\n")[0], policy=email.policy.compat32)
        call = re.sub(r"\s", "", head["X-CallID"] or "")
        if call:
            mails[call] += 1
            seconds[call] = float(head["X-VoiceMessageDuration"] or 0)
    return Delivered(mails=mails, seconds=seconds)


def settled(server: Server, *, timeout_s: float = 60.0) -> bool:
    """Wait until everything in the spool is delivered; returns whether it was."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        now = server.metrics()
        if now["tandem_spool_pending"] == 0 and now["tandem_um_calls"] == 0:
            return True
        time.sleep(0.5)
    return False
