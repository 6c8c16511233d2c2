"""What the process asks of forests, servers and pools together, and what it warns of (docs/process.md)."""

from collections.abc import Iterator

from tandem.org import model as m
from tandem.org.coexistence import makers, releases
from tandem.org.errors import Severity
from tandem.org.groups import GROUPS
from tandem.org.numbers import phone_context
from tandem.org.patterns import compile_pattern, pattern_problem, translation_problem
from tandem.org.versions import VERSIONS, names_must_match
from tandem.org.vocabulary import (
    GLOBAL,
    PoolKind,
    PoolType,
    ServerKind,
    StartupMode,
    UriType,
    VoIPSecurity,
    registrar_identity,
)

Check = tuple[object, Severity, str, str]
_SCHEMES = ("ldaps://", "ldap+starttls://")
MOST_GATEWAYS = 200
"""UM IP gateways of one dial plan; beyond that Exchange's UM service does not start."""


def check(org: m.Organization) -> Iterator[Check]:
    """Every finding about the topology."""
    yield from _forests(org)
    yield from _directory_administrators(org)
    yield from releases.check(org)
    yield from _pools(org)
    yield from _dial_plans(org)
    yield from _voice_dial_plans(org)
    yield from _attendants(org)
    yield from _contacts(org)
    yield from not_served(org)
    yield from makers.check(org)
    for each, text in ((org, org.directory), *((forest, forest.directory) for forest in org.forests)):
        if ("://" in text and not text.startswith(_SCHEMES)) or (each is not org and text and "://" not in text):
            yield each, Severity.ERROR, f"directory {text}", "ldaps://HOST[,HOST...] or ldap+starttls://HOST, or a file"


def _forests(org: m.Organization) -> Iterator[Check]:
    """Phase 1: each messaging forest has to trust the voice forest; guidelines ask it of both."""
    forests = {forest.name: forest for forest in org.forests}
    voice = forests.get(org.voice_forest)
    for name in org.messaging_forests:
        forest = forests[name]
        if voice is None or forest is voice or not org.voice_pools:
            continue
        if voice.name not in forest.trusts:
            yield forest, Severity.ERROR, f"does not trust the voice forest {voice.name}", f"trusts: [{voice.name}]"
        if forest.name not in voice.trusts:
            found = f"the voice forest does not trust the messaging forest {forest.name}"
            yield voice, Severity.WARNING, found, "trust both ways: messaging administrators and servers read its users"


def _directory_administrators(org: m.Organization) -> Iterator[Check]:
    """An account is of one forest: who prepares one directory cannot prepare another."""
    first = org.forests[0].name if org.forests else ""
    held = {admin.forest or first for admin in org.administrators if set(admin.groups) & set(GROUPS["D"])}
    for forest in org.forests:
        if held and forest.name not in held:
            found = "no declared administrator is in Domain Admins there, and one of another forest cannot be"
            expected = (
                f"an entry of administrators with forest: {forest.name}; else its initial administrator does the work"
            )
            yield forest, Severity.INFO, found, expected


def _pools(org: m.Organization) -> Iterator[Check]:
    for pool in org.voice_pools:
        if pool.forest != org.voice_forest:
            found = f"a voice pool in {pool.forest}, beside pools in {org.voice_forest}"
            yield pool, Severity.ERROR, found, "every voice pool in one forest"
        if pool.pool_type is PoolType.STANDARD_EDITION and pool.servers not in ((), (pool.fqdn,)):
            found = f"a Standard Edition server with servers {', '.join(pool.servers)}"
            yield pool, Severity.ERROR, found, f"servers: [{pool.fqdn}], or pool_type FrontEnd"
        if (
            pool.kind is PoolKind.LYNC
            and pool.pool_type in (PoolType.FRONT_END, PoolType.DIRECTOR)
            and not pool.servers
        ):
            expected = (
                "servers: their FQDNs are in the certificate (phase 2), and the service of each restarts (phase 7)"
            )
            yield pool, Severity.ERROR, f"a {pool.pool_type} pool of kind lync without servers", expected


