"""The objects of the directory as values. References between them are by name; entries hold them as distinguished names.

Each field says where it is kept: its attribute with its number, and what it refers to. Nothing else has to be told of a new
one: schema, repository and plan are made from the fields.
"""

from dataclasses import dataclass
from typing import Annotated

from tandem.directory.layout import POOLS_CLASS
from tandem.directory.mapping import OBJECT_CLASSES, ObjectClass, entry, kept_in, stored_fields
from tandem.org.numbers import EumAddress
from tandem.org.vocabulary import (
    DEFAULT_LANGUAGE,
    DigestAlgorithm,
    MediaEncryption,
    PinState,
    PoolKind,
    PoolType,
    ServerKind,
    StartupMode,
    Transport,
    UMStatus,
    UriType,
    VoIPSecurity,
)

RUNTIME_ATTRIBUTES = frozenset({"msexchumpinchecksum", "msexchumpinstate"})
"""What servers write while they run: outside of plan and drift."""
INBOUND, OUTBOUND = 1, 2
"""Bits of :attr:`Trust.direction`."""
UC_ENABLED, ENHANCED_PRESENCE = 128, 256
"""Bits of msRTCSIP-OptionFlags."""
UM_ENABLED = 1 | 4 | 8 | 16 | 32 | 256 | 512
"""Bits of msExchUMEnabledFlags that Enable-UMMailbox sets: UM, telephone access, anonymous callers, speech."""
UM_CONTACT = -1879048192
"""0x90000000, the value of msRTCSIP-SourceObjectType for auto attendants and subscriber access."""

MANAGED_BY, SIP_ADDRESS, UM_FLAGS = "tandemManagedBy", "msRTCSIP-PrimaryUserAddress", "msExchUMEnabledFlags"
"""Attributes of accounts by which others find those that are managed, have a SIP address or are enabled for UM."""

# Attributes of several types

_DISPLAY_NAME = kept_in("displayName")
_SIP_ADDRESS = kept_in(SIP_ADDRESS, oid="1.2.840.113556.1.6.24.1.1", indexed=True)
_SIP_ENABLED = kept_in("msRTCSIP-UserEnabled", oid="1.2.840.113556.1.6.24.1.6")
_LINE = kept_in("msRTCSIP-Line", oid="1.2.840.113556.1.6.24.1.88", indexed=True)
_OPTION_FLAGS = kept_in("msRTCSIP-OptionFlags", oid="1.2.840.113556.1.6.24.1.87")
_KIND = kept_in("tandemKind", 38)
_LANGUAGE = kept_in("msExchUMDefaultLanguage", 11)
_TRANSPORT = kept_in("tandemTransport", 39)
_PSTN_USAGES = kept_in("tandemPstnUsages", 64, ordered=True)


