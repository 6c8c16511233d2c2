"""Users are told of another dial plan, extension or access number: one mail for each change, on the jumping loop."""

import asyncio
import email
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tandem.directory import objects as o
from tandem.mail.submission import MailboxSubmission
from tandem.org.numbers import EumAddress
from tandem.org.vocabulary import PinState, UriType, VoIPSecurity
from tandem.testing.loop import JumpingLoop
from tandem.testing.mail import InlineCalls, MemoryMailStore
from tandem.um import notices
from tandem.um.config import UmConfig
from tandem.um.notices import ChangeNotices

ALICE, BOB = "alice@example.com", "bob@example.com"


def plan(name: str, *numbers: str) -> o.UMDialPlan:
    return o.UMDialPlan(
        name=name,
        phone_context=f"{name}.example.com",
        uri_type=UriType.SIP_NAME,
        voip_security=VoIPSecurity.SECURED,
        extension_digits=4,
        access_numbers=numbers,
    )


def in_plan(user: o.User, dial_plan: str, extension: str) -> o.User:
    eum = str(EumAddress(address=extension, phone_context=f"{dial_plan}.example.com"))
    return replace(user, um_dial_plan=dial_plan, proxy_addresses=(eum,))


class InlineThreads:
    disk = InlineCalls()


class Office:
    """A home with users of two dial plans, ``East`` and ``West``, that all servers of it answer for."""

    def __init__(self, folder: Path) -> None:
        self.loop = JumpingLoop()
        self.store = MemoryMailStore()
        self.file = folder / "um" / "told.json"
        users = {
            mail.partition("@")[0]: o.User(
                account=mail.partition("@")[0],
                container="OU=x,DC=y",
                mail=mail,
                um_flags=o.UM_ENABLED,
                pin_state=PinState.SET,
            )
            for mail in (ALICE, BOB)
        }
        self.users = {"alice": in_plan(users["alice"], "East", "4101"), "bob": in_plan(users["bob"], "East", "4102")}
        self.plans = {"East": plan("East", "+14255554000"), "West": plan("West", "+14255555000")}
        self.servers: list[ChangeNotices] = []

    def server(self, *plans: str) -> ChangeNotices:
        threads: Any = InlineThreads()
        return ChangeNotices(
            lambda: UmConfig(
                dial_plans={name: each for name, each in self.plans.items() if not plans or name in plans},
                users=self.users,
            ),
            MailboxSubmission(self.store),
            self.loop,
            threads=threads,
            file=self.file,
        )

    async def run(self, scene: Callable[[], Coroutine[None, None, None]], *servers: ChangeNotices) -> None:
        self.servers = list(servers or [self.server()])
        running = [asyncio.ensure_future(server.run()) for server in self.servers]
        await asyncio.sleep(60)
        await scene()
        await asyncio.sleep(600)
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def change(self, **users: o.User) -> None:
        self.users.update(users)
        for server in self.servers:
            server.wake()

    async def texts(self, address: str) -> list[str]:
        box = self.store.mailbox(address)
        mails = [email.message_from_bytes(await box.open(info.key)) for info in await box.list()]
        return [mail.get_payload(decode=True).decode() for mail in mails]


async def nothing() -> None:
    """No change."""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.loop.close()


def told(office: Office, change: Callable[[], None]) -> str:
    """The text of the one mail that a change made, which starts after it do not make again."""

    async def work() -> None:
        async def scene() -> None:
            change()

        await office.run(scene)
        await office.run(nothing)
        await office.run(nothing, office.server(), office.server())
        (text,) = await office.texts(ALICE)
        found.append(text)

    found: list[str] = []
    office.loop.run_until_complete(work())
    return found[0]


def test_a_user_who_is_moved_is_told_the_new_dial_plan_extension_and_number(office: Office) -> None:
    text = told(office, lambda: office.change(alice=in_plan(office.users["alice"], "West", "5101")))
    assert "Your dial plan is West now." in text and "Your extension is 5101." in text and "+14255555000" in text
    assert office.loop.run_until_complete(office.texts(BOB)) == []


def test_a_new_extension_is_told(office: Office) -> None:
    text = told(office, lambda: office.change(alice=in_plan(office.users["alice"], "East", "4199")))
    assert "Your extension is 4199." in text and "dial plan" not in text and "access number" not in text


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [(("+14255554009",), "Your access number is +14255554009 now."), ((), "There is no access number any more.")],
)
def test_another_access_number_is_told_to_everybody(office: Office, numbers: tuple[str, ...], expected: str) -> None:
    def change() -> None:
        office.plans["East"] = plan("East", *numbers)
        office.change()

    assert expected in told(office, change)
    assert len(office.loop.run_until_complete(office.texts(BOB))) == 1


