"""A home of release 0.1 (tests/vectors/home-0.1) on the code of today: nothing is lost, and the way back is refused."""

import importlib.util
import re
import sqlite3
import tarfile
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

import deployment
from tandem.admin.trial.demo import (
    CALLED,
    POOL,
    UM,
    attachment,
    free_ports,
    messages,
    phones,
    running,
    server_process,
)
from tandem.cli.main import tandem as command
from tandem.directory import objects as o
from tandem.directory.errors import DirectoryUnavailable
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.um.enrolment import PinHasher
from tandem.wiring import Home

KEPT = Path(__file__).parents[1] / "vectors" / "home-0.1"
DELIVERED = "voice-b38a4e20f1c04296fa51c768"
WAITING = "voice-27b76e99dc2c2bd06672886b"
OPEN = "voice-519978c55caf8ebc74a73a10"
CUT = "The recording was cut: the server stopped while the caller spoke."


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with tarfile.open(KEPT / "home.tar.xz") as archive:
        # Python before 3.11.4 has no filters; from 3.12 on it warns of an archive that is extracted without one.
        archive.extraction_filter = getattr(tarfile, "tar_filter", lambda member, path: member)
        archive.extractall(tmp_path)
    return tmp_path / "home"


def rows(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the directory's file holds, as SQL shows it."""
    db = sqlite3.connect(home / "state" / "directory.db")
    found = {
        table: db.execute(f"SELECT {columns} FROM {table} ORDER BY {columns}").fetchall()
        for table, columns in (
            ("entry", "id, path, dn, parent, protected"),
            ("value", "entry, attribute, place, value"),
            ("ace", "entry, principal, rights, inherit, object_class, attributes"),
            ("credential", "entry, hash"),
        )
    }
    db.close()
    return found


def voice_messages(home: Path) -> dict[str, tuple[str, bytes]]:
    """Alice's voice messages by their identifier: what the mail says, and its recording."""
    return {
        path.name.partition(":")[0]: (message.get_body().get_content(), attachment(message))  # type: ignore[union-attr]
        for message, path in messages(home / "state" / "mail" / CALLED)
        if message["Content-Class"] == "voice-ca"
    }


def release_0_1() -> ModuleType:
    spec = importlib.util.spec_from_file_location("store_of_release_0_1", KEPT / "store_of_release_0_1.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_directory_is_what_the_file_declares_but_what_this_release_adds_and_no_value_is_lost(home: Path) -> None:
    before = rows(home)
    planned = CliRunner().invoke(command, ["plan", str(home / "organization.yaml"), "--as", "administrator"])
    assert planned.exit_code == 2, planned.output
    # Release 0.1 made the pool's certificate without the names that phones check (RFC 5922).
    assert re.findall(r"^ +([-+~] .*)", planned.output, re.MULTILINE) == [
        "+ permission example: RTCUniversalUserAdmins WRITE of user (All)",  # tandemSipUnlocks, by 'tandem user unlock'
        "~ certificate pool1.example.com: it is not for example.com, sip.example.com",
    ]
    assert rows(home) == before
    assert len(before["entry"]) == 62


@pytest.mark.slow
def test_every_pin_that_was_mailed_is_still_the_users_pin(home: Path) -> None:
    worker = deployment.context(home)
    users = {
        user.mail: (user, worker.repository.dn_of(user)) for user in worker.repository.all(o.User) if user.pin_state
    }
    worker.session.close()
    session = EmbeddedDirectory(home / "state" / "directory.db").trusted()
    hasher = PinHasher(home / "state" / "um" / "pin.key")
    checked = []
    for address, (user, dn) in users.items():
        entry = session.get(dn)
        assert entry is not None
        kept = entry.first("msExchUMPinChecksum")
        (welcome,) = [m for m, path in messages(home / "state" / "mail" / address) if path.name.startswith("welcome-")]
        pin = re.findall(r"^Your PIN is (\d+)\.", welcome.get_content(), re.MULTILINE)
        assert (user.pin_state, len(pin)) == ("set", 1)
        assert hasher.verify(user, pin[0], kept)
        assert not hasher.verify(user, "000000", kept)
        checked.append(user.account)
    session.close()
    assert sorted(checked) == ["alice", "bob", "carla", "dave"]


def test_it_is_taken_apart_into_a_home_for_each_server(home: Path, tmp_path: Path) -> None:
    for server in (UM, POOL):
        done = CliRunner().invoke(
            command, ["install", str(home / "organization.yaml"), server, "--to", str(tmp_path / server)]
        )
        assert done.exit_code == 0, done.exception
        assert [path.name for path in (tmp_path / server / "secrets").iterdir()] == [server]
    pin_key = (home / "state" / "um" / "pin.key").read_bytes()
    assert (tmp_path / UM / "state" / "um" / "pin.key").read_bytes() == pin_key
    assert not list((tmp_path / POOL).rglob("pin.key"))


def test_certificates_are_loaded(home: Path) -> None:
    for name in (UM, POOL):
        store = Home(folder=home).certificates(name)
        assert store.expires_at() is not None and store.expires_at().year > 2100


@pytest.mark.slow
async def test_both_servers_start_and_every_message_is_in_the_mailbox_once(home: Path) -> None:
    before, ((kept, sound),) = rows(home), voice_messages(home).values()
    assert set(voice_messages(home)) == {DELIVERED}
    recorded = {
        WAITING: (home / "state" / "spool" / UM / f"{WAITING}.pcm").read_bytes(),
        OPEN: (home / "state" / "spool" / UM / f"{OPEN}.part").read_bytes(),
    }
    for _ in range(2):  # a second start delivers nothing again
        async with running(home) as servers, phones(home, servers) as (alice, _):
            await alice.register()
            await alice.subscribe_mwi()
            assert (await alice.wait_mwi(lambda summary: summary.new == 3)).old == 0
        found = voice_messages(home)
        assert set(found) == {DELIVERED, WAITING, OPEN}
        assert found[DELIVERED] == (kept, sound)
        assert found[WAITING][1] and recorded[WAITING].startswith(found[WAITING][1])
        assert found[OPEN][1] == recorded[OPEN]
        assert [name for name, (text, _) in found.items() if CUT in text] == [OPEN]
        assert list((home / "state" / "spool" / UM).iterdir()) == []
    assert rows(home) == before


@pytest.mark.slow
async def test_the_voice_server_tells_phones_what_it_knew_of_their_mailboxes(home: Path) -> None:
    (port,) = free_ports(1)
    voice = ["serve", "voice", POOL, f"--home={home}", f"--tls-port={port}", f"--resolve={POOL}=127.0.0.1:{port}"]
    with server_process(home, POOL, voice):
        async with phones(home, {POOL: port}) as (alice, bob):
            for phone in (bob, alice):
                await phone.register()
                await phone.subscribe_mwi()
            assert (await alice.wait_mwi(lambda summary: summary.waiting)).new == 1
            assert not bob.mwi.waiting


def test_release_0_1_refuses_a_home_that_this_release_has_opened(home: Path) -> None:
    path = home / "state" / "directory.db"
    store = release_0_1()
    store.open_store(path).close()
    assert rows(home)
    deployment.context(home).session.close()
    with pytest.raises(DirectoryUnavailable, match=r"directory\.db is of version 3, made by a newer Tandem; this one"):
        store.open_store(path)
    # The way back is the copy that was put beside the file before it was changed.
    store.open_store(path.with_name("directory.db.version2")).close()
