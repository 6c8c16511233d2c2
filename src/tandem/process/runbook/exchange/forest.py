"""One messaging forest with Exchange servers: what its runbook steps are made from.

A step is for one shell. Where a forest has servers of several versions, a phase's step is split by shell, and its name then
ends in the version: objects are made by the oldest version that uses them, since an object may only be managed by the version
that made it and later ones (ExchangeVersion), and each server is configured in its own version's shell.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from tandem.org import model as m
from tandem.org.versions import Generation, generation, generations, is_um_server, roles_of
from tandem.org.vocabulary import ServerKind, ServerRole
from tandem.process.phases import PHASES, Side
from tandem.process.roles import MessagingRoles, Requirement
from tandem.process.runbook.exchange.links import links
from tandem.process.runbook.model import RunbookStep, Shell, Text
from tandem.process.runbook.powershell import restored

SHELLS = {
    Generation.E2007: Shell.EXCHANGE_2007,
    Generation.E2010: Shell.EXCHANGE_2010,
    Generation.E2010_SP1: Shell.EXCHANGE_2010,
    Generation.E2013: Shell.EXCHANGE_2013,
    Generation.E2016: Shell.EXCHANGE_2016,
}
"""The shell of each version. A shell's name ends in its year."""
VERSION_PATTERNS = {
    Shell.EXCHANGE_2007: r"^Version 8\.",
    Shell.EXCHANGE_2010: r"^Version 14\.",
    Shell.EXCHANGE_2013: r"^Version 15\.0",
    Shell.EXCHANGE_2016: r"^Version 15\.1",
}
"""What AdminDisplayVersion of a shell's own servers matches."""

_WHERE = Text(
    "Exchange Management Shell, on a server that runs UM",
    "Exchange Management Shell, sur un serveur de messagerie unifiée",
)

Item = TypeVar("Item")


def year(shell: Shell) -> str:
    """The version of an Exchange shell, such as ``2013``."""
    return shell.value.removeprefix("exchange-")


def _installed(server: m.DeclaredMessagingServer) -> tuple[Generation, bool]:
    """The order of Setup: oldest version first (later it is blocked); in 2013 Mailbox before Client Access alone."""
    version = generation(server)
    return version, version is Generation.E2013 and ServerRole.MAILBOX not in roles_of(server)


class ExchangeForest:
    """One messaging forest with Exchange servers, and the steps for it. ``servers`` are in the order of Setup."""

    def __init__(self, org: m.Organization, forest: str) -> None:
        self.org = org
        self.forest = forest
        self.servers = tuple(sorted(org.servers_in(forest, ServerKind.EXCHANGE), key=_installed))
        self.um_servers = tuple(
            sorted(filter(is_um_server, org.servers_in(forest, ServerKind.EXCHANGE)), key=generation)
        )
        self.versions = generations(self.servers)
        self.newest = self.versions[-1]
        self.shells = tuple(dict.fromkeys(SHELLS[version] for version in self.versions))
        self.roles = MessagingRoles.of(self.servers)
        self.plans = tuple(p for p in org.um_dial_plans if p.forest == forest)

    @property
    def names(self) -> set[str]:
        """The names of its UM dial plans."""
        return {plan.name for plan in self.plans}

    @property
    def two_forests(self) -> bool:
        """Whether the voice pools are in another forest."""
        return bool(self.org.voice_pools) and self.org.voice_forest != self.forest

    def plans_of(self, server: m.DeclaredMessagingServer) -> tuple[m.DeclaredUMDialPlan, ...]:
        """The UM dial plans that a server answers for."""
        return tuple(plan for plan in self.plans if server.dial_plans is None or plan.name in server.dial_plans)

    def shell_of(self, dial_plan: str) -> Shell:
        """The shell that a UM dial plan and its objects are made in: that of the oldest UM server that serves it."""
        serving = generations(s for s in self.um_servers if any(p.name == dial_plan for p in self.plans_of(s)))
        return SHELLS[serving[0] if serving else self.newest]

    def split(
        self, name: str, items: Iterable[Item], shell_of: Callable[[Item], Shell]
    ) -> Iterator[tuple[str, Shell, list[Item]]]:
        """Items by shell, oldest first, with the name of each one's step: ``name``, or ``name-2007`` if there are several."""
        found: dict[Shell, list[Item]] = {shell: [] for shell in self.shells}
        for item in items:
            found[shell_of(item)].append(item)
        used = [shell for shell in found if found[shell]]
        for shell in used:
            yield name if len(used) == 1 else f"{name}-{year(shell)}", shell, found[shell]

    def id_of(self, number: int, name: str) -> str:
        """The id of a step: it says the forest if there are several messaging forests."""
        return f"{number}/exchange-{name}" + (f"@{self.forest}" if len(self.org.messaging_forests) > 1 else "")

    def kept(self, number: int, name: str, saved: str) -> str:
        """PowerShell: the objects that a step's :class:`Saved` of this name kept, as an array."""
        return restored(self.id_of(number, name), saved)

    def step(
        self, number: int, name: str, required: Requirement, title: Text, *, shell: Shell | None = None, **more: Any
    ) -> RunbookStep:
        """A step of a phase, in the newest shell unless told; ``more`` are further fields of :class:`RunbookStep`."""
        shell = shell or SHELLS[self.newest]
        mine = tuple(version for version in self.versions if SHELLS[version] is shell)
        more.setdefault("where", _where(shell) if len(self.shells) > 1 else _WHERE)
        more.setdefault("side", Side.MESSAGING)
        return RunbookStep(
            id=self.id_of(number, name),
            phase=PHASES[number],
            required=required,
            forest=self.forest,
            shell=shell,
            title=title,
            links=links(number, mine or self.versions),
            **more,
        )


def _where(shell: Shell) -> Text:
    return Text(
        f"Exchange Management Shell of Exchange {year(shell)}, on a server that runs UM",
        f"Exchange Management Shell d'Exchange {year(shell)}, sur un serveur de messagerie unifiée",
    )
