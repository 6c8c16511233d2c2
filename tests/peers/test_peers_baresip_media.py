"""baresip's own media against Tandem's: each codec, always in SRTP; keys and speech in both directions."""

import asyncio
import wave
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import deployment
from peers.baresip import Baresip, NameServer
from peers.servers import Um, both_servers
from tandem.admin.trial.demo import POOL, attachment, messages, roots, samples, sip_secret
from tandem.media.codec.wav import read_wav, write_wav
from tandem.pki.tls import phone_tls_context
from tandem.probe.compare import find_speech
from tandem.probe.phone import Account, Phone, PhoneCall
from tandem.sip.aio.resolve import Resolver
from tandem.speech.catalogue import silence
from tandem.speech.samples.recorded import bob_message

pytestmark = [pytest.mark.peer, pytest.mark.slow]
CODECS = {"PCMU": "PCMU/8000/1", "PCMA": "PCMA/8000/1", "G722": "G722/16000/1", "opus": "opus/48000/2"}
SPOKEN, AFTERWARDS = (read_wav(bob_message())[2 * 8000 * at : 2 * 8000 * (at + 2)] for at in (0, 2))
ALIKE = {"PCMU": 0.99, "PCMA": 0.99, "G722": 0.95, "opus": 0.8}
"""Least correlation: opus keeps what is heard, not the wave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A running organization, in which phones are made."""

    folder: Path
    um: Um
    port: int

    def secret(self, user: str) -> str:
        return sip_secret(self.folder, f"{user}@example.com")

    @asynccontextmanager
    async def baresip(
        self, folder: Path, user: str, *, codec: str, speech: bytes, answers: bool = False
    ) -> AsyncIterator[Baresip]:
        """A registered baresip that offers one codec and speaks ``speech`` from each answer on."""
        sound = spoken_file(folder, speech)
        names, dns = await NameServer.start({POOL: "127.0.0.1"})
        phone = Baresip(
            folder / user, user=user, domain="example.com", secret=self.secret(user), pool=POOL, port=self.port,
            roots=roots(self.folder), dns=dns, speech=sound, codecs=(CODECS[codec],), answers=answers,
        )  # fmt: skip
        try:
            async with phone:
                await phone.wait_for("REGISTER_OK")
                yield phone
        finally:
            names.close()

    @asynccontextmanager
    async def probe(self, user: str) -> AsyncIterator[Phone]:
        """A registered phone of Tandem's own."""
        account = Account(address=f"{user}@example.com", secret=self.secret(user), pool=POOL, port=self.port)
        resolver = Resolver({POOL: ("127.0.0.1", self.port)})
        phone = Phone(account, phone_tls_context(roots(self.folder)), resolver=resolver)
        try:
            await phone.register()
            yield phone
        finally:
            await phone.register(expires_s=0)
            await phone.close()


def spoken_file(folder: Path, speech: bytes) -> Path:
    """The WAV file that a phone in this folder speaks."""
    folder.mkdir(exist_ok=True)
    path = folder / "speech.wav"
    path.write_bytes(write_wav(speech))
    return path


