import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tandem.core.clock import SystemClock
from tandem.core.counters import counter, gauge, histogram
from tandem.directory.counts import Freshness
from tandem.mail.disk import problem_of
from tandem.ops import health, http
from tandem.ops.errors import OpsError
from tandem.ops.http import Answer, HttpServer
from tandem.ops.metrics import CONTENT_TYPE, Metrics


@contextlib.asynccontextmanager
async def served(pages: dict[str, http.Page], **options: frozenset[str]) -> AsyncIterator[tuple[str, int]]:
    server = HttpServer(pages, **options)
    yield await server.listen("127.0.0.1", 0)
    await server.close()


async def ask(where: tuple[str, int], request: bytes) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection(*where)
    writer.write(request)
    data = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


PAGES = {"/healthz": lambda: Answer.of_text("alive")}


async def test_a_page_is_given_and_the_connection_closed() -> None:
    async with served(dict(PAGES)) as where:
        status, headers, body = await ask(where, b"GET /healthz?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (status, body, headers["Content-Length"]) == (200, b"alive\n", "6")
        status, headers, body = await ask(where, b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (status, body, headers["Content-Length"]) == (200, b"", "6")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", 404),
        (b"POST /healthz HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"OPTIONS sip:x SIP/2.0\r\n\r\n", 400),
        (b"\x16\x03\x01\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nA: " + b"x" * 9000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_no_request_for_a_page_is_refused(request_: bytes, status: int) -> None:
    async with served(dict(PAGES)) as where:
        assert (await ask(where, request_))[0] == status


async def test_a_page_that_fails_costs_only_itself() -> None:
    def broken() -> Answer:
        raise RuntimeError("broken")

    async with served({"/broken": broken, **PAGES}) as where:
        assert (await ask(where, b"GET /broken HTTP/1.1\r\n\r\n"))[0] == 500
        assert (await ask(where, b"GET /healthz HTTP/1.1\r\n\r\n"))[0] == 200


async def test_whoever_sends_slowly_is_let_go_and_keeps_out_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST_S", 0.3)
    async with served(dict(PAGES)) as where:
        slow = [await asyncio.open_connection(*where) for _ in range(http.MAX_CONNECTIONS)]
        for _, writer in slow:
            writer.write(b"GET /hea")
        beyond, writer = await asyncio.open_connection(*where)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(beyond.read(), 5) == b""
        writer.close()
        answers = [await asyncio.wait_for(reader.read(), 5) for reader, _ in slow]
        assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
        assert (await ask(where, b"GET /healthz HTTP/1.1\r\n\r\n"))[0] == 200
        for _, writer in slow:
            writer.close()


async def test_a_port_that_is_taken_is_told_with_the_option() -> None:
    async with served(dict(PAGES)) as (host, port):
        with pytest.raises(OpsError, match="Choose another with --ops-port"):
            await HttpServer({}).listen(host, port)


async def test_prometheus_own_parser_reads_what_was_counted() -> None:
    requests = counter("tandem_test_metrics_requests_total", 'A "help"\nof two lines.', "method")
    requests.of("INVITE").value += 3
    requests.of('odd"\n\\').value += 1
    gauge("tandem_test_metrics_level", "A level.").of().value = 1.5
    broken = gauge("tandem_test_metrics_broken", "A level that cannot be told.").of()
    broken.source = lambda: 1 / 0
    seconds = histogram("tandem_test_metrics_seconds", "Seconds.", bounds=(0.1, 1.0)).of()
    for value in (0.05, 0.5, 7.0):
        seconds.observe(value)
    metrics = Metrics()
    page = {"/metrics": lambda: Answer(content_type=CONTENT_TYPE, body=metrics.text())}
    async with served(page, slow=frozenset({"/metrics"})) as where:
        _, headers, body = await ask(where, b"GET /metrics HTTP/1.1\r\n\r\n")
    assert headers["Content-Type"].startswith("text/plain; version=")
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    assert found["tandem_test_metrics_requests_total", "INVITE"] == 3
    assert found["tandem_test_metrics_requests_total", 'odd"\n\\'] == 1
    assert found["tandem_test_metrics_level",] == 1.5
    assert [found["tandem_test_metrics_seconds_bucket", le] for le in ("0.1", "1.0", "+Inf")] == [1, 2, 3]
    assert found["tandem_test_metrics_seconds_count",] == 3
    assert ("tandem_test_metrics_broken",) not in found
    assert found["process_resident_memory_bytes",] > 0
    assert any(name[0] == "tandem_build_info" for name in found)


def test_readiness_says_what_is_wrong_with_each_part(tmp_path: Path) -> None:
    def fails() -> str:
        raise ValueError("cannot tell")

    found = health.examine(
        {
            "well": lambda: "",
            "spool": lambda: problem_of(tmp_path),
            "gone": lambda: problem_of(tmp_path / "none"),
            "directory": Freshness(SystemClock()).problem,
            "broken": fails,
        }
    )
    assert not found.ready
    wrong = dict(found.checks)
    assert (wrong.pop("well"), wrong.pop("spool")) == ("", "")
    assert all(wrong.values())
    assert wrong["broken"] == "ValueError: cannot tell"
    assert json.loads(json.dumps(found.facts()))["checks"]["well"] == "ok"
    assert list(tmp_path.iterdir()) == []
