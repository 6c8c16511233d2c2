"""The Via header (RFC 3261 §20.42): where a request came through, and the branch that names its transaction.

Parameter values stay as they came, so that a Via which goes back in a response is the one that the sender wrote.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tandem.sip.errors import MalformedMessage
from tandem.sip.message import grammar
from tandem.sip.message.message import Message, Request

_WS = grammar.WS
_VIA = re.compile(
    rf"[Ss][Ii][Pp]{_WS}/{_WS}2\.0{_WS}/{_WS}({grammar.TOKEN})[ \t]+({grammar.HOST})(?:{_WS}:{_WS}({grammar.PORT}))?"
    rf"({grammar.PARAMS})(?:,{_WS}(.*))?\Z",
    re.DOTALL,
)
MAX_VIAS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Via:
    """One Via. ``host`` has brackets around an IPv6 address; ``parameters`` are by lower-case name."""

    transport: str
    host: str
    port: int | None
    parameters: Mapping[str, str | None]

    @property
    def branch(self) -> str:
        """The branch, or an empty string."""
        return self.parameters.get("branch") or ""

    @property
    def sent_by(self) -> str:
        """Host and port as one text, to compare transactions by (§17.2.3)."""
        return f"{self.host.lower()}:{self.port}"

    def __str__(self) -> str:
        where = self.host if self.port is None else f"{self.host}:{self.port}"
        parameters = "".join(f";{n}" if v is None else f";{n}={v}" for n, v in self.parameters.items())
        return f"SIP/2.0/{self.transport} {where}{parameters}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _ViaLine:
    """A header line: its first Via, and the text of those that follow it in the same line."""

    top: Via
    rest: str


def top_via(message: Message) -> Via:
    """The topmost Via. Raises :class:`MalformedMessage` when there is none that can be read."""
    return message.headers.once("via", _parse_line).top


def vias(message: Message) -> list[Via]:
    """Every Via, topmost first."""
    out: list[Via] = []
    for text in message.headers.all("Via"):
        while text:
            line = _parse_line(text)
            out.append(line.top)
            text = line.rest
            if len(out) > MAX_VIAS:
                raise MalformedMessage(f"more than {MAX_VIAS} Vias")
    return out


def replace_top_via(message: Message, via: Via) -> None:
    """Put another value in the place of the topmost Via."""
    rest = message.headers.once("via", _parse_line).rest
    message.headers.replace_first("Via", f"{via}, {rest}" if rest else str(via))


def remove_top_via(message: Message) -> None:
    """Take the topmost Via away, as a proxy does with a response."""
    message.headers.replace_first("Via", message.headers.once("via", _parse_line).rest or None)


def note_source(request: Request, host: str, port: int) -> None:
    """Note in the topmost Via where a request came from (§18.2.1, RFC 3581); what the sender claimed of it goes."""
    via = top_via(request)
    parameters = {name: value for name, value in via.parameters.items() if name not in ("received", "rport")}
    if "rport" in via.parameters:
        parameters |= {"rport": str(port), "received": host}
    elif not grammar.same_host(via.host, host):
        parameters["received"] = host
    if parameters != via.parameters:
        noted = Via(transport=via.transport, host=via.host, port=via.port, parameters=parameters)
        replace_top_via(request, noted)


def _parse_line(text: str | None) -> _ViaLine:
    if not (found := _VIA.match(text or "")):
        raise MalformedMessage(f"not a Via: {(text or '')[:80]!r}")
    transport, host, port, parameters, rest = found.groups()
    top = Via(
        transport=transport,
        host=grammar.checked_host(host),
        port=grammar.checked_port(port),
        parameters=grammar.parameters(parameters),
    )
    return _ViaLine(top=top, rest=rest or "")
