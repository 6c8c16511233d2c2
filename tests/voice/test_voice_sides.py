"""The sealed tokens of Record-Route: they mean something in their dialog only, and tell nobody who is on the other side."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.sip.message.message import Headers, Request
from tandem.voice.proxy.sides import KEY_BYTES, PhoneSide, ProvenServer, RouteSeal, Sides, mark, phone_mark

SEAL = RouteSeal(bytes(KEY_BYTES))
CALL = Sides(
    caller=PhoneSide(user="bob@example.com", way="0a0b0c0d0e0f"),
    callee=PhoneSide(user="alice@example.com", phone=phone_mark("<urn:uuid:1>", "sip:alice@192.0.2.1")),
    dialled=mark("4101", "example.com"),
    hidden=True,
)
TO_UM = Sides(caller=PhoneSide(user="bob@example.com"), callee=ProvenServer(host="um1.example.com", port=5061))


def request(call_id: str = "c1", from_tag: str = "bob", to_tag: str = "") -> Request:
    tail = f";tag={to_tag}" if to_tag else ""
    headers = [("From", f"<sip:b@x>;tag={from_tag}"), ("To", f"<sip:a@x>{tail}"), ("Call-ID", call_id)]
    return Request(method="INVITE", uri="sip:a@x", headers=Headers(headers))


BY_UDP = Sides(
    caller=PhoneSide(user=f"{'x' * 300}@example.com", way="u5060 192.0.2.1"), callee=PhoneSide(user="é@example.com")
)


@pytest.mark.parametrize("sides", [CALL, TO_UM, BY_UDP])
def test_a_token_says_the_same_to_both_sides_and_which_of_them_sent_the_request(sides: Sides) -> None:
    token = SEAL.token(sides, request())
    forwards = SEAL.opened(token, request(from_tag="bob", to_tag="alice"))
    backwards = SEAL.opened(token, request(from_tag="alice", to_tag="bob"))
    assert forwards is not None and backwards is not None
    assert forwards.sides == backwards.sides == sides
    assert (forwards.sender, forwards.receiver) == (sides.caller, sides.callee)
    assert (backwards.sender, backwards.receiver) == (sides.callee, sides.caller)


@pytest.mark.parametrize(
    "other",
    [
        request(call_id="c2", to_tag="alice"),
        request(from_tag="mallory", to_tag="alice"),
        request(from_tag="alice", to_tag="mallory"),
        request(from_tag="alice"),
    ],
)
def test_in_another_dialog_a_token_means_nothing(other: Request) -> None:
    assert SEAL.opened(SEAL.token(CALL, request()), other) is None


def test_a_token_of_another_key_or_that_was_changed_means_nothing() -> None:
    token = SEAL.token(CALL, request())
    assert RouteSeal(b"1" * KEY_BYTES).opened(token, request()) is None
    for at in range(len(token)):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        opened = SEAL.opened(changed, request())
        # The last character has bits that stand for nothing.
        assert opened is None or (at == len(token) - 1 and opened.sides == CALL)


@given(st.text(max_size=300) | st.text(string.ascii_letters + string.digits + "-_", max_size=2000))
def test_whatever_comes_as_a_token_is_opened_or_is_none(text: str) -> None:
    assert SEAL.opened(text, request()) is None


def test_a_token_can_be_the_user_of_a_uri_and_shows_nobody() -> None:
    token = SEAL.token(CALL, request())
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")
    assert (
        len(token) < 130
    )  # with name, port and parameters of the URI well below the 256 that some phones have room for
    assert "bob" not in token
