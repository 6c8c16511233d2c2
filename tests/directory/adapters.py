"""The directories that the contract is tested on: the embedded one, Samba's Active Directory, slapd (what it can)."""

import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tandem.directory import objects as o
from tandem.directory import schema
from tandem.directory.address import Address, Place
from tandem.directory.defaults import domain_aces, exchange_aces, organizations_aces, see_aces, voice_aces
from tandem.directory.dn import DN
from tandem.directory.layout import Layout
from tandem.directory.opening import open_directory
from tandem.directory.port import Directory, Session
from tandem.directory.repository import Repository
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.directory.sqlite.store import create_embedded
from tandem.org.groups import GROUPS
from tandem.org.vocabulary import UriType, VoIPSecurity
from tandem.pki.authority import Authority

ROOT = Path(__file__).parents[2]
PASSWORD = "Correct-horse-9"
PLAN = o.UMDialPlan(
    name="Main",
    phone_context="Main.example.com",
    uri_type=UriType.SIP_NAME,
    voip_security=VoIPSecurity.SECURED,
    extension_digits=4,
    access_numbers=("+14255550100",),
)


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A directory with an organization of its own for one test."""

    name: str
    layout: Layout
    owner: Session
    directory: Directory = field(repr=False)

    @property
    def people(self) -> DN:
        """Where users and contacts stand."""
        return self.layout.domain.child("OU", f"People of {self.layout.organization}")

    @property
    def has_rights(self) -> bool:
        """Whether it has access control entries that the port shows."""
        return self.name != "slapd"

    def bind(self, group: str) -> Session:
        """The session of a member of a group."""
        if self.name == "embedded":  # a hash takes long by design: only whom a test asks for gets a password
            user = o.User(account=account_of(group), container=str(self.layout.users))
            self.owner.set_password(self.repository().dn_of(user), PASSWORD)
        return self.directory.bind(account_of(group), PASSWORD)

    def repository(self, group: str = "") -> Repository:
        """Typed objects as a member of a group may use them, or the owner."""
        return Repository(self.bind(group) if group else self.owner, self.layout)


def account_of(group: str) -> str:
    """The account that is in a group that is in the group."""
    return ("m" + group.replace(" ", "").replace("Universal", ""))[:20]


def populate_forest(owner: Session, layout: Layout, *, passwords: bool = True) -> None:
    """Containers, groups, an account in each; what phase 0 and the embedded directory's beginning make."""
    repository = Repository(owner, layout)
    for names in GROUPS.values():
        for name in names:
            user = o.User(account=account_of(name), container=str(layout.users))
            repository.add(user)
            if passwords:
                owner.set_password(repository.dn_of(user), PASSWORD)
            repository.add(o.Group(name=f"{name} people", members=(str(repository.dn_of(user)),)))
            if owner.get(layout.group(name)) is None:
                repository.add(o.Group(name=name))
            entry = owner.get(layout.group(name))
            held = entry.all("member") if entry else ()
            owner.replace(layout.group(name), {"member": (*held, str(layout.group(f"{name} people")))})


def populate_rights(owner: Session, layout: Layout) -> None:
    """Rights on the domain, and the containers of services."""
    known = [ace for ace in domain_aces(layout.forest, (layout,)) if owner.get(ace.principal) is not None]
    owner.grant(layout.domain, known)
    see = see_aces(layout.forest, (layout,))
    owner.add(layout.microsoft_exchange, {"objectClass": ["container"]}, aces=organizations_aces(layout, (layout,)))
    for dn, class_ in ((layout.rtc_service, "msRTCSIP-Service"), (layout.voice, "container")):
        owner.add(dn, {"objectClass": [class_]}, aces=(*voice_aces(layout), *see))
    owner.add(layout.pools, {"objectClass": ["msRTCSIP-Pools"]})
    owner.add(layout.voice_dial_plans, {"objectClass": ["container"]})


