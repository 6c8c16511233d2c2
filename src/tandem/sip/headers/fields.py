"""Header fields as values, parsed where they are read and remembered by the message until they change.

What every transaction asks (branch, tags, CSeq, Call-ID) is read by the light expressions of :mod:`tandem.sip.headers.via` and
:mod:`tandem.sip.headers.address`; addresses that somebody looks into become values with a URI. Every
function raises :class:`MalformedMessage` and nothing else for what the wire may bring. URIs of schemes that we do not
speak (``http:`` in a Call-Info, say) are never parsed here.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers.address import NameAddr, SipAddress, parse_name_addr
from tandem.sip.headers.via import top_via
from tandem.sip.message import grammar
from tandem.sip.message.message import Message, Request

MAX_LIST = 128
"""The most values that one list of addresses or Vias may have."""

_CSEQ = re.compile(rf"([0-9]{{1,20}})[ \t]+({grammar.TOKEN})\Z")
_CALL_ID = re.compile(r"[\x21-\x7e]{1,512}\Z")
_NUMBER = re.compile(r"[0-9]{1,20}\Z")
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|[<>,]|[^"<>,]+')  # a quote that does not end reaches to the end


@dataclass(frozen=True, slots=True, kw_only=True)
class CSeq:
    """The number of a request within its dialog, and its method."""

    sequence: int
    method: str

    def __str__(self) -> str:
        return f"{self.sequence} {self.method}"


# What a transaction needs


def cseq(message: Message) -> CSeq:
    """The CSeq header; the number is below 2**31 (RFC 3261 §8.1.1.5)."""
    return message.headers.once("cseq", _parse_cseq)


def call_id(message: Message) -> str:
    """The Call-ID."""
    return message.headers.get("call-id") or ""


def from_tag(message: Message) -> str:
    """The tag of From, or an empty string."""
    return message.headers.once("from", parse_name_addr).tag


def to_tag(message: Message) -> str:
    """The tag of To, or an empty string."""
    return message.headers.once("to", parse_name_addr).tag


def check_eagerly(message: Message) -> None:
    """Read what identifies a transaction and a dialog: top Via, From, To, Call-ID, CSeq."""
    top_via(message)
    from_tag(message)
    to_tag(message)
    message.headers.once("call-id", _check_call_id)
    number = cseq(message)
    # RFC 3261 §8.1.1.5: the method of CSeq is that of the request.
    if isinstance(message, Request) and number.method != message.method:
        raise MalformedMessage(f"CSeq names {number.method}, the request is {message.method}")


# Addresses


def from_(message: Message) -> SipAddress:
    """The From header."""
    return message.headers.once("from", parse_name_addr).address


def to(message: Message) -> SipAddress:
    """The To header."""
    return message.headers.once("to", parse_name_addr).address


def tag(address: SipAddress) -> str:
    """The tag of a From or To, or an empty string; of a message's own, :func:`from_tag` and :func:`to_tag` cost less."""
    return address.parameters.get("tag") or ""


def parse_address(text: str) -> SipAddress:
    """One name-addr or addr-spec with its parameters."""
    return parse_name_addr(text).address


def name_addrs(values: Iterable[str]) -> list[NameAddr]:
    """Every address of a field as text, to be passed on as it came (routes, a remote target)."""
    return [parse_name_addr(part) for value in values for part in split_list(value)]


def addresses(values: Iterable[str]) -> list[SipAddress]:
    """Every address of a field (Contact, Route, Record-Route, Diversion), whose lines may hold lists."""
    return [each.address for each in name_addrs(values)]


def recorded_routes(message: Message) -> list[str]:
    """The Record-Route values as they came, which is how they are to be sent back (§12.1); each can be read."""
    return _as_they_came(message, "record-route")


def paths(request: Request) -> list[str]:
    """The Path values as they came, which is how they are kept and told (RFC 3327 §5.3); each can be read."""
    return _as_they_came(request, "path")


def routes(request: Request) -> list[SipAddress]:
    """The Route set of a request, topmost first."""
    return addresses(request.headers.all("Route"))


def contact(message: Message) -> SipAddress | None:
    """The first Contact, or ``None``."""
    found = message.headers.once("contact", _first_address)
    return found.address if found else None


def contact_uri(message: Message) -> str | None:
    """The URI of the first Contact as it came, which is how it is to be used as a target; ``None`` without one.

    Raises :class:`MalformedMessage` if it could not be used.
    """
    found = message.headers.once("contact", _first_address)
    return found.uri if found and found.address else None


# Others


def split_list(value: str) -> list[str]:
    """Split at commas that are outside quotes and angle brackets."""
    if "," not in value:
        return [part] if (part := value.strip()) else []
    parts: list[list[str]] = [[]]
    depth = 0
    for piece in _PIECE.findall(value):
        if piece == "," and not depth:
            parts.append([])
            continue
        depth += {"<": 1, ">": -1 if depth else 0}.get(piece, 0)
        parts[-1].append(piece)
    if len(parts) > MAX_LIST:
        raise MalformedMessage(f"a list of {len(parts)} values; at most {MAX_LIST} are read")
    return [text for part in parts if (text := "".join(part).strip())]


def number(text: str | None, *, default: int, most: int = 2**31) -> int:
    """A header that is one unsigned number (Expires, Max-Forwards); parameters are dropped, what is larger is ``most``."""
    if text is None:
        return default
    digits = text.partition(";")[0].strip()
    if not _NUMBER.match(digits):
        raise MalformedMessage(f"not a number: {text[:40]!r}")
    return min(int(digits), most)


def content_length(text: str) -> int:
    """The Content-Length; no sign, no blanks inside."""
    return number(text, default=0)


def display_name(address: SipAddress) -> str:
    """The display name as text for people: no control characters, at most 128 characters."""
    return "".join(c for c in address.name if c.isprintable())[:128].strip()


def warning(text: str) -> tuple[str, str]:
    """A Warning header (RFC 3261 §20.43): 399, a text for people."""
    return "Warning", f"399 tandem {grammar.quoted(text)}"


def _parse_cseq(text: str | None) -> CSeq:
    if not (found := _CSEQ.match(text or "")):
        raise MalformedMessage(f"not a CSeq: {(text or '')[:80]!r}")
    value = CSeq(sequence=int(found[1]), method=found[2])
    if value.sequence >= 2**31:
        raise MalformedMessage(f"CSeq number {value.sequence}; it is to be below 2**31")
    return value


def _check_call_id(text: str | None) -> str:
    if not _CALL_ID.match(text or ""):
        raise MalformedMessage(f"not a Call-ID: {(text or '')[:80]!r}")
    return text or ""


def _as_they_came(message: Message, name: str) -> list[str]:
    parts = [part for value in message.headers.all(name) for part in split_list(value)]
    for part in parts:
        parse_address(part)
    return parts


def _first_address(text: str | None) -> NameAddr | None:
    found = split_list(text or "")
    return parse_name_addr(found[0]) if found else None
