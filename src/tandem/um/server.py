"""The UM server: answers the calls of its gateways into mailboxes. Puts identity, enrolment, delivery and MWI together."""

import asyncio
import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tandem.call.calls import EXTENSIONS, Calls
from tandem.call.errors import CallRefused
from tandem.call.negotiation import MediaPolicy
from tandem.call.reoffer import ALLOW
from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.directory import counts as directory_counts
from tandem.directory.errors import DirectoryUnavailable
from tandem.directory.index import Connect
from tandem.directory.repository import Repository
from tandem.mail.disk import problem_of
from tandem.mail.maildir import mailbox_folder
from tandem.mail.spool import Spool
from tandem.media.session import Media
from tandem.sip.aio.endpoint import Endpoint, Flow, Handling, ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.machines import uas
from tandem.speech.catalogue import digits
from tandem.um import counts
from tandem.um.applications.answering import CallAnswering
from tandem.um.config import UmConfig, UmDirectory
from tandem.um.delivery import Delivery, make_envelope
from tandem.um.enrolment import Enrolment
from tandem.um.identity import CallRefusal, MailboxCall, classify, find_gateway, read_invite
from tandem.um.mwi import MwiNotifier
from tandem.um.prompts import LEAD, TONE, Prompts

_log = get_logger("um")
BUSY_S = 30
"""After which time one who was turned away may try again."""
FOLLOW_S = 1.0
_ABLE = uas.Abilities(methods=tuple(ALLOW.split(", ")), extensions=EXTENSIONS)
_ENCRYPTION = {"Secured": "require", "SIPSecured": "refuse", "Unsecured": "refuse"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UmPaths:
    """Where the server keeps what it keeps."""

    spool: Path
    mail: Path
    pin_key: Path


class UmServer:
    """Made with an endpoint that does not listen yet; :meth:`start`, then listen, then :meth:`stop`.

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
        media: Media,
        media_host: str,
        media_ports: range = range(1),
        max_calls: int = 100,
        contact_port: Callable[[str], int] = lambda transport: 5061 if transport == "tls" else 5060,
    ) -> None:
        self.config = UmConfig()
        self.freshness = directory_counts.Freshness(clock)
        self.also_check: dict[str, Callable[[], str]] = {"listening": endpoint.connections.deaf}
        self._fqdn = fqdn
        self._endpoint = endpoint
        self._repository = repository
        self._clock = clock
        self._paths = paths
        self._media, self._media_host, self._media_ports = media, media_host, media_ports
        self._max_calls = max_calls
        self._contact_port = contact_port
        self._calls = Calls(endpoint, contact=self._contact, media=media)
        self._calls.on_request = self._received
        self._spool = Spool(paths.spool)
        self._prompts = {"en-US": Prompts("en-US")}
        contact = f"<sip:{fqdn}:{contact_port('tls')};transport=tls>"
        self._mwi = MwiNotifier(endpoint, lambda: self.config, self._mailbox, contact)
        self._delivery = Delivery(self._spool, clock=clock, mailbox=self._mailbox, delivered=self._mwi.look)
        self._enrolment = Enrolment(
            config=lambda: self.config,
            repository=repository,
            clock=clock,
            ids=endpoint.ids,
            key_file=paths.pin_key,
            mailbox=self._mailbox,
        )
        self._directory = UmDirectory(connect, fqdn, repository.layout.forest)
        self._answering: set[ServerTransaction] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        counts.calls.source = lambda: len(self._answering)

    async def start(self) -> None:
        """Read the directory, close what a dead server left open, begin to deliver, watch and follow."""
        await asyncio.gather(self._media.start(), self._follow_once())
        for item in self._spool.recover(ended_at=self._clock.at().isoformat()):
            event(_log, logging.WARNING, "um.recovered", message=item.envelope.message_id)
        self._spool.start()
        for work in (self._follow(), self._delivery.run(), self._enrolment.run(), self._mwi.watch()):
            self._tasks.append(asyncio.get_running_loop().create_task(work))

    def drain(self) -> None:
        """Take no more calls; those that are answered go on."""
        self._stopping = True

    async def idle(self) -> None:
        """Wait until no call is being answered."""
        await self._idle.wait()

    async def stop(self) -> None:
        """Take no more calls, end those that are answered; what was heard is kept."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await self._endpoint.handlers.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._media.close()
        self._spool.stop()
        await self._endpoint.close()
        self._repository.session.close()
        self._directory.index.close()

    def checks(self) -> dict[str, Callable[[], str]]:
        """What has to be well for calls to be taken: each says what is wrong, or nothing. They may block a moment."""
        return {
            **self.also_check,
            "directory": self.freshness.problem,
            "spool": lambda: problem_of(self._paths.spool),
            "media": self._media.problem,
        }

    # The directory

    async def _follow_once(self) -> None:
        index = self._directory.index
        changes = await asyncio.to_thread(index.poll)
        self.freshness.answered()
        if changes is not None:
            index.take(changes)
            directory_counts.objects.value = len(index)
            self.config = self._directory.config()
            plans = ",".join(self.config.dial_plans) or "none"
            event(_log, logging.INFO, "um.config", dial_plans=plans, users=len(self.config.users))
            self._enrolment.wake()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(FOLLOW_S)
            try:
                await self._follow_once()
            except DirectoryUnavailable:
                directory_counts.failed.value += 1  # it was logged when it was lost
            except Exception as error:  # whatever it is, the current snapshot stays in force, and we go on following
                directory_counts.failed.value += 1
                event(_log, logging.ERROR, "um.directory", error=error)

    def _mailbox(self, address: str) -> Path:
        return mailbox_folder(self._paths.mail, address)

    # Calls

    def _contact(self, flow: Flow) -> str:
        host = self._fqdn if flow.transport == "tls" else flow.local[0]
        return f"<sip:{host}:{self._contact_port(flow.transport)};transport={flow.transport}>"

    def _received(self, transaction: ServerTransaction) -> Handling:
        request = transaction.request
        flow = transaction.flow
        call = read_invite(request, transport=flow.transport, peer_names=flow.peer_names, source=flow.remote[0])
        if isinstance(refusal := find_gateway(self.config, call), CallRefusal):
            self._refuse(transaction, refusal, trusted=False)
        elif unable := uas.refusal(request, _ABLE):
            transaction.respond_with(unable.status, headers=unable.headers)
        elif request.method == "OPTIONS" and not self._stopping:
            transaction.respond_with(200, headers=(("Allow", ALLOW),))
        elif request.method == "OPTIONS":  # whoever watches us by it sends calls elsewhere
            transaction.respond_with(503, headers=(("Retry-After", str(BUSY_S)),))
        elif request.method != "INVITE":
            transaction.respond_with(405, headers=(("Allow", ALLOW),))
        elif self._stopping or len(self._answering) >= self._max_calls:
            counts.busy.value += 1
            calls = len(self._answering)
            event(_log, logging.WARNING, "um.busy", call=fields.call_id(request), calls=calls, stopping=self._stopping)
            transaction.respond_with(503, headers=(("Retry-After", str(BUSY_S)),))
        elif isinstance(decision := classify(self.config, call), CallRefusal):
            self._refuse(transaction, decision, trusted=True)
        else:
            self._answering.add(transaction)
            self._idle.clear()
            transaction.on_ended = functools.partial(self._ended, transaction)
            return self._answer_or_refuse(transaction, decision)
        return None

    def _ended(self, transaction: ServerTransaction) -> None:
        self._answering.discard(transaction)
        if not self._answering:
            self._idle.set()

    def _refuse(self, transaction: ServerTransaction, refusal: CallRefusal, *, trusted: bool) -> None:
        counts.refused.value += 1
        event(
            _log,
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
            transaction.refuse_stateless(refusal.status)

    async def _answer_or_refuse(self, transaction: ServerTransaction, answer: MailboxCall) -> None:
        try:
            await self._answer(transaction, answer)
        except CallRefused as refused:
            counts.refused.value += 1
            event(_log, logging.WARNING, "um.refused", status=refused.status, why=refused)
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
        call = self._calls.incoming(transaction, policy)
        await call.ring()
        leg = await call.answer()
        envelope = make_envelope(
            self.config,
            transaction.request,
            answer,
            message_id=f"voice-{self._endpoint.ids.token(12)}",
            begun_at=self._clock.at(),
        )
        event(_log, logging.INFO, "um.answered", call=envelope.call_id, account=user.account, dial_plan=plan.name)
        prompts = self._prompts.get(plan.language) or self._prompts["en-US"]
        called = digits(self.config.extension(user))
        await CallAnswering(
            leg,
            greeting=[LEAD, *prompts.say("person-at-extension", *called, "not-available", "leave-a-message")],
            tone=TONE,
            thanks=prompts.say("message-sent"),
            regrets=prompts.say("nothing-recorded"),
            begin=lambda: asyncio.to_thread(self._spool.begin, envelope),
            keep=self._delivery.keep,
            idle_s=plan.recording_idle_timeout_s,
            recording_s=plan.max_recording_duration_min * 60,
            call_s=plan.max_call_duration_min * 60,
        ).run()
