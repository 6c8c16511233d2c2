"""What has to fit together in an organization: references, uniqueness, security, versions (the process's own rules).

Each check yields the object that it is about, the severity, what was found, and what is expected.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from tandem.org import model as m
from tandem.org import topology
from tandem.org.errors import Severity
from tandem.org.groups import groups_in
from tandem.org.numbers import line_key
from tandem.org.vocabulary import (
    MediaEncryption,
    PhoneEdition,
    PoolKind,
    PoolType,
    UriType,
    VoIPSecurity,
    default_policy,
)

Check = tuple[object, Severity, str, str]

AGREES = {
    MediaEncryption.REQUIRE: (VoIPSecurity.SECURED,),
    MediaEncryption.SUPPORT: (VoIPSecurity.SIP_SECURED, VoIPSecurity.SECURED),
    MediaEncryption.DO_NOT_SUPPORT: (VoIPSecurity.SIP_SECURED,),
}
"""Phase 4: the UM dial plan's security that fits a pool's media encryption; on a mismatch every call to UM fails."""
PHONE_EDITION = (
    "Secured: Lync Phone Edition works only if the dial plan's security agrees with the pools' encryption (Require: Secured; "
    "Support: SIPSecured or Secured, Secured recommended; none: SIPSecured)"
)
"""Phase 4, about those devices, by Microsoft's table of VoIP security and encryption levels."""


def check(org: m.Organization) -> Iterator[Check]:
    """Every finding about an organization as a whole."""
    yield from _references(org)
    yield from _unique(org)
    yield from _pool_versions(org)
    yield from _security(org)
    yield from _users(org)
    yield from topology.check(org)


def mailbox_policies(org: m.Organization) -> dict[str, m.DeclaredUMMailboxPolicy]:
    """Every mailbox policy by name: those declared, and the default ones of the dial plans."""
    defaults = [m.DeclaredUMMailboxPolicy(name=default_policy(p.name), um_dial_plan=p.name) for p in org.um_dial_plans]
    return {p.name: p for p in (*defaults, *org.um_mailbox_policies)}


@dataclass(frozen=True, slots=True)
class _Numbered:
    about: object
    number: str


def _line_of(each: m.DeclaredUser | m.DeclaredContact) -> str:
    return line_key(each.line_uri if isinstance(each, m.DeclaredUser) else each.number)


def _error(about: object, found: str, expected: str) -> Check:
    return about, Severity.ERROR, found, expected


def _references(org: m.Organization) -> Iterator[Check]:
    attendants = {(a.um_dial_plan, a.name) for a in org.um_auto_attendants}
    # Containers, such as CN=Users, are the domain's own: they are there.
    containers = {ou for ou in [u.ou for u in org.users] + [c.ou for c in org.contacts] if ou.startswith("CN=")}
    known: dict[str, Iterable[str]] = {
        "forest": {f.name for f in org.forests},
        "UM dial plan": {p.name for p in org.um_dial_plans},
        "voice pool": {p.fqdn for p in org.voice_pools},
        "mailbox policy": mailbox_policies(org),
        "voice dial plan": {p.identity for p in org.voice_dial_plans},
        "voice policy": {p.identity for p in org.voice_policies},
        "PSTN usage": set(org.pstn_usages),
        "PSTN gateway": {g.fqdn for g in org.pstn_gateways},
        "OU": containers.union(org.organizational_units),
    }
    wanted: list[tuple[object, str, str]] = []
    in_forests: tuple[Any, ...] = (*org.messaging_servers, *org.voice_pools, *org.um_dial_plans, *org.users)
    for each in (*in_forests, *org.administrators):
        wanted.append((each, "forest", each.forest))
    for forest in org.forests:
        wanted += [(forest, "forest", name) for name in forest.trusts]
    for server in org.messaging_servers:
        wanted += [(server, "UM dial plan", name) for name in server.dial_plans or ()]
    of_plans: tuple[Any, ...] = (*org.um_mailbox_policies, *org.um_ip_gateways, *org.um_auto_attendants, *org.contacts)
    for item in of_plans:
        wanted.append((item, "UM dial plan", item.um_dial_plan))
    for contact in org.contacts:
        wanted += [(contact, "voice pool", contact.pool), (contact, "OU", contact.ou)]
        if contact.auto_attendant and (contact.um_dial_plan, contact.auto_attendant) not in attendants:
            yield _error(
                contact,
                f"UM dial plan {contact.um_dial_plan} has no auto attendant {contact.auto_attendant!r}",
                "one of um_auto_attendants, or none for Subscriber Access",
            )
    for policy in org.voice_policies:
        wanted += [(policy, "PSTN usage", name) for name in policy.pstn_usages]
    for route in org.voice_routes:
        wanted += [(route, "PSTN usage", name) for name in route.pstn_usages]
        wanted += [(route, "PSTN gateway", name) for name in route.pstn_gateways]
    for gateway in org.pstn_gateways:
        wanted.append((gateway, "voice pool", gateway.pool))
    for user in org.users:
        wanted += [
            (user, "OU", user.ou),
            (user, "voice pool", user.pool),
            (user, "mailbox policy", user.um_mailbox_policy),
            (user, "voice dial plan", user.voice_dial_plan),
            (user, "voice policy", user.voice_policy),
        ]
    missing: dict[tuple[str, str], list[object]] = {}
    for about, kind, name in wanted:
        if name and name not in known[kind]:
            missing.setdefault((kind, name), []).append(about)
    for (kind, name), places in missing.items():  # one mistake, however many refer to it
        names = ", ".join(sorted(known[kind])[:20]) or "none is declared"
        often = f", which {len(places)} places name" if len(places) > 1 else ""
        yield _error(places[0], f"there is no {kind} {name!r}{often}", f"one of those declared: {names}")
    if not org.forests:
        yield _error(org, "no forest is declared", "at least one entry of forests")
        return
    for admin in org.administrators:
        names_there = groups_in(org, admin.forest or org.forests[0].name)
        for name in admin.groups:
            if name not in names_there:
                yield _error(
                    admin, f"there is no group {name!r}", f"one of those of its forest: {', '.join(names_there)}"
                )


