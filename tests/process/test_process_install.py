"""A server's home holds what this server needs, and no other secret; servers start from it."""

import contextlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import deployment
from tandem.admin.trial.demo import POOL, UM, free_plain_ports, free_ports, server_process
from tandem.cli.main import tandem
from tandem.directory.address import Address, Place, read_place, write_place
from tandem.org.load import require_organization
from tandem.process.bootstrap import place_of
from tandem.process.errors import ProcessError

HOMES = {UM: f"pki/{UM}", POOL: f"pki/{POOL}"}
CERTIFICATE = ("certificate.pem", "key.pem", "roots.pem")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(tandem, [str(each) for each in arguments])


def installed(deployed: Path, server: str, home: Path) -> Path:
    done = run("install", deployed / "organization.yaml", server, "--to", home)
    assert done.exit_code == 0, (done.output, done.exception)
    return home


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def directory_apart(deployed: Path, folder: Path) -> None:
    """Put the embedded directory where the servers' machine has it, away from the organization's folder."""
    folder.mkdir()
    deployment.change(deployed, ("directory: state/directory.db", f"directory: {folder}/directory.db"))
    for path in (deployed / "state").glob("directory.db*"):
        path.rename(folder / path.name)
    write_place(deployed / "state", Place(file=folder / "directory.db"))


def test_every_file_of_an_installed_home_is_this_servers(deployed: Path, tmp_path: Path) -> None:
    um, voice = (installed(deployed, server, tmp_path / f"{server}.home") for server in (UM, POOL))
    where = "state/directory.json"
    assert files(um) == {f"secrets/{UM}", where, "state/um/pin.key", *(f"state/pki/{UM}/{x}" for x in CERTIFICATE)}
    assert files(voice) == {f"secrets/{POOL}", where, *(f"state/pki/{POOL}/{x}" for x in CERTIFICATE)}
    for home in (um, voice):
        assert {path.stat().st_mode & 0o777 for path in (home, *home.rglob("*")) if path.is_dir()} == {0o700}
        private = ("key.pem", "pin.key", UM, POOL)
        assert {p.stat().st_mode & 0o777 for p in home.rglob("*") if p.is_file() and p.name in private} == {0o600}


def test_no_secret_of_anybody_else_is_in_an_installed_home(deployed: Path, tmp_path: Path) -> None:
    secrets = {path.name: path.read_bytes().strip() for path in (deployed / "secrets").iterdir()}
    assert secrets.keys() == {"administrator", "maria", "victor", UM, POOL}
    keys = {name: (deployed / "state/pki" / name / "key.pem").read_bytes() for name in (UM, POOL)}
    keys["authority"] = (deployed / "state/pki/authority/root.key").read_bytes()
    for server in (UM, POOL):
        home = installed(deployed, server, tmp_path / f"{server}.home")
        held = b"\n".join((home / name).read_bytes() for name in sorted(files(home)))
        assert {name for name, secret in secrets.items() if secret in held} == {server}
        assert {name for name, key in keys.items() if key.split(b"\n")[1] in held} == {server}


def test_a_home_for_active_directory_names_this_servers_account_alone(deployed: Path, tmp_path: Path) -> None:
    (deployed / "roots.pem").write_text("roots\n")
    deployment.change(
        deployed, ("directory: state/directory.db", "directory: ldaps://dc1.example.com\ndirectory_roots: roots.pem")
    )
    assert "maria" in place_of(require_organization(deployed / "organization.yaml")).accounts
    home = installed(deployed, UM, tmp_path / "home")
    held = (home / "state" / "directory.json").read_text()
    assert json.loads(held)["accounts"] == {UM: f"{UM}$@example.com"} and str(tmp_path) not in held
    moved = home.rename(tmp_path / "moved")  # as on another machine
    address = Address(forest="example.com", url="ldaps://dc1.example.com", roots=moved / "state/directory-roots.pem")
    assert read_place(moved / "state").addresses == (address,)
    assert (moved / "state" / "directory-roots.pem").read_text() == "roots\n"


def test_a_home_is_brought_up_to_date_and_keeps_what_its_server_made(deployed: Path, tmp_path: Path) -> None:
    home = installed(deployed, UM, tmp_path / "home")
    mail = home / "state" / "mail" / "alice@example.com" / "new" / "1.a"
    mail.parent.mkdir(parents=True)
    mail.write_text("hello")
    pin_key = (home / "state" / "um" / "pin.key").read_bytes()
    assert run("pki", "renew", UM, "--home", deployed).exit_code == 0
    (deployed / "secrets" / UM).rename(tmp_path / "handed-out")
    assert "to be handed out. Without it: --password-file" in str(
        run("install", deployed / "organization.yaml", UM, "--to", home).exception
    )
    again = run("install", deployed / "organization.yaml", UM, "--to", home, "--password-file", tmp_path / "handed-out")
    assert again.exit_code == 0, again.exception
    for name in CERTIFICATE:
        assert (home / "state/pki" / UM / name).read_bytes() == (deployed / "state/pki" / UM / name).read_bytes()
    assert mail.read_text() == "hello" and (home / "state" / "um" / "pin.key").read_bytes() == pin_key


