"""The spool: a message that was heard is there exactly once, wherever it dies, and in whatever order files become visible."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tandem.mail import counts
from tandem.mail.compose import missed_call
from tandem.mail.disk import MANY, SharedSync, sync_files
from tandem.mail.envelope import Envelope, SpooledMessage
from tandem.mail.errors import MailError, SpoolTaken
from tandem.mail.maildir.folder import MaildirFolder
from tandem.mail.spool import Draft, Spool
from tandem.mail.spoolfiles import SpoolFiles

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).isoformat()
ENVELOPE = Envelope(
    message_id="voice-1",
    mailbox="alice@example.com",
    recipient_name="Alice Adams",
    call_id="abc@host",
    begun_at=AT,
    caller_number="+14255554102",
)
SOUND = b"\1\0" * 16_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "spool"
    made.mkdir()
    return made


@pytest.fixture
def spool(folder: Path) -> Iterator[Spool]:
    made = Spool(folder)
    made.hold()
    yield made
    made.stop()


def begun(spool: Spool) -> Draft:
    draft = spool.begin(ENVELOPE)
    draft.part.write_bytes(SOUND)
    return draft


def restarted(folder: Path) -> list[SpooledMessage]:
    """What the next server finds."""
    spool = Spool(folder)
    spool.hold()
    try:
        return spool.recover(ended_at=AT)
    finally:
        spool.stop()


# What a call leaves


def test_making_a_spool_leaves_the_disk_alone_and_holding_it_makes_the_folder(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "state" / "spool")
    assert not spool.folder.exists()
    spool.hold()
    assert spool.recover(ended_at=AT) == [] and spool.folder.stat().st_mode & 0o777 == 0o700
    spool.stop()


def test_a_recording_waits_until_it_is_done(spool: Spool) -> None:
    message = begun(spool).close(samples=8000, ended_at=AT)
    assert spool.pending() == [message]
    assert message.sound is not None and message.sound.read_bytes() == SOUND
    assert (message.samples, message.cut, message.envelope) == (8000, False, ENVELOPE)
    spool.done(message)
    assert spool.pending() == [] and not list(spool.folder.iterdir())


def test_a_missed_call_waits_without_sound(spool: Spool) -> None:
    message = begun(spool).close(samples=0, ended_at=AT)
    assert message.sound is None and spool.pending() == [message]
    spool.done(message)
    assert not list(spool.folder.iterdir())


def test_a_call_that_was_never_answered_leaves_nothing(spool: Spool) -> None:
    spool.begin(ENVELOPE).discard()
    assert spool.recover(ended_at=AT) == [] and not list(spool.folder.iterdir())


def test_what_waits_is_found_by_the_next_server_as_it_was(spool: Spool) -> None:
    message = begun(spool).close(samples=8000, ended_at=AT, cut=True)
    spool.stop()
    assert restarted(spool.folder) == [message]


# What cannot be read


def test_what_cannot_be_read_is_set_aside_not_dropped(spool: Spool) -> None:
    (spool.folder / "x.json").write_text("{}")
    (spool.folder / "x.pcm").write_bytes(SOUND)
    (spool.folder / "y.open").write_text("no json")
    (spool.folder / "z.open").write_text('{"message_id": "../../etc/passwd"}')
    (spool.folder / "w.json").write_text("[]")
    for _ in range(2):
        assert spool.recover(ended_at=AT) == []
        kept = ["w.json.bad", "x.json.bad", "x.pcm", "y.open.bad", "z.open.bad"]
        assert sorted(p.name for p in spool.folder.iterdir()) == kept


def test_a_record_of_a_later_release_is_read_without_what_is_unknown(spool: Spool) -> None:
    message = begun(spool).close(samples=8000, ended_at=AT)
    spool.stop()
    path = spool.folder / "voice-1.json"
    facts = json.loads(path.read_text())
    facts["importance"] = facts["envelope"]["importance"] = "high"
    path.write_text(json.dumps(facts))
    (spool.folder / "voice-2.open").write_text(json.dumps({**facts["envelope"], "message_id": "voice-2"}))
    assert [found.envelope.message_id for found in restarted(spool.folder)] == ["voice-1", "voice-2"]
    assert message.envelope == ENVELOPE


@pytest.mark.parametrize("kind", ["json", "open"])
def test_a_file_that_cannot_be_opened_now_costs_itself_and_is_tried_again(spool: Spool, kind: str) -> None:
    path = spool.folder / f"bad.{kind}"
    path.mkdir()  # a mode stops no superuser
    (spool.folder / "voice-1.open").write_text(json.dumps({**facts_of(ENVELOPE)}))
    before = counts.disk_errors.value
    assert [found.envelope.message_id for found in spool.recover(ended_at=AT)] == ["voice-1"]
    assert list(spool.unreadable()) == ["bad"] and counts.disk_errors.value == before + 1
    assert spool.problem() == "", "one bad file keeps no call away"
    path.rmdir()
    assert spool.recover(ended_at=AT) == [] and spool.unreadable() == {}


def test_a_record_whose_sound_is_missing_is_kept_until_the_sound_is_there(spool: Spool) -> None:
    message = begun(spool).close(samples=8000, ended_at=AT)
    spool.stop()
    assert message.sound is not None
    away = message.sound.rename(spool.folder.parent / "away")
    again = Spool(spool.folder)
    again.hold()
    assert again.recover(ended_at=AT) == [] and list(again.unreadable()) == ["voice-1"]
    away.rename(message.sound)
    assert again.recover(ended_at=AT) == [message] and again.unreadable() == {}
    again.stop()


def facts_of(envelope: Envelope) -> dict[str, object]:
    return {
        name: getattr(envelope, name) for name in ("message_id", "mailbox", "recipient_name", "call_id", "begun_at")
    }


# States of release 0.1, and of every crash


@pytest.mark.parametrize(
    ("files", "samples", "cut"),
    [
        ({"open"}, 0, True),
        ({"open", "part"}, 16_000, True),
        ({"open", "pcm"}, 16_000, False),
        ({"open", "part", "pcm"}, 16_000, False),
        ({"open", "json", "part"}, 8000, False),
        ({"open", "json", "pcm"}, 8000, False),
        ({"json", "pcm"}, 8000, False),
        ({"json", "part"}, 8000, False),
        ({"pcm"}, None, False),
        ({"part"}, None, False),
    ],
)
def test_every_state_of_the_files_is_one_message_or_none(
    spool: Spool, files: set[str], samples: int | None, cut: bool
) -> None:
    begun(spool).close(samples=8000, ended_at=AT)
    spool.stop()
    texts = {
        "json": (spool.folder / "voice-1.json").read_bytes(),
        "open": json.dumps(facts_of(ENVELOPE)).encode(),
        "part": SOUND,
        "pcm": SOUND,
    }
    for path in spool.folder.iterdir():
        path.unlink()
    for kind in files:
        (spool.folder / f"voice-1.{kind}").write_bytes(texts[kind])
    (spool.folder / ".voice-1.json.new").write_bytes(b"{")
    again = Spool(spool.folder)
    again.hold()
    found = again.recover(ended_at=AT)
    assert [(m.samples, m.cut, m.sound is not None) for m in found] == (
        [] if samples is None else [(samples, cut, samples > 0)]
    )
    assert all(m.sound is None or m.sound.read_bytes() == SOUND for m in found)
    assert again.recover(ended_at=AT) == []
    for message in found:
        again.done(message)
    assert not list(spool.folder.iterdir())
    again.stop()


class Died(BaseException):
    """The process, at an operation on a file."""


OPERATIONS = {"open", "os.rename", "os.remove", "os.scandir", "os.mkdir", "os.truncate"}
_before: Callable[[str], None] | None = None


def _audit(name: str, arguments: tuple[object, ...]) -> None:  # a hook cannot be taken away again
    if _before is not None and name in OPERATIONS and str(arguments[0]).partition("voice-1")[1]:
        _before(name)


sys.addaudithook(_audit)


@contextmanager
def before_each_operation(work: Callable[[int], None]) -> Iterator[None]:
    """Call ``work`` before each operation on a file of the message, with its number."""
    global _before
    number, me = 0, threading.get_ident()

    def step(_: str) -> None:
        nonlocal number
        if threading.get_ident() == me:
            number += 1
            work(number)

    _before = step
    try:
        yield
    finally:
        _before = None


class MailboxOfOne:
    """Takes each message once, and remembers in what state."""

    def __init__(self) -> None:
        self.taken: dict[str, tuple[int, bytes]] = {}
        self.times = 0

    def deliver(self, spool: Spool, messages: list[SpooledMessage]) -> None:
        for message in messages:
            self.times += 1
            sound = message.sound.read_bytes() if message.sound else b""
            self.taken[message.envelope.message_id] = (message.samples, sound)
            spool.done(message)


def whole_life(folder: Path, mailbox: MailboxOfOne) -> None:
    spool = Spool(folder)
    spool.hold()
    try:
        draft = begun(spool)
        mailbox.deliver(spool, [draft.close(samples=16_000, ended_at=AT)])
    finally:
        spool.stop()


def test_wherever_the_server_dies_the_next_one_delivers_the_message_once(tmp_path: Path) -> None:
    died = heard = 0
    for number in range(1, 100):
        folder, mailbox = tmp_path / str(number), MailboxOfOne()

        def die(at: int, number: int = number) -> None:
            if at == number:
                raise Died

        try:
            with before_each_operation(die):
                whole_life(folder, mailbox)
        except Died:
            died += 1
        else:
            assert number > 10, "the life of a message has many steps"
            break
        begun_and_heard = any(folder.glob("voice-1.part")) or any(folder.glob("voice-1.pcm")) or bool(mailbox.taken)
        spool = Spool(folder)
        spool.hold()
        mailbox.deliver(spool, spool.recover(ended_at=AT))
        assert not list(folder.iterdir()), f"died before operation {number}"
        spool.stop()
        if begun_and_heard and mailbox.taken["voice-1"][1]:
            heard += 1
            assert mailbox.taken == {"voice-1": (16_000, SOUND)}, f"died before operation {number}"
        if not list(folder.glob("*")) and mailbox.times > 1:
            assert mailbox.taken == {"voice-1": (16_000, SOUND)}  # twice, as the same: a mailbox takes it once
    assert died > 10 and heard > 5


def test_a_reader_that_looks_at_any_moment_of_the_writer_finds_the_message_once_and_whole(tmp_path: Path) -> None:
    for number in range(1, 100):
        folder, mailbox = tmp_path / str(number), MailboxOfOne()
        spool = Spool(folder)
        spool.hold()
        draft = begun(spool)
        looked = False

        def look(at: int, number: int = number, spool: Spool = spool, mailbox: MailboxOfOne = mailbox) -> None:
            nonlocal looked
            if at == number:
                looked = True
                mailbox.deliver(spool, spool.recover(ended_at=AT))

        with before_each_operation(look):
            mailbox.deliver(spool, [draft.close(samples=16_000, ended_at=AT)])
        mailbox.deliver(spool, spool.recover(ended_at=AT))
        assert (mailbox.times, mailbox.taken) == (1, {"voice-1": (16_000, SOUND)}), f"looked before operation {number}"
        assert not list(folder.iterdir())
        spool.stop()
        if not looked:
            assert number > 5
            return
    raise AssertionError("the writer never ended")


def test_a_writer_that_writes_at_any_moment_of_the_reader_leaves_the_message_once_and_whole(tmp_path: Path) -> None:
    other = Envelope(message_id="voice-10", mailbox="b@example.com", recipient_name="", call_id="", begun_at="")
    for number in range(1, 100):
        folder, mailbox = tmp_path / str(number), MailboxOfOne()
        spool = Spool(folder)
        spool.hold()
        left = SpoolFiles(folder)  # an orphan, so that the reader has something to do
        left.begin(other)
        draft = begun(spool)
        written: list[SpooledMessage] = []

        def write(at: int, number: int = number, draft: Draft = draft, written: list[SpooledMessage] = written) -> None:
            if at == number:
                written.append(draft.close(samples=16_000, ended_at=AT))

        with before_each_operation(write):
            mailbox.deliver(spool, spool.recover(ended_at=AT))
        mailbox.deliver(spool, written or [draft.close(samples=16_000, ended_at=AT)])
        mailbox.deliver(spool, spool.recover(ended_at=AT))
        assert mailbox.taken == {"voice-10": (0, b""), "voice-1": (16_000, SOUND)} and mailbox.times == 2
        assert not list(folder.iterdir())
        spool.stop()
        if not written:
            assert number > 5
            return
    raise AssertionError("the reader never ended")


@pytest.mark.slow
def test_readers_and_writers_in_many_threads_leave_each_message_once(tmp_path: Path) -> None:
    spool, mailbox, count = Spool(tmp_path), MailboxOfOne(), 200
    spool.hold()
    names = [f"voice-{number}" for number in range(count)]

    def write(names: list[str]) -> None:
        for name in names:
            envelope = Envelope(message_id=name, mailbox="a@example.com", recipient_name="", call_id="", begun_at="")
            draft = spool.begin(envelope)
            draft.part.write_bytes(SOUND)
            mailbox.deliver(spool, [draft.close(samples=16_000, ended_at=AT)])

    writers = [threading.Thread(target=write, args=(names[each::4],)) for each in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        mailbox.deliver(spool, spool.recover(ended_at=AT))
    assert mailbox.taken == dict.fromkeys(names, (16_000, SOUND)) and mailbox.times == count
    assert spool.pending() == [] and not list(tmp_path.iterdir()) and spool.unreadable() == {}
    spool.stop()


CHILD = """
import sys, time
from pathlib import Path
from tandem.mail.envelope import Envelope
from tandem.mail.spool import Spool
spool = Spool(Path(sys.argv[1]))
spool.hold()
spool.start()
draft = spool.begin(Envelope(message_id="voice-9", mailbox="a@example.com", recipient_name="A", call_id="c", begun_at=""))
with draft.part.open("ab", buffering=0) as file:
    for number in range(1000):
        file.write(number.to_bytes(2, "little") * 160)
        print(number, flush=True)
        time.sleep(0.01)
