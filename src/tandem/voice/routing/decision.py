"""Where a call goes: the caller, what was dialled, and the directory's snapshot give a decision, with its reasons. Pure."""

import re
from dataclasses import dataclass

from tandem.directory import objects as o
from tandem.org.numbers import line_key
from tandem.sip.headers.uri import URI
from tandem.voice.config import VoiceConfig, sip_of
from tandem.voice.routing.normalization import normalize

_CONTEXT = re.compile(r";phone-context=([^;]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingUser:
    """Ring a user's phones, then UM."""

    user: o.User
    trace: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RingPhone:
    """Ring one phone of a user, by the contact that it registered."""

    user: o.User
    contact: str
    trace: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallUM:
    """Call UM itself, by a contact object."""

    contact: o.Contact
    dial_plan: o.UMDialPlan
    trace: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Refuse the call."""

    status: int
    why: str
    trace: tuple[str, ...]


Decision = RingUser | RingPhone | CallUM | Reject


def decide(config: VoiceConfig, *, caller: o.User, called: URI) -> Decision:
    """Decide about a call from a user of ours."""
    user_part = (called.user or "").partition(";")[0]
    direct = f"{user_part}@{called.host}".lower() if called.scheme != "tel" else ""
    if direct in config.users:
        return _user(config, config.users[direct], (f"{direct} is a user's SIP address",))
    if direct in config.contacts:
        return _contact(config, config.contacts[direct], (f"{direct} is a contact's SIP address",))
    plan = _plan(config, caller, called.user or "")
    if plan is None:
        return Reject(status=404, why="no voice dial plan is in force for the caller", trace=())
    normalized = normalize(user_part, plan.rules)
    trace = (
        f"voice dial plan {plan.identity}",
        *(f"rule {name}: {'matches' if hit else 'does not match'}" for name, hit in normalized.trace),
    )
    if normalized.number is None:
        why = f"{user_part!r} matches no normalization rule of voice dial plan {plan.identity}"
        return Reject(status=404, why=why, trace=trace)
    trace = (*trace, f"{user_part} becomes {normalized.number}")
    found = config.lines.get(line_key(normalized.number))
    match found:
        case o.User():
            return _user(config, found, (*trace, f"the line of {sip_of(found)}"))
        case o.Contact():
            return _contact(config, found, (*trace, f"the number of contact {found.display_name}"))
        case None:
            why = f"{normalized.number} is nobody's line, and calls to the PSTN come with a later release"
            return Reject(status=404, why=why, trace=trace)


def _user(config: VoiceConfig, user: o.User, trace: tuple[str, ...]) -> Decision:
    if (pool := config.other_pool(user)) is not None:
        why = f"{sip_of(user)} is at home in pool {pool}, and calls between pools come with a later release"
        return Reject(status=480, why=why, trace=trace)
    return RingUser(user=user, trace=trace)


def _plan(config: VoiceConfig, caller: o.User, user_part: str) -> o.VoiceDialPlan | None:
    """The dial plan that a phone-context names by its simple name; else the caller's own."""
    if context := _CONTEXT.search(user_part):
        wanted = context[1].lower()
        for plan in config.dial_plans.values():
            if plan.simple_name.lower() == wanted:
                return plan
    return config.dial_plan_of(caller)


def _contact(config: VoiceConfig, contact: o.Contact, trace: tuple[str, ...]) -> Decision:
    context = _CONTEXT.search(contact.target)
    plan = config.um_dial_plans.get(context[1].lower()) if context else None
    if plan is None:
        why = f"the UM dial plan of contact {contact.display_name} is not known here (15030)"
        return Reject(status=480, why=why, trace=trace)
    return CallUM(contact=contact, dial_plan=plan, trace=trace)
