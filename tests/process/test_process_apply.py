import dataclasses
import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import deployment
from tandem.core.ids import SystemIds
from tandem.directory import objects as o
from tandem.directory.errors import DirectoryUnavailable
from tandem.directory.port import Scope
from tandem.pki.authority import Authority
from tandem.pki.store import CertificateStore
from tandem.process.apply import Progress, apply, carry_out
from tandem.process.bootstrap import write_example
from tandem.process.errors import Busy, ProcessError
from tandem.process.journal import Journal
from tandem.process.phases import PHASES, find_phase
from tandem.process.plan import Status, make_plan
from tandem.process.task import Change
from tandem.process.tasks.every import all_tasks
from tandem.process.verify.declared import verify_static
from tandem.process.verify.matrix import Grade
from tandem.wiring import Home, bind


@pytest.fixture(scope="module")
def fresh_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "x"
    write_example(folder, SystemIds())
    return folder


@pytest.fixture
def fresh(fresh_template: Path, tmp_path: Path) -> Path:
    """An organization that was only written, as by ``tandem init``."""
    return deployment.copy(fresh_template, tmp_path / "x")


def content(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Everything in the directory that is not random: no secrets, no GUIDs, no times."""
    context = deployment.context(folder)
    out = {}
    for entry in context.session.search(context.layout.domain, scope=Scope.SUBTREE):
        attributes = {name: list(values) for name, values in entry.attributes.items()}
        name = str(entry.dn)
        if "contact" in attributes["objectclass"]:
            name = f"contact {attributes['displayname']}"
            del attributes["cn"]
        attributes.pop("msexchumcertificatethumbprint", None)
        out[name] = attributes
        out[f"{name} aces"] = {"aces": sorted(map(repr, context.session.aces(entry.dn)))}
    context.session.close()
    return out


class LostOnce:
    """A session whose directory does not answer when the first transaction begins."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.lost = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def transaction(self) -> Any:
        if self.lost:
            return self._session.transaction()
        self.lost = True
        raise DirectoryUnavailable("no domain controller answers")


def test_tasks_after_one_that_was_interrupted_wait_for_it(fresh: Path) -> None:
    context = deployment.context(fresh)
    session = LostOnce(context.session)
    applied = apply(dataclasses.replace(context, session=session), only=find_phase("0"))
    assert session.lost
    assert applied.refused == {} and applied.plan.todo == ()
    context.session.close()


def tandem(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tandem", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_plan_apply_plan(fresh: Path) -> None:
    file = str(fresh / "organization.yaml")
    assert tandem("plan", file).returncode == 2
    assert tandem("apply", file).returncode == 0
    again = tandem("plan", file)
    assert again.returncode == 0 and "Nothing to do" in again.stdout
    lines = len(Journal(path=fresh / "state" / "journal.jsonl").lines())
    assert tandem("apply", file).returncode == 0
    assert len(Journal(path=fresh / "state" / "journal.jsonl").lines()) == lines


@pytest.mark.slow
def test_a_plan_for_scripts_says_who_may_do_each_task(fresh: Path) -> None:
    done = tandem("plan", str(fresh / "organization.yaml"), "--json", "--phase", "7")
    tasks = json.loads(done.stdout)["tasks"]
    assert done.returncode == 2
    assert [task["id"] for task in tasks] == ["7/permissions", "7/gateways", "7/hunt-groups"]
    assert tasks[0]["status"] == "waiting" and tasks[0]["reason"] == "waits for um-dial-plans, dial-plan-security"


@pytest.mark.slow
def test_two_administrators_who_alternate_finish(fresh: Path) -> None:
    for number in ("0", "1"):
        apply(deployment.context(fresh), only=find_phase(number))
    turns = []
    for account in ("maria", "victor", "maria", "victor"):
        applied = apply(deployment.context(fresh, account))
        turns.append((account, bool(applied.done), bool(applied.plan.todo)))
    assert turns == [("maria", True, True), ("victor", True, True), ("maria", True, False), ("victor", False, False)]
    assert make_plan(deployment.context(fresh)).todo == ()


@pytest.mark.slow
def test_the_voice_side_cannot_tell_before_phase_7(fresh: Path) -> None:
    for number in ("0", "1"):
        apply(deployment.context(fresh), only=find_phase(number))
    maria = deployment.context(fresh, "maria")
    for number in ("2", "3", "4"):
        apply(maria, only=find_phase(number))
    plan = make_plan(deployment.context(fresh, "victor"))
    by_id = {planned.task.id: planned for planned in plan.tasks}
    assert by_id["3/dial-plans"].status is Status.UNREADABLE
    assert by_id["8/voice-dial-plans"].status is Status.WAITING
    shown = tandem("plan", str(fresh / "organization.yaml"), "--as", "victor")
    assert "You cannot read UM objects until phase 7 (exchucutil) has run" in shown.stdout


@pytest.mark.slow
def test_an_administrator_without_the_role_changes_nothing(fresh: Path) -> None:
    file = str(fresh / "organization.yaml")
    for number in ("0", "1"):
        apply(deployment.context(fresh), only=find_phase(number))
    before = content(fresh)
    lines = (fresh / "state" / "journal.jsonl").read_bytes()
    for account, phase in (("maria", "ocsumutil"), ("victor", "um-dial-plans"), ("victor", "3"), ("maria", "0")):
        refused = tandem("apply", file, "--as", account, "--phase", phase)
        if find_phase(phase) == PHASES[0]:
            assert refused.returncode == 0  # nothing is left to be done there
        else:
            assert refused.returncode == 1 and "Nothing was changed" in refused.stderr
            assert account in refused.stderr and "can be done by: administrator" in refused.stderr
    assert content(fresh) == before
    assert (fresh / "state" / "journal.jsonl").read_bytes() == lines


def test_a_wrong_password_is_refused(fresh: Path) -> None:
    (fresh / "secrets" / "administrator").write_text("wrong\n")
    refused = tandem("apply", str(fresh / "organization.yaml"))
    assert refused.returncode == 1 and "wrong account or password" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_two_applies_at_once_one_wins_and_the_other_says_so(fresh: Path) -> None:
    inner: list[str] = []

    def second(*_: object) -> None:
        with pytest.raises(Busy, match="another apply"):
            apply(deployment.context(fresh))
        inner.append("said so")

    apply(deployment.context(fresh), only=find_phase("0"), progress=Progress(done=second))
    assert inner


TASKS = 32


@pytest.mark.slow
def test_an_apply_killed_at_any_task_and_run_again_ends_in_the_same_directory(
    fresh_template: Path, fresh: Path, tmp_path: Path
) -> None:
    reference = deployment.copy(fresh_template, tmp_path / "reference")
    assert tandem("apply", str(reference / "organization.yaml")).returncode == 0
    wanted = content(reference)
    tasks = all_tasks(deployment.context(reference))
    assert len([task for task in tasks if not task.only_when_due]) == TASKS
    journal = fresh / "state" / "journal.jsonl"
    killed = 0
    for turn in range(2 * TASKS + 2):
        before = journal.read_bytes().count(b"\n") if journal.exists() else 0
        process = subprocess.Popen([sys.executable, "-m", "tandem", "apply", str(fresh / "organization.yaml")])
        # By turns: when a task has begun (its change may be half-way), and when one is done.
        wanted_lines = before + 1 + turn % 2
        while process.poll() is None and (journal.read_bytes().count(b"\n") if journal.exists() else 0) < wanted_lines:
            time.sleep(0.001)
        if process.poll() is None:
            process.kill()
            killed += 1
        if process.wait() == 0:
            break
    assert process.returncode == 0
    assert killed >= TASKS // 2
    assert content(fresh) == wanted
    assert make_plan(deployment.context(fresh)).todo == ()


def test_a_change_of_the_file_is_a_change_of_the_plan(deployed: Path) -> None:
    deployment.change(
        deployed, ("extension_digits: 4", "extension_digits: 5"), ('extension: "4101"', 'extension: "41019"')
    )
    deployment.change(
        deployed, ('extension: "4102"', 'extension: "41029"'), ('extension: "4103"', 'extension: "41039"')
    )
    context = deployment.context(deployed)
    changes = [str(change) for planned in make_plan(context).todo for change in planned.changes]
    assert "~ UM dial plan Main: extension_digits 4 -> 5" in changes
    assert any(c.startswith("~ user alice: proxy_addresses") and "eum:41019" in c for c in changes)
    apply(context)
    assert make_plan(context).todo == ()


def test_a_rerun_leaves_what_an_administrator_set(deployed: Path) -> None:
    context = deployment.context(deployed)
    gateway = context.layout.um_ip_gateways.child("CN", "pool1.example.com")
    context.session.replace(gateway, {"msExchUMOutcallsAllowed": ["FALSE"]})
    assert make_plan(context).todo == ()
    failed = [check.name for check in verify_static(context) if check.grade is Grade.FAILED]
    assert failed == ["Outgoing calls"]


def test_a_deployed_organization_verifies_with_warnings_only(deployed: Path) -> None:
    grades = {check.grade for check in verify_static(deployment.context(deployed))}
    assert grades == {Grade.PASSED, Grade.WARNING}


@pytest.mark.slow
def test_verify_names_what_is_wrong_the_phase_and_what_to_do(deployed: Path) -> None:
    shutil.rmtree(deployed / "state" / "pki" / "um1.example.com")
    done = tandem("verify", str(deployed / "organization.yaml"), "--json")
    assert done.returncode == 1
    checks = json.loads(done.stdout)
    wrong = [check for check in checks if check["grade"] == "failed"]
    assert {check["phase"] for check in wrong} == {"certificates"}
    # What waits for the certificate has not failed.
    assert {check["phase"] for check in checks if check["grade"] == "open"} == {"dial-plan-servers"}
    assert any("um1.example.com" in check["evidence"] and "tandem apply" in check["advice"] for check in wrong)


def test_the_journal_tells_of_tampering(deployed: Path) -> None:
    path = deployed / "state" / "journal.jsonl"
    assert Journal(path=path).lines()
    path.write_text(path.read_text().replace('"who": "administrator"', '"who": "somebody"', 1))
    with pytest.raises(ProcessError, match="the chain is broken"):
        Journal(path=path).lines()


def test_the_systems_log_has_the_end_of_the_journal_so_that_lines_that_were_cut_off_are_missed(
    deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("syslog.syslog", lambda _, text: said.append(text))
    context = deployment.context(deployed)
    change = Change(action="~", kind="contact", name="Main")
    carry_out(context, "ocsumutil", [(change, lambda: None)])
    journal = Journal(path=context.journal)
    held = journal.lines()[-1]["hash"]
    assert said == [f"journal.head file={context.journal.absolute()} who=administrator hash={held}"]
    shown = tandem("journal", str(deployed / "organization.yaml")).stdout
    assert f"Hash of the last of {len(journal.lines())} lines: {held}" in shown
    lines = context.journal.read_bytes().splitlines(keepends=True)
    context.journal.write_bytes(b"".join(lines[:-1]))
    assert journal.lines(), "the chain itself does not tell it"
    assert journal.lines()[-1]["hash"] != held
    context.session.close()


@pytest.mark.slow
def test_a_certificate_that_is_made_after_a_revocation_comes_with_a_list_that_is_good(deployed: Path) -> None:
    folder, at = deployed / "state" / "pki", datetime.now(UTC)
    authority = Authority.open_or_create(folder / "authority", organization="Example", at=at)
    authority.revoke(folder / "authority", (12345,), at=at - timedelta(days=400))  # it has ended by now
    shutil.rmtree(folder / "um1.example.com")
    context = deployment.context(deployed)
    apply(context, only=find_phase("2"))
    context.session.close()
    (held,) = CertificateStore(folder=folder / "um1.example.com").revocations()
    assert [entry.serial_number for entry in held] == [12345]
    assert held.next_update_utc is not None and held.next_update_utc > at + timedelta(days=300)


def test_a_journal_line_that_a_crash_cut_is_passed_over_and_written_on(deployed: Path) -> None:
    path = deployed / "state" / "journal.jsonl"
    whole = len(Journal(path=path).lines())
    os.truncate(path, path.stat().st_size - 20)
    assert len(Journal(path=path).lines()) == whole - 1
    context = deployment.context(deployed)
    Journal(path=path).append(at=context.clock.at(), who="x", task="y", state="done", changes=())
    assert len(Journal(path=path).lines()) == whole


@pytest.mark.slow
def test_secrets_are_their_owners_and_never_shown(fresh: Path) -> None:
    assert (fresh / "secrets").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (fresh / "secrets").iterdir()] == ["administrator"]
    tandem("apply", str(fresh / "organization.yaml"))
    files = list((fresh / "secrets").iterdir())
    assert {path.name for path in files} == {
        "administrator",
        "maria",
        "victor",
        "um1.example.com",
        "pool1.example.com",
    }
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    journal = (fresh / "state" / "journal.jsonl").read_text()
    assert "(sensitive)" in journal
    assert not any(path.read_text().strip() in journal for path in files)


def test_what_the_process_keeps_is_its_owners(deployed: Path) -> None:
    public = {"certificate.pem", "root.pem", "roots.pem"}
    kept = [path for path in (deployed / "state").rglob("*") if path.name not in public]
    assert {path for path in kept if path.stat().st_mode & 0o077} == set()
    assert {path.name for path in kept} >= {"journal.jsonl", "directory.db", "apply.lock", "authority"}
    journal = deployed / "state" / "journal.jsonl"
    journal.chmod(0o644)  # as release 0.1 made it
    context = deployment.context(deployed)
    Journal(path=journal).append(at=context.clock.at(), who="x", task="y", state="done", changes=())
    assert journal.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for another account")
def test_what_root_makes_in_a_home_belongs_to_the_owner_of_the_home(fresh: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    for path in (fresh, *fresh.rglob("*")):
        os.chown(path, nobody, -1)
    assert tandem("apply", str(fresh / "organization.yaml")).returncode == 0
    assert tandem("pki", "renew", "um1.example.com", "--home", str(fresh)).returncode == 0
    made = {path.name for path in fresh.rglob("*") if path.stat().st_uid != nobody}
    assert made == set()
    assert {"journal.jsonl", "root.key", "key.pem", "maria"} <= {path.name for path in fresh.rglob("*")}


def test_no_administrator_reads_a_sip_secret(deployed: Path) -> None:
    for account in ("administrator", "maria", "victor"):
        repository = deployment.context(deployed, account).repository
        alice = repository.get(o.User, "alice")
        assert alice is not None and repository.sip_secret(alice) == ""
    server = bind(Home(folder=deployed), "pool1.example.com")
    assert len(server.sip_secret(alice)) == 32


def test_init_leaves_a_folder_alone_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    refused = tandem("init", str(tmp_path))
    assert refused.returncode == 1 and "not empty" in refused.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_phases_need_only_phases_before_them() -> None:
    assert [phase.number for phase in PHASES] == list(range(12))
    assert all(need < phase.number for phase in PHASES for need in phase.needs)
