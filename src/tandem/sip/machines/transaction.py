"""The four SIP transactions (RFC 3261 §17 with RFC 6026), sans-IO.

A transaction is fed with what arrives and with time, and says what to do; the driver sends, delivers and arms one timer.
The rules are the tables below: (state, input) -> (next state, what to do). An input that the table does not have is
ignored, as the RFC asks. Timer values are §17's; on a reliable transport nothing is sent again.

Left to the user of a server transaction: sending a 2xx to an INVITE again until its ACK comes (§13.3.1.4).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum, auto

from tandem.sip.headers import fields
from tandem.sip.message.message import Headers, Request, Response

T1, T2, T4 = 0.5, 4.0, 5.0
"""Seconds: round trip estimate, longest retransmit interval, longest time a message stays in the network."""


NO_ANSWER_S = 300.0
"""Seconds after the last provisional response in which an INVITE has to be answered. The RFC has no such timer for servers;
a proxy gives up after 185 s (timer C), so that only what was forgotten is met by this one."""


class TransactionState(Enum):
    """The states of all four machines."""

    __hash__ = object.__hash__  # members are one of a kind; Enum's own hash costs more than the look-up

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class TransactionInput(Enum):
    """What can happen to a transaction."""

    __hash__ = object.__hash__

    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()
    REQUEST = auto()
    ACK = auto()
    RETRANSMIT = auto()  # timers A, E, G
    EXPIRED = auto()  # timers B, F, H
    LINGERED = auto()  # timers D, I, J, K, L, M
    BROKEN = auto()  # the transport failed


class TransactionVerb(Enum):
    """What the machine asks of its driver."""

    SEND = auto()  # the request (client) or the last response (server), again or for the first time
    ACK = auto()  # acknowledge a failure to INVITE
    DELIVER = auto()  # give the message to the user
    TIME_OUT = auto()  # tell the user that no final response came (as 408), that it gave none, or no ACK
    BREAK = auto()  # tell the user that the transport failed (as 503)


Rules = dict[tuple[TransactionState, TransactionInput], tuple[TransactionState, tuple[TransactionVerb, ...]]]
S, I, V = TransactionState, TransactionInput, TransactionVerb  # noqa: E741 - the tables are read as in the RFC's figures

INVITE_CLIENT: Rules = {  # RFC 3261 figure 5, RFC 6026 figure 2
    (S.CALLING, I.RETRANSMIT): (S.CALLING, (V.SEND,)),
    (S.CALLING, I.EXPIRED): (S.TERMINATED, (V.TIME_OUT,)),
    (S.CALLING, I.BROKEN): (S.TERMINATED, (V.BREAK,)),
    (S.CALLING, I.PROVISIONAL): (S.PROCEEDING, (V.DELIVER,)),
    (S.CALLING, I.SUCCESS): (S.ACCEPTED, (V.DELIVER,)),
    (S.CALLING, I.FAILURE): (S.COMPLETED, (V.ACK, V.DELIVER)),
    (S.PROCEEDING, I.PROVISIONAL): (S.PROCEEDING, (V.DELIVER,)),
    (S.PROCEEDING, I.SUCCESS): (S.ACCEPTED, (V.DELIVER,)),
    (S.PROCEEDING, I.FAILURE): (S.COMPLETED, (V.ACK, V.DELIVER)),
    (S.PROCEEDING, I.EXPIRED): (S.TERMINATED, (V.TIME_OUT,)),  # no final after a CANCEL, §9.1
    (S.PROCEEDING, I.BROKEN): (S.TERMINATED, (V.BREAK,)),
    (S.ACCEPTED, I.SUCCESS): (S.ACCEPTED, (V.DELIVER,)),
    (S.ACCEPTED, I.LINGERED): (S.TERMINATED, ()),
    (S.COMPLETED, I.FAILURE): (S.COMPLETED, (V.ACK,)),
    (S.COMPLETED, I.LINGERED): (S.TERMINATED, ()),
}
OTHER_CLIENT: Rules = {  # RFC 3261 figure 6
    (S.TRYING, I.RETRANSMIT): (S.TRYING, (V.SEND,)),
    (S.TRYING, I.EXPIRED): (S.TERMINATED, (V.TIME_OUT,)),
    (S.TRYING, I.BROKEN): (S.TERMINATED, (V.BREAK,)),
    (S.TRYING, I.PROVISIONAL): (S.PROCEEDING, (V.DELIVER,)),
    (S.TRYING, I.SUCCESS): (S.COMPLETED, (V.DELIVER,)),
    (S.TRYING, I.FAILURE): (S.COMPLETED, (V.DELIVER,)),
    (S.PROCEEDING, I.RETRANSMIT): (S.PROCEEDING, (V.SEND,)),
    (S.PROCEEDING, I.EXPIRED): (S.TERMINATED, (V.TIME_OUT,)),
    (S.PROCEEDING, I.BROKEN): (S.TERMINATED, (V.BREAK,)),
    (S.PROCEEDING, I.PROVISIONAL): (S.PROCEEDING, (V.DELIVER,)),
    (S.PROCEEDING, I.SUCCESS): (S.COMPLETED, (V.DELIVER,)),
    (S.PROCEEDING, I.FAILURE): (S.COMPLETED, (V.DELIVER,)),
    (S.COMPLETED, I.LINGERED): (S.TERMINATED, ()),
}
INVITE_SERVER: Rules = {  # RFC 3261 figure 7, RFC 6026 figure 1
    (S.PROCEEDING, I.REQUEST): (S.PROCEEDING, (V.SEND,)),
    (S.PROCEEDING, I.PROVISIONAL): (S.PROCEEDING, (V.SEND,)),
    (S.PROCEEDING, I.SUCCESS): (S.ACCEPTED, (V.SEND,)),
    (S.PROCEEDING, I.FAILURE): (S.COMPLETED, (V.SEND,)),
    (S.PROCEEDING, I.EXPIRED): (S.PROCEEDING, (V.TIME_OUT,)),
    (S.ACCEPTED, I.SUCCESS): (S.ACCEPTED, (V.SEND,)),
    (S.ACCEPTED, I.LINGERED): (S.TERMINATED, ()),
    (S.COMPLETED, I.REQUEST): (S.COMPLETED, (V.SEND,)),
    (S.COMPLETED, I.RETRANSMIT): (S.COMPLETED, (V.SEND,)),
    (S.COMPLETED, I.EXPIRED): (S.TERMINATED, (V.TIME_OUT,)),
    (S.COMPLETED, I.ACK): (S.CONFIRMED, ()),
    (S.CONFIRMED, I.LINGERED): (S.TERMINATED, ()),
}
OTHER_SERVER: Rules = {  # RFC 3261 figure 8
    (S.TRYING, I.PROVISIONAL): (S.PROCEEDING, (V.SEND,)),
    (S.TRYING, I.SUCCESS): (S.COMPLETED, (V.SEND,)),
    (S.TRYING, I.FAILURE): (S.COMPLETED, (V.SEND,)),
    (S.PROCEEDING, I.REQUEST): (S.PROCEEDING, (V.SEND,)),
    (S.PROCEEDING, I.PROVISIONAL): (S.PROCEEDING, (V.SEND,)),
    (S.PROCEEDING, I.SUCCESS): (S.COMPLETED, (V.SEND,)),
    (S.PROCEEDING, I.FAILURE): (S.COMPLETED, (V.SEND,)),
    (S.COMPLETED, I.REQUEST): (S.COMPLETED, (V.SEND,)),
    (S.COMPLETED, I.LINGERED): (S.TERMINATED, ()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One thing to do; ``data`` for what is sent, ``response`` for what is delivered."""

    do: TransactionVerb
    data: bytes = b""
    response: Response | None = None


