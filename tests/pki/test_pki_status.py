"""Certificates made elsewhere, renewed, revoked; what a running server makes of new files."""

import asyncio
import json
import logging
import os
import shutil
import ssl
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tandem.cli.keeping.pki import pki
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.pki import counts, examine
from tandem.pki.authority import SERVER_DAYS, Authority
from tandem.pki.errors import PkiError
from tandem.pki.identity import Identity
from tandem.pki.store import CertificateStore
from tandem.service import certificates
from tandem.service.threads import ThreadPool
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.resolve import Resolver

NOW = datetime.now(UTC).replace(microsecond=0)
NAME = "um1.example.com"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class Elsewhere:
    """A corporate authority with an intermediate one."""

    def __init__(self) -> None:
        self.root_key, self.key = new_key(), new_key()
        self.root = self.certificate("Root", "Root", self.root_key, self.root_key, ca=True)
        self.intermediate = self.certificate("Issuing", "Root", self.key, self.root_key, ca=True)

    @staticmethod
    def certificate(
        subject: str,
        issuer: str,
        key: Key,
        signer: Key,
        *,
        ca: bool = False,
        dns: Iterable[str] = (),
        uris: Iterable[str] = (),
        days: tuple[int, int] = (-1, 90),
        purposes: Iterable[x509.ObjectIdentifier] = (),
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + timedelta(days=days[0]))
            .not_valid_after(NOW + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        general = [*(x509.DNSName(n) for n in dns), *(x509.UniformResourceIdentifier(u) for u in uris)]
        if general:
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        if stated := list(purposes):
            builder = builder.add_extension(x509.ExtendedKeyUsage(stated), critical=False)
        return builder.sign(signer, hashes.SHA256())

    def issue(self, key: Key, **how: object) -> x509.Certificate:
        return self.certificate(NAME, "Issuing", key, self.key, **{"dns": (NAME,), **how})  # type: ignore[arg-type]


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def key_pem(key: Key, password: bytes | None = None) -> bytes:
    protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)


@pytest.fixture(scope="module")
def elsewhere() -> Elsewhere:
    return Elsewhere()


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(pki, [str(each) for each in arguments])
    return done.exit_code, done.output + (f"{done.exception}" if done.exception else "")


class Files:
    """What an administrator got by mail."""

    def __init__(self, folder: Path, elsewhere: Elsewhere) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.write("roots.pem", pem(elsewhere.root))
        self.write("chain.pem", pem(elsewhere.intermediate))

    def write(self, name: str, data: bytes) -> Path:
        (self.folder / name).write_bytes(data)
        return self.folder / name

    def install(self, certificate: bytes, key: bytes, *more: object) -> tuple[int, str]:
        files = ("--certificate", self.write("c.pem", certificate), "--key", self.write("k.pem", key))
        roots = ("--roots", self.folder / "roots.pem")
        return run("install", NAME, "--home", self.home, *files, *roots, *more)

    @property
    def chain(self) -> tuple[object, ...]:
        return "--chain", self.folder / "chain.pem"


@pytest.fixture
def files(tmp_path: Path, elsewhere: Elsewhere) -> Files:
    return Files(tmp_path, elsewhere)


def test_a_certificate_made_elsewhere_is_installed_with_its_chain(files: Files, elsewhere: Elsewhere) -> None:
    key = new_key()
    code, said = files.install(pem(elsewhere.issue(key)), key_pem(key), *files.chain)
    assert code == 0 and "installed, good until" in said
    store = CertificateStore(folder=files.home / "state" / "pki" / NAME)
    assert len(store.chain()) == 2 and store.problem(NAME, (), at=NOW) == ""
    assert store.key.stat().st_mode & 0o777 == 0o600
    Identity(store, require_client=True)
    code, said = run("status", "--home", files.home, "--json")
    (facts,) = json.loads(said)
    assert code == 0 and facts["names"] == [NAME] and facts["days_left"] in (89, 90) and facts["problem"] == ""


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"dns": ("other.example.com",)}, f"it is not for {NAME}"),
        ({"dns": (NAME, "*.example.com")}, "wildcard"),
        ({"dns": (NAME,), "uris": ("sip:other.example.com",)}, f"it is not for {NAME}"),
        ({"days": (-90, -1)}, "it expired on"),
        ({"days": (1, 90)}, "valid only from"),
        ({"purposes": (ExtendedKeyUsageOID.SERVER_AUTH,)}, "not for a TLS client"),
        ({"purposes": (ExtendedKeyUsageOID.EMAIL_PROTECTION,)}, "not for a TLS server and client"),
    ],
)
def test_a_certificate_that_will_not_do_is_refused_with_the_reason(
    files: Files, elsewhere: Elsewhere, how: dict[str, object], why: str
) -> None:
    key = new_key()
    code, said = files.install(pem(elsewhere.issue(key, **how)), key_pem(key), *files.chain)
    assert code == 1 and why in said
    assert not (files.home / "state" / "pki" / NAME).exists()


