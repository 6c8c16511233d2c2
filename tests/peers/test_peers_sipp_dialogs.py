"""sipp as a gateway that does more than call: it holds, loses, repeats, and calls in a crowd."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

import deployment
from peers.rtp import PlainRtp
from peers.servers import Um, add_gateway, um_server
from peers.sipp import Gateway, bye, invite, offer, pause, receive, request, ringing

pytestmark = [pytest.mark.peer, pytest.mark.slow]
ADDRESSES = {"udp": "127.0.0.41", "tcp": "127.0.0.42"}


@pytest.fixture(scope="module")
def um(deployed_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Um]:
    folder = deployment.copy(deployed_template, tmp_path_factory.mktemp("dialogs") / "x")
    for transport, address in ADDRESSES.items():
        add_gateway(folder, f"Sipp{transport}", address=address, transport=transport)
    with um_server(folder) as running:
        yield running


@pytest.fixture(params=ADDRESSES)
def gateway(um: Um, tmp_path: Path, request: pytest.FixtureRequest) -> Gateway:
    transport = request.param
    return Gateway(folder=tmp_path, address=ADDRESSES[transport], transport=transport, server_port=um.port(transport))


def answered(um: Um) -> int:
    """How many calls the server has answered so far."""
    return um.log().count("um.answered ")


async def test_a_held_call_hears_nothing_until_it_is_taken_up_again(gateway: Gateway) -> None:
    loop = asyncio.get_running_loop()
    async with PlainRtp(gateway.address) as rtp:
        begun = loop.time()
        await gateway.play(
            invite(), ringing(), receive(200, "a=sendrecv"), request("ACK", 1), pause(600),
            request("INVITE", 2, body=offer("sendonly", version=2)), receive(100, optional=True),
            receive(200, "a=recvonly", "o=- [0-9]+ 2 IN"), request("ACK", 2), pause(800),
            request("INVITE", 3, body=offer(version=3)), receive(100, optional=True),
            receive(200, "a=sendrecv", "o=- [0-9]+ 3 IN"), request("ACK", 3), pause(600),
            bye(4),
            rtp_port=rtp.port,
        )  # fmt: skip
        times = [at - begun for at, _ in rtp.arrivals]
    gaps = [(after - before, before) for before, after in itertools.pairwise(times)]
    longest, since = max(gaps)
    assert 0.7 < longest < 2.0
    assert len([at for at in times if at <= since]) > 20
    assert len([at for at in times if at > since]) > 20


async def test_an_answer_is_sent_again_until_its_ack_comes(um: Um, tmp_path: Path) -> None:
    before = answered(um)
    gateway = Gateway(folder=tmp_path, address=ADDRESSES["udp"], transport="udp", server_port=um.udp)
    await gateway.play(
        invite(), ringing(), receive(200), receive(200), receive(200), request("ACK", 1), pause(1500), bye(),
        options=("-nr",),
    )  # fmt: skip
    assert answered(um) == before + 1


async def test_an_invite_that_comes_again_begins_no_second_call(um: Um, tmp_path: Path) -> None:
    before = answered(um)
    gateway = Gateway(folder=tmp_path, address=ADDRESSES["udp"], transport="udp", server_port=um.udp)
    await gateway.play(
        invite(), ringing(), receive(200), invite(branch="[branch-4]"), pause(200), request("ACK", 1), pause(300), bye(),
        options=("-nr",),
    )  # fmt: skip
    assert answered(um) == before + 1


async def test_fifty_calls_at_ten_a_second_all_succeed(um: Um, gateway: Gateway) -> None:
    before = answered(um)
    await gateway.play(
        invite(), ringing(), receive(200), request("ACK", 1), pause(2000), bye(),
        options=("-m", "50", "-r", "10"),
    )  # fmt: skip
    assert answered(um) == before + 50


async def test_requests_within_a_call_are_answered_and_its_order_is_kept(gateway: Gateway) -> None:
    await gateway.play(
        invite(), ringing(), receive(200), request("ACK", 1),
        request("OPTIONS", 12), receive(200),
        request("INFO", 13), receive(200),
        request("OPTIONS", 11), receive(500),
        request("INVITE", 14, body=offer(formats="97", version=2)), receive(100, optional=True), receive(488, "Warning: 399"),
        request("ACK", 14, branch="[branch-3]"),
        pause(300),
        bye(15),
    )  # fmt: skip


async def test_a_request_of_a_call_that_is_over_finds_none(gateway: Gateway) -> None:
    await gateway.play(
        invite(), ringing(), receive(200), request("ACK", 1), bye(2), request("BYE", 3), receive(481)
    )  # fmt: skip


async def test_an_invite_without_an_offer_gets_one_and_the_ack_answers_it(gateway: Gateway) -> None:
    async with PlainRtp(gateway.address) as rtp:
        await gateway.play(
            invite(body=""), ringing(), receive(200, "m=audio [0-9]+ RTP/AVP 0 8 9", "a=sendrecv"),
            request("ACK", 1, body=offer()), pause(600), bye(),
            rtp_port=rtp.port,
        )  # fmt: skip
    assert len(rtp.arrivals) > 20


async def test_ringing_is_reliable_where_the_caller_requires_it(gateway: Gateway) -> None:
    await gateway.play(
        invite(headers=("Require: 100rel", "Supported: timer")), receive(100, optional=True),
        receive(180, "Require: 100rel", keeps={"rseq": "RSeq: *([0-9]+)"}),
        request("PRACK", 2, headers=("RAck: [$rseq] 1 INVITE",)), receive(200, "CSeq: 2 PRACK"),
        receive(200, "CSeq: 1 INVITE"), request("ACK", 1), pause(200), bye(3),
    )  # fmt: skip


async def test_ringing_without_its_prack_is_repeated_and_a_cancel_ends_the_call(um: Um, tmp_path: Path) -> None:
    before = answered(um)
    gateway = Gateway(folder=tmp_path, address=ADDRESSES["udp"], transport="udp", server_port=um.udp)
    await gateway.play(
        invite(headers=("Require: 100rel",)), receive(180, "RSeq: "), receive(180, "RSeq: "),
        request("CANCEL", 1, first=True, branch="[branch-3]"), receive(200, "CSeq: 1 CANCEL"), receive(487),
        request("ACK", 1, first=True, branch="[branch-6]"),
        options=("-nr",),
    )  # fmt: skip
    assert answered(um) == before


async def test_a_session_has_the_timer_that_the_caller_asks_for_and_is_refreshed(gateway: Gateway) -> None:
    timer = ("Supported: timer", "Session-Expires: 120;refresher=uac")
    granted = "Session-Expires: *120;refresher=uac"
    await gateway.play(
        invite(headers=timer), ringing(), receive(200, granted, "Require: *timer"), request("ACK", 1), pause(200),
        request("UPDATE", 2, headers=timer), receive(200, granted), pause(200),
        request("INVITE", 3, headers=timer, body=offer()), receive(100, optional=True), receive(200, granted),
        request("ACK", 3),
        bye(4),
    )  # fmt: skip


async def test_a_session_that_would_be_too_short_is_refused_with_what_is_enough(gateway: Gateway) -> None:
    await gateway.play(
        invite(headers=("Supported: timer", "Session-Expires: 30")), ringing(), receive(422, "Min-SE: *90"),
        request("ACK", 1, first=True, branch="[branch-4]"),
    )  # fmt: skip


async def test_an_update_changes_the_direction_as_a_re_invite_does(gateway: Gateway) -> None:
    await gateway.play(
        invite(), ringing(), receive(200), request("ACK", 1), pause(200),
        request("UPDATE", 2, body=offer("sendonly", version=2)), receive(200, "a=recvonly"), pause(200),
        request("UPDATE", 3, body=offer(version=3)), receive(200, "a=sendrecv"), pause(200),
        bye(4),
    )  # fmt: skip


async def test_an_extension_that_is_not_spoken_is_named_in_the_refusal(gateway: Gateway) -> None:
    await gateway.play(
        invite(headers=("Require: teleport",)), receive(100, optional=True), receive(420, "Unsupported: *teleport"),
        request("ACK", 1, first=True, branch="[branch-3]"),
    )  # fmt: skip


async def test_a_goodbye_to_a_ringing_call_ends_it(gateway: Gateway, um: Um) -> None:
    before = answered(um)
    await gateway.play(
        invite(headers=("Require: 100rel",)), receive(100, optional=True), receive(180, keeps={"rseq": "RSeq: *([0-9]+)"}),
        request("BYE", 2), receive(200, "CSeq: 2 BYE"), receive(487, "CSeq: 1 INVITE"),
        request("ACK", 1, first=True, branch="[branch-6]"), pause(200),
    )  # fmt: skip
    assert answered(um) == before