def _dial_plans(org: m.Organization) -> Iterator[Check]:
    for plan in org.um_dial_plans:
        if not plan.access_numbers and plan.voip_security is not VoIPSecurity.UNSECURED:
            yield plan, Severity.WARNING, "no access number", "access_numbers, or there is no subscriber access"
        servers = org.servers_of(plan)
        if len(servers) < 2:
            count = "one UM server" if servers else "no UM server"
            yield plan, Severity.WARNING, f"{count} for this dial plan", "two, so that one may fail"
        gateways = sum(1 for g in org.um_ip_gateways if g.um_dial_plan == plan.name)
        if plan.voip_security is not VoIPSecurity.UNSECURED:
            gateways += len(org.voice_pools)
        if gateways > MOST_GATEWAYS:
            yield plan, Severity.ERROR, f"{gateways} UM IP gateways", f"at most {MOST_GATEWAYS}"
    with_plans = {plan.forest for plan in org.um_dial_plans}
    for server in org.messaging_servers:
        if org.um_dial_plans and server.forest not in with_plans:
            found = f"a messaging server of {server.forest}, which has no UM dial plan: it answers no call"
            yield server, Severity.WARNING, found, f"a server of {' or '.join(sorted(with_plans))}"
        for name in server.dial_plans or ():
            if any(p.name == name and p.forest != server.forest for p in org.um_dial_plans):
                yield server, Severity.ERROR, f"UM dial plan {name} is of another forest", f"one of {server.forest}"


def _voice_dial_plans(org: m.Organization) -> Iterator[Check]:
    """Phase 8: before 2010 SP1 names have to match, the oldest server of a dial plan decides; later some have to suit."""
    names = {plan.simple_name.lower() for plan in org.voice_dial_plans}
    for plan in org.um_dial_plans:
        if plan.voip_security is VoIPSecurity.UNSECURED or not org.voice_pools:
            continue
        servers = [s for s in org.servers_of(plan) if s.kind is ServerKind.TANDEM or s.version in VERSIONS]
        wanted = phone_context(plan.name, plan.forest)
        if names_must_match(servers) and wanted.lower() not in names:
            found = "no voice dial plan has its FQDN as simple name, which Exchange before 2010 SP1 needs"
            yield plan, Severity.ERROR, found, f"a voice dial plan with simple_name {wanted} (phase 8)"
    yield from _patterns(org)
    yield from _without_voice_dial_plan(org)
    if org.voice_pools and not org.voice_dial_plans:
        yield (
            org.voice_pools[0],
            Severity.WARNING,
            "no voice dial plan is declared",
            "a suitable one: Global, or of the pool",
        )


def _patterns(org: m.Organization) -> Iterator[Check]:
    """Patterns that Tandem's own pools can run, and translations that fit them. Lync's pools run any of .NET."""
    ours = bool(org.pools_of(PoolKind.TANDEM)) or not org.voice_pools
    rules = [rule for plan in org.voice_dial_plans for rule in plan.normalization_rules]
    patterns: list[tuple[object, str]] = [(rule, rule.pattern) for rule in rules]
    patterns += [(route, route.number_pattern) for route in org.voice_routes]
    for about, pattern in patterns:
        if ours and (problem := pattern_problem(pattern)):
            yield (
                about,
                Severity.ERROR,
                f"pattern '{pattern}': {problem}",
                "a pattern that voice pools of kind tandem can run",
            )
    for rule in rules:
        if not pattern_problem(rule.pattern) and (
            problem := translation_problem(compile_pattern(rule.pattern), rule.translation)
        ):
            found = f"the translation '{rule.translation}' has {problem}"
            yield rule, Severity.ERROR, found, "references to groups of the pattern, such as +1425555$1"


def _without_voice_dial_plan(org: m.Organization) -> Iterator[Check]:
    """Pools with users for whom no voice dial plan is in force: every number that they dial is refused."""
    declared = {plan.identity for plan in org.voice_dial_plans}
    sites = any(identity.startswith("Site:") for identity in declared)
    for pool in org.pools_of(PoolKind.TANDEM):
        if sites or not declared or {GLOBAL, registrar_identity(pool.fqdn)} & declared:
            continue
        if users := [user.account for user in org.users if user.pool == pool.fqdn and not user.voice_dial_plan]:
            found = (
                f"no voice dial plan is in force for {len(users)} user(s), such as {users[0]}: they can dial no number"
            )
            yield pool, Severity.WARNING, found, f"a voice dial plan {GLOBAL} or {registrar_identity(pool.fqdn)}"


def _attendants(org: m.Organization) -> Iterator[Check]:
    called = {(contact.um_dial_plan, contact.auto_attendant) for contact in org.contacts}
    for attendant in org.um_auto_attendants:
        if not attendant.enabled:
            yield attendant, Severity.WARNING, "the auto attendant is disabled", "enabled: true, or nobody reaches it"
        if not attendant.pilot_identifiers:
            yield attendant, Severity.WARNING, "no pilot number", "pilot_identifiers, or nobody can call it"
        if (attendant.um_dial_plan, attendant.name) not in called and org.voice_pools:
            yield attendant, Severity.WARNING, "no contact makes it callable", "an entry of contacts (phase 9)"


