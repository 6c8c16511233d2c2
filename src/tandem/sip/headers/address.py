"""One name-addr or addr-spec with its parameters (RFC 3261 §20.10), split but not looked into: From, To, Contact, Route.

A transaction needs the tag and no more, so the URI stays text until somebody asks for :attr:`NameAddr.address`.
Looser than the RFC: a display name without quotes may hold letters beyond ASCII.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from sipmessage import Address, Parameters

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers.uri import parse_uri
from tandem.sip.message import grammar

_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*:"
_NAME_ADDR = re.compile(
    rf"(?:({grammar.QUOTED}){grammar.WS}|([A-Za-z0-9\-.!%*_+`'~ \t\x80-\U0010ffff]*))"
    rf"<({_SCHEME}[^\s<>\"]+)>({grammar.PARAMS})\Z"
)
_ADDR_SPEC = re.compile(rf"({_SCHEME}[^\s<>\",;?]+)({grammar.PARAMS})\Z")


@dataclass(frozen=True, kw_only=True)
class NameAddr:
    """``uri`` is text as it came; ``parameters`` are those of the header, by lower-case name, values as they came."""

    name: str
    uri: str
    parameters: dict[str, str | None]

    @property
    def tag(self) -> str:
        """The tag of a From or To, or an empty string."""
        return self.parameters.get("tag") or ""

    @cached_property
    def address(self) -> Address:
        """With the URI read. Raises :class:`MalformedMessage` if it is none of ours."""
        try:
            uri = parse_uri(self.uri)
        except MalformedMessage as error:  # 414 and 416 are about the Request-URI only
            raise MalformedMessage(str(error)) from None
        return Address(uri=uri, name=self.name, parameters=typed(self.parameters))


def parse_name_addr(text: str | None) -> NameAddr:
    """Split one value. Raises :class:`MalformedMessage` when it is none."""
    if found := _NAME_ADDR.match(text or ""):
        name = grammar.unquoted(found[1]) if found[1] else found[2].strip()
        return NameAddr(name=name, uri=found[3], parameters=grammar.parameters(found[4]))
    if found := _ADDR_SPEC.match(text or ""):
        return NameAddr(name="", uri=found[1], parameters=grammar.parameters(found[2]))
    raise MalformedMessage(f"not an address: {(text or '')[:80]!r}")


def typed(parameters: dict[str, str | None]) -> Parameters:
    """As the library's mapping, quoted values without their quotes."""
    values = {name: value and grammar.unquoted(value) for name, value in parameters.items()}
    try:
        return Parameters(**values)
    except TypeError as error:  # the library takes them as arguments: `self` is none
        raise MalformedMessage(f"parameters that cannot be read: {list(values)}") from error
