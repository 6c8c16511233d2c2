"""Half an hour of calls of all kinds at 60 % of what a core carries: is anything lost, doubled, or not given back?

    python bench/soak.py                  # make soak: 30 minutes, 240 calls at once; wants two cores
    python bench/soak.py --minutes 3 --at-once 60

The UM and voice servers of a deployed example (bench/deployed.py) share one core; the callers have the other. Most calls
come from the PBX and speak for half a minute (bench/media_generator.py). Beside them, each second: a caller who hangs up during
the greeting, or an extension that nobody has; users who read their mail; and two phones that register, subscribe to message
waiting, call each other and are diverted to UM with SRTP. At the end every answered call has exactly one mail, and after a
minute of quiet memory, file descriptors and transactions are where they were after the first round.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import caller
import deployed

from tandem.admin.trial.demo import CALLED, CALLER, EXTENSION, POOL, phones
from tandem.core.errors import TandemError
from tandem.speech.samples.recorded import bob_message

HERE = Path(__file__).parent
USERS, HOLD_S = 40, 30.0
ROUND_S = 150.0
GREETING_S = 13.0
"""Who speaks longer than this after the answer is certainly heard after the tone."""
SPILL_MIB, SPILL_FDS = 24.0, 8
"""What memory (caches of the interpreter and of SQLite) and descriptors may differ by, before and after."""


def one_round(um: deployed.Server, calls: int, rate: float, core: int) -> dict[str, object]:
    """Calls that speak; what the generator says of them."""
    command = [sys.executable, str(HERE / "media_generator.py"), "--port", str(um.udp), "--calls", str(calls)]
    command += ["--rate", str(rate), "--hold", str(HOLD_S), "--core", str(core), "--local", deployed.PBX]
    command += ["--user", deployed.PILOT, "--diverted", ",".join(deployed.extensions(USERS))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


class Others:
    """The other kinds of calls; :attr:`wrong` is what was not as it should be."""

    def __init__(self, folder: Path, um: deployed.Server, voice: deployed.Server) -> None:
        self.folder, self.um, self.voice = folder, um, voice
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.answered: list[str] = []
        self.over = False

    def short(self, *, hold_s: float, user: str, expect: str) -> None:
        """A few calls behind the PBX, without sound."""
        port = b"Diversion: <tel:%s>;reason=no-answer;counter=1\r\n" % user.encode()
        body = caller.offer("127.0.0.1", 9, codecs="0 101")
        calls = caller.Caller(
            ("127.0.0.1", self.um.udp),
            calls=5,
            rate=1.0,
            hold_s=hold_s,
            body=lambda index: body,
            local=deployed.PBX,
            user=deployed.PILOT,
            headers=lambda index: port,
            on_answer=lambda answered: self.answered.append(calls.call_id(answered.index)),
        )
        report = calls.run()
        self.done[expect] += 5
        seen = "answered" if report.answered == report.ended == 5 else " ".join(map(str, report.refused))
        if seen != expect:
            self.wrong.append(f"{expect} expected: {report}")

    def read_mail(self) -> None:
        """Users read what they have: message waiting goes off."""
        for new in list((self.folder / "state" / "mail").glob("u30*/new/*"))[:20]:
            with contextlib.suppress(FileNotFoundError):
                new.rename(new.parent.parent / "cur" / f"{new.name}:2,S")
                self.done["read"] += 1

    def in_turn(self) -> None:
        """All but the phones, until it is over."""
        while not self.over:
            self.short(hold_s=1.0, user=deployed.extensions(USERS)[0], expect="answered")
            self.short(hold_s=1.0, user="999", expect="404")
            self.read_mail()

    async def two_phones(self) -> None:
        """Bob calls Alice, who does not answer; he speaks to her mailbox."""
        ports = {POOL: self.voice.tls, self.um.name: self.um.tls}
        while not self.over:
            try:
                async with asyncio.timeout(90), phones(self.folder, ports) as (alice, bob):
                    await alice.register()
                    await alice.subscribe_mwi()
                    await bob.register()
                    call = await bob.call(EXTENSION)
                    await call.wait_for_tone()
                    await call.speak(bob_message())
                    await asyncio.sleep(0.5)
                    await call.hang_up()
                    self.done[f"{CALLER} to {CALLED}"] += 1
            except (TandemError, TimeoutError) as error:
                self.wrong.append(f"the phones: {error!r}")
                await asyncio.sleep(1)


def state(*servers: deployed.Server) -> dict[str, float]:
    """What a server must give back."""
    found = {}
    for server in servers:
        metrics = server.metrics()
        found[f"{server.kind} memory MiB"] = server.memory_mib()
        found[f"{server.kind} descriptors"] = server.descriptors()
        for side in ("client", "server"):
            found[f"{server.kind} {side} transactions"] = metrics[f'tandem_sip_transactions{{side="{side}"}}']
    return found


def show(minute: float, now: dict[str, float]) -> None:
    """One line."""
    print(f"{minute:6.1f} min  " + "  ".join(f"{name} {value:.0f}" for name, value in now.items()), flush=True)


async def soak(folder: Path, um: deployed.Server, voice: deployed.Server, args: argparse.Namespace) -> list[str]:
    """Run it; what was wrong."""
    others = Others(folder, um, voice)
    rate = args.at_once / HOLD_S
    begun = time.monotonic()
    tasks = [asyncio.create_task(others.two_phones()), asyncio.create_task(asyncio.to_thread(others.in_turn))]
    spoke: dict[str, float] = {}
    wrong: list[str] = []
    first: dict[str, float] | None = None
    while time.monotonic() - begun < 60 * args.minutes:
        left = 60 * args.minutes - (time.monotonic() - begun)
        calls = max(1, round(rate * min(ROUND_S, max(left - HOLD_S, 10))))
        said = await asyncio.to_thread(one_round, um, calls, rate, args.core)
        report = caller.from_json(str(said["calls"]))
        if report.answered != calls or report.ended != calls:
            wrong.append(
                f"of {calls} calls {report.answered} were answered and {report.ended} ended: {dict(report.refused)}"
            )
        ids, sent = said["call_ids"], said["sent"]
        heard = {index: packets * 0.02 for index, packets in sent.items() if packets}  # type: ignore[attr-defined]
        spoke |= {ids[index]: seconds for index, seconds in heard.items()}  # type: ignore[index]
        now = state(um, voice)
        first = first or now
        show((time.monotonic() - begun) / 60, now)
    others.over = True
    await asyncio.gather(*tasks)
    if not await asyncio.to_thread(deployed.settled, um, timeout_s=120.0):
        wrong.append(f"the spool is not empty after two minutes: {um.metrics()['tandem_spool_pending']:.0f} wait")
    await asyncio.sleep(60)
    last = state(um, voice)
    show((time.monotonic() - begun) / 60, last)
    return wrong + others.wrong + judge(folder, spoke, others) + compare(first or last, last)


def judge(folder: Path, spoke: dict[str, float], others: Others) -> list[str]:
    """Whether each answered call has one mail, and a recording of what it said."""
    found = deployed.delivered(folder)
    expected = set(spoke) | set(others.answered)
    lost = [call for call in expected if not found.mails[call]]
    doubled = [call for call, mails in found.mails.items() if mails > 1]
    least = {call: said - GREETING_S for call, said in spoke.items() if said > GREETING_S}
    kept = {call: found.seconds.get(call, 0.0) for call in least if found.mails[call]}
    short = [f"{call} ({kept[call]:.0f} s, expected {least[call]:.0f} s)" for call in kept if kept[call] < least[call]]
    print(
        f"{len(expected)} answered calls of the PBX: {len(lost)} lost, {len(doubled)} doubled, {len(short)} too short"
    )
    print("  ".join(f"{what}: {count}" for what, count in others.done.items()))
    return [f"{what}: {calls[:5]}" for what, calls in (("lost", lost), ("doubled", doubled), ("short", short)) if calls]


def compare(first: dict[str, float], last: dict[str, float]) -> list[str]:
    """What did not come back. ``first`` was under load: after it only memory and descriptors can be compared."""
    wrong = []
    for name, now in last.items():
        most = first[name] + (SPILL_MIB if "memory" in name else SPILL_FDS) if "transactions" not in name else 4
        if now > most:
            wrong.append(f"{name}: {now:.0f} at the end, {first[name]:.0f} after the first round, {most:.0f} at most")
    return wrong


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--at-once", type=int, default=240, help="calls that speak at the same time (60 %% of 400)")
    parser.add_argument("--core", type=int, default=1, help="of the callers; the servers have the other one, 0")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the deployment")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tandem-soak-"))
    print(f"deploying in {folder}", flush=True)
    deployed.deploy(folder / "x", USERS)
    um, voice = deployed.pair(folder / "x", core=0)
    os.sched_setaffinity(0, {args.core})
    try:
        with deployed.pbx(), deployed.running(um, voice):
            wrong = asyncio.run(soak(folder / "x", um, voice, args))
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(["FAILED", *wrong]) if wrong else "Nothing lost, nothing doubled, everything given back.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
