"""exchucutil on its own (phase 7): permissions, a UM IP gateway for each voice pool, hunt groups."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tandem.directory.layout import forest_of
from tandem.directory.port import Right
from tandem.org.vocabulary import ServerKind
from tandem.process.apply import carry_out
from tandem.process.errors import NotPermitted, ProcessError
from tandem.process.holders import Roles, require
from tandem.process.roles import MessagingRoles
from tandem.process.task import Change, Context
from tandem.process.tools import exchucutil as tool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchucutilResult:
    """What was changed (or, if only verified, is missing), and the tables that exchucutil prints."""

    changes: tuple[Change, ...]
    report: tool.Report

    def to_json(self) -> dict[str, Any]:
        """What ``tandem exchucutil --json`` prints."""
        return {"changes": [str(change) for change in self.changes], **dataclasses.asdict(self.report)}


def exchucutil(
    context: Context,
    *,
    forest: str | None = None,
    messaging_forest: str | None = None,
    verify: bool = False,
    only_ev_pools: bool = False,
    warn: Callable[[str], None] = lambda advice: None,
) -> ExchucutilResult:
    """Let the voice side read UM objects, and make a gateway for each pool with a hunt group per dial plan.

    Args:
        context: the opened organization; with ``verify`` it may be opened for reading only.
        forest: the forest of the voice side; a check that it is the one that is declared.
        messaging_forest: by default the administrator's own.
        verify: change nothing.
        only_ev_pools: gateways only for pools with Enterprise Voice users.
        warn: called with advice about roles before anything is changed.

    Raises:
        NotPermitted: the operator lacks the roles, or cannot read UM objects.
        ProcessError: the forest has no messaging server of kind tandem, or there is no such forest.
    """
    context = _at(context, messaging_forest, forest)
    only_ev_pools = only_ev_pools or context.organization.only_ev_pools
    servers = context.organization.servers_in(context.layout.forest, ServerKind.TANDEM)
    if not servers:
        raise ProcessError(
            f"{context.layout.forest} has no messaging server of kind tandem: on Exchange it is done by hand ('tandem runbook')"
        )
    if not context.session.may(Right.READ, context.layout.um_ip_gateways):
        account = context.session.account
        raise NotPermitted(
            f"{account} cannot read the UM objects of {context.layout.forest}; nothing can be said of them"
        )
    required = MessagingRoles.of(servers).exchucutil()
    if advice := Roles(context).advice(required, context.layout.forest):
        warn(advice)
    if verify:
        changes = tuple(change for change, _ in tool.tool_steps(context, only_ev_pools=only_ev_pools))
    else:
        require(context, required, forest=context.layout.forest, what="exchucutil")
        changes = tuple(carry_out(context, "exchucutil", tool.tool_steps(context, only_ev_pools=only_ev_pools)))
    return ExchucutilResult(changes=changes, report=tool.report(context, only_ev_pools=only_ev_pools))


def _at(context: Context, messaging: str | None, voice: str | None) -> Context:
    known = [forest.name for forest in context.organization.forests]
    for name in filter(None, (messaging, voice)):
        if name not in known:
            raise ProcessError(f"there is no forest {name!r}; there are: {', '.join(known)}")
    candidates = context.organization.messaging_forests
    own = forest_of(context.session.identity)
    chosen = messaging or (own if own in candidates else candidates[0] if len(candidates) == 1 else "")
    if not chosen:
        raise ProcessError(f"--messaging-forest is needed: there are {', '.join(candidates) or 'none'}")
    here = context.at(chosen)
    if voice and voice != here.layout.voice_forest:
        raise ProcessError(f"the voice pools are in {here.layout.voice_forest}, not in {voice}")
    return here
