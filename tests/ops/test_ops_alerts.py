"""Every alert of docs/operations.md fires when its condition is true, and not before.

Expressions are evaluated over our own /metrics, read twice, five minutes apart, by as much of PromQL as the rules use. Tests
that make a server bring the condition about are named in ``MADE_TRUE_IN``.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import tandem.ops.operation
import tandem.wiring  # every room's counters
from tandem.core.counters import Gauge, Histogram, families
from tandem.ops.metrics import Metrics

assert tandem.ops.operation and tandem.wiring
ROOT = Path(__file__).parents[2]
(BLOCK,) = re.findall(r"\n    groups:\n(?:     .*\n)+", (ROOT / "docs" / "operations.md").read_text())
RULES = {rule["alert"]: rule["expr"] for rule in yaml.safe_load(BLOCK)["groups"][0]["rules"]}
OWN = {name: expr for name, expr in RULES.items() if name != "TandemDown"}  # which Prometheus itself knows
NOW, APART_S = 1.8e9, 300.0
MADE_TRUE_IN = {
    "TandemMailWaits": "mail/test_mail_counts.py",
    "TandemBadEntry": "directory/test_directory_contract.py",
    "TandemNoUM": "voice/test_voice_flows.py",
    "TandemSpoolDisk": "mail/test_mail_spool.py",
    "TandemLockedOut": "voice/test_voice_lockout.py",
}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape() -> Samples:
    found = text_string_to_metric_families(Metrics().text().decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in found for s in family.samples}


def fires(expression: str, before: Samples, after: Samples) -> bool:
    """One rule of the page."""
    if chained := re.fullmatch(r"0 < (\w+) < time\(\) \+ (.+)", expression):
        limit = NOW + arithmetic(chained[2])
        return any(0 < value < limit for value in series(chained[1], after).values())
    left, sign, right = re.split(r" ([<>]) ", expression)
    limit = arithmetic(right)
    values = value_of(left, before, after)
    return any(value > limit if sign == ">" else value < limit for value in values)


def value_of(text: str, before: Samples, after: Samples) -> list[float]:
    if inner := re.fullmatch(r"sum\((.+)\)", text):
        return [sum(value_of(inner[1], before, after))]
    if inner := re.fullmatch(r"histogram_quantile\((.+?), (.+)\)", text):
        return quantile(float(inner[1]), growth(inner[2], before, after))
    if inner := re.fullmatch(r"(\w+) - time\(\)", text):
        return [value - NOW for value in series(inner[1], after).values()]
    if text.startswith(("rate(", "increase(")):
        return list(growth(text, before, after).values())
    return list(series(text, after).values())


def growth(text: str, before: Samples, after: Samples) -> dict[frozenset[tuple[str, str]], float]:
    found = re.fullmatch(r"(rate|increase)\((.+)\[\d+[mh]\]\)", text)
    assert found, text
    earlier = series(found[2], before)
    divisor = APART_S if found[1] == "rate" else 1
    return {key: (value - earlier.get(key, 0)) / divisor for key, value in series(found[2], after).items()}


def series(selector: str, samples: Samples) -> dict[frozenset[tuple[str, str]], float]:
    found = re.fullmatch(r"(\w+)(?:\{(\w+)='(\w+)'\})?", selector)
    assert found, selector
    wanted = {(found[2], found[3])} if found[2] else set()
    matching = {labels: value for (name, labels), value in samples.items() if name == found[1] and wanted <= labels}
    # Prometheus counts no growth of a series that begins with its first value: those with labels are there from the start.
    assert matching or not wanted, f"no series {selector}"
    return matching


def quantile(q: float, buckets: dict[frozenset[tuple[str, str]], float]) -> list[float]:
    """The upper bound of the bucket in which the quantile is."""
    counts = sorted((float(dict(labels)["le"]), count) for labels, count in buckets.items())
    total = counts[-1][1] if counts else 0
    return [next(bound for bound, count in counts if count >= q * total)] if total else []


def arithmetic(text: str) -> float:
    product = 1.0
    for factor in text.split(" * "):
        product *= float(factor)
    return product


def move(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metric of a rule, moved as its owner moves it."""
    found = re.search(r"(tandem_\w+?)(?:_bucket)?(?:\{\w+='(\w+)'\})?(?=[\[ )]|$)", expression)
    assert found, expression
    (family,) = [each for each in families() if each.name == found[1]]
    member = family.of(found[2]) if found[2] else family.of(*["x"] * len(family.labels))
    if isinstance(member, Histogram):
        for _ in range(100):
            member.observe(1.0)
    elif isinstance(member, Gauge):
        value = NOW + 86_400.0 if "timestamp" in found[1] else 1e6
        source: Callable[[], float] = lambda: value  # noqa: E731
        monkeypatch.setattr(member, "source", source)
    else:
        member.value += 10_000


@pytest.mark.parametrize("alert", OWN)
def test_an_alert_fires_when_its_condition_is_true_and_not_before(alert: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expression = OWN[alert]
    for family in families():
        for member in family.members.values():
            if isinstance(member, Gauge):  # what other tests of this process have left
                calm = NOW + 1e9 if "timestamp" in family.name else 0.0
                monkeypatch.setattr(member, "source", lambda calm=calm: calm)
    before = scrape()
    assert not fires(expression, before, before)
    move(expression, monkeypatch)
    assert fires(expression, before, scrape())


def test_tests_make_servers_bring_conditions_about() -> None:
    for alert, place in MADE_TRUE_IN.items():
        assert alert in RULES and (ROOT / "tests" / place).exists()
