"""SIP requests and responses as values (RFC 3261 §7).

Headers keep their order and the spelling they came with; names compare without case, and the compact forms of §7.3.3 are
read as the long ones. Values are text, checked when set: one line, control characters only where a quoted string may have
them, so that nothing hostile can add a header. What a field means is parsed where it is read
(:mod:`tandem.sip.headers.fields`), and remembered here until the field changes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tandem.sip.errors import IllegalHeader
from tandem.sip.headers.address import parse_name_addr
from tandem.sip.message.names import REASONS, header_key, known_key

T = TypeVar("T")
_COPIED = ("Via", "From", "To", "Call-ID", "CSeq")
_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u2028\u2029]")


def is_one_line(value: str) -> bool:
    """Whether text can be a header value: control characters only escaped in a quoted string (§25.1)."""
    return value.isprintable() or not _UNSAFE.search(value) or _controls_are_quoted(value)


def _controls_are_quoted(value: str) -> bool:
    quoted = escaped = False
    for char in value:
        if char in "\r\n\u2028\u2029" or (not escaped and _UNSAFE.match(char)):
            return False
        if escaped or not quoted:
            escaped, quoted = False, quoted or (not escaped and char == '"')
        else:
            escaped, quoted = char == "\\", char != '"'
    return True


class Headers:
    """Header fields in order. A field that occurs several times is several values; see :meth:`all`."""

    __slots__ = ("_fields", "_index", "_once")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: list[tuple[str, str, str]] = []
        self._index: dict[str, list[str]] | None = None  # values by key, made when first asked
        self._once: dict[str, Any] = {}  # what `once` parsed, of whatever type its parser gives
        for name, value in fields:
            self.add(name, value)

    @classmethod
    def of_checked(cls, fields: list[tuple[str, str, str]]) -> "Headers":
        """Headers of (key, name, value) that the parser checked already."""
        headers = cls()
        headers._fields = fields
        return headers

    def get(self, name: str) -> str | None:
        """The first value of a field, or ``None``."""
        values = self._values(name)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """Every value of a field, one entry per line of the message (a line may hold a comma-separated list)."""
        return list(self._values(name))

    def by_key(self) -> Mapping[str, list[str]]:
        """Every value by lower-case long name; to look, not to change."""
        if self._index is None:
            self._index = {}
            for key, _, value in self._fields:
                self._index.setdefault(key, []).append(value)
        return self._index

    def once(self, name: str, parse: Callable[[str | None], T]) -> T:
        """``parse`` of a field's first value, done when first asked for and not again until the field changes."""
        key = header_key(name)
        if key not in self._once:
            self._once[key] = parse(self.get(key))
        parsed: T = self._once[key]
        return parsed

    def add(self, name: str, value: str) -> None:
        """Append a field. Raises :class:`IllegalHeader` if it could not be sent as one line."""
        self._put(len(self._fields), self._checked(name, value))

    def prepend(self, name: str, value: str) -> None:
        """Put a field before all others (Via, Route, Record-Route)."""
        self._put(0, self._checked(name, value))

    def set(self, name: str, value: str) -> None:
        """Replace every value of a field by one, in the place of the first."""
        new = self._checked(name, value)
        at = self._place(new[0])
        self.remove(name)
        self._put(at, new)

    def replace_first(self, name: str, value: str | None) -> None:
        """Put another value in the place of a field's first line, or take that line away; further lines stay."""
        at = self._place(header_key(name))
        new = None if value is None else self._checked(name, value)
        self._changed(header_key(name))
        self._fields[at : at + 1] = [new] if new else []

    def remove(self, *names: str) -> None:
        """Remove every value of these fields."""
        keys = {header_key(name) for name in names}
        self._changed(*keys)
        self._fields = [each for each in self._fields if each[0] not in keys]

    def take(self, other: "Headers", *names: str) -> None:
        """Append every value that another message has of these fields, as and in the order in which they occur there."""
        keys = {header_key(name) for name in names}
        self._changed(*keys)
        self._fields += [each for each in other._fields if each[0] in keys]

    def copy(self) -> "Headers":
        """A copy that can be changed without changing this one."""
        return Headers.of_checked(list(self._fields))

    def lines(self) -> list[str]:
        """As header lines, without a Content-Length."""
        return [f"{name}: {value}" for key, name, value in self._fields if key != "content-length"]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for _, name, value in self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, name: str) -> bool:
        return bool(self._values(name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"

    def _values(self, name: str) -> list[str]:
        return self.by_key().get(header_key(name), [])

    def _place(self, key: str) -> int:
        """Where the first line of a field is, or would be."""
        return next((i for i, each in enumerate(self._fields) if each[0] == key), len(self._fields))

    def _put(self, at: int, new: tuple[str, str, str]) -> None:
        self._changed(new[0])
        self._fields.insert(at, new)

    def _changed(self, *keys: str) -> None:
        self._index = None
        for key in keys:
            self._once.pop(key, None)

    @staticmethod
    def _checked(name: str, value: str) -> tuple[str, str, str]:
        key = known_key(name)
        if key is None:
            if not _TOKEN.match(name):
                raise IllegalHeader(f"{name!r} is no header name: expected an RFC 3261 token")
            key = header_key(name)
        if not is_one_line(value):
            raise IllegalHeader(f"the value of {name} holds a control character or line break: {value!r}")
        return key, name, value.strip(" \t")


@dataclass(slots=True, kw_only=True)
class Request:
    """A request. ``uri`` is the Request-URI as text; parse it with :func:`tandem.sip.headers.fields.parse_uri`."""

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
    if not first_line.isprintable() and _UNSAFE.search(first_line):
        raise IllegalHeader(f"the first line holds a control character: {first_line!r}")
    text = "\r\n".join([first_line, *headers.lines(), f"Content-Length: {len(body)}", "", ""])
    return text.encode("utf-8", "surrogateescape") + body


def response_to(request: Request, status: int, reason: str = "", *, to_tag: str = "") -> Response:
    """A response to a request with what RFC 3261 §8.2.6.2 copies: Via, From, To (with a tag), Call-ID, CSeq.

    Record-Route is copied for what makes a dialog (§12.1.1): every response above 100 to a request that holds it.
    """
    headers = Headers()
    headers.take(request.headers, *(_COPIED if status == 100 else (*_COPIED, "Record-Route")))
    if status > 100 and to_tag and not request.headers.once("to", parse_name_addr).tag:
        headers.set("To", f"{headers.get('To')};tag={to_tag}")
    return Response(status=status, reason=reason, headers=headers)
