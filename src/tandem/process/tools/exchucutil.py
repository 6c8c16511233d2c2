"""exchucutil: permissions for the voice groups, a UM IP gateway per voice pool, hunt groups.

As the shipped script does it, with the project's rulings (docs/process.md): gateways for every pool, or with
``only_ev_pools`` for those with Enterprise Voice users; hunt groups for every pool times every secured SIP URI dial plan,
kept when unchanged; outgoing calls are decided once, when a gateway is made, and never turned on again.

The plan gives it the pools and dial plans that are declared, the tool those that the directory holds.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tandem.directory import objects as o
from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.org.vocabulary import PoolKind, PoolType, Transport, UriType, VoIPSecurity
from tandem.process.errors import ProcessError
from tandem.process.task import Change, Context, Step, ensure, ensure_aces


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A voice pool as exchucutil sees it; ``users`` counts those enabled for Enterprise Voice."""

    fqdn: str
    pool_type: str
    users: int

    @property
    def may_call_out(self) -> bool:
        """Whether UM's outgoing calls may go through it: never a Director or a branch."""
        return self.pool_type not in (PoolType.DIRECTOR, PoolType.BRANCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the tool prints at its end: permissions (object, group, rights, there or not), gateways, what to do next."""

    permissions: tuple[tuple[str, str, str, bool], ...]
    gateways: tuple[tuple[str, str, tuple[str, ...]], ...]
    reminders: tuple[str, ...]


def chosen(pools: Iterable[Pool], *, only_ev_pools: bool) -> tuple[Pool, ...]:
    """The pools that get a gateway."""
    return tuple(pool for pool in pools if pool.users or not only_ev_pools)


def outcall_pool(pools: Iterable[Pool]) -> str:
    """The pool whose gateway may call out at first: no Director or branch, the most Enterprise Voice users, then by name."""
    candidates = [pool for pool in pools if pool.may_call_out]
    return min(candidates, key=lambda pool: (-pool.users, pool.fqdn)).fqdn if candidates else ""


def permission_steps(context: Context) -> Iterator[Step]:
    """The two groups list the organization, and list and read the four containers."""
    for text, aces in exchucutil_aces(context.layout):
        yield from ensure_aces(context, DN.parse(text), aces)


def gateway_steps(context: Context, pools: Sequence[Pool], *, secured: bool) -> Iterator[Step]:
    """A gateway for each pool that has none of its address yet."""
    by_address = {g.address.lower(): g for g in context.repository.all(o.UMIPGateway)}
    taken = any(g.outcalls_allowed and g.transport is Transport.TLS for g in by_address.values())
    caller = "" if taken else outcall_pool(pools)
    for pool in pools:
        known = by_address.get(pool.fqdn)
        wanted = o.UMIPGateway(
            name=known.name if known else pool.fqdn,
            address=pool.fqdn,
            port=5061 if secured else 5060,
            transport=Transport.TLS,
            outcalls_allowed=pool.fqdn == caller,
            mwi_allowed=pool.pool_type != PoolType.BRANCH,
        )
        for change, make in ensure(
            context, "UM IP gateway", wanted, keep=("outcalls_allowed", "mwi_allowed", "status")
        ):
            # Fields that are as by default are not said; of this one it matters either way.
            calls = () if not wanted.outcalls_allowed else ("outcalls_allowed True",)
            yield (_detailed(change, (*change.details, *calls)) if change.action == "+" else change), make


def _detailed(change: Change, details: tuple[str, ...]) -> Change:
    return Change(action=change.action, kind=change.kind, name=change.name, details=details)


def hunt_group_steps(context: Context, pools: Iterable[Pool], dial_plans: Sequence[str]) -> Iterator[Step]:
    """Each gateway with each of these dial plans; the pilot identifier is the dial plan's name."""
    by_address = {g.address.lower(): g.name for g in context.repository.all(o.UMIPGateway)}
    for pool in pools:
        gateway = by_address.get(pool.fqdn, pool.fqdn)
        for name in dial_plans:
            wanted = o.UMHuntGroup(name=name, gateway=gateway, dial_plan=name, pilot_identifier=name)
            for change, make in ensure(context, "UM hunt group", wanted):
                yield _detailed(change, (f"at {gateway}", *change.details)), make


def pools_of_directory(context: Context) -> tuple[Pool, ...]:
    """The pools of the voice forest. Raises :class:`ProcessError` where there is no voice side, or none that is readable."""
    at = context.layout
    voice = at.voice_forest or at.forest
    for group in ("RTCUniversalServerAdmins", "RTCComponentUniversalServices"):
        if context.session.get(at.group(group)) is None:
            raise ProcessError(
                f"forest {voice} has no group {group} that you can read: voice is prepared there in phase 0, "
                "and that forest has to trust yours; --forest names another forest"
            )
    if context.session.get(at.pools) is None:
        raise ProcessError(
            f"forest {voice} has no voice pools that you can read (phase 0); --forest names another forest"
        )
    users = Counter(user.home_pool for user in context.repository.all(o.User) if user.enterprise_voice)
    return tuple(
        Pool(fqdn=pool.fqdn, pool_type=pool.pool_type, users=users[pool.fqdn])
        for pool in context.repository.all(o.VoicePool)
    )


def secured_dial_plans(context: Context) -> tuple[str, ...]:
    """The SIP URI dial plans of the directory that are not Unsecured."""
    return tuple(
        plan.name
        for plan in context.repository.all(o.UMDialPlan)
        if plan.uri_type == UriType.SIP_NAME and plan.voip_security != VoIPSecurity.UNSECURED
    )


def tool_steps(context: Context, *, only_ev_pools: bool) -> Iterator[Step]:
    """Everything that the tool does, by what the directory holds."""
    pools = chosen(pools_of_directory(context), only_ev_pools=only_ev_pools)
    plans = secured_dial_plans(context)
    yield from permission_steps(context)
    yield from gateway_steps(context, pools, secured=bool(plans))
    yield from hunt_group_steps(context, pools, plans)


def report(context: Context, *, only_ev_pools: bool) -> Report:
    """The state of permissions and gateways, and what is left to do by hand."""
    pools = chosen(pools_of_directory(context), only_ev_pools=only_ev_pools)
    permissions = []
    for text, aces in exchucutil_aces(context.layout):
        lacking = context.session.lacking(DN.parse(text), aces)
        for ace in aces:
            rights = "List" if "READ" not in (ace.rights.name or "") else "List, Read"
            permissions.append((DN.parse(text).name, ace.principal.name, rights, ace not in lacking))
    gateways = {g.address.lower(): g for g in context.repository.all(o.UMIPGateway)}
    groups = context.repository.all(o.UMHuntGroup)
    rows = []
    for pool in pools:
        gateway = gateways.get(pool.fqdn)
        served = tuple(g.dial_plan for g in groups if gateway and g.gateway == gateway.name)
        rows.append((pool.fqdn, gateway.name if gateway else "(not found)", served))
    return Report(
        permissions=tuple(permissions), gateways=tuple(rows), reminders=tuple(_reminders(context, pools, rows))
    )


def _reminders(
    context: Context, pools: Sequence[Pool], rows: Iterable[tuple[str, str, tuple[str, ...]]]
) -> Iterator[str]:
    if not pools:
        yield "There is no voice pool to make a gateway for."
    if not secured_dial_plans(context):
        yield "There is no secured SIP URI dial plan: gateways have no hunt groups. Run this again after phases 3 and 4."
    kinds = {pool.fqdn: pool.kind for pool in context.repository.all(o.VoicePool)}
    for pool in pools:
        if kinds.get(pool.fqdn) is PoolKind.LYNC:
            yield f"Restart the Front-End service (RTCSRV) on every server of {pool.fqdn}: it sees UM objects only then."
    yield from outcall_problems(context)


def outcall_problems(context: Context) -> Iterator[str]:
    """Each dial plan that has not exactly one gateway with outgoing calls, or one of a Director or branch."""
    gateways = {g.name: g for g in context.repository.all(o.UMIPGateway) if g.transport is Transport.TLS}
    types = {pool.fqdn: pool.pool_type for pool in context.repository.all(o.VoicePool)}
    groups = context.repository.all(o.UMHuntGroup)
    for plan in sorted({g.dial_plan for g in groups if g.gateway in gateways}):
        mine = sorted({g.gateway for g in groups if g.dial_plan == plan and g.gateway in gateways})
        calling = [name for name in mine if gateways[name].outcalls_allowed]
        if len(calling) != 1:
            yield (
                f"UM dial plan {plan}: outgoing calls are allowed on {len(calling)} of {len(mine)} gateways "
                f"({', '.join(calling) or 'none'}); leave OutcallsAllowed on exactly one"
            )
        for name in calling:
            if (type_ := types.get(gateways[name].address)) in (PoolType.DIRECTOR, PoolType.BRANCH):
                yield f"UM dial plan {plan}: outgoing calls are allowed on {name}, which is a {type_}"
