"""``tandem observe``, and how plan, verify and drift tell what was observed from what somebody says."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import observed
from process.test_process_evidence import result
from process.test_process_evidence import write as write_result
from process.test_process_observe import TWO_FORESTS
from tandem.cli.main import tandem
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.org.load import require_organization
from tandem.process.agreement import confirm
from tandem.process.apply import apply
from tandem.process.bootstrap import create_directory, open_context
from tandem.process.journal import Journal
from tandem.process.passwords import kept_password
from tandem.process.plan import make_plan
from tandem.process.runbook.steps import runbook_steps
from tandem.process.task import Context

pytestmark = pytest.mark.slow
NOW = SystemClock().at()
Edit = Callable[[dict[str, observed.Members]], None]


def context(home: Path) -> Context:
    organization = require_organization(home / "organization.yaml")
    password = kept_password(organization, "administrator")
    return open_context(organization, clock=SystemClock(), ids=SystemIds(), account="administrator", password=password)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An organization of Exchange and Lync alone, of which Tandem has done its own part."""
    (tmp_path / "organization.yaml").write_text(TWO_FORESTS, encoding="utf-8")
    create_directory(require_organization(tmp_path / "organization.yaml"), SystemIds())
    apply(context(tmp_path))
    return tmp_path


def run(home: Path, command: str, *more: str) -> Result:
    file, password = home / "organization.yaml", home / "secrets" / "administrator"
    return CliRunner().invoke(tandem, [command, str(file), *more, "--password-file", str(password)])


def write(home: Path, at: datetime, edit: Edit = lambda results: None) -> list[str]:
    """The files of the collectors."""
    results = observed.results(require_organization(home / "organization.yaml"), at)
    edit(results)
    paths = []
    for name, members in results.items():
        path = home / f"{name}.json"
        path.write_bytes(observed.sealed(members))
        paths.append(str(path))
    return paths


def weaker(results: dict[str, observed.Members]) -> None:
    """Somebody has changed the security of Main."""
    for members in results.values():
        for plan in members["objects"].get("UMDialPlan", []):
            if plan["Name"] == "Main":
                plan["VoIPSecurity"] = "SIPSecured"


DIFFERENCE = "~ UM dial plan Main: voip_security SIPSecured -> Secured"
SECURITY = "4/exchange-security"
AN_HOUR = NOW - timedelta(hours=3)
"""The lync side is read an hour after the exchange side."""


def known(home: Path) -> dict[str, dict[str, Any]]:
    """What the plan says of each step, by its id without the forest."""
    found = json.loads(run(home, "plan", "--json").stdout)["tasks"]
    return {task["id"].partition("@")[0]: task for task in found if task["known"]}


def test_the_plan_is_empty_but_for_what_nobody_can_observe(home: Path) -> None:
    done = run(home, "observe", *write(home, AN_HOUR))
    assert done.exit_code == 0, done.output
    left = [
        planned
        for planned in make_plan(context(home)).todo
        if planned.standing is None or planned.standing.outcome != "not observable"
    ]
    assert left == []
    tasks = known(home)
    assert tasks[SECURITY]["known"]["state"] == "observed" and tasks[SECURITY]["status"] == "done"
    source = tasks[SECURITY]["known"]["observations"][0]
    assert (source["by"], source["host"]) == ("PROSEWARE\\xena", "cas1.proseware.example")


def test_who_observed_what_stands_in_the_journal_and_the_file_is_kept_by_its_digest(home: Path) -> None:
    paths = write(home, AN_HOUR)
    run(home, "observe", paths[0])
    digest = json.loads(Path(paths[0]).read_text())["sha256"]
    line = Journal(path=home / "state" / "journal.jsonl").lines()[-1]
    assert (line["who"], line["task"], line["state"]) == ("administrator", "exchange@proseware.example", "observed")
    assert line["changes"][0] == digest
    kept = home / "state" / "observations" / f"{digest}.json"
    assert kept.read_bytes() == Path(paths[0]).read_bytes() and kept.stat().st_mode & 0o077 == 0
    run(home, "observe", paths[0])
    assert len(Journal(path=home / "state" / "journal.jsonl").declared("observed")) == 1


def test_the_three_states_never_look_alike(home: Path) -> None:
    run(home, "observe", *write(home, AN_HOUR, weaker))
    before = run(home, "plan").stdout
    assert re.search(r"observed +3/exchange-dial-plans", before)
    assert re.search(r"differs +4/exchange-security", before) and DIFFERENCE in before
    page = home / "plan.html"
    run(home, "plan", "--html", str(page))
    assert re.search(r'class="observed".*Create the UM SIP URI dial plans', page.read_text())
    assert re.search(r'class="differs".*VoIP security', page.read_text())
    assert "1 differs" in page.read_text() and "Observations" in page.read_text()


