"""Header values of the form ``value;name=value;name`` and lists of tokens, for headers that are no addresses.

Session-Expires, Replaces, Event, Subscription-State, Supported and their like; names compare without case.
"""

import re
from collections.abc import Iterable, Mapping

from tandem.sip.errors import MalformedMessage

_PIECE = re.compile(
    r'"(?:[^"\\]|\\.)*"?|[^;"]+|;'
)  # a quote that does not end reaches to the end: nothing is read twice
_ESCAPED = re.compile(r"\\(.)")
_MAX_LENGTH = 4_096


def with_parameters(text: str) -> tuple[str, Mapping[str, str]]:
    """The value before the first semicolon, and the parameters by their names in lower case; quotes are taken away."""
    if len(text) > _MAX_LENGTH:
        raise MalformedMessage(f"a header value of {len(text)} characters; at most {_MAX_LENGTH} are read here")
    first, *rest = _parts(text)
    pairs = (part.partition("=") for part in rest)
    return first.strip(), {name.strip().lower(): unquoted(value.strip()) for name, _, value in pairs if name.strip()}


def unquoted(text: str) -> str:
    """The text of a quoted string; other text as it is."""
    return _ESCAPED.sub(r"\1", text[1:-1]) if len(text) > 1 and text[0] == text[-1] == '"' else text


def tokens(values: Iterable[str]) -> frozenset[str]:
    """The tokens of a comma-separated field (Supported, Require, Allow), in lower case."""
    return frozenset(token.strip().lower() for value in values for token in value.split(",") if token.strip())


def _parts(text: str) -> list[str]:
    """Split at semicolons that are outside quotes."""
    parts: list[list[str]] = [[]]
    for piece in _PIECE.findall(text):
        if piece == ";":
            parts.append([])
        else:
            parts[-1].append(piece)
    return ["".join(part) for part in parts]
