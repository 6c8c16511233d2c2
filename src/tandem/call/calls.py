"""The calls of one endpoint: answers and places them, and hands each request within a dialog to its leg."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from tandem.call.attempt import Attempt
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.call.negotiation import MediaPolicy
from tandem.call.outgoing import Credentials
from tandem.call.requests import serve
from tandem.core.log import event, get_logger
from tandem.media.aio.session import AioMedia
from tandem.media.session import Media
from tandem.sip.aio.endpoint import Endpoint, Flow, Handling, ServerTransaction, Target
from tandem.sip.aio.handlers import Handler
from tandem.sip.headers import fields
from tandem.sip.headers.params import tokens
from tandem.sip.headers.replaces import Replaces
from tandem.sip.machines.dialog import dialog_key
from tandem.sip.message.message import Request

_log = get_logger("call")
EXTENSIONS = frozenset({"100rel", "timer", "replaces"})
"""Option tags that a peer may require of us."""


class Calls:
    """Takes over an endpoint's requests; those outside of a dialog go to ``on_request``.

    ``media`` is where sessions come from; by default they run in this process.
    """

    def __init__(self, endpoint: Endpoint, *, contact: Callable[[Flow], str], media: Media | None = None) -> None:
        self.endpoint = endpoint
        self.media: Media = media or AioMedia()
        self.on_request: Handler = lambda tx: tx.respond_with(405)
        self.legs: dict[tuple[str, str, str], CallLeg] = {}
        self.contact = contact
        self._tasks: set[asyncio.Task[None]] = set()
        endpoint.on_request = self._received
        endpoint.on_ack = self._acknowledged

    def incoming(self, transaction: ServerTransaction, policy: MediaPolicy) -> IncomingCall:
        """A call that came in; let it ring, then answer or refuse it."""
        return IncomingCall(self, transaction, policy)

    async def answer(self, transaction: ServerTransaction, policy: MediaPolicy) -> CallLeg:
        """Answer an INVITE at once. Raises :class:`CallRefused` when that cannot be; the INVITE is then answered."""
        return await self.incoming(transaction, policy).answer()

    def place(
        self,
        *,
        uri: str,
        from_: str,
        target: Target,
        policy: MediaPolicy,
        headers: Iterable[tuple[str, str]] = (),
        credentials: Credentials | None = None,
        offer: bool = True,
        redirects: int = 0,
    ) -> Attempt:
        """Call ``uri`` by way of ``target``.

        ``credentials`` answer a digest challenge; without ``offer`` the peer offers, and we answer in the ACK;
        ``redirects`` is how often a 3xx is followed (through the same target).
        """
        return Attempt(
            self,
            uri=uri,
            from_=from_,
            target=target,
            policy=policy,
            headers=tuple(headers),
            credentials=credentials,
            offer=offer,
            redirects=redirects,
        )

    def keep(self, leg: CallLeg) -> None:
        """Hand requests within the leg's dialog to it, until it is over."""
        key = leg.dialog.key
        self.legs[key] = leg
        leg.on_forget = lambda: self._forget(key, leg)

    def find(self, wanted: Replaces) -> CallLeg | None:
        """The leg that a Replaces header means."""
        return self.legs.get(wanted.key)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that outlives its call."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned_done)

    def _received(self, transaction: ServerTransaction) -> Handling:
        request = transaction.request
        unknown = tokens(request.headers.all("Require")) - EXTENSIONS
        if unknown:
            transaction.respond_with(420, headers=(("Unsupported", ", ".join(sorted(unknown))),))
            return None
        if not fields.to_tag(request):
            return self.on_request(transaction)
        leg = self.legs.get(dialog_key(request))
        if leg is not None:
            serve(leg, transaction)
        elif request.method == "NOTIFY":  # within a subscription, which its owner knows
            return self.on_request(transaction)
        else:
            transaction.respond_with(481)
        return None

    def _acknowledged(self, request: Request, flow: Flow) -> None:
        if leg := self.legs.get(dialog_key(request)):
            leg.acknowledged(request)

    def _forget(self, key: tuple[str, str, str], leg: CallLeg) -> None:
        if self.legs.get(key) is leg:
            del self.legs[key]

    def _spawned_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            event(_log, logging.ERROR, "call.defect", error=error)
