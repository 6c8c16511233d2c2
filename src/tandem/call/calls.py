"""The calls of one endpoint: answers and places them, and hands each request within a dialog to its leg."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from tandem.call.attempt import Attempt
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.call.link import Credentials
from tandem.call.negotiation import MediaPolicy
from tandem.call.requests import serve
from tandem.core.log import get_logger
from tandem.core.tasks import Tasks
from tandem.media.aio.session import AioMedia
from tandem.media.session import Media
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow
from tandem.sip.aio.handlers import Handler, Handling
from tandem.sip.aio.outbound import Target
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.headers.params import tokens
from tandem.sip.headers.replaces import Replaces
from tandem.sip.machines.dialog import dialog_key
from tandem.sip.message.message import Request

_log = get_logger("call")
EXTENSIONS = frozenset({"100rel", "timer", "replaces"})
"""Option tags that a peer may require of us."""


class Calls:
    """Takes an endpoint's requests: those within its calls go to their legs, those outside of a dialog to ``on_request``.

    ``media`` is where sessions come from; by default they run in this process. Calls that are ``shared`` take the requests
    within their dialogs only, and leave the endpoint's own ``on_request`` to somebody else, such as a proxy.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        contact: Callable[[Flow], str],
        media: Media | None = None,
        shared: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self.media: Media = media or AioMedia()
        self.on_request: Handler = lambda tx: tx.respond_with(405)
        self.legs: dict[tuple[str, str, str], CallLeg] = {}
        self.contact = contact
        self._tasks = Tasks(_log)
        if not shared:
            endpoint.on_request = self._received

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
        self.endpoint.dialogs[key] = self
        leg.on_forget = lambda: self._forget(key, leg)

    def find(self, wanted: Replaces) -> CallLeg | None:
        """The leg that a Replaces header means."""
        return self.legs.get(wanted.key)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that outlives its call."""
        self._tasks.spawn(work, name="call.end")

    def requested(self, transaction: ServerTransaction) -> Handling:
        """See :class:`tandem.sip.aio.endpoint.DialogOwner`."""
        if _requires_unknown(transaction):
            return None
        return serve(self.legs[dialog_key(transaction.request)], transaction)

    def acknowledged(self, ack: Request) -> None:
        """See :class:`tandem.sip.aio.endpoint.DialogOwner`."""
        self.legs[dialog_key(ack)].acknowledged(ack)

    def _received(self, transaction: ServerTransaction) -> Handling:
        request = transaction.request
        if _requires_unknown(transaction):
            return None
        if not fields.to_tag(request) or request.method == "NOTIFY":  # within a subscription, which its owner knows
            return self.on_request(transaction)
        transaction.respond_with(481)
        return None

    def _forget(self, key: tuple[str, str, str], leg: CallLeg) -> None:
        if self.legs.get(key) is leg:
            del self.legs[key]
            self.endpoint.dialogs.pop(key, None)


def _requires_unknown(transaction: ServerTransaction) -> bool:
    """Whether a request requires an extension that is not known here; it is refused then (RFC 3261 §8.2.2.3)."""
    unknown = tokens(transaction.request.headers.all("Require")) - EXTENSIONS
    if unknown:
        transaction.respond_with(420, headers=(("Unsupported", ", ".join(sorted(unknown))),))
    return bool(unknown)
