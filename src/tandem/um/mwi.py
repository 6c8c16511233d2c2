"""Message waiting: looks what waits in mailboxes, and has the gateways told of it (:mod:`tandem.um.telling`).

Mailboxes are watched, so that message waiting ends when the messages are read. Each is counted alone, in a thread, those that
got a message from us before the others; whatever there is to do for all users is done a few at a time.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

from tandem.core.log import event, get_logger
from tandem.core.tasks import Work
from tandem.directory import objects as o
from tandem.mail.port import MailStore, VoiceCounts
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.headers.mwi import MessageSummary
from tandem.um.config import UmConfig
from tandem.um.errors import few_of
from tandem.um.telling import MwiTeller

_log = get_logger("um")
REFRESH_S = 12 * 3600.0
LOOKS_PER_S = 200.0
"""Mailboxes that are counted a second, beside those that got a message: after a start, all of them are."""
AGAIN_S = 60.0
"""A mailbox that could not be read is counted again after so many seconds."""


class MwiNotifier:
    """Message waiting of every user that this server is responsible for. What :meth:`works` has is to be run.

    ``contact`` is our Contact for a transport.
    """

    def __init__(
        self, endpoint: Endpoint, config: Callable[[], UmConfig], store: MailStore, contact: Callable[[str], str]
    ) -> None:
        self._config = config
        self._store = store
        self._teller = MwiTeller(endpoint, config, contact)
        self._urgent: dict[str, None] = {}
        self._seen: dict[str, None] = {}
        self._unread: dict[str, str] = {}
        self._due = asyncio.Event()

    def works(self) -> Mapping[str, Work]:
        """What runs as long as the server does, by name."""
        return {"mwi.watch": self.watch, "mwi.look": self.look, "mwi.refresh": self.refresh, **self._teller.works()}

    def changed(self, address: str) -> None:
        """A mailbox has a new message of ours: look soon."""
        self._urgent[address] = None
        self._due.set()

    def problem(self) -> str:
        """Which mailboxes cannot be read, and why; an empty text if all can. May be called in any thread."""
        return few_of([f"mailbox {address}: {why}" for address, why in sorted(self._unread.copy().items())])

    async def watch(self) -> None:
        """Follow the mailboxes until cancelled."""
        async with contextlib.aclosing(self._store.watch(lambda: self._config().by_mail)) as changes:
            async for addresses in changes:
                self._seen.update(dict.fromkeys(addresses))
                self._due.set()

    async def look(self) -> None:
        """Count the mailboxes that changed, one after another, until cancelled."""
        while True:
            await self._due.wait()
            if self._urgent:
                await self._count(_take_first(self._urgent), at_once=True)
            elif self._seen:
                await self._count(_take_first(self._seen), at_once=False)
                await asyncio.sleep(1 / LOOKS_PER_S)
            else:
                self._due.clear()

    async def refresh(self) -> None:
        """Twice a day, tell the gateways all again, until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            await self._teller.refresh()

    async def _count(self, address: str, *, at_once: bool) -> None:
        user = self._config().by_mail.get(address)
        if user is None or not self._wanted(user):
            self._teller.forget(address)
            return
        try:
            counted = await self._store.mailbox(address).counts()
        except Exception as error:  # one mailbox that cannot be read holds up no other
            self._not_counted(address, str(error))
        else:
            self._unread.pop(address, None)
            self._teller.tell(address, _summary(counted), at_once=at_once)

    def _not_counted(self, address: str, why: str) -> None:
        if self._unread.get(address) != why:
            event(_log, logging.WARNING, "um.mailbox", mailbox=address, error=why)
        self._unread[address] = why
        asyncio.get_running_loop().call_later(AGAIN_S, self._look_again, address)

    def _look_again(self, address: str) -> None:
        self._seen[address] = None
        self._due.set()

    def _wanted(self, user: o.User) -> bool:
        policy = self._config().policies.get(user.um_mailbox_policy)
        return policy is None or policy.allow_message_waiting_indicator


def _take_first(due: dict[str, None]) -> str:
    address = next(iter(due))
    del due[address]
    return address


def _summary(counted: VoiceCounts) -> MessageSummary:
    return MessageSummary(
        new=counted.new, old=counted.old, urgent_new=counted.urgent_new, urgent_old=counted.urgent_old
    )
