"""INVITEs as PBXs, trunks and SIP-I gateways send them: which are answered, and what is said about media.

``tests/vectors/sip/field/NAME.sip`` is a request as it comes off the wire. Beside what is read of it (see
``tests/sip/test_sip_vectors.py``) ``NAME.expected`` has ``call``: the statuses that the caller sees, and the answer's media
line.
"""

import json
from pathlib import Path

import pytest

from engines import World, play
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.sip.message.message import Response
from tandem.sip.message.parse import parse_message

VECTORS = sorted((Path(__file__).parent.parent / "vectors" / "sip" / "field").glob("*.sip"))
PLAIN = (Path(__file__).parent.parent / "vectors" / "sip" / "field" / "sdp-junk-line.sip").read_bytes()
CONTACT = b"Contact: <sip:gw@127.0.0.61:25161;transport=udp>\r\n"


def answered(data: bytes) -> tuple[list[int], str]:
    """The statuses that an INVITE gets from one who rings and answers, and the media line of the 200, without its port."""

    async def scene(world: World) -> list[Response]:
        pbx, um = world.party("pbx"), world.party("um")
        seen: list[Response] = []

        def received(data: bytes, _: object) -> None:
            if isinstance(message := parse_message(data), Response):
                seen.append(message)

        async def serve(call: IncomingCall) -> CallLeg:
            await call.ring()
            return await call.answer()

        pbx.endpoint.received = received  # type: ignore[method-assign]
        um.serve = serve
        world.network.carry("pbx", "um", data)
        await world.rest()
        return seen

    seen = play(scene)
    lines = seen[-1].body.decode().split("\r\n")
    media = next((line for line in lines if line.startswith("m=")), "")
    return list(dict.fromkeys(response.status for response in seen)), " ".join(media.split()[:1] + media.split()[2:])


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_an_invite_from_the_field_is_answered_as_documented(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected").read_text())["call"]
    assert answered(path.read_bytes()) == (expected["statuses"], expected["media"])


def changed(old: bytes, new: bytes) -> bytes:
    """The INVITE that everyone answers, with a change; a body says its own length."""
    assert old in PLAIN, "the change changes something"
    head, _, body = PLAIN.replace(old, new).partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


SERVED = ([180, 200], "m=audio RTP/AVP 0 101")
REFUSED = ([400], "")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # headers that a call can do without
        (CONTACT, CONTACT + b"Supported: timer\r\nSession-Expires: abc\r\n", SERVED),
        (CONTACT, CONTACT + b"Supported: timer\r\nSession-Expires:\r\n", SERVED),
        (CONTACT, CONTACT + b"Supported: timer\r\nSession-Expires: 1800;refresher=\r\nMin-SE: x\r\n", SERVED),
        (CONTACT, CONTACT + b"Record-Route: <sip:proxy#1@h;lr>\r\n", SERVED),
        (CONTACT, b"Contact: <sip:PBX#1000#9@127.0.0.61:25161>\r\n", SERVED),
        (CONTACT, b"Contact: AT&T <sip:gw@127.0.0.61>\r\n", SERVED),
        # headers that it needs: refused before anything rings
        (CONTACT, b"Contact: *\r\n", REFUSED),
        (CONTACT, b"Contact: Roe, Bob <sip:gw@127.0.0.61>\r\n", REFUSED),
        (CONTACT, b"Contact: <sip:gw@127.0.0.61;a=1;a=2>\r\n", REFUSED),
        (CONTACT, b"Contact: <im:gw@127.0.0.61>\r\n", REFUSED),
        (CONTACT, CONTACT + b"Record-Route: <http://proxy>\r\n", REFUSED),
        (CONTACT, CONTACT + b"Replaces: a;to-tag=1\r\n", REFUSED),
        # lines of a description that nobody needs
        (b"X-vendor", b"m=video 0 RTP/AVP", SERVED),
        (b"X-vendor", b"m=audio 0 RTP/AVP", SERVED),
        (b"X-vendor", b"m=video 5000 RTP/AVP", SERVED),
        (b"s=-\r\n", b"s=T\xe9l\xe9phone\r\na=charset:ISO-8859-1\r\n", SERVED),
        (b"AVP 0 101", b"AVP 200 x 0 101", SERVED),
        (b"X-vendor", b"a=rtcp:25191 IN IP4 239.1.2.3", SERVED),
        (b"X-vendor", b"a=ptime:x", SERVED),
        # and those that media needs
        (b"c=IN IP4 127.0.0.61\r\n", b"", ([180, 400], "")),
        (b"c=IN IP4 127.0.0.61\r\n", b"c=IN IP6 2001:db8::1\r\n", ([180, 488], "")),
        (b"c=IN IP4 127.0.0.61\r\n", b"c=IN IP4 0.0.0.0\r\n", SERVED),
    ],
)  # fmt: skip
def test_what_a_call_needs_is_read_before_it_rings_and_the_rest_costs_nothing(
    old: bytes, new: bytes, expected: tuple[list[int], str]
) -> None:
    assert answered(changed(old, new)) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # a location beside the description (RFC 6442)
        (b"--b\r\nContent-Type: application/pidf+xml\r\n\r\n<x/>\r\n--b\r\nContent-Type: application/sdp\r\n\r\n%s", SERVED),
        # the last delimiter is missing
        (b"--b\r\nContent-Type: application/sdp\r\n\r\n%s", SERVED),
        (b"preamble\r\n--b  \r\nCONTENT-TYPE: Application/SDP;x=y\r\n\r\n%s\r\n--b--\r\nepilogue", SERVED),
        (b"--b\r\nContent-Type: application/sdp\r\n\r\n%s\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--b--", SERVED),
        # no description: the caller gets our offer
        (b"--b\r\nContent-Type: text/plain\r\n\r\n%s\r\n--b--", ([180, 200], "m=audio RTP/AVP 0 8 9 96 101 102")),
        (b"--b\r\n\r\n%s\r\n--b--", ([180, 200], "m=audio RTP/AVP 0 8 9 96 101 102")),
        (b"--b\r\n" * 20 + b"%s", REFUSED),
    ],
)  # fmt: skip
def test_the_first_description_of_several_parts_is_the_offer(parts: bytes, expected: tuple[list[int], str]) -> None:
    body = PLAIN.partition(b"\r\n\r\n")[2]
    whole = changed(body, parts % body)
    assert answered(whole.replace(b"application/sdp", b'multipart/mixed; boundary="b"', 1)) == expected
