"""rtpengine, which nobody here wrote, as a relay between plain RTP and SRTP: an oracle for keys, suites and codecs.

It runs in user space (``--table=-1``) and is told what to do by its ``ng`` protocol: a cookie and a bencoded dictionary
in one datagram, answered likewise.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from socket import SOCK_DGRAM
from typing import Any, cast

from peers.baresip import free_port


class Rtpengine(asyncio.DatagramProtocol):
    """A running rtpengine; one call of ``ng`` at a time."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._answers.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        pass  # it does not listen yet

    async def ask(self, command: str, *, timeout_s: float = 5.0, **values: Any) -> dict[str, Any]:
        """Give a command; underscores in names stand for hyphens. Fails with rtpengine's log on an error."""
        cookie = secrets.token_hex(8).encode()
        wanted = {"command": command, **{name.replace("_", "-"): value for name, value in values.items()}}
        self._transport.sendto(cookie + b" " + encode(wanted))
        async with asyncio.timeout(timeout_s):
            while not (answer := await self._answers.get()).startswith(cookie):
                pass
        result = cast(dict[str, Any], decode(answer[len(cookie) + 1 :])[0])
        assert result["result"] in ("ok", "pong"), f"{result}\n{self._log.read_text()[-4000:]}"
        return result

    def stop(self) -> None:
        """Close the control socket."""
        self._transport.abort()


@contextlib.asynccontextmanager
async def rtpengine(folder: Path, address: str) -> AsyncIterator[Rtpengine]:
    """Run rtpengine on an address; gives its control once it answers."""
    port, log = free_port(SOCK_DGRAM), folder / "rtpengine.log"
    with log.open("w") as file:
        process = await asyncio.create_subprocess_exec(
            *("rtpengine", "--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--log-level=6"),
            *(f"--interface={address}", f"--listen-ng={address}:{port}", "--port-min=20000", "--port-max=29999"),
            stdout=file,
            stderr=file,
        )
    control = Rtpengine(log)
    try:
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: control, remote_addr=(address, port))
        async with asyncio.timeout(20):
            while True:
                assert process.returncode is None, log.read_text()
                with contextlib.suppress(TimeoutError):
                    await control.ask("ping", timeout_s=0.1)
                    break
        yield control
    finally:
        control.stop()
        if process.returncode is None:
            process.terminate()
        await process.wait()


def encode(value: Any) -> bytes:
    """Bencode: dictionaries, lists, numbers, texts."""
    match value:
        case dict():
            return b"d" + b"".join(encode(name) + encode(value[name]) for name in sorted(value)) + b"e"
        case list() | tuple():
            return b"l" + b"".join(encode(each) for each in value) + b"e"
        case int():
            return b"i%de" % value
        case _:
            text = str(value).encode()
            return b"%d:%b" % (len(text), text)


def decode(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The value that begins at a place, and the place behind it."""
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        items, at = [], at + 1
        while data[at : at + 1] != b"e":
            item, at = decode(data, at)
            items.append(item)
        return (items if kind == b"l" else dict(zip(items[::2], items[1::2], strict=True))), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1 : end].decode(), end
