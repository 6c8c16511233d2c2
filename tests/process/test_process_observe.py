"""Observed servers: what is as declared leaves nothing to do, and any one difference is shown as exactly that difference."""

import copy
import dataclasses
import json
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import observed
from tandem.org import model as m
from tandem.org.load import require_organization
from tandem.process.keeping.importing import observed_text
from tandem.process.observing.format import SECTIONS
from tandem.process.observing.imported.organization import imported
from tandem.process.observing.judges.case import Case
from tandem.process.observing.judges.table import judge
from tandem.process.observing.reading import read_observation
from tandem.process.observing.seen import Seen, by_side_and_forest
from tandem.process.observing.undeclared import undeclared
from tandem.process.observing.verdict import Judgement, StepOutcome
from tandem.process.phases import PHASES
from tandem.process.runbook.model import RunbookStep
from tandem.process.runbook.steps import runbook_steps
from tandem.process.tasks.byhand import side_of

TWO_FORESTS = """
tandem: 1
name: Contoso
directory: state/directory.db
forests:
  - {name: proseware.example, domains: [proseware.example], trusts: [litware.example]}
  - {name: litware.example, domains: [litware.example], trusts: [proseware.example]}
messaging_servers:
  - {fqdn: cas1.proseware.example, forest: proseware.example, kind: exchange, version: "2013", roles: [ClientAccess]}
  - {fqdn: mbx1.proseware.example, forest: proseware.example, kind: exchange, version: "2013", roles: [Mailbox]}
  - {fqdn: mbx2.proseware.example, forest: proseware.example, kind: exchange, version: "2013"}
voice_pools:
  - {fqdn: pool01.litware.example, forest: litware.example, kind: lync, pool_type: FrontEnd, servers: [fe01.litware.example, fe02.litware.example]}
  - {fqdn: se01.litware.example, forest: litware.example, kind: lync}
  - {fqdn: dir01.litware.example, forest: litware.example, kind: lync, pool_type: Director, servers: [dirfe.litware.example]}
  - {fqdn: sba01.litware.example, forest: litware.example, kind: lync, pool_type: Branch}
um_dial_plans:
  - {name: Main, forest: proseware.example, extension_digits: 4, access_numbers: ["+442075550100"], country_code: "44", operator_extension: "4100"}
  - {name: Lobby, forest: proseware.example, extension_digits: 3, uri_type: TelExtn, voip_security: Unsecured}
um_mailbox_policies:
  - {name: Strict, um_dial_plan: Main, min_pin_length: 8, um_enabled_text: Welcome, voice_mail_text: Listen}
um_ip_gateways:
  - {name: PBX, um_dial_plan: Lobby, address: 192.0.2.1, pilot_identifier: "5000"}
um_auto_attendants:
  - {name: Reception, um_dial_plan: Main, pilot_identifiers: ["+442075550101"]}
voice_dial_plans:
  - identity: Global
    simple_name: DefaultProfile
    normalization_rules: [{name: Ext, pattern: '^(\\d{4})$', translation: '+44207555$1', is_internal_extension: true}]
  - {identity: Staff, simple_name: Staff}
voice_policies:
  - {identity: Global, pstn_usages: [Local]}
  - {identity: Sales, pstn_usages: [Local, Abroad]}
pstn_usages: [Local, Abroad]
voice_routes:
  - {name: UK, number_pattern: '^\\+44', pstn_usages: [Local], pstn_gateways: [gw1.litware.example]}
  - {name: World, number_pattern: '^\\+', pstn_usages: [Abroad], pstn_gateways: [gw1.litware.example]}
pstn_gateways:
  - {fqdn: gw1.litware.example, pool: pool01.litware.example}
organizational_units: ["OU=People,DC=litware,DC=example", "OU=UM,DC=litware,DC=example"]
contacts:
  - {display_name: Main SA, sip_address: um-main@litware.example, um_dial_plan: Main, number: "+442075550100", pool: pool01.litware.example, ou: "OU=UM,DC=litware,DC=example"}
  - {display_name: Main AA, sip_address: um-aa@litware.example, um_dial_plan: Main, number: "+442075550101", pool: pool01.litware.example, ou: "OU=UM,DC=litware,DC=example", auto_attendant: Reception}
users:
  - {account: alice, display_name: Alice, forest: litware.example, ou: "OU=People,DC=litware,DC=example", mail: alice@proseware.example, sip_address: alice@litware.example, pool: pool01.litware.example, line_uri: "tel:+442075554101", extension: "4101", um_mailbox_policy: Main Default Policy, voice_dial_plan: Staff, voice_policy: Sales}
  - {account: bob, display_name: Bob, forest: litware.example, ou: "OU=People,DC=litware,DC=example", mail: bob@proseware.example, sip_address: bob@litware.example, pool: se01.litware.example, line_uri: "tel:+442075554102", extension: "4102", um_mailbox_policy: Strict}
administrators:
  - {account: maria, display_name: Maria, forest: proseware.example, groups: [Organization Management, Recipient Management, UM Management, Server Management, Administrators]}
  - {account: victor, display_name: Victor, forest: litware.example, groups: [RTCUniversalServerAdmins, RTCUniversalUserAdmins, Administrators]}
"""
NOW = observed.AT + timedelta(hours=3)
Results = dict[str, observed.Members]


def organization(folder: Path, text: str = TWO_FORESTS) -> m.Organization:
    (folder / "organization.yaml").write_text(text, encoding="utf-8")
    return require_organization(folder / "organization.yaml")


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> m.Organization:
    return organization(tmp_path_factory.mktemp("declared"))


def all_steps(org: m.Organization) -> tuple[RunbookStep, ...]:
    """The runbook's steps, and those whose judges are tried here although the runbook may split its steps in another way."""
    steps = runbook_steps(org)
    model, many = steps[0], len(org.messaging_forests) > 1
    new = [(0, f"0/exchange-preconditions{f'@{f}' if many else ''}", f) for f in org.messaging_forests]
    new += [(0, "0/lync-directory", org.voice_forest)]
    new += [(2, f"2/lync-certificates-{pool.fqdn}", org.voice_forest) for pool in org.voice_pools]
    there = {step.id for step in steps}
    more = [
        dataclasses.replace(model, id=id_, phase=PHASES[number], forest=forest)
        for number, id_, forest in new
        if id_ not in there
    ]
    return tuple(sorted((*steps, *more), key=lambda step: step.phase.number))


def judged(
    org: m.Organization, results: Results, confirmed: dict[str, datetime] | None = None, now: datetime = NOW
) -> dict[str, Judgement]:
    """What the results say of each step of the runbook."""
    everything = by_side_and_forest([read_observation(observed.sealed(each)) for each in results.values()])
    steps = all_steps(org)
    return {
        step.id: judge(
            Case(
                step=step,
                steps=steps,
                organization=org,
                seen=everything.get((side_of(step), step.forest), Seen()),
                everything=everything,
                now=now,
                confirmed=confirmed or {},
            )
        )
        for step in steps
    }


def outcomes(found: dict[str, Judgement]) -> dict[str, StepOutcome]:
    return {id_: each.outcome for id_, each in found.items() if each.outcome is not StepOutcome.AS_DECLARED}


def changes(found: dict[str, Judgement]) -> list[str]:
    return [f"{id_.partition('@')[0]}: {change}" for id_, each in found.items() for change in each.changes]


