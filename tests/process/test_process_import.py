"""What an embedded directory holds, as an organization file; and the doctor's look at it."""

import json
import shutil
from pathlib import Path

import yaml
from click.testing import CliRunner, Result

import deployment
from tandem.cli.main import tandem
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.org.load import require_organization
from tandem.process.plan import make_plan


def run(folder: Path, name: str, *more: str) -> Result:
    directory = folder / "state" / "directory.db"
    password = folder / "secrets" / "administrator"
    return CliRunner().invoke(tandem, [name, str(directory), "--password-file", str(password), *more])


def test_the_plan_of_an_imported_file_is_empty(deployed: Path) -> None:
    done = run(deployed, "import")
    assert done.exit_code == 0, done.output
    path = deployed / "organization.yaml"
    before = require_organization(path)
    path.write_text(done.stdout)
    after = require_organization(path)
    assert after.users == before.users
    assert set(after.um_dial_plans) == set(before.um_dial_plans)
    assert after.voice_routes == before.voice_routes
    assert make_plan(deployment.context(deployed)).todo == ()


def test_a_name_that_would_be_markup_or_yaml_stays_a_name(deployed: Path) -> None:
    hostile = "x: [&a *a, !!python/object:os.system] # <b>\"'\\ 日本語"
    session = EmbeddedDirectory(deployed / "state" / "directory.db").trusted()
    layout = deployment.context(deployed).layout
    session.replace(layout.um_dial_plans.child("CN", "Main"), {"displayName": [hostile]})
    found = session.search(layout.domain, "(sAMAccountName=alice)")[0]
    session.replace(found.dn, {"displayName": [hostile]})
    done = run(deployed, "import")
    users = yaml.safe_load(done.stdout)["users"]
    assert hostile in [user["display_name"] for user in users]


def test_the_doctor_finds_a_sound_deployment_sound_and_writes_nothing(deployed: Path) -> None:
    session = EmbeddedDirectory(deployed / "state" / "directory.db").trusted()
    number = session.change_number()
    done = run(deployed, "doctor", "--json")
    assert done.exit_code == 0, done.output
    assert {check["grade"] for check in json.loads(done.stdout)} <= {"passed", "warning"}
    assert session.change_number() == number


def test_the_doctor_names_what_is_broken(deployed: Path) -> None:
    session = EmbeddedDirectory(deployed / "state" / "directory.db").trusted()
    layout = deployment.context(deployed).layout
    for contact in session.search(layout.domain, "(objectClass=contact)"):
        session.delete(contact.dn)
    done = run(deployed, "doctor")
    assert done.exit_code == 1
    assert "contact" in done.stdout


def test_what_is_no_directory_is_named(deployed: Path, tmp_path: Path) -> None:
    shutil.copy(deployed / "organization.yaml", tmp_path / "text.db")
    password = str(deployed / "secrets" / "administrator")
    for name in ("text.db", "none.db"):
        done = CliRunner().invoke(tandem, ["import", str(tmp_path / name), "--password-file", password])
        assert done.exit_code == 1
        assert name in str(done.exception or done.output)
