"""A caller that costs next to nothing: places calls over UDP at a given rate, from messages made in advance.

It keeps an even pace (an open loop: a slow server does not slow it down), sends again what is not answered (RFC 3261
timers A and E), and says how late it was itself and what share of a core it took: a run in which it was late does not
count. One socket, no library, no thread. Run it in a process of its own, pinned to another core than the server:

    python bench/caller.py HOST PORT --calls 2000 --rate 500 --hold 2 --core 1

or drive it from a loop that has other sockets too (:meth:`Caller.readable`, :meth:`Caller.tick`), as the media bench does.
"""

import argparse
import contextlib
import heapq
import json
import os
import re
import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

T1_S, GIVE_UP_S, PATIENCE_S = 0.5, 8.0, 20.0
LATE_S, BUSY = 0.010, 0.90
"""A run counts if 99 of 100 calls began within 10 ms of their time, and the caller took no more than 90 % of its core."""

_AUDIO = re.compile(rb"\r\nm=audio (\d+) ")
_HOST = re.compile(rb"\r\nc=IN IP[46] (\S+)")
_TO = re.compile(rb"\r\n(?:To|t) *: *([^\r]+)", re.IGNORECASE)
_CONTACT = re.compile(rb"\r\n(?:Contact|m) *: *[^<\r]*<([^>\r]+)>", re.IGNORECASE)
_CALL = re.compile(rb"\r\n(?:Call-ID|i) *: *(\d+)-", re.IGNORECASE)
_CSEQ = re.compile(rb"\r\nCSeq *: *\d+ +([A-Z]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A call that was answered: where its media goes, and the whole description (for keys)."""

    index: int
    host: str
    port: int
    sdp: bytes
    setup_s: float


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of the calls, and of the caller. Times in seconds."""

    calls: int = 0
    answered: int = 0
    ended: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    sent_again: int = 0
    setup_p50_s: float = 0.0
    setup_p99_s: float = 0.0
    setup_max_s: float = 0.0
    late_p99_s: float = 0.0
    cpu_share: float = 0.0
    elapsed_s: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether the caller kept its pace."""
        return self.late_p99_s <= LATE_S and self.cpu_share <= BUSY

    @property
    def clean(self) -> bool:
        """Whether every call was answered and ended, each message sent once."""
        return self.calls == self.answered == self.ended and not self.sent_again


@dataclass(slots=True)
class _Call:
    index: int
    begun: float
    waiting: bytes = b""  # the request that has no answer yet
    interval: float = T1_S
    answered: bool = False
    to: bytes = b""
    target: bytes = b""


def offer(host: str, port: int, *, crypto: str = "", codecs: str = "0 8 101", direction: str = "sendrecv") -> bytes:
    """An SDP offer of audio; ``crypto`` is the value of an ``a=crypto`` line and makes it SAVP."""
    lines = [
        "v=0",
        f"o=bench 1 1 IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} RTP/{'SAVP' if crypto else 'AVP'} {codecs}",
        "a=rtpmap:101 telephone-event/8000",
        "a=ptime:20",
        f"a={direction}",
        *([f"a=crypto:{crypto}"] if crypto else []),
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


class Caller:
    """Places ``calls`` calls, ``rate`` a second, each held for ``hold_s`` from its answer.

    ``body`` gives the offer of a call by its index, ``headers`` whole lines that its INVITE has beside the usual ones.
    ``on_answer`` is called with each 200, before its ACK is sent;
    ``on_end`` with the index of a call that is over, whatever became of it. :meth:`hang_up` ends a call earlier.
    """

    def __init__(
        self,
        target: tuple[str, int],
        *,
        calls: int,
        rate: float,
        hold_s: float,
        body: Callable[[int], bytes],
        local: str = "127.0.0.1",
        user: str = "4101",
        headers: Callable[[int], bytes] = lambda index: b"",
        on_answer: Callable[[Answered], None] = lambda answered: None,
        on_end: Callable[[int], None] = lambda index: None,
    ) -> None:
        self.report = Report(calls=calls)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.socket.setsockopt(socket.SOL_SOCKET, option, 1 << 22)
        self.socket.bind((local, 0))
        self.socket.connect(target)
        self._rate, self._hold_s, self._body, self._headers = rate, hold_s, body, headers
        self._on_answer, self._on_end = on_answer, on_end
        self._calls: dict[int, _Call] = {}
        self._timers: list[tuple[float, int, str]] = []
        self._next, self._begun = 0, 0.0
        self._setups: list[float] = []
        self._late: list[float] = []
        self._cpu = 0.0
        self._name = f"-{os.urandom(6).hex()}@bench"
        here = f"{local}:{self.socket.getsockname()[1]}"
        self._uri = f"sip:{user}@{target[0]}:{target[1]}".encode()
        self._head = (
            b"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP " + here.encode() + b";rport;branch=z9hG4bK-%d-%s\r\n"
            b'Max-Forwards: 70\r\nFrom: "Bench" <sip:%d@' + here.encode() + b">;tag=%d\r\nTo: %s\r\n"
            b"Call-ID: %d" + self._name.encode() + b"\r\nCSeq: %d %s\r\n"
        )
        self._more = (
            b"Contact: <sip:bench@" + here.encode() + b">\r\nUser-Agent: bench\r\n"
            b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE\r\nContent-Type: application/sdp\r\n"
        )

    # For a loop of one's own

    def fileno(self) -> int:
        """For epoll."""
        return self.socket.fileno()

    @property
    def done(self) -> bool:
        """Whether every call was begun and is over."""
        return self._next == self.report.calls and not self._calls

    def begin(self, now: float) -> None:
        """The first call is due now."""
        self._begun, self._cpu = now, time.process_time()

    def call_id(self, index: int) -> str:
        """The Call-ID of a call."""
        return f"{index}{self._name}"

    def next_due(self) -> float:
        """When to call :meth:`tick` next."""
        start = self._begun + self._next / self._rate if self._next < self.report.calls else float("inf")
        return min(start, self._timers[0][0] if self._timers else float("inf"))

    def tick(self, now: float) -> None:
        """Begin the calls that are due, end those that were held long enough, send again what was not answered."""
        while self._next < self.report.calls and (due := self._begun + self._next / self._rate) <= now:
            self._late.append(now - due)
            self._begin_call(self._next, now)
            self._next += 1
        while self._timers and self._timers[0][0] <= now:
            _, index, what = heapq.heappop(self._timers)
            if what == "hold":
                self.hang_up(index, now)
            elif what == "final":
                self._give_up(index)
            else:
                self._send_again(index, what, now)

    def readable(self, now: float) -> None:
        """Read what came."""
        while True:
            try:
                data = self.socket.recv(65_535)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            self._received(data, now)

    def hang_up(self, index: int, now: float) -> None:
        """Say BYE."""
        call = self._calls.get(index)
        if call is not None and call.answered and not call.waiting:
            self._request(call, b"BYE", now, target=call.target, to=call.to, cseq=2)

    def finish(self, now: float) -> Report:
        """Sum up."""
        report, elapsed = self.report, now - self._begun
        report.elapsed_s = elapsed
        report.cpu_share = (time.process_time() - self._cpu) / elapsed
        report.late_p99_s = _percentile(self._late, 0.99)
        report.setup_p50_s, report.setup_p99_s = _percentile(self._setups, 0.5), _percentile(self._setups, 0.99)
        report.setup_max_s = max(self._setups, default=0.0)
        return report

    def run(self) -> Report:
        """All of it, with a loop of its own."""
        poll = select.epoll()
        poll.register(self.socket, select.EPOLLIN)
        self.begin(time.monotonic())
        while not self.done:
            wait = self.next_due() - time.monotonic()
            if poll.poll(max(0.0, min(wait, 1.0))):
                self.readable(time.monotonic())
            self.tick(time.monotonic())
        poll.close()
        self.socket.close()
        return self.finish(time.monotonic())

    # Inside

    def _begin_call(self, index: int, now: float) -> None:
        call = self._calls[index] = _Call(index, now)
        self._request(call, b"INVITE", now, target=self._uri, to=b"<%s>" % self._uri, cseq=1, body=self._body(index))

    def _request(
        self, call: _Call, method: bytes, now: float, *, target: bytes, to: bytes, cseq: int, body: bytes = b""
    ) -> None:
        index = call.index
        head = self._head % (method, target, index, method, 2000 + index % 1000, index, to, index, cseq, method)
        more = self._more + self._headers(index) if body else b""
        data = head + more + b"Content-Length: %d\r\n\r\n" % len(body) + body
        if method != b"ACK":
            call.waiting, call.interval = data, T1_S
            heapq.heappush(self._timers, (now + T1_S, index, method.decode()))
        self._send(data)

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):  # as if lost; it is sent again
            self.socket.send(data)

    def _send_again(self, index: int, method: str, now: float) -> None:
        call = self._calls.get(index)
        if call is None or not call.waiting.startswith(method.encode()):
            return
        if call.interval > GIVE_UP_S:
            self._lose(call)
            return
        call.interval *= 2
        self.report.sent_again += 1
        heapq.heappush(self._timers, (now + call.interval, index, method))
        self._send(call.waiting)

    def _give_up(self, index: int) -> None:
        call = self._calls.get(index)
        if call is not None and call.waiting == b"provisional":
            self._lose(call)

    def _lose(self, call: _Call) -> None:
        self.report.unanswered += 1
        self._over(call)

    def _received(self, data: bytes, now: float) -> None:
        if not data.startswith(b"SIP/2.0 "):
            self._requested(data)
            return
        named, method = _CALL.search(data), _CSEQ.search(data)
        call = self._calls.get(int(named[1])) if named else None
        if call is None or method is None:
            return
        status = int(data[8:11])
        if method[1] == b"BYE" and status >= 200:
            self.report.ended += status == 200
            self._over(call)
        elif method[1] == b"INVITE" and status < 200:
            if call.waiting.startswith(b"INVITE"):
                call.waiting = b"provisional"  # timer A stops
                heapq.heappush(self._timers, (now + PATIENCE_S, call.index, "final"))
        elif method[1] == b"INVITE":
            self._final(call, status, data, now)

    def _final(self, call: _Call, status: int, data: bytes, now: float) -> None:
        to, contact = _TO.search(data), _CONTACT.search(data)
        if status >= 300 or not to or not contact:
            self._request(call, b"ACK", now, target=self._uri, to=to[1] if to else b"", cseq=1)
            self.report.refused[status] += 1
            self._over(call)
            return
        if not call.answered:
            call.answered, call.waiting, call.to, call.target = True, b"", to[1], contact[1]
            self._answered(call, data, now)
            heapq.heappush(self._timers, (now + self._hold_s, call.index, "hold"))
        self._request(call, b"ACK", now, target=call.target, to=call.to, cseq=1)

    def _answered(self, call: _Call, data: bytes, now: float) -> None:
        self.report.answered += 1
        self._setups.append(now - call.begun)
        port, host = _AUDIO.search(data), _HOST.search(data)
        if port and host:
            sdp = data.partition(b"\r\n\r\n")[2]
            self._on_answer(
                Answered(index=call.index, host=host[1].decode(), port=int(port[1]), sdp=sdp, setup_s=now - call.begun)
            )

    def _requested(self, data: bytes) -> None:
        """The server hangs up (or asks something): 200."""
        first, _, rest = data.partition(b"\r\n")
        if first.startswith(b"ACK "):
            return
        lines = rest.partition(b"\r\n\r\n")[0].split(b"\r\n")
        copied = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")
        kept = [line for line in lines if line.lower().startswith(copied)]
        self._send(b"\r\n".join([b"SIP/2.0 200 OK", *kept, b"Content-Length: 0", b"", b""]))
        named = _CALL.search(data)
        call = self._calls.get(int(named[1])) if named else None
        if call is not None and first.startswith(b"BYE "):
            self.report.ended += 1
            self._over(call)

    def _over(self, call: _Call) -> None:
        self._calls.pop(call.index, None)
        self._on_end(call.index)


def pin(core: int) -> None:
    """Stay on one core."""
    os.sched_setaffinity(0, {core})


def as_json(report: Report) -> str:
    """For another process."""
    # asdict makes a Counter of pairs before Python 3.12.
    return json.dumps({**asdict(replace(report, refused=Counter())), "refused": dict(report.refused)})


def from_json(text: str) -> Report:
    """What :func:`as_json` wrote."""
    values = json.loads(text)
    return Report(**{**values, "refused": Counter({int(k): v for k, v in values["refused"].items()})})


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--hold", type=float, default=1.0)
    parser.add_argument("--core", type=int)
    args = parser.parse_args()
    if args.core is not None:
        pin(args.core)
    body = offer("127.0.0.1", 9, direction="sendonly")  # nothing is sent back: this is about signalling
    caller = Caller((args.host, args.port), calls=args.calls, rate=args.rate, hold_s=args.hold, body=lambda index: body)
    print(as_json(caller.run()))


if __name__ == "__main__":
    main()
