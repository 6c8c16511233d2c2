"""The pools of kind lync: what their runbook steps are made from."""

from typing import Any

from tandem.org import model as m
from tandem.org.vocabulary import PoolKind
from tandem.process.phases import PHASES, Side
from tandem.process.roles import Requirement
from tandem.process.runbook.model import RunbookStep, Shell, Text

_SHELL = Text(
    "Lync Server Management Shell, on a Front End Server", "Lync Server Management Shell, sur un serveur Front End"
)
SHELLS = {"2010": Shell.LYNC_2010, "2013": Shell.LYNC_2013, "2015": Shell.SKYPE_2015}


class LyncSide:
    """The pools of kind lync, and the steps for them."""

    def __init__(self, org: m.Organization) -> None:
        self.org = org
        self.pools = org.pools_of(PoolKind.LYNC)
        self.fqdns = {pool.fqdn for pool in self.pools}

    def rows(self) -> list[dict[str, str]]:
        """Users of these pools, as rows of a PowerShell table."""
        users = [user for user in self.org.users if user.sip_address and user.pool in self.fqdns]
        return [
            {"User": u.account, "Sip": f"sip:{u.sip_address}", "Pool": u.pool, "Line": u.line_uri,
             "DialPlan": u.voice_dial_plan, "Policy": u.voice_policy}
            for u in users
        ]  # fmt: skip

    def step(self, number: int, name: str, required: Requirement, title: Text, **more: Any) -> RunbookStep:
        """A step of a phase; ``more`` are further fields of :class:`RunbookStep`."""
        more.setdefault("where", _SHELL)
        more.setdefault("shell", SHELLS[self.pools[0].version or "2013"])
        more.setdefault("side", Side.VOICE)
        return RunbookStep(
            id=f"{number}/lync-{name}",
            phase=PHASES[number],
            required=required,
            forest=self.org.voice_forest,
            title=title,
            **more,
        )
