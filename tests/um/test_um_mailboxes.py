"""Mailboxes go with their users."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tandem.directory import objects as o
from tandem.service.threads import ThreadPool
from tandem.testing.mail import MemoryMailStore
from tandem.um.mailboxes import MailboxMoves

MAIL = b"Content-Class: voice-ca\r\n\r\n"
ALICE = o.User(account="alice", container="OU=P,DC=example,DC=com", mail="alice@example.com")
BOB = o.User(account="bob", container="OU=P,DC=example,DC=com", mail="bob@example.com")


@pytest.fixture
def disk() -> Iterator[ThreadPool]:
    made = ThreadPool("disk", 2)
    yield made
    made.close()


class Scene:
    def __init__(self, file: Path, disk: ThreadPool) -> None:
        self.users = {"alice": ALICE, "bob": BOB}
        self.store = MemoryMailStore()
        config = cast(Any, lambda: SimpleNamespace(users=self.users))
        self.moves = MailboxMoves(config=config, store=self.store, disk=disk, file=file, again_s=0.01)

    async def keys(self, address: str) -> list[str]:
        return [info.key for info in await self.store.mailbox(address).list()]

    async def until(self, **wanted: list[str]) -> None:
        async with asyncio.timeout(5):
            while {name: await self.keys(f"{name}@example.com") for name in wanted} != wanted:
                await asyncio.sleep(0.005)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.moves.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def change(self, **mail: str) -> None:
        for account, address in mail.items():
            self.users[account] = replace(self.users[account], mail=address)
        self.moves.wake()


@pytest.fixture
async def scene(tmp_path: Path, disk: ThreadPool) -> Scene:
    made = Scene(tmp_path / "um" / "mailboxes.json", disk)
    await made.store.mailbox("alice@example.com").append("voice-1", MAIL)
    await made.store.mailbox("bob@example.com").append("voice-2", MAIL)
    return made


async def seen(scene: Scene, tmp_path: Path) -> None:
    async with asyncio.timeout(5):
        while not (tmp_path / "um" / "mailboxes.json").exists():
            await asyncio.sleep(0.005)


async def test_a_new_mail_address_takes_its_messages_along_also_those_that_come_late(
    scene: Scene, tmp_path: Path
) -> None:
    async with scene.running():
        await seen(scene, tmp_path)
        await scene.change(alice="adams@example.com")
        await scene.until(alice=[], adams=["voice-1"], bob=["voice-2"])
        await scene.store.mailbox("alice@example.com").append("voice-3", MAIL)  # the spool had it for the old address
        await scene.until(alice=[], adams=["voice-1", "voice-3"])


async def test_a_change_while_the_server_was_down_is_seen_when_it_starts(scene: Scene, tmp_path: Path) -> None:
    async with scene.running():
        await seen(scene, tmp_path)
    await scene.change(alice="adams@example.com")
    async with scene.running():
        await scene.until(alice=[], adams=["voice-1"])


async def test_who_swap_addresses_keep_their_own_messages(scene: Scene, tmp_path: Path) -> None:
    async with scene.running():
        await seen(scene, tmp_path)
        await scene.change(alice="bob@example.com", bob="alice@example.com")
        await scene.until(alice=["voice-2"], bob=["voice-1"])


async def test_who_gets_an_address_that_another_user_had_finds_it_empty(scene: Scene, tmp_path: Path) -> None:
    async with scene.running():
        await seen(scene, tmp_path)
        await scene.change(alice="adams@example.com", bob="alice@example.com")
        await scene.until(adams=["voice-1"], alice=["voice-2"], bob=[])
        await scene.store.mailbox("alice@example.com").append("voice-4", MAIL)
        await asyncio.sleep(0.05)
        await scene.until(adams=["voice-1"], alice=["voice-2", "voice-4"])


async def test_a_mailbox_that_cannot_be_moved_now_is_moved_later(scene: Scene, tmp_path: Path) -> None:
    async with scene.running():
        await seen(scene, tmp_path)
        scene.store.mailbox("alice@example.com").break_down()
        await scene.change(alice="adams@example.com", bob="brown@example.com")
        await scene.until(brown=["voice-2"])
        scene.store.mailbox("alice@example.com").broken = None
        await scene.until(adams=["voice-1"], alice=[])
