"""What the digest headers are made of (RFC 3261 §25.1, RFC 7616 §3.3 to §3.5): ``Digest name=value, name="value", ...``.

WWW- and Proxy-Authenticate, Authorization and Proxy-Authorization. Strangers send these before anything is known of them,
so a value is bounded first and then read once from left to right: each expression begins where the one before it ended.
Looser than the RFC: empty list elements and a comma at the end (RFC 9110 §5.6.1), values of any characters without quotes.
Left out: other schemes, whose parameters may be a single word.
"""

import re
from collections.abc import Mapping

from tandem.sip.errors import MalformedMessage
from tandem.sip.message import grammar

MAX_LENGTH = 2_048
MAX_PARAMETERS = 32

_SCHEME = re.compile(rf"[ \t]*({grammar.TOKEN})(?:[ \t]+|\Z)")
_GAP = re.compile(r"[ \t,]*")
_PARAMETER = re.compile(rf"({grammar.TOKEN}){grammar.WS}={grammar.WS}({grammar.QUOTED}|[^\s,\"]*){grammar.WS}(?:,|\Z)")


def digest_parameters(text: str) -> Mapping[str, str]:
    """The parameters by lower-case name, without quotes.

    Raises :class:`MalformedMessage` for another scheme, for more than :data:`MAX_LENGTH` characters or
    :data:`MAX_PARAMETERS` parameters, for a name that occurs twice, and for what is no parameter.
    """
    if len(text) > MAX_LENGTH:
        raise MalformedMessage(f"authentication of {len(text)} characters; at most {MAX_LENGTH} are read")
    scheme = _SCHEME.match(text)
    if scheme is None or scheme[1].lower() != "digest":
        raise MalformedMessage(f"authentication by {text.split(maxsplit=1)[:1]}; only Digest is spoken")
    found: dict[str, str] = {}
    at = _skipped(text, scheme.end())
    while at < len(text):
        parameter = _PARAMETER.match(text, at)
        if parameter is None:
            raise MalformedMessage(f"not a parameter of Digest at character {at}: expected NAME=VALUE")
        name = parameter[1].lower()
        if name in found or len(found) == MAX_PARAMETERS:
            raise MalformedMessage(f"Digest has {name[:40]!r} twice, or more than {MAX_PARAMETERS} parameters")
        found[name] = grammar.unquoted(parameter[2])
        at = _skipped(text, parameter.end())
    return found


def _skipped(text: str, at: int) -> int:
    """Where the next element begins: blanks and empty elements are passed over."""
    gap = _GAP.match(text, at)
    assert gap is not None, "the expression matches nothing, too"
    return gap.end()
