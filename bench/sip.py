#!/usr/bin/env python3
"""How many calls one core sets up and ends: INVITE, 100, 180, 200, ACK, BYE, 200 over UDP on loopback.

The server (bench/uas.py, Tandem's endpoint and call room on uvloop, a real media session for each call, nothing played) runs
on core 0, the caller (bench/caller.py) on core 1. Each rate is measured five times; printed is the median of the runs that
count, which are those in which the caller kept its pace. Then the same is asked of a server in C (bench/uas.c, where there
is a compiler) that keeps no state: its share of a core for the same calls is what the sockets alone cost. Last: memory of an
idle call, and where the time goes (by cProfile, which makes everything slower and small functions most).

    python bench/sip.py [--rates 300 500] [--seconds 10] [--runs 5] [--realtime]
"""

import argparse
import os
import pstats
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caller import Report, from_json

HERE = Path(__file__).parent
SERVER_CORE, CALLER_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
HOLD_S = 1.0
IDLE_CALLS = 2_000


class Server:
    """A server process that told its port."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    @property
    def cpu_s(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def resident(self) -> int:
        """Bytes of memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE


@contextmanager
def serving(command: list[str]) -> Iterator[Server]:
    """A server while it is needed; it ends when its standard input does."""
    process = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Server(process)
    finally:
        process.communicate()


def place(server: Server, *, calls: int, rate: float, hold_s: float) -> Report:
    """Have the caller place calls, in a process of its own."""
    arguments = ["127.0.0.1", str(server.port), "--calls", str(calls), "--rate", str(rate), "--hold", str(hold_s)]
    command = [sys.executable, str(HERE / "caller.py"), *arguments, "--core", str(CALLER_CORE)]
    return from_json(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(name: str, command: list[str], rate: float, seconds: float, runs: int) -> None:
    """Measure one server at one rate, and print the line."""
    rows: list[tuple[Report, float]] = []
    late = 0
    for _ in range(runs):
        with serving(command) as server:
            place(server, calls=50, rate=50, hold_s=0.1)
            before = server.cpu_s
            report = place(server, calls=int(rate * seconds), rate=rate, hold_s=HOLD_S)
            cpu = server.cpu_s - before
        late += not report.counts
        if report.counts:
            rows.append((report, cpu / report.calls))
    if not rows:
        print(f"{name:10} {rate:6.0f}  no run counts: the caller was late in all {runs}")
        return
    median = {
        "p50": statistics.median(r.setup_p50_s for r, _ in rows) * 1000,
        "p99": statistics.median(r.setup_p99_s for r, _ in rows) * 1000,
        "cost": statistics.median(cost for _, cost in rows) * 1000,
        "again": statistics.median(r.sent_again for r, _ in rows),
        "caller": statistics.median(r.cpu_share for r, _ in rows) * 100,
        "late": statistics.median(r.late_p99_s for r, _ in rows) * 1000,
    }
    done = sum(r.ended for r, _ in rows) / sum(r.calls for r, _ in rows)
    print(
        f"{name:10} {rate:6.0f} {done:8.2%} {median['p50']:8.1f} {median['p99']:8.1f} {median['cost']:8.3f} "
        f"{median['cost'] * rate / 10:7.0f} {median['again']:7.0f} {median['caller']:8.0f} {median['late']:8.1f} "
        f"{len(rows):3}/{runs}",
        flush=True,
    )


def idle_memory(command: list[str]) -> None:
    """What a call holds that only stands: right after its answer, and once its INVITE's transaction is over (32 s)."""
    with serving(command) as server:
        place(server, calls=200, rate=100, hold_s=0.1)
        before = server.resident
        arguments = ["127.0.0.1", str(server.port), "--calls", str(IDLE_CALLS), "--rate", "200", "--hold", "60"]
        caller = subprocess.Popen(
            [sys.executable, str(HERE / "caller.py"), *arguments, "--core", str(CALLER_CORE)], stdout=subprocess.DEVNULL
        )
        time.sleep(IDLE_CALLS / 200 + 3)
        early = (server.resident - before) / IDLE_CALLS / 1024
        time.sleep(36)
        late = (server.resident - before) / IDLE_CALLS / 1024
        caller.terminate()
        caller.wait()
    print(f"memory of an idle call: {early:.1f} KiB at first, {late:.1f} KiB after 36 s ({IDLE_CALLS} calls)")


def profile(command: list[str]) -> None:
    """Where the time of a call goes, by room."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "profile"
        with serving([*command, "--profile", str(file)]) as server:
            place(server, calls=1000, rate=100, hold_s=0.5)
        stats = pstats.Stats(str(file)).stats  # type: ignore[attr-defined]
    rooms: Counter[str] = Counter()
    for (path, _, name), (_, _, own, _, _) in stats.items():
        if name != "run" or "asyncio/runners" not in path:  # waiting counts there
            rooms[_room(path)] += own
    total = sum(rooms.values())
    print("where the time goes: " + ", ".join(f"{room} {own / total:.0%}" for room, own in rooms.most_common(9)))


def _room(path: str) -> str:
    _, found, inner = path.partition("/tandem/")
    if found:
        parts = inner.removesuffix(".py").split("/")
        return "/".join(parts[:2])
    return "built in" if path == "~" else "standard library"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rates", type=float, nargs="+", default=[300, 500])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--realtime", action="store_true", help="SCHED_FIFO for server and caller, where others use the machine"
    )
    parser.add_argument("--only", choices=("rates", "memory", "profile"))
    args = parser.parse_args()
    if args.realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    command = [sys.executable, str(HERE / "uas.py")]
    if args.only in (None, "rates"):
        print("server     calls/s    ended   p50 ms   p99 ms  CPU ms/call  core %  again  caller % late p99 ms  runs")
        for rate in args.rates:
            measure("tandem", command, rate, args.seconds, args.runs)
        with tempfile.TemporaryDirectory() as folder:
            binary = Path(folder) / "uas"
            if (compiler := shutil.which("cc") or shutil.which("gcc")) is None:
                print("no C compiler: no ceiling")
            else:
                subprocess.run([compiler, "-O2", "-o", str(binary), str(HERE / "uas.c")], check=True)
                for rate in args.rates:
                    measure("C, no state", [str(binary)], rate, args.seconds, args.runs)
    if args.only in (None, "memory"):
        idle_memory(command)
    if args.only in (None, "profile"):
        profile(command)


if __name__ == "__main__":
    main()
