"""Exchange 2013 UM as its documentation describes it from outside: a call router, a UM service, a worker process.

The call router (a Client Access server, port 5061) only redirects: to the UM service of a mailbox's server (5063), which
redirects to its worker process (5066). Only the worker answers, and only an INVITE for the address that the redirections
gave, with a Diversion that names a mailbox that it has. What the Contacts look like is not public: here they carry a user part
and a parameter of their own, so that a caller which does not take the address as it is does not get through.
"""

from engines import Party, World
from tandem.call.incoming import IncomingCall
from tandem.call.leg import CallLeg
from tandem.sip.headers.uri import parse_uri

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