def test_a_sip_uri_names_a_server_as_a_dns_name_does(files: Files, elsewhere: Elsewhere) -> None:
    key = new_key()
    certificate = elsewhere.issue(key, dns=("x",), uris=(f"sip:{NAME}", "sip:user@other", "https://x"))
    assert examine.names(certificate) == {NAME}
    nobody = elsewhere.issue(key, dns=())
    assert examine.names(nobody) == {NAME}  # its common name, since there is no subjectAltName


def test_what_is_wrong_with_key_and_chain_is_told(files: Files, elsewhere: Elsewhere) -> None:
    key, weak = new_key(), rsa.generate_private_key(65537, 1024)
    good = pem(elsewhere.issue(key))
    for certificate, key_file, more, why in (
        (good, key_pem(new_key()), files.chain, "its key is another one's"),
        (good, key_pem(key, b"secret"), files.chain, "encrypted with a passphrase"),
        (good, b"nothing", files.chain, "not a private key in PEM"),
        (good, key_pem(key), (), "no certificate of CN=Issuing"),
        (pem(elsewhere.issue(weak)), key_pem(weak), files.chain, "1024 bits"),
        (b"nothing", key_pem(key), (), "holds no certificate in PEM"),
    ):
        code, said = files.install(certificate, key_file, *more)
        assert code == 1 and why in said, (why, said)
    leaf = elsewhere.certificate("Issuing", "Root", elsewhere.key, elsewhere.root_key)
    code, said = files.install(good, key_pem(key), "--chain", files.write("chain.pem", pem(leaf)))
    assert code == 1 and "it is no authority" in said


