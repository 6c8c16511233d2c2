"""Phase 0: what the topic assumes is there. Groups, accounts, OUs, users, voice pools, SIP addresses."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from tandem.directory import objects as o
from tandem.directory.defaults import domain_aces, see_aces, voice_aces
from tandem.directory.dn import DN
from tandem.directory.filters import escape
from tandem.directory.layout import POOLS_CLASS, RTC_SERVICE_CLASS, Layout, domain_of, forest_of
from tandem.directory.port import Ace, Right
from tandem.org import model
from tandem.org.groups import NESTED, SCHEMA_ADMINS, SERVICE_GROUPS, groups_in
from tandem.org.vocabulary import PoolKind, ServerKind
from tandem.process.passwords import new_password
from tandem.process.phases import Side
from tandem.process.roles import DIRECTORY_ADMINS, VOICE_SERVERS, VOICE_USERS
from tandem.process.task import (
    Change,
    Context,
    Step,
    Task,
    container,
    described,
    difference,
    ensure,
    ensure_aces,
    from_declared,
    layout_of,
    nothing,
    phase,
)
from tandem.process.tasks.renames import people, resemblance, unused_name

INITIAL_ADMINISTRATOR = "administrator"
UM_SERVER_GROUPS = ("Exchange Servers",)
VOICE_SERVER_GROUPS = ("RTCHSUniversalServices", "RTCComponentUniversalServices")


def tasks(context: Context) -> Iterator[Task]:
    """The tasks of phase 0, in an order in which each finds what it needs; most of them for each forest.

    What is of Exchange and Lync is not made here: people check it by the runbook's steps of phase 0. The directory holds who
    may carry out and confirm those steps, and what Tandem's own servers have to know of a Lync pool's users.
    """
    for forest in context.organization.forests:
        yield from _forest_tasks(context, forest.name)
    yield from _voice_tasks(context)


def _forest_tasks(context: Context, name: str) -> Iterator[Task]:
    org, root = context.organization, domain_of(name)
    ours, of_voice = holds_accounts(org, name), name == org.voice_forest and _has_own_pools(org)
    record = "" if ours else "Who may carry out and confirm the runbook's steps: "
    for id_, title, steps, wanted in (
        ("trusts", "Trusts with the other forests", _trusts, len(org.forests) > 1 and bool(_partners(org, name))),
        ("groups", f"{record}groups" if record else "Groups of both teams", _groups, True),
        ("permissions", "Rights of both teams on accounts", _permissions, ours),
        ("organizational-units", "Organizational units", _ous, ours),
        ("administrators", f"{record}administrators" if record else "Administrators and their groups",
         _administrators, True),
        ("voice-containers", "Containers of the voice side", _voice_containers, of_voice),
        ("server-accounts", "Accounts of the servers", _server_accounts, ours),
        ("users", "Users", _users, ours),
        ("members", "Memberships that are taken back", _surplus, True),
    ):  # fmt: skip
        if wanted:
            yield Task(
                id=task_id(f"0/{id_}", name, org.forests),
                phase=phase(0),
                title=title,
                side=Side.DIRECTORY,
                required=DIRECTORY_ADMINS,
                forest=name,
                steps=steps,
                reads=(root,),
                hidden=f"You cannot read {name}",
                # Who is not let into a forest sees by the later phases whether it is prepared.
                gate=context.session.may(Right.READ, root) and id_ != "members",
                kept=_memberships,
                only_when_due=id_ == "members",
            )


def _voice_tasks(context: Context) -> Iterator[Task]:
    org = context.organization
    for id_, title, required, steps, wanted in (
        ("pools", "Voice pools", VOICE_SERVERS, _pools, _has_own_pools(org)),
        ("sip-addresses", "SIP addresses of users", VOICE_USERS, _sip_addresses, _has_own_pools(org)),
        ("lync-user-record", "Record of the users of Lync pools, for the voice servers of kind tandem", VOICE_USERS,
         _lync_users, bool(org.pools_of(PoolKind.LYNC) and org.pools_of(PoolKind.TANDEM)) and not org.uses_ldap),
    ):  # fmt: skip
        if wanted:
            yield Task(
                id=f"0/{id_}",
                phase=phase(0),
                title=title,
                side=Side.VOICE,
                required=required,
                forest=org.voice_forest,
                steps=steps,
                kept=managed_users,
                after=("0/voice-containers", "0/users"),
            )


def _has_own_pools(org: model.Organization) -> bool:
    """Whether the voice side is Tandem's, or nobody's yet."""
    return bool(org.pools_of(PoolKind.TANDEM)) or not org.voice_pools


def holds_accounts(org: model.Organization, forest: str) -> bool:
    """Whether Tandem's servers need a forest's accounts in the directory: its own, or those of the users whom they serve.

    In an organization of Exchange and Lync alone nobody reads them; the real ones are in Active Directory.
    """
    own = tandem_um_servers(org), org.pools_of(PoolKind.TANDEM)
    if not any(own):
        return not (org.messaging_servers or org.voice_pools)
    return forest == org.voice_forest or bool(org.servers_in(forest, ServerKind.TANDEM))


def _partners(org: model.Organization, forest: str) -> tuple[str, ...]:
    """The other forests whose trust with this one Tandem's servers need; between others it is Active Directory's alone."""
    others = (each.name for each in org.forests if each.name != forest)
    return tuple(each for each in others if holds_accounts(org, forest) or holds_accounts(org, each))


def pools_here(org: model.Organization, kind: PoolKind) -> frozenset[str]:
    """The names of the pools of a kind."""
    return frozenset(pool.fqdn for pool in org.pools_of(kind))


def task_id(name: str, forest: str, forests: Sequence[object]) -> str:
    """A task's name; with several forests the forest is part of it."""
    return name if len(forests) == 1 else f"{name}@{forest}"


