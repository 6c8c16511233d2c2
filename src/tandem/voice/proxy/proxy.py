"""The stateful proxy (RFC 3261 §16): rings phones, diverts to UM, and stays in the dialog.

The proxy names itself twice in Record-Route, once for each side, by tokens that name connections (RFC 5626): a
request within a dialog is sent to the side that its last token of ours names. Answers go back the way the request came.
How several phones ring at once is :mod:`tandem.voice.proxy.fork`'s.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sipmessage import URI

from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.org.vocabulary import Transport
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.outbound import Target
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.diversion import Diversion, Reason
from tandem.sip.headers.history import entries_for, history
from tandem.sip.headers.identity import asserted
from tandem.sip.headers.uri import parse_uri
from tandem.sip.headers.via import remove_top_via
from tandem.sip.message.message import Request, Response
from tandem.voice.config import sip_of
from tandem.voice.proxy.fork import ELSEWHERE, Fork
from tandem.voice.registrar.location import Binding

_log = get_logger("voice")
UM_ANSWERS_S = 5.0
"""Seconds without any response after which the next UM server is tried (our choice; not public)."""
_MAX_FORWARDS = 70


class Routes:
    """Tokens that name connections and servers in Record-Route."""

    def __init__(self, endpoint: Endpoint, name: str, port: Callable[[], int]) -> None:
        self._endpoint = endpoint
        self._name = name.lower()
        self._port = port
        self._targets: dict[str, Target] = {}
        self._tokens: dict[object, str] = {}

    def record(self, request: Request, target: Target) -> None:
        """Name ourselves in Record-Route, for what is to be sent to this side."""
        token = self._token(target)
        uri = f"<sip:{token}@{self._name}:{self._port()};transport=tls;lr>"
        request.headers.prepend("Record-Route", uri)

    def take(self, request: Request) -> Target | None:
        """Remove our own values from the top of Route; the target that the last one names, if it names one."""
        routes = fields.routes(request)
        target: Target | None = None
        while routes and routes[0].uri.host.lower() == self._name:
            target = self._targets.get(routes.pop(0).uri.user or "", target)
        request.headers.remove("Route")
        for route in routes:
            request.headers.add("Route", str(route))
        return target

    def _token(self, target: Target) -> str:
        key: object = target if isinstance(target, Hop) else id(target)
        if key not in self._tokens:
            token = self._endpoint.ids.token(12)
            self._tokens[key], self._targets[token] = token, target
            if not isinstance(target, Hop):
                target.on_close.append(lambda: self._forget(key))
        return self._tokens[key]

    def _forget(self, key: object) -> None:
        if token := self._tokens.pop(key, None):
            self._targets.pop(token, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One place to try: the Request-URI there, the way to it, and the proxies on it (its Path)."""

    uri: str
    target: Target
    path: tuple[str, ...] = ()


class ProxiedCall:
    """One INVITE on its way: :meth:`ring` phones, then :meth:`divert` to UM; each tells what came of it."""

    def __init__(self, endpoint: Endpoint, routes: Routes, transaction: ServerTransaction, request: Request) -> None:
        self._endpoint = endpoint
        self._routes = routes
        self._transaction = transaction
        self._request = request
        self._fork_of: Fork | None = None
        self._diverted: Diversion | None = None
        self.on_answered: Callable[[], None] = lambda: None
        transaction.on_cancel = self._cancelled
        self.over = False

    async def ring(self, bindings: Sequence[Binding], ring_s: float) -> Response | None:
        """Ring every phone; ``None`` if the call was answered or given up, else the best refusal (408: no answer)."""
        branches = [Branch(uri=b.contact, target=b.flow, path=b.path) for b in bindings]
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
        """Call UM; the next server is tried where one fails or does not answer at all."""
        last: Response | None = None
        for server in servers:
            hop = Hop(transport=Transport.TLS, host=server.fqdn, port=server.sip_tls_port)
            uri = f"sip:{pilot}@{server.fqdn}:{server.sip_tls_port};transport=tls"
            last = await self._fork([Branch(uri=uri, target=hop)], None, silent_s=UM_ANSWERS_S)
            if last is None or self.over or not (last.status >= 500 or last.status == 408):
                return last
            event(_log, logging.WARNING, "voice.um_failed", server=server.fqdn, status=last.status)
        return last

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
        self._fork_of = fork = Fork(self._relay)
        for branch in branches:
            fork.add(await self._endpoint.send(self._copy(branch), branch.target))
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
        if asserted(request).private and not isinstance(branch.target, Hop):  # RFC 3325 §7: a phone shows what it gets
            request.headers.remove("P-Asserted-Identity")
        for value in reversed(branch.path):
            request.headers.prepend("Route", value)
        self._routes.record(request, self._transaction.flow)
        self._routes.record(request, branch.target)
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


def forwarded(request: Request) -> Request:
    """A copy to be sent on, one hop fewer. Raises :class:`MalformedMessage` (483) when none is left."""
    copy = request.copy()
    hops = fields.number(copy.headers.get("Max-Forwards"), default=_MAX_FORWARDS, most=255)
    if hops == 0:
        raise MalformedMessage("Max-Forwards is 0", status=483)
    copy.headers.set("Max-Forwards", str(hops - 1))
    return copy


async def forward_in_dialog(
    endpoint: Endpoint, transaction: ServerTransaction, request: Request, target: Target
) -> None:
    """Send a request within a dialog on, and its responses back."""
    client = await endpoint.send(request, target)
    transaction.on_cancel = client.cancel
    client.on_late = lambda response: relay(transaction, response)
    async for response in client.responses():
        if response.status > 100:
            relay(transaction, response)


def relay(transaction: ServerTransaction, response: Response) -> None:
    """Send a response on, the way the request came."""
    if "Via" not in response.headers:  # made here, for a branch whose transport failed
        transaction.respond_with(response.status)
        return
    relayed = response.copy()
    remove_top_via(relayed)
    transaction.respond(relayed)
