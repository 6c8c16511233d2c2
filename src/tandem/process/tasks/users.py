"""Phases 6, 10 and 11 for users: SIP and EUM addresses, Enterprise Voice, and UM."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tandem.directory import objects as o
from tandem.directory.layout import domain_of
from tandem.org import model
from tandem.org.checks import mailbox_policies
from tandem.org.numbers import EumAddress, line_key, phone_context
from tandem.org.vocabulary import PinState, PoolKind, ServerKind, UriType
from tandem.process.phases import Side
from tandem.process.roles import VOICE_USERS, MessagingRoles
from tandem.process.task import Context, Step, Task, phase_of
from tandem.process.tasks.preconditions import (
    changed,
    declared,
    give_up,
    managed_users,
    own_users,
    present,
    sip_given_up,
    sip_proxy,
    task_id,
)
from tandem.process.tasks.renames import people

Fields = Mapping[str, Any]
Plans = Mapping[str, model.DeclaredUMDialPlan]
"""The UM dial plan of each account that is declared for UM."""
_MOVES: dict[str, Any] = {"after": ("5/servers", "7/gateways", "7/hunt-groups"), "only_when_due": True}
HIDDEN = "You cannot read the users of the voice forest: does it trust your forest?"


def tasks(context: Context) -> Iterator[Task]:
    """The tasks of phases 6, 10 and 11 that are about users."""
    org = context.organization
    if org.pools_of(PoolKind.TANDEM):
        for id_, title, steps, more in (
            # It corrects what is the voice side's own, and waits for nothing of UM.
            (
                "6/sip-addresses",
                "SIP addresses that differ from what is declared",
                _corrected_addresses,
                {"needs": (0,)},
            ),
            ("10/users", "Users enabled for Enterprise Voice", _enterprise_voice, {}),
            # UM has to know a pool before its users come.
            ("10/move-users", "Users moved to another pool", _moved_to_pools, _MOVES),
        ):
            yield Task(
                id=id_,
                phase=phase_of(id_),
                title=title,
                side=Side.VOICE,
                required=VOICE_USERS,
                forest=org.voice_forest,
                steps=steps,
                kept=managed_users,
                **more,
            )
    for forest in org.messaging_forests:
        if servers := org.servers_in(forest, ServerKind.TANDEM):
            roles = MessagingRoles.of(servers)
            reads = (domain_of(org.voice_forest).child("CN", "Users"),)
            for id_, title, required, steps, more in (
                ("6/eum-addresses", "EUM proxy addresses of mailboxes", roles.eum_addresses(), _eum_addresses, {}),
                ("11/um-users", "Users enabled for UM", roles.um_users(), _um, {}),
                # A dial plan has to be served before its users come.
                ("11/move-users", "Users moved to another dial plan", roles.um_users(), _moved_to_plans, _MOVES),
            ):
                yield Task(
                    id=task_id(id_, forest, org.messaging_forests),
                    phase=phase_of(id_),
                    title=title,
                    side=Side.MESSAGING,
                    required=required,
                    forest=forest,
                    steps=steps,
                    reads=reads,
                    hidden=HIDDEN,
                    kept=managed_users,
                    **more,
                )


def _each(
    context: Context, users: Iterable[model.DeclaredUser], fields: Callable[[model.DeclaredUser, o.User], Fields]
) -> Iterator[Step]:
    """These users as they are to be."""
    there = present(context)
    for user in users:
        current = there.get(user.account.lower())
        before = current or declared(user)
        yield from changed(context, before, fields(user, before), there=current is not None)


def um_plans(context: Context) -> Plans:
    """The dial plan of each user who is to be enabled for UM in the current forest."""
    org = context.organization
    plans = {plan.name: plan for plan in org.um_dial_plans if plan.forest == context.layout.forest}
    of_policy = {name: plans.get(policy.um_dial_plan) for name, policy in mailbox_policies(org).items()}
    of_user = ((user.account.lower(), of_policy.get(user.um_mailbox_policy)) for user in org.users)
    return {account: plan for account, plan in of_user if plan}


def _corrected_addresses(context: Context) -> Iterator[Step]:
    there = present(context)
    users = [u for u in own_users(context.organization) if u.account.lower() in there]

    def fields(user: model.DeclaredUser, before: o.User) -> Fields:
        return {
            "sip_address": f"sip:{user.sip_address}",
            "proxy_addresses": sip_proxy(before.proxy_addresses, user.sip_address),
        }

    enabled = [user for user in users if there[user.account.lower()].sip_enabled]
    yield from sip_given_up(context, enabled)
    yield from _each(context, enabled, fields)


def _moved_to_pools(context: Context) -> Iterator[Step]:
    there = present(context)
    users = [u for u in own_users(context.organization) if u.account.lower() in there]
    moving = [user for user in users if there[user.account.lower()].sip_enabled]
    yield from _each(context, moving, lambda user, _: {"home_pool": user.pool})


def eum_proxies(proxies: tuple[str, ...], wanted: EumAddress) -> tuple[str, ...]:
    """Proxy addresses with this EUM address; one of the same form (SIP or extension) and dial plan is replaced."""
    if str(wanted) in proxies:
        return proxies

    def same_form(text: str) -> bool:
        held = EumAddress.parse(text)
        return (
            held is not None
            and ("@" in held.address) == ("@" in wanted.address)
            and held.phone_context.lower() == wanted.phone_context.lower()
        )

    return (*(p for p in proxies if not same_form(p)), str(wanted))


def _eum_addresses(context: Context) -> Iterator[Step]:
    """One SIP address within the dial plan; that of another dial plan stays until phase 11 has moved the user."""
    plans = um_plans(context)
    by_sip = {account for account, plan in plans.items() if plan.uri_type is UriType.SIP_NAME}
    users = [user for user in context.organization.users if user.account.lower() in by_sip and user.sip_address]

    def fields(user: model.DeclaredUser, before: o.User) -> Fields:
        plan = plans[user.account.lower()]
        address = EumAddress(address=user.sip_address, phone_context=phone_context(plan.name, plan.forest))
        return {"proxy_addresses": eum_proxies(before.proxy_addresses, address)}

    yield from _given_up(context, plans, lambda user, _: user.sip_address)
    yield from _each(context, users, fields)


def _enterprise_voice(context: Context) -> Iterator[Step]:
    def fields(user: model.DeclaredUser, before: o.User) -> Fields:
        return {
            "line_uri": user.line_uri,
            "option_flags": before.option_flags | o.UC_ENABLED | o.ENHANCED_PRESENCE,
            "voice_dial_plan": user.voice_dial_plan,
            "voice_policy": user.voice_policy,
        }

    users = [user for user in own_users(context.organization) if user.line_uri]
    speaking = {user.account.lower() for user in context.organization.users if user.line_uri}
    holders = {line_key(u.line_uri): u for u in people(context) if u.account.lower() not in speaking}
    for user in users:
        yield from give_up(context, holders.get(line_key(user.line_uri)), user, {"line_uri": ""})
    yield from _each(context, users, fields)


def _um(context: Context) -> Iterator[Step]:
    """Users who are not enabled yet, or whose settings differ."""
    plans = um_plans(context)
    yield from _given_up(context, plans, lambda user, plan: _numbered(user, plan).address)
    yield from _each_of_um(context, plans, moving=False)


def _moved_to_plans(context: Context) -> Iterator[Step]:
    """Users who are in another dial plan: with the new one the addresses of the old go, in one write."""
    plans = um_plans(context)
    yield from _each_of_um(context, plans, moving=True)


def _each_of_um(context: Context, plans: Plans, *, moving: bool) -> Iterator[Step]:
    elsewhere = {u.account.lower() for u in people(context) if u.um_enabled and u.account.lower() in plans
                 and u.um_dial_plan not in ("", plans[u.account.lower()].name)}  # fmt: skip
    users = [
        u
        for u in context.organization.users
        if u.account.lower() in plans and (u.account.lower() in elsewhere) == moving
    ]

    def fields(user: model.DeclaredUser, before: o.User) -> Fields:
        plan = plans[user.account.lower()]
        where = phone_context(plan.name, plan.forest)
        proxies = eum_proxies(before.proxy_addresses, _numbered(user, plan))
        return {
            "um_flags": before.um_flags or o.UM_ENABLED,
            "um_mailbox_policy": user.um_mailbox_policy,
            "um_dial_plan": plan.name,
            "proxy_addresses": without_eum(proxies, but=where) if moving else proxies,
            "pin_state": before.pin_state or PinState.PENDING,
        }

    yield from _each(context, users, fields)


def um_record_steps(context: Context) -> Iterator[Step]:
    """What a voice server of kind tandem needs of users of Exchange UM: that there is voice mail, and in which dial plan."""
    plans = {account: plan for account, plan in um_plans(context).items() if plan.uri_type is UriType.SIP_NAME}

    def fields(user: model.DeclaredUser, before: o.User) -> Fields:
        plan = plans[user.account.lower()]
        address = EumAddress(address=user.sip_address, phone_context=phone_context(plan.name, plan.forest))
        held = without_eum(before.proxy_addresses, but=address.phone_context)
        return {
            "um_flags": before.um_flags or o.UM_ENABLED,
            "um_dial_plan": plan.name,
            "proxy_addresses": eum_proxies(held, address),
        }

    yield from _each(context, [u for u in own_users(context.organization) if u.account.lower() in plans], fields)


def _numbered(user: model.DeclaredUser, plan: model.DeclaredUMDialPlan) -> EumAddress:
    """A user's EUM address by number: the first in a dial plan of numbers, beside the SIP address in a SIP URI dial plan."""
    by_sip = plan.uri_type is UriType.SIP_NAME
    address = user.extension if by_sip else plan.address_of(user)
    return EumAddress(address=address, phone_context=phone_context(plan.name, plan.forest), primary=not by_sip)


def _given_up(
    context: Context, plans: Plans, address: Callable[[model.DeclaredUser, model.DeclaredUMDialPlan], str]
) -> Iterator[Step]:
    """EUM addresses of users who are no longer declared for UM, where somebody else has them now."""
    holders: dict[tuple[str, str], tuple[o.User, str]] = {}
    for holder in people(context):
        for proxy in holder.proxy_addresses if holder.account.lower() not in plans else ():
            if eum := EumAddress.parse(proxy):
                holders[eum.key] = holder, proxy
    for user in context.organization.users if holders else ():
        if plan := plans.get(user.account.lower()):
            key = EumAddress(address=address(user, plan), phone_context=phone_context(plan.name, plan.forest)).key
            if key in holders:
                holder, proxy = holders[key]
                left = tuple(p for p in holder.proxy_addresses if p != proxy)
                yield from give_up(context, holder, user, {"proxy_addresses": left})


def without_eum(proxies: tuple[str, ...], *, but: str = "") -> tuple[str, ...]:
    """Proxy addresses without EUM addresses, but those of one phone context."""
    return tuple(
        p for p in proxies if (held := EumAddress.parse(p)) is None or held.phone_context.lower() == but.lower()
    )
