"""Who may do what: the groups and roles that each part of the process requires, under the names of each Exchange version.

The source is the process's own table (docs/process.md). 2007 has groups of the Exchange organization and a delegation per
server, which the directory keeps as a group per server; from 2010 on there are role groups. A forest with servers of
several versions accepts the names of each. Voice and directory groups have the same names in every version.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tandem.org.groups import SCHEMA_ADMINS, delegation
from tandem.org.model import DeclaredMessagingServer
from tandem.org.versions import Generation, generation, generations
from tandem.org.vocabulary import MessagingOrganization

ENTERPRISE_ADMINS = "Enterprise Admins"
DOMAIN_ADMINS = "Domain Admins"
ADMINISTRATORS = "Administrators"
ORGANIZATION_2007 = "Exchange Organization Administrators"
RECIPIENT_2007 = "Exchange Recipient Administrators"
ORGANIZATION = "Organization Management"
RECIPIENT = "Recipient Management"
SERVER = "Server Management"
UM = "UM Management"
SERVER_ADMINS = "RTCUniversalServerAdmins"
USER_ADMINS = "RTCUniversalUserAdmins"

Requirement = tuple[frozenset[str], ...]
"""Alternatives; of one alternative, membership in every group is needed."""


def any_of(*alternatives: str | Iterable[str]) -> Requirement:
    """Alternatives; one of several groups is an iterable. What is named twice appears once."""
    sets = (frozenset([a]) if isinstance(a, str) else frozenset(a) for a in alternatives)
    return tuple(dict.fromkeys(sets))


def requirement_text(requirement: Requirement, language: Literal["en", "fr"] = "en") -> str:
    """As people read it: ``A and B, or C``; in French ``A et B, ou C`` and ``A ou B``, with the names of a French Windows."""
    if language == "en":
        return ", or ".join(" and ".join(sorted(alternative)) for alternative in requirement)
    either = ", ou " if any(len(alternative) > 1 for alternative in requirement) else " ou "
    return either.join(" et ".join(map(_in_french, sorted(alternative))) for alternative in requirement)


def _in_french(group: str) -> str:
    return f"{group} ({FRENCH_GROUPS[group]})" if group in FRENCH_GROUPS else group


FRENCH_GROUPS = {
    ADMINISTRATORS: "Administrateurs",
    DOMAIN_ADMINS: "Admins du domaine",
    ENTERPRISE_ADMINS: "Administrateurs de l'entreprise",
    SCHEMA_ADMINS: "Administrateurs du schéma",
}
"""What Windows calls these groups where it is installed in French; Exchange's and Lync Server's are English everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagingRoles:
    """What the messaging side's tasks require in one forest, by the versions of its servers."""

    generations: tuple[Generation, ...]

    @classmethod
    def of(cls, servers: Iterable[DeclaredMessagingServer]) -> "MessagingRoles":
        """For these servers; none is as 2013."""
        return cls(generations=generations(servers) or (Generation.E2013,))

    def _each(self, old: Iterable[str | tuple[str, ...]], new: Iterable[str | tuple[str, ...]]) -> Requirement:
        names: list[str | tuple[str, ...]] = []
        for version in self.generations:
            names += old if version is Generation.E2007 else new
        return any_of(*names)

    def servers(
        self, *, first: bool, organization: MessagingOrganization = MessagingOrganization.SCHEMA_PREPARED
    ) -> Requirement:
        """Phase 1: Enterprise Admins for the first server of an organization that is not there yet, and Schema Admins too
        where Exchange's schema is not there either; else the organization's administrators."""
        if not first or organization is MessagingOrganization.PRESENT:
            return self.organization()
        new = organization is MessagingOrganization.NEW
        return any_of((ENTERPRISE_ADMINS, SCHEMA_ADMINS)) if new else any_of(ENTERPRISE_ADMINS)

    def organization(self) -> Requirement:
        """Phases 3 and 4."""
        return self._each([ORGANIZATION_2007], [ORGANIZATION])

    def eum_addresses(self) -> Requirement:
        """Phase 6, the mailbox's part."""
        return self._each([RECIPIENT_2007], [RECIPIENT, ORGANIZATION])

    def exchucutil(self) -> Requirement:
        """Phase 7. From 2010 on Organization Management alone is accepted, with a warning."""
        return self._each([(ORGANIZATION_2007, RECIPIENT_2007)], [(ORGANIZATION, RECIPIENT), ORGANIZATION])

    def um_users(self) -> Requirement:
        """Phase 11. Recipient Management holds no UM role from 2010 on."""
        return self._each([RECIPIENT_2007], [UM, ORGANIZATION])


def _both(*groups: str) -> Requirement:
    return any_of(*((ADMINISTRATORS, group) for group in groups))


def um_service(server: DeclaredMessagingServer) -> Requirement:
    """Phase 5 for the UM role or service of one server: its local administrators who may also manage it in Exchange."""
    if generation(server) is Generation.E2007:
        return _both(delegation(server.fqdn), ORGANIZATION_2007)
    return SERVER_OPERATORS


def call_router() -> Requirement:
    """Phase 5 for 2013's UM Call Router."""
    return _both(ORGANIZATION, UM)


SERVER_OPERATORS = _both(SERVER, ORGANIZATION)
"""Phase 5 for Tandem servers, as for 2010's UM role and 2013's UM service."""
CERTIFICATES = any_of(ADMINISTRATORS)
"""Phase 2, on either side: Administrators of the server."""
DIRECTORY_ADMINS = any_of(DOMAIN_ADMINS, ENTERPRISE_ADMINS)
"""Phase 0, and the permission on an OU in phase 9."""
VOICE_SERVERS = any_of(SERVER_ADMINS)
"""Phases 0 (pools), 8, and 10 (servers, policies, routes)."""
VOICE_USERS = any_of(USER_ADMINS)
"""Phases 0 and 6 (SIP addresses), and 10 (users)."""
OCSUMUTIL = any_of((SERVER_ADMINS, USER_ADMINS))
"""Phase 9: both, and the right to create contacts in the chosen OU."""
