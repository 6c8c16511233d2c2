"""What single values have to look like: one rule per field that needs one, with the words for what is expected."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from tandem.org.numbers import is_e164, is_line_uri, is_sip_address
from tandem.org.vocabulary import DEFAULT_LANGUAGE


@dataclass(frozen=True, slots=True)
class Rule:
    """A test and what it expects, for people; ``schema`` is what JSON Schema can say of it."""

    holds: Callable[[str], bool]
    expected: str
    schema: Mapping[str, Any] = field(default_factory=dict)


def _like(pattern: str, expected: str) -> Rule:
    """Text that matches a pattern as a whole."""
    compiled = re.compile(pattern)
    told = {"pattern": f"^(?:{pattern})$"} if "\\Z" not in pattern else {}
    return Rule(lambda text: compiled.fullmatch(text) is not None, expected, told)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _range(low: int, high: int) -> Rule:
    return Rule(
        lambda text: low <= int(text) <= high, f"a number from {low} to {high}", {"minimum": low, "maximum": high}
    )


def _regex(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return len(text) <= 256


FQDN = _like(
    r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]",
    "a fully qualified name in lower case, such as um1.example.com (no wildcard)",
)
UM_NAME = _like(
    r"[A-Za-z0-9_-]{1,49}",
    "a name of 1 to 49 letters, digits, - and _ (with a voice pool, no dots and no spaces)",
)
OBJECT_NAME = _like(
    r"[^\"/\\\[\]:;|=,+*?<>\x00-\x1f]{1,64}",
    'a name of 1 to 64 characters without " / \\ [ ] : ; | = , + * ? < >',
)
ACCOUNT = _like(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "an account name: letters, digits, . _ and -")
OU = _like(
    r"((OU|CN)=[^,=]{1,64},)+DC=[^,=]+(,DC=[^,=]+)*", "a distinguished name, such as OU=People,DC=example,DC=com"
)
E164 = Rule(is_e164, "a number in E.164 form, such as +14255550100")
SIP_ADDRESS = Rule(is_sip_address, "a SIP address without sip:, such as alice@example.com")
DIGITS = _like(r"[0-9]{1,20}", "1 to 20 digits")
PORT = _range(1, 65_535)
TEXT = _like(r"[^\x00-\x1f\x7f]{1,256}", "1 to 256 characters without control characters")

LANGUAGE = Rule(
    lambda text: text == DEFAULT_LANGUAGE,
    f"{DEFAULT_LANGUAGE}, the language that this release speaks",
    {"enum": [DEFAULT_LANGUAGE]},
)

RULES: dict[tuple[str, str], Rule] = {
    ("Organization", "name"): OBJECT_NAME,
    ("Forest", "name"): FQDN,
    ("Forest", "domains"): FQDN,
    ("MessagingServer", "fqdn"): FQDN,
    ("MessagingServer", "sip_tls_port"): PORT,
    ("MessagingServer", "sip_tcp_port"): PORT,
    ("MessagingServer", "service_pack"): _range(0, 4),
    ("VoicePool", "fqdn"): FQDN,
    ("VoicePool", "servers"): FQDN,
    ("VoicePool", "sip_tls_port"): PORT,
    ("VoicePool", "ring_s"): _range(1, 180),
    ("UMDialPlan", "name"): UM_NAME,
    ("UMDialPlan", "extension_digits"): _range(1, 20),
    ("UMDialPlan", "access_numbers"): E164,
    ("UMDialPlan", "country_code"): _like(r"[0-9]{1,4}", "1 to 4 digits"),
    ("UMDialPlan", "language"): LANGUAGE,
    ("UMDialPlan", "operator_extension"): DIGITS,
    ("UMDialPlan", "max_call_duration_min"): _range(10, 120),
    ("UMDialPlan", "max_recording_duration_min"): _range(1, 100),
    ("UMDialPlan", "recording_idle_timeout_s"): _range(2, 10),
    ("UMMailboxPolicy", "name"): OBJECT_NAME,
    ("UMMailboxPolicy", "min_pin_length"): _range(4, 24),
    ("UMMailboxPolicy", "pin_lifetime_days"): _range(1, 999),
    ("UMMailboxPolicy", "pin_history_count"): _range(1, 20),
    ("UMMailboxPolicy", "logon_failures_before_pin_reset"): _range(1, 998),
    ("UMMailboxPolicy", "max_logon_attempts"): _range(1, 999),
    ("UMMailboxPolicy", "um_enabled_text"): Rule(lambda text: len(text) <= 512, "at most 512 characters"),
    ("UMMailboxPolicy", "voice_mail_text"): Rule(lambda text: len(text) <= 512, "at most 512 characters"),
    ("UMIPGateway", "name"): OBJECT_NAME,
    ("UMIPGateway", "address"): Rule(_is_address, "an IP address: a plain gateway is known by its address only"),
    ("UMIPGateway", "port"): PORT,
    ("UMIPGateway", "pilot_identifier"): _like(r"[A-Za-z0-9+._-]{1,64}", "digits or letters, such as 5000"),
    ("UMAutoAttendant", "name"): UM_NAME,
    ("UMAutoAttendant", "pilot_identifiers"): E164,
    ("UMAutoAttendant", "language"): LANGUAGE,
    ("VoiceDialPlan", "identity"): _like(
        r"Global|Site:[^/\\]{1,60}|Registrar:[a-z0-9.-]{1,253}|[A-Za-z0-9_-]{1,64}",
        "Global, Site:NAME, Registrar:FQDN, or a tag of letters, digits, - and _",
    ),
    ("VoiceDialPlan", "simple_name"): _like(r"[A-Za-z0-9._+()-]{1,256}", "letters, digits and - . + _ ( )"),
    ("NormalizationRule", "name"): OBJECT_NAME,
    ("NormalizationRule", "pattern"): Rule(_regex, r"a regular expression, such as ^(\d{4})$"),
    ("VoicePolicy", "identity"): _like(r"Global|Site:[^/\\]{1,60}|[A-Za-z0-9_-]{1,64}", "Global, Site:NAME, or a tag"),
    ("VoiceRoute", "name"): OBJECT_NAME,
    ("VoiceRoute", "number_pattern"): Rule(_regex, r"a regular expression, such as ^\+1425"),
    ("Organization", "pstn_usages"): OBJECT_NAME,
    ("Organization", "certificate_authority"): TEXT,
    ("PstnGateway", "fqdn"): FQDN,
    ("PstnGateway", "port"): PORT,
    ("Contact", "sip_address"): SIP_ADDRESS,
    ("Contact", "number"): E164,
    ("Contact", "ou"): OU,
    ("Contact", "display_name"): TEXT,
    ("Organization", "organizational_units"): OU,
    ("User", "account"): ACCOUNT,
    ("User", "display_name"): TEXT,
    ("User", "ou"): OU,
    ("User", "mail"): SIP_ADDRESS,
    ("User", "sip_address"): SIP_ADDRESS,
    ("User", "line_uri"): Rule(is_line_uri, "a line URI, such as tel:+14255554101"),
    ("User", "extension"): DIGITS,
    ("Administrator", "account"): ACCOUNT,
    ("Administrator", "display_name"): TEXT,
}
