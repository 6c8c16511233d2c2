"""Reliable provisional responses, UPDATE, session timers, forking, transfers: between whole engines."""

import asyncio

import pytest

from engines import Party, World, play
from tandem.call.attempt import Attempt
from tandem.call.errors import CallFailed, Ended
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.call.transfer import Referred, transfer
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import OutOfTurn
from tandem.sip.headers.refer import Refer
from tandem.testing.media import QuietSession

RELIABLY = (("Require", "100rel"),)


def parties(world: World) -> tuple[Party, Party]:
    return world.party("alice"), world.party("bob")


def stream_port(leg: CallLeg) -> int:
    assert isinstance(leg.media, QuietSession)
    return leg.media.streams[-1].port


def talk(*legs: CallLeg) -> None:
    for leg in legs:
        assert isinstance(leg.media, QuietSession)
        leg.media.talks = True


async def early(call: IncomingCall) -> CallLeg:
    await call.progress()
    await asyncio.sleep(3)
    return await call.answer()


# RFC 3262


def test_early_media_is_agreed_on_reliably_and_the_200_says_nothing_more() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = parties(world)
        bob.serve = early
        attempt = alice.place("bob")
        task = asyncio.create_task(attempt.answered())
        await asyncio.sleep(1)
        (ringing,) = attempt.early.values()
        assert stream_port(ringing) == 40_000 and bob.media.sessions[0].streams
        leg = await task
        assert leg is ringing
        await leg.hangup()
        return world.seen()

    assert play(scene)[:7] == [
        "alice INVITE",
        "bob 183 INVITE",
        "alice PRACK",
        "bob 200 PRACK",
        "bob 200 INVITE",
        "alice ACK",
        "alice BYE",
    ]


@pytest.mark.parametrize("offer", [True, False], ids=["offer", "no-offer"])
def test_a_caller_may_require_that_ringing_is_reliable(offer: bool) -> None:
    async def ring_then_answer(call: IncomingCall) -> CallLeg:
        await call.ring()
        await asyncio.sleep(2)
        return await call.answer()

    async def scene(world: World) -> list[str]:
        alice, bob = parties(world)
        bob.serve = ring_then_answer
        leg = await alice.place("bob", headers=RELIABLY, offer=offer).answered()
        other = await bob.legs.get()
        await asyncio.sleep(1)
        assert stream_port(leg) == other.media.port and stream_port(other) == leg.media.port
        await leg.hangup()
        return world.seen()

    assert play(scene)[:4] == ["alice INVITE", "bob 180 INVITE", "alice PRACK", "bob 200 PRACK"]


def test_a_provisional_response_comes_again_until_its_prack_and_the_200_waits_for_it() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = parties(world)
        bob.serve = early
        world.network.lose = lambda sent: sent.what == "PRACK" and sent.at < 1006
        await (await alice.place("bob").answered()).hangup()
        return [what for what in world.seen() if "PRACK" in what or "INVITE" in what]

    seen = play(scene)
    assert seen.count("bob 183 INVITE") == 5  # at 0, 0.5, 1.5, 3.5, 7.5 s; then the PRACK comes through
    assert seen.index("bob 200 PRACK") < seen.index("bob 200 INVITE")


def test_a_reliable_response_whose_number_cannot_be_read_gets_no_prack_and_ends_nothing() -> None:
    async def odd(transaction: ServerTransaction) -> None:
        said = (("Contact", "<sip:bob@bob>"), ("Require", "100rel"), ("RSeq", "one"))
        transaction.respond_with(183, headers=said)
        await asyncio.sleep(1)
        transaction.respond_with(486)

    async def scene(world: World) -> list[str]:
        alice, bob = parties(world)
        bob.calls.on_request = odd
        with pytest.raises(CallFailed, match="486"):
            await alice.place("bob").answered()
        return world.seen()

    assert play(scene) == ["alice INVITE", "bob 183 INVITE", "bob 486 INVITE", "alice ACK"]


def test_without_a_prack_the_call_is_refused() -> None:
    async def scene(world: World) -> None:
        alice, bob = parties(world)
        bob.serve = early
        world.network.lose = lambda sent: sent.what == "PRACK"
        with pytest.raises(CallFailed, match="504"):
            await alice.place("bob").answered()

    play(scene)


def test_a_prack_for_nothing_is_refused() -> None:
    async def scene(world: World) -> None:
        alice, bob = parties(world)
        bob.serve = early
        attempt = alice.place("bob")
        task = asyncio.create_task(attempt.answered())
        await asyncio.sleep(1)
        (ringing,) = attempt.early.values()
        assert (await ringing.request("PRACK", headers=(("RAck", "1 1 INVITE"),))).status == 481
        assert (await ringing.request("PRACK", headers=(("RAck", "nonsense"),))).status == 400
        await asyncio.gather(task, return_exceptions=True)

    play(scene)


