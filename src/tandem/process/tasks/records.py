"""What the voice servers of kind tandem have to know of Exchange UM: records of the embedded directory, said to be records.

Exchange itself is deployed and checked by the runbook's steps. A voice server diverts by the user's EUM address, finds the UM
dial plan by its phone context, and the servers by the dial plan (docs/protocols/mixed.md). Over LDAP nothing is written:
Exchange's own containers are there, and this combination is refused.
"""

from collections.abc import Iterator
from typing import Any

from tandem.directory import objects as o
from tandem.org import model
from tandem.org.numbers import phone_context
from tandem.org.versions import is_um_server, roles_of
from tandem.org.vocabulary import PoolKind, ServerKind, StartupMode
from tandem.process.phases import Side
from tandem.process.roles import ENTERPRISE_ADMINS, MessagingRoles, any_of
from tandem.process.task import Context, Step, Task, ensure, from_declared, phase
from tandem.process.tasks.messaging import dial_plans_here, organization_steps
from tandem.process.tasks.preconditions import task_id
from tandem.process.tasks.users import HIDDEN, um_record_steps
from tandem.process.tools import exchucutil

_FOR = "for the voice servers of kind tandem"


def tasks(context: Context) -> Iterator[Task]:
    """Two tasks for each forest with Exchange servers, where there are voice pools of kind tandem."""
    org = context.organization
    if org.uses_ldap or not org.pools_of(PoolKind.TANDEM):
        return
    for forest in org.messaging_forests:
        servers = org.servers_in(forest, ServerKind.EXCHANGE)
        if not servers:
            continue
        common: dict[str, Any] = {"forest": forest, "side": Side.MESSAGING}
        yield Task(
            id=task_id("7/exchange-record", forest, org.messaging_forests),
            phase=phase(7),
            title=f"Record of the Exchange UM dial plans and servers, {_FOR}",
            required=any_of(ENTERPRISE_ADMINS),
            steps=_record,
            **common,
        )
        yield Task(
            id=task_id("11/exchange-user-record", forest, org.messaging_forests),
            phase=phase(11),
            title=f"Record of the users of Exchange UM, {_FOR}",
            required=MessagingRoles.of(servers).um_users(),
            steps=um_record_steps,
            after=("11/exchange-um-users", "7/exchange-record"),
            hidden=HIDDEN,
            **common,
        )


def _record(context: Context) -> Iterator[Step]:
    yield from organization_steps(context)
    yield from exchucutil.permission_steps(context)
    for plan in dial_plans_here(context):
        wanted = from_declared(o.UMDialPlan, plan, phone_context=phone_context(plan.name, plan.forest))
        yield from ensure(context, "record of UM dial plan", wanted)
    for server in context.organization.servers_in(context.layout.forest, ServerKind.EXCHANGE):
        if is_um_server(server):
            yield from ensure(context, "record of Exchange server", _server(context, server), keep=("status",))


def _server(context: Context, server: model.DeclaredMessagingServer) -> o.MessagingServer:
    plans = (p.name for p in dial_plans_here(context) if server.dial_plans is None or p.name in server.dial_plans)
    pack = f" SP{server.service_pack}" if server.service_pack else ""
    return o.MessagingServer(
        fqdn=server.fqdn,
        kind=server.kind,
        version=f"Exchange {server.version}{pack}",
        roles=roles_of(server),
        dial_plans=tuple(plans),
        startup_mode=StartupMode.TLS,
        sip_tcp_port=server.sip_tcp_port,
        sip_tls_port=server.sip_tls_port,
    )
