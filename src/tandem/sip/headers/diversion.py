"""The Diversion header (RFC 5806): for whom a call was, before it was diverted, and why.

A call that was diverted several times has several, the latest first. A value that cannot be read, or whose URI is none that
we speak, is passed over: it must not cost the call. Extension parameters are left out.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers.address import NameAddr
from tandem.sip.headers.lenient import readable
from tandem.sip.headers.uri import URI
from tandem.sip.message.grammar import quoted, unquoted
from tandem.sip.message.message import Message

MOST_COUNTED = 99


class Reason(StrEnum):
    """The reasons of RFC 5806 §9.2; anything else is read as ``unknown``."""

    UNKNOWN = "unknown"
    USER_BUSY = "user-busy"
    NO_ANSWER = "no-answer"
    UNAVAILABLE = "unavailable"
    UNCONDITIONAL = "unconditional"
    DEFLECTION = "deflection"
    DO_NOT_DISTURB = "do-not-disturb"
    TIME_OF_DAY = "time-of-day"
    FOLLOW_ME = "follow-me"
    OUT_OF_SERVICE = "out-of-service"
    AWAY = "away"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diversion:
    """One diversion: the URI that was called, and why the call went on.

    ``counter`` is how many diversions this value counts, ``limit`` how many more there may be; ``screened`` says
    whether the network checked the number, ``privacy`` what is not to be shown (``full``, ``name``, ``uri`` or ``off``).
    """

    uri: URI
    reason: Reason
    name: str = ""
    counter: int | None = None
    limit: int | None = None
    screened: bool | None = None
    privacy: str = ""

    def value(self) -> str:
        """As a header value."""
        shown = f"{quoted(self.name)} " if self.name else ""
        screen = None if self.screened is None else "yes" if self.screened else "no"
        parts = {"counter": self.counter, "limit": self.limit, "privacy": self.privacy or None, "screen": screen}
        tail = "".join(f";{name}={value}" for name, value in parts.items() if value is not None)
        return f"{shown}<{self.uri}>;reason={self.reason}{tail}"


def diversions(message: Message) -> list[Diversion]:
    """Every diversion of a message, the latest first (RFC 5806 §5)."""
    return [found for text in readable(message.headers.all("Diversion")) if (found := _diversion(text)) is not None]


def _diversion(text: NameAddr) -> Diversion | None:
    try:
        uri = text.address.uri
    except MalformedMessage:
        return None
    said = {name: unquoted(value or "").lower() for name, value in text.parameters.items()}
    reason, screen = said.get("reason", ""), said.get("screen")
    return Diversion(
        uri=uri,
        reason=Reason(reason) if reason in set(Reason) else Reason.UNKNOWN,
        name=text.name,
        counter=_number(said.get("counter")),
        limit=_number(said.get("limit")),
        screened={"yes": True, "no": False}.get(screen or ""),
        privacy=said.get("privacy", ""),
    )


def _number(text: str | None) -> int | None:
    return min(int(text), MOST_COUNTED) if text and re.fullmatch(r"[0-9]{1,9}", text) else None
