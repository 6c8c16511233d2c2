import asyncio
import dataclasses
import math
import socket
from array import array
from collections.abc import AsyncIterator

import pytest

from tandem.call.calls import Calls
from tandem.call.errors import CallFailed, CallRefused, Ended
from tandem.call.incoming import RETRY_AFTER_S
from tandem.call.leg import CallLeg
from tandem.call.negotiation import MediaPolicy
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.media.session import Sound
from tandem.probe.compare import find_speech
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow, Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.sdp.offer import Encryption


def tone(seconds: float) -> bytes:
    """Two tones that come and go, so that no part of it is like another."""
    return array(
        "h",
        (int(9000 * math.sin(i * 0.2) * abs(math.sin(i * i * 1e-8 + i * 0.0007))) for i in range(int(seconds * 8000))),
    ).tobytes()


def calls_on(kind: str) -> Calls:
    endpoint = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver())
    port: list[int] = []

    def contact(flow: Flow) -> str:
        return f"<sip:x@127.0.0.1:{port[0] if port else flow.local[1]};transport={kind}>"

    calls = Calls(endpoint, contact=contact)
    calls.port = port  # type: ignore[attr-defined]
    return calls


class Pair:
    """Someone who calls and someone who answers."""

    def __init__(self, kind: str, encryption: str) -> None:
        self.kind = kind
        self.policy = MediaPolicy(host="127.0.0.1", encryption=encryption)
        self.caller, self.callee = calls_on(kind), calls_on(kind)
        self.answered: asyncio.Queue[CallLeg] = asyncio.Queue()
        self.refused: list[CallRefused] = []
        self.callee.on_request = self._answer
        self.hold_back: asyncio.Event | None = None

    async def listen(self) -> None:
        for calls in (self.caller, self.callee):
            listen = calls.endpoint.listen_udp if self.kind == "udp" else calls.endpoint.listen_tcp
            _, port = await listen("127.0.0.1", 0)
            calls.port.append(port)  # type: ignore[attr-defined]
            self.where = Hop(transport=self.kind, host="127.0.0.1", port=port)

    async def _answer(self, transaction: ServerTransaction) -> None:
        try:
            if self.hold_back:
                transaction.on_cancel = lambda: transaction.respond_with(487)
                transaction.respond_with(180)
                await self.hold_back.wait()
            self.answered.put_nowait(await self.callee.answer(transaction, self.policy))
        except CallRefused as refused:
            self.refused.append(refused)

    def place(self, encryption: str | None = None) -> "asyncio.Task[CallLeg]":
        policy = MediaPolicy(host="127.0.0.1", encryption=encryption or self.policy.encryption)
        self.attempt = self.caller.place(uri="sip:b@127.0.0.1", from_="<sip:a@x>", target=self.where, policy=policy)
        return asyncio.create_task(self.attempt.answered())

    async def close(self) -> None:
        for calls in (self.caller, self.callee):
            for leg in list(calls.legs.values()):
                await leg.hangup()
            await calls.endpoint.close()


