"""Mailboxes of those who left: what is in them, and the end of it. They are kept until somebody removes them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tandem.directory import objects as o
from tandem.mail.port import MailStore
from tandem.org.vocabulary import ServerKind
from tandem.process.apply import carry_out
from tandem.process.errors import ProcessError
from tandem.process.holders import require
from tandem.process.roles import MessagingRoles
from tandem.process.task import Change, Context
from tandem.service.threads import ThreadPool
from tandem.um.mailboxes import still_somebodys
from tandem.wiring import mail_store

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaversMailbox:
    """A mailbox whose address no user of the directory has. ``last_at``: when its last message came, UTC."""

    address: str
    messages: int
    last_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """What ``tandem user leavers --json`` prints."""
        last = self.last_at.isoformat() if self.last_at else None
        return {"address": self.address, "messages": self.messages, "last_at": last}


def leavers(context: Context, home: Path | None = None) -> tuple[LeaversMailbox, ...]:
    """The mailboxes of a server's ``home`` (by default those beside the organization file) that are nobody's.

    Those are left out that a UM server is still to move, as their users have another address since, and those whose users it
    has not seen leave yet: while it is down, nobody can tell the two.

    Raises:
        ProcessError: the operator cannot read every forest, so that users would be taken for leavers.
        MailError: the mailboxes cannot be read.
    """
    known = _addresses(context) | still_somebodys(_state(context, home) / "um" / "mailboxes.json")
    return _with_store(context, home, partial(_found, known))


def purge(context: Context, addresses: Sequence[str], home: Path | None = None) -> tuple[LeaversMailbox, ...]:
    """Remove mailboxes of leavers with all their messages, for good; returns what was in them.

    Raises:
        NotPermitted: the operator does not look after UM users.
        ProcessError: an address is a user's, or has no mailbox here; nothing was removed.
    """
    org = context.organization
    for forest in org.messaging_forests:
        require(
            context,
            MessagingRoles.of(org.servers_in(forest, ServerKind.TANDEM)).um_users(),
            forest=forest,
            what="user purge",
        )
    there = {each.address: each for each in leavers(context, home)}
    wanted = [address.lower() for address in addresses]
    if unknown := [address for address in wanted if address not in there]:
        raise ProcessError(
            f"{', '.join(unknown)}: a user's, still to be moved, or no mailbox here; "
            "expected addresses that 'tandem user leavers' shows. Nothing was removed."
        )

    def remove(address: str) -> None:
        _with_store(context, home, lambda store: store.remove(address))

    def change(address: str) -> Change:
        return Change(action="-", kind="mailbox", name=address, details=(f"{there[address].messages} message(s)",))

    carry_out(context, "user purge", ((change(address), partial(remove, address)) for address in wanted))
    return tuple(there[address] for address in wanted)


def _addresses(context: Context) -> frozenset[str]:
    forests = [forest.name for forest in context.organization.forests]
    if hidden := [name for name in forests if not context.sees(name)]:
        raise ProcessError(
            f"You cannot read {', '.join(hidden)}, whose users would be taken for leavers; "
            "run this as an administrator who can"
        )
    users = (user for name in forests for user in context.at(name).repository.all(o.User))
    return frozenset(user.mail.lower() for user in users if user.mail)


async def _found(known: frozenset[str], store: MailStore) -> tuple[LeaversMailbox, ...]:
    found = []
    for address in await store.addresses():
        if address not in known and not address.endswith(".moving"):
            messages = await store.mailbox(address).list()
            last = max((message.arrived_at for message in messages), default=None)
            found.append(LeaversMailbox(address=address, messages=len(messages), last_at=last))
    return tuple(found)


def _state(context: Context, home: Path | None) -> Path:
    return home / "state" if home else context.organization.state


def _with_store(context: Context, home: Path | None, work: Callable[[MailStore], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        disk = ThreadPool("leavers-disk", 1)
        try:
            return await work(mail_store(_state(context, home), disk))
        finally:
            disk.close()

    with ThreadPoolExecutor(1) as thread:  # the caller may have a loop of its own
        return thread.submit(lambda: asyncio.run(run())).result()
