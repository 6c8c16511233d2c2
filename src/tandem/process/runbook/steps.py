"""All steps of an organization's runbook, and each team's share."""

from collections.abc import Iterable

from tandem.org.model import Organization
from tandem.org.vocabulary import PoolKind, ServerKind
from tandem.process.phases import TEAM_WORDS
from tandem.process.runbook.exchange.forest import ExchangeForest
from tandem.process.runbook.exchange.steps import exchange_steps
from tandem.process.runbook.lync.side import LyncSide
from tandem.process.runbook.lync.steps import lync_steps
from tandem.process.runbook.model import RunbookStep


def runbook_steps(organization: Organization) -> tuple[RunbookStep, ...]:
    """The steps for servers of kind exchange and pools of kind lync, in the order of the phases."""
    steps: list[RunbookStep] = []
    for forest in organization.messaging_forests:
        if organization.servers_in(forest, ServerKind.EXCHANGE):
            steps += exchange_steps(ExchangeForest(organization, forest))
    if organization.pools_of(PoolKind.LYNC):
        steps += lync_steps(LyncSide(organization))
    return tuple(sorted(steps, key=lambda step: step.phase.number))


def for_team(steps: Iterable[RunbookStep], team: str) -> tuple[RunbookStep, ...]:
    """The share of a team, or with ``all`` everything."""
    return tuple(step for step in steps if team == "all" or step.side is TEAM_WORDS[team])


def in_forest(steps: Iterable[RunbookStep], forest: str) -> tuple[RunbookStep, ...]:
    """The steps of a forest, or with an empty name everything."""
    return tuple(step for step in steps if not forest or step.forest == forest)
