"""One name-addr or addr-spec with its parameters (RFC 3261 §20.10), split but not looked into: From, To, Contact, Route.

A transaction needs the tag and no more, so the URI stays text until somebody asks for :attr:`NameAddr.address`.
Looser than the RFC: a display name may be anything (letters beyond ASCII, commas and ``&`` without quotes, a quote too many),
as long as an address in angle brackets ends the value: a name that an old PBX misspells does not cost the call.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers.uri import URI, parse_uri
from tandem.sip.message import grammar

_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*:"
_NAME_ADDR = re.compile(
    rf"(?:({grammar.QUOTED}){grammar.WS}|([A-Za-z0-9\-.!%*_+`'~ \t\x80-\U0010ffff]*))"
    rf"<({_SCHEME}[^\s<>\"]+)>({grammar.PARAMS})\Z"
)
_BRACKETED = re.compile(rf"<({_SCHEME}[^\s<>\"]+)>({grammar.PARAMS})\Z")
_VALUE = re.compile(r"[^\s;,\"<>=?]+\Z")
_ADDR_SPEC = re.compile(rf"({_SCHEME}[^\s<>\",;?]+)({grammar.PARAMS})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAddress:
    """An address that was looked into: ``parameters`` are those of the header, by lower-case name, without quotes."""

    uri: URI
    name: str = ""
    parameters: Mapping[str, str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        name = f"{grammar.quoted(self.name)} " if self.name else ""
        written = (
            n if v is None else f"{n}={v if _VALUE.match(v) else grammar.quoted(v)}" for n, v in self.parameters.items()
        )
        return f"{name}<{self.uri}>{''.join(f';{each}' for each in written)}"


@dataclass(frozen=True, kw_only=True)
class NameAddr:
    """``uri`` is text as it came; ``parameters`` are those of the header, by lower-case name, values as they came.

    ``name`` is read as Latin-1 where it is not UTF-8: before RFC 3261, and in old PBXs still, names are.
    """

    name: str
    uri: str
    parameters: dict[str, str | None]

    @property
    def tag(self) -> str:
        """The tag of a From or To, or an empty string."""
        return self.parameters.get("tag") or ""

    @cached_property
    def address(self) -> SipAddress:
        """With the URI read. Raises :class:`MalformedMessage` if it is none of ours."""
        try:
            uri = parse_uri(self.uri)
        except MalformedMessage as error:  # 414 and 416 are about the Request-URI only
            raise MalformedMessage(str(error)) from None
        values = {name: value and grammar.unquoted(value) for name, value in self.parameters.items()}
        return SipAddress(uri=uri, name=self.name, parameters=values)


def parse_name_addr(text: str | None) -> NameAddr:
    """Split one value. Raises :class:`MalformedMessage` when it is none."""
    if found := _NAME_ADDR.match(text or ""):
        name = grammar.unquoted(found[1]) if found[1] else found[2].strip()
        return NameAddr(name=_read(name), uri=found[3], parameters=grammar.parameters(found[4]))
    if found := _ADDR_SPEC.match(text or ""):
        return NameAddr(name="", uri=found[1], parameters=grammar.parameters(found[2]))
    if found := _BRACKETED.search(text or ""):
        name = (text or "")[: found.start()].strip(' \t"')
        return NameAddr(name=_read(name), uri=found[1], parameters=grammar.parameters(found[2]))
    raise MalformedMessage(f"not an address: {(text or '')[:80]!r}")


def _read(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("latin-1")
    return name
