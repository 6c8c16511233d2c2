"""What the voice server knows: the directory as its own account may read it, in memory.

Before exchucutil (phase 7) the directory shows it no UM object: ``um_readable`` is then false, and calls that should go
to UM fail for that reason.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from tandem.directory import objects as o
from tandem.directory.index import Connect, Index, Table
from tandem.org.numbers import line_key
from tandem.org.vocabulary import GLOBAL, PoolKind, ServerKind, ServerRole, UMStatus, UriType, registrar_identity


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceConfig:
    """Users by SIP address and by line (its ``line_key``), dial plans by identity, UM servers by dial plan."""

    pool: o.VoicePool | None = None
    other_pools: tuple[str, ...] = ()
    users: Mapping[str, o.User] = field(default_factory=dict)
    lines: Mapping[str, o.User | o.Contact] = field(default_factory=dict)
    contacts: Mapping[str, o.Contact] = field(default_factory=dict)
    dial_plans: dict[str, o.VoiceDialPlan] = field(default_factory=dict)
    um_dial_plans: dict[str, o.UMDialPlan] = field(default_factory=dict)
    um_servers: dict[str, tuple[o.MessagingServer, ...]] = field(default_factory=dict)
    um_readable: bool = False

    def dial_plan_of(self, user: o.User) -> o.VoiceDialPlan | None:
        """The voice dial plan in force: the user's own, the pool's, the global one."""
        for identity in (user.voice_dial_plan, registrar_identity(user.home_pool), GLOBAL):
            if identity in self.dial_plans:
                return self.dial_plans[identity]
        return None

    def other_pool(self, user: o.User) -> str | None:
        """The pool that a user is at home in, if it is another than this server's."""
        if self.pool is None or not user.home_pool or user.home_pool.lower() == self.pool.fqdn.lower():
            return None
        return user.home_pool

    def um_dial_plan_of(self, user: o.User) -> o.UMDialPlan | None:
        """The SIP URI dial plan that a user's EUM address names, or ``None``: then there is no voice mail."""
        for eum in user.eum_addresses:
            if "@" in eum.address and user.um_enabled and eum.phone_context.lower() in self.um_dial_plans:
                return self.um_dial_plans[eum.phone_context.lower()]
        return None


class VoiceDirectory:
    """The index of a voice server, and what it makes of it."""

    def __init__(self, connect: Connect, fqdn: str, forest: str) -> None:
        self._fqdn, self._forest = fqdn, forest
        self._users = Table(lambda user: [sip_of(user)] if user.sip_enabled and user.sip_address else [])
        self._contacts = Table(lambda contact: [sip_of(contact)] if contact.sip_address else [])
        self._lines = Table(_line_keys)
        self.index = Index(
            connect,
            (
                (o.User, self._users),
                (o.User, self._lines),
                (o.Contact, self._contacts),
                (o.Contact, self._lines),
            ),
            own_people=True,
        )

    def config(self) -> VoiceConfig:
        """What is in force: of its own forest, and of UM in each messaging forest that lets it in."""
        plans = self.index.all(o.UMDialPlan)
        servers = [server for server in self.index.all(o.MessagingServer) if server.status is UMStatus.ENABLED]
        pools = self.index.all(o.VoicePool, self._forest)
        own = next((p for p in pools if self._fqdn in (p.fqdn, *p.servers)), None)
        return VoiceConfig(
            pool=own,
            other_pools=tuple(sorted(p.fqdn for p in pools if p is not own and p.kind is PoolKind.TANDEM)),
            users=self._users,
            lines=self._lines,
            contacts=self._contacts,
            dial_plans={plan.identity: plan for plan in self.index.all(o.VoiceDialPlan, self._forest)},
            um_dial_plans={plan.phone_context.lower(): plan for plan in plans if plan.uri_type is UriType.SIP_NAME},
            um_servers={plan.name: tuple(s for s in servers if plan.name in s.dial_plans) for plan in plans},
            um_readable=bool(plans),
        )


def takes_calls(server: o.MessagingServer) -> bool:
    """Whether a voice server begins a call at this UM server. Exchange 2013's Mailbox role is reached through a call router,
    on the Client Access role, which redirects to it; 2016's holds both."""
    if server.kind is not ServerKind.EXCHANGE or server.version.startswith("Exchange 2016"):
        return True
    return not {ServerRole.UM, ServerRole.CLIENT_ACCESS}.isdisjoint(server.roles)


def _line_keys(each: o.User | o.Contact) -> list[Hashable]:
    addressed = each.sip_address and (isinstance(each, o.Contact) or each.sip_enabled)
    return [line_key(each.line_uri)] if addressed and each.line_uri else []


def sip_of(each: o.User | o.Contact) -> str:
    """A SIP address in lower case, without ``sip:``."""
    return each.bare_sip_address.lower()
