"""What is written of an attribute with several values that others write, too."""

import ldap
import pytest

from tandem.directory.dn import DN
from tandem.directory.ldap.values import changes_of
from tandem.directory.port import Entry, difference

USER = DN.parse("CN=alice,DC=example,DC=com")


@pytest.mark.parametrize(
    ("held", "known", "wanted", "gone", "added"),
    [
        ("a b", "a b", "a b", "", ""),
        ("a b", "a b", "a c", "b", "c"),
        ("a b x", "a b", "a c", "b", "c"),  # x came meanwhile
        ("a", "a b", "a c", "", "c"),  # b went meanwhile
        ("a c", "a", "a c", "", ""),  # somebody else has added the same
        ("A", "a", "", "A", ""),  # the directory spells it otherwise
        ("A", "", "a", "", ""),
        ("SMTP:a", "SMTP:a", "smtp:a", "SMTP:a", "smtp:a"),
        ("", "", "a b", "", "a b"),
        ("a b", "", "", "", ""),
    ],
)
def test_only_what_was_decided_is_written(held: str, known: str, wanted: str, gone: str, added: str) -> None:
    assert difference(held.split(), known.split(), wanted.split()) == (gone.split(), added.split())


def test_an_address_is_added_and_taken_away_by_value_over_ldap() -> None:
    held = ("SMTP:a@example.com", "sip:a@example.com", "x400:new")
    before = Entry(dn=USER, attributes={"proxyaddresses": held})
    wanted = {"proxyAddresses": ("SMTP:a@example.com", "sip:b@example.com"), "displayName": ("B",)}
    known = {"proxyAddresses": ("SMTP:a@example.com", "sip:a@example.com"), "displayName": ("A",)}
    assert changes_of(USER, before, wanted, str, known) == [
        (ldap.MOD_REPLACE, "displayName", [b"B"]),
        (ldap.MOD_DELETE, "proxyAddresses", [b"sip:a@example.com"]),
        (ldap.MOD_ADD, "proxyAddresses", [b"sip:b@example.com"]),
    ]


def test_members_are_names_however_they_are_spelt() -> None:
    before = Entry(dn=USER, attributes={"member": ("CN=Ann, DC=example,DC=com", "cn=bob,dc=example,dc=com")})
    wanted = {"member": ("CN=ann,DC=example,DC=com", "CN=Carl,DC=example,DC=com")}
    known = {"member": ("CN=Ann,DC=example,DC=com", "CN=Bob,DC=example,DC=com")}
    assert changes_of(USER, before, wanted, lambda text: f"<{text}>", known) == [
        (ldap.MOD_DELETE, "member", [b"<cn=bob,dc=example,dc=com>"]),
        (ldap.MOD_ADD, "member", [b"<CN=Carl,DC=example,DC=com>"]),
    ]


def test_values_with_an_order_are_written_whole() -> None:
    before = Entry(dn=USER, attributes={"tandempstnusages": ("one", "two")})
    wanted = {"tandemPstnUsages": ("two", "one")}
    assert changes_of(USER, before, wanted, str, {"tandemPstnUsages": ("one", "two")}) == [
        (ldap.MOD_REPLACE, "tandemPstnUsages", [b"{0}two", b"{1}one"])
    ]
