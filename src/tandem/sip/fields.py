"""Header fields as typed values, parsed where they are read (grammar by the ``sipmessage`` library).

Every function raises :class:`MalformedMessage` and nothing else for what the wire may bring. URIs of schemes that we do
not speak (``http:`` in a Call-Info, say) are never parsed here.
"""

import re
from collections.abc import Iterable

from sipmessage import URI, Address, CSeq, Parameters, Via

from tandem.sip.errors import MalformedMessage
from tandem.sip.message import Message, Request

__all__ = ["URI", "Address", "CSeq", "Parameters", "Via"]

MAX_URI = 2_048
MAX_LIST = 128
"""The most values that one list of addresses or Vias may have."""


def parse_uri(text: str) -> URI:
    """A ``sip:``, ``sips:`` or ``tel:`` URI; URI headers (``?...``) are dropped, as they are illegal in a Request-URI."""
    if len(text) > MAX_URI:
        raise MalformedMessage(f"a URI of {len(text)} characters; at most {MAX_URI} are read", status=414)
    try:
        uri = URI.parse(text.partition("?")[0])
    except Exception as error:  # the library's own promise is ValueError; the wire shall not find an exception to it
        raise MalformedMessage(f"not a URI: {text[:80]!r}") from error
    if uri.scheme.lower() not in ("sip", "sips", "tel"):
        raise MalformedMessage(f"the URI scheme {uri.scheme!r}; sip, sips and tel are spoken", status=416)
    return uri


def parse_address(text: str) -> Address:
    """One name-addr or addr-spec with its parameters."""
    try:
        return Address.parse(text)
    except Exception as error:
        raise MalformedMessage(f"not an address: {text[:80]!r}") from error


def addresses(values: Iterable[str]) -> list[Address]:
    """Every address of a field (Contact, Route, Record-Route, Diversion), whose lines may hold lists."""
    return [parse_address(part) for value in values for part in split_list(value)]


def split_list(value: str) -> list[str]:
    """Split at commas that are outside quotes and angle brackets."""
    parts, start, quoted, depth, escaped = [], 0, False, 0, False
    for at, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char == "<":
            depth += 1
        elif char == ">":
            depth = max(0, depth - 1)
        elif char == "," and not depth:
            parts.append(value[start:at].strip())
            start = at + 1
    parts.append(value[start:].strip())
    if len(parts) > MAX_LIST:
        raise MalformedMessage(f"a list of {len(parts)} values; at most {MAX_LIST} are read")
    return [part for part in parts if part]


def from_(message: Message) -> Address:
    """The From header."""
    return parse_address(message.headers.get("From") or "")


def to(message: Message) -> Address:
    """The To header."""
    return parse_address(message.headers.get("To") or "")


def tag(address: Address) -> str:
    """The tag of a From or To, or an empty string."""
    return address.parameters.get("tag") or ""


def call_id(message: Message) -> str:
    """The Call-ID."""
    return message.headers.get("Call-ID") or ""


def cseq(message: Message) -> CSeq:
    """The CSeq header; the number is below 2**31 (RFC 3261 §8.1.1.5)."""
    text = message.headers.get("CSeq") or ""
    try:
        value = CSeq.parse(text)
    except Exception as error:
        raise MalformedMessage(f"not a CSeq: {text[:80]!r}") from error
    if value.sequence >= 2**31:
        raise MalformedMessage(f"CSeq number {value.sequence}; it is to be below 2**31")
    return value


def vias(message: Message) -> list[Via]:
    """Every Via, topmost first."""
    return [_via(part) for value in message.headers.all("Via") for part in split_list(value)]


def top_via(message: Message) -> Via:
    """The topmost Via."""
    parts = split_list(message.headers.get("Via") or "")
    if not parts:
        raise MalformedMessage("the Via header is empty")
    return _via(parts[0])


def replace_top_via(message: Message, via: Via) -> None:
    """Put another value in the place of the topmost Via."""
    rest = [part for value in message.headers.all("Via") for part in split_list(value)][1:]
    message.headers.remove("Via")
    for value in reversed([str(via), *rest]):
        message.headers.prepend("Via", value)


def remove_top_via(message: Message) -> None:
    """Take the topmost Via away, as a proxy does with a response."""
    rest = [part for value in message.headers.all("Via") for part in split_list(value)][1:]
    message.headers.remove("Via")
    for value in reversed(rest):
        message.headers.prepend("Via", value)


def routes(request: Request) -> list[Address]:
    """The Route set of a request, topmost first."""
    return addresses(request.headers.all("Route"))


def contact(message: Message) -> Address | None:
    """The first Contact, or ``None``."""
    found = addresses(message.headers.all("Contact")[:1])
    return found[0] if found else None


def number(text: str | None, *, default: int, most: int = 2**31) -> int:
    """A header that is one unsigned number (Expires, Max-Forwards); parameters are dropped."""
    if text is None:
        return default
    digits = text.partition(";")[0].strip()
    if not re.fullmatch(r"[0-9]{1,10}", digits):
        raise MalformedMessage(f"not a number: {text[:40]!r}")
    return min(int(digits), most)


def content_length(text: str) -> int:
    """The Content-Length; no sign, no blanks inside, ten digits at most."""
    return number(text, default=0)


def display_name(address: Address) -> str:
    """The display name as text for people: no control characters, at most 128 characters."""
    return "".join(c for c in address.name if c.isprintable())[:128].strip()


def quoted(text: str) -> str:
    """Text as a quoted string (RFC 3261 §25.1) that cannot end early and holds no control character."""
    clean = "".join(c for c in text if c.isprintable())
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _via(text: str) -> Via:
    try:
        return Via.parse(text)
    except Exception as error:
        raise MalformedMessage(f"not a Via: {text[:80]!r}") from error