class _Machine(ABC):
    """What the four have in common: a table, timers, outputs."""

    def __init__(self, rules: Rules, state: TransactionState, *, reliable: bool, now: float) -> None:
        self._rules = rules
        self.state = state
        self._reliable = reliable
        self._interval = T1
        self._timers: dict[TransactionInput, float] = {}
        self._entered(state, now)

    def next_timeout(self) -> float | None:
        """The moment to call :meth:`timeout` at the latest, or ``None``."""
        return min(self._timers.values(), default=None)

    def timeout(self, now: float) -> list[Output]:
        """Fire the timers that are due, in the order of their moments."""
        outputs: list[Output] = []
        for at, timer in sorted((at, timer.value) for timer, at in self._timers.items() if at <= now):
            del at
            kind = TransactionInput(timer)
            if self._timers.pop(kind, None) is not None:
                outputs += self._input(kind, now, None)
                if kind is I.RETRANSMIT and self._retransmits():
                    self._interval = self._next_interval()
                    self._timers[I.RETRANSMIT] = now + self._interval
        return outputs

    def broken(self, now: float) -> list[Output]:
        """The transport failed."""
        return self._input(I.BROKEN, now, None)

    @property
    def terminated(self) -> bool:
        """Whether the transaction is over and can be forgotten."""
        return self.state is S.TERMINATED

    @property
    def lingers(self) -> bool:
        """Whether nothing is left to do but to be there, for what comes again."""
        return len(self._timers) == 1 and I.LINGERED in self._timers

    def _input(self, what: TransactionInput, now: float, response: Response | None) -> list[Output]:
        rule = self._rules.get((self.state, what))
        if rule is None:
            return []
        before, (self.state, actions) = self.state, rule
        if self.state is not before:
            self._timers.clear()
            self._entered(self.state, now)
        return [self._output(do, response) for do in actions]

    @abstractmethod
    def _output(self, do: TransactionVerb, response: Response | None) -> Output: ...

    @abstractmethod
    def _entered(self, state: TransactionState, now: float) -> None: ...

    @abstractmethod
    def _retransmits(self) -> bool: ...

    def _next_interval(self) -> float:
        return min(self._interval * 2, T2)

    def _linger(self, now: float, seconds: float) -> None:
        self._timers[I.LINGERED] = now + (0.0 if self._reliable else seconds)


