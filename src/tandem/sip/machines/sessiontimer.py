"""Session timers (RFC 4028): a call whose peer is gone without a word ends, because one side asks again from time to time.

:func:`wish` is what an INVITE or UPDATE of ours asks for, :func:`grant` what we answer to the peer's, :func:`granted` what
the peer's 2xx says. :class:`SessionTimer` is the clock: the refresher asks at half of the interval, the other side gives
the session up shortly before its end (§10).
"""

from dataclasses import dataclass, replace
from enum import Enum, auto

from tandem.sip.errors import DialogError, MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.params import tokens, with_parameters
from tandem.sip.message.message import Message, Request, Response

OPTION = "timer"
MIN_SE_S = 90
"""The shortest interval that the RFC allows, and the one that we ask others to respect."""
INTERVAL_S = 1800
"""The interval that the RFC recommends (§7.1)."""
_MAX_S = 86_400


class Refresher(Enum):
    """Who refreshes: in the words of the wire, the client or the server of the request that said so."""

    UAC = "uac"
    UAS = "uas"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInterval:
    """What was agreed on: the interval, and whether it is ours to refresh."""

    interval_s: int
    ours: bool


def wish(*, interval_s: int = INTERVAL_S, min_se_s: int = MIN_SE_S, ours: bool | None = None) -> list[tuple[str, str]]:
    """Headers of a request that asks for a timer; ``ours`` says who refreshes (``None``: not agreed yet)."""
    refresher = "" if ours is None else f";refresher={(Refresher.UAC if ours else Refresher.UAS).value}"
    return [("Session-Expires", f"{max(interval_s, min_se_s)}{refresher}"), ("Min-SE", str(min_se_s))]


def after_422(response: Response, *, min_se_s: int) -> int:
    """The Min-SE to ask with after a 422 (§7.4): the larger of ours and the response's."""
    return min(max(min_se_s, _seconds(response, "Min-SE") or MIN_SE_S), _MAX_S)


def grant(request: Request, *, min_se_s: int = MIN_SE_S) -> tuple[list[tuple[str, str]], SessionInterval | None]:
    """Headers for the 2xx to a request, and the interval by them; none where the peer did not ask for a timer.

    Raises :class:`DialogError` (422) if the interval is too short, and the peer can be told (§9).
    """
    asked = _seconds(request, "Session-Expires")
    if asked is None:
        return [], None
    theirs = OPTION in tokens(request.headers.all("Supported"))
    if asked < min_se_s and theirs:
        raise DialogError(
            f"a session of {asked} s; at least {min_se_s}", status=422, headers=(("Min-SE", str(min_se_s)),)
        )
    refresher = _refresher(request)
    # Table 2: the client's word holds; without one the client refreshes if it can. Who cannot is refreshed by us.
    chosen = Refresher.UAS if not theirs else refresher or Refresher.UAC
    interval = min(max(asked, min_se_s, _seconds(request, "Min-SE") or 0), _MAX_S)
    headers = [("Session-Expires", f"{interval};refresher={chosen.value}")]
    if chosen is Refresher.UAC:
        headers.append(("Require", OPTION))
    return headers, SessionInterval(interval_s=interval, ours=chosen is Refresher.UAS)


def granted(response: Response) -> SessionInterval | None:
    """The interval that a 2xx to our request sets; ``None``: the session has no timer."""
    interval = _seconds(response, "Session-Expires")
    if interval is None:
        return None
    return SessionInterval(interval_s=max(interval, MIN_SE_S), ours=_refresher(response) is not Refresher.UAS)


class Due(Enum):
    """What the clock asks for."""

    REFRESH = auto()
    END = auto()  # the session lapsed: BYE


class SessionTimer:
    """The clock of one session."""

    __slots__ = ("_ends_at", "_refresh_at", "interval")

    def __init__(self, interval: SessionInterval, now: float) -> None:
        self.refreshed(interval, now)

    def refreshed(self, interval: SessionInterval, now: float) -> None:
        """A refresh (or the first 2xx) went through, by this interval."""
        self.interval = interval
        # §10: who does not refresh sends BYE "slightly before": min(32 s, a third of the interval); the refresher
        # itself has until then for tries that fail.
        self._ends_at = now + interval.interval_s - min(32.0, interval.interval_s / 3)
        self._refresh_at = now + interval.interval_s / 2 if interval.ours else None

    def next_timeout(self) -> float:
        """The moment to call :meth:`timeout`."""
        return min(self._ends_at, self._refresh_at) if self._refresh_at is not None else self._ends_at

    def timeout(self, now: float) -> Due | None:
        """What is due at this moment; a refresh is asked for once."""
        if now >= self._ends_at:
            return Due.END
        if self._refresh_at is not None and now >= self._refresh_at:
            self._refresh_at = None
            return Due.REFRESH
        return None

    def ask_longer(self, interval_s: int) -> None:
        """A refresh was refused with 422: the next one asks for this interval."""
        self.interval = replace(self.interval, interval_s=interval_s)

    def retry_at(self, moment: float) -> None:
        """A refresh did not go through (491, 500): try again at this moment, if the session has not ended."""
        self._refresh_at = moment


def _seconds(message: Message, name: str) -> int | None:
    """``None``: there is none, or none that can be read. A session without a timer serves as well."""
    try:
        return fields.number(with_parameters(text)[0], default=0) if (text := message.headers.get(name)) else None
    except MalformedMessage:
        return None


def _refresher(message: Message) -> Refresher | None:
    """Who refreshes, of a Session-Expires that can be read."""
    said = with_parameters(message.headers.get("Session-Expires") or "")[1].get("refresher", "").lower()
    return next((r for r in Refresher if r.value == said), None)
