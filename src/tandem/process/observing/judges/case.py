"""What a judge works with: one step, what is declared, and what was seen."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tandem.org import model as m
from tandem.org.versions import Generation, generation, generations
from tandem.org.vocabulary import PoolKind, ServerKind
from tandem.process.observing.seen import Everything, Seen, SeenSection, text, texts
from tandem.process.observing.verdict import Finding, Unreadable
from tandem.process.runbook.model import RunbookStep
from tandem.process.task import Change

_VERSION = re.compile(r"-(2007|2010|2013|2015|2016)\Z")
_SHELLS = {
    Generation.E2007: "exchange-2007",
    Generation.E2010: "exchange-2010",
    Generation.E2010_SP1: "exchange-2010",
    Generation.E2013: "exchange-2013",
    Generation.E2016: "exchange-2016",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One step to judge. ``steps`` are all of the runbook; ``confirmed`` says when steps were last confirmed."""

    step: RunbookStep
    steps: tuple[RunbookStep, ...]
    organization: m.Organization
    seen: Seen
    everything: Everything
    now: datetime
    confirmed: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The step's name without number, side, version and forest: ``dial-plans``."""
        return _VERSION.sub("", self._full_name)

    @property
    def _full_name(self) -> str:
        return self.step.id.partition("/")[2].partition("@")[0].partition("-")[2]

    @property
    def version(self) -> str:
        """The version that the step is for, if its name says one: ``2007``."""
        found = _VERSION.search(self._full_name)
        return found[1] if found else ""

    def section(self, name: str) -> SeenSection:
        """A section of what was seen."""
        return self.seen.section(name)

    @property
    def shells(self) -> frozenset[str]:
        """The shells that have seen something."""
        return self.seen.shells

    @property
    def forest(self) -> str:
        """The forest of the step."""
        return self.step.forest

    # Of the messaging side

    def dial_plans(self) -> tuple[m.DeclaredUMDialPlan, ...]:
        """The UM dial plans that the step is about: those of its forest, and of its version if it is one version's."""
        mine = (plan for plan in self.organization.um_dial_plans if plan.forest == self.forest)
        return tuple(plan for plan in mine if not self.version or self._shell_of(plan) == self.step.shell)

    def _shell_of(self, plan: m.DeclaredUMDialPlan) -> str:
        """The shell that a dial plan is made in: that of the oldest server that serves it, as in the runbook."""
        serving = [s for s in self.organization.servers_of(plan) if s.kind is ServerKind.EXCHANGE and answers(s)]
        serving = serving or list(self.organization.servers_in(self.forest, ServerKind.EXCHANGE))[-1:]
        return _SHELLS[generations(serving)[0]]

    @property
    def newest_shell(self) -> str:
        """The shell of the forest's newest Exchange servers."""
        return _SHELLS[generations(self.organization.servers_in(self.forest, ServerKind.EXCHANGE))[-1]]

    def servers_named(self) -> tuple[m.DeclaredMessagingServer, ...]:
        """The Exchange servers that the step's text names."""
        servers = self.organization.servers_in(self.forest, ServerKind.EXCHANGE)
        said = "\n".join(
            (*self.step.commands, *self.step.checks, *(t.en for t in (*self.step.typed, *self.step.notes)))
        )
        return tuple(s for s in servers if re.search(rf"(?<![\w.-]){re.escape(s.fqdn)}(?![\w.-])", said))

    # Of the voice side

    def pools(self) -> tuple[m.DeclaredVoicePool, ...]:
        """The pools of kind lync that the step is about: all, or those of its version if there is a step per version."""
        pools = self.organization.pools_of(PoolKind.LYNC)
        base = f"{self.step.phase.number}/lync-{self.name}-"
        siblings = {s.id.removeprefix(base) for s in self.steps if _VERSION.sub("-", s.id) == base and s.id != base}
        if self.version:
            return tuple(pool for pool in pools if (pool.version or "2013") == self.version)
        return tuple(pool for pool in pools if (pool.version or "2013") not in siblings)


def answers(server: m.DeclaredMessagingServer) -> bool:
    """Whether a server has a role that answers calls: 2007 and 2010 UM, later ones any of theirs."""
    return generation(server) >= Generation.E2013 or not server.roles or "UM" in server.roles


def subject_of(certificate: Mapping[str, object]) -> set[str]:
    """The parts of a certificate's subject, in lower case: ``cn=ex1.example.com``."""
    return {part.strip().lower() for part in str(certificate.get("Subject", "")).split(",")}


def running(case: Case, server: str, service: str) -> Iterator[Finding]:
    """A Windows service that has to run."""
    section = case.section("Service")
    mine = [
        each
        for each in section.objects
        if text(each, "Server").lower() == server.lower() and text(each, "Name").lower() == service.lower()
    ]
    if not mine:
        yield Unreadable(f"Service: {section.unread or f'nothing of {service} on {server}'}")
    for each in mine:
        if (status := text(each, "Status")).lower() != "running":
            yield Change(action="~", kind="service", name=f"{service} on {server}", details=(f"{status} -> Running",))


def group_members(section: SeenSection, group: str) -> tuple[str, ...] | None:
    """The members (``DOMAIN\\account``) of a group by its own or its well-known name; ``None``: there is no such group."""
    for each in section.objects:
        if group.lower() in (text(each, "Group").lower(), text(each, "WellKnown").lower()):
            return texts(each, "Members")
    return None
