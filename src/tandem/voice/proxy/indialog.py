"""Requests within a call that goes through us: who may send them, what of them is passed on, and where to.

The sealed token in Route (:mod:`tandem.voice.proxy.sides`) says who the sides are. A phone is known by its connection, or
proves its account again (407); a server by its certificate. Only what belongs to a call goes through, never back to the side
that sent it; an account that was disabled may only hang up.
"""

import logging
from collections.abc import Callable

from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.outbound import Target
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.machines.subscription import event_of
from tandem.sip.message.message import Request
from tandem.voice.config import VoiceConfig, sip_of
from tandem.voice.proxy import encryption
from tandem.voice.proxy.active import ActiveCalls
from tandem.voice.proxy.identity import show, strip_trust
from tandem.voice.proxy.proxy import forward_in_dialog, forwarded
from tandem.voice.proxy.routes import Routes
from tandem.voice.proxy.sides import Passage, PhoneSide, ProvenServer, mark
from tandem.voice.registrar.authentication import PhoneAuthentication, is_anonymous, is_own

_log = get_logger("voice")
METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK", "INFO", "OPTIONS", "REFER", "NOTIFY")
"""What is passed on within a call. NOTIFY tells how a REFER went (RFC 3515), and nothing else."""
_REFER = "refer"


class DialogRelay:
    """Passes on what is sent within calls."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        routes: Routes,
        config: Callable[[], VoiceConfig],
        authentication: PhoneAuthentication,
        active: ActiveCalls,
        guard: encryption.EncryptionGuard,
    ) -> None:
        self._endpoint = endpoint
        self._routes = routes
        self._config = config
        self._authentication = authentication
        self._active = active
        self._guard = guard

    def requested(self, transaction: ServerTransaction, work: Request) -> Handling:
        """A request with a To tag came; ``work`` is what is to be forwarded of it."""
        passage = self._routes.take(work, transaction.flow)
        if passage is None:  # it belongs to no dialog that goes through us
            transaction.respond_stateless(481)
            return None
        if refusal := _not_of_a_call(work):
            status, header = refusal
            transaction.respond_with(status, headers=(header,))
            return None
        if not self._is_sender(passage, transaction):
            return None
        if refused := self._refusal(passage, work):
            status, why = refused
            event(_log, logging.WARNING, "voice.dialog_refused", method=work.method, status=status, why=why)
            transaction.respond_with(status, headers=(fields.warning(why),))
            return None
        if work.method == "BYE":  # the call is over for who sent it, whether or not the other side can be told
            self._active.ended(fields.call_id(work))
        target = self._routes.reach(passage.receiver, self._endpoint.clock.now())
        if target is None:
            transaction.respond_with(430, headers=(fields.warning("the phone's connection is gone"),))
            return None
        self._prepare(passage, work)
        guard = self._guard if encryption.required(self._config()) else None
        return forward_in_dialog(self._endpoint, transaction, work, target, guard)

    def acknowledged(self, request: Request, flow: Flow) -> tuple[Request, Target] | None:
        """An ACK to a 2xx came: what is to be sent on, and where to. Nobody can be challenged for it."""
        work = forwarded(request)
        passage = self._routes.take(work, flow)
        if passage is None or (encryption.required(self._config()) and encryption.why_plain_answer(work)):
            return None
        self._prepare(passage, work)
        target = self._routes.reach(passage.receiver, self._endpoint.clock.now())
        return (work, target) if target is not None else None

    def _is_sender(self, passage: Passage, transaction: ServerTransaction) -> bool:
        """Whether the request comes from the side that it says; if not, it has been answered."""
        sender = passage.sender
        if self._routes.sent_by(sender, transaction.flow, self._endpoint.clock.now()):
            return True
        if isinstance(sender, ProvenServer):
            transaction.respond_with(403)
            return False
        user = self._authentication.authenticate(transaction, self._config())
        if user is None:
            return False
        if sip_of(user) != sender.user:
            transaction.respond_with(403)
            return False
        self._routes.prove(sender.user, transaction.flow)
        return True

    def _refusal(self, passage: Passage, work: Request) -> tuple[int, str] | None:
        """Status and reason of a request that is not passed on, although its sender is who it says."""
        users = self._config().users
        sender, receiver = passage.sender, passage.receiver
        if work.method != "BYE":
            if isinstance(sender, PhoneSide) and sender.user not in users:
                return 403, "the account is not enabled any more"
            if isinstance(receiver, PhoneSide) and receiver.user not in users:
                return 480, "the account at the other side is not enabled any more"
        if isinstance(sender, PhoneSide) and not _is_own_from(passage, sender, work, users.get(sender.user)):
            return 403, "an account speaks as itself only"
        if encryption.required(self._config()) and (why := encryption.why_plain_offer(work)):
            return 488, why
        return None

    def _prepare(self, passage: Passage, work: Request) -> None:
        strip_trust(work)
        sender = passage.sender
        if isinstance(sender, PhoneSide) and (user := self._config().users.get(sender.user)) is not None:
            show(work, user, hidden=passage.from_caller and passage.sides.hidden)


def _not_of_a_call(request: Request) -> tuple[int, tuple[str, str]] | None:
    if request.method not in METHODS:
        return 405, ("Allow", ", ".join(METHODS))
    if request.method == "NOTIFY" and event_of(request).package != _REFER:
        return 489, ("Allow-Events", _REFER)
    return None


def _is_own_from(passage: Passage, sender: PhoneSide, request: Request, user: o.User | None) -> bool:
    """Whether From names the sender: its own address, nobody, or (of the one who was called) what was dialled."""
    uri = fields.from_(request).uri
    dialled = not passage.from_caller and mark(uri.user, uri.host) == passage.sides.dialled
    own = is_own(user, uri.user, uri.host) if user else f"{uri.user or ''}@{uri.host}".lower() == sender.user
    return dialled or own or is_anonymous(uri)
