"""Plain RTP with G.711 as a peer sends and hears it, written for the tests: nothing of Tandem's media is in it."""

import asyncio
import struct
from types import TracebackType
from typing import Any, Self, cast

FRAME = 160


class PlainRtp(asyncio.DatagramProtocol):
    """One socket: :attr:`arrivals` are the times (loop's clock) and payloads of what came, of one payload type."""

    def __init__(self, host: str, payload_type: int = 0) -> None:
        self.host, self.port = host, 0
        self.arrivals: list[tuple[float, bytes]] = []
        self._payload_type = payload_type
        self._packets: dict[int, bytes] = {}

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._transport, _ = await self._loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cast(asyncio.DatagramTransport, self._transport).abort()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if len(data) > 12 and data[1] & 0x7F == self._payload_type:
            (sequence,) = struct.unpack("!H", data[2:4])
            self._packets[sequence] = data[12:]
            self.arrivals.append((self._loop.time(), data[12:]))

    @property
    def heard(self) -> bytes:
        """The payloads in order of their sequence numbers (a stream of the tests is too short to wrap twice)."""
        numbers = sorted(self._packets)
        wrapped = [n for n in numbers if numbers and n - numbers[0] > 32768]
        order = wrapped + [n for n in numbers if n not in set(wrapped)]
        return b"".join(self._packets[n] for n in order)

    async def speak(self, encoded: bytes, to: tuple[str, int]) -> None:
        """Send encoded sound, 20 ms a packet, in its own time."""
        begun = self._loop.time()
        for number in range(len(encoded) // FRAME):
            head = struct.pack("!BBHII", 0x80, self._payload_type, number & 0xFFFF, number * FRAME, 0x5EED)
            payload = encoded[number * FRAME : (number + 1) * FRAME]
            cast(asyncio.DatagramTransport, self._transport).sendto(head + payload, to)
            await asyncio.sleep(max(0.0, begun + (number + 1) * 0.02 - self._loop.time()))
