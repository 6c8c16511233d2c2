"""SIGKILL of the UM server, or of its media workers, at random moments under calls: is a message lost, doubled, or too short?

    python bench/chaos_kill.py                          # a part of make chaos: 50 kills of the server and 50 of workers
    python bench/chaos_kill.py --kills 5 --calls 4 um   # a few, of the server alone

Each round, callers behind the PBX skip the greeting and speak; in between the victim dies. Afterwards the server (started again
where it died) is left alone until it has delivered all. Each call that was answered has then exactly one mail: a voice message
if it spoke for 3 s after the tone, of which at most 2 s are missing at its end, and none before. What a caller said is its
packets' numbers (bench/media_generator.py), so that a recording shows what is there. Give it a network of its own where the
PBX's address is taken: unshare -n sh -c 'ip link set lo up; python bench/chaos_kill.py'.
"""

import argparse
import email
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import deployed
from media_generator import FRAME_S, QUIET_S

from tandem.media.codec.g711 import decode

HERE = Path(__file__).parent
USERS = 12
SPOKE_S, SHORT_S = 3.0, 2.0
"""Who spoke this long after the tone has a voice message; so much of its end may be missing."""
TONE_S = 2.0
"""The tone is over so long after the answer, also on a busy machine."""


@dataclass(kw_only=True)
class Rounds:
    """What came of the kills so far."""

    kills: int = 0
    answered: int = 0
    spoke: int = 0
    messages: int = 0
    missing_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A mail: which packets of its caller are in its recording."""

    voice: bool
    first: int
    last: int
    whole: bool


def numbers_in(linear: bytes) -> list[int]:
    """The numbers of the packets in a recording."""
    samples = array("h", linear)
    codes = {decode(bytes((code,)), 0): code for code in range(101, 0, -1)}

    def code(at: int) -> int:
        return codes.get(samples[at : at + 1].tobytes(), 0)

    found = []
    for at in range(0, len(samples) - 159, 160):
        low, high = code(at + 40), code(at + 120)
        if low and high:
            found.append((high - 1) * 100 + low - 1)
    return found


def kept_in(path: Path) -> tuple[str, Kept]:
    """The Call-ID of a mail, and what is in it."""
    message = email.message_from_bytes(path.read_bytes())
    call = re.sub(r"\s", "", message["X-CallID"] or "")
    recording = next((part for part in message.walk() if part.get_content_type() == "audio/wav"), None)
    if recording is None:
        return call, Kept(voice=False, first=0, last=0, whole=True)
    wav = recording.get_payload(decode=True)
    assert isinstance(wav, bytes)
    numbers = numbers_in(wav[44:])
    gaps = [f"{a}-{b}" for a, b in pairwise(numbers) if b != a + 1]
    first, last = (numbers[0], numbers[-1]) if numbers else (0, 0)
    return call, Kept(voice=True, first=first, last=last, whole=not gaps)


def one_round(
    um: deployed.Server, strike: Callable[[], None], calls: int, hold_s: float, at_s: float
) -> dict[str, float]:
    """Calls, and a kill in between; how long each call went on speaking, by Call-ID, and what it was before the kill."""
    command = [sys.executable, str(HERE / "media_generator.py"), "--port", str(um.udp), "--calls", str(calls)]
    command += ["--rate", "20", "--hold", str(hold_s), "--core", "1", "--local", deployed.PBX, "--pound"]
    command += ["--user", deployed.PILOT, "--diverted", ",".join(deployed.extensions(USERS))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(at_s)
        died = time.monotonic()
        strike()
        said = json.loads(process.communicate()[0])
    spoke = {}
    for index, began in said["began"].items():
        spoke[said["call_ids"][index]] = min(died, began + hold_s - QUIET_S) - began
    return spoke


def judge(rounds: Rounds, spoke: dict[str, float], mails: dict[str, list[Kept]]) -> None:
    """Compare what callers said with what is in the mailboxes."""
    for call, said_s in spoke.items():
        if said_s <= 0:  # answered after the victim had died, or by nobody
            continue
        rounds.answered += 1
        got = mails.get(call, [])
        if len(got) != 1:
            rounds.wrong.append(f"{call} was answered, spoke {said_s:.1f} s, and has {len(got)} mails")
            continue
        (kept,) = got
        begins_s = kept.first * FRAME_S if kept.voice else TONE_S
        rounds.messages += kept.voice
        if said_s - begins_s < SPOKE_S:
            continue
        rounds.spoke += 1
        if not kept.voice:
            rounds.wrong.append(f"{call} spoke {said_s - begins_s:.1f} s after the tone and left a missed call")
            continue
        missing_s = said_s - (kept.last + 1) * FRAME_S
        rounds.missing_s.append(missing_s)
        if missing_s > SHORT_S or not kept.whole:
            rounds.wrong.append(
                f"{call}: {missing_s:.1f} s are missing at the end{'' if kept.whole else ', and some in between'}"
            )


def kill(victim: str, kills: int, calls: int, folder: Path, *, hold_s: float = 9.0) -> Rounds:
    """All rounds with one kind of victim: ``um``, ``workers`` (all of them) or ``worker`` (one)."""
    um, voice = deployed.pair(folder)
    um.options = ["--media-workers=2"]
    rounds = Rounds()
    spoke: dict[str, float] = {}
    with deployed.pbx(), deployed.running(um, voice):

        def strike() -> None:
            if victim == "um":
                um.kill()
                um.start()
                return
            workers = um.workers()
            for pid in workers if victim == "workers" else workers[:1]:
                os.kill(pid, signal.SIGKILL)

        for number in range(kills):
            at_s = random.uniform(1.5, hold_s)
            spoke |= one_round(um, strike, calls, hold_s, at_s)
            rounds.kills += 1
            print(f"\r{victim}: {number + 1} of {kills}", end="", file=sys.stderr, flush=True)
        if not deployed.settled(um):
            rounds.wrong.append(f"the spool is not empty after a minute; /readyz: {um.ready() or 'ready'}")
        left = [path.name for path in (folder / "state" / "spool").glob("*/*")]
        if left:
            rounds.wrong.append(f"files are left in the spool: {', '.join(left[:5])}")
    mails: dict[str, list[Kept]] = {}
    for path in (folder / "state" / "mail").glob("*/*/*"):
        if path.parent.name in ("new", "cur"):
            call, kept = kept_in(path)
            mails.setdefault(call, []).append(kept)
    judge(rounds, spoke, mails)
    return rounds


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "victims", nargs="*", metavar="VICTIM", help="um, workers, worker; um and workers if none is named"
    )
    parser.add_argument("--kills", type=int, default=50, help="of each victim (%(default)s)")
    parser.add_argument("--calls", type=int, default=10, help="under way at each kill (%(default)s)")
    args = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="tandem-kill-") as base:
        deployed.deploy(Path(base) / "x", USERS)
        for victim in args.victims or ("um", "workers"):
            shutil.copytree(Path(base) / "x", Path(base) / victim)
            rounds = kill(victim, args.kills, args.calls, Path(base) / victim)
            worst = max(rounds.missing_s, default=0.0)
            print(
                f"\r{victim}: {rounds.kills} kills, {rounds.answered} calls answered, {rounds.messages} voice messages; "
                f"{rounds.spoke} spoke {SPOKE_S:.0f} s or more, worst {worst:.2f} s missing; {len(rounds.wrong)} wrong"
            )
            for each in rounds.wrong:
                print(f"    {each}")
            failed = failed or bool(rounds.wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
