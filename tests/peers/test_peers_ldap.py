"""Connections to directory servers that are slow, silent, limited, or not the one that was meant; on slapd, which is quick."""

import logging
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from directory import adapters
from tandem.directory.address import Address, Place
from tandem.directory.dn import DN
from tandem.directory.errors import BadAddress, DirectoryError, DirectoryNotProved, DirectoryUnavailable
from tandem.directory.layout import Layout
from tandem.directory.ldap.connection import ControllerPool, Simple, _Health
from tandem.directory.opening import open_directory
from tandem.directory.port import Session

pytestmark = pytest.mark.peer
AT = Layout(forest="example.com", organization="Example")
READER = "cn=reader,DC=example,DC=com"
ELSEWHERE = AT.domain.child("DC", "child")
LIMIT = 20


class Server:
    """A running slapd."""

    def __init__(self, folder: Path, place: Place) -> None:
        self.folder, self.place = folder, place
        self.url = place.addresses[0].url

    def send(self, number: signal.Signals) -> None:
        os.kill(int((self.folder / "slapd.pid").read_text()), number)


def running(*more: str) -> Iterator[Server]:
    # It runs as nobody, whom pytest's own folders are closed to.
    with tempfile.TemporaryDirectory(prefix="tandem-slapd-") as folder, adapters.slapd(Path(folder), *more) as place:
        adapters.make_slapd_base(place, AT).close()
        yield Server(Path(folder), place)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One with an account whose searches are limited, and with a domain that another server keeps."""
    for each in running(f"sizelimit {LIMIT}", "idletimeout 1"):
        owner = bound(each.place)
        owner.add(DN.parse(READER), {"objectClass": ["user"]})
        owner.set_password(DN.parse(READER), adapters.PASSWORD)
        for number in range(LIMIT + 10):
            owner.add(AT.users.child("CN", f"c{number}"), {"objectClass": ["contact"], "displayName": [f"<{number}>"]})
        refer(each, "ldap://dc1.child.example.com")
        owner.close()
        yield each


@pytest.fixture
def second() -> Iterator[Server]:
    yield from running()


def refer(server: Server, url: str) -> None:
    import ldap  # the extra is there where peers are

    address = server.place.addresses[0]
    connection = ldap.initialize(address.url)
    connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(address.roots))
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    connection.simple_bind_s(adapters.SLAPD_OWNER, adapters.PASSWORD)
    values = [("objectClass", [b"referral", b"extensibleObject"]), ("dc", [b"child"]), ("ref", [url.encode()])]
    connection.add_s(str(ELSEWHERE), values)
    connection.unbind_s()


def bound(place: Place, account: str = adapters.SLAPD_OWNER) -> Session:
    return open_directory(place).bind(account, adapters.PASSWORD)


def asked_in_turn(server: Server, *urls: str) -> Place:
    """The hosts of these addresses, as one."""
    hosts = ",".join(url.removeprefix("ldaps://") for url in urls)
    address = server.place.addresses[0]
    return Place(addresses=(Address(forest=address.forest, url=f"ldaps://{hosts}", roots=address.roots),))


@pytest.fixture
def session(server: Server) -> Iterator[Session]:
    held = bound(server.place)
    yield held
    held.close()


def test_a_name_that_another_server_keeps_is_an_error_that_says_so(session: Session) -> None:
    dn = ELSEWHERE.child("CN", "x")
    for ask in (
        lambda: session.get(dn),
        lambda: session.search(dn),
        lambda: session.add(dn, {"objectClass": ["contact"]}),
        lambda: session.delete(dn),
    ):
        with pytest.raises(DirectoryError, match=r"kept by other servers .*ldap://dc1\.child\.example\.com"):
            ask()


def test_what_other_servers_keep_is_left_out_of_a_search(session: Session) -> None:
    found = session.search(AT.domain, "(objectClass=*)")
    assert AT.users in {entry.dn for entry in found}
    assert not any(entry.dn.below(ELSEWHERE) for entry in found)


def test_a_part_of_the_answer_is_an_error_and_never_taken_for_the_whole(server: Server) -> None:
    reader = bound(server.place, READER)
    assert len(reader.search(AT.users, "(displayName=<1*)")) == 11
    with pytest.raises(DirectoryError, match=r"no more than a part .*Size limit exceeded"):
        reader.search(AT.users, "(objectClass=contact)")
    assert len(reader.search(AT.users, "(displayName=<1*)")) == 11
    reader.close()


def test_a_controller_whose_certificate_bears_another_name_is_refused(server: Server) -> None:
    by_another_name = asked_in_turn(server, server.url.replace("127.0.0.1", "localhost"))
    begun = time.monotonic()
    with pytest.raises(DirectoryNotProved, match=r"certificate is not valid: [Hh]ostname mismatch.*'localhost'"):
        open_directory(by_another_name, patience_s=30.0).bind(adapters.SLAPD_OWNER, adapters.PASSWORD)
    assert time.monotonic() - begun < 10  # what cannot become better is not waited for


def test_authorities_that_cannot_be_read_are_named(server: Server, tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    for url in (server.url, server.url.replace("ldaps:", "ldap+starttls:")):
        for text in (None, "no certificate"):
            if text is not None:
                roots.write_text(text)
            with pytest.raises(BadAddress, match=r"roots\.pem \(directory_roots\) cannot be read"):
                bound(Place(addresses=(Address(forest="example.com", url=url, roots=roots),)))
        roots.unlink()


def test_a_controller_that_takes_the_call_and_says_nothing_is_left_for_the_next(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tandem.directory.ldap import connection

    monkeypatch.setattr(connection, "CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent, caplog.at_level(logging.WARNING, "tandem.directory"):
        place = asked_in_turn(server, f"ldaps://127.0.0.1:{silent.getsockname()[1]}", server.url)
        begun = time.monotonic()
        bound(place).close()
    assert time.monotonic() - begun < 10
    assert [record.getMessage().split()[0] for record in caplog.records] == ["directory.lost", "directory.back"]


def test_a_controller_that_is_away_for_hours_is_away_and_nothing_worse() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    address = Address(forest=AT.forest, url=f"ldaps://127.0.0.1:{port}")
    pool = ControllerPool(address, Simple("app@example.com", "secret"), 0.0)
    pool._health[address.hosts()[0]] = _Health(failures=2_000)  # eight hours at the longest delay
    with pytest.raises(DirectoryUnavailable, match="no domain controller of"):
        pool.read(lambda connection: connection.whoami_s())


def test_a_controller_that_falls_silent_is_left_for_the_next(
    server: Server, second: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tandem.directory.ldap import connection

    monkeypatch.setattr(connection, "ANSWER_S", 1.0)
    roots = tmp_path / "roots.pem"
    roots.write_bytes(b"".join((each.folder / "roots.pem").read_bytes() for each in (server, second)))
    hosts = ",".join(each.url.removeprefix("ldaps://") for each in (server, second))
    place = Place(addresses=(Address(forest="example.com", url=f"ldaps://{hosts}", roots=roots),))
    session = bound(place)
    assert session.get(AT.users.child("CN", "c1")) is not None
    before = session.change_number()
    server.send(signal.SIGSTOP)
    try:
        with caplog.at_level(logging.WARNING, "tandem.directory"):
            assert session.get(AT.users) is not None  # the second one answers
            assert session.get(AT.users.child("CN", "c1")) is None
    finally:
        server.send(signal.SIGCONT)
    assert session.change_number() != before  # its numbers are others
    assert [record.getMessage().split()[0] for record in caplog.records] == ["directory.lost", "directory.back"]
    session.close()


def test_a_connection_that_the_other_side_drops_meanwhile_loses_no_write(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tandem.directory.ldap import connection

    monkeypatch.setattr(connection, "_IDLE_S", 0.5)
    dn = AT.users.child("CN", "c2")
    entry = session.get(dn)
    assert entry is not None
    time.sleep(3.0)  # slapd drops it after one
    session.set_password(DN.parse(READER), adapters.PASSWORD)
    time.sleep(3.0)
    session.replace(dn, {"mail": ["c2@example.com"]})
    assert session.get(dn).first("mail") == "c2@example.com"  # type: ignore[union-attr]


def test_threads_that_ask_at_once_get_what_each_has_asked_for(session: Session) -> None:
    def name(number: int) -> str:
        found = session.search(AT.users, f"(displayName=<{number % LIMIT}>)")
        return found[0].first("displayName")

    with ThreadPoolExecutor(16) as threads:
        names = list(threads.map(name, range(400)))
    assert names == [f"<{number % LIMIT}>" for number in range(400)]
