import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.org import model
from tandem.org.errors import Severity
from tandem.org.example.text import example_text
from tandem.org.load import load_organization
from tandem.org.numbers import EumAddress, is_e164, is_line_uri, is_sip_address, line_key, number_of, user_key

VECTORS = Path(__file__).parent.parent / "vectors" / "organization"


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_broken_file_gives_exactly_these_errors(path: Path) -> None:
    loaded = load_organization(path)
    assert loaded.organization is None
    errors = "".join(f"{f}\n" for f in loaded.findings if f.severity is Severity.ERROR)
    assert errors == path.with_suffix(".expected").read_text()


def test_there_are_enough_broken_files() -> None:
    assert len(list(VECTORS.glob("*.yaml"))) >= 25


def write(folder: Path, *replacements: tuple[str, str]) -> Path:
    text = example_text()
    for before, after in replacements:
        assert before in text
        text = text.replace(before, after)
    path = folder / "organization.yaml"
    path.write_text(text)
    return path


def test_the_example_is_an_organization_with_two_warnings(tmp_path: Path) -> None:
    loaded = load_organization(write(tmp_path))
    assert loaded.organization is not None
    assert [f.severity for f in loaded.findings] == [Severity.WARNING] * 2
    assert loaded.organization.directory == str(tmp_path / "state/directory.db")
    alice = loaded.organization.users[0]
    assert (alice.account, alice.extension, alice.line_uri) == ("alice", "4101", "tel:+14255554101")


POOL_2 = """voice_pools:
  - fqdn: pool2.example.com
    forest: example.com
    pool_type: FrontEnd
    servers: [fe1.example.com, fe2.example.com]
"""


@pytest.mark.parametrize("used", [True, False])
def test_what_pools_do_not_do_yet_is_warned_of_where_users_would_meet_it(tmp_path: Path, used: bool) -> None:
    two = [("voice_pools:\n", POOL_2)]
    if used:
        two.append(
            ("    sip_address: bob@example.com\n    pool: pool1", "    sip_address: bob@example.com\n    pool: pool2")
        )
    loaded = load_organization(write(tmp_path, *two))
    assert loaded.organization is not None, loaded.findings
    found = [str(f) for f in loaded.findings if f.key.startswith("voice_pools")]
    assert any("calls between pools are refused" in each for each in found) is used
    branch = load_organization(
        write(tmp_path, *two, ("pool_type: FrontEnd\n    servers: [fe1", "pool_type: Branch\n    servers: [fe1"))
    )
    told = [each for each in branch.findings if "message waiting is not sent to Branch pools" in each.found]
    assert bool(told) is used
    assert any("2 servers, which do not know each other's registrations" in each for each in found) is used


def test_users_of_a_csv_file_join_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_bytes(
        "\ufeffaccount,display_name,forest,ou,mail,extension,um_mailbox_policy,sip_address,pool\r\n"
        'erin,"Erin ""E"" Évans",example.com,"OU=People,DC=example,DC=com",erin@example.com,4190,'
        "Main Default Policy,erin@example.com,pool1.example.com\r\n".encode()
    )
    loaded = load_organization(write(tmp_path, ("\nusers:\n", "\nusers_csv: users.csv\nusers:\n")))
    assert loaded.organization is not None, loaded.findings
    assert loaded.organization.users[-1].display_name == 'Erin "E" Évans'
    assert len(loaded.organization.users) == 5


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (finding,) = load_organization(tmp_path / "none.yaml").findings
    assert "No such file" in finding.found and "tandem init" in finding.expected


def test_a_translation_that_names_no_group_is_an_error_at_its_rule(tmp_path: Path) -> None:
    loaded = load_organization(write(tmp_path, ("translation: +1425555$1", r"translation: '+1425555\1'")))
    assert loaded.organization is None
    (error,) = (f for f in loaded.findings if f.severity is Severity.ERROR)
    assert error.key == "voice_dial_plans[0].normalization_rules[0]"
    assert error.found == r"the translation '+1425555\1' has \1 with a backslash; write $1"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 4000))
def test_no_bytes_make_the_loader_raise(tmp_path: Path, data: bytes, at: int) -> None:
    path = tmp_path / "fuzz.yaml"
    example = example_text().encode()
    for content in (data, example[:at] + data + example[at + 1 :]):
        path.write_bytes(content)
        load_organization(path)


@pytest.mark.parametrize(
    ("text", "e164", "line", "sip"),
    [
        ("+14255550100", True, False, False),
        ("+0425", False, False, False),
        ("+1234567890123456", False, False, False),
        ("tel:+14255550100", False, True, False),
        ("tel:+14255550100;ext=4101", False, True, False),
        ("tel:4101", False, False, False),
        ("alice@example.com", False, False, True),
        ("sip:alice@example.com", False, False, False),
        ("alice@example", False, False, False),
        ("a b@example.com", False, False, False),
        ("+14255550100\n", False, False, False),
    ],
)
def test_numbers_and_addresses(text: str, e164: bool, line: bool, sip: bool) -> None:
    assert (is_e164(text), is_line_uri(text), is_sip_address(text)) == (e164, line, sip)


