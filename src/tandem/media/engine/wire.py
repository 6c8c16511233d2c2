"""What the front and a worker say to each other, over a socket that only they have.

Each message is a value of the classes below: its number in :data:`MESSAGES` and its fields, marshalled, behind their length
in four bytes. Both ends are the same program, so that no version has to be told. ``call`` is a number that the front gives.
"""

import marshal
import struct
from dataclasses import dataclass, field, fields
from typing import Any

from tandem.media.rtp.quality import Quality, Summary
from tandem.media.session import Recorded, Stream

_length = struct.Struct("!I")


# From the front


@dataclass(frozen=True, slots=True)
class Open:
    """Bind a socket on ``host``, on an even port from ``first`` to before ``end`` (0 and 1: any)."""

    call: int
    host: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Start:
    """Begin, or go on as agreed anew."""

    call: int
    stream: Stream


@dataclass(frozen=True, slots=True)
class Load:
    """A sound that may be played from now on."""

    digest: bytes
    linear: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Forget:
    """A sound that will not be played again."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class Play:
    """Play these sounds; none is silence. ``playback`` comes back in :class:`PlayedOut`."""

    call: int
    playback: int
    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Press:
    """Send keys."""

    call: int
    keys: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listen:
    """Hand over what is heard, by :class:`Heard`."""

    call: int


@dataclass(frozen=True, slots=True)
class Record:
    """Append what is heard to a file."""

    call: int
    path: str
    idle_s: float


@dataclass(frozen=True, slots=True)
class EndRecord:
    """Record no more; answered by :class:`RecordEnded`."""

    call: int


@dataclass(frozen=True, slots=True)
class Close:
    """End; answered by :class:`RecordEnded`, if something was being recorded, and :class:`Closed`."""

    call: int


# From a worker


@dataclass(frozen=True, slots=True)
class Opened:
    """The socket is bound to ``port``; 0 if none was free."""

    call: int
    port: int


@dataclass(frozen=True, slots=True)
class PlayedOut:
    """A playback came to its end."""

    call: int
    playback: int


@dataclass(frozen=True, slots=True)
class KeysOut:
    """Every key that was pressed has gone out."""

    call: int


@dataclass(frozen=True, slots=True)
class Key:
    """The peer pressed a key."""

    call: int
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Heard:
    """Linear sound."""

    call: int
    linear: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Silent:
    """Nobody spoke into the recording for too long."""

    call: int


@dataclass(frozen=True, slots=True)
class NotWritten:
    """The disk does not take a recording; it is tried again."""

    call: int
    why: str


@dataclass(frozen=True, slots=True)
class RecordEnded:
    """A recording is over and in its file."""

    call: int
    recorded: Recorded


@dataclass(frozen=True, slots=True)
class Closed:
    """A call is over."""

    call: int
    summary: Summary


@dataclass(frozen=True, slots=True)
class Failed:
    """A call came upon a defect, and is over; its recording is what is in the file."""

    call: int
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """Once a second: which calls were heard since the last, datagrams since then, and the worst delay in sending.

    ``unsent`` of the ``sent`` ones the kernel did not take.
    """

    heard: tuple[int, ...]
    received: int
    sent: int
    unsent: int
    worst_late_s: float


Message = (
    Open | Start | Load | Forget | Play | Press | Listen | Record | EndRecord | Close
    | Opened | PlayedOut | KeysOut | Key | Heard | Silent | NotWritten | RecordEnded | Closed | Failed | Report
)  # fmt: skip
MESSAGES: tuple[type, ...] = (*Message.__args__, Stream, Recorded, Summary, Quality)
_number = {kind: number for number, kind in enumerate(MESSAGES)}
_names = {kind: tuple(f.name for f in fields(kind)) for kind in MESSAGES}


def pack(message: Message) -> bytes:
    """A message as it goes over the socket."""
    body = marshal.dumps(_flat(message))
    return _length.pack(len(body)) + body


def _flat(value: Any) -> Any:  # Any: the fields of all messages
    number = _number.get(type(value))
    if number is None:
        return value
    return [number, *(_flat(getattr(value, name)) for name in _names[type(value)])]


def _deep(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kind = MESSAGES[value[0]]
    return kind(**dict(zip(_names[kind], map(_deep, value[1:]), strict=True)))


class Unpacker:
    """Messages out of the bytes of the socket, however they are cut."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole now."""
        self._rest += data
        found, at = [], 0
        while len(self._rest) >= at + 4:
            end = at + 4 + _length.unpack_from(self._rest, at)[0]
            if len(self._rest) < end:
                break
            found.append(_deep(marshal.loads(self._rest[at + 4 : end])))  # noqa: S302 - our own process sent it
            at = end
        del self._rest[:at]
        return found
