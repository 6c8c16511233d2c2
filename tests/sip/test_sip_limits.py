import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.sip.counts import dropped
from tandem.sip.machines.limits import DEBT_S, Bucket, Limits, SourceLimits, network_of

FEW = Limits(
    messages_per_s=10,
    messages_burst=5,
    connections_per_s=1,
    connections_burst=3,
    connections_of_source=2,
    handshakes_of_source=1,
    connections=4,
    handshakes=2,
    sources=8,
)


def test_a_burst_passes_and_then_the_rate() -> None:
    limits = SourceLimits(FEW)
    passed = [limits.datagram("1.1.1.1", 0.0) for _ in range(8)]
    assert passed == [True] * 5 + [False] * 3
    assert limits.datagram("1.1.1.1", 0.101) and not limits.datagram("1.1.1.1", 0.102)
    assert limits.datagram("2.2.2.2", 0.0)
    assert limits.datagram("1.1.1.1", 100.0)


@given(st.lists(st.floats(0, 0.5), min_size=50, max_size=200))
def test_no_source_gets_more_than_burst_and_rate(gaps: list[float]) -> None:
    limits, now, passed = SourceLimits(FEW), 0.0, 0
    for gap in gaps:
        now += gap
        passed += limits.datagram("1.1.1.1", now)
    assert passed <= FEW.messages_burst + FEW.messages_per_s * now + 1e-6


def test_a_stream_is_told_how_long_to_wait_and_pays_for_what_it_sent() -> None:
    limits = SourceLimits(FEW)
    waits = [limits.streamed("1.1.1.1", 0.0) for _ in range(8)]
    assert waits[:5] == [0.0] * 5
    assert [round(wait, 3) for wait in waits[5:]] == [0.1, 0.2, 0.3]


def flooded(connections: int, seconds: float) -> tuple[SourceLimits, float]:
    """What strangers behind one address have used who send on so many connections, each as soon as it is read again."""
    limits, now, heap = SourceLimits(Limits()), 0.0, [(0.0, number) for number in range(connections)]
    while now < seconds:
        now, number = heapq.heappop(heap)
        heapq.heappush(heap, (now + max(limits.streamed("nat", now), 0.001), number))
    return limits, now


@pytest.mark.parametrize("connections", [50, 400, 1_000])
def test_strangers_behind_the_same_address_do_not_hold_who_has_proved_something(connections: int) -> None:
    limits, now = flooded(connections, 20.0)
    assert limits.streamed("nat", now, Bucket()) == 0.0
    # A phone that has not registered yet is held with them: as long as their debt lasts, which is bounded.
    assert limits.streamed("nat", now) == pytest.approx(min(connections / 100, DEBT_S), abs=0.02)


def test_who_has_proved_something_has_the_rate_of_a_source_on_each_connection() -> None:
    limits, one, other = SourceLimits(FEW), Bucket(), Bucket()
    waits = [limits.streamed("nat", 0.0, one) for _ in range(7)]
    assert [round(wait, 3) for wait in waits] == [0.0] * 5 + [0.1, 0.2]
    assert limits.streamed("nat", 0.0, other) == limits.streamed("nat", 0.0) == 0.0


def test_a_debt_is_paid_within_its_bound() -> None:
    limits = SourceLimits(FEW)
    waits = [limits.streamed("1.1.1.1", 0.0) for _ in range(1_000)]
    assert max(waits) == waits[-1] == DEBT_S
    # After 2 s the debt is paid, and after one step of 0.1 s there is a token again.
    assert limits.streamed("1.1.1.1", DEBT_S + 0.1001) == 0.0


def test_strangers_of_a_source_have_half_of_its_connections() -> None:
    limits = SourceLimits(Limits(connections_of_source=4, strangers_of_source=2))
    assert [limits.connected("nat", handshake=False, now=0.0) for _ in range(3)] == [True, True, False]
    limits.proved("nat")
    assert [limits.connected("nat", handshake=False, now=0.0) for _ in range(2)] == [True, False]
    limits.proved("nat")
    limits.proved("nat")
    assert [limits.connected("nat", handshake=False, now=0.0) for _ in range(2)] == [True, False]  # four in all
    limits.disconnected("nat", proved=True)
    assert limits.connected("nat", handshake=False, now=0.0)
    assert Limits().strangers_of_source == Limits().connections_of_source / 2


def test_connections_are_bounded_by_source_and_together() -> None:
    limits = SourceLimits(FEW)
    assert [limits.connected("a", handshake=False, now=0.0) for _ in range(3)] == [True, True, False]
    limits.disconnected("a", proved=False)
    assert limits.connected("a", handshake=False, now=0.0)
    limits.disconnected("a", proved=False)
    assert not limits.connected("a", handshake=False, now=0.0)  # three in a burst, then one a second
    assert limits.connected("a", handshake=False, now=1.5)
    for source in "bc":
        assert limits.connected(source, handshake=False, now=0.0)
    assert not limits.connected("d", handshake=False, now=0.0)


