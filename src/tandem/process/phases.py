"""The twelve phases: what each is, whose it is, what it needs (the topic's order, and ours for phase 0).

Roles are groups of the directory, under Exchange 2013's and Lync's names. A requirement is a list of alternatives; of one
alternative every group is needed. Membership counts through nested groups and is read from the directory.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """The team that a task belongs to."""

    DIRECTORY = "directory administrators"
    MESSAGING = "messaging administrators"
    VOICE = "voice administrators"


Requirement = tuple[frozenset[str], ...]


def any_of(*alternatives: str | Iterable[str]) -> Requirement:
    """Alternatives; one of several groups is an iterable."""
    return tuple(frozenset([a]) if isinstance(a, str) else frozenset(a) for a in alternatives)


def requirement_text(requirement: Requirement) -> str:
    """As people read it: ``A and B, or C``."""
    return ", or ".join(" and ".join(sorted(alternative)) for alternative in requirement)


DIRECTORY_ADMINS = any_of("Domain Admins", "Enterprise Admins")
ENTERPRISE_ADMINS = any_of("Enterprise Admins")
ORGANIZATION = any_of("Organization Management")
SERVER_OPERATORS = any_of(("Administrators", "Server Management"), ("Administrators", "Organization Management"))
LOCAL_ADMINS = any_of("Administrators")
RECIPIENTS = any_of("Recipient Management", "Organization Management")
EXCHUCUTIL = any_of(("Organization Management", "Recipient Management"), "Organization Management")
UM_USERS = any_of("UM Management", "Organization Management")
VOICE_SERVERS = any_of("RTCUniversalServerAdmins")
VOICE_USERS = any_of("RTCUniversalUserAdmins")
OCSUMUTIL = any_of(("RTCUniversalServerAdmins", "RTCUniversalUserAdmins"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase. ``needs`` are the numbers of the phases that come before it."""

    number: int
    id: str
    title: str
    needs: tuple[int, ...] = ()


PHASES = (
    Phase(number=0, id="preconditions", title="What the deployment assumes"),
    Phase(number=1, id="servers", title="Deploy the messaging servers", needs=(0,)),
    Phase(number=2, id="certificates", title="Install certificates (mutual TLS)", needs=(1,)),
    Phase(number=3, id="um-dial-plans", title="Create and configure the UM dial plans", needs=(1,)),
    Phase(number=4, id="dial-plan-security", title="Set the dial plans' VoIP security", needs=(3,)),
    Phase(number=5, id="dial-plan-servers", title="Add the UM servers to the dial plans", needs=(1, 2, 3)),
    Phase(number=6, id="sip-addresses", title="Give mailboxes their SIP addresses", needs=(3,)),
    Phase(number=7, id="exchucutil", title="Permissions, gateways and hunt groups (exchucutil)", needs=(3, 4)),
    Phase(number=8, id="voice-dial-plans", title="Configure the voice dial plans", needs=(3,)),
    Phase(number=9, id="ocsumutil", title="Contact objects (ocsumutil)", needs=(3, 7, 8)),
    Phase(number=10, id="enterprise-voice", title="Remaining Enterprise Voice configuration", needs=(8,)),
    Phase(number=11, id="um-users", title="Enable the Enterprise Voice users for UM", needs=(3, 6, 10)),
)


def find_phase(text: str) -> Phase | None:
    """A phase by its id or number."""
    return next((p for p in PHASES if text in (p.id, str(p.number))), None)
