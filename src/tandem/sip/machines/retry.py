"""What to do about a final refusal of a request of ours: authenticate, ask with a longer session, go elsewhere, give up.

A challenge is answered once for each kind, and again only where the server says that nothing but the nonce was wrong
(``stale=true``, RFC 7616 §3.3). A redirection (RFC 3261 §8.1.3.4) is followed as often as was allowed, never to a URI that
was tried before, and never from ``sips:`` to less. Everything else is the caller's to decide.
"""

import re
from dataclasses import dataclass, field

from tandem.sip.headers.digest import is_stale
from tandem.sip.headers.lenient import readable_addresses
from tandem.sip.machines import sessiontimer
from tandem.sip.message.message import Response

_MOST_STALE = 3
"""Nonces in a row that may be stale; a server whose every nonce is stale is not asked for ever."""
CHALLENGES = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
"""Status to the header with the challenge, and the one with its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticate:
    """Answer these challenges in this header."""

    challenges: tuple[str, ...]
    header: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskLonger:
    """Ask for a session of at least this interval."""

    min_se_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GoElsewhere:
    """Try these URIs, the best first."""

    uris: tuple[str, ...]


Retry = Authenticate | AskLonger | GoElsewhere


@dataclass(slots=True, kw_only=True)
class Retries:
    """What was tried for one request; ``redirects`` are still allowed."""

    redirects: int = 0
    visited: set[str] = field(default_factory=set)
    min_se_s: int = sessiontimer.MIN_SE_S
    _challenged: dict[int, int] = field(default_factory=dict)

    def after(self, response: Response) -> Retry | None:
        """What to do about a refusal; ``None``: it is final."""
        if response.status in CHALLENGES:
            return self._challenge(response)
        if response.status == 422:
            return self._too_short(response)
        if 300 <= response.status < 400 and response.status != 380:
            return self._elsewhere(response)
        return None

    def _challenge(self, response: Response) -> Authenticate | None:
        challenge, header = CHALLENGES[response.status]
        values = tuple(response.headers.all(challenge))
        before = self._challenged.get(response.status, 0)
        if before and (before > _MOST_STALE or not any(map(is_stale, values))):
            return None
        self._challenged[response.status] = before + 1
        return Authenticate(challenges=values, header=header)

    def _too_short(self, response: Response) -> AskLonger | None:
        longer = sessiontimer.after_422(response, min_se_s=self.min_se_s)
        if longer <= self.min_se_s:
            return None  # §7.4: the response has to ask for more than we offered
        self.min_se_s = longer
        return AskLonger(min_se_s=longer)

    def _elsewhere(self, response: Response) -> GoElsewhere | None:
        secure = any(uri.startswith("sips:") for uri in self.visited)
        fresh = [u for u in contacts_by_preference(response) if u not in self.visited]
        uris = tuple(u for u in fresh if not secure or u.startswith("sips:"))
        if not uris or not self.redirects:
            return None
        self.redirects -= 1
        return GoElsewhere(uris=uris)


def contacts_by_preference(response: Response) -> list[str]:
    """The URIs of a redirection that we speak, those with a higher ``q`` first (RFC 3261 §20.10: 1.0 without one)."""
    contacts = readable_addresses(response.headers.all("Contact"))
    found = [(_q(contact.parameters.get("q")), str(contact.uri)) for contact in contacts]
    return [uri for _, uri in sorted(found, key=lambda each: -each[0])]


def retry_after_s(response: Response) -> int | None:
    """The seconds of Retry-After (RFC 3261 §20.33), or ``None``; comments and ``duration`` are left aside."""
    value = response.headers.get("Retry-After")
    digits = re.match(r"\s*(\d{1,9})", value or "")
    return int(digits[1]) if digits else None


def _q(text: str | None) -> float:
    return float(text) if text and re.fullmatch(r"[01](\.[0-9]{0,3})?", text) else 1.0
