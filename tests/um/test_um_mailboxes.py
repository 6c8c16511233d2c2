"""Mailboxes go with their users."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tandem.directory import objects as o
from tandem.service.threads import ThreadPool
from tandem.testing.mail import MemoryMailStore
from tandem.um.mailboxes import MailboxMoves, still_somebodys

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
        self.looked = 0
        self.disk = disk
        self.moves = MailboxMoves(self.look, store=self.store, disk=disk, file=file, again_s=0.01)

    def look(self) -> dict[str, o.User]:
        self.looked += 1
        return dict(self.users)

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


def user(mail: str, cn: str = "Anna Meier", ou: str = "OU=Sales,DC=example,DC=com") -> o.User:
    return o.User(account=mail.partition("@")[0], cn=cn, container=ou, mail=mail)


async def looks(scene: Scene, *states: dict[str, o.User]) -> None:
    """One server sees one state of the directory after the other, each for long enough."""
    for users in states:
        scene.users = users
        async with scene.running():
            await settled(scene)


async def settled(scene: Scene) -> None:
    """Until the server has looked twice: it holds its lock while it looks."""
    seen = scene.looked
    async with asyncio.timeout(5):
        while scene.looked < seen + 2:
            scene.moves.wake()
            await asyncio.sleep(0.002)


async def test_an_address_that_another_has_given_by_mistake_and_taken_back_moves_nothing(scene: Scene) -> None:
    slip = {"alice": replace(ALICE, mail=BOB.mail), "bob": BOB}
    await looks(scene, scene.users, slip, {"alice": ALICE, "bob": BOB})
    await scene.until(alice=["voice-1"], bob=["voice-2"])
    await looks(scene, slip, {"alice": replace(ALICE, mail="adams@example.com"), "bob": BOB})
    await scene.until(adams=["voice-1"], alice=[], bob=["voice-2"])


async def test_who_wants_the_address_of_one_who_cannot_have_a_third_ones_gets_no_messages_of_theirs(
    scene: Scene,
) -> None:
    cleo = user("cleo@example.com")
    await looks(scene, {"cleo": cleo, **scene.users})
    await looks(scene, {"alice": replace(ALICE, mail=BOB.mail), "bob": replace(BOB, mail=cleo.mail), "cleo": cleo})
    await scene.until(alice=["voice-1"], bob=["voice-2"], cleo=[])


async def test_a_namesake_in_the_old_unit_of_one_who_changed_units_gets_an_empty_mailbox(scene: Scene) -> None:
    there, moved = user(ALICE.mail), user(ALICE.mail, ou="OU=HQ,DC=example,DC=com")
    await looks(scene, {"1": there}, {"1": moved}, {"1": moved, "2": user("anna2@example.com")})
    await scene.until(alice=["voice-1"], anna2=[])


async def test_a_namesake_of_a_leaver_gets_an_empty_mailbox(scene: Scene) -> None:
    await looks(scene, {"1": user(ALICE.mail)}, {}, {"2": user("anna2@example.com")})
    await scene.until(alice=["voice-1"], anna2=[])
    await looks(scene, {"2": user("anna3@example.com")})
    await scene.until(alice=["voice-1"], anna2=[], anna3=[])


@pytest.mark.parametrize("down", [False, True])
async def test_who_gets_another_name_account_and_address_at_once_keeps_every_message(
    scene: Scene, tmp_path: Path, *, down: bool
) -> None:
    married = {"1": user("anna.b@example.com", cn="Anna Bauer")}
    await looks(scene, {"1": user(ALICE.mail)})
    file = tmp_path / "um" / "mailboxes.json"
    assert ALICE.mail in still_somebodys(file)  # the directory may know a new address that no server has seen
    if down:
        scene.moves = MailboxMoves(scene.look, store=scene.store, disk=scene.disk, file=file)
    async with scene.running():
        scene.users = married
        scene.moves.wake()
        await scene.until(alice=[], **{"anna.b": ["voice-1"]})


async def test_who_gets_the_old_address_later_and_leaves_again_leaves_no_messages_to_the_first(scene: Scene) -> None:
    adams = {"1": user("adams@example.com")}
    await looks(scene, {"1": user(ALICE.mail)}, adams, {**adams, "2": user(ALICE.mail)})
    await scene.store.mailbox(ALICE.mail).append("voice-9", MAIL)
    await looks(scene, {**adams, "2": user(ALICE.mail)}, adams)
    await scene.until(adams=["voice-1"], alice=["voice-9"])


async def test_two_servers_of_a_home_swap_two_mailboxes_once(scene: Scene, disk: ThreadPool, tmp_path: Path) -> None:
    other = Scene(tmp_path / "um" / "mailboxes.json", disk)
    other.moves = MailboxMoves(
        lambda: scene.users, store=scene.store, disk=disk, file=tmp_path / "um" / "mailboxes.json"
    )
    async with scene.running(), other.running():
        await seen(scene, tmp_path)
        await scene.change(alice=BOB.mail, bob=ALICE.mail)
        await scene.until(alice=["voice-2"], bob=["voice-1"])
        other.moves.wake()
        await settled(scene)
        await scene.until(alice=["voice-2"], bob=["voice-1"])


async def test_a_file_of_another_format_is_begun_anew(scene: Scene, tmp_path: Path) -> None:
    file = tmp_path / "um" / "mailboxes.json"
    file.parent.mkdir()
    file.write_text('{"mail": {"alice/ou=p,dc=example,dc=com": "old@example.com"}}')
    await looks(scene, scene.users)
    assert still_somebodys(file) == {ALICE.mail, BOB.mail}
    file.write_text("[")
    await looks(scene, scene.users)
    await scene.until(alice=["voice-1"], bob=["voice-2"])


@pytest.mark.parametrize("broken", ["alice@example.com", "adams@example.com"])
async def test_who_gets_and_leaves_an_address_whose_messages_could_not_be_moved_takes_none_along(
    scene: Scene, broken: str
) -> None:
    await looks(scene, scene.users)
    scene.store.mailbox(broken).break_down()
    adams = replace(ALICE, mail="adams@example.com")
    for mail in (ALICE.mail, "brown@example.com"):
        await looks(scene, {"alice": adams, "bob": replace(BOB, mail=mail)})
    scene.store.mailbox(broken).broken = None
    async with scene.running():
        await scene.until(adams=["voice-1"], brown=["voice-2"], alice=[], bob=[])
