"""Where requests within a dialog go."""

import pytest

from tandem.call.link import target_of
from tandem.sip.aio.flow import Hop, StreamFlow
from tandem.sip.machines.dialog import Dialog
from tandem.sip.message.message import Headers, Request
from tandem.testing.network import MemoryFlow


def dialog(contact: str, *routes: str) -> Dialog:
    base = [
        ("From", "<sip:a@x>;tag=1"),
        ("To", "<sip:b@x>"),
        ("Call-ID", "c"),
        ("CSeq", "1 INVITE"),
        ("Contact", contact),
    ]
    headers = Headers([*base, *(("Record-Route", route) for route in routes)])
    return Dialog.from_uas(Request(method="INVITE", uri="sip:b@x", headers=headers), local_tag="2")


def gone(transport: str, *names: str) -> StreamFlow:
    """A connection that does not stand any more."""
    flow = StreamFlow(transport, None)  # type: ignore[arg-type] - nothing is received on it
    flow.peer_names = frozenset(names)
    return flow


@pytest.mark.parametrize(
    ("contact", "routes", "hop"),
    [
        ("<sip:a@pbx.example.com>", (), Hop(transport="", host="pbx.example.com", port=0)),
        ("<sip:a@pbx.example.com:5070>", (), Hop(transport="udp", host="pbx.example.com", port=5070)),
        ("<sip:a@[2001:db8::1]>", (), Hop(transport="udp", host="2001:db8::1", port=5060)),
        (
            "<sip:a@192.0.2.1>",
            ("<sip:sbc.example.com;lr;transport=tcp>",),
            Hop(transport="tcp", host="sbc.example.com", port=0),
        ),
    ],
)
def test_what_a_route_or_contact_leaves_open_is_left_to_dns(contact: str, routes: tuple[str, ...], hop: Hop) -> None:
    assert target_of(dialog(contact, *routes), MemoryFlow(None, "x", "y")) == hop  # type: ignore[arg-type] - it carries nothing


def test_where_the_connection_is_gone_the_contact_is_tried_if_its_name_can_be_checked() -> None:
    tcp, tls = dialog("<sip:a@192.0.2.1:5070;transport=tcp>"), dialog("<sip:a@gw.example.com;transport=tls>")
    assert target_of(tcp, gone("tcp")) == Hop(transport="tcp", host="192.0.2.1", port=5070)
    assert target_of(tls, gone("tls", "gw.example.com")) == Hop(transport="tls", host="gw.example.com", port=0)
    assert target_of(dialog("<sip:a@gw.example.com>"), gone("tls", "gw.example.com")) == Hop(
        transport="tls", host="gw.example.com", port=0
    )
    assert target_of(dialog("<sip:a@192.0.2.1>"), gone("tls", "gw.example.com")).port == 5061
    phone = gone("tls")
    assert target_of(tls, phone) is phone
