"""A menu over real signalling and a real media engine: a file that the caller skips through."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from enum import Enum, auto
from pathlib import Path

import pytest

from tandem.call.calls import Calls
from tandem.call.negotiation import MediaPolicy
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.media.codec.wav import write_wav
from tandem.media.engine.engine import MediaEngine
from tandem.media.session import Recorded, Sound
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.sdp.offer import Encryption
from tandem.speech.catalogue import silence
from tandem.um.menu.check import checked, checked_together
from tandem.um.menu.driver import MenuCall
from tandem.um.menu.events import FactValue, Phrase
from tandem.um.menu.runner import MenuRunner
from tandem.um.menu.table import (
    ChangePlayback,
    Digit,
    Fact,
    Happening,
    MenuOperation,
    MenuState,
    MenuTable,
    Perform,
    PlayMessage,
    Row,
    SkipPlayback,
    Then,
)

POLICY = MediaPolicy(host="127.0.0.1", encryption=Encryption.REFUSE)


class Listening(Enum):
    MESSAGE = auto()


NOTE = MenuOperation("note")
TABLE = checked(
    MenuTable(
        "listening",
        (MenuState(Listening.MESSAGE, (PlayMessage(Fact("file")),)),),
        (
            Row(Listening.MESSAGE, Digit("2"), Then.STAY, (ChangePlayback.PAUSE_OR_RESUME, Perform(NOTE))),
            Row(Listening.MESSAGE, Digit("3"), Then.STAY, (SkipPlayback(29), Perform(NOTE))),
            Row(Listening.MESSAGE, Digit("6"), Then.STAY, (ChangePlayback.FASTER, Perform(NOTE))),
            Row(Listening.MESSAGE, Happening.PLAYED, Then.END),
        ),
    )
)


class Application:
    """Counts what was noted."""

    def __init__(self) -> None:
        self.noted = asyncio.Semaphore(0)

    def sounds(self, phrases: Sequence[Phrase]) -> Sequence[Sound]:
        raise AssertionError("nothing is said")

    async def recording_file(self) -> Path:
        raise AssertionError("nothing is recorded")

    async def perform(
        self, operation: MenuOperation, facts: Mapping[str, FactValue], recorded: Awaitable[Recorded] | None
    ) -> tuple[str, Mapping[str, FactValue]]:
        self.noted.release()
        return "", {}


@pytest.mark.slow
async def test_a_caller_pauses_and_skips_through_a_message(tmp_path: Path) -> None:
    file = tmp_path / "message.wav"
    file.write_bytes(write_wav(silence(30)))
    engine = MediaEngine(workers=1)
    await engine.start()
    um, phone = [Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver()) for _ in range(2)]
    _, port = await um.listen_udp("127.0.0.1", 0)
    _, phone_port = await phone.listen_udp("127.0.0.1", 0)
    answering = Calls(um, contact=lambda flow: f"<sip:um@127.0.0.1:{port}>", media=engine)
    calling = Calls(phone, contact=lambda flow: f"<sip:p@127.0.0.1:{phone_port}>")
    application = Application()

    async def answer(transaction: ServerTransaction) -> None:
        leg = await answering.answer(transaction, POLICY)
        tables = checked_together([TABLE])
        runner = MenuRunner(tables, TABLE.name, settings={}, facts={"file": file}, call_limit_s=60)
        await MenuCall(leg, runner, application).run()

    answering.on_request = answer
    target = Hop(transport="udp", host="127.0.0.1", port=port)
    leg = await calling.place(uri="sip:u@127.0.0.1", from_="<sip:p@x>", target=target, policy=POLICY).answered()
    try:
        async with asyncio.timeout(10):
            for digit in "236":
                leg.media.send_dtmf(digit)
                await application.noted.acquire()
            assert not leg.is_over  # it is paused, at its last second
            leg.media.send_dtmf("2")
            await application.noted.acquire()
            assert await leg.ended == "remote"
    finally:
        await leg.hangup()
        for endpoint in (um, phone):
            await endpoint.close()
        await engine.close()
