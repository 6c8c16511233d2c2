"""SIP requests and responses as values (RFC 3261 §7).

Headers keep their order and the spelling they came with; names compare without case, and the compact forms of §7.3.3 are
read as the long ones. Values are text, checked when set: one line, no control characters, so that nothing hostile can
add a header. Field values are parsed only where they are read (:mod:`tandem.sip.fields`).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tandem.sip.errors import IllegalHeader

COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
}

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    429: "Provide Referrer Identity",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u2028\u2029]")


def header_key(name: str) -> str:
    """The name under which a header is compared: lower case, long form."""
    lowered = name.lower()
    return COMPACT.get(lowered, lowered)


class Headers:
    """Header fields in order. A field that stands several times is several values; see :meth:`all`."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: list[tuple[str, str, str]] = []
        for name, value in fields:
            self.add(name, value)

    def get(self, name: str) -> str | None:
        """The first value of a field, or ``None``."""
        key = header_key(name)
        return next((value for k, _, value in self._fields if k == key), None)

    def all(self, name: str) -> list[str]:
        """Every value of a field, one entry per line of the message (a line may hold a comma-separated list)."""
        key = header_key(name)
        return [value for k, _, value in self._fields if k == key]

    def add(self, name: str, value: str) -> None:
        """Append a field. Raises :class:`IllegalHeader` if it could not be sent as one line."""
        self._fields.append(self._checked(name, value))

    def prepend(self, name: str, value: str) -> None:
        """Put a field before all others (Via, Route, Record-Route)."""
        self._fields.insert(0, self._checked(name, value))

    def set(self, name: str, value: str) -> None:
        """Replace every value of a field by one, in the place of the first."""
        key = header_key(name)
        at = next((i for i, (k, _, _) in enumerate(self._fields) if k == key), len(self._fields))
        self.remove(name)
        self._fields.insert(at, self._checked(name, value))

    def remove(self, *names: str) -> None:
        """Remove every value of these fields."""
        keys = {header_key(name) for name in names}
        self._fields = [each for each in self._fields if each[0] not in keys]

    def copy(self) -> "Headers":
        """A copy that can be changed without changing this one."""
        other = Headers()
        other._fields = list(self._fields)
        return other

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for _, name, value in self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"

    @staticmethod
    def _checked(name: str, value: str) -> tuple[str, str, str]:
        if not _TOKEN.match(name):
            raise IllegalHeader(f"{name!r} is no header name: expected an RFC 3261 token")
        if _UNSAFE.search(value):
            raise IllegalHeader(f"the value of {name} holds a control character or line break: {value!r}")
        return header_key(name), name, value.strip()


@dataclass(slots=True, kw_only=True)
class Request:
    """A request. ``uri`` is the Request-URI as text; parse it with :func:`tandem.sip.fields.parse_uri`."""

    method: str
    uri: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def to_bytes(self) -> bytes:
        """The message as it goes onto the wire; Content-Length is set from the body."""
        return _serialize(f"{self.method} {self.uri} SIP/2.0", self.headers, self.body)

    def copy(self) -> "Request":
        """A copy with headers of its own."""
        return Request(method=self.method, uri=self.uri, headers=self.headers.copy(), body=self.body)


@dataclass(slots=True, kw_only=True)
class Response:
    """A response. An empty ``reason`` becomes the usual phrase of the status."""

    status: int
    reason: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def __post_init__(self) -> None:
        self.reason = self.reason or REASONS.get(self.status, "Unknown")

    def to_bytes(self) -> bytes:
        """The message as it goes onto the wire; Content-Length is set from the body."""
        return _serialize(f"SIP/2.0 {self.status} {self.reason}", self.headers, self.body)

    def copy(self) -> "Response":
        """A copy with headers of its own."""
        return Response(status=self.status, reason=self.reason, headers=self.headers.copy(), body=self.body)


Message = Request | Response
"""Either."""


def _serialize(first_line: str, headers: Headers, body: bytes) -> bytes:
    if _UNSAFE.search(first_line):
        raise IllegalHeader(f"the first line holds a control character: {first_line!r}")
    lines = [first_line]
    lines += [f"{name}: {value}" for name, value in headers if header_key(name) != "content-length"]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body


def response_to(request: Request, status: int, reason: str = "", *, to_tag: str = "") -> Response:
    """A response to a request with what RFC 3261 §8.2.6.2 copies: Via, From, To (with a tag), Call-ID, CSeq.

    Record-Route is copied for what makes a dialog (§12.1.1): every response above 100 to a request that holds it.
    """
    headers = Headers()
    for via in request.headers.all("Via"):
        headers.add("Via", via)
    for name in ("From", "To", "Call-ID", "CSeq"):
        value = request.headers.get(name) or ""
        if name == "To" and to_tag and status > 100 and not re.search(r";\s*tag\s*=", value, re.IGNORECASE):
            value = f"{value};tag={to_tag}"
        headers.add(name, value)
    if status > 100:
        for route in request.headers.all("Record-Route"):
            headers.add("Record-Route", route)
    return Response(status=status, reason=reason, headers=headers)
