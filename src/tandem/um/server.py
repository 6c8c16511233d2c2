"""The UM server: answers the calls of its gateways into mailboxes. Puts identity, enrolment, delivery and MWI together."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tandem.call.calls import EXTENSIONS, Calls
from tandem.call.errors import CallRefused
from tandem.call.negotiation import MediaPolicy
from tandem.call.reoffer import ALLOW
from tandem.core.clock import Clock
from tandem.core.log import event
from tandem.directory.index import Connect
from tandem.directory.repository import Repository
from tandem.mail.port import MailStore
from tandem.mail.spool import Spool
from tandem.mail.submission import MailboxSubmission
from tandem.media.session import Media
from tandem.org.vocabulary import DEFAULT_LANGUAGE, Transport, VoIPSecurity
from tandem.pki.identity import Identity
from tandem.service.service import Service
from tandem.service.threads import ThreadPool
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.machines import uas
from tandem.sip.message.grammar import bracketed
from tandem.sip.message.message import Request
from tandem.sip.sdp.offer import Encryption
from tandem.um import counts
from tandem.um.answering import CallAnswering
from tandem.um.beginning import MessageBeginning
from tandem.um.config import UmConfig, UmDirectory
from tandem.um.delivery import Delivery, make_envelope
from tandem.um.enrolment import Enrolment
from tandem.um.identity import CallRefusal, MailboxCall, classify, find_gateway, identify_caller, read_invite
from tandem.um.mailboxes import MailboxMoves
from tandem.um.mwi import MwiNotifier
from tandem.um.notices import ChangeNotices
from tandem.um.prompts import Prompts
from tandem.um.shares import shares_of

RETRY_AFTER_S = 10
"""After which time a call whose message no disk took may be tried again."""
_ABLE = uas.Abilities(methods=tuple(ALLOW.split(", ")), extensions=EXTENSIONS)
_ENCRYPTION = {
    VoIPSecurity.SECURED: Encryption.REQUIRE,
    VoIPSecurity.SIP_SECURED: Encryption.REFUSE,
    VoIPSecurity.UNSECURED: Encryption.REFUSE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UmPaths:
    """Where the server keeps what it keeps."""

    spool: Path
    pin_key: Path


class UmServer(Service[UmConfig]):
    """See :class:`Service`.

    ``media`` is started and closed here. A call beyond ``max_calls`` is answered with 503.
    """

    def __init__(
        self,
        *,
        fqdn: str,
        endpoint: Endpoint,
        repository: Repository,
        connect: Connect,
        clock: Clock,
        paths: UmPaths,
        mail: Callable[[ThreadPool], MailStore],
        media: Media,
        media_host: str,
        media_ports: range = range(1),
        max_calls: int = 100,
        identity: Identity | None = None,
        contact_port: Callable[[str], int] = lambda transport: 5061 if transport == Transport.TLS else 5060,
    ) -> None:
        directory = UmDirectory(connect, fqdn, repository.layout.forest)
        super().__init__(
            room="um",
            endpoint=endpoint,
            directory=directory,
            clock=clock,
            able=_ABLE,
            identity=identity,
        )
        self._fqdn = fqdn
        self._repository = repository
        self._paths = paths
        self._media, self._media_host, self._media_ports = media, media_host, media_ports
        self._max_calls = max_calls
        self._contact_port = contact_port
        self._legs = Calls(endpoint, contact=self._contact, media=media)
        self._legs.on_request = self._received
        self._spool = Spool(paths.spool)
        self._beginning = MessageBeginning(self._spool, self.threads.disk, self.tasks)
        self._prompts = {DEFAULT_LANGUAGE: Prompts(DEFAULT_LANGUAGE)}
        store = mail(self.threads.mail)
        self._mwi = MwiNotifier(endpoint, lambda: self.config, store, self._contact_at)
        submission = MailboxSubmission(store)
        self._delivery = Delivery(
            self._spool, clock=clock, disk=self.threads.disk, submission=submission, delivered=self._mwi.changed
        )
        self._enrolment = Enrolment(
            config=lambda: self.config,
            repository=repository,
            clock=clock,
            ids=endpoint.ids,
            threads=self.threads,
            key_file=paths.pin_key,
            submission=submission,
        )
        mailboxes, told = (paths.pin_key.with_name(name) for name in ("mailboxes.json", "told.json"))
        self._moves = MailboxMoves(directory.users, store=store, disk=self.threads.disk, file=mailboxes)
        self._notices = ChangeNotices(lambda: self.config, submission, clock, threads=self.threads, file=told)
        counts.calls.source = lambda: len(self.calls)

    def took(self, config: UmConfig) -> None:
        """See :meth:`Service.took`."""
        plans = ",".join(config.dial_plans) or "none"
        event(self.log, logging.INFO, "um.config", dial_plans=plans, users=len(config.users))
        self._enrolment.wake()
        self._moves.wake()
        self._notices.wake()

    async def prepare(self) -> None:
        """Hold the spool; begin to deliver (also what a dead server left), to enrol, and to watch mailboxes."""
        await self.threads.disk.run(self._spool.hold)
        await self._media.start()
        await self._enrolment.prepare()
        self._spool.start()
        self.supervise("delivery", self._delivery.run)
        self.supervise("enrolment", self._enrolment.run)
        self.supervise("mailboxes", self._moves.run)
        self.supervise("notices", self._notices.run)
        for name, work in self._mwi.works().items():
            self.supervise(name, work)
        if apart := await self.threads.disk.run(self._partners_apart):
            event(self.log, logging.WARNING, "um.mailboxes_apart", problem=apart)

    async def release(self) -> None:
        """Calls have ended; what was recorded is kept."""
        await self._media.close()
        await self.threads.disk.run(self._spool.stop)

    def close_sessions(self) -> None:
        """See :meth:`Service.close_sessions`."""
        super().close_sessions()
        self._repository.session.close()

    def checks(self) -> dict[str, Callable[[], str]]:
        """See :meth:`Service.checks`."""
        return {**super().checks(), "spool": self._spool.problem, "media": self._media.problem}

    def notices(self) -> dict[str, Callable[[], str]]:
        """See :meth:`Service.notices`."""
        return {
            **super().notices(),
            "delivery": self._delivery.problem,
            "mwi": self._mwi.problem,
            "enrolment": self._enrolment.problem,
            "mailboxes": self._partners_apart,
        }

    def _partners_apart(self) -> str:
        """Which UM servers of the same dial plans do not use this home, and so not its mailboxes and PINs (blocks)."""
        apart = [name for name in self.config.partners if not self._paths.spool.with_name(name).is_dir()]
        if not apart:
            return ""
        return (
            f"{', '.join(apart)} answers calls of the same dial plans and has not run with this home: users' messages are "
            "then in two places, and two PINs are mailed. Run all of them with one --home on one machine, or leave one in "
            "the dial plans"
        )

    async def idle(self) -> None:
        """See :meth:`Service.idle`; what was recorded is delivered too, as far as mailboxes take it."""
        await super().idle()
        await self._delivery.idle()

    # Calls

    def _contact(self, flow: Flow) -> str:
        return self._contact_at(flow.transport, flow.local[0])

    def _contact_at(self, transport: str, address: str = "") -> str:
        """Where we are reached by a transport: over TLS by name, otherwise by the address that is listened on."""
        host = self._fqdn if transport == Transport.TLS else address or self._media_host
        return f"<sip:{bracketed(host)}:{self._contact_port(transport)};transport={transport}>"

    def _received(self, transaction: ServerTransaction) -> Handling:
        request = transaction.request
        flow = transaction.flow
        call_id = fields.call_id(request)
        call = read_invite(request, transport=flow.transport, peer_names=flow.peer_names, source=flow.remote[0])
        if isinstance(refusal := find_gateway(self.config, call), CallRefusal):
            self._refuse(transaction, refusal, trusted=False)
        elif self.admission.refuse_unable(transaction):
            return None
        elif request.method == "OPTIONS" and not self._spool.problem():
            self.admission.answer_options(transaction)
        elif request.method not in ("INVITE", "OPTIONS"):
            self.admission.refuse_method(transaction)
        elif self.calls.count(_identity(request)):
            transaction.respond_with(482)  # §8.2.2.2: an element before us has forked it; one message is enough
        elif why := self._busy():
            counts.busy.value += 1
            event(self.log, logging.WARNING, "um.busy", call=call_id, calls=len(self.calls), why=why)
            self.admission.refuse_busy(transaction)
        elif isinstance(decision := classify(self.config, call), CallRefusal):
            self._refuse(transaction, decision, trusted=True)
        else:
            return self._begin(transaction, decision)
        return None

    def _begin(self, transaction: ServerTransaction, answer: MailboxCall) -> Handling:
        """Take a call, unless its caller, mailbox or gateway has its share of calls already."""
        caller = identify_caller(self.config, transaction.request, proven=answer.proven)
        shares = tuple(shares_of(self.config, answer, caller, max_calls=self._max_calls))
        full = next((share for share in shares if self.calls.count(share.key) >= share.most), None)
        if full is None:
            self.calls.begin(transaction, _identity(transaction.request), *(share.key for share in shares))
            return self._answer_or_refuse(transaction, answer)
        counts.busy.value += 1
        event(self.log, logging.WARNING, "um.busy", call=fields.call_id(transaction.request), why=full.why)
        if full.status == 503:
            self.admission.refuse_busy(transaction)
        else:
            transaction.respond_with(full.status, headers=(fields.warning(full.why),))
        return None

    def _busy(self) -> str:
        """Why no call is taken now, so that the peer tries another server; an empty text if one is."""
        if self.admission.draining:
            return "the server ends"
        if len(self.calls) >= self._max_calls:
            return "too many calls"
        return self._spool.problem()

    def _refuse(self, transaction: ServerTransaction, refusal: CallRefusal, *, trusted: bool) -> None:
        counts.refused.value += 1
        event(
            self.log,
            logging.WARNING,
            "um.refused",
            peer=transaction.flow.remote[0],
            call=fields.call_id(transaction.request),
            status=refusal.status,
            why=refusal.why,
        )
        if trusted:
            transaction.respond_with(refusal.status, headers=(fields.warning(refusal.why),))
        else:
            transaction.respond_stateless(refusal.status)

    async def _answer_or_refuse(self, transaction: ServerTransaction, answer: MailboxCall) -> None:
        try:
            await self._answer(transaction, answer)
        except CallRefused as refused:
            counts.refused.value += 1
            event(self.log, logging.WARNING, "um.refused", status=refused.status, why=refused)
        except Exception:
            counts.failed.value += 1
            raise

    async def _answer(self, transaction: ServerTransaction, answer: MailboxCall) -> None:
        plan, user = answer.dial_plan, answer.user
        policy = MediaPolicy(
            host=self._media_host,
            encryption=_ENCRYPTION[plan.voip_security],
            ports=self._media_ports,
            own_order=True,  # a message is kept at 8,000 Hz: G.711 is as good as Opus, and costs a sixth
        )
        call = self._legs.incoming(transaction, policy)
        await call.ring()
        envelope = make_envelope(
            self.config,
            transaction.request,
            answer,
            message_id=f"voice-{self.endpoint.ids.token(12)}",
            begun_at=self.clock.at(),
        )
        draft = await self._beginning.begin(envelope)
        if draft is None:
            raise call.refuse(503, "no message can be taken now", ("Retry-After", str(RETRY_AFTER_S)))
        try:
            leg = await call.answer()
        except BaseException:
            self._beginning.discard(draft)
            raise
        event(self.log, logging.INFO, "um.answered", call=envelope.call_id, account=user.account, dial_plan=plan.name)
        prompts = self._prompts.get(plan.language) or self._prompts[DEFAULT_LANGUAGE]
        await CallAnswering(
            leg,
            extension=self.config.extension(user),
            speak=prompts.speak,
            draft=draft,
            keep=self._delivery.keep,
            idle_s=plan.recording_idle_timeout_s,
            recording_s=plan.max_recording_duration_min * 60,
            call_s=plan.max_call_duration_min * 60,
        ).run()


def _identity(request: Request) -> str:
    """What is the same in each branch of an INVITE."""
    return f"invite {fields.call_id(request)} {fields.from_tag(request)} {fields.cseq(request).sequence}"
