"""The machines below a call, each by its table: dialogs, offers, reliable responses, session timers, retries, transfers."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.sip.errors import DialogError, MalformedMessage, OutOfTurn
from tandem.sip.headers import refer
from tandem.sip.headers.params import tokens, with_parameters
from tandem.sip.headers.replaces import Replaces, replaces
from tandem.sip.machines import dialog as dialogs
from tandem.sip.machines import offeranswer as exchange
from tandem.sip.machines import sessiontimer
from tandem.sip.machines.dialog import Dialog, DialogInput, DialogState, check_replaced, dialog_key
from tandem.sip.machines.offeranswer import Offer, OfferAnswer, Step, glare_wait_s
from tandem.sip.machines.reliable import RAck, ReliableReceiver, ReliableSender, Resend, parse_rack, resend_answer
from tandem.sip.machines.retry import (
    AskLonger,
    Authenticate,
    GoElsewhere,
    Retries,
    contacts_by_preference,
    retry_after_s,
)
from tandem.sip.machines.sessiontimer import Due, SessionInterval, SessionTimer
from tandem.sip.message.message import Headers, Request, Response, response_to


def invite(*headers: tuple[str, str], method: str = "INVITE", cseq: int = 7) -> Request:
    base = [
        ("Via", "SIP/2.0/UDP a;branch=z9hG4bK1"),
        ("Record-Route", "<sip:p1;lr>"),
        ("Record-Route", "<sip:p2;lr>, <sip:p3;lr>"),
        ("From", "<sip:alice@a>;tag=A"),
        ("To", "<sip:bob@b>"),
        ("Call-ID", "c1"),
        ("CSeq", f"{cseq} {method}"),
        ("Contact", "<sip:alice@192.0.2.1:5070>"),
    ]
    return Request(method=method, uri="sip:bob@b", headers=Headers([*base, *headers]))


def answer(status: int, *headers: tuple[str, str], tag: str = "B", request: Request | None = None) -> Response:
    response = response_to(request or invite(), status, to_tag=tag)
    for header in (("Contact", f"<sip:bob@{tag}.example>"), *headers):
        response.headers.add(*header)
    return response


# Dialogs (RFC 3261 §12)


def test_both_sides_of_a_dialog_agree_about_it() -> None:
    request = invite()
    caller, callee = Dialog.from_uac(request, answer(200)), Dialog.from_uas(request, local_tag="B")
    assert caller.key == ("c1", "A", "B") and callee.key == ("c1", "B", "A")
    assert caller.route_set == ["<sip:p3;lr>", "<sip:p2;lr>", "<sip:p1;lr>"] == callee.route_set[::-1]
    bye = callee.request("BYE")
    assert dialog_key(bye) == caller.key and bye.uri == "sip:alice@192.0.2.1:5070"
    assert caller.is_caller and not callee.is_caller
    assert bye.headers.get("CSeq") == "1 BYE" and caller.request("BYE").headers.get("CSeq") == "8 BYE"
    assert caller.request("ACK", cseq=7).headers.get("CSeq") == "7 ACK"


def test_each_to_tag_of_a_fork_is_a_dialog() -> None:
    forks = [Dialog.from_uac(invite(), answer(status, tag=tag)) for status, tag in ((180, "B"), (183, "C"), (200, "D"))]
    assert len({fork.key for fork in forks}) == 3
    assert [fork.state for fork in forks] == [DialogState.EARLY, DialogState.EARLY, DialogState.CONFIRMED]


def test_a_200_takes_the_route_set_and_the_target_anew() -> None:
    dialog = Dialog.from_uac(invite(), answer(180))
    late = answer(200)
    late.headers.set("Record-Route", "<sip:p9;lr>")
    late.headers.set("Contact", "<sip:bob@elsewhere>")
    dialog.confirm(late)
    assert (dialog.state, dialog.route_set, dialog.target) == (
        DialogState.CONFIRMED,
        ["<sip:p9;lr>"],
        "sip:bob@elsewhere",
    )


def test_a_dialog_needs_a_contact_and_a_tag() -> None:
    bare = answer(180)
    bare.headers.remove("Contact")
    with pytest.raises(MalformedMessage):
        Dialog.from_uac(invite(), bare)
    with pytest.raises(MalformedMessage):
        Dialog.from_uac(invite(), answer(100))
    without = invite()
    without.headers.remove("Contact")
    with pytest.raises(MalformedMessage):
        Dialog.from_uas(without, local_tag="B")


def test_a_strict_router_takes_the_place_of_the_request_uri() -> None:
    request = invite()
    request.headers.set("Record-Route", "<sip:strict>")
    request.headers.add("Record-Route", "<sip:loose;lr>")
    sent = Dialog.from_uas(request, local_tag="B").request("BYE")
    assert sent.uri == "sip:strict"
    assert sent.headers.all("Route") == ["<sip:loose;lr>", "<sip:alice@192.0.2.1:5070>"]


def test_a_cseq_may_jump_but_not_fall() -> None:
    dialog = Dialog.from_uas(invite(), local_tag="B")
    dialog.check(invite(method="INFO", cseq=700))
    with pytest.raises(DialogError) as refused:
        dialog.check(invite(method="INFO", cseq=8))
    assert refused.value.status == 500


@pytest.mark.parametrize(
    "method", ["INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER", "BYE", "INFO", "PRACK", "OPTIONS"]
)
def test_only_some_methods_move_the_target(method: str) -> None:
    dialog = Dialog.from_uas(invite(), local_tag="B")
    moved = invite(method=method, cseq=8)
    moved.headers.set("Contact", "<sip:alice@moved>")
    dialog.refresh_target(moved)
    assert (dialog.target == "sip:alice@moved") is (method in dialogs.REFRESHES_TARGET)
    dialog.target = "sip:before"
    dialog.refresh_target(answer(200, request=moved))
    assert (dialog.target == "sip:before") is (method not in dialogs.REFRESHES_TARGET)


@given(st.lists(st.sampled_from(DialogInput)))
def test_a_dialog_ends_once_and_never_comes_back(inputs: list[DialogInput]) -> None:
    dialog = Dialog.from_uac(invite(), answer(180))
    ended = False
    for what in inputs:
        dialog.happened(what)
        assert not ended or dialog.state is DialogState.TERMINATED
        ended = dialog.state is DialogState.TERMINATED
    assert all(DialogState.TERMINATED is not state for state, _ in dialogs.TABLE)


# Offers (RFC 3264, 3261 §14, 3311)


@pytest.mark.parametrize(("state", "step"), list(itertools.product(Offer, Step)))
def test_what_the_table_of_offers_lacks_is_refused(state: Offer, step: Step) -> None:
    turns = OfferAnswer()
    turns.state = state
    expected = exchange.TABLE.get((state, step))
    if expected is not None:
        turns.step(step)
        assert turns.state is expected
    elif step is Step.OFFER_RECEIVED:
        with pytest.raises(DialogError) as refused:
            turns.step(step)
        assert refused.value.status == (491 if state is Offer.OURS else 500)
        assert bool(refused.value.headers) is (state is Offer.THEIRS)
    else:
        with pytest.raises(OutOfTurn):
            turns.step(step)


def test_one_invite_is_under_way_at_a_time() -> None:
    turns = OfferAnswer()
    turns.invite_sent()
    with pytest.raises(DialogError) as refused:
        turns.invite_received()
    assert refused.value.status == 491
    turns.invite_done()
    turns.invite_received()
    with pytest.raises(OutOfTurn):
        turns.invite_sent()
    with pytest.raises(DialogError) as refused:
        turns.invite_received()
    assert refused.value.status == 500 and dict(refused.value.headers)["Retry-After"]


@given(st.floats(0, 1, exclude_max=True))
def test_after_a_glare_the_two_sides_wait_for_times_that_do_not_meet(chance: float) -> None:
    assert 2.1 <= glare_wait_s(owns_call_id=True, chance=chance) <= 4.0
    assert 0.0 <= glare_wait_s(owns_call_id=False, chance=chance) <= 2.0


# What is sent again (RFC 3261 §13.3.1.4, RFC 3262)


def moments(resend: Resend) -> list[float]:
    out = []
    while True:
        at = resend.next_timeout()
        again = resend.timeout(at)
        if again is None:
            return [*out, -at]
        if again:
            out.append(at)


def test_an_answer_comes_again_at_most_each_4_s_and_a_provisional_one_ever_later() -> None:
    assert moments(resend_answer(0.0)) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5, -32.0]
    assert moments(Resend(0.0)) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, -32.0]
    assert Resend(0.0).timeout(0.4) is False


def prack(rseq: int, cseq: int = 7, method: str = "INVITE") -> Request:
    return invite(("RAck", RAck(rseq=rseq, cseq=cseq, method=method).value()), method="PRACK", cseq=8)


def test_reliable_responses_go_out_one_after_the_other() -> None:
    sender = ReliableSender(invite(), first=41)
    (first,) = sender.send(answer(180), 0.0)
    assert (first.headers.get("RSeq"), first.headers.get("Require")) == ("41", "100rel")
    assert sender.send(answer(183), 0.1) == [] and sender.pending
    assert sender.timeout(0.5) == [first]
    (second,) = sender.acknowledged(prack(41), 0.6)
    assert (second.status, second.headers.get("RSeq")) == (183, "42")
    assert sender.acknowledged(prack(42), 0.7) == [] and not sender.pending and sender.next_timeout() is None


@pytest.mark.parametrize("wrong", [prack(40), prack(41, cseq=6), prack(41, method="UPDATE")])
def test_a_prack_for_something_else_changes_nothing(wrong: Request) -> None:
    sender = ReliableSender(invite(), first=41)
    sender.send(answer(180), 0.0)
    with pytest.raises(DialogError) as refused:
        sender.acknowledged(wrong, 0.1)
    assert refused.value.status == 481 and sender.pending


def test_without_a_prack_it_is_given_up_and_an_answer_ends_it() -> None:
    sender = ReliableSender(invite(), first=1)
    sender.send(answer(180), 0.0)
    assert sender.timeout(32.0) is None and not sender.pending
    sender.send(answer(180), 40.0)
    sender.answered()
    assert sender.next_timeout() is None and sender.timeout(99.0) == []


def test_reliable_responses_are_taken_once_and_in_their_order() -> None:
    receiver = ReliableReceiver()
    reliable = [answer(180, ("Require", "100rel"), ("RSeq", str(n))) for n in (9, 9, 11, 10, 11)]
    taken = [rack.rseq if (rack := receiver.received(each)) else None for each in reliable]
    assert taken == [9, None, None, 10, 11]
    assert receiver.received(answer(180)) is None
    assert receiver.received(answer(200, ("Require", "100rel"), ("RSeq", "12"))) is None


@pytest.mark.parametrize("text", ["", "1 2", "1 2 INVITE x", "-1 2 INVITE", "99999999999 1 INVITE"])
def test_an_rack_is_two_numbers_and_a_method(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_rack(text)
    assert parse_rack("776656  1 INVITE") == RAck(rseq=776656, cseq=1, method="INVITE")


# Session timers (RFC 4028)

CAN = ("Supported", "timer")


@pytest.mark.parametrize(
    ("headers", "said", "ours"),
    [
        ((), None, None),
        ((CAN,), None, None),
        ((CAN, ("Session-Expires", "1800")), "1800;refresher=uac", False),
        ((CAN, ("Session-Expires", "1800;refresher=uas")), "1800;refresher=uas", True),
        ((CAN, ("x", "120 ; Refresher=UAC")), "120;refresher=uac", False),
        ((("Session-Expires", "1800"),), "1800;refresher=uas", True),
        ((("Session-Expires", "60"),), "90;refresher=uas", True),
        ((("Session-Expires", "100"), ("Min-SE", "300")), "300;refresher=uas", True),
    ],
)
def test_who_refreshes_is_as_table_2_says(
    headers: tuple[tuple[str, str], ...], said: str | None, ours: bool | None
) -> None:
    granted, terms = sessiontimer.grant(invite(*headers))
    assert dict(granted).get("Session-Expires") == said
    assert (terms.ours if terms else None) == ours
    assert ("Require" in dict(granted)) is (ours is False)
    if terms is not None:
        theirs = sessiontimer.granted(answer(200, *granted))
        assert theirs == SessionInterval(interval_s=terms.interval_s, ours=not terms.ours)


def test_a_session_that_is_too_short_is_refused_with_what_would_do() -> None:
    with pytest.raises(DialogError) as refused:
        sessiontimer.grant(invite(CAN, ("Session-Expires", "60")))
    assert (refused.value.status, refused.value.headers) == (422, (("Min-SE", "90"),))
    assert sessiontimer.after_422(answer(422, ("Min-SE", "600")), min_se_s=90) == 600
    assert sessiontimer.after_422(answer(422), min_se_s=90) == 90


@pytest.mark.parametrize(
    ("ours", "expected"), [(True, [(900.0, Due.REFRESH), (1768.0, Due.END)]), (False, [(1768.0, Due.END)])]
)
def test_the_clock_asks_for_a_refresh_at_half_time_and_ends_before_the_end(
    ours: bool, expected: list[tuple[float, Due]]
) -> None:
    timer, seen = SessionTimer(SessionInterval(interval_s=1800, ours=ours), 0.0), []
    while not seen or seen[-1][1] is not Due.END:
        at = timer.next_timeout()
        if (due := timer.timeout(at)) is not None:
            seen.append((at, due))
    assert seen == expected
    timer.refreshed(timer.interval, 1000.0)
    assert timer.timeout(1001.0) is None
    timer.retry_at(1002.0)
    assert timer.timeout(1002.0) is Due.REFRESH


# Retries (RFC 3261 §8.1.3, 22.2)


def test_a_challenge_is_answered_once_unless_only_the_nonce_was_old() -> None:
    retries = Retries()
    fresh = answer(407, ("Proxy-Authenticate", 'Digest realm="x", nonce="n"'))
    stale = answer(407, ("Proxy-Authenticate", 'Digest realm="x", nonce="m", stale=TRUE'))
    wanted = Authenticate(challenges=('Digest realm="x", nonce="n"',), header="Proxy-Authorization")
    assert retries.after(fresh) == wanted
    assert [retries.after(stale) is not None for _ in range(5)] == [True, True, True, False, False]
    again = Retries()
    again.after(fresh)
    assert again.after(fresh) is None
    assert again.after(answer(401, ("WWW-Authenticate", 'Digest realm="y", nonce="o"'))) is not None


def test_a_422_has_to_ask_for_more() -> None:
    retries = Retries()
    assert retries.after(answer(422, ("Min-SE", "600"))) == AskLonger(min_se_s=600)
    assert retries.after(answer(422, ("Min-SE", "600"))) is None


def redirection(*contacts: str) -> Response:
    response = answer(302)
    response.headers.remove("Contact")
    for contact in contacts:
        response.headers.add("Contact", contact)
    return response


def test_a_redirection_is_followed_as_often_as_allowed_and_never_back() -> None:
    retries = Retries(redirects=1, visited={"sip:a@x"})
    assert retries.after(redirection("<sip:a@x>")) is None
    assert retries.after(redirection("<sip:a@x>, <sip:b@x>")) == GoElsewhere(uris=("sip:b@x",))
    assert retries.after(redirection("<sip:c@x>")) is None
    assert Retries(visited={"sip:a@x"}).after(redirection("<sip:b@x>")) is None


def test_a_secure_call_is_not_redirected_to_less() -> None:
    retries = Retries(redirects=1, visited={"sips:a@x"})
    assert retries.after(redirection("<sip:b@x>")) is None
    assert retries.after(redirection("<sip:b@x>;q=1.0", "<sips:c@x>;q=0.1")) == GoElsewhere(uris=("sips:c@x",))


def test_of_several_contacts_the_preferred_comes_first() -> None:
    response = redirection("<sip:low@x>;q=0.2, <sip:high@x>", "<mailto:a@x>", "<sip:mid@x>;q=0.5", "<sip:odd@x>;q=7")
    assert contacts_by_preference(response) == ["sip:high@x", "sip:odd@x", "sip:mid@x", "sip:low@x"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("18", 18), ("120 (in a meeting)", 120), ("5;duration=60", 5), ("soon", None), (None, None)]
)
def test_retry_after_is_read_in_all_its_forms(text: str | None, seconds: int | None) -> None:
    assert retry_after_s(answer(503, *([("Retry-After", text)] if text else []))) == seconds


# Replaces (RFC 3891), REFER (RFC 3515)


def test_what_we_ask_to_be_replaced_is_found_by_its_peer() -> None:
    request = invite()
    mine, theirs = Dialog.from_uac(request, answer(200)), Dialog.from_uas(request, local_tag="B")
    wanted = replaces(invite(("Replaces", Replaces.of(mine.key).value())))
    assert wanted is not None and wanted.key == theirs.key


@pytest.mark.parametrize(
    ("state", "is_caller", "early_only", "status"),
    [
        (None, True, False, 481),
        (DialogState.TERMINATED, True, False, 603),
        (DialogState.EARLY, False, False, 481),
        (DialogState.EARLY, True, True, None),
        (DialogState.CONFIRMED, True, False, None),
        (DialogState.CONFIRMED, True, True, 486),
    ],
)
def test_what_cannot_be_replaced_is_refused_as_section_3_says(
    state: DialogState | None, is_caller: bool, early_only: bool, status: int | None
) -> None:
    dialog = Dialog.from_uac(invite(), answer(180))
    wanted = Replaces(call_id="c1", to_tag="A", from_tag="B", early_only=early_only)
    if state is not None:
        dialog.state, dialog.is_caller = state, is_caller
    if status is None:
        check_replaced(wanted, dialog)
        return
    with pytest.raises(DialogError) as refused:
        check_replaced(wanted, dialog if state is not None else None)
    assert refused.value.status == status


@pytest.mark.parametrize("values", [("x;to-tag=1",), ("x;from-tag=1;to-tag=2", "y;from-tag=1;to-tag=2"), ("",)])
def test_a_replaces_that_names_no_dialog_is_malformed(values: tuple[str, ...]) -> None:
    with pytest.raises(MalformedMessage):
        replaces(invite(*(("Replaces", value) for value in values)))


def test_a_refer_with_replaces_and_referred_by_is_read_as_it_was_written() -> None:
    wanted = refer.Refer(
        uri="sip:carol@x;transport=tcp",
        replaces=Replaces(call_id="a@b", to_tag="1", from_tag="2"),
        referred_by='"Bob; Co" <sip:bob@x>',
    )
    assert refer.parse_refer(invite(*wanted.headers())) == wanted


@pytest.mark.parametrize(
    ("value", "uri"),
    [
        ("sip:carol@x", "sip:carol@x"),
        ('"Carol <x>" <sip:carol@x>', "sip:carol@x"),
        ("<sip:carol@x?Subject=hello&Route=%3Csip:evil%3E>", "sip:carol@x"),
        ("<tel:+1425>", "tel:+1425"),
    ],
)
def test_nothing_but_the_target_is_taken_of_refer_to(value: str, uri: str) -> None:
    found = refer.parse_refer(invite(("Refer-To", value)))
    assert (found.uri, found.replaces) == (uri, None)


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("<sip:a@x>", "<sip:b@x>"),
        ("<sip:a@x>, <sip:b@x>",),
        ("<http://x>",),
        ("<sip:a@x?Replaces=b%0D%0AX%3A1>",),
        ("",),
    ],
)
def test_a_refer_without_exactly_one_target_is_malformed(values: tuple[str, ...]) -> None:
    with pytest.raises(MalformedMessage):
        refer.parse_refer(invite(*(("Refer-To", value) for value in values)))


def test_a_fragment_tells_a_status() -> None:
    assert refer.parse_fragment(refer.fragment(486)) == 486
    for body in (b"", b"SIP/2.0 999 x", b"INVITE sip:x SIP/2.0\r\n"):
        with pytest.raises(MalformedMessage):
            refer.parse_fragment(body)


# Values


def test_parameters_are_read_with_quotes_and_without_case() -> None:
    value, parameters = with_parameters(' active ; Expires=10;reason="a;b\\"c";lr ')
    assert (value, parameters) == ("active", {"expires": "10", "reason": 'a;b"c', "lr": ""})
    assert tokens(["100rel, Timer", "", "a,,b"]) == {"100rel", "timer", "a", "b"}


@given(st.text(max_size=60))
def test_no_value_breaks_the_reading_of_parameters(text: str) -> None:
    with_parameters(text)
    tokens([text])
