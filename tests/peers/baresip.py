"""baresip as a phone in the tests: its configuration, its control socket, its events.

baresip resolves names by DNS only, so the tests also run a name server that knows the organization's names.
Its ``ctrl_tcp`` module takes commands and gives events as JSON in netstrings.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

_CONFIG = """\
poll_method epoll
sip_listen 127.0.0.1:0
sip_cafile {roots}
sip_verify_server yes
dns_server 127.0.0.1:{dns_port}
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
audio_source aufile,{speech}
audio_player aufile,{folder}/played.wav
audio_alert aufile,{folder}/alert.wav
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
snd_path {folder}
module g711.so
module g722.so
module opus.so
module srtp.so
module aufile.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app mwi.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
"""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class NameServer(asyncio.DatagramProtocol):
    """Answers A queries for the names it is given; every other question gets an empty answer."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = {name.lower(): socket.inet_aton(address) for name, address in addresses.items()}

    @classmethod
    async def start(cls, addresses: Mapping[str, str]) -> tuple[asyncio.DatagramTransport, int]:
        """Start on a free port of 127.0.0.1; return what closes it, and the port."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: cls(addresses), local_addr=("127.0.0.1", 0))
        return transport, transport.get_extra_info("sockname")[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += data[at] + 1
        (kind,) = struct.unpack("!H", data[at + 1 : at + 3])
        address = self._addresses.get(".".join(labels).lower()) if kind == 1 else None
        answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + address if address else b""
        head = data[:2] + struct.pack("!HHHHH", 0x8580, 1, bool(address), 0, 0)
        self._transport.sendto(head + data[12 : at + 5] + answer, addr)


class Baresip:
    """One running baresip with one account, registered over TLS; SRTP is mandatory.

    ``speech`` is a WAV file (8 kHz mono) that it speaks in every call; baresip hangs up at the end of the file.
    ``codecs`` are those that it offers, as it names them: ``PCMU/8000/1``, ``opus/48000/2``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        user: str,
        domain: str,
        secret: str,
        pool: str,
        port: int,
        roots: Path,
        dns: int,
        speech: Path,
        codecs: tuple[str, ...] = ("PCMU/8000/1", "PCMA/8000/1"),
        answers: bool = False,
    ) -> None:
        self.folder = folder
        self._control_port = free_port()
        folder.mkdir(parents=True)
        config = _CONFIG.format(
            roots=roots, dns_port=dns, speech=speech, folder=folder, control_port=self._control_port
        )
        (folder / "config").write_text(config)
        (folder / "contacts").write_text("")
        (folder / "accounts").write_text("")
        self._account = (
            f"<sip:{user}@{domain};transport=tls>;auth_user={user};auth_pass={secret};regint=60;mwi=yes"
            f';outbound="sip:{pool}:{port};transport=tls";mediaenc=srtp-mand'
            f";answermode={'auto' if answers else 'manual'};audio_codecs={','.join(codecs)}"
        )
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Condition()
        self.output = ""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            "baresip", "-f", str(self.folder), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        self._tasks = [asyncio.create_task(self._read_output())]
        async with asyncio.timeout(10):
            while True:
                try:
                    reader, self._writer = await asyncio.open_connection("127.0.0.1", self._control_port)
                    break
                except ConnectionRefusedError:
                    await asyncio.sleep(0.05)
        self._tasks.append(asyncio.create_task(self._read_events(reader)))
        # The account comes only now: events before the control connection stands are lost.
        await self.command("uanew", self._account)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self._process.terminate()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def command(self, command: str, parameters: str = "") -> None:
        """Give a command of baresip's menu, such as ``dial``."""
        text = json.dumps({"command": command, "params": parameters}).encode()
        self._writer.write(b"%d:%b," % (len(text), text))
        await self._writer.drain()

    async def wait_for(self, kind: str, *, holding: str = "", timeout_s: float = 30) -> dict[str, Any]:
        """Wait for an event of this type whose parameter holds a text; events of the past count."""

        def found() -> dict[str, Any] | None:
            return next((e for e in self.events if e.get("type") == kind and holding in str(e.get("param", ""))), None)

        try:
            async with asyncio.timeout(timeout_s), self._news:
                await self._news.wait_for(lambda: found() is not None)
        except TimeoutError:
            raise AssertionError(f"no {kind} in {self.events}\n{self.output}") from None
        event = found()
        assert event is not None
        return event

    @property
    def kinds(self) -> list[str]:
        """The types of the events so far."""
        return [str(event.get("type")) for event in self.events]

    async def _read_output(self) -> None:
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(4096):
            self.output += data.decode(errors="replace")

    async def _read_events(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                length = int((await reader.readuntil(b":"))[:-1])
                message = json.loads((await reader.readexactly(length + 1))[:-1])
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if message.get("event"):
                async with self._news:
                    self.events.append(message)
                    self._news.notify_all()
