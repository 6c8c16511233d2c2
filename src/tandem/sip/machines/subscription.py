"""Subscriptions (RFC 6665): the state that both ends keep, sans-IO.

A subscriber asks, refreshes and ends; a notifier grants a time and tells. The tables are (state, input) -> next state; an
input that is not there changes nothing. What a subscriber does after the end depends on the reason that it was given
(§4.1.3, table 1 of this file). Left out: authorization that takes time is up to the notifier's user (``PENDING``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers.params import with_parameters
from tandem.sip.machines.transaction import T1
from tandem.sip.message.message import Headers, Message

NOTIFY_WAIT_S = 64 * T1
"""Timer N: how long a subscriber waits for the first NOTIFY."""


class SubscriptionState(Enum):
    """The states of figures 1 and 2, less those in which there is nothing."""

    NOTIFY_WAIT = "notify-wait"
    PENDING = "pending"
    ACTIVE = "active"
    TERMINATED = "terminated"


class SubscriptionInput(Enum):
    """What happens to a subscription."""

    PENDING = auto()  # NOTIFY with that state; the notifier's user has not decided
    ACTIVE = auto()
    TERMINATED = auto()
    REFUSED = auto()  # a final refusal of the SUBSCRIBE, or 481 to a NOTIFY
    EXPIRED = auto()  # the time granted is over, or timer N


S, I = SubscriptionState, SubscriptionInput  # noqa: E741 - the table is read as one
TABLE: dict[tuple[SubscriptionState, SubscriptionInput], SubscriptionState] = {
    (S.NOTIFY_WAIT, I.PENDING): S.PENDING,
    (S.NOTIFY_WAIT, I.ACTIVE): S.ACTIVE,
    (S.NOTIFY_WAIT, I.TERMINATED): S.TERMINATED,
    (S.NOTIFY_WAIT, I.REFUSED): S.TERMINATED,
    (S.NOTIFY_WAIT, I.EXPIRED): S.TERMINATED,
    (S.PENDING, I.ACTIVE): S.ACTIVE,
    (S.PENDING, I.TERMINATED): S.TERMINATED,
    (S.PENDING, I.REFUSED): S.TERMINATED,
    (S.PENDING, I.EXPIRED): S.TERMINATED,
    (S.ACTIVE, I.TERMINATED): S.TERMINATED,
    (S.ACTIVE, I.REFUSED): S.TERMINATED,
    (S.ACTIVE, I.EXPIRED): S.TERMINATED,
}


class Again(Enum):
    """Whether a subscriber tries again after the end."""

    NOW = auto()
    LATER = auto()  # after retry-after, if it was told
    NEVER = auto()


AGAIN: dict[str, Again] = {
    "deactivated": Again.NOW,
    "timeout": Again.NOW,
    "probation": Again.LATER,
    "giveup": Again.LATER,
    "rejected": Again.NEVER,
    "noresource": Again.NEVER,
    "invariant": Again.NEVER,
}
"""§4.1.3: what each reason of ``terminated`` means; an unknown one is as ``giveup``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event package with the ``id`` that tells several subscriptions of one dialog apart."""

    package: str
    id: str = ""

    def value(self) -> str:
        """As a header value."""
        return self.package + (f";id={self.id}" if self.id else "")


def event_of(message: Message) -> Event:
    """The Event header; its package is an empty string where there is none."""
    package, parameters = with_parameters(message.headers.get("Event") or "")
    return Event(package=package.lower(), id=parameters.get("id", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a Subscription-State header says; times in seconds."""

    state: SubscriptionState
    expires_s: int | None = None
    reason: str = ""
    retry_after_s: int | None = None

    def value(self) -> str:
        """As a header value."""
        parts = {"expires": self.expires_s, "reason": self.reason or None, "retry-after": self.retry_after_s}
        return self.state.value + "".join(f";{name}={value}" for name, value in parts.items() if value is not None)

    @property
    def again(self) -> Again:
        """Whether to subscribe again after a termination with this reason."""
        return AGAIN.get(self.reason, Again.LATER)


