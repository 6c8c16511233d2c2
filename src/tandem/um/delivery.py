"""Delivery: what waits in the spool goes to its mailbox, as a voice message or as a notice of a missed call.

A message that cannot be delivered now is tried again every five seconds and holds up no other. It leaves the spool only when
its mailbox has it, and a mailbox takes the same message once: so it is delivered exactly once, whatever dies.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.mail import compose
from tandem.mail import counts as mail_counts
from tandem.mail.disk import BlockingCalls
from tandem.mail.port import MessageKind, Submission
from tandem.mail.spool import Draft, Envelope, Spool, SpooledMessage
from tandem.media.codec.wav import write_wav
from tandem.sip.headers import fields
from tandem.sip.message.message import Request
from tandem.um import counts
from tandem.um.applications.answering import MINIMUM_S
from tandem.um.config import UmConfig
from tandem.um.identity import MailboxCall, identify_caller

_log = get_logger("um")
_AGAIN_S = 5.0
_RATE = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mail:
    """A message of the spool as a mail. ``seconds`` is the length of its recording, 0 for a missed call."""

    kind: MessageKind
    data: bytes
    seconds: float = 0.0


class Delivery:
    """Closes the recordings of calls that are over, and delivers them until cancelled (:meth:`run`)."""

    def __init__(
        self,
        spool: Spool,
        *,
        clock: Clock,
        disk: BlockingCalls,
        submission: Submission,
        delivered: Callable[[str], Awaitable[None]],
    ) -> None:
        """``delivered`` is called with the mail address of a mailbox that has a new message."""
        self._spool = spool
        self._disk = disk
        self._clock = clock
        self._submission = submission
        self._delivered = delivered
        self._work = asyncio.Event()

    async def keep(self, draft: Draft, samples: int, cut: bool) -> None:
        """A call is over: close its draft and deliver it. ``samples`` 0 means that nothing was recorded."""
        ended_at = self._clock.at().isoformat()
        await self._disk.run(draft.close, samples=samples, ended_at=ended_at, cut=cut)
        (counts.message if samples else counts.no_message).value += 1
        event(_log, logging.INFO, "um.kept", call=draft.envelope.call_id, seconds=samples / _RATE, cut=cut)
        self._work.set()

    async def run(self) -> None:
        """Deliver what waits in the spool: now, and whenever there is something."""
        self._work.set()
        while True:
            await self._work.wait()
            self._work.clear()
            if not await self._deliver_pending():
                asyncio.get_running_loop().call_later(_AGAIN_S, self._work.set)

    async def _deliver_pending(self) -> bool:
        """Whether all that waited could be delivered."""
        all_delivered = True
        for item in await self._disk.run(self._spool.pending):
            try:
                await self._deliver(item)
            except Exception as error:  # one message that cannot be delivered holds up no other
                all_delivered = False
                mail_counts.not_delivered.value += 1
                event(_log, logging.ERROR, "um.not_delivered", message=item.envelope.message_id, error=error)
        return all_delivered

    async def _deliver(self, item: SpooledMessage) -> None:
        envelope = item.envelope
        mail = await self._disk.run(_compose, item)
        if mail is not None:
            await self._submission.send(message_id=envelope.message_id, recipient=envelope.mailbox, data=mail.data)
            if mail.kind is MessageKind.VOICE:
                mail_counts.voice.value += 1
                event(_log, logging.INFO, "um.delivered", message=envelope.message_id, seconds=mail.seconds)
            else:
                mail_counts.missed_call.value += 1
                event(_log, logging.INFO, "um.missed_call", message=envelope.message_id)
        await self._disk.run(self._spool.done, item)
        if mail is not None:
            await self._delivered(envelope.mailbox)


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
