"""Two Samba forests with a trust: the tutorial's organization, deployed there by both teams, proved by calls."""

import contextlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.peer, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
INSIDE = ["ip", "netns", "exec", "tandem-ad"]
PORTS = {"um1.mail.example.com": 16061, "um2.mail.example.com": 16062, "pool1.voice.example.net": 16063}
NAMES = [f"--resolve={name}=127.0.0.1:{port}" for name, port in PORTS.items()]
VOICE_ADMINISTRATOR = "administrator@voice.example.net"


@pytest.fixture(scope="module")
def forests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("forests")
    command = [sys.executable, str(ROOT / "tools" / "samba"), "forests", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    INSIDE[4:] = ["env", f"KRB5_CONFIG={folder / 'krb5.conf'}"]
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "ready" in line, line + process.stdout.read()
        yield folder
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()  # type: ignore[union-attr]


def tandem(*arguments: str, expect: int = 0) -> str:
    done = subprocess.run(
        [*INSIDE, sys.executable, "-m", "tandem", *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == expect, done.stdout
    return done.stdout


def organization(forests: Path, home: Path) -> str:
    """The tutorial's file, with the addresses of both forests; one of them by what DNS says of the forest."""
    tutorial = (ROOT / "docs" / "tutorial-two-forests.md").read_text()
    text = re.search(r"```yaml\n(.*?)```", tutorial, re.DOTALL)[1]  # type: ignore[index]
    lines = f"directory: ldaps://dc1.mail.example.com\ndirectory_roots: {forests / 'roots.pem'}"
    text = re.sub(r"^directory:.*$", lines, text, flags=re.MULTILINE)
    text = text.replace(
        "- name: voice.example.net\n", "- name: voice.example.net\n    directory: ldaps://voice.example.net\n"
    )
    assert "ldaps://voice.example.net" in text
    (home / "secrets").mkdir(parents=True)
    (home / "organization.yaml").write_text(text)
    for account, forest in (("administrator", "mail.example.com"), (VOICE_ADMINISTRATOR, "voice.example.net")):
        shutil.copy(forests / forest / "admin.password", home / "secrets" / account)
    return str(home / "organization.yaml")


def test_two_forests_are_deployed_by_both_teams_and_a_message_arrives(forests: Path, tmp_path: Path) -> None:
    home = tmp_path / "contoso"
    file = organization(forests, home)
    tandem("directory", "create", file)
    for account, forest in (("administrator", "mail.example.com"), (VOICE_ADMINISTRATOR, "voice.example.net")):
        tandem("directory", "prepare", file, "--forest", forest, "--as", account)
    # Each administrator prepares his own forest; the other one's directory refuses him.
    assert "needs Domain Admins, or Enterprise Admins" in tandem("apply", file, "--phase", "preconditions", expect=4)
    tandem("apply", file, "--phase", "preconditions", "--as", VOICE_ADMINISTRATOR)
    for account in ("maria", "victor"):
        tandem("agree", file, "--as", account)
    tandem("apply", file, "--as", "maria", expect=4)
    tandem("apply", file, "--as", "victor", expect=4)
    tandem("apply", file, "--as", "maria")
    assert "Nothing to do" in tandem("plan", file, "--as", "maria")
    assert "found" not in tandem("exchucutil", file, "--forest", "voice.example.net", "--as", "maria", "--verify")
    assert "Main" in tandem("ocsumutil", "dialplans", file, "--as", "victor")
    subprocess.run(
        [*INSIDE, "ip", "address", "add", "127.0.0.1/8", "dev", "lo"], check=False, stderr=subprocess.DEVNULL
    )
    with contextlib.ExitStack() as stack:
        for name in PORTS:
            stack.enter_context(server(home, name))
        out = tandem("verify", file, "--live", *NAMES)
    assert "A message for alice@example.com in Main arrives, and MWI is shown" in out
    assert "0 failed" in out


def test_who_has_a_kerberos_ticket_needs_no_password(
    forests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = organization(forests, tmp_path / "contoso")
    (tmp_path / "contoso" / "state").mkdir()
    password = tmp_path / "contoso" / "secrets" / "administrator"
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path / 'ticket'}")
    subprocess.run(
        [*INSIDE, "kinit", "administrator@MAIL.EXAMPLE.COM"],
        input=password.read_bytes(),
        check=True,
        stdout=subprocess.PIPE,
    )
    password.unlink()
    # In what the test above deployed.
    assert "schema" in tandem("directory", "prepare", file, "--forest", "mail.example.com", "--plan", "--kerberos")
    imported = tandem("import", "ldaps://dc1.mail.example.com", "--roots", str(forests / "roots.pem"))
    assert "um_dial_plans" in imported
    # The ticket of another one is not taken for his.
    refused = tandem("plan", file, "--as", "maria", "--kerberos", expect=1)
    assert "the current Kerberos ticket is administrator@mail.example.com's" in refused


@contextlib.contextmanager
def server(home: Path, name: str) -> Iterator[None]:
    kind, more = ("voice", []) if name.startswith("pool") else ("um", ["--tcp-port=0", "--udp-port=0"])
    command = ["serve", kind, name, f"--home={home}", f"--tls-port={PORTS[name]}", *more, *NAMES]
    with (home / f"{name}.log").open("w") as log:
        process = subprocess.Popen([*INSIDE, sys.executable, "-m", "tandem", *command], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while "is ready" not in (text := (home / f"{name}.log").read_text()):
            assert process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(20)
