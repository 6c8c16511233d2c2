"""Bytes of one SIP message to a value (RFC 3261 §7, §25), hardened for what the wire may bring.

Eager is only what a transaction needs: the first line, the header lines, and that Via, From, To, Call-ID and CSeq are
there and readable. Everything else is parsed where it is read. Limits are on the size of the whole, the length of a line
and the number of headers. Bytes that are not UTF-8 survive a round trip (surrogate escapes).
"""

import re

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.uri import MAX_URI, has_headers
from tandem.sip.message import grammar
from tandem.sip.message.message import Headers, Request, Response, is_one_line
from tandem.sip.message.names import header_key, known_key

MAX_MESSAGE_BYTES = 65_535
"""The largest message that we read: what a UDP datagram can hold, and far beyond any sane one."""
MAX_HEADER_BYTES = 32_768
MAX_HEADERS = 256
MAX_LINE = 8_192

_REQUEST_LINE = re.compile(rf"({grammar.TOKEN}) (\S+) [Ss][Ii][Pp]/([0-9]{{1,3}}\.[0-9]{{1,3}})\Z")
_STATUS_LINE = re.compile(r"[Ss][Ii][Pp]/2\.0 ([1-6][0-9]{2})(?: (.*))?\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[A-Za-z0-9\-_.!~*'();/?:@&=+$,%\[\]#]+\Z")
"""What may be a Request-URI of any scheme (RFC 3986); ours are read when somebody asks."""
_NAME = re.compile(rf"({grammar.TOKEN})[ \t]*\Z")
_CONTROLS = bytes(set(range(32)) - set(b"\t\r\n")) + b"\x7f"
_SINGLE = ("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type")
_NEEDED = ("via", "from", "to", "call-id", "cseq")
_MAX_METHOD = 64


def parse_message(data: bytes) -> Request | Response:
    """Parse one whole message. Raises :class:`MalformedMessage`, and nothing else, for anything else."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise MalformedMessage(f"a message of {len(data)} bytes; at most {MAX_MESSAGE_BYTES} are read", status=413)
    head, separator, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not separator:
        raise MalformedMessage("the header section does not end with an empty line")
    lines = _lines(head)
    headers = _headers(lines)
    message = _first_line(lines[0], headers)
    _check_counts(headers)
    fields.check_eagerly(message)
    message.body = _body(headers, body)
    return message


def _lines(head: bytes) -> list[str]:
    """The lines of a header section, unfolded, within the limits."""
    if len(head) > MAX_HEADER_BYTES:
        raise MalformedMessage(
            f"a header section of {len(head)} bytes; at most {MAX_HEADER_BYTES} are read", status=413
        )
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    if len(lines) > MAX_HEADERS + 1:
        raise MalformedMessage(f"{len(lines) - 1} header lines; at most {MAX_HEADERS} are read", status=413)
    if b"\r\n " in head or b"\r\n\t" in head:
        lines = unfold(lines)
    if len(head) > MAX_LINE and max(map(len, lines)) > MAX_LINE:
        raise MalformedMessage(f"a header line of more than {MAX_LINE} characters", status=413)
    _check_controls(head, lines)
    return lines


def _check_controls(head: bytes, lines: list[str]) -> None:
    """Refuse what could end a line elsewhere; one pass over the whole for messages without such characters."""
    clean = len(head.translate(None, _CONTROLS)) == len(head) and b"\xe2\x80" not in head
    if clean and head.count(b"\r") == head.count(b"\n") == head.count(b"\r\n"):
        return
    for line in lines:
        if not is_one_line(line):
            raise MalformedMessage(f"a control character or line break in a header line: {line[:80]!r}")


def unfold(lines: list[str]) -> list[str]:
    """Join continuation lines (RFC 3261 §7.3.1) to the header line they continue."""
    out: list[list[str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and len(out) > 1:
            out[-1] += " ", line.strip(" \t")
        else:
            out.append([line.rstrip(" \t") if out else line])
    return ["".join(parts) for parts in out]


def _headers(lines: list[str]) -> Headers:
    """The header fields of every line after the first."""
    out: list[tuple[str, str, str]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = known_key(name)
        if key is None or not colon:
            name, key = _unusual(line, name, colon)
        out.append((key, name, value.strip(" \t")))
    return Headers.of_checked(out)


def _unusual(line: str, name: str, colon: str) -> tuple[str, str]:
    if not colon:
        raise MalformedMessage(f"a header line without a colon: {line[:60]!r}")
    if not (found := _NAME.match(name)):
        raise MalformedMessage(f"{name[:60]!r} is no header name: expected an RFC 3261 token")
    return found[1], header_key(found[1])


def _first_line(line: str, headers: Headers) -> Request | Response:
    if status := _STATUS_LINE.match(line):
        return Response(status=int(status[1]), reason=(status[2] or "").strip(), headers=headers)
    if not (request := _REQUEST_LINE.match(line)):
        raise MalformedMessage(f"neither a request line nor a status line: {line[:80]!r}")
    method, uri, version = request.groups()
    if version != "2.0":
        raise MalformedMessage(f"SIP version {version}; only 2.0 is spoken", status=505)
    if len(uri) > MAX_URI:
        raise MalformedMessage(f"a Request-URI of {len(uri)} characters", status=414)
    if len(method) > _MAX_METHOD or not _URI.match(uri):
        raise MalformedMessage(f"neither a method nor a URI that could be one: {line[:80]!r}")
    if has_headers(uri):
        raise MalformedMessage("a Request-URI with headers")
    return Request(method=method, uri=uri, headers=headers)


def _check_counts(headers: Headers) -> None:
    values = headers.by_key()
    for key in _NEEDED:
        if key not in values:
            raise MalformedMessage(f"there is no {key} header")
    for key in _SINGLE:
        if key in values and len(values[key]) > 1:
            raise MalformedMessage(f"{key} occurs more than once")


def _body(headers: Headers, rest: bytes) -> bytes:
    declared = headers.get("content-length")
    if declared is None:
        return rest
    length = fields.content_length(declared)
    if length > len(rest):
        raise MalformedMessage(f"Content-Length says {length} bytes, {len(rest)} came")
    # RFC 3261 §18.3: bytes of a datagram beyond the body are discarded.
    return rest[:length]
