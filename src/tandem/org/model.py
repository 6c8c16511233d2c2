"""The organization as its administrators declare it: values only, no behaviour beyond looking things up.

A field says the rule of its value where it needs one. Where the directory holds an object of the same kind, the one of the
file is called declared: a ``DeclaredUser`` becomes a ``User`` of :mod:`tandem.directory.objects`, whose fields of the same
name take its values.

The words are Exchange's and Lync's own. :mod:`tandem.org.load` makes these values from a file; :mod:`tandem.process`
compares them with what the directory holds.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tandem.org.numbers import is_line_uri
from tandem.org.rules import (
    ACCOUNT,
    DIGITS,
    E164,
    FQDN,
    LANGUAGE,
    OBJECT_NAME,
    OU,
    PORT,
    SIP_ADDRESS,
    TEXT,
    UM_NAME,
    Rule,
    between,
    dotnet_pattern,
    is_ip_address,
    like,
)
from tandem.org.versions import is_um_server
from tandem.org.vocabulary import (
    DEFAULT_LANGUAGE,
    DigestAlgorithm,
    MediaEncryption,
    MessagingOrganization,
    PhoneEdition,
    PoolKind,
    PoolType,
    ServerKind,
    Transport,
    UriType,
    VoiceFeature,
    VoIPSecurity,
)


def declared_name(type_: type) -> str:
    """What a type is called in messages and documents."""
    return type_.__name__.removeprefix("Declared")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """An Active Directory forest, named by its root domain. ``trusts`` are the forests whose accounts it lets in.

    ``directory`` is the address of its own domain controllers, where that is not the organization's.
    ``messaging_organization`` says the same as the organization's key, of this forest, where forests differ;
    ``messaging_organization_name`` is the name of its Exchange organization, where that is not the organization's.
    """

    name: Annotated[str, FQDN]
    domains: Annotated[tuple[str, ...], FQDN]
    trusts: tuple[str, ...] = ()
    directory: str = ""
    messaging_organization: MessagingOrganization | None = None
    messaging_organization_name: Annotated[str, OBJECT_NAME] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredMessagingServer:
    """A server of the messaging side.

    ``version`` is ``2007``, ``2010``, ``2013``, ``2016`` or ``2019`` for Exchange and empty for Tandem; ``service_pack``
    is 0 for RTM. ``roles`` are Exchange's, as its version names them; none means every role that UM needs.
    ``dial_plans`` are the UM dial plans it answers for; ``None`` means every SIP URI and plain dial plan
    of its forest.
    """

    fqdn: Annotated[str, FQDN]
    forest: str
    kind: ServerKind = ServerKind.TANDEM
    version: str = ""
    service_pack: Annotated[int, between(0, 4)] = 0
    roles: tuple[str, ...] = ()
    dial_plans: tuple[str, ...] | None = None
    sip_tls_port: Annotated[int, PORT] = 5061
    sip_tcp_port: Annotated[int, PORT] = 5060


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredVoicePool:
    """A voice pool or Standard Edition server (whose only server is then the pool itself).

    ``ring_s`` is the no-answer time in seconds before a call is diverted to UM. ``version`` is ``2010``, ``2013`` or
    ``2015`` for a pool of kind lync (2013 if it is empty), and empty for Tandem.
    """

    fqdn: Annotated[str, FQDN]
    forest: str
    kind: PoolKind = PoolKind.TANDEM
    pool_type: PoolType = PoolType.STANDARD_EDITION
    version: str = ""
    servers: Annotated[tuple[str, ...], FQDN] = ()
    media_encryption: MediaEncryption = MediaEncryption.REQUIRE
    digest: tuple[DigestAlgorithm, ...] = (DigestAlgorithm.SHA256, DigestAlgorithm.MD5)
    ring_s: Annotated[int, between(1, 180)] = 20
    sip_tls_port: Annotated[int, PORT] = 5061


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredUMDialPlan:
    """A UM dial plan. ``access_numbers`` are E.164, durations are what New-UMDialPlan defaults to.

    ``uri_type`` is how calls name its users: by SIP address (a voice pool does so), by extension, or by E.164 number, which is
    then ``+`` and the user's ``extension``.
    """

    name: Annotated[str, UM_NAME]
    forest: str
    extension_digits: Annotated[int, between(1, 20)]
    uri_type: UriType = UriType.SIP_NAME
    voip_security: VoIPSecurity = VoIPSecurity.SECURED
    access_numbers: Annotated[tuple[str, ...], E164] = ()
    country_code: Annotated[str, like(r"[0-9]{1,4}", "1 to 4 digits")] = "1"
    language: Annotated[str, LANGUAGE] = DEFAULT_LANGUAGE
    operator_extension: Annotated[str, DIGITS] = ""
    max_call_duration_min: Annotated[int, between(10, 120)] = 30
    max_recording_duration_min: Annotated[int, between(1, 100)] = 20
    recording_idle_timeout_s: Annotated[int, between(2, 10)] = 5

    def address_of(self, user: "DeclaredUser") -> str:
        """How the URI type addresses a user: the SIP address, ``+`` and the extension (E.164), or the extension."""
        match self.uri_type:
            case UriType.SIP_NAME:
                return user.sip_address
            case UriType.E164:
                return f"+{user.extension}"
            case UriType.TEL_EXTN:
                return user.extension


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredUMMailboxPolicy:
    """A UM mailbox policy beside the default one, which each dial plan brings."""

    name: Annotated[str, OBJECT_NAME]
    um_dial_plan: str
    min_pin_length: Annotated[int, between(4, 24)] = 6
    pin_lifetime_days: Annotated[int, between(1, 999)] = 60
    pin_history_count: Annotated[int, between(1, 20)] = 5
    logon_failures_before_pin_reset: Annotated[int, between(1, 998)] = 5
    max_logon_attempts: Annotated[int, between(1, 999)] = 15
    allow_missed_call_notifications: bool = True
    allow_message_waiting_indicator: bool = True
    um_enabled_text: Annotated[str, Rule(lambda text: len(text) <= 512, "at most 512 characters")] = ""
    voice_mail_text: Annotated[str, Rule(lambda text: len(text) <= 512, "at most 512 characters")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredUMIPGateway:
    """A plain SIP gateway of an Unsecured UM dial plan, known by its address only."""

    name: Annotated[str, OBJECT_NAME]
    um_dial_plan: str
    address: Annotated[str, Rule(is_ip_address, "an IP address: a plain gateway is known by its address only")]
    pilot_identifier: Annotated[str, like(r"[A-Za-z0-9+._-]{1,64}", "digits or letters, such as 5000")]
    transport: Literal[Transport.UDP, Transport.TCP] = Transport.TCP
    port: Annotated[int, PORT] = 5060


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredUMAutoAttendant:
    """A UM auto attendant. A name holds no spaces; ``pilot_identifiers`` are E.164.

    New-UMAutoAttendant leaves an attendant Disabled; a declared one is Enabled unless the file says otherwise.
    """

    name: Annotated[str, UM_NAME]
    um_dial_plan: str
    pilot_identifiers: Annotated[tuple[str, ...], E164] = ()
    enabled: bool = True
    speech_enabled: bool = True
    language: Annotated[str, LANGUAGE] = DEFAULT_LANGUAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredNormalizationRule:
    """A normalization rule: .NET regular expression and replacement, as New-CsVoiceNormalizationRule takes them.

    Pools of kind tandem run the pattern by RE2: without look-around and back references. It has to match the whole number.
    """

    name: Annotated[str, OBJECT_NAME]
    pattern: Annotated[str, dotnet_pattern(r"^(\d{4})$")]
    translation: str
    is_internal_extension: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredVoiceDialPlan:
    """A voice dial plan. ``identity`` is ``Global``, ``Site:NAME``, ``Registrar:FQDN`` or a tag granted to users."""

    identity: Annotated[
        str,
        like(
            r"Global|Site:[^/\\]{1,60}|Registrar:[a-z0-9.-]{1,253}|[A-Za-z0-9_-]{1,64}",
            "Global, Site:NAME, Registrar:FQDN, or a tag of letters, digits, - and _",
        ),
    ]
    simple_name: Annotated[str, like(r"[A-Za-z0-9._+()-]{1,256}", "letters, digits and - . + _ ( )")]
    normalization_rules: tuple[DeclaredNormalizationRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredVoicePolicy:
    """A voice policy. ``identity`` is ``Global``, ``Site:NAME`` or a tag granted to users."""

    identity: Annotated[str, like(r"Global|Site:[^/\\]{1,60}|[A-Za-z0-9_-]{1,64}", "Global, Site:NAME, or a tag")]
    allow_call_forwarding: bool = True
    allow_simul_ring: bool = True
    enable_call_transfer: bool = True
    pstn_usages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredVoiceRoute:
    """A voice route: numbers that match the pattern leave by these PSTN gateways. The order of routes is their priority."""

    name: Annotated[str, OBJECT_NAME]
    number_pattern: Annotated[str, dotnet_pattern(r"^\+1425")]
    pstn_usages: tuple[str, ...] = ()
    pstn_gateways: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredPstnGateway:
    """A PSTN gateway behind the Mediation Server that is collocated with a pool: a trunk. Port as New-CsTrunk's default."""

    fqdn: Annotated[str, FQDN]
    pool: str
    port: Annotated[int, PORT] = 5067
    transport: Literal[Transport.TLS, Transport.TCP] = Transport.TLS


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredContact:
    """A contact object: makes a number of UM callable (phase 9).

    With ``auto_attendant`` (a name) it is an Auto Attendant contact, without one a Subscriber Access contact.
    """

    display_name: Annotated[str, TEXT]
    sip_address: Annotated[str, SIP_ADDRESS]
    um_dial_plan: str
    number: Annotated[str, E164]
    pool: str
    ou: Annotated[str, OU]
    auto_attendant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredUser:
    """A person. ``sip_address`` without ``sip:``; empty strings where a feature is not wanted.

    A user with a ``line_uri`` is to be enabled for Enterprise Voice; one with an ``extension`` and a UM mailbox policy
    is to be enabled for UM. ``pin`` is never kept here: PINs that are not set yet are made by the UM server. ``was`` is what
    a renamed account was called: the person keeps mailbox, PIN and SIP secret. It may stay, or go when the plan is empty.
    """

    account: Annotated[str, ACCOUNT]
    display_name: Annotated[str, TEXT]
    forest: str
    ou: Annotated[str, OU]
    mail: Annotated[str, SIP_ADDRESS] = ""
    sip_address: Annotated[str, SIP_ADDRESS] = ""
    pool: str = ""
    line_uri: Annotated[str, Rule(is_line_uri, "a line URI, such as tel:+14255554101")] = ""
    extension: Annotated[str, DIGITS] = ""
    um_mailbox_policy: str = ""
    voice_dial_plan: str = ""
    voice_policy: str = ""
    was: Annotated[str, ACCOUNT] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator:
    """Someone who carries out tasks: an account and the groups that it is to be a direct member of.

    ``forest`` is where the account and its groups are; empty means the first forest.
    """

    account: Annotated[str, ACCOUNT]
    display_name: Annotated[str, TEXT]
    groups: tuple[str, ...] = ()
    forest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """All of it. Paths are absolute; ``directory`` is the database file of the embedded directory or an LDAP address.

    ``only_ev_pools`` is exchucutil's option of that name: gateways only for pools that have Enterprise Voice users.
    ``directory_roots`` is a PEM file of the authorities that domain controllers' certificates are trusted by; without it the
    system's are. ``certificate_authority`` is the CA that the runbook's certificate requests go to (``HOST\\NAME``).
    ``messaging_organization`` says whether Exchange is in the messaging forests already: ``new`` (neither organization nor
    schema), ``schema_prepared`` or ``present``. It decides who may deploy the first server of kind exchange (phase 1).
    """

    name: Annotated[str, OBJECT_NAME]
    path: Path
    directory: str
    state: Path
    secrets: Path
    directory_roots: Path | None = None
    phone_edition: PhoneEdition = PhoneEdition.NONE
    only_ev_pools: bool = False
    messaging_organization: MessagingOrganization = MessagingOrganization.NEW
    certificate_authority: Annotated[str, TEXT] = ""
    voice_features: tuple[VoiceFeature, ...] = ()
    forests: tuple[Forest, ...] = ()
    messaging_servers: tuple[DeclaredMessagingServer, ...] = ()
    voice_pools: tuple[DeclaredVoicePool, ...] = ()
    um_dial_plans: tuple[DeclaredUMDialPlan, ...] = ()
    um_mailbox_policies: tuple[DeclaredUMMailboxPolicy, ...] = ()
    um_ip_gateways: tuple[DeclaredUMIPGateway, ...] = ()
    um_auto_attendants: tuple[DeclaredUMAutoAttendant, ...] = ()
    voice_dial_plans: tuple[DeclaredVoiceDialPlan, ...] = ()
    voice_policies: tuple[DeclaredVoicePolicy, ...] = ()
    pstn_usages: Annotated[tuple[str, ...], OBJECT_NAME] = ()
    voice_routes: tuple[DeclaredVoiceRoute, ...] = ()
    pstn_gateways: tuple[DeclaredPstnGateway, ...] = ()
    contacts: tuple[DeclaredContact, ...] = ()
    organizational_units: Annotated[tuple[str, ...], OU] = ()
    users: tuple[DeclaredUser, ...] = ()
    administrators: tuple[Administrator, ...] = ()

    @property
    def uses_ldap(self) -> bool:
        """Whether the directory is Active Directory rather than the embedded one."""
        return "://" in self.directory

    def address_of(self, forest: str) -> str:
        """Where a forest's directory is."""
        return next((each.directory for each in self.forests if each.name == forest and each.directory), self.directory)

    def messaging_organization_of(self, forest: str) -> MessagingOrganization:
        """What is there of a forest's Exchange organization before phase 1."""
        said = (each.messaging_organization for each in self.forests if each.name == forest)
        return next(said, None) or self.messaging_organization

    def messaging_organization_name_of(self, forest: str) -> str:
        """What a forest's Exchange organization is called."""
        said = (each.messaging_organization_name for each in self.forests if each.name == forest)
        return next(said, "") or self.name

    @property
    def voice_forest(self) -> str:
        """The forest of the voice pools; the first forest if there is none."""
        return self.voice_pools[0].forest if self.voice_pools else self.forests[0].name if self.forests else ""

    @property
    def messaging_forests(self) -> tuple[str, ...]:
        """The forests that have messaging servers or UM dial plans, in the order of the file."""
        used = {s.forest for s in self.messaging_servers} | {p.forest for p in self.um_dial_plans}
        return tuple(forest.name for forest in self.forests if forest.name in used)

    def servers_in(self, forest: str, kind: ServerKind) -> tuple[DeclaredMessagingServer, ...]:
        """The messaging servers of a kind in a forest."""
        return tuple(s for s in self.messaging_servers if s.forest == forest and s.kind is kind)

    def servers_of(self, plan: DeclaredUMDialPlan) -> tuple[DeclaredMessagingServer, ...]:
        """The UM servers that answer for a UM dial plan: of its forest, in all dial plans or in this one."""
        return tuple(
            s
            for s in self.messaging_servers
            if s.forest == plan.forest and (s.dial_plans is None or plan.name in s.dial_plans) and is_um_server(s)
        )

    def pools_of(self, kind: PoolKind) -> tuple[DeclaredVoicePool, ...]:
        """The voice pools of a kind."""
        return tuple(pool for pool in self.voice_pools if pool.kind is kind)