def test_what_is_changed_within_seconds_is_one_mail_and_each_later_change_another(office: Office) -> None:
    alice = office.users["alice"]

    async def scene() -> None:
        office.change(alice=in_plan(alice, "East", "4199"))
        await asyncio.sleep(1)
        office.change(alice=in_plan(alice, "West", "4199"))
        await asyncio.sleep(60)
        assert len(await office.texts(ALICE)) == 1
        office.change(alice=in_plan(alice, "East", "4101"))
        await asyncio.sleep(60)
        office.change(alice=in_plan(alice, "West", "4199"))  # as before: it is told again

    office.loop.run_until_complete(office.run(scene))
    assert len(office.loop.run_until_complete(office.texts(ALICE))) == 3


def test_a_change_while_the_server_was_down_is_told_when_it_starts(office: Office) -> None:
    office.loop.run_until_complete(office.run(nothing))
    office.change(alice=in_plan(office.users["alice"], "West", "5101"))
    office.loop.run_until_complete(office.run(nothing))
    assert len(office.loop.run_until_complete(office.texts(ALICE))) == 1


@pytest.mark.parametrize("kept", [None, b"{broken", b"[]", b'{"alice": 1}'])
def test_an_upgrade_a_lost_file_and_new_users_bring_no_mail(office: Office, kept: bytes | None) -> None:
    if kept is not None:
        office.file.parent.mkdir()
        office.file.write_bytes(kept)
    carla = replace(in_plan(office.users["alice"], "West", "5103"), account="carla", mail="carla@example.com")

    async def scene() -> None:
        office.change(carla=replace(carla, pin_state=PinState.PENDING))
        await asyncio.sleep(60)
        office.change(carla=carla)  # the welcome mail was sent

    office.loop.run_until_complete(office.run(scene))
    assert [office.loop.run_until_complete(office.texts(mail)) for mail in (ALICE, BOB, carla.mail)] == [[], [], []]


def test_an_entry_that_is_written_half_is_told_when_it_is_whole(office: Office) -> None:
    alice = office.users["alice"]

    async def scene() -> None:
        office.change(alice=replace(alice, um_dial_plan="West"))  # its extension is of the old dial plan still
        await asyncio.sleep(60)
        assert await office.texts(ALICE) == []
        office.change(alice=in_plan(alice, "West", "5101"))

    office.loop.run_until_complete(office.run(scene))
    assert len(office.loop.run_until_complete(office.texts(ALICE))) == 1


def test_of_two_servers_of_a_home_that_of_the_new_dial_plan_tells(office: Office) -> None:
    async def scene() -> None:
        assert await office.texts(ALICE) == [] == await office.texts(BOB)  # neither knew the other's users
        office.change(alice=in_plan(office.users["alice"], "West", "5101"))

    office.users["bob"] = in_plan(office.users["bob"], "West", "5102")
    office.loop.run_until_complete(office.run(scene, office.server("East"), office.server("West")))
    (text,) = office.loop.run_until_complete(office.texts(ALICE))
    assert "Your extension is 5101." in text and office.loop.run_until_complete(office.texts(BOB)) == []


def test_a_mailbox_that_takes_nothing_holds_up_no_other_and_is_told_later_once(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    box = office.store.mailbox(ALICE)

    async def scene() -> None:
        box.break_down()
        office.plans["East"] = plan("East", "+14255554009")
        office.change()
        await asyncio.sleep(600)
        assert len(await office.texts(BOB)) == 1 and caplog.text.count("um.change_not_told") == 1
        box.broken = None

    office.loop.run_until_complete(office.run(scene))
    assert [len(office.loop.run_until_complete(office.texts(mail))) for mail in (ALICE, BOB)] == [1, 1]


def test_a_crash_after_the_mail_tells_nobody_twice(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.loop.run_until_complete(office.run(nothing))
    office.change(alice=in_plan(office.users["alice"], "West", "5101"))

    def crash(*_: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as broken:
        broken.setattr(notices, "_write", crash)
        with pytest.raises(OSError, match="no space"):
            office.loop.run_until_complete(office.server().run())
    office.loop.run_until_complete(office.run(nothing))
    assert len(office.loop.run_until_complete(office.texts(ALICE))) == 1
    assert len(office.store.mailbox(ALICE).appended) == 2
