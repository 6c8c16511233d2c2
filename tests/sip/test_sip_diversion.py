"""Who was diverted, and who calls: Diversion, History-Info, P-Asserted-Identity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.sip.headers.diversion import Diversion, Reason, diversions
from tandem.sip.headers.history import CAUSES, HistoryEntry, diverted, diverted_in, entries_for, history
from tandem.sip.headers.identity import Asserted, asserted, assertions
from tandem.sip.headers.uri import parse_uri
from tandem.sip.message.message import Headers, Request


def invite(*headers: tuple[str, str]) -> Request:
    return Request(method="INVITE", uri="sip:x@y", headers=Headers(headers))


@pytest.mark.parametrize(
    "value",
    [
        "<sip:bob@example.com>;reason=no-answer;counter=2;limit=5;privacy=full;screen=yes",
        '"Bob, B." <tel:+14255554102>;reason=user-busy;counter=1;screen=no',
        "<sip:bob@example.com>;reason=unconditional",
    ],
)
def test_a_diversion_is_read_and_written_alike(value: str) -> None:
    (found,) = diversions(invite(("Diversion", value)))
    assert found.value() == value


def test_what_cannot_be_read_costs_nothing_else() -> None:
    values = (
        "<http://example.com>",
        "<sip:a@b>;reason=away;counter=9999, nonsense <",
        "<sip:c@d>;reason=what;screen=x",
    )
    found = diversions(invite(*(("Diversion", value) for value in values)))
    assert [(d.uri.user, d.reason, d.counter, d.screened) for d in found] == [
        ("a", Reason.AWAY, 99, None),
        ("c", Reason.UNKNOWN, None, None),
    ]


ONCE = (
    "<sip:bob@example.com?Reason=SIP%3Bcause%3D408>;index=1;rc=1",
    "<sip:um@example.com;cause=302>;index=1.1;mp=1",
)
TWICE = (
    "<sip:bob@example.com?Reason=SIP%3Bcause%3D302>;index=1",
    "<sip:carla@example.com?Privacy=none&Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%22>;index=1.1;mp=1",
    "<sip:carla@192.0.2.9>;index=1.1.1;rc=1.1",
    "<sip:um@example.com>;index=1.2;mp=1.1",
)
UNMARKED = (
    "<sip:bob@example.com?Reason=Q.850%3Bcause%3D17>;index=1",
    "<sip:bob@example.com?reason=sip%3bcause%3d503>;index=1.1, <sip:um@example.com>;index=1.2",
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (ONCE, [("bob", Reason.NO_ANSWER)]),
        (TWICE, [("carla", Reason.USER_BUSY), ("bob", Reason.UNCONDITIONAL)]),
        (UNMARKED, [("bob", Reason.UNAVAILABLE)]),
        (("<sip:bob@example.com>;index=1", "<sip:bob@192.0.2.1>;index=1.1;rc=1"), []),
        (("<sip:bob@example.com>;index=1", "<sip:um@x;cause=486>;index=1.1;mp=1"), [("bob", Reason.USER_BUSY)]),
        (("<sip:bob@example.com>", "nonsense", "<sip:um@x>;index=1.1;mp=9", "<sip:um@x>;index=1..1"), []),
    ],
    ids=["once", "twice", "without marks", "nobody", "cause in the URI", "nonsense"],
)
def test_history_says_who_was_diverted_and_why(values: tuple[str, ...], expected: list[tuple[str, Reason]]) -> None:
    found = diverted(invite(*(("History-Info", value) for value in values)))
    assert [(each.uri.user, each.reason) for each in found] == expected


def test_diversion_comes_before_history_and_does_not_hide_it() -> None:
    message = invite(*(("History-Info", value) for value in ONCE), ("Diversion", "<sip:zoe@example.com>;reason=away"))
    assert [each.uri.user for each in diverted(message)] == ["zoe", "bob"]


@pytest.mark.parametrize("reason", [*CAUSES, Reason.UNKNOWN])
def test_a_diversion_that_we_write_into_history_is_read_again(reason: Reason) -> None:
    bob, um = parse_uri("sip:bob@example.com"), parse_uri("sip:Main@um1.example.com:5061;transport=tls")
    entries = entries_for(bob, reason, um)
    again = history(invite(*(("History-Info", entry.value()) for entry in entries)))
    assert again == entries and [entry.index for entry in again] == ["1", "1.1"]
    assert diverted_in(again) == [Diversion(uri=bob, reason=reason)]


def test_a_call_that_is_diverted_again_keeps_its_history() -> None:
    bob, carla, um = (parse_uri(f"sip:{name}@example.com") for name in ("bob", "carla", "um"))
    first = entries_for(bob, Reason.UNCONDITIONAL, carla)
    entries = entries_for(carla, Reason.NO_ANSWER, um, before=first)
    assert [(entry.uri.user, entry.index, entry.mapped_from) for entry in entries] == [
        ("bob", "1", ""),
        ("carla", "1.1", "1"),
        ("um", "1.1.1", "1.1"),
    ]
    assert [(d.uri.user, d.reason) for d in diverted_in(entries)] == [
        ("carla", Reason.NO_ANSWER),
        ("bob", Reason.UNCONDITIONAL),
    ]
    stranger = entries_for(um, Reason.UNKNOWN, bob, before=[HistoryEntry(uri=carla, index="1")])
    assert [entry.index for entry in stranger] == ["1", "1.1", "1.1.1"]


@given(st.text(max_size=80))
def test_no_text_of_the_wire_raises(text: str) -> None:
    try:
        message = invite(("Diversion", text), ("History-Info", text), ("P-Asserted-Identity", text))
    except Exception:  # it could not have been sent as one line
        return
    diverted(message)
    asserted(message)


def test_who_calls_is_one_sip_and_one_telephone_address() -> None:
    message = invite(
        ("P-Asserted-Identity", '"Bob" <sip:bob@example.com>, <tel:+14255554102>'),
        ("P-Asserted-Identity", "<sip:other@example.com>, <mailto:bob@example.com>"),
        ("Privacy", "session;id"),
    )
    found = asserted(message)
    assert found.sip is not None and (found.sip.uri.user, found.sip.name) == ("bob", "Bob")
    assert found.tel is not None and found.tel.uri.user == "+14255554102"
    assert found.private and found.shown == Asserted(private=True)
    assert asserted(invite()) == Asserted()


def test_who_asked_for_no_privacy_is_shown() -> None:
    found = asserted(invite(("P-Asserted-Identity", "<sip:bob@example.com>"), ("Privacy", "none")))
    assert found.sip is not None and found.shown == found


def test_what_we_assert_cannot_be_broken_by_a_name() -> None:
    headers = assertions(name='x" <sip:boss@example.com>, "', sip="bob@example.com", tel="+1425")
    found = asserted(invite(*headers))
    assert found.sip is not None and found.sip.uri.user == "bob"
    assert found.tel is not None and found.tel.uri.user == "+1425"