def tandem_um_servers(org: model.Organization) -> tuple[model.DeclaredMessagingServer, ...]:
    """The messaging servers that this process deploys itself."""
    return tuple(s for s in org.messaging_servers if s.kind is ServerKind.TANDEM)


def accounts_of_servers(org: model.Organization, forest: str = "") -> dict[str, tuple[str, ...]]:
    """The account of each server (its FQDN) of a forest, or of all, with the groups that it is to be in."""
    um: dict[str, tuple[str, ...]] = {
        server.fqdn: UM_SERVER_GROUPS for server in tandem_um_servers(org) if forest in ("", server.forest)
    }
    voice: dict[str, tuple[str, ...]] = {
        name: VOICE_SERVER_GROUPS
        for pool in org.pools_of(PoolKind.TANDEM)
        if forest in ("", pool.forest)
        for name in (pool.servers or (pool.fqdn,))
    }
    return um | voice


def _member(context: Context, group: str, member: DN) -> Iterable[Step]:
    """A direct membership."""

    def add() -> None:
        entry = context.session.get(context.layout.group(group))
        members = entry.all("member") if entry else ()
        wanted = {"member": (*members, str(member))}
        context.session.replace(context.layout.group(group), wanted, known={"member": members})

    entry = context.session.get(context.layout.group(group))
    held = {DN.parse(text) for text in entry.all("member")} if entry else set()
    if member not in held:
        yield Change(action="+", kind="member", name=group, details=(member.name,)), add


def _trusts(context: Context) -> Iterator[Step]:
    org = context.organization
    trusting = {forest.name: forest.trusts for forest in org.forests}
    here = context.layout.forest
    partners = _partners(org, here)
    yield from container(context, context.layout.system, "container")
    for other in trusting:
        direction = o.OUTBOUND * (other in trusting[here]) | o.INBOUND * (here in trusting[other])
        wanted = o.Trust(partner=other, direction=direction)
        held = context.repository.same(wanted)
        # A real trust is made by both forests' administrators; one that goes both ways serves where one way is asked for.
        enough = org.uses_ldap and held is not None and held[0].direction & direction == direction
        if direction and other in partners and not enough:
            yield from ensure(context, "trust", wanted)
    for mine in context.repository.owned(o.Trust):
        if mine.partner not in trusting[here] and here not in trusting.get(mine.partner, ()):
            yield Change(action="-", kind="trust", name=mine.partner), partial(context.repository.remove, mine)


def _permissions(context: Context) -> Iterator[Step]:
    org, at = context.organization, context.layout
    yield from ensure_aces(context, at.domain, known_aces(context, domain_aces(at.forest, pairs(org))))


