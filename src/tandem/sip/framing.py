"""SIP messages out of a byte stream (RFC 3261 §7.5, §18.3; keep-alives of RFC 5626 §3.5.1).

Content-Length is needed on a stream; without it, or past the limits, the stream cannot be trusted any more and
:class:`MalformedMessage` says so: the driver closes the connection.
"""

import re
from dataclasses import dataclass

from tandem.sip.errors import MalformedMessage
from tandem.sip.parse import MAX_HEADER_BYTES, MAX_MESSAGE_BYTES

_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,10})[ \t]*(?=\r\n|\Z)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAlive:
    """A double CRLF; the answer is a single one."""


class StreamFramer:
    """Collects bytes and gives back whole messages, undecoded."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """Take bytes; return what became complete by them. Raises :class:`MalformedMessage` once framing is lost."""
        self._buffer += data
        out: list[bytes | KeepAlive] = []
        while (item := self._next()) is not None:
            out.append(item)
        return out

    def _next(self) -> bytes | KeepAlive | None:
        while self._buffer[:2] == b"\r\n":
            if self._buffer[:4] == b"\r\n\r\n":
                del self._buffer[:4]
                return KeepAlive()
            if len(self._buffer) < 4 and self._buffer != b"\r\n\r":
                return None
            if self._buffer == b"\r\n\r":
                return None
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEADER_BYTES:
                raise MalformedMessage(f"no end of headers within {MAX_HEADER_BYTES} bytes", status=413)
            return None
        found = _LENGTH.findall(bytes(self._buffer[:end]))
        if len(found) != 1:
            raise MalformedMessage(f"{len(found)} Content-Length headers on a stream; exactly one is needed")
        total = end + 4 + int(found[0])
        if total > MAX_MESSAGE_BYTES:
            raise MalformedMessage(f"a message of {total} bytes; at most {MAX_MESSAGE_BYTES} are read", status=413)
        if len(self._buffer) < total:
            return None
        message = bytes(self._buffer[:total])
        del self._buffer[:total]
        return message
