"""Delivery with a spool on disk and mailboxes in memory, on the jumping loop."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from tandem.mail.envelope import Envelope
from tandem.mail.errors import MailError
from tandem.mail.port import MessageKind
from tandem.mail.spool import Spool
from tandem.mail.submission import MailboxSubmission
from tandem.testing.loop import JumpingLoop
from tandem.testing.mail import InlineCalls, MemoryMailStore
from tandem.um.delivery import Delivery

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
            running = asyncio.ensure_future(self.delivery.run())
            await scene()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        self.loop.complete(work())

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