def known_aces(context: Context, aces: Iterable[Ace]) -> tuple[Ace, ...]:
    """Those that are for a group of the organization: not every organization has Exchange 2007's."""
    org = context.organization
    groups = {layout_of(org, f.name).group(name) for f in org.forests for name in groups_in(org, f.name)}
    return tuple(ace for ace in aces if ace.principal in groups)


def pairs(org: model.Organization) -> tuple[Layout, ...]:
    """The layout of each messaging forest with the voice forest."""
    return tuple(layout_of(org, name) for name in org.messaging_forests or (org.voice_forest,))


def _groups(context: Context) -> Iterator[Step]:
    org = context.organization
    # In Active Directory every forest has its own, and a universal group has no members of other forests.
    of = context.layout.forest if org.uses_ldap else org.forests[0].name
    initial = str(layout_of(org, of).users.child("CN", INITIAL_ADMINISTRATOR))
    for name in groups_in(context.organization, context.layout.forest):
        if name == SCHEMA_ADMINS and org.uses_ldap:
            continue  # every forest has its own, under a name in its language
        if context.session.get(context.layout.group(name)) is None:
            # The initial administrator holds every role, and none of the servers' rights.
            members = () if name in SERVICE_GROUPS else (initial,)
            nested = tuple(str(context.layout.group(each)) for each in NESTED.get(name, ()))
            yield from ensure(context, "group", o.Group(name=name, members=members + nested))


def _ous(context: Context) -> Iterator[Step]:
    for text in context.organization.organizational_units:
        if forest_of(DN.parse(text)) == context.layout.forest:
            yield from container(context, DN.parse(text), "organizationalUnit")


def _account(context: Context, kind: str, wanted: o.User | o.Computer, account: str) -> Iterator[Step]:
    held = _held(context, wanted)
    dn = context.repository.dn_of(held or wanted)
    if held is None:
        yield Change(action="+", kind=kind, name=account), lambda: context.repository.add(wanted)
    if not context.session.has_password(dn):
        change = Change(action="~", kind=kind, name=account, details=("password (sensitive)",))
        yield change, lambda: context.session.set_password(dn, new_password(context.organization, account, context.ids))


def _held(context: Context, wanted: o.User | o.Computer) -> o.User | o.Computer | None:
    """The account as it is there: a person's entry may have another name, and be elsewhere in the forest."""
    if isinstance(wanted, o.Computer):
        return wanted if context.session.get(context.repository.dn_of(wanted)) is not None else None
    found = context.repository.find(o.User, f"(sAMAccountName={escape(wanted.account)})")
    return next((user for user in found if forest_of(DN.parse(user.container)) == context.layout.forest), None)


def _administrators(context: Context) -> Iterator[Step]:
    for admin in context.organization.administrators:
        if (admin.forest or context.organization.forests[0].name) != context.layout.forest:
            continue
        user = o.User(account=admin.account, container=str(context.layout.users), display_name=admin.display_name)
        yield from _account(context, "administrator", user, admin.account)
        for group in admin.groups:
            yield from _member(context, group, context.repository.dn_of(_held(context, user) or user))


def _server_accounts(context: Context) -> Iterator[Step]:
    for fqdn, groups in accounts_of_servers(context.organization, context.layout.forest).items():
        computer = o.Computer(fqdn=fqdn)
        yield from _account(context, "server account", computer, fqdn)
        for group in groups:
            yield from _member(context, group, context.repository.dn_of(computer))


def _surplus(context: Context) -> Iterator[Step]:
    """Memberships beyond those declared, of declared administrators, and of servers that are gone; others' are theirs."""
    org, here = context.organization, context.layout
    administrators = (o.User(account=admin.account, container=str(here.users)) for admin in org.administrators)
    held = (context.repository.dn_of(_held(context, user) or user) for user in administrators)
    declared = {dn: set(admin.groups) for dn, admin in zip(held, org.administrators, strict=True)}
    servers = accounts_of_servers(org)
    for name in groups_in(org, here.forest):
        entry = context.session.get(here.group(name))
        members = [DN.parse(text) for text in entry.all("member")] if entry else []
        for member in members:
            gone_server = name in SERVICE_GROUPS and member.below(here.computers) and member.name not in servers
            if gone_server or (member in declared and name not in declared[member]):
                yield (
                    Change(action="-", kind="member", name=name, details=(member.name,)),
                    partial(_leave, context, name, member),
                )


