"""What the Maildir adapter shares with other programs: file names, and a mailbox of release 0.1."""

import contextlib
import mailbox
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tandem.mail.errors import MailError
from tandem.mail.maildir import folder as folders
from tandem.mail.maildir.folder import MaildirFolder
from tandem.mail.maildir.names import flagged, flags_of, key_of
from tandem.mail.maildir.store import MaildirStore
from tandem.mail.port import MessageFlag, MessageKind, VoiceCounts
from tandem.service.threads import ThreadPool

VOICE = b"Content-Class: voice-ca\r\n\r\n"
SEEN, DELETED, FLAGGED = MessageFlag.SEEN, MessageFlag.DELETED, MessageFlag.FLAGGED


@pytest.mark.parametrize(
    ("name", "key", "flags"),
    [
        ("voice-1", "voice-1", set()),
        ("voice-1:2,", "voice-1", set()),
        ("voice-1:2,FS", "voice-1", {SEEN, FLAGGED}),
        ("voice-1:2,STa", "voice-1", {SEEN, DELETED}),
        ("voice-1:1,S", "voice-1", set()),
        ("1700000000.M1P2.host,S=12,W=13:2,S", "1700000000.M1P2.host,S=12,W=13", {SEEN}),
    ],
)
def test_a_file_name_holds_key_and_flags(name: str, key: str, flags: set[MessageFlag]) -> None:
    assert (key_of(name), flags_of(name)) == (key, flags)


def test_flags_are_in_ascii_order_and_what_dovecot_keeps_in_a_name_stays() -> None:
    assert flagged("1.M2,S=3:2,Sab", add=frozenset({DELETED, FLAGGED}), remove=frozenset({SEEN})) == "1.M2,S=3:2,FTab"
    assert flagged("voice-1", add=frozenset(), remove=frozenset()) == "voice-1:2,"


async def test_a_mailbox_of_release_0_1_loses_nothing(tmp_path: Path, disk: ThreadPool) -> None:
    home = tmp_path / "alice@example.com"
    for place in ("tmp", "new", "cur"):
        (home / place).mkdir(parents=True)
    files = {
        "new/voice-1": VOICE,
        "cur/voice-2:2,S": VOICE,
        "cur/voice-3:2,F": VOICE,
        "new/welcome-4": b"Subject: x\r\n\r\n",
    }
    for name, data in files.items():
        (home / name).write_bytes(data)
    (home / "tmp" / "voice-5").write_bytes(b"half")  # it was being written when the server died
    box = MaildirStore(tmp_path, disk).mailbox("alice@example.com")
    assert {(i.key, i.kind, i.flags) for i in await box.list()} == {
        ("voice-1", MessageKind.VOICE, frozenset()),
        ("voice-2", MessageKind.VOICE, frozenset({SEEN})),
        ("voice-3", MessageKind.VOICE, frozenset({FLAGGED})),
        ("welcome-4", MessageKind.OTHER, frozenset()),
    }
    assert await box.counts() == VoiceCounts(new=2, old=1)
    await box.append("voice-1", VOICE)
    await box.append("voice-5", VOICE)
    assert await box.counts() == VoiceCounts(new=3, old=1)


async def test_pythons_own_maildir_reads_what_we_write_and_we_what_it_writes(tmp_path: Path, disk: ThreadPool) -> None:
    box = MaildirStore(tmp_path, disk).mailbox("alice@example.com")
    await box.append("voice-1", VOICE)
    theirs = mailbox.Maildir(str(tmp_path / "alice@example.com"), create=False)
    message = theirs["voice-1"]
    assert (message["Content-Class"], message.get_subdir()) == ("voice-ca", "new")
    message.set_subdir("cur")
    message.set_flags("RS")
    theirs["voice-1"] = message
    other = theirs.add(b"Content-Class: voice-ca\r\nSubject: added\r\n\r\n")
    infos = {info.key: info for info in await box.list()}
    assert infos["voice-1"].flags == {SEEN, MessageFlag.ANSWERED} and infos[other].kind is MessageKind.VOICE
    await box.flag("voice-1", add=[FLAGGED], remove=[SEEN])
    assert theirs["voice-1"].get_flags() == "FR"
    await box.delete(other)
    assert theirs.keys() == ["voice-1"]


def test_folders_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    MaildirFolder(tmp_path / "a").append("voice-1", VOICE)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "a").iterdir()} == {0o700}
    assert (tmp_path / "a" / "new" / "voice-1").stat().st_mode & 0o777 == 0o600
    assert list((tmp_path / "a" / "tmp").iterdir()) == []


