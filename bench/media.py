"""How many calls one core carries: each is set up by SIP, hears a prompt, is recorded in G.711, and hangs up.

    python bench/media.py                 # the aims, five runs of each; under nine minutes; wants two idle cores
    python bench/media.py --rtp 300 --srtp 0 --runs 1          # a small one
    python bench/media.py --rtp 0 --srtp 0 --bridge 200 --runs 3     # only what a bridge costs, beside an answered call
    python bench/media.py --profile       # and where the worker's time goes (perf, if it is there)

The server (bench/media_server.py: Tandem's call room, media engine and spool; parent process and worker together) has one
core, the load generator (bench/media_generator.py) the other. A run is *clean* if every call was answered and ended, no
packet was missing in either direction, 99.9 % of what the server sent came less than 20 ms late, as the generator saw it,
and every recording is complete on disk, packet by packet. A run in which the generator itself was late does not count. A
level holds if most of its runs are clean; if not, the next lower one of --rtp-steps or --srtp-steps is tried. The share of a C
ceiling is that of CPU: bench/media_reference.c does a worker's work at the same number of calls (without SIP), if gcc is there.

What a bridge costs is a ratio: of the CPU that the worker takes for as many calls, bridged two by two, and answered as above.
Both are counted in pairs of runs, one after the other, so that it holds on a machine that is busy with other things, too.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import caller
import media_generator as generator

from tandem.media.codec import g711

HERE = Path(__file__).parent
STEADY_S, MARGIN_S = 6.0, 1.0
LATE_MS = 20.0
PAGE = os.sysconf("SC_PAGE_SIZE")
CODES = {int.from_bytes(g711.decode(bytes((code,)), 0), "little", signed=True): code for code in range(1, 101)}
LOST_AT_START = 10
"""Packets that may come between the answer and the beginning of the recording (200 ms)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """Seconds of one process; seconds in which it could have run and did not get its core; clock ticks."""

    all: float
    waited: float
    ticks: int
    kernel_ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run. CPU is in shares of the core."""

    problems: tuple[str, ...]
    counts: bool
    late_p50_ms: float
    late_p999_ms: float
    late_max_ms: float
    worker: float
    waited: float
    kernel: float
    packet_us: float
    parent: float
    kib_per_call: float
    setup_p99_ms: float
    generator_cpu: float
    generator_late_ms: float

    @property
    def clean(self) -> bool:
        """Whether nothing was wrong."""
        return self.counts and not self.problems


def cpu_of(pid: int) -> Cpu:
    """What a process has used: by the scheduler's clock, and what part of it the kernel took, by the ticks."""
    threads = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    user, kernel = (int(n) for n in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
    return Cpu(
        all=sum(int(t[0]) for t in threads) / 1e9,
        waited=sum(int(t[1]) for t in threads) / 1e9,
        ticks=user + kernel,
        kernel_ticks=kernel,
    )


def memory_of(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def program(name: str, *arguments: object) -> list[str]:
    """A Python program beside this one."""
    return [sys.executable, str(HERE / name), *map(str, arguments)]


def run(options: argparse.Namespace, calls: int, secure: bool, *, bridged: bool = False) -> Outcome:
    """One run of so many calls at once."""
    folder = Path(tempfile.mkdtemp(prefix="bench-media-", dir=options.folder))
    hold_s = calls / options.rate + STEADY_S
    flags = ["--srtp"] if secure else []
    bridge = ["--bridge"] if bridged else []
    server = subprocess.Popen(
        program("media_server.py", folder, "--core", options.server_core, *flags, *bridge),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        ready = json.loads(server.stdout.readline())
        pids = ready["worker"], ready["parent"]
        empty, started = sum(map(memory_of, pids)), cpu_of(ready["worker"]).all
        arguments = ("--port", ready["port"], "--calls", calls, "--rate", options.rate, "--hold", hold_s)
        load = subprocess.Popen(
            program("media_generator.py", *arguments, "--core", options.load_core, *flags),
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(calls / options.rate + MARGIN_S)
        before = [cpu_of(pid) for pid in pids]
        full = sum(map(memory_of, pids))
        with profiled(options, ready["worker"], STEADY_S - 2 * MARGIN_S):
            time.sleep(STEADY_S - 2 * MARGIN_S)
        after = [cpu_of(pid) for pid in pids]
        seen = json.loads(load.communicate()[0])
        whole = cpu_of(ready["worker"]).all - started
        told = json.loads(server.communicate("")[0])
        shares = [(b.all - a.all) / (STEADY_S - 2 * MARGIN_S) for a, b in zip(before, after, strict=True)]
        return judged(
            calls,
            seen,
            told,
            [] if bridged else missing_sound(folder, seen["sent"]),
            bridged=bridged,
            worker=shares[0],
            waited=(after[0].waited - before[0].waited) / (STEADY_S - 2 * MARGIN_S),
            packet_us=1e6 * whole / (sum(seen["sent"].values()) + seen["received"]),
            parent=shares[1],
            kernel=(after[0].kernel_ticks - before[0].kernel_ticks) / max(after[0].ticks - before[0].ticks, 1),
            kib_per_call=(full - empty) / calls / 1024,
        )
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def judged(
    calls: int, seen: dict[str, object], told: dict[str, object], sound: list[str], *, bridged: bool, **measured: float
) -> Outcome:
    """What was wrong with a run."""
    report, problems = caller.from_json(seen["calls"]), []
    if not calls == report.answered == report.ended == told["kept"]:
        problems.append(f"of {calls} calls {report.answered} answered, {report.ended} ended, {told['kept']} kept")
    sent = sum(seen["sent"].values())
    received = told["media"]["tandem_media_packets_total/received"]
    if sent != received or told["media"]["tandem_media_packets_total/lost"]:
        problems.append(f"of {sent} packets the server heard {received:.0f}")
    if seen["missing"] or seen["unheard"]:
        problems.append(f"{seen['missing']} packets from the server are missing, {seen['unheard']} calls heard nothing")
    if seen["late_p999_ms"] >= LATE_MS and not bridged:  # there it is the generator's own, and the change to the bridge
        problems.append(f"0.1 % of packets came {seen['late_p999_ms']:.1f} ms late or more")
    if sound:
        problems.append(f"{len(sound)} recordings are not complete, such as {sound[0]}")
    return Outcome(
        problems=tuple(problems),
        counts=seen["own_late_p999_ms"] <= 1000 * generator.LATE_S,
        late_p50_ms=seen["late_p50_ms"],
        late_p999_ms=seen["late_p999_ms"],
        late_max_ms=seen["late_max_ms"],
        setup_p99_ms=1000 * report.setup_p99_s,
        generator_cpu=seen["cpu"],
        generator_late_ms=seen["own_late_p999_ms"],
        **measured,
    )


def missing_sound(folder: Path, sent: dict[str, int]) -> list[str]:
    """What is wrong with the recordings: each has to hold every packet that was sent, in order."""
    wrong = []
    for index, count in sent.items():
        path = folder / f"voice-{index}.pcm"
        if not path.exists():
            wrong.append(f"{index}: there is none")
            continue
        samples = array("h", path.read_bytes())
        numbers = [
            CODES.get(a, 0) - 1 + 100 * (CODES.get(b, 0) - 1)
            for a, b in zip(samples[::160], samples[80::160], strict=True)
        ]
        if not numbers or numbers[0] > LOST_AT_START or numbers != list(range(numbers[0], count)):
            wrong.append(f"{index}: {len(numbers)} of {count} packets, from number {numbers[0] if numbers else '-'}")
    return wrong


@contextlib.contextmanager
def profiled(options: argparse.Namespace, pid: int, seconds: float) -> Iterator[None]:
    """Where the worker's time goes, if that is wanted."""
    if not options.profile or not shutil.which("perf"):
        yield
        return
    with tempfile.NamedTemporaryFile() as data:
        record = subprocess.Popen(
            ["perf", "record", "-q", "-o", data.name, "-p", str(pid), "--", "sleep", str(seconds)],
            stderr=subprocess.DEVNULL,
        )
        yield
        record.wait()
        command = ["perf", "report", "-i", data.name, "--stdio", "--percent-limit", "0.5", "--sort"]
        for by in ("dso", "symbol"):
            lines = subprocess.run([*command, by], capture_output=True, text=True, check=False).stdout.splitlines()
            print("\n".join(f"    {line}" for line in lines if line.strip() and not line.startswith("#")))


def reference(options: argparse.Namespace, calls: int) -> float | None:
    """The share of its core that the C program takes for so many calls; ``None`` without gcc."""
    if not shutil.which("gcc"):
        return None
    with tempfile.TemporaryDirectory(prefix="bench-media-", dir=options.folder) as name:
        binary = Path(name) / "media_reference"
        subprocess.run(["gcc", "-O2", "-o", binary, HERE / "media_reference.c"], check=True)
        command = ["taskset", "-c", str(options.server_core), binary, str(calls), str(STEADY_S + 4), name]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        ports = server.stdout.readline().strip()
        arguments = ("--ports", ports, "--hold", STEADY_S + 1, "--core", options.load_core)
        load = subprocess.Popen(program("media_generator.py", *arguments), stdout=subprocess.PIPE, text=True)
        time.sleep(2)
        before = cpu_of(server.pid)
        time.sleep(STEADY_S - 3)
        after = cpu_of(server.pid)
        load.communicate()
        server.communicate()
    return (after.all - before.all) / (STEADY_S - 3)


def level(options: argparse.Namespace, calls: int, secure: bool) -> list[Outcome]:
    """All runs of one number of calls; ends early if most of them cannot be clean any more."""
    outcomes: list[Outcome] = []
    while len(outcomes) < options.runs:
        outcomes.append(one := run(options, calls, secure))
        state = "clean" if one.clean else "; ".join(one.problems) if one.counts else "does not count"
        print(
            f"  {calls:5} calls: late p50 {one.late_p50_ms:4.1f} p99.9 {one.late_p999_ms:5.1f} max {one.late_max_ms:5.1f} ms;"
            f" CPU worker {one.worker:4.0%} ({one.packet_us:.1f} us a packet, {one.kernel:.0%} in the kernel), waited for it"
            f" {one.waited:3.0%}, parent {one.parent:3.0%};"
            f" {one.kib_per_call:4.1f} KiB/call; set-up p99 {one.setup_p99_ms:4.0f} ms;"
            f" generator {one.generator_cpu:3.0%}, late {one.generator_late_ms:3.1f} ms: {state}",
            flush=True,
        )
        if 2 * sum(not o.clean for o in outcomes) > options.runs:
            break
    return outcomes


def measure(options: argparse.Namespace, name: str, steps: list[int], secure: bool) -> None:
    """Go down the steps until one holds."""
    for calls in steps:
        print(f"{name}, {calls} calls at once, {options.rate:g} new ones a second, {options.runs} runs")
        outcomes = level(options, calls, secure)
        if 2 * sum(o.clean for o in outcomes) > options.runs:
            break
    else:
        print(f"{name}: no step holds")
        return
    good = [o for o in outcomes if o.clean]
    cpu = statistics.median(o.worker for o in good)
    print(
        f"{name}: {calls} calls hold ({len(good)} of {len(outcomes)} runs clean); medians: late p99.9"
        f" {statistics.median(o.late_p999_ms for o in good):.1f} ms, worker {cpu:.0%} of its core,"
        f" {statistics.median(o.kib_per_call for o in good):.1f} KiB for a call",
        flush=True,
    )
    if not secure and (c := reference(options, calls)) is not None:
        print(f"{name}: C takes {c:.0%} of the core for {calls} calls; the worker is at {c / cpu:.0%} of that ceiling")


def bridges(options: argparse.Namespace, name: str, calls: int, secure: bool) -> None:
    """What bridged calls cost beside answered ones."""
    ratios = []
    for _ in range(options.runs):
        answered, bridged = (run(options, calls, secure, bridged=each) for each in (False, True))
        ratios.append(bridged.worker / answered.worker)
        print(
            f"  {calls:5} calls: worker {answered.worker:4.0%} of its core answered, {bridged.worker:4.0%} bridged two by two:"
            f" {ratios[-1]:.2f}; {'; '.join(bridged.problems) or 'no problem'}",
            flush=True,
        )
    ratio = statistics.median(ratios)
    print(
        f"{name}: a bridged call costs {ratio:.2f} of an answered one; a core carries {1 / ratio:.2f} as many",
        flush=True,
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtp", type=int, default=1300, help="calls at once with RTP; 0: leave out (1300)")
    parser.add_argument("--srtp", type=int, default=400, help="calls at once with SRTP; 0: leave out (400)")
    parser.add_argument("--rtp-steps", default="1000,700,400", help="what is tried if that does not hold (%(default)s)")
    parser.add_argument("--srtp-steps", default="300,250,150", help="the same (%(default)s)")
    parser.add_argument("--bridge", type=int, default=100, help="calls that are bridged; 0: leave out (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of each number of calls (%(default)s)")
    parser.add_argument(
        "--rate", type=float, default=100, help="new calls a second while they are set up (%(default)s)"
    )
    parser.add_argument("--server-core", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--load-core", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--folder", type=Path, help="where recordings go while it runs; a disk's, not a RAM disk's")
    parser.add_argument("--profile", action="store_true", help="print where the worker's time goes, by perf")
    options = parser.parse_args()
    begun = time.monotonic()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} (other programs make these figures worse)")
    for name, calls, more in (("RTP", options.rtp, options.rtp_steps), ("SRTP", options.srtp, options.srtp_steps)):
        if calls:
            lower = [step for step in map(int, filter(None, more.split(","))) if 0 < step < calls]
            measure(options, name, [calls, *lower], name == "SRTP")
    for name, secure in (("RTP", False), ("SRTP", True)):
        if options.bridge:
            print(f"{name}, {options.bridge} calls, bridged and answered, {options.runs} pairs of runs")
            bridges(options, name, options.bridge, secure)
    print(f"took {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
