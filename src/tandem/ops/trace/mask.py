"""What a trace must never hold is masked before it is written, in the bytes as they came: also what nobody can parse.

Masked are, each by as many ``x`` (so that lengths stay true, and every tool still reads the message):

- the keys of SRTP (``inline:`` of RFC 4568, ``k=`` of RFC 4566, MIKEY of RFC 4567);
- what proves a password (RFC 7616: all of Authorization but the names of user and realm and what the server said itself;
  all of Basic and of anything else), and passwords in URIs (RFC 3261 §19.1.1);
- whole bodies of INFO and MESSAGE: keys that a caller presses (a PIN among them), and words; those of any message whose
  content is DTMF; those of NOTIFY that tell of key presses (KPML, RFC 4730, and telephone-event), and digits that a URI has
  pressed after the answer.

The rules do not rely on the message being well formed: names compare without case, folded lines belong to their header,
lines may end as they like, and the name of a header may be mangled.
"""

import re
from collections.abc import Callable, Iterator

_SHOWN = frozenset({b"username", b"realm", b"uri", b"algorithm", b"qop", b"nonce", b"nc", b"opaque", b"userhash"})
"""Parameters of digest that prove nothing without ``response`` and ``cnonce``."""
_SECRET_BODIES = (b"info", b"message")
_KEY_EVENTS = (b"kpml", b"telephone-event")
_KEY_CONTENT = re.compile(rb"(?<![^\r\n])(?:content-type|c)[ \t]*:[^\r\n]*dtmf")

_WORD = re.compile(rb"[^\r\n \t]+")
_BODY = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_PARAMETER = re.compile(rb"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]+)(\s*=\s*)(\"(?:[^\"\\]|\\.)*\"?|[^,\s]*)")
_SCHEME = re.compile(rb"\s*(?:digest\b)?", re.IGNORECASE)


def mask(data: bytes) -> bytes:
    """A message as it may be kept; as long as it was."""
    lowered = data.lower()
    method = lowered.lstrip()[:8].split(maxsplit=1)[:1]
    if _is_secret(method[0] if method else b"", lowered):
        data = _without_body(data)
    for word, pattern, hide in _RULES:
        if word in lowered:
            data = _replaced(data, pattern.finditer(lowered), hide)
    return data


def _is_secret(method: bytes, lowered: bytes) -> bool:
    """Whether the whole body is one."""
    if method in _SECRET_BODIES or (method == b"notify" and any(word in lowered for word in _KEY_EVENTS)):
        return True
    return b"dtmf" in lowered and _KEY_CONTENT.search(lowered) is not None


def _replaced(data: bytes, matches: Iterator[re.Match[bytes]], hide: Callable[[bytes], bytes]) -> bytes:
    """Hide the last group of each match; lower case is as long as the message, so its places are the same."""
    out, at = [], 0
    for match in matches:
        begin, end = match.span(match.re.groups)
        out += [data[at:begin], hide(data[begin:end])]
        at = end
    return b"".join(out) + data[at:] if out else data


def _crossed(secret: bytes) -> bytes:
    """Line breaks stay, and so do the blanks of folded lines."""
    return _WORD.sub(lambda word: b"x" * len(word[0]), secret)


def _without_body(data: bytes) -> bytes:
    begin = len(data) - len(data.lstrip())
    end = _BODY.search(data, begin)
    if end is None:  # no end of the headers was found: whatever is there may be a body
        first = data.find(b"\n", begin) + 1 or len(data)
        return data[:first] + _crossed(data[first:])
    return data[: end.end()] + _crossed(data[end.end() :])


def _proof(value: bytes) -> bytes:
    scheme = _SCHEME.match(value)
    assert scheme is not None, "the pattern matches also nothing"
    # Authentication-Info has parameters and no scheme; what has another scheme than Digest is a secret as a whole.
    if not scheme[0].strip() and not value.lstrip().lower().startswith((b"rspauth", b"nextnonce", b"qop", b"cnonce")):
        return _crossed(value)
    return scheme[0] + _parameters(value[scheme.end() :])


def _parameters(value: bytes) -> bytes:
    """Keep what is shown; what is not ``name=value`` at all is masked too."""
    out, at = [], 0
    for match in _PARAMETER.finditer(value):
        out.append(re.sub(rb"[^\s,]", b"x", value[at : match.start()]))
        out.append(match[0] if match[1].lower() in _SHOWN else match[1] + match[2] + _quoted(match[3]))
        at = match.end()
    out.append(re.sub(rb"[^\s,]", b"x", value[at:]))
    return b"".join(out)


def _quoted(value: bytes) -> bytes:
    return (
        b'"' + _crossed(value[1:-1]) + b'"' if value[:1] == value[-1:] == b'"' and len(value) > 1 else _crossed(value)
    )


_RULES: tuple[tuple[bytes, re.Pattern[bytes], Callable[[bytes], bytes]], ...] = (
    (b"inline", re.compile(rb"inline[ \t]*:[ \t]*([^|;\s\"]+)"), _crossed),
    (b"key-mgmt", re.compile(rb"key-mgmt[ \t]*:([^\r\n]*)"), _crossed),
    (b"k", re.compile(rb"k(?<![^\r\n\t ]k)[ \t]*=([^\r\n]*)"), _crossed),
    (b"authorization", re.compile(rb"authorization[^\r\n:]{0,64}:([^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*)"), _proof),
    (
        b"authentication-info",
        re.compile(rb"authentication-info[ \t]*:([^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*)"),
        _proof,
    ),
    # where no header of a known name is round it
    (b"response", re.compile(rb"(?<![a-z0-9_-])response[ \t]*=[ \t]*(\"(?:[^\"\\\r\n]|\\.)*\"?|[^,\s]*)"), _quoted),
    (b"rspauth", re.compile(rb"(?<![a-z0-9_-])rspauth[ \t]*=[ \t]*(\"(?:[^\"\\\r\n]|\\.)*\"?|[^,\s]*)"), _quoted),
    (b"sip", re.compile(rb"sips?:[^\s@:;<>\"]{0,255}:([^\s@<>\"]{1,255}+)(?=@)"), _crossed),
    (b"digits", re.compile(rb"digits[ \t]*=[ \t]*[\"']([^\"'\r\n]*)"), _crossed),
    (b"postd", re.compile(rb";[ \t]*postd[ \t]*=([^\s;>]*)"), _crossed),
)
"""A word in lower case, without which the rule is not tried; where the secret is in lower case; how it is hidden."""