def told(headers: Headers) -> Told:
    """Read Subscription-State. Raises :class:`MalformedMessage` for a NOTIFY without one (§4.1.3)."""
    text, parameters = with_parameters(headers.get("Subscription-State") or "")
    # Extension states are to be taken as active would be (§4.1.3 leaves them to packages).
    state = {"pending": S.PENDING, "terminated": S.TERMINATED}.get(text.lower(), S.ACTIVE)
    if not text:
        raise MalformedMessage("a NOTIFY without Subscription-State")
    return Told(
        state=state,
        expires_s=_number(parameters, "expires"),
        reason=parameters.get("reason", "").lower(),
        retry_after_s=_number(parameters, "retry-after"),
    )


class Subscriber:
    """Our side of a subscription that we asked for."""

    def __init__(self, event: Event, now: float) -> None:
        self.event = event
        self.state = S.NOTIFY_WAIT
        self.last: Told | None = None
        self._ends_at = now + NOTIFY_WAIT_S

    def accepted(self, expires_s: int, now: float) -> None:
        """A 2xx to our SUBSCRIBE, the first or a refresh, with the time that it grants."""
        if self.state in (S.PENDING, S.ACTIVE):
            self._ends_at = now + expires_s

    def refused(self, status: int) -> None:
        """A refusal: of the first SUBSCRIBE it ends all; of a refresh only 481 does (§4.1.2.2), else the time goes on."""
        if self.state is S.NOTIFY_WAIT or status in (404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604):
            self._happened(I.REFUSED)

    def notified(self, what: Told, now: float) -> None:
        """A NOTIFY came; its time counts more than the SUBSCRIBE's (§4.1.3)."""
        self.last = what
        self._happened({S.PENDING: I.PENDING, S.ACTIVE: I.ACTIVE}.get(what.state, I.TERMINATED))
        if what.expires_s is not None:
            self._ends_at = now + what.expires_s

    def next_timeout(self) -> float | None:
        """The moment of :meth:`timeout`, or ``None`` after the end."""
        return None if self.state is S.TERMINATED else self._ends_at

    def refresh_at(self, now: float) -> float | None:
        """When to subscribe again so that the time does not run out: with a tenth, at least 5 s, left."""
        if self.state not in (S.PENDING, S.ACTIVE):
            return None
        left = self._ends_at - now
        return max(now, self._ends_at - max(left / 10, min(5.0, left / 2)))

    def timeout(self, now: float) -> None:
        """The time is over, or no NOTIFY ever came."""
        if now >= self._ends_at:
            self._happened(I.EXPIRED)

    def _happened(self, what: SubscriptionInput) -> None:
        self.state = TABLE.get((self.state, what), self.state)


class Notifier:
    """Our side of a subscription that a peer asked for."""

    def __init__(self, event: Event, *, expires_s: int, now: float, pending: bool = False) -> None:
        self.event = event
        self.state = S.PENDING if pending else S.ACTIVE
        self._reason = ""
        self._ends_at = now
        self.refreshed(expires_s, now)

    def refreshed(self, expires_s: int, now: float) -> None:
        """A SUBSCRIBE came, and was granted this time; 0 ends the subscription (or only fetches the state)."""
        self._ends_at = now + expires_s
        if expires_s == 0:
            self.end("timeout")

    def activate(self) -> None:
        """The notifier's user decided: the subscriber may know."""
        self.state = TABLE.get((self.state, I.ACTIVE), self.state)

    def end(self, reason: str) -> None:
        """End it, for a reason of :data:`AGAIN`; the last NOTIFY tells."""
        if self.state is not S.TERMINATED:
            self.state, self._reason = S.TERMINATED, reason

    def answered(self, status: int) -> None:
        """The final response to a NOTIFY: 481 says that nobody is there, and so does silence (§4.2.2)."""
        if status in (408, 481):
            self.end("noresource")

    def next_timeout(self) -> float | None:
        """The moment of :meth:`timeout`, or ``None`` after the end."""
        return None if self.state is S.TERMINATED else self._ends_at

    def timeout(self, now: float) -> bool:
        """Whether the time is over at this moment, so that a last NOTIFY is due."""
        if self.state is S.TERMINATED or now < self._ends_at:
            return False
        self.end("timeout")
        return True

    def tell(self, now: float) -> Told:
        """The Subscription-State of a NOTIFY sent now."""
        if self.state is S.TERMINATED:
            return Told(state=self.state, reason=self._reason)
        return Told(state=self.state, expires_s=max(0, round(self._ends_at - now)))


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name, "")
    return min(int(text), 2**31) if re.fullmatch(r"[0-9]{1,10}", text) else None
