"""URIs that we speak: sip and sips (RFC 3261 §19.1), tel (RFC 3966), as values of the ``sipmessage`` library.

Own expressions, because the library's read no upper-case scheme, refuse ``[::1.2.3.4]``, and take quadratic time for a long
telephone number. A local telephone number needs no phone-context here: what an extension means is a dial plan's matter.
"""

import re
from urllib.parse import unquote

from sipmessage import URI, Parameters

from tandem.sip.errors import MalformedMessage
from tandem.sip.message import grammar

MAX_URI = 2_048

_ESCAPED = r"%[0-9A-Fa-f]{2}"
_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
_PARAM_CHAR = rf"(?:[{_UNRESERVED}\[\]/:&+$]|{_ESCAPED})"
_PARAMS = rf"((?:;{_PARAM_CHAR}+(?:={_PARAM_CHAR}+)?)*)"
_SIP = re.compile(
    rf"([Ss][Ii][Pp][Ss]?):(?:((?:[{_UNRESERVED}&=+$,;?/]|{_ESCAPED})+)(?::((?:[{_UNRESERVED}&=+$,]|{_ESCAPED})*))?@)?"
    rf"({grammar.HOST})(?::({grammar.PORT}))?{_PARAMS}(\?.*)?\Z"
)
_TEL = re.compile(rf"([Tt][Ee][Ll]):(\+[0-9\-.()]+|[0-9A-Fa-f*#\-.()]+){_PARAMS}\Z")
_DIGIT = re.compile(r"[0-9A-Fa-f*#]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")


def parse_uri(text: str) -> URI:
    """A ``sip:``, ``sips:`` or ``tel:`` URI; its headers (``?...``) are dropped, and never lead anywhere.

    Raises :class:`MalformedMessage` with 400, 414 (too long) or 416 (another scheme).
    """
    if len(text) > MAX_URI:
        raise MalformedMessage(f"a URI of {len(text)} characters; at most {MAX_URI} are read", status=414)
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


def _parameters(text: str) -> Parameters:
    found = {}
    for each in text[1:].split(";") if text else ():
        name, equals, value = each.partition("=")
        name = unquote(name).lower()
        if name in found or name == "self":
            raise MalformedMessage(f"a URI parameter occurs more than once, or cannot be read: {text[:80]!r}")
        found[name] = unquote(value) if equals else None
    return Parameters(**found)
