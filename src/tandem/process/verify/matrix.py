"""The verification matrix: what has to hold of the directory as a whole, each with its phase and what to do if it does not.

It reads objects, made by Tandem or not, and looks at nothing that the file declares. The advice is what the field knows of the
symptom.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tandem.directory import objects as o
from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.org.checks import AGREES
from tandem.org.numbers import is_e164, line_key
from tandem.org.patterns import pattern_problem
from tandem.org.topology import startup_mode
from tandem.org.vocabulary import MediaEncryption, PoolKind, PoolType, StartupMode, UMStatus, UriType, VoIPSecurity
from tandem.process.errors import ProcessError
from tandem.process.phases import PHASES
from tandem.process.task import Context
from tandem.process.tools import contacts, exchucutil
from tandem.process.tools.targets import read_target


class Grade(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    UNREADABLE = "not readable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. ``phase`` is the id of the phase that fixes it."""

    name: str
    grade: Grade
    evidence: str
    phase: str
    advice: str = ""


def check(name: str, wrong: str, right: str, number: int, advice: str = "", *, warn: bool = False) -> Check:
    """Failed (or a warning) where ``wrong`` says something, passed otherwise."""
    grade = (Grade.WARNING if warn else Grade.FAILED) if wrong else Grade.PASSED
    return Check(
        name=name, grade=grade, evidence=wrong or right, phase=PHASES[number].id, advice=advice if wrong else ""
    )


def verify_matrix(context: Context) -> Iterator[Check]:
    """Every check, forest by forest, then of the voice side."""
    for forest in context.organization.messaging_forests:
        here = context.at(forest)
        if here.repository.all(o.MessagingServer):
            yield from _servers(here)
            yield from _dial_plans(here)
            yield from _gateways(here)
            yield from _permissions(here)
            yield from _attendants(here)
    yield from _voice(context.at(context.organization.voice_forest))


def _servers(context: Context) -> Iterator[Check]:
    plans = {plan.name: plan for plan in context.repository.all(o.UMDialPlan)}
    for server in context.repository.all(o.MessagingServer):
        yield check(
            f"Roles of {server.fqdn}", "" if server.roles else "none", ", ".join(server.roles), 1, "deploy its roles"
        )
        security = {plans[name].voip_security for name in server.dial_plans if name in plans}
        fits = server.startup_mode in (startup_mode(security), StartupMode.DUAL) or not security
        advice = "set the startup mode, enable the certificate for UM, restart the service, in this order"
        wrong = "" if fits else f"{server.startup_mode}, with dial plans that are {', '.join(sorted(security))}"
        yield check(f"Startup mode of {server.fqdn}", wrong, server.startup_mode, 5, advice)
        if server.startup_mode is not StartupMode.TCP:
            wrong = "" if server.certificate_thumbprint else "no certificate is enabled for UM"
            yield check(f"Certificate for UM on {server.fqdn}", wrong, server.certificate_thumbprint, 5, advice)


def _dial_plans(context: Context) -> Iterator[Check]:
    servers = [s for s in context.repository.all(o.MessagingServer) if s.status is UMStatus.ENABLED]
    pools = context.at(context.organization.voice_forest).repository.all(o.VoicePool)
    for plan in context.repository.all(o.UMDialPlan):
        secured = plan.voip_security != VoIPSecurity.UNSECURED
        if secured:
            wrong = "" if plan.uri_type == UriType.SIP_NAME else f"{plan.uri_type}, which a voice pool cannot use"
            yield check(
                f"URI type of {plan.name}",
                wrong,
                plan.uri_type,
                3,
                "make a dial plan of type SipName: it cannot be changed",
            )
        for pool in pools if secured else ():
            fitting = AGREES[MediaEncryption(pool.media_encryption)]
            pair = f"{plan.voip_security} with {pool.media_encryption}"
            wrong = "" if plan.voip_security in fitting else f"{pair}: every call to UM fails"
            advice = f"set the dial plan to {' or '.join(fitting)}"
            yield check(f"Security of {plan.name} with {pool.fqdn}", wrong, pair, 4, advice)
        names = [server.fqdn for server in servers if plan.name in server.dial_plans]
        absent = [server.fqdn for server in servers if plan.name not in server.dial_plans]
        if secured and names:
            wrong = f"{', '.join(absent)} not in it: its calls to the pools are refused" if absent else ""
            yield check(
                f"Every UM server in {plan.name}", wrong, ", ".join(names), 5, "add the server (phase 5)", warn=True
            )
        wrong = "" if len(names) >= 2 else f"{len(names)} server(s): {', '.join(names) or '-'}"
        advice = "add a second UM server, so that one may fail"
        yield check(f"UM servers of {plan.name}", wrong, ", ".join(names), 5, advice, warn=bool(names))


