"""Phase 7, exchucutil: permissions for the voice groups, a UM IP gateway per voice pool, hunt groups.

As the shipped script does it, with the project's rulings: gateways for every pool, hunt groups for every pool times every
secured dial plan, kept when unchanged; outcalls are decided once, when a gateway is made, and never turned on again.
"""

from collections.abc import Iterator

from tandem.directory import objects as o
from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.org import model
from tandem.process.phases import EXCHUCUTIL, Side
from tandem.process.task import Context, Step, Task, ensure, ensure_aces, phase


def tasks(context: Context) -> Iterator[Task]:
    """The tasks of phase 7."""
    at = context.layout
    # Whoever can read gateways and hunt groups has the permissions: on the voice side nothing else can tell.
    for name, title, steps, reads in (
        ("permissions", "Permissions of the voice side on UM objects", _permissions, at.exchange),
        ("gateways", "A UM IP gateway for each voice pool", _gateways, at.um_ip_gateways),
        ("hunt-groups", "Hunt groups: every pool for every secured dial plan", _hunt_groups, at.um_ip_gateways),
    ):
        yield Task(
            id=f"7/{name}",
            phase=phase(7),
            title=title,
            side=Side.MESSAGING,
            required=EXCHUCUTIL,
            steps=steps,
            reads=(reads,),
            gate=name != "permissions",
        )


def gateway_name(pool: model.VoicePool) -> str:
    """The name of a pool's gateway: the pool's own."""
    return pool.fqdn


def outcall_pool(org: model.Organization) -> str:
    """The pool whose gateway may call out: no Director or branch, the most Enterprise Voice users, then by name."""
    candidates = [p for p in org.voice_pools if p.pool_type not in (model.PoolType.DIRECTOR, model.PoolType.BRANCH)]
    users = {p.fqdn: sum(1 for u in org.users if u.pool == p.fqdn and u.line_uri) for p in candidates}
    return min(users, key=lambda fqdn: (-users[fqdn], fqdn), default="")


def _permissions(context: Context) -> Iterator[Step]:
    for text, aces in exchucutil_aces(context.layout):
        yield from ensure_aces(context, DN.parse(text), aces)


def _gateways(context: Context) -> Iterator[Step]:
    org = context.organization
    by_address = {g.address.lower(): g for g in context.repository.all(o.UMIPGateway)}
    outcalls_taken = any(g.outcalls_allowed and g.transport == "tls" for g in by_address.values())
    secured = any(p.voip_security is not model.VoIPSecurity.UNSECURED for p in org.um_dial_plans)
    for pool in org.voice_pools:
        known = by_address.get(pool.fqdn)
        wanted = o.UMIPGateway(
            name=known.name if known else gateway_name(pool),
            address=pool.fqdn,
            port=5061 if secured else 5060,
            transport="tls",
            outcalls_allowed=not outcalls_taken and pool.fqdn == outcall_pool(org),
            mwi_allowed=pool.pool_type is not model.PoolType.BRANCH,
        )
        yield from ensure(context, "UM IP gateway", wanted, keep=("outcalls_allowed", "mwi_allowed", "status"))


def _hunt_groups(context: Context) -> Iterator[Step]:
    by_address = {g.address.lower(): g.name for g in context.repository.all(o.UMIPGateway)}
    for pool in context.organization.voice_pools:
        for plan in context.organization.um_dial_plans:
            if plan.voip_security is model.VoIPSecurity.UNSECURED:
                continue
            wanted = o.UMHuntGroup(
                name=plan.name,
                gateway=by_address.get(pool.fqdn, gateway_name(pool)),
                dial_plan=plan.name,
                pilot_identifier=plan.name,
            )
            yield from ensure(context, "UM hunt group", wanted)
