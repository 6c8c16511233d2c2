#!/usr/bin/env python3
"""Strangers' floods of every kind, and beside each an honest call a second: does it complete, and how soon is it answered?

    python bench/flood.py                        # all of them, each for ten seconds; a part of make chaos
    python bench/flood.py line-ends-tls forged   # some of them
    python bench/flood.py --list

A flood comes from a process of its own, as fast as the server takes it (by UDP at `--rate`, since nothing slows that down).
The honest calls go to the server that is flooded: at the UM server from its PBX by UDP, at the voice server from Bob's phone to
Alice's by TLS. Printed are the calls that completed, the time from INVITE to 200 (median, p95, longest), what the server kept
out (tandem_sip_dropped_total, tandem_sip_malformed_total), its share of a core, and how many server transactions, connections
and MiB are left five seconds later. Times depend on what else the machine does; only calls that do not complete fail.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import select
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import caller
import deployed

from tandem.admin.trial.demo import POOL, phones, roots
from tandem.probe.phone import When

STRANGERS = [f"127.0.6.{number}" for number in range(1, 11)]
HOST = "127.0.0.1"
USERS = 4
LEFT_AFTER_S = 5.0
TICKS = os.sysconf("SC_CLK_TCK")
GREETING = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # the beginning of a ClientHello


def _request(method: str, number: int, *headers: str, tag: str = "", uri: str = f"{deployed.PILOT}@127.0.0.1") -> bytes:
    lines = [
        f"{method} sip:{uri} SIP/2.0",
        f"Via: SIP/2.0/TLS 127.0.6.1:5061;branch=z9hG4bK{os.getpid()}-{number};rport",
        "Max-Forwards: 70",
        f"From: <sip:stranger@example.com>;tag={number}",
        f"To: <sip:{uri}>{tag}",
        f"Call-ID: {os.getpid()}-{number}@flood",
        f"CSeq: 1 {method}",
        "Contact: <sip:stranger@127.0.6.1:5061>",
        *headers,
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def _each(method: str, *headers: str, tag: str = "") -> Iterator[bytes]:
    """One request after the other, 50 at once."""
    number = 0
    while True:
        yield b"".join(_request(method, number + each, *headers, tag=tag) for each in range(50))
        number += 50


def _line_ends() -> Iterator[bytes]:
    while True:
        yield b"\r\n" * 8_192


def _mutated(size: int) -> Iterator[bytes]:
    """Requests of which bytes have changed and pieces come twice."""
    chance, number = random.Random(1), 0
    while True:
        out = bytearray()
        while len(out) < size:
            number += 1
            data = bytearray(_request(chance.choice(("INVITE", "REGISTER", "OPTIONS")), number))
            for _ in range(chance.randrange(1, 12)):
                at = chance.randrange(len(data))
                if chance.random() < 0.7:
                    data[at] = chance.randrange(256)
                else:
                    data[at:at] = data[at : at + chance.randrange(1, 40)] * chance.randrange(1, 20)
            out += data
        yield bytes(out)


Sends = Callable[[argparse.Namespace], int]


def _streamed(messages: Callable[[], Iterator[bytes]], *, secure: bool) -> Sends:
    """Four connections that send as fast as they are read, and come back when they are closed; how many bytes went."""

    def send(args: argparse.Namespace) -> int:
        sources = [messages() for _ in range(4)]
        flows: dict[int, tuple[socket.socket, Iterator[bytes], bytes]] = {}
        sent, poll, until = 0, select.epoll(), time.monotonic() + args.seconds
        while time.monotonic() < until:
            while sources:
                with contextlib.suppress(OSError):
                    made = _connected(args, secure=secure)
                    source = sources.pop()
                    flows[made.fileno()] = made, source, b""
                    poll.register(made, select.EPOLLIN | select.EPOLLOUT)
                    continue
                time.sleep(0.05)
                break
            for number, _ in poll.poll(0.1):
                made, source, data = flows[number]
                try:
                    with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                        if not made.recv(1 << 16):
                            raise ConnectionError
                    with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                        data = data or next(source)
                        taken = made.send(data)
                        sent, data = sent + taken, data[taken:]
                    flows[number] = made, source, data
                except (OSError, ValueError):
                    poll.unregister(made)
                    made.close()
                    sources.append(flows.pop(number)[1])
            time.sleep(0.001)
        return sent

    return send


def _connected(args: argparse.Namespace, *, secure: bool) -> socket.socket:
    made = socket.create_connection((HOST, args.port), 5, (random.choice(STRANGERS), 0))
    if secure:
        context = ssl.create_default_context(cafile=args.roots)
        context.check_hostname = False
        made = context.wrap_socket(made)
    made.setblocking(False)
    return made


def _datagrams(messages: Callable[[], Iterator[bytes]], *, source: str = "") -> Sends:
    """Datagrams at the rate that was asked for."""

    def send(args: argparse.Namespace) -> int:
        with contextlib.ExitStack() as stack:
            made = []
            for address in [source] if source else STRANGERS:
                made.append(stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
                made[-1].bind((address, 0))
            begun, count, sent = time.monotonic(), 0, 0
            for data in messages():
                for one in data.replace(b"\r\n\r\n", b"\r\n\r\n\0").split(b"\0") if len(data) > 1_400 else [data]:
                    if one:
                        sent += made[count % len(made)].sendto(one[:60_000], (HOST, args.port))
                        count += 1
                if (ahead := count / args.rate - (time.monotonic() - begun)) > 0:
                    time.sleep(ahead)
                if time.monotonic() - begun > args.seconds:
                    return sent
        return 0

    return send


def _held(greeting: bytes, connections: int) -> Sends:
    """Connections that say this much and no more, renewed when they are closed; how many were opened."""

    def send(args: argparse.Namespace) -> int:
        opened, held, until = 0, list[socket.socket](), time.monotonic() + args.seconds
        while time.monotonic() < until:
            for each in [each for each in held if _is_closed(each)]:
                held.remove(each)
                each.close()
            while len(held) < connections and time.monotonic() < until:
                made = socket.socket()
                try:
                    made.bind((STRANGERS[opened % len(STRANGERS)], 0))
                    made.connect((HOST, args.port))
                    made.sendall(greeting)
                except OSError:
                    made.close()
                    break
                made.setblocking(False)
                held.append(made)
                opened += 1
            time.sleep(0.02)
        return opened

    return send


def _is_closed(made: socket.socket) -> bool:
    try:
        return not made.recv(4_096)
    except BlockingIOError:
        return False
    except OSError:
        return True


@dataclass(frozen=True, kw_only=True)
class Flood:
    """``um`` or ``voice`` is flooded, at its port for a transport."""

    server: str
    transport: str
    send: Sends
    what: str


_LONG = "Authorization: Digest " + 'a="b",' * 40
FLOODS = {
    "none": Flood(server="um", transport="udp", send=lambda args: time.sleep(args.seconds) or 0, what="nothing, UM"),
    "none-voice": Flood(
        server="voice", transport="tls", send=lambda args: time.sleep(args.seconds) or 0, what="nothing, voice"
    ),
    "line-ends-tls": Flood(
        server="voice", transport="tls", send=_streamed(_line_ends, secure=True), what="keep-alives by TLS"
    ),
    "line-ends-tcp": Flood(
        server="um", transport="tcp", send=_streamed(_line_ends, secure=False), what="keep-alives by TCP"
    ),
    "authorization": Flood(
        server="voice",
        transport="tls",
        send=_streamed(lambda: _each("REGISTER", _LONG), secure=True),
        what="REGISTER with 40 parameters in Authorization",
    ),
    "registers": Flood(
        server="voice",
        transport="tls",
        send=_streamed(lambda: _each("REGISTER"), secure=True),
        what="REGISTER without credentials",
    ),
    "dialogs": Flood(
        server="voice",
        transport="tls",
        send=_streamed(lambda: _each("INVITE", tag=";tag=x"), secure=True),
        what="INVITE within dialogs that are not there",
    ),
    "mutated-tls": Flood(
        server="voice", transport="tls", send=_streamed(lambda: _mutated(20_000), secure=True), what="garbage by TLS"
    ),
    "mutated-tcp": Flood(
        server="um", transport="tcp", send=_streamed(lambda: _mutated(20_000), secure=False), what="garbage by TCP"
    ),
    "mutated-udp": Flood(server="um", transport="udp", send=_datagrams(lambda: _mutated(1)), what="garbage by UDP"),
    "invites": Flood(
        server="um", transport="udp", send=_datagrams(lambda: _each("INVITE")), what="INVITEs of strangers by UDP"
    ),
    "forged": Flood(
        server="um",
        transport="udp",
        send=_datagrams(lambda: _each("INVITE", tag=";tag=x"), source=deployed.PBX),
        what="INVITEs of no dialog from the PBX's address",
    ),
    "handshakes-voice": Flood(
        server="voice", transport="tls", send=_held(GREETING, 500), what="500 handshakes that are never ended"
    ),
    "handshakes-um": Flood(
        server="um", transport="tls", send=_held(GREETING, 500), what="500 handshakes that are never ended"
    ),
    "silent": Flood(server="um", transport="tcp", send=_held(b"", 4_000), what="4,000 connections that say nothing"),
    "half": Flood(
        server="um", transport="tcp", send=_held(_request("INVITE", 1)[:-2], 2_000), what="2,000 halves of a message"
    ),
}


@dataclass(kw_only=True)
class Honest:
    """What became of the honest calls; seconds from INVITE to 200."""

    calls: int
    setups: list[float]

    def text(self) -> str:
        """For the table."""
        if len(self.setups) < 2:
            return f"{len(self.setups):3} of {self.calls:3}"
        p95 = statistics.quantiles(self.setups, n=20, method="inclusive")[-1]
        times = [1000 * each for each in (statistics.median(self.setups), p95, max(self.setups))]
        return f"{len(self.setups):3} of {self.calls:3}   {times[0]:6.0f} {times[1]:6.0f} {times[2]:6.0f}"


def _by_pbx(um: deployed.Server, seconds: float) -> Honest:
    body = caller.offer("127.0.0.1", 9, codecs="0 101")
    users = deployed.extensions(USERS)
    setups: list[float] = []
    calls = max(1, int(seconds))
    report = caller.Caller(
        (HOST, um.udp),
        calls=calls,
        rate=1.0,
        hold_s=0.3,
        body=lambda index: body,
        headers=lambda index: f"Diversion: <tel:{users[index % USERS]}>;reason=no-answer;counter=1\r\n".encode(),
        on_answer=lambda answer: setups.append(answer.setup_s),
        local=deployed.PBX,
        user=deployed.PILOT,
    ).run()
    return Honest(calls=calls, setups=setups[: report.ended])


async def _by_phones(
    folder: Path, voice: deployed.Server, seconds: float, ready: asyncio.Event, flooded: asyncio.Event
) -> Honest:
    setups: list[float] = []
    calls, loop = max(1, int(seconds)), asyncio.get_running_loop()
    async with phones(folder, {POOL: voice.tls}) as (alice, bob):
        await alice.register()
        await bob.register()
        alice.when = When.ANSWER
        ready.set()
        await flooded.wait()
        begun = loop.time()
        for number in range(calls):
            await asyncio.sleep(max(0.0, begun + number - loop.time()))
            try:
                async with asyncio.timeout(10):
                    called = loop.time()
                    call = await bob.call("4101")
                    setups.append(loop.time() - called)
                    answered = await alice.incoming.get()
                    await call.hang_up()
                    await answered.leg.ended
            except Exception as error:
                print(f"    an honest call failed: {error!r}", file=sys.stderr)
    return Honest(calls=calls, setups=setups)


def _cpu_s(server: deployed.Server) -> float:
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _counted(metrics: dict[str, float], name: str) -> float:
    return sum(value for each, value in metrics.items() if each.partition("{")[0] == name)


async def _measured(name: str, flood: Flood, folder: Path, server: deployed.Server, args: argparse.Namespace) -> bool:
    port = {"tls": server.tls, "tcp": server.tcp, "udp": server.udp}[flood.transport]
    command = [sys.executable, __file__, name, "--send", "--port", str(port), "--seconds", str(args.seconds)]
    command += ["--rate", str(args.rate), "--roots", str(roots(folder))]
    before, cpu = server.metrics(), _cpu_s(server)
    ready, flooded = asyncio.Event(), asyncio.Event()
    if flood.server == "voice":
        calling = asyncio.ensure_future(_by_phones(folder, server, args.seconds, ready, flooded))
        await ready.wait()  # the phones are there before the flood
    sender = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert sender.stdout is not None
    await sender.stdout.readline()  # it begins now
    flooded.set()
    if flood.server == "um":
        calling = asyncio.ensure_future(asyncio.to_thread(_by_pbx, server, args.seconds))
    begun = time.monotonic()
    honest = await calling
    said, _ = await sender.communicate()
    share = (_cpu_s(server) - cpu) / (time.monotonic() - begun)
    await asyncio.sleep(LEFT_AFTER_S)
    after = server.metrics()
    out = [
        _counted(after, each) - _counted(before, each)
        for each in ("tandem_sip_dropped_total", "tandem_sip_malformed_total")
    ]
    left = after['tandem_sip_transactions{side="server"}'], after["tandem_sip_connections"], server.memory_mib()
    print(
        f"{name:17}{json.loads(said) / args.seconds:12,.0f}   {honest.text():34}{out[0]:9,.0f}{out[1]:10,.0f}{share:7.0%}"
        f"{left[0]:7,.0f}{left[1]:6,.0f}{left[2]:6,.0f}",
        flush=True,
    )
    return len(honest.setups) == honest.calls


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("floods", nargs="*", metavar="FLOOD", help="all of them if none is named")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each of them lasts")
    parser.add_argument("--rate", type=float, default=2_000.0, help="datagrams a second, by UDP")
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--roots", help=argparse.SUPPRESS)
    parser.add_argument("--send", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if unknown := [name for name in args.floods if name not in FLOODS]:
        parser.error(f"no flood {', '.join(unknown)}; there are {', '.join(FLOODS)}")
    if args.list:
        for name, flood in FLOODS.items():
            print(f"{name:18}{flood.server:6} {flood.what}")
        return 0
    if args.send:
        print("begins", flush=True)
        print(json.dumps(FLOODS[args.floods[0]].send(args)))
        return 0
    failed = []
    print(f"{'flood':17}{'sent/s':>12}   {'honest calls':12}{'p50':>7}{'p95':>7}{'max ms':>7} {'dropped':>10}{'malformed':>10}"
          f"{'core':>7}{'trans':>7}{'conn':>6}{'MiB':>6}", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="tandem-flood-") as base:
        folder = Path(base) / "x"
        deployed.deploy(folder, USERS)
        um, voice = deployed.pair(folder)
        with deployed.pbx(), deployed.running(um, voice):
            for name in args.floods or FLOODS:
                server = um if FLOODS[name].server == "um" else voice
                if not asyncio.run(_measured(name, FLOODS[name], folder, server, args)):
                    failed.append(name)
    if failed:
        print(f"honest calls did not complete beside: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