def _kind(status: int) -> TransactionInput:
    return I.PROVISIONAL if status < 200 else I.SUCCESS if status < 300 else I.FAILURE


class ClientTransactionMachine(_Machine):
    """A client transaction; its user has sent :attr:`data` when it is made."""

    def __init__(self, request: Request, *, reliable: bool, now: float) -> None:
        self.request = request
        self.data = request.to_bytes()
        self.invite = request.method == "INVITE"
        self._deadline = now + 64 * T1  # timers B and F
        rules, state = (INVITE_CLIENT, S.CALLING) if self.invite else (OTHER_CLIENT, S.TRYING)
        super().__init__(rules, state, reliable=reliable, now=now)

    def received(self, response: Response, now: float) -> list[Output]:
        """A response with this transaction's branch came."""
        return self._input(_kind(response.status), now, response)

    def expire_after(self, seconds: float, now: float) -> None:
        """End with a time-out if no final response comes (after a CANCEL, §9.1: 64*T1)."""
        if self.state in (S.CALLING, S.TRYING, S.PROCEEDING):
            self._timers[I.EXPIRED] = now + seconds

    def _entered(self, state: TransactionState, now: float) -> None:
        match state:
            case S.CALLING | S.TRYING:
                self._timers[I.EXPIRED] = self._deadline
                if not self._reliable:
                    self._timers[I.RETRANSMIT] = now + T1  # A, E
            case S.PROCEEDING if not self.invite:
                self._timers[I.EXPIRED] = self._deadline
                if not self._reliable:
                    self._interval = T2
                    self._timers[I.RETRANSMIT] = now + T2
            case S.ACCEPTED:
                self._timers[I.LINGERED] = now + 64 * T1  # M, on every transport
            case S.COMPLETED:
                self._linger(now, 32.0 if self.invite else T4)  # D, K

    def _retransmits(self) -> bool:
        return self.state in (S.CALLING, S.TRYING, S.PROCEEDING) and not self._reliable

    def _next_interval(self) -> float:
        # Timer A doubles without a bound until timer B ends it (§17.1.1.2); E is bounded by T2 (§17.1.2.2).
        return self._interval * 2 if self.invite else super()._next_interval()

    def _output(self, do: TransactionVerb, response: Response | None) -> Output:
        match do:
            case V.SEND:
                return Output(do=do, data=self.data)
            case V.ACK:
                assert response is not None
                return Output(do=do, data=ack_to_failure(self.request, response).to_bytes())
            case _:
                return Output(do=do, response=response)


