"""Users, and phases 8 to 10 for pools of kind lync: dial plans, contact objects, Enterprise Voice."""

import dataclasses
from collections.abc import Iterator, Mapping

from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.errors import DirectoryError
from tandem.org import model as m
from tandem.org.numbers import line_key
from tandem.org.vocabulary import PoolType
from tandem.process.observing.comparing import FIELDS, aligned, bare_identity, compare, number_in, removed
from tandem.process.observing.judges.case import Case
from tandem.process.observing.model import ObservedObject
from tandem.process.observing.seen import text, texts
from tandem.process.observing.verdict import Finding, NotObservable, Unreadable
from tandem.process.task import Change, difference, from_declared

_KEEP_ALL = (r"^(\d+)$", "$1")
"""Pattern and translation of the rule that New-CsDialPlan writes into a dial plan."""


def _found(case: Case) -> Iterator[tuple[m.DeclaredUser, ObservedObject | None]]:
    """The users of the pools, each as Lync knows him: by SIP address, else by account name."""
    section = case.section("CsUser")
    by_sip, by_account = section.by("SipAddress"), section.by("SamAccountName")
    pools = {pool.fqdn for pool in case.organization.voice_pools if pool.kind == "lync"}
    for user in case.organization.users:
        if user.sip_address and user.pool in pools:
            yield user, by_sip.get(f"sip:{user.sip_address}".lower()) or by_account.get(user.account.lower())


def users(case: Case) -> Iterator[Finding]:
    """Phase 0: enabled for Lync, in their pool."""
    section = case.section("CsUser")
    for user, found in _found(case):
        if found is None:
            if section.unread:
                yield Unreadable(f"CsUser: {section.unread}")
                return
            details = (f"sip_address sip:{user.sip_address}", f"home_pool {user.pool}")
            yield Change(action="+", kind="user", name=user.account, details=details)
        elif (held := aligned(text(found, "RegistrarPool"), user.pool)) != user.pool:
            yield _of_user(user, difference("home_pool", held, user.pool))


def sip_addresses(case: Case) -> Iterator[Finding]:
    """Phase 6: users who are enabled under another SIP address."""
    if unread := case.section("CsUser").unread:
        yield Unreadable(f"CsUser: {unread}")
    for user, found in _found(case):
        wanted = f"sip:{user.sip_address}"
        if found is not None and (held := aligned(text(found, "SipAddress"), wanted)) != wanted:
            yield _of_user(user, difference("sip_address", held, wanted))


def _of_user(user: m.DeclaredUser, *details: str) -> Change:
    return Change(action="~", kind="user", name=user.account, details=details)


def voice_users(case: Case) -> Iterator[Finding]:
    """Phase 10: enabled for Enterprise Voice, with line, dial plan and policy; where none is declared, any may be granted."""
    section = case.section("CsUser")
    for user, found in _found(case):
        if not user.line_uri:
            continue
        if found is None:
            yield (
                Unreadable(f"CsUser: {section.unread}")
                if section.unread
                else _of_user(user, "enterprise_voice False -> True", difference("line_uri", "", user.line_uri))
            )
            continue
        changed = []
        if found.get("EnterpriseVoiceEnabled") is not True:
            changed.append(difference("enterprise_voice", False, True))
        if line_key(held := text(found, "LineURI")) != line_key(user.line_uri):
            changed.append(difference("line_uri", held, user.line_uri))
        for field, wanted in (("DialPlan", user.voice_dial_plan), ("VoicePolicy", user.voice_policy)):
            granted = aligned(bare_identity(text(found, field)), wanted)
            if wanted and granted != wanted:
                changed.append(difference({"DialPlan": "voice_dial_plan"}.get(field, "voice_policy"), granted, wanted))
        if changed:
            yield _of_user(user, *changed)


def dial_plans(case: Case) -> Iterator[Finding]:
    """Phase 8: simple name and rules, the declared ones first and in their order; and a rule in force for every pool."""
    section = case.section("CsDialPlan")
    there = {bare_identity(name): found for name, found in section.by("Identity").items()}
    for plan in case.organization.voice_dial_plans:
        rules = tuple(from_declared(o.NormalizationRule, rule) for rule in plan.normalization_rules)
        wanted = o.VoiceDialPlan(identity=plan.identity, simple_name=plan.simple_name, rules=rules)
        found = there.get(plan.identity.lower())
        if found is not None and rules_of(found)[: len(rules)] == rules:
            found = {name: value for name, value in found.items() if name != "NormalizationRules"}
            wanted = dataclasses.replace(wanted, rules=())  # others may follow; drift tells of them
        yield from compare("voice dial plan", wanted, found, section, FIELDS[o.VoiceDialPlan], name=plan.identity)
    for pool in case.pools():
        in_force = _in_force(case, there, pool)
        if pool.pool_type is not PoolType.DIRECTOR and in_force is not None and not rules_of(in_force):
            name = bare_identity(text(in_force, "Identity"))
            detail = f"no normalization rule, for {pool.fqdn}"
            yield Change(action="~", kind="voice dial plan", name=name, details=(detail,))