def _leave(context: Context, group: str, member: DN) -> None:
    entry = context.session.get(context.layout.group(group))
    members = entry.all("member") if entry else ()
    left = [text for text in members if DN.parse(text) != member]
    context.session.replace(context.layout.group(group), {"member": left}, known={"member": members})


def _memberships(context: Context) -> int:
    names = groups_in(context.organization, context.layout.forest)
    entries = (context.session.get(context.layout.group(name)) for name in names)
    return sum(len(entry.all("member")) for entry in entries if entry)


def _voice_containers(context: Context) -> Iterator[Step]:
    at = context.layout
    aces = (*voice_aces(at), *known_aces(context, see_aces(at.forest, pairs(context.organization))))
    yield from container(context, at.rtc_service, RTC_SERVICE_CLASS, aces=aces)
    yield from container(context, at.pools, POOLS_CLASS)
    yield from container(context, at.voice, "container", aces=aces)
    yield from container(context, at.voice_dial_plans, "container")
    for dn in (at.voice_policies, at.voice_routes, at.pstn_usages, at.trunks):
        yield from container(context, dn, "container")


def _pools(context: Context) -> Iterator[Step]:
    for pool in context.organization.pools_of(PoolKind.TANDEM):
        wanted = from_declared(o.VoicePool, pool, servers=pool.servers or (pool.fqdn,))
        yield from ensure(context, "voice pool", wanted)


def _users(context: Context) -> Iterator[Step]:
    owner = context.organization.name
    there, resembled = present(context), resemblance(context)
    accounts = {user.account.lower() for user in context.repository.all(o.User)}
    named = {(user.cn.lower(), user.container.lower()) for user in there.values() if user.cn}
    for user in context.organization.users:
        if user.forest != context.layout.forest:
            continue
        current = there.get(user.account.lower())
        if current is None:
            wanted = o.User(
                account=user.account,
                container=user.ou,
                cn=unused_name(user, named),
                display_name=user.display_name,
                mail=user.mail,
                managed_by=owner,
            )
            details = (*described(wanted), *resembled(user))
            change = Change(action="+", kind="user", name=user.account, details=details)
            yield change, partial(context.repository.add, wanted)
        else:
            if user.account.lower() not in accounts:
                change = Change(action="~", kind="user", name=f"{user.was} becomes {user.account}")
                yield change, partial(context.repository.rename, current, user.was)
            fields = {"display_name": user.display_name, "mail": user.mail, "managed_by": owner}
            yield from changed(context, current, fields)


def declared(user: model.DeclaredUser) -> o.User:
    """A user as phase 0 makes it: how one that is still absent is described."""
    return o.User(account=user.account, container=user.ou, display_name=user.display_name, mail=user.mail)


def present(context: Context) -> dict[str, o.User]:
    """The users that there are, by account (account names compare without case); the renamed by the new one."""
    return {user.account.lower(): user for user in people(context)}


def changed(
    context: Context, before: o.User, fields: Mapping[str, Any], *, there: bool = True, action: str = "~"
) -> Iterator[Step]:
    """A user some of whose fields are to be others; of one that is not ``there`` yet it can only be said.

    With the action ``-`` something is taken from the user, and the guard counts it.
    """
    wanted = {name: value for name, value in fields.items() if not o.same(name, getattr(before, name), value)}
    if wanted:
        details = tuple(difference(name, getattr(before, name), value) for name, value in wanted.items())
        change = Change(action=action, kind="user", name=before.account, details=details)
        after = dataclasses.replace(before, **wanted)
        yield change, partial(context.repository.update, before, after) if there else nothing


def sip_holders(context: Context) -> dict[str, o.User]:
    """Users who have a SIP address and are no longer declared with any, by the address."""
    addressed = {user.account.lower() for user in context.organization.users if user.sip_address}
    users = people(context)
    return {
        user.sip_address.lower(): user for user in users if user.sip_address and user.account.lower() not in addressed
    }


