"""The session establishment flows of RFC 3665 §3 that need no proxy, between two whole engines; names are the RFC's."""

import asyncio

import pytest

from engines import Party, World, play
from tandem.call.errors import CallFailed, Ended
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.sip.headers import digest


async def ring_then_answer(call: IncomingCall) -> CallLeg:
    await call.ring()
    await asyncio.sleep(2)
    return await call.answer()


async def ring(call: IncomingCall) -> None:
    await call.ring()
    await call.cancelled.wait()


async def failing(alice: Party, status: int) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await alice.place("bob").answered()
    assert failed.value.status == status
    return failed.value


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


@pytest.mark.parametrize("stale", [False, True])
def test_3_3_a_challenge_is_answered_and_answered_again_when_only_its_nonce_was_old(stale: bool) -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = world.party("alice"), world.party("bob")
        challenger = digest.Challenger("biloxi", ("SHA-256",), b"key")

        async def serve(call: IncomingCall) -> CallLeg | None:
            value = call.request.headers.get("Proxy-Authorization")
            now = world.loop.now() - (1000 if stale and len(bob.incoming) == 1 else 0)
            if value is not None:
                credentials = digest.parse_credentials(value)
                verdict = challenger.verify(credentials, secret="s", method="INVITE", now=world.loop.now())
                if verdict is digest.Verdict.ACCEPTED:
                    return await call.answer()
                assert verdict is digest.Verdict.STALE
            headers = [("Proxy-Authenticate", each) for each in challenger.challenges(now, stale=value is not None)]
            call.refuse(407, "", *headers)
            return None

        bob.serve = serve
        leg = await alice.place("bob", credentials=("alice", "s")).answered()
        await leg.hangup()
        return [request.headers.get("CSeq") or "" for request in bob.incoming]

    assert play(scene) == ["1 INVITE", "2 INVITE", "3 INVITE"][: 3 if stale else 2]


def test_a_wrong_secret_is_tried_once() -> None:
    async def scene(world: World) -> int:
        alice, bob = world.party("alice"), world.party("bob")
        challenge = 'Digest realm="x", nonce="n", algorithm=MD5, qop="auth"'

        async def serve(call: IncomingCall) -> None:
            call.refuse(401, "", ("WWW-Authenticate", challenge))

        bob.serve = serve
        with pytest.raises(CallFailed, match="401"):
            await alice.place("bob", credentials=("alice", "wrong")).answered()
        return len(bob.incoming)

    assert play(scene) == 2


def test_3_6_a_redirection_is_followed_and_the_offer_comes_in_the_200() -> None:
    async def scene(world: World) -> tuple[list[str], list[str]]:
        alice, bob = world.party("alice"), world.party("bob")

        async def serve(call: IncomingCall) -> CallLeg | None:
            if len(bob.incoming) == 1:
                call.redirect("sip:bob@chicago", "sip:bob@elsewhere")
                return None
            return await call.answer()

        bob.serve = serve
        leg = await alice.place("bob", offer=False, redirects=1).answered()
        other = await bob.legs.get()
        await asyncio.sleep(1)
        assert leg.media.streams[-1].port == other.media.port and other.media.streams[-1].port == leg.media.port  # type: ignore[attr-defined]
        await leg.hangup()
        return world.seen()[:6], [request.uri for request in bob.incoming]

    seen, uris = play(scene)
    assert seen == ["alice INVITE", "bob 302 INVITE", "alice ACK", "alice INVITE", "bob 200 INVITE", "alice ACK"]
    assert uris == ["sip:bob@bob", "sip:bob@chicago"]


def test_a_redirection_is_not_followed_unasked_nor_in_a_circle() -> None:
    async def scene(world: World) -> None:
        alice, bob = world.party("alice"), world.party("bob")

        async def serve(call: IncomingCall) -> None:
            call.redirect("sip:bob@bob", "sip:bob@second" if len(bob.incoming) == 1 else "sip:bob@bob")

        bob.serve = serve
        await failing(alice, 302)
        assert len(bob.incoming) == 1
        bob.incoming.clear()
        with pytest.raises(CallFailed, match="302"):
            await alice.place("bob", redirects=5).answered()
        assert [request.uri for request in bob.incoming] == ["sip:bob@bob", "sip:bob@second"]

    play(scene)


def test_3_7_a_re_invite_moves_the_media() -> None:
    async def scene(world: World) -> None:
        alice, bob = world.party("alice"), world.party("bob")
        leg = await alice.place("bob").answered()
        other = await bob.legs.get()
        await asyncio.sleep(1)
        await other.reoffer()
        assert (await leg.ask()).status == 200
        await leg.hold()
        assert other.media.streams[-1].send is False  # type: ignore[attr-defined]
        await leg.resume()
        assert other.media.streams[-1].send is True  # type: ignore[attr-defined]
        await leg.reoffer(offer=False)
        await leg.hangup()

    play(scene)


