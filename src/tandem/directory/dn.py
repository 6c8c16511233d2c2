"""Distinguished names (RFC 4514). Attribute types and values compare without case, as in Active Directory."""

import re
from dataclasses import dataclass
from functools import cached_property

from tandem.directory.errors import BadName

_SPECIAL = re.compile(r'([,+"\\<>;=])')
_TO_ESCAPE = re.compile(r'[,+"\\<>;=\x00-\x1f\x7f]|^[ #]| $')
_ESCAPED = re.compile(r"((?:\\[0-9a-fA-F]{2})+)|\\(.?)", re.DOTALL)
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")


@dataclass(frozen=True)
class DN:
    """A name: its relative names from the entry up to the root, each (type, value)."""

    rdns: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> "DN":
        """Read a name. Raises :class:`BadName`."""
        rdns = []
        for part in _split(text):
            kind, equals, value = part.partition("=")
            if not equals or not _TYPE.match(kind.strip()) or not value.strip():
                raise BadName(
                    f"{text!r} is no distinguished name: expected TYPE=VALUE,..., such as OU=People,DC=example,DC=com"
                )
            rdns.append((kind.strip(), _unescape(value)))
        return cls(tuple(rdns))

    @classmethod
    def known(cls, text: str, path: str) -> "DN":
        """A name that is known to be good, with its path: as a directory holds it."""
        dn = cls.parse(text)
        dn.__dict__["path"] = path
        return dn

    @property
    def parent(self) -> "DN":
        """The name of the entry above."""
        return DN(self.rdns[1:])

    def child(self, kind: str, value: str) -> "DN":
        """The name of an entry below."""
        dn = DN(((kind, value), *self.rdns))
        dn.__dict__["path"] = self.path + _step(kind, value)
        return dn

    @property
    def name(self) -> str:
        """The value of the first relative name."""
        return self.rdns[0][1]

    @cached_property
    def path(self) -> str:
        """The key under which entries sort below their parents: from the root down, lower case."""
        return "".join(_step(kind, value) for kind, value in reversed(self.rdns))

    def below(self, other: "DN") -> bool:
        """Whether this is ``other`` or below it."""
        return self.path.startswith(other.path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DN) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __str__(self) -> str:
        return ",".join(f"{kind}={_escape(value)}" for kind, value in self.rdns)


def _step(kind: str, value: str) -> str:
    return f"{kind}={value}".lower().replace("\x1f", "\\1f") + "\x1f"


def _escape(value: str) -> str:
    if not _TO_ESCAPE.search(value):
        return value
    text = _SPECIAL.sub(r"\\\1", value)
    text = "".join(f"\\{ord(c):02x}" if ord(c) < 32 or ord(c) == 127 else c for c in text)
    if text[:1] in (" ", "#"):
        text = "\\" + text
    return text[:-1] + "\\ " if text.endswith(" ") and len(value) > 1 else text


def _split(text: str) -> list[str]:
    if "\\" not in text:
        return text.split(",")
    parts, start, escaped = [], 0, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ",":
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _unescape(value: str) -> str:
    if "\\" not in value:
        return value.strip(" ")
    value = value.lstrip(" ")
    while value.endswith(" ") and not value.endswith("\\ "):
        value = value[:-1]
    return unescape(value)


def unescape(text: str) -> str:
    """Text without its escapes: a run of ``\\XX`` is bytes of UTF-8 (RFC 4514 section 2.4, RFC 4515 section 3).

    Raises :class:`BadName` for bytes that are no UTF-8, and for a backslash that escapes nothing.
    """

    def plain(found: re.Match[str]) -> str:
        if found[1]:
            return bytes.fromhex(found[1].replace("\\", "")).decode()
        if not found[2]:
            raise BadName(f"{text!r} ends with a backslash that escapes nothing")
        return found[2]

    try:
        return _ESCAPED.sub(plain, text)
    except UnicodeDecodeError:
        raise BadName(f"{text!r}: its escaped bytes are not UTF-8") from None