def _unique(org: m.Organization) -> Iterator[Check]:
    plan_of = {name: policy.um_dial_plan for name, policy in mailbox_policies(org).items()}
    pilots: list[tuple[object, str]] = [(a, number) for a in org.um_auto_attendants for number in a.pilot_identifiers]
    pilots += [(p, number) for p in org.um_dial_plans for number in p.access_numbers]
    everyone: tuple[Any, ...] = (*org.users, *org.administrators)
    groups: tuple[tuple[str, Iterable[object], Callable[[Any], str]], ...] = (
        ("forest", org.forests, lambda x: x.name),
        ("server name", (*org.messaging_servers, *org.voice_pools), lambda x: x.fqdn),
        ("UM dial plan", org.um_dial_plans, lambda x: x.name.lower()),
        ("mailbox policy", org.um_mailbox_policies, lambda x: x.name.lower()),
        ("UM IP gateway", org.um_ip_gateways, lambda x: x.name.lower()),
        ("gateway address", org.um_ip_gateways, lambda x: str(ip_address(x.address))),
        ("voice dial plan", org.voice_dial_plans, lambda x: x.identity.lower()),
        ("voice policy", org.voice_policies, lambda x: x.identity.lower()),
        ("auto attendant", org.um_auto_attendants, lambda x: x.name.lower()),
        ("number of UM", [_Numbered(about, number) for about, number in pilots], lambda x: x.number),
        ("voice route", org.voice_routes, lambda x: x.name.lower()),
        ("PSTN gateway", org.pstn_gateways, lambda x: x.fqdn),
        ("account", everyone, lambda x: x.account.lower()),
        ("former account", org.users, lambda x: x.was.lower()),
        ("SIP address", (*org.users, *org.contacts), lambda x: x.sip_address.lower()),
        ("mail address", org.users, lambda x: x.mail.lower()),
        (
            "number",
            (*org.users, *org.contacts),
            _line_of,
        ),
        (
            "extension in its dial plan",
            org.users,
            lambda x: x.extension and f"{x.extension} of {plan_of.get(x.um_mailbox_policy, '?')}",
        ),
    )
    for kind, objects, key in groups:
        listed = [(each, key(each)) for each in objects]
        counts = Counter(k for _, k in listed if k)
        for each, k in listed:
            if counts[k] > 1:
                yield _error(
                    each.about if isinstance(each, _Numbered) else each,
                    f"{kind} {k!r} is used {counts[k]} times",
                    "each one once",
                )


def _pool_versions(org: m.Organization) -> Iterator[Check]:
    for pool in org.voice_pools:
        if pool.kind is PoolKind.TANDEM and pool.version:
            yield _error(pool, f"version {pool.version!r} on a pool of kind tandem", "none")
        elif pool.kind is PoolKind.LYNC and pool.version not in ("", "2010", "2013", "2015"):
            yield _error(pool, f"Lync version {pool.version!r}", "2010, 2013 or 2015 (Skype for Business)")
        elif pool.kind is PoolKind.LYNC and pool.version in ("2010", "2015"):
            yield pool, Severity.WARNING, f"version {pool.version}, which the topic does not cover", "Lync Server 2013"