# RFC 3311


def test_update_moves_media_before_and_after_the_answer_from_either_side() -> None:
    async def scene(world: World) -> None:
        alice, bob = parties(world)
        bob.serve = early
        attempt = alice.place("bob")
        task = asyncio.create_task(attempt.answered())
        await asyncio.sleep(1)
        (ringing,) = attempt.early.values()
        assert (await ringing.update(offer=True)).status == 200
        leg = await task
        other = await bob.legs.get()
        assert (await other.update(offer=True)).status == 200
        assert (await leg.update()).status == 200
        await leg.hangup()

    play(scene)


def test_offers_that_cross_are_refused_with_491_and_made_again() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = parties(world)
        leg = await alice.place("bob").answered()
        other = await bob.legs.get()
        await asyncio.sleep(1)
        await asyncio.gather(leg.hold(), other.hold())
        await leg.hangup()
        return world.seen()

    seen = play(scene)
    assert seen.count("bob 491 INVITE") == seen.count("alice 491 INVITE") == 1
    assert seen.count("bob 200 INVITE") == 2 and seen.count("alice 200 INVITE") == 1


def test_a_second_offer_of_ours_before_the_answer_is_a_mistake() -> None:
    async def scene(world: World) -> None:
        alice, bob = parties(world)
        leg = await alice.place("bob").answered()
        await asyncio.sleep(1)
        first = asyncio.create_task(leg.hold())
        await asyncio.sleep(0)
        with pytest.raises(OutOfTurn):
            await leg.reoffer()
        await first
        await leg.hangup()
        del bob

    play(scene)


# RFC 4028


def test_a_session_is_refreshed_by_update_at_half_its_time_and_lasts() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = parties(world)
        leg = await alice.place("bob").answered()
        other = await bob.legs.get()
        talk(leg, other)
        await asyncio.sleep(4 * 1800 + 10)
        assert not leg.ended.done() and not other.ended.done()
        await leg.hangup()
        return world.seen()

    assert play(scene).count("alice UPDATE") == 8


def test_a_peer_without_update_is_asked_by_re_invite() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = parties(world)
        leg = await alice.place("bob").answered()
        other = await bob.legs.get()
        talk(leg, other)
        leg.peer_allows = frozenset({"invite"})
        await asyncio.sleep(1810)
        await leg.hangup()
        return world.seen()

    assert play(scene).count("alice INVITE") == 3


def test_a_session_that_is_not_refreshed_ends_on_both_sides() -> None:
    async def scene(world: World) -> tuple[Ended, Ended, float]:
        alice, bob = parties(world)
        leg = await alice.place("bob").answered()
        other = await bob.legs.get()
        talk(leg, other)
        await asyncio.sleep(1)
        begun = world.loop.time()
        world.network.lose = lambda sent: True
        ended = await leg.ended, await other.ended
        return *ended, world.loop.time() - begun

    mine, theirs, after = play(scene)
    assert mine is Ended.FAILED and theirs is Ended.LAPSED  # the one asked and got no answer, the other was not asked
    assert 1760 < after < 1770


def test_a_short_session_is_refused_with_422_and_asked_for_again() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = parties(world)

        async def serve(call: IncomingCall) -> CallLeg | None:
            if len(bob.incoming) == 1:
                call.refuse(422, "", ("Min-SE", "3600"))
                return None
            return await call.answer()

        bob.serve = serve
        leg = await alice.place("bob").answered()
        await leg.hangup()
        return [request.headers.get("Session-Expires") or "" for request in bob.incoming]

    assert play(scene) == ["1800", "3600"]


# Forking (RFC 3261 §13.2.2.4, §16.7)


class Fork:
    """A proxy that sends one INVITE to several, statelessly; it serves as the network between alice and them."""

    def __init__(self, world: World, *hosts: str) -> None:
        self.hosts = hosts
        carry = world.network.carry

        def forked(source: str, destination: str, data: bytes) -> None:
            if destination != "all":
                carry(source, destination, data)
                return
            for host in hosts:
                carry(source, host, data)

        world.network.carry = forked  # type: ignore[method-assign]