def test_a_revoked_certificate_and_an_old_list_are_refused(files: Files, elsewhere: Elsewhere) -> None:
    key = new_key()
    certificate = elsewhere.issue(key)

    def crl(serials: list[int], until: timedelta) -> bytes:
        builder = x509.CertificateRevocationListBuilder().issuer_name(elsewhere.intermediate.subject)
        builder = builder.last_update(NOW - timedelta(days=9)).next_update(NOW + until)
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(elsewhere.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    for data, why in (
        (crl([certificate.serial_number], timedelta(days=1)), "it is revoked"),
        (crl([], timedelta(days=-1)), "was to be renewed by"),
        (b"nothing", "holds no revocation list"),
    ):
        more = (*files.chain, "--crl", files.write("crl.pem", data))
        code, said = files.install(pem(certificate), key_pem(key), *more)
        assert code == 1 and why in said, said


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two servers of the organization's own authority; one of them expires soon."""
    folder = tmp_path / "home" / "state" / "pki"
    long_ago = NOW - timedelta(days=SERVER_DAYS - 10)
    authority = Authority.open_or_create(folder / "authority", organization="Example", at=long_ago)
    for name, at in ((NAME, long_ago), ("pool1.example.com", NOW)):
        CertificateStore(folder=folder / name).install(
            *authority.issue(name, (f"also-{name}",), at=at), authority.root_pem
        )
    return tmp_path / "home"


def test_status_tells_of_what_expires_and_renewal_keeps_the_names(home: Path) -> None:
    code, said = run("status", "--home", home)
    assert code == 3 and "expires soon" in said
    store = CertificateStore(folder=home / "state" / "pki" / NAME)
    other = CertificateStore(folder=home / "state" / "pki" / "pool1.example.com")
    before = other.stamp()
    assert run("renew", "--due", "--home", home)[0] == 0
    leaf = store.leaf()
    assert leaf and examine.names(leaf) == {NAME, f"also-{NAME}"}
    assert other.stamp() == before
    assert run("status", "--home", home)[0] == 0
    code, said = run("renew", "nobody.example.com", "--home", home)
    assert code == 1 and "no certificate for nobody.example.com" in said
    assert run("renew", "--home", home)[0] == 2


def test_a_certificate_made_elsewhere_is_not_renewed_here(home: Path, elsewhere: Elsewhere) -> None:
    key = new_key()
    CertificateStore(folder=home / "state" / "pki" / NAME).install(
        pem(elsewhere.issue(key), elsewhere.intermediate), key_pem(key), pem(elsewhere.root)
    )
    code, said = run("renew", NAME, "--home", home)
    assert code == 1 and "tandem pki install" in said


def test_renew_says_that_nothing_is_due(home: Path) -> None:
    assert "renewed, good until" in run("renew", "--due", "--home", home)[1]
    code, said = run("renew", "--due", "--home", home)
    assert (code, said) == (0, "Nothing is due: everything of this authority is good for more than 30 days.\n")


def test_a_peer_gets_a_certificate_with_every_name_it_answers_to(home: Path) -> None:
    code, said = run("issue", "pbx.example.com", "--also", "192.0.2.20", "--also", "sbc1.example.com", "--home", home)
    assert code == 0
    store = CertificateStore(folder=home / "state" / "pki" / "pbx.example.com")
    assert [str(path) in said for path in (store.certificate, store.key, store.roots)] == [True] * 3
    leaf = store.leaf()
    assert leaf is not None
    held = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert held.get_values_for_type(x509.DNSName) == ["pbx.example.com", "sbc1.example.com"]
    assert [str(each) for each in held.get_values_for_type(x509.IPAddress)] == ["192.0.2.20"]
    assert store.problem("pbx.example.com", (), at=NOW) == ""
    assert "pbx.example.com" in run("status", "--home", home)[1]
    run("renew", "pbx.example.com", "--home", home)
    again = store.leaf()
    assert again is not None and again != leaf
    assert again.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == held
    code, said = run("issue", "pbx.example.com", "--home", home)
    assert code == 1 and "tandem pki renew pbx.example.com" in said


@pytest.mark.parametrize("name", ["../../etc", "*.example.com", "authority", "PBX.example.com", "a/b.example.com", ""])
def test_a_name_that_cannot_be_in_a_certificate_is_refused(home: Path, name: str) -> None:
    code, said = run("issue", name, "--home", home)
    assert code == 1 and "expected a fully qualified name" in said
    code, said = run("issue", "pbx.example.com", "--also", name, "--home", home)
    assert code == 1 and "expected a fully qualified name" in said
    assert sorted(path.name for path in (home / "state" / "pki").iterdir()) == ["authority", "pool1.example.com", NAME]


# Revocation lists


def aged_list(home: Path, days_left: float) -> bytes:
    """Revoke a certificate at a time that leaves its list so many days from now, and say what every server then has."""
    folder = home / "state" / "pki" / "authority"
    authority = Authority.open_or_create(folder, organization="Example", at=NOW)
    made = authority.revoke(folder, (12345,), at=NOW - timedelta(days=365 - days_left))
    for store in stores(home):
        store.put_list(made)
    return made


def stores(home: Path) -> list[CertificateStore]:
    return [CertificateStore(folder=home / "state" / "pki" / name) for name in (NAME, "pool1.example.com")]


@pytest.mark.parametrize(("days_left", "due"), [(31, False), (29, True), (-1, True)])
def test_a_revocation_list_is_renewed_before_it_ends_with_all_that_is_on_it(
    home: Path, elsewhere: Elsewhere, days_left: int, due: bool
) -> None:
    run("renew", "--due", "--home", home)
    before = aged_list(home, days_left)
    foreign = x509.CertificateRevocationListBuilder(
        elsewhere.intermediate.subject, NOW - timedelta(days=1), NOW + timedelta(days=6)
    ).sign(elsewhere.key, hashes.SHA256())
    for store in stores(home):
        store.put_list(foreign.public_bytes(serialization.Encoding.PEM))
    code, said = run("status", "--home", home)
    assert (code == 3) is due and ("tandem pki renew --due" in said) is due, said
    code, said = run("renew", "--due", "--home", home)
    assert code == 0 and ("revocation list: renewed" in said) is due and ("Nothing is due" in said) is not due, said
    for store in stores(home):
        ours, theirs = sorted(store.revocations(), key=lambda each: each.issuer == foreign.issuer)
        assert theirs == foreign
        assert [entry.serial_number for entry in ours] == [12345]
        assert (ours.public_bytes(serialization.Encoding.PEM) != before) is due
        assert ours.next_update_utc is not None and ours.next_update_utc > NOW + timedelta(days=30)
    assert run("status", "--home", home)[0] == 0


def test_a_server_that_is_new_or_missed_the_list_gets_it(home: Path) -> None:
    run("renew", "--due", "--home", home)
    made = aged_list(home, 300)
    late = stores(home)[0]
    late.revoked.unlink()
    assert "revocation list: renewed" in run("renew", "--due", "--home", home)[1]
    run("issue", "pbx.example.com", "--home", home)
    for store in (late, CertificateStore(folder=home / "state" / "pki" / "pbx.example.com")):
        assert store.revoked.read_bytes() == made


@pytest.mark.parametrize(
    ("days", "due"),
    [((-1, 60), False), ((-300, 29), True), ((-4, 3), False), ((-5, 2), True), ((-8, -1), True)],
    ids=["two months", "a year, soon", "a week, in its middle", "a week, soon", "past"],
)
def test_a_list_is_due_a_month_before_its_end_or_a_third_of_its_life(
    elsewhere: Elsewhere, days: tuple[int, int], due: bool
) -> None:
    since, until = (NOW + timedelta(days=each) for each in days)
    builder = x509.CertificateRevocationListBuilder(elsewhere.root.subject, since, until)
    assert examine.list_due(builder.sign(elsewhere.root_key, hashes.SHA256()), NOW) is due


async def test_a_list_that_has_ended_is_told_before_and_after_and_servers_go_on_with_a_fresh_one(home: Path) -> None:
    run("renew", "--due", "--home", home)
    aged_list(home, 20)
    um_store, pool_store = stores(home)
    um, pool = Identity(um_store, require_client=True), Identity(pool_store, require_client=False)
    assert um.problem(NOW) == ""
    assert "a revocation list" in um.warning(NOW) and "renew --due" in um.warning(NOW + timedelta(days=1))
    assert counts.lists_expire_at.read() == (NOW + timedelta(days=20)).timestamp()
    aged_list(home, -1)
    for identity in (um, pool):
        identity.reload()
    assert "peers are refused" in um.problem(NOW)
    assert await refused(um.server(), pool.client(), NAME)
    run("renew", "--due", "--home", home)
    for identity in (um, pool):
        assert identity.changed()
        identity.reload()
    assert um.problem(NOW) == "" == um.warning(NOW + timedelta(days=2))
    assert not await refused(um.server(), pool.client(), NAME)


async def refused(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> bool:
    """Whether one of the two ends the handshake."""

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x")
        writer.close()

    listener = await asyncio.start_server(met, "127.0.0.1", 0, ssl=server)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=name)
        except ssl.SSLError:
            return True
        try:
            return not await reader.read(1)
        except (ssl.SSLError, ConnectionError):
            return True
        finally:
            writer.close()
            await asyncio.sleep(0.05)


async def test_who_is_revoked_is_refused_after_a_reload_in_both_directions(home: Path) -> None:
    pool = Identity(CertificateStore(folder=home / "state" / "pki" / "pool1.example.com"), require_client=False)
    um = Identity(CertificateStore(folder=home / "state" / "pki" / NAME), require_client=True)
    stolen = um.store.certificate
    assert not await refused(um.server(), pool.client(), NAME)
    assert run("revoke", stolen, "--home", home)[0] == 0
    assert pool.changed()
    pool.reload()
    assert not pool.changed()
    assert await refused(um.server(), pool.client(), NAME)  # the pool connects to who is revoked
    assert await refused(pool.server(), um.client(), "pool1.example.com")  # and is connected to
    assert run("renew", NAME, "--home", home)[0] == 0
    um.reload()
    assert not await refused(um.server(), pool.client(), NAME)
    assert json.loads(run("status", "--home", home, "--json")[1])[0]["revocations_until"]


DAMAGES: dict[str, Callable[[CertificateStore], object]] = {
    "no certificate": lambda store: store.certificate.write_bytes(b"garbage"),
    "another key": lambda store: store.key.write_bytes(key_pem(new_key())),
    "empty roots": lambda store: store.roots.write_bytes(b""),
    "a list that is none": lambda store: store.revoked.write_bytes(b"garbage"),
    "gone": lambda store: store.certificate.unlink(),
    "a folder": lambda store: (store.certificate.unlink(), store.certificate.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_files_that_cannot_be_used_are_told_once_and_tried_again_until_they_can(
    home: Path,
    damage: Callable[[CertificateStore], object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(certificates, "LOOK_S", 0.001)
    identity = Identity(stores(home)[1], require_client=True)
    store, disk, looks = identity.store, ThreadPool("disk", 1), [NOW]
    kept = home / "kept"
    shutil.copytree(store.folder, kept)
    monkeypatch.setattr(identity, "warning", lambda at: looks.append(at) or "")  # each look ends with it
    connections = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver()).connections
    following = asyncio.ensure_future(certificates.follow(identity, SystemClock(), disk, connections))

    async def look_often() -> None:
        until = len(looks) + 5
        while len(looks) < until:
            await asyncio.sleep(0.001)

    async with asyncio.timeout(5):
        with caplog.at_level(logging.INFO, "tandem.service"):
            before = identity.server()
            damage(store)
            await look_often()
            assert "stays in force" in identity.problem(NOW) and str(store.folder) in identity.problem(NOW)
            assert identity.server() is before and counts.expires_at.read() > NOW.timestamp()
            shutil.rmtree(store.folder)
            shutil.copytree(kept, store.folder)
            await look_often()
    assert identity.problem(NOW) == "" and identity.server() is not before
    assert [record.getMessage().split()[0] for record in caplog.records].count("service.certificate_not_taken") == 1
    assert not following.done()
    following.cancel()
    disk.close()


def test_what_could_not_be_read_is_tried_again_though_its_stamp_is_the_same(home: Path) -> None:
    store = stores(home)[1]
    identity, good = Identity(store, require_client=True), store.key.read_bytes()
    bad = good.replace(b"PRIVATE", b"PRIVATF")
    store.key.write_bytes(bad)
    certificates.look(identity, SystemClock())
    held = store.key.stat()
    assert identity.unusable
    store.key.write_bytes(good)
    os.utime(store.key, ns=(held.st_atime_ns, held.st_mtime_ns))
    assert not identity.changed()
    certificates.look(identity, SystemClock())
    assert identity.unusable == ""


def test_files_that_cannot_be_used_leave_what_was_in_force(home: Path) -> None:
    identity = Identity(CertificateStore(folder=home / "state" / "pki" / NAME), require_client=True)
    before = identity.server(), identity.client()
    identity.store.key.write_bytes(key_pem(new_key()))
    assert identity.changed()
    with pytest.raises(PkiError, match="cannot be used"):
        identity.reload()
    assert (identity.server(), identity.client()) == before
    assert not identity.changed()  # said once, not every few seconds
    identity.store.key.write_bytes(key_pem(new_key(), b"secret"))
    with pytest.raises(PkiError, match="cannot be used"):
        identity.reload()


def test_it_is_warned_once_a_day_of_what_expires(home: Path) -> None:
    identity = Identity(CertificateStore(folder=home / "state" / "pki" / NAME), require_client=True)
    assert "expires on" in identity.warning(NOW)
    assert identity.warning(NOW) == ""
    assert identity.warning(NOW + timedelta(days=1))
    later = Identity(CertificateStore(folder=home / "state" / "pki" / "pool1.example.com"), require_client=True)
    assert later.warning(NOW) == ""
