"""Observed objects of the deployment's kinds that the file does not declare: made outside of it, or forgotten in it.

What Exchange and Lync have of themselves is left out: the Global dial plan and policy, and Lync's own usages and route.
"""

from collections.abc import Iterator

from tandem.org.checks import mailbox_policies
from tandem.org.model import Organization
from tandem.process.observing.comparing import bare_identity
from tandem.process.observing.judges.exchange_servers import version_of
from tandem.process.observing.judges.lync_voice import is_default_rule, rules_of
from tandem.process.observing.seen import Everything, Seen, text, texts

_BUILT_IN = {
    "voice dial plan": frozenset({"global"}),
    "voice policy": frozenset({"global"}),
    "PSTN usage": frozenset({"internal", "local", "long distance"}),
    "voice route": frozenset({"localroute"}),
}
Found = tuple[int, str, str]
"""The phase, the kind and the name of an object."""


def undeclared(org: Organization, everything: Everything) -> Iterator[Found]:
    """Every such object, side by side and forest by forest; also a service pack beyond the declared one."""
    for (side, forest), seen in everything.items():
        yield from _exchange(org, forest, seen) if side == "exchange" else _lync(org, seen)


def _exchange(org: Organization, forest: str, seen: Seen) -> Iterator[Found]:
    policies = mailbox_policies(org)
    known: tuple[tuple[int, str, str, set[str]], ...] = (
        (3, "UM dial plan", "UMDialPlan", {plan.name for plan in org.um_dial_plans if plan.forest == forest}),
        (3, "UM mailbox policy", "UMMailboxPolicy", set(policies)),
        (3, "UM auto attendant", "UMAutoAttendant", {each.name for each in org.um_auto_attendants}),
    )
    for number, kind, section, names in known:
        yield from _beyond(number, kind, [text(each, "Name") for each in seen.section(section).objects], names)
    addresses = {pool.fqdn for pool in org.voice_pools} | {each.address for each in org.um_ip_gateways}
    lower = {address.lower() for address in addresses}
    for each in seen.section("UMIPGateway").objects:
        if text(each, "Address").lower() not in lower:
            yield 7, "UM IP gateway", f"{text(each, 'Name')} ({text(each, 'Address')})"
    there = seen.section("ExchangeServer").by("Fqdn")
    for server in org.messaging_servers:
        found = there.get(server.fqdn.lower())
        year, pack = version_of(text(found, "AdminDisplayVersion")) if found else ("", 0)
        if year == server.version and pack > server.service_pack and year in ("2007", "2010"):
            yield 1, "messaging server", f"{server.fqdn} (SP{pack} > SP{server.service_pack})"


def _lync(org: Organization, seen: Seen) -> Iterator[Found]:
    usages = [usage for each in seen.section("CsPstnUsage").objects for usage in texts(each, "Usage")]
    sections: tuple[tuple[int, str, list[str], set[str]], ...] = (
        (0, "voice pool", _names(seen, "CsPool", "Fqdn"), _pools_and_gateways(org)),
        (8, "voice dial plan", _names(seen, "CsDialPlan", "Identity"), {p.identity for p in org.voice_dial_plans}),
        (10, "voice policy", _names(seen, "CsVoicePolicy", "Identity"), {p.identity for p in org.voice_policies}),
        (10, "PSTN usage", usages, set(org.pstn_usages)),
        (10, "voice route", _names(seen, "CsVoiceRoute", "Identity"), {route.name for route in org.voice_routes}),
        (10, "PSTN gateway", _names(seen, "PstnGateway", "PoolFqdn"), {gateway.fqdn for gateway in org.pstn_gateways}),
        (9, "contact", _names(seen, "UMContact", "SipAddress"), {f"sip:{each.sip_address}" for each in org.contacts}),
    )
    for number, kind, found, names in sections:
        yield from _beyond(number, kind, found, names)
    yield from _rules(org, seen)


def _rules(org: Organization, seen: Seen) -> Iterator[Found]:
    declared = {plan.identity.lower(): plan for plan in org.voice_dial_plans}
    for each in seen.section("CsDialPlan").objects:
        if (plan := declared.get(bare_identity(text(each, "Identity")).lower())) is None:
            continue
        names = {rule.name for rule in plan.normalization_rules}
        rules = [rule.name for rule in rules_of(each) if not is_default_rule(rule)]
        for _, kind, name in _beyond(8, "normalization rule", rules, names):
            yield 8, kind, f"{plan.identity}/{name}"


def _pools_and_gateways(org: Organization) -> set[str]:
    """Get-CsPool lists PSTN gateways too, and whatever else the topology has; pools of users are told by their services."""
    return {pool.fqdn for pool in org.voice_pools} | {gateway.fqdn for gateway in org.pstn_gateways}


def _names(seen: Seen, section: str, name: str) -> list[str]:
    found = seen.section(section).objects
    if section == "CsPool":
        found = tuple(
            each for each in found if any(s.lower().startswith("registrar:") for s in texts(each, "Services"))
        )
    return [bare_identity(text(each, name)) for each in found]


def _beyond(number: int, kind: str, found: list[str], declared: set[str]) -> Iterator[Found]:
    known = {name.lower() for name in declared} | _BUILT_IN.get(kind, frozenset())
    for name in dict.fromkeys(found):
        if name.lower() not in known:
            yield number, kind, name
