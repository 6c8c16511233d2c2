"""The Diversion header (RFC 5806): for whom a call was, before it was diverted, and why."""

from dataclasses import dataclass
from enum import StrEnum

from tandem.sip import fields
from tandem.sip.fields import URI
from tandem.sip.message import Message


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
    """One diversion: the URI that was called, and why the call went on."""

    uri: URI
    reason: Reason

    def value(self) -> str:
        """As a header value."""
        return f"<{self.uri}>;reason={self.reason}"


def diversions(message: Message) -> list[Diversion]:
    """Every diversion of a message, the latest first (RFC 5806 §5)."""
    out = []
    for address in fields.addresses(message.headers.all("Diversion")):
        text = (address.parameters.get("reason") or "").strip('"').lower()
        out.append(Diversion(uri=address.uri, reason=Reason(text) if text in set(Reason) else Reason.UNKNOWN))
    return out
