"""tandem user: what administrators do for one user, with the rights of their team."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import deployment
from tandem.admin.people import users
from tandem.cli.main import tandem as command
from tandem.directory import objects as o
from tandem.directory.layout import Layout
from tandem.directory.repository import Repository
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.org.vocabulary import PinState
from tandem.process.apply import apply
from tandem.process.errors import NotPermitted, ProcessError
from tandem.process.journal import Journal
from tandem.um.enrolment import PinHasher
from tandem.wiring import Home, bind

POOL = "pool1.example.com"
LAYOUT = Layout(forest="example.com", organization="Example")


def alice(folder: Path) -> o.User:
    found = deployment.context(folder).repository.get(o.User, "alice")
    assert found is not None
    return found


def secret(folder: Path) -> str:
    return bind(Home(folder=folder), POOL).sip_secret(alice(folder))


def run(folder: Path, *arguments: str) -> Result:
    file = str(folder / "organization.yaml")
    return CliRunner().invoke(command, ["user", *(file if word == "FILE" else word for word in arguments)])


@pytest.mark.parametrize(
    ("what", "allowed", "refused"),
    [("unlock", "victor", "maria"), ("reset-sip-secret", "victor", "maria"), ("reset-pin", "maria", "victor")],
)
def test_each_team_does_its_own_part_and_the_journal_says_who(
    deployed: Path, what: str, allowed: str, refused: str
) -> None:
    no = run(deployed, what, "FILE", "alice", "--as", refused)
    assert no.exit_code == 1 and isinstance(no.exception, NotPermitted)
    yes = run(deployed, what, "FILE", "alice@example.com", "--as", allowed)
    assert yes.exit_code == 0, yes.output
    line = Journal(path=deployed / "state" / "journal.jsonl").lines()[-1]
    assert (line["who"], line["task"], line["state"]) == (allowed, f"user {what}", "done")


def test_unlocking_is_seen_by_servers_in_the_directory(deployed: Path) -> None:
    users.unlock(deployment.context(deployed, "victor"), "sip:alice@example.com")
    assert alice(deployed).sip_unlocks == 1


def test_another_sip_secret_is_in_no_output_and_no_journal(deployed: Path) -> None:
    before = secret(deployed)
    done = run(deployed, "reset-sip-secret", "FILE", "alice", "--as", "victor")
    after = secret(deployed)
    assert len(after) == len(before) == 32 and after != before
    assert after not in done.output + (deployed / "state" / "journal.jsonl").read_text()


def test_a_new_pin_is_left_to_a_um_server(deployed: Path) -> None:
    assert users.reset_pin(deployment.context(deployed, "maria"), "alice").pin == "pending"
    assert alice(deployed).pin_state is PinState.PENDING


@pytest.mark.slow
def test_an_account_that_is_renamed_keeps_entry_pin_sip_secret_and_settings(deployed: Path) -> None:
    before, kept = alice(deployed), secret(deployed)
    hasher = PinHasher(deployed / "pin.key")
    directory = Repository(EmbeddedDirectory(deployed / "state" / "directory.db").trusted(), LAYOUT)
    directory.set_pin(before, PinState.SET, checksum=hasher.hash(before, "482915"))
    deployment.change(deployed, ("account: alice\n", "account: alicia\n    was: alice\n"))
    assert apply(deployment.context(deployed), target="0/users").done == ("0/users",)
    now = directory.get(o.User, "alicia")
    assert now == replace(before, account="alicia", cn="alice", pin_state=PinState.SET)
    assert directory.get(o.User, "alice") is None
    entry = directory.session.get(directory.dn_of(before))
    assert entry is not None and hasher.verify(now, "482915", entry.first("msExchUMPinChecksum"))
    assert directory.sip_secret(now) == kept
    directory.session.close()


def test_who_has_no_sip_address_or_is_not_there_is_told(deployed: Path) -> None:
    context = deployment.context(deployed)
    with pytest.raises(ProcessError, match="dave has no SIP address"):
        users.unlock(context, "dave")
    with pytest.raises(ProcessError, match="0 users that you can read are called 'nobody'"):
        users.show(context, "nobody")


def test_a_user_is_shown(deployed: Path) -> None:
    shown = run(deployed, "show", "FILE", "alice").output
    assert "dial plan:       Main\n" in shown and "extensions:      4101\n" in shown


def zoe(folder: Path) -> Path:
    """A message for somebody who left."""
    message = folder / "state" / "mail" / "zoe@example.com" / "new" / "voice-1"
    message.parent.mkdir(parents=True)
    message.write_bytes(b"Content-Class: voice-ca\r\n\r\n")
    return message


def test_mailboxes_of_leavers_are_listed_kept_and_purged_on_demand(deployed: Path) -> None:
    message = zoe(deployed)
    assert "zoe@example.com  1 message(s), the last of 20" in run(deployed, "leavers", "FILE").output
    refused = run(deployed, "purge", "FILE", "zoe@example.com", "--as", "victor", "--yes")
    assert isinstance(refused.exception, NotPermitted) and message.exists()
    unsure = run(deployed, "purge", "FILE", "zoe@example.com", "--as", "maria")
    assert unsure.exit_code == 1 and message.exists()
    assert run(deployed, "purge", "FILE", "ZOE@example.com", "--as", "maria", "--yes").exit_code == 0
    assert not message.parent.parent.exists()
    assert run(deployed, "leavers", "FILE").output == "Every mailbox here is a user's.\n"
    line = Journal(path=deployed / "state" / "journal.jsonl").lines()[-1]
    assert (line["who"], line["changes"]) == ("maria", ["- mailbox zoe@example.com: 1 message(s)"])


def test_a_users_mailbox_is_never_purged(deployed: Path) -> None:
    message = zoe(deployed)
    refused = run(deployed, "purge", "FILE", "zoe@example.com", "Alice@example.com", "--as", "maria", "--yes")
    assert isinstance(refused.exception, ProcessError) and "alice@example.com: a user's" in str(refused.exception)
    assert message.exists()


@pytest.mark.parametrize("moves", ["mail", "waiting", "aside", "moved"])
def test_a_mailbox_that_is_still_to_be_moved_is_no_leavers(deployed: Path, moves: str) -> None:
    message = zoe(deployed)
    file = deployed / "state" / "um" / "mailboxes.json"
    file.parent.mkdir(exist_ok=True)
    pair = {"5": "zoe@example.com"} if moves == "mail" else {"zoe@example.com": "bauer@example.com"}
    file.write_text(json.dumps({moves: pair}))
    assert run(deployed, "leavers", "FILE").output == "Every mailbox here is a user's.\n"
    refused = run(deployed, "purge", "FILE", "zoe@example.com", "--as", "maria", "--yes")
    assert isinstance(refused.exception, ProcessError) and "still to be moved" in str(refused.exception)
    assert message.exists()


def test_drift_tells_of_leavers_mailboxes(deployed: Path) -> None:
    zoe(deployed)
    drift = CliRunner().invoke(command, ["drift", str(deployed / "organization.yaml"), "--summary"])
    assert "1 mailbox(es) of leavers ('tandem user leavers')" in drift.output and drift.exit_code == 0


def test_a_narrow_terminal_cuts_no_group_short(deployed: Path) -> None:
    file = str(deployed / "organization.yaml")
    shown = CliRunner().invoke(command, ["exchucutil", file, "--verify"], env={"COLUMNS": "80"}).output
    assert "…" not in shown and "RTCComponent" in shown


def test_destroy_does_not_ask_for_an_agreement_to_the_split_of_work(deployed: Path) -> None:
    file = str(deployed / "organization.yaml")
    done = CliRunner().invoke(command, ["destroy", file, "--allow-removals", "0"])
    assert "have not agreed" not in done.stderr and done.exit_code == 4
