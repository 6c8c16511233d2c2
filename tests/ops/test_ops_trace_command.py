"""``tandem trace`` as an operator types it."""

import dataclasses
import json
import os
import pwd
import socket
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tandem.cli.main import tandem
from tandem.core.errors import TandemError
from tandem.ops.trace.calls import ladder
from tandem.ops.trace.draw import draw
from tandem.ops.trace.record import Record
from tandem.ops.trace.ring import Ring

PHONE, POOL, UM = ("127.0.0.9", 40001), ("127.0.0.1", 15062), ("127.0.0.1", 15061)


def message(first: str, call_id: str = "4f1c-1@x", cseq: str = "1 INVITE", body: str = "") -> bytes:
    head = (
        f"From: <sip:bob@example.com>;tag=1\r\nTo: <sip:4101@example.com>\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\r\n"
    )
    return f"{first}\r\n{head}{body}".encode()


def record(at: float, sent: bool, local: tuple[str, int], remote: tuple[str, int], server: str, data: bytes) -> Record:
    return Record(at=at, sent=sent, transport="tls", local=local, remote=remote, data=data, server=server)


INVITE = message(
    "INVITE sip:4101@example.com SIP/2.0", body="v=0\r\nc=IN IP4 127.0.0.9\r\nm=audio 4000 RTP/SAVP 0 8\r\n"
)
MESSAGES = [
    record(1e9, False, POOL, PHONE, "pool1.example.com", INVITE),
    record(1e9 + 0.125, True, POOL, UM, "pool1.example.com", message("INVITE sip:Main@um1.example.com SIP/2.0")),
    record(1e9 + 0.125, False, UM, POOL, "um1.example.com", message("INVITE sip:Main@um1.example.com SIP/2.0")),
    record(1e9 + 0.25, True, UM, POOL, "um1.example.com", message("SIP/2.0 486 Busy Here")),
    record(1e9 + 0.5, True, POOL, PHONE, "pool1.example.com", message("SIP/2.0 486 Busy Here")),
    record(1e9 + 1, False, POOL, PHONE, "pool1.example.com", message("REGISTER sip:x SIP/2.0", "4f1d", "1 REGISTER")),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for server in ("pool1.example.com", "um1.example.com"):
        ring = Ring(tmp_path / "state" / "trace" / server, max_bytes=1 << 20, max_age_s=1e12)
        ring.write([each for each in MESSAGES if each.server == server], now=1e9)
        ring.close()
    return tmp_path


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(tandem, ["trace", "--home", str(home), *arguments], env={"TZ": "UTC", "COLUMNS": "200"})


def test_the_list_has_calls_and_all_has_the_rest(home: Path) -> None:
    result = run(home, "--list")
    head, line = result.output.splitlines()
    assert head.split() == ["began", "request", "from", "to", "ended", "messages", "Call-ID"]
    assert line.split()[2:] == ["INVITE", "sip:bob@example.com", "sip:4101@example.com", "486", "5", "4f1c-1@x"]
    found = json.loads(run(home, "--list", "--all", "--json").output)
    assert [(each["call_id"], each["status"]) for each in found] == [("4f1c-1@x", 486), ("4f1d", None)]


@pytest.mark.parametrize(("about", "count"), [("BOB@", 1), ("4101", 1), ("4f1c", 1), ("carla", 0)])
def test_the_list_is_of_those_who_are_asked_about(home: Path, about: str, count: int) -> None:
    assert len(json.loads(run(home, "--list", "--about", about, "--json").output)) == count


LADDER = """\
       127.0.0.9:40001                      pool1.example.com                      um1.example.com
00:00:00.000  │─── INVITE sip:4101@example.com ────>│                                     │
              │  audio 127.0.0.9:4000 RTP/SAVP 0 8  │                                     │
00:00:00.125  │                                     │─ INVITE sip:Main@um1.example.com ──>│
00:00:00.250  │                                     │<────── 486 Busy Here (INVITE) ──────│
00:00:00.500  │<────── 486 Busy Here (INVITE) ──────│                                     │"""


def test_a_call_is_a_ladder_from_the_phone_to_um() -> None:
    rows = draw(ladder(MESSAGES[:5]))
    text = [rows[0].plain, *(row.plain if row.plain[0] == " " else f"00:00:00{row.plain[8:]}" for row in rows[1:])]
    moments = ["00:00:00.000", "00:00:00.125", "00:00:00.250", "00:00:00.500"]
    assert [line[:12] for line in text if line[0] == "0"] == moments
    assert "\n".join(text) == LADDER


def test_a_long_line_is_cut_and_a_repeated_one_says_so() -> None:
    long = dataclasses.replace(MESSAGES[0], data=message("INVITE sip:" + "4" * 99 + "@example.com SIP/2.0"))
    first, again = draw(ladder([long, dataclasses.replace(long, at=1e9 + 1)]))[1:]
    assert len(first.plain) == len(again.plain) == 14 + 38 + 1
    assert "… ─>│" in first.plain and "again: INVITE" in again.plain


def test_a_call_is_found_by_the_beginning_of_its_id_if_that_is_enough(home: Path) -> None:
    assert "4f1c-1@x  sip:bob@example.com -> sip:4101@example.com  486" in run(home, "4f1c").output
    for asked, why in (("4f1", "2 calls begin with"), ("5", "holds no message of a call '5'")):
        result = run(home, asked)
        assert isinstance(result.exception, TandemError) and why in str(result.exception)


def test_full_shows_the_messages_as_they_were(home: Path) -> None:
    output = run(home, "4f1c", "--full").output
    assert "INVITE sip:4101@example.com SIP/2.0\nFrom: <sip:bob@example.com>;tag=1\n" in output
    found = json.loads(run(home, "4f1c", "--json", "--full").output)
    assert found[0]["message"] == INVITE.decode()
    assert [each["source"] for each in found] == [
        "127.0.0.9:40001",
        "pool1.example.com",
        "um1.example.com",
        "pool1.example.com",
    ]


def test_exports_hold_every_message_and_are_for_their_owner_alone(home: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as homer:
        homer.bind(("127.0.0.1", 0))
        homer.settimeout(5)
        capture = tmp_path / "call.pcap"
        result = run(home, "4f1c", "--pcap", str(capture), "--hep", f"127.0.0.1:{homer.getsockname()[1]}")
        assert result.output.splitlines()[0] == f"{capture}: 5 messages"
        assert all(homer.recv(65_535).startswith(b"HEP3") for _ in range(5))
    raw = capture.read_bytes()
    assert struct.unpack("<I", raw[:4])[0] == 0xA1B2C3D4 and raw.count(b"CSeq: 1 INVITE") == 5
    assert capture.stat().st_mode & 0o777 == 0o600


def test_whoever_looks_is_written_down(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "maria")
    run(home, "--list")
    run(home, "4f1c", "--json")
    user = pwd.getpwuid(os.getuid()).pw_name
    assert [line.split("  ", 1)[1] for line in run(home, "--access").output.splitlines()] == [
        f"{user} (maria)  trace --list",
        f"{user} (maria)  trace 4f1c-1@x",
    ]
    assert (home / "state/trace/access.jsonl").stat().st_mode & 0o777 == 0o600


def test_nobody_looks_unseen(home: Path) -> None:
    (home / "state/trace/access.jsonl").mkdir()
    for arguments in (("--list",), ("4f1c",)):
        result = run(home, *arguments)
        assert isinstance(result.exception, TandemError) and "every access must be logged there first" in str(
            result.exception
        )
        assert "bob" not in result.output


@pytest.mark.parametrize(("argument", "why"), [("--hep=x", "expected HOST:PORT"), ("--limit=0", "not in the range")])
def test_wrong_options_are_told(home: Path, argument: str, why: str) -> None:
    assert why in run(home, "4f1c", argument).output


def test_without_anything_asked_the_usage_is_shown(home: Path) -> None:
    assert "give a CALL_ID, or --list" in run(home).output
