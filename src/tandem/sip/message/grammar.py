"""The pieces of RFC 3261 §25.1 that header fields are made of, as regular expressions that never backtrack far.

Looser than the RFC, because the field needs it: underscores in host names. Text is unfolded already: white space is blanks
and tabs in one line.
"""

import ipaddress
import re

from tandem.sip.errors import MalformedMessage

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"  # noqa: S105 - the grammar's word, no password
WS = r"[ \t]*"
QUOTED = r'"(?:[^"\\]|\\.)*"'
HOST = r"\[[0-9A-Fa-f:.]{2,64}\]|[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_])?\.?"
PORT = r"[0-9]{1,5}"
PARAMS = rf"(?:{WS};{WS}{TOKEN}(?:{WS}={WS}(?:{QUOTED}|[^\s;,\"<>=?]+))?)*{WS}"
"""``;name`` and ``;name=value``, the value a token, a host or a quoted string."""

_PARAM = re.compile(rf"{WS};{WS}({TOKEN})(?:{WS}={WS}({QUOTED}|[^\s;,\"<>=?]+))?")
_PAIR = re.compile(r"\\(.)")
_THREE_COLONS = re.compile(r":::(?=[0-9]+\.)")


def parameters(text: str) -> dict[str, str | None]:
    """What :data:`PARAMS` matched, by lower-case name, values as written; a name that occurs twice is an error."""
    if not text:
        return {}
    if '"' in text or "\t" in text or " " in text:
        found = [(m[1].lower(), m[2]) for m in _PARAM.finditer(text.rstrip(" \t"))]
    else:
        found = [(name.lower(), value if equals else None) for name, equals, value in map(_cut, text[1:].split(";"))]
    out = dict(found)
    if len(out) != len(found):
        raise MalformedMessage(f"a parameter occurs more than once: {text[:80]!r}")
    return out


def checked_port(text: str | None) -> int | None:
    """A port that :data:`PORT` matched."""
    if text is None:
        return None
    if int(text) > 65_535:
        raise MalformedMessage(f"port {text}; at most 65535 is one")
    return int(text)


def checked_host(text: str) -> str:
    """A host that :data:`HOST` matched, its IPv6 reference a valid one.

    RFC 5118 §4.10: the grammar of RFC 3261 lets senders write three colons before an embedded IPv4 address; two are read.
    """
    if not text.startswith("["):
        if ".." in text:
            raise MalformedMessage(f"not a host name: {text[:80]!r}")
        return text
    address = _THREE_COLONS.sub("::", text[1:-1])
    try:
        ipaddress.IPv6Address(address)
    except ValueError as error:
        raise MalformedMessage(f"not an IPv6 address: {text[:80]!r}") from error
    return f"[{address}]"


def same_host(one: str, other: str) -> bool:
    """Whether two hosts, with or without the brackets of an IPv6 reference, are written the same or mean one address."""
    return canonical(one) == canonical(other)


def canonical(host: str) -> str:
    """A host in the one spelling that the kernel has for an IPv6 address, without brackets or zone; names in lower case."""
    bare = host.strip("[]").partition("%")[0].lower()
    try:
        return str(ipaddress.ip_address(bare)) if ":" in bare else bare
    except ValueError:
        return bare


def bracketed(host: str) -> str:
    """A host as a URI holds it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def unquoted(text: str) -> str:
    """A quoted string without its quotes and escapes; anything else unchanged."""
    if text[:1] != '"':
        return text
    return _PAIR.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]


def quoted(text: str) -> str:
    """Text as a quoted string (RFC 3261 §25.1) that cannot end early and holds no control character."""
    clean = "".join(c for c in text if c.isprintable())
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _cut(text: str) -> tuple[str, str, str]:
    return text.partition("=")
