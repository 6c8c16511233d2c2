"""The pools of kind lync: what their runbook steps are made from.

Settings of the whole deployment are made in the newest shell that the pools have; what concerns one pool's servers, in the
shell of that pool's version. Users are known by two names: by the user principal name until Lync Server knows them, by
their SIP address afterwards. An account name alone would be taken for a display name (Get-CsUser -Identity).
"""

from dataclasses import dataclass
from typing import Any

from tandem.org import model as m
from tandem.org.vocabulary import PoolKind, PoolType, ServerKind
from tandem.process.phases import PHASES, Side
from tandem.process.roles import Requirement
from tandem.process.runbook.lync.links import LINKS
from tandem.process.runbook.model import RunbookStep, Shell, StepTable, Text
from tandem.process.runbook.powershell import array, quote, rows_of

_LYNC = Text(
    "Lync Server Management Shell, on a Front End Server", "Lync Server Management Shell, sur un serveur frontal"
)
_SKYPE = Text(
    "Skype for Business Server Management Shell, on a Front End Server",
    "Skype for Business Server Management Shell, sur un serveur frontal",
)
SHELLS = {"2010": Shell.LYNC_2010, "2013": Shell.LYNC_2013, "2015": Shell.SKYPE_2015}
"""By the version of a pool, oldest first."""
_DEFAULT_VERSION = "2013"
USERS = "lync-users.csv"
USER_ROWS = rows_of(USERS)
"""The rows of :data:`USERS`: Account, Upn, Sip, Pool, Line, DialPlan, Policy."""


def version_of(pool: m.DeclaredVoicePool) -> str:
    """``2010``, ``2013`` or ``2015``."""
    return pool.version or _DEFAULT_VERSION


def servers_of(pool: m.DeclaredVoicePool) -> str:
    """The servers of a pool as a PowerShell array: those declared, else those of the topology."""
    if pool.servers or pool.pool_type is PoolType.STANDARD_EDITION:
        return array(pool.servers or (pool.fqdn,))
    return f'@((Get-CsPool -Identity {quote(pool.fqdn)}).Computers | ForEach-Object {{ "$_" }})'


@dataclass(frozen=True, slots=True)
class PoolVersion:
    """Pools of one version. ``suffix`` tells their steps apart where there are several versions, newest first."""

    suffix: str
    shell: Shell
    pools: tuple[m.DeclaredVoicePool, ...]


class LyncSide:
    """The pools of kind lync, and the steps for them."""

    def __init__(self, org: m.Organization) -> None:
        self.org = org
        self.pools = org.pools_of(PoolKind.LYNC)
        fqdns = {pool.fqdn for pool in self.pools}
        self.users = tuple(user for user in org.users if user.sip_address and user.pool in fqdns)
        self.contacts = tuple(contact for contact in org.contacts if contact.pool in fqdns)
        self.exchange_forests = tuple(f for f in org.messaging_forests if org.servers_in(f, ServerKind.EXCHANGE))
        real = org.messaging_forests if org.uses_ldap else self.exchange_forests
        self.other_forests = tuple(forest for forest in real if forest != org.voice_forest)

    def versions(self) -> tuple[PoolVersion, ...]:
        """The pools by version, newest first."""
        found = [version for version in reversed(SHELLS) if any(version_of(pool) == version for pool in self.pools)]
        return tuple(
            PoolVersion(
                suffix=f"-{version}" if version != found[0] else "",
                shell=SHELLS[version],
                pools=tuple(pool for pool in self.pools if version_of(pool) == version),
            )
            for version in found
        )

    def users_table(self) -> StepTable:
        """Users of these pools. The user principal names are the usual ones: an administrator corrects them in the file."""
        return StepTable(
            USERS,
            tuple(
                {"Account": u.account, "Upn": f"{u.account}@{u.forest}", "Sip": f"sip:{u.sip_address}", "Pool": u.pool,
                 "Line": u.line_uri, "DialPlan": u.voice_dial_plan, "Policy": u.voice_policy}
                for u in self.users
            ),
        )  # fmt: skip

    @staticmethod
    def id(number: int, name: str) -> str:
        """The id of a step."""
        return f"{number}/lync-{name}"

    def step(self, number: int, name: str, required: Requirement, title: Text, **more: Any) -> RunbookStep:
        """A step of a phase; ``more`` are further fields of :class:`RunbookStep`."""
        more.setdefault("shell", self.versions()[0].shell)
        more.setdefault("where", _SKYPE if more["shell"] is Shell.SKYPE_2015 else _LYNC)
        more.setdefault("side", Side.VOICE)
        more.setdefault("links", LINKS.get(number, ()))
        return RunbookStep(
            id=self.id(number, name),
            phase=PHASES[number],
            required=required,
            forest=self.org.voice_forest,
            title=title,
            **more,
        )
