"""Call answering over real signalling and a real media engine, with a spool on disk."""

import asyncio
import gc
import math
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tandem.call.calls import Calls
from tandem.call.leg import CallLeg
from tandem.call.negotiation import MediaPolicy
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.mail.envelope import Envelope, SpooledMessage
from tandem.mail.spool import Draft, Spool
from tandem.media.engine.engine import MediaEngine
from tandem.media.engine.session import EngineSession
from tandem.media.session import Playback, Recorded, Recording, Sound
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.sdp.offer import Encryption
from tandem.speech.catalogue import silence
from tandem.um.answering import CallAnswering, samples_to_keep
from tandem.um.applications.answering import KEEP
from tandem.um.menu.driver import MenuCall
from tandem.um.menu.events import Phrase
from tandem.um.prompts import Prompts

POLICY = MediaPolicy(host="127.0.0.1", encryption=Encryption.REFUSE)
SHORT = [Sound.of(silence(0.1))]


def tone(seconds: float) -> Sound:
    return Sound.of(array("h", (int(9000 * math.sin(i * 0.2)) for i in range(int(seconds * 8000)))).tobytes())


class Um:
    """A server that answers every call into one spool."""

    def __init__(self, folder: Path, idle_s: float, recording_s: float) -> None:
        self.spool = Spool(folder)
        self.engine = MediaEngine(workers=1)
        self.kept: asyncio.Queue[SpooledMessage] = asyncio.Queue()
        self.answering: list[asyncio.Task[object]] = []
        self.greeting = SHORT
        self.said: list[str] = []
        self.slow_disk, self.closing = asyncio.Event(), False
        self.slow_disk.set()
        self._limits = idle_s, recording_s
        self._endpoints = [Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver()) for _ in range(2)]

    async def start(self) -> None:
        await self.engine.start()
        um, phone = self._endpoints
        _, self.port = await um.listen_udp("127.0.0.1", 0)
        _, port = await phone.listen_udp("127.0.0.1", 0)
        self._um = Calls(um, contact=lambda flow: f"<sip:um@127.0.0.1:{self.port}>", media=self.engine)
        self._um.on_request = self._answer
        self._phone = Calls(phone, contact=lambda flow: f"<sip:p@127.0.0.1:{port}>")

    async def call(self) -> CallLeg:
        where = Hop(transport="udp", host="127.0.0.1", port=self.port)
        return await self._phone.place(uri="sip:u@127.0.0.1", from_="<sip:p@x>", target=where, policy=POLICY).answered()

    async def _answer(self, transaction: ServerTransaction) -> None:
        assert transaction.task is not None
        self.answering.append(transaction.task)
        envelope = Envelope(message_id="voice-1", mailbox="a@example.com", recipient_name="A", call_id="c", begun_at="")
        draft = await asyncio.to_thread(self.spool.begin, envelope)
        leg = await self._um.answer(transaction, POLICY)
        await CallAnswering(
            leg,
            extension="4101",
            speak=self._speak,
            draft=draft,
            keep=self._keep,
            idle_s=self._limits[0],
            recording_s=self._limits[1],
            call_s=60,
        ).run()

    def _speak(self, phrases: Sequence[Phrase]) -> Sequence[Sound]:
        self.said.append(phrases[0].sentence)
        if phrases[0].sentence == "tone":
            return Prompts("en-US").speak(phrases)
        return self.greeting if phrases[0].sentence == "lead-in" else SHORT

    async def _keep(self, draft: Draft, samples: int, cut: bool) -> None:
        self.closing = True
        await self.slow_disk.wait()
        self.kept.put_nowait(draft.close(samples=samples, ended_at="", cut=cut))

    async def stop(self) -> None:
        for task in self.answering:
            task.cancel()
        await asyncio.gather(*self.answering, return_exceptions=True)
        for endpoint in self._endpoints:
            await endpoint.close()
        await self.engine.close()


@pytest.fixture
async def um(tmp_path: Path) -> AsyncIterator[Um]:
    um = Um(tmp_path, idle_s=1.5, recording_s=4)
    await um.start()
    yield um
    await um.stop()


def seconds_in(part: Path) -> float:
    return part.stat().st_size / 16_000 if part.exists() else 0.0


async def recorded(um: Um, seconds: float) -> None:
    async with asyncio.timeout(10):
        while seconds_in(um.spool.folder / "voice-1.part") < seconds:
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_a_message_is_what_was_said_without_the_silence_behind_it(um: Um) -> None:
    leg = await um.call()
    await asyncio.sleep(0.8)  # greeting and tone
    await leg.play(tone(1.5)).done
    item = await asyncio.wait_for(um.kept.get(), 10)  # silence ends it
    assert item.sound is not None and not item.cut
    assert 1.4 < item.samples / 8000 < 2.6 < item.sound.stat().st_size / 16_000
    assert await asyncio.wait_for(leg.ended, 5) == "remote"


@pytest.mark.slow
async def test_who_speaks_too_long_is_cut_off_at_the_limit(um: Um) -> None:
    leg = await um.call()
    leg.play(tone(20))
    item = await asyncio.wait_for(um.kept.get(), 15)
    assert 3.5 < item.samples / 8000 < 4.6
    assert await asyncio.wait_for(leg.ended, 5) == "remote"


@pytest.mark.slow
async def test_a_key_skips_the_greeting_and_who_says_nothing_leaves_no_sound(um: Um) -> None:
    um.greeting = [tone(30)]
    leg = await um.call()
    leg.media.send_dtmf("#")
    await recorded(um, 0.1)
    await leg.hangup()
    item = await asyncio.wait_for(um.kept.get(), 5)
    assert (item.sound, item.samples) == (None, 0)


