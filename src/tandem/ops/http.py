"""The little HTTP server of ``/metrics``, ``/healthz`` and ``/readyz`` (RFC 9112, as much as a scraper needs).

GET and HEAD, one request a connection. It cannot be used against the calls beside it: at most ``MAX_CONNECTIONS`` at once,
``REQUEST_S`` seconds and ``MAX_REQUEST`` bytes for a request, ``ANSWER_S`` seconds to take the answer. It says nothing that is
secret, but it is for the machine itself or a network of operators: it listens on loopback by default.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tandem.core.log import event, get_logger
from tandem.ops.errors import OpsError
from tandem.service.threads import ThreadPool

_log = get_logger("ops")
MAX_CONNECTIONS = 32
PAGE_THREADS = 8
MAX_REQUEST = 8_192
REQUEST_S, ANSWER_S = 5.0, 20.0
_PHRASES = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
            431: "Request Header Fields Too Large", 500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A page as it is sent."""

    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""

    @classmethod
    def of_json(cls, facts: object, status: int = 200) -> "Answer":
        """A JSON document."""
        return cls(status=status, content_type="application/json", body=json.dumps(facts, indent=1).encode() + b"\n")

    @classmethod
    def of_text(cls, text: str, status: int = 200) -> "Answer":
        """A line of text."""
        return cls(status=status, body=f"{text}\n".encode())

    def head(self) -> bytes:
        """The status line and the headers."""
        lines = (
            f"HTTP/1.1 {self.status} {_PHRASES[self.status]}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            "Cache-Control: no-store",
            "Connection: close",
            *(("Allow: GET, HEAD",) if self.status == 405 else ()),
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


Page = Callable[[], Answer]


class HttpServer:
    """Pages by path. Those in ``slow`` are made in threads of its own: they may wait for a disk."""

    def __init__(self, pages: Mapping[str, Page], *, slow: frozenset[str] = frozenset()) -> None:
        self._pages = pages
        self._slow = slow
        self._threads = ThreadPool("ops-page", PAGE_THREADS)
        self._server: asyncio.Server | None = None
        self._open = 0

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Start serving; returns the address. Raises :class:`OpsError` if it is taken."""
        try:
            self._server = await asyncio.start_server(
                self._serve, host, port, limit=MAX_REQUEST, backlog=MAX_CONNECTIONS
            )
        except OSError as error:
            raise OpsError(
                f"cannot bind {host}:{port} (metrics): {error.strerror}. Choose another with --ops-port"
            ) from None
        address = self._server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.close()
        self._threads.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._open += 1
        try:
            method, answer = await self._answer(reader)
            async with asyncio.timeout(ANSWER_S):
                writer.write(answer.head() + (b"" if method == "HEAD" else answer.body))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, EOFError) as error:
            event(_log, logging.DEBUG, "ops.http_broken", error=repr(error))
            writer.transport.abort()
        finally:
            self._open -= 1

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[str, Answer]:
        try:
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            return "", Answer.of_text("the request did not come in time", 408)
        except asyncio.LimitOverrunError:
            return "", Answer.of_text(f"more than {MAX_REQUEST} bytes of request", 431)
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        target, _, version = rest.rpartition(" ")
        if not version.startswith("HTTP/1.") or not target:
            return "", Answer.of_text("expected an HTTP/1.1 request", 400)
        if method not in ("GET", "HEAD"):
            return method, Answer.of_text("only GET and HEAD", 405)
        path = target.partition("?")[0]
        page = self._pages.get(path)
        if page is None:
            return method, Answer.of_text(f"available: {', '.join(self._pages)}", 404)
        try:
            return method, await self._threads.run(page) if path in self._slow else page()
        except Exception:
            _log.exception("ops.defect path=%s", path)
            return method, Answer.of_text("the page could not be made; the log says why", 500)
