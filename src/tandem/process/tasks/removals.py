"""What is gone from the file goes from the directory, if Tandem made it: in the order in which nothing is left hanging.

First people are taken out (UM, then Enterprise Voice), then what served them, at last what that stood on. Accounts, groups,
OUs and containers are never deleted: a user who is gone loses the settings that Tandem gave, and nothing else. Messages
already taken are delivered all the same: the spool holds the mail address.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from tandem.directory import objects as o
from tandem.directory.layout import forest_of
from tandem.org.checks import mailbox_policies
from tandem.org.vocabulary import ServerKind, VoIPSecurity
from tandem.process.phases import Side
from tandem.process.roles import (
    DIRECTORY_ADMINS,
    OCSUMUTIL,
    SERVER_OPERATORS,
    VOICE_SERVERS,
    VOICE_USERS,
    MessagingRoles,
    Requirement,
)
from tandem.process.task import Change, Context, Step, Steps, Task, phase_of
from tandem.process.tasks.exchucutil import pools
from tandem.process.tasks.preconditions import changed, managed_users, task_id, without_secret, without_sip
from tandem.process.tasks.renames import people
from tandem.process.tasks.users import HIDDEN, um_plans, without_eum

_PEOPLE = ("11/um-users", "11/remove-um-users", "10/users", "10/remove-users")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One kind of object that goes: which are declared, and after which tasks the others may go."""

    id: str
    title: str
    type: type[Any]
    kind: str
    declared: Callable[[Context], set[Any]]
    key: Callable[[Any], Any]
    after: tuple[str, ...] = ()


def _names(objects: Iterable[Any]) -> set[Any]:
    return {each.name for each in objects}


MESSAGING = (
    Removal(
        id="7/remove-hunt-groups", title="Hunt groups that are gone", type=o.UMHuntGroup, kind="UM hunt group",
        declared=lambda c: _declared_hunt_groups(c), key=lambda g: (g.gateway, g.dial_plan), after=_PEOPLE,
    ),
    Removal(
        id="7/remove-gateways", title="UM IP gateways that are gone", type=o.UMIPGateway, kind="UM IP gateway",
        declared=lambda c: {p.fqdn for p in pools(c.organization)} | {g.address for g in c.organization.um_ip_gateways},
        key=lambda g: g.address.lower(), after=("7/remove-hunt-groups",),
    ),
    Removal(
        id="3/remove-auto-attendants", title="UM auto attendants that are gone", type=o.UMAutoAttendant,
        kind="UM auto attendant", declared=lambda c: _names(c.organization.um_auto_attendants),
        key=lambda a: a.name, after=("9/remove-contacts",),
    ),
    Removal(
        id="3/remove-mailbox-policies", title="UM mailbox policies that are gone", type=o.UMMailboxPolicy,
        kind="UM mailbox policy", declared=lambda c: set(mailbox_policies(c.organization)), key=lambda p: p.name,
        after=_PEOPLE,
    ),
    Removal(
        id="3/remove-dial-plans", title="UM dial plans that are gone", type=o.UMDialPlan, kind="UM dial plan",
        declared=lambda c: _names(c.organization.um_dial_plans), key=lambda p: p.name,
        after=("5/remove-dial-plans", "3/remove-mailbox-policies", "3/remove-auto-attendants", "7/remove-hunt-groups"),
    ),
    Removal(
        id="1/remove-servers", title="Messaging servers that are gone", type=o.MessagingServer, kind="messaging server",
        declared=lambda c: {s.fqdn for s in c.organization.messaging_servers}, key=lambda s: s.fqdn,
        after=("5/servers", *_PEOPLE),
    ),
)  # fmt: skip
VOICE = (
    Removal(
        id="9/remove-contacts", title="Contacts that are gone", type=o.Contact, kind="contact",
        declared=lambda c: {f"sip:{k.sip_address}".lower() for k in c.organization.contacts},
        key=lambda k: k.sip_address.lower(),
    ),
    Removal(
        id="10/remove-voice-policies", title="Voice policies that are gone", type=o.VoicePolicy, kind="voice policy",
        declared=lambda c: {p.identity for p in c.organization.voice_policies}, key=lambda p: p.identity, after=_PEOPLE,
    ),
    Removal(
        id="10/remove-voice-routes", title="Voice routes that are gone", type=o.VoiceRoute, kind="voice route",
        declared=lambda c: _names(c.organization.voice_routes), key=lambda r: r.name,
    ),
    Removal(
        id="10/remove-pstn-usages", title="PSTN usage records that are gone", type=o.PstnUsage, kind="PSTN usage",
        declared=lambda c: set(c.organization.pstn_usages), key=lambda u: u.name,
        after=("10/voice-routes", "10/voice-policies", "10/remove-voice-routes", "10/remove-voice-policies"),
    ),
    Removal(
        id="10/remove-pstn-gateways", title="PSTN gateways that are gone", type=o.PstnGateway, kind="PSTN gateway",
        declared=lambda c: {g.fqdn for g in c.organization.pstn_gateways}, key=lambda g: g.fqdn,
        after=("10/voice-routes", "10/remove-voice-routes"),
    ),
    Removal(
        id="8/remove-voice-dial-plans", title="Voice dial plans that are gone", type=o.VoiceDialPlan,
        kind="voice dial plan", declared=lambda c: {p.identity for p in c.organization.voice_dial_plans},
        key=lambda p: p.identity, after=_PEOPLE,
    ),
    Removal(
        id="0/remove-pools", title="Voice pools that are gone", type=o.VoicePool, kind="voice pool",
        declared=lambda c: {p.fqdn for p in c.organization.voice_pools}, key=lambda p: p.fqdn,
        after=("7/remove-gateways", "6/sip-addresses", "9/contacts", "9/remove-contacts", *_PEOPLE),
    ),
)  # fmt: skip


