"""The words of the contract between the process and the servers, each once.

Files and directories hold the values as they are written here; the names are those of Exchange and Lync.
"""

from enum import StrEnum

DEFAULT_LANGUAGE = "en-US"
"""The language of prompts where nothing else is declared, and the only one of this release."""
GLOBAL = "Global"
"""The identity of the voice dial plan or voice policy for everyone who is granted no other."""


def registrar_identity(pool: str) -> str:
    """The identity of a pool's own voice dial plan."""
    return f"Registrar:{pool}"


def default_policy(dial_plan: str) -> str:
    """The name of the mailbox policy that comes with a dial plan."""
    return f"{dial_plan} Default Policy"


class ServerKind(StrEnum):
    """What product runs on a messaging server."""

    TANDEM = "tandem"
    EXCHANGE = "exchange"


class PoolKind(StrEnum):
    """What product runs in a voice pool."""

    TANDEM = "tandem"
    LYNC = "lync"


class PoolType(StrEnum):
    """The role of a pool in the topology."""

    STANDARD_EDITION = "StandardEdition"
    FRONT_END = "FrontEnd"
    DIRECTOR = "Director"
    BRANCH = "Branch"


class VoIPSecurity(StrEnum):
    """How a UM dial plan protects signalling and media (``Set-UMDialPlan -VoIPSecurity``)."""

    UNSECURED = "Unsecured"
    SIP_SECURED = "SIPSecured"
    SECURED = "Secured"


class MediaEncryption(StrEnum):
    """A pool's media encryption (``Set-CsMediaConfiguration -EncryptionLevel``)."""

    REQUIRE = "RequireEncryption"
    SUPPORT = "SupportEncryption"
    DO_NOT_SUPPORT = "DoNotSupportEncryption"


class UriType(StrEnum):
    """The URI type of a UM dial plan; a dial plan that a voice pool uses is SipName."""

    SIP_NAME = "SipName"
    TEL_EXTN = "TelExtn"
    E164 = "E164"


class Transport(StrEnum):
    """The transport of a gateway: plain UM IP gateways use UDP or TCP, trunks TCP or TLS, voice pools TLS."""

    TLS = "tls"
    TCP = "tcp"
    UDP = "udp"


class StartupMode(StrEnum):
    """Which transports a UM server listens on (``Set-UmService -UMStartupMode``): plain, secured, or both."""

    TCP = "TCP"
    TLS = "TLS"
    DUAL = "Dual"


class UMStatus(StrEnum):
    """Whether a UM server, UM IP gateway or auto attendant takes calls (``Enable-UMService``, ``Set-UMIPGateway -Status``)."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    NO_NEW_CALLS = "NoNewCalls"


class PinState(StrEnum):
    """The PIN of a user who is enabled for UM.

    ``PENDING``: to be made by a UM server. ``MAILING``: kept by release 0.1, whose mail may not have been sent, so another PIN
    is made. ``SET``: mailed and kept. ``NONE`` is an absent attribute: the user is not enabled for UM.
    """

    NONE = ""
    PENDING = "pending"
    MAILING = "mailing"
    SET = "set"


class ServerRole(StrEnum):
    """A role of an Exchange server, as its version names it."""

    UM = "UM"
    HUB_TRANSPORT = "HubTransport"
    CLIENT_ACCESS = "ClientAccess"
    MAILBOX = "Mailbox"
    EDGE_TRANSPORT = "EdgeTransport"


class MessagingOrganization(StrEnum):
    """What is there of a forest's Exchange organization before phase 1: decides who may deploy its first server.

    ``NEW``: neither organization nor schema (Enterprise Admins and Schema Admins). ``SCHEMA_PREPARED``: the schema, by
    ``Setup /PrepareSchema``, and no organization (Enterprise Admins). ``PRESENT``: the organization, by a server that runs
    or by ``Setup /PrepareAD``: every server is a further one (Exchange's organization administrators).
    """

    NEW = "new"
    SCHEMA_PREPARED = "schema_prepared"
    PRESENT = "present"


class PhoneEdition(StrEnum):
    """Whether Lync Phone Edition devices are there: decides if the topic's warning about them is shown."""

    NONE = "none"
    PLANNED = "planned"
    DEPLOYED = "deployed"


class VoiceFeature(StrEnum):
    """A feature of Enterprise Voice that needs further steps in phase 10, which the plan names."""

    MEDIA_BYPASS = "media_bypass"
    CALL_ADMISSION_CONTROL = "call_admission_control"
    E911 = "e911"
    CALL_PARK = "call_park"
    RESPONSE_GROUPS = "response_groups"
    ANNOUNCEMENTS = "announcements"
    LOCATION_BASED_ROUTING = "location_based_routing"
    REMOTE_USERS = "remote_users"


class DigestAlgorithm(StrEnum):
    """A digest algorithm that a pool offers to its phones (RFC 8760)."""

    SHA256 = "SHA-256"
    MD5 = "MD5"
