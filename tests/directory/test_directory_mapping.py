"""How objects are kept: numbers that never change, and fields that come back as they went in."""

import dataclasses
from typing import Annotated

import pytest

from tandem.directory import objects as o
from tandem.directory import schema
from tandem.directory.errors import BadEntry
from tandem.directory.layout import Layout
from tandem.directory.mapping import OBJECT_CLASSES, kept_in, stored_fields
from tandem.directory.port import Entry
from tandem.directory.repository import Repository, read_object
from tandem.org.vocabulary import PinState, Transport, UMStatus

# In the order of their numbers, from 1: what a directory was extended with stays. New ones are added at the end.
ATTRIBUTES = [
    "msRTCSIP-SourceObjectType",
    "msRTCSIP-PoolType",
    "msExchUMEnabledFlags",
    "msExchUMTemplateLink",
    "msExchVersion",
    "msExchUMPhoneContext",
    "msExchUMUriType",
    "msExchUMVoIPSecurity",
    "msExchUMNumberOfDigits",
    "msExchUMCountryCode",
    "msExchUMDefaultLanguage",
    "msExchUMOperatorExtension",
    "msExchUMMaxCallDuration",
    "msExchUMMaxRecordingDuration",
    "msExchUMRecordingIdleTimeout",
    "msExchUMDialPlanLink",
    "msExchUMIPGatewayAddress",
    "msExchUMIPGatewayPort",
    "msExchUMIPGatewayStatus",
    "msExchUMOutcallsAllowed",
    "msExchUMMWIAllowed",
    "msExchUMPilotIdentifier",
    "msExchUMServerStatus",
    "msExchUMStartupMode",
    "msExchUMTcpPort",
    "msExchUMTlsPort",
    "msExchUMCertificateThumbprint",
    "msExchUMMinPINLength",
    "msExchUMPINLifetime",
    "msExchUMPINHistoryCount",
    "msExchUMLogonFailuresBeforePINReset",
    "msExchUMMaxLogonAttempts",
    "msExchUMAllowMissedCallNotifications",
    "msExchUMAllowMWI",
    "msExchUMEnabledText",
    "msExchUMVoiceMailText",
    "msExchUMPinState",
    "tandemKind",
    "tandemTransport",
    "tandemMediaEncryption",
    "tandemRingSeconds",
    "tandemSimpleName",
    "tandemTlsPort",
    "tandemAssignedDialPlan",
    "tandemAssignedVoicePolicy",
    "tandemAllowCallForwarding",
    "tandemAllowSimulRing",
    "tandemEnableCallTransfer",
    "tandemManagedBy",
    "msExchUMAutoAttendantEnabled",
    "msExchUMSpeechEnabled",
    "tandemNumberPattern",
    "tandemPriority",
    "tandemPort",
    "tandemPool",
    "msExchUMAccessTelephoneNumbers",
    "msExchUMDialPlanLinks",
    "msExchUMRoles",
    "msExchUMPilotIdentifiers",
    "tandemPstnGateways",
    "tandemPoolServers",
    "tandemDigest",
    "tandemNormalizationRules",
    "tandemPstnUsages",
    "tandemSipSecret",
    "msExchUMPinChecksum",
    "tandemForeignUMTemplate",
    "tandemForeignUMDialPlan",
    "tandemSipUnlocks",
]
CLASSES = [
    "msExchOrganizationContainer",
    "msExchExchangeServer",
    "msExchUMDialPlan",
    "msExchUMIPGateway",
    "msExchUMHuntGroup",
    "msExchUMAutoAttendant",
    "msExchUMRecipientTemplate",
    "msRTCSIP-Service",
    "msRTCSIP-Pools",
    "msRTCSIP-Pool",
    "tandemVoiceDialPlan",
    "tandemVoicePolicy",
    "tandemVoiceRoute",
    "tandemPstnUsage",
    "tandemPstnGateway",
    "tandemManaged",
    "tandemUser",
]
LAYOUT = Layout(forest="example.com", organization="Example")
GATEWAY = o.UMIPGateway(
    name="pool1", address="pool1.example.com", port=5061, transport=Transport.TLS, status=UMStatus.NO_NEW_CALLS
)


