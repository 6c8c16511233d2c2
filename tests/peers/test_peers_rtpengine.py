"""Tandem's SRTP and codecs, with rtpengine between them and a plain phone that speaks µ-law: both directions heard."""

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from peers.rtp import PlainRtp
from peers.rtpengine import Rtpengine, rtpengine
from tandem.call.negotiation import stream_of
from tandem.media.aio.session import AioMedia
from tandem.media.codec import g711
from tandem.media.codec.wav import read_wav
from tandem.media.session import MediaSession, Sound
from tandem.probe.compare import find_speech
from tandem.sip.sdp.description import Audio, build_sdp, parse_sdp
from tandem.sip.sdp.offer import Encryption, MediaTerms, answer_audio, check_answer, make_offer
from tandem.sip.sdp.sdes import SUITES
from tandem.speech.samples.recorded import bob_message

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.alone]
RELAY, TANDEM, PLAIN = "127.0.0.46", "127.0.0.47", "127.0.0.48"
SPOKEN = read_wav(bob_message())[: 2 * 8000 * 3 // 2]
ALIKE = {"G722": 0.9, "opus": 0.8}
SECURE = MediaTerms(encryption=Encryption.REQUIRE)
CALL = {"call_id": "one"}


def plain_sdp(rtp: PlainRtp) -> str:
    return (
        f"v=0\r\no=plain 1 1 IN IP4 {PLAIN}\r\ns=-\r\nc=IN IP4 {PLAIN}\r\nt=0 0\r\n"
        f"m=audio {rtp.port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
    )


async def both_heard(rtp: PlainRtp, told: str, media: MediaSession, ours: Audio, theirs: Audio) -> tuple[float, float]:
    """Speak from both ends at once; how alike what Tandem and what the plain phone heard is to what was said."""
    heard = bytearray()
    media.hear(heard.extend)
    media.start(stream_of(ours, theirs))
    playback = media.play((Sound.of(SPOKEN),))
    audio = parse_sdp(told.encode()).audios[0]
    await asyncio.gather(
        rtp.speak(g711.encode(SPOKEN + bytes(3200), g711.PCMU), (audio.host, audio.port)), playback.done
    )
    spoken = array("h", SPOKEN)
    back = array("h", g711.decode(rtp.heard, g711.PCMU))
    return find_speech(spoken, array("h", bytes(heard))).correlation, find_speech(spoken, back).correlation


@asynccontextmanager
async def between(folder: Path) -> AsyncIterator[tuple[Rtpengine, PlainRtp, MediaSession]]:
    """The relay, the plain phone, and Tandem's media."""
    async with rtpengine(folder, RELAY) as relay, PlainRtp(PLAIN) as rtp:
        media = await AioMedia().open(TANDEM, range(1))
        try:
            yield relay, rtp, media
        finally:
            media.close()


@pytest.mark.parametrize("suite", SUITES)
async def test_an_offer_of_each_suite_is_answered_and_both_are_heard(suite: str, tmp_path: Path) -> None:
    others = [f"no-{name}" for name in SUITES if name != suite]
    async with between(tmp_path) as (relay, rtp, media):
        offer = await relay.ask(
            "offer",
            **CALL,
            from_tag="plain",
            sdp=plain_sdp(rtp),
            transport_protocol="RTP/SAVP",
            ICE="remove",
            SDES=others,
        )
        ours, theirs = answer_audio(parse_sdp(offer["sdp"].encode()), SECURE, host=TANDEM, port=media.port)
        answer = build_sdp(ours, session_id="1").decode()
        told = await relay.ask("answer", **CALL, from_tag="plain", to_tag="tandem", sdp=answer)
        heard, back = await both_heard(rtp, told["sdp"], media, ours, theirs)
    assert ours.cryptos[0].suite == suite
    assert min(heard, back) > 0.99


@pytest.mark.parametrize("suite", SUITES)
async def test_each_suite_that_is_offered_is_understood_and_both_are_heard(suite: str, tmp_path: Path) -> None:
    async with between(tmp_path) as (relay, rtp, media):
        offered = make_offer(replace(SECURE, suites=(suite,)), host=TANDEM, port=media.port)
        offer = build_sdp(offered, session_id="1").decode()
        told = await relay.ask(
            "offer",
            **CALL,
            from_tag="tandem",
            sdp=offer,
            transport_protocol="RTP/AVP",
            ICE="remove",
            rtcp_mux=["demux"],
        )
        answer = await relay.ask("answer", **CALL, from_tag="tandem", to_tag="plain", sdp=plain_sdp(rtp))
        ours, theirs = check_answer(offered, parse_sdp(answer["sdp"].encode()))
        heard, back = await both_heard(rtp, told["sdp"], media, ours, theirs)
    assert theirs.cryptos[0].suite == suite
    assert min(heard, back) > 0.99


@pytest.mark.parametrize("codec", ["G722", "opus"])
async def test_what_it_transcodes_is_the_same_speech(codec: str, tmp_path: Path) -> None:
    async with between(tmp_path) as (relay, rtp, media):
        offer = await relay.ask(
            "offer", **CALL, from_tag="plain", sdp=plain_sdp(rtp), transport_protocol="RTP/SAVP", ICE="remove",
            codec={"mask": ["all"], "transcode": [codec]},
        )  # fmt: skip
        ours, theirs = answer_audio(parse_sdp(offer["sdp"].encode()), SECURE, host=TANDEM, port=media.port)
        answer = build_sdp(ours, session_id="1").decode()
        told = await relay.ask("answer", **CALL, from_tag="plain", to_tag="tandem", sdp=answer)
        heard, back = await both_heard(rtp, told["sdp"], media, ours, theirs)
    assert ours.formats[0].name == codec
    assert min(heard, back) > ALIKE[codec], (heard, back)