@entry(ObjectClass(name="group", container=lambda at: at.users, person=True))
@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A security group; ``members`` are distinguished names."""

    name: str
    members: Annotated[tuple[str, ...], kept_in("member", syntax="dn")] = ()


@entry(ObjectClass(name="trustedDomain", naming="partner", container=lambda at: at.system, person=True))
@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """A trust as one forest keeps it, as a trustedDomain object.

    ``direction`` (trustDirection) has bit 1, inbound, if the partner trusts this forest, bit 2, outbound, if this forest
    trusts the partner.
    """

    partner: str
    direction: Annotated[int, kept_in("trustDirection")]


@entry(ObjectClass(name="computer", naming="fqdn", container=lambda at: at.computers, person=True))
@dataclass(frozen=True, slots=True, kw_only=True)
class Computer:
    """The account of a server, named by its FQDN."""

    fqdn: str


@entry(ObjectClass(name="msExchUMDialPlan", number=3, container=lambda at: at.um_dial_plans))
@dataclass(frozen=True, slots=True, kw_only=True)
class UMDialPlan:
    """A UM dial plan. Durations as in New-UMDialPlan."""

    name: str
    phone_context: Annotated[str, kept_in("msExchUMPhoneContext", 6)]
    uri_type: Annotated[UriType, kept_in("msExchUMUriType", 7)]
    voip_security: Annotated[VoIPSecurity, kept_in("msExchUMVoIPSecurity", 8)]
    extension_digits: Annotated[int, kept_in("msExchUMNumberOfDigits", 9)]
    access_numbers: Annotated[tuple[str, ...], kept_in("msExchUMAccessTelephoneNumbers", 56)] = ()
    country_code: Annotated[str, kept_in("msExchUMCountryCode", 10)] = ""
    language: Annotated[str, _LANGUAGE] = DEFAULT_LANGUAGE
    operator_extension: Annotated[str, kept_in("msExchUMOperatorExtension", 12)] = ""
    max_call_duration_min: Annotated[int, kept_in("msExchUMMaxCallDuration", 13)] = 30
    max_recording_duration_min: Annotated[int, kept_in("msExchUMMaxRecordingDuration", 14)] = 20
    recording_idle_timeout_s: Annotated[int, kept_in("msExchUMRecordingIdleTimeout", 15)] = 5


_DIAL_PLAN = kept_in("msExchUMDialPlanLink", 16, reference=UMDialPlan)
_RECIPIENT_DIAL_PLAN = kept_in(
    "msExchUMRecipientDialPlanLink", oid="1.2.840.113556.1.4.7000.102.50388", reference=UMDialPlan, indexed=True
)


@entry(ObjectClass(name="msExchUMRecipientTemplate", number=7, container=lambda at: at.um_mailbox_policies))
@dataclass(frozen=True, slots=True, kw_only=True)
class UMMailboxPolicy:
    """A UM mailbox policy of one dial plan."""

    name: str
    dial_plan: Annotated[str, _DIAL_PLAN]
    min_pin_length: Annotated[int, kept_in("msExchUMMinPINLength", 28)] = 6
    pin_lifetime_days: Annotated[int, kept_in("msExchUMPINLifetime", 29)] = 60
    pin_history_count: Annotated[int, kept_in("msExchUMPINHistoryCount", 30)] = 5
    logon_failures_before_pin_reset: Annotated[int, kept_in("msExchUMLogonFailuresBeforePINReset", 31)] = 5
    max_logon_attempts: Annotated[int, kept_in("msExchUMMaxLogonAttempts", 32)] = 15
    allow_missed_call_notifications: Annotated[bool, kept_in("msExchUMAllowMissedCallNotifications", 33)] = True
    allow_message_waiting_indicator: Annotated[bool, kept_in("msExchUMAllowMWI", 34)] = True
    um_enabled_text: Annotated[str, kept_in("msExchUMEnabledText", 35)] = ""
    voice_mail_text: Annotated[str, kept_in("msExchUMVoiceMailText", 36)] = ""


@entry(ObjectClass(name="msRTCSIP-Pool", number=10, above=POOLS_CLASS, naming="fqdn", container=lambda at: at.pools))
@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePool:
    """A voice pool; ``servers`` are the FQDNs of its members."""

    fqdn: str
    kind: Annotated[PoolKind, _KIND]
    pool_type: Annotated[PoolType, kept_in("msRTCSIP-PoolType", 2)]
    servers: Annotated[tuple[str, ...], kept_in("tandemPoolServers", 61, ordered=True)]
    media_encryption: Annotated[MediaEncryption, kept_in("tandemMediaEncryption", 40)]
    digest: Annotated[tuple[DigestAlgorithm, ...], kept_in("tandemDigest", 62, ordered=True)]
    ring_s: Annotated[int, kept_in("tandemRingSeconds", 41)] = 20
    sip_tls_port: Annotated[int, kept_in("tandemTlsPort", 43)] = 5061


_HOME_POOL = kept_in("msRTCSIP-PrimaryHomeServer", oid="1.2.840.113556.1.6.24.1.57", reference=VoicePool, indexed=True)


@entry(ObjectClass(name="msExchExchangeServer", number=2, naming="fqdn", container=lambda at: at.servers))
@dataclass(frozen=True, slots=True, kw_only=True)
class MessagingServer:
    """A messaging server; ``dial_plans`` are the UM dial plans whose calls it answers."""

    fqdn: str
    kind: Annotated[ServerKind, _KIND]
    version: Annotated[str, kept_in("msExchVersion", 5)] = ""
    roles: Annotated[tuple[str, ...], kept_in("msExchUMRoles", 58)] = ()
    dial_plans: Annotated[tuple[str, ...], kept_in("msExchUMDialPlanLinks", 57, reference=UMDialPlan)] = ()
    startup_mode: Annotated[StartupMode, kept_in("msExchUMStartupMode", 24)] = StartupMode.TCP
    status: Annotated[UMStatus, kept_in("msExchUMServerStatus", 23)] = UMStatus.ENABLED
    sip_tcp_port: Annotated[int, kept_in("msExchUMTcpPort", 25)] = 5060
    sip_tls_port: Annotated[int, kept_in("msExchUMTlsPort", 26)] = 5061
    certificate_thumbprint: Annotated[str, kept_in("msExchUMCertificateThumbprint", 27)] = ""


@entry(ObjectClass(name="msExchUMIPGateway", number=4, container=lambda at: at.um_ip_gateways))
@dataclass(frozen=True, slots=True, kw_only=True)
class UMIPGateway:
    """A UM IP gateway: a voice pool by its FQDN (transport ``tls``), or a plain gateway by its address."""

    name: str
    address: Annotated[str, kept_in("msExchUMIPGatewayAddress", 17)]
    port: Annotated[int, kept_in("msExchUMIPGatewayPort", 18)]
    transport: Annotated[Transport, _TRANSPORT]
    outcalls_allowed: Annotated[bool, kept_in("msExchUMOutcallsAllowed", 20)] = True
    mwi_allowed: Annotated[bool, kept_in("msExchUMMWIAllowed", 21)] = True
    status: Annotated[UMStatus, kept_in("msExchUMIPGatewayStatus", 19)] = UMStatus.ENABLED


@entry(
    ObjectClass(
        name="msExchUMHuntGroup",
        number=5,
        above="msExchUMIPGateway",
        container=lambda at: at.um_ip_gateways,
        below="gateway",
    )
)
@dataclass(frozen=True, slots=True, kw_only=True)
class UMHuntGroup:
    """A hunt group: joins a gateway with a dial plan by a pilot identifier."""

    name: str
    gateway: str
    dial_plan: Annotated[str, _DIAL_PLAN]
    pilot_identifier: Annotated[str, kept_in("msExchUMPilotIdentifier", 22)]


@entry(ObjectClass(name="msExchUMAutoAttendant", number=6, container=lambda at: at.um_auto_attendants))
@dataclass(frozen=True, slots=True, kw_only=True)
class UMAutoAttendant:
    """A UM auto attendant of one dial plan."""

    name: str
    dial_plan: Annotated[str, _DIAL_PLAN]
    pilot_identifiers: Annotated[tuple[str, ...], kept_in("msExchUMPilotIdentifiers", 59)] = ()
    enabled: Annotated[bool, kept_in("msExchUMAutoAttendantEnabled", 50)] = False
    speech_enabled: Annotated[bool, kept_in("msExchUMSpeechEnabled", 51)] = False
    language: Annotated[str, _LANGUAGE] = DEFAULT_LANGUAGE


@entry(
    ObjectClass(
        name="user",
        naming="account",
        container=lambda at: at.domain,
        bases=lambda at: at.domains,
        below="container",
        own_name="cn",
        person=True,
    )
)
@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account of a person. ``container`` is the distinguished name of its OU, ``cn`` the entry's name where that is
    not the account's.

    ``sip_address`` has its ``sip:``, ``line_uri`` its ``tel:``; ``option_flags`` and ``um_flags`` are bits.
    ``pin_state`` is written by UM servers during calls. ``sip_unlocks`` counts how often an administrator unlocked the user's
    phones: a voice server forgets what it had counted against the account when it changes. Written by
    ``tandem user unlock``.
    """

    account: str
    container: str
    cn: str = ""
    display_name: Annotated[str, _DISPLAY_NAME] = ""
    mail: Annotated[str, kept_in("mail")] = ""
    sip_address: Annotated[str, _SIP_ADDRESS] = ""
    sip_enabled: Annotated[bool, _SIP_ENABLED] = False
    line_uri: Annotated[str, _LINE] = ""
    option_flags: Annotated[int, _OPTION_FLAGS] = 0
    home_pool: Annotated[str, _HOME_POOL] = ""
    proxy_addresses: Annotated[tuple[str, ...], kept_in("proxyAddresses")] = ()
    um_flags: Annotated[int, kept_in(UM_FLAGS, 3)] = 0
    um_mailbox_policy: Annotated[str, kept_in("msExchUMTemplateLink", 4, reference=UMMailboxPolicy)] = ""
    um_dial_plan: Annotated[str, _RECIPIENT_DIAL_PLAN] = ""
    pin_state: Annotated[PinState, kept_in("msExchUMPinState", 37)] = PinState.NONE
    voice_dial_plan: Annotated[str, kept_in("tandemAssignedDialPlan", 44)] = ""
    voice_policy: Annotated[str, kept_in("tandemAssignedVoicePolicy", 45)] = ""
    managed_by: Annotated[str, kept_in(MANAGED_BY, 49, indexed=True)] = ""
    sip_unlocks: Annotated[int, kept_in("tandemSipUnlocks", 69)] = 0

    @property
    def entry_name(self) -> str:
        """The name of the entry, which stays when the account is renamed."""
        return self.cn or self.account

    @property
    def enterprise_voice(self) -> bool:
        """Enabled for Enterprise Voice: the UCEnabled bit of msRTCSIP-OptionFlags."""
        return bool(self.option_flags & UC_ENABLED)

    @property
    def um_enabled(self) -> bool:
        """Enabled for UM: the first bit of msExchUMEnabledFlags."""
        return bool(self.um_flags & UM_ENABLED)

    @property
    def bare_sip_address(self) -> str:
        """The SIP address without ``sip:``, or an empty string."""
        return _bare(self.sip_address)

    @property
    def eum_addresses(self) -> tuple[EumAddress, ...]:
        """Those of the proxy addresses that are EUM addresses, in their order."""
        return tuple(eum for text in self.proxy_addresses if (eum := EumAddress.parse(text)))


