"""Comparing observed objects with the typed ones of :mod:`tandem.directory.objects` that are declared.

An observed object becomes the declared one with the fields that were seen in their place: where it says nothing that can
differ, they are equal. Names are equal as Exchange and Lync compare them (case does not count), numbers as numbers.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tandem.directory import objects as o
from tandem.org.vocabulary import UMStatus
from tandem.process.observing.model import ObservedObject, Value
from tandem.process.observing.seen import SeenSection, text
from tandem.process.observing.verdict import Finding, Unreadable
from tandem.process.task import Change, described, differences

T = TypeVar("T")
Read = Callable[[Value], Any]


@dataclass(frozen=True, slots=True)
class Property:
    """Where a field is in an observation: the cmdlet's property, and how it is read if its type does not say it."""

    name: str
    read: Read | None = None
    absent_in: frozenset[str] = frozenset()
    """Shells whose cmdlet has no such property."""
    exact: bool = False
    """A text or pattern, of which case counts."""


_2007 = frozenset({"exchange-2007"})


def _rules(value: Value) -> tuple[o.NormalizationRule, ...]:
    return tuple(
        o.NormalizationRule(
            name=text(rule, "Name"),
            pattern=text(rule, "Pattern"),
            translation=text(rule, "Translation"),
            is_internal_extension=bool(rule.get("IsInternalExtension", False)),
        )
        for rule in (value if isinstance(value, tuple) else ())
        if isinstance(rule, Mapping)
    )


def _without(prefix: str) -> Read:
    return lambda value: tuple(removed(str(each), prefix) for each in value) if isinstance(value, tuple) else value


def removed(value: str, prefix: str) -> str:
    """A name without its prefix, such as ``tag:``, in whatever case."""
    return value[len(prefix) :] if value.lower().startswith(prefix.lower()) else value


def bare_identity(value: Value) -> str:
    """An identity as files have it: of a tag its name, of a pool ``Registrar:FQDN``, which Lync may precede by ``Service:``."""
    return removed(removed(str(value), "Tag:"), "Service:")


FIELDS: dict[type, dict[str, Property]] = {
    o.UMDialPlan: {
        "name": Property("Name"),
        "phone_context": Property("PhoneContext"),
        "uri_type": Property("URIType"),
        "voip_security": Property("VoIPSecurity"),
        "extension_digits": Property("NumberOfDigitsInExtension"),
        "access_numbers": Property("AccessTelephoneNumbers"),
        "country_code": Property("CountryOrRegionCode", absent_in=_2007),
        "language": Property("DefaultLanguage"),
        "operator_extension": Property("OperatorExtension"),
        "max_call_duration_min": Property("MaxCallDuration"),
        "max_recording_duration_min": Property("MaxRecordingDuration"),
        "recording_idle_timeout_s": Property("RecordingIdleTimeout"),
    },
    o.UMMailboxPolicy: {
        "name": Property("Name"),
        "dial_plan": Property("UMDialPlan"),
        "min_pin_length": Property("MinPINLength"),
        "pin_lifetime_days": Property("PINLifetime"),
        "pin_history_count": Property("PINHistoryCount"),
        "logon_failures_before_pin_reset": Property("LogonFailuresBeforePINReset"),
        "max_logon_attempts": Property("MaxLogonAttempts"),
        "allow_missed_call_notifications": Property("AllowMissedCallNotifications"),
        "allow_message_waiting_indicator": Property("AllowMessageWaitingIndicator", absent_in=_2007),
        "um_enabled_text": Property("UMEnabledText", exact=True),
        "voice_mail_text": Property("VoiceMailText", exact=True),
    },
    o.UMAutoAttendant: {
        "name": Property("Name"),
        "dial_plan": Property("UMDialPlan"),
        "pilot_identifiers": Property("PilotIdentifierList"),
        "enabled": Property("Status", read=lambda value: str(value).lower() == UMStatus.ENABLED.lower()),
        "speech_enabled": Property("SpeechEnabled"),
        "language": Property("Language"),
    },
    o.UMIPGateway: {
        "name": Property("Name"),
        "address": Property("Address"),
        "port": Property("Port"),
        "outcalls_allowed": Property("OutcallsAllowed"),
        "mwi_allowed": Property("MessageWaitingIndicatorAllowed", absent_in=_2007),
        "status": Property("Status"),
    },
    o.UMHuntGroup: {
        "name": Property("Name"),
        "gateway": Property("UMIPGateway"),
        "dial_plan": Property("UMDialPlan"),
        "pilot_identifier": Property("PilotIdentifier"),
    },
    o.VoiceDialPlan: {
        "identity": Property("Identity", read=bare_identity),
        "simple_name": Property("SimpleName"),
        "rules": Property("NormalizationRules", read=_rules, exact=True),
    },
    o.VoicePolicy: {
        "identity": Property("Identity", read=bare_identity),
        "allow_call_forwarding": Property("AllowCallForwarding"),
        "allow_simul_ring": Property("AllowSimulRing"),
        "enable_call_transfer": Property("EnableCallTransfer"),
        "pstn_usages": Property("PstnUsages"),
    },
    o.VoiceRoute: {
        "name": Property("Identity"),
        "number_pattern": Property("NumberPattern", exact=True),
        "priority": Property("Priority"),
        "pstn_usages": Property("PstnUsages"),
        "pstn_gateways": Property("PstnGatewayList", read=_without("PstnGateway:")),
    },
    o.PstnGateway: {
        "fqdn": Property("PoolFqdn"),
        "pool": Property(
            "MediationServer",
            read=lambda value: removed(str(value), "MediationServer:"),
            absent_in=frozenset({"lync-2010"}),
        ),
        "port": Property("Port"),
    },
    o.User: {
        "account": Property("SamAccountName"),
        "display_name": Property("DisplayName", exact=True),
        "sip_address": Property("SipAddress"),
        "home_pool": Property("RegistrarPool"),
        "line_uri": Property("LineURI"),
        "voice_dial_plan": Property("DialPlan", read=bare_identity),
        "voice_policy": Property("VoicePolicy", read=bare_identity),
    },
    o.Contact: {
        "display_name": Property("DisplayName", exact=True),
        "sip_address": Property("SipAddress"),
        "line_uri": Property("LineURI"),
        "home_pool": Property("RegistrarPool"),
    },
}
"""Where each field of an object is in an observation."""


