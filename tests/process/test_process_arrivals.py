"""What live checks leave in mailboxes is found by its call, and nothing else is touched."""

import asyncio
from pathlib import Path

from tandem.mail.maildir.store import MaildirStore
from tandem.process.verify.arrivals import Cleaner
from tandem.service.threads import ThreadPool

ADDRESS = "alice@example.com"


def mail(kind: str, call_id: str) -> bytes:
    return f"From: verify <x@example.com>\r\nContent-Class: {kind}\r\nX-CallID: {call_id}\r\n\r\nHello\r\n".encode()


async def test_only_what_came_of_the_checks_own_calls_is_deleted_also_what_comes_late(tmp_path: Path) -> None:
    disk = ThreadPool("test-disk", 2)
    store = MaildirStore(tmp_path, disk, watch_s=0.02)
    box = store.mailbox(ADDRESS)
    await box.append("theirs", mail("missedcall", "somebody-else"))
    await box.append("ours", mail("voice-ca", "call-1"))
    cleaner = Cleaner(mail=store)
    cleaner.expect(ADDRESS, "call-1")
    cleaner.expect(ADDRESS, "call-2")
    removing = asyncio.create_task(cleaner.remove(20))
    await box.append("late", mail("missedcall", "call-2"))
    removed = await removing
    assert (removed.count, removed.wrong) == (2, "")
    assert [info.key for info in await box.list()] == [await box.append("theirs", b"")]
    disk.close()


async def test_a_message_that_does_not_come_is_told(tmp_path: Path) -> None:
    disk = ThreadPool("test-disk", 2)
    cleaner = Cleaner(mail=MaildirStore(tmp_path, disk, watch_s=0.02))
    cleaner.expect(ADDRESS, "call-3")
    removed = await cleaner.remove(0.01)
    assert removed.count == 0 and "no message of call call-3 has come yet" in removed.wrong
    disk.close()
