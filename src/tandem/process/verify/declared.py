"""Verify: is the deployment as declared, and does it fit together? Static checks of the directory and of certificates.

Live ones are in :mod:`tandem.process.verify.live`. Each finding says how grave it is, by what it is known, which
phase it belongs to, and what to do.
"""

from collections.abc import Iterator

from tandem.org.errors import Severity
from tandem.org.topology import names_of_pool, not_served
from tandem.org.vocabulary import PoolKind
from tandem.pki.store import CertificateStore
from tandem.process.plan import Status, make_plan
from tandem.process.task import Context
from tandem.process.tasks.preconditions import tandem_um_servers
from tandem.process.verify.matrix import Check, check, verify_matrix


def verify_static(context: Context) -> Iterator[Check]:
    """Every check that needs no call: the plan's tasks, certificates, the matrix."""
    for planned in make_plan(context).tasks:
        changes = "; ".join(str(change) for change in planned.changes[:5])
        more = f" and {len(planned.changes) - 5} more" if len(planned.changes) > 5 else ""
        hidden = planned.status is Status.UNREADABLE
        by = ", ".join(planned.holders) or "nobody yet"
        yield check(
            planned.task.title,
            planned.task.hidden if hidden else changes + more,
            "as declared",
            planned.task.phase.number,
            planned.reason if planned.task.by_hand else f"'tandem apply' does it: {by}",
            warn=hidden,
        )
    yield from _certificates(context)
    yield from verify_matrix(context)
    for _, severity, found, expected in not_served(context.organization):
        if severity is Severity.WARNING:
            yield check("Not served by this release", found, "", 10, expected, warn=True)


def _certificates(context: Context) -> Iterator[Check]:
    subjects: list[tuple[str, tuple[str, ...]]] = [(s.fqdn, ()) for s in tandem_um_servers(context.organization)]
    subjects += [
        (p.fqdn, names_of_pool(context.organization, p)) for p in context.organization.pools_of(PoolKind.TANDEM)
    ]
    for fqdn, names in subjects:
        why = CertificateStore(folder=context.pki / fqdn).problem(fqdn, names, at=context.clock.at())
        yield check(f"Certificate of {fqdn}", why, "named, trusted, in its time", 2, "apply phase 2")
