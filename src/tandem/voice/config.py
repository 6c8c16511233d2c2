"""What the voice server knows: a snapshot of the directory as its own account may read it.

Before exchucutil (phase 7) the directory shows it no UM object: ``um_readable`` is then false, and calls that should go
to UM fail for that reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tandem.directory import objects as o
from tandem.directory.port import Right
from tandem.directory.repository import Repository
from tandem.org.numbers import EumAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceConfig:
    """Users by SIP address and by line, dial plans by identity, UM servers by dial plan."""

    pool: o.VoicePool | None = None
    users: dict[str, o.User] = field(default_factory=dict)
    lines: dict[str, o.User | o.Contact] = field(default_factory=dict)
    contacts: dict[str, o.Contact] = field(default_factory=dict)
    dial_plans: dict[str, o.VoiceDialPlan] = field(default_factory=dict)
    um_dial_plans: dict[str, o.UMDialPlan] = field(default_factory=dict)
    um_servers: dict[str, tuple[o.MessagingServer, ...]] = field(default_factory=dict)
    um_readable: bool = False

    def dial_plan_of(self, user: o.User) -> o.VoiceDialPlan | None:
        """The voice dial plan in force: the user's own, the pool's, the global one."""
        for identity in (user.voice_dial_plan, f"Registrar:{user.home_pool}", "Global"):
            if identity in self.dial_plans:
                return self.dial_plans[identity]
        return None

    def um_dial_plan_of(self, user: o.User) -> o.UMDialPlan | None:
        """The SIP URI dial plan that a user's EUM address names, or ``None``: then there is no voice mail."""
        for text in user.proxy_addresses:
            eum = EumAddress.parse(text)
            if eum and "@" in eum.address and user.um_enabled and eum.phone_context.lower() in self.um_dial_plans:
                return self.um_dial_plans[eum.phone_context.lower()]
        return None


def read_config(repositories: Sequence[Repository], fqdn: str) -> VoiceConfig:
    """Take a snapshot for the server ``fqdn``: of its own forest, and of UM in each messaging forest that lets it in."""
    own = repositories[0]
    users = {sip_of(user): user for user in own.all(o.User) if user.sip_enabled and user.sip_address}
    contacts = {sip_of(contact): contact for contact in own.all(o.Contact) if contact.sip_address}
    lines: list[o.User | o.Contact] = [*users.values(), *contacts.values()]
    plans = [plan for each in repositories for plan in each.all(o.UMDialPlan)]
    servers = [s for each in repositories for s in each.all(o.MessagingServer) if s.status == "Enabled"]
    return VoiceConfig(
        pool=next((p for p in own.all(o.VoicePool) if fqdn in (p.fqdn, *p.servers)), None),
        users=users,
        lines={each.line_uri.lower(): each for each in lines if each.line_uri},
        contacts=contacts,
        dial_plans={plan.identity: plan for plan in own.all(o.VoiceDialPlan)},
        um_dial_plans={plan.phone_context.lower(): plan for plan in plans if plan.uri_type == "SipName"},
        um_servers={plan.name: tuple(s for s in servers if plan.name in s.dial_plans) for plan in plans},
        um_readable=bool(plans) and any(e.session.may(Right.READ, e.layout.um_dial_plans) for e in repositories),
    )


def sip_of(each: o.User | o.Contact) -> str:
    """A SIP address in lower case, without ``sip:``."""
    return each.sip_address.partition(":")[2].lower()
