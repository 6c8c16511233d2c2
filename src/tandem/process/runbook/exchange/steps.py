"""Runbook steps for servers of kind exchange: phases 1 to 7 and 11, right for the version, safe to run again.

Parameters that a version does not know are left out; where one forest has several versions, the steps are for its newest
shell and say what the oldest needs.
"""

from collections.abc import Iterator

from tandem.process.runbook.exchange.forest import ExchangeForest
from tandem.process.runbook.exchange.objects import (
    attendants,
    dial_plans,
    plain_gateways,
    policies,
    run_exchucutil,
    security,
)
from tandem.process.runbook.exchange.servers import certificates, dial_plan_servers, servers
from tandem.process.runbook.exchange.users import eum_addresses, um_users
from tandem.process.runbook.model import RunbookStep


def exchange_steps(at: ExchangeForest) -> Iterator[RunbookStep]:
    """Every step, in the order of the phases."""
    yield from servers(at)
    yield certificates(at)
    yield dial_plans(at)
    yield policies(at)
    if any(a.um_dial_plan in at.names for a in at.org.um_auto_attendants):
        yield attendants(at)
    if any(g.um_dial_plan in at.names for g in at.org.um_ip_gateways):
        yield plain_gateways(at)
    yield security(at)
    yield from dial_plan_servers(at)
    yield eum_addresses(at)
    yield run_exchucutil(at)
    yield um_users(at)
