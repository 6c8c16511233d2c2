"""One traced message, as a value and as bytes on disk. Sans-IO.

A record is its length, the moment, a flag and ``transport local-host local-port remote-host remote-port`` as text, then the
message. A record that a crash has cut ends its file.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tandem.ops.errors import BadTrace

MAGIC = b"TANDEM-TRACE-1\n"
_HEAD = struct.Struct("<IdBB")  # bytes that follow the length, seconds of the epoch, sent, bytes of the text
_LENGTH = struct.Struct("<I")
_LONGEST = 1 << 18
_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:\s*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A message that a server sent or received. ``at`` in seconds of the epoch; addresses are host and port."""

    at: float
    sent: bool
    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    data: bytes
    server: str = ""

    @property
    def moment(self) -> tuple[int, int]:
        """Seconds of the epoch, and the microseconds beyond them."""
        return divmod(round(self.at * 1e6), 1_000_000)

    @property
    def source(self) -> tuple[str, int]:
        """Where it came from."""
        return self.local if self.sent else self.remote

    @property
    def target(self) -> tuple[str, int]:
        """Where it went."""
        return self.remote if self.sent else self.local


def encode(record: Record) -> bytes:
    """As it is in a file."""
    where = f"{record.transport} {record.local[0]} {record.local[1]} {record.remote[0]} {record.remote[1]}".encode()[
        :255
    ]
    length = _HEAD.size - _LENGTH.size + len(where) + len(record.data)
    return _HEAD.pack(length, record.at, record.sent, len(where)) + where + record.data


def decode_all(raw: bytes, server: str = "", *, about: bytes = b"") -> Iterator[Record]:
    """The records of a file; with ``about`` only those whose message holds these bytes. Raises :class:`BadTrace`."""
    if not raw.startswith(MAGIC):
        raise BadTrace("it does not begin as a file of the trace does")
    view, at = memoryview(raw), len(MAGIC)
    while at + _HEAD.size <= len(raw):
        length, moment, sent, of_text = _HEAD.unpack_from(raw, at)
        end = at + _LENGTH.size + length
        if length > _LONGEST or length < _HEAD.size - _LENGTH.size + of_text:
            raise BadTrace(f"a record of {length} bytes at {at}")
        if end > len(raw):
            return
        body = at + _HEAD.size
        data = bytes(view[body + of_text : end])
        at = end
        if about in data:
            yield _record(bytes(view[body : body + of_text]), data, moment, bool(sent), server)


def _record(where: bytes, data: bytes, at: float, sent: bool, server: str) -> Record:
    try:
        transport, local, local_port, remote, remote_port = where.decode().split(" ")
        return Record(
            at=at,
            sent=sent,
            transport=transport,
            local=(local, int(local_port)),
            remote=(remote, int(remote_port)),
            data=data,
            server=server,
        )
    except ValueError:
        raise BadTrace(f"{where!r} names no addresses") from None


def call_id_of(data: bytes) -> str:
    """The Call-ID of a message; empty if it names none. Reads also what a parser would refuse."""
    value = header(data, b"Call-ID", _CALL_ID)
    return value.strip().decode("utf-8", "replace")


def header(data: bytes, usual: bytes, pattern: re.Pattern[bytes]) -> bytes:
    """The first value of a header: by its usual spelling, which is quick, else by a pattern that knows the others."""
    end = data.find(b"\r\n\r\n")
    begin = data.find(b"\r\n" + usual + b": ", 0, end if end >= 0 else len(data))
    if begin >= 0:
        begin += len(usual) + 4
        return data[begin : data.find(b"\r", begin)]
    found = pattern.search(data)
    return found[1] if found else b""
