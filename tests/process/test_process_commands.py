"""Saved plans, drift, agreement, removal, and what commands print: as administrators use them."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result

import deployment
from tandem.admin.opening import Operator, open_organization
from tandem.cli.main import tandem as command
from tandem.core.ids import SystemIds
from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.errors import AccessDenied, InvalidCredentials
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.org.load import require_organization
from tandem.org.schema import json_schema
from tandem.process import saved
from tandem.process.agreement import agree, agreed, disagreement
from tandem.process.apply import Progress, apply
from tandem.process.bootstrap import create_directory, write_example
from tandem.process.errors import NotPermitted, ProcessError
from tandem.process.guard import Guard
from tandem.process.phases import TEAMS, Side, find_phase
from tandem.process.plan import make_plan
from tandem.wiring import Home, connect

pytestmark = pytest.mark.slow
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture(scope="module")
def fresh_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "x"
    write_example(folder, SystemIds())
    return folder


@pytest.fixture
def fresh(fresh_template: Path, tmp_path: Path) -> Path:
    folder = deployment.copy(fresh_template, tmp_path / "x")
    for phase in ("0", "1"):
        apply(deployment.context(folder), only=find_phase(phase))
    return folder


def tandem(folder: Path, *arguments: str) -> Result:
    file = str(folder / "organization.yaml")
    return CliRunner().invoke(command, [file if word == "FILE" else word for word in arguments])


def save(folder: Path, name: str = "plan.json") -> Path:
    assert tandem(folder, "plan", "FILE", "--out", str(folder / name)).exit_code == 2
    return folder / name


def test_a_saved_plan_is_carried_out_by_both_teams_in_turns(fresh: Path) -> None:
    plan = saved.load(save(fresh))
    for account in ("maria", "victor", "maria"):
        applied = apply(deployment.context(fresh, account), saved=plan)
        assert applied.stale == {} and applied.refused == {}
    assert make_plan(deployment.context(fresh)).todo == ()


def test_a_saved_plan_changes_nothing_that_it_does_not_say(fresh: Path) -> None:
    path = save(fresh)
    deployment.change(fresh, ("display_name: Main Subscriber Access", "display_name: Renamed"))
    done = tandem(fresh, "apply", str(path))
    assert done.exit_code == 5 and "stale 9/contacts" in done.stdout and "contact Renamed" in done.stdout
    context = deployment.context(fresh)
    assert context.repository.all(o.Contact) == ()
    assert [plan.name for plan in context.repository.all(o.UMDialPlan)] == ["Lobby", "Main"]


def test_what_one_team_observed_is_not_spoilt_by_the_others_work(fresh: Path) -> None:
    plan = saved.load(save(fresh))
    apply(deployment.context(fresh), saved=plan)
    session = EmbeddedDirectory(fresh / "state" / "directory.db").trusted()
    main = deployment.context(fresh).layout.um_dial_plans.child("CN", "Main")
    session.replace(main, {"msExchUMMaxCallDuration": ["99"]})
    applied = apply(deployment.context(fresh), saved=plan)
    assert list(applied.stale) == ["3/dial-plans"] and "max_call_duration_min 99 -> 30" in applied.stale["3/dial-plans"]


def test_a_plan_that_was_altered_or_is_of_another_version_or_organization_is_refused(fresh: Path) -> None:
    path = save(fresh)
    text = path.read_text()
    path.write_text(
        text.replace("extension", "extensiom", 1) if "extension" in text else text.replace("Main", "Mail", 1)
    )
    with pytest.raises(ProcessError, match="altered"):
        saved.load(path)
    document = json.loads(text) | {"tandem_plan": 99}
    path.write_text(json.dumps(document))
    with pytest.raises(ProcessError, match="plan format 99"):
        saved.load(path)
    path.write_text("{}")
    with pytest.raises(ProcessError):
        saved.load(path)
    path.write_text(text)
    deployment.change(fresh, ("name: Example ", "name: Other "))
    assert "is a plan of 'Example'" in str(tandem(fresh, "apply", str(path)).exception)


def test_drift_reads_only_and_names_what_was_changed_and_what_others_made(deployed: Path) -> None:
    assert tandem(deployed, "drift", "FILE").exit_code == 0
    layout = deployment.context(deployed).layout
    session = EmbeddedDirectory(deployed / "state" / "directory.db").trusted()
    session.replace(layout.um_dial_plans.child("CN", "Main"), {"msExchUMVoIPSecurity": ["Unsecured"]})
    foreign = {"objectClass": ["top", "tandemPstnUsage"], "cn": ["Foreign"]}
    session.add(layout.pstn_usages.child("CN", "Foreign"), foreign)
    before = (deployed / "state" / "journal.jsonl").read_bytes(), session.change_number()
    found = tandem(deployed, "drift", "FILE")
    assert found.exit_code == 3
    assert "voip_security Unsecured -> Secured" in found.stdout
    assert "? PSTN usage Foreign: not declared, and not made by Tandem" in found.stdout
    assert ((deployed / "state" / "journal.jsonl").read_bytes(), session.change_number()) == before
    context = deployment.context(deployed)
    reader = EmbeddedDirectory(deployed / "state" / "directory.db", read_only=True)
    password = (deployed / "secrets" / "administrator").read_text().strip()
    with pytest.raises(Exception, match="readonly"):
        reader.bind("administrator", password).delete(context.layout.pstn_usages.child("CN", "Foreign"))


def test_apply_warns_until_both_teams_agree_and_again_when_the_split_changes(fresh: Path) -> None:
    assert "have not agreed" in disagreement(deployment.context(fresh))
    assert "have not agreed" in tandem(fresh, "apply", "FILE", "--as", "victor").stderr
    assert agree(deployment.context(fresh, "maria")) == (Side.MESSAGING,)
    assert "the voice administrators have not" in disagreement(deployment.context(fresh))
    assert tandem(fresh, "agree", "FILE", "--as", "victor").stdout.startswith("victor agrees for the voice")
    assert disagreement(deployment.context(fresh)) == ""
    assert agreed(deployment.context(fresh)) == {Side.MESSAGING: "maria", Side.VOICE: "victor"}
    assert "voice administrators (victor)" in tandem(fresh, "plan", "FILE").stdout
    more = "domains: [example.com]\n  - name: other.example.org\n    domains: [other.example.org]\n"
    deployment.change(fresh, ("domains: [example.com]\n", more))
    create_directory(require_organization(fresh / "organization.yaml"), SystemIds())
    assert "have not agreed" in disagreement(deployment.context(fresh))


def test_who_holds_no_role_cannot_agree(deployed: Path) -> None:
    deployment.change(
        deployed,
        ("administrators:\n", "administrators:\n  - {account: olga, display_name: Olga, groups: [Domain Admins]}\n"),
    )
    apply(deployment.context(deployed))
    with pytest.raises(NotPermitted, match="cannot agree"):
        agree(deployment.context(deployed, "olga"))


def test_each_team_and_each_person_sees_its_share(fresh: Path) -> None:
    def ids(who: str) -> set[str]:
        shown = tandem(fresh, "plan", "FILE", "--json", "--for", who)
        return {task["id"] for task in json.loads(shown.stdout)["tasks"]}

    teams = {name: ids(name) for name in TEAMS}
    assert "9/contacts" in teams["voice"] and "3/dial-plans" in teams["exchange"] and "0/users" in teams["directory"]
    assert not teams["voice"] & teams["exchange"]
    assert ids("messaging") == teams["exchange"]
    assert "9/contacts" in ids("victor") and "9/contacts" not in ids("maria")
    wrong = tandem(fresh, "plan", "FILE", "--for", "nobody")
    assert wrong.exit_code == 1 and "administrator, maria, victor" in str(wrong.exception)


def test_a_page_has_a_section_for_each_team_and_escapes_what_people_wrote(fresh: Path) -> None:
    deployment.change(fresh, ("display_name: Main Subscriber Access", f"display_name: '{HOSTILE}'"))
    tandem(fresh, "plan", "FILE", "--html", str(fresh / "plan.html"))
    page = (fresh / "plan.html").read_text()
    assert page.count("<section>") == 3 and "<script>" not in page and "&lt;script&gt;" in page
    assert "break-before: page" in page


def test_one_task_alone_is_carried_out(fresh: Path) -> None:
    done = tandem(fresh, "apply", "FILE", "--target", "2/um-servers", "--as", "maria")
    assert done.exit_code == 0 and "1 task(s) done" in done.stdout
    assert make_plan(deployment.context(fresh)).todo


def test_phase_6_says_that_users_have_their_sip_addresses_since_phase_0(deployed: Path) -> None:
    told = "Users get their SIP addresses in phase 0; this phase corrects them and adds EUM addresses."
    applied = tandem(deployed, "apply", "FILE", "--as", "victor", "--phase", "6")
    assert applied.exit_code == 0 and "0 task(s) done by victor, 0 remain." in applied.stdout and told in applied.stdout
    assert told in tandem(deployed, "plan", "FILE", "--phase", "6").stdout
    assert told not in tandem(deployed, "apply", "FILE", "--phase", "5").stdout


def test_everything_can_be_taken_away_again_but_accounts_and_mail(deployed: Path) -> None:
    (deployed / "state" / "mail").mkdir(exist_ok=True)
    refused = tandem(deployed, "destroy", "FILE")
    assert refused.exit_code == 4 and "--allow-removals 4" in refused.stdout
    shown = tandem(deployed, "plan", "FILE", "--destroy", "--allow-removals", "4")
    assert "- UM dial plan Main" in shown.stdout and "- user alice" in shown.stdout
    assert tandem(deployed, "destroy", "FILE", "--allow-removals", "4").exit_code == 0
    context = deployment.context(deployed)
    for type_ in (o.UMDialPlan, o.UMIPGateway, o.UMHuntGroup, o.Contact, o.VoicePool, o.VoicePolicy, o.MessagingServer):
        assert context.repository.all(type_) == ()
    alice = context.repository.get(o.User, "alice")
    assert alice is not None and not alice.um_enabled and not alice.sip_enabled and alice.mail == "alice@example.com"
    assert tandem(deployed, "apply", "FILE").exit_code == 0
    assert make_plan(deployment.context(deployed)).todo == ()


def test_two_administrators_destroy_in_turns(deployed: Path) -> None:
    for account in ("maria", "victor", "maria", "victor", "maria"):
        tandem(deployed, "destroy", "FILE", "--allow-removals", "9", "--as", account)
    operator = Operator(from_secrets=True)
    left = [
        p.task.id for p in make_plan(open_organization(deployed / "organization.yaml", operator, destroy=True)).todo
    ]
    assert left == ["0/members", "0/remove-users"]  # the directory administrators' own part
    assert tandem(deployed, "destroy", "FILE", "--allow-removals", "9").exit_code == 0
    assert deployment.context(deployed).repository.all(o.UMDialPlan) == ()


def test_a_contact_is_edited_and_removed_and_the_journal_says_by_whom(deployed: Path) -> None:
    edited = tandem(
        deployed, "ocsumutil", "contacts", "edit", "FILE", "+14255550100", "--number", "+14255550133", "--as", "victor"
    )
    assert edited.exit_code == 0 and "+14255550133" in edited.stdout
    shown = tandem(
        deployed, "ocsumutil", "contacts", "show", "FILE", "sip:um-main@example.com", "--as", "victor", "--json"
    )
    assert json.loads(shown.stdout)["number"] == "+14255550133"
    refused = tandem(deployed, "ocsumutil", "contacts", "remove", "FILE", "+14255550133", "--as", "maria")
    assert isinstance(refused.exception, NotPermitted)
    assert tandem(deployed, "ocsumutil", "contacts", "remove", "FILE", "+14255550133", "--as", "victor").exit_code == 0
    assert "0 contacts are called" in str(
        tandem(deployed, "ocsumutil", "contacts", "show", "FILE", "+14255550133").exception
    )
    journal = tandem(deployed, "journal", "FILE").stdout
    assert "victor  ocsumutil" in journal and "line_uri tel:+14255550100 -> tel:+14255550133" in journal


def test_ocsumutil_sees_nothing_before_phase_7_and_says_why(fresh: Path) -> None:
    for phase in ("2", "3", "4"):
        apply(deployment.context(fresh, "maria"), only=find_phase(phase))
    refused = tandem(fresh, "ocsumutil", "load", "FILE", "--as", "victor")
    assert "exchucutil has not given" in str(refused.exception)
    tandem(fresh, "exchucutil", "FILE", "--as", "maria")
    assert "example.com: 1 SIP URI dial plan(s)" in tandem(fresh, "ocsumutil", "load", "FILE", "--as", "victor").stdout


def test_the_guard_counts_a_kind_and_lets_the_number_that_is_allowed_go(deployed: Path) -> None:
    path = deployed / "organization.yaml"
    tree = yaml.safe_load(path.read_text())
    tree["users"] = tree["users"][:2]
    path.write_text(yaml.safe_dump(tree))
    plan = make_plan(deployment.context(deployed), guard=Guard(allowed=1))
    reasons = {p.task.id: p.reason for p in plan.todo}
    assert "would remove 2 of 4 user(s)" in reasons["11/remove-um-users"]
    assert "would" not in make_plan(deployment.context(deployed), guard=Guard(allowed=2)).todo[0].reason


def test_the_schema_takes_the_example_and_refuses_what_validate_refuses(fresh: Path) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    good = yaml.safe_load((fresh / "organization.yaml").read_text())
    jsonschema.validate(good, schema)
    for wrong in (
        {"nonsense": 1},
        {"um_dial_plans": [good["um_dial_plans"][0] | {"extension_digits": 21}]},
        {"tandem": 2},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(good | wrong, schema)


def test_exchucutil_reports_permissions_and_gateways(deployed: Path) -> None:
    report = json.loads(tandem(deployed, "exchucutil", "FILE", "--verify", "--json").stdout)
    assert report["changes"] == [] and all(row[3] for row in report["permissions"])
    assert report["gateways"] == [["pool1.example.com", "pool1.example.com", ["Main"]]]
    layout = deployment.context(deployed).layout
    session = EmbeddedDirectory(deployed / "state" / "directory.db").trusted()
    session.revoke(layout.um_ip_gateways, session.aces(layout.um_ip_gateways))
    missing = tandem(deployed, "exchucutil", "FILE", "--verify", "--as", "maria")
    assert missing.exit_code == 3 and "UM IPGateway Container" in missing.stdout
    assert "victor cannot read the UM objects" in str(
        tandem(deployed, "exchucutil", "FILE", "--as", "victor").exception
    )
    assert tandem(deployed, "exchucutil", "FILE", "--as", "maria").exit_code == 0
    assert tandem(deployed, "exchucutil", "FILE", "--verify").exit_code == 0
    assert "needs Organization Management" in str(tandem(deployed, "exchucutil", "FILE", "--as", "victor").exception)
    assert "there is no forest" in str(tandem(deployed, "exchucutil", "FILE", "--forest", "x.example.org").exception)


def test_an_account_counts_in_another_forest_only_with_its_trust(tmp_path: Path) -> None:
    base = Path(__file__).parent.parent / "vectors" / "process" / "base" / "two.yaml"
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "organization.yaml").write_text(base.read_text())
    create_directory(require_organization(folder / "organization.yaml"), SystemIds())
    deployment.deploy(folder)
    dial_plan = deployment.context(folder).at("mail.example.com").layout.um_dial_plans.child("CN", "Main")
    assert deployment.context(folder, "victor").session.get(dial_plan) is not None
    session = EmbeddedDirectory(folder / "state" / "directory.db").trusted()
    trust = DN.parse("CN=voice.example.net,CN=System,DC=mail,DC=example,DC=com")
    session.replace(trust, {"trustDirection": [str(o.INBOUND)]})
    assert deployment.context(folder, "victor").session.get(dial_plan) is None
    assert deployment.context(folder, "maria").session.get(dial_plan) is not None
    changes = [str(c) for p in make_plan(deployment.context(folder)).todo for c in p.changes]
    assert changes == ["~ trust voice.example.net: direction 1 -> 3"]


def test_what_a_successor_takes_over_is_never_shared_and_no_saved_plan_is_stale_by_it(deployed: Path) -> None:
    path = deployed / "organization.yaml"
    tree = yaml.safe_load(path.read_text())
    tree["users"][0] = tree["users"][0] | {"account": "alina", "display_name": "Alina"}
    path.write_text(yaml.safe_dump(tree))
    assert tandem(deployed, "plan", "FILE", "--allow-removals", "1", "--out", str(deployed / "p")).exit_code == 2
    plan = saved.load(deployed / "p")
    shared = []

    def look(*_: object) -> None:
        users = deployment.context(deployed).repository.all(o.User)
        numbers = [u.line_uri for u in users if u.line_uri] + [u.sip_address for u in users if u.sip_address]
        eum = [p for u in users for p in u.proxy_addresses]
        shared.extend(each for each in (numbers, eum) if len(each) != len(set(each)))

    for account in ("administrator", "maria", "victor", "maria", "victor", "administrator"):
        context = deployment.context(deployed, account)
        applied = apply(context, saved=plan, guard=Guard(allowed=1), progress=Progress(done=look))
        assert applied.stale == {} and applied.refused == {}
    assert shared == []
    assert make_plan(deployment.context(deployed)).todo == ()
    alice = deployment.context(deployed).repository.get(o.User, "alice")
    assert alice is not None and alice.proxy_addresses == () and alice.managed_by == ""


def test_a_plan_binds_what_is_made_too(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    write_example(folder, SystemIds())
    plan = saved.load(save(folder))
    deployment.change(folder, ("mail: alice@example.com", "mail: mallory@example.com"), ("ring_s: 20 ", "ring_s: 99 "))
    applied = apply(deployment.context(folder), saved=plan)
    assert list(applied.stale) == ["0/users"] and "mail mallory@example.com" in applied.stale["0/users"]
    assert deployment.context(folder).repository.all(o.VoicePool) == ()  # it waits for phase 0's users
    assert deployment.context(folder).repository.all(o.UMDialPlan) == ()  # nothing that waits for them is done


def test_a_plan_of_one_phase_says_nothing_of_the_others(fresh: Path) -> None:
    assert tandem(fresh, "plan", "FILE", "--phase", "2", "--out", str(fresh / "p2")).exit_code == 2
    done = tandem(fresh, "apply", str(fresh / "p2"))
    assert done.exit_code == 4 and "stale" not in done.stdout and "done 2/um-servers" in done.stdout
    assert deployment.context(fresh).repository.all(o.UMDialPlan) == ()


def test_an_unknown_task_is_refused(fresh: Path) -> None:
    for command_ in ("plan", "apply"):
        assert "there is no task '7/gatewayz'" in str(
            tandem(fresh, command_, "FILE", "--target", "7/gatewayz").exception
        )


def test_administrators_of_servers_are_no_administrators_of_the_directory(deployed: Path) -> None:
    base = "DC=example,DC=com"
    for account in ("maria", "victor"):
        session = deployment.context(deployed, account).session
        for name in (f"CN=administrator,CN=Users,{base}", f"CN=Enterprise Admins,CN=Users,{base}"):
            with pytest.raises(AccessDenied):
                session.replace(DN.parse(name), {"description": ["x"]})
        for name in (f"CN=administrator,CN=Users,{base}", f"CN=pool1.example.com,CN=Computers,{base}"):
            with pytest.raises(AccessDenied):
                session.set_password(DN.parse(name), "x")


def test_administrators_of_two_messaging_forests_finish_without_seeing_each_others(tmp_path: Path) -> None:
    base = Path(__file__).parent.parent / "vectors" / "process" / "base" / "two.yaml"
    tree = yaml.safe_load(base.read_text())
    tree["forests"][1]["trusts"].append("asia.example.org")
    tree["forests"].append(
        {"name": "asia.example.org", "domains": ["asia.example.org"], "trusts": ["voice.example.net"]}
    )
    tree["messaging_servers"].append({"fqdn": "um3.asia.example.org", "forest": "asia.example.org"})
    tree["um_dial_plans"].append({"name": "Asia", "forest": "asia.example.org", "extension_digits": 4})
    tree["users"][1]["um_mailbox_policy"] = "Asia Default Policy"
    mei = tree["administrators"][0] | {"account": "mei", "forest": "asia.example.org"}
    tree["administrators"].append(mei)
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "organization.yaml").write_text(yaml.safe_dump(tree))
    create_directory(require_organization(folder / "organization.yaml"), SystemIds())
    apply(deployment.context(folder), only=find_phase("0"))
    for account in ("maria", "mei", "victor", "maria", "mei", "victor"):
        apply(deployment.context(folder, account))
    for account in ("administrator", "maria", "mei", "victor"):
        assert make_plan(deployment.context(folder, account)).todo == ()


def test_what_an_administrator_is_no_longer_declared_for_is_taken_back(deployed: Path) -> None:
    deployment.change(
        deployed, (", UM Management, Server Management, Administrators]", ", Server Management, Administrators]")
    )
    context = deployment.context(deployed)
    changes = [str(c) for p in make_plan(context, guard=Guard(allowed=1)).todo for c in p.changes]
    assert changes == ["- member UM Management: maria"]
    apply(context, guard=Guard(allowed=1))
    assert make_plan(deployment.context(deployed)).todo == ()
    assert "UM Management" not in {g.name for g in context.session.groups_of(context.layout.users.child("CN", "maria"))}


def test_a_damaged_journal_is_noticed_before_anything_is_changed(deployed: Path) -> None:
    with (deployed / "state" / "journal.jsonl").open("a") as file:
        file.write("garbage\n")
    deployment.change(
        deployed, ("extension_digits: 3", "extension_digits: 5"), ('extension: "201"', 'extension: "20100"')
    )
    with pytest.raises(ProcessError, match="nothing was changed"):
        apply(deployment.context(deployed))
    plans = deployment.context(deployed).repository.all(o.UMDialPlan)
    assert {plan.extension_digits for plan in plans} == {3, 4}


def test_the_journal_shows_what_a_crash_has_interrupted(deployed: Path) -> None:
    lines = (deployed / "state" / "journal.jsonl").read_text().splitlines(keepends=True)
    assert json.loads(lines[-1])["state"] == "done"
    (deployed / "state" / "journal.jsonl").write_text("".join(lines[:-1]))
    shown = tandem(deployed, "journal", "FILE").stdout
    assert "11/um-users  begun, and never ended" in shown and shown.count("begun") == 1 and "~ user alice" in shown


def test_drift_names_who_stands_in_another_ou(deployed: Path) -> None:
    deployment.change(
        deployed,
        (
            "    ou: OU=People,DC=example,DC=com\n    mail: bob",
            "    ou: OU=UM Contacts,DC=example,DC=com\n    mail: bob",
        ),
    )
    found = tandem(deployed, "drift", "FILE")
    assert (
        found.exit_code == 3
        and "? user bob: in OU=People,DC=example,DC=com, declared in OU=UM Contacts" in found.stdout
    )


def test_servers_use_the_directory_of_the_last_create(deployed: Path) -> None:
    elsewhere = deployed.parent / "elsewhere.db"
    own = Home(folder=deployed)
    before = connect(own, "um1.example.com")
    deployment.change(deployed, ("directory: state/directory.db", f"directory: {elsewhere}"))
    (deployed / "state" / "directory.db").rename(elsewhere)
    assert tandem(deployed, "directory", "create", "FILE").exit_code == 0
    assert connect(own, "um1.example.com").identity == before.identity
    deployment.change(deployed, (f"directory: {elsewhere}", "directory: state/directory.db"))
    assert tandem(deployed, "directory", "create", "FILE").exit_code == 0
    with pytest.raises(InvalidCredentials):  # this one is new, and empty
        connect(own, "um1.example.com")


@pytest.mark.slow
def test_a_plan_before_phase_0_says_who_will_hold_the_roles(tmp_path: Path) -> None:
    deployment.make_example(tmp_path / "x")
    shown = tandem(tmp_path / "x", "plan", "FILE").stdout
    assert "0/pools  Voice pools  for administrator after phase 0" in shown and "not for administrator" not in shown
    assert "needs RTCUniversalServerAdmins; held by nobody yet, after phase 0 by administrator, victor" in shown
    mine = json.loads(tandem(tmp_path / "x", "plan", "FILE", "--json", "--for", "maria").stdout)["tasks"]
    ids = {task["id"] for task in mine}
    assert "3/dial-plans" in ids and "9/contacts" not in ids
    # As was said: one apply by the initial administrator does everything.
    assert tandem(tmp_path / "x", "apply", "FILE").exit_code == 0


@pytest.mark.slow
def test_before_phase_7_the_voice_side_is_told_that_it_cannot_see_what_it_waits_for(tmp_path: Path) -> None:
    deployment.make_example(tmp_path / "x")
    tandem(tmp_path / "x", "apply", "FILE", "--phase", "preconditions")
    for phase in ("servers", "um-dial-plans"):
        tandem(tmp_path / "x", "apply", "FILE", "--phase", phase)
    told = (
        "waits for um-dial-plans (um-dial-plans: maybe done, but you cannot read that); then for administrator, victor"
    )
    assert told in tandem(tmp_path / "x", "apply", "FILE", "--as", "victor").stdout
    shown = tandem(tmp_path / "x", "plan", "FILE", "--as", "victor", "--json").stdout
    unseen = {task["id"]: task["unseen"] for task in json.loads(shown)["tasks"]}
    assert unseen["8/voice-dial-plans"] == ["um-dial-plans"] and unseen["10/users"] == []


def test_agreements_count_for_taking_away_too(deployed: Path) -> None:
    for account in ("maria", "victor"):
        assert tandem(deployed, "agree", "FILE", "--as", account).exit_code == 0
    planned = tandem(deployed, "plan", "FILE", "--destroy")
    assert "agreed to by: messaging administrators (maria), voice administrators (victor)" in planned.stdout
    assert "have not agreed" not in tandem(deployed, "destroy", "FILE").stderr


def test_validate_says_how_many_users_it_read(fresh: Path) -> None:
    done = tandem(fresh, "validate", "FILE")
    assert done.exit_code == 0 and done.stdout.strip().endswith("warning(s), 4 user(s) read")
    (fresh / "organization.yaml").write_text("name: [\n")
    done = tandem(fresh, "validate", "FILE")
    assert done.exit_code == 1 and done.stdout.strip().endswith("1 error(s), 0 warning(s)")
