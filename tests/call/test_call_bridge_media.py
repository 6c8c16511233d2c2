"""A bridged call with real sockets and the media engine: RTP on one side, SRTP on the other, codecs that differ."""

import asyncio
from array import array
from importlib import resources

import pytest

from tandem.call.bridge import BridgedCall
from tandem.call.calls import Calls
from tandem.call.leg import CallLeg
from tandem.call.negotiation import MediaPolicy
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.media.codec.wav import read_wav
from tandem.media.engine.engine import MediaEngine
from tandem.media.session import Media, Sound
from tandem.probe.compare import find_speech
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.sdp.offer import Encryption

SPEECH = read_wav((resources.files("tandem.speech.samples") / "bob-message.wav").read_bytes())[: 2 * 8000 * 2]


async def party(media: Media | None = None) -> tuple[Calls, Hop]:
    endpoint = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver())
    _, port = await endpoint.listen_udp("127.0.0.1", 0)
    more = {} if media is None else {"media": media}
    calls = Calls(endpoint, contact=lambda flow: f"<sip:x@127.0.0.1:{port}>", **more)  # type: ignore[arg-type]
    return calls, Hop(transport="udp", host="127.0.0.1", port=port)


async def heard_from(speaker: CallLeg, listener: CallLeg) -> float:
    """How much what one says is like what the other hears."""
    heard = bytearray()
    listener.media.hear(heard.extend)
    assert await speaker.play(Sound.of(SPEECH)).done
    await asyncio.sleep(0.3)
    samples = [array("h", sound) for sound in (SPEECH, bytes(heard))]
    return find_speech(*samples).correlation


@pytest.mark.slow
async def test_two_phones_speak_through_a_bridge_of_the_engine() -> None:
    engine = MediaEngine(workers=2)
    await engine.start()
    plain = MediaPolicy(host="127.0.0.1", encryption=Encryption.REFUSE, codecs=("PCMU",))
    secure = MediaPolicy(host="127.0.0.1", encryption=Encryption.REQUIRE, codecs=("G722",), own_order=True)
    (alice, _), (bob, to_bob), (pbx, to_pbx) = await party(), await party(), await party(engine)
    answered: asyncio.Queue[CallLeg] = asyncio.Queue()

    def bobs(transaction: ServerTransaction) -> Handling:
        async def answer() -> None:
            leg = await bob.answer(transaction, secure)
            answered.put_nowait(leg)
            await leg.ended

        return answer()

    def bridged(transaction: ServerTransaction) -> Handling:
        incoming = pbx.incoming(transaction, plain)
        return BridgedCall(
            incoming, pbx.place(uri="sip:bob@127.0.0.1", from_="<sip:pbx@x>", target=to_bob, policy=secure)
        ).run()

    bob.on_request, pbx.on_request = bobs, bridged
    leg = await alice.place(uri="sip:pbx@127.0.0.1", from_="<sip:alice@x>", target=to_pbx, policy=plain).answered()
    other = await answered.get()
    assert (leg.secure, other.secure) == (False, True)
    digits: list[str] = []
    other.media.on_digit = digits.append
    for speaker, listener in ((leg, other), (other, leg)):
        assert await heard_from(speaker, listener) > 0.95
    leg.media.send_dtmf("42#")
    async with asyncio.timeout(8):
        while digits != ["4", "2", "#"]:
            await asyncio.sleep(0.02)
    await leg.hangup()
    await other.ended
    for calls in (alice, bob, pbx):
        await calls.endpoint.close()
    await engine.close()
