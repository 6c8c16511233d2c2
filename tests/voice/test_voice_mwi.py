"""Message waiting at the voice server: whom UM may tell it of, the phones that are told, and what many users cost."""

import copy
import dataclasses
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from tandem.admin.trial.demo import CALLED, CALLER, POOL, UM
from tandem.sip.aio.flow import OnClose
from tandem.sip.headers.mwi import MessageSummary, unsolicited_notify
from tandem.sip.machines.dialog import Dialog, DialogState
from tandem.sip.machines.subscription import Notifier
from tandem.voice.mwi import EVENT
from tandem.voice.subscriptions import MAX_SUBSCRIPTIONS, Subscription, Subscriptions
from voice.pool import Handset, Pool, handsets

TWO = MessageSummary(new=2)


class Connection:
    """A connection whose peer proved these names, without a socket; ``sent`` is what we answer."""

    transport, local, remote = "tcp", ("127.0.0.1", 5061), ("127.0.0.9", 40_000)
    closed = False

    def __init__(self, *names: str) -> None:
        self.peer_names = frozenset(names)
        self.on_close = OnClose()
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)


def notify(pool: Pool, address: str, call_id: str = "n1", summary: MessageSummary = TWO) -> str:
    """A NOTIFY of the UM server; the first line of the answer."""
    account = f"sip:{address}"
    request = unsolicited_notify(
        summary, uri=account, account=account, contact="<sip:um>", from_tag="1", call_id=call_id
    )
    request.headers.prepend("Via", f"SIP/2.0/TLS {UM};branch=z9hG4bK{call_id}")
    flow = Connection(UM)
    pool.server.endpoint.received(request.to_bytes(), flow)  # type: ignore[arg-type]
    return flow.sent[0].decode().partition("\r\n")[0]


TEMPLATE = Dialog(
    call_id="s",
    local="<sip:x@y>;tag=1",
    remote="<sip:x@y>;tag=2",
    tags=("1", "2"),
    target="sip:x@y",
    route_set=[],
    local_cseq=0,
    is_caller=False,
    state=DialogState.CONFIRMED,
)


def held(user: str, flow: Any, *, expires_s: int = 3600, now: float = 0.0, call_id: str = "s") -> Subscription:
    dialog = copy.copy(TEMPLATE)
    dialog.call_id = f"{call_id}{user}"
    dialog.key = (dialog.call_id, "1", "2")
    return Subscription(user=user, dialog=dialog, flow=flow, notifier=Notifier(EVENT, expires_s=expires_s, now=now))


def opcodes(work: Callable[[], object]) -> int:
    """How many steps of Python's machine some work takes: as many on a slow machine as on a fast one."""
    counted = 0

    def traced(frame: FrameType, what: str, argument: object) -> Any:
        nonlocal counted
        frame.f_trace_opcodes = True
        counted += what == "opcode"
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        work()
    finally:
        sys.settrace(before)
    return counted


@pytest.mark.slow
async def test_a_notify_and_a_subscription_cost_the_same_with_20_000_users_as_with_200(pool: Pool) -> None:
    relay, now, flow = pool.server._mwi, pool.server.clock.now(), Connection()
    subscriptions = relay._subscriptions
    notify(pool, CALLED, "warm")
    taken = []
    for begin, end in ((0, 200), (200, 20_000)):
        for number in range(begin, end):
            user = f"u{number}@example.com"
            pool.server._summaries.put(user, TWO)
            subscriptions.keep(held(user, flow, now=now), now)
        told = opcodes(lambda end=end: notify(pool, CALLED, f"n{end}"))  # type: ignore[misc]
        kept = opcodes(lambda end=end: subscriptions.keep(held(CALLER, flow, now=now, call_id=f"{end}"), now))  # type: ignore[misc]
        taken.append((told, kept))
    assert len(subscriptions) == 20_002
    for few, many in zip(*taken, strict=True):
        assert many < few * 1.2, taken


def test_subscriptions_that_ended_go_as_others_come_and_with_their_connection() -> None:
    subscriptions = Subscriptions()
    for number in range(30):
        subscriptions.keep(held(f"u{number}", Connection(), expires_s=60), 0.0)
    refreshed = subscriptions.of("u0", 1.0)[0]
    refreshed.notifier.refreshed(600, 30.0)
    for number in range(12):
        subscriptions.keep(held(f"v{number}", Connection(), now=61.0), 61.0)
    assert len(subscriptions) == 1 + 12
    assert subscriptions.of("u0", 61.0) == [refreshed]
    flow = Connection()
    subscriptions.moved(refreshed, flow)  # type: ignore[arg-type]
    flow.on_close.run()
    assert subscriptions.of("u0", 61.0) == []


def test_of_one_user_the_oldest_subscription_gives_way() -> None:
    subscriptions, flow = Subscriptions(), Connection()
    for number in range(MAX_SUBSCRIPTIONS + 5):
        subscriptions.keep(held("alice", flow, call_id=f"{number}-"), 0.0)
    assert len(subscriptions) == len(subscriptions.of("alice", 0.0)) == len(flow.on_close) == MAX_SUBSCRIPTIONS
    assert subscriptions.of("alice", 0.0)[0].dialog.call_id == "5-alice"


async def test_a_phone_that_registered_and_did_not_subscribe_is_told_by_way_of_its_proxies(pool: Pool) -> None:
    alice = Handset(pool, CALLED)
    await alice.connect()
    await alice.register(("Path", "<sip:edge.example.com;lr>"))
    assert notify(pool, CALLED) == "SIP/2.0 200 OK"
    told = await alice.received("NOTIFY")
    assert told.headers.all("Route") == ["<sip:edge.example.com;lr>"]
    assert b"Voice-Message: 2/0" in told.body
    assert told.headers.get("Contact") == f"<sip:{POOL}:{pool.ports['tcp']};transport=tcp>"
    await alice.endpoint.close()


async def test_a_subscription_is_challenged_as_by_a_user_agent_server_and_told_at_once(pool: Pool) -> None:
    alice = Handset(pool, CALLED)
    async with handsets(pool, alice):
        subscribe = alice.request("SUBSCRIBE", f"sip:{CALLED}", ("Event", "message-summary"))
        # RFC 3261 §22.2: a user agent server, which the server is for a subscription, asks by 401.
        assert (await alice.ask(subscribe, prove=False)).status == 401
        assert (await alice.ask(subscribe)).status == 200
        assert (await alice.received("NOTIFY")).headers.get("Event") == "message-summary"


async def test_each_pool_takes_the_state_of_its_own_users_only(pool: Pool) -> None:
    following = pool.server.following
    users = dict(following.config.users)
    users[CALLED] = dataclasses.replace(users[CALLED], home_pool="pool2.example.com")
    following.config = dataclasses.replace(following.config, users=users)
    assert notify(pool, CALLED) == "SIP/2.0 404 Not Found"
    assert notify(pool, CALLER, "n2") == "SIP/2.0 200 OK"