def entry_of(value: object) -> Entry:
    """An object as an entry, without a directory."""
    repository = Repository(None, LAYOUT)  # type: ignore[arg-type] # it is not asked
    attributes = {name.lower(): texts for name, texts in repository.attributes(value).items() if texts}
    return Entry(dn=repository.dn_of(value), attributes=attributes)


def test_an_attribute_keeps_its_number_and_no_number_is_given_twice() -> None:
    ours = {each.oid: each.name for each in schema.WIRE_ATTRIBUTES if each.oid.startswith(schema.ARC)}
    assert [ours.pop(f"{schema.ARC}.1.{number}") for number in range(1, len(ATTRIBUTES) + 1)] == ATTRIBUTES
    assert not ours, "a new attribute belongs to the list of this test, with its number"
    assert len({each.name.lower() for each in schema.WIRE_ATTRIBUTES}) == len(schema.WIRE_ATTRIBUTES)


def test_a_class_keeps_its_number() -> None:
    assert [each.name for each in sorted(schema.DEFINED, key=lambda each: each.number)] == CLASSES
    assert [each.number for each in sorted(schema.DEFINED, key=lambda each: each.number)] == list(
        range(1, len(CLASSES) + 1)
    )


def test_fields_that_share_an_attribute_say_the_same_of_it() -> None:
    said: dict[str, set[object]] = {}
    for type_ in OBJECT_CLASSES:
        for field in stored_fields(type_):
            said.setdefault(field.kept.attribute, set()).add((field.kept, field.syntax, field.multi))
    assert [name for name, each in said.items() if len(each) > 1] == []


def test_every_field_is_kept_or_part_of_the_name() -> None:
    for type_, kept in OBJECT_CLASSES.items():
        stored = {field.name for field in stored_fields(type_)}
        names = {kept.naming, kept.below, kept.own_name} - {""}
        assert {field.name for field in dataclasses.fields(type_)} == stored | names, type_


def test_words_of_the_vocabulary_come_back_as_such() -> None:
    found = read_object(o.UMIPGateway, entry_of(GATEWAY))
    assert found == GATEWAY and found.transport is Transport.TLS and found.status is UMStatus.NO_NEW_CALLS


def test_an_absent_pin_state_is_none_and_is_not_written() -> None:
    user = o.User(account="alice", container="OU=People,DC=example,DC=com")
    assert "msexchumpinstate" not in entry_of(user).attributes
    assert read_object(o.User, entry_of(user)).pin_state is PinState.NONE


def test_a_word_that_nobody_knows_spoils_its_own_entry_and_is_named() -> None:
    entry = entry_of(GATEWAY)
    wrong = dataclasses.replace(entry, attributes={**entry.attributes, "msexchumipgatewaystatus": ("Resting",)})
    with pytest.raises(BadEntry, match="Resting"):
        read_object(o.UMIPGateway, wrong)


def test_the_type_of_a_field_gives_the_syntax_of_its_attribute() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Trial:
        names: Annotated[tuple[str, ...], kept_in("a", 1)] = ()
        count: Annotated[int, kept_in("b", 2)] = 0
        on: Annotated[bool, kept_in("c", 3)] = False
        plan: Annotated[str, kept_in("d", 4, reference=o.UMDialPlan)] = ""
        state: Annotated[PinState, kept_in("e", 5)] = PinState.NONE

    fields = stored_fields(Trial)
    assert [(field.syntax, field.multi) for field in fields] == [
        ("text", True),
        ("int", False),
        ("bool", False),
        ("dn", False),
        ("text", False),
    ]
