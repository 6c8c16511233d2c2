"""Search filters (RFC 4515): and, or, not, equality, presence, substrings. Values compare without case.

Left out: ordering and approximate matches, and extensible matching rules.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tandem.directory.dn import unescape
from tandem.directory.errors import BadName

Values = Callable[[str], Sequence[str]]
_MAX_DEPTH = 32
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")


@dataclass(frozen=True, slots=True)
class Equal:
    """``(attribute=value)``."""

    attribute: str
    value: str

    def match(self, values: Values) -> bool:
        """Whether one value equals."""
        return any(v.lower() == self.value.lower() for v in values(self.attribute))


@dataclass(frozen=True, slots=True)
class Like:
    """``(attribute=a*b)``; presence is the pattern ``*`` alone."""

    attribute: str
    parts: tuple[str, ...]

    def match(self, values: Values) -> bool:
        """Whether one value fits."""
        pattern = re.compile(".*".join(re.escape(p) for p in self.parts) + r"\Z", re.IGNORECASE | re.DOTALL)
        return any(pattern.match(v) for v in values(self.attribute))


@dataclass(frozen=True, slots=True)
class Junction:
    """``(&...)`` or ``(|...)``."""

    every: bool
    filters: tuple["Filter", ...]

    def match(self, values: Values) -> bool:
        """Whether every one, or any one, fits."""
        results = (f.match(values) for f in self.filters)
        return all(results) if self.every else any(results)


@dataclass(frozen=True, slots=True)
class Negation:
    """``(!...)``."""

    filter: "Filter"

    def match(self, values: Values) -> bool:
        """Whether it does not fit."""
        return not self.filter.match(values)


Filter = Equal | Like | Junction | Negation


def escape(value: str) -> str:
    """A value, escaped for a filter."""
    return re.sub(r"[\\*()\x00]", lambda m: f"\\{ord(m[0]):02x}", value)


def parse_filter(text: str) -> Filter:
    """Read a filter. Raises :class:`BadName`."""
    found, end = _parse(text, 0, 0)
    if end != len(text):
        raise BadName(f"filter {text!r}: {text[end:]!r} follows its end")
    return found


def _parse(text: str, at: int, depth: int) -> tuple[Filter, int]:
    if depth > _MAX_DEPTH:
        raise BadName(f"filter {text[:60]!r}... is nested more than {_MAX_DEPTH} deep")
    if text[at : at + 1] != "(":
        raise BadName(f"filter {text!r}: expected '(' at place {at}")
    sign = text[at + 1 : at + 2]
    if sign in ("&", "|"):
        filters, at = [], at + 2
        while text[at : at + 1] == "(":
            each, at = _parse(text, at, depth + 1)
            filters.append(each)
        return Junction(sign == "&", tuple(filters)), _closed(text, at)
    if sign == "!":
        inner, at = _parse(text, at + 2, depth + 1)
        return Negation(inner), _closed(text, at)
    end = text.find(")", at)
    attribute, equals, value = text[at + 1 : end].partition("=")
    if end < 0 or not equals or not _ATTRIBUTE.match(attribute) or "(" in value:
        raise BadName(f"filter {text!r}: expected attribute=value at place {at + 1}")
    parts = tuple(unescape(part) for part in value.split("*"))
    return (Equal(attribute, parts[0]) if len(parts) == 1 else Like(attribute, parts)), end + 1


def _closed(text: str, at: int) -> int:
    if text[at : at + 1] != ")":
        raise BadName(f"filter {text!r}: expected ')' at place {at}")
    return at + 1
