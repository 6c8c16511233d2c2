"""The stateful proxy (RFC 3261 §16): rings phones, diverts to UM, and stays in the dialog.

The proxy names itself in Record-Route by a token that says who is on either side (:mod:`tandem.voice.proxy.sides`). Answers
go back the way the request came. How several phones ring at once is :mod:`tandem.voice.proxy.fork`'s, what is sent within the
call :mod:`tandem.voice.proxy.indialog`'s.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.org.vocabulary import Transport
from tandem.sip.aio.connecting import CONNECT_S
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.outbound import HURRY_S, Target
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.diversion import Diversion, Reason
from tandem.sip.headers.history import entries_for, history
from tandem.sip.headers.identity import asserted
from tandem.sip.headers.uri import URI, parse_uri
from tandem.sip.headers.via import remove_top_via
from tandem.sip.machines.retry import contacts_by_preference, retry_after_s
from tandem.sip.message.message import Request, Response
from tandem.voice.config import sip_of
from tandem.voice.proxy.encryption import EncryptionGuard
from tandem.voice.proxy.fork import ELSEWHERE, Fork
from tandem.voice.proxy.routes import Routes
from tandem.voice.proxy.sides import PhoneSide, ProvenServer, Side, Sides, mark
from tandem.voice.registrar.location import Binding

_log = get_logger("voice")
UM_ANSWERS_S = 5.0
"""Seconds without any response after which the next UM server is tried (our choice; not public)."""
MOST_REDIRECTIONS = 4
"""Redirections that are followed of one UM server; Exchange's are two (call router, UM service)."""
_MAX_FORWARDS = 70
_SECURE_PORT = 5061
"""Where a SIP URI with transport=tls and without a port leads to (RFC 3261 §19.1.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One place to try: the Request-URI there, the way to it and how long that may take to open, the proxies on it (Path)."""

    uri: str
    target: Target
    side: Side
    path: tuple[str, ...] = ()
    patience_s: float = CONNECT_S


