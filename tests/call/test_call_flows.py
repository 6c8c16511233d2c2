"""The session establishment flows of RFC 3665 §3, between two whole engines; names are the RFC's."""

import asyncio

from engines import World, play
from tandem.call.incoming import Incoming
from tandem.call.leg import CallLeg, Ended


async def ring_then_answer(call: Incoming) -> CallLeg:
    await call.ring()
    await asyncio.sleep(2)
    return await call.answer()


def test_3_1_a_session_is_established_and_ended() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = world.party("alice"), world.party("bob")
        bob.serve = ring_then_answer
        leg = await alice.place("bob").answered()
        other = await bob.legs.get()
        await asyncio.sleep(3)
        await other.hangup()
        assert await leg.ended is Ended.REMOTE and await other.ended is Ended.LOCAL
        return world.seen()

    assert play(scene) == [
        "alice INVITE",
        "bob 180 INVITE",
        "bob 200 INVITE",
        "alice ACK",
        "bob BYE",
        "alice 200 BYE",
    ]
