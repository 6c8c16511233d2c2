import secrets

import pytest

from tandem.core import counters


def name(ending: str = "_total") -> str:
    return f"tandem_test_{secrets.token_hex(6)}{ending}"


def test_a_counter_is_the_same_one_for_the_same_labels() -> None:
    family = counters.counter(name(), "Things.", "method", "status")
    bound = family.of("INVITE", "2xx")
    bound.value += 1
    family.of("INVITE", "2xx").value += 2
    family.of("BYE", "2xx").value += 4
    assert (bound.value, family.total()) == (3, 7)


def test_a_gauge_asks_its_source_when_it_is_read() -> None:
    asked = iter((1.0, 2.0))
    gauge = counters.gauge(name(""), "A level.").of()
    gauge.source = lambda: next(asked)
    assert [gauge.read(), gauge.read()] == [1.0, 2.0]


def test_a_value_on_a_bound_is_within_it() -> None:
    histogram = counters.histogram(name(""), "Seconds.", bounds=(0.1, 1.0)).of()
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    assert (histogram.counts, histogram.sum) == ([2, 1, 1], pytest.approx(7.65))


def test_labels_off_the_wire_fill_no_memory() -> None:
    family = counters.counter(name(), "Things.", "method")
    for number in range(10_000):
        family.of(f"M{number}").value += 1
    assert len(family.members) == counters.MAX_MEMBERS + 1
    assert family.of("other").value == 10_000 - counters.MAX_MEMBERS
    assert family.total() == 10_000


def test_mistakes_of_ours_are_told() -> None:
    taken = name()
    family = counters.counter(taken, "Things.", "method")
    with pytest.raises(ValueError, match="registered already"):
        counters.gauge(taken, "Another.")
    with pytest.raises(ValueError, match="ends in _total"):
        counters.counter(name("_count"), "Things.")
    with pytest.raises(ValueError, match="has the labels"):
        family.of()


def test_families_come_by_name() -> None:
    made = sorted(name() for _ in range(3))
    for each in reversed(made):
        counters.counter(each, "Things.")
    names = [family.name for family in counters.families()]
    assert names == sorted(names) and set(made) <= set(names)
