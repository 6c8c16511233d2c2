"""Bodies of several parts (RFC 5621, RFC 2046 §5.1): where a message has its session description.

Carriers and SIP-I gateways send ISUP or a location beside it. The first ``application/sdp`` of ``multipart/mixed`` counts, or
of any other ``multipart``. Left out: parts within parts, transfer encodings. A body is read once from its beginning, and has
at most :data:`MAX_PARTS` parts.
"""

from dataclasses import dataclass

from tandem.sip.errors import SdpError
from tandem.sip.headers.params import with_parameters
from tandem.sip.message.message import Message

DESCRIPTION = "application/sdp"
MAX_PARTS = 16
_MAX_BOUNDARY = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPart:
    """One part: ``kind`` is its content type in lower case, ``handling`` what Content-Disposition says of it, if anything."""

    kind: str
    handling: str
    body: bytes


def content_kind(message: Message) -> str:
    """The content type in lower case, without parameters; an empty string without one."""
    return (message.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def description_of(message: Message) -> bytes:
    """The session description of a message, or no bytes. A body without a content type is taken for one.

    Raises :class:`SdpError` for parts that cannot be told apart.
    """
    kind = content_kind(message)
    if kind.startswith("multipart/"):
        return next((part.body for part in parts_of(message) if part.kind == DESCRIPTION), b"")
    return message.body if kind in ("", DESCRIPTION) else b""


def parts_of(message: Message) -> list[BodyPart]:
    """The parts of a body whose content type is ``multipart/...``, in their order; raises :class:`SdpError`."""
    boundary = with_parameters(message.headers.get("Content-Type") or "")[1].get("boundary", "")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise SdpError(f"a body of several parts needs a boundary of 1 to {_MAX_BOUNDARY} characters")
    delimiter = b"\r\n--" + boundary.encode("utf-8", "surrogateescape")
    _, *pieces = (b"\r\n" + message.body).split(delimiter, MAX_PARTS + 1)
    ended = next((at for at, piece in enumerate(pieces) if piece.startswith(b"--")), len(pieces))
    if ended > MAX_PARTS:
        raise SdpError(f"a body of more than {MAX_PARTS} parts")
    return [_part(piece) for piece in pieces[:ended]]


def _part(piece: bytes) -> BodyPart:
    head, _, body = piece.lstrip(b" \t").partition(b"\r\n\r\n")
    said: dict[str, str] = {}
    for line in head.decode("utf-8", "surrogateescape").split("\r\n"):
        name, _, value = line.partition(":")
        said.setdefault(name.strip().lower(), value.strip())
    disposition = with_parameters(said.get("content-disposition", ""))[1]
    return BodyPart(
        kind=said.get("content-type", "text/plain").partition(";")[0].strip().lower(),
        handling=disposition.get("handling", "").lower(),
        body=body,
    )