@entry(ObjectClass(name="contact", container=lambda at: at.voice_domain, below="container", person=True))
@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact object that makes a number of UM callable. ``target`` is our form of otherIpPhone (docs/adr/0004)."""

    name: str
    container: str
    display_name: Annotated[str, _DISPLAY_NAME]
    sip_address: Annotated[str, _SIP_ADDRESS]
    line_uri: Annotated[str, _LINE]
    home_pool: Annotated[str, _HOME_POOL]
    target: Annotated[str, kept_in("otherIpPhone", multi=True)]
    sip_enabled: Annotated[bool, _SIP_ENABLED] = True
    option_flags: Annotated[int, _OPTION_FLAGS] = UC_ENABLED | ENHANCED_PRESENCE
    source_object_type: Annotated[int, kept_in("msRTCSIP-SourceObjectType", 1)] = UM_CONTACT

    @property
    def bare_sip_address(self) -> str:
        """The SIP address without ``sip:``, or an empty string."""
        return _bare(self.sip_address)


def _bare(sip_address: str) -> str:
    return sip_address.partition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalizationRule:
    """One rule of a voice dial plan."""

    name: str
    pattern: str
    translation: str
    is_internal_extension: bool = False


@entry(ObjectClass(name="tandemVoiceDialPlan", number=11, naming="identity", container=lambda at: at.voice_dial_plans))
@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceDialPlan:
    """A voice dial plan: Global, of a site or pool, or a tag."""

    identity: str
    simple_name: Annotated[str, kept_in("tandemSimpleName", 42)]
    rules: Annotated[tuple[NormalizationRule, ...], kept_in("tandemNormalizationRules", 63, ordered=True)] = ()


@entry(ObjectClass(name="tandemVoicePolicy", number=12, naming="identity", container=lambda at: at.voice_policies))
@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePolicy:
    """A voice policy."""

    identity: str
    allow_call_forwarding: Annotated[bool, kept_in("tandemAllowCallForwarding", 46)] = True
    allow_simul_ring: Annotated[bool, kept_in("tandemAllowSimulRing", 47)] = True
    enable_call_transfer: Annotated[bool, kept_in("tandemEnableCallTransfer", 48)] = True
    pstn_usages: Annotated[tuple[str, ...], _PSTN_USAGES] = ()


@entry(ObjectClass(name="tandemPstnUsage", number=14, container=lambda at: at.pstn_usages))
@dataclass(frozen=True, slots=True, kw_only=True)
class PstnUsage:
    """A PSTN usage record: joins voice policies with voice routes."""

    name: str


@entry(ObjectClass(name="tandemVoiceRoute", number=13, container=lambda at: at.voice_routes))
@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceRoute:
    """A voice route; ``priority`` counts from 0, the lowest is tried first."""

    name: str
    number_pattern: Annotated[str, kept_in("tandemNumberPattern", 52)]
    priority: Annotated[int, kept_in("tandemPriority", 53)] = 0
    pstn_usages: Annotated[tuple[str, ...], _PSTN_USAGES] = ()
    pstn_gateways: Annotated[tuple[str, ...], kept_in("tandemPstnGateways", 60, ordered=True)] = ()


@entry(ObjectClass(name="tandemPstnGateway", number=15, naming="fqdn", container=lambda at: at.trunks))
@dataclass(frozen=True, slots=True, kw_only=True)
class PstnGateway:
    """A PSTN gateway behind the Mediation Server of a pool."""

    fqdn: str
    pool: Annotated[str, kept_in("tandemPool", 55)]
    port: Annotated[int, kept_in("tandemPort", 54)] = 5067
    transport: Annotated[Transport, _TRANSPORT] = Transport.TLS


UNORDERED = frozenset(
    field.name for type_ in OBJECT_CLASSES for field in stored_fields(type_) if field.multi and not field.kept.ordered
)
"""Fields whose values have no order: a directory may give them in any."""


def same(field: str, one: object, other: object) -> bool:
    """Whether two values of a field mean the same."""
    if field in UNORDERED and isinstance(one, tuple) and isinstance(other, tuple):
        return sorted(one) == sorted(other)
    return one == other
