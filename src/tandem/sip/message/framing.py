"""SIP messages out of a byte stream (RFC 3261 §7.5, §18.3; keep-alives of RFC 5626 §3.5.1).

Content-Length is needed on a stream; without it, or past the limits, the stream cannot be trusted any more and
:class:`MalformedMessage` says so: the driver closes the connection. However the bytes are cut on their way, the messages
are the same, and each byte is looked at a bounded number of times.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tandem.sip.errors import MalformedMessage
from tandem.sip.message.parse import MAX_HEADER_BYTES, MAX_MESSAGE_BYTES

_LWS = rb"(?:\r\n)?[ \t]"
_LENGTH = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*:(?:" + _LWS + rb")*([0-9]{1,10})(?:" + _LWS + rb")*(?=\r\n|\Z)", re.IGNORECASE
)
_END = PAIR = b"\r\n\r\n"
PONG = b"\r\n"
"""A keep-alive, which looks like the end of headers, and the answer to it."""
_LINE_ENDS = re.compile(rb"(?:\r\n)*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAlive:
    """A double CRLF, or ``pairs`` of them one after the other; the answer is a single CRLF."""

    pairs: int = 1


class StreamFramer:
    """Collects bytes and gives back whole messages, undecoded."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # where to go on looking for the end of the headers
        self._total = 0  # the length of the message at the beginning, once it is known

    @property
    def pending(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes | KeepAlive]:
        """Take bytes; give what became complete by them. Raises :class:`MalformedMessage` where framing is lost."""
        self._buffer += data
        return self._items()

    def _items(self) -> Iterator[bytes | KeepAlive]:
        while (item := self._next()) is not None:
            yield item

    def _next(self) -> bytes | KeepAlive | None:
        if not self._total:
            if pairs := self._line_ends():
                return KeepAlive(pairs=pairs)
            self._total = self._measure()
        if not self._total or len(self._buffer) < self._total:
            return None
        message = bytes(self._buffer[: self._total])
        del self._buffer[: self._total]
        self._searched = self._total = 0
        return message

    def _line_ends(self) -> int:
        """Take away the line ends before a message, all at once; how many pairs of them there were.

        A single one at the end waits: the other half of the pair may be on its way.
        """
        found = _LINE_ENDS.match(self._buffer)
        length = found.end() if found else 0
        del found  # it holds the buffer
        pairs, odd = divmod(length, len(_END))
        waits = odd and _END.startswith(self._buffer[length - odd : length - odd + len(_END)])
        del self._buffer[: length - odd if waits else length]
        return pairs

    def _measure(self) -> int:
        """The length of the message at the beginning, or 0 while its headers are not complete."""
        end = self._buffer.find(_END, self._searched)
        if end < 0 and len(self._buffer) < MAX_HEADER_BYTES + len(_END):
            self._searched = max(0, len(self._buffer) - len(_END) + 1)
            return 0
        if end < 0 or end > MAX_HEADER_BYTES:
            raise MalformedMessage(f"no end of headers within {MAX_HEADER_BYTES} bytes", status=413)
        found = _LENGTH.findall(bytes(self._buffer[:end]))
        if len(found) != 1:
            raise MalformedMessage(f"{len(found)} Content-Length headers on a stream; exactly one is needed")
        total = end + len(_END) + int(found[0])
        if total > MAX_MESSAGE_BYTES:
            raise MalformedMessage(f"a message of {total} bytes; at most {MAX_MESSAGE_BYTES} are read", status=413)
        return total
