"""Phases 8, 9 and 10 but its users: voice dial plans, contact objects (ocsumutil), voice policies."""

from collections.abc import Iterator
from functools import partial

from tandem.directory import objects as o
from tandem.directory.filters import escape
from tandem.org import model
from tandem.org.numbers import phone_context
from tandem.process.phases import OCSUMUTIL, VOICE_SERVERS, Side
from tandem.process.task import Change, Context, Step, Task, ensure, phase


def tasks(context: Context) -> Iterator[Task]:
    """The tasks of phases 8 to 10 that are about servers and policies."""
    v = Side.VOICE
    yield Task(
        id="8/voice-dial-plans",
        phase=phase(8),
        title="Voice dial plans and their normalization rules",
        side=v,
        required=VOICE_SERVERS,
        steps=_dial_plans,
    )
    yield Task(
        id="9/contacts",
        phase=phase(9),
        title="Subscriber Access contacts",
        side=v,
        required=OCSUMUTIL,
        steps=_contacts,
    )
    yield Task(
        id="10/voice-policies",
        phase=phase(10),
        title="Voice policies",
        side=v,
        required=VOICE_SERVERS,
        steps=_policies,
    )


def _dial_plans(context: Context) -> Iterator[Step]:
    for plan in context.organization.voice_dial_plans:
        rules = tuple(
            o.NormalizationRule(
                name=rule.name,
                pattern=rule.pattern,
                translation=rule.translation,
                is_internal_extension=rule.is_internal_extension,
            )
            for rule in plan.normalization_rules
        )
        wanted = o.VoiceDialPlan(identity=plan.identity, simple_name=plan.simple_name, rules=rules)
        yield from ensure(context, "voice dial plan", wanted)


def _policies(context: Context) -> Iterator[Step]:
    for policy in context.organization.voice_policies:
        wanted = o.VoicePolicy(
            identity=policy.identity,
            allow_call_forwarding=policy.allow_call_forwarding,
            allow_simul_ring=policy.allow_simul_ring,
            enable_call_transfer=policy.enable_call_transfer,
            pstn_usages=policy.pstn_usages,
        )
        yield from ensure(context, "voice policy", wanted)


def subscriber_access_target(address: str, context_name: str) -> str:
    """Our form of otherIpPhone for Subscriber Access (docs/adr/0004)."""
    return f"sip:{address};opaque=app:sa;phone-context={context_name}"


def _contacts(context: Context) -> Iterator[Step]:
    org, repository = context.organization, context.repository
    plans = {plan.name: plan for plan in org.um_dial_plans}
    for contact in org.contacts:
        if contact.auto_attendant:
            continue
        plan: model.UMDialPlan = plans[contact.um_dial_plan]
        address = f"sip:{contact.sip_address}"
        held = repository.find(o.Contact, f"(msRTCSIP-PrimaryUserAddress={escape(address)})")
        wanted = o.Contact(
            name=held[0].name if held else f"{{{context.ids.uuid()}}}",
            container=held[0].container if held else contact.ou,
            display_name=contact.display_name,
            sip_address=address,
            line_uri=f"tel:{contact.number}",
            home_pool=contact.pool,
            target=subscriber_access_target(contact.sip_address, phone_context(plan.name, plan.forest)),
        )
        if held:
            yield from ensure(context, "contact", wanted)
        else:
            change = Change(action="+", kind="contact", name=contact.display_name, details=(contact.number,))
            yield change, partial(repository.add, wanted)