async def until(holds: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(timeout_s):
        while not holds():
            await asyncio.sleep(0.02)


def held(call: PhoneCall) -> bool:
    """Whether the other side has put us on hold."""
    theirs = call.leg.negotiation.theirs
    return theirs is not None and theirs.held


def dump(folder: Path) -> "array[int]":
    """What baresip heard, as its sndfile module wrote it at the codec's rate, at 8,000 Hz."""
    (path,) = folder.glob("dump-*-dec.wav")
    with wave.open(str(path)) as sound:
        step = sound.getnchannels() * sound.getframerate() // 8000
        values = array("h", sound.readframes(sound.getnframes()))
    return array("h", (sum(values[at : at + step]) // step for at in range(0, len(values) - step + 1, step)))


@pytest.fixture(scope="module")
def pool(deployed_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    folder = deployment.copy(deployed_template, tmp_path_factory.mktemp("baresip") / "x")
    with both_servers(folder) as (um, port):
        yield Pool(folder=folder, um=um, port=port)


@pytest.mark.parametrize("codec", CODECS)
async def test_um_takes_keys_and_a_message_in_each_codec(pool: Pool, tmp_path: Path, codec: str) -> None:
    before = {path for _, path in messages(pool.um.mailbox("alice"))}
    async with pool.baresip(tmp_path, "bob", codec=codec, speech=silence(2.0) + SPOKEN + silence(20)) as bob:
        await bob.command("dial", "4101")
        await bob.wait_for("CALL_ESTABLISHED")
        await bob.command("sndcode", "#")  # skips the greeting
        await asyncio.sleep(2.0 + len(SPOKEN) / 16000 + 0.5)
        await bob.command("sndcode", "#")  # ends the recording
        await bob.wait_for("CALL_CLOSED", timeout_s=8)
        assert f"audio: Set audio encoder: {CODECS[codec].split('/')[0]}" in bob.output
    (message,) = [m for m, path in messages(pool.um.mailbox("alice")) if path not in before]
    recorded = samples(attachment(message))
    assert find_speech(array("h", SPOKEN), recorded).correlation > ALIKE[codec]


@pytest.mark.parametrize("codec", ["PCMA", "opus"])
async def test_keys_and_speech_go_both_ways_and_a_hold_does_not_end_them(
    pool: Pool, tmp_path: Path, codec: str
) -> None:
    speech = silence(0.5) + SPOKEN + silence(3) + AFTERWARDS + silence(30)
    async with (
        pool.baresip(tmp_path, "alice", codec=codec, speech=speech, answers=True) as alice,
        pool.probe("bob") as bob,
    ):
        call = await bob.call("4101")
        await alice.wait_for("CALL_ESTABLISHED")
        await call.speak(write_wav(SPOKEN))
        await call.send_dtmf("12#")
        for key in "12#":
            await alice.wait_for("CALL_DTMF_START", holding=key, timeout_s=5)
        await alice.command("sndcode", "90*")
        await until(lambda: "".join(call.digits) == "90*")
        await alice.command("hold")
        await until(lambda: held(call))
        await alice.command("resume")
        await until(lambda: not held(call))
        await until(lambda: len(call.heard) > len(speech) - len(silence(29)), timeout_s=10)
        await call.hang_up()
        await alice.wait_for("CALL_CLOSED", timeout_s=5)
    assert call.leg.secure
    assert find_speech(array("h", SPOKEN), dump(alice.folder)).correlation > ALIKE[codec]
    # baresip 1.0 itself hears no SRTP any more after a re-INVITE, from another baresip neither; we hear it.
    for spoken in (SPOKEN, AFTERWARDS):
        assert find_speech(array("h", spoken), samples(bytes(call.heard))).correlation > ALIKE[codec]


async def test_every_phone_of_a_user_rings_until_one_is_answered(pool: Pool, tmp_path: Path) -> None:
    desk, lab = tmp_path / "desk", tmp_path / "lab"
    async with (
        pool.baresip(desk, "carla", codec="PCMU", speech=silence(20)) as first,
        pool.baresip(lab, "carla", codec="PCMU", speech=silence(20)) as second,
        pool.baresip(tmp_path, "bob", codec="PCMU", speech=silence(20)) as bob,
    ):
        await bob.command("dial", "4103")
        await first.wait_for("CALL_INCOMING")
        await second.wait_for("CALL_INCOMING")
        await second.command("accept")
        await bob.wait_for("CALL_ESTABLISHED")
        await second.wait_for("CALL_ESTABLISHED")
        await first.wait_for("CALL_CLOSED", timeout_s=5)
        assert "CALL_ESTABLISHED" not in first.kinds
        await bob.command("hangup")
        await second.wait_for("CALL_CLOSED", timeout_s=5)


async def test_a_caller_who_gives_up_stops_the_ringing_and_leaves_nothing(pool: Pool, tmp_path: Path) -> None:
    async with (
        pool.baresip(tmp_path, "carla", codec="PCMU", speech=silence(20)) as carla,
        pool.baresip(tmp_path, "bob", codec="PCMU", speech=silence(20)) as bob,
    ):
        await bob.command("dial", "4103")
        await carla.wait_for("CALL_INCOMING")
        await bob.wait_for("CALL_RINGING")
        await bob.command("hangup")
        await carla.wait_for("CALL_CLOSED", timeout_s=5)
        await bob.wait_for("CALL_CLOSED", timeout_s=5)
    assert not [line for line in pool.um.log().splitlines() if "um.answered" in line and "account=carla" in line]