def _gateways(context: Context) -> Iterator[Check]:
    gateways = {g.address.lower(): g for g in context.repository.all(o.UMIPGateway)}
    groups = {(group.gateway, group.dial_plan) for group in context.repository.all(o.UMHuntGroup)}
    again = "run exchucutil again (phase 7)"
    for pool in context.at(context.organization.voice_forest).repository.all(o.VoicePool):
        gateway = gateways.get(pool.fqdn)
        wrong = "" if gateway else "none has its FQDN as address: UM takes no call from it"
        yield check(f"Gateway of {pool.fqdn}", wrong, gateway.name if gateway else "", 7, again)
        missing = [p for p in exchucutil.secured_dial_plans(context) if gateway and (gateway.name, p) not in groups]
        yield check(
            f"Hunt groups of {pool.fqdn}", ", ".join(f"none for {p}" for p in missing), "one per dial plan", 7, again
        )
        if gateway and not gateway.mwi_allowed and pool.pool_type != PoolType.BRANCH:
            yield check(
                f"Message waiting through {pool.fqdn}",
                "not allowed: phones never show it",
                "",
                7,
                "allow it",
                warn=True,
            )
    problems = list(exchucutil.outcall_problems(context))
    advice = "leave OutcallsAllowed on exactly one gateway, of a pool that is no Director and no branch"
    for problem in problems:
        yield check("Outgoing calls", problem, "", 7, advice)
    if not problems:
        yield check("Outgoing calls", "", "one gateway per dial plan", 7)


def _permissions(context: Context) -> Iterator[Check]:
    for text, aces in exchucutil_aces(context.layout):
        dn = DN.parse(text)
        if context.session.get(dn) is None:
            continue  # who may not read the container cannot say
        missing = [ace.principal.name for ace in context.session.lacking(dn, aces)]
        wrong = f"no rights: {', '.join(missing)}" if missing else ""
        yield check(f"Voice side's rights on {dn.name}", wrong, "list and read", 7, "run exchucutil again (phase 7)")


def _attendants(context: Context) -> Iterator[Check]:
    for attendant in context.repository.all(o.UMAutoAttendant):
        wrong = "" if attendant.enabled else f"{UMStatus.DISABLED}: nobody reaches it"
        yield check(f"Auto attendant {attendant.name}", wrong, UMStatus.ENABLED, 3, "enable it")


def _patterns(context: Context) -> Iterator[Check]:
    """Rules that another hand may have written: the voice servers pass over those that they cannot run."""
    plans = context.repository.all(o.VoiceDialPlan)
    wrong = [
        f"{plan.identity}, rule {rule.name}: {problem}"
        for plan in plans
        for rule in plan.rules
        if (problem := pattern_problem(rule.pattern))
    ]
    count = sum(len(plan.rules) for plan in plans)
    yield check(
        "Normalization rules can run", "; ".join(wrong), f"{count} rules", 8, "write the pattern in another way"
    )