def _security(org: m.Organization) -> Iterator[Check]:
    plain = {g.um_dial_plan for g in org.um_ip_gateways}
    for plan in org.um_dial_plans:
        optional = any(pool.media_encryption is MediaEncryption.SUPPORT for pool in org.voice_pools)
        if optional and org.phone_edition is not PhoneEdition.NONE and plan.voip_security is VoIPSecurity.SIP_SECURED:
            found = f"VoIP security SIPSecured with Lync Phone Edition devices {org.phone_edition}"
            yield plan, Severity.WARNING, found, PHONE_EDITION
        secured = plan.voip_security is not VoIPSecurity.UNSECURED
        if secured and plan.name in plain:
            yield _error(
                plan,
                f"plain gateways and VoIP security {plan.voip_security}",
                "Unsecured, or no um_ip_gateways: plain gateways know no TLS",
            )
        if secured and plan.uri_type is not UriType.SIP_NAME:
            yield _error(plan, f"URI type {plan.uri_type}", "SipName: a voice pool uses SIP URI dial plans only")
        if not secured:
            if plan.name not in plain:
                yield plan, Severity.WARNING, "Unsecured, and no plain gateway uses it", "um_ip_gateways, or Secured"
            continue
        for pool in org.voice_pools:
            if plan.voip_security not in AGREES[pool.media_encryption]:
                fitting = " or ".join(AGREES[pool.media_encryption])
                of_pool = " or ".join(each for each, agreed in AGREES.items() if plan.voip_security in agreed)
                yield _error(
                    plan,
                    f"VoIP security {plan.voip_security}, but pool {pool.fqdn} has {pool.media_encryption}",
                    f"{fitting} here, or media_encryption: {of_pool} at the pool (phase 4): otherwise every call to UM fails",
                )
        if plan.voip_security is VoIPSecurity.SIP_SECURED and (
            mixed := [pool.fqdn for pool in org.voice_pools if pool.media_encryption is MediaEncryption.SUPPORT]
        ):
            found = f"VoIP security SIPSecured (UM speaks RTP only), and phones of {', '.join(mixed)} may use SRTP"
            yield (
                plan,
                Severity.WARNING,
                found,
                "Secured, or SRTP optional at every phone: one that insists on it gets no voice mail",
            )
        if plan.max_recording_duration_min >= plan.max_call_duration_min:
            yield _error(
                plan, "max_recording_duration_min is not below max_call_duration_min", "a shorter recording than call"
            )


def _users(org: m.Organization) -> Iterator[Check]:
    digits = {p.name: p.extension_digits for p in org.um_dial_plans}
    plans = {p.name: p for p in org.um_dial_plans}
    policies = mailbox_policies(org)
    pools = {pool.fqdn: pool for pool in org.voice_pools}
    domains = {domain for forest in org.forests for domain in forest.domains}
    accounts = {user.account.lower() for user in org.users} | {admin.account.lower() for admin in org.administrators}
    for user in org.users:
        if user.was.lower() in accounts:
            yield _error(user, f"was {user.was!r}, an account that is declared", "a name that is used no more, or none")
        if user.sip_address and user.sip_address.partition("@")[2].lower() not in domains:
            yield _error(
                user, f"SIP address {user.sip_address}", f"a domain of the forests: {', '.join(sorted(domains))}"
            )
        if topology.domain_of(user.ou) != user.forest:
            yield _error(user, f"OU {user.ou}, but forest {user.forest}", "an OU of the user's forest")
        if user.sip_address and user.forest != org.voice_forest:
            yield _error(
                user, f"a SIP address, but an account in {user.forest}", f"one in the voice forest, {org.voice_forest}"
            )
        if (pool := pools.get(user.pool)) and pool.pool_type is PoolType.DIRECTOR:
            yield _error(user, f"registers at {pool.fqdn}, which is a Director", "a pool that hosts users")
        if user.sip_address and not user.pool:
            yield _error(user, "a SIP address without a pool", "pool: the voice pool that the user registers at")
        if user.line_uri and not user.sip_address:
            yield _error(user, "a line URI without a SIP address", "sip_address, for Enterprise Voice")
        if bool(user.extension) != bool(user.um_mailbox_policy):
            yield _error(user, "only one of extension and um_mailbox_policy", "both (enabled for UM) or none")
            continue
        policy = policies.get(user.um_mailbox_policy)
        plan = plans.get(policy.um_dial_plan) if policy else None
        if plan is None:
            continue
        if user.forest not in (plan.forest, org.voice_forest):
            yield _error(
                user, f"an account in {user.forest}", f"one in {plan.forest} or {org.voice_forest}, as {plan.name} is"
            )
        if not user.mail:
            yield _error(user, "enabled for UM without a mail address", "mail: the mailbox that messages go to")
        if plan.uri_type is UriType.SIP_NAME and not user.sip_address:
            yield _error(user, f"no SIP address, but {plan.name} is a SIP URI dial plan", "sip_address")
        if len(user.extension) != digits[plan.name]:
            yield _error(
                user,
                f"extension {user.extension} has {len(user.extension)} digits",
                f"{digits[plan.name]}, as UM dial plan {plan.name} has",
            )