def sip_given_up(
    context: Context, users: Iterable[model.DeclaredUser], holders: Mapping[str, o.User] | None = None
) -> Iterator[Step]:
    """SIP addresses of users who are gone, which these users have now."""
    known = sip_holders(context) if holders is None else holders
    for user in users:
        if holder := known.get(f"sip:{user.sip_address}".lower()):
            for change, make in give_up(context, holder, user, without_sip(holder)):
                yield change, partial(without_secret, context, holder, make)


def without_sip(user: o.User) -> dict[str, Any]:
    """What a user's fields are without a SIP address."""
    proxies = tuple(p for p in user.proxy_addresses if not p.lower().startswith("sip:"))
    return {"sip_address": "", "sip_enabled": False, "home_pool": "", "proxy_addresses": proxies}


def without_secret(context: Context, user: o.User, make: Callable[[], None]) -> None:
    """A change that takes a user's SIP address, and with it the SIP secret."""
    make()
    context.repository.set_sip_secret(user, "")


def managed_users(context: Context) -> int:
    """How many users are managed: what the guard against removals goes by."""
    return sum(1 for user in context.repository.all(o.User) if user.managed_by == context.organization.name)


def give_up(
    context: Context, holder: o.User | None, user: model.DeclaredUser, fields: Mapping[str, Any]
) -> Iterator[Step]:
    """A user who is no longer declared with an address or number gives it up to the user who is: no two users share one."""
    if (
        holder is not None
        and holder.account.lower() != user.account.lower()
        and holder.managed_by == context.organization.name
    ):
        yield from changed(context, holder, fields, action="-")


def sip_proxy(before: tuple[str, ...], address: str) -> tuple[str, ...]:
    """Proxy addresses with this SIP address and no other."""
    if [p for p in before if p.lower().startswith("sip:")] == [f"sip:{address}"]:
        return before
    return (*(p for p in before if not p.lower().startswith("sip:")), f"sip:{address}")


def _sip_addresses(context: Context) -> Iterator[Step]:
    """Users that have none are enabled; one that differs is fixed in phase 6. Who comes from a Lync pool has no secret yet."""
    there = present(context)
    holders = sip_holders(context)
    elsewhere = pools_here(context.organization, PoolKind.LYNC)
    for user in own_users(context.organization):
        current = there.get(user.account.lower())
        if current is not None and current.sip_enabled and current.home_pool not in elsewhere:
            continue
        yield from sip_given_up(context, (user,), holders)
        before = current or declared(user)
        yield from changed(context, before, _addressed(user, before), there=current is not None)
        # The secret cannot be read back by the account that sets it: it is made when the address is enabled.
        change = Change(action="+", kind="SIP secret", name=user.account, details=("(sensitive)",))
        secret = partial(context.repository.set_sip_secret, before, context.ids.token(16))
        yield change, secret if current is not None else nothing


def own_users(org: model.Organization) -> tuple[model.DeclaredUser, ...]:
    """The users with a SIP address whose pool is Tandem's; Lync's are made and changed in Lync."""
    elsewhere = pools_here(org, PoolKind.LYNC)
    return tuple(user for user in org.users if user.sip_address and user.pool not in elsewhere)


def _addressed(user: model.DeclaredUser, before: o.User) -> dict[str, Any]:
    return {
        "sip_address": f"sip:{user.sip_address}",
        "sip_enabled": True,
        "home_pool": user.pool,
        "proxy_addresses": sip_proxy(before.proxy_addresses, user.sip_address),
    }


def _lync_users(context: Context) -> Iterator[Step]:
    """What a voice server of kind tandem has to know of them to tell its callers why it does not reach them."""
    there = present(context)
    elsewhere = pools_here(context.organization, PoolKind.LYNC)
    for user in context.organization.users:
        if not user.sip_address or user.pool not in elsewhere:
            continue
        current = there.get(user.account.lower())
        before = current or declared(user)
        fields = _addressed(user, before) | {"line_uri": user.line_uri}
        yield from changed(context, before, fields, there=current is not None)
        if current is not None and current.sip_enabled and current.home_pool not in elsewhere:
            # A secret is for the phones of a Tandem pool: whoever moved to Lync has none.
            change = Change(action="~", kind="SIP secret", name=user.account, details=("taken back",))
            yield change, partial(context.repository.set_sip_secret, before, "")