def _voice(context: Context) -> Iterator[Check]:
    if not context.sees(context.layout.forest):
        wrong = f"You cannot read {context.layout.forest}: nothing of it is checked"
        yield check("The voice side", wrong, "", 0, "check as an administrator of that forest", warn=True)
        return
    if context.organization.pools_of(PoolKind.TANDEM):
        yield from _patterns(context)
    try:
        forests = contacts.load(context)
    except ProcessError as error:
        yield check("UM objects, read by the voice side", str(error), "", 7, "run exchucutil (phase 7)", warn=True)
        return
    held = context.repository.all(o.Contact)
    targets = {read_target(contact) for contact in held}
    for forest in forests:
        for plan in forest.dial_plans:
            lacking = plan.access_numbers and (plan.phone_context, "") not in targets
            wrong = "no Subscriber Access contact: its numbers ring nowhere" if lacking else ""
            yield check(
                f"Subscriber access of {plan.name}",
                wrong,
                ", ".join(plan.access_numbers) or "no number",
                9,
                "add a contact",
            )
            for attendant in forest.attendants:
                if attendant.dial_plan == plan.name:
                    wrong = "" if (plan.phone_context, attendant.name) in targets else "no contact makes it callable"
                    yield check(f"Contact of {attendant.name}", wrong, "there", 9, "add a contact (ocsumutil)")
    for plan, needed in contacts.name_mismatches(context, forests):
        if needed:
            wrong = f"no voice dial plan is called {plan.phone_context}, and a server before 2010 SP1 needs it"
            yield check(f"Name of {plan.name}", wrong, "", 8, "make a voice dial plan with this simple name")
    yield from _numbers(context, held)
    yield from _users(context, tuple(plan for forest in forests for plan in forest.dial_plans))


def _numbers(context: Context, held: tuple[o.Contact, ...]) -> Iterator[Check]:
    lines = [contact.line_uri for contact in held] + [u.line_uri for u in context.repository.all(o.User) if u.line_uri]
    twice = sorted(line for line, count in Counter(map(line_key, lines)).items() if count > 1)
    yield check(
        "Numbers are assigned once", ", ".join(twice), f"{len(lines)} numbers", 9, "give each to one user or contact"
    )
    everyone = context.repository.all(o.User)
    addresses = [contact.sip_address for contact in held] + [user.sip_address for user in everyone if user.sip_address]
    addresses += [str(eum.key) for u in everyone for eum in u.eum_addresses]
    twice = sorted(each for each, count in Counter(map(str.lower, addresses)).items() if count > 1)
    yield check(
        "Addresses are used once", ", ".join(twice), f"{len(addresses)} SIP and EUM addresses", 6, "take one back"
    )
    bad = [c.line_uri for c in held if not is_e164(c.line_uri.removeprefix("tel:"))]
    yield check("Contacts' numbers are E.164", ", ".join(bad), f"{len(held)} contacts", 9, "use + and up to 15 digits")


def _users(context: Context, plans: tuple[o.UMDialPlan, ...]) -> Iterator[Check]:
    """A user of UM in a voice pool: Enterprise Voice, an EUM address in a dial plan that is there, a mailbox policy.

    A user of a pool may have the mailbox in a dial plan of numbers, which a PBX uses: nothing of this is needed then.
    """
    wrong = []
    phone_contexts = {plan.phone_context.lower() for plan in plans}
    of_numbers = {plan.name for plan in plans if plan.uri_type is not UriType.SIP_NAME}
    everyone = context.repository.all(o.User)
    mine = [u for u in everyone if u.um_enabled and u.sip_enabled and u.um_dial_plan not in of_numbers]
    for user in mine:
        eum = [e for e in user.eum_addresses if "@" in e.address]
        if not any(e.phone_context.lower() in phone_contexts for e in eum):
            wrong.append(f"{user.account} (no EUM address)")
        elif not user.enterprise_voice:
            wrong.append(f"{user.account} (no Enterprise Voice)")
        elif not user.um_mailbox_policy:
            wrong.append(f"{user.account} (no UM mailbox policy)")
    shown = ", ".join(wrong[:10]) + (f" and {len(wrong) - 10} more" if len(wrong) > 10 else "")
    advice = "phase 6 gives EUM addresses, phase 10 Enterprise Voice, phase 11 the policy"
    yield check("Users of UM have what voice mail needs", shown, f"{len(mine)} users", 11, advice)