def populate_organization(owner: Session, layout: Layout, people: DN, *, rights: bool) -> None:
    """A messaging organization with a dial plan, and an OU with a user."""
    repository = Repository(owner, layout)
    aces = exchange_aces(layout) if rights else ()
    owner.add(layout.exchange, {"objectClass": ["msExchOrganizationContainer"]}, aces=aces, protected=rights)
    for dn in (
        layout.um_dial_plans,
        layout.um_ip_gateways,
        layout.um_auto_attendants,
        layout.um_mailbox_policies,
        layout.administrative_groups,
    ):
        owner.add(dn, {"objectClass": ["container"]})
    owner.add(people, {"objectClass": ["organizationalUnit"]})
    repository.add(PLAN)
    repository.add(o.User(account=alice(layout), container=str(people), sip_address=f"sip:{alice(layout)}@example.com"))


def alice(layout: Layout) -> str:
    """The user's account."""
    return f"alice{layout.organization}".lower()


# The embedded directory


def make_embedded(folder: Path, layout: Layout) -> Adapter:
    """A file of its own."""
    create_embedded(folder / "directory.db")
    directory = EmbeddedDirectory(folder / "directory.db")
    owner = directory.trusted()
    with owner.transaction():
        owner.add(layout.domain, {"objectClass": ["domainDNS"]})
        for dn in (layout.users, layout.computers, layout.configuration, layout.services):
            owner.add(dn, {"objectClass": ["container"]})
        populate_forest(owner, layout, passwords=False)
        populate_rights(owner, layout)
    return Adapter(name="embedded", layout=layout, owner=owner, directory=directory)


# Samba


class Samba:
    """A domain controller (tools/samba); ends with the block. It can be killed, and started again as it was."""

    def __init__(self, folder: Path, realm: str, address: str) -> None:
        self.folder, self.realm, self.address = folder, realm, address
        self._process: subprocess.Popen[str] | None = None

    @property
    def place(self) -> Place:
        """Where it is."""
        roots = self.folder / "roots.pem"
        return Place(addresses=(Address(forest=self.realm, url=f"ldaps://{self.address}", roots=roots),))

    def __enter__(self) -> "Samba":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, str(ROOT / "tools" / "samba"), "run", str(self.folder), self.realm, self.address]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert "ready" in line, line + self._process.stdout.read()

    def kill(self) -> None:
        """End it without warning."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process.stdout.close()  # type: ignore[union-attr]
            self._process = None


def administrator_password(folder: Path) -> str:
    """The password of a forest's administrator."""
    return (folder / "admin.password").read_text().strip()


def prepare_samba(place: Place, password: str) -> Session:
    """Extend the schema of each forest; returns the administrator's session."""
    from tandem.directory.ldap.prepare import extend, extensions
    from tandem.directory.ldap.session import LdapDirectory

    session = LdapDirectory(place.addresses).bind("administrator", password)
    for address in place.addresses:
        forest = session.forest(address.forest)
        list(extend(forest, "administrator", extensions(forest)))
    return session


# slapd


SLAPD_OWNER = "cn=owner,DC=example,DC=com"


