"""The organization as its administrators declare it: values only, no behaviour beyond looking things up.

The words are Exchange's and Lync's own. :mod:`tandem.org.load` makes these values from a file; :mod:`tandem.process`
compares them with what the directory holds.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tandem.org.vocabulary import (
    DEFAULT_LANGUAGE,
    DigestAlgorithm,
    MediaEncryption,
    PhoneEdition,
    PoolKind,
    PoolType,
    ServerKind,
    Transport,
    UriType,
    VoiceFeature,
    VoIPSecurity,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """An Active Directory forest, named by its root domain. ``trusts`` are the forests whose accounts it lets in.

    ``directory`` is the address of its own domain controllers, where that is not the organization's.
    """

    name: str
    domains: tuple[str, ...]
    trusts: tuple[str, ...] = ()
    directory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagingServer:
    """A server of the messaging side.

    ``version`` is ``2007``, ``2010``, ``2013``, ``2016`` or ``2019`` for Exchange and empty for Tandem; ``service_pack``
    is 0 for RTM. ``roles`` are Exchange's, as its version names them; none means every role that UM needs.
    ``dial_plans`` are the UM dial plans it answers for; ``None`` means every SIP URI and plain dial plan
    of its forest.
    """

    fqdn: str
    forest: str
    kind: ServerKind = ServerKind.TANDEM
    version: str = ""
    service_pack: int = 0
    roles: tuple[str, ...] = ()
    dial_plans: tuple[str, ...] | None = None
    sip_tls_port: int = 5061
    sip_tcp_port: int = 5060


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePool:
    """A voice pool or Standard Edition server (whose only server is then the pool itself).

    ``ring_s`` is the no-answer time in seconds before a call is diverted to UM. ``version`` is ``2010``, ``2013`` or
    ``2015`` for a pool of kind lync (2013 if it is empty), and empty for Tandem.
    """

    fqdn: str
    forest: str
    kind: PoolKind = PoolKind.TANDEM
    pool_type: PoolType = PoolType.STANDARD_EDITION
    version: str = ""
    servers: tuple[str, ...] = ()
    media_encryption: MediaEncryption = MediaEncryption.REQUIRE
    digest: tuple[DigestAlgorithm, ...] = (DigestAlgorithm.SHA256, DigestAlgorithm.MD5)
    ring_s: int = 20
    sip_tls_port: int = 5061


@dataclass(frozen=True, slots=True, kw_only=True)
class UMDialPlan:
    """A UM dial plan. ``access_numbers`` are E.164, durations are what New-UMDialPlan defaults to."""

    name: str
    forest: str
    extension_digits: int
    uri_type: UriType = UriType.SIP_NAME
    voip_security: VoIPSecurity = VoIPSecurity.SECURED
    access_numbers: tuple[str, ...] = ()
    country_code: str = "1"
    language: str = DEFAULT_LANGUAGE
    operator_extension: str = ""
    max_call_duration_min: int = 30
    max_recording_duration_min: int = 20
    recording_idle_timeout_s: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class UMMailboxPolicy:
    """A UM mailbox policy beside the default one, which each dial plan brings."""

    name: str
    um_dial_plan: str
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
    """A plain SIP gateway of an Unsecured UM dial plan, known by its address only."""

    name: str
    um_dial_plan: str
    address: str
    pilot_identifier: str
    transport: Literal[Transport.UDP, Transport.TCP] = Transport.TCP
    port: int = 5060


@dataclass(frozen=True, slots=True, kw_only=True)
class UMAutoAttendant:
    """A UM auto attendant. A name holds no spaces; ``pilot_identifiers`` are E.164.

    New-UMAutoAttendant leaves an attendant Disabled; a declared one is Enabled unless the file says otherwise.
    """

    name: str
    um_dial_plan: str
    pilot_identifiers: tuple[str, ...] = ()
    enabled: bool = True
    speech_enabled: bool = True
    language: str = DEFAULT_LANGUAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalizationRule:
    """A normalization rule: .NET regular expression and replacement, as New-CsVoiceNormalizationRule takes them."""

    name: str
    pattern: str
    translation: str
    is_internal_extension: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceDialPlan:
    """A voice dial plan. ``identity`` is ``Global``, ``Site:NAME``, ``Registrar:FQDN`` or a tag granted to users."""

    identity: str
    simple_name: str
    normalization_rules: tuple[NormalizationRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePolicy:
    """A voice policy. ``identity`` is ``Global``, ``Site:NAME`` or a tag granted to users."""

    identity: str
    allow_call_forwarding: bool = True
    allow_simul_ring: bool = True
    enable_call_transfer: bool = True
    pstn_usages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceRoute:
    """A voice route: numbers that match the pattern leave by these PSTN gateways. The order of routes is their priority."""

    name: str
    number_pattern: str
    pstn_usages: tuple[str, ...] = ()
    pstn_gateways: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PstnGateway:
    """A PSTN gateway behind the Mediation Server that is collocated with a pool: a trunk. Port as New-CsTrunk's default."""

    fqdn: str
    pool: str
    port: int = 5067
    transport: Literal[Transport.TLS, Transport.TCP] = Transport.TLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact object: makes a number of UM callable (phase 9).

    With ``auto_attendant`` (a name) it is an Auto Attendant contact, without one a Subscriber Access contact.
    """

    display_name: str
    sip_address: str
    um_dial_plan: str
    number: str
    pool: str
    ou: str
    auto_attendant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person. ``sip_address`` without ``sip:``; empty strings where a feature is not wanted.

    A user with a ``line_uri`` is to be enabled for Enterprise Voice; one with an ``extension`` and a UM mailbox policy
    is to be enabled for UM. ``pin`` is never kept here: PINs that are not set yet are made by the UM server.
    """

    account: str
    display_name: str
    forest: str
    ou: str
    mail: str = ""
    sip_address: str = ""
    pool: str = ""
    line_uri: str = ""
    extension: str = ""
    um_mailbox_policy: str = ""
    voice_dial_plan: str = ""
    voice_policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator:
    """Someone who carries out tasks: an account and the groups that it is to be a direct member of.

    ``forest`` is where the account and its groups are; empty means the first forest.
    """

    account: str
    display_name: str
    groups: tuple[str, ...] = ()
    forest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """All of it. Paths are absolute; ``directory`` is the database file of the embedded directory or an LDAP address.

    ``only_ev_pools`` is exchucutil's option of that name: gateways only for pools that have Enterprise Voice users.
    ``directory_roots`` is a PEM file of the authorities that domain controllers' certificates are trusted by; without it the
    system's are. ``certificate_authority`` is the CA that the runbook's certificate requests go to (``HOST\\NAME``).
    """

    name: str
    path: Path
    directory: str
    state: Path
    secrets: Path
    directory_roots: Path | None = None
    phone_edition: PhoneEdition = PhoneEdition.NONE
    only_ev_pools: bool = False
    certificate_authority: str = ""
    voice_features: tuple[VoiceFeature, ...] = ()
    forests: tuple[Forest, ...] = ()
    messaging_servers: tuple[MessagingServer, ...] = ()
    voice_pools: tuple[VoicePool, ...] = ()
    um_dial_plans: tuple[UMDialPlan, ...] = ()
    um_mailbox_policies: tuple[UMMailboxPolicy, ...] = ()
    um_ip_gateways: tuple[UMIPGateway, ...] = ()
    um_auto_attendants: tuple[UMAutoAttendant, ...] = ()
    voice_dial_plans: tuple[VoiceDialPlan, ...] = ()
    voice_policies: tuple[VoicePolicy, ...] = ()
    pstn_usages: tuple[str, ...] = ()
    voice_routes: tuple[VoiceRoute, ...] = ()
    pstn_gateways: tuple[PstnGateway, ...] = ()
    contacts: tuple[Contact, ...] = ()
    organizational_units: tuple[str, ...] = ()
    users: tuple[User, ...] = ()
    administrators: tuple[Administrator, ...] = ()

    @property
    def uses_ldap(self) -> bool:
        """Whether the directory is Active Directory rather than the embedded one."""
        return "://" in self.directory

    def address_of(self, forest: str) -> str:
        """Where a forest's directory is."""
        return next((each.directory for each in self.forests if each.name == forest and each.directory), self.directory)

    @property
    def voice_forest(self) -> str:
        """The forest of the voice pools; the first forest if there is none."""
        return self.voice_pools[0].forest if self.voice_pools else self.forests[0].name if self.forests else ""

    @property
    def messaging_forests(self) -> tuple[str, ...]:
        """The forests that have messaging servers or UM dial plans, in the order of the file."""
        used = {s.forest for s in self.messaging_servers} | {p.forest for p in self.um_dial_plans}
        return tuple(forest.name for forest in self.forests if forest.name in used)

    def servers_in(self, forest: str, kind: ServerKind) -> tuple[MessagingServer, ...]:
        """The messaging servers of a kind in a forest."""
        return tuple(s for s in self.messaging_servers if s.forest == forest and s.kind is kind)

    def servers_of(self, plan: UMDialPlan) -> tuple[MessagingServer, ...]:
        """The messaging servers that answer for a UM dial plan: of its forest, in all dial plans or in this one."""
        return tuple(
            s
            for s in self.messaging_servers
            if s.forest == plan.forest and (s.dial_plans is None or plan.name in s.dial_plans)
        )

    def pools_of(self, kind: PoolKind) -> tuple[VoicePool, ...]:
        """The voice pools of a kind."""
        return tuple(pool for pool in self.voice_pools if pool.kind is kind)
