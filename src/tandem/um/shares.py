"""Who may have how many of a server's calls at once, so that one caller, mailbox or gateway leaves some to the others. Pure.

A caller and a mailbox have a tenth (a caller who hides has none of its own), a gateway three quarters where there is another
one. The shares are our choice; Exchange bounds calls of a dial plan and of a server only.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tandem.directory import objects as o
from tandem.org.vocabulary import UMStatus
from tandem.um.config import UmConfig
from tandem.um.identity import CallerIdentity, MailboxCall

LEAST = 10
"""Calls that each may have however few the server takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """At most ``most`` calls that are counted under ``key``; one more is refused with ``status``, and ``why`` is told."""

    key: str
    most: int
    status: int
    why: str


def shares_of(config: UmConfig, call: MailboxCall, caller: CallerIdentity, *, max_calls: int) -> Iterator[Share]:
    """What a call counts as, of a server that takes ``max_calls``."""
    tenth = max(LEAST, max_calls // 10)
    name = call.user.account
    yield Share(key=f"mailbox {name}", most=tenth, status=486, why=f"{tenth} calls for this mailbox are open already")
    if identity := caller.address or caller.number:
        yield Share(
            key=f"caller {identity}", most=tenth, status=486, why=f"{tenth} calls of this caller are open already"
        )
    most = max(LEAST, max_calls * 3 // 4) if _others(config, call.gateway) else max_calls
    why = f"{most} calls of gateway {call.gateway.name} are open already"
    yield Share(key=f"gateway {call.gateway.name}", most=most, status=503, why=why)


def _others(config: UmConfig, gateway: o.UMIPGateway) -> bool:
    return any(each.name != gateway.name and each.status is UMStatus.ENABLED for each in config.gateways)
