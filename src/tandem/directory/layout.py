"""Where things are: the containers of Active Directory that Exchange and Lync use, and one of our own.

Exchange's and Lync's containers are below the Configuration partition. Voice dial plans and policies, which Lync keeps
outside of Active Directory, are in ``CN=Tandem Voice``, beside RTC Service. Messaging and voice may be in two forests: a
layout names the pair.
"""

from dataclasses import dataclass

from tandem.directory.dn import DN
from tandem.org.groups import GROUPS

ORGANIZATION_CLASS = "msExchOrganizationContainer"
"""The class of the entry of a messaging organization."""
RTC_SERVICE_CLASS, POOLS_CLASS = "msRTCSIP-Service", "msRTCSIP-Pools"
"""The classes of RTC Service and of the container of voice pools below it."""
ADMINISTRATIVE_GROUP = "Exchange Administrative Group (FYDIBOHF23SPDLT)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The names of one forest (its root domain) with one messaging organization.

    ``voice_forest`` is where the voice side is: empty means in the same forest.
    """

    forest: str
    organization: str
    voice_forest: str = ""

    @property
    def domain(self) -> DN:
        """The root domain."""
        return domain_of(self.forest)

    @property
    def voice_domain(self) -> DN:
        """The root domain of the voice side's forest."""
        return domain_of(self.voice_forest or self.forest)

    @property
    def domains(self) -> tuple[DN, ...]:
        """Both, each once."""
        return tuple(dict.fromkeys((self.domain, self.voice_domain)))

    @property
    def system(self) -> DN:
        """The container of trusts."""
        return self.domain.child("CN", "System")

    @property
    def users(self) -> DN:
        """The default container of accounts and groups."""
        return self.domain.child("CN", "Users")

    @property
    def computers(self) -> DN:
        """The accounts of servers."""
        return self.domain.child("CN", "Computers")

    @property
    def configuration(self) -> DN:
        """The configuration partition."""
        return self.domain.child("CN", "Configuration")

    @property
    def services(self) -> DN:
        """Services of the configuration partition."""
        return self.configuration.child("CN", "Services")

    @property
    def microsoft_exchange(self) -> DN:
        """The container of messaging organizations."""
        return self.services.child("CN", "Microsoft Exchange")

    @property
    def exchange(self) -> DN:
        """The messaging organization."""
        return self.microsoft_exchange.child("CN", self.organization)

    @property
    def um_dial_plans(self) -> DN:
        """UM dial plans."""
        return self.exchange.child("CN", "UM DialPlan Container")

    @property
    def um_ip_gateways(self) -> DN:
        """UM IP gateways, with their hunt groups below them."""
        return self.exchange.child("CN", "UM IPGateway Container")

    @property
    def um_auto_attendants(self) -> DN:
        """UM auto attendants."""
        return self.exchange.child("CN", "UM AutoAttendant Container")

    @property
    def um_mailbox_policies(self) -> DN:
        """UM mailbox policies."""
        return self.exchange.child("CN", "UM Mailbox Policies")

    @property
    def administrative_groups(self) -> DN:
        """Administrative groups, which hold the servers."""
        return self.exchange.child("CN", "Administrative Groups")

    @property
    def servers(self) -> DN:
        """Messaging servers."""
        return self.administrative_groups.child("CN", ADMINISTRATIVE_GROUP).child("CN", "Servers")

    @property
    def _voice_services(self) -> DN:
        return self.voice_domain.child("CN", "Configuration").child("CN", "Services")

    @property
    def rtc_service(self) -> DN:
        """Lync's global settings."""
        return self._voice_services.child("CN", "RTC Service")

    @property
    def pools(self) -> DN:
        """Voice pools."""
        return self.rtc_service.child("CN", "Pools")

    @property
    def voice(self) -> DN:
        """What Lync keeps outside of Active Directory (a container of our own)."""
        return self._voice_services.child("CN", "Tandem Voice")

    @property
    def voice_dial_plans(self) -> DN:
        """Voice dial plans."""
        return self.voice.child("CN", "Dial Plans")

    @property
    def voice_policies(self) -> DN:
        """Voice policies."""
        return self.voice.child("CN", "Voice Policies")

    @property
    def voice_routes(self) -> DN:
        """Voice routes."""
        return self.voice.child("CN", "Voice Routes")

    @property
    def pstn_usages(self) -> DN:
        """PSTN usages."""
        return self.voice.child("CN", "PSTN Usages")

    @property
    def trunks(self) -> DN:
        """PSTN gateways behind Mediation Servers."""
        return self.voice.child("CN", "Trunks")

    def group(self, name: str) -> DN:
        """A group: the voice side's is in its own forest.

        This is its name for us. Where Windows, Exchange or Lync have made it elsewhere, or in another language, the session
        finds it (:mod:`tandem.directory.ldap.groups`).
        """
        domain = self.voice_domain if name in GROUPS["V"] else self.domain
        return domain.child("CN", "Users").child("CN", name)


def domain_of(forest: str) -> DN:
    """The root domain of a forest."""
    return DN(tuple(("DC", label) for label in forest.split(".")))


def forest_of(dn: DN) -> str:
    """The domain that a name ends in."""
    return ".".join(value for kind, value in dn.rdns if kind.upper() == "DC").lower()
