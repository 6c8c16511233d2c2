"""Subscriptions (RFC 6665) by their table, and the body of message-summary."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.sip.errors import MalformedMessage
from tandem.sip.machines.subscription import (
    AGAIN,
    NOTIFY_WAIT_S,
    TABLE,
    Again,
    Event,
    Notifier,
    Subscriber,
    SubscriptionInput,
    SubscriptionState,
    Told,
    event_of,
    told,
)
from tandem.sip.message.message import Headers, Request

S = SubscriptionState
MWI = Event(package="message-summary")


def state(text: str) -> Told:
    return told(Headers([("Subscription-State", text)]))


def test_nothing_follows_the_end() -> None:
    assert all((S.TERMINATED, what) not in TABLE for what in SubscriptionInput)
    for before, what in itertools.product(S, SubscriptionInput):
        assert TABLE.get((before, what)) is not S.NOTIFY_WAIT


def test_a_subscriber_waits_is_told_refreshes_and_ends() -> None:
    subscriber = Subscriber(MWI, 0.0)
    assert subscriber.next_timeout() == NOTIFY_WAIT_S and subscriber.refresh_at(0.0) is None
    subscriber.notified(state("pending;expires=600"), 1.0)
    subscriber.notified(state("active;expires=600"), 2.0)
    assert subscriber.state is S.ACTIVE and subscriber.refresh_at(2.0) == pytest.approx(542.0)
    subscriber.accepted(1200, 542.0)
    subscriber.timeout(700.0)
    assert subscriber.state is S.ACTIVE and subscriber.next_timeout() == 1742.0
    subscriber.notified(state("terminated;reason=probation;retry-after=30"), 800.0)
    assert subscriber.state is S.TERMINATED and subscriber.next_timeout() is None
    assert subscriber.last is not None and (subscriber.last.again, subscriber.last.retry_after_s) == (Again.LATER, 30)


def test_without_a_notify_or_a_refresh_a_subscription_ends() -> None:
    for first in (None, "active;expires=60"):
        subscriber = Subscriber(MWI, 0.0)
        if first:
            subscriber.notified(state(first), 0.0)
        subscriber.timeout(61.0)
        assert subscriber.state is S.TERMINATED


@pytest.mark.parametrize(("status", "ends"), [(481, True), (489, True), (500, False), (423, False)])
def test_a_refused_refresh_ends_it_only_where_nobody_is_there(status: int, ends: bool) -> None:
    subscriber = Subscriber(MWI, 0.0)
    subscriber.notified(state("active;expires=60"), 0.0)
    subscriber.refused(status)
    assert (subscriber.state is S.TERMINATED) is ends
    fresh = Subscriber(MWI, 0.0)
    fresh.refused(status)
    assert fresh.state is S.TERMINATED


@pytest.mark.parametrize("reason", [*AGAIN, "unheard-of"])
def test_each_reason_says_whether_to_try_again(reason: str) -> None:
    assert state(f"terminated;reason={reason}").again is AGAIN.get(reason, Again.LATER)


def test_a_notifier_tells_the_time_that_is_left_and_why_it_ended() -> None:
    notifier = Notifier(MWI, expires_s=600, now=0.0, pending=True)
    assert notifier.tell(0.0).value() == "pending;expires=600"
    notifier.activate()
    assert notifier.tell(100.0).value() == "active;expires=500" and not notifier.timeout(599.0)
    notifier.refreshed(600, 590.0)
    assert notifier.timeout(1190.0) and not notifier.timeout(1191.0)
    assert notifier.tell(1191.0).value() == "terminated;reason=timeout"
    notifier.activate()
    assert notifier.state is S.TERMINATED and notifier.next_timeout() is None


@pytest.mark.parametrize(("status", "ends"), [(200, False), (481, True), (408, True), (500, False)])
def test_a_notify_that_nobody_takes_ends_it(status: int, ends: bool) -> None:
    notifier = Notifier(MWI, expires_s=600, now=0.0)
    notifier.answered(status)
    assert (notifier.state is S.TERMINATED) is ends


def test_a_time_of_none_fetches_once() -> None:
    assert Notifier(MWI, expires_s=0, now=0.0).tell(0.0).value() == "terminated;reason=timeout"


def test_an_event_has_a_package_and_an_id() -> None:
    for text, event in (("Message-Summary", MWI), ("refer ; id=93809823", Event(package="refer", id="93809823"))):
        assert event_of(Request(method="NOTIFY", uri="sip:x", headers=Headers([("o", text)]))) == event
    assert event_of(Request(method="NOTIFY", uri="sip:x")).package == ""
    assert Event(package="refer", id="1").value() == "refer;id=1"


@given(st.text(max_size=60))
def test_what_a_notify_says_is_read_or_refused(text: str) -> None:
    try:
        headers = Headers([("Subscription-State", text)])
    except Exception:  # it could not have been sent as one line
        return
    try:
        said = told(headers)
    except MalformedMessage:
        return
    assert state(said.value()) == said
