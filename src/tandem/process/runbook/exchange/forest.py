"""One messaging forest with Exchange servers: what its runbook steps are made from."""

from typing import Any

from tandem.org import model as m
from tandem.org.versions import Generation, generations
from tandem.org.vocabulary import ServerKind
from tandem.process.phases import PHASES, Side
from tandem.process.roles import MessagingRoles, Requirement
from tandem.process.runbook.model import Link, RunbookStep, Shell, Text

_LINKS = {
    1: (268694, 268695, 266569),
    3: (268632, 268674, 266579),
    4: (268696, 268697, 266579),
    5: (268681, 268682, 266579),
    6: (268698, 268699, 266579),
    11: (268700, 268701, 266579),
}
"""The topic's own pages (LinkId) for 2007, 2010, and 2013."""
_ABOUT = ("Exchange 2007", "Exchange 2010", "Exchange 2013")
SHELLS = {
    Generation.E2007: Shell.EXCHANGE_2007,
    Generation.E2010: Shell.EXCHANGE_2010,
    Generation.E2010_SP1: Shell.EXCHANGE_2010,
    Generation.E2013: Shell.EXCHANGE_2013,
    Generation.E2016: Shell.EXCHANGE_2016,
}
_SHELL = Text(
    "Exchange Management Shell, on a server that runs UM",
    "Exchange Management Shell, sur un serveur de messagerie unifiée",
)


class ExchangeForest:
    """One messaging forest with Exchange servers, and the steps for it."""

    def __init__(self, org: m.Organization, forest: str) -> None:
        self.org = org
        self.forest = forest
        self.servers = org.servers_in(forest, ServerKind.EXCHANGE)
        self.versions = generations(self.servers)
        self.newest = self.versions[-1]
        self.roles = MessagingRoles.of(self.servers)
        self.plans = tuple(p for p in org.um_dial_plans if p.forest == forest)

    @property
    def names(self) -> set[str]:
        """The names of its UM dial plans."""
        return {plan.name for plan in self.plans}

    def step(self, number: int, name: str, required: Requirement, title: Text, **more: Any) -> RunbookStep:
        """A step of a phase; ``more`` are further fields of :class:`RunbookStep`."""
        many = len(self.org.messaging_forests) > 1
        eldest = {Generation.E2007: 0, Generation.E2010: 1, Generation.E2010_SP1: 1}
        places = sorted({eldest.get(version, 2) for version in self.versions})
        links = tuple(
            Link(_ABOUT[p], f"https://go.microsoft.com/fwlink/p/?LinkId={_LINKS[number][p]}")
            for p in places
            if number in _LINKS
        )
        more.setdefault("where", _SHELL)
        more.setdefault("shell", SHELLS[self.newest])
        return RunbookStep(
            id=f"{number}/exchange-{name}" + (f"@{self.forest}" if many else ""),
            phase=PHASES[number],
            side=Side.MESSAGING,
            required=required,
            forest=self.forest,
            title=title,
            links=links,
            **more,
        )
