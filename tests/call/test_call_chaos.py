"""Two whole engines over a network that loses, repeats and reorders: whatever they do, everything ends."""

import asyncio
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines import World, play
from tandem.call.errors import CallFailed
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.sip.errors import OutOfTurn
from tandem.testing.network import Weather

moments = st.floats(0, 12, allow_nan=False)
weathers = st.builds(
    Weather,
    loss=st.sampled_from([0.0, 0.1, 0.3, 0.6]),
    repeated=st.sampled_from([0.0, 0.2, 0.5]),
    shortest_s=st.just(0.001),
    longest_s=st.sampled_from([0.001, 0.1, 0.7, 3.0]),
)
deeds = st.lists(
    st.tuples(moments, st.sampled_from(["hold", "resume", "update", "offer", "ask", "offerless"])), max_size=4
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What both sides do, and when."""

    serve: str
    answer_after_s: float
    cancel_after_s: float | None
    caller: list[tuple[float, str]]
    callee: list[tuple[float, str]]
    caller_ends_s: float | None
    callee_ends_s: float | None
    offer: bool
    required: bool


plans = st.builds(
    Plan,
    serve=st.sampled_from(["answer", "ring", "early", "refuse", "silent", "redirect"]),
    answer_after_s=moments,
    cancel_after_s=st.none() | moments,
    caller=deeds,
    callee=deeds,
    caller_ends_s=st.none() | moments,
    callee_ends_s=st.none() | moments,
    offer=st.booleans(),
    required=st.booleans(),
)


async def live(leg: CallLeg, steps: list[tuple[float, str]], ends_s: float | None) -> None:
    """Do this on a call, and hang up if that is meant; without, silence will end it."""
    deed = {
        "hold": leg.hold,
        "resume": leg.resume,
        "update": leg.update,
        "offer": lambda: leg.update(offer=True),
        "ask": leg.ask,
        "offerless": lambda: leg.reoffer(offer=False),
    }
    for after_s, name in steps:
        await asyncio.sleep(after_s)
        try:
            await deed[name]()
        except (CallFailed, OutOfTurn):
            pass
    if ends_s is not None:
        await asyncio.sleep(ends_s)
        await leg.hangup()


async def serve(call: IncomingCall, plan: Plan) -> None:
    match plan.serve:
        case "ring" | "answer":
            await call.ring()
        case "early":
            await call.progress()
    await asyncio.sleep(plan.answer_after_s)
    match plan.serve:
        case "refuse":
            call.refuse(486)
        case "redirect":
            call.redirect("sip:bob@second")
        case "silent":
            await asyncio.sleep(40)
            call.refuse(480)
        case "ring":
            await asyncio.sleep(60)
            call.refuse(408)
        case _:
            await live(await call.answer(), plan.callee, plan.callee_ends_s)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**16), weather=weathers, plan=plans)
def test_whatever_two_engines_do_and_the_network_does_everything_ends(seed: int, weather: Weather, plan: Plan) -> None:
    async def scene(world: World) -> None:
        alice, bob = world.party("alice"), world.party("bob")
        bob.serve = lambda call: serve(call, plan)
        required = (("Require", "100rel"),) if plan.required else ()
        attempt = alice.place("bob", headers=required, offer=plan.offer, redirects=2)
        if plan.cancel_after_s is not None:
            world.loop.call_later(plan.cancel_after_s, attempt.cancel)
        try:
            leg = await attempt.answered()
        except CallFailed:
            return
        await live(leg, plan.caller, plan.caller_ends_s)
        await asyncio.wait([leg.ended], timeout=4000)  # a call on hold that is refreshed may last as long as it likes
        await leg.hangup()

    play(scene, seed=seed, weather=weather)
