"""Bytes of one SIP message to a value (RFC 3261 §7, §25), hardened for what the wire may bring.

Eager is only what a transaction needs: the first line, the header lines, and that Via, From, To, Call-ID and CSeq are
there and readable. Everything else is parsed where it is read. Limits are on the size of the whole, the length of a line
and the number of headers. Bytes that are not UTF-8 survive a round trip (surrogate escapes).
"""

import re

from tandem.sip import fields
from tandem.sip.errors import IllegalHeader, MalformedMessage
from tandem.sip.message import Headers, Request, Response, header_key

MAX_MESSAGE_BYTES = 65_535
"""The largest message that we read: what a UDP datagram can hold, and far beyond any sane one."""
MAX_HEADER_BYTES = 32_768
MAX_HEADERS = 256
MAX_LINE = 8_192

_REQUEST_LINE = re.compile(r"([A-Za-z0-9\-.!%*_+`'~]{1,32}) (\S{1,2048}) SIP/(\d{1,3}\.\d{1,3})\Z")
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6]\d\d)(?: (.*))?\Z")
_SINGLE = ("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type")
_NEEDED = ("Via", "From", "To", "Call-ID", "CSeq")


def parse_message(data: bytes) -> Request | Response:
    """Parse one whole message. Raises :class:`MalformedMessage`, and nothing else, for anything else."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise MalformedMessage(f"a message of {len(data)} bytes; at most {MAX_MESSAGE_BYTES} are read", status=413)
    head, separator, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not separator:
        raise MalformedMessage("the header section does not end with an empty line")
    lines = _unfold(parse_head_lines(head))
    headers = _headers(lines[1:])
    message = _first_line(lines[0], headers)
    _check(message)
    message.body = _body(headers, body)
    return message


def parse_head_lines(head: bytes) -> list[str]:
    """The lines of a header section (without its empty line), within the limits."""
    if len(head) > MAX_HEADER_BYTES:
        raise MalformedMessage(
            f"a header section of {len(head)} bytes; at most {MAX_HEADER_BYTES} are read", status=413
        )
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    if len(lines) > MAX_HEADERS + 1:
        raise MalformedMessage(f"{len(lines) - 1} header lines; at most {MAX_HEADERS} are read", status=413)
    return lines


def _unfold(lines: list[str]) -> list[str]:
    """Join continuation lines (RFC 3261 §7.3.1) to the line they continue."""
    out: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and len(out) > 1:
            out[-1] = f"{out[-1].rstrip()} {line.strip()}"
        else:
            out.append(line)
        if len(out[-1]) > MAX_LINE:
            raise MalformedMessage(f"a header line of more than {MAX_LINE} characters", status=413)
    return out


def _headers(lines: list[str]) -> Headers:
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise MalformedMessage(f"a header line without a colon: {line[:60]!r}")
        try:
            headers.add(name.rstrip(" \t"), value)
        except IllegalHeader as error:
            raise MalformedMessage(str(error)) from None
    return headers


def _first_line(line: str, headers: Headers) -> Request | Response:
    if status := _STATUS_LINE.match(line):
        return Response(status=int(status[1]), reason=(status[2] or "").strip(), headers=headers)
    if not (request := _REQUEST_LINE.match(line)):
        raise MalformedMessage(f"neither a request line nor a status line: {line[:80]!r}")
    if request[3] != "2.0":
        raise MalformedMessage(f"SIP version {request[3]}; only 2.0 is spoken", status=505)
    return Request(method=request[1], uri=request[2], headers=headers)


def _check(message: Request | Response) -> None:
    for name in _NEEDED:
        if name not in message.headers:
            raise MalformedMessage(f"there is no {name} header")
    seen: set[str] = set()
    for name, _ in message.headers:
        key = header_key(name)
        if key in _SINGLE and key in seen:
            raise MalformedMessage(f"{name} stands more than once")
        seen.add(key)
    cseq = fields.cseq(message)
    # RFC 3261 §8.1.1.5: the method of CSeq is that of the request.
    if isinstance(message, Request) and cseq.method != message.method:
        raise MalformedMessage(f"CSeq names {cseq.method}, the request is {message.method}")
    fields.top_via(message)
    fields.from_(message)
    fields.to(message)


def _body(headers: Headers, rest: bytes) -> bytes:
    declared = headers.get("Content-Length")
    if declared is None:
        return rest
    length = fields.content_length(declared)
    if length > len(rest):
        raise MalformedMessage(f"Content-Length says {length} bytes, {len(rest)} came")
    # RFC 3261 §18.3: bytes of a datagram beyond the body are discarded.
    return rest[:length]
