"""sipp as a gateway by IPv6: signalling and media."""

from pathlib import Path

import pytest

from peers.rtp import PlainRtp
from peers.servers import add_gateway, um_server
from peers.sipp import Gateway, bye, invite, pause, receive, request, ringing

pytestmark = [pytest.mark.peer, pytest.mark.slow]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_by_ipv6_is_answered_and_heard(deployed: Path, tmp_path: Path, transport: str) -> None:
    add_gateway(deployed, "Six", address="::1", transport=transport)
    with um_server(deployed, "--address=::1") as um:
        gateway = Gateway(
            folder=tmp_path, address="::1", transport=transport, server_port=um.port(transport), server="[::1]"
        )
        async with PlainRtp("::1") as rtp:
            await gateway.play(
                invite(), ringing(), receive(200, "c=IN IP6 ::1"), request("ACK", 1), pause(600), bye(),
                rtp_port=rtp.port,
            )  # fmt: skip
    assert len(rtp.arrivals) > 20
