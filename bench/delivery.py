"""How fast messages come from the spool into mailboxes, on a disk whose syncs take their time.

    python bench/delivery.py                        # 400 missed calls, and as many voice messages of 10 s, into 100 mailboxes
    python bench/delivery.py --sync-ms 30           # as on a hard disk, or a network file system

It leaves the messages in a spool, and then measures Tandem's own delivery into Maildirs. The disk is that of TMPDIR.
"""

import argparse
import asyncio
import itertools
import os
import tempfile
import time
from pathlib import Path

from tandem.core.clock import SystemClock
from tandem.mail.envelope import Envelope
from tandem.mail.maildir.store import MaildirStore
from tandem.mail.spool import Spool
from tandem.mail.submission import MailboxSubmission
from tandem.service.threads import Threads
from tandem.um.delivery import Delivery

AT = "2026-01-05T09:00:00+00:00"
SECONDS = 10
_fsync = os.fsync


def slow_syncs(seconds: float) -> None:
    """Each sync takes this much longer from now on."""

    def fsync(descriptor: int) -> None:
        time.sleep(seconds)
        _fsync(descriptor)

    os.fsync = fsync


async def measure(folder: Path, count: int, mailboxes: int, *, voice: bool, sync_s: float) -> float:
    """Messages a second."""
    spool = Spool(folder / "spool")
    spool.hold()
    for number in range(count):
        envelope = Envelope(
            message_id=f"voice-{number}",
            mailbox=f"u{number % mailboxes}@example.com",
            recipient_name="",
            call_id="",
            begun_at=AT,
        )
        draft = spool.begin(envelope)
        if voice:
            draft.part.write_bytes(bytes(range(256)) * (16_000 * SECONDS // 256))
        draft.close(samples=8000 * SECONDS if voice else 0, ended_at=AT)
    threads = Threads("bench")
    store = MaildirStore(folder / "mail", threads.mail)
    delivered, over = itertools.count(1), asyncio.Event()
    delivery = Delivery(
        spool,
        clock=SystemClock(),
        disk=threads.disk,
        submission=MailboxSubmission(store),
        delivered=lambda address: over.set() if next(delivered) == count else None,
    )
    slow_syncs(sync_s)
    begun = time.monotonic()
    running = asyncio.ensure_future(delivery.run())
    await over.wait()
    rate = count / (time.monotonic() - begun)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    slow_syncs(0)
    spool.stop()
    threads.close()
    return rate


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--mailboxes", type=int, default=100)
    parser.add_argument("--sync-ms", type=float, default=0.0, help="how much longer each sync takes")
    args = parser.parse_args()
    for voice in (False, True):
        with tempfile.TemporaryDirectory(prefix="tandem-delivery-") as folder:
            rate = asyncio.run(
                measure(Path(folder), args.messages, args.mailboxes, voice=voice, sync_s=args.sync_ms / 1000)
            )
        what = f"voice messages of {SECONDS} s" if voice else "missed calls"
        print(f"{args.messages} {what} into {args.mailboxes} mailboxes: {rate:.0f} a second")


if __name__ == "__main__":
    main()
