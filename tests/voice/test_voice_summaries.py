"""The file of message waiting states."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from tandem.service.threads import ThreadPool
from tandem.sip.headers.mwi import MessageSummary
from tandem.voice.summaries import SavedSummaries

ALICE, BOB = "alice@example.com", "bob@example.com"
TWO = MessageSummary(new=2, old=3, urgent_new=1, urgent_old=0)


@pytest.fixture
def disk() -> ThreadPool:
    return ThreadPool("test-disk", 2)


async def loaded(file: Path, disk: ThreadPool) -> SavedSummaries:
    saved = SavedSummaries(file, disk)
    await saved.load()
    return saved


async def test_changes_are_written_soon_and_read_after_a_restart(tmp_path: Path, disk: ThreadPool) -> None:
    file = tmp_path / "voice" / "x.lamps.json"
    saved = await loaded(file, disk)
    running = asyncio.ensure_future(saved.run())
    saved.put(ALICE, MessageSummary(new=1))
    saved.put(ALICE, TWO)
    async with asyncio.timeout(5):
        while (await loaded(file, disk)).of(ALICE) != TWO:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await loaded(file, disk)).of(BOB) == MessageSummary()
    disk.close()


async def test_what_came_last_is_written_at_the_end(tmp_path: Path, disk: ThreadPool) -> None:
    file = tmp_path / "x.lamps.json"
    saved = await loaded(file, disk)
    await saved.save()
    assert not file.exists()
    saved.put(ALICE, TWO)
    await saved.save()
    assert (await loaded(file, disk)).of(ALICE) == TWO
    disk.close()


async def test_a_file_of_release_0_1_is_read(tmp_path: Path, disk: ThreadPool) -> None:
    file = tmp_path / "x.lamps.json"
    file.write_text(json.dumps({ALICE: [2, 3, 1, 0]}))
    assert (await loaded(file, disk)).of(ALICE) == TWO
    disk.close()


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": [1, 2]}', "null"])
async def test_a_file_that_cannot_be_read_is_logged_and_counts_as_none(
    tmp_path: Path, disk: ThreadPool, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "x.lamps.json"
    file.write_text(content)
    assert (await loaded(file, disk)).of("a") == MessageSummary()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    disk.close()


async def test_a_failure_to_write_is_logged_and_the_next_change_is_written(
    tmp_path: Path, disk: ThreadPool, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "folder" / "x.lamps.json"
    saved = await loaded(file, disk)
    file.parent.write_text("in the way")
    saved.put(ALICE, MessageSummary(new=1))
    await saved.save()
    assert "voice.mwi_not_written" in caplog.text
    file.parent.unlink()
    saved.put(BOB, TWO)
    await saved.save()
    again = await loaded(file, disk)
    assert (again.of(ALICE).new, again.of(BOB)) == (1, TWO)
    disk.close()
