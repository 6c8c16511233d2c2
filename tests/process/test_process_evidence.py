"""Confirming steps of the runbook: what they wait for, what proves them, and what the journal then says."""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

import deployment
from tandem.cli.main import tandem as command
from tandem.core.ids import SystemIds
from tandem.org.load import require_organization
from tandem.process.agreement import agree, confirm
from tandem.process.apply import apply
from tandem.process.bootstrap import create_directory
from tandem.process.errors import NotPermitted, ProcessError
from tandem.process.journal import Journal
from tandem.process.phases import find_phase
from tandem.process.plan import make_plan
from tandem.process.runbook.evidence import (
    MOST_BYTES,
    EvidenceRefused,
    load_evidence,
    read_result,
)
from tandem.process.runbook.model import RunbookStep
from tandem.process.runbook.steps import runbook_steps
from vectors_runner import CASES

REASON = "Exchange has been there for years"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exchange 2013 and a Lync pool, with the groups that phase 0 makes."""
    folder = tmp_path_factory.mktemp("exchange") / "x"
    folder.mkdir()
    base = (CASES / "base" / "exchange.yaml").read_text(encoding="utf-8")
    (folder / "organization.yaml").write_text(base, encoding="utf-8")
    create_directory(require_organization(folder / "organization.yaml"), SystemIds())
    apply(deployment.context(folder), only=find_phase("0"))
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return deployment.copy(template, tmp_path / "x")


def steps_of(folder: Path) -> dict[str, RunbookStep]:
    return {step.id: step for step in runbook_steps(require_organization(folder / "organization.yaml"))}


def before(folder: Path, phase: int) -> list[str]:
    """The steps of earlier phases, in their order."""
    return [id_ for id_, step in steps_of(folder).items() if step.phase.number < phase]


def lines(folder: Path) -> list[dict[str, Any]]:
    return Journal(path=folder / "state" / "journal.jsonl").declared("confirmed")


def result(of: RunbookStep, **other: Any) -> dict[str, Any]:
    """What a script writes when a step is done."""
    return {
        "version": 1, "format": "tandem-evidence", "step": of.id, "digest": of.digest, "forest": of.forest,
        "shell": str(of.shell), "host": "ex1.example.com", "user": "EXAMPLE\\maria", "started": "2026-11-28T09:00:00Z",
        "ended": "2026-11-28T09:02:30Z", "outcome": "done", "message": "", "transcript": "", "transcript_sha256": "",
    } | other  # fmt: skip


def signed(members: dict[str, Any]) -> bytes:
    """The bytes of a result, made as its last member says: a SHA-256 of all bytes before the text ``,"sha256"``."""
    body = json.dumps(members)[:-1].encode()
    return body + b',"sha256":"' + hashlib.sha256(body).hexdigest().encode() + b'"}'


def write(path: Path, members: dict[str, Any]) -> Path:
    path.write_bytes(signed(members))
    return path


def test_a_step_is_refused_while_its_phases_needs_are_unmet(folder: Path) -> None:
    with pytest.raises(
        ProcessError, match=r"3/exchange-dial-plans waits for servers\. .*--force.*Nothing was recorded"
    ):
        confirm(deployment.context(folder, "maria"), ["3/exchange-dial-plans"])
    assert lines(folder) == []


def test_a_step_may_wait_for_one_that_is_confirmed_with_it(folder: Path) -> None:
    confirm(deployment.context(folder), [*before(folder, 3), "3/exchange-dial-plans"])
    assert "3/exchange-dial-plans" in {line["task"] for line in lines(folder)}


def test_a_reason_confirms_a_step_before_its_time_and_is_recorded(folder: Path) -> None:
    confirm(deployment.context(folder, "maria"), ["3/exchange-dial-plans"], force=f"  {REASON}\n")
    step = steps_of(folder)["3/exchange-dial-plans"]
    assert [line["changes"] for line in lines(folder)] == [[step.digest, f"forced: {REASON}"]]


def test_a_reason_is_not_recorded_where_nothing_was_open(folder: Path) -> None:
    first = before(folder, 1)[0]
    confirm(deployment.context(folder), [first], force=REASON)
    assert lines(folder)[0]["changes"] == [steps_of(folder)[first].digest]


def test_within_phase_7_the_front_end_restart_waits_for_exchucutil(folder: Path) -> None:
    context = deployment.context(folder)
    exchucutil, restart = (
        next(i for i in steps_of(folder) if i.startswith(s)) for s in ("7/exchange-exch", "7/lync-front")
    )
    confirm(context, before(folder, 7))
    with pytest.raises(ProcessError, match=f"{restart} waits for {exchucutil}"):
        confirm(context, [restart])
    confirm(context, [exchucutil, restart])
    assert lines(folder)[-1]["task"] == restart


@pytest.mark.slow
def test_an_exchange_forest_waits_for_nothing_of_another_one(tmp_path: Path) -> None:
    tree = yaml.safe_load((CASES / "base" / "exchange.yaml").read_text(encoding="utf-8"))
    own, other = "a.example.net", "b.example.org"
    tree["forests"] += [{"name": name, "domains": [name], "trusts": ["example.com"]} for name in (own, other)]
    for server, name in zip(tree["messaging_servers"], (own, other), strict=True):
        server |= {"fqdn": f"ex1.{name}", "forest": name}
    tree["um_dial_plans"] = [tree["um_dial_plans"][0] | {"forest": own}]
    tree["um_dial_plans"].append({"name": "Other", "forest": other, "extension_digits": 4})
    tree["administrators"] = tree["administrators"][1:]
    (tmp_path / "organization.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    create_directory(require_organization(tmp_path / "organization.yaml"), SystemIds())
    apply(deployment.context(tmp_path), only=find_phase("0"))
    context = deployment.context(tmp_path)
    first = before(tmp_path, 1)
    confirm(context, [id_ for id_ in first if not id_.endswith(f"@{other}")])
    confirm(context, [f"1/exchange-first-server@{own}"])
    for id_ in (f"1/exchange-first-server@{other}", "2/lync-certificates-pool1.example.com"):
        with pytest.raises(ProcessError, match="waits for "):
            confirm(context, [id_])


def test_the_role_is_asked_for_before_anything_else(folder: Path) -> None:
    with pytest.raises(NotPermitted, match="victor is not in Organization Management"):
        confirm(deployment.context(folder, "victor"), ["3/exchange-dial-plans"], force=REASON)


def test_phase_7_by_organization_management_alone_is_warned_of(folder: Path) -> None:
    """docs/process.md: in phase 7 Organization Management alone is accepted with a warning, from Exchange 2010 on."""
    path = folder / "organization.yaml"
    both = "groups: [Organization Management, Recipient Management, UM"
    assert both in path.read_text()
    path.write_text(path.read_text().replace(both, "groups: [Organization Management, UM"))
    apply(deployment.context(folder), only=find_phase("0"))
    maria = deployment.context(folder, "maria")
    assert "Recipient Management" not in {dn.name for dn in maria.session.groups_of(maria.session.identity)}
    exchucutil = next(id_ for id_ in steps_of(folder) if id_.startswith("7/exchange-exchucutil"))
    confirm(deployment.context(folder), before(folder, 7))
    warnings = confirm(maria, [exchucutil])
    alone = (
        "Organization Management alone is accepted; the topic asks for Organization Management and Recipient Management"
    )
    assert f"{exchucutil}: {alone}" in warnings


def test_a_confirmation_before_both_teams_agree_is_warned_of(folder: Path) -> None:
    first = before(folder, 1)[0]
    assert any("have not agreed" in w for w in confirm(deployment.context(folder), [first]))
    for account in ("maria", "victor"):
        agree(deployment.context(folder, account))
    assert confirm(deployment.context(folder), [first]) == ()


def test_evidence_is_kept_by_its_hash_and_the_journal_names_it(folder: Path, tmp_path: Path) -> None:
    step = steps_of(folder)["3/exchange-dial-plans"]
    transcript = b"Transcript of the step\r\n"
    (tmp_path / "run.txt").write_bytes(transcript)
    digest = hashlib.sha256(transcript).hexdigest()
    path = write(tmp_path / "run.json", result(step, transcript="run.txt", transcript_sha256=digest))
    given = load_evidence(path)
    confirm(deployment.context(folder, "maria"), [step.id], evidence=[given], force=REASON)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert lines(folder)[0]["changes"] == [step.digest, f"evidence {sha256}", f"forced: {REASON}"]
    kept = folder / "state" / "evidence"
    assert (kept / f"{sha256}.json").read_bytes() == path.read_bytes()
    assert (kept / f"{digest}.txt").read_bytes() == transcript
    assert (kept / f"{sha256}.json").stat().st_mode & 0o777 == 0o600


def test_only_what_is_open_stands_in_the_runbook_if_asked_and_every_step_says_its_state(
    folder: Path, tmp_path: Path
) -> None:
    step = steps_of(folder)["3/exchange-dial-plans"]
    given = load_evidence(write(tmp_path / "run.json", result(step)))
    confirm(deployment.context(folder, "maria"), [step.id], evidence=[given], force=REASON)
    whole = tandem(folder, "runbook", "FILE").stdout
    article = whole.partition(f"`{step.id}`")[2].partition("### ")[0]
    assert "State: CONFIRMED by maria" in article and given.sha256[:12] in article and "not observed" in article
    assert whole.count("State: OPEN, neither observed nor confirmed") == len(steps_of(folder)) - 1
    rest = tandem(folder, "runbook", "FILE", "--open").stdout
    assert f"`{step.id}`" not in rest and rest.count("State: ") == len(steps_of(folder)) - 1


def test_a_confirmed_step_with_evidence_is_done_in_the_plan(folder: Path, tmp_path: Path) -> None:
    step = steps_of(folder)["3/exchange-dial-plans"]
    given = load_evidence(write(tmp_path / "run.json", result(step)))
    confirm(deployment.context(folder, "maria"), [step.id], evidence=[given], force=REASON)
    states = {planned.task.id: planned.status for planned in make_plan(deployment.context(folder)).tasks}
    assert states[step.id] == "done"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"outcome": "failed", "message": "no\n\x1b[31mURI"},
            r"outcome there is 'failed', expected 'done': no \[31mURI",
        ),
        ({"outcome": "backed out"}, "'backed out'"),
        ({"digest": "0" * 16}, "another text of the step"),
        ({"forest": "fabrikam.example"}, "it is of fabrikam.example, expected example.com"),
        ({"step": "4/exchange-security"}, "it is of step '4/exchange-security'"),
        ({"ended": "2999-01-01T00:00:00Z"}, "yet to come: check the clock of ex1.example.com"),
    ],
)
def test_evidence_of_something_else_confirms_nothing(
    folder: Path, tmp_path: Path, other: dict[str, str], said: str
) -> None:
    step = steps_of(folder)["3/exchange-dial-plans"]
    given = load_evidence(write(tmp_path / "run.json", result(step, **other)))
    with pytest.raises(EvidenceRefused, match=f"run.json: .*{said}.*Nothing was recorded"):
        confirm(deployment.context(folder, "maria"), [step.id], evidence=[given], force=REASON)
    assert lines(folder) == [] and not (folder / "state" / "evidence").exists()


STEP = "3/exchange-dial-plans"
PLAIN = {
    "version": 1, "format": "tandem-evidence", "step": STEP, "digest": "0123456789abcdef", "forest": "example.com",
    "shell": "exchange-2013", "host": "ex1", "user": "EXAMPLE\\maria", "started": "2026-11-28T09:00:00Z",
    "ended": "2026-11-28T09:02:30Z", "outcome": "done", "message": "", "transcript": "", "transcript_sha256": "",
}  # fmt: skip


def test_a_result_is_read_as_it_was_written_and_a_later_versions_members_are_passed_over() -> None:
    found = read_result(signed(PLAIN | {"later": [1]}) + b"\r\n")
    assert (found.step, found.user, found.outcome) == (STEP, "EXAMPLE\\maria", "done")
    assert found.ended - found.started == timedelta(minutes=2, seconds=30) and found.started.tzinfo is UTC


def test_the_script_writes_the_members_that_are_read_in_the_layout_that_is_read() -> None:
    frame = resources.files("tandem.process.runbook.writing").joinpath("frame.ps1").read_text(encoding="utf-8")
    writer = frame.partition("function Write-TandemResult")[2].partition("\n}")[0]
    names = re.findall(r"@\('(\w+)', ", writer)
    assert {"version", *names} == set(PLAIN)
    assert """$body = "{`n" + '"version":1,' + "`n" + [string]::Join(",`n", $lines)""" in writer
    assert """$body + ',"sha256":"' + (Get-TandemHash ($ascii.GetBytes($body))) + '"}'""" in writer
    body = '{\n"version":1,\n' + ",\n".join(f'"{name}":{json.dumps(PLAIN[name])}' for name in names)
    digest = hashlib.sha256(body.encode("ascii")).hexdigest()
    assert read_result(f'{body},"sha256":"{digest}"}}'.encode()).step == STEP


def lacking(name: str) -> Callable[[], bytes]:
    return lambda: signed({key: value for key, value in PLAIN.items() if key != name})


BAD: list[tuple[Callable[[], bytes], str]] = [
    (lambda: b"", "JSON"),
    (lambda: b"\xff\xfe{\x00}\x00", "JSON"),
    (lambda: b"[" * 60_000, "JSON"),
    (lambda: signed(PLAIN).replace(b'"message": ""', b'"message": NaN'), "JSON"),
    (lambda: signed(PLAIN).replace(b'{"version"', b'{"step": "x", "version"'), "JSON"),
    (lambda: b"[]", "format tandem-evidence"),
    (lambda: b'{"format":"tandem-observation"}', "format tandem-evidence"),
    (lambda: signed(PLAIN | {"version": 2}), "version: found 2, expected 1"),
    (lambda: signed(PLAIN | {"version": True}), "version: found True"),
    (lambda: json.dumps(PLAIN).encode(), "expected to end with"),
    (lambda: signed(PLAIN).replace(b"maria", b"mario"), "it was altered"),
    (lambda: signed(PLAIN | {"host": 7}), "host: expected a text, found 7"),
    (lambda: signed(PLAIN | {"host": "a\nb"}), "control character"),
    (lacking("user"), "user: expected a text, found none"),
    (lacking("ended"), "ended: found None"),
    (lambda: signed(PLAIN | {"started": "28/11/2026"}), "started: found '28/11/2026'"),
    (lambda: signed(PLAIN | {"started": "2026-13-28T09:00:00Z"}), "started: found"),
    (lambda: signed(PLAIN | {"started": "2026-11-28T10:00:00Z"}), "is before started"),
    (lambda: signed(PLAIN | {"transcript": "a.txt"}), "expected both or none"),
    (lambda: signed(PLAIN | {"transcript": "../a.txt", "transcript_sha256": "0" * 64}), "transcript: '../a.txt'"),
    (lambda: signed(PLAIN | {"transcript": "a.txt", "transcript_sha256": "0"}), "transcript: 'a.txt'"),
]


@pytest.mark.parametrize("at", range(len(BAD)))
def test_a_bad_or_foreign_result_is_refused_with_what_was_expected(at: int) -> None:
    make, said = BAD[at]
    with pytest.raises(EvidenceRefused) as refused:
        read_result(make())
    assert said in str(refused.value)


def test_an_altered_transcript_or_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.txt").write_text("altered")
    path = write(tmp_path / "run.json", PLAIN | {"transcript": "run.txt", "transcript_sha256": "0" * 64})
    with pytest.raises(EvidenceRefused, match=r"run.txt is not the transcript of run.json: it was altered"):
        load_evidence(path)
    (tmp_path / "run.txt").unlink()
    assert load_evidence(path).transcript is None
    with pytest.raises(EvidenceRefused, match="No such file"):
        load_evidence(tmp_path / "none.json")
    (tmp_path / "large.json").write_bytes(b" " * (MOST_BYTES + 1))
    with pytest.raises(EvidenceRefused, match=f"more than {MOST_BYTES} bytes"):
        load_evidence(tmp_path / "large.json")


def tandem(folder: Path, *arguments: str) -> Result:
    file = str(folder / "organization.yaml")
    return CliRunner().invoke(command, [file if word == "FILE" else word for word in arguments])


def test_the_command_takes_the_steps_from_the_evidence_and_says_what_it_warns_of(folder: Path, tmp_path: Path) -> None:
    step = steps_of(folder)["3/exchange-dial-plans"]
    path = write(tmp_path / "run.json", result(step))
    options = ("--as", "maria", "--from-secrets", "--evidence", str(path), "--force", REASON)
    done = tandem(folder, "confirm", "FILE", *options)
    assert done.exit_code == 0, done.output
    assert (
        "1 step(s) confirmed by maria." in done.stdout
        and "Warning: " in done.stderr
        and "have not agreed" in done.stderr
    )
    assert lines(folder)[0]["task"] == step.id
    nothing = tandem(folder, "confirm", "FILE", "--as", "maria", "--from-secrets")
    assert nothing.exit_code == 2 and "--evidence" in nothing.stderr


def test_the_hand_over_tells_who_confirmed_what_and_who_may_go_on(folder: Path, tmp_path: Path) -> None:
    step = steps_of(folder)["3/exchange-dial-plans"]
    given = load_evidence(write(tmp_path / "run.json", result(step)))
    confirm(deployment.context(folder, "maria"), [step.id], evidence=[given], force=REASON)
    done = tandem(folder, "runbook", "FILE", "--for", "exchange", "--hand-over", "um-dial-plans")
    assert done.exit_code == 0, done.output
    today = datetime.now(UTC).date().isoformat()
    assert (
        f"- {step.id}: " in done.stdout
        and f"CONFIRMED by maria {today}" in done.stdout
        and f"evidence {given.sha256[:12]}" in done.stdout
    )
    assert "OPEN, neither observed nor confirmed" in done.stdout  # the other steps of phase 3
    next_ones = done.stdout.partition("What waited for it:")[2]
    assert "8/lync-dial-plans" in next_ones and "Lync Server administrators" in next_ones
    french = tandem(folder, "runbook", "FILE", "--for", "exchange", "--hand-over", "3", "--lang", "fr")
    assert "Passation après la phase 3." in french.stdout and "OUVERT, ni observé ni confirmé" in french.stdout
    none = tandem(folder, "runbook", "FILE", "--for", "directory", "--hand-over", "3")
    assert none.exit_code != 0 and "no runbook step of phase um-dial-plans" in str(none.exception)


def test_a_typing_error_in_a_steps_id_is_answered_with_the_step_that_is_meant(folder: Path) -> None:
    with pytest.raises(ProcessError, match=r"'3/exchange-dial-plan'; did you mean 3/exchange-dial-plans\?"):
        confirm(deployment.context(folder, "maria"), ["3/exchange-dial-plan"])


def test_a_byte_order_mark_that_an_editor_has_added_is_no_alteration(folder: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "run.json", result(steps_of(folder)["3/exchange-dial-plans"]))
    plain = load_evidence(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_evidence(path) == plain
