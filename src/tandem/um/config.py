"""What the UM server knows: the directory as its own account may read it, in memory.

The index follows the directory, so a change is in force within a second or two, and no call waits for the directory.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from tandem.directory import objects as o
from tandem.directory.index import Connect, Index, Table
from tandem.org.numbers import user_key
from tandem.org.vocabulary import PinState, ServerKind, Transport, UMStatus, UriType
from tandem.sip.message.grammar import bracketed, canonical

NO_PIN_YET = (PinState.PENDING, PinState.MAILING)
"""States of a PIN that is still to be made, or whose mail may not have been sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UmConfig:
    """``partners`` are Tandem's other UM servers that answer for the same dial plans, by FQDN.

    ``dial_plans`` are those that this server is in; ``by_address`` finds users by EUM address and phone context.

    ``users`` are those enabled for UM, ``without_pin`` those of them whose PIN is still to be made, both by account.
    ``by_mail`` are those enabled for UM by mail address.
    """

    server: o.MessagingServer | None = None
    partners: tuple[str, ...] = ()
    dial_plans: dict[str, o.UMDialPlan] = field(default_factory=dict)
    policies: dict[str, o.UMMailboxPolicy] = field(default_factory=dict)
    gateways: tuple[o.UMIPGateway, ...] = ()
    plain_addresses: frozenset[str] = frozenset()
    hunt_groups: tuple[o.UMHuntGroup, ...] = ()
    attendants: tuple[o.UMAutoAttendant, ...] = ()
    users: Mapping[str, o.User] = field(default_factory=dict)
    without_pin: Mapping[str, o.User] = field(default_factory=dict)
    by_address: Mapping[tuple[str, str], o.User] = field(default_factory=dict)
    by_sip: Mapping[str, o.User] = field(default_factory=dict)
    by_mail: Mapping[str, o.User] = field(default_factory=dict)

    def gateways_of(self, dial_plan: str) -> Iterator[o.UMIPGateway]:
        """The enabled gateways that serve a dial plan, by its hunt groups."""
        names = {group.gateway for group in self.hunt_groups if group.dial_plan == dial_plan}
        return (gateway for gateway in self.gateways if gateway.name in names and gateway.status is UMStatus.ENABLED)

    def extension(self, user: o.User) -> str:
        """A user's extension in its UM dial plan, or an empty string. In an E.164 dial plan: the number without ``+``."""
        plan = self.dial_plans.get(user.um_dial_plan)
        for eum in user.eum_addresses:
            digits = eum.address.removeprefix("+")
            if plan and eum.phone_context == plan.phone_context and digits.isdigit():
                return digits
        return ""

    def user_of(self, plan: o.UMDialPlan, user_part: str, host: str) -> o.User | None:
        """The user of a dial plan that a URI means: by SIP address, then by its user part (extension or E.164 number).

        In an E.164 dial plan every number is one of E.164, with its ``+`` or without.
        """
        name, context = user_key(user_part), plan.phone_context.lower()
        other = name.removeprefix("+") if name.startswith("+") else f"+{name}"
        address = f"{user_part.partition(';')[0]}@{host}".lower()
        forms = (address, name, *([other] if plan.uri_type is UriType.E164 else []))
        return next((user for form in forms if (user := self.by_address.get((form, context)))), None)

    def mwi_address(self, user: o.User, gateway: o.UMIPGateway) -> str:
        """Whom a gateway knows a user as, by the URI type of the dial plan: the SIP address, the extension, or ``+`` and it."""
        if self._by_sip_address(user):
            return f"sip:{user.bare_sip_address}"
        plan = self.dial_plans.get(user.um_dial_plan)
        plus = "+" if plan and plan.uri_type is UriType.E164 else ""
        return f"sip:{plus}{self.extension(user)}@{bracketed(gateway.address)}"

    def mwi_uri(self, user: o.User, gateway: o.UMIPGateway) -> str:
        """Where message waiting is sent: the user's address at the gateway, with its port and transport."""
        port = "" if self._by_sip_address(user) else f":{gateway.port}"
        transport = f";transport={gateway.transport}" if gateway.transport is not Transport.UDP else ""
        return f"{self.mwi_address(user, gateway)}{port}{transport}"

    def _by_sip_address(self, user: o.User) -> bool:
        plan = self.dial_plans.get(user.um_dial_plan)
        return bool(user.sip_address) and (plan is None or plan.uri_type is UriType.SIP_NAME)


class UmDirectory:
    """The index of a UM server, and what it makes of it."""

    def __init__(self, connect: Connect, fqdn: str, forest: str) -> None:
        self._fqdn, self._forest = fqdn, forest
        self._users = Table(lambda user: [user.account.lower()] if user.um_enabled else [])
        self._without_pin = Table(
            lambda user: [user.account.lower()] if user.um_enabled and user.pin_state in NO_PIN_YET else []
        )
        self._by_address = Table(_eum_keys)
        self._by_sip = Table(_sip_keys)
        self._by_mail = Table(lambda user: [user.mail] if user.um_enabled and user.mail else [])
        tables = (self._users, self._without_pin, self._by_address, self._by_sip, self._by_mail)
        self.index = Index(connect, ((o.User, table) for table in tables), own_people=False)

    def config(self) -> UmConfig:
        """What is in force: services of this server's forest as they are now; users as they will be at each look."""
        servers = self.index.all(o.MessagingServer, self._forest)
        server = next((each for each in servers if each.fqdn.lower() == self._fqdn.lower()), None)
        served = set(server.dial_plans) if server and server.status is UMStatus.ENABLED else set()
        plans = self.index.all(o.UMDialPlan, self._forest)
        gateways = self.index.all(o.UMIPGateway, self._forest)
        return UmConfig(
            server=server,
            partners=tuple(
                each.fqdn
                for each in servers
                if each.kind is ServerKind.TANDEM and each is not server and served.intersection(each.dial_plans)
            ),
            dial_plans={plan.name: plan for plan in plans if plan.name in served},
            policies={policy.name: policy for policy in self.index.all(o.UMMailboxPolicy, self._forest)},
            gateways=gateways,
            plain_addresses=frozenset(
                canonical(gateway.address) for gateway in gateways if gateway.transport is not Transport.TLS
            ),
            hunt_groups=self.index.all(o.UMHuntGroup, self._forest),
            attendants=self.index.all(o.UMAutoAttendant, self._forest),
            users=self._users,
            without_pin=self._without_pin,
            by_address=self._by_address,
            by_sip=self._by_sip,
            by_mail=self._by_mail,
        )

    def users(self) -> dict[str, o.User]:
        """All users that are seen, enabled for UM or not, by their entries' ids. Also from a thread."""
        return self.index.by_id(o.User)


def _eum_keys(user: o.User) -> list[Hashable]:
    if not user.um_enabled:
        return []
    return [eum.key for eum in user.eum_addresses]


def _sip_keys(user: o.User) -> list[Hashable]:
    return [user.bare_sip_address.lower()] if user.sip_address else []