async def test_nothing_of_a_call_that_is_over_waits_for_the_garbage_collector(um: Um) -> None:
    gc.collect()
    gc.disable()
    try:
        leg = await um.call()
        leg.media.send_dtmf("#")
        await recorded(um, 0.1)
        await leg.hangup()
        await asyncio.wait_for(um.kept.get(), 5)
        await asyncio.wait(um.answering, timeout=5)
        um.answering.clear()
        await asyncio.sleep(0.2)  # the worker tells that it has closed the call
        del leg
        kinds = (CallLeg, CallAnswering, MenuCall, EngineSession, Playback, Recording)
        left = Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds))
        assert left == Counter(CallLeg=1)  # the phone's: it would acknowledge the 200 again (RFC 3261, 13.2.2.4)
    finally:
        gc.enable()


@pytest.mark.slow
async def test_a_server_that_stops_keeps_what_was_said(um: Um) -> None:
    leg = await um.call()
    leg.play(tone(20))
    await recorded(um, 1.9)
    for task in um.answering:
        task.cancel()
    item = await asyncio.wait_for(um.kept.get(), 5)
    assert item.samples >= 1.9 * 8000
    assert await asyncio.wait_for(leg.ended, 5) == "remote"


async def test_a_server_that_stops_while_it_greets_leaves_a_missed_call(um: Um) -> None:
    um.greeting = [tone(30)]
    await um.call()
    await asyncio.sleep(0.2)
    for task in um.answering:
        task.cancel()
    assert (await asyncio.wait_for(um.kept.get(), 5)).samples == 0


@pytest.mark.slow
async def test_a_server_that_stops_while_a_message_is_kept_keeps_it(um: Um) -> None:
    um.slow_disk = asyncio.Event()
    leg = await um.call()
    leg.play(tone(20))
    await recorded(um, 1.9)
    leg.media.send_dtmf("#")
    async with asyncio.timeout(5):
        while not um.closing:
            await asyncio.sleep(0.02)
    for task in um.answering:
        task.cancel()
    um.slow_disk.set()
    item = await asyncio.wait_for(um.kept.get(), 5)
    assert item.samples >= 1.9 * 8000 and um.kept.empty()
    assert await asyncio.wait_for(leg.ended, 5) == "remote"


@pytest.mark.slow
async def test_a_disk_that_fails_while_a_message_is_kept_ends_the_call_and_promises_nothing(um: Um) -> None:
    leg = await um.call()
    leg.play(tone(20))
    await recorded(um, 1.9)
    away = um.spool.folder.rename(um.spool.folder.with_name("lost"))
    said = len(um.said)
    leg.media.send_dtmf("#")
    assert await asyncio.wait_for(leg.ended, 5) == "remote"
    await um.answering[0]
    assert um.said[said:] == []
    away.rename(um.spool.folder)
    (item,) = um.spool.recover(ended_at="")
    assert item.samples >= 1.9 * 8000 and item.sound is not None


@pytest.mark.parametrize(
    ("heard", "result", "kept"),
    [
        (Recorded(samples=40_000, speech_ends_at=20_000), "message", (22_400, False)),
        (Recorded(samples=12_000, speech_ends_at=40_000, failed="No space left on device"), "message", (12_000, True)),
        (Recorded(samples=0, speech_ends_at=40_000, failed="No such file"), "nothing", (0, True)),
    ],
)
async def test_a_message_is_cut_where_the_disk_did_not_take_its_sound(
    tmp_path: Path, heard: Recorded, result: str, kept: tuple[int, bool]
) -> None:
    loop, taken = asyncio.get_running_loop(), []

    async def keep(draft: Draft, samples: int, cut: bool) -> None:
        taken.append((samples, cut))

    envelope = Envelope(message_id="voice-1", mailbox="a@example.com", recipient_name="A", call_id="c", begun_at="")
    answering = CallAnswering(
        cast(CallLeg, SimpleNamespace(ended=loop.create_future())),
        extension="4101",
        speak=lambda phrases: SHORT,
        draft=Spool(tmp_path).begin(envelope),
        keep=keep,
        idle_s=1,
        recording_s=1,
        call_s=1,
    )
    recorded: asyncio.Future[Recorded] = loop.create_future()
    recorded.set_result(heard)
    assert await answering.perform(KEEP, {}, recorded) == (result, {}) and taken == [kept]


@pytest.mark.parametrize(
    ("recorded", "samples"),
    [
        (Recorded(samples=40_000, speech_ends_at=20_000), 22_400),
        (Recorded(samples=20_000, speech_ends_at=20_000), 20_000),
        (Recorded(samples=40_000, speech_ends_at=7_999), 0),
        (Recorded(samples=7_999, speech_ends_at=40_000, failed="full"), 0),
        (Recorded(samples=8_000, speech_ends_at=40_000, failed="full"), 8_000),
    ],
)
def test_a_message_ends_with_its_speech_and_is_one_second_long_at_least(recorded: Recorded, samples: int) -> None:
    assert samples_to_keep(recorded) == samples


def test_a_sentence_is_made_of_sounds_that_every_call_shares() -> None:
    prompts = Prompts("en-US")
    first, second = (
        prompts.speak([Phrase("answering-greeting", (("extension", number),))])[2:5] for number in ("12", "21")
    )
    assert first[0] is second[2] and first[2] is second[0] and first[1] is second[1]
    assert len(first) == 3
    assert len(prompts.speak([Phrase("answering-greeting", (("extension", "12"),))])) == 9