class ProxiedCall:
    """One INVITE on its way: :meth:`ring` phones, then :meth:`divert` to UM; each tells what came of it.

    ``caller`` is where it came from; ``guard`` sees every response first. ``um_hosts`` are the servers, in lower case, to which
    a UM server may redirect the call.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        routes: Routes,
        transaction: ServerTransaction,
        request: Request,
        *,
        caller: PhoneSide,
        guard: EncryptionGuard | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._routes = routes
        self._transaction = transaction
        self._request = request
        self._caller = caller
        self._guard = guard
        self._fork_of: Fork | None = None
        self._diverted: Diversion | None = None
        self.on_answered: Callable[[], None] = lambda: None
        self.um_hosts: frozenset[str] = frozenset()
        transaction.on_cancel = self._cancelled
        self.over = False

    async def ring(self, user: str, bindings: Sequence[Binding], ring_s: float) -> Response | None:
        """Ring every phone of a user; ``None`` if the call was answered or given up, else the best refusal (408: no answer)."""
        branches = [Branch(uri=b.uri, target=b.flow, side=self._routes.phone(user, b), path=b.path) for b in bindings]
        return await self._fork(branches, ring_s)

    async def divert(
        self, user: o.User, reason: Reason, servers: Sequence[o.MessagingServer], pilot: str
    ) -> Response | None:
        """Send the call to the UM servers, one after the other; Diversion and History-Info say for whom it was."""
        self._request.headers.remove("Diversion")
        uri = URI(scheme="sip", user=sip_of(user).partition("@")[0], host=sip_of(user).partition("@")[2])
        self._diverted = Diversion(uri=uri, reason=reason, counter=1)
        self._request.headers.add("Diversion", self._diverted.value())
        self._transaction.respond_with(181)
        return await self.call_um(servers, pilot)

    async def call_um(self, servers: Sequence[o.MessagingServer], pilot: str) -> Response | None:
        """Call UM; the next server is tried where one fails, does not answer at all, or redirects to nowhere.

        A server that failed of late, or said for how long it takes no call, comes last.
        """
        failures, now = self._endpoint.failures, self._endpoint.clock.now()
        hops = [Hop(transport=Transport.TLS, host=each.fqdn, port=each.sip_tls_port) for each in servers]
        hops.sort(key=lambda hop: failures.avoided(hop, now))
        last: Response | None = None
        for hop in hops:
            patience_s = CONNECT_S if hop is hops[-1] else HURRY_S
            uri = f"sip:{pilot}@{hop.host}:{hop.port};transport=tls"
            last = await self._call_um_server(uri, hop, patience_s)
            if last is None or self.over or not _fails(last.status):
                return last
            if last.status in (408, 503):  # of the server, not of this call (RFC 3261 §21.5.4)
                failures.failed(hop, self._endpoint.clock.now(), for_s=retry_after_s(last))
            event(_log, logging.WARNING, "voice.um_failed", server=hop.host, status=last.status)
        return last

    async def _call_um_server(self, uri: str, hop: Hop, patience_s: float) -> Response | None:
        """One UM server, and where it redirects to (RFC 3261 §8.1.3.4).

        Exchange 2013's call router sends a call on to the UM service of a mailbox's server (port 5063), and the UM service of
        every version to its worker process (another port of the same server).
        """
        tried: set[str] = set()
        while True:
            tried.add(uri)
            branch = Branch(uri=uri, target=hop, side=ProvenServer(host=hop.host, port=hop.port), patience_s=patience_s)
            response = await self._fork([branch], None, silent_s=UM_ANSWERS_S)
            if response is None or self.over or not 300 <= response.status < 400:
                return response
            further = _redirected(response, self.um_hosts) if len(tried) <= MOST_REDIRECTIONS else None
            if further is None or further[0] in tried:
                event(_log, logging.WARNING, "voice.um_redirection", server=hop.host, to=_contacts(response))
                return Response(status=502)
            uri, hop = further

    def finish(self, response: Response | int, *headers: tuple[str, str]) -> None:
        """Give the caller a final refusal."""
        self.over = True
        if isinstance(response, int):
            self._transaction.respond_with(response, headers=headers)
        else:
            self._relay(response)

    async def _fork(
        self, branches: Sequence[Branch], ring_s: float | None, silent_s: float | None = None
    ) -> Response | None:
        if self._transaction.cancelled:
            return None
        self._fork_of = fork = Fork(self._relay, self._guard)
        for branch in branches:
            fork.add(await self._endpoint.send(self._copy(branch), branch.target, patience_s=branch.patience_s))
        try:
            best = await fork.result(ring_s, silent_s)
        finally:
            fork.cancel(ELSEWHERE if fork.answered else "")
            self._fork_of = None
        if fork.answered:
            self.over = True
        elif self._transaction.cancelled:
            self.finish(487)
        return None if self.over else best

    def _copy(self, branch: Branch) -> Request:
        request = self._request.copy()
        request.uri = branch.uri
        if self._diverted is not None:
            target = parse_uri(branch.uri)
            entries = entries_for(self._diverted.uri, self._diverted.reason, target, before=history(request))
            request.headers.remove("History-Info")
            for entry in entries:
                request.headers.add("History-Info", entry.value())
        hidden = asserted(request).private
        if hidden and not isinstance(branch.target, Hop):  # RFC 3325 §7: a phone shows what it gets
            request.headers.remove("P-Asserted-Identity")
        for value in reversed(branch.path):
            request.headers.prepend("Route", value)
        to = fields.to(request).uri
        sides = Sides(caller=self._caller, callee=branch.side, dialled=mark(to.user, to.host), hidden=hidden)
        self._routes.record(request, sides, self._transaction.flow.transport, branch.target.transport)
        return request

    def _relay(self, response: Response) -> None:
        if 200 <= response.status < 300:
            self.over = True
            self.on_answered()
            if self._fork_of is not None and not self._fork_of.answered:
                self._fork_of.stop()
        relay(self._transaction, response)

    def _cancelled(self) -> None:
        if self._fork_of is not None:
            self._fork_of.give_up()
        else:
            self.finish(487)


def _redirected(response: Response, hosts: frozenset[str]) -> tuple[str, Hop] | None:
    """Where a UM server sends a call on to: the best of its contacts that is by TLS at a server that we know."""
    for text in contacts_by_preference(response):
        uri = parse_uri(text)
        secure = uri.scheme == "sips" or (uri.parameters.get("transport") or "").lower() == Transport.TLS
        if uri.scheme in ("sip", "sips") and secure and uri.host.lower() in hosts:
            return text, Hop(transport=Transport.TLS, host=uri.host.lower(), port=uri.port or _SECURE_PORT)
    return None


def _contacts(response: Response) -> str:
    return ", ".join(contacts_by_preference(response)) or "nowhere"


def _fails(status: int) -> bool:
    """Whether the next UM server may take what this one refused.

    It failed, was silent, or does not know the dial plan, the user or this pool, as one that still follows the directory.
    """
    return 500 <= status < 600 or status in (403, 404, 408, 480)


def forwarded(request: Request) -> Request:
    """A copy to be sent on, one hop fewer. Raises :class:`MalformedMessage` (483) when none is left."""
    copy = request.copy()
    hops = fields.number(copy.headers.get("Max-Forwards"), default=_MAX_FORWARDS, most=255)
    if hops == 0:
        raise MalformedMessage("Max-Forwards is 0", status=483)
    copy.headers.set("Max-Forwards", str(hops - 1))
    return copy


async def forward_in_dialog(
    endpoint: Endpoint,
    transaction: ServerTransaction,
    request: Request,
    target: Target,
    guard: EncryptionGuard | None = None,
) -> None:
    """Send a request within a dialog on, and its responses back."""
    client = await endpoint.send(request, target)
    transaction.on_cancel = client.cancel
    client.on_late = lambda response: relay(transaction, response)
    async for response in client.responses():
        passed = response if guard is None else await guard.passed(client, response)
        if passed is not None and passed.status > 100:
            relay(transaction, passed)


def relay(transaction: ServerTransaction, response: Response) -> None:
    """Send a response on, the way the request came, with the From that came."""
    if "Via" not in response.headers:  # made here, for a branch whose transport failed or whose answer was not taken
        transaction.respond_with(response.status, headers=tuple(response.headers))
        return
    relayed = response.copy()
    remove_top_via(relayed)
    if from_ := transaction.request.headers.get("From"):
        relayed.headers.set("From", from_)
    transaction.respond(relayed)
