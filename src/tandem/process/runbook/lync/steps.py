"""Runbook steps for pools of kind lync: phases 0, 2, 4, 6 to 10, in Lync Server Management Shell.

OcsUmUtil.exe is a program with windows: its step lists what to enter, and its check reads the contacts. Topology Builder
is one too: PSTN gateways are listed. Everything else is a cmdlet that first looks whether it has anything to do.
"""

from collections.abc import Iterator

from tandem.process.runbook.lync.servers import certificates, front_ends, media, pools_there
from tandem.process.runbook.lync.side import LyncSide
from tandem.process.runbook.lync.voice import contacts, dial_plans, ou_permission, users, voice, voice_users
from tandem.process.runbook.model import RunbookStep


def lync_steps(at: LyncSide) -> Iterator[RunbookStep]:
    """Every step, in the order of the phases."""
    yield pools_there(at)
    yield users(at, "0", "users", "users enabled for Lync", "utilisateurs activés pour Lync", change=False)
    yield certificates(at)
    yield media(at)
    yield users(at, "6", "sip-addresses", "SIP addresses that differ", "adresses SIP qui diffèrent", change=True)
    yield front_ends(at)
    yield dial_plans(at)
    yield ou_permission(at)
    yield contacts(at)
    yield voice(at)
    yield voice_users(at)