def _declared_hunt_groups(context: Context) -> set[Any]:
    org = context.organization
    by_address = {g.address.lower(): g.name for g in context.repository.all(o.UMIPGateway)}
    secured = [p.name for p in org.um_dial_plans if p.voip_security is not VoIPSecurity.UNSECURED]
    wanted = {(by_address.get(pool.fqdn, pool.fqdn), plan) for pool in pools(org) for plan in secured}
    return wanted | {(gateway.name, gateway.um_dial_plan) for gateway in org.um_ip_gateways}


def tasks(context: Context) -> Iterator[Task]:
    """Removals, in the order in which they are carried out."""
    org = context.organization
    # A file that no longer names a forest's servers still has to be able to take away what an earlier one made.
    forests = [
        f.name for f in org.forests if org.servers_in(f.name, ServerKind.TANDEM) or _once_messaging(context, f.name)
    ]
    voice, many = org.voice_forest, tuple(dict.fromkeys((*org.messaging_forests, *forests)))

    def messaging(id_: str, title: str, required: Requirement, steps: Steps, **more: Any) -> Iterator[Task]:
        for forest in forests:
            yield _task(task_id(id_, forest, many), title, Side.MESSAGING, required, forest, steps, **more)

    roles = MessagingRoles.of(s for s in org.messaging_servers if s.kind is ServerKind.TANDEM)
    yield from messaging(
        "11/remove-um-users", "Users disabled for UM", roles.um_users(), _um_users, kept=managed_users, hidden=HIDDEN
    )
    yield _task(
        "10/remove-users", "Users disabled for Enterprise Voice, SIP addresses taken back", Side.VOICE, VOICE_USERS,
        voice, _voice_users, kept=managed_users, after=("11/remove-um-users",),
    )  # fmt: skip
    for removal in VOICE[:1]:
        yield _of(removal, Side.VOICE, OCSUMUTIL, voice, removal.id)
    for removal in VOICE[1:-1]:
        yield _of(removal, Side.VOICE, VOICE_SERVERS, voice, removal.id)
    for removal in MESSAGING:
        if removal.id == "3/remove-dial-plans":
            yield from messaging(
                "5/remove-dial-plans",
                "UM servers leave dial plans that are gone",
                SERVER_OPERATORS,
                _leave,
                after=_PEOPLE,
            )
        for forest in forests:
            yield _of(removal, Side.MESSAGING, roles.organization(), forest, task_id(removal.id, forest, many))
    yield _of(VOICE[-1], Side.VOICE, VOICE_SERVERS, voice, VOICE[-1].id)
    for each in org.forests:
        yield _task(
            task_id("0/remove-users", each.name, org.forests), "Users who are no longer managed", Side.DIRECTORY,
            DIRECTORY_ADMINS, each.name, _released, after=_PEOPLE,
        )  # fmt: skip


