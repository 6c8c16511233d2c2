"""Which servers take UM's calls, and which makers may meet: each line of the two tables (docs/protocols/mixed.md)."""

from pathlib import Path

import pytest

from tandem.org import model as m
from tandem.org.coexistence.makers import Compatibility, compatibility
from tandem.org.coexistence.releases import LAST_SERVICE_PACK, ROLE_NAMES
from tandem.org.errors import Severity
from tandem.org.example.text import example_text
from tandem.org.load import load_organization
from tandem.org.versions import ROLES, VERSIONS, is_um_server
from tandem.org.vocabulary import MessagingOrganization, PoolKind, ServerKind

PAGE = Path(__file__).parents[2] / "docs" / "protocols" / "mixed.md"


def server(version: str, *roles: str) -> m.DeclaredMessagingServer:
    return m.DeclaredMessagingServer(
        fqdn="ex1.example.com", forest="example.com", kind=ServerKind.EXCHANGE, version=version, roles=roles
    )


@pytest.mark.parametrize(
    ("version", "roles", "takes_um_calls"),
    [
        ("2007", ("UM",), True),
        ("2007", ("HubTransport", "ClientAccess", "Mailbox"), False),
        ("2010", ("Mailbox", "UM"), True),
        ("2010", ("Mailbox",), False),
        ("2010", (), True),  # every role that UM needs
        ("2013", ("ClientAccess",), True),
        ("2013", ("Mailbox",), True),
        ("2013", ("EdgeTransport",), False),
        ("2016", ("Mailbox",), True),
        ("2016", ("EdgeTransport",), False),
    ],
)
def test_a_um_server_is_known_by_its_roles(version: str, roles: tuple[str, ...], takes_um_calls: bool) -> None:
    assert is_um_server(server(version, *roles)) is takes_um_calls


def test_only_um_servers_answer_for_a_dial_plan() -> None:
    plan = m.DeclaredUMDialPlan(name="Main", forest="example.com", extension_digits=4)
    one, other = server("2010", "Mailbox"), server("2010", "UM")
    org = m.Organization(
        name="x", path=Path(), directory="", state=Path(), secrets=Path(), messaging_servers=(one, other)
    )
    assert org.servers_of(plan) == (other,)


def test_each_version_has_a_last_service_pack_and_knows_the_roles_that_um_needs() -> None:
    assert set(LAST_SERVICE_PACK) == set(ROLE_NAMES) == set(VERSIONS)
    assert all(set(ROLES[VERSIONS[version]]) <= set(names) for version, names in ROLE_NAMES.items())


@pytest.mark.parametrize(
    ("of_forest", "of_all", "said"),
    [(None, "new", "new"), (None, "present", "present"), ("present", "new", "present"), ("new", "present", "new")],
)
def test_a_forest_says_of_its_exchange_organization_what_goes_before_the_whole(
    of_forest: str | None, of_all: str, said: str
) -> None:
    own = MessagingOrganization(of_forest) if of_forest else None
    forest = m.Forest(name="example.com", domains=("example.com",), messaging_organization=own)
    org = m.Organization(
        name="x", path=Path(), directory="", state=Path(), secrets=Path(), forests=(forest,),
        messaging_organization=MessagingOrganization(of_all),
    )  # fmt: skip
    assert org.messaging_organization_of("example.com") == said


PAIRS = [
    (ServerKind.TANDEM, PoolKind.TANDEM, False, Compatibility.SUPPORTED),
    (ServerKind.TANDEM, PoolKind.TANDEM, True, Compatibility.SUPPORTED),
    (ServerKind.EXCHANGE, PoolKind.LYNC, False, Compatibility.SUPPORTED),
    (ServerKind.EXCHANGE, PoolKind.LYNC, True, Compatibility.SUPPORTED),
    (ServerKind.TANDEM, PoolKind.LYNC, False, Compatibility.REFUSED),
    (ServerKind.TANDEM, PoolKind.LYNC, True, Compatibility.UNTRIED),
    (ServerKind.EXCHANGE, PoolKind.TANDEM, False, Compatibility.UNTRIED),
    (ServerKind.EXCHANGE, PoolKind.TANDEM, True, Compatibility.REFUSED),
]
NAMES = {ServerKind.TANDEM: "Tandem UM", ServerKind.EXCHANGE: "Exchange UM"}
POOLS = {PoolKind.TANDEM: "Tandem", PoolKind.LYNC: "Lync"}


@pytest.mark.parametrize(("um", "pool", "ldap", "said"), PAIRS)
def test_the_page_says_of_a_pair_what_validate_says(
    um: ServerKind, pool: PoolKind, ldap: bool, said: Compatibility
) -> None:
    assert compatibility(um, pool, ldap=ldap)[0] is said
    directory = "Active Directory" if ldap else "embedded"
    assert f"| {NAMES[um]} | {POOLS[pool]} | {directory} | *{said.value}* |" in PAGE.read_text()


LDAP = ("directory: state/directory.db", "directory: ldaps://dc1.example.com")
LYNC = ("kind: tandem\n    pool_type", "kind: lync\n    pool_type")
EXCHANGE = ("kind: tandem\n\num_dial_plans", 'kind: exchange\n    version: "2013"\n\num_dial_plans')
BESIDE = ("voice_pools:\n", "voice_pools:\n  - {fqdn: lync1.example.com, forest: example.com, kind: lync}\n")


@pytest.mark.parametrize(
    ("changes", "severity", "found"),
    [
        ((LYNC,), Severity.ERROR, "UM servers of kind tandem behind a pool of kind lync (refused)"),
        ((LYNC, LDAP), Severity.WARNING, "UM servers of kind tandem behind a pool of kind lync (untried)"),
        ((EXCHANGE,), Severity.WARNING, "UM servers of kind exchange behind a pool of kind tandem (untried)"),
        ((EXCHANGE, LDAP), Severity.ERROR, "UM servers of kind exchange behind a pool of kind tandem (refused)"),
        ((BESIDE,), Severity.WARNING, "a Tandem pool beside lync1.example.com of kind lync (untried)"),
        ((BESIDE, LDAP), Severity.ERROR, "a Tandem pool beside lync1.example.com of kind lync (refused)"),
        ((LYNC, EXCHANGE), None, ""),
        ((LYNC, EXCHANGE, LDAP), None, ""),
    ],
)
def test_validate_tells_of_two_makers_once(
    tmp_path: Path, changes: tuple[tuple[str, str], ...], severity: Severity | None, found: str
) -> None:
    text = example_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = tmp_path / "organization.yaml"
    path.write_text(text)
    told = [(f.severity, f.found) for f in load_organization(path).findings if "mixed.md" in f.expected]
    assert [(each, text.partition(":")[0]) for each, text in told] == ([(severity, found)] if severity else [])
