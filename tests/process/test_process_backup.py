"""A backup is whole or not there; what is put back is what was there, and no message is lost by it."""

import io
import json
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

import deployment
from tandem.cli.main import tandem
from tandem.directory import objects as o
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.org.load import require_organization
from tandem.process.errors import ProcessError
from tandem.process.keeping import backup
from tandem.process.plan import make_plan

pytestmark = pytest.mark.slow
AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def archived(folder: Path, name: str = "archive.tar.gz", *, mail: bool = True) -> Path:
    archive = folder.parent / name
    backup.backup(require_organization(folder / "organization.yaml"), archive, at=AT, mail=mail)
    return archive


def restored(folder: Path, archive: Path, *, replace: bool = False) -> backup.Summary:
    return backup.restore(require_organization(folder / "organization.yaml"), archive, replace=replace)


def message(folder: Path, name: str, place: str = "new") -> Path:
    path = folder / "state" / "mail" / "alice@example.com" / place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("hello")
    return path


def test_what_is_put_back_on_another_machine_is_what_was_there(deployed: Path, tmp_path: Path) -> None:
    voice_mail = message(deployed, "1.a")
    archive = archived(deployed)
    assert archive.stat().st_mode & 0o777 == 0o600
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(deployed / "organization.yaml", other)
    done = CliRunner().invoke(tandem, ["restore", str(other / "organization.yaml"), str(archive), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["kept"] == []
    assert make_plan(deployment.context(other)).todo == ()
    for path in (voice_mail, deployed / "secrets" / "administrator", *(deployed / "state").rglob("*.pem")):
        again = other / path.relative_to(deployed)
        assert again.read_bytes() == path.read_bytes()
        assert again.stat().st_mode & 0o077 == 0


def test_a_directory_that_is_in_use_is_put_back_under_its_readers(deployed: Path) -> None:
    archive = archived(deployed)
    reader = deployment.context(deployed)
    feed = EmbeddedDirectory(deployed / "state" / "directory.db").trusted()
    number = feed.change_number()
    reader.repository.add(o.PstnUsage(name="Later"))
    with pytest.raises(ProcessError, match="--replace"):
        restored(deployed, archive)
    assert reader.repository.get(o.PstnUsage, "Later") is not None
    restored(deployed, archive, replace=True)
    assert reader.repository.get(o.PstnUsage, "Later") is None
    assert feed.change_number() > number + 1


def test_messages_and_journal_lines_that_came_after_the_backup_stay(deployed: Path) -> None:
    message(deployed, "1.heard")
    message(deployed, "2.lost")
    archive = archived(deployed)
    heard = message(deployed, "1.heard:2,S", "cur")
    (deployed / "state/mail/alice@example.com/new/1.heard").unlink()
    (deployed / "state/mail/alice@example.com/new/2.lost").unlink()
    later = message(deployed, "3.later")
    journal = deployed / "state" / "journal.jsonl"
    journal.write_text(journal.read_text() + "{}\n")
    summary = restored(deployed, archive, replace=True)
    found = {p.name for p in (deployed / "state/mail/alice@example.com").rglob("*") if p.is_file()}
    assert found == {heard.name, later.name, "2.lost"}
    assert journal.read_text().endswith("{}\n")
    assert "state/journal.jsonl" in summary.kept


def test_mailboxes_may_be_left_out(deployed: Path) -> None:
    message(deployed, "1.a")
    with tarfile.open(archived(deployed, mail=False)) as tar:
        names = tar.getnames()
    assert "state/directory.db" in names and not [n for n in names if n.startswith("state/mail")]


def rewritten(archive: Path, name: str, data: bytes) -> None:
    """The archive with another content for one of its files, and a new one if there is none such."""
    with tarfile.open(archive) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    with tarfile.open(archive, "w:gz") as tar:
        for each, content in (files | {name: data}).items():
            info = tarfile.TarInfo(each)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def test_traced_messages_are_forgotten_and_who_looked_at_them_is_not(deployed: Path) -> None:
    trace = deployed / "state" / "trace"
    (trace / "um1.example.com").mkdir(parents=True)
    (trace / "um1.example.com" / "1.trace").write_bytes(b"TANDEM-TRACE-1\n")
    (trace / "access.jsonl").write_text("{}\n")
    with tarfile.open(archived(deployed)) as tar:
        assert [name for name in tar.getnames() if "trace" in name] == ["state/trace/access.jsonl"]


def test_a_damaged_archive_changes_nothing(deployed: Path) -> None:
    archive = archived(deployed)
    whole = archive.read_bytes()
    before = (deployed / "state" / "directory.db").read_bytes()
    rewritten(archive, "secrets/administrator", b"another")
    with pytest.raises(ProcessError, match="secrets/administrator differ"):
        restored(deployed, archive, replace=True)
    for wrong in (whole[: len(whole) // 2], b"no archive", b""):
        archive.write_bytes(wrong)
        with pytest.raises(ProcessError, match="cannot be read as a backup"):
            restored(deployed, archive, replace=True)
    archive.write_bytes(whole)
    rewritten(archive, "state/../../escaped", b"x")
    with pytest.raises(ProcessError, match="is no file of a backup"):
        restored(deployed, archive, replace=True)
    assert not (deployed.parent / "escaped").exists()
    assert (deployed / "state" / "directory.db").read_bytes() == before


def test_an_archive_of_another_organization_or_format_is_refused(deployed: Path) -> None:
    archive = archived(deployed)
    deployment.change(deployed, ("name: Example ", "name: Other "))
    with pytest.raises(ProcessError, match="is of the organization 'Example', not of 'Other'"):
        restored(deployed, archive, replace=True)
    with tarfile.open(archive) as tar:
        facts = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
    rewritten(archive, "manifest.json", json.dumps(facts | {"format": 9}).encode())
    with pytest.raises(ProcessError, match="format 9, expected 1"):
        restored(deployed, archive, replace=True)


def test_an_archive_is_never_written_over_and_a_failed_one_leaves_nothing(deployed: Path, tmp_path: Path) -> None:
    archive = archived(deployed)
    with pytest.raises(ProcessError, match="is there already"):
        archived(deployed)
    with pytest.raises(ProcessError, match="cannot be written"):
        archived(deployed, "missing/archive.tar.gz")
    assert not list(archive.parent.glob("*.part"))