def test_handshakes_that_do_not_end_are_bounded() -> None:
    limits = SourceLimits(FEW)
    assert limits.connected("a", handshake=True, now=0.0)
    assert not limits.connected("a", handshake=True, now=0.0)
    assert limits.connected("b", handshake=True, now=0.0)
    assert not limits.connected("c", handshake=True, now=0.0)
    limits.greeted("a")
    assert limits.connected("c", handshake=True, now=0.0)
    limits.greeted("b")
    limits.disconnected("b", proved=False)
    assert limits.connected("d", handshake=True, now=0.0)


def test_who_is_trusted_has_no_rates() -> None:
    limits = SourceLimits(FEW, trusted=lambda source: source == "gateway")
    assert all(limits.datagram("gateway", 0.0) for _ in range(100))
    assert not any(limits.streamed("gateway", 0.0) for _ in range(100))


def test_strangers_who_took_all_connections_keep_no_gateway_out() -> None:
    limits = SourceLimits(FEW, trusted=lambda source: source == "gateway")
    taken = [limits.connected(source, handshake=True, now=0.0) for source in "abcdef"]
    assert not all(taken) and not limits.connected("g", handshake=True, now=0.0)
    assert limits.connected("gateway", handshake=True, now=0.0)


def test_tables_stay_bounded_and_what_is_kept_out_is_counted() -> None:
    limits, before = SourceLimits(FEW), dropped.of("udp-messages").value
    for source in range(1000):
        for _ in range(7):
            limits.datagram(f"s{source}", 0.0)
    assert limits.remembered <= FEW.sources
    assert dropped.of("udp-messages").value - before == 2000


def test_an_ipv6_network_of_64_bits_is_one_source_and_a_site_has_the_share_of_four() -> None:
    limits = SourceLimits(FEW)
    passed = [limits.datagram(f"2001:db8:0:1::{host:x}", 0.0) for host in range(8)]
    assert passed == [True] * 5 + [False] * 3
    elsewhere = [limits.datagram(f"2001:db8:0:{network:x}::1", 0.0) for network in range(2, 32)]
    assert 14 <= sum(elsewhere) <= 15 and not any(
        elsewhere[15:]
    )  # of 20, less the five before (and what rounding takes)
    assert limits.datagram("2001:db8:1::1", 0.0) and limits.datagram("192.0.2.1", 0.0)


@pytest.mark.slow
def test_no_ipv6_site_takes_all_connections() -> None:
    limits = SourceLimits(Limits())
    taken = sum(
        limits.connected(f"2001:db8:0:{number % 500:x}::{number:x}", handshake=False, now=number / 100)
        for number in range(20_000)
    )
    assert taken == 4 * Limits().strangers_of_source == 2_000
    assert limits.connected("192.0.2.1", handshake=True, now=200.0)


def test_addresses_with_a_scope_are_read() -> None:
    assert network_of("fe80::1%eth0") == "fe80::/64" and network_of("192.0.2.1") == "192.0.2.1"


WITH_RESERVE = Limits(connections=4, strangers=3, handshakes=3, strangers_handshakes=2)


def test_strangers_leave_connections_to_sources_that_have_proved_something() -> None:
    limits = SourceLimits(WITH_RESERVE)
    assert limits.connected("office", handshake=False, now=0.0)
    limits.proved("office")
    assert [limits.connected(s, handshake=False, now=0.0) for s in "abcd"] == [True, True, True, False]
    limits.disconnected("a", proved=False)
    assert limits.connected("office", handshake=False, now=0.0)  # the same source is known from now on
    assert not limits.connected("office", handshake=False, now=0.0)  # four in all
    limits.proved("office")
    limits.disconnected("office", proved=True)
    assert limits.connected("d", handshake=False, now=0.0)


def test_strangers_leave_handshakes_to_sources_that_have_proved_something() -> None:
    limits = SourceLimits(WITH_RESERVE)
    assert limits.connected("office", handshake=False, now=0.0)
    limits.proved("office")
    limits.disconnected("office", proved=True)
    assert [limits.connected(s, handshake=True, now=0.0) for s in "abc"] == [True, True, False]
    assert limits.connected("office", handshake=True, now=0.0)


@given(
    st.lists(st.tuples(st.sampled_from(["1.1.1.1", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]), st.booleans()))
)
def test_what_was_let_in_and_is_gone_leaves_nothing(came: list[tuple[str, bool]]) -> None:
    limits = SourceLimits(Limits(connections=6, strangers=5, handshakes_of_source=1))
    open_ = [(source, proves) for source, proves in came if limits.connected(source, handshake=True, now=0.0)]
    for source, proves in open_:
        limits.greeted(source)
        if proves:
            limits.proved(source)
    for source, proves in open_:
        limits.disconnected(source, proved=proves)
    fresh = [limits.connected(f"9.9.9.{number}", handshake=False, now=0.0) for number in range(6)]
    assert fresh == [True] * 5 + [False]