def test_a_difference_fails_verify_and_is_drift(home: Path) -> None:
    run(home, "observe", *write(home, AN_HOUR, weaker))
    drift = run(home, "drift", "--json")
    assert drift.exit_code == 3
    assert [each["what"] for each in json.loads(drift.stdout)["differences"]] == [DIFFERENCE]
    verify = run(home, "verify", "--json")
    failed = [check for check in json.loads(verify.stdout) if check["grade"] == "failed"]
    assert verify.exit_code == 1 and [check["forest"] for check in failed] == ["proseware.example"]
    assert failed[0]["evidence"].startswith(DIFFERENCE)


def test_an_observation_counts_before_an_earlier_word(home: Path) -> None:
    confirm_all(home)
    run(home, "observe", *write(home, NOW + timedelta(minutes=5) - timedelta(hours=1), weaker))
    # The exchange side was read an hour ago: before the confirmation, which stays a word.
    assert "after an observation that differs" in known(home)[SECURITY]["known"]["text"]
    later = {"hours": 0, "minutes": 5}
    run(home, "observe", write(home, SystemClock().at() + timedelta(**later), weaker)[0])
    found = known(home)[SECURITY]
    assert found["known"]["state"] == "open" and found["changes"] == [DIFFERENCE]
    assert "the observation counts" in found["known"]["text"]


def confirm_all(home: Path) -> None:
    for _ in range(12):
        ready = [p.task.id for p in make_plan(context(home)).todo if p.status == "by hand"]
        if ready:
            confirm(context(home), ready)


def test_a_confirmation_says_which_evidence_came_with_it(home: Path) -> None:
    step = next(p.task for p in make_plan(context(home)).tasks if p.task.id.startswith("0/lync-pools"))
    said = (step.digest, "evidence " + "0123456789ab" + "c" * 52)
    now = SystemClock().at()
    Journal(path=home / "state" / "journal.jsonl").append(
        at=now, who="victor", task=step.id, state="confirmed", changes=said
    )
    text = known(home)["0/lync-pools"]["known"]["text"]
    assert text == f"confirmed by victor {now:%Y-%m-%d} (evidence 0123456789ab), not observed"


def test_verify_is_content_with_words_only_if_it_is_told_so(home: Path) -> None:
    confirm_all(home)
    verify = run(home, "verify")
    assert verify.exit_code == 4
    today = f"{SystemClock().at():%Y-%m-%d}"
    assert re.search(
        rf"confirmed +Set the dial plans' VoIP security \[proseware.example\]: confirmed by administrator {today}, not observed",
        verify.stdout,
    )
    assert run(home, "verify", "--accept-confirmed").exit_code == 0
    assert run(home, "drift").exit_code == 4
    assert "confirmed by somebody, and not observed" in run(home, "plan").stdout


def test_steps_that_nobody_has_looked_at_are_open_and_not_failed(home: Path) -> None:
    verify = run(home, "verify", "--json")
    grades = {check["grade"] for check in json.loads(verify.stdout)}
    assert verify.exit_code == 4 and "open" in grades and "failed" not in grades


def test_an_observation_grows_old_visibly(home: Path) -> None:
    run(home, "observe", *write(home, NOW - timedelta(days=9, hours=3)))
    assert "Old observation, run the collector again: exchange of proseware.example" in run(home, "plan").stdout
    assert "(9 days old)" in run(home, "plan").stdout
    checks = json.loads(run(home, "verify", "--json").stdout)
    assert [c["evidence"] for c in checks if c["name"] == "Observation of exchange (exchange-2013)"] == [
        "9 days old, of PROSEWARE\\xena on cas1.proseware.example"
    ]
    assert "Old, collect again" in run(home, "drift").stdout
    assert re.search(r"observed: exchange of proseware.example, .* \(9 days old\)", run(home, "drift").stdout)
    assert "warning: older than 7 days" in run(home, "observe", *write(home, NOW - timedelta(days=9, hours=3))).stdout
    assert known(home)[SECURITY]["known"]["old"] is True


def test_the_newest_result_counts_in_whatever_order_they_come(home: Path) -> None:
    newer = write(home, AN_HOUR)[0]
    Path(newer).rename(home / "newer.json")
    older = write(home, AN_HOUR - timedelta(days=1), weaker)[0]
    done = run(home, "observe", str(home / "newer.json"), older)
    assert "it does not count" in done.stdout or "only its host's certificates count" in done.stdout
    assert known(home)[SECURITY]["known"]["state"] == "observed"


