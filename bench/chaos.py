"""Faults, injected into a deployed organization while honest calls go on: is a message lost or doubled?

    python bench/chaos.py                       # make chaos: all of them, as root (it mounts small file systems)
    python bench/chaos.py full-disk clock       # some of them
    python bench/chaos.py --list

Each fault has servers of its own (bench/deployed.py). Honest calls come from the PBX (bench/media_generator.py) and speak. When
the fault is over and the server is left alone, every call that was answered has exactly one mail, which holds what was said
after the tone. What else is asked of a fault is in its own words below. `kill` and `flood` are programs of their own:
bench/chaos_kill.py and bench/flood.py.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import caller
import deployed

HERE = Path(__file__).parent
USERS = 12
GREETING_S = 13.0
"""Who speaks longer than this after the answer is certainly heard after the tone."""


@dataclass(kw_only=True)
class Scene:
    """The servers, and what honest callers saw."""

    folder: Path
    um: deployed.Server
    voice: deployed.Server
    spoke: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """What the servers write."""
        return self.folder / "state"

    def check(self, true: object, what: str) -> None:
        """Note what is not as it should be."""
        if not true:
            self.wrong.append(what)

    @contextlib.contextmanager
    def calls(self, count: int, *, rate: float, hold_s: float, answered: int | None = None) -> Iterator[None]:
        """Honest calls while the block runs; it ends when they have. ``answered`` is how many have to be, all if not given."""
        command = [sys.executable, str(HERE / "media_generator.py"), "--port", str(self.um.udp), "--calls", str(count)]
        command += ["--rate", str(rate), "--hold", str(hold_s), "--core", "1", "--local", deployed.PBX]
        command += ["--user", deployed.PILOT, "--diverted", ",".join(deployed.extensions(USERS))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            yield
        finally:
            said = json.loads(process.communicate()[0])
        report = caller.from_json(said["calls"])
        heard = {index: packets * 0.02 for index, packets in said["sent"].items() if packets}
        self.spoke |= {said["call_ids"][index]: seconds for index, seconds in heard.items()}
        least = count if answered is None else answered
        self.check(
            report.answered >= least, f"{report.answered} of {count} calls were answered, expected {least}: {report}"
        )

    def one_call(self) -> caller.Report:
        """A call that hangs up at once: what is it answered?"""
        body, line = (
            caller.offer("127.0.0.1", 9, codecs="0 101"),
            b"Diversion: <tel:300>;reason=no-answer;counter=1\r\n",
        )
        return caller.Caller(
            ("127.0.0.1", self.um.udp),
            calls=1,
            rate=1.0,
            hold_s=0.5,
            body=lambda index: body,
            headers=lambda index: line,
            local=deployed.PBX,
            user=deployed.PILOT,
        ).run()

    def judge(self) -> None:
        """Every answered call has one mail, as long as what was said."""
        self.check(
            deployed.settled(self.um), f"the spool is not empty after a minute; /readyz: {self.um.ready() or 'ready'}"
        )
        found = deployed.delivered(self.folder)
        for call, said in self.spoke.items():
            self.check(found.mails[call] == 1, f"{call} spoke {said:.1f} s and has {found.mails[call]} mails")
            if said > GREETING_S and found.mails[call]:
                heard = found.seconds[call]
                self.check(
                    heard >= said - GREETING_S, f"{call} spoke {said:.1f} s, of which {heard:.1f} s are in its mail"
                )


Fault = Callable[[Scene], None]


def _mounted(scene: Scene, size: str) -> contextlib.AbstractContextManager[Path]:
    @contextlib.contextmanager
    def mounted() -> Iterator[Path]:
        spool = scene.state / "spool"
        scene.um.stop()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(spool)], check=True)
        try:
            scene.um.start()
            yield spool
            scene.judge()
        finally:
            scene.um.stop()
            subprocess.run(["umount", "--lazy", str(spool)], check=True)
            scene.um.start()

    return mounted()


def full_disk(scene: Scene) -> None:
    """The spool's disk fills up while six callers speak: it all arrives once there is room; new calls get 503 meanwhile."""
    with _mounted(scene, "60m") as spool, scene.calls(6, rate=3, hold_s=25):
        time.sleep(12)
        with contextlib.suppress(OSError), (spool / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(1 << 16)):
                pass
        time.sleep(8)
        refused = scene.one_call().refused
        scene.check(refused[503] == 1, f"a call while the disk is full: {dict(refused) or 'answered'}, expected 503")
        scene.check(scene.um.ready(), "/readyz says nothing of the full disk")
        (spool / "filler").unlink()


