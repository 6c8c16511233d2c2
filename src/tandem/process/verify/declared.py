"""Verify: is the deployment as declared, and does it fit together? Static checks of the directory and of certificates.

Live ones are in :mod:`tandem.process.verify.live`. Each finding says how grave it is, by what it is known, which
phase it belongs to, and what to do.
"""

import dataclasses
from collections.abc import Iterable, Iterator

from tandem.org.errors import Severity
from tandem.org.topology import names_of_pool, not_served
from tandem.org.vocabulary import PoolKind
from tandem.pki.store import CertificateStore
from tandem.process.observing.standing import StepState, age_text, is_old
from tandem.process.plan import Planned, Status, make_plan, observations_of
from tandem.process.task import Context
from tandem.process.tasks.preconditions import tandem_um_servers
from tandem.process.verify.matrix import Check, Grade, check, verify_matrix


def verify_static(context: Context) -> Iterator[Check]:
    """Every check that needs no call: the plan's tasks, observations that are old, certificates, the matrix."""
    tasks = make_plan(context).tasks
    yield from map(_task, tasks)
    yield from _old(context, tasks)
    yield from _certificates(context)
    org = context.organization
    if not (org.messaging_servers or org.voice_pools) or tandem_um_servers(org) or org.pools_of(PoolKind.TANDEM):
        yield from verify_matrix(context, own=True)
    for _, severity, found, expected in not_served(context.organization):
        if severity is Severity.WARNING:
            yield check("Not served by this release", found, "", 10, expected, warn=True)


def _task(planned: Planned) -> Check:
    changes = "; ".join(str(change) for change in planned.changes[:5])
    more = f" and {len(planned.changes) - 5} more" if len(planned.changes) > 5 else ""
    grade, advice = Grade.FAILED, f"'tandem apply' does it: {', '.join(planned.holders) or 'nobody yet'}"
    evidence = changes + more
    match planned.status:
        case Status.UNREADABLE:
            grade, evidence = Grade.WARNING, planned.task.hidden
        case Status.DONE:
            grade, evidence, advice = Grade.PASSED, "as declared", ""
        case Status.WAITING:
            grade, advice = Grade.OPEN, planned.reason
    if planned.standing is not None:
        grade, evidence, advice = _by_hand(planned, evidence)
    return Check(
        name=planned.task.title,
        grade=grade,
        evidence=evidence,
        phase=planned.task.phase.id,
        advice=advice,
        forest=planned.task.forest,
    )


_GRADES = {StepState.OBSERVED: Grade.OBSERVED, StepState.CONFIRMED: Grade.CONFIRMED, StepState.OPEN: Grade.OPEN}


def _by_hand(planned: Planned, changes: str) -> tuple[Grade, str, str]:
    """A step of the runbook: what differs has failed; what nobody has seen or done yet is open."""
    known = planned.standing
    assert known is not None
    if planned.differs:
        return Grade.FAILED, f"{changes} ({known.text})", f"{planned.reason} ({planned.task.id})"
    advice = f"{planned.reason} ({planned.task.id})" if known.state is StepState.OPEN else ""
    return _GRADES[known.state], known.text, advice


def _old(context: Context, tasks: Iterable[Planned]) -> Iterator[Check]:
    now = context.clock.at()
    for each in observations_of(tasks):
        if is_old(each, now):
            wrong = f"{age_text(now - each.ended)}, of {each.by} on {each.host}"
            made = check(f"Observation of {each.side} ({each.shell})", wrong, "", 0, _COLLECT, warn=True)
            yield dataclasses.replace(made, forest=each.forest)


_COLLECT = "run the collector again, and give its result to 'tandem observe'"


def _certificates(context: Context) -> Iterator[Check]:
    subjects: list[tuple[str, tuple[str, ...]]] = [(s.fqdn, ()) for s in tandem_um_servers(context.organization)]
    subjects += [
        (p.fqdn, names_of_pool(context.organization, p)) for p in context.organization.pools_of(PoolKind.TANDEM)
    ]
    for fqdn, names in subjects:
        why = CertificateStore(folder=context.pki / fqdn).problem(fqdn, names, at=context.clock.at())
        yield check(f"Certificate of {fqdn}", why, "named, trusted, in its time", 2, "apply phase 2")
