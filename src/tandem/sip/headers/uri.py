"""URIs that we speak: sip and sips (RFC 3261 §19.1), tel (RFC 3966).

A local telephone number needs no phone-context here: what an extension means is a dial plan's matter. Looser than the RFC:
the user part may hold ``#`` as it is, because FreeSWITCH writes such contacts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from tandem.sip.errors import MalformedMessage
from tandem.sip.message import grammar

MAX_URI = 2_048
_GROWTH = 3
"""How much longer a URI may be written than it was read: an octet that is no UTF-8 becomes three, a ``#`` is escaped."""

_ESCAPED = r"%[0-9A-Fa-f]{2}"
_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
_PARAM_CHAR = rf"(?:[{_UNRESERVED}\[\]/:&+$]|{_ESCAPED})"
_PARAMS = rf"((?:;{_PARAM_CHAR}+(?:={_PARAM_CHAR}+)?)*)"
_SIP = re.compile(
    rf"([Ss][Ii][Pp][Ss]?):(?:((?:[{_UNRESERVED}&=+$,;?/#]|{_ESCAPED})+)(?::((?:[{_UNRESERVED}&=+$,]|{_ESCAPED})*))?@)?"
    rf"({grammar.HOST})(?::({grammar.PORT}))?{_PARAMS}(\?.*)?\Z"
)
_TEL = re.compile(rf"([Tt][Ee][Ll]):(\+[0-9\-.()]+|[0-9A-Fa-f*#\-.()]+){_PARAMS}\Z")
_DIGIT = re.compile(r"[0-9A-Fa-f*#]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_SAFE = "!*'()&=+$"  # what is written as it is, beside what `quote` never touches


@dataclass(frozen=True, slots=True, kw_only=True)
class URI:
    """A URI that we speak. ``user``, ``password`` and ``parameters`` are without escapes; text of it has them again.

    ``scheme`` is in lower case; ``host`` has brackets around an IPv6 address, and is empty for tel, whose number is
    ``user``. ``parameters`` are by lower-case name; one without a value has ``None``.
    """

    scheme: str
    host: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    port: int | None = None
    parameters: Mapping[str, str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        tail = "".join(
            f";{_escaped(name)}" if value is None else f";{_escaped(name)}={_escaped(value)}"
            for name, value in self.parameters.items()
        )
        if self.scheme == "tel":
            return f"tel:{self.user}{tail}"
        user = "" if self.user is None else quote(self.user, safe=f"{_SAFE},;?/")
        password = "" if self.password is None else ":" + quote(self.password, safe=f"{_SAFE},")
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}:{user}{password}{'' if self.user is None else '@'}{self.host}{port}{tail}"


def parse_uri(text: str) -> URI:
    """A ``sip:``, ``sips:`` or ``tel:`` URI; its headers (``?...``) are dropped, and never lead anywhere.

    What is read can be written and read again.
    Raises :class:`MalformedMessage` with 400, 414 (too long) or 416 (another scheme).
    """
    _check_length(text)
    uri = _read(text)
    if len(text) * _GROWTH > MAX_URI:
        _check_length(str(uri))
    return uri


def _check_length(text: str) -> None:
    if len(text) > MAX_URI:
        raise MalformedMessage(
            f"a URI of {len(text)} characters, escapes included; at most {MAX_URI} are read", status=414
        )


def _read(text: str) -> URI:
    if found := _SIP.match(text):
        scheme, user, password, host, port, parameters, _ = found.groups()
        return URI(
            scheme=scheme.lower(),
            user=unquote(user) if user else None,
            password=unquote(password) if password else None,
            host=grammar.checked_host(host),
            port=grammar.checked_port(port),
            parameters=_parameters(parameters),
        )
    if (found := _TEL.match(text)) and _DIGIT.search(found[2]):
        return URI(scheme="tel", host="", user=found[2], parameters=_parameters(found[3]))
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() not in ("sip", "sips", "tel"):
        raise MalformedMessage(f"the URI scheme {scheme[1][:40]!r}; sip, sips and tel are spoken", status=416)
    raise MalformedMessage(f"not a URI: {text[:80]!r}")


def has_headers(text: str) -> bool:
    """Whether a sip or sips URI brings headers, which a Request-URI must not (RFC 3261 §19.1.1)."""
    return "?" in text and (found := _SIP.match(text)) is not None and found[7] is not None


def _escaped(text: str) -> str:
    return quote(text, safe="!*'()[]/:&+$")


def _parameters(text: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for each in text[1:].split(";") if text else ():
        name, equals, value = each.partition("=")
        name = unquote(name).lower()
        if name in found:
            raise MalformedMessage(f"a URI parameter occurs more than once: {text[:80]!r}")
        found[name] = unquote(value) if equals else None
    return found
