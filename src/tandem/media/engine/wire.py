"""What the parent process and a worker say to each other, over a socket that only they have.

Each message is a value of the classes below: its number in :data:`MESSAGES` and its fields, marshalled, behind their length
in four bytes. Both ends are the same program, so that no version has to be exchanged. ``call`` is a number that the
parent process assigns.
"""

import marshal
import struct
from dataclasses import dataclass, field, fields
from typing import Any

from tandem.media.rtp.quality import CallQuality, Quality
from tandem.media.session import Recorded, Stream

_length = struct.Struct("!I")


# From the parent process


@dataclass(frozen=True, slots=True)
class OpenPort:
    """Bind a socket on ``host``, on an even port from ``first`` to before ``end`` (0 and 1: any)."""

    call: int
    host: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class StartStream:
    """Begin, or go on with a new agreement."""

    call: int
    stream: Stream


@dataclass(frozen=True, slots=True)
class LoadSound:
    """A sound that may be played from now on."""

    digest: bytes
    linear: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ForgetSound:
    """A sound that will not be played again."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class PlaySounds:
    """Play these sounds; none is silence. ``playback`` comes back in :class:`PlaybackOver`."""

    call: int
    playback: int
    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PlayFile:
    """Play a file from a sample of it on."""

    call: int
    playback: int
    path: str
    position: int
    speed: float


@dataclass(frozen=True, slots=True)
class ControlPlayback:
    """Change a file's playback, if it still is that one; ``None`` leaves a thing as it is."""

    call: int
    playback: int
    paused: bool | None = None
    position: int | None = None
    skip: int | None = None
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class EndPlayback:
    """Be silent, if this is what plays."""

    call: int
    playback: int


@dataclass(frozen=True, slots=True)
class StartBridge:
    """Join with another call of the worker."""

    call: int
    other: int


@dataclass(frozen=True, slots=True)
class EndBridge:
    """Part from the other call."""

    call: int


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Send these digits as DTMF."""

    call: int
    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StartListening:
    """Hand over what is heard, by :class:`SoundReceived`."""

    call: int


@dataclass(frozen=True, slots=True)
class RecordToFile:
    """Append what is heard to a file."""

    call: int
    path: str
    idle_s: float


@dataclass(frozen=True, slots=True)
class EndRecording:
    """Record no more; answered by :class:`RecordingEnded`."""

    call: int


@dataclass(frozen=True, slots=True)
class CloseCall:
    """End; answered by :class:`RecordingEnded`, if something was being recorded, and :class:`CallClosed`."""

    call: int


# From a worker


@dataclass(frozen=True, slots=True)
class PortOpened:
    """The socket is bound to ``port``; 0 if none was free."""

    call: int
    port: int


@dataclass(frozen=True, slots=True)
class PlaybackOver:
    """A playback is over: played to its end, stopped, or ``failed``. ``position`` is in samples."""

    call: int
    playback: int
    whole: bool
    position: int
    failed: str = ""


@dataclass(frozen=True, slots=True)
class PlaybackAt:
    """How far a file's playback is, in samples."""

    call: int
    playback: int
    position: int
    duration: int


@dataclass(frozen=True, slots=True)
class DtmfOut:
    """Every digit has gone out."""

    call: int


@dataclass(frozen=True, slots=True)
class DtmfDigit:
    """The peer sent a digit."""

    call: int
    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SoundReceived:
    """Linear sound."""

    call: int
    linear: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RecordingSilent:
    """Nobody spoke into the recording for too long."""

    call: int


@dataclass(frozen=True, slots=True)
class RecordingNotWritten:
    """The disk does not take a recording; it is tried again."""

    call: int
    why: str


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    """A recording is over and in its file."""

    call: int
    recorded: Recorded


@dataclass(frozen=True, slots=True)
class CallClosed:
    """A call is over."""

    call: int
    summary: CallQuality


@dataclass(frozen=True, slots=True)
class MediaFailed:
    """A call came upon a defect, and is over; its recording is what is in the file."""

    call: int
    why: str


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """Once a second: which calls were heard since the last, datagrams since then, and the worst delay in sending.

    ``unsent`` of the ``sent`` ones the kernel did not take.
    """

    heard: tuple[int, ...]
    received: int
    sent: int
    unsent: int
    worst_late_s: float


Message = (
    OpenPort
    | StartStream
    | LoadSound
    | ForgetSound
    | PlaySounds
    | PlayFile
    | ControlPlayback
    | EndPlayback
    | StartBridge
    | EndBridge
    | SendDtmf
    | StartListening
    | RecordToFile
    | EndRecording
    | CloseCall
    | PortOpened
    | PlaybackOver
    | PlaybackAt
    | DtmfOut
    | DtmfDigit
    | SoundReceived
    | RecordingSilent
    | RecordingNotWritten
    | RecordingEnded
    | CallClosed
    | MediaFailed
    | WorkerReport
)
MESSAGES: tuple[type, ...] = (*Message.__args__, Stream, Recorded, CallQuality, Quality)
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