def test_nothing_is_kept_if_one_file_cannot_be_used(home: Path) -> None:
    (home / "foreign.json").write_text('{"format":"something else"}')
    done = run(home, "observe", *write(home, AN_HOUR), str(home / "foreign.json"))
    assert done.exit_code != 0 and not (home / "state" / "observations").exists()
    assert str(done.exception).endswith("Nothing was kept.") and "foreign.json: format: found" in str(done.exception)


STRANGE = {
    "another forest": ({"forest": "contoso.example"}, "forest: found contoso.example, expected one that organization.yaml declares"),
    "a forest without lync": ({"side": "lync", "shell": "lync-2013", "forest": "proseware.example"}, "declares no pool of kind lync in proseware"),
    "a forest without exchange": ({"forest": "litware.example"}, "declares no server of kind exchange in litware.example"),
    "the future": ({"started": "2126-01-01T00:00:00Z", "ended": "2126-01-01T00:00:00Z"}, "set the clock of cas1.proseware.example"),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_a_result_of_something_else_is_refused(name: str, home: Path) -> None:
    members, message = STRANGE[name]

    def edit(results: dict[str, observed.Members]) -> None:
        first = results["exchange-cas1.proseware.example"]
        if members.get("side") == "lync":
            first["objects"] = {each: [] for each in results["lync-se01.litware.example"]["objects"]}
            first["unread"] = {}
        first.update(members)

    done = run(home, "observe", write(home, AN_HOUR, edit)[0])
    assert message in str(done.exception)


def test_the_result_of_another_organization_under_this_forest_name_is_refused(home: Path) -> None:
    def edit(results: dict[str, observed.Members]) -> None:
        config = results["exchange-cas1.proseware.example"]["objects"]["OrganizationConfig"]
        config[0]["DistinguishedName"] = (
            "CN=Other,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=fabrikam,DC=example"
        )

    done = run(home, "observe", write(home, AN_HOUR, edit)[0])
    assert "another forest's result" in str(done.exception)


def test_a_kept_file_that_was_altered_is_an_error_that_names_it(home: Path) -> None:
    run(home, "observe", write(home, AN_HOUR)[0])
    kept = next((home / "state" / "observations").iterdir())
    kept.write_bytes(kept.read_bytes().replace(b'"SipName"', b'"E164"'))
    done = run(home, "plan")
    assert kept.name in str(done.exception) and "the file was altered" in str(done.exception)


def test_a_kept_file_that_was_lost_comes_back_with_the_collectors_file(home: Path) -> None:
    first = write(home, AN_HOUR)[0]
    run(home, "observe", first)
    kept = next((home / "state" / "observations").iterdir())
    kept.unlink()
    assert "bring it back from a backup, or give the collector's file" in str(run(home, "plan").exception)
    assert run(home, "observe", first).exit_code == 0 and kept.exists()
    assert known(home)[SECURITY]["known"]["state"] == "observed"
    assert len(Journal(path=home / "state" / "journal.jsonl").declared("observed")) == 1


def test_what_is_there_and_not_declared_is_drift_and_no_task(home: Path) -> None:
    def edit(results: dict[str, observed.Members]) -> None:
        for members in results.values():
            if members["side"] == "exchange":
                members["objects"]["UMDialPlan"].append({"Name": "Old"})

    run(home, "observe", *write(home, AN_HOUR, edit))
    assert [each["what"] for each in json.loads(run(home, "drift", "--json").stdout)["differences"]] == [
        "? UM dial plan Old: observed, and not declared"
    ]
    assert not any("Old" in change for task in known(home).values() for change in task["changes"])


def test_a_section_that_could_not_be_read_leaves_its_steps_open_and_says_why(home: Path) -> None:
    def edit(results: dict[str, observed.Members]) -> None:
        for members in results.values():
            if members["side"] == "exchange":
                del members["objects"]["UMHuntGroup"]
                members["unread"]["UMHuntGroup"] = "Access is denied."

    done = run(home, "observe", *write(home, AN_HOUR, edit))
    assert "could not be read: UMHuntGroup: Access is denied." in done.stdout
    found = known(home)["7/exchange-exchucutil"]["known"]
    assert (found["state"], found["outcome"]) == ("open", "unreadable") and "Access is denied." in found["text"]


def test_a_plan_says_which_groups_the_operator_lacks(home: Path) -> None:
    done = CliRunner().invoke(tandem, ["plan", str(home / "organization.yaml"), "--as", "victor", "--from-secrets"])
    assert "not for victor (lacks Organization Management)" in done.stdout


def test_a_plan_names_a_step_once_and_says_nothing_of_it_that_stands_there_already(home: Path) -> None:
    page = home / "plan.html"
    shown = run(home, "plan", "--html", str(page)).stdout
    assert shown.count(SECURITY) == 1 and "! runbook step" not in shown
    assert SECURITY in page.read_text() and "! runbook step" not in page.read_text()


def test_what_two_phases_miss_is_drift_once(home: Path) -> None:
    def edit(results: dict[str, observed.Members]) -> None:
        for each in results["exchange-cas1.proseware.example"]["objects"]["ExchangeCertificate"]:
            if each["Server"] == "mbx1.proseware.example":
                each["NotAfter"] = "2026-01-31T00:00:00Z"

    run(home, "observe", *write(home, AN_HOUR, edit))
    found = json.loads(run(home, "drift", "--json").stdout)["differences"]
    assert [(each["phase"], each["what"]) for each in found] == [
        ("certificates", "~ certificate mbx1.proseware.example: ended 2026-01-31")
    ]


def test_results_alone_become_a_file_whose_plan_is_empty(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    results = write(home, AN_HOUR)
    there = tmp_path_factory.mktemp("imported")
    made = CliRunner().invoke(tandem, ["import", "--observation", *results])
    assert made.exit_code == 0 and "note: users: their OUs are not observed" in made.stderr
    (there / "organization.yaml").write_text(made.stdout, encoding="utf-8")
    assert CliRunner().invoke(tandem, ["directory", "create", str(there / "organization.yaml")]).exit_code == 0
    apply(context(there))
    assert run(there, "observe", *results).exit_code == 0
    left = [p for p in make_plan(context(there)).todo if p.standing is None or p.standing.outcome != "not observable"]
    assert left == []
    assert json.loads(run(there, "drift", "--json").stdout)["differences"] == []


def test_of_a_deployment_that_is_there_what_is_missing_stands_in_the_runbook(tmp_path: Path) -> None:
    """README's way with Exchange 2013 and Lync 2013 in a forest each, where one hunt group is missing."""
    folder = Path(__file__).parents[1] / "vectors" / "observations" / "2013-two-forests"
    results = [str(path) for path in sorted(folder.glob("*.json"))]
    made = CliRunner().invoke(tandem, ["import", "--observation", *results])
    (tmp_path / "organization.yaml").write_text(made.stdout, encoding="utf-8")
    assert CliRunner().invoke(tandem, ["directory", "create", str(tmp_path / "organization.yaml")]).exit_code == 0
    observing = run(tmp_path, "observe", *results)
    assert observing.exit_code == 0, observing.output
    rest = CliRunner().invoke(tandem, ["runbook", str(tmp_path / "organization.yaml"), "--open"]).stdout
    assert r"differs (seen -\> declared): + UM hunt group London: at 1:2" in rest and "`7/exchange-exchucutil`" in rest
    assert "`7/lync-front-end`" in rest and "`11/lync-acceptance`" in rest
    for seen in ("3/exchange-dial-plans", "4/exchange-security", "8/lync-dial-plans", "10/lync-voice"):
        assert f"`{seen}`" not in rest, seen


def test_a_file_that_is_no_result_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "page.json").write_text("<html>")
    done = CliRunner().invoke(tandem, ["import", "--observation", str(tmp_path / "page.json")])
    assert done.stdout == "" and re.search(r"page\.json: no JSON .*expected an observation", str(done.exception))


def test_evidence_from_before_an_observation_that_differs_confirms_nothing(home: Path) -> None:
    assert run(home, "observe", *write(home, AN_HOUR, weaker)).exit_code == 0
    step = next(s for s in runbook_steps(require_organization(home / "organization.yaml")) if s.id.startswith(SECURITY))
    at = {
        "started": observed.stamp(AN_HOUR - timedelta(hours=2)),
        "ended": observed.stamp(AN_HOUR - timedelta(hours=1)),
    }
    before = write_result(home / "before.json", result(step, **at))
    refused = run(home, "confirm", "--evidence", str(before), "--force", "a")
    assert refused.exit_code == 1 and "differs: run the script again" in str(refused.exception)
    at = {"started": observed.stamp(AN_HOUR), "ended": observed.stamp(NOW)}
    after = write_result(home / "after.json", result(step, **at))
    assert run(home, "confirm", "--evidence", str(after), "--force", "a").exit_code == 0
