"""The parts of a service: threads of their own, following the directory, admission."""

import asyncio
import logging
import threading
from dataclasses import dataclass, field

import pytest

from tandem.core.log import about, surroundings
from tandem.directory.errors import DirectoryUnavailable, InvalidCredentials
from tandem.directory.index import Snapshot
from tandem.service import following
from tandem.service.admission import Admission
from tandem.service.following import Following
from tandem.service.threads import DIRECTORY_THREADS, Threads
from tandem.sip.machines.uas import Abilities
from tandem.sip.message.message import Headers, Request
from tandem.testing.clock import ManualClock

Headers_ = tuple[tuple[str, str], ...]


async def test_a_directory_that_hangs_holds_up_neither_the_disk_nor_hashing() -> None:
    threads, release = Threads("test"), threading.Event()
    hanging = [asyncio.ensure_future(threads.directory.run(release.wait)) for _ in range(3 * DIRECTORY_THREADS)]
    async with asyncio.timeout(5):
        names = [await pool.run(lambda: threading.current_thread().name) for pool in (threads.disk, threads.hashing)]
    assert [name.rpartition("_")[0] for name in names] == ["test-disk", "test-hashing"]
    assert sum(thread.name.startswith("test-directory") for thread in threading.enumerate()) == DIRECTORY_THREADS
    release.set()
    await asyncio.gather(*hanging)
    threads.close()


async def test_a_thread_has_the_log_fields_of_its_caller_and_what_was_begun_ends_after_a_cancellation() -> None:
    threads, begun, done = Threads("test"), threading.Event(), threading.Event()
    with about(call="c1"):
        assert await threads.disk.run(lambda: dict(surroundings())) == {"call": "c1"}
    release = threading.Event()

    def write() -> None:
        begun.set()
        release.wait(5)
        done.set()

    writing = asyncio.ensure_future(threads.disk.run(write))
    while not begun.is_set():
        await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    threads.close()
    release.set()
    assert done.wait(5)


async def test_what_runs_last_waits_for_calls_that_were_cancelled_and_go_on_in_their_threads() -> None:
    threads, begun, release = Threads("test"), threading.Event(), threading.Event()
    done: list[str] = []

    def poll() -> None:
        begun.set()
        release.wait(5)
        done.append("poll")

    polling = asyncio.ensure_future(threads.directory.run(poll))
    while not begun.is_set():
        await asyncio.sleep(0)
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await polling
    closing = asyncio.ensure_future(threads.directory.run_last(done.append, "close"))
    await asyncio.sleep(0.05)
    assert done == []
    release.set()
    async with asyncio.timeout(5):
        await closing
    assert done == ["poll", "close"]
    threads.close()


@dataclass
class Index:
    """Gives what it is told to, one for each poll."""

    found: list[Snapshot | Exception | None]
    taken: list[Snapshot] = field(default_factory=list)

    def poll(self) -> Snapshot | None:
        found = self.found.pop(0) if self.found else None
        if isinstance(found, Exception):
            raise found
        return found

    def take(self, found: Snapshot) -> None:
        self.taken.append(found)

    def __len__(self) -> int:
        return len(self.taken)


class Directory:
    def __init__(self, *found: Snapshot | Exception | None) -> None:
        self.index = Index(list(found))

    def config(self) -> int:
        return len(self.index)


async def test_a_snapshot_stays_in_force_while_the_directory_fails_and_is_followed_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(following, "FOLLOW_S", 0.0)
    threads, taken, twice = Threads("test"), [], asyncio.Event()

    def took(config: int) -> None:
        taken.append(config)
        if config == 2:
            twice.set()

    refused = InvalidCredentials("refused")
    failing = (DirectoryUnavailable("away"), ValueError("defect"), refused, refused, refused, None, refused)
    directory = Directory(Snapshot(tables={}), *failing, Snapshot(tables={}))
    followed: Following[int] = Following(
        directory,  # type: ignore[arg-type]
        clock=ManualClock(),
        pool=threads.directory,
        log=logging.getLogger("tandem.test"),
        room="test",
        took=took,
    )
    assert (followed.config, followed.freshness.problem()) == (0, "the directory was not read yet")
    await followed.look()
    assert (followed.config, followed.freshness.problem()) == (1, "")
    running = asyncio.ensure_future(followed.run())
    async with asyncio.timeout(5):
        await twice.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    threads.close()
    assert taken == [1, 2]
    said = ["defect", "refused", "refused"]  # once for each row of failures that are the same
    assert [record.getMessage() for record in caplog.records] == [f"test.directory error={text}" for text in said]


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 1.0), (1, 2.0), (2, 4.0), (5, 32.0), (6, 60.0), (1_000_000, 60.0)]
)
def test_a_directory_that_refuses_is_asked_less_and_less_often(failures: int, seconds: float) -> None:
    assert following.pause_s(failures) == seconds


class Asked:
    """A request, and what it was answered with."""

    def __init__(self, method: str, *headers: tuple[str, str]) -> None:
        self.request = Request(method=method, uri="sip:a@example.com", headers=Headers(list(headers)))
        self.answers: list[tuple[int, Headers_]] = []

    def respond_with(self, status: int, *, headers: Headers_ = ()) -> None:
        self.answers.append((status, headers))

    respond_stateless = respond_with


ALLOW = ("Allow", "INVITE, OPTIONS")
BUSY = ("Retry-After", "30")


@pytest.mark.parametrize(
    ("ask", "method", "headers", "expected"),
    [
        ("refuse_unable", "DANCE", (), [(501, (ALLOW,))]),
        ("refuse_unable", "MESSAGE", (), [(405, (ALLOW,))]),
        ("refuse_unable", "OPTIONS", (("Require", "dancing"),), [(420, (("Unsupported", "dancing"),))]),
        ("refuse_unable", "OPTIONS", (), []),
        ("refuse_proxy_require", "INVITE", (("Proxy-Require", "b, a"),), [(420, (("Unsupported", "a, b"),))]),
        ("refuse_proxy_require", "INVITE", (), []),
        ("refuse_method", "MESSAGE", (), [(405, (ALLOW,))]),
        ("refuse_method", "DANCE", (), [(501, (ALLOW,))]),
        ("answer_options", "OPTIONS", (), [(200, (ALLOW,))]),
        ("refuse_busy", "INVITE", (), [(503, (BUSY,))]),
    ],
)
def test_admission(ask: str, method: str, headers: Headers_, expected: list[tuple[int, Headers_]]) -> None:
    asked = Asked(method, *headers)
    answered = getattr(Admission(Abilities(methods=("INVITE", "OPTIONS"))), ask)(asked)
    assert asked.answers == expected
    assert answered in (None, bool(expected))


def test_options_say_503_while_the_server_drains() -> None:
    admission, asked = Admission(Abilities(methods=("INVITE", "OPTIONS"))), Asked("OPTIONS")
    admission.draining = True
    admission.answer_options(asked)  # type: ignore[arg-type]
    assert asked.answers == [(503, (BUSY,))]
