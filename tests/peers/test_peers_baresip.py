"""baresip, which nobody here wrote, as the phone of the caller and of the called."""

from array import array
from pathlib import Path

import pytest

import deployment
from peers.baresip import Baresip, NameServer
from tandem.admin.trial.demo import POOL, attachment, roots, running, samples, sip_secret, voice_message
from tandem.media.codec.wav import read_wav, write_wav
from tandem.probe.compare import find_speech
from tandem.speech.catalogue import silence
from tandem.speech.samples.recorded import bob_message

pytestmark = [pytest.mark.peer, pytest.mark.slow]


async def test_one_baresip_leaves_a_message_for_another_whose_phone_shows_mwi(deployed: Path, tmp_path: Path) -> None:
    deployment.change(deployed, ("digest: [MD5]", "digest: [SHA-256, MD5]"))  # as the example has it, and the default
    deployment.deploy(deployed)
    spoken = read_wav(bob_message())
    # It speaks from the answer on; at first it is silent, while a key skips the greeting, and the tone comes.
    speech = tmp_path / "speech.wav"
    speech.write_bytes(write_wav(silence(2.0) + spoken + silence(1.0)))
    quiet = tmp_path / "quiet.wav"
    quiet.write_bytes(write_wav(silence(60)))
    names, dns = await NameServer.start({POOL: "127.0.0.1"})
    try:
        async with running(deployed) as servers:

            def phone(user: str, sound: Path) -> Baresip:
                return Baresip(
                    tmp_path / user,
                    user=user,
                    domain="example.com",
                    secret=sip_secret(deployed, f"{user}@example.com"),
                    pool=POOL,
                    port=servers[POOL],
                    roots=roots(deployed),
                    dns=dns,
                    speech=sound,
                )

            async with phone("alice", quiet) as alice, phone("bob", speech) as bob:
                # A phone that is told of message waiting has registered and subscribed.
                await alice.wait_for("MWI_NOTIFY", holding="Messages-Waiting: no")
                await bob.wait_for("MWI_NOTIFY", holding="Messages-Waiting: no")
                await bob.command("dial", "4101")
                await alice.wait_for("CALL_INCOMING")
                await bob.wait_for("CALL_ESTABLISHED")
                await bob.command("sndcode", "#")
                await alice.wait_for("CALL_CLOSED")
                await bob.wait_for("CALL_CLOSED", timeout_s=60)
                await alice.wait_for("MWI_NOTIFY", holding="Messages-Waiting: yes")
    finally:
        names.close()
    message, _ = voice_message(deployed / "state" / "mail" / "alice@example.com")
    assert message["X-CallingTelephoneNumber"] == "+14255554102"
    assert message["From"] == "Bob Brown <bob@example.com>"
    assert find_speech(array("h", spoken), samples(attachment(message))).correlation > 0.9
