"""Invariant 3 for the UM server: nothing that grows with users or messages runs on the loop."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import turns
from tandem.core.clock import SystemClock
from tandem.directory import objects as o
from tandem.directory.index import Table
from tandem.mail.envelope import Envelope
from tandem.mail.maildir import store as maildir
from tandem.mail.maildir.store import MaildirStore
from tandem.mail.spool import Spool
from tandem.mail.submission import MailboxSubmission
from tandem.service.threads import ThreadPool
from tandem.sip.headers.mwi import MessageSummary
from tandem.testing.loop import JumpingLoop
from tandem.testing.mail import MemoryMailStore
from tandem.testing.network import Network
from tandem.um import mwi, telling
from tandem.um.config import UmConfig
from tandem.um.delivery import Delivery
from tandem.um.mwi import MwiNotifier
from tandem.um.telling import MwiTeller

USERS = 20_000
MOST = 2_000
"""Calls of functions in a turn; one for each of the users would be ten times that."""
VOICE = b"Content-Class: voice-ca\r\n\r\n"


def directory(users: int) -> UmConfig:
    table = Table(lambda user: [user.mail])
    for number in range(users):
        address = f"u{number}@example.com"
        table.add(
            o.User(
                account=f"u{number}",
                container="OU=x,DC=y",
                mail=address,
                sip_address=f"sip:{address}",
                um_dial_plan="Main",
                um_flags=o.UM_ENABLED,
            )
        )
    return UmConfig(by_mail=table)


@pytest.fixture
def disk() -> Iterator[ThreadPool]:
    made = ThreadPool("disk", 4)
    yield made
    made.close()


@pytest.mark.slow
async def test_mailboxes_of_many_users_are_watched_a_few_at_a_time(
    tmp_path: Path, disk: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maildir, "SLICE_S", 0.0)
    monkeypatch.setattr(mwi, "LOOKS_PER_S", 1e6)
    config, store = directory(USERS), MaildirStore(tmp_path, disk, watch_s=0.01)
    with_mail = {f"u{number}@example.com" for number in range(0, USERS, 200)}
    for address in with_mail:
        await store.mailbox(address).append("voice-1", VOICE)
    loop = JumpingLoop()
    notifier = MwiNotifier(
        Network(loop).endpoint("um"),
        lambda: config,
        store,
        lambda transport: f"<sip:um;transport={transport}>",
    )
    told: dict[str, MessageSummary] = {}
    monkeypatch.setattr(notifier._teller, "tell", lambda address, summary, at_once: told.update({address: summary}))
    running = [asyncio.ensure_future(work()) for work in (notifier.watch, notifier.look)]
    with turns.counted(asyncio.get_running_loop()) as counted:
        async with asyncio.timeout(60):
            while len(told) < len(with_mail):
                await asyncio.sleep(0.01)
            await store.mailbox("u19999@example.com").append("voice-2", VOICE)
            while "u19999@example.com" not in told:
                await asyncio.sleep(0.01)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    loop.close()
    assert set(told) == with_mail | {"u19999@example.com"} and set(told.values()) == {MessageSummary(new=1)}
    assert counted.count > USERS // maildir.SLICE and counted.worst < MOST


@pytest.mark.slow
def test_messages_that_waited_for_a_mail_store_are_delivered_a_few_at_a_time(tmp_path: Path) -> None:
    loop, count = JumpingLoop(), 300
    spool = Spool(tmp_path)
    messages = []
    for number in range(count):
        envelope = Envelope(
            message_id=f"voice-{number}", mailbox=f"u{number}@example.com", recipient_name="", call_id="", begun_at=""
        )
        messages.append(spool.begin(envelope).close(samples=0, ended_at=loop.at().isoformat()))
    spool.stop()

    async def work() -> None:
        threads = ThreadPool("disk", 4)
        store = MemoryMailStore()
        delivery = Delivery(
            spool,
            clock=SystemClock(),
            disk=threads,
            submission=MailboxSubmission(store),
            delivered=lambda address: None,
        )
        running = asyncio.ensure_future(delivery.run())
        with turns.counted(asyncio.get_running_loop()) as counted:
            async with asyncio.timeout(60):
                while spool.pending():
                    await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        threads.close()
        assert counted.worst < 5 * MOST  # twenty of them begin in a turn, and some end
        assert len(store._mailboxes) == count

    asyncio.run(work())
    loop.close()


class Paced:
    """A teller whose gateway answers as it is told, and when it did."""

    def __init__(self, users: int) -> None:
        self.loop = JumpingLoop()
        network = Network(self.loop)
        self.status, self.asked = 200, []
        plan = o.UMHuntGroup(name="g", gateway="g", dial_plan="Main", pilot_identifier="1")
        gateway = o.UMIPGateway(name="g", address="g", port=5060, transport="udp")
        self.config = directory(users)
        self.config = UmConfig(by_mail=self.config.by_mail, gateways=(gateway,), hunt_groups=(plan,))
        network.endpoint("g").on_request = self._answer
        self.teller = MwiTeller(
            network.endpoint("um"), lambda: self.config, lambda transport: f"<sip:um;transport={transport}>"
        )

    def _answer(self, transaction: object) -> None:
        self.asked.append(self.loop.time())
        transaction.respond_with(self.status)  # type: ignore[attr-defined]

    def most_in_a_second(self) -> int:
        return max(sum(at <= other < at + 1 for other in self.asked) for at in self.asked)

    def run(self, seconds: float) -> None:
        """Tell for so long."""

        async def work() -> None:
            running = [asyncio.ensure_future(each()) for each in self.teller.works().values()]
            await self.scene()
            await asyncio.sleep(seconds)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

        with turns.counted(self.loop) as counted:
            self.loop.complete(work())
        self.worst = counted.worst

    async def scene(self) -> None:
        """What happens first: a start, at which every mailbox is counted."""
        for number in range(len(self.config.by_mail)):
            self.teller.tell(f"u{number}@example.com", MessageSummary(new=1), at_once=False)
            await asyncio.sleep(0)


@pytest.mark.slow
def test_after_a_start_message_waiting_is_told_at_an_even_pace() -> None:
    paced = Paced(users=200)
    paced.run(60)
    assert len(paced.asked) == 200 and paced.most_in_a_second() <= telling.PACED_PER_S + 1
    assert paced.worst < MOST


def test_a_refresh_of_all_is_told_at_an_even_pace_and_once_each() -> None:
    paced = Paced(users=60)
    scene = paced.scene

    async def refreshed() -> None:
        await scene()
        await asyncio.sleep(60)
        paced.asked.clear()
        await paced.teller.refresh()

    paced.scene = refreshed  # type: ignore[method-assign]
    paced.run(60)
    assert len(paced.asked) == 60 and paced.most_in_a_second() <= telling.PACED_PER_S + 1


def test_a_user_whose_gateways_take_nothing_is_tried_for_ever_with_a_growing_delay() -> None:
    paced = Paced(users=1)
    paced.status = 404
    paced.run(3600)
    waits = [round(b - a) for a, b in zip(paced.asked, paced.asked[1:], strict=False)]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, *[300] * len(waits[8:])] and len(waits) > 16


def test_a_gateway_that_comes_back_is_told_the_last_state_only_and_without_a_burst() -> None:
    paced = Paced(users=60)
    paced.status = 503
    scene = paced.scene

    async def changes() -> None:
        await scene()
        for new in range(2, 30):
            for number in range(60):
                paced.teller.tell(f"u{number}@example.com", MessageSummary(new=new), at_once=True)
            await asyncio.sleep(10)
        await asyncio.sleep(120)
        paced.asked.clear()
        paced.status = 200

    paced.scene = changes  # type: ignore[method-assign]
    paced.run(900)
    assert len(paced.asked) == 60 and paced.most_in_a_second() <= telling.PACED_PER_S + 1


def test_a_change_is_told_at_once_while_others_are_told_again() -> None:
    paced = Paced(users=100)

    async def change() -> None:
        for number in range(99):
            paced.teller.tell(f"u{number}@example.com", MessageSummary(new=1), at_once=False)
        paced.teller.tell("u99@example.com", MessageSummary(new=1), at_once=True)
        begun = paced.loop.time()
        await asyncio.sleep(0.5)
        assert paced.teller._waiting["u99@example.com"].told == MessageSummary(new=1)
        assert sum(at <= begun + 0.01 for at in paced.asked) == 2

    paced.scene = change  # type: ignore[method-assign]
    paced.run(1)
