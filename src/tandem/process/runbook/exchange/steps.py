"""Runbook steps for servers of kind exchange: phases 0 to 7 and 11, right for the version, safe to run again.

Parameters that a version does not know are left out; where one forest has several versions, each step is for one shell (see
:mod:`tandem.process.runbook.exchange.forest`).
"""

from collections.abc import Iterator

from tandem.process.runbook.exchange.certificates import certificates
from tandem.process.runbook.exchange.dialplans import dial_plans, security
from tandem.process.runbook.exchange.exchucutil import run_exchucutil
from tandem.process.runbook.exchange.forest import ExchangeForest
from tandem.process.runbook.exchange.installation import servers
from tandem.process.runbook.exchange.objects import attendants, plain_gateways, policies
from tandem.process.runbook.exchange.preconditions import preconditions
from tandem.process.runbook.exchange.prerequisites import prerequisites
from tandem.process.runbook.exchange.umservers import dial_plan_servers
from tandem.process.runbook.exchange.users import eum_addresses, linked_users, um_users
from tandem.process.runbook.model import RunbookStep


def exchange_steps(at: ExchangeForest) -> Iterator[RunbookStep]:
    """Every step, in the order of the phases."""
    yield preconditions(at)
    yield prerequisites(at)
    yield from servers(at)
    yield from certificates(at)
    yield from dial_plans(at)
    yield from policies(at)
    yield from attendants(at)
    yield from plain_gateways(at)
    yield from security(at)
    yield from dial_plan_servers(at)
    yield from eum_addresses(at)
    yield run_exchucutil(at)
    yield from um_users(at)
    yield from linked_users(at)
