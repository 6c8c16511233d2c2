"""The UM server: answers the calls of its gateways into mailboxes, and keeps the lamps right."""

import asyncio
import fcntl
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tandem.call.calls import EXTENSIONS, Calls
from tandem.call.errors import CallRefused
from tandem.call.negotiation import MediaPolicy
from tandem.call.reoffer import ALLOW
from tandem.core.clock import Clock
from tandem.core.log import about, event, get_logger
from tandem.directory import counts as directory_counts
from tandem.directory import objects as o
from tandem.directory.errors import DirectoryUnavailable
from tandem.directory.index import Connect
from tandem.directory.repository import Repository
from tandem.mail import compose
from tandem.mail import counts as mail_counts
from tandem.mail.disk import problem_of
from tandem.mail.maildir import Maildir, mailbox_folder
from tandem.mail.spool import Draft, Envelope, Item, Spool
from tandem.media.codec.wav import write_wav
from tandem.media.session import Media
from tandem.sip.aio.endpoint import Endpoint, Flow, ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.headers.history import diverted
from tandem.sip.headers.identity import Asserted, asserted
from tandem.sip.machines import uas
from tandem.sip.message.message import Request
from tandem.speech.catalogue import digits
from tandem.um import counts, pins
from tandem.um.applications.answering import MINIMUM_S, CallAnswering
from tandem.um.classify import Answer, Incoming, Refusal, classify, find_gateway
from tandem.um.config import NO_PIN_YET, UmConfig, UmDirectory
from tandem.um.mwi import Lamps
from tandem.um.prompts import LEAD, TONE, Prompts

