"""sipp as many callers at once, who press keys and speak: the UM server's workers record every one of them whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import deployment
from peers.pcap import Caller
from peers.servers import Um, add_gateway, um_server
from peers.sipp import Gateway, expect, invite, play, receive, request, ringing
from tandem.admin.trial.demo import attachment, messages
from tandem.media.codec import g711
from tandem.media.codec.wav import read_wav
from tandem.speech.samples.recorded import bob_message

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.alone]
ADDRESS = "127.0.0.45"
SPOKEN = g711.encode(read_wav(bob_message())[: 2 * 8000 * 2], g711.PCMU)
SAID = g711.decode(SPOKEN, g711.PCMU)
CALLS = 40


@pytest.fixture(scope="module")
def um(deployed_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Um]:
    folder = deployment.copy(deployed_template, tmp_path_factory.mktemp("media") / "x")
    add_gateway(folder, "Crowd", address=ADDRESS, transport="udp")
    with um_server(folder, "--media-workers=2") as running:
        yield running


async def test_forty_callers_at_once_are_recorded_whole_by_two_workers(um: Um, tmp_path: Path) -> None:
    said = Caller().press("#").wait(1500).speak(SPOKEN).press("#").write(tmp_path / "said.pcap")
    gateway = Gateway(folder=tmp_path, address=ADDRESS, transport="udp", server_port=um.udp)
    await gateway.play(
        invite(), ringing(), receive(200), request("ACK", 1), play(said), expect("BYE"),
        options=("-m", str(CALLS), "-r", "20", "-l", str(CALLS)),
    )  # fmt: skip
    recorded = [attachment(m) for m, _ in messages(um.mailbox("dave")) if m["Content-Class"] == "voice-ca"]
    assert len(recorded) == CALLS
    # Nothing is lost on loopback, so what was said is there to the last sample; a moment of silence follows at most.
    begins = [sound.find(SAID) for sound in recorded]
    assert min(begins) > 0
    assert max(len(sound) - at for sound, at in zip(recorded, begins, strict=True)) < len(SAID) + 8000
