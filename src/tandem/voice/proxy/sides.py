"""The two sides of a call through the proxy, and the sealed token that stands for them in Record-Route (docs/adr/0030).

A token says itself which phone or server is on either side, so nothing is kept per call, and a call outlives a phone's
reconnection and a restart of this server. It is encrypted, since each side sees it and the other may want to be anonymous,
and authenticated together with Call-ID and the caller's tag: in another dialog it means nothing (AES-SIV, RFC 5297).
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from tandem.sip.headers import fields
from tandem.sip.message.message import Request

KEY_BYTES = 32
_VERSION = "1"
_MOST = 1_024
"""Characters of a token; ours have about 150."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSide:
    """A phone of a user (SIP address). ``phone`` names its registration, ``way`` the connection that it was last seen on
    (:mod:`tandem.voice.proxy.routes`); either may be empty."""

    user: str
    phone: str = ""
    way: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenServer:
    """A server that proves its name by its certificate, such as a UM server."""

    host: str
    port: int


Side = PhoneSide | ProvenServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Who is on either side. ``dialled`` is :func:`mark` of what was called; ``hidden``: who calls is not to be told."""

    caller: Side
    callee: Side
    dialled: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A request within a call: the sides of the call, and whether the caller's sent it."""

    sides: Sides
    from_caller: bool

    @property
    def sender(self) -> Side:
        """The side that claims to have sent it."""
        return self.sides.caller if self.from_caller else self.sides.callee

    @property
    def receiver(self) -> Side:
        """The side that it is for."""
        return self.sides.callee if self.from_caller else self.sides.caller


class RouteSeal:
    """Makes and opens tokens. ``key`` has :data:`KEY_BYTES`: they can be opened and made by it."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def token(self, sides: Sides, request: Request) -> str:
        """The token for an INVITE; it can be the user part of a URI."""
        parts = [_VERSION, "h" if sides.hidden else "", sides.dialled]
        for side in (sides.caller, sides.callee):
            match side:
                case PhoneSide():
                    parts += ["p", side.user, side.phone, side.way]
                case ProvenServer():
                    parts += ["s", side.host, str(side.port), ""]
        sealed = self._cipher.encrypt(
            "\0".join(parts).encode(), _dialog(fields.call_id(request), fields.from_tag(request))
        )
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def opened(self, token: str, request: Request) -> Passage | None:
        """What a token says of a request that brings it; ``None`` if it was not made by us for this dialog."""
        if not token or len(token) > _MOST:
            return None
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        for from_caller, tag in ((True, fields.from_tag(request)), (False, fields.to_tag(request))):
            try:
                text = self._cipher.decrypt(sealed, _dialog(fields.call_id(request), tag)).decode()
            except (InvalidTag, ValueError):
                continue
            return _read(text.split("\0"), from_caller)
        return None


def mark(uri_user: str | None, uri_host: str) -> str:
    """A short name for an address, to compare it by later."""
    return _digest(f"{uri_user or ''}@{uri_host}".lower())


def phone_mark(instance: str, contact: str) -> str:
    """A short name for a registered phone: its instance (RFC 5626), or the contact of one that tells none."""
    return _digest(instance or contact)


def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()


def _dialog(call_id: str, tag: str) -> list[bytes]:
    return [call_id.encode("utf-8", "surrogateescape"), tag.encode("utf-8", "surrogateescape")]


def _read(parts: list[str], from_caller: bool) -> Passage | None:
    if len(parts) != 11 or parts[0] != _VERSION:  # of another release, with the same key
        return None
    _, hidden, dialled, *sides = parts
    caller, callee = _side(*sides[:4]), _side(*sides[4:])
    return Passage(
        sides=Sides(caller=caller, callee=callee, dialled=dialled, hidden=bool(hidden)), from_caller=from_caller
    )


def _side(kind: str, who: str, what: str, way: str) -> Side:
    return PhoneSide(user=who, phone=what, way=way) if kind == "p" else ProvenServer(host=who, port=int(what))