def rules_of(plan: ObservedObject) -> tuple[o.NormalizationRule, ...]:
    """The normalization rules of an observed dial plan."""
    read = FIELDS[o.VoiceDialPlan]["rules"].read
    rules: tuple[o.NormalizationRule, ...] = read(plan.get("NormalizationRules", ())) if read else ()
    return rules


def is_default_rule(rule: o.NormalizationRule) -> bool:
    """Whether a rule is the placeholder that New-CsDialPlan writes: it leaves every number as it is."""
    return (rule.pattern, rule.translation) == _KEEP_ALL


def _in_force(case: Case, there: Mapping[str, ObservedObject], pool: m.DeclaredVoicePool) -> ObservedObject | None:
    """The dial plan that holds in a pool for users who are granted none: the pool's own, its site's, or the global one."""
    found = case.section("CsPool").by("Fqdn").get(pool.fqdn.lower())
    site = f"site:{removed(text(found, 'Site'), 'Site:').lower()}" if found else ""
    return there.get(f"registrar:{pool.fqdn.lower()}") or there.get(site) or there.get("global")


def ou_permission(case: Case) -> Iterator[Finding]:
    """Phase 9: rights on an OU are not observed; where the contacts are there, none is missing."""
    for each in contacts(case):
        yield NotObservable("rights on organizational units are not observed, and contacts are missing")
        if isinstance(each, Unreadable):
            yield each


def contacts(case: Case) -> Iterator[Finding]:
    """Phase 9: by SIP address. What they point to (otherIpPhone) has no public form, and is not compared."""
    section = case.section("UMContact")
    there = section.by("SipAddress")
    fields = ("display_name", "sip_address", "line_uri", "home_pool")
    for contact in case.organization.contacts:
        found = there.get(f"sip:{contact.sip_address}".lower())
        if found is None and not section.unread:
            details = (contact.number, contact.sip_address, contact.auto_attendant or "Subscriber Access", contact.ou)
            yield Change(action="+", kind="contact", name=contact.display_name, details=details)
            continue
        wanted = o.Contact(
            name="",
            container=contact.ou,
            display_name=contact.display_name,
            sip_address=f"sip:{contact.sip_address}",
            line_uri=f"tel:{contact.number}",
            home_pool=contact.pool,
            target="",
        )
        yield from compare("contact", wanted, found, section, fields, name=contact.display_name)
        if found is not None and (place := _container(found)) is not None and place != DN.parse(contact.ou):
            detail = difference("container", str(place), contact.ou)
            yield Change(action="~", kind="contact", name=contact.display_name, details=(detail,))


def _container(found: ObservedObject) -> DN | None:
    try:
        return DN.parse(text(found, "DistinguishedName")).parent
    except (DirectoryError, ValueError):
        return None


def voice(case: Case) -> Iterator[Finding]:
    """Phase 10: trunks, PSTN usages, voice policies, voice routes in their order."""
    yield from _usages(case)
    yield from _policies(case)
    yield from _gateways(case)
    yield from _routes(case)


def _usages(case: Case) -> Iterator[Finding]:
    section = case.section("CsPstnUsage")
    held = {usage.lower() for each in section.objects for usage in texts(each, "Usage")}
    for name in case.organization.pstn_usages:
        if name.lower() not in held:
            if section.unread:
                yield Unreadable(f"CsPstnUsage: {section.unread}")
                return
            yield Change(action="+", kind="PSTN usage", name=name)


def _policies(case: Case) -> Iterator[Finding]:
    section = case.section("CsVoicePolicy")
    there = {bare_identity(name): found for name, found in section.by("Identity").items()}
    for policy in case.organization.voice_policies:
        wanted, found = from_declared(o.VoicePolicy, policy), there.get(policy.identity.lower())
        yield from compare("voice policy", wanted, found, section, FIELDS[o.VoicePolicy], name=policy.identity)


def _gateways(case: Case) -> Iterator[Finding]:
    section = case.section("PstnGateway")
    there = section.by("PoolFqdn")
    for gateway in case.organization.pstn_gateways:
        wanted, found = from_declared(o.PstnGateway, gateway), there.get(gateway.fqdn.lower())
        yield from compare(
            "PSTN gateway", wanted, found, section, FIELDS[o.PstnGateway], name=gateway.fqdn, shells=case.shells
        )


def _routes(case: Case) -> Iterator[Finding]:
    """Priorities are compared by the order that they give: other routes may lie between the declared ones."""
    section = case.section("CsVoiceRoute")
    there = section.by("Identity")
    declared = case.organization.voice_routes
    held = [route.name for route in declared if route.name.lower() in there]
    places = {name: place for place, name in enumerate(held)}
    order = sorted(held, key=lambda name: (number_in(there[name.lower()], "Priority", 0), places[name]))
    ordered = {name: place for place, name in enumerate(order)}
    fields = [field for field in FIELDS[o.VoiceRoute] if field != "priority"]
    for priority, route in enumerate(declared):
        wanted = from_declared(o.VoiceRoute, route, priority=priority)
        found = there.get(route.name.lower())
        yield from compare("voice route", wanted, found, section, fields, name=route.name)
        if found is not None and (place := ordered[route.name]) != places[route.name]:
            detail = difference("order", place + 1, places[route.name] + 1)
            yield Change(action="~", kind="voice route", name=route.name, details=(detail,))