class ServerTransactionMachine(_Machine):
    """A server transaction, made when its request arrives."""

    def __init__(self, request: Request, *, reliable: bool, now: float) -> None:
        self.invite = request.method == "INVITE"
        self._last = b""
        rules, state = (INVITE_SERVER, S.PROCEEDING) if self.invite else (OTHER_SERVER, S.TRYING)
        super().__init__(rules, state, reliable=reliable, now=now)

    def received(self, request: Request, now: float) -> list[Output]:
        """The same request again, or the ACK to a failure."""
        outputs = self._input(I.ACK if request.method == "ACK" else I.REQUEST, now, None)
        return [o for o in outputs if o.do is not V.SEND or o.data]

    def respond(self, response: Response, now: float) -> list[Output]:
        """The user answers. Answers that come too late (after a final one) do nothing."""
        if (self.state, _kind(response.status)) not in self._rules:
            return []
        self._last = response.to_bytes()
        outputs = self._input(_kind(response.status), now, response)
        if self.invite and self.state is S.PROCEEDING:
            self._timers[I.EXPIRED] = now + NO_ANSWER_S
        return outputs

    def _entered(self, state: TransactionState, now: float) -> None:
        match state:
            case S.PROCEEDING if self.invite:
                self._timers[I.EXPIRED] = now + NO_ANSWER_S
            case S.ACCEPTED:
                self._timers[I.LINGERED] = now + 64 * T1  # L, on every transport
            case S.COMPLETED if self.invite:
                self._timers[I.EXPIRED] = now + 64 * T1  # H
                if not self._reliable:
                    self._timers[I.RETRANSMIT] = now + T1  # G
            case S.COMPLETED:
                self._linger(now, 64 * T1)  # J
            case S.CONFIRMED:
                self._linger(now, T4)  # I

    def _retransmits(self) -> bool:
        return self.invite and self.state is S.COMPLETED and not self._reliable

    def _output(self, do: TransactionVerb, response: Response | None) -> Output:
        return Output(do=do, data=self._last if do is V.SEND else b"", response=response)


def ack_to_failure(invite: Request, response: Response) -> Request:
    """The ACK to a non-2xx final response (§17.1.1.3): same branch and Request-URI, the response's To."""
    headers = Headers()
    headers.add("Via", fields.split_list(invite.headers.get("Via") or "")[0])
    for route in invite.headers.all("Route"):
        headers.add("Route", route)
    headers.add("Max-Forwards", "70")
    headers.add("From", invite.headers.get("From") or "")
    headers.add("To", response.headers.get("To") or "")
    headers.add("Call-ID", fields.call_id(invite))
    headers.add("CSeq", f"{fields.cseq(invite).sequence} ACK")
    return Request(method="ACK", uri=invite.uri, headers=headers)


def cancel_for(request: Request, reason: str = "") -> Request:
    """The CANCEL of a pending INVITE (§9.1): same branch, Request-URI, Route, From, To, Call-ID.

    ``reason`` is a Reason value (RFC 3326): a phone that is told that the call was answered elsewhere shows no missed call.
    """
    headers = Headers()
    headers.add("Via", fields.split_list(request.headers.get("Via") or "")[0])
    for route in request.headers.all("Route"):
        headers.add("Route", route)
    headers.add("Max-Forwards", "70")
    for name in ("From", "To", "Call-ID"):
        headers.add(name, request.headers.get(name) or "")
    headers.add("CSeq", f"{fields.cseq(request).sequence} CANCEL")
    if reason:
        headers.add("Reason", reason)
    return Request(method="CANCEL", uri=request.uri, headers=headers)