def test_each_phone_that_answers_gets_its_ack_and_all_but_the_first_a_bye() -> None:
    async def scene(world: World) -> tuple[Attempt, list[str], list[Ended]]:
        alice = world.party("alice")
        phones = [world.party(f"phone{at}") for at in range(3)]
        Fork(world, *(phone.endpoint.host for phone in phones))
        for at, phone in enumerate(phones):

            async def serve(call: IncomingCall, at: int = at) -> CallLeg:
                await (call.progress() if at == 1 else call.ring())
                await asyncio.sleep(1 + at / 1000)
                return await call.answer()

            phone.serve = serve
        attempt = alice.place("all")
        leg = await attempt.answered()
        others = [await phone.legs.get() for phone in phones]
        await asyncio.sleep(5)
        assert leg.dialog.key[2] == others[0].dialog.key[1] and not leg.ended.done()
        ended = [await other.ended for other in others[1:]]
        await leg.hangup()
        return attempt, world.seen(), ended

    attempt, seen, ended = play(scene)
    assert sorted(attempt.provisional) == [180, 180, 183]  # all at the same moment, in no order
    assert ended == [Ended.REMOTE, Ended.REMOTE]
    assert seen.count("alice ACK") == 3 and seen.count("alice BYE") == 3


# RFC 3891


def test_a_call_takes_the_place_of_another() -> None:
    async def scene(world: World) -> Ended:
        alice, bob = parties(world)
        carol = world.party("carol")
        leg = await alice.place("bob").answered()
        before = await bob.legs.get()
        await asyncio.sleep(1)
        call_id, local, remote = leg.dialog.key
        header = ("Replaces", f"{call_id};to-tag={remote};from-tag={local}")
        taken = await carol.place("bob", headers=(header,)).answered()
        ended = await before.ended
        assert await leg.ended is Ended.REMOTE
        await taken.hangup()
        with pytest.raises(CallFailed, match="481"):
            await carol.place("bob", headers=(header,)).answered()
        return ended

    assert play(scene) is Ended.LOCAL


def test_requests_of_a_leg_that_nobody_takes_are_refused() -> None:
    async def scene(world: World) -> None:
        alice, _ = parties(world)
        leg = await alice.place("bob").answered()
        statuses = [(await leg.request(method)).status for method in ("REFER", "NOTIFY", "MESSAGE")]
        assert statuses == [603, 481, 405] or leg.ended.done()
        await leg.hangup()

    play(scene)


# RFC 3515


def follows(party: Party, leg: CallLeg) -> None:
    """This party calls whom its peer on this leg names."""

    async def place(wanted: Refer) -> None:
        headers = (("Replaces", wanted.replaces.value()),) if wanted.replaces else ()
        await party.place(
            wanted.uri.partition("@")[2], headers=(*headers, ("Referred-By", wanted.referred_by))
        ).answered()

    leg.on_refer = lambda transaction: Referred(leg, transaction).accept(place)


def test_a_blind_transfer_is_followed_to_its_end() -> None:
    async def scene(world: World) -> list[int]:
        alice, bob = parties(world)
        carol = world.party("carol")
        leg = await alice.place("bob").answered()
        follows(bob, await bob.legs.get())
        following = await transfer(leg, "sip:carol@carol", referred_by="<sip:alice@alice>")
        assert await following.done == 200
        await leg.hangup()
        assert carol.incoming[0].headers.get("Referred-By") == "<sip:alice@alice>"
        await (await carol.legs.get()).hangup()
        return following.progress

    assert play(scene) == [100, 200]


def test_a_transfer_that_fails_is_told_and_the_call_goes_on() -> None:
    async def scene(world: World) -> list[int]:
        alice, bob = parties(world)
        carol = world.party("carol")

        async def busy(call: IncomingCall) -> None:
            call.refuse(486)

        carol.serve = busy
        leg = await alice.place("bob").answered()
        follows(bob, await bob.legs.get())
        following = await transfer(leg, "sip:carol@carol")
        assert await following.done == 486 and not leg.ended.done()
        await leg.hangup()
        return following.progress

    assert play(scene) == [100, 486]


def test_an_attended_transfer_replaces_the_consultation() -> None:
    async def scene(world: World) -> None:
        alice, bob = parties(world)
        carol = world.party("carol")
        leg = await alice.place("bob").answered()
        follows(bob, await bob.legs.get())
        consultation = await alice.place("carol").answered()
        asked = await carol.legs.get()
        following = await transfer(leg, "sip:carol@carol", instead_of=consultation)
        assert await following.done == 200
        assert await consultation.ended is Ended.REMOTE and await asked.ended is Ended.LOCAL
        await leg.hangup()
        await (await carol.legs.get()).hangup()

    play(scene)


def test_a_transfer_that_nobody_allowed_is_declined() -> None:
    async def scene(world: World) -> None:
        alice, _ = parties(world)
        leg = await alice.place("bob").answered()
        with pytest.raises(CallFailed, match="603"):
            await transfer(leg, "sip:carol@carol")
        assert not leg.ended.done()
        await leg.hangup()

    play(scene)
