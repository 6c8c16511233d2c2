"""The proxy between whole engines, over a network in memory: the flows of RFC 3665 §3 with a proxy, forking, CANCEL."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from engines import Party, Serve, World, play
from tandem.call.attempt import Attempt
from tandem.call.errors import CallFailed, Ended
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.directory.objects import MessagingServer
from tandem.org.vocabulary import ServerKind
from tandem.sip.aio.flow import Flow
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.message.message import Request
from tandem.testing.network import MemoryEndpoint, Weather
from tandem.voice.proxy.proxy import ProxiedCall, forward_in_dialog, forwarded
from tandem.voice.proxy.routes import Routes
from tandem.voice.proxy.sides import KEY_BYTES, PhoneSide
from tandem.voice.registrar.location import Binding, Location


class Proxy:
    """The proxy parts of a voice server: rings the phones that it was given, then nobody."""

    def __init__(self, world: World, phones: Sequence[str], ring_s: float = 20.0, um: Sequence[str] = ()) -> None:
        self.endpoint: MemoryEndpoint = world.network.endpoint("proxy")
        self.routes = Routes(self.endpoint, Location(), bytes(KEY_BYTES))
        self.phones, self.um = phones, um
        self.ring_s = ring_s
        self.tasks: set[asyncio.Task[None]] = set()
        self.endpoint.on_request = self.received
        self.endpoint.on_ack = lambda request, flow: self.spawn(self.acknowledged(request, flow))

    def received(self, transaction: ServerTransaction) -> Handling:
        return self.serve(transaction, forwarded(transaction.request))

    async def serve(self, transaction: ServerTransaction, work: Request) -> None:
        passage = self.routes.take(work, transaction.flow)
        if fields.to_tag(work):
            assert passage is not None
            target = self.routes.reach(passage.receiver, 0.0)
            assert target is not None
            await forward_in_dialog(self.endpoint, transaction, work, target)
            return
        caller = PhoneSide(user="alice", way=f"u5060 {transaction.flow.remote[0]}")
        call = ProxiedCall(self.endpoint, self.routes, transaction, work, caller=caller)
        bindings = [
            Binding(contact=f"sip:{name}@{name}", flow=self.endpoint.flow(name), expires_at=1e9) for name in self.phones
        ]
        if self.um:
            servers = [MessagingServer(fqdn=name, kind=ServerKind.TANDEM, sip_tls_port=5060) for name in self.um]
            refusal = await call.call_um(servers, "Main")
        else:
            refusal = await call.ring("bob", bindings, self.ring_s)
        if refusal is not None:
            call.finish(refusal)

    async def acknowledged(self, request: Request, flow: Flow) -> None:
        work = forwarded(request)
        passage = self.routes.take(work, flow)
        assert passage is not None
        target = self.routes.reach(passage.receiver, 0.0)
        assert target is not None
        await self.endpoint.send_ack(work, target)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def answers_after(seconds: float) -> Serve:
    async def serve(call: IncomingCall) -> CallLeg:
        await call.ring()
        await asyncio.sleep(seconds)
        return await call.answer()

    return serve


async def only_rings(call: IncomingCall) -> None:
    await call.ring()
    await call.cancelled.wait()


def refuses(status: int) -> Serve:
    async def serve(call: IncomingCall) -> None:
        call.refuse(status)

    return serve


def said(retry_after: str) -> Serve:
    async def serve(call: IncomingCall) -> None:
        call.refuse(503, "", ("Retry-After", retry_after))

    return serve


def cast(world: World, *serve: Serve, ring_s: float = 20.0) -> tuple[Party, list[Party]]:
    """Alice, and phones that behave so; the proxy rings them all."""
    names = [f"phone{at}" for at in range(len(serve))]
    phones = [world.party(name) for name in names]
    for phone, how in zip(phones, serve, strict=True):
        phone.serve = how
    Proxy(world, names, ring_s)
    return world.party("alice"), phones


def call(alice: Party) -> Attempt:
    return alice.place("bob", via="proxy")


def test_3_2_a_call_by_way_of_the_proxy_and_everything_within_it() -> None:
    async def scene(world: World) -> list[str]:
        alice, (bob,) = cast(world, answers_after(1))
        leg = await call(alice).answered()
        other = await bob.legs.get()
        await asyncio.sleep(1)
        await leg.hold()
        await asyncio.sleep(1)
        await other.reoffer()
        await asyncio.sleep(1)
        assert (await other.update()).status == 200
        await other.hangup()
        assert await leg.ended is Ended.REMOTE
        return world.seen("alice", "phone0")

    assert play(scene) == []


def test_every_answer_is_passed_on_and_the_caller_ends_all_but_the_first() -> None:
    async def scene(world: World) -> list[Ended]:
        alice, phones = cast(world, answers_after(1), answers_after(1.001), answers_after(1.002))
        leg = await call(alice).answered()
        legs = [await phone.legs.get() for phone in phones]
        await asyncio.sleep(2)
        assert not leg.ended.done() and not legs[0].ended.done()
        ended = [await other.ended for other in legs[1:]]
        await leg.hangup()
        return ended

    assert play(scene) == [Ended.REMOTE, Ended.REMOTE]


def test_the_other_phones_are_told_that_the_call_was_answered_elsewhere() -> None:
    async def scene(world: World) -> str:
        alice, phones = cast(world, answers_after(2), only_rings)
        told: list[str] = []
        endpoint = phones[1].endpoint
        received = endpoint.received

        def watched(data: bytes, flow: object) -> None:
            told.extend(line for line in data.decode().split("\r\n") if line.startswith("Reason: "))
            received(data, flow)  # type: ignore[arg-type]

        endpoint.received = watched  # type: ignore[method-assign,assignment]
        leg = await call(alice).answered()
        await leg.hangup()
        await world.rest()
        return told[0]

    assert "Call completed elsewhere" in play(scene)


@pytest.mark.parametrize(("statuses", "told"), [((486, 404), 486), ((408, 503), 503), ((404, 603), 603)])
def test_of_several_refusals_the_best_is_told(statuses: tuple[int, ...], told: int) -> None:
    async def scene(world: World) -> None:
        alice, _ = cast(world, *(refuses(status) for status in statuses))
        with pytest.raises(CallFailed) as failed:
            await call(alice).answered()
        assert failed.value.status == told

    play(scene)


def test_a_6xx_ends_the_ringing_everywhere() -> None:
    async def scene(world: World) -> float:
        alice, _ = cast(world, only_rings, refuses(603))
        begun = world.loop.time()
        with pytest.raises(CallFailed, match="603"):
            await call(alice).answered()
        return world.loop.time() - begun

    assert play(scene) < 1


def test_3_8_a_cancel_is_passed_on() -> None:
    async def scene(world: World) -> list[str]:
        alice, _ = cast(world, only_rings)
        attempt = call(alice)
        task = asyncio.create_task(attempt.answered())
        await attempt.ringing.wait()
        attempt.cancel()
        with pytest.raises(CallFailed, match="487"):
            await task
        await world.rest()
        return world.seen("proxy", "phone0")

    assert {"proxy CANCEL", "phone0 487 INVITE", "proxy ACK"} <= set(play(scene))


def test_an_answer_that_crosses_a_cancel_reaches_the_caller_who_ends_it() -> None:
    async def scene(world: World) -> Ended:
        alice, (bob,) = cast(world, answers_after(2))
        attempt = call(alice)
        task = asyncio.create_task(attempt.answered())
        await asyncio.sleep(2.002)  # by now the phone is answering
        attempt.cancel()
        with pytest.raises(CallFailed, match="487"):
            await task
        return await (await bob.legs.get()).ended

    assert play(scene) is Ended.REMOTE


def test_phones_that_nobody_takes_up_are_cancelled_after_the_time() -> None:
    async def scene(world: World) -> float:
        alice, _ = cast(world, only_rings, ring_s=5.0)
        begun = world.loop.time()
        with pytest.raises(CallFailed, match="408"):
            await call(alice).answered()
        return world.loop.time() - begun

    assert 5 <= play(scene) < 6


def test_a_dead_phone_holds_nobody_up() -> None:
    async def scene(world: World) -> None:
        alice, phones = cast(world, only_rings, answers_after(1))
        world.network.lose = lambda sent: "phone0" in (sent.source, sent.destination)
        leg = await call(alice).answered()
        await asyncio.sleep(40)
        await leg.hangup()
        del phones

    play(scene)


@pytest.mark.parametrize("seed", range(40))
def test_over_a_bad_network_every_call_through_the_proxy_ends(seed: int) -> None:
    weather = Weather(loss=0.3, repeated=0.2, shortest_s=0.001, longest_s=0.7)

    async def scene(world: World) -> None:
        alice, _ = cast(world, answers_after(1), answers_after(1.2), refuses(486))
        try:
            leg = await call(alice).answered()
        except CallFailed:
            return
        await asyncio.sleep(3)
        await leg.hangup()

    play(scene, seed=seed, weather=weather)


@pytest.mark.parametrize(
    ("serve", "first_s", "avoided_s"),
    [(None, 5, 60), (refuses(503), 0, 60), (said("120"), 0, 120), (said("7 (soon)"), 0, 7)],
    ids=["silent", "503", "503 for two minutes", "503 for seven seconds"],
)
def test_a_um_server_that_failed_comes_last_for_a_while(serve: Serve | None, first_s: int, avoided_s: int) -> None:
    async def scene(world: World) -> None:
        um1, um2, alice = world.party("um1"), world.party("um2"), world.party("alice")
        Proxy(world, (), um=["um1", "um2"])
        if serve is None:
            world.network.lose = lambda sent: sent.destination == "um1"
        else:
            um1.serve = serve

        async def calls() -> float:
            begun = world.loop.time()
            leg = await call(alice).answered()
            took = world.loop.time() - begun
            await um2.legs.get()
            await leg.hangup()
            return took

        assert first_s <= await calls() < first_s + 1
        asked = len(um1.incoming), sum(sent.destination == "um1" for sent in world.network.log)
        await asyncio.sleep(avoided_s - 2 - first_s)
        assert await calls() < 1
        assert len(um1.incoming) == asked[0]
        await asyncio.sleep(3 + first_s)
        um1.serve, world.network.lose = answers_after(0), lambda sent: False
        leg = await call(alice).answered()
        await um1.legs.get()
        await leg.hangup()

    play(scene)


def test_a_um_server_that_refused_one_call_is_asked_the_next_time() -> None:
    async def scene(world: World) -> None:
        um1, um2, alice = world.party("um1"), world.party("um2"), world.party("alice")
        Proxy(world, (), um=["um1", "um2"])
        um1.serve = refuses(500)
        for _ in range(2):
            leg = await call(alice).answered()
            await um2.legs.get()
            await leg.hangup()
        assert len(um1.incoming) == 2

    play(scene)
