"""Phases 8, 9 and 10 but its users: voice dial plans, contact objects (ocsumutil), trunks, usages, routes, policies."""

import dataclasses
from collections.abc import Iterator
from functools import partial

from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.layout import forest_of
from tandem.org import model
from tandem.org.numbers import line_key, phone_context
from tandem.org.vocabulary import PoolKind
from tandem.process.phases import Side
from tandem.process.roles import DIRECTORY_ADMINS, OCSUMUTIL, VOICE_SERVERS
from tandem.process.task import Change, Context, Step, Task, ensure, from_declared, phase, phase_of
from tandem.process.tools import oupermission
from tandem.process.tools.targets import target_of


def tasks(context: Context) -> Iterator[Task]:
    """The tasks of phases 8 to 10 that are about servers, contacts and policies."""
    org = context.organization
    if tandem := bool(org.pools_of(PoolKind.TANDEM)):
        yield Task(
            id="9/ou-permission",
            phase=phase(9),
            title="The right to create contacts in their OUs",
            side=Side.DIRECTORY,
            required=DIRECTORY_ADMINS,
            forest=org.voice_forest,
            steps=_ou_permission,
            needs=(0,),
            only_when_due=True,
        )
    for id_, title, required, steps in (
        ("8/voice-dial-plans", "Voice dial plans and their normalization rules", VOICE_SERVERS, _dial_plans),
        ("9/contacts", "Subscriber Access and Auto Attendant contacts", OCSUMUTIL, _contacts),
        ("10/pstn-gateways", "PSTN gateways and their trunks", VOICE_SERVERS, _pstn_gateways),
        ("10/pstn-usages", "PSTN usage records", VOICE_SERVERS, _pstn_usages),
        ("10/voice-routes", "Voice routes", VOICE_SERVERS, _routes),
        ("10/voice-policies", "Voice policies", VOICE_SERVERS, _policies),
    ):
        if tandem:
            yield Task(
                id=id_,
                phase=phase_of(id_),
                title=title,
                side=Side.VOICE,
                required=required,
                forest=org.voice_forest,
                steps=steps,
                kept=lambda here: len(here.repository.owned(o.Contact)),
            )


def _dial_plans(context: Context) -> Iterator[Step]:
    for plan in context.organization.voice_dial_plans:
        rules = tuple(from_declared(o.NormalizationRule, rule) for rule in plan.normalization_rules)
        wanted = from_declared(o.VoiceDialPlan, plan, rules=rules)
        yield from ensure(context, "voice dial plan", wanted)


def _policies(context: Context) -> Iterator[Step]:
    for policy in context.organization.voice_policies:
        yield from ensure(context, "voice policy", from_declared(o.VoicePolicy, policy))


def _pstn_gateways(context: Context) -> Iterator[Step]:
    for gateway in context.organization.pstn_gateways:
        yield from ensure(context, "PSTN gateway", from_declared(o.PstnGateway, gateway))


def _pstn_usages(context: Context) -> Iterator[Step]:
    for name in context.organization.pstn_usages:
        yield from ensure(context, "PSTN usage", o.PstnUsage(name=name))


def _routes(context: Context) -> Iterator[Step]:
    for priority, route in enumerate(context.organization.voice_routes):
        yield from ensure(context, "voice route", from_declared(o.VoiceRoute, route, priority=priority))


def _ou_permission(context: Context) -> Iterator[Step]:
    """Where inheritance is blocked, for instance; an OU that is still absent inherits."""
    ous = dict.fromkeys(contact.ou for contact in context.organization.contacts)
    for ou in (DN.parse(text) for text in ous):
        there = forest_of(ou) == context.layout.forest and context.session.get(ou) is not None
        if there and not oupermission.may_create_contacts(context, ou):
            yield from oupermission.grant_steps(context, "Contact", ou)


def _given_up(context: Context) -> Iterator[Step]:
    """Contacts that are gone from the file, and whose number somebody else has now: a number is never shared."""
    org = context.organization
    addresses = {f"sip:{contact.sip_address}".lower() for contact in org.contacts}
    taken = {line_key(contact.number) for contact in org.contacts} | {line_key(user.line_uri) for user in org.users}
    for held in context.repository.owned(o.Contact):
        if held.sip_address.lower() not in addresses and line_key(held.line_uri) in taken:
            change = Change(action="-", kind="contact", name=held.display_name, details=(held.line_uri,))
            yield change, partial(context.repository.remove, held)


def _contacts(context: Context) -> Iterator[Step]:
    org, repository = context.organization, context.repository
    plans = {plan.name: plan for plan in org.um_dial_plans}
    by_address = {held.sip_address.lower(): held for held in repository.all(o.Contact)}
    yield from _given_up(context)
    for contact in org.contacts:
        plan: model.DeclaredUMDialPlan = plans[contact.um_dial_plan]
        held = by_address.get(f"sip:{contact.sip_address}".lower())
        wanted = o.Contact(
            name=held.name if held else f"{{{context.ids.uuid()}}}",
            container=held.container if held else contact.ou,
            display_name=contact.display_name,
            sip_address=f"sip:{contact.sip_address}",
            line_uri=f"tel:{contact.number}",
            home_pool=contact.pool,
            target=target_of(
                contact.sip_address, phone_context(plan.name, plan.forest), attendant=contact.auto_attendant
            ),
        )
        if held:
            for change, make in ensure(context, "contact", wanted):
                yield dataclasses.replace(change, name=contact.display_name), make
        else:
            details = (contact.number, contact.sip_address, contact.auto_attendant or "Subscriber Access", contact.ou)
            change = Change(action="+", kind="contact", name=contact.display_name, details=details)
            yield change, partial(repository.add, wanted)
