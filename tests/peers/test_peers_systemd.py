"""The units as systemd itself reads them, and captures as tcpdump does."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from tandem.cli.operate.serve import serve
from tandem.ops.trace.pcap import pcap
from tandem.ops.trace.record import Record

pytestmark = pytest.mark.peer
UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
EXPOSURE = 15
"""Tenths, of 10.0 for a unit that restricts nothing; what is left is the network, which a SIP server needs."""


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    )


@pytest.fixture(params=["tandem-um@", "tandem-voice@"])
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One unit as an instance, with a command that is there."""
    text = (UNITS / f"{request.param}.service").read_text().replace("/opt/tandem/bin/tandem", "/bin/true")
    (tmp_path / f"{request.param}.service").write_text(text)
    path = tmp_path / f"{request.param}a.example.com.service"
    path.write_text(text)
    return path


def test_systemd_finds_no_mistake_in_a_unit(unit: Path) -> None:
    done = run("systemd-analyze", "verify", "--man=no", str(unit))
    about = [line for line in done.stderr.splitlines() if "tandem" in line]
    assert (done.returncode, about) == (0, [])


def test_a_unit_has_no_more_rights_than_it_needs(unit: Path) -> None:
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", str(unit))
    assert done.returncode == 0, done.stdout[-300:]
    loose = run("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=5", str(unit))
    assert loose.returncode != 0, "the threshold is looked at"


def test_the_command_of_a_unit_is_one_that_tandem_takes(unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    for word, value in (("/var/lib/tandem/%i", str(unit.parent)), ("%i", "a.example.com"), ("$TANDEM_OPTIONS", "")):
        line = line.replace(word, value)
    _, group, kind, *arguments = shlex.split(line)
    assert group == "serve"
    with click.Context(serve) as parent:
        context = serve.commands[kind].make_context(kind, arguments, parent)
    assert context.params["fqdn"] == "a.example.com"
    assert context.params["log_format"] == "journal" and context.params["ops_port"] in (9601, 9602)


def test_account_and_folders_are_made_for_the_servers_alone(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    made = run("systemd-sysusers", f"--root={tmp_path}", str(UNITS / "sysusers.conf"))
    assert made.returncode == 0, made.stderr
    (line,) = [each for each in (tmp_path / "etc/passwd").read_text().splitlines() if each.startswith("tandem:")]
    assert line.split(":")[4:6] == ["Tandem servers", "/var/lib/tandem"] and line.endswith("nologin")
    made = run("systemd-tmpfiles", "--create", f"--root={tmp_path}", str(UNITS / "tmpfiles.conf"))
    assert made.returncode == 0, made.stderr
    folders = ("var/lib/tandem", "etc/tandem")
    held = [(tmp_path / folder).stat() for folder in folders]
    assert [(each.st_mode & 0o777, each.st_uid) for each in held] == [(0o750, 0), (0o750, 0)]


def test_tcpdump_reads_a_capture_and_finds_every_checksum_right(tmp_path: Path) -> None:
    invite = b"INVITE sip:4101@example.com SIP/2.0\r\nCall-ID: c@x\r\n\r\n"
    records = [
        Record(
            at=1e9 + at, sent=False, transport=kind, local=(host, 5060), remote=(host, 40_000), data=invite + b"x" * at
        )
        for at, (kind, host) in enumerate((("udp", "127.0.0.1"), ("udp", "::1"), ("tls", "127.0.0.1"), ("tcp", "::1")))
    ]
    capture = tmp_path / "call.pcap"
    capture.write_bytes(b"".join(pcap(records)))
    done = run("tcpdump", "-nn", "-vv", "-A", "-r", str(capture))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("INVITE sip:4101@example.com SIP/2.0") >= 4
    assert done.stdout.count("sum ok") + done.stdout.count("(correct)") == 4
    assert "bad" not in done.stdout and "incorrect" not in done.stdout
    assert "127.0.0.1.40000 > 127.0.0.1.5060" in done.stdout and "::1.40000 > ::1.5060" in done.stdout
