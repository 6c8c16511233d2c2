"""A backup is whole or not there; what is put back is what was there, and no message is lost by it."""

import csv
import dataclasses
import hashlib
import io
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import typing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

import deployment
from tandem.admin.trial.demo import phones, running
from tandem.cli.main import tandem
from tandem.directory import objects as o
from tandem.directory.address import Place, read_place, write_place
from tandem.directory.errors import DirectoryUnavailable
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.org import model
from tandem.org.load import require_organization
from tandem.process.errors import ProcessError
from tandem.process.keeping.backup import backup
from tandem.process.keeping.places import NAMED, organization_places
from tandem.process.keeping.restore import Restored, restore
from tandem.process.plan import make_plan

pytestmark = pytest.mark.slow
AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def archived(folder: Path, name: str = "archive.tar.gz", *, mail: bool = True) -> Path:
    archive = folder.parent / name
    backup(organization_places(folder / "organization.yaml"), archive, at=AT, mail=mail)
    return archive


def restored(folder: Path, archive: Path, *, replace: bool = False) -> Restored:
    return restore(archive, to=folder, replace=replace)


def message(folder: Path, name: str, place: str = "new") -> Path:
    path = folder / "state" / "mail" / "alice@example.com" / place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("hello")
    return path


def with_users_file(folder: Path) -> None:
    """Let the users of the organization be in users.csv."""
    users = require_organization(folder / "organization.yaml").users
    names = [f.name for f in dataclasses.fields(model.DeclaredUser)]
    with (folder / "users.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(names)
        rows.writerows([getattr(user, name) for name in names] for user in users)
    text = (folder / "organization.yaml").read_text()
    section = re.search(r"^users:\n(?:[ #].*\n|\n)*", text, re.MULTILINE)
    assert section is not None
    (folder / "organization.yaml").write_text(text.replace(section[0], "users_csv: users.csv\n"))


def held(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, the directory's left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("directory.db")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.suffix != ".lock"}


def test_an_archive_alone_makes_on_an_empty_machine_what_was_there(deployed: Path, tmp_path: Path) -> None:
    with_users_file(deployed)
    message(deployed, "1.a")
    archive = archived(deployed)
    assert archive.stat().st_mode & 0o777 == 0o600
    before = held(deployed)
    other = tmp_path / "empty" / "machine"
    done = CliRunner().invoke(tandem, ["restore", str(archive), "--to", str(other), "--json"])
    assert done.exit_code == 0, done.output
    assert (json.loads(done.stdout)["kept"], json.loads(done.stdout)["missing"]) == ([], [])
    assert make_plan(deployment.context(other)).todo == ()
    assert held(other) == before and "users.csv" in before
    assert all(path.stat().st_mode & 0o077 == 0 for path in other.rglob("*"))
    assert sorted(path.name for path in other.iterdir()) == ["organization.yaml", "secrets", "state", "users.csv"]


def test_without_a_folder_it_is_put_where_it_was_made(deployed: Path) -> None:
    archive, before = archived(deployed), held(deployed)
    shutil.rmtree(deployed)
    done = CliRunner().invoke(tandem, ["restore", str(archive)])
    assert (done.exit_code, str(deployed) in done.output) == (0, True), done.output
    assert held(deployed) == before


def test_every_file_that_an_organization_can_name_is_in_a_backup() -> None:
    hints = typing.get_type_hints(model.Organization)
    paths = {name for name, hint in hints.items() if Path in (hint, *typing.get_args(hint))}
    assert paths - {"path", "state", "secrets"} | {"users_csv"} == set(NAMED)


def test_what_is_elsewhere_is_put_back_where_the_file_says(deployed: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    deployment.change(deployed, ("directory: state/directory.db", f"directory: {tmp_path}/elsewhere/directory.db"))
    (deployed / "state" / "directory.db").rename(tmp_path / "elsewhere" / "directory.db")
    write_place(deployed / "state", Place(file=tmp_path / "elsewhere" / "directory.db"))
    archive = archived(deployed)
    shutil.rmtree(deployed)
    shutil.rmtree(tmp_path / "elsewhere")
    with pytest.raises(
        ProcessError, match=f"would write outside of {deployed}: {tmp_path}/elsewhere/directory.db,.*--outside"
    ):
        restored(deployed, archive)
    assert not deployed.exists() and not (tmp_path / "elsewhere").exists()
    done = CliRunner().invoke(tandem, ["restore", str(archive), "--outside"])
    assert done.exit_code == 0, done.output
    assert make_plan(deployment.context(deployed)).todo == ()
    assert read_place(deployed / "state").file == tmp_path / "elsewhere" / "directory.db"


def test_an_archive_of_release_0_1_is_restored_and_says_what_it_left_out(deployed: Path, tmp_path: Path) -> None:
    with_users_file(deployed)
    archive = archived(deployed)
    with tarfile.open(archive) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    del files["named/users_csv"]
    facts = json.loads(files["manifest.json"])
    names = {name: digest for name, digest in facts["files"].items() if name != "named/users_csv"}
    old = {"format": 1, "organization": "Example", "made_at": facts["made_at"], "files": names}
    written(archive, files | {"manifest.json": json.dumps(old).encode()})
    with pytest.raises(ProcessError, match="--to DIR"):
        restore(archive, to=None)
    assert restored(tmp_path / "other", archive).missing == (tmp_path / "other" / "users.csv",)
    shutil.copy(deployed / "users.csv", tmp_path / "other")
    assert make_plan(deployment.context(tmp_path / "other")).todo == ()


def test_a_name_that_belongs_nowhere_is_refused_before_anything_is_written(deployed: Path, tmp_path: Path) -> None:
    archive = archived(deployed)
    for name in ("other/file", "named/other", "state", "organization.yaml/x"):
        rewritten(archive, name, b"x", listed=True)
        with pytest.raises(ProcessError, match=f"'{name}', which has no place in"):
            restored(tmp_path / "empty", archive)
        assert not (tmp_path / "empty").exists()
        archive.unlink()
        archived(deployed)


def test_a_restore_that_fails_on_the_way_leaves_an_empty_machine(deployed: Path, tmp_path: Path) -> None:
    archive = archived(deployed)
    rewritten(archive, "state/directory.db", b"no database", listed=True)
    with pytest.raises(DirectoryUnavailable, match="cannot be used as a directory"):
        restored(tmp_path / "empty", archive)
    assert not (tmp_path / "empty").exists()
    # A folder that is in the way of the last step: what was moved before is taken back.
    archive.unlink()
    deployment.change(deployed, ("state: state", "state: state/deep"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "state").write_text("in the way")
    with pytest.raises(ProcessError):
        restored(tmp_path / "empty", archived(deployed))
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["state"]


def test_a_disk_that_is_full_leaves_an_empty_machine_empty(deployed: Path, tmp_path: Path) -> None:
    archive, largest = archived(deployed), 50_000
    assert (deployed / "state" / "directory.db").stat().st_size > largest
    command = [sys.executable, "-m", "tandem", "restore", str(archive), "--to", str(tmp_path / "home")]
    done = subprocess.run(
        ["prlimit", f"--fsize={largest}", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "cannot be restored" in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "home").exists()


def test_links_in_the_state_are_neither_kept_nor_followed(deployed: Path, tmp_path: Path) -> None:
    voice_mail = message(deployed, "1.a")
    archive = archived(deployed)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("of somebody else")
    (deployed / "state" / "linked").symlink_to(outside / "secret")
    assert [*archived_names(deployed, "second.tar.gz")].count("state/linked") == 0
    # A link in the place of a file is replaced; one in the place of a folder is refused, and nothing is changed.
    password = deployed / "secrets" / "administrator"
    before = password.read_bytes()
    password.unlink()
    password.symlink_to(outside / "secret")
    restored(deployed, archive, replace=True)
    assert (password.is_symlink(), password.read_bytes()) == (False, before)
    assert (outside / "secret").read_text() == "of somebody else"
    shutil.rmtree(voice_mail.parent)
    voice_mail.parent.symlink_to(outside)
    password.write_text("changed")
    with pytest.raises(ProcessError, match="is a symbolic link"):
        restored(deployed, archive, replace=True)
    assert (password.read_text(), [path.name for path in outside.iterdir()]) == ("changed", ["secret"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another account")
def test_what_root_restores_belongs_to_the_owner_of_the_home(deployed: Path) -> None:
    with tempfile.TemporaryDirectory() as made:  # pytest's own folders are closed to other accounts
        _root_restores(archived(deployed), Path(made))


def _root_restores(archive: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    nobody = pwd.getpwnam("nobody").pw_uid
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, nobody, -1)
    done = CliRunner().invoke(tandem, ["restore", str(archive), "--to", str(home)])
    assert "You are root: the files belong to nobody." in done.output, done.output
    assert {path.stat().st_uid for path in home.rglob("*")} == {nobody}
    named = CliRunner().invoke(tandem, ["restore", str(archive), "--to", str(tmp_path / "new"), "--owner", "nobody"])
    assert (named.exit_code, {path.stat().st_uid for path in (tmp_path / "new").rglob("*")}) == (0, {nobody})
    # What the owner cannot write, root does not begin to replace.
    (home / "secrets").chmod(0o500)
    (home / "secrets" / "administrator").write_text("later")
    with pytest.raises(ProcessError, match="secrets cannot be written by the owner of the home"):
        restored(home, archive, replace=True)
    assert (home / "secrets" / "administrator").read_text() == "later"
    (home / "secrets").chmod(0o700)
    # The account cannot make root write where it may not write itself.
    (home / "state" / "pki").rename(home / "state" / "pki.old")
    (home / "state" / "pki").symlink_to(tmp_path / "outside")
    with pytest.raises(ProcessError, match="is a symbolic link"):
        restored(home, archive, replace=True)
    assert os.geteuid() == 0 and not (tmp_path / "outside").exists()


def test_an_account_that_does_not_exist_is_refused(deployed: Path, tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="no such account"):
        restore(archived(deployed), to=tmp_path / "home", owner="no-such-account")
    assert not (tmp_path / "home").exists()


@pytest.mark.slow
async def test_servers_start_from_an_archive_alone(deployed: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(tandem, ["restore", str(archived(deployed)), "--to", str(tmp_path / "home")])
    assert done.exit_code == 0, done.output
    shutil.rmtree(deployed)
    async with running(tmp_path / "home") as servers, phones(tmp_path / "home", servers) as (alice, bob):
        await alice.register()
        await bob.register()
        call = await bob.call("4101")
        await call.wait_for_tone()
        await call.hang_up()


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


def test_no_message_is_delivered_again_by_a_spool_that_is_put_back(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for server in ("um1", "um2"):
        (home / "state" / "spool" / server).mkdir(parents=True)
        (home / "state" / "spool" / server / "1.json").write_text("a message")
    (home / "organization.yaml").write_text("name: Example\ndirectory: ldap://dc1\n")
    archive = archived(home)
    (home / "state" / "spool" / "um1" / "1.json").unlink()  # it was delivered
    shutil.rmtree(home / "state" / "spool" / "um2")  # this server's disk was lost
    done = CliRunner().invoke(tandem, ["restore", str(archive), "--to", str(home), "--replace"])
    assert (done.exit_code, "1 file(s) of the spool were not put back" in done.output) == (0, True), done.output
    assert not (home / "state" / "spool" / "um1" / "1.json").exists()
    assert (home / "state" / "spool" / "um2" / "1.json").read_text() == "a message"
    assert restore(archive, to=home, replace=True).spooled == ("state/spool/um1/1.json", "state/spool/um2/1.json")


def made_up(folder: Path, files: dict[str, bytes], **facts: object) -> Path:
    """An archive that somebody made by hand; its checksums are right."""
    said = {
        "format": 2,
        "organization": "x",
        "made_at": "2026",
        "file": "organization.yaml",
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    archive = folder / "made-up.tar.gz"
    written(archive, {**files, "manifest.json": json.dumps(said | facts).encode()})
    return archive


@pytest.mark.parametrize(
    "name", ["state//{0}/x", "secrets//{0}/x", "state/a//x", "state/./x", "state/.", "state/a/"], ids=lambda name: name
)
@pytest.mark.parametrize("replace", [False, True])
def test_no_name_in_an_archive_leads_out_of_its_folder(tmp_path: Path, name: str, replace: bool) -> None:
    home, text = tmp_path / "home", b"name: x\ndirectory: ldap://dc1\n"
    if replace:
        (home / "state").mkdir(parents=True)
        (home / "state" / "here").touch()
        (home / "organization.yaml").write_bytes(text)
    archive = made_up(tmp_path, {"organization.yaml": text, name.format(tmp_path / "elsewhere"): b"evil"})
    with pytest.raises(ProcessError, match="expected a plain path below state or secrets; nothing was changed"):
        restored(home, archive, replace=replace)
    assert not (tmp_path / "elsewhere").exists() and home.exists() == replace


@pytest.mark.parametrize("key", ["state", "secrets", "directory", "users_csv", "directory_roots"])
@pytest.mark.parametrize("where", ["{0}/elsewhere", "../elsewhere", "link/elsewhere"])
def test_an_archive_writes_outside_of_the_home_only_if_that_is_permitted(tmp_path: Path, key: str, where: str) -> None:
    home, place = tmp_path / "home", where.format(tmp_path)
    home.mkdir()
    (home / "link").symlink_to(tmp_path)
    directory = "" if key == "directory" else "directory: ldap://dc1\n"
    text = f"name: x\n{directory}{key}: {place}\n".encode()
    name = f"{key}/x" if key in ("state", "secrets") else f"named/{key}" if key != "directory" else "state/x"
    archive = made_up(tmp_path, {"organization.yaml": text, name: b"x"})
    with pytest.raises(ProcessError, match=r"elsewhere, as its organization file says\. If you trust it, --outside"):
        restored(home, archive, replace=True)
    assert [path.name for path in home.iterdir()] == ["link"] and not (tmp_path / "elsewhere").exists()
    restore(archive, to=home, outside=True)
    assert (home / "organization.yaml").exists() and (key == "directory" or (tmp_path / "elsewhere").exists())


@pytest.mark.parametrize(
    "facts", [{"organization": ["x"]}, {"made_at": None}, {"home": 5}, {"file": {}}, {"home": "a\0b"}], ids=str
)
def test_a_manifest_that_says_no_text_is_damaged(tmp_path: Path, facts: dict[str, object]) -> None:
    archive = made_up(tmp_path, {"organization.yaml": b"name: x\n"}, **facts)
    with pytest.raises(ProcessError, match=f"its manifest says .* for {next(iter(facts))}, expected a text"):
        restored(tmp_path / "home", archive)


def test_an_organization_file_in_an_archive_whose_path_holds_a_nul_is_refused(tmp_path: Path) -> None:
    archive = made_up(tmp_path, {"organization.yaml": b'name: x\nstate: "a\\0b"\n'})
    with pytest.raises(ProcessError, match="expected a path, which has no NUL"):
        restored(tmp_path / "home", archive)


def test_mailboxes_may_be_left_out(deployed: Path) -> None:
    message(deployed, "1.a")
    with tarfile.open(archived(deployed, mail=False)) as tar:
        names = tar.getnames()
    assert "state/directory.db" in names and not [n for n in names if n.startswith("state/mail")]


def archived_names(folder: Path, name: str) -> list[str]:
    with tarfile.open(archived(folder, name)) as tar:
        return tar.getnames()


def written(archive: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(archive, "w:gz") as tar:
        for each, content in files.items():
            info = tarfile.TarInfo(each)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def rewritten(archive: Path, name: str, data: bytes, *, listed: bool = False) -> None:
    """The archive with another content for one of its files, or one file more; ``listed``: its manifest says so."""
    with tarfile.open(archive) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    if listed:
        facts = json.loads(files["manifest.json"])
        facts["files"][name] = hashlib.sha256(data).hexdigest()
        files["manifest.json"] = json.dumps(facts).encode()
    written(archive, files | {name: data})


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
    with pytest.raises(ProcessError, match="is of 'Example', not of 'Other'"):
        restored(deployed, archive, replace=True)
    with tarfile.open(archive) as tar:
        facts = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
    rewritten(archive, "manifest.json", json.dumps(facts | {"format": 9}).encode())
    with pytest.raises(ProcessError, match="format 9, expected 1 or 2"):
        restored(deployed, archive, replace=True)


def test_an_archive_is_never_written_over_and_a_failed_one_leaves_nothing(deployed: Path, tmp_path: Path) -> None:
    archive = archived(deployed)
    with pytest.raises(ProcessError, match="is there already"):
        archived(deployed)
    with pytest.raises(ProcessError, match="cannot be written"):
        archived(deployed, "missing/archive.tar.gz")
    assert not list(archive.parent.glob("*.part"))
