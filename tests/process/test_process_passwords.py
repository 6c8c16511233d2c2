"""Who proves to be an administrator, and by what: nobody's password is read unless it is named."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import deployment
from tandem.admin.opening import Operator
from tandem.cli.main import tandem
from tandem.core.ids import SystemIds
from tandem.process.apply import apply
from tandem.process.bootstrap import create_directory
from tandem.process.errors import ProcessError


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for an administrator: the other tests are a trial."""
    monkeypatch.delenv("TANDEM_FROM_SECRETS")


def run(folder: Path, *arguments: str) -> Result:
    words = [str(folder / "organization.yaml") if word == "FILE" else word for word in arguments]
    return CliRunner().invoke(tandem, words)


def test_a_password_in_the_secrets_folder_is_not_read_by_itself(deployed: Path) -> None:
    refused = run(deployed, "plan", "FILE", "--as", "maria")
    assert isinstance(refused.exception, ProcessError)
    assert str(refused.exception) == "no password for maria, and nobody can be asked; use --password-file"
    assert run(deployed, "plan", "FILE", "--as", "maria", "--from-secrets").exit_code == 0


def test_an_administrator_needs_their_own_password_file_and_no_other(deployed: Path, tmp_path: Path) -> None:
    own = (deployed / "secrets" / "maria").rename(tmp_path / "maria.password")
    for other in (deployed / "secrets").iterdir():
        other.unlink()
    assert run(deployed, "plan", "FILE", "--as", "maria", "--password-file", str(own)).exit_code == 0
    shown = CliRunner().invoke(
        tandem, ["plan", str(deployed / "organization.yaml"), "--as", "maria"], env={"TANDEM_PASSWORD_FILE": str(own)}
    )
    assert shown.exit_code == 0, shown.output


def test_a_password_that_was_handed_out_is_not_made_again(deployed: Path) -> None:
    for file in (deployed / "secrets").iterdir():
        file.rename(deployed / f"{file.name}.password")
    again = run(deployed, "directory", "create", "FILE")
    assert "is there already, and nothing in it was changed or removed" in again.output
    assert list((deployed / "secrets").iterdir()) == []
    password = str(deployed / "administrator.password")
    assert run(deployed, "apply", "FILE", "--password-file", password).exit_code == 0
    assert list((deployed / "secrets").iterdir()) == []


def test_a_new_account_gets_a_password_of_its_own_to_hand_out(deployed: Path) -> None:
    person = "administrators:\n  - {account: olga, display_name: Olga, groups: [Domain Admins]}\n"
    deployment.change(deployed, ("administrators:\n", person))
    before = {path.name: path.read_bytes() for path in (deployed / "secrets").iterdir()}
    assert apply(deployment.context(deployed)).plan.todo == ()
    after = {path.name: path.read_bytes() for path in (deployed / "secrets").iterdir()}
    assert after.keys() - before.keys() == {"olga"} and before.items() <= after.items()
    assert (deployed / "secrets" / "olga").stat().st_mode & 0o777 == 0o600
    assert run(deployed, "plan", "FILE", "--as", "olga", "--from-secrets").exit_code == 0


def test_an_account_that_is_not_made_yet_is_said_to_be(tmp_path: Path) -> None:
    organization = deployment.make_example(tmp_path / "x")
    for account, told in (
        ("maria", "maria is declared, but the account is not made yet; phase 0 makes it"),
        (
            "mario",
            "--as mario: the directory knows no such account; the administrators are administrator, maria, victor",
        ),
    ):
        assert told in str(run(tmp_path / "x", "apply", "FILE", "--as", account).exception)
    Path(organization.directory).unlink()
    for command in ("plan", "apply"):
        refused = run(tmp_path / "x", command, "FILE")
        assert "there is no directory at" in str(refused.exception) and "directory create" in str(refused.exception)
    create_directory(organization, SystemIds())
    assert run(tmp_path / "x", "plan", "FILE", "--from-secrets").exit_code == 2


def test_a_ticket_is_refused_where_there_is_none_and_two_proofs_are_too_many(deployed: Path) -> None:
    assert "the embedded directory takes no Kerberos tickets" in str(
        run(deployed, "plan", "FILE", "--kerberos").exception
    )
    password = str(deployed / "secrets" / "administrator")
    both = run(deployed, "plan", "FILE", "--kerberos", "--password-file", password)
    assert (both.exit_code, "--password-file and --kerberos: name one of them" in both.output) == (2, True)


def test_a_proof_on_the_command_line_goes_before_the_environment(
    deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong\n")
    monkeypatch.setenv("TANDEM_PASSWORD_FILE", str(wrong))
    assert "wrong account or password" in str(run(deployed, "plan", "FILE").exception)
    assert run(deployed, "plan", "FILE", "--from-secrets").exit_code == 0
    assert "takes no Kerberos tickets" in str(run(deployed, "plan", "FILE", "--kerberos").exception)
    monkeypatch.delenv("TANDEM_PASSWORD_FILE")
    monkeypatch.setenv("TANDEM_FROM_SECRETS", "1")
    assert run(deployed, "plan", "FILE").exit_code == 0
    assert "wrong account or password" in str(run(deployed, "plan", "FILE", "--password-file", str(wrong)).exception)


def test_without_a_ticket_of_the_account_kerberos_never_asks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path / 'none'}")

    def ask(account: str) -> str:
        raise AssertionError(f"{account} is asked")

    with pytest.raises(ProcessError, match=r"expected one of maria@example\.com: kinit maria@example\.com"):
        Operator(account="maria", kerberos=True, ask=ask).password(login="maria@example.com")


@pytest.mark.parametrize("command", ["import", "doctor"])
def test_commands_without_an_organization_speak_of_no_secrets_folder(command: str) -> None:
    help_ = " ".join(CliRunner().invoke(tandem, [command, "--help"]).output.split())
    assert "Kerberos ticket, or it is asked for" in help_ and "secrets" not in help_.lower()