"""


def test_what_was_written_before_a_sigkill_is_there_afterwards(folder: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    heard = [int(process.stdout.readline()) for _ in range(50)][-1]
    with pytest.raises(SpoolTaken, match="in use by another process"):
        Spool(folder).hold()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (message,) = restarted(folder)
    assert message.cut and message.sound is not None
    sound = message.sound.read_bytes()
    frames = [int.from_bytes(sound[at : at + 2], "little") for at in range(0, len(sound), 320)]
    assert frames == list(range(len(frames))) and len(frames) > heard


def test_a_crash_between_delivery_and_the_spool_makes_no_second_message(spool: Spool, tmp_path: Path) -> None:
    message = spool.begin(ENVELOPE).close(samples=0, ended_at=AT)
    maildir = MaildirFolder(tmp_path / "a@example.com")
    at = datetime.fromisoformat(AT)
    maildir.append(message.envelope.message_id, missed_call(message.envelope, ended_at=at))
    spool.stop()  # the server died here, and is started again
    again = Spool(spool.folder)
    again.hold()
    (left,) = again.recover(ended_at=AT)
    maildir.append(left.envelope.message_id, missed_call(left.envelope, ended_at=at))
    again.done(left)
    again.stop()
    assert len(list((tmp_path / "a@example.com" / "new").iterdir())) == 1 and not list(spool.folder.iterdir())


# Disks


def refuse(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_message_that_the_disk_does_not_take_at_the_end_is_closed_as_soon_as_it_does(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = begun(spool)
    with monkeypatch.context() as full:
        full.setattr("tandem.mail.spoolfiles.replace", refuse)
        before = counts.disk_errors.value
        with pytest.raises(MailError, match="No space left"):
            draft.close(samples=8000, ended_at=AT, cut=True)
        assert counts.disk_errors.value == before + 1 and counts.pending.read() == 1
        assert "No space left" in spool.problem()
        assert spool.recover(ended_at="later") == [] and spool.pending() == []
        with pytest.raises(MailError, match="No space left"):
            spool.begin(ENVELOPE)
    (message,) = spool.recover(ended_at="later")
    assert (message.samples, message.ended_at, message.cut) == (8000, AT, True)
    assert spool.pending() == [message] and counts.pending.read() == 1


def test_a_message_that_cannot_begin_is_counted_and_leaves_nothing(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counts.disk_errors.value
    with monkeypatch.context() as full:
        full.setattr(SharedSync, "__call__", refuse)
        with pytest.raises(MailError, match="No space left"):
            spool.begin(ENVELOPE)
    assert counts.disk_errors.value == before + 1 and not list(spool.folder.iterdir())
    spool._disk.probe()
    spool.begin(ENVELOPE).discard()


def test_a_full_disk_at_the_start_is_no_error_and_what_was_open_is_closed_later(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(spool)
    spool.stop()
    again = Spool(spool.folder)
    with monkeypatch.context() as full:
        full.setattr("tandem.mail.spoolfiles.replace", refuse)
        again.hold()
        assert again.recover(ended_at=AT) == [] and list(again.unreadable()) == ["voice-1"]
    (message,) = again.recover(ended_at=AT)
    assert message.cut and message.samples == 16_000 and again.unreadable() == {}
    again.stop()


def test_a_folder_that_cannot_be_made_at_the_start_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    spool = Spool(tmp_path / "state" / "spool")
    spool.hold()
    assert "Not a directory" in spool.problem() and spool.recover(ended_at=AT) == []
    (tmp_path / "state").unlink()
    spool._disk.probe()
    assert spool.recover(ended_at=AT) == [] and spool.folder.is_dir()
    spool.stop()


def test_a_disk_that_vanishes_and_comes_back_is_held_again_and_keeps_what_it_had(spool: Spool) -> None:
    draft = begun(spool)
    away = spool.folder.rename(spool.folder.with_name("away"))
    with pytest.raises(MailError):
        draft.close(samples=8000, ended_at=AT)
    assert spool.recover(ended_at=AT) == [] and not spool.folder.exists(), "the place of a disk that is away is no disk"
    away.rename(spool.folder)
    (message,) = spool.recover(ended_at=AT)
    assert (message.samples, message.cut) == (8000, False)
    other = spool.folder.rename(spool.folder.with_name("other"))
    spool.folder.mkdir()
    assert spool.recover(ended_at=AT) == []
    with pytest.raises(SpoolTaken):
        Spool(spool.folder).hold()
    Spool(other).hold()


def test_a_disk_that_does_not_answer_takes_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hang(folder: Path) -> str:
        asked.set()
        answer.wait(5)
        return ""

    monkeypatch.setattr("tandem.mail.spooldisk.problem_of", hang)
    monkeypatch.setattr("tandem.mail.spooldisk.HUNG_S", 0.0)
    probing = threading.Thread(target=spool._disk.probe)
    probing.start()
    asked.wait(5)
    assert "has not answered" in spool.problem()
    answer.set()
    probing.join()
    assert spool.problem() == ""


def test_what_was_delivered_is_delivered_no_second_time_where_it_cannot_be_removed(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = begun(spool).close(samples=8000, ended_at=AT)
    with monkeypatch.context() as broken:
        broken.setattr(SpoolFiles, "remove", refuse)
        spool.done(message)
        assert spool.recover(ended_at=AT) == [] and spool.pending() == []
        assert (spool.folder / "voice-1.json").exists()
    assert spool.recover(ended_at=AT) == [] and not list(spool.folder.iterdir())


# Syncing


@pytest.mark.parametrize("count", [1, MANY])
def test_few_files_and_many_are_synced_and_those_that_are_gone_are_passed_over(tmp_path: Path, count: int) -> None:
    paths = [tmp_path / str(number) for number in range(count)]
    for path in paths:
        path.write_bytes(b"x")
    paths[0].unlink()
    sync_files(tmp_path, paths)


def test_a_folder_that_cannot_be_synced_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        sync_files(tmp_path / "gone", [tmp_path / "x"] * MANY)


def test_who_asks_while_a_sync_runs_shares_the_next_one(tmp_path: Path) -> None:
    running, go_on, synced = threading.Semaphore(0), threading.Semaphore(0), []

    def sync(folder: Path) -> None:
        synced.append(folder)
        running.release()
        go_on.acquire()

    shared = SharedSync(tmp_path, sync)
    threads = [threading.Thread(target=shared) for _ in range(5)]
    threads[0].start()
    running.acquire()
    for thread in threads[1:]:
        thread.start()
    while shared._asked < 5:
        pass
    go_on.release()
    running.acquire()
    go_on.release()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads) and len(synced) == 2


def test_a_spool_whose_disk_hangs_is_let_go_all_the_same(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hang(folder: Path) -> str:
        asked.set()
        answer.wait(5)
        return ""

    monkeypatch.setattr("tandem.mail.spooldisk.problem_of", hang)
    monkeypatch.setattr("tandem.mail.spool.HUNG_S", 0.05)
    spool.start()
    asked.wait(5)
    spool.stop()
    assert restarted(spool.folder) == []
    answer.set()