_LEFT_ALONE = frozenset({"operator_extension", "um_enabled_text", "voice_mail_text", "pstn_usages", "pstn_gateways"})
"""Fields that the runbook's steps leave as they are where nothing is declared."""


_PLAIN = re.compile(r"-?\d{1,18}", re.ASCII)
_DAYS = re.compile(r"(\d{1,9})\.00:00:00", re.ASCII)
_MINUTES = re.compile(r"(\d{1,9}):(\d{1,2}):00", re.ASCII)


def number(value: Value) -> Value:
    """A number as cmdlets print it: ``15``, ``60.00:00:00`` (days), ``00:20:00`` (minutes); other text as it is."""
    if not isinstance(value, str):
        return value
    plain = value.strip()
    if _PLAIN.fullmatch(plain):
        return int(plain)
    if days := _DAYS.fullmatch(plain):
        return int(days[1])
    if minutes := _MINUTES.fullmatch(plain):
        return int(minutes[1]) * 60 + int(minutes[2])
    return value


def number_in(found: ObservedObject, name: str, otherwise: int) -> int:
    """A property that is a number; ``otherwise`` if it is absent or no number."""
    value = number(found.get(name, otherwise))
    return value if isinstance(value, int) else otherwise


def aligned(found: Any, wanted: Any) -> Any:
    """What was found, spelled as it is wanted where only the case differs; of a list, each of its values."""
    if isinstance(wanted, tuple) and isinstance(found, tuple):
        spelled = {str(each).lower(): each for each in wanted}
        return tuple(spelled.get(str(each).lower(), each) for each in found)
    if isinstance(wanted, str) and isinstance(found, str):
        return wanted if found.lower() == wanted.lower() else found
    return found


def held(wanted: T, found: ObservedObject, fields: Iterable[str], shells: frozenset[str]) -> tuple[T, tuple[str, ...]]:
    """The declared object as it was found, and the properties of ``fields`` that a collector should have read and did not."""
    values, missing = {}, []
    for field in fields:
        kept, want = FIELDS[type(wanted)][field], getattr(wanted, field)
        if field in _LEFT_ALONE and not want:
            continue
        if kept.name in found:
            value: Any = found[kept.name]
            value = kept.read(value) if kept.read else number(value) if _is_number(want) else value
            values[field] = value if kept.exact else aligned(value, want)
        elif kept.absent_in & shells:
            continue
        elif isinstance(want, str | tuple):
            values[field] = () if isinstance(want, tuple) else ""
        else:
            missing.append(kept.name)
    return dataclasses.replace(wanted, **values), tuple(missing)  # type: ignore[type-var]


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def compare(
    kind: str,
    wanted: Any,
    found: ObservedObject | None,
    section: SeenSection,
    fields: Iterable[str],
    *,
    name: str,
    shells: frozenset[str] = frozenset(),
) -> Iterator[Finding]:
    """One object: nothing if it is as declared, else what is to be made or changed, or why that cannot be said."""
    if found is None:
        if section.unread:
            yield Unreadable(f"{section.name}: {section.unread}")
        else:
            yield Change(action="+", kind=kind, name=name, details=described(wanted))
        return
    current, missing = held(wanted, found, fields, shells)
    if details := differences(current, wanted):
        yield Change(action="~", kind=kind, name=name, details=details)
    for each in missing:
        yield Unreadable(f"{kind} {name}: {each} was not read")