def read_only_disk(scene: Scene) -> None:
    """The spool becomes read-only, as after an error of the disk: nothing said is lost, and it goes on by itself."""
    with _mounted(scene, "100m") as spool:
        with scene.calls(4, rate=4, hold_s=22):
            time.sleep(14)
            # Open files keep a file system from becoming read-only; a bind mount has a flag of its own.
            subprocess.run(["mount", "--bind", str(spool), str(spool)], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", str(spool)], check=True)
            time.sleep(4)
            refused = scene.one_call().refused
            scene.check(
                refused[503] == 1, f"a call while the disk is read-only: {dict(refused) or 'answered'}, expected 503"
            )
            subprocess.run(["umount", "--lazy", str(spool)], check=True)
        time.sleep(5)
        with scene.calls(2, rate=2, hold_s=14):
            pass


def mailboxes(scene: Scene) -> None:
    """A file, a dangling link and a link to itself in place of mailboxes: others get their mail, these after the repair."""
    mail = scene.state / "mail"
    broken = [mail / f"u{each}@example.com" for each in deployed.extensions(3)]
    for path in broken:
        path.rename(path.with_suffix(".kept"))
    broken[0].write_text("not a mailbox")
    broken[1].symlink_to(mail / "nowhere")
    broken[2].symlink_to(broken[2])
    with scene.calls(USERS, rate=4, hold_s=14):
        pass
    time.sleep(10)
    found = deployed.delivered(scene.folder)
    others = sum(found.mails[call] for call in scene.spoke)
    scene.check(
        others == USERS - 3, f"{others} of {USERS - 3} messages for whole mailboxes were delivered beside broken ones"
    )
    scene.check(scene.um.metrics()["tandem_messages_not_delivered_total"] > 0, "deliveries that failed are not counted")
    for path in broken:
        path.unlink()
        path.with_suffix(".kept").rename(path)


def silent_pool(scene: Scene) -> None:
    """The voice server stands still (SIGSTOP): UM answers on, and tells message waiting once the pool is back."""
    assert scene.voice.process is not None
    scene.voice.process.send_signal(signal.SIGSTOP)
    try:
        with scene.calls(USERS, rate=2, hold_s=14):
            pass
    finally:
        scene.voice.process.send_signal(signal.SIGCONT)


def stalled_worker(scene: Scene) -> None:
    """All media workers stand still for two seconds, twice, while callers are recorded: sound is late, but it is there."""
    with scene.calls(8, rate=8, hold_s=28):
        time.sleep(7)
        for _ in range(2):
            time.sleep(6)
            for pid in scene.um.workers():
                os.kill(pid, signal.SIGSTOP)
            time.sleep(2)
            for pid in scene.um.workers():
                os.kill(pid, signal.SIGCONT)


def clock(scene: Scene) -> None:
    """The clock on the wall jumps by an hour, a day back, ten years, 30 years back, while callers speak."""
    library = scene.folder.parent / "clock_shift.so"
    shift = scene.folder.parent / "clock_shift"
    shift.write_bytes(struct.pack("q", 0))
    source = HERE / "clock_shift.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    scene.um.stop()
    scene.um.environment = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(shift)}
    scene.um.start()
    day = 86_400
    for seconds in (3600, -day, 3650 * day, -30 * 365 * day):
        with scene.calls(4, rate=4, hold_s=16), shift.open("r+b") as file:
            time.sleep(9)
            file.write(struct.pack("q", seconds))
    shift.write_bytes(struct.pack("q", 0))


