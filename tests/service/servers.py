"""Both servers in this process, on loopback, with TLS and a real media engine; phones; and a peer that writes bytes."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.admin.trial.demo import CALLED, CALLER, POOL, UM, free_ports, roots
from tandem.ops.notify import ServiceManager
from tandem.ops.operation import Operation, Settings
from tandem.pki.store import CertificateStore
from tandem.pki.tls import client_context, phone_tls_context
from tandem.probe.phone import Account, Phone
from tandem.service.service import Service
from tandem.sip.aio.resolve import Resolver
from tandem.wiring import Home, Listen, start_um, start_voice


@dataclass
class Servers:
    folder: Path
    ports: dict[str, int]
    um: Service[Any]
    voice: Service[Any]

    def phone(self, address: str) -> Phone:
        user = self.voice.config.users[address]
        secret = self.voice.following.index.sip_secret(user)
        account = Account(address=address, secret=secret, pool=POOL, port=self.ports[POOL])
        return Phone(account, phone_tls_context(roots(self.folder)), resolver=resolver(self.ports))

    @contextlib.asynccontextmanager
    async def phones(self) -> AsyncIterator[tuple[Phone, Phone]]:
        """Alice's and Bob's."""
        alice, bob = self.phone(CALLED), self.phone(CALLER)
        yield alice, bob
        for phone in (alice, bob):
            await phone.close()


def resolver(ports: dict[str, int]) -> Resolver:
    return Resolver({name: ("127.0.0.1", port) for name, port in ports.items()})


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Servers]:
    ports = dict(zip((UM, POOL), free_ports(2), strict=True))
    resolve = {name: ("127.0.0.1", port) for name, port in ports.items()}
    home = Home(folder=folder)
    listen = Listen(ports={"tls": ports[UM], "tcp": 0, "udp": 0}, resolve=resolve, media_workers=1)
    um = await start_um(home, UM, listen)
    voice = await start_voice(home, POOL, Listen(ports={"tls": ports[POOL]}, resolve=resolve))
    try:
        yield Servers(folder, ports, um.server, voice.server)
    finally:
        await voice.server.stop()
        await um.server.stop()


@contextlib.asynccontextmanager
async def operated(server: Service[Any], folder: Path) -> AsyncIterator[Operation]:
    """The HTTP pages of a server that serves."""
    operation = Operation(Settings(port=0), fqdn="x", traces=folder, service_manager=ServiceManager())
    await operation.start()
    operation.serves("serves", server.checks(), server.notices())
    yield operation
    await operation.stop()


async def page(operation: Operation, path: str) -> tuple[int, str]:
    assert operation.bound is not None
    reader, writer = await asyncio.open_connection(*operation.bound)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body.decode()


class RawPeer:
    """Writes bytes to a server by TLS, with the certificate of the pool, and reads the responses."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, servers: Servers, name: str) -> "RawPeer":
        context = client_context(CertificateStore(folder=servers.folder / "state" / "pki" / POOL))
        return cls(*await asyncio.open_connection("127.0.0.1", servers.ports[name], ssl=context, server_hostname=name))

    def write(self, *messages: bytes) -> None:
        """In one TLS record."""
        self._writer.write(b"".join(messages))

    async def response(self) -> tuple[int, str, str]:
        """Status, method, and the whole head of the next response; a request of the server's own (MWI) is passed over."""
        head = ""
        async with asyncio.timeout(10):
            while not head.startswith("SIP/2.0 "):
                head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
                if length := int(re.search(r"(?im)^(?:content-length|l): *(\d+)", head)[1]):  # type: ignore[index]
                    await self._reader.readexactly(length)
        method = re.search(r"(?im)^cseq: *\d+ (\w+)", head)
        assert method is not None
        return int(head.split()[1]), method[1], head

    async def finals(self, count: int) -> set[tuple[int, str]]:
        """The next final responses."""
        found: set[tuple[int, str]] = set()
        while len(found) < count:
            status, method, _ = await self.response()
            if status >= 200:
                found.add((status, method))
        return found

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
