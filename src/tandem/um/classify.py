"""What an INVITE is for: which gateway sent it, which dial plan it is in, whose mailbox it wants. Pure.

The order is Exchange's: peer, transport against security, hunt group by pilot identifier, diverted user. Auto attendants
and subscriber access are recognized by number and refused until they are there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tandem.directory import objects as o
from tandem.sip.headers.diversion import Diversion
from tandem.sip.headers.fields import URI
from tandem.sip.message.grammar import same_host
from tandem.um.config import UmConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What is known of a call. ``peer_names`` are of the peer's certificate; ``source`` is its IP address."""

    transport: str
    peer_names: frozenset[str]
    source: str
    pilot: str
    called: URI
    diversions: Sequence[Diversion]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer for this user's mailbox. ``proven`` says whether the gateway proved who it is (by certificate)."""

    user: o.User
    dial_plan: o.UMDialPlan
    gateway: o.UMIPGateway
    proven: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Refuse with this status; ``why`` is logged, and told to trusted peers in a Warning header."""

    status: int
    why: str


def find_gateway(config: UmConfig, call: Incoming) -> o.UMIPGateway | Refusal:
    """The gateway that a call is from: by certificate name over TLS, by exact address otherwise."""
    if call.transport == "tls":
        found = [g for g in config.gateways if g.transport == "tls" and g.address.lower() in call.peer_names]
    else:
        found = [g for g in config.gateways if g.transport == call.transport and same_host(g.address, call.source)]
    if not found:
        names = (call.transport == "tls" and ", ".join(sorted(call.peer_names))) or call.source
        return Refusal(status=403, why=f"no UM IP gateway is known as {names} over {call.transport}")
    if found[0].status != "Enabled":
        return Refusal(status=480, why=f"UM IP gateway {found[0].name} is {found[0].status}")
    return found[0]


def classify(config: UmConfig, call: Incoming) -> Answer | Refusal:
    """Decide about a call."""
    gateway = find_gateway(config, call)
    if isinstance(gateway, Refusal):
        return gateway
    groups = [g for g in config.hunt_groups if g.gateway == gateway.name]
    group = next((g for g in groups if g.pilot_identifier.lower() == call.pilot.lower()), None)
    if group is None:
        return Refusal(status=404, why=f"no hunt group of {gateway.name} has the pilot identifier {call.pilot!r}")
    plan = config.dial_plans.get(group.dial_plan)
    if plan is None:
        return Refusal(status=480, why=f"this server is not in UM dial plan {group.dial_plan}")
    if (plan.voip_security == "Unsecured") != (call.transport != "tls"):
        return Refusal(
            status=403,
            why=f"incompatible security: {call.transport}, but UM dial plan {plan.name} is {plan.voip_security}",
        )
    wanted = [d.uri for d in call.diversions] or [call.called]
    for uri in wanted:
        if user := _user(config, plan, uri):
            return Answer(user=user, dial_plan=plan, gateway=gateway, proven=gateway.transport == "tls")
    if not call.diversions and f"+{(call.called.user or '').lstrip('+')}" in plan.access_numbers:
        return Refusal(status=480, why=f"{call.called.user}: subscriber access is not served by this release")
    return Refusal(status=404, why=f"no UM-enabled user of dial plan {plan.name} is {wanted[0]}")


def _user(config: UmConfig, plan: o.UMDialPlan, uri: URI) -> o.User | None:
    """The user of a dial plan that a URI means: by SIP address, then by its user part (extension or E.164)."""
    user_part = (uri.user or "").split(";")[0]
    for address in (f"{user_part}@{uri.host}", user_part):
        found = config.by_address.get((address.lower(), plan.phone_context.lower()))
        if found is not None:
            return found
    return None
