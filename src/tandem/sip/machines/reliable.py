"""What is sent again until it is acknowledged: a 2xx to INVITE (RFC 3261 §13.3.1.4), reliable provisionals (RFC 3262).

:class:`Resend` is the clock of both. :class:`ReliableSender` is the side that rings: one provisional response is under
way at a time, others wait their turn. :class:`ReliableReceiver` is the side that called: it says which provisional
responses get a PRACK; one that comes again, or before its turn, gets none (§4: the sender repeats it).
"""

import re
from collections import deque
from dataclasses import dataclass

from tandem.sip.errors import DialogError, MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.params import tokens
from tandem.sip.machines.transaction import T1, T2
from tandem.sip.message.message import Request, Response

OPTION = "100rel"
_RACK = re.compile(r"(\d{1,10})\s+(\d{1,10})\s+(\S{1,32})\s*\Z")


class Resend:
    """Intervals from T1 that double (up to ``longest``), until 64*T1 have passed."""

    __slots__ = ("_at", "_ends", "_interval", "_longest")

    def __init__(self, now: float, *, longest: float = 64 * T1) -> None:
        self._interval = T1
        self._longest = longest
        self._ends = now + 64 * T1
        self._at = now + T1

    def next_timeout(self) -> float:
        """The moment to call :meth:`timeout`."""
        return min(self._at, self._ends)

    def timeout(self, now: float) -> bool | None:
        """``True``: send again; ``False``: it is too early; ``None``: nothing came in all the time, give up."""
        if now >= self._ends:
            return None
        if now < self._at:
            return False
        self._interval = min(2 * self._interval, self._longest)
        self._at = now + self._interval
        return True


def resend_answer(now: float) -> Resend:
    """For a 2xx: the interval grows up to T2."""
    return Resend(now, longest=T2)


@dataclass(frozen=True, slots=True, kw_only=True)
class RAck:
    """What a PRACK acknowledges: the RSeq of the response, and the CSeq of the request that it answers."""

    rseq: int
    cseq: int
    method: str

    def value(self) -> str:
        """As a header value."""
        return f"{self.rseq} {self.cseq} {self.method}"


def parse_rack(text: str) -> RAck:
    """Read an RAck header."""
    if not (match := _RACK.match(text.strip())):
        raise MalformedMessage(f"not an RAck: {text[:40]!r}")
    return RAck(rseq=int(match[1]), cseq=int(match[2]), method=match[3])


class ReliableSender:
    """The provisional responses to one INVITE that we send reliably; ``first`` is a random RSeq, 1 to 2**31 - 1."""

    def __init__(self, invite: Request, *, first: int) -> None:
        self._cseq = fields.cseq(invite).sequence
        self._rseq = first
        self._waiting: deque[Response] = deque()
        self._resend: Resend | None = None

    @property
    def pending(self) -> bool:
        """Whether a response waits for its PRACK."""
        return self._resend is not None

    def send(self, response: Response, now: float) -> list[Response]:
        """What is to go out now for a provisional response: it with RSeq, or nothing while another is under way."""
        self._waiting.append(response)
        return [] if self.pending else self._next(now)

    def acknowledged(self, prack: Request, now: float) -> list[Response]:
        """A PRACK came: what goes out next. Raises :class:`DialogError` (481) if it acknowledges nothing under way."""
        rack = parse_rack(prack.headers.get("RAck") or "")
        if not self.pending or rack != RAck(rseq=self._rseq, cseq=self._cseq, method="INVITE"):
            raise DialogError(f"no provisional response with {rack.value()} is under way", status=481)
        self._waiting.popleft()
        self._resend = None
        self._rseq += 1
        return self._next(now)

    def answered(self) -> None:
        """A final response was sent: nothing provisional follows it (§3)."""
        self._resend = None
        self._waiting.clear()

    def next_timeout(self) -> float | None:
        """The moment to call :meth:`timeout`, or ``None``."""
        return self._resend.next_timeout() if self._resend else None

    def timeout(self, now: float) -> list[Response] | None:
        """What is to go out again; ``None``: no PRACK came in 64*T1, the INVITE is to be refused with a 5xx (§3)."""
        if self._resend is None:
            return []
        again = self._resend.timeout(now)
        if again is None:
            self.answered()
            return None
        return [self._waiting[0]] if again else []

    def _next(self, now: float) -> list[Response]:
        if not self._waiting:
            return []
        response = self._waiting[0]
        response.headers.add("Require", OPTION)
        response.headers.add("RSeq", str(self._rseq))
        self._resend = Resend(now)
        return [response]


class ReliableReceiver:
    """The provisional responses of one early dialog."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: int | None = None

    def received(self, response: Response) -> RAck | None:
        """What to acknowledge, or ``None``: the response is not reliable, was acknowledged before, or came too early."""
        if not is_reliable(response):
            return None
        rseq = fields.number(response.headers.get("RSeq"), default=0)
        if self._last is not None and rseq != self._last + 1:
            return None
        self._last = rseq
        cseq = fields.cseq(response)
        return RAck(rseq=rseq, cseq=cseq.sequence, method=cseq.method)


def is_reliable(response: Response) -> bool:
    """Whether a provisional response wants a PRACK."""
    return (
        100 < response.status < 200 and "RSeq" in response.headers and OPTION in tokens(response.headers.all("Require"))
    )
