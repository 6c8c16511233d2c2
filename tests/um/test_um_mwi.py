"""Message waiting towards gateways: RFC 3842 by unsolicited NOTIFY, on the network in memory."""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Iterable

import pytest

from tandem.directory import objects as o
from tandem.org.vocabulary import Transport
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.headers.mwi import MessageSummary, parse_summary
from tandem.testing.loop import JumpingLoop
from tandem.testing.mail import MemoryMailStore
from tandem.testing.network import Network
from tandem.um import mwi
from tandem.um.config import UmConfig
from tandem.um.mwi import MwiNotifier

ALICE = "alice@example.com"
VOICE = b"Content-Class: voice-ca\r\n\r\n"
USER = o.User(
    account="alice",
    container="OU=x,DC=y",
    mail=ALICE,
    sip_address=f"sip:{ALICE}",
    um_dial_plan="Main",
    um_mailbox_policy="Main",
    um_flags=o.UM_ENABLED,
)


class Gateways:
    """A notifier and two gateways; each answers with its status (0: never), and keeps what it was sent."""

    def __init__(self, *, allowed: bool = True, users: Iterable[o.User] = (USER,)) -> None:
        self.loop = JumpingLoop()
        self.store = MemoryMailStore()
        network = Network(self.loop)
        self.statuses = {"gateway1": 200, "gateway2": 200}
        self.received: list[tuple[str, str, MessageSummary]] = []
        self.contacts: list[str | None] = []
        network.lose = lambda sent: self.statuses.get(sent.destination) == 0
        for name in self.statuses:
            network.endpoint(name).on_request = self._answering(name)
        config = UmConfig(
            gateways=tuple(o.UMIPGateway(name=n, address=n, port=5060, transport=Transport.UDP) for n in self.statuses),
            hunt_groups=tuple(
                o.UMHuntGroup(name=n, gateway=n, dial_plan="Main", pilot_identifier=n) for n in self.statuses
            ),
            policies={
                "Main": o.UMMailboxPolicy(name="Main", dial_plan="Main", allow_message_waiting_indicator=allowed)
            },
            by_mail={user.mail: user for user in users},
        )
        self.notifier = MwiNotifier(
            network.endpoint("um"), lambda: config, self.store, lambda transport: f"<sip:um;transport={transport}>"
        )

    def _answering(self, name: str) -> Callable[[ServerTransaction], None]:
        def answer(transaction: ServerTransaction) -> None:
            request = transaction.request
            if self.statuses[name] == 200:
                self.contacts.append(request.headers.get("Contact"))
                user = fields.to(request).uri.user or ""
                self.received.append((name, user, parse_summary(request.body)))
            transaction.respond_with(self.statuses[name])

        return answer

    def run(self, scene: Callable[[], Coroutine[None, None, None]]) -> None:
        async def work() -> None:
            running = [asyncio.ensure_future(work()) for work in self.notifier.works().values()]
            await scene()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

        self.loop.complete(work())


@pytest.fixture
def gateways() -> Gateways:
    return Gateways()


def test_the_first_gateway_that_takes_it_is_told_of_each_change_once(gateways: Gateways) -> None:
    async def scene() -> None:
        box = gateways.store.mailbox(ALICE)
        await asyncio.sleep(1)
        assert gateways.received == []  # there is no mailbox yet
        await box.append("voice-1", VOICE)
        gateways.notifier.changed(ALICE)  # as delivery does; the watch sees it too
        await asyncio.sleep(1)
        assert gateways.received == [("gateway1", "alice", MessageSummary(new=1))]
        assert gateways.contacts == ["<sip:um;transport=udp>"]  # ours for the transport that the gateway has
        box.remove("voice-1")
        await asyncio.sleep(1)
        assert gateways.received[1:] == [("gateway1", "alice", MessageSummary())]

    gateways.run(scene)


def test_the_users_own_pool_is_told_before_a_gateway_that_takes_everything() -> None:
    gateways = Gateways(users=[dataclasses.replace(USER, home_pool="Gateway2")])

    async def scene() -> None:
        await gateways.store.mailbox(ALICE).append("voice-1", VOICE)
        await asyncio.sleep(5)
        assert gateways.received == [("gateway2", "alice", MessageSummary(new=1))]

    gateways.run(scene)


def test_a_gateway_that_refuses_is_passed_over_and_all_are_tried_again_while_none_takes_it(gateways: Gateways) -> None:
    async def scene() -> None:
        gateways.statuses.update(gateway1=503, gateway2=503)
        await gateways.store.mailbox(ALICE).append("voice-1", VOICE)
        await asyncio.sleep(5)
        assert gateways.received == []
        gateways.statuses["gateway2"] = 200
        await asyncio.sleep(10)
        assert gateways.received == [("gateway2", "alice", MessageSummary(new=1))]

    gateways.run(scene)


def test_a_gateway_that_never_answers_holds_up_who_asks_it_first_and_nobody_else() -> None:
    names = [f"u{number}" for number in range(20)]
    gateways = Gateways(
        users=[
            dataclasses.replace(USER, account=n, mail=f"{n}@example.com", sip_address=f"sip:{n}@example.com")
            for n in names
        ]
    )
    gateways.statuses["gateway1"] = 0

    async def mail(number: int, *to: str) -> None:
        for name in to:
            await gateways.store.mailbox(f"{name}@example.com").append(f"voice-{number}", VOICE)
            gateways.notifier.changed(f"{name}@example.com")

    def told(new: int) -> set[str]:
        assert all(gateway == "gateway2" for gateway, _, _ in gateways.received)
        return {user for _, user, summary in gateways.received if summary.new == new}

    async def scene() -> None:
        await mail(1, "u0")
        await asyncio.sleep(2)  # it is seen to be silent
        await mail(1, *names[1:])
        await asyncio.sleep(1)
        assert told(1) == set(names[1:])
        await asyncio.sleep(37)  # its transaction has ended (RFC 3261 timer F: 32 s), and it is no longer passed over
        assert told(1) == set(names)
        await mail(2, *names)
        await asyncio.sleep(1)
        assert len(told(2)) == len(names) - 1

    gateways.run(scene)


def test_gateways_are_told_again_twice_a_day(gateways: Gateways, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mwi.REFRESH_S == 12 * 3600
    monkeypatch.setattr(mwi, "REFRESH_S", 60.0)

    async def scene() -> None:
        await gateways.store.mailbox(ALICE).append("voice-1", VOICE)
        await asyncio.sleep(mwi.REFRESH_S - 10)
        assert len(gateways.received) == 1
        await asyncio.sleep(20)
        assert gateways.received == [("gateway1", "alice", MessageSummary(new=1))] * 2

    gateways.run(scene)


def test_a_mailbox_that_cannot_be_read_ends_no_watch(gateways: Gateways) -> None:
    async def scene() -> None:
        box = gateways.store.mailbox(ALICE)
        await box.append("voice-1", VOICE)
        box.break_down()
        await asyncio.sleep(1)
        assert gateways.received == []
        box.broken = None
        await box.append("voice-2", VOICE)
        await asyncio.sleep(1)
        assert gateways.received == [("gateway1", "alice", MessageSummary(new=2))]

    gateways.run(scene)


def test_nobody_is_told_where_the_policy_does_not_allow_it() -> None:
    gateways = Gateways(allowed=False)

    async def scene() -> None:
        await gateways.store.mailbox(ALICE).append("voice-1", VOICE)
        await asyncio.sleep(5)
        assert gateways.received == []

    gateways.run(scene)
