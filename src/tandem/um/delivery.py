"""Delivery: what waits in the spool goes to its mailbox, as a voice message or as a notice of a missed call.

Mailboxes are served side by side, the messages of one mailbox one after another. A mailbox that takes nothing now is tried
again, with a growing delay, and holds up no other; so is a message that can never be delivered, once an hour, since somebody
may have repaired what it lacks. A message leaves the spool only when its mailbox has it, and a mailbox takes the same message
once: so it is delivered exactly once, whatever dies.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.core.tasks import Tasks, back_off_s
from tandem.mail import compose
from tandem.mail import counts as mail_counts
from tandem.mail.disk import BlockingCalls
from tandem.mail.envelope import Envelope, SpooledMessage
from tandem.mail.errors import MailError
from tandem.mail.port import MessageKind, Submission
from tandem.mail.spool import Draft, Spool
from tandem.media.codec.wav import write_wav
from tandem.sip.headers import fields
from tandem.sip.message.message import Request
from tandem.um import counts
from tandem.um.applications.answering import MINIMUM_S
from tandem.um.config import UmConfig
from tandem.um.errors import few_of
from tandem.um.identity import MailboxCall, identify_caller

_log = get_logger("um")
LOOK_S = 5.0
"""Seconds between two looks for what the disk did not take when its call ended."""
FIRST_DELAY_S, LONGEST_DELAY_S = 5.0, 60.0
"""Seconds after which a mailbox that took nothing is tried again; it doubles each time, up to the longest."""
HOPELESS_DELAY_S = 3600.0
"""Seconds after which a message is tried again whose failure does not end by itself."""
SIDE_BY_SIDE = 8
"""Mailboxes that are served at once."""
_SLICE = 20
_RATE = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mail:
    """A message of the spool as a mail. ``seconds`` is the length of its recording, 0 for a missed call."""

    kind: MessageKind
    data: bytes
    seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class _MailboxQueue:
    """The messages of one mailbox that wait, and what came of the last try."""

    waiting: deque[SpooledMessage] = field(default_factory=deque)
    tries: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _PutOff:
    """Why a message was put off, and what tries it again."""

    why: str
    timer: asyncio.TimerHandle


class Delivery:
    """Closes the recordings of calls that are over, and delivers them until cancelled (:meth:`run`)."""

    def __init__(
        self,
        spool: Spool,
        *,
        clock: Clock,
        disk: BlockingCalls,
        submission: Submission,
        delivered: Callable[[str], None],
    ) -> None:
        """``delivered`` is called with the mail address of a mailbox that has a new message."""
        self._spool = spool
        self._disk = disk
        self._clock = clock
        self._submission = submission
        self._delivered = delivered
        self._queues: dict[str, _MailboxQueue] = {}
        self._known: set[str] = set()
        self._hopeless: dict[str, _PutOff] = {}
        self._tasks = Tasks(_log)
        self._turns = asyncio.Semaphore(SIDE_BY_SIDE)
        self._busy = 0
        self._at_rest = asyncio.Event()
        self._at_rest.set()

    async def keep(self, draft: Draft, samples: int, cut: bool) -> None:
        """A call is over: close its draft and deliver it. ``samples`` 0 means that nothing was recorded.

        Raises:
            MailError: the disk does not take it now. It is closed and delivered as soon as the disk does.
        """
        ended_at = self._clock.at().isoformat()
        try:
            message = await self._disk.run(draft.close, samples=samples, ended_at=ended_at, cut=cut)
        except MailError as error:
            counts.failed.value += 1
            event(_log, logging.ERROR, "um.not_kept", call=draft.envelope.call_id, seconds=samples / _RATE, error=error)
            raise
        (counts.message if samples else counts.no_message).value += 1
        event(_log, logging.INFO, "um.kept", call=draft.envelope.call_id, seconds=samples / _RATE, cut=cut)
        self._queue(message)

    async def run(self) -> None:
        """Deliver what waits in the spool: now, and whenever there is something."""
        try:
            await self._queue_all(self._spool.pending())  # this may be a restart
            while True:
                await self._queue_all(await self._disk.run(self._spool.recover, ended_at=self._clock.at().isoformat()))
                await asyncio.sleep(LOOK_S)
        finally:
            await self._tasks.stop()
            for put_off in self._hopeless.values():
                put_off.timer.cancel()
            self._hopeless.clear()
            self._known.clear()

    async def idle(self) -> None:
        """Wait until everything is delivered but what failed and waits for its next try."""
        await self._at_rest.wait()

    def problem(self) -> str:
        """Which messages cannot be delivered, and why; an empty text if all can. May be called in any thread."""
        held_up = [
            f"mailbox {address}: {queue.error} (messages: {len(queue.waiting)}, tries: {queue.tries})"
            for address, queue in sorted(self._queues.copy().items())
            if queue.error
        ]
        held_up += [f"message {name}: {put_off.why}" for name, put_off in sorted(self._hopeless.copy().items())]
        held_up += [f"message {name}: {why}" for name, why in sorted(self._spool.unreadable().items())]
        return few_of(held_up)

    async def _queue_all(self, messages: list[SpooledMessage]) -> None:
        for number, message in enumerate(messages):
            if number % _SLICE == 0:  # many may have waited for a store that was away
                await asyncio.sleep(0)
            self._queue(message)

    def _queue(self, message: SpooledMessage) -> None:
        name = message.envelope.message_id
        if name in self._known or not self._spool.waits(name):
            return
        self._known.add(name)
        self._wait(message)

    def _wait(self, message: SpooledMessage) -> None:
        address = message.envelope.mailbox.lower()
        queue = self._queues.get(address)
        if queue is None:
            queue = self._queues[address] = _MailboxQueue()
            self._works(1)
            self._tasks.spawn(self._serve(address, queue), name="um.deliver")
        queue.waiting.append(message)

    def _works(self, change: int) -> None:
        self._busy += change
        (self._at_rest.clear if self._busy else self._at_rest.set)()

    async def _serve(self, address: str, queue: _MailboxQueue) -> None:
        """Deliver all that waits for one mailbox."""
        try:
            while queue.waiting:
                async with self._turns:
                    taken = await self._deliver_first(queue)
                if not taken:
                    self._works(-1)
                    await asyncio.sleep(back_off_s(queue.tries, first_s=FIRST_DELAY_S, longest_s=LONGEST_DELAY_S))
                    self._works(1)
        finally:
            self._works(-1)
            self._queues.pop(address, None)

    async def _deliver_first(self, queue: _MailboxQueue) -> bool:
        """Whether to go on with the next message at once."""
        message = queue.waiting[0]
        try:
            await self._deliver(message)
        except Exception as error:  # one message that cannot be delivered holds up no other
            mail_counts.not_delivered.value += 1
            if isinstance(error, OSError) or (isinstance(error, MailError) and error.retryable):
                queue.tries, queue.error = queue.tries + 1, str(error)
                queue.waiting.rotate(-1)  # it may be this message alone
                self._tell(message, queue.error)
                return False
            self._put_off(message, error)
        else:
            queue.tries, queue.error = 0, ""
            self._hopeless.pop(message.envelope.message_id, None)
            self._known.discard(message.envelope.message_id)
        queue.waiting.popleft()
        return True

    def _put_off(self, message: SpooledMessage, error: Exception) -> None:
        """Trying again does not help as long as nobody repairs it: told once, then seldom tried."""
        name, why = message.envelope.message_id, str(error) or repr(error)
        before = self._hopeless.get(name)
        if before is None or before.why != why:
            self._tell(message, why)
        timer = asyncio.get_running_loop().call_later(HOPELESS_DELAY_S, self._wait, message)
        self._hopeless[name] = _PutOff(why=why, timer=timer)

    @staticmethod
    def _tell(message: SpooledMessage, why: str) -> None:
        envelope = message.envelope
        event(_log, logging.ERROR, "um.not_delivered", message=envelope.message_id, mailbox=envelope.mailbox, error=why)

    async def _deliver(self, message: SpooledMessage) -> None:
        envelope = message.envelope
        mail = await self._disk.run(_compose, message)
        if mail is not None:
            await self._submission.send(message_id=envelope.message_id, recipient=envelope.mailbox, data=mail.data)
            if mail.kind is MessageKind.VOICE:
                mail_counts.voice.value += 1
                event(_log, logging.INFO, "um.delivered", message=envelope.message_id, seconds=mail.seconds)
            else:
                mail_counts.missed_call.value += 1
                event(_log, logging.INFO, "um.missed_call", message=envelope.message_id)
        await self._disk.run(self._spool.done, message)
        if mail is not None:
            self._delivered(envelope.mailbox)


def _compose(item: SpooledMessage) -> _Mail | None:
    """The mail of a message, or nothing for a missed call of which no notice is wanted (blocks: it reads the recording)."""
    envelope, ended_at = item.envelope, datetime.fromisoformat(item.ended_at)
    if item.sound is not None and item.samples >= MINIMUM_S * _RATE:
        linear = item.sound.read_bytes()[: 2 * item.samples]
        seconds = len(linear) / 2 / _RATE
        data = compose.voice_message(envelope, wav=write_wav(linear), seconds=seconds, ended_at=ended_at, cut=item.cut)
        return _Mail(kind=MessageKind.VOICE, data=data, seconds=seconds)
    if envelope.missed_call_wanted:
        return _Mail(kind=MessageKind.MISSED_CALL, data=compose.missed_call(envelope, ended_at=ended_at))
    return None


def make_envelope(
    config: UmConfig, request: Request, call: MailboxCall, *, message_id: str, begun_at: datetime
) -> Envelope:
    """What is known of a message when its call (``request`` is its INVITE) is answered."""
    caller = identify_caller(config, request, proven=call.proven)
    policy = config.policies.get(call.user.um_mailbox_policy)
    return Envelope(
        message_id=message_id,
        mailbox=call.user.mail,
        recipient_name=call.user.display_name or call.user.account,
        call_id=fields.call_id(request),
        begun_at=begun_at.isoformat(),
        caller_number=caller.number,
        caller_name=caller.name,
        caller_address=caller.address,
        phone_context=call.dial_plan.phone_context,
        account=call.user.account,
        missed_call_wanted=policy is None or policy.allow_missed_call_notifications,
        text=policy.voice_mail_text if policy else "",
    )
