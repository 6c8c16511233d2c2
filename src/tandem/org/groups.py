"""The groups that the deployment knows: who may do what is decided by membership in them."""

from tandem.org.model import Organization
from tandem.org.vocabulary import ServerKind

GROUPS = {
    "D": ("Domain Admins", "Enterprise Admins", "Administrators"),
    "X": (
        "Organization Management",
        "Recipient Management",
        "Server Management",
        "UM Management",
        "Exchange Servers",
    ),
    "V": (
        "RTCUniversalServerAdmins",
        "RTCUniversalUserAdmins",
        "RTCUniversalServerReadOnlyGroup",
        "RTCUniversalUserReadOnlyGroup",
        "RTCHSUniversalServices",
        "RTCComponentUniversalServices",
    ),
}
"""The groups that phase 0 makes, by side: directory, messaging (Exchange 2013's names), voice."""

SERVICE_GROUPS = ("Exchange Servers", "RTCHSUniversalServices", "RTCComponentUniversalServices")
"""Those of them that servers' accounts are in, and no person: they read secrets (SIP secrets, PIN hashes)."""

EXCHANGE_2007_GROUPS = ("Exchange Organization Administrators", "Exchange Recipient Administrators")
"""Made beside the others in a forest with Exchange 2007 servers (and a group for the delegation of each of them)."""

SCHEMA_ADMINS = "Schema Admins"
"""Beside the others in a forest with Exchange servers: Setup may have to prepare its schema."""

NESTED = {
    "RTCUniversalServerReadOnlyGroup": ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins"),
    "RTCUniversalUserReadOnlyGroup": ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins"),
}
"""Groups that have groups as members, as Lync's forest preparation nests them."""


def delegation(server: str) -> str:
    """The group for 2007's delegation of one server (``Add-ExchangeAdministrator -Role ServerAdmin``)."""
    return f"Exchange Server Administrator {server}"[:64]


def groups_in(org: Organization, forest: str) -> tuple[str, ...]:
    """The groups that a forest has: of the directory, and of each side that is there."""
    servers = [s for s in org.messaging_servers if s.forest == forest]
    names = list(GROUPS["D"])
    if any(s.kind is ServerKind.EXCHANGE for s in servers):
        names.append(SCHEMA_ADMINS)
    if servers:
        names += GROUPS["X"]
    if forest == org.voice_forest:
        names += GROUPS["V"]
    old = [s for s in servers if s.kind is ServerKind.EXCHANGE and s.version == "2007"]
    if old:
        names += EXCHANGE_2007_GROUPS
        names += [delegation(server.fqdn) for server in old]
    return tuple(names)
