"""The objects of the directory as values. References between them are by name; entries hold them as distinguished names.

:mod:`tandem.directory.repository` says how each is kept.
"""

from dataclasses import dataclass

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


UNORDERED = frozenset({"proxy_addresses", "access_numbers", "dial_plans", "roles", "pilot_identifiers", "members"})
"""Fields whose values have no order: a directory may give them in any."""


def same(field: str, one: object, other: object) -> bool:
    """Whether two values of a field mean the same."""
    if field in UNORDERED and isinstance(one, tuple) and isinstance(other, tuple):
        return sorted(one) == sorted(other)
    return one == other


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A security group; ``members`` are distinguished names."""

    name: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """A trust as one forest keeps it, as a trustedDomain object.

    ``direction`` (trustDirection) has bit 1, inbound, if the partner trusts this forest, bit 2, outbound, if this forest
    trusts the partner.
    """

    partner: str
    direction: int


INBOUND, OUTBOUND = 1, 2
"""Bits of :attr:`Trust.direction`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computer:
    """The account of a server, named by its FQDN."""

    fqdn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account of a person. ``container`` is the distinguished name of its OU, ``cn`` the entry's name where that is
    not the account's.

    ``sip_address`` has no ``sip:``; ``line_uri`` has its ``tel:``.
    """

    account: str
    container: str
    cn: str = ""
    display_name: str = ""
    mail: str = ""
    sip_address: str = ""
    sip_enabled: bool = False
    line_uri: str = ""
    option_flags: int = 0
    home_pool: str = ""
    proxy_addresses: tuple[str, ...] = ()
    um_flags: int = 0
    um_mailbox_policy: str = ""
    um_dial_plan: str = ""
    pin_state: PinState = PinState.NONE
    voice_dial_plan: str = ""
    voice_policy: str = ""
    managed_by: str = ""

    @property
    def enterprise_voice(self) -> bool:
        """Enabled for Enterprise Voice: the UCEnabled bit of msRTCSIP-OptionFlags."""
        return bool(self.option_flags & UC_ENABLED)

    @property
    def um_enabled(self) -> bool:
        """Enabled for UM: the first bit of msExchUMEnabledFlags."""
        return bool(self.um_flags & UM_ENABLED)


UC_ENABLED, ENHANCED_PRESENCE = 128, 256
"""Bits of msRTCSIP-OptionFlags."""
UM_ENABLED = 1 | 4 | 8 | 16 | 32 | 256 | 512
"""Bits of msExchUMEnabledFlags that Enable-UMMailbox sets: UM, telephone access, anonymous callers, speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagingServer:
    """A messaging server; ``dial_plans`` are the UM dial plans whose calls it answers."""

    fqdn: str
    kind: ServerKind
    version: str = ""
    roles: tuple[str, ...] = ()
    dial_plans: tuple[str, ...] = ()
    startup_mode: StartupMode = StartupMode.TCP
    status: UMStatus = UMStatus.ENABLED
    sip_tcp_port: int = 5060
    sip_tls_port: int = 5061
    certificate_thumbprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePool:
    """A voice pool; ``servers`` are the FQDNs of its members."""

    fqdn: str
    kind: PoolKind
    pool_type: PoolType
    servers: tuple[str, ...]
    media_encryption: MediaEncryption
    digest: tuple[DigestAlgorithm, ...]
    ring_s: int = 20
    sip_tls_port: int = 5061


@dataclass(frozen=True, slots=True, kw_only=True)
class UMDialPlan:
    """A UM dial plan. Durations as in New-UMDialPlan."""

    name: str
    phone_context: str
    uri_type: UriType
    voip_security: VoIPSecurity
    extension_digits: int
    access_numbers: tuple[str, ...] = ()
    country_code: str = ""
    language: str = DEFAULT_LANGUAGE
    operator_extension: str = ""
    max_call_duration_min: int = 30
    max_recording_duration_min: int = 20
    recording_idle_timeout_s: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class UMMailboxPolicy:
    """A UM mailbox policy of one dial plan."""

    name: str
    dial_plan: str
    min_pin_length: int = 6
    pin_lifetime_days: int = 60
    pin_history_count: int = 5
    logon_failures_before_pin_reset: int = 5
    max_logon_attempts: int = 15
    allow_missed_call_notifications: bool = True
    allow_message_waiting_indicator: bool = True
    um_enabled_text: str = ""
    voice_mail_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UMIPGateway:
    """A UM IP gateway: a voice pool by its FQDN (transport ``tls``), or a plain gateway by its address."""

    name: str
    address: str
    port: int
    transport: Transport
    outcalls_allowed: bool = True
    mwi_allowed: bool = True
    status: UMStatus = UMStatus.ENABLED


@dataclass(frozen=True, slots=True, kw_only=True)
class UMHuntGroup:
    """A hunt group: joins a gateway with a dial plan by a pilot identifier."""

    name: str
    gateway: str
    dial_plan: str
    pilot_identifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UMAutoAttendant:
    """A UM auto attendant of one dial plan."""

    name: str
    dial_plan: str
    pilot_identifiers: tuple[str, ...] = ()
    enabled: bool = False
    speech_enabled: bool = False
    language: str = DEFAULT_LANGUAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact object that makes a number of UM callable. ``target`` is our form of otherIpPhone (docs/adr/0004)."""

    name: str
    container: str
    display_name: str
    sip_address: str
    line_uri: str
    home_pool: str
    target: str
    sip_enabled: bool = True
    option_flags: int = UC_ENABLED | ENHANCED_PRESENCE
    source_object_type: int = -1879048192  # 0x90000000: auto attendant or subscriber access


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalizationRule:
    """One rule of a voice dial plan."""

    name: str
    pattern: str
    translation: str
    is_internal_extension: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceDialPlan:
    """A voice dial plan: Global, of a site or pool, or a tag."""

    identity: str
    simple_name: str
    rules: tuple[NormalizationRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePolicy:
    """A voice policy."""

    identity: str
    allow_call_forwarding: bool = True
    allow_simul_ring: bool = True
    enable_call_transfer: bool = True
    pstn_usages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PstnUsage:
    """A PSTN usage record: joins voice policies with voice routes."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceRoute:
    """A voice route; ``priority`` counts from 0, the lowest is tried first."""

    name: str
    number_pattern: str
    priority: int = 0
    pstn_usages: tuple[str, ...] = ()
    pstn_gateways: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PstnGateway:
    """A PSTN gateway behind the Mediation Server of a pool."""

    fqdn: str
    pool: str
    port: int = 5067
    transport: Transport = Transport.TLS
