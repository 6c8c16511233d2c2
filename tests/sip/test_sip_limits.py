from hypothesis import given
from hypothesis import strategies as st

from tandem.sip.counts import dropped
from tandem.sip.machines.limits import Limits, SourceLimits

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


def test_connections_are_bounded_by_source_and_together() -> None:
    limits = SourceLimits(FEW)
    assert [limits.connected("a", handshake=False, now=0.0) for _ in range(3)] == [True, True, False]
    limits.disconnected("a")
    assert limits.connected("a", handshake=False, now=0.0)
    limits.disconnected("a")
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
    limits.disconnected("b")
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