def _contacts(org: m.Organization) -> Iterator[Check]:
    plans = {plan.name: plan for plan in org.um_dial_plans}
    attendants = {attendant.name: attendant for attendant in org.um_auto_attendants}
    subscriber = {contact.um_dial_plan for contact in org.contacts if not contact.auto_attendant}
    for plan in org.um_dial_plans:
        unsecured = plan.voip_security is VoIPSecurity.UNSECURED
        if plan.access_numbers and not unsecured and plan.name not in subscriber and org.voice_pools:
            yield plan, Severity.WARNING, "no Subscriber Access contact", "an entry of contacts (phase 9)"
    for contact in org.contacts:
        found_plan = plans.get(contact.um_dial_plan)
        if found_plan is None:
            continue
        if found_plan.uri_type is not UriType.SIP_NAME:
            found = f"a contact of {found_plan.name}, which is no SIP URI dial plan"
            yield contact, Severity.ERROR, found, "one of uri_type SipName"
        attendant = attendants.get(contact.auto_attendant)
        numbers = attendant.pilot_identifiers if attendant else found_plan.access_numbers
        if contact.number not in numbers:
            what = "pilot_identifiers" if attendant else "access_numbers"
            yield contact, Severity.WARNING, f"number {contact.number} is none of UM's", f"one of the {what}"
        if domain_of(contact.ou) != org.voice_forest:
            yield contact, Severity.ERROR, f"OU {contact.ou}", f"one in the voice forest, {org.voice_forest}"


def not_served(org: m.Organization) -> Iterator[Check]:
    """What is declared and written to the directory, although this release does not serve it yet."""
    pools = [pool for pool in org.pools_of(PoolKind.TANDEM) if pool.pool_type is not PoolType.DIRECTOR]
    used = {user.pool for user in org.users if user.sip_address}
    hosting = [pool for pool in pools if pool.fqdn in used]
    for pool in hosting[1:]:
        found = f"users here and at {hosting[0].fqdn}, but calls between pools are refused in this release"
        if PoolType.BRANCH in (pool.pool_type, hosting[0].pool_type):
            found += ", and message waiting is not sent to Branch pools"
        yield pool, Severity.WARNING, found, "one voice pool for users who call each other"
    for pool in hosting:
        if len(pool.servers) > 1 and pool.pool_type is not PoolType.STANDARD_EDITION:
            found = f"{len(pool.servers)} servers, which do not know each other's registrations in this release"
            yield pool, Severity.WARNING, found, "one server in a voice pool of kind tandem"
    if pools and (pstn := (*org.pstn_gateways, *org.voice_routes)):
        counted = f"{len(org.pstn_gateways)} PSTN gateway(s) and {len(org.voice_routes)} voice route(s)"
        found = f"{counted}, but no call goes to the PSTN"
        yield pstn[0], Severity.WARNING, found, "calls within the organization only, in this release"
    ours = {plan.name for plan in org.um_dial_plans if org.servers_in(plan.forest, ServerKind.TANDEM)}
    for attendant in org.um_auto_attendants:
        if attendant.um_dial_plan in ours:
            found = f"auto attendant {attendant.name}: attendants are not served by Tandem in this release"
            yield attendant, Severity.WARNING, found, "none, or a call to its number is refused (480)"
    for plan in org.um_dial_plans:
        servers = [s for s in org.servers_of(plan) if s.kind is ServerKind.TANDEM]
        if len(servers) > 1:
            found = (
                f"{len(servers)} UM servers of kind tandem for one dial plan: each has the mailboxes of its home only"
            )
            yield plan, Severity.INFO, found, "one home for all of them, on one machine, in this release"


def domain_of(ou: str) -> str:
    """The domain that an OU's distinguished name ends in."""
    return ".".join(part[3:] for part in ou.lower().split(",") if part.startswith("dc="))


def names_of_pool(org: m.Organization, pool: m.DeclaredVoicePool) -> tuple[str, ...]:
    """What else a pool's certificate is for: its servers, and each SIP domain as phones check it.

    A phone that finds the pool by SRV checks for the domain that it asked for (RFC 5922 section 7.3), one that guesses, for
    ``sip.DOMAIN``. Any pool may be found so: each is for every SIP domain of the organization.
    """
    addresses = (*(user.sip_address for user in org.users), *(contact.sip_address for contact in org.contacts))
    domains = sorted({address.partition("@")[2].lower() for address in addresses if address})
    return (*pool.servers, *domains, *(f"sip.{domain}" for domain in domains))


def startup_mode(security: set[VoIPSecurity]) -> StartupMode:
    """The startup mode of a UM server by its dial plans: TLS if all are secured, TCP if none is, Dual if they differ."""
    plain = VoIPSecurity.UNSECURED in security
    return (StartupMode.TCP if len(security) == 1 else StartupMode.DUAL) if plain else StartupMode.TLS