_log = get_logger("um")
BUSY_S = 30
"""After which time one who was turned away may try again."""
FOLLOW_S = 1.0
_DELIVER_AGAIN_S = 5.0
_PINS_AGAIN_S = 15.0
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
        self._hasher = pins.PinHasher(paths.pin_key)
        contact = f"<sip:{fqdn}:{contact_port('tls')};transport=tls>"
        self._lamps = Lamps(endpoint, lambda: self.config, self._mailbox, contact)
        self._directory = UmDirectory(connect, fqdn, repository.layout.forest)
        self._pins_wanted = asyncio.Event()
        self._work = asyncio.Event()
        self._answering: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        counts.calls.source = lambda: len(self._answering)

    async def start(self) -> None:
        """Read the directory, close what a dead server left open, begin to deliver, watch and follow."""
        await asyncio.gather(self._media.start(), self._follow_once())
        for item in self._spool.recover(ended_at=self._clock.at().isoformat()):
            event(_log, logging.WARNING, "um.recovered", message=item.envelope.message_id)
        self._spool.start()
        self._work.set()
        for work in (self._follow(), self._deliver(), self._make_pins(), self._lamps.watch()):
            self._tasks.append(asyncio.get_running_loop().create_task(work))

    def drain(self) -> None:
        """Take no more calls; those that are answered go on."""
        self._stopping = True

    async def idle(self) -> None:
        """Wait until no call is being answered."""
        while self._answering:
            await asyncio.wait(set(self._answering))

    async def stop(self) -> None:
        """Take no more calls, end those that are answered; what was heard is kept."""
        self._stopping = True
        for task in [*self._answering, *self._tasks]:
            task.cancel()
        await asyncio.gather(*self._answering, *self._tasks, return_exceptions=True)
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
            self._pins_wanted.set()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(FOLLOW_S)
            try:
                await self._follow_once()
            except DirectoryUnavailable:
                directory_counts.failed.value += 1  # it was logged when it was lost
            except Exception as error:  # whatever it is, the snapshot at hand stays in force, and we go on following
                directory_counts.failed.value += 1
                event(_log, logging.ERROR, "um.directory", error=error)

    async def _make_pins(self) -> None:
        """Make and mail the PINs that are pending, whenever there are some; calls go on meanwhile."""
        while True:
            await self._pins_wanted.wait()
            self._pins_wanted.clear()
            if not await self._make_wanted_pins():
                asyncio.get_running_loop().call_later(_PINS_AGAIN_S, self._pins_wanted.set)

    async def _make_wanted_pins(self) -> bool:
        """Whether all could be made."""
        made = True
        for user in tuple(self.config.without_pin.values()):
            try:
                await self._make_pin(user)
            except DirectoryUnavailable:
                return False  # it was logged when it was lost
            except Exception as error:  # one PIN that cannot be made holds up no other
                event(_log, logging.ERROR, "um.pin_not_made", account=user.account, error=error)
                made = False
        return made

    async def _make_pin(self, user: o.User) -> None:
        """Make one PIN, keep its hash, mail it. A crash in between makes and mails another one the next time.

        Of the UM servers of a machine one does it: the others find it set when they have the lock. The directory is asked
        in a thread, since one that hangs holds up no call.
        """
        plan = self.config.dial_plans.get(user.um_dial_plan)
        if plan is None:
            return
        lock = self._paths.pin_key.with_suffix(".lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as file:
            await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
            held = await asyncio.to_thread(self._repository.same, user)
            if held is not None and held[0].pin_state in NO_PIN_YET:
                await self._make_pin_alone(held[0], plan)

    async def _make_pin_alone(self, user: o.User, plan: o.UMDialPlan) -> None:
        policy = self.config.policies.get(user.um_mailbox_policy)
        extension = self.config.extension(user)
        minimum = policy.min_pin_length if policy else pins.GENERATED_DIGITS
        pin = pins.generate(extension=extension, minimum=minimum)
        dn = self._repository.dn_of(user)
        hashed = await asyncio.to_thread(self._hasher.hash, user.account, pin)
        written = {"msExchUMPinChecksum": (hashed,), "msExchUMPinState": (pins.MAILING,)}
        await asyncio.to_thread(self._repository.session.replace, dn, written)
        message_id = f"welcome-{self._endpoint.ids.token(8)}"
        mail = compose.welcome(
            mailbox=user.mail,
            name=user.display_name,
            extension=extension,
            access_numbers=plan.access_numbers,
            pin=pin,
            text=policy.um_enabled_text if policy else "",
            at=self._clock.at(),
            message_id=message_id,
        )
        Maildir(self._mailbox(user.mail)).deliver(message_id, mail)
        await asyncio.to_thread(self._repository.session.replace, dn, {"msExchUMPinState": (pins.SET,)})
        counts.pins_made.value += 1
        event(_log, logging.INFO, "um.pin_made", account=user.account)

    def _mailbox(self, address: str) -> Path:
        return mailbox_folder(self._paths.mail, address)

    # Calls

    def _contact(self, flow: Flow) -> str:
        host = self._fqdn if flow.transport == "tls" else flow.local[0]
        return f"<sip:{host}:{self._contact_port(flow.transport)};transport={flow.transport}>"

    def _received(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        call = incoming(transaction)
        if isinstance(refusal := find_gateway(self.config, call), Refusal):
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
        elif isinstance(decision := classify(self.config, call), Refusal):
            self._refuse(transaction, decision, trusted=True)
        else:
            with about(call=fields.call_id(request)):
                task = asyncio.get_running_loop().create_task(self._guarded(self._answer(transaction, decision)))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    def _refuse(self, transaction: ServerTransaction, refusal: Refusal, *, trusted: bool) -> None:
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

    @staticmethod
    async def _guarded(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except CallRefused as refused:
            counts.refused.value += 1
            event(_log, logging.WARNING, "um.refused", status=refused.status, why=refused)
        except Exception:
            counts.failed.value += 1
            _log.exception("um.defect")

    async def _answer(self, transaction: ServerTransaction, answer: Answer) -> None:
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
        envelope = self._envelope(transaction.request, answer)
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
            keep=self._keep,
            idle_s=plan.recording_idle_timeout_s,
            recording_s=plan.max_recording_duration_min * 60,
            call_s=plan.max_call_duration_min * 60,
        ).run()

    async def _keep(self, draft: Draft, samples: int, cut: bool) -> None:
        ended_at = self._clock.at().isoformat()
        await asyncio.to_thread(draft.close, samples=samples, ended_at=ended_at, cut=cut)
        (counts.message if samples else counts.no_message).value += 1
        event(_log, logging.INFO, "um.kept", call=draft.envelope.call_id, seconds=samples / 8000, cut=cut)
        self._work.set()

    def _envelope(self, request: Request, answer: Answer) -> Envelope:
        """Who called, as far as it is known; only a gateway that proved itself is believed about identities."""
        caller = fields.from_(request)
        said = asserted(request).shown if answer.proven else Asserted()
        sip, tel = said.sip, said.tel
        shown = sip or tel or caller
        address = f"{shown.uri.user}@{shown.uri.host}".lower() if sip else ""
        known = self.config.by_sip.get(address)
        number = tel.uri.user if tel else (known.line_uri.removeprefix("tel:") if known else caller.uri.user)
        policy = self.config.policies.get(answer.user.um_mailbox_policy)
        return Envelope(
            message_id=f"voice-{self._endpoint.ids.token(12)}",
            mailbox=answer.user.mail,
            recipient_name=answer.user.display_name or answer.user.account,
            call_id=fields.call_id(request)[:128],
            begun_at=self._clock.at().isoformat(),
            caller_number=(number or "")[:64],
            caller_name=(known.display_name if known else "") or fields.display_name(shown),
            caller_address=known.mail if known else "",
            phone_context=answer.dial_plan.phone_context,
            account=answer.user.account,
            missed_call_wanted=policy is None or policy.allow_missed_call_notifications,
            text=policy.voice_mail_text if policy else "",
        )

    # Delivery

    async def _deliver(self) -> None:
        """Deliver what waits in the spool; what cannot be delivered now is tried again."""
        while True:
            await self._work.wait()
            self._work.clear()
            failed = False
            for item in await asyncio.to_thread(self._spool.pending):
                try:
                    await asyncio.to_thread(self._deliver_one, item)
                except Exception as error:  # one message that cannot be delivered holds up no other
                    failed = True
                    mail_counts.not_delivered.value += 1
                    event(_log, logging.ERROR, "um.not_delivered", message=item.envelope.message_id, error=error)
            self._lamps.look()
            if failed:
                asyncio.get_running_loop().call_later(_DELIVER_AGAIN_S, self._work.set)

    def _deliver_one(self, item: Item) -> None:
        envelope = item.envelope
        ended_at = datetime.fromisoformat(item.ended_at)
        maildir = Maildir(self._mailbox(envelope.mailbox))
        if item.sound is not None and item.samples >= MINIMUM_S * 8000:
            linear = item.sound.read_bytes()[: 2 * item.samples]
            seconds = len(linear) / 16_000
            mail = compose.voice_message(
                envelope, wav=write_wav(linear), seconds=seconds, ended_at=ended_at, cut=item.cut
            )
            maildir.deliver(envelope.message_id, mail)
            mail_counts.voice.value += 1
            event(_log, logging.INFO, "um.delivered", message=envelope.message_id, seconds=seconds)
        elif envelope.missed_call_wanted:
            maildir.deliver(envelope.message_id, compose.missed_call(envelope, ended_at=ended_at))
            mail_counts.missed_call.value += 1
            event(_log, logging.INFO, "um.missed_call", message=envelope.message_id)
        self._spool.done(item)


def incoming(transaction: ServerTransaction) -> Incoming:
    """What classification needs of a request."""
    request, flow = transaction.request, transaction.flow
    uri = fields.parse_uri(request.uri)
    return Incoming(
        transport=flow.transport,
        peer_names=flow.peer_names,
        source=flow.remote[0],
        pilot=uri.user or "",
        called=fields.to(request).uri,
        diversions=diverted(request) if request.method == "INVITE" else (),
    )