def directory(scene: Scene) -> None:
    """The directory is locked for five seconds, then replaced by a copy of itself (as a restore by rsync does)."""
    path = scene.state / "directory.db"
    with scene.calls(USERS, rate=1.5, hold_s=14):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            time.sleep(5)
            db.execute("ROLLBACK")
            copy = path.with_suffix(".copy")
            with contextlib.closing(sqlite3.connect(copy)) as target:
                db.backup(target)
        copy.chmod(0o600)
        copy.replace(path)
        for each in ("-wal", "-shm"):
            path.with_name(path.name + each).unlink(missing_ok=True)
    time.sleep(3)
    scene.check(not scene.um.ready(), f"after the directory was replaced: {scene.um.ready()}")


def certificates(scene: Scene) -> None:
    """The certificate is garbage, then a folder, then good again: calls go on, /readyz says it, it is taken again."""
    path = scene.state / "pki" / scene.um.name / "certificate.pem"
    good = path.read_bytes()
    with scene.calls(6, rate=1, hold_s=14):
        path.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        time.sleep(7)
        scene.check(scene.um.ready(), "/readyz does not tell of a certificate that is garbage")
        path.unlink()
        path.mkdir()
        time.sleep(7)
        scene.check(scene.um.ready(), "/readyz does not tell of a certificate that is a folder")
        path.rmdir()
        path.write_bytes(good)
    time.sleep(8)
    scene.check(not scene.um.ready(), f"with the good certificate again: {scene.um.ready()}")


FAULTS: dict[str, Fault] = {
    "full-disk": full_disk,
    "read-only-disk": read_only_disk,
    "mailboxes": mailboxes,
    "silent-pool": silent_pool,
    "stalled-worker": stalled_worker,
    "clock": clock,
    "directory": directory,
    "certificates": certificates,
}
PROGRAMS = {"kill": "chaos_kill.py", "flood": "flood.py"}


def inject(name: str, template: Path) -> list[str]:
    """Run one fault; what was wrong."""
    if name in PROGRAMS:
        done = subprocess.run([sys.executable, str(HERE / PROGRAMS[name])], check=False)
        return [f"{PROGRAMS[name]} ended with {done.returncode}"] if done.returncode else []
    folder = Path(tempfile.mkdtemp(prefix="tandem-chaos-"))
    shutil.copytree(template, folder / "x")
    um, voice = deployed.pair(folder / "x")
    scene = Scene(folder=folder / "x", um=um, voice=voice)
    try:
        with deployed.pbx(), deployed.running(um, voice):
            FAULTS[name](scene)
            scene.judge()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return scene.wrong


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="all of them if none is named")
    parser.add_argument("--list", action="store_true", help="what there is")
    args = parser.parse_args()
    if args.list:
        for name, fault in FAULTS.items():
            print(f"{name:16}{fault.__doc__}")
        return 0
    names = args.faults or [*FAULTS, *PROGRAMS]
    if unknown := [name for name in names if name not in FAULTS and name not in PROGRAMS]:
        parser.error(f"no fault {', '.join(unknown)}; there are {', '.join([*FAULTS, *PROGRAMS])}")
    if os.geteuid() and {"full-disk", "read-only-disk"} & set(names):
        parser.error("full-disk and read-only-disk mount small file systems: run this as root, or name other faults")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="tandem-chaos-") as base:
        deployed.deploy(Path(base) / "x", USERS)
        for name in names:
            begun = time.monotonic()
            print(f"{name:16}", end="", flush=True)
            wrong = inject(name, Path(base) / "x")
            failed += bool(wrong)
            print(f"{'FAILED' if wrong else 'held'} ({time.monotonic() - begun:.0f} s)", flush=True)
            for each in wrong:
                print(f"                {each}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
