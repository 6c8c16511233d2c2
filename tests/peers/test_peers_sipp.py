"""sipp, which nobody here wrote, as a plain gateway of an Unsecured dial plan: a message is left, and the lamp goes on."""

import asyncio
from array import array
from pathlib import Path

import pytest

from peers.pcap import Caller
from peers.servers import add_gateway, um_server
from peers.sipp import Gateway, bye, expect, invite, pause, play, receive, request, ringing
from tandem.admin.trial.demo import attachment, messages, samples, voice_message
from tandem.media.codec import g711
from tandem.media.codec.wav import read_wav
from tandem.probe.compare import find_speech
from tandem.speech.samples.recorded import bob_message

pytestmark = [pytest.mark.peer, pytest.mark.slow]


def lamp(state: str) -> str:
    """One NOTIFY that tells of the lamp."""
    return expect("NOTIFY", "Event: *message-summary", f"Messages-Waiting: *{state}", first=True)


@pytest.mark.parametrize(("transport", "address"), [("udp", "127.0.0.23"), ("tcp", "127.0.0.24")])
async def test_a_plain_gateway_leaves_a_message_and_gets_its_notify(
    deployed: Path, tmp_path: Path, transport: str, address: str
) -> None:
    spoken = read_wav(bob_message())[: 2 * 8000 * 3]
    said = Caller().press("#").wait(1500).speak(g711.encode(spoken, g711.PCMU)).write(tmp_path / "said.pcap")
    add_gateway(deployed, "Lamp", address=address, transport=transport, lamp=True)
    with um_server(deployed) as um:
        caller = Gateway(folder=tmp_path, address=address, transport=transport, server_port=um.port(transport))
        listener = Gateway(folder=tmp_path, address=address, transport=transport, server_port=5060, port=5060)
        await listener.play(lamp("no"))
        told = asyncio.create_task(listener.play(lamp("yes")))
        await caller.play(
            invite(), ringing(), receive(200, "RTP/AVP 0"), request("ACK", 1),
            play(said), pause(1700 + len(spoken) // 16), bye(),
        )  # fmt: skip
        await told
    message, _ = voice_message(um.mailbox("dave"))
    assert message["X-CallingTelephoneNumber"] == "+14255550199"
    assert "Carol" in message["From"]
    assert find_speech(array("h", spoken), samples(attachment(message))).correlation > 0.9


async def test_an_unknown_address_is_refused_and_leaves_nothing(deployed: Path, tmp_path: Path) -> None:
    with um_server(deployed) as um:
        stranger = Gateway(folder=tmp_path, address="127.0.0.22", transport="udp", server_port=um.udp)
        await stranger.play(invite(), receive(403), request("ACK", 1, first=True, branch="[branch-2]"))
    kinds = [m["Content-Class"] for m, _ in messages(um.mailbox("dave"))]
    assert kinds in ([], [None])  # at most the welcome mail
