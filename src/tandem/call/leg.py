"""One answered call: a dialog, its media, and how it ends.

A leg ends once, for one reason: a BYE from either side, an ACK that never came, or a peer that is not heard any more.
Re-INVITEs (hold, a new address) are answered by the same rules as the first offer.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tandem.core.log import event, get_logger
from tandem.media.session import MediaSession, Playback, Sound, Stream
from tandem.sip import fields
from tandem.sip.aio.endpoint import Endpoint, Flow, Hop, ServerTransaction, Target
from tandem.sip.dialog import Dialog
from tandem.sip.errors import IncompatibleMedia, SdpError
from tandem.sip.message import Request
from tandem.sip.offer import Terms, answer_audio
from tandem.sip.sdp import Audio, build_sdp, parse_sdp
from tandem.sip.transaction import T1, T2

_log = get_logger("call")
UNHEARD_S = 120.0
"""Seconds without a packet after which the peer counts as gone; long enough for a hold without media."""


BYE_S = 4.0
"""Seconds to wait for the answer to our BYE; the transaction itself goes on in the background."""


class Ended(StrEnum):
    """Why a leg ended."""

    REMOTE = "remote"  # the peer said BYE
    LOCAL = "local"  # we did
    NO_ACK = "no-ack"  # our answer was never acknowledged
    UNHEARD = "unheard"  # no media came any more
    FAILED = "failed"  # the peer does not know the call any more


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPolicy:
    """``encryption`` is ``require``, ``prefer`` or ``refuse``; ports for RTP on ``host`` are taken from ``ports``.

    ``codecs`` are those that are spoken, best first.
    """

    host: str
    encryption: str
    ports: range = range(1)
    codecs: tuple[str, ...] = ("PCMU", "PCMA")

    @property
    def terms(self) -> Terms:
        """The policy as offer and answer know it."""
        return Terms(encryption=self.encryption, codecs=self.codecs)


class CallLeg:
    """An answered call; :class:`tandem.call.calls.Calls` makes them."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        dialog: Dialog,
        target: Target,
        media: MediaSession,
        ours: Audio,
        theirs: Audio,
        terms: Terms,
    ) -> None:
        self.dialog = dialog
        self.media = media
        self.ours = ours
        self.invite: Request | None = None
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self.on_forget: Callable[[], None] = lambda: None
        self._terms = terms
        self._endpoint = endpoint
        self._target = target
        self._session_id = str(secrets.randbelow(2**31))
        self._version = 1
        self._acked = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = False
        self.secure = theirs.secure
        media.start(stream_of(ours, theirs))
        self._spawn(self._watch())

    # What its user does

    def play(self, *sounds: Sound) -> Playback:
        """Play sounds to the peer, one after the other; what was playing stops."""
        return self.media.play(sounds)

    async def hangup(self) -> None:
        """Say BYE, if the call still stands, and wait a moment for the answer: a peer that is gone gives none."""
        if self._ending:
            return
        self._end(Ended.LOCAL)
        transaction = await self._endpoint.send(self.dialog.request("BYE"), self._target)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BYE_S):
                await transaction.final()

    # What comes from the peer, by way of Calls

    def answered(self, transaction: ServerTransaction, body: bytes, contact: str) -> None:
        """Send the 200 to the INVITE, and again until its ACK comes (RFC 3261 §13.3.1.4)."""
        self.invite = transaction.request
        self._spawn(self._send_until_acked(transaction, body, contact))

    def acknowledged(self) -> None:
        """The ACK came."""
        self._acked.set()

    def received(self, transaction: ServerTransaction, contact: str) -> None:
        """A request within the dialog."""
        self.dialog.check(transaction.request)
        match transaction.request.method:
            case "BYE":
                transaction.respond_with(200)
                self._end(Ended.REMOTE)
            case "INVITE" | "UPDATE":
                self._offered_again(transaction, contact)
            case "INFO" | "OPTIONS":
                transaction.respond_with(200)
            case _:
                transaction.respond_with(405, headers=(("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE"),))

    def sdp(self) -> bytes:
        """Our description as it stands."""
        return build_sdp(self.ours, session_id=self._session_id, version=self._version)

    # Inside

    def _offered_again(self, transaction: ServerTransaction, contact: str) -> None:
        request = transaction.request
        try:
            if request.body:
                ours, theirs = answer_audio(
                    parse_sdp(request.body), self._terms, host=self.ours.host, port=self.ours.port, before=self.ours
                )
                self.ours = ours
                self._version += 1
                self.media.start(stream_of(ours, theirs))
                body = self.sdp()
            else:
                body = self.sdp() if request.method == "INVITE" else b""
        except SdpError as error:
            transaction.respond_with(400, headers=(warning(str(error)),))
            return
        except IncompatibleMedia as error:
            transaction.respond_with(488, headers=(warning(str(error)),))
            return
        kind = (("Content-Type", "application/sdp"),) if body else ()
        if request.method == "INVITE":
            self._acked.clear()
            self._spawn(self._send_until_acked(transaction, body, contact))
        else:
            transaction.respond_with(200, headers=(("Contact", contact), *kind), body=body)

    async def _send_until_acked(self, transaction: ServerTransaction, body: bytes, contact: str) -> None:
        headers = (("Contact", contact), ("Content-Type", "application/sdp"))
        # The dialog's local tag is the one that the 200 carries.
        interval, waited = T1, 0.0
        while waited < 64 * T1 and not self._ending:
            transaction.respond_with(200, headers=headers, body=body)
            try:
                async with asyncio.timeout(interval):
                    await self._acked.wait()
                return
            except TimeoutError:
                waited += interval
                interval = min(2 * interval, T2)
        if not self._ending:
            event(_log, logging.WARNING, "call.no_ack", call=self.dialog.call_id)
            self._end(Ended.NO_ACK)
            await self._endpoint.send(self.dialog.request("BYE"), self._target)

    async def _watch(self) -> None:
        """Notice a peer that is gone without a word."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            heard = self.media.last_heard or begun
            left = heard + UNHEARD_S - loop.time()
            if left <= 0:
                break
            await asyncio.sleep(left + 0.1)
        event(_log, logging.WARNING, "call.unheard", call=self.dialog.call_id)
        self._end(Ended.UNHEARD)
        await self._endpoint.send(self.dialog.request("BYE"), self._target)

    def _end(self, why: Ended) -> None:
        if self._ending:
            return
        self._ending = True
        self.media.close()
        self.on_forget()
        self.ended.set_result(why)
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned_done)

    def _spawned_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("call.defect call=%s", self.dialog.call_id, exc_info=error)
            self._end(Ended.FAILED)


def stream_of(ours: Audio, theirs: Audio) -> Stream:
    """What media needs to know of an agreement."""
    secure = ours.secure
    return Stream(
        host=theirs.host,
        port=theirs.port,
        codec=theirs.formats[0].name,
        payload_type=theirs.formats[0].payload_type,
        event_type=theirs.event_type,
        suite=ours.cryptos[0].suite if secure else "",
        send_key=ours.cryptos[0].key if secure else b"",
        receive_key=theirs.cryptos[0].key if secure else b"",
        send=not theirs.held,
    )


def warning(text: str) -> tuple[str, str]:
    """A Warning header (RFC 3261 §20.43): 399, a text for people."""
    return "Warning", f"399 tandem {fields.quoted(text)}"


def target_of(dialog: Dialog, flow: Flow) -> Target:
    """Where requests within a dialog go: the peer's own connection where there is no route set, else the first route."""
    uri = fields.parse_uri(dialog.next_hop)
    transport = (uri.parameters.get("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
    if flow.transport != "udp" and (not dialog.route_set or not flow.peer_names):
        return flow
    return Hop(transport=transport, host=uri.host.strip("[]"), port=uri.port or (5061 if transport == "tls" else 5060))
