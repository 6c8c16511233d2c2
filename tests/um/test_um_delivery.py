"""Delivery with a spool on disk and mailboxes in memory, on the jumping loop."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from tandem.core.clock import SystemClock
from tandem.mail import counts as mail_counts
from tandem.mail.envelope import Envelope
from tandem.mail.errors import MailError
from tandem.mail.maildir.store import MaildirStore
from tandem.mail.port import MessageKind
from tandem.mail.spool import Spool
from tandem.mail.submission import MailboxSubmission
from tandem.service.threads import ThreadPool
from tandem.testing.loop import JumpingLoop
from tandem.testing.mail import InlineCalls, MemoryMailStore
from tandem.um import counts
from tandem.um.delivery import SIDE_BY_SIDE, Delivery

ALICE, BOB = "alice@example.com", "bob@example.com"


class Post:
    """A spool, its delivery, and the mailboxes."""

    def __init__(self, folder: Path) -> None:
        self.loop = JumpingLoop()
        self.store = MemoryMailStore()
        self.spool = Spool(folder)
        self.told: list[str] = []
        self.delivery = Delivery(
            self.spool,
            clock=self.loop,
            disk=InlineCalls(),
            submission=MailboxSubmission(self.store),
            delivered=self.told.append,
        )

    async def leave(self, number: int, address: str, *, seconds: float = 2.0, wanted: bool = True) -> None:
        """A call for a mailbox ends; ``seconds`` of it were recorded."""
        envelope = Envelope(
            message_id=f"voice-{number}",
            mailbox=address,
            recipient_name="",
            call_id="",
            begun_at="",
            missed_call_wanted=wanted,
        )
        draft = self.spool.begin(envelope)
        draft.part.write_bytes(bytes(int(seconds * 16_000)))
        await self.delivery.keep(draft, int(seconds * 8000), cut=False)

    def run(self, scene: Callable[[], Coroutine[None, None, None]]) -> None:
        async def work() -> None:
            self.running = asyncio.ensure_future(self.delivery.run())
            await scene()
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)

        self.loop.complete(work())

    async def restart(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        self.running = asyncio.ensure_future(self.delivery.run())

    async def kinds(self, address: str) -> list[MessageKind]:
        return [info.kind for info in await self.store.mailbox(address).list()]


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path)


def test_a_recording_is_delivered_and_message_waiting_is_told_of_its_mailbox_only(post: Post) -> None:
    async def scene() -> None:
        await post.leave(1, ALICE, seconds=65)
        await asyncio.sleep(1)
        (info,) = await post.store.mailbox(ALICE).list()
        assert (info.key, info.kind, info.duration_s) == ("voice-1", MessageKind.VOICE, 65)
        assert post.told == [ALICE] and post.spool.pending() == []

    post.run(scene)


@pytest.mark.parametrize(
    ("seconds", "wanted", "kinds"),
    [
        (1.0, True, [MessageKind.VOICE]),
        (0.99, True, [MessageKind.MISSED_CALL]),
        (0, True, [MessageKind.MISSED_CALL]),
        (0, False, []),
        (2, False, [MessageKind.VOICE]),
    ],
)
def test_what_is_too_short_is_a_missed_call_where_one_is_wanted(
    post: Post, seconds: float, wanted: bool, kinds: list[MessageKind]
) -> None:
    async def scene() -> None:
        await post.leave(1, ALICE, seconds=seconds, wanted=wanted)
        await asyncio.sleep(1)
        assert await post.kinds(ALICE) == kinds
        assert post.spool.pending() == [] and post.told == [ALICE] * len(kinds)

    post.run(scene)


def test_a_mailbox_that_takes_nothing_holds_up_no_other_and_is_tried_again(post: Post) -> None:
    async def scene() -> None:
        alice = post.store.mailbox(ALICE)
        alice.break_down()
        await post.leave(1, ALICE)
        await post.leave(2, BOB)
        await asyncio.sleep(1)
        assert await post.kinds(BOB) == [MessageKind.VOICE] and post.told == [BOB]
        assert [item.envelope.message_id for item in post.spool.pending()] == ["voice-1"]
        alice.broken = None
        await asyncio.sleep(5)
        assert await post.kinds(ALICE) == [MessageKind.VOICE] and post.spool.pending() == []

    post.run(scene)


def test_a_crash_after_the_mailbox_took_a_message_delivers_it_no_second_time(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        with monkeypatch.context() as crash:
            crash.setattr(post.spool, "done", _die)
            await post.leave(1, ALICE)
            await asyncio.sleep(1)
        assert len(post.spool.pending()) == 1
        await asyncio.sleep(5)
        assert post.store.mailbox(ALICE).appended == ["voice-1", "voice-1"]
        assert await post.kinds(ALICE) == [MessageKind.VOICE] and post.spool.pending() == []

    post.run(scene)


def test_what_waited_when_the_server_started_is_delivered(post: Post) -> None:
    async def scene() -> None:
        assert post.told == []
        await asyncio.sleep(1)
        assert await post.kinds(BOB) == [MessageKind.MISSED_CALL]

    envelope = Envelope(message_id="voice-9", mailbox=BOB, recipient_name="", call_id="", begun_at="")
    post.spool.begin(envelope).close(samples=0, ended_at=post.loop.at().isoformat())
    post.run(scene)


def _die(item: object) -> None:
    raise MailError("the server died here", retryable=True)


# Many mailboxes


def test_mailboxes_are_served_side_by_side_and_the_messages_of_one_in_their_order(post: Post) -> None:
    async def scene() -> None:
        slow = [f"slow{number}@example.com" for number in range(SIDE_BY_SIDE - 1)]
        let_go = asyncio.Event()
        sent: list[str] = []

        async def send(*, message_id: str, recipient: str, data: bytes) -> None:
            if recipient in slow:
                await let_go.wait()
            sent.append(message_id)

        post.delivery._submission.send = send  # type: ignore[method-assign]
        for number, address in enumerate((*slow, ALICE, BOB, ALICE)):
            await post.leave(number, address)
        await asyncio.sleep(1)
        assert sent == ["voice-7", "voice-8", "voice-9"] or sent == ["voice-7", "voice-9", "voice-8"]
        let_go.set()
        await asyncio.sleep(1)
        assert len(sent) == 10 and post.spool.pending() == []

    post.run(scene)


def test_a_mailbox_is_tried_with_a_growing_delay_and_named(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        alice = post.store.mailbox(ALICE)
        alice.break_down()
        before = mail_counts.not_delivered.value
        await post.leave(1, ALICE)
        await post.leave(2, ALICE)
        await asyncio.sleep(4 * 60)  # at 0, 5, 15, 35, 75, 135, 195
        assert mail_counts.not_delivered.value - before == 7
        assert post.delivery.problem() == (
            "mailbox alice@example.com: mailbox alice@example.com is away (messages: 2, tries: 7)"
        )
        assert f"um.not_delivered message=voice-1 mailbox={ALICE}" in caplog.text
        alice.broken = None
        await asyncio.sleep(60)
        assert await post.kinds(ALICE) == [MessageKind.VOICE] * 2 and post.delivery.problem() == ""

    post.run(scene)


def test_a_message_that_can_never_be_delivered_is_told_once_and_holds_up_no_other(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        await post.leave(1, "../etc/passwd")
        await post.leave(2, BOB)
        await asyncio.sleep(6 * 3600)
        assert await post.kinds(BOB) == [MessageKind.VOICE]
        assert caplog.text.count("um.not_delivered") == 1
        assert post.delivery.problem() == "message voice-1: '../etc/passwd' cannot be the name of a mailbox"
        assert [item.envelope.message_id for item in post.spool.pending()] == ["voice-1"]

    post.run(scene)


def test_one_message_whose_sound_cannot_be_read_holds_up_no_other_of_its_mailbox(post: Post) -> None:
    async def scene() -> None:
        await post.leave(1, ALICE)
        sound = post.spool.folder / "voice-1.pcm"
        away = sound.rename(sound.with_name("away"))
        await post.leave(2, ALICE)
        await asyncio.sleep(6)
        assert [info.key for info in await post.store.mailbox(ALICE).list()] == ["voice-2"]
        away.rename(sound)
        await asyncio.sleep(60)
        assert await post.kinds(ALICE) == [MessageKind.VOICE] * 2

    post.run(scene)


def test_delivery_is_idle_when_all_is_delivered_but_what_waits_for_its_next_try(post: Post) -> None:
    async def scene() -> None:
        post.store.mailbox(ALICE).break_down()
        await post.leave(1, ALICE)
        for number in range(2, 30):
            await post.leave(number, f"u{number}@example.com")
        await asyncio.wait_for(post.delivery.idle(), 1)
        assert [item.envelope.message_id for item in post.spool.pending()] == ["voice-1"]

    post.run(scene)


def test_a_delivery_that_is_restarted_goes_on_with_what_waits(post: Post) -> None:
    async def scene() -> None:
        post.store.mailbox(ALICE).break_down()
        await post.leave(1, ALICE)
        await asyncio.sleep(1)
        await post.restart()
        post.store.mailbox(ALICE).broken = None
        await asyncio.sleep(1)
        assert await post.kinds(ALICE) == [MessageKind.VOICE] and post.told == [ALICE]

    post.run(scene)


def test_what_the_disk_did_not_take_at_the_end_of_a_call_is_delivered_when_it_does(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        with monkeypatch.context() as full:
            full.setattr("tandem.mail.spoolfiles.replace", _full)
            full.setattr("tandem.mail.spool.Spool.problem", lambda _: "")
            post.spool._files.begin = lambda envelope: None  # type: ignore[assignment,method-assign,return-value]
            (post.spool.folder / "voice-1.open").write_text("{}")
            failed = counts.failed.value
            with pytest.raises(MailError, match="No space left"):
                await post.leave(1, ALICE)
            assert counts.failed.value == failed + 1 and mail_counts.pending.read() == 1
            await asyncio.sleep(60)
            assert await post.kinds(ALICE) == [] and mail_counts.pending.read() == 1
        await asyncio.sleep(6)
        assert await post.kinds(ALICE) == [MessageKind.VOICE] and mail_counts.pending.read() == 0

    post.run(scene)


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


BAD_MAILBOXES = {
    "a file instead of the folder": lambda folder: folder.write_text("no folder"),
    "a link to nowhere": lambda folder: folder.symlink_to("/nonexistent/nowhere"),
    "a link to itself": lambda folder: folder.symlink_to(folder),
    "a file instead of new": lambda folder: (folder.mkdir(), (folder / "new").write_text("no folder")),
    "a file instead of cur": lambda folder: (folder.mkdir(), (folder / "cur").write_text("no folder")),
}


@pytest.mark.parametrize("spoil", BAD_MAILBOXES.values(), ids=BAD_MAILBOXES.keys())
async def test_one_bad_mailbox_costs_only_itself(
    tmp_path: Path, spoil: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tandem.um.delivery.FIRST_DELAY_S", 0.05)
    threads = ThreadPool("disk", 4)
    store = MaildirStore(tmp_path / "mail", threads)
    store._root.mkdir()
    bad = store._root / ALICE
    spoil(bad)
    spool = Spool(tmp_path / "spool")
    spool.hold()
    told: list[str] = []
    delivery = Delivery(
        spool, clock=SystemClock(), disk=threads, submission=MailboxSubmission(store), delivered=told.append
    )
    running = asyncio.ensure_future(delivery.run())
    for number, address in enumerate((ALICE, BOB, ALICE, "carol@example.com", BOB)):
        envelope = Envelope(message_id=f"voice-{number}", mailbox=address, recipient_name="", call_id="", begun_at="")
        await delivery.keep(spool.begin(envelope), 0, cut=False)
    await asyncio.wait_for(delivery.idle(), 5)
    assert sorted(told) == [BOB, BOB, "carol@example.com"] and len(spool.pending()) == 2
    assert delivery.problem().startswith(f"mailbox {ALICE}: mailbox {bad} cannot take a message")
    shutil.rmtree(bad) if bad.is_dir() and not bad.is_symlink() else bad.unlink()
    async with asyncio.timeout(5):
        while told.count(ALICE) < 2:
            await asyncio.sleep(0.02)
    assert len(await store.mailbox(ALICE).list()) == 2 and spool.pending() == []
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    spool.stop()
    threads.close()