def test_a_message_is_synced_before_it_is_seen_and_its_name_before_it_is_appended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, done = tmp_path / "a" / "new", []
    write, sync = folders.write_synced, folders.sync_folder
    monkeypatch.setattr(folders, "write_synced", lambda p, d: (done.append(("written", p.parent.name)), write(p, d)))
    monkeypatch.setattr(folders, "sync_folder", lambda p: (done.append((p.name, len(list(new.iterdir())))), sync(p)))
    MaildirFolder(tmp_path / "a").append("voice-1", VOICE)
    assert done[-2:] == [("written", "tmp"), ("new", 1)]
    assert {name for name, _ in done[:-2]} == {"a", tmp_path.name}  # the folders' own names
    done.clear()
    MaildirFolder(tmp_path / "a").append("voice-1", VOICE)  # perhaps a crash came before the name was synced
    assert done == [("new", 1)]


def test_a_disk_that_takes_nothing_leaves_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise MailError("no space", retryable=True)

    monkeypatch.setattr(folders, "write_synced", full)
    folder = MaildirFolder(tmp_path / "a")
    with pytest.raises(MailError):
        folder.append("voice-1", VOICE)
    assert folder.list() == ()


_STEPS = (
    (Path, "rename"),
    (Path, "rmdir"),
    (Path, "unlink"),
    (Path, "iterdir"),
    (folders, "_scan"),
    (folders, "sync_folder"),
)


def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many moves in little time: nothing here is about power that fails."""
    monkeypatch.setattr(folders, "sync_folder", lambda path: path.stat())
    monkeypatch.setattr(folders, "write_synced", lambda path, data: path.write_bytes(data))


def test_what_comes_at_any_step_of_a_move_is_in_one_of_the_two_mailboxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process appends to the mailbox that is moved: no lock is shared with it."""
    step, when, busy = 0, 0, False

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            nonlocal step, busy
            if not busy:
                step += 1
                if step == when:
                    busy = True
                    MaildirFolder(root / "a").append("late", VOICE)
                    busy = False
            return real(*args)

        return call

    unsynced(monkeypatch)
    for owner, name in _STEPS:
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    while step >= when:
        root, step, when, busy = tmp_path / str(when), 0, when + 1, True
        old, new = MaildirFolder(root / "a"), MaildirFolder(root / "b")
        old.append("voice-1", VOICE)
        new.append("voice-2", VOICE)
        busy = False
        old.move(new)
        busy = True
        keys = [info.key for info in (*old.list(), *new.list())]
        assert "voice-1" in keys and ("late" in keys or step < when), when
        old.move(new)
        assert not old.folder.exists()
        assert sorted(info.key for info in new.list()) == sorted({*keys, "voice-1", "voice-2"})
        busy = False
    assert when > 10


@pytest.mark.parametrize("step", ["write_synced", "sync_folder"])
def test_a_mailbox_that_is_moved_away_at_a_step_of_append_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    old, new = MaildirFolder(tmp_path / "a"), MaildirFolder(tmp_path / "b")
    for folder in (old, new):
        folder.append("voice-1", VOICE)
    real, calls = getattr(folders, step), 0

    def call(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            MaildirFolder(tmp_path / "a").move(MaildirFolder(tmp_path / "b"))
        real(*args)

    monkeypatch.setattr(folders, step, call)
    with contextlib.suppress(MailError):  # or it is refused, to be tried again
        old.append("late", VOICE)
    old.append("late", VOICE)
    old.move(new)
    assert [info.key for info in new.list()] == ["voice-1", "late"]


def test_what_comes_while_a_mailbox_is_moved_is_never_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unsynced(monkeypatch)

    def append(folder: MaildirFolder, taken: list[str]) -> None:
        for number in range(5):
            with contextlib.suppress(MailError):
                taken.append(folder.append(f"late-{number}", VOICE))

    for number in range(30):
        old, new = MaildirFolder(tmp_path / f"{number}a"), MaildirFolder(tmp_path / f"{number}b")
        for folder in (old, new):
            folder.append("voice-1", VOICE)
        taken: list[str] = []
        thread = threading.Thread(target=append, args=(old, taken))
        thread.start()
        old.move(new)
        thread.join()
        assert taken and {*taken} <= {info.key for info in (*old.list(), *new.list())}


def test_a_large_mailbox_is_merged_by_listing_the_other_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = MaildirFolder(tmp_path / "a"), MaildirFolder(tmp_path / "b")
    for folder in (old, new):
        folder.append("voice-1", VOICE)
        for number in range(50):
            (folder.folder / "cur" / f"{folder.folder.name}{number}:2,S").write_bytes(b"")
    listed, scan = [], folders._scan
    monkeypatch.setattr(folders, "_scan", lambda path: (listed.append(path), scan(path))[1])
    old.move(new)
    assert sum(path.parent == new.folder for path in listed) <= 2 * 4  # new and cur, again while they change
    monkeypatch.undo()
    assert len(new.list()) == 101 and not old.folder.exists()
