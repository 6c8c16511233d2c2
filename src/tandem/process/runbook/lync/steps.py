"""Runbook steps for pools of kind lync: phases 0, 2, 4, 6 to 11, in Lync Server Management Shell.

OcsUmUtil.exe and Topology Builder are programs with windows: their steps say what to enter, and check what came of it.
Everything else is a cmdlet that first looks whether it has anything to do. Phase 0 and the acceptance tests change nothing.
"""

from collections.abc import Iterator

from tandem.process.runbook.lync.acceptance import acceptance
from tandem.process.runbook.lync.certificates import certificates
from tandem.process.runbook.lync.contacts import contacts, ou_permission
from tandem.process.runbook.lync.dialplans import dial_plans
from tandem.process.runbook.lync.preconditions import directory_there, pools_there, users_there
from tandem.process.runbook.lync.prerequisites import prerequisites
from tandem.process.runbook.lync.servers import front_ends, media
from tandem.process.runbook.lync.side import LyncSide
from tandem.process.runbook.lync.users import sip_addresses, um_settings, voice_users
from tandem.process.runbook.lync.voice import voice
from tandem.process.runbook.model import RunbookStep


def lync_steps(at: LyncSide) -> Iterator[RunbookStep]:
    """Every step, in the order of the phases."""
    for version in at.versions():
        yield prerequisites(at, version)
    yield directory_there(at)
    yield pools_there(at)
    if at.users:
        yield users_there(at)
    for pool in at.pools:
        yield certificates(at, pool)
    yield media(at)
    if at.users:
        yield sip_addresses(at)
    for version in at.versions():
        yield front_ends(at, version)
    yield dial_plans(at)
    if at.contacts:
        yield ou_permission(at)
        yield contacts(at)
    yield voice(at)
    if any(user.line_uri for user in at.users):
        yield voice_users(at)
    step = um_settings(at)
    if step.tables[0].rows:
        yield step
    yield acceptance(at)