def test_um_servers_share_the_key_of_pins(deployed: Path, tmp_path: Path) -> None:
    key = deployed / "state" / "um" / "pin.key"
    assert not key.exists()
    first = installed(deployed, UM, tmp_path / "first")
    assert (first / "state/um/pin.key").read_bytes() == key.read_bytes() and len(key.read_bytes()) == 32
    key.unlink()  # a server that made its key itself: PINs were made with it
    installed(deployed, UM, first)
    assert (first / "state/um/pin.key").read_bytes() == key.read_bytes()
    key.write_bytes(b"x" * 32)
    with pytest.raises(ProcessError, match=r"is another key than"):
        raise run("install", deployed / "organization.yaml", UM, "--to", first).exception or AssertionError


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("um9.example.com", f"declares no server um9.example.com of kind tandem; there are {UM}, {POOL}"),
        (POOL, f"holds the password of {UM}; expected a folder for {POOL} alone"),
    ],
)
def test_what_cannot_be_installed_is_told_and_changes_nothing(
    deployed: Path, tmp_path: Path, server: str, told: str
) -> None:
    home = installed(deployed, UM, tmp_path / "home")
    before = files(home)
    assert told in str(run("install", deployed / "organization.yaml", server, "--to", home).exception)
    assert files(home) == before


def test_an_organization_is_no_servers_home_and_no_certificate_is_told(deployed: Path, tmp_path: Path) -> None:
    assert "holds the password of administrator" in str(
        run("install", deployed / "organization.yaml", UM, "--to", deployed).exception
    )
    shutil.rmtree(deployed / "state" / "pki" / UM)
    refused = str(run("install", deployed / "organization.yaml", UM, "--to", tmp_path / "home").exception)
    assert "cannot be used: there is none; phase 2 makes it" in refused
    assert not (tmp_path / "home").exists()


def test_a_machine_with_the_root_alone_makes_no_second_authority(deployed: Path, tmp_path: Path) -> None:
    other = tmp_path / "victors"
    (other / "state" / "pki" / "authority").mkdir(parents=True)
    shutil.copy(deployed / "organization.yaml", other)
    shutil.copy(deployed / "state" / "pki" / "authority" / "root.pem", other / "state" / "pki" / "authority")
    for path in (deployed / "state").glob("directory.db*"):
        shutil.copy(path, other / "state")
    password = ("--password-file", deployed / "secrets" / "victor")
    victor = ("apply", other / "organization.yaml", "--as", "victor", "--phase", "certificates", *password)
    names = f"tandem pki issue {POOL} --also example.com --also sip.example.com"
    told = " ".join(run(*victor).output.split())
    assert "restore the key" in told and names in told and "bring its folder to" in told, told
    assert [path.name for path in (other / "state" / "pki" / "authority").iterdir()] == ["root.pem"]
    shutil.copytree(deployed / "state" / "pki" / POOL, other / "state" / "pki" / POOL)
    planned = json.loads(run("plan", other / "organization.yaml", "--as", "victor", "--json", *password).output)
    assert [task["status"] for task in planned["tasks"] if task["id"] == "2/voice-servers"] == ["done"]


def test_a_phones_secret_is_read_with_the_home_of_its_server(deployed: Path, tmp_path: Path) -> None:
    home = installed(deployed, POOL, tmp_path / "home")
    (deployed / "secrets" / POOL).unlink()
    command = ("directory", "sip-secret", deployed / "organization.yaml", POOL, "alice@example.com")
    assert f"expected the password of {POOL} there" in str(run(*command).exception)
    shown = run(*command, "--home", home)
    assert shown.exit_code == 0 and len(shown.output.strip()) == 32


def test_a_servers_home_is_backed_up_and_restored_alone(deployed: Path, tmp_path: Path) -> None:
    home = installed(deployed, UM, tmp_path / "home")
    mail = home / "state" / "mail" / "alice@example.com" / "new" / "1.a"
    mail.parent.mkdir(parents=True)
    mail.write_text("hello")
    assert run("backup", home, tmp_path / "um.tar.gz").exit_code == 0
    before = files(home)
    shutil.rmtree(home)
    assert run("restore", tmp_path / "um.tar.gz").exit_code == 0
    assert files(home) == before
    other = installed(deployed, POOL, tmp_path / "other")
    refused = run("restore", tmp_path / "um.tar.gz", "--to", other, "--replace")
    assert f"is of '{UM}', not of '{POOL}'" in str(refused.exception)
    assert "is no home of one server" in str(run("backup", tmp_path, tmp_path / "x.tar.gz").exception)


@pytest.mark.slow
def test_servers_take_a_message_from_their_homes_while_the_organization_is_away(deployed: Path, tmp_path: Path) -> None:
    directory_apart(deployed, tmp_path / "directory")
    homes = {server: installed(deployed, server, tmp_path / server) for server in (UM, POOL)}
    for server in homes:  # handed out
        (deployed / "secrets" / server).unlink()
    away = deployed.rename(tmp_path / "away")
    ports = dict(zip((UM, POOL), free_ports(2), strict=True))
    names = [f"--resolve={name}=127.0.0.1:{port}" for name, port in ports.items()]
    with contextlib.ExitStack() as stack:
        for kind, name, more in (("um", UM, free_plain_ports()), ("voice", POOL, [])):
            command = ["serve", kind, name, f"--home={homes[name]}", f"--tls-port={ports[name]}", *names, *more]
            stack.enter_context(server_process(homes[name], name, command))
        assert not deployed.exists()
        verified = run(
            *("verify", away / "organization.yaml", "--live", *names, f"--home={homes[UM]}", f"--home={homes[POOL]}")
        )
    assert verified.exit_code == 0, verified.output
    assert "it is in the mailbox" in " ".join(verified.output.split())
    public = {"certificate.pem", "roots.pem"}
    for home in homes.values():
        opened = [path for path in home.rglob("*") if path.stat().st_mode & 0o077 and path.name not in public]
        assert {path for path in opened if path.suffix != ".log"} == set()
