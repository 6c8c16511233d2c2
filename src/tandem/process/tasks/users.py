"""Phases 6, 10 and 11 for users: EUM addresses, Enterprise Voice, and UM."""

import dataclasses
from collections.abc import Callable, Iterator

from tandem.directory import objects as o
from tandem.org import model
from tandem.org.checks import mailbox_policies
from tandem.org.numbers import EumAddress, phone_context
from tandem.process.phases import RECIPIENTS, UM_USERS, VOICE_USERS, Side
from tandem.process.task import Change, Context, Step, Task, phase
from tandem.process.tasks.preconditions import changed

Transform = Callable[[Context, model.User, o.User], o.User]


def tasks(context: Context) -> Iterator[Task]:
    """The tasks of phases 6, 10 and 11 that are about users."""
    yield Task(
        id="6/eum-addresses",
        phase=phase(6),
        title="SIP addresses of mailboxes (EUM proxy addresses)",
        side=Side.MESSAGING,
        required=RECIPIENTS,
        steps=lambda c: _each(c, _with_eum_address, lambda u: bool(u.um_mailbox_policy and u.sip_address)),
    )
    yield Task(
        id="10/users",
        phase=phase(10),
        title="Users enabled for Enterprise Voice",
        side=Side.VOICE,
        required=VOICE_USERS,
        steps=lambda c: _each(c, _with_enterprise_voice, lambda u: bool(u.line_uri)),
    )
    yield Task(
        id="11/um-users",
        phase=phase(11),
        title="Users enabled for UM",
        side=Side.MESSAGING,
        required=UM_USERS,
        steps=lambda c: _each(c, _with_um, lambda u: bool(u.um_mailbox_policy)),
    )


def _each(context: Context, transform: Transform, wanted: Callable[[model.User], bool]) -> Iterator[Step]:
    """Every declared user that this is for, as it is to be."""
    present = {user.account: user for user in context.repository.all(o.User)}
    for user in filter(wanted, context.organization.users):
        current = present.get(user.account)
        if current is None:
            yield Change(action="~", kind="user", name=user.account, details=("not there yet",)), lambda: None
        else:
            yield from changed(context, current, transform(context, user, current))


def dial_plan_of(org: model.Organization, user: model.User) -> model.UMDialPlan:
    """The UM dial plan that a user's mailbox policy belongs to."""
    name = mailbox_policies(org)[user.um_mailbox_policy].um_dial_plan
    return next(plan for plan in org.um_dial_plans if plan.name == name)


def _eum(proxies: tuple[str, ...], wanted: EumAddress) -> tuple[str, ...]:
    """Proxy addresses with this EUM address; one of the same form (SIP or extension) and dial plan is replaced."""

    def same_form(text: str) -> bool:
        held = EumAddress.parse(text)
        return (
            held is not None
            and ("@" in held.address) == ("@" in wanted.address)
            and held.phone_context.lower() == wanted.phone_context.lower()
        )

    if str(wanted) in proxies:
        return proxies
    return (*(p for p in proxies if not same_form(p)), str(wanted))


def _with_eum_address(context: Context, user: model.User, current: o.User) -> o.User:
    plan = dial_plan_of(context.organization, user)
    address = EumAddress(address=user.sip_address, phone_context=phone_context(plan.name, plan.forest))
    return dataclasses.replace(current, proxy_addresses=_eum(current.proxy_addresses, address))


def _with_enterprise_voice(context: Context, user: model.User, current: o.User) -> o.User:
    return dataclasses.replace(
        current,
        line_uri=user.line_uri,
        option_flags=current.option_flags | o.UC_ENABLED | o.ENHANCED_PRESENCE,
        voice_dial_plan=user.voice_dial_plan,
        voice_policy=user.voice_policy,
    )


def _with_um(context: Context, user: model.User, current: o.User) -> o.User:
    plan = dial_plan_of(context.organization, user)
    extension = EumAddress(
        address=user.extension, phone_context=phone_context(plan.name, plan.forest), primary=not user.sip_address
    )
    return dataclasses.replace(
        current,
        um_flags=current.um_flags or o.UM_ENABLED,
        um_mailbox_policy=user.um_mailbox_policy,
        um_dial_plan=plan.name,
        proxy_addresses=_eum(current.proxy_addresses, extension),
        pin_state=current.pin_state or "pending",
    )