@pytest.fixture(params=[("udp", Encryption.REFUSE), ("tcp", Encryption.REQUIRE)], ids=["udp-rtp", "tcp-srtp"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    pair = Pair(*request.param)
    await pair.listen()
    yield pair
    await pair.close()


@pytest.mark.slow
async def test_sound_arrives_as_it_was_played_and_the_callee_can_hang_up(pair: Pair) -> None:
    leg = await pair.place()
    callee = await pair.answered.get()
    heard = bytearray()
    callee.media.hear(heard.extend)
    sound = tone(0.6)
    assert await leg.play(Sound.of(sound)).done
    await asyncio.sleep(0.3)
    await callee.hangup()
    assert await leg.ended is Ended.REMOTE
    assert find_speech(array("h", sound), array("h", bytes(heard))).correlation > 0.97


async def test_a_callee_hangs_up_though_the_connection_of_the_call_is_gone(pair: Pair) -> None:
    caller = await pair.place()
    callee = await pair.answered.get()
    for flow in list(pair.callee.endpoint.connections.flows):
        flow.abort()
    await asyncio.sleep(0.05)
    await callee.hangup()
    assert await asyncio.wait_for(caller.ended, 2) == "remote"


@pytest.mark.slow
async def test_keys_arrive_once_each_and_in_order(pair: Pair) -> None:
    leg = await pair.place()
    callee = await pair.answered.get()
    keys: list[str] = []
    callee.media.on_digit = keys.append
    leg.media.send_dtmf("19#")
    async with asyncio.timeout(5):
        while len(keys) < 3:
            await asyncio.sleep(0.02)
    await leg.hangup()
    assert await callee.ended is Ended.REMOTE
    assert keys == ["1", "9", "#"]


async def test_a_caller_who_gives_up_ends_the_attempt(pair: Pair) -> None:
    pair.hold_back = asyncio.Event()
    task = pair.place()
    await pair.attempt.ringing.wait()
    pair.attempt.cancel()
    with pytest.raises(CallFailed) as failed:
        await task
    assert failed.value.status == 487
    pair.hold_back.set()
    await asyncio.wait_for(pair.callee.endpoint.handlers.idle(), 5)
    assert pair.refused and pair.answered.empty()


async def test_media_that_the_policy_forbids_is_refused_with_the_reason(pair: Pair) -> None:
    other = Encryption.REQUIRE if pair.policy.encryption is Encryption.REFUSE else Encryption.REFUSE
    with pytest.raises(CallFailed, match="SRTP") as failed:
        await pair.place(other)
    assert failed.value.status == 488


async def test_a_call_without_a_free_port_is_told_when_to_come_again_and_not_what_ports_there_are(pair: Pair) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1] & ~1
        taken.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as even:
            even.bind(("127.0.0.1", port))
            call = pair.place()
            pair.policy = dataclasses.replace(pair.policy, ports=range(port, port + 1))
            with pytest.raises(CallFailed) as failed:
                await call
    assert (failed.value.status, failed.value.retry_after_s) == (503, RETRY_AFTER_S)
    assert str(port) not in str(failed.value) and str(port) in str(pair.refused[0])


async def test_nobody_there_is_a_clear_failure() -> None:
    calls = calls_on("tcp")
    nobody = Hop(transport="tcp", host="127.0.0.1", port=1)
    policy = MediaPolicy(host="127.0.0.1", encryption=Encryption.REFUSE)
    with pytest.raises(ConnectionError, match="Connect call failed"):
        await calls.place(uri="sip:b@x", from_="<sip:a@x>", target=nobody, policy=policy).answered()
    await calls.endpoint.close()


async def offer_again(pair: Pair, leg: CallLeg, direction: bytes) -> bytes:
    """A re-INVITE by the caller with this direction; returns the answer's description."""
    request = leg.dialog.request("INVITE")
    request.headers.add("Contact", pair.caller.contact(await pair.caller.endpoint.flow_to(pair.where)))
    request.headers.add("Content-Type", "application/sdp")
    request.body = leg.negotiation.describe().replace(b"a=sendrecv", b"a=" + direction)
    response = await (await pair.caller.endpoint.send(request, pair.where)).final()
    assert response.status == 200
    await pair.caller.endpoint.send_ack(leg.dialog.request("ACK", cseq=leg.dialog.local_cseq), pair.where)
    return response.body


@pytest.mark.slow
async def test_hold_is_answered_in_kind_and_resuming_brings_the_sound_back(pair: Pair) -> None:
    leg = await pair.place()
    callee = await pair.answered.get()
    heard = bytearray()
    leg.media.hear(heard.extend)
    assert b"a=recvonly" in await offer_again(pair, leg, b"sendonly")
    await asyncio.sleep(0.2)
    heard.clear()
    await asyncio.sleep(0.2)
    assert not heard
    assert b"a=sendrecv" in await offer_again(pair, leg, b"sendrecv")
    sound = tone(0.5)
    assert await callee.play(Sound.of(sound)).done
    await asyncio.sleep(0.3)
    await leg.hangup()
    assert find_speech(array("h", sound), array("h", bytes(heard))).correlation > 0.97


async def test_a_second_offer_that_does_not_fit_is_refused_and_the_call_goes_on(pair: Pair) -> None:
    leg = await pair.place()
    callee = await pair.answered.get()
    request = leg.dialog.request("INVITE")
    request.headers.add("Contact", "<sip:x@127.0.0.1>")
    request.body = (
        leg.negotiation.describe().replace(b"RTP/SAVP 0", b"RTP/SAVP 96").replace(b"RTP/AVP 0", b"RTP/AVP 96")
    )
    response = await (await pair.caller.endpoint.send(request, pair.where)).final()
    assert response.status == 488 and "no codec in common" in (response.headers.get("Warning") or "")
    keys: list[str] = []
    callee.media.on_digit = keys.append
    leg.media.send_dtmf("7")
    async with asyncio.timeout(5):
        while not keys:
            await asyncio.sleep(0.02)
    await leg.hangup()
