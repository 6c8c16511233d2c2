"""The port beside a session's, where RTCP comes and goes if the peer does not share one port for both (RFC 5761)."""

import asyncio
import socket
from collections.abc import Callable

_MAX_DATAGRAM = 2048
_MAX_AT_ONCE = 10

OnReport = Callable[[bytes, tuple[str, int]], None]


class ControlPort:
    """A socket on the port behind ``port``; where that is not free, nothing comes and nothing goes out."""

    def __init__(self, host: str, port: int, on_report: OnReport) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_report = on_report
        self._socket: socket.socket | None = socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        )
        try:
            self._socket.bind((host, port + 1))
        except (OSError, OverflowError):
            self.close()
        else:
            self._loop.add_reader(self._socket, self._read)

    def send(self, data: bytes, target: tuple[str, int]) -> None:
        """Send a report; what cannot be sent is as if it were lost on the way."""
        if self._socket is not None:
            try:
                self._socket.sendto(data, target)
            except OSError:
                return

    def close(self) -> None:
        """Free the port."""
        sock, self._socket = self._socket, None
        if sock is not None:
            self._loop.remove_reader(sock)
            sock.close()

    def _read(self) -> None:
        for _ in range(_MAX_AT_ONCE):
            if self._socket is None:
                return
            try:
                data, source = self._socket.recvfrom(_MAX_DATAGRAM)
            except OSError:
                return
            self._on_report(data, source[:2])
