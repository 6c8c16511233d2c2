"""The load generator of bench/media.py: many callers in one flat loop, who speak, listen, and watch the clock.

Every call sends a packet each 20 ms from its answer until shortly before it hangs up, and says its packet's number in the
sound, so that a recording shows whether all of it is there. All calls send the same packets, which are made, and for SRTP
protected, beforehand. Of what comes it reads the number (is any missing?) and the time: how much later than 20 ms after the
one before, counted from the earliest of the call. It says how late it was itself, and what share of its core it took.
"""

import argparse
import base64
import contextlib
import json
import os
import resource
import select
import socket
import struct
import time
from array import array
from collections.abc import Callable

import caller
from pylibsrtp import Policy, Session

FRAME_S, SLOTS = 0.02, 20
LATE_S = 0.010
"""A run counts if 99.9 % of what the generator sent went out within 10 ms of its time."""
QUIET_S = 0.4
"""Before it hangs up a caller is silent, so that all that it said has arrived."""
KEY = bytes(range(30))
CRYPTO = f"1 AES_CM_128_HMAC_SHA1_80 inline:{base64.b64encode(KEY).decode()}"


def spoken(number: int) -> bytes:
    """The sound of a packet: its number, in codes that are loud."""
    return bytes((number % 100 + 1,)) * 80 + bytes((number // 100 % 100 + 1,)) * 80


def packets(count: int, secure: bool, *, pound: bool = False) -> list[bytes]:
    """What every call sends; with ``pound`` it presses ``#`` first."""
    plain = [struct.pack("!BBHII", 0x80, 0x80 if not n else 0, n + 1, n * 160, 7) + spoken(n) for n in range(count)]
    if pound:  # RFC 4733: 60 ms, and the end three times
        for n in range(6):
            event = struct.pack("!BBH", 11, 0x8A if n >= 3 else 0x0A, 160 * min(n + 1, 3))
            plain[n] = struct.pack("!BBHII", 0x80, 101 | (0x80 if not n else 0), n + 1, 0, 7) + event
    if not secure:
        return plain
    session = Session(
        Policy(key=KEY, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_80)
    )
    return [bytes(session.protect(packet)) for packet in plain]


class Line:
    """One call's media."""

    __slots__ = ("base", "began", "first", "highest", "index", "received", "send", "sent", "sock", "until")

    def __init__(self, index: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.sock.bind(("127.0.0.1", 0))
        self.index, self.sent, self.received = index, 0, 0
        self.first, self.highest = -1, -1
        self.base, self.until = float("inf"), 0.0
        self.began = 0.0


class Generator:
    """All calls."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._hold_s = args.hold
        self._packets = packets(int(args.hold / FRAME_S) + 100, args.srtp, pound=args.pound)
        self._lines: dict[int, Line] = {}
        self._by_fd: dict[int, Line] = {}
        self._all: list[Line] = []
        self._wheel: list[list[Line]] = [[] for _ in range(SLOTS)]
        self._poll = select.epoll()
        self._lateness = array("f")
        self._own = array("f")
        self._secure = args.srtp
        self._caller = None
        if args.port:
            self._caller = caller.Caller(
                ("127.0.0.1", args.port),
                calls=args.calls,
                rate=args.rate,
                hold_s=args.hold,
                body=self._offer,
                local=args.local,
                user=args.user,
                headers=self._diverted(args.diverted.split(",")),
                on_answer=lambda answered: self._speak(self._lines[answered.index], answered.port),
                on_end=self._ended,
            )
            self._poll.register(self._caller.fileno(), select.EPOLLIN)

    @staticmethod
    def _diverted(extensions: list[str]) -> Callable[[int], bytes]:
        """The calls are for each of these extensions in turn, and were diverted to voice mail."""
        lines = [b"Diversion: <tel:%s>;reason=no-answer;counter=1\r\n" % each.encode() for each in extensions if each]
        return lambda index: lines[index % len(lines)] if lines else b""

    def _new(self, index: int) -> Line:
        line = self._lines[index] = Line(index)
        self._all.append(line)
        return line

    def _offer(self, index: int) -> bytes:
        line = self._new(index)
        crypto = CRYPTO if self._secure else ""
        offer = caller.offer("127.0.0.1", line.sock.getsockname()[1], crypto=crypto, codecs="0 101")
        return offer + b"a=rtcp-mux\r\n"

    def _speak(self, line: Line, port: int) -> None:
        line.sock.connect(("127.0.0.1", port))
        line.send = line.sock.send
        line.began = time.monotonic()
        line.until = line.began + self._hold_s - QUIET_S
        self._by_fd[line.sock.fileno()] = line
        self._poll.register(line.sock, select.EPOLLIN)
        min(self._wheel, key=len).append(line)

    def _ended(self, index: int) -> None:
        line = self._lines.pop(index)
        if line.sock.fileno() in self._by_fd:
            del self._by_fd[line.sock.fileno()]
            next(slot for slot in self._wheel if line in slot).remove(line)
        line.sock.close()

    def run(self, ports: list[int]) -> dict[str, object]:
        """Place the calls, or speak to those ports without signalling; returns what came of it."""
        begun, cpu = time.monotonic(), time.process_time()
        if self._caller is not None:
            self._caller.begin(begun)
        for index, port in enumerate(ports):
            self._speak(self._new(index), port)
        ends = begun + self._hold_s if ports else float("inf")
        self._loop(begun, ends)
        elapsed = time.monotonic() - begun
        report = self._caller.finish(time.monotonic()) if self._caller is not None else None
        heard = sum(line.received for line in self._all)
        return {
            "sent": {line.index: line.sent for line in self._all},
            "began": {line.index: line.began for line in self._all if line.began},
            "received": heard,
            "missing": sum(line.highest - line.first + 1 - line.received for line in self._all if line.received),
            "unheard": sum(not line.received for line in self._all),
            "late_p50_ms": 1000 * percentile(self._lateness, 0.5),
            "late_p999_ms": 1000 * percentile(self._lateness, 0.999),
            "late_max_ms": 1000 * max(self._lateness, default=0.0),
            "own_late_p999_ms": 1000 * percentile(self._own, 0.999),
            "cpu": (time.process_time() - cpu) / elapsed,
            "elapsed_s": elapsed,
            "calls": caller.as_json(report) if report else None,
            "call_ids": {line.index: self._caller.call_id(line.index) for line in self._all} if self._caller else {},
        }

    def _loop(self, now: float, ends: float) -> None:
        due, slot, poll, by_fd = now, 0, self._poll.poll, self._by_fd
        signalling = self._caller
        while now < ends and not (signalling is not None and signalling.done):
            # Not woken by each packet: the interrupt to this core would be at the server's cost, and be no network's.
            if (left := due - time.monotonic()) > 0:
                time.sleep(left)
            events = poll(0, 512)
            now = time.monotonic()
            for fd, _ in events:
                line = by_fd.get(fd)
                if line is not None:
                    self._hear(line, fd, now)
                elif signalling is not None and fd == signalling.fileno():
                    signalling.readable(now)
            while due <= (now := time.monotonic()):
                if self._wheel[slot]:
                    self._own.append(now - due)
                    self._say(self._wheel[slot], now)
                slot, due = (slot + 1) % SLOTS, due + FRAME_S / SLOTS
                if signalling is not None and now >= signalling.next_due():
                    signalling.tick(now)

    def _say(self, lines: list[Line], now: float) -> None:
        all_packets = self._packets
        for line in lines:
            if now < line.until:
                with contextlib.suppress(OSError):
                    line.send(all_packets[line.sent])
                    line.sent += 1

    def _hear(self, line: Line, fd: int, now: float) -> None:
        try:
            data = os.read(fd, 2048)
        except OSError:
            return
        if 192 <= data[1] <= 223:  # RTCP
            return
        number = data[2] << 8 | data[3]
        if line.first < 0:
            line.first = line.highest = number
        elif number < line.first - 1000:
            number += 65536
        line.received += 1
        if number > line.highest:
            line.highest = number
        offset = now - (number - line.first) * FRAME_S
        if offset < line.base:
            line.base = offset
        self._lateness.append(offset - line.base)


def percentile(values: "array[float]", share: float) -> float:
    """Of any values; 0 if there are none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="of the SIP server")
    parser.add_argument("--ports", default="", help="of media, without signalling, with commas")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--hold", type=float, default=10)
    parser.add_argument("--core", type=int, default=1)
    parser.add_argument("--srtp", action="store_true")
    parser.add_argument("--local", default="127.0.0.1", help="the address that calls come from")
    parser.add_argument("--user", default="4101", help="whom the Request-URI names")
    parser.add_argument("--pound", action="store_true", help="press # at once, to skip a greeting")
    parser.add_argument(
        "--diverted", default="", help="extensions with commas: each call was diverted from one of them"
    )
    args = parser.parse_args()
    os.sched_setaffinity(0, {args.core})
    with contextlib.suppress(OSError):  # as the worker does
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ports = [int(port) for port in args.ports.split(",") if port]
    print(json.dumps(Generator(args).run(ports)), flush=True)


if __name__ == "__main__":
    main()
