"""Making PINs on the jumping loop, with mailboxes in memory and a directory that counts what is written."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from tandem.directory import objects as o
from tandem.directory.errors import DirectoryUnavailable
from tandem.mail.submission import MailboxSubmission
from tandem.org.vocabulary import PinState, UriType, VoIPSecurity
from tandem.testing.ids import SeededIds
from tandem.testing.loop import JumpingLoop
from tandem.testing.mail import InlineCalls, MemoryMailStore
from tandem.um import enrolment
from tandem.um.config import NO_PIN_YET, UmConfig
from tandem.um.enrolment import Enrolment

ALICE, BOB = "alice@example.com", "bob@example.com"


PLAN = o.UMDialPlan(
    name="Main",
    phone_context="Main.example.com",
    uri_type=UriType.SIP_NAME,
    voip_security=VoIPSecurity.SECURED,
    extension_digits=4,
)


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


class InlineThreads:
    disk = directory = hashing = InlineCalls()


class Office:
    """A directory with users who have no PIN, whose every write is a change that wakes the enrolment, and mailboxes."""

    def __init__(self, folder: Path, *mails: str) -> None:
        self.loop = JumpingLoop()
        self.store = MemoryMailStore()
        self.users = {
            mail.partition("@")[0]: o.User(
                account=mail.partition("@")[0],
                container="OU=x,DC=y",
                mail=mail,
                um_dial_plan="Main",
                um_flags=o.UM_ENABLED,
                pin_state=PinState.PENDING,
            )
            for mail in mails
        }
        self.written: list[tuple[str, PinState, str]] = []
        self.unavailable = False
        self.config = UmConfig(dial_plans={"Main": PLAN})
        self._take()
        self.enrolment = self.server(folder)

    def server(self, folder: Path) -> Enrolment:
        threads: Any = InlineThreads()
        repository: Any = self
        return Enrolment(
            config=lambda: self.config,
            repository=repository,
            clock=self.loop,
            ids=SeededIds(),
            threads=threads,
            key_file=folder / "pin.key",
            submission=MailboxSubmission(self.store),
        )

    # The directory

    def _take(self) -> None:
        pending = {account: user for account, user in self.users.items() if user.pin_state in NO_PIN_YET}
        self.config = replace(self.config, without_pin=pending)

    def same(self, user: o.User) -> tuple[o.User, bool] | None:
        if self.unavailable:
            raise DirectoryUnavailable("gone")
        held = self.users.get(user.account)
        return (held, True) if held is not None and held.container == user.container else None

    def dn_of(self, user: o.User) -> str:
        return f"CN={user.account},{user.container}"

    def has_pin(self, user: o.User) -> bool:
        return user.account in [account for account, _, _ in self.written]

    def set_pin(self, user: o.User, state: PinState, *, checksum: str = "") -> None:
        self.same(user)
        self.written.append((user.account, state, checksum))
        self.users[user.account] = replace(self.users[user.account], pin_state=state)
        self.changed()

    def changed(self) -> None:
        """The servers see a change."""
        self._take()
        self.enrolment.wake()

    def run(self, scene: Callable[[], Coroutine[None, None, None]]) -> None:
        async def work() -> None:
            await self.enrolment.prepare()
            running = asyncio.ensure_future(self.enrolment.run())
            await scene()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        self.loop.complete(work())

    async def mails(self, address: str) -> int:
        return len(await self.store.mailbox(address).list())


def test_a_pin_is_mailed_and_then_kept_with_one_write(tmp_path: Path) -> None:
    office = Office(tmp_path, ALICE, BOB)

    async def scene() -> None:
        await asyncio.sleep(1)
        assert [(account, state) for account, state, _ in office.written] == [
            ("alice", PinState.SET),
            ("bob", PinState.SET),
        ]
        assert (await office.mails(ALICE), await office.mails(BOB)) == (1, 1)
        assert all(checksum.startswith("$argon2id$") for *_, checksum in office.written)

    office.run(scene)


def test_a_mailbox_that_takes_nothing_writes_nothing_and_is_tried_with_a_growing_delay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    office = Office(tmp_path, ALICE, BOB)
    box = office.store.mailbox(ALICE)
    box.break_down()

    async def scene() -> None:
        for _ in range(600):  # the directory changes each second, by others
            await asyncio.sleep(1)
            office.changed()
        assert [account for account, *_ in office.written] == ["bob"]
        assert "alice: mailbox" in office.enrolment.problem() and "(tries: 6)" in office.enrolment.problem()
        assert caplog.text.count("um.pin_not_made") == 1
        box.broken = None
        await asyncio.sleep(600)
        assert [account for account, *_ in office.written] == ["bob", "alice"]
        assert await office.mails(ALICE) == 1 and office.enrolment.problem() == ""

    office.run(scene)


def test_a_user_without_a_mail_address_holds_up_no_other(tmp_path: Path) -> None:
    office = Office(tmp_path, ALICE, BOB)
    office.users["alice"] = replace(office.users["alice"], mail="")
    office._take()

    async def scene() -> None:
        await asyncio.sleep(3600)
        assert [account for account, *_ in office.written] == ["bob"]
        assert "cannot be the name of a mailbox" in office.enrolment.problem()
        office.users["alice"] = replace(office.users["alice"], mail=ALICE)
        await asyncio.sleep(3600)
        assert [account for account, *_ in office.written] == ["bob", "alice"] and await office.mails(ALICE) == 1

    office.run(scene)


def test_a_directory_that_is_away_after_the_mail_gets_the_hash_of_the_pin_that_was_mailed(tmp_path: Path) -> None:
    office = Office(tmp_path, ALICE)
    send = office.enrolment._submission.send

    async def send_and_lose_the_directory(**mail: Any) -> None:
        await send(**mail)
        office.unavailable = True

    office.enrolment._submission.send = send_and_lose_the_directory  # type: ignore[method-assign]

    async def scene() -> None:
        await asyncio.sleep(100)
        assert office.written == [] and await office.mails(ALICE) == 1
        office.unavailable = False
        await asyncio.sleep(20)
        assert [account for account, *_ in office.written] == ["alice"] and await office.mails(ALICE) == 1

    office.run(scene)


def test_a_user_who_has_moved_is_told_and_gets_a_pin_at_the_new_place_and_a_removed_one_is_forgotten(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path, ALICE, BOB)
    # The server has read the directory before the move.
    office.users["alice"] = replace(office.users["alice"], container="OU=new,DC=y")
    del office.users["bob"]

    async def scene() -> None:
        await asyncio.sleep(1)
        problem = office.enrolment.problem()
        assert "alice: there is no entry at CN=alice,OU=x,DC=y any more" in problem and "bob: there is no" in problem
        assert office.written == []
        office.changed()
        await asyncio.sleep(enrolment.FIRST_DELAY_S)

    office.run(scene)
    assert [(account, state) for account, state, _ in office.written] == [("alice", PinState.SET)]
    assert office.enrolment.problem() == ""


def test_of_two_servers_one_makes_the_pin(tmp_path: Path) -> None:
    office = Office(tmp_path, ALICE)
    other = office.server(tmp_path)

    async def scene() -> None:
        await other.prepare()
        running = asyncio.ensure_future(other.run())
        await asyncio.sleep(60)
        running.cancel()
        assert len(office.written) == 1 and await office.mails(ALICE) == 1

    office.run(scene)
