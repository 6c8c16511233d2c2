"""Phase 7, exchucutil, from the plan: with the pools and dial plans that are declared."""

from collections import Counter
from collections.abc import Iterator

from tandem.org import model
from tandem.org.vocabulary import PoolKind, ServerKind, VoIPSecurity
from tandem.process.phases import Side
from tandem.process.roles import MessagingRoles
from tandem.process.task import Context, Step, Task, phase
from tandem.process.tasks.messaging import dial_plans_here
from tandem.process.tasks.preconditions import task_id
from tandem.process.tools import exchucutil


def tasks(context: Context) -> Iterator[Task]:
    """The tasks of phase 7, in each forest with messaging servers of kind tandem."""
    org = context.organization
    for forest in org.messaging_forests:
        servers = org.servers_in(forest, ServerKind.TANDEM)
        at = context.at(forest).layout
        # An account that can read gateways and hunt groups has the permissions: on the voice side nothing else can tell.
        for name, title, steps, reads in (
            ("permissions", "Permissions of the voice side on UM objects", exchucutil.permission_steps, at.exchange),
            ("gateways", "A UM IP gateway for each voice pool", _gateways, at.um_ip_gateways),
            ("hunt-groups", "Hunt groups: every pool for every secured dial plan", _hunt_groups, at.um_ip_gateways),
        ):
            if servers:
                yield Task(
                    id=task_id(f"7/{name}", forest, org.messaging_forests),
                    phase=phase(7),
                    title=title,
                    side=Side.MESSAGING,
                    required=MessagingRoles.of(servers).exchucutil(),
                    forest=forest,
                    steps=steps,
                    reads=(reads,),
                    gate=name != "permissions",
                    hidden="You cannot read the organization: 7/gateways tells"
                    if name == "permissions"
                    else "You cannot read UM objects until phase 7 (exchucutil) has run",
                )


def pools(org: model.Organization) -> tuple[exchucutil.Pool, ...]:
    """The declared pools that get a gateway. A Lync pool finds UM in Active Directory alone, so none is made elsewhere."""
    users = Counter(user.pool for user in org.users if user.line_uri)
    calling = org.voice_pools if org.uses_ldap else org.pools_of(PoolKind.TANDEM)
    declared = (exchucutil.Pool(fqdn=p.fqdn, pool_type=p.pool_type, users=users[p.fqdn]) for p in calling)
    return exchucutil.chosen(declared, only_ev_pools=org.only_ev_pools)


def _secured(context: Context) -> tuple[str, ...]:
    return tuple(p.name for p in dial_plans_here(context) if p.voip_security is not VoIPSecurity.UNSECURED)


def _gateways(context: Context) -> Iterator[Step]:
    return exchucutil.gateway_steps(context, pools(context.organization), secured=bool(_secured(context)))


def _hunt_groups(context: Context) -> Iterator[Step]:
    return exchucutil.hunt_group_steps(context, pools(context.organization), _secured(context))
