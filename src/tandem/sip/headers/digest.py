"""Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760): SHA-256 and MD5, qop ``auth``.

The server's nonces are stateless: a time, a number and a keyed hash over both and the source that asked, good for that source,
for five minutes and for as many requests as their client counts (``nc``); the counts of those in use are remembered, so that an
answer cannot be replayed. An answer to any other nonce says nothing of its sender, who may be forged: it is always stale.
Challenges come with the strongest algorithm first, whatever order they are configured in. The client answers the first
challenge that it can (RFC 8760 §2.4). ``auth-int`` is left out: bodies are protected by TLS.
"""

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers.auth import digest_parameters
from tandem.sip.headers.uri import URI, parse_uri
from tandem.sip.message.grammar import quoted

_HASHES = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
"""The algorithms that we speak, the one to be preferred first (RFC 8760 §2.4)."""
NONCE_LIFETIME_S = 300.0
_MAX_NONCES = 10_000
_NC = re.compile(r"[0-9A-Fa-f]{1,8}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What an Authorization header says, checked for form."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    cnonce: str
    nc: str

    def is_for(self, request_uri: str) -> bool:
        """Whether ``uri`` names what is asked for, as RFC 7616 §3.4.6 wants it: the same user of the same host.

        Port and parameters may differ: phones leave out of one what they write in the other.
        """
        if self.uri == request_uri:
            return True
        try:
            return _resource(parse_uri(self.uri)) == _resource(parse_uri(request_uri))
        except MalformedMessage:
            return False


class Verdict(Enum):
    """What became of an answer. STALE tells nothing about the secret: the nonce is not (or no longer) one to be answered."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    STALE = "stale"


def parse_credentials(value: str) -> Credentials:
    """Read an (Proxy-)Authorization header. Raises :class:`MalformedMessage` if something needed is not there."""
    parameters = digest_parameters(value)

    def needed(name: str) -> str:
        if not (found := parameters.get(name)):
            raise MalformedMessage(f"the Authorization header has no {name}")
        return found

    if not _NC.match(needed("nc")):
        raise MalformedMessage("the nonce count (nc) of the Authorization header is not up to eight hexadecimal digits")
    return Credentials(
        username=needed("username"),
        realm=needed("realm"),
        nonce=needed("nonce"),
        uri=needed("uri"),
        response=needed("response").lower(),
        algorithm=(parameters.get("algorithm") or "MD5").upper(),
        cnonce=needed("cnonce"),
        nc=needed("nc").lower(),
    )


def is_stale(challenge: str) -> bool:
    """Whether a challenge says that nothing but the nonce was wrong (RFC 7616 §3.3)."""
    try:
        return digest_parameters(challenge).get("stale", "").lower() == "true"
    except MalformedMessage:
        return False


def digest_response(credentials: Credentials, *, secret: str, method: str) -> str:
    """The ``response`` value of RFC 7616 §3.4.1 with qop=auth."""

    def h(text: str) -> str:
        hashed = _HASHES[credentials.algorithm](text.encode("utf-8", "surrogateescape"))
        return hashed.hexdigest()

    ha1 = h(f"{credentials.username}:{credentials.realm}:{secret}")
    ha2 = h(f"{method}:{credentials.uri}")
    return h(f"{ha1}:{credentials.nonce}:{credentials.nc}:{credentials.cnonce}:auth:{ha2}")


_MD5 = "MD5"
MD5_ALONE = ("baresip v0.", "baresip v1.", "baresip v2.", *(f"baresip v3.{minor}." for minor in range(12)))
"""User-Agents that give up when one of several challenges names SHA-256, though RFC 8760 has them pass over it (baresip's
library learnt SHA-256 for 3.12)."""


class Challenger:
    """The server's side for one realm. ``key`` is random, and the same for as long as nonces shall hold.

    ``algorithms`` are those that the realm allows; what is not among them is never accepted. ``source`` is who is challenged,
    in any spelling that is the same when the answer comes: only who hears what is sent there can answer.
    """

    def __init__(self, realm: str, algorithms: Sequence[str], key: bytes) -> None:
        self.realm = realm
        self.algorithms = tuple(known for known in _HASHES if known in algorithms)
        self._key = key
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._issued = 0

    def challenges(self, now: float, *, source: str = "", stale: bool = False, agent: str = "") -> list[str]:
        """The header values to send, one per algorithm, in the order of preference.

        A client that gives up on any other algorithm, as its User-Agent (``agent``) tells, is offered MD5 alone where the
        realm allows that. To claim to be one gains nothing: a client chooses among all of them anyway.
        """
        md5_alone = agent.lower().startswith(MD5_ALONE) and _MD5 in self.algorithms
        nonce = self._nonce(now, source)
        suffix = ", stale=true" if stale else ""
        return [
            f'Digest realm={quoted(self.realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{suffix}'
            for algorithm in ((_MD5,) if md5_alone else self.algorithms)
        ]

    def verify(self, credentials: Credentials, *, secret: str, method: str, now: float, source: str = "") -> Verdict:
        """Check an answer. The work is the same for a wrong secret and a right one.

        The nonce comes first: RFC 7616 §3.3 has stale=true for any that is invalid, and takes false for a wrong secret.
        """
        if not self._fresh(credentials.nonce, now, source):
            return Verdict.STALE
        if credentials.algorithm not in self.algorithms or credentials.realm != self.realm:
            return Verdict.WRONG
        expected = digest_response(credentials, secret=secret, method=method)
        right = hmac.compare_digest(expected.encode(), credentials.response.encode("utf-8", "surrogateescape"))
        if not right:
            return Verdict.WRONG
        return Verdict.ACCEPTED if self._counted(credentials) else Verdict.STALE

    def _nonce(self, now: float, source: str) -> str:
        self._issued += 1  # two clients that ask in one millisecond get two nonces, and each counts its own
        stamp = f"{int(now * 1000):x}-{self._issued:x}"
        return f"{stamp}.{self._mac(stamp, source)}"

    def _mac(self, stamp: str, source: str) -> str:
        text = f"{stamp} {source}"
        return hmac.new(self._key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:32]

    def _fresh(self, nonce: str, now: float, source: str) -> bool:
        stamp, _, mac = nonce.partition(".")
        if not hmac.compare_digest(mac.encode("utf-8", "surrogateescape"), self._mac(stamp, source).encode()):
            return False
        return 0 <= now - int(stamp.partition("-")[0], 16) / 1000 <= NONCE_LIFETIME_S

    def _counted(self, credentials: Credentials) -> bool:
        """Take the nonce count if it is new (RFC 7616 §3.3), whatever cnonce comes with it."""
        count = int(credentials.nc, 16)
        if count <= self._counts.get(credentials.nonce, 0):
            return False
        self._counts[credentials.nonce] = count
        self._counts.move_to_end(credentials.nonce)
        if len(self._counts) > _MAX_NONCES:
            self._counts.popitem(last=False)
        return True


def answer(
    challenges: Iterable[str], *, username: str, secret: str, method: str, uri: str, cnonce: str, nc: int = 1
) -> str | None:
    """The (Proxy-)Authorization value for the first challenge that we can answer, or ``None``."""
    for value in challenges:
        try:
            parameters = digest_parameters(value)
        except MalformedMessage:
            continue
        algorithm = (parameters.get("algorithm") or "MD5").upper()
        qops = [q.strip().lower() for q in parameters.get("qop", "").split(",")]
        realm, nonce = parameters.get("realm"), parameters.get("nonce")
        if algorithm not in _HASHES or "auth" not in qops or realm is None or nonce is None:
            continue
        credentials = Credentials(
            username=username,
            realm=realm,
            nonce=nonce,
            uri=uri,
            response="",
            algorithm=algorithm,
            cnonce=cnonce,
            nc=f"{nc:08x}",
        )
        response = digest_response(credentials, secret=secret, method=method)
        opaque = parameters.get("opaque")
        tail = f", opaque={quoted(opaque)}" if opaque is not None else ""
        return (
            f"Digest username={quoted(username)}, realm={quoted(realm)}, nonce={quoted(nonce)}, "
            f'uri={quoted(uri)}, response="{response}", algorithm={algorithm}, cnonce="{cnonce}", qop=auth, '
            f"nc={nc:08x}{tail}"
        )
    return None


def _resource(uri: URI) -> tuple[str, str]:
    return uri.user or "", uri.host.lower()
