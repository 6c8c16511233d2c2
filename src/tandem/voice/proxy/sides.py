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
UDP = "u"
"""What the way of a phone on UDP begins with; its port and address follow."""
_VERSION, _HIDDEN = 1, 0x80
_MOST = 1_500
"""Characters of a token; ours have about 120: some phones have room for 256 in a URI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSide:
    """A phone of a user (SIP address).

    ``phone`` names its registration (:func:`phone_mark`), ``way`` the connection that it was last seen on: its name in
    hexadecimal, or :data:`UDP` with port and address. Either may be empty.
    """

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
        parts = [bytes([_VERSION | (_HIDDEN if sides.hidden else 0)]), bytes.fromhex(sides.dialled)]
        parts += [*_parts(sides.caller), *_parts(sides.callee)]
        plain = b"".join(_with_length(part) for part in parts)
        sealed = self._cipher.encrypt(plain, _dialog(fields.call_id(request), fields.from_tag(request)))
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
                plain = self._cipher.decrypt(sealed, _dialog(fields.call_id(request), tag))
            except (InvalidTag, ValueError):
                continue
            return _read(plain, from_caller)
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


def _with_length(part: bytes) -> bytes:
    length = bytes([len(part)]) if len(part) < 255 else b"\xff" + len(part).to_bytes(2)
    return length + part


def _split(plain: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(plain):
        length, at = plain[at], at + 1
        if length == 255:
            length, at = int.from_bytes(plain[at : at + 2]), at + 2
        parts.append(plain[at : at + length])
        at += length
    return parts


def _parts(side: Side) -> tuple[bytes, bytes, bytes, bytes]:
    match side:
        case PhoneSide():
            # Names of connections and phones are hexadecimal; the way of a phone on UDP is text.
            way = side.way.encode() if side.way.startswith(UDP) else bytes.fromhex(side.way)
            return b"u" if side.way.startswith(UDP) else b"p", side.user.encode(), bytes.fromhex(side.phone), way
        case ProvenServer():
            return b"s", side.host.encode(), side.port.to_bytes(2), b""


def _read(plain: bytes, from_caller: bool) -> Passage | None:
    parts = _split(plain)
    if len(parts) != 10 or parts[0][0] & ~_HIDDEN != _VERSION:  # of another release, with the same key
        return None
    head, dialled, *sides = parts
    return Passage(
        sides=Sides(
            caller=_side(*sides[:4]),
            callee=_side(*sides[4:]),
            dialled=dialled.hex(),
            hidden=bool(head[0] & _HIDDEN),
        ),
        from_caller=from_caller,
    )


def _side(kind: bytes, who: bytes, what: bytes, way: bytes) -> Side:
    if kind == b"s":
        return ProvenServer(host=who.decode(), port=int.from_bytes(what))
    return PhoneSide(user=who.decode(), phone=what.hex(), way=way.decode() if kind == b"u" else way.hex())