def test_3_8_who_gives_up_cancels() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = world.party("alice"), world.party("bob")
        bob.serve = ring
        attempt = alice.place("bob")
        task = asyncio.create_task(attempt.answered())
        await attempt.ringing.wait()
        attempt.cancel()
        with pytest.raises(CallFailed, match="487"):
            await task
        return world.seen()

    assert sorted(play(scene)) == sorted(
        ["alice INVITE", "bob 180 INVITE", "alice CANCEL", "bob 200 CANCEL", "bob 487 INVITE", "alice ACK"]
    )


@pytest.mark.parametrize(("status", "flow"), [(486, "3.9"), (480, "3.11"), (488, "-"), (603, "-")])
def test_a_refusal_is_acknowledged_and_told(status: int, flow: str) -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = world.party("alice"), world.party("bob")

        async def serve(call: IncomingCall) -> None:
            call.refuse(status, "not now", ("Retry-After", "18"))

        bob.serve = serve
        assert (await failing(alice, status)).retry_after_s == 18
        return world.seen()

    assert play(scene) == ["alice INVITE", f"bob {status} INVITE", "alice ACK"]


def test_3_10_no_response_is_a_408() -> None:
    async def scene(world: World) -> int:
        await failing(world.party("alice"), 408)
        return len(world.seen())

    assert play(scene) == 7


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = world.party("alice"), world.party("bob")
        bob.serve = ring_then_answer
        attempt = alice.place("bob")
        task = asyncio.create_task(attempt.answered())
        await asyncio.sleep(2.007)  # the 200 is on its way
        attempt.cancel()
        with pytest.raises(CallFailed, match="487"):
            await task
        assert await (await bob.legs.get()).ended is Ended.REMOTE
        return world.seen()

    seen = play(scene)
    assert {"alice CANCEL", "bob 200 INVITE", "alice ACK", "alice BYE", "bob 200 BYE"} <= set(seen)
    assert seen.index("alice ACK") < seen.index("alice BYE")


def test_whoever_stops_waiting_leaves_nothing_ringing() -> None:
    async def scene(world: World) -> set[str]:
        alice, bob = world.party("alice"), world.party("bob")
        bob.serve = ring
        task = asyncio.create_task(alice.place("bob").answered())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await world.rest()
        return set(world.seen())

    assert {"alice CANCEL", "bob 487 INVITE"} <= play(scene)


def test_a_lost_ack_is_sent_again_for_each_200_that_comes_again() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = world.party("alice"), world.party("bob")
        lost = iter([True, True])
        world.network.lose = lambda sent: sent.what == "ACK" and next(lost, False)
        leg = await alice.place("bob").answered()
        await asyncio.sleep(10)
        assert not leg.ended.done() and not (await bob.legs.get()).ended.done()
        await leg.hangup()
        return world.seen()

    seen = play(scene)
    assert seen.count("bob 200 INVITE") == seen.count("alice ACK") == 3


def test_a_callee_without_an_ack_hangs_up_after_its_time() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = world.party("alice"), world.party("bob")
        world.network.lose = lambda sent: sent.what == "ACK"
        leg = await alice.place("bob").answered()
        assert await leg.ended is Ended.REMOTE
        assert await (await bob.legs.get()).ended is Ended.NO_ACK
        return world.seen()

    assert play(scene)[-2:] == ["bob BYE", "alice 200 BYE"]


def test_a_callee_says_bye_only_after_the_ack() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = world.party("alice"), world.party("bob")
        lost = iter([True, True])
        world.network.lose = lambda sent: sent.what == "ACK" and next(lost, False)
        leg = await alice.place("bob").answered()
        await (await bob.legs.get()).hangup()
        assert await leg.ended is Ended.REMOTE
        return [what for what in world.seen() if what in ("alice ACK", "bob BYE")]

    assert play(scene) == ["alice ACK", "alice ACK", "alice ACK", "bob BYE"]


def test_both_hang_up_at_once() -> None:
    async def scene(world: World) -> None:
        alice, bob = world.party("alice"), world.party("bob")
        leg = await alice.place("bob").answered()
        other = await bob.legs.get()
        await asyncio.sleep(1)
        await asyncio.gather(leg.hangup(), other.hangup())

    play(scene)


def test_a_peer_that_knows_the_call_no_more_ends_it() -> None:
    async def scene(world: World) -> Ended:
        alice, bob = world.party("alice"), world.party("bob")
        leg = await alice.place("bob").answered()
        other = await bob.legs.get()
        await asyncio.sleep(1)
        other.remote_bye()  # bob was started again
        assert (await leg.ask()).status == 481
        return await leg.ended

    assert play(scene) is Ended.FAILED


