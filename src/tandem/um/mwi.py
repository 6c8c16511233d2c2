"""Message waiting: tells the gateways of a user's dial plan how many voice messages wait (RFC 3842, unsolicited NOTIFY).

Of several gateways the first that accepts is enough, as Exchange does it; while none does, it is tried again for five
minutes. Mailboxes are watched, so that message waiting ends when the messages are read.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from tandem.core.log import event, get_logger
from tandem.core.tasks import spawn
from tandem.directory import objects as o
from tandem.mail.port import MailStore, VoiceCounts
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.headers.mwi import MessageSummary, unsolicited_notify
from tandem.um import counts
from tandem.um.config import UmConfig

_log = get_logger("um")
REFRESH_S = 12 * 3600.0
RETRY_S, RETRIES = 10.0, 30


class MwiNotifier:
    """Message waiting of every user that this server is responsible for."""

    def __init__(self, endpoint: Endpoint, config: Callable[[], UmConfig], store: MailStore, contact: str) -> None:
        self._endpoint = endpoint
        self._config = config
        self._store = store
        self._contact = contact
        self._told: dict[str, MessageSummary] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._looking = asyncio.Lock()

    async def run(self) -> None:
        """Follow the mailboxes until cancelled; twice a day, tell the gateways all of them again."""
        try:
            while True:
                self._told.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(REFRESH_S):
                        await self._follow()
        finally:
            for task in self._telling.values():
                task.cancel()

    async def look(self, address: str) -> None:
        """Count the messages of a mail address, and tell what changed."""
        user = self._config().by_mail.get(address)
        if user is None:
            return
        try:
            async with self._looking:  # of two counts the later one is told last
                counted = await self._store.mailbox(address).counts()
                self._changed(user, _summary(counted))
        except Exception as error:  # one mailbox that cannot be read holds up no other
            event(_log, logging.WARNING, "um.mailbox", account=user.account, error=error)

    async def _follow(self) -> None:
        async with contextlib.aclosing(self._store.watch(lambda: self._config().by_mail)) as changes:
            async for addresses in changes:
                for address in addresses:
                    await self.look(address)

    def _changed(self, user: o.User, summary: MessageSummary) -> None:
        if self._told.get(user.account) == summary or not self._wanted(user):
            return
        self._told[user.account] = summary
        if before := self._telling.get(user.account):
            before.cancel()
        self._telling[user.account] = spawn(self._tell(user, summary), name="um.mwi_notify", log=_log)

    def _wanted(self, user: o.User) -> bool:
        policy = self._config().policies.get(user.um_mailbox_policy)
        return policy is None or policy.allow_message_waiting_indicator

    async def _tell(self, user: o.User, summary: MessageSummary) -> None:
        for _ in range(RETRIES):
            gateways = self._config().gateways_of(user.um_dial_plan)
            # The user's own pool first: a PBX may take what is for nobody it knows, and other pools refuse it.
            for gateway in sorted(gateways, key=lambda each: each.address.lower() != user.home_pool.lower()):
                if gateway.mwi_allowed and await self._notify(user, gateway, summary):
                    counts.mwi_sent.value += 1
                    event(_log, logging.INFO, "um.mwi", account=user.account, gateway=gateway.name, new=summary.new)
                    return
            await asyncio.sleep(RETRY_S)
        counts.mwi_not_sent.value += 1
        event(_log, logging.WARNING, "um.mwi_not_sent", account=user.account, new=summary.new)

    async def _notify(self, user: o.User, gateway: o.UMIPGateway, summary: MessageSummary) -> bool:
        ids = self._endpoint.ids
        request = unsolicited_notify(
            summary,
            uri=self._config().mwi_uri(user, gateway),
            account=self._config().mwi_address(user, gateway),
            contact=self._contact,
            from_tag=ids.token(8),
            call_id=ids.token(12),
        )
        hop = Hop(transport=gateway.transport, host=gateway.address, port=gateway.port)
        response = await (await self._endpoint.send(request, hop)).final()
        if response.status >= 300:
            event(_log, logging.INFO, "um.notify_refused", gateway=gateway.name, status=response.status)
        return response.status < 300


def _summary(counted: VoiceCounts) -> MessageSummary:
    return MessageSummary(
        new=counted.new, old=counted.old, urgent_new=counted.urgent_new, urgent_old=counted.urgent_old
    )
