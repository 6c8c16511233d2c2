"""Two legs bridged, on the network in memory: what one peer does, the other one is told."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from engines import Party, Serve, World, hop, play
from tandem.call.bridge import BridgedCall
from tandem.call.calls import Calls
from tandem.call.errors import CallFailed, Ended
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.message.message import Headers, Request, Response
from tandem.sip.sdp.offer import Encryption
from tandem.testing.media import QuietMedia


class Bridged:
    """Alice calls Bob by way of a bridge."""

    def __init__(self, world: World, serve: Serve, **more: object) -> None:
        self.world = world
        self.alice, self.bob, self.pbx = (world.party(name) for name in ("alice", "bob", "pbx"))
        self.bob.serve = serve
        self.pbx.serve = self._bridge
        self._more = more

    async def _bridge(self, incoming: IncomingCall) -> None:
        await BridgedCall(incoming, self.pbx.place("bob", **self._more)).run()

    @property
    def joined(self) -> bool:
        """Whether the peers hear each other."""
        first, second = self.pbx.media.sessions
        # the callee's is opened first; the engine bridges sessions of one worker only
        return second.beside is first and first.bridged_with is second and second.bridged_with is first

    async def talking(self) -> tuple[CallLeg, CallLeg]:
        """The legs of both peers, once the call is answered."""
        leg = await self.alice.place("pbx").answered()
        other = await self.bob.legs.get()
        await asyncio.sleep(0.1)
        return leg, other


def bridged(scene: Callable[[Bridged], Awaitable[object]], serve: Serve | None = None) -> list[str]:
    async def whole(world: World) -> list[str]:
        await scene(Bridged(world, serve or answers))
        await world.rest()
        return world.seen()

    return play(whole)


async def answers(call: IncomingCall) -> CallLeg:
    await call.ring()
    await asyncio.sleep(1)
    return await call.answer()


async def early(call: IncomingCall) -> CallLeg:
    await call.progress()
    await asyncio.sleep(3)
    return await call.answer()


async def only_rings(call: IncomingCall) -> None:
    await call.ring()
    await call.cancelled.wait()


def directions(leg: CallLeg) -> tuple[str, str]:
    assert leg.negotiation.ours is not None and leg.negotiation.theirs is not None
    return leg.negotiation.ours.direction, leg.negotiation.theirs.direction


@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_a_bye_from_either_side_ends_both_legs(ends: str) -> None:
    async def scene(world: Bridged) -> None:
        leg, other = await world.talking()
        assert world.joined
        first, second = (leg, other) if ends == "caller" else (other, leg)
        await first.hangup()
        assert await second.ended is Ended.REMOTE

    seen = bridged(scene)
    assert seen.index("bob 180 INVITE") < seen.index("pbx 180 INVITE") < seen.index("bob 200 INVITE")
    assert seen.count("pbx BYE") == 1


@pytest.mark.parametrize("reliable", [True, False])
def test_early_media_is_passed_on_before_the_answer(reliable: bool) -> None:
    async def scene(world: Bridged) -> None:
        extra = (("Supported", "100rel"),) if reliable else ()
        attempt = world.alice.place("pbx", headers=extra)
        answered = asyncio.create_task(attempt.answered())
        await attempt.ringing.wait()
        await asyncio.sleep(1)
        assert not answered.done() and world.joined
        (leg,) = attempt.early.values()
        assert leg.negotiation.theirs is not None
        leg = await answered
        await leg.hangup()
        assert await (await world.bob.legs.get()).ended is Ended.REMOTE

    seen = bridged(scene, early)
    assert seen.index("pbx 183 INVITE") < seen.index("bob 200 INVITE") < seen.index("pbx 200 INVITE")


def test_a_hold_and_its_end_are_passed_on_in_both_directions() -> None:
    async def scene(world: Bridged) -> None:
        leg, other = await world.talking()
        for first, second in ((leg, other), (other, leg)):
            await first.hold()
            assert directions(first) == ("sendonly", "recvonly")
            assert directions(second) == ("recvonly", "sendonly")
            await first.resume()
            assert directions(first) == directions(second) == ("sendrecv", "sendrecv")
        await leg.hangup()

    bridged(scene)


def test_both_hold_and_each_hears_of_it_when_it_is_over() -> None:
    async def scene(world: Bridged) -> None:
        leg, other = await world.talking()
        await leg.hold()
        await other.hold()
        assert {directions(leg)[1], directions(other)[1]} <= {"sendonly", "inactive"}
        await leg.resume()
        assert directions(leg)[1] == "sendonly"  # the other one still holds
        await other.resume()
        assert directions(leg)[0] == directions(other)[0] == "sendrecv"
        await leg.hangup()

    bridged(scene)


def test_a_hold_by_update_is_passed_on() -> None:
    async def scene(world: Bridged) -> None:
        leg, other = await world.talking()
        leg.negotiation.direction = "sendonly"
        assert (await leg.update(offer=True)).status == 200
        assert directions(other) == ("recvonly", "sendonly")
        await leg.hangup()

    bridged(scene)


def test_holds_from_both_sides_at_once_come_to_an_end() -> None:
    async def scene(world: Bridged) -> None:
        leg, other = await world.talking()
        await asyncio.gather(leg.hold(), other.hold())
        assert not leg.is_over and not other.is_over
        await leg.hangup()
        assert await other.ended is Ended.REMOTE

    bridged(scene)


def test_a_reinvite_that_changes_no_direction_is_answered_without_the_other_peer() -> None:
    async def scene(world: Bridged) -> None:
        leg, _ = await world.talking()
        before = world.world.seen("pbx", "bob")
        await leg.reoffer()
        await leg.reoffer(offer=False)
        assert world.world.seen("pbx", "bob") == before
        await leg.hangup()

    bridged(scene)


def test_a_hold_that_the_other_peer_refuses_is_refused_and_changes_nothing() -> None:
    async def scene(world: Bridged) -> None:
        leg, other = await world.talking()

        class Refuses:
            async def reoffered(self, direction: str) -> str:
                raise CallFailed(488, "Not Acceptable Here")

            async def relayed(self, request: Request) -> Response | None:
                return None

        other.other_side = Refuses()
        with pytest.raises(CallFailed, match="488"):
            await leg.hold()
        await leg.resume()
        assert directions(leg) == directions(other) == ("sendrecv", "sendrecv")
        await leg.hangup()

    bridged(scene)


def test_a_bye_during_a_hold_that_is_being_passed_on_ends_both_legs() -> None:
    async def scene(world: Bridged) -> None:
        leg, other = await world.talking()
        world.world.network.lose = lambda sent: sent.what == "INVITE" and sent.destination == "bob"
        hold = asyncio.create_task(leg.hold())
        await asyncio.sleep(1)
        await leg.hangup()
        assert await other.ended is Ended.REMOTE
        with pytest.raises(CallFailed):
            await hold

    bridged(scene)


def test_an_info_is_passed_on_with_its_body_and_so_is_its_response() -> None:
    async def scene(world: Bridged) -> None:
        leg, other = await world.talking()
        digits: list[str] = []
        other.negotiation.media.on_digit = digits.append
        assert (await leg.send_info("application/dtmf-relay", b"Signal=5\r\n")).status == 200
        assert (await leg.send_info("application/x-ours", b"5")).status == 415
        assert digits == ["5"]
        await other.hangup()

    bridged(scene)


@pytest.mark.parametrize("status", [404, 486, 503, 603])
def test_a_refusal_is_passed_on(status: int) -> None:
    async def refuses(call: IncomingCall) -> None:
        call.refuse(status)

    async def scene(world: Bridged) -> None:
        with pytest.raises(CallFailed) as failed:
            await world.alice.place("pbx").answered()
        assert failed.value.status == status

    bridged(scene, refuses)


def test_a_caller_who_gives_up_stops_the_ringing() -> None:
    async def scene(world: Bridged) -> None:
        attempt = world.alice.place("pbx")
        answered = asyncio.create_task(attempt.answered())
        await attempt.ringing.wait()
        attempt.cancel()
        with pytest.raises(CallFailed, match="487"):
            await answered

    assert {"pbx CANCEL", "bob 487 INVITE"} <= set(bridged(scene, only_rings))


def test_a_bye_within_the_early_dialog_stops_the_ringing_too() -> None:
    async def rings(call: IncomingCall) -> None:
        await call.progress()
        await call.cancelled.wait()

    async def scene(world: Bridged) -> None:
        attempt = world.alice.place("pbx")
        answered = asyncio.create_task(attempt.answered())
        await attempt.ringing.wait()
        await asyncio.sleep(1)
        (leg,) = attempt.early.values()
        await leg.request("BYE")
        with pytest.raises(CallFailed, match="487"):
            await answered

    assert {"pbx CANCEL", "bob 487 INVITE"} <= set(bridged(scene, rings))


def test_an_answer_that_crosses_the_cancel_is_ended() -> None:
    async def scene(world: Bridged) -> None:
        attempt = world.alice.place("pbx")
        answered = asyncio.create_task(attempt.answered())
        await attempt.ringing.wait()
        await asyncio.sleep(0.99)  # Bob answers while the CANCEL is on its way to him
        attempt.cancel()
        with pytest.raises(CallFailed, match="487"):
            await answered
        assert await (await world.bob.legs.get()).ended is Ended.REMOTE

    bridged(scene)


def test_what_the_two_cannot_agree_on_is_refused_and_the_other_leg_hung_up() -> None:
    async def scene(world: Bridged) -> None:
        world.alice.policy = type(world.alice.policy)(host="127.0.0.1", encryption=Encryption.REQUIRE)
        with pytest.raises(CallFailed, match="488"):
            await world.alice.place("pbx").answered()

    bridged(scene)


def test_a_bridge_that_is_cancelled_ends_both_legs() -> None:
    async def scene(world: Bridged) -> None:
        leg, other = await world.talking()
        await world.pbx.endpoint.handlers.cancel()
        assert await leg.ended is Ended.REMOTE and await other.ended is Ended.REMOTE

    bridged(scene)


def test_calls_share_an_endpoint_with_a_proxy() -> None:
    async def scene(world: World) -> None:
        alice = world.party("alice")
        endpoint = world.network.endpoint("server")
        calls = Calls(endpoint, contact=lambda flow: "<sip:server@server>", media=QuietMedia(), shared=True)
        proxied: list[str] = []

        def application(transaction: ServerTransaction) -> Handling:
            proxied.append(transaction.request.method)
            if transaction.request.method == "INVITE":
                return calls.answer(transaction, alice.policy)
            transaction.respond_with(202)
            return None

        endpoint.on_request = application
        leg = await alice.place("server").answered()
        await asyncio.sleep(1)
        assert (await leg.ask()).status == 200  # within the call: its leg's
        assert (await alice.ask("OPTIONS", "server")).status == 202
        stray = Request(method="INFO", uri="sip:server@server", headers=_stray(alice))
        assert (
            await (await alice.endpoint.send(stray, hop("server"))).final()
        ).status == 202  # of another dialog: not ours
        assert proxied == ["INVITE", "OPTIONS", "INFO"]
        await leg.hangup()

    play(scene)


def _stray(party: Party) -> Headers:
    name = party.endpoint.host
    headers = [("Max-Forwards", "70"), ("From", f"<sip:{name}@{name}>;tag=1"), ("To", "<sip:server@server>;tag=2")]
    return Headers([*headers, ("Call-ID", "stray"), ("CSeq", "1 INFO")])
