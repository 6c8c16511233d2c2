"""What a user agent server looks at before it serves a request outside of a dialog (RFC 3261 §8.2.1 to §8.2.3).

In the RFC's order: the method, the Request-URI, the extensions that it requires, the body. Merged requests (§8.2.2.2) are
left to the server's own state, digests to its access rules.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.uri import parse_uri
from tandem.sip.message.body import DESCRIPTION, content_kind, parts_of
from tandem.sip.message.message import Request

METHODS = frozenset(
    {"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER"}
    | {"SUBSCRIBE", "UPDATE"}
)
"""The methods that IANA knows; another one is answered with 501, one of these that a server does not serve with 405."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a server serves: methods (in the order of its Allow header), option tags, types of bodies."""

    methods: tuple[str, ...]
    extensions: frozenset[str] = frozenset()
    contents: tuple[str, ...] = (DESCRIPTION, "multipart/mixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """An answer to a request that cannot be served; ``headers`` tell what could be."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=())


def refusal(request: Request, able: Abilities) -> Rejection | None:
    """Why a request cannot be served, or ``None``. Raises :class:`MalformedMessage` for headers that cannot be read."""
    if request.method not in able.methods:
        status = 405 if request.method in METHODS else 501
        return Rejection(status=status, headers=(("Allow", ", ".join(able.methods)),))
    try:
        parse_uri(request.uri)
    except MalformedMessage as error:
        return Rejection(status=error.status)
    if unknown := [tag for tag in _words(request, "Require") if tag.lower() not in able.extensions]:
        return Rejection(status=420, headers=(("Unsupported", ", ".join(unknown)),))
    return _content(request, able)


def _content(request: Request, able: Abilities) -> Rejection | None:
    if request.body and not _optional(request):
        if content_kind(request) not in able.contents or _needs_more(request, able):
            return Rejection(status=415, headers=(("Accept", ", ".join(able.contents)),))
        if any(coding.lower() != "identity" for coding in _words(request, "Content-Encoding")):
            return Rejection(status=415, headers=(("Accept-Encoding", "identity"),))
    if request.method == "INVITE" and not _accepts_sdp(request):
        # RFC 4475 §3.3.15: there is no way to answer without SDP.
        return Rejection(status=406)
    return None


def _needs_more(request: Request, able: Abilities) -> bool:
    """Whether a body of several parts has one that must be understood, and cannot be (RFC 5621 §4).

    By the RFC that is each part that is not said to be optional; carriers leave the word out, so it must be there.
    """
    if not content_kind(request).startswith("multipart/"):
        return False
    return any(part.handling == "required" and part.kind not in able.contents for part in parts_of(request))


def _optional(request: Request) -> bool:
    """Whether the sender says that the body may be ignored (§20.11)."""
    handling = (request.headers.get("Content-Disposition") or "").lower().replace(" ", "")
    return ";handling=optional" in handling


def _accepts_sdp(request: Request) -> bool:
    if "Accept" not in request.headers:
        return True
    ranges = {each.partition(";")[0].strip().lower() for each in _words(request, "Accept")}
    return not ranges.isdisjoint(("application/sdp", "application/*", "*/*"))


def _words(request: Request, name: str) -> Iterable[str]:
    return [word for value in request.headers.all(name) for word in fields.split_list(value)]
