"""The contract of the mail port (tandem.mail.port), over every adapter."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mail.adapters import ADDRESS, Adapter, MaildirAdapter, MemoryAdapter
from tandem.mail.errors import MailError, NoSuchMessage
from tandem.mail.port import Mailbox, MessageFlag, MessageKind, VoiceCounts
from tandem.mail.submission import MailboxSubmission
from tandem.service.threads import ThreadPool

VOICE = b"Content-Class: voice-ca\r\n"
DATA = (
    b"From: =?utf-8?q?B=C3=B6b?= <Bob@Example.com>\r\nContent-Class: voice-ca\r\nX-CallingTelephoneNumber: +14255554102\r\n"
    b"X-VoiceMessageDuration: 65\r\nImportance: High\r\n\r\nhello\r\n"
)


@pytest.fixture(params=["maildir", "memory"])
def adapter(request: pytest.FixtureRequest, tmp_path: Path, disk: ThreadPool) -> Adapter:
    match request.param:
        case "maildir":
            return MaildirAdapter(tmp_path / "mail", disk)
        case "memory":
            return MemoryAdapter()
        case other:
            raise AssertionError(other)


@pytest.fixture
def mailbox(adapter: Adapter) -> Mailbox:
    return adapter.store.mailbox(ADDRESS)


async def test_a_mailbox_that_does_not_exist_yet_is_empty(mailbox: Mailbox) -> None:
    assert await mailbox.list() == () and await mailbox.counts() == VoiceCounts()
    await mailbox.delete("voice-1")
    with pytest.raises(NoSuchMessage, match="voice-1"):
        await mailbox.open("voice-1")


async def test_what_was_appended_is_listed_and_opened_as_it_was(adapter: Adapter, mailbox: Mailbox) -> None:
    key = await mailbox.append("voice-1", DATA)
    for box in (mailbox, adapter.store.mailbox(ADDRESS.upper()), adapter.again().mailbox(ADDRESS)):
        (info,) = await box.list()
        assert (info.key, info.kind, info.urgent, info.flags) == (key, MessageKind.VOICE, True, frozenset())
        assert (info.sender, info.caller_number, info.duration_s) == ("bob@example.com", "+14255554102", 65)
        assert info.size == len(DATA)
        assert timedelta(minutes=-1) < datetime.now(UTC) - info.arrived_at < timedelta(minutes=5)
        assert await box.open(key) == DATA
    assert await adapter.store.mailbox("bob@example.com").list() == ()


async def test_messages_are_listed_the_oldest_first(mailbox: Mailbox) -> None:
    keys = [await mailbox.append(f"voice-{number}", VOICE + b"\r\n") for number in (3, 1, 2)]
    infos = await mailbox.list()
    assert {info.key for info in infos} == set(keys)
    assert [info.arrived_at for info in infos] == sorted(info.arrived_at for info in infos)


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        (b"Content-Class: Voice-CA\r\n", MessageKind.VOICE),
        (b"Content-Class: missedcall\r\n", MessageKind.MISSED_CALL),
        (b"Content-Class: urn:content-classes:message\r\n", MessageKind.OTHER),
        (b"Subject: x\r\n", MessageKind.OTHER),
        (b"", MessageKind.OTHER),
    ],
)
async def test_a_message_is_known_by_its_content_class(mailbox: Mailbox, headers: bytes, kind: MessageKind) -> None:
    await mailbox.append("x", headers + b"\r\n")
    (info,) = await mailbox.list()
    assert info.kind is kind


@pytest.mark.parametrize(
    "header",
    [
        b"From: \xff\xfe",
        b"From: =?utf-8?b?abcde?=",
        b"From: =?no-such-charset?q?x?= <b@x>",
        b"From",
        b"X-VoiceMessageDuration: \xd9\xa3",
        b"X-VoiceMessageDuration: 99999999999999999999",
        b"Content-Class: =?utf-8?b?//8=?=",
    ],
)
async def test_a_header_that_breaks_the_standards_hides_no_message(mailbox: Mailbox, header: bytes) -> None:
    await mailbox.append("x", header + b"\r\nImportance: high\r\n\r\n")
    await mailbox.append("y", VOICE + b"\r\n")
    assert [info.duration_s for info in await mailbox.list()] == [0, 0]
    assert await mailbox.counts() == VoiceCounts(new=1)


async def test_a_message_is_appended_once_however_often_it_is_tried(adapter: Adapter, mailbox: Mailbox) -> None:
    key = await mailbox.append("voice-1", DATA)
    assert await mailbox.append("voice-1", DATA) == key
    assert await adapter.again().mailbox(ADDRESS).append("voice-1", DATA) == key
    adapter.other.mark_seen(key)
    assert await mailbox.append("voice-1", DATA) == key
    (info,) = await mailbox.list()
    assert info.flags == {MessageFlag.SEEN}


async def test_a_message_is_appended_once_by_several_at_the_same_time(adapter: Adapter) -> None:
    boxes = [adapter.store.mailbox(ADDRESS) for _ in range(10)]
    keys = await asyncio.gather(*(box.append(f"voice-{number % 2}", DATA) for number, box in enumerate(boxes)))
    assert sorted(info.key for info in await boxes[0].list()) == sorted(set(keys)) and len(set(keys)) == 2
    assert [await boxes[0].open(key) for key in set(keys)] == [DATA, DATA]


@pytest.mark.parametrize("message_id", ["", ".", ".x", "../x", "a/b", "a:2,S", "a\0b", "a b", "ä", "x" * 129])
async def test_a_message_id_that_is_no_plain_name_is_refused_for_good(mailbox: Mailbox, message_id: str) -> None:
    with pytest.raises(MailError, match="cannot be a message id") as caught:
        await mailbox.append(message_id, DATA)
    assert not caught.value.retryable and await mailbox.list() == ()


@pytest.mark.parametrize("address", ["../x", "a/b", "", ".hidden", "a\0b", "a\nb"])
async def test_a_mailbox_name_leads_nowhere_else(adapter: Adapter, address: str) -> None:
    with pytest.raises(MailError, match="cannot be the name") as caught:
        adapter.store.mailbox(address)
    assert not caught.value.retryable


async def test_flags_are_added_and_removed_and_others_stay(adapter: Adapter, mailbox: Mailbox) -> None:
    key = await mailbox.append("voice-1", DATA)
    assert await mailbox.flag(key) == frozenset()
    assert await mailbox.flag(key, add=MessageFlag) == frozenset(MessageFlag)
    assert await mailbox.flag(key, remove=[MessageFlag.DELETED, MessageFlag.DRAFT]) == {
        MessageFlag.SEEN,
        MessageFlag.ANSWERED,
        MessageFlag.FORWARDED,
        MessageFlag.FLAGGED,
    }
    both = [MessageFlag.SEEN, MessageFlag.ANSWERED, MessageFlag.FORWARDED]
    assert await mailbox.flag(key, remove=both, add=[MessageFlag.DELETED]) == {MessageFlag.FLAGGED, MessageFlag.DELETED}
    (info,) = await adapter.again().mailbox(ADDRESS).list()
    assert (info.key, info.flags) == (key, {MessageFlag.FLAGGED, MessageFlag.DELETED})
    assert await mailbox.open(key) == DATA
    with pytest.raises(NoSuchMessage):
        await mailbox.flag("voice-2", add=[MessageFlag.SEEN])


async def test_a_deleted_message_is_gone_and_deleting_it_again_is_no_error(adapter: Adapter, mailbox: Mailbox) -> None:
    key = await mailbox.append("voice-1", DATA)
    await mailbox.append("voice-2", DATA)
    for _ in range(2):
        await mailbox.delete(key)
    assert [info.key for info in await adapter.again().mailbox(ADDRESS).list()] == ["voice-2"]
    for refused in (mailbox.open(key), mailbox.flag(key, add=[MessageFlag.SEEN])):
        with pytest.raises(NoSuchMessage):
            await refused


async def test_voice_messages_are_counted_by_seen_and_urgent(adapter: Adapter, mailbox: Mailbox) -> None:
    urgent = VOICE + b"Importance: high\r\n\r\n"
    for key, data in {
        "1": VOICE + b"\r\n",
        "2": urgent,
        "3": b"Content-Class: missedcall\r\n\r\n",
        "4": b"\r\n",
    }.items():
        await mailbox.append(key, data)
    assert await mailbox.counts() == VoiceCounts(new=2, urgent_new=1)
    adapter.other.mark_seen("2")
    await mailbox.flag("1", add=[MessageFlag.FLAGGED])
    assert await mailbox.counts() == VoiceCounts(new=1, old=1, urgent_old=1)
    await mailbox.flag("1", add=[MessageFlag.DELETED])
    assert await mailbox.counts() == VoiceCounts(old=1, urgent_old=1)
    await mailbox.flag("2", remove=[MessageFlag.SEEN])
    assert await mailbox.counts() == VoiceCounts(new=1, urgent_new=1)
    await mailbox.delete("2")
    assert await mailbox.counts() == VoiceCounts()


async def test_readers_that_work_at_the_same_time_neither_fail_nor_miss_a_message(adapter: Adapter) -> None:
    keys = {f"voice-{number}" for number in range(30)}
    for key in keys:
        await adapter.store.mailbox(ADDRESS).append(key, DATA)

    async def read() -> None:
        box = adapter.again().mailbox(ADDRESS)
        for _ in range(5):
            assert {info.key for info in await box.list()} == keys
            counted = await box.counts()
            assert counted.new + counted.old == 30

    async def change(mine: set[str]) -> None:
        box = adapter.again().mailbox(ADDRESS)
        for key in mine:
            await box.flag(key, add=[MessageFlag.SEEN])
            assert await box.open(key) == DATA

    # Four change flags at the same time, of the same messages too.
    await asyncio.gather(read(), read(), change(keys), change(keys), change(set(sorted(keys)[:10])))
    assert await adapter.store.mailbox(ADDRESS).counts() == VoiceCounts(old=30, urgent_old=30)


async def test_what_another_program_removes_meanwhile_is_absent(adapter: Adapter, mailbox: Mailbox) -> None:
    for number in range(20):
        await mailbox.append(f"voice-{number}", DATA)

    async def remove() -> None:
        for number in range(20):
            await asyncio.to_thread(adapter.other.remove, f"voice-{number}")

    removing = asyncio.gather(remove())
    while not removing.done():
        await asyncio.sleep(0)
        assert len(await mailbox.list()) <= 20 and (await mailbox.counts()).new <= 20
    await removing
    assert await mailbox.list() == () and await mailbox.counts() == VoiceCounts()


async def test_a_store_that_does_not_work_is_an_error_that_a_retry_may_help(adapter: Adapter, mailbox: Mailbox) -> None:
    adapter.other.keep_out()
    for work in (mailbox.append("voice-1", DATA), mailbox.list(), mailbox.open("voice-1"), mailbox.counts()):
        with pytest.raises(MailError, match=ADDRESS) as caught:
            await work
        assert caught.value.retryable
    for work in (mailbox.delete("voice-1"), mailbox.flag("voice-1", add=[MessageFlag.SEEN])):
        with pytest.raises(MailError) as caught:
            await work
        assert caught.value.retryable


async def following(changes: AsyncGenerator[object, None]) -> object:
    async with asyncio.timeout(20):
        return await anext(changes)


async def test_a_watcher_of_a_mailbox_learns_of_every_kind_of_change(adapter: Adapter, mailbox: Mailbox) -> None:
    async def until(counted: VoiceCounts) -> None:
        while await mailbox.counts() != counted:
            await following(changes)

    async with contextlib.aclosing(mailbox.watch()) as changes:
        await following(changes)  # at once
        await adapter.again().mailbox(ADDRESS).append("voice-1", VOICE + b"\r\n")
        await until(VoiceCounts(new=1))
        adapter.other.mark_seen("voice-1")
        await until(VoiceCounts(old=1))
        adapter.other.remove("voice-1")
        await until(VoiceCounts())


async def test_a_watcher_of_the_store_learns_which_mailboxes_changed(adapter: Adapter) -> None:
    store, addresses = adapter.store, ["Alice@example.com", "bob@example.com", "../carol"]
    await store.mailbox("bob@example.com").append("voice-1", DATA)
    await store.mailbox("dave@example.com").append("voice-1", DATA)
    async with contextlib.aclosing(store.watch(lambda: addresses)) as changes:
        assert await following(changes) == {"bob@example.com"}
        await adapter.again().mailbox(ADDRESS).append("voice-1", DATA)
        while "Alice@example.com" not in (changed := await following(changes)):
            assert changed == {"bob@example.com"}  # it may be yielded again
        addresses.append("dave@example.com")
        while "dave@example.com" not in await following(changes):
            pass


async def test_what_is_submitted_comes_into_the_mailbox_once(adapter: Adapter) -> None:
    for _ in range(2):
        await MailboxSubmission(adapter.store).send(message_id="voice-1", recipient=ADDRESS, data=DATA)
    (info,) = await adapter.store.mailbox(ADDRESS).list()
    assert info.key == "voice-1"


async def test_a_mailbox_is_moved_with_keys_and_flags_and_into_one_that_is_there(adapter: Adapter) -> None:
    store = adapter.store
    box, other = store.mailbox(ADDRESS), store.mailbox("new@example.com")
    await box.append("voice-1", DATA)
    await box.flag("voice-1", add=[MessageFlag.SEEN])
    assert await store.addresses() == (ADDRESS.lower(),)
    assert await store.move(ADDRESS, "new@example.com") is True
    assert await store.move(ADDRESS, "new@example.com") is False
    assert await store.addresses() == ("new@example.com",) and await box.list() == ()
    await box.append("voice-1", DATA)  # the same again: it is there already
    await box.append("voice-2", DATA)
    assert await store.move(ADDRESS, "new@example.com") is True
    assert sorted((info.key, MessageFlag.SEEN in info.flags) for info in await other.list()) == [
        ("voice-1", True),
        ("voice-2", False),
    ]
    assert await store.move("new@example.com", "NEW@example.com") is False


async def test_a_mailbox_is_removed_for_good(adapter: Adapter, mailbox: Mailbox) -> None:
    await mailbox.append("voice-1", DATA)
    await adapter.store.remove(ADDRESS)
    await adapter.store.remove(ADDRESS)
    assert await adapter.store.addresses() == () and await adapter.again().mailbox(ADDRESS).list() == ()
