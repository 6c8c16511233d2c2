"""What the UM server knows: a snapshot of the directory as its own account may read it.

The snapshot is taken again when the directory's change number rises, so a change is in force within a second.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tandem.directory import objects as o
from tandem.directory.repository import Repository
from tandem.org.numbers import EumAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class UmConfig:
    """``dial_plans`` are those that this server is in; ``by_address`` finds users by EUM address and phone context."""

    server: o.MessagingServer | None = None
    dial_plans: dict[str, o.UMDialPlan] = field(default_factory=dict)
    policies: dict[str, o.UMMailboxPolicy] = field(default_factory=dict)
    gateways: tuple[o.UMIPGateway, ...] = ()
    hunt_groups: tuple[o.UMHuntGroup, ...] = ()
    users: tuple[o.User, ...] = ()
    by_address: dict[tuple[str, str], o.User] = field(default_factory=dict)
    by_sip: dict[str, o.User] = field(default_factory=dict)

    def gateways_of(self, dial_plan: str) -> Iterator[o.UMIPGateway]:
        """The enabled gateways that serve a dial plan, by its hunt groups."""
        names = {group.gateway for group in self.hunt_groups if group.dial_plan == dial_plan}
        return (gateway for gateway in self.gateways if gateway.name in names and gateway.status == "Enabled")

    def extension(self, user: o.User) -> str:
        """A user's extension in its UM dial plan, or an empty string."""
        plan = self.dial_plans.get(user.um_dial_plan)
        for text in user.proxy_addresses:
            eum = EumAddress.parse(text)
            if eum and plan and eum.phone_context == plan.phone_context and eum.address.isdigit():
                return eum.address
        return ""


def read_config(repository: Repository, fqdn: str) -> UmConfig:
    """Take a snapshot."""
    server = repository.get(o.MessagingServer, fqdn)
    served = set(server.dial_plans) if server and server.status == "Enabled" else set()
    users = tuple(user for user in repository.all(o.User) if user.um_enabled)
    return UmConfig(
        server=server,
        dial_plans={plan.name: plan for plan in repository.all(o.UMDialPlan) if plan.name in served},
        policies={policy.name: policy for policy in repository.all(o.UMMailboxPolicy)},
        gateways=repository.all(o.UMIPGateway),
        hunt_groups=repository.all(o.UMHuntGroup),
        users=users,
        by_address={
            eum.key: user for user in users for text in user.proxy_addresses if (eum := EumAddress.parse(text))
        },
        by_sip={
            user.sip_address.partition(":")[2].lower(): user for user in repository.all(o.User) if user.sip_address
        },
    )
