"""Path (RFC 3327): the proxies between a phone and its registrar, by which requests to the phone are to go.

A registrar keeps the values of a REGISTER with each contact, in their order, and sends them back; a request to that contact
carries them as its first routes. A registrar that needs none of it passes Path over.
"""

from tandem.sip import fields
from tandem.sip.message import Request
from tandem.sip.params import tokens

OPTION = "path"


def path_of(register: Request) -> tuple[str, ...]:
    """The Path values of a REGISTER; raises :class:`tandem.sip.errors.MalformedMessage` if one is no address."""
    parts = [part for value in register.headers.all("Path") for part in fields.split_list(value)]
    for part in parts:
        fields.parse_address(part)
    return tuple(parts)


def is_wanted(register: Request) -> bool:
    """Whether whoever registers knows of Path; without it a registrar refuses with 420 (§5.3), or passes it over."""
    return OPTION in tokens(register.headers.all("Supported"))


def routed(request: Request, path: tuple[str, ...]) -> Request:
    """The request with a contact's path as its first routes."""
    for value in reversed(path):
        request.headers.prepend("Route", value)
    return request
