"""Exchange 2013 UM as its documentation describes it from outside: a call router, a UM service, a worker process.

The call router (a Client Access server, port 5061) only redirects: to the UM service of a mailbox's server (5063), which
redirects to its worker process (5066). Only the worker answers, and only an INVITE for the address that the redirections
gave, with a Diversion that names a mailbox that it has. What the Contacts look like is not public: here they carry a user part
and a parameter of their own, so that a caller which does not take the address as it is does not get through.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from engines import Party, World
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.pki.store import CertificateStore
from tandem.pki.tls import peer_names, server_context
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers.uri import parse_uri
from tandem.sip.message.message import Request

SERVICE, WORKER = 5063, 5066


class ExchangeUM:
    """A Client Access server and a Mailbox server, by name; ``answered`` are the addresses that the worker took calls at."""

    def __init__(self, world: World, router: str, mailbox_server: str, mailboxes: frozenset[str]) -> None:
        self.router, self.mailbox_server = world.party(router), world.party(mailbox_server)
        self.router.serve = self._route
        self.mailbox_server.serve = self._serve
        self._mailboxes = mailboxes
        self.answered: list[str] = []

    @property
    def parties(self) -> tuple[Party, Party]:
        """Both servers."""
        return self.router, self.mailbox_server

    def _at(self, port: int) -> str:
        return f"sip:um@{self.mailbox_server.endpoint.host}:{port};transport=Tls;x-router={self.router.endpoint.host}"

    async def _route(self, call: IncomingCall) -> None:
        call.redirect(self._at(SERVICE))

    async def _serve(self, call: IncomingCall) -> CallLeg | None:
        asked = call.request.uri
        diverted = call.request.headers.get("Diversion") or ""
        if parse_uri(asked).port == SERVICE and asked == self._at(SERVICE):
            call.redirect(self._at(WORKER))
        elif asked != self._at(WORKER):
            call.refuse(403)
        elif not any(f"<sip:{mailbox}>" in diverted for mailbox in self._mailboxes):
            call.refuse(404)
        else:
            self.answered.append(asked)
            return await call.answer()
        return None


class ExchangeServer:
    """One server with both roles, on real sockets: three TLS ports that want a certificate of their clients.

    ``asked`` are method, Request-URI and port of what came, in its order; ``peers`` the names that the certificates proved.
    """

    def __init__(self, fqdn: str, store: CertificateStore, answer: bytes) -> None:
        self.fqdn = fqdn
        self.asked: list[tuple[str, str, int]] = []
        self.peers: set[str] = set()
        self._answer = answer
        self._context = server_context(store, require_client=True)
        self._endpoint = Endpoint(
            clock=SystemClock(), ids=SystemIds(), resolver=Resolver({}), name=fqdn, peer_names=peer_names
        )
        self._endpoint.on_request = self._requested
        self._endpoint.on_ack = self._heard
        self.router = self.service = self.worker = 0

    async def listen(self) -> None:
        """Open the ports of the call router, the UM service and its worker process."""
        ports = [(await self._endpoint.listen_tls("127.0.0.1", 0, self._context))[1] for _ in range(3)]
        self.router, self.service, self.worker = ports

    async def close(self) -> None:
        """Close them."""
        await self._endpoint.close()

    def at(self, port: int) -> str:
        """An address of the server."""
        return f"sip:um@{self.fqdn}:{port};transport=Tls;x-server=1"

    def _heard(self, request: Request, flow: Flow) -> int:
        self.asked.append((request.method, request.uri, flow.local[1]))
        self.peers |= flow.peer_names
        return flow.local[1]

    def _requested(self, transaction: ServerTransaction) -> None:
        port = self._heard(transaction.request, transaction.flow)
        further = {self.router: self.service, self.service: self.worker}.get(port)
        if further is not None:
            transaction.respond_with(302, headers=(("Contact", f"<{self.at(further)}>"),))
        elif transaction.request.method == "INVITE":
            headers = (("Contact", f"<{self.at(self.worker)}>"), ("Content-Type", "application/sdp"))
            transaction.respond_with(200, headers=headers, body=self._answer)
        else:
            transaction.respond_with(200)


@contextlib.asynccontextmanager
async def exchange_server(fqdn: str, folder: Path, answer: bytes) -> AsyncIterator[ExchangeServer]:
    """A server that listens, with the certificate that a deployed folder has for its name."""
    made = ExchangeServer(fqdn, CertificateStore(folder=folder / "state" / "pki" / fqdn), answer)
    await made.listen()
    try:
        yield made
    finally:
        await made.close()
