"""Verify: is the deployment right, and does it work? Static checks of the directory, then live ones by a phone.

The static checks are the verification matrix of the integration: what each phase has to have brought about, and what fits
together only as a whole. Each finding says how grave it is, by what it is known, which phase it belongs to, what to do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tandem.directory import objects as o
from tandem.org.checks import AGREES
from tandem.org.model import MediaEncryption, VoIPSecurity
from tandem.pki.store import CertificateStore
from tandem.process.phases import PHASES
from tandem.process.plan import Status, make_plan
from tandem.process.task import Context
from tandem.process.tasks.preconditions import tandem_pools, tandem_um_servers


class Grade(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. ``phase`` is the id of the phase that mends it."""

    name: str
    grade: Grade
    evidence: str
    phase: str
    advice: str = ""


def _check(name: str, wrong: str, right: str, number: int, advice: str = "", *, warn: bool = False) -> Check:
    """Failed (or a warning) where ``wrong`` says something, passed otherwise."""
    grade = (Grade.WARNING if warn else Grade.FAILED) if wrong else Grade.PASSED
    return Check(
        name=name, grade=grade, evidence=wrong or right, phase=PHASES[number].id, advice=advice if wrong else ""
    )


def verify_static(context: Context) -> Iterator[Check]:
    """Every check that needs no call."""
    for planned in make_plan(context).tasks:
        changes = "; ".join(str(change) for change in planned.changes)
        wrong = "not readable by you" if planned.status is Status.UNREADABLE else changes
        yield _check(
            planned.task.title,
            wrong,
            "as declared",
            planned.task.phase.number,
            f"'tandem apply' does it: {', '.join(planned.holders) or 'nobody yet'}",
        )
    yield from _certificates(context)
    yield from _security(context)
    yield from _outcalls(context)
    yield from _redundancy(context)


def _certificates(context: Context) -> Iterator[Check]:
    subjects: list[tuple[str, tuple[str, ...]]] = [(s.fqdn, ()) for s in tandem_um_servers(context.organization)]
    subjects += [(p.fqdn, p.servers) for p in tandem_pools(context.organization)]
    for fqdn, names in subjects:
        why = CertificateStore(folder=context.pki / fqdn).problem(fqdn, names, at=context.clock.at())
        yield _check(f"Certificate of {fqdn}", why, "named, trusted, in its time", 2, "apply phase 2")


def _security(context: Context) -> Iterator[Check]:
    for plan in context.repository.all(o.UMDialPlan):
        if plan.voip_security == VoIPSecurity.UNSECURED:
            continue
        for pool in context.repository.all(o.VoicePool):
            fitting = AGREES[MediaEncryption(pool.media_encryption)]
            agreed = plan.voip_security in fitting
            yield _check(
                f"Security of {plan.name} with {pool.fqdn}",
                "" if agreed else f"{plan.voip_security} with {pool.media_encryption}: every call to UM fails",
                f"{plan.voip_security} with {pool.media_encryption}",
                4,
                f"set the dial plan to {' or '.join(fitting)}",
            )


def _outcalls(context: Context) -> Iterator[Check]:
    groups = context.repository.all(o.UMHuntGroup)
    gateways = {g.name: g for g in context.repository.all(o.UMIPGateway) if g.transport == "tls"}
    for plan in context.repository.all(o.UMDialPlan):
        mine = sorted({g.gateway for g in groups if g.dial_plan == plan.name and g.gateway in gateways})
        if not mine:
            continue
        calling = [name for name in mine if gateways[name].outcalls_allowed]
        wrong = "" if len(calling) == 1 else f"{len(calling)} of {len(mine)} gateways: {', '.join(calling) or '-'}"
        advice = "leave OutcallsAllowed on exactly one gateway, of a pool that is no Director and no branch"
        yield _check(f"Outgoing calls of {plan.name}", wrong, f"by {', '.join(calling)} alone", 7, advice)


def _redundancy(context: Context) -> Iterator[Check]:
    servers = [s for s in context.repository.all(o.MessagingServer) if s.status == "Enabled"]
    for plan in context.repository.all(o.UMDialPlan):
        names = [s.fqdn for s in servers if plan.name in s.dial_plans]
        wrong = "" if len(names) >= 2 else f"{len(names)} server(s): {', '.join(names) or '-'}"
        advice = "add a second UM server, so that one may fail"
        yield _check(f"UM servers of {plan.name}", wrong, ", ".join(names), 5, advice, warn=bool(names))
