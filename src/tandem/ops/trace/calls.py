"""Messages put together to calls: who called whom, how it ended, and in which order who said what to whom. Pure.

A message between two of our servers is in both traces, and is shown once.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tandem.ops.trace.record import Record, call_id_of, header

_FIRST = re.compile(rb"\s*(?:SIP/2\.0 (\d{3}) ?([^\r\n]*)|(\S{1,32}) (\S*))", re.IGNORECASE)
_HEADERS = {
    name: re.compile(rb"(?<![^\r\n])(?:" + spellings + rb")[ \t]*:\s*([^\r\n]*)", re.IGNORECASE)
    for name, spellings in (("From", rb"from|f"), ("To", rb"to|t"), ("CSeq", rb"cseq"))
}
_URI = re.compile(r"<([^>]*)>|([^;\s]+)")
_MEDIA = re.compile(rb"(?<![^\r\n])m=([a-z]{1,16}) (\d{1,5})[/\d]* ([A-Z/]{1,32}) ([\d ]{1,80})")
_CONNECTION = re.compile(rb"(?<![^\r\n])c=IN IP[46] ([0-9A-Fa-f.:]{1,45})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One message as its first line and a few headers say; for people, so nothing here fails."""

    record: Record
    method: str
    status: int
    text: str
    from_: str
    to: str
    media: str
    again: bool = False
    target: str = ""
    source: str = ""


@dataclass(slots=True, kw_only=True)
class Call:
    """What the messages with one Call-ID come to. ``status`` is the last final one to the first request, 0 for none."""

    call_id: str
    begun_at: float
    method: str = ""
    from_: str = ""
    to: str = ""
    status: int = 0
    answered_at: float = 0.0
    ended_at: float = 0.0
    messages: int = 0
    servers: set[str] = field(default_factory=set)

    def is_about(self, text: str) -> bool:
        """Whether a part of an address or of the Call-ID is this, in any case."""
        return any(text.lower() in each.lower() for each in (self.from_, self.to, self.call_id))

    @property
    def talked_s(self) -> float:
        """Seconds from the answer to BYE; 0 if one of them is not there."""
        return max(0.0, self.ended_at - self.answered_at) if self.answered_at and self.ended_at else 0.0


def calls(records: Iterable[Record]) -> list[Call]:
    """Every call of a trace, in the order in which they began."""
    found: dict[str, Call] = {}
    for record in sorted(records, key=lambda record: record.at):
        call_id = call_id_of(record.data)
        if not call_id:
            continue
        call = found.get(call_id)
        if call is None:
            call = found[call_id] = Call(call_id=call_id, begun_at=record.at)
        call.messages += 1
        call.servers.add(record.server)
        _take(call, record)
    return list(found.values())


def _take(call: Call, record: Record) -> None:
    """Learn from one message; little of it is read, since a list reads them all."""
    method, status, _ = _beginning(record.data)
    if not status and not call.method:
        line = line_of(record)
        call.method, call.from_, call.to = line.method, line.from_, line.to
    elif status >= 200 and method == call.method:
        # The caller's side hears the last word; a challenge is not yet one.
        if not (200 <= call.status < 300):
            call.status = status
        if status < 300 and not call.answered_at:
            call.answered_at = record.at
    elif method == "BYE" and not status and not call.ended_at:
        call.ended_at = record.at


def line_of(record: Record) -> Line:
    """What a message is."""
    head = record.data.partition(b"\r\n\r\n")[0]
    method, status, rest = _beginning(record.data)
    text = f"{status} {rest}".strip() + f" ({method})" if status else f"{method} {rest}" if rest else "(cannot be read)"
    return Line(
        record=record,
        method=method,
        status=status,
        text=text,
        from_=_uri(_header(head, "From")),
        to=_uri(_header(head, "To")),
        media=_media(record.data[len(head) :]),
    )


def ladder(records: Iterable[Record]) -> list[Line]:
    """The messages of one call in their order, each once, between parties by name."""
    ordered = sorted(records, key=lambda record: record.at)
    names = {record.local: record.server for record in ordered if record.server}
    lines: list[Line] = []
    halves: dict[object, int] = {}
    said: set[object] = set()
    for record in ordered:
        key = (record.source, record.target, record.data)
        # What one of our servers has sent, and another received, is one message.
        if halves.get((*key, not record.sent), 0) > 0:
            halves[*key, not record.sent] -= 1
            continue
        halves[*key, record.sent] = halves.get((*key, record.sent), 0) + 1
        line = line_of(record)
        lines.append(
            Line(
                record=record,
                method=line.method,
                status=line.status,
                text=line.text,
                from_=line.from_,
                to=line.to,
                media=line.media,
                again=key in said,
                source=party(record.source, names),
                target=party(record.target, names),
            )
        )
        said.add(key)
    return lines


def party(address: tuple[str, int], names: Mapping[tuple[str, int], str]) -> str:
    """Who is at an address: one of our servers by its name, others by the address."""
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return names.get(address) or f"{host}:{address[1]}"


def _beginning(data: bytes) -> tuple[str, int, str]:
    """Method, status (0 for a request), and the rest of the first line: reason or Request-URI."""
    first = _FIRST.match(data)
    if first is None:
        return "?", 0, ""
    if first[1]:
        cseq = _header(data, "CSeq").split()
        return cseq[1] if len(cseq) > 1 else "?", int(first[1]), _text(first[2])
    return _text(first[3]), 0, _text(first[4])


def _header(head: bytes, name: str) -> str:
    return _text(header(head, name.encode(), _HEADERS[name])).strip()


def _uri(value: str) -> str:
    """The URI of From or To, without what is around it."""
    quoted_end = value.rfind('"') + 1
    found = _URI.search(value, quoted_end)
    return (found[1] or found[2] or "") if found else ""


def _media(body: bytes) -> str:
    found = _MEDIA.search(body)
    if found is None:
        return ""
    connection = _CONNECTION.search(body)
    host = _text(connection[1]) if connection else "?"
    return f"{_text(found[1])} {host}:{_text(found[2])} {_text(found[3])} {_text(found[4]).strip()}"


def _text(raw: bytes) -> str:
    """Bytes off the wire as they may go to a terminal."""
    text = raw.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