def test_what_is_required_and_unknown_is_refused_by_name() -> None:
    async def scene(world: World) -> None:
        alice, _ = world.party("alice"), world.party("bob")
        response = await alice.ask("OPTIONS", "bob", ("Require", "100rel, path, gruu"))
        assert (response.status, response.headers.get("Unsupported")) == (420, "gruu, path")
        assert (await alice.ask("OPTIONS", "bob", cseq=2)).status == 200

    play(scene)


def test_an_old_cseq_is_refused_and_the_call_goes_on() -> None:
    async def scene(world: World) -> None:
        alice, _ = world.party("alice"), world.party("bob")
        leg = await alice.place("bob").answered()
        leg.dialog.local_cseq = 40
        assert (await leg.send_info("application/dtmf-relay", b"Signal=1")).status == 200
        leg.dialog.local_cseq = 20
        assert (await leg.ask()).status == 500
        assert not leg.ended.done()
        await leg.hangup()

    play(scene)


def test_a_silent_peer_counts_as_gone_unless_it_said_that_it_would_be_silent() -> None:
    async def scene(world: World) -> list[float]:
        alice, _ = world.party("alice"), world.party("bob")
        lasted = []
        for held in (False, True):
            leg = await alice.place("bob").answered()
            await asyncio.sleep(1)
            if held:
                await leg.hold()
            begun = world.loop.time()
            await asyncio.wait([leg.ended], timeout=600)
            lasted.append(world.loop.time() - begun)
            await leg.hangup()
        return lasted

    gone, held = play(scene)
    assert 110 < gone < 130 and held == pytest.approx(600)


@pytest.mark.parametrize("after_s", [0, 1])
def test_a_handler_that_raises_after_its_answer_hangs_up(after_s: float) -> None:
    async def scene(world: World) -> Ended:
        alice, bob = world.party("alice"), world.party("bob")

        async def stumble(call: IncomingCall) -> None:
            await call.answer()
            await asyncio.sleep(after_s)
            raise ZeroDivisionError

        bob.serve = stumble
        leg = await alice.place("bob").answered()
        return await leg.ended

    assert play(scene) is Ended.REMOTE


@pytest.mark.parametrize("begin", ["nothing", "ring", "progress"])
def test_a_handler_that_raises_before_its_answer_refuses_the_call_and_keeps_no_media(begin: str) -> None:
    async def scene(world: World) -> bool:
        alice, bob = world.party("alice"), world.party("bob")

        async def stumble(call: IncomingCall) -> None:
            if begin != "nothing":
                await getattr(call, begin)()
            raise ZeroDivisionError

        bob.serve = stumble
        with pytest.raises(CallFailed, match="500"):
            await alice.place("bob").answered()
        await asyncio.sleep(0)
        return bob.media.at_rest

    assert play(scene)


def test_what_stumbles_over_a_request_within_a_call_costs_that_request_only() -> None:
    async def scene(world: World) -> int:
        alice, bob = world.party("alice"), world.party("bob")
        leg = await alice.place("bob").answered()
        other = await bob.legs.get()
        other.on_refer = lambda transaction: [][0]
        status = (await leg.request("REFER", headers=(("Refer-To", "<sip:c@c>"),))).status
        assert (await leg.ask()).status == 200
        await leg.hangup()
        return status

    assert play(scene) == 500


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_change_of_media_with_a_contact_that_cannot_be_used_is_refused_and_nothing_moves(method: str) -> None:
    async def scene(world: World) -> None:
        alice, bob = world.party("alice"), world.party("bob")
        leg = await alice.place("bob").answered()
        other = await bob.legs.get()
        before, good = list(other.media.streams), leg.link.contact  # type: ignore[attr-defined]
        change = leg.reoffer if method == "INVITE" else lambda: leg.update(offer=True)
        leg.media.port, leg.link.contact = 7000, "<im:alice@alice>"
        if method == "INVITE":
            with pytest.raises(CallFailed) as failed:
                await change()
            assert failed.value.status == 400
        else:
            response = await change()
            assert response is not None and response.status == 400
        assert other.media.streams == before  # type: ignore[attr-defined]
        leg.link.contact = good
        await change()
        await leg.hangup()

    play(scene)


def test_an_answer_to_a_re_invite_with_a_contact_that_cannot_be_used_is_acknowledged_and_the_call_goes_on() -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = world.party("alice"), world.party("bob")
        leg = await alice.place("bob").answered()
        other = await bob.legs.get()
        other.link.contact = "*"
        begin = len(world.seen())
        await leg.reoffer()
        await leg.hangup()
        assert await other.ended is Ended.REMOTE
        return world.seen()[begin:]

    assert play(scene) == ["alice INVITE", "bob 200 INVITE", "alice ACK", "alice BYE", "bob 200 BYE"]