def test_an_eum_address_is_read_as_it_is_written() -> None:
    address = EumAddress(address="alice@example.com", phone_context="Main.example.com")
    assert str(address) == "EUM:alice@example.com;phone-context=Main.example.com"
    assert EumAddress.parse(str(address)) == address
    assert EumAddress.parse("eum:4101;phone-context=Main.example.com") == EumAddress(
        address="4101", phone_context="Main.example.com", primary=False
    )
    assert EumAddress.parse("SMTP:alice@example.com") is None
    assert EumAddress.parse("EUM:;phone-context=") is None


def test_the_reference_names_every_key() -> None:
    reference = (Path(__file__).parents[2] / "docs" / "organization.md").read_text()
    types = [
        model.Organization,
        model.Forest,
        model.DeclaredMessagingServer,
        model.DeclaredVoicePool,
        model.DeclaredUMDialPlan,
        model.DeclaredUMMailboxPolicy,
        model.DeclaredUMIPGateway,
        model.DeclaredVoiceDialPlan,
        model.DeclaredNormalizationRule,
        model.DeclaredVoicePolicy,
        model.DeclaredContact,
        model.DeclaredUser,
        model.Administrator,
    ]
    keys = {f.name for each in types for f in dataclasses.fields(each)} - {"path"} | {"tandem", "users_csv"}
    assert [key for key in sorted(keys) if f"`{key}`" not in reference] == []


def test_nothing_of_this_machine_is_in_the_vectors() -> None:
    here = os.fspath(VECTORS)
    assert not [p.name for p in VECTORS.glob("*.expected") if here in p.read_text()]


@pytest.mark.parametrize(
    ("text", "number", "user", "line"),
    [
        ("tel:+1-425-555-4101", "+14255554101", "+14255554101", "+14255554101"),
        ("TEL:+1(425)555.4101;ext=2", "+14255554101", "+14255554101", "+14255554101;ext=2"),
        ("+14255554101;EXT=2;isub=9", "+14255554101", "+14255554101", "+14255554101;ext=2"),
        ("5000;phone-context=pbx.example.com", "5000", "5000", "5000"),
        ("51-01", "5101", "5101", "5101"),
        ("+12025550123;npdi;rn=+12025550000", "+12025550123", "+12025550123", "+12025550123"),
        ("*98#", "*98#", "*98#", "*98#"),
        ("14255554101", "14255554101", "14255554101", "14255554101"),  # not the same as with a plus
        ("Alice.Adams", "", "alice.adams", "alice.adams"),
        ("Alice;x=y", "", "alice", "alice"),
        ("+", "", "+", "+"),
        ("1+2", "", "1+2", "1+2"),
        ("\u0663", "", "\u0663", "\u0663"),
        ("", "", "", ""),
    ],
)
def test_numbers_are_compared_as_numbers(text: str, number: str, user: str, line: str) -> None:
    assert (number_of(text), user_key(text), line_key(text)) == (number, user, line and f"tel:{line}")


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("line_uri: tel:+14255554102", "line_uri: TEL:+14255554101", "number 'tel:+14255554101'"),
        ("line_uri: tel:+14255554102", "line_uri: TEL:+14255550100", "number 'tel:+14255550100'"),  # a contact's
        ("mail: bob@example.com", "mail: ALICE@Example.com", "mail address 'alice@example.com'"),
        ("sip_address: bob@example.com", "sip_address: Alice@example.COM", "SIP address 'alice@example.com'"),
    ],
)
def test_what_means_the_same_is_used_once(tmp_path: Path, before: str, after: str, kind: str) -> None:
    loaded = load_organization(write(tmp_path, (before, after)))
    assert loaded.organization is None
    assert sum(f.found == f"{kind} is used 2 times" for f in loaded.findings) == 2


def test_two_spellings_of_an_address_are_one_gateway(tmp_path: Path) -> None:
    pilot = '    pilot_identifier: "5000"\n'
    second = "  - {name: Two, um_dial_plan: Lobby, address: '2001:0DB8:0:0::10', pilot_identifier: '6000'}\n"
    loaded = load_organization(write(tmp_path, ("192.0.2.10", "2001:db8::10"), (pilot, pilot + second)))
    assert [f.found for f in loaded.findings if f.severity is Severity.ERROR] == [
        "gateway address '2001:db8::10' is used 2 times"
    ] * 2


def test_phones_that_insist_on_srtp_are_warned_of_where_um_speaks_rtp_only(tmp_path: Path) -> None:
    path = write(tmp_path, ("voip_security: Secured ", "voip_security: SIPSecured "), ("RequireE", "SupportE"))
    (finding,) = (each for each in load_organization(path).findings if "SIPSecured" in each.found)
    assert finding.severity is Severity.WARNING
    assert "one that insists on it gets no voice mail" in finding.expected and "pool1.example.com" in finding.found
