"""What is looked at before a request is served, and what is answered to one that cannot be read."""

import pytest

from tandem.sip.errors import MalformedMessage
from tandem.sip.machines.uas import Abilities, Rejection, refusal
from tandem.sip.message.body import MAX_PARTS
from tandem.sip.message.message import Headers, Request
from tandem.sip.message.salvage import answer_to_unreadable

ABLE = Abilities(methods=("INVITE", "OPTIONS"), extensions=frozenset({"timer"}))


def request(method: str, *headers: tuple[str, str], uri: str = "sip:b@x", body: bytes = b"") -> Request:
    return Request(method=method, uri=uri, headers=Headers(headers), body=body)


def parts(*handlings: str) -> Request:
    """A description, and ISUP after it, each with what Content-Disposition says of its handling."""
    kinds = ("application/sdp", "application/isup;version=x")
    body = "".join(
        f"--b-1\r\nContent-Type: {kind}\r\nContent-Disposition: x{handling and f';handling={handling}'}\r\n\r\nbody\r\n"
        for kind, handling in zip(kinds, handlings, strict=False)
    )
    return request("INVITE", ("Content-Type", "multipart/mixed;boundary=b-1"), body=f"{body}--b-1--".encode())


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (request("OPTIONS", ("Require", "timer")), None),
        (request("INVITE", ("Content-Type", "Application/SDP; charset=utf-8"), body=b"v=0"), None),
        (request("INVITE", ("Accept", "text/plain, application/*;q=0.5")), None),
        (request("OPTIONS", ("Content-Type", "x/y"), ("Content-Disposition", "z; handling=optional"), body=b"b"), None),
        (request("MESSAGE"), Rejection(status=405, headers=(("Allow", "INVITE, OPTIONS"),))),
        (request("FROB"), Rejection(status=501, headers=(("Allow", "INVITE, OPTIONS"),))),
        (request("OPTIONS", uri="mailto:b@x"), Rejection(status=416)),
        (request("OPTIONS", uri="sip:b@@x"), Rejection(status=400)),
        (
            request("OPTIONS", ("Require", "timer, a"), ("Require", "b")),
            Rejection(status=420, headers=(("Unsupported", "a, b"),)),
        ),
        (
            request("INVITE", body=b"v=0"),
            Rejection(status=415, headers=(("Accept", "application/sdp, multipart/mixed"),)),
        ),
        (parts("required"), None),
        (parts("required", "optional"), None),
        (parts("required", ""), None),
        (
            parts("required", "required"),
            Rejection(status=415, headers=(("Accept", "application/sdp, multipart/mixed"),)),
        ),
        (
            request("INVITE", ("Content-Type", "application/sdp"), ("e", "gzip"), body=b"v=0"),
            Rejection(status=415, headers=(("Accept-Encoding", "identity"),)),
        ),
        (request("INVITE", ("Accept", "text/plain")), Rejection(status=406)),
        (request("INVITE", ("Accept", "")), Rejection(status=406)),
    ],
)
def test_a_request_is_served_or_refused_with_what_could_be_served(asked: Request, answer: Rejection | None) -> None:
    assert refusal(asked, ABLE) == answer


def test_what_can_be_found_of_an_unreadable_request_is_sent_back() -> None:
    data = b"INVITE <sip:x> SIP/2.0\r\nv: SIP/2.0/UDP a\r\n ;branch=1\r\nVia: SIP/2.0/UDP b\r\nTo: x\r\nTo: y\r\nX\r\n"
    assert answer_to_unreadable(data, 400) == (
        b"SIP/2.0 400 Bad Request\r\nv: SIP/2.0/UDP a ;branch=1\r\nVia: SIP/2.0/UDP b\r\nTo: x\r\nContent-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\n\r\n",
        b"ACK sip:x SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nTo: x\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nVia: a\nEvil: b\r\n\r\n",
        b"\x00\xff",
        b"",
    ],
)
def test_what_is_no_request_or_could_not_be_answered_is_left_alone(data: bytes) -> None:
    assert answer_to_unreadable(data, 400) is None


@pytest.mark.parametrize(
    "kind", ["multipart/mixed", "multipart/mixed;boundary=", f"multipart/mixed;boundary={'b' * 71}"]
)
def test_parts_that_cannot_be_told_apart_are_refused(kind: str) -> None:
    with pytest.raises(MalformedMessage, match="needs a boundary"):
        refusal(request("INVITE", ("Content-Type", kind), body=b"--b--"), ABLE)


def test_a_body_has_a_bounded_number_of_parts() -> None:
    with pytest.raises(MalformedMessage, match=f"more than {MAX_PARTS} parts"):
        refusal(
            request(
                "INVITE", ("Content-Type", "multipart/mixed;boundary=b"), body=b"--b\r\n\r\n\r\n" * (MAX_PARTS + 1)
            ),
            ABLE,
        )
