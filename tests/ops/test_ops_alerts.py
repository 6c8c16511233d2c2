"""Every alert of docs/operations.md fires when its condition is true, and not before.

Expressions are evaluated over our own /metrics, read twice, five minutes apart, by as much of PromQL as the rules use. Each
condition is brought about by a server or a room: at the end of this module, or in the modules that ``MADE_TRUE_IN`` names.
"""

import asyncio
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import deployment
import tandem.ops.operation
import tandem.wiring  # every room's counters
from media.test_media_engine import call, tone, until
from service.servers import serving
from tandem.call.errors import CallFailed
from tandem.core.clock import SystemClock
from tandem.core.counters import Gauge, Histogram, families
from tandem.core.ids import SystemIds
from tandem.directory.counts import Freshness
from tandem.media.engine.engine import MediaEngine
from tandem.media.session import Sound
from tandem.ops.metrics import Metrics
from tandem.ops.notify import ServiceManager
from tandem.ops.operation import Operation, Settings
from tandem.pki.authority import SERVER_DAYS, Authority
from tandem.pki.identity import Identity
from tandem.pki.store import CertificateStore
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.resolve import Resolver
from tandem.sip.machines.limits import Limits, SourceLimits
from tandem.testing.clock import ManualClock
from tandem.um import server as um_server

assert tandem.ops.operation and tandem.wiring
ROOT = Path(__file__).parents[2]
(BLOCK,) = re.findall(r"\n    groups:\n(?:     .*\n)+", (ROOT / "docs" / "operations.md").read_text())
RULES = {rule["alert"]: rule["expr"] for rule in yaml.safe_load(BLOCK)["groups"][0]["rules"]}
OWN = {name: expr for name, expr in RULES.items() if name != "TandemDown"}  # which Prometheus itself knows
NOW, APART_S = 1.8e9, 300.0
HERE = "ops/test_ops_alerts.py"
MADE_TRUE_IN = {
    "TandemMailWaits": "mail/test_mail_counts.py",
    "TandemBadEntry": "directory/test_directory_contract.py",
    "TandemNoUM": "voice/test_voice_flows.py",
    "TandemSpoolDisk": "mail/test_mail_spool.py",
    "TandemLockedOut": "voice/test_voice_lockout.py",
    "TandemDirectoryAway": HERE,
    "TandemCertificateEnds": HERE,
    "TandemRevocationListEnds": HERE,
    "TandemFull": HERE,
    "TandemCallsFail": HERE,
    "TandemMediaLate": HERE,
    "TandemWorkerDied": HERE,
    "TandemLoopLate": HERE,
    "TandemMediaDisk": HERE,
    "TandemAttacked": HERE,
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


def test_tests_make_servers_bring_every_condition_about() -> None:
    assert MADE_TRUE_IN.keys() == OWN.keys()
    for alert, place in MADE_TRUE_IN.items():
        assert alert in RULES and (ROOT / "tests" / place).exists()


# Conditions that a server or a room brings about. What other tests of this process have counted is before.


def made_true(alert: str, before: Samples) -> bool:
    return fires(RULES[alert], before, scrape())


async def until_fires(alert: str, before: Samples) -> None:
    async with asyncio.timeout(20):
        while not made_true(alert, before):
            await asyncio.sleep(0.05)


def test_a_directory_that_answers_no_more_is_away() -> None:
    clock = ManualClock()
    answers = Freshness(clock)
    answers.answered()
    clock.advance(300.0)
    before = scrape()
    assert not made_true("TandemDirectoryAway", before)
    clock.advance(0.1)
    assert made_true("TandemDirectoryAway", before)
    answers.answered()
    assert not made_true("TandemDirectoryAway", before)


@pytest.mark.parametrize(
    ("alert", "days"), [("TandemCertificateEnds", SERVER_DAYS - 30), ("TandemRevocationListEnds", 365 - 14)]
)
def test_a_certificate_and_a_revocation_list_that_end_are_told(tmp_path: Path, alert: str, days: int) -> None:
    for late, expected in ((-1, False), (1, True)):
        at = datetime.fromtimestamp(NOW, UTC) - timedelta(days=days + late)
        folder = tmp_path / str(late)
        authority = Authority.open_or_create(folder / "authority", organization="Example", at=at)
        store = CertificateStore(folder=folder / "um1.example.com")
        store.install(*authority.issue("um1.example.com", (), at=at), authority.root_pem)
        store.put_list(authority.revoke(folder / "authority", (12345,), at=at))
        Identity(store, require_client=True)
        assert made_true(alert, scrape()) is expected


async def test_a_loop_that_is_held_up_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tandem.ops.operation, "LAG_S", 0.02)
    operation = Operation(Settings(), fqdn="x", traces=tmp_path, service_manager=ServiceManager())
    before = scrape()
    await operation.start()
    await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_soon(time.sleep, 0.3)  # what may never be done in a server
    await until_fires("TandemLoopLate", before)
    await operation.stop()


async def test_a_flood_is_an_attack() -> None:
    limits = SourceLimits(Limits(messages_per_s=0.001, messages_burst=3))
    server = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver(), limits=limits)
    where = await server.listen_udp("127.0.0.1", 0)
    before = scrape()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        async with asyncio.timeout(20):
            while not made_true("TandemAttacked", before):
                for _ in range(500):
                    stranger.sendto(b"\r\n\r\n", where)
                    await asyncio.sleep(0)
    await server.close()


@pytest.mark.slow
async def test_a_worker_that_is_held_up_or_dies_and_a_disk_that_takes_nothing_are_told(tmp_path: Path) -> None:
    engine = MediaEngine(workers=1)
    await engine.start()
    session, phone = await call(engine)
    phone.play([Sound.of(tone(30))])
    session.play([Sound.of(tone(30))])
    await until(lambda: session.last_heard is not None)
    before = scrape()
    assert not made_true("TandemMediaDisk", before)
    session.record(tmp_path / "gone" / "x.part", idle_s=60)
    await until_fires("TandemMediaDisk", before)
    (worker,) = engine.workers
    os.kill(worker.pid, signal.SIGSTOP)
    await asyncio.sleep(0.3)  # it sends every 20 ms
    os.kill(worker.pid, signal.SIGCONT)
    await until_fires("TandemMediaLate", before)
    assert not made_true("TandemWorkerDied", before)
    os.kill(worker.pid, signal.SIGKILL)
    await until_fires("TandemWorkerDied", before)
    phone.close()
    await engine.close()


@pytest.mark.slow
async def test_a_um_server_that_is_full_or_fails_is_told(
    deployed_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("defect")

    async with serving(deployment.copy(deployed_template, tmp_path / "x")) as servers, servers.phones() as (_, bob):
        await bob.register()
        before = scrape()
        with monkeypatch.context() as patched:
            patched.setattr(servers.um, "_max_calls", 0)
            with pytest.raises(CallFailed):
                await bob.call("4101")
        assert made_true("TandemFull", before) and not made_true("TandemCallsFail", before)
        with monkeypatch.context() as patched:
            patched.setattr(um_server, "make_envelope", broken)
            with pytest.raises(CallFailed):
                await bob.call("4101")
        assert made_true("TandemCallsFail", before)
