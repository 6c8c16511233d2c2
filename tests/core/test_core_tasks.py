"""Tasks: what is spawned never fails unseen, what is supervised is restarted."""

import asyncio
import itertools
import logging

import pytest

from tandem.core.counters import families
from tandem.core.tasks import Supervisor, Tasks, back_off_s, spawn
from tandem.testing.loop import JumpingLoop


def counted(family: str, task: str) -> float:
    found = next(each for each in families() if each.name == family)
    return found.of(task).value  # type: ignore[union-attr]


async def fail() -> None:
    raise ValueError("broken")


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_an_exception_of_spawned_work_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        before = counted("tandem_task_failures_total", "test.spawned")
        await asyncio.wait([spawn(fail(), name="test.spawned", log=logging.getLogger("tandem.test"))])
        await asyncio.sleep(0)
        assert counted("tandem_task_failures_total", "test.spawned") == before + 1

    JumpingLoop().complete(work())
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("tandem.test", "task.failed task=test.spawned")
    assert record.exc_info and isinstance(record.exc_info[1], ValueError)


def test_a_cancelled_task_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        task = spawn(for_ever(), name="test.cancelled")
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])

    JumpingLoop().complete(work())
    assert not caplog.records
    assert counted("tandem_task_failures_total", "test.cancelled") == 0


def test_an_owner_waits_for_its_tasks_and_ends_them() -> None:
    async def work() -> None:
        tasks = Tasks()
        tasks.spawn(asyncio.sleep(5), name="test.owned")
        tasks.spawn(asyncio.sleep(7), name="test.owned")
        assert len(tasks) == 2
        began = asyncio.get_running_loop().time()
        await tasks.idle()
        assert asyncio.get_running_loop().time() - began == pytest.approx(7)
        tasks.spawn(for_ever(), name="test.owned")
        await tasks.stop()
        assert len(tasks) == 0

    JumpingLoop().complete(work())


@pytest.mark.parametrize(("failures", "seconds"), [(1, 5.0), (2, 10.0), (4, 40.0), (5, 60.0), (1_000_000, 60.0)])
def test_a_delay_doubles_with_each_failure_up_to_its_bound(failures: int, seconds: float) -> None:
    assert back_off_s(failures, first_s=5.0, longest_s=60.0) == seconds


def test_background_work_is_restarted_with_a_delay_that_doubles_to_a_bound() -> None:
    starts: list[float] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        supervisor = Supervisor(first_delay_s=1, longest_delay_s=8)

        async def failing() -> None:
            starts.append(loop.time())
            await fail()

        supervisor.supervise("test.failing", failing)
        await asyncio.sleep(31.5)
        await supervisor.stop()

    JumpingLoop().complete(work())
    assert [later - earlier for earlier, later in itertools.pairwise(starts)] == [1, 2, 4, 8, 8, 8]
    assert counted("tandem_task_restarts_total", "test.failing") == 6


def test_after_running_well_the_delay_is_the_first_again() -> None:
    starts: list[float] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        supervisor = Supervisor(first_delay_s=1, ran_well_s=60)

        async def failing() -> None:
            starts.append(loop.time())
            await asyncio.sleep(60 if len(starts) == 3 else 0)
            await fail()

        supervisor.supervise("test.well", failing)
        await asyncio.sleep(64.5)
        await supervisor.stop()

    JumpingLoop().complete(work())
    assert [later - earlier for earlier, later in itertools.pairwise(starts)] == [1, 2, 61]


def test_what_is_down_is_named_until_it_runs_again(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        supervisor = Supervisor()
        fails = True

        async def flaky() -> None:
            await (fail() if fails else for_ever())

        supervisor.supervise("test.flaky", flaky)
        supervisor.supervise("test.steady", for_ever)
        assert supervisor.problem() == ""
        await asyncio.sleep(0.5)
        assert (
            supervisor.problem() == "test.flaky is down and will be restarted (failures: 1, last: ValueError('broken'))"
        )
        fails = False
        await asyncio.sleep(1)
        assert supervisor.problem() == ""
        await supervisor.stop()

    JumpingLoop().complete(work())
    assert [record.getMessage() for record in caplog.records] == ["task.restarts task=test.flaky failures=1 in_s=1"]


def test_a_cancellation_from_within_does_not_end_background_work() -> None:
    async def work() -> None:
        supervisor = Supervisor()
        starts = 0

        async def awaits_a_cancelled_future() -> None:
            nonlocal starts
            starts += 1
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

        supervisor.supervise("test.within", awaits_a_cancelled_future)
        await asyncio.sleep(1.5)
        assert starts == 2
        await supervisor.stop()

    JumpingLoop().complete(work())


def test_work_that_returns_is_over() -> None:
    async def work() -> None:
        supervisor = Supervisor()
        supervisor.supervise("test.returns", lambda: asyncio.sleep(0))
        await asyncio.sleep(100)
        assert supervisor.problem() == ""
        assert counted("tandem_task_restarts_total", "test.returns") == 0
        await supervisor.stop()

    JumpingLoop().complete(work())
