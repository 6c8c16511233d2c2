"""An organization in Samba's Active Directory: who sees what, a controller that dies, connections of each kind."""

import asyncio
import logging
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import dns.message
import dns.resolver
import dns.rrset
import pytest

from directory import adapters
from tandem.admin.trial.demo import EXTENSION, POOL, UM, phones, running
from tandem.directory import objects as o
from tandem.directory.address import Address, Place
from tandem.directory.dn import DN
from tandem.directory.errors import BadAddress, DirectoryUnavailable, InvalidCredentials
from tandem.directory.opening import open_directory
from tandem.directory.port import Part, Right, Session
from tandem.directory.repository import discover
from tandem.pki.authority import Authority
from tandem.speech.samples.recorded import bob_message
from tandem.wiring import Home, bind

pytestmark = [pytest.mark.peer, pytest.mark.slow]
ADDRESS = "127.0.0.32"


def tandem(*arguments: str, expect: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tandem", *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == expect, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[adapters.Samba]:
    with adapters.Samba(tmp_path_factory.mktemp("dc") / "dc", "example.com", ADDRESS) as samba:
        yield samba


@pytest.fixture(scope="module")
def home(controller: adapters.Samba, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example organization, with nothing applied but the schema."""
    folder = tmp_path_factory.mktemp("samba") / "x"
    tandem("init", str(folder))
    path = folder / "organization.yaml"
    text = path.read_text().replace("ring_s: 20 ", "ring_s: 3 ")
    lines = [f"directory: ldaps://{ADDRESS}", f"directory_roots: {controller.folder / 'roots.pem'}"]
    path.write_text("\n".join(lines) + "\n" + "\n".join(x for x in text.splitlines() if not x.startswith("directory:")))
    for made in (folder / "state").glob("directory.db*"):
        made.unlink()
    shutil.copy(controller.folder / "admin.password", folder / "secrets" / "administrator")
    tandem("directory", "create", str(path))
    assert "110 addition(s)" in tandem("directory", "prepare", str(path), "--plan", expect=2)
    reviewed = folder / "schema.ldif"
    reviewed.write_text(tandem("directory", "prepare", str(path), "--ldif"))
    carry_out(reviewed, adapters.administrator_password(controller.folder))
    assert ": 0 addition(s)" in tandem("directory", "prepare", str(path), "--plan")
    return folder


def carry_out(ldif: Path, password: str) -> None:
    """As who reviews what Tandem would add does it: by the directory's own tool."""
    command = ["ldbmodify", "-H", f"ldaps://{ADDRESS}", "--option=tls verify peer=no_check"]
    command += ["--simple-bind-dn=CN=Administrator,CN=Users,DC=example,DC=com", f"--password={password}", str(ldif)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_1_apply_goes_on_when_its_domain_controller_dies_and_comes_back(home: Path, controller: adapters.Samba) -> None:
    file = str(home / "organization.yaml")
    process = subprocess.Popen(
        [sys.executable, "-m", "tandem", "apply", file, "--phase", "preconditions"],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    # Once in the middle of the work: some of it is done, the rest is not.
    journal = home / "state" / "journal.jsonl"
    deadline = time.monotonic() + 60
    while not journal.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.4)
    controller.kill()
    time.sleep(1.0)
    controller.start()
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    assert "directory.lost" in out
    assert "directory.back" in out
    tandem("apply", file, "--phase", "preconditions")
    tandem("apply", file, "--phase", "servers")


def test_2_the_voice_server_reads_um_objects_after_exchucutil_and_not_before(home: Path) -> None:
    file = str(home / "organization.yaml")
    for account in ("maria", "victor"):
        tandem("agree", file, "--as", account)
    for phase in ("certificates", "um-dial-plans", "dial-plan-security"):
        tandem("apply", file, "--as", "maria", "--phase", phase)
    own = Home(folder=home)
    voice = bind(own, POOL)
    assert [pool.fqdn for pool in voice.all(o.VoicePool)] == [POOL]
    assert voice.all(o.UMDialPlan) == voice.all(o.MessagingServer) == ()
    assert not voice.session.may(Right.READ, discover(bind(own, UM).session)[0].layout.um_dial_plans)
    tandem("apply", file, "--as", "maria", "--phase", "exchucutil")
    seen = discover(voice.session)[0]
    assert {plan.name for plan in seen.all(o.UMDialPlan)} == {"Main", "Lobby"}
    assert [server.fqdn for server in seen.all(o.MessagingServer)] == [UM]
    assert seen.all(o.UMMailboxPolicy) == ()
    assert not seen.session.may(Right.WRITE, seen.layout.um_dial_plans, "displayName")
    assert bind(own, UM).get(o.User, "alice").sip_address  # type: ignore[union-attr]
    for account, expected in (("victor", 4), ("maria", 0), ("victor", 0)):
        tandem("apply", file, "--as", account, expect=expected)
    assert "Nothing to do" in tandem("plan", file)
    assert "No drift" in tandem("drift", file)


def test_2_what_is_deleted_is_missed_in_time_by_who_sees_no_deleted_objects(
    home: Path, controller: adapters.Samba
) -> None:
    from tandem.directory.ldap.feed import FEW_S, LdapFeed
    from tandem.directory.ldap.session import LdapSession

    voice, owner = discover(bind(Home(folder=home), POOL).session)[0], bound(controller)
    assert isinstance(voice.session, LdapSession)
    people, gateways = DN.parse("OU=People,DC=example,DC=com"), voice.layout.um_ip_gateways
    contact, gateway = people.child("CN", "Fleeting"), gateways.child("CN", "fleeting")
    now = 0.0
    parts = [
        Part(base=people, classes=frozenset({"user", "contact"})),
        Part(base=gateways, classes=frozenset({"msexchumipgateway"}), few=True),
    ]
    feed = LdapFeed(voice.session, parts, lambda: now)
    feed.poll()
    owner.add(contact, {"objectClass": ["contact"]})
    owner.add(gateway, {"objectClass": ["msExchUMIPGateway"]})
    made = feed.poll()
    assert made is not None
    uids = {entry.dn: entry.uid for entry in made.entries}
    assert uids.keys() >= {contact, gateway}
    owner.delete(contact)
    owner.delete(gateway)
    assert feed.poll() is None  # nothing that this account sees has changed
    now = FEW_S + 1.0  # to compare takes no time by this clock
    compared = feed.poll()  # and nothing has changed since
    assert compared is not None
    for dn, base in ((gateway, gateways), (contact, people)):
        assert uids[dn] not in compared.present[base.path]
    assert feed.poll() is None
    owner.close()


def test_2_people_of_derived_classes_are_users_and_an_ou_that_is_renamed_takes_its_people_along(
    home: Path, controller: adapters.Samba
) -> None:
    """A server follows all of it by its own account; an administrator's own tool makes the changes."""
    password = adapters.administrator_password(controller.folder)
    voice = bind(Home(folder=home), POOL).session
    unit = "OU=Sales,OU=People,DC=example,DC=com"
    person = "dn: CN=Inga,{}\nchangetype: add\nobjectClass: inetOrgPerson\nsAMAccountName: inga\nsn: Inga\n"
    changes = home / "changes.ldif"
    feed = voice.follow([Part(base=DN.parse("DC=example,DC=com"), classes=frozenset({"user", "contact"}))])
    feed.poll()
    changes.write_text(f"dn: {unit}\nchangetype: add\nobjectClass: organizationalUnit\n\n{person.format(unit)}")
    carry_out(changes, password)
    made = feed.poll()
    assert made is not None
    (inga,) = (entry for entry in made.entries if entry.first("sAMAccountName") == "inga")
    assert inga.all("objectClass") == ("top", "user")
    rename = "changetype: modrdn\nnewrdn: OU=Marketing\ndeleteoldrdn: 1\n"
    changes.write_text(f"dn: {unit}\n{rename}")
    carry_out(changes, password)
    moved = feed.poll()
    assert moved is not None
    assert {(entry.uid, str(entry.dn.parent)) for entry in moved.entries} == {
        (inga.uid, "OU=Marketing,OU=People,DC=example,DC=com")
    }
    assert feed.poll() is None
    changes.write_text(
        "".join(f"dn: {dn}{unit.replace('Sales', 'Marketing')}\nchangetype: delete\n\n" for dn in ("CN=Inga,", ""))
    )
    carry_out(changes, password)


def test_2_a_controller_names_itself_and_its_numbers_the_same_way_under_every_name(
    home: Path, controller: adapters.Samba
) -> None:
    session = bound(controller, f"ldap+starttls://{ADDRESS}")
    pool = session.forest("example.com").pool  # type: ignore[attr-defined] # it is one over LDAP
    assert pool.generation == 1
    other = bound(controller)
    names = {each.forest("example.com").pool._controller for each in (session, other)}  # type: ignore[attr-defined]
    (name,) = names
    assert name.startswith("CN=NTDS Settings,CN=DC1,") and len(name.rpartition(" ")[2]) == 32
    for each in (session, other):
        each.close()


async def seen(log: Path, text: str, more_than: int = 0) -> None:
    """Wait until a log tells it."""
    deadline = time.monotonic() + 40
    while (held := await asyncio.to_thread(log.read_text)).count(text) <= more_than:
        assert time.monotonic() < deadline, held
        await asyncio.sleep(0.1)


def test_3_calls_go_on_while_the_domain_controller_is_away(home: Path, controller: adapters.Samba) -> None:
    async def scenario() -> None:
        async with running(home) as servers, phones(home, servers) as (alice, bob):
            await alice.register()
            await alice.subscribe_mwi()
            await asyncio.to_thread(controller.kill)
            await asyncio.sleep(2.5)
            await bob.register()  # his secret is in memory
            call = await bob.call(EXTENSION)
            await call.wait_for_tone()
            await call.speak(bob_message())
            await call.hang_up()
            await alice.wait_mwi(lambda summary: summary.waiting)
            await asyncio.to_thread(controller.start)
            await seen(home / f"{POOL}.log", "directory.back")
            # What is changed from now on is seen again.
            before = (home / f"{POOL}.log").read_text().count("voice.config")
            path = home / "organization.yaml"
            path.write_text(path.read_text().replace("Alice Adams", "Alice Anders"))
            tandem("apply", str(path), "--target", "0/users")
            await seen(home / f"{POOL}.log", "voice.config", more_than=before)

    asyncio.run(scenario())
    for name in (UM, POOL):
        log = (home / f"{name}.log").read_text()
        assert log.count("directory.lost") == 1, log
        assert log.count("directory.back") == 1, log


def test_4_the_directory_is_copied_out_of_active_directory_and_back(home: Path) -> None:
    text = (home / "organization.yaml").read_text()
    lines = [x for x in text.splitlines() if not x.startswith("directory")]
    path = home / "embedded.yaml"
    path.write_text("\n".join(["directory: state/directory.db", *lines]) + "\n")
    source, target = str(home / "organization.yaml"), str(path)
    assert "make one with" in tandem("directory", "copy", source, target, expect=1)
    tandem("directory", "create", target)
    planned = tandem("directory", "copy", source, target, expect=2)
    assert planned == tandem("directory", "copy", source, target, expect=2)
    assert "change(s) made" in tandem("directory", "copy", source, target, "--apply")
    assert "0 change(s) to make" in tandem("directory", "copy", source, target)
    assert "No drift" in tandem("drift", target)
    assert "0 change(s) to make" in tandem("directory", "copy", target, source)
    # What is changed in the one is what is copied to the other.
    path.write_text(path.read_text().replace("Alice Anders", "Alice Again"))
    tandem("apply", target, "--target", "0/users")
    assert "display_name" in tandem("directory", "copy", target, source, expect=2).replace(
        "displayName", "display_name"
    )
    tandem("directory", "copy", target, source, "--apply")
    assert "Alice Again" in tandem("drift", source, expect=3)
    tandem("directory", "create", source)  # the servers' own one again


def test_5_what_a_forest_holds_is_imported_and_examined(home: Path, controller: adapters.Samba) -> None:
    options = [
        "--roots",
        str(controller.folder / "roots.pem"),
        "--password-file",
        str(home / "secrets" / "administrator"),
    ]
    text = tandem("import", f"ldaps://{ADDRESS}", *options)
    path = home / "organization.yaml"
    path.write_text(text)
    assert "Nothing to do" in tandem("plan", str(path))
    tandem("doctor", f"ldaps://{ADDRESS}", *options)


class Names(threading.Thread):
    """A DNS server that names domain controllers, each with its priority."""

    def __init__(self, targets: Sequence[tuple[int, str]]) -> None:
        super().__init__(daemon=True)
        self._targets = targets
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def run(self) -> None:
        with self._socket:
            while (received := self._socket.recvfrom(2048))[0]:
                query = dns.message.from_wire(received[0])
                answer, asked = dns.message.make_response(query), query.question[0]
                if asked.name.to_text() == "_ldap._tcp.dc._msdcs.example.com.":
                    records = [f"{priority} 100 389 {target}." for priority, target in self._targets]
                    answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", "SRV", *records))
                self._socket.sendto(answer.to_wire(), received[1])

    def end(self) -> None:
        """Answer no more."""
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self.join()


def test_controllers_are_those_that_dns_names_by_priority_and_stay_known_when_dns_is_away(
    controller: adapters.Samba, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names([(20, ADDRESS), (10, "127.0.0.98")])
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], names.port
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
    monkeypatch.setattr("tandem.directory.address.CONNECT_S", 1.0)
    names.start()
    with caplog.at_level(logging.WARNING, "tandem.directory"):
        session = bound(controller, "ldaps://example.com")
    assert [record.getMessage().split()[0] for record in caplog.records] == ["directory.lost", "directory.back"]
    assert "127.0.0.98" in caplog.records[0].getMessage()
    names.end()
    session.bind_again()  # type: ignore[attr-defined] # it is one over LDAP
    assert session.groups_of(session.identity)
    session.close()
    with pytest.raises(DirectoryUnavailable, match=r"DNS names no domain controller of example.com .*name them:"):
        bound(controller, "ldaps://example.com")


def bound(controller: adapters.Samba, url: str = f"ldaps://{ADDRESS}") -> Session:
    return open_directory(opened(controller, url)).bind(
        "administrator", adapters.administrator_password(controller.folder)
    )


def opened(controller: adapters.Samba, url: str, roots: Path | None = None) -> Place:
    return Place(addresses=(Address(forest="example.com", url=url, roots=roots or controller.folder / "roots.pem"),))


def test_another_controller_is_asked_when_one_does_not_answer(
    controller: adapters.Samba, caplog: pytest.LogCaptureFixture
) -> None:
    password = adapters.administrator_password(controller.folder)
    place = opened(controller, f"ldaps://127.0.0.98,{ADDRESS}")
    with caplog.at_level(logging.WARNING, "tandem.directory"):
        session = open_directory(place).bind("administrator", password)
    assert session.identity.name == "Administrator"
    assert [record.getMessage().split()[0] for record in caplog.records] == ["directory.lost", "directory.back"]
    assert "127.0.0.98" in caplog.records[0].getMessage()
    session.close()


def test_a_connection_may_begin_in_the_clear_and_be_secured(controller: adapters.Samba) -> None:
    password = adapters.administrator_password(controller.folder)
    session = open_directory(opened(controller, f"ldap+starttls://{ADDRESS}")).bind("administrator", password)
    assert session.groups_of(session.identity)
    session.close()


def test_a_controller_that_another_authority_vouches_for_is_refused(controller: adapters.Samba, tmp_path: Path) -> None:
    other = Authority.open_or_create(tmp_path / "ca", organization="other", at=datetime.now(UTC))
    (tmp_path / "roots.pem").write_bytes(other.root_pem)
    for url, said in ((f"ldaps://{ADDRESS}", "proves who it is"), (f"ldap+starttls://{ADDRESS}", "answers")):
        with pytest.raises(DirectoryUnavailable, match=f"no domain controller of example.com {said}"):
            open_directory(opened(controller, url, tmp_path / "roots.pem")).bind("administrator", "Passw0rd!xyz")


@pytest.mark.parametrize("url", ["ldap://dc1", "http://dc1", "ldaps://", "ldaps://dc1/ou=x", "ldaps://a@dc1", "dc1"])
def test_an_address_that_is_none_is_named_with_what_was_expected(controller: adapters.Samba, url: str) -> None:
    with pytest.raises(BadAddress, match="expected ldaps://HOST"):
        open_directory(opened(controller, url)).bind("administrator", "x")


def test_who_was_refused_is_not_asked_for_again_at_once(controller: adapters.Samba) -> None:
    directory = open_directory(opened(controller, f"ldaps://{ADDRESS}"))
    with pytest.raises(InvalidCredentials, match="refuses this account or password"):
        directory.bind("administrator", "wrong")
    with pytest.raises(InvalidCredentials, match="an empty password is none"):
        directory.bind("administrator", "")
    with pytest.raises(InvalidCredentials, match=r"is none of example.com"):
        directory.bind("administrator@elsewhere.example", "x")