@contextmanager
def slapd(folder: Path, *more: str) -> Iterator[Place]:
    """An OpenLDAP server with our schema; no rights, no passwords of accounts. ``more`` goes into its configuration."""
    folder.chmod(0o755)
    authority = Authority.open_or_create(folder / "ca", organization="slapd", at=datetime.now(UTC))
    certificate, key = authority.issue("ldap.example.com", ("127.0.0.1",), at=datetime.now(UTC))
    for name, data in (("cert.pem", certificate), ("key.pem", key), ("roots.pem", authority.root_pem)):
        (folder / name).write_bytes(data)
    (folder / "tandem.schema").write_text(slapd_schema())
    (folder / "data").mkdir()
    includes = [f"include /etc/ldap/schema/{name}.schema" for name in ("core", "cosine", "inetorgperson")]
    (folder / "slapd.conf").write_text(
        "\n".join(
            [
                *includes,
                f"include {folder}/tandem.schema",
                "modulepath /usr/lib/ldap",
                "moduleload back_mdb",
                f"pidfile {folder}/slapd.pid",
                f"TLSCertificateFile {folder}/cert.pem",
                f"TLSCertificateKeyFile {folder}/key.pem",
                "database mdb",
                'suffix "dc=example,dc=com"',
                f'rootdn "{SLAPD_OWNER}"',
                f"rootpw {PASSWORD}",
                f"directory {folder}/data",
                "index objectClass,proxyAddresses,msRTCSIP-PrimaryUserAddress,msRTCSIP-Line,cn,sAMAccountName eq",
                "maxsize 1073741824",
                *more,
            ]
        )
        + "\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    command = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "slapd", "-d", "0"]
    command += ["-f", str(folder / "slapd.conf"), "-h", f"ldaps://127.0.0.1:{port}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        _wait(port, process)
        yield Place(
            addresses=(Address(forest="example.com", url=f"ldaps://127.0.0.1:{port}", roots=folder / "roots.pem"),)
        )
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()  # type: ignore[union-attr]


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, process.stderr.read()  # type: ignore[union-attr]
            assert time.monotonic() < deadline, "slapd does not answer"
            time.sleep(0.05)


def slapd_schema() -> str:
    """Our classes and attributes in slapd's own form."""
    standard = {
        "cn",
        "ou",
        "dc",
        "name",
        "displayName",
        "description",
        "mail",
        "telephoneNumber",
        "objectClass",
        "member",
    }
    syntaxes = {"text": "15", "int": "27", "bool": "7", "dn": "12"}
    matching = {
        "text": "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch",
        "int": "EQUALITY integerMatch",
        "bool": "EQUALITY booleanMatch",
        "dn": "EQUALITY distinguishedNameMatch",
    }
    lines = []
    for number, each in enumerate(schema.WIRE_ATTRIBUTES):
        if each.wire not in standard:
            single = "" if each.multi else " SINGLE-VALUE"
            syntax = f"{matching[each.syntax]} SYNTAX 1.3.6.1.4.1.1466.115.121.1.{syntaxes[each.syntax]}{single}"
            lines.append(f"attributetype ( {schema.ARC}.9.{number} NAME '{each.wire}' {syntax} )")
    helpers = [each for each in schema.DEFINED if each.auxiliary]
    own = {each.name: each.attributes for each in schema.DEFINED}
    common = (
        "cn dc ou displayName mail sAMAccountName userPrincipalName otherIpPhone proxyAddresses member userPassword"
    )
    for number, name in enumerate(sorted(schema.CLASSES - {"top", "organizationalUnit"})):
        helped = [attribute for helper in helpers if name in helper.above for attribute in helper.attributes]
        names = dict.fromkeys([*common.split(), *own.get(name, ()), *helped])
        may = " $ ".join(map(schema.wire_name, names))
        wire = schema.WIRE_CLASSES[name.lower()]
        lines.append(f"objectclass ( {schema.ARC}.8.{number} NAME '{wire}' SUP top STRUCTURAL MAY ( {may} ) )")
    return "\n".join(lines) + "\n"


def make_slapd_base(place: Place, layout: Layout) -> Session:
    """The containers that every test needs."""
    owner = open_directory(place).bind(SLAPD_OWNER, PASSWORD)
    owner.add(layout.domain, {"objectClass": ["domainDNS"]})
    for dn in (
        layout.users,
        layout.computers,
        layout.configuration,
        layout.services,
        layout.microsoft_exchange,
        layout.rtc_service,
        layout.voice,
        layout.voice_dial_plans,
        layout.pools,
    ):
        owner.add(dn, {"objectClass": ["container"]})
    return owner
