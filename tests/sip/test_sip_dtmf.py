"""DTMF in an INFO, as PBXs send it."""

import pytest

from tandem.sip.errors import DialogError
from tandem.sip.headers.dtmf import read_dtmf
from tandem.sip.message.message import Headers, Request


def info(body: bytes, *headers: tuple[str, str]) -> Request:
    return Request(method="INFO", uri="sip:um@example.com", headers=Headers(headers), body=body)


@pytest.mark.parametrize(
    ("kind", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),  # Cisco, Asterisk
        ("Application/DTMF-Relay; charset=utf-8", b"Signal= #\nDuration= 250\n", "#"),
        ("application/dtmf-relay", b"Duration=160\r\nsignal = *\r\n", "*"),
        ("application/dtmf-relay", b"Signal=11\r\nDuration=160", "#"),
        ("application/dtmf-relay", b"Signal=10", "*"),
        ("application/dtmf-relay", b"Signal=d", "D"),
        ("application/dtmf", b"7", "7"),
        ("application/dtmf", b" *\r\n", "*"),
    ],
)
def test_digits(kind: str, body: bytes, digit: str) -> None:
    assert read_dtmf(info(body, ("Content-Type", kind))) == digit


def test_an_info_without_a_body_asks_whether_we_are_there() -> None:
    assert read_dtmf(info(b"")) == ""


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ((("Info-Package", "nortel"),), b"", 469),
        ((("Content-Type", "application/media_control+xml"),), b"<x/>", 415),
        ((), b"Signal=5", 415),
        ((("Content-Type", "application/dtmf-relay"),), b"Signal=12\r\n", 400),
        ((("Content-Type", "application/dtmf-relay"),), b"Signal\r\n" * 3, 400),
        ((("Content-Type", "application/dtmf"),), b"\xff\xb2", 400),
    ],
)
def test_what_is_no_digit_is_refused(headers: tuple[tuple[str, str], ...], body: bytes, status: int) -> None:
    with pytest.raises(DialogError) as refused:
        read_dtmf(info(body, *headers))
    assert refused.value.status == status
    if status == 415:
        assert ("Accept", "application/dtmf-relay, application/dtmf") in refused.value.headers