def _once_messaging(context: Context, forest: str) -> bool:
    return context.session.get(context.at(forest).layout.um_dial_plans) is not None


def _task(id_: str, title: str, side: Side, required: Requirement, forest: str, steps: Steps, **more: Any) -> Task:
    return Task(
        id=id_, phase=phase_of(id_), title=title, side=side, required=required, forest=forest, steps=steps,
        gate=False, needs=(), only_when_due=True, **more,
    )  # fmt: skip


def _of(removal: Removal, side: Side, required: Requirement, forest: str, id_: str) -> Task:
    def steps(context: Context) -> Iterator[Step]:
        wanted = removal.declared(context)
        for each in context.repository.owned(removal.type):
            if removal.key(each) not in wanted:
                name = each.display_name if isinstance(each, o.Contact) else context.repository.dn_of(each).name
                details = (f"at {each.gateway}",) if isinstance(each, o.UMHuntGroup) else ()
                change = Change(action="-", kind=removal.kind, name=name, details=details)
                yield change, partial(context.repository.remove, each)

    def kept(context: Context) -> int:
        return len(context.repository.owned(removal.type))

    return _task(id_, removal.title, side, required, forest, steps, after=removal.after, kept=kept)


def _gone(context: Context, wanted: set[str], has: Callable[[o.User], bool]) -> Iterator[o.User]:
    """Managed users who have something that is no longer declared for them."""
    for user in people(context):
        if user.managed_by == context.organization.name and has(user) and user.account.lower() not in wanted:
            yield user


def _um_users(context: Context) -> Iterator[Step]:
    """As Disable-UMMailbox, which keeps the PIN and the mailbox's properties."""
    wanted = {account for f in context.organization.messaging_forests for account in um_plans(context.at(f))}
    here = f".{context.layout.forest}"
    for user in _gone(context, wanted, lambda u: u.um_enabled):
        contexts = [eum.phone_context for eum in user.eum_addresses]
        if any(each.lower().endswith(here) for each in contexts) or not contexts:
            fields = {
                "um_flags": 0,
                "um_mailbox_policy": "",
                "um_dial_plan": "",
                "proxy_addresses": without_eum(user.proxy_addresses),
            }
            yield from changed(context, user, fields, action="-")


def _voice_users(context: Context) -> Iterator[Step]:
    """Of a user who keeps a SIP address only Enterprise Voice goes; otherwise the address and its secret go too."""
    org = context.organization
    speaking = {user.account.lower() for user in org.users if user.line_uri}
    addressed = {user.account.lower() for user in org.users if user.sip_address}
    for user in people(context):
        fields: dict[str, Any] = {}
        if user.account.lower() not in speaking:
            fields |= {
                "line_uri": "",
                "option_flags": user.option_flags & ~o.UC_ENABLED,
                "voice_dial_plan": "",
                "voice_policy": "",
            }
        if user.account.lower() not in addressed:
            fields |= without_sip(user) | {"option_flags": 0}
        if user.managed_by == org.name:
            for change, make in changed(context, user, fields, action="-"):
                yield change, partial(without_secret, context, user, make) if "sip_address" in fields else make


def _leave(context: Context) -> Iterator[Step]:
    known = _names(context.organization.um_dial_plans)
    for server in context.repository.owned(o.MessagingServer):
        left = tuple(name for name in server.dial_plans if name in known)
        if left != server.dial_plans:
            gone = [f"-{name}" for name in server.dial_plans if name not in known]
            change = Change(
                action="~", kind="messaging server", name=server.fqdn, details=(f"dial_plans {' '.join(gone)}",)
            )
            yield change, partial(context.repository.update, server, dataclasses.replace(server, dial_plans=left))


def _released(context: Context) -> Iterator[Step]:
    """The mark goes last, when nothing is left of what Tandem gave."""
    declared = {user.account.lower() for user in context.organization.users}
    for user in _gone(context, declared, lambda user: True):
        if forest_of(context.repository.dn_of(user)) == context.layout.forest:
            yield from changed(context, user, {"managed_by": ""})