VERSIONS = ["2007", "2010", "2013", "2016"]


def variant(*changed: tuple[str, Any]) -> str:
    tree = yaml.safe_load(TWO_FORESTS)
    for key, value in changed:
        tree[key] = value
    return yaml.safe_dump(tree, sort_keys=False)


def of_versions(*versions: str) -> list[dict[str, Any]]:
    return [
        {"fqdn": f"ex{n}.proseware.example", "forest": "proseware.example", "kind": "exchange", "version": version}
        | ({"service_pack": 3} if version in ("2007", "2010") else {})
        for n, version in enumerate(versions)
    ]


def only_secured() -> list[tuple[str, Any]]:
    """Without plain gateways: a 2007 server follows its dial plans' security, which has to be one."""
    plan = yaml.safe_load(TWO_FORESTS)["um_dial_plans"][:1]
    rule = {"identity": "Global", "simple_name": "Main.proseware.example"}
    return [
        ("um_dial_plans", plan),
        ("um_ip_gateways", []),
        ("voice_dial_plans", [rule, {"identity": "Staff", "simple_name": "S"}]),
    ]


DEPLOYMENTS = {
    "2007 SP3": variant(("messaging_servers", of_versions("2007", "2007")), *only_secured()),
    "2010 SP3": variant(("messaging_servers", of_versions("2010", "2010"))),
    "2013": TWO_FORESTS,
    "2016": variant(("messaging_servers", of_versions("2016", "2016"))),
    "2007 and 2013": variant(("messaging_servers", of_versions("2007", "2007", "2013", "2013")), *only_secured()),
    "2010 and 2013": variant(("messaging_servers", of_versions("2010", "2010", "2013", "2013"))),
}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_what_the_collectors_export_of_a_deployment_as_declared_leaves_no_difference(name: str, tmp_path: Path) -> None:
    org = organization(tmp_path, DEPLOYMENTS[name])
    found = judged(org, observed.results(org))
    assert changes(found) == []
    assert set(outcomes(found).values()) <= {StepOutcome.NOT_OBSERVABLE}, {
        id_: each.why for id_, each in found.items() if each.why
    }
    assert len([each for each in found.values() if each.outcome is StepOutcome.AS_DECLARED]) >= 20


# Any one object changed

Edit = Callable[[observed.Members], None]


def on(side: str, section: str, key: str, value: str, edit: Callable[[list[Any], dict[str, Any]], None]) -> Edit:
    """Edits the one object of a section whose property ``key`` is ``value``, in every result of the side that has it."""

    def change(members: observed.Members) -> None:
        if members["side"] == side:
            held = members["objects"].get(section, [])
            for each in [each for each in held if each.get(key) == value]:
                edit(held, each)

    return change


def put(side: str, section: str, key: str, name: str, prop: str, value: Any) -> Edit:
    return on(side, section, key, name, lambda held, each: each.__setitem__(prop, value))


def gone(side: str, section: str, key: str, name: str) -> Edit:
    return on(side, section, key, name, lambda held, each: held.remove(each))


def x(section: str, name: str, prop: str, value: Any, key: str = "Name") -> Edit:
    return put("exchange", section, key, name, prop, value)


def v(section: str, name: str, prop: str, value: Any, key: str = "Identity") -> Edit:
    return put("lync", section, key, name, prop, value)


def without_mediation(members: observed.Members, pool: str) -> None:
    """Takes the Mediation Server out of a pool, where both sections name it."""
    objects = members["objects"]
    for each in objects.get("CsPool", []):
        each["Services"] = [s for s in each["Services"] if s != f"MediationServer:{pool}"]
    services = objects.get("CsService", [])
    objects["CsService"] = [s for s in services if (s["Role"], s["PoolFqdn"]) != ("MediationServer", pool)]


