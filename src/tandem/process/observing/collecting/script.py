"""A collector as a whole: one script for one shell of one forest."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from tandem.org import model as m
from tandem.org.vocabulary import PoolKind, ServerKind
from tandem.process.observing.collecting import every, exchange, frame, lync
from tandem.process.observing.format import SHELLS
from tandem.process.runbook.powershell import array, quote

Side = Literal["exchange", "lync"]
_RIGHTS = {
    "exchange-2007": "Exchange View-Only Administrators",
    "exchange": "the role group View-Only Organization Management",
    "lync": "the group RTCUniversalReadOnlyAdmins",
}
_YEARS = {"2010": "lync-2010", "2013": "lync-2013", "2015": "skype-2015"}
_WHERE = {
    "exchange-2007": "Run it in the Exchange Management Shell of EVERY server of this version: its certificates are\n"
    "# read only there.",
    "exchange": "Run it once, in the Exchange Management Shell of one server of this version.",
    "lync": "Run it in the Lync Server (Skype for Business Server) Management Shell of EVERY server of the pools: its\n"
    "# certificates are read only there.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorScript:
    """A script for a shell. ``forest`` is the only one that it runs in; empty: any."""

    shell: str
    forest: str = ""

    @property
    def side(self) -> Side:
        """``exchange`` or ``lync``."""
        return cast(Side, next(side for side, shells in SHELLS.items() if self.shell in shells))

    @property
    def file_name(self) -> str:
        """``collect-exchange-2013-proseware.example.ps1``."""
        return "-".join(filter(None, ("collect", self.shell, self.forest))) + ".ps1"

    def text(self) -> str:
        """The script: pure ASCII, lines end in LF."""
        parts = (self._about(), frame.HEAD, self._settings(), every.FUNCTIONS, self._functions(), frame.BEGIN)
        guard = exchange.guard() if self.side == "exchange" else lync.guard()
        return "".join((*parts, guard, frame.OPEN, *map(_indented, self._sections()), frame.CLOSE))

    def _about(self) -> str:
        where = _WHERE.get(self.shell) or _WHERE[self.side]
        rights = _RIGHTS.get(self.shell) or _RIGHTS[self.side]
        return (
            "#requires -Version 2.0\n"
            f"# Reads what there is, for Tandem: shell {self.shell}, forest {self.forest or 'of this computer'}.\n"
            "# It changes nothing but the one file that it writes: give that to 'tandem observe'.\n"
            f"# {where}\n"
            f"# It needs {rights}, and no more; services of other servers are read over WMI, which asks for rights\n"
            "# on these servers: where there are none, the file says so, and the rest is read.\n"
        )

    def _settings(self) -> str:
        special = exchange.settings(self.shell) if self.side == "exchange" else lync.settings(self.shell)
        values = {"Side": self.side, "Shell": self.shell, "Expected": self.forest.lower(), **special}
        groups = exchange.GROUPS if self.side == "exchange" else lync.GROUPS
        lines = [f"${name} = {quote(value)}" for name, value in values.items()]
        return "\n".join(("", *lines, f"$GroupNames = {array(groups)}", ""))

    def _functions(self) -> str:
        return exchange.functions() if self.side == "exchange" else lync.functions()

    def _sections(self) -> Iterable[str]:
        bodies = exchange.sections(self.shell) if self.side == "exchange" else lync.sections(self.shell)
        for name, body in bodies.items():
            if body:
                yield f"Write-Section {quote(name)} {{{_indented(body)}}}\n"
            else:
                yield f"Write-Unread {quote(name)} {quote(f'The shell {self.shell} has no cmdlet for it.')}\n"


def _indented(text: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))


def collectors(org: m.Organization, side: Side) -> tuple[CollectorScript, ...]:
    """One collector per forest and shell that an organization declares of a side."""
    if side == "lync":
        shells = dict.fromkeys((pool.forest, _YEARS[pool.version or "2013"]) for pool in org.pools_of(PoolKind.LYNC))
        return tuple(CollectorScript(shell=shell, forest=forest) for forest, shell in shells)
    return tuple(
        CollectorScript(shell=f"exchange-{version}", forest=forest)  # noqa: S604 - a shell's name
        for forest in org.messaging_forests
        for version in sorted({server.version for server in org.servers_in(forest, ServerKind.EXCHANGE)})
    )
