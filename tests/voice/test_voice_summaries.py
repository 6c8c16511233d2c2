"""The file of message waiting states."""

import asyncio
import json
import logging
import sqlite3
from pathlib import Path

import pytest

from tandem.service.threads import ThreadPool
from tandem.sip.headers.mwi import MessageSummary
from tandem.voice import summaries
from tandem.voice.summaries import SavedSummaries

ALICE, BOB = "alice@example.com", "bob@example.com"
TWO = MessageSummary(new=2, old=3, urgent_new=1, urgent_old=0)


@pytest.fixture
def disk() -> ThreadPool:
    return ThreadPool("test-disk", 2)


async def loaded(file: Path, disk: ThreadPool) -> SavedSummaries:
    saved = SavedSummaries(file, disk, before=file.with_name("x.lamps.json"))
    await saved.load()
    return saved


async def test_changes_are_written_soon_and_read_after_a_restart(tmp_path: Path, disk: ThreadPool) -> None:
    file = tmp_path / "voice" / "x.mwi.db"
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
    file = tmp_path / "x.mwi.db"
    saved = await loaded(file, disk)
    await saved.save()
    assert not file.exists()
    saved.put(ALICE, TWO)
    await saved.save()
    assert (await loaded(file, disk)).of(ALICE) == TWO
    disk.close()


async def test_only_what_changed_is_written_and_what_came_meanwhile_together(
    tmp_path: Path, disk: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = summaries._write

    def counted(file: Path, batch: summaries.Summaries) -> None:
        written.append(len(batch))
        write(file, batch)

    monkeypatch.setattr(summaries, "_write", counted)
    saved = await loaded(tmp_path / "x.mwi.db", disk)
    for number in range(20_000):
        saved.put(f"u{number}@example.com", TWO)
    await saved.save()
    saved.put(ALICE, TWO)
    saved.put(ALICE, MessageSummary())
    saved.put(BOB, TWO)
    await saved.save()
    assert written == [20_000, 2]
    again = await loaded(tmp_path / "x.mwi.db", disk)
    assert (again.of("u19999@example.com"), again.of(ALICE), again.of(BOB)) == (TWO, MessageSummary(), TWO)
    disk.close()


async def test_a_file_of_release_0_1_is_read_and_taken_over(tmp_path: Path, disk: ThreadPool) -> None:
    (tmp_path / "x.lamps.json").write_text(json.dumps({ALICE: [2, 3, 1, 0]}))
    file = tmp_path / "x.mwi.db"
    saved = await loaded(file, disk)
    assert saved.of(ALICE) == TWO
    await saved.save()
    (tmp_path / "x.lamps.json").write_text(json.dumps({ALICE: [9, 9, 9, 9]}))  # as an older release would go on
    assert (await loaded(file, disk)).of(ALICE) == TWO
    disk.close()


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": [1, 2]}', '{"a": [1, 2, 3, "x"]}', "null"])
async def test_a_file_of_release_0_1_that_cannot_be_read_is_logged_and_counts_as_none(
    tmp_path: Path, disk: ThreadPool, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "x.lamps.json").write_text(content)
    assert (await loaded(tmp_path / "x.mwi.db", disk)).of("a") == MessageSummary()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    disk.close()


async def test_a_file_that_is_broken_is_set_aside_and_the_next_change_begins_another(
    tmp_path: Path, disk: ThreadPool, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "x.mwi.db"
    file.write_bytes(b"no database" * 100)
    saved = await loaded(file, disk)
    assert saved.of(ALICE) == MessageSummary()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert file.with_name("x.mwi.db.bad").exists()
    saved.put(ALICE, TWO)
    assert await saved.save()
    assert (await loaded(file, disk)).of(ALICE) == TWO
    disk.close()


async def test_a_failure_to_write_is_logged_and_nothing_of_it_is_forgotten(
    tmp_path: Path, disk: ThreadPool, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "folder" / "x.mwi.db"
    saved = await loaded(file, disk)
    file.parent.write_text("in the way")
    saved.put(ALICE, MessageSummary(new=1))
    saved.put(BOB, MessageSummary(new=1))
    assert not await saved.save()
    assert "voice.mwi_not_written" in caplog.text
    file.parent.unlink()
    saved.put(BOB, TWO)
    assert await saved.save()
    again = await loaded(file, disk)
    assert (again.of(ALICE).new, again.of(BOB)) == (1, TWO)
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT count(*) FROM mwi").fetchone() == (2,)
    disk.close()