PAST, MBX, MAIN_CONTEXT = "2026-11-01T00:00:00Z", "mbx1.proseware.example", "phone-context=Main.proseware.example"
POOL = "pool01.litware.example"
ALICE, LOBBY = "alice@proseware.example", "1:pool01"
CASES: dict[str, tuple[Edit, list[str]]] = {
    # Exchange: servers
    "ExchangeServer": (gone("exchange", "ExchangeServer", "Fqdn", "mbx2.proseware.example"), ["1/exchange-servers: + messaging server mbx2.proseware.example: Exchange 2013, roles ClientAccess, Mailbox"]),
    "ExchangeServer.AdminDisplayVersion": (x("ExchangeServer", "mbx2.proseware.example", "AdminDisplayVersion", "Version 14.3 (Build 123.4)", "Fqdn"), ["1/exchange-servers: ~ messaging server mbx2.proseware.example: version 2010 -> 2013"]),
    "ExchangeServer.ServerRole": (x("ExchangeServer", "mbx2.proseware.example", "ServerRole", ["ClientAccess"], "Fqdn"), ["1/exchange-servers: ~ messaging server mbx2.proseware.example: roles +Mailbox"]),
    "UMService": (gone("exchange", "UMService", "Fqdn", MBX), [f"5/exchange-um-service-{MBX}: + messaging server {MBX}: MSExchangeUM of UMService"]),
    "UMService.DialPlans": (x("UMService", MBX, "DialPlans", [], "Fqdn"), [f"5/exchange-um-service-{MBX}: ~ messaging server {MBX}: dial_plans +Main"]),
    "UMService.UMStartupMode": (x("UMService", MBX, "UMStartupMode", "TCP", "Fqdn"), [f"5/exchange-um-service-{MBX}: ~ messaging server {MBX}: startup_mode TCP -> Dual"]),
    "UMCallRouterSettings.DialPlans": (x("UMCallRouterSettings", "cas1.proseware.example", "DialPlans", [], "Fqdn"), ["5/exchange-call-router-cas1.proseware.example: ~ messaging server cas1.proseware.example: dial_plans +Main"]),
    "UMCallRouterSettings.UMStartupMode": (x("UMCallRouterSettings", "cas1.proseware.example", "UMStartupMode", "TLS", "Fqdn"), ["5/exchange-call-router-cas1.proseware.example: ~ messaging server cas1.proseware.example: startup_mode TLS -> Dual"]),
    "ExchangeCertificate.NotAfter": (x("ExchangeCertificate", MBX, "NotAfter", PAST, "Server"), [f"2/exchange-certificates: ~ certificate {MBX}: ended 2026-11-01", f"5/exchange-um-service-{MBX}: ~ certificate {MBX}: ended 2026-11-01"]),
    "ExchangeCertificate.Services": (x("ExchangeCertificate", MBX, "Services", ["SMTP"], "Server"), [f"5/exchange-um-service-{MBX}: ~ certificate {MBX}: to be enabled for UM"]),
    "ExchangeCertificate.Services of the router": (x("ExchangeCertificate", "cas1.proseware.example", "Services", ["UM"], "Server"), ["5/exchange-call-router-cas1.proseware.example: ~ certificate cas1.proseware.example: to be enabled for UMCallRouter"]),
    "Service.Status": (on("exchange", "Service", "Server", MBX, lambda held, each: each.update(Status="Stopped") if each["Name"] == "MSExchangeUM" else None), [f"5/exchange-um-service-{MBX}: ~ service MSExchangeUM on {MBX}: Stopped -> Running"]),
    # Exchange: the organization
    "UMDialPlan.URIType": (x("UMDialPlan", "Main", "URIType", "E164"), ["3/exchange-dial-plans: ~ UM dial plan Main: uri_type E164 -> SipName"]),
    "UMDialPlan.NumberOfDigitsInExtension": (x("UMDialPlan", "Main", "NumberOfDigitsInExtension", 5), ["3/exchange-dial-plans: ~ UM dial plan Main: extension_digits 5 -> 4"]),
    "UMDialPlan.VoIPSecurity": (x("UMDialPlan", "Main", "VoIPSecurity", "SIPSecured"), ["4/exchange-security: ~ UM dial plan Main: voip_security SIPSecured -> Secured"]),
    "UMDialPlan.PhoneContext": (x("UMDialPlan", "Main", "PhoneContext", "Main.old.example"), ["3/exchange-dial-plans: ~ UM dial plan Main: phone_context Main.old.example -> Main.proseware.example"]),
    "UMDialPlan.AccessTelephoneNumbers": (x("UMDialPlan", "Main", "AccessTelephoneNumbers", ["+442075550199"]), ["3/exchange-dial-plans: ~ UM dial plan Main: access_numbers +" + "+442075550100 -+442075550199"]),
    "UMDialPlan.CountryOrRegionCode": (x("UMDialPlan", "Main", "CountryOrRegionCode", None), ["3/exchange-dial-plans: ~ UM dial plan Main: country_code - -> 44"]),
    "UMDialPlan.DefaultLanguage": (x("UMDialPlan", "Main", "DefaultLanguage", "fr-FR"), ["3/exchange-dial-plans: ~ UM dial plan Main: language fr-FR -> en-US"]),
    "UMDialPlan.OperatorExtension": (x("UMDialPlan", "Main", "OperatorExtension", "9"), ["3/exchange-dial-plans: ~ UM dial plan Main: operator_extension 9 -> 4100"]),
    "UMDialPlan.MaxCallDuration": (x("UMDialPlan", "Main", "MaxCallDuration", "60"), ["3/exchange-dial-plans: ~ UM dial plan Main: max_call_duration_min 60 -> 30"]),
    "UMDialPlan.MaxRecordingDuration": (x("UMDialPlan", "Main", "MaxRecordingDuration", 10), ["3/exchange-dial-plans: ~ UM dial plan Main: max_recording_duration_min 10 -> 20"]),
    "UMDialPlan.RecordingIdleTimeout": (x("UMDialPlan", "Main", "RecordingIdleTimeout", 10), ["3/exchange-dial-plans: ~ UM dial plan Main: recording_idle_timeout_s 10 -> 5"]),
    "UMDialPlan": (gone("exchange", "UMDialPlan", "Name", "Lobby"), ["3/exchange-dial-plans: + UM dial plan Lobby: phone_context Lobby.proseware.example, uri_type TelExtn, voip_security Unsecured, extension_digits 3, country_code 1"]),
    "UMMailboxPolicy": (gone("exchange", "UMMailboxPolicy", "Name", "Main Default Policy"), ["3/exchange-mailbox-policies: + UM mailbox policy Main Default Policy: dial_plan Main"]),
    "UMMailboxPolicy.UMDialPlan": (x("UMMailboxPolicy", "Main Default Policy", "UMDialPlan", "Lobby"), ["3/exchange-mailbox-policies: ~ UM mailbox policy Main Default Policy: dial_plan Lobby -> Main"]),
    "UMMailboxPolicy.MinPINLength": (x("UMMailboxPolicy", "Strict", "MinPINLength", 6), ["3/exchange-mailbox-policies: ~ UM mailbox policy Strict: min_pin_length 6 -> 8"]),
    "UMMailboxPolicy.PINLifetime": (x("UMMailboxPolicy", "Strict", "PINLifetime", "Unlimited"), ["3/exchange-mailbox-policies: ~ UM mailbox policy Strict: pin_lifetime_days Unlimited -> 60"]),
    "UMMailboxPolicy.PINHistoryCount": (x("UMMailboxPolicy", "Strict", "PINHistoryCount", 3), ["3/exchange-mailbox-policies: ~ UM mailbox policy Strict: pin_history_count 3 -> 5"]),
    "UMMailboxPolicy.MaxLogonAttempts": (x("UMMailboxPolicy", "Strict", "MaxLogonAttempts", "10"), ["3/exchange-mailbox-policies: ~ UM mailbox policy Strict: max_logon_attempts 10 -> 15"]),
    "UMMailboxPolicy.LogonFailuresBeforePINReset": (x("UMMailboxPolicy", "Strict", "LogonFailuresBeforePINReset", "4"), ["3/exchange-mailbox-policies: ~ UM mailbox policy Strict: logon_failures_before_pin_reset 4 -> 5"]),
    "UMMailboxPolicy.AllowMissedCallNotifications": (x("UMMailboxPolicy", "Strict", "AllowMissedCallNotifications", False), ["3/exchange-mailbox-policies: ~ UM mailbox policy Strict: allow_missed_call_notifications False -> True"]),
    "UMMailboxPolicy.AllowMessageWaitingIndicator": (x("UMMailboxPolicy", "Strict", "AllowMessageWaitingIndicator", False), ["3/exchange-mailbox-policies: ~ UM mailbox policy Strict: allow_message_waiting_indicator False -> True"]),
    "UMMailboxPolicy.UMEnabledText": (x("UMMailboxPolicy", "Strict", "UMEnabledText", "welcome"), ["3/exchange-mailbox-policies: ~ UM mailbox policy Strict: um_enabled_text welcome -> Welcome"]),
    "UMMailboxPolicy.VoiceMailText": (x("UMMailboxPolicy", "Strict", "VoiceMailText", None), ["3/exchange-mailbox-policies: ~ UM mailbox policy Strict: voice_mail_text - -> Listen"]),
    "UMAutoAttendant": (gone("exchange", "UMAutoAttendant", "Name", "Reception"), ["3/exchange-auto-attendants: + UM auto attendant Reception: dial_plan Main, pilot_identifiers +442075550101, enabled True, speech_enabled True"]),
    "UMAutoAttendant.UMDialPlan": (x("UMAutoAttendant", "Reception", "UMDialPlan", "Lobby"), ["3/exchange-auto-attendants: ~ UM auto attendant Reception: dial_plan Lobby -> Main"]),
    "UMAutoAttendant.PilotIdentifierList": (x("UMAutoAttendant", "Reception", "PilotIdentifierList", []), ["3/exchange-auto-attendants: ~ UM auto attendant Reception: pilot_identifiers +" + "+442075550101"]),
    "UMAutoAttendant.Status": (x("UMAutoAttendant", "Reception", "Status", "Disabled"), ["3/exchange-auto-attendants: ~ UM auto attendant Reception: enabled False -> True"]),
    "UMAutoAttendant.SpeechEnabled": (x("UMAutoAttendant", "Reception", "SpeechEnabled", False), ["3/exchange-auto-attendants: ~ UM auto attendant Reception: speech_enabled False -> True"]),
    "UMAutoAttendant.Language": (x("UMAutoAttendant", "Reception", "Language", "de-DE"), ["3/exchange-auto-attendants: ~ UM auto attendant Reception: language de-DE -> en-US"]),
    "UMIPGateway.Port": (x("UMIPGateway", LOBBY, "Port", 5060), ["7/exchange-exchucutil: ~ UM IP gateway 1:pool01: port 5060 -> 5061"]),
    "UMIPGateway.OutcallsAllowed off": (x("UMIPGateway", LOBBY, "OutcallsAllowed", False), ["7/exchange-exchucutil: ~ UM IP gateway 1:pool01: outcalls_allowed False -> True"]),
    "UMIPGateway.OutcallsAllowed": (x("UMIPGateway", "1:sba01", "OutcallsAllowed", True), ["7/exchange-exchucutil: ~ UM IP gateway 1:sba01: outcalls_allowed True -> False"]),
    "UMIPGateway.OutcallsAllowed of a plain one": (x("UMIPGateway", "PBX", "OutcallsAllowed", True), ["3/exchange-plain-gateways: ~ UM IP gateway PBX: outcalls_allowed True -> False"]),
    "UMIPGateway.Status": (x("UMIPGateway", "1:se01", "Status", "NoNewCalls"), ["7/exchange-exchucutil: ~ UM IP gateway 1:se01: status NoNewCalls -> Enabled"]),
    "UMIPGateway.Address": (x("UMIPGateway", "PBX", "Address", "192.0.2.9"), ["3/exchange-plain-gateways: ~ UM IP gateway PBX: address 192.0.2.9 -> 192.0.2.1"]),
    "UMHuntGroup": (on("exchange", "UMHuntGroup", "UMIPGateway", "1:dir01", lambda held, each: held.remove(each)), ["7/exchange-exchucutil: + UM hunt group Main: at 1:dir01, dial_plan Main, pilot_identifier Main"]),
    "UMHuntGroup.PilotIdentifier": (x("UMHuntGroup", "1:dir01", "PilotIdentifier", "other", "UMIPGateway"), ["7/exchange-exchucutil: ~ UM hunt group Main: at 1:dir01, pilot_identifier other -> Main"]),
    "UMHuntGroup.PilotIdentifier of a plain one": (x("UMHuntGroup", "PBX", "PilotIdentifier", "6000", "UMIPGateway"), ["3/exchange-plain-gateways: ~ UM hunt group Lobby: at PBX, pilot_identifier 6000 -> 5000"]),
    "UMHuntGroup.UMDialPlan": (x("UMHuntGroup", "PBX", "UMDialPlan", "Main", "UMIPGateway"), ["3/exchange-plain-gateways: + UM hunt group Lobby: at PBX, dial_plan Lobby, pilot_identifier 5000"]),
    "ADPermission.AccessRights": (on("exchange", "ADPermission", "Container", "Servers", lambda held, each: each.update(AccessRights=["ListChildren"]) if "Component" in each["User"] else None), ["7/exchange-exchucutil: + permission Servers: RTCComponentUniversalServices ReadProperty"]),
    "ADPermission.Deny": (on("exchange", "ADPermission", "Container", "Organization", lambda held, each: each.update(Deny=True) if "Component" in each["User"] else None), ["7/exchange-exchucutil: + permission Organization: RTCComponentUniversalServices ListChildren"]),
    "ADPermission.User": (on("exchange", "ADPermission", "Container", "UM IPGateway Container", lambda held, each: each.update(User="LITWARE\\Someone") if "Component" in each["User"] else None), ["7/exchange-exchucutil: + permission UM IPGateway Container: RTCComponentUniversalServices ListChildren+ReadProperty"]),
    "UMMailbox": (gone("exchange", "UMMailbox", "PrimarySmtpAddress", ALICE), [f"11/exchange-um-users: + UM mailbox {ALICE}: um_mailbox_policy Main Default Policy, extension 4101"]),
    "UMMailbox.UMMailboxPolicy": (x("UMMailbox", ALICE, "UMMailboxPolicy", "Strict", "PrimarySmtpAddress"), [f"11/exchange-um-users: ~ UM mailbox {ALICE}: um_mailbox_policy Strict -> Main Default Policy"]),
    "UMMailbox.Extensions": (x("UMMailbox", ALICE, "Extensions", ["4199"], "PrimarySmtpAddress"), [f"11/exchange-um-users: ~ UM mailbox {ALICE}: extensions +4101 -4199"]),
    "UMMailbox.EmailAddresses": (x("UMMailbox", ALICE, "EmailAddresses", [f"EUM:4101;{MAIN_CONTEXT}"], "PrimarySmtpAddress"), [f"6/exchange-eum-addresses: + EUM address {ALICE}: EUM:alice@litware.example;{MAIN_CONTEXT}"]),
    # Lync: servers
    "CsPool": (gone("lync", "CsPool", "Fqdn", "sba01.litware.example"), ["0/lync-pools: + voice pool sba01.litware.example: pool_type Branch, servers sba01.litware.example"]),
    "CsPool.Computers": (v("CsPool", POOL, "Computers", ["fe01.litware.example"], "Fqdn"), [f"0/lync-pools: ~ voice pool {POOL}: servers +fe02.litware.example"]),
    "CsService.Version": (v("CsService", "se01.litware.example", "Version", 5, "PoolFqdn"), ["0/lync-pools: ~ voice pool se01.litware.example: version 2010 -> 2013"]),
    "CsMediaConfiguration.EncryptionLevel": (v("CsMediaConfiguration", "Global", "EncryptionLevel", "SupportEncryption"), [f"4/lync-media: ~ voice pool {name}.litware.example: media_encryption SupportEncryption -> RequireEncryption" for name in ("pool01", "se01", "dir01", "sba01")]),
    "CsMediaConfiguration of a site": (on("lync", "CsMediaConfiguration", "Identity", "Global", lambda held, each: held.append({"Identity": "Site:Redmond", "EncryptionLevel": "SupportEncryption"})), [f"4/lync-media: ~ voice pool {name}.litware.example: media_encryption SupportEncryption -> RequireEncryption" for name in ("pool01", "se01", "dir01", "sba01")]),
    "CsMediaConfiguration of a Mediation Server": (on("lync", "CsMediaConfiguration", "Identity", "Global", lambda held, each: held.append({"Identity": f"Service:MediationServer:{POOL}", "EncryptionLevel": "SupportEncryption"})), [f"4/lync-media: ~ voice pool {POOL}: media_encryption of its Mediation Server SupportEncryption -> RequireEncryption"]),
    "CsPool.Services": (on("lync", "CsPool", "Fqdn", "se01.litware.example", lambda held, each: each.update(Services=["Registrar:se01.litware.example", "UserServer:se01.litware.example"])), []),
    "CsService.Role": (lambda members: [without_mediation(members, "se01.litware.example")], ["0/lync-pools: + Mediation Server se01.litware.example"]),
    "CsCertificate.NotAfter": (v("CsCertificate", "fe02.litware.example", "NotAfter", PAST, "Server"), [f"2/lync-certificates-{POOL}: ~ certificate fe02.litware.example: ended 2026-11-01"]),
    "CsCertificate.Subject": (v("CsCertificate", "fe02.litware.example", "Subject", "CN=fe02.litware.example", "Server"), [f"2/lync-certificates-{POOL}: ~ certificate fe02.litware.example: subject CN=fe02.litware.example -> CN={POOL}"]),
    "CsCertificate.AlternativeNames": (v("CsCertificate", "fe02.litware.example", "AlternativeNames", [POOL], "Server"), [f"2/lync-certificates-{POOL}: ~ certificate fe02.litware.example: subject alternative name lacks fe02.litware.example"]),
    "CsCertificate.Issuer": (v("CsCertificate", "fe02.litware.example", "Issuer", f"CN={POOL}", "Server"), [f"2/lync-certificates-{POOL}: ~ certificate fe02.litware.example: self-signed"]),
    "CsCertificate.Use": (v("CsCertificate", "fe02.litware.example", "Use", "WebServicesInternal", "Server"), [f"2/lync-certificates-{POOL}: + certificate fe02.litware.example: none is assigned for Default"]),
    "Service of lync": (on("lync", "Service", "Server", "fe02.litware.example", lambda held, each: each.update(Status="Stopped") if each["Name"] == "RTCSRV" else None), ["7/lync-front-end: ~ service RTCSRV on fe02.litware.example: Stopped -> Running"]),
    "Trust.Direction": (put("exchange", "Trust", "Source", "proseware.example", "Direction", "Inbound"), ["0/exchange-preconditions: ~ trust litware.example: proseware.example trusts litware.example"]),
    "Trust": (gone("exchange", "Trust", "Source", "proseware.example"), ["0/exchange-preconditions: + trust litware.example: proseware.example trusts litware.example, litware.example trusts proseware.example"]),
    "GroupMember": (gone("exchange", "GroupMember", "Group", "UM Management"), ["0/exchange-preconditions: + group UM Management"]),
    # Lync: voice
    "CsPstnUsage.Usage": (lambda members: members["objects"].get("CsPstnUsage", [{}])[0].update(Usage=["Local"]), ["10/lync-voice: + PSTN usage Abroad"]),
    "CsDialPlan": (gone("lync", "CsDialPlan", "Identity", "Tag:Staff"), ["8/lync-dial-plans: + voice dial plan Staff: simple_name Staff"]),
    "CsDialPlan.SimpleName": (v("CsDialPlan", "Tag:Staff", "SimpleName", "Other"), ["8/lync-dial-plans: ~ voice dial plan Staff: simple_name Other -> Staff"]),
    "CsDialPlan.NormalizationRules": (v("CsDialPlan", "Global", "NormalizationRules", [{"Name": "Ext", "Pattern": r"^(\d{4})$", "Translation": "$1", "IsInternalExtension": True}]), [r"8/lync-dial-plans: ~ voice dial plan Global: rules +(Ext ^(\d{4})$ +44207555$1 True) -(Ext ^(\d{4})$ $1 True)"]),
    "CsVoicePolicy": (gone("lync", "CsVoicePolicy", "Identity", "Tag:Sales"), ["10/lync-voice: + voice policy Sales: pstn_usages Local, Abroad"]),
    "CsVoicePolicy.PstnUsages": (v("CsVoicePolicy", "Tag:Sales", "PstnUsages", ["Abroad", "Local"]), ["10/lync-voice: ~ voice policy Sales: pstn_usages Abroad, Local -> Local, Abroad"]),
    "CsVoicePolicy.AllowCallForwarding": (v("CsVoicePolicy", "Global", "AllowCallForwarding", False), ["10/lync-voice: ~ voice policy Global: allow_call_forwarding False -> True"]),
    "CsVoicePolicy.AllowSimulRing": (v("CsVoicePolicy", "Global", "AllowSimulRing", False), ["10/lync-voice: ~ voice policy Global: allow_simul_ring False -> True"]),
    "CsVoicePolicy.EnableCallTransfer": (v("CsVoicePolicy", "Global", "EnableCallTransfer", False), ["10/lync-voice: ~ voice policy Global: enable_call_transfer False -> True"]),
    "CsVoiceRoute": (gone("lync", "CsVoiceRoute", "Identity", "World"), ["10/lync-voice: + voice route World: number_pattern ^\\+, priority 1, pstn_usages Abroad, pstn_gateways gw1.litware.example"]),
    "CsVoiceRoute.NumberPattern": (v("CsVoiceRoute", "UK", "NumberPattern", "^x"), [r"10/lync-voice: ~ voice route UK: number_pattern ^x -> ^\+44"]),
    "CsVoiceRoute.PstnUsages": (v("CsVoiceRoute", "UK", "PstnUsages", []), ["10/lync-voice: ~ voice route UK: pstn_usages +Local"]),
    "CsVoiceRoute.PstnGatewayList": (v("CsVoiceRoute", "UK", "PstnGatewayList", ["PstnGateway:gw9.litware.example"]), ["10/lync-voice: ~ voice route UK: pstn_gateways +gw1.litware.example -gw9.litware.example"]),
    "CsVoiceRoute.Priority": (v("CsVoiceRoute", "UK", "Priority", 9), ["10/lync-voice: ~ voice route UK: order 2 -> 1", "10/lync-voice: ~ voice route World: order 1 -> 2"]),
    "PstnGateway": (gone("lync", "PstnGateway", "PoolFqdn", "gw1.litware.example"), [f"10/lync-voice: + PSTN gateway gw1.litware.example: pool {POOL}"]),
    "PstnGateway.MediationServer": (v("PstnGateway", "gw1.litware.example", "MediationServer", "MediationServer:se01.litware.example", "PoolFqdn"), [f"10/lync-voice: ~ PSTN gateway gw1.litware.example: pool se01.litware.example -> {POOL}"]),
    "PstnGateway.Port": (v("PstnGateway", "gw1.litware.example", "Port", 5068, "PoolFqdn"), ["10/lync-voice: ~ PSTN gateway gw1.litware.example: port 5068 -> 5067"]),
    # Lync: people
    "CsUser.SipAddress": (v("CsUser", "alice", "SipAddress", "sip:a@litware.example", "SamAccountName"), ["6/lync-sip-addresses: ~ user alice: sip_address sip:a@litware.example -> sip:alice@litware.example"]),
    "CsUser.RegistrarPool": (v("CsUser", "alice", "RegistrarPool", "se01.litware.example", "SamAccountName"), [f"0/lync-users: ~ user alice: home_pool se01.litware.example -> {POOL}"]),
    "CsUser.EnterpriseVoiceEnabled": (v("CsUser", "alice", "EnterpriseVoiceEnabled", False, "SamAccountName"), ["10/lync-users: ~ user alice: enterprise_voice False -> True"]),
    "CsUser.LineURI": (v("CsUser", "alice", "LineURI", None, "SamAccountName"), ["10/lync-users: ~ user alice: line_uri - -> tel:+442075554101"]),
    "CsUser.DialPlan": (v("CsUser", "alice", "DialPlan", None, "SamAccountName"), ["10/lync-users: ~ user alice: voice_dial_plan - -> Staff"]),
    "CsUser.VoicePolicy": (v("CsUser", "alice", "VoicePolicy", "Tag:Other", "SamAccountName"), ["10/lync-users: ~ user alice: voice_policy Other -> Sales"]),
    "UMContact.DisplayName": (v("UMContact", "sip:um-main@litware.example", "DisplayName", "Voice mail", "SipAddress"), ["9/lync-contacts: ~ contact Main SA: display_name Voice mail -> Main SA"]),
    "UMContact.LineURI": (v("UMContact", "sip:um-main@litware.example", "LineURI", "tel:+1", "SipAddress"), ["9/lync-contacts: ~ contact Main SA: line_uri tel:+1 -> tel:+442075550100"]),
    "UMContact.RegistrarPool": (v("UMContact", "sip:um-main@litware.example", "RegistrarPool", "se01.litware.example", "SipAddress"), [f"9/lync-contacts: ~ contact Main SA: home_pool se01.litware.example -> {POOL}"]),
    "UMContact.DistinguishedName": (v("UMContact", "sip:um-main@litware.example", "DistinguishedName", "CN=a,OU=Old,DC=litware,DC=example", "SipAddress"), ["9/lync-contacts: ~ contact Main SA: container OU=Old,DC=litware,DC=example -> OU=UM,DC=litware,DC=example"]),
    "UMContact": (gone("lync", "UMContact", "SipAddress", "sip:um-aa@litware.example"), ["9/lync-contacts: + contact Main AA: +442075550101, um-aa@litware.example, Reception, OU=UM,DC=litware,DC=example"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_changed_object_is_shown_as_exactly_that_difference(name: str, declared: m.Organization) -> None:
    edit, expected = CASES[name]
    results = copy.deepcopy(observed.results(declared))
    for members in results.values():
        edit(members)
    assert results != observed.results(declared)
    assert changes(judged(declared, results)) == expected


NOT_DECLARED = {
    "OrganizationConfig": "the file names the organization, which may have another name in Exchange; the DN is checked by 'observe'",
    "ExchangeServer.Site": "sites are not declared",
    "UMServer": "of 2007 and 2010: test_the_um_role_of_2010_is_compared_too",
    "ExchangeCertificate": "the rest of a certificate's properties tell who issued it and when",
    "UMIPGateway.Name": "a pool's gateway is known by its address",
    "UMIPGateway.MessageWaitingIndicatorAllowed": "kept as an administrator set it (process.md, rulings)",
    "UMHuntGroup.Name": "a hunt group is known by gateway and dial plan",
    "ADPermission.IsInherited": "a right counts wherever it stands",
    "Service": "names, and the start times that test_the_front_end_service... looks at",
    "CsSite": "sites are not declared",
    "CsPool.Site": "sites are not declared; the media configuration is found by it",
    "CsService.SiteId": "sites are not declared",
    "CsCertificate": "as of Exchange",
    "CsUser.UserPrincipalName": "not declared",
    "CsUser.DisplayName": "not a matter of the process",
    "UMContact.OtherIpPhone": "its form is not public (docs/adr/0004)",
    "Trust": "names of forests",
    "GroupMember.Members": "who holds roles is read from the directory",
    "GroupMember.WellKnown": "another name of the group",
}
"""What no step asks for, and why."""


def test_every_property_of_every_section_is_compared_or_said_not_to_be() -> None:
    tried = {name.partition(" ")[0] for name in CASES}
    known = tried | set(NOT_DECLARED)
    keys = {"Name", "Fqdn", "Identity", "Server", "PrimarySmtpAddress", "SamAccountName", "SipAddress", "PoolFqdn"}
    keys |= {"Container", "Group", "UMIPGateway", "Role"}
    for side, sections in SECTIONS.items():
        for section, properties in sections.items():
            for prop in set(properties) - keys:
                assert f"{section}.{prop}" in known or section in NOT_DECLARED, (side, section, prop)


# What else decides


def edited(org: m.Organization, edit: Edit) -> Results:
    results = copy.deepcopy(observed.results(org))
    for members in results.values():
        edit(members)
    return results


OF_2010 = {
    "DialPlans": (["Lobby"], "dial_plans +Main"),
    "UMStartupMode": ("TCP", "startup_mode TCP -> Dual"),
    "Status": ("NoNewCalls", "status NoNewCalls -> Enabled"),
}


@pytest.mark.parametrize("prop", OF_2010)
def test_the_um_role_of_2010_is_compared_too(prop: str, tmp_path: Path) -> None:
    org = organization(tmp_path, DEPLOYMENTS["2010 SP3"])
    value, detail = OF_2010[prop]
    found = judged(org, edited(org, x("UMServer", "ex0.proseware.example", prop, value, "Fqdn")))
    name = "ex0.proseware.example"
    assert changes(found) == [f"5/exchange-um-service-{name}: ~ messaging server {name}: {detail}"]


def test_names_are_equal_whatever_their_case(declared: m.Organization) -> None:
    keys = {
        "Name",
        "UMDialPlan",
        "UMIPGateway",
        "DialPlans",
        "Fqdn",
        "Server",
        "PilotIdentifier",
        "URIType",
        "VoIPSecurity",
        "PrimarySmtpAddress",
    }
    keys |= {
        "UMMailboxPolicy",
        "Identity",
        "PoolFqdn",
        "RegistrarPool",
        "SipAddress",
        "PstnUsages",
        "Usage",
        "PstnGatewayList",
        "MediationServer",
        "Computers",
    }

    def shout(members: observed.Members) -> None:
        for section, held in members["objects"].items():
            for each in held:
                for key in keys & set(each) - ({"Identity"} if section == "CsMediaConfiguration" else set()):
                    value = each[key]
                    each[key] = [one.upper() for one in value] if isinstance(value, list) else value.upper()

    results = edited(declared, shout)
    assert results != observed.results(declared)
    assert changes(judged(declared, results)) == []


def test_a_text_is_not_equal_in_another_case(declared: m.Organization) -> None:
    found = judged(declared, edited(declared, x("UMMailboxPolicy", "Strict", "VoiceMailText", "LISTEN")))
    assert [change.rpartition(": ")[2] for change in changes(found)] == ["voice_mail_text LISTEN -> Listen"]


def test_a_server_where_no_collector_ran_leaves_its_certificate_unknown(declared: m.Organization) -> None:
    results = observed.results(declared)
    del results["lync-fe02.litware.example"]
    found = judged(declared, results)[f"2/lync-certificates-{POOL}"]
    assert found.outcome is StepOutcome.UNREADABLE
    assert found.why == ("CsCertificate: nothing of fe02.litware.example: run the collector there",)


def test_what_two_shells_say_of_one_forest_is_put_together(tmp_path: Path) -> None:
    org = organization(tmp_path, DEPLOYMENTS["2007 and 2013"])
    results = observed.results(org)
    old = [name for name, members in results.items() if members["shell"] == "exchange-2007"]
    for name in old:
        # 2007's shell was asked later, and cannot read what only newer ones have.
        results[name]["ended"] = observed.stamp(observed.AT + timedelta(minutes=10))
    assert changes(judged(org, results)) == []
    for name in old:
        del results[name]
    unknown = {id_ for id_, outcome in outcomes(judged(org, results)).items() if outcome is StepOutcome.UNREADABLE}
    assert {f"5/exchange-um-service-ex{n}.proseware.example" for n in (0, 1)} <= unknown
    assert not any("ex2" in id_ or "ex3" in id_ for id_ in unknown)


def test_2007_alone_is_not_asked_for_what_it_does_not_have(tmp_path: Path) -> None:
    org = organization(tmp_path, DEPLOYMENTS["2007 SP3"])
    results = observed.results(org)
    for members in results.values():
        for plan in members["objects"].get("UMDialPlan", []):
            assert "CountryOrRegionCode" not in plan
    assert changes(judged(org, results)) == []


FRONT_END = "7/lync-front-end"


def test_the_front_end_service_has_to_be_started_after_exchucutil(declared: m.Organization) -> None:
    before = stamp = observed.stamp(observed.AT - timedelta(minutes=1))
    start = on("lync", "Service", "Server", "fe01.litware.example", lambda held, each: each.update(StartTime=stamp))
    found = judged(declared, edited(declared, start))[FRONT_END]
    assert found.outcome is StepOutcome.NOT_OBSERVABLE and before[:10] in found.why[0]
    step = next(id_ for id_ in judged(declared, {}) if id_.startswith("7/exchange-exchucutil"))
    confirmed = {step: observed.AT - timedelta(days=1)}
    # Somebody said a day earlier that exchucutil was run: then the restart came after it.
    assert judged(declared, edited(declared, start), confirmed)[FRONT_END].outcome is StepOutcome.AS_DECLARED


def test_dual_is_enough_where_every_dial_plan_is_secured(tmp_path: Path) -> None:
    org = organization(tmp_path, variant(*only_secured()))
    assert changes(judged(org, edited(org, x("UMService", MBX, "UMStartupMode", "Dual", "Fqdn")))) == []
    wrong = judged(org, edited(org, x("UMService", MBX, "UMStartupMode", "TCP", "Fqdn")))
    assert [change.rpartition(": ")[2] for change in changes(wrong)] == ["startup_mode TCP -> TLS"]


def test_outgoing_calls_stay_on_one_gateway_of_several(declared: m.Organization) -> None:
    found = judged(declared, edited(declared, x("UMIPGateway", "1:se01", "OutcallsAllowed", True)))
    # pool01 and se01 have a user each: the first by name keeps them.
    assert changes(found) == ["7/exchange-exchucutil: ~ UM IP gateway 1:se01: outcalls_allowed True -> False"]


def test_other_rules_may_follow_the_declared_ones_and_are_named_by_drift(declared: m.Organization) -> None:
    other = {"Name": "Old", "Pattern": r"^9(\d+)$", "Translation": "$1", "IsInternalExtension": False}

    def behind(held: list[Any], each: dict[str, Any]) -> None:
        each["NormalizationRules"] = [*each["NormalizationRules"], other]

    def before(held: list[Any], each: dict[str, Any]) -> None:
        each["NormalizationRules"] = [other, *each["NormalizationRules"]]

    results = edited(declared, on("lync", "CsDialPlan", "Identity", "Global", behind))
    assert changes(judged(declared, results)) == []
    everything = by_side_and_forest([read_observation(observed.sealed(each)) for each in results.values()])
    assert list(undeclared(declared, everything)) == [(8, "normalization rule", "Global/Old")]
    shadowed = judged(declared, edited(declared, on("lync", "CsDialPlan", "Identity", "Global", before)))
    assert len(changes(shadowed)) == 1 and "rules -(Old" in changes(shadowed)[0]


def test_a_pool_needs_a_dial_plan_with_a_rule(declared: m.Organization) -> None:
    def own(held: list[Any], each: dict[str, Any]) -> None:
        held.append({"Identity": "Registrar:se01.litware.example", "SimpleName": "Own", "NormalizationRules": []})

    found = judged(declared, edited(declared, on("lync", "CsDialPlan", "Identity", "Global", own)))
    assert changes(found) == [
        "8/lync-dial-plans: ~ voice dial plan Registrar:se01.litware.example: no normalization rule, for se01.litware.example"
    ]


def test_what_is_not_declared_and_no_step_changes_is_no_difference(declared: m.Organization) -> None:
    assert changes(judged(declared, edited(declared, x("UMDialPlan", "Lobby", "OperatorExtension", "9")))) == []
    granted = edited(declared, v("CsUser", "bob", "DialPlan", "Tag:Staff", "SamAccountName"))
    assert changes(judged(declared, granted)) == []


def test_everything_that_is_there_is_declared(declared: m.Organization) -> None:
    results = observed.results(declared)
    everything = by_side_and_forest([read_observation(observed.sealed(each)) for each in results.values()])
    assert list(undeclared(declared, everything)) == []


def test_a_property_that_a_collector_should_have_read_and_did_not_is_unknown(declared: m.Organization) -> None:
    found = judged(declared, edited(declared, x("UMIPGateway", LOBBY, "Port", None)))
    assert outcomes(found)["7/exchange-exchucutil"] is StepOutcome.UNREADABLE
    assert found["7/exchange-exchucutil"].why == ("UM IP gateway 1:pool01: Port was not read",)


def test_nothing_that_was_not_seen_is_as_declared(declared: m.Organization) -> None:
    found = judged(declared, {})
    assert StepOutcome.AS_DECLARED not in {each.outcome for each in found.values()}


# Import


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_file_that_is_imported_from_observations_has_no_difference_to_them(name: str, tmp_path: Path) -> None:
    org = organization(tmp_path, DEPLOYMENTS[name])
    results = observed.results(org)
    sections, notes = imported([read_observation(observed.sealed(each)) for each in results.values()])
    path = tmp_path / "imported.yaml"
    path.write_text(observed_text(sections, notes), encoding="utf-8")
    again = require_organization(path)
    found = judged(again, results)
    assert changes(found) == []
    assert set(outcomes(found).values()) <= {StepOutcome.NOT_OBSERVABLE}


def test_an_import_tells_what_the_deployment_is(declared: m.Organization, tmp_path: Path) -> None:
    results = observed.results(declared)
    sections, notes = imported([read_observation(observed.sealed(each)) for each in results.values()])
    path = tmp_path / "organization.yaml"
    path.write_text(observed_text(sections, notes), encoding="utf-8")
    again = require_organization(path)
    assert again.name == "Contoso" and again.um_dial_plans == declared.um_dial_plans
    assert again.messaging_servers == declared.messaging_servers
    assert again.voice_pools == declared.voice_pools
    assert again.um_mailbox_policies == declared.um_mailbox_policies
    assert again.um_ip_gateways == declared.um_ip_gateways
    assert again.um_auto_attendants == declared.um_auto_attendants
    assert again.voice_dial_plans == declared.voice_dial_plans and again.voice_policies == declared.voice_policies
    assert again.voice_routes == declared.voice_routes and again.pstn_gateways == declared.pstn_gateways
    assert again.contacts == declared.contacts
    # OUs are not observed, and said to be assumed.
    assumed = "CN=Users,DC=litware,DC=example"
    assert again.users == tuple(dataclasses.replace(user, ou=assumed) for user in declared.users)
    assert "users: their OUs are not observed; CN=Users is assumed" in notes
    assert {each.name: each.trusts for each in again.forests} == {each.name: each.trusts for each in declared.forests}
    assert {(each.account, each.forest) for each in again.administrators} >= {
        ("maria", ""),
        ("victor", "litware.example"),
    }


def test_an_import_says_what_it_leaves_out(declared: m.Organization) -> None:
    def edit(members: observed.Members) -> None:
        objects = members["objects"]
        if members["side"] == "exchange":
            server = {
                "Fqdn": "new.proseware.example",
                "AdminDisplayVersion": "Version 15.2 (Build 986.5)",
                "ServerRole": ["Mailbox"],
            }
            objects["ExchangeServer"].append(server)
            objects["UMIPGateway"].append({"Name": "Old", "Address": "192.0.2.77"})
        else:
            objects["UMContact"][0]["LineURI"] = "tel:+15550000"

    results = edited(declared, edit)
    _, notes = imported([read_observation(observed.sealed(each)) for each in results.values()])
    said = "\n".join(notes)
    assert "Exchange server new.proseware.example: Version 15.2 (Build 986.5), roles Mailbox: left out" in said
    assert "UM IP gateway Old (192.0.2.77): 0 hunt groups, one is expected: left out" in said
    assert "contact Main SA: its number +15550000 is none of UM's: left out" in said


# The fake, held against what was written by hand from Microsoft's documentation

BY_HAND = Path(__file__).parents[1] / "vectors" / "observations"


def shape(value: object) -> str:
    """What JSON calls a value: a number may also be the text that a cmdlet prints for it."""
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, list):
        return "array"
    return "text or number" if isinstance(value, str | int) else type(value).__name__


def shapes(results: Iterable[observed.Members]) -> dict[tuple[str, str, str], set[str]]:
    """The shapes of each property of each section of each side that is ever there."""
    out: dict[tuple[str, str, str], set[str]] = {}
    for members in results:
        for section, held in members["objects"].items():
            for name, value in ((n, v) for each in held for n, v in each.items() if v is not None):
                out.setdefault((members["side"], section, name), set()).add(shape(value))
    return out


def test_the_fake_exports_what_the_vectors_that_were_written_by_hand_hold(tmp_path: Path) -> None:
    by_hand = [json.loads(path.read_bytes()) for path in sorted(BY_HAND.rglob("*.json"))]
    made = [
        members
        for number, text in enumerate(DEPLOYMENTS.values())
        for members in observed.results(organization(_folder(tmp_path, number), text)).values()
    ]
    fake, real = shapes(made), shapes(each for each in by_hand if each.get("format") == "tandem-observation")
    documented = {
        (side, section, name) for side, all_ in SECTIONS.items() for section, names in all_.items() for name in names
    }
    assert set(fake) <= documented
    # Every property that a vector has is one that the fake has, in the same form.
    assert {key: form for key, form in real.items() if fake.get(key) != form and key in documented} == {}


def _folder(above: Path, number: int) -> Path:
    folder = above / str(number)
    folder.mkdir()
    return folder


def test_lync_may_write_service_before_the_dial_plan_of_a_pool(declared: m.Organization) -> None:
    own = m.DeclaredVoiceDialPlan(identity="Registrar:se01.litware.example", simple_name="Se01")
    org = dataclasses.replace(declared, voice_dial_plans=(*declared.voice_dial_plans, own))
    found = judged(org, edited(org, v("CsDialPlan", own.identity, "Identity", f"Service:{own.identity}")))
    assert changes(found) == []


def test_lync_2010_does_not_say_which_mediation_server_a_gateway_has(declared: m.Organization) -> None:
    pools = tuple(dataclasses.replace(pool, version="2010") for pool in declared.voice_pools)
    org = dataclasses.replace(declared, voice_pools=pools)
    silent = v("PstnGateway", "gw1.litware.example", "MediationServer", None, "PoolFqdn")
    assert changes(judged(org, edited(org, silent))) == []
    assert len(changes(judged(declared, edited(declared, silent)))) == 1


def test_a_section_that_was_read_in_part_leaves_what_is_not_in_it_unknown(declared: m.Organization) -> None:
    """A collector that reaches one of two servers gives the objects of the one, and why not those of the other."""

    def edit(members: observed.Members) -> None:
        if members["side"] == "exchange":
            held = members["objects"]["Service"]
            members["objects"]["Service"] = [each for each in held if each["Server"] != MBX]
            members["unread"]["Service"] = f"{MBX}: The RPC server is unavailable."

    found = judged(declared, edited(declared, edit))
    assert changes(found) == []
    unknown = {id_: each.why for id_, each in found.items() if each.outcome is StepOutcome.UNREADABLE}
    assert list(unknown) == [f"5/exchange-um-service-{MBX}"]
    assert "The RPC server is unavailable." in unknown[f"5/exchange-um-service-{MBX}"][0]


@pytest.mark.parametrize("value", ["²:1:00", "²", "--5", "9" * 5000, "9" * 5000 + ".00:00:00", "Unlimited", "1:x:00"])
def test_a_text_that_is_no_number_is_a_difference(value: str, declared: m.Organization) -> None:
    results = copy.deepcopy(observed.results(declared))
    for members in results.values():
        for section, key in (("UMDialPlan", "MaxCallDuration"), ("CsVoiceRoute", "Priority"), ("CsService", "Version")):
            for each in members["objects"].get(section, ()):
                each[key] = value
        for each in members["objects"].get("ExchangeServer", ()):
            each["AdminDisplayVersion"] = f"Version 8.{value} (Build 1)"
    assert "3/exchange-dial-plans: ~ UM dial plan Main" in "".join(changes(judged(declared, results)))
    imported([read_observation(observed.sealed(each)) for each in results.values()])


@pytest.mark.slow
def test_thousands_of_hunt_groups_are_judged_in_linear_time(tmp_path: Path) -> None:
    tree = yaml.safe_load(TWO_FORESTS)
    main, lobby = tree["um_dial_plans"]
    tree["um_dial_plans"] = [main, *(lobby | {"name": f"Lobby{n}"} for n in range(15))]
    tree["um_ip_gateways"] = [
        {"name": f"P{n}", "um_dial_plan": f"Lobby{n // 200}", "address": f"10.0.{n // 250}.{n % 250 + 1}", "pilot_identifier": "5"}
        for n in range(3000)
    ]  # fmt: skip
    org = organization(tmp_path, yaml.safe_dump(tree))
    results = observed.results(org)
    began = time.process_time()
    assert changes(judged(org, results)) == []
    imported([read_observation(observed.sealed(each)) for each in results.values()])
    assert time.process_time() - began < 12  # it took 20 s


@pytest.mark.parametrize(("later", "seen_as_gone"), [("exchange-2013", True), ("exchange-2007", False)])
def test_what_a_later_result_of_a_later_version_has_not_seen_is_gone(
    later: str, seen_as_gone: bool, tmp_path: Path
) -> None:
    org = organization(tmp_path, DEPLOYMENTS["2007 and 2013"])
    results = observed.results(org)
    for members in results.values():
        if members["shell"] == later:
            members["ended"] = observed.stamp(NOW - timedelta(minutes=5))
            members["objects"]["UMDialPlan"] = []
    assert ("3/exchange-dial-plans" in "".join(changes(judged(org, results)))) is seen_as_gone
    for members in results.values():
        if members["shell"] == later:
            members["unread"]["UMDialPlan"] = "in part"
    assert changes(judged(org, results)) == []


def test_what_a_later_version_has_found_empty_is_not_taken_from_an_older_result(tmp_path: Path) -> None:
    org = organization(tmp_path, DEPLOYMENTS["2007 and 2013"])
    results = observed.results(org)
    for members in results.values():
        if members["shell"] == "exchange-2013":
            members["ended"] = observed.stamp(NOW - timedelta(minutes=5))
            members["objects"]["UMDialPlan"][0]["OperatorExtension"] = None
    assert "operator_extension" in "".join(changes(judged(org, results)))


def test_a_certificate_that_is_not_valid_yet_is_a_difference(declared: m.Organization) -> None:
    results = copy.deepcopy(observed.results(declared))
    for members in results.values():
        for section in ("ExchangeCertificate", "CsCertificate"):
            for each in members["objects"].get(section, ()):
                each["NotBefore"] = observed.stamp(NOW + timedelta(days=1))
    found = changes(judged(declared, results))
    assert len([each for each in found if "begins 2026-11-29" in each]) >= 6
