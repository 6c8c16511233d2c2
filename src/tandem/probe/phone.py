"""A synthetic phone: registers over TLS, calls and is called, speaks, listens, sends DTMF, shows message waiting.

For ``tandem verify``, the demonstration, the tests and ``tandem phone``; no more than a desk phone does.
"""

import asyncio
import contextlib
import math
import ssl
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from tandem.call.attempt import Attempt
from tandem.call.calls import Calls
from tandem.call.errors import CallFailed, CallRefused
from tandem.call.leg import CallLeg
from tandem.call.negotiation import MediaPolicy
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.media.codec.wav import read_wav
from tandem.media.session import Sound
from tandem.org.vocabulary import Transport
from tandem.pki.tls import peer_names
from tandem.probe.errors import PhoneError
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow, Hop
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import digest
from tandem.sip.headers.mwi import MessageSummary, parse_summary
from tandem.sip.message.message import Headers, Request, Response
from tandem.sip.sdp.offer import Encryption


class When(StrEnum):
    """What the phone does when it is called."""

    RING = "ring"
    ANSWER = "answer"
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """``address`` is the SIP address without ``sip:``; ``pool`` where it registers, by TLS."""

    address: str
    secret: str
    pool: str
    port: int = 5061


class PhoneCall:
    """An active call; what was received so far is in :attr:`heard` (16-bit linear), DTMF digits in :attr:`digits`."""

    def __init__(self, leg: CallLeg) -> None:
        self.leg = leg
        self.heard = bytearray()
        self.digits: list[str] = []
        leg.media.hear(self.heard.extend)
        leg.media.on_digit = self.digits.append

    async def speak(self, wav: bytes) -> None:
        """Speak a WAV file to its end."""
        await self.leg.play(Sound.of(read_wav(wav))).done

    async def wait_for_tone(self, *, hz: int = 1000, timeout_s: float = 60.0) -> None:
        """Wait until a tone of at least 0.15 s was heard and ended. Raises :class:`PhoneError` after the time."""
        detector, done = _ToneDetector(hz), 0
        try:
            async with asyncio.timeout(timeout_s):
                while not detector.ended:
                    await asyncio.sleep(0.02)
                    fresh = bytes(self.heard[done:])
                    done += len(fresh)
                    detector.feed(fresh)
                    if self.leg.ended.done() and not detector.ended:
                        raise PhoneError(f"the call ended ({self.leg.ended.result()}) before a tone was heard")
        except TimeoutError:
            raise PhoneError(f"no tone was heard within {timeout_s:g} s") from None

    async def send_dtmf(self, digits: str) -> None:
        """Send DTMF digits and wait until they went out."""
        self.leg.media.send_dtmf(digits)
        while not self.leg.media.dtmf_sent and not self.leg.ended.done():  # noqa: ASYNC110 - paced by media
            await asyncio.sleep(0.02)

    async def hang_up(self) -> None:
        """Say BYE."""
        await self.leg.hangup()


class _ToneDetector:
    """Finds one tone by Goertzel's algorithm over 20 ms windows: most of a window's power at one frequency."""

    def __init__(self, hz: int) -> None:
        self._coefficient = 2 * math.cos(2 * math.pi * hz / 8000)
        self._rest = b""
        self._windows = 0
        self.ended = False

    def feed(self, linear: bytes) -> None:
        data = self._rest + linear
        for at in range(0, len(data) - 319, 320):
            tone = self._is_tone(data[at : at + 320])
            self.ended = self.ended or (not tone and self._windows >= 8)
            self._windows = self._windows + 1 if tone else 0
        self._rest = data[len(data) // 320 * 320 :]

    def _is_tone(self, window: bytes) -> bool:
        samples = array("h", window)
        power = sum(s * s for s in samples)
        if power < 160 * 500 * 500:
            return False
        before = last = 0.0
        for sample in samples:
            before, last = last, sample + self._coefficient * last - before
        found = last * last + before * before - self._coefficient * last * before
        return found / (power * 80) > 0.8


class Phone:
    """One phone with one account. Use :meth:`open`, then :meth:`register`, then call; at the end :meth:`close`."""

    def __init__(
        self,
        account: Account,
        context: ssl.SSLContext,
        *,
        resolver: Resolver | None = None,
        host: str = "127.0.0.1",
        encryption: Encryption = Encryption.REQUIRE,
    ) -> None:
        """``PREFER`` offers SRTP, and RTP to a peer that refuses it (488), as desk phones do whose SRTP is optional."""
        self.account = account
        self.when = When.RING
        self.mwi = MessageSummary()
        self.mwi_changed = asyncio.Event()
        self.incoming: asyncio.Queue[PhoneCall] = asyncio.Queue()
        self.ringing = asyncio.Event()
        self.endpoint = Endpoint(
            clock=SystemClock(),
            ids=SystemIds(),
            resolver=resolver or Resolver(),
            client_context=context,
            peer_names=peer_names,
        )
        self._policy = MediaPolicy(host=host, encryption=encryption)
        self._pool = Hop(transport=Transport.TLS, host=account.pool, port=account.port)
        self._calls = Calls(self.endpoint, contact=self._contact)
        self._calls.on_request = self._received
        self._user = account.address.partition("@")[0]
        self._cseq = 0
        self._call_ids = {"REGISTER": self.endpoint.ids.token(12), "SUBSCRIBE": self.endpoint.ids.token(12)}

    async def close(self) -> None:
        """Hang up everything and close the connection."""
        for leg in list(self._calls.legs.values()):
            await leg.hangup()
        await self.endpoint.close()

    async def register(self, *, expires_s: int = 300) -> None:
        """Register (0 unregisters). Raises :class:`PhoneError` with what the pool said."""
        domain = self.account.address.partition("@")[2]
        await self._send("REGISTER", f"sip:{domain}", (("Expires", str(expires_s)),))

    async def subscribe_mwi(self, *, expires_s: int = 300) -> None:
        """Subscribe to message waiting. Raises :class:`PhoneError` when that is refused."""
        headers = (
            ("Event", "message-summary"),
            ("Expires", str(expires_s)),
            ("Accept", "application/simple-message-summary"),
        )
        await self._send("SUBSCRIBE", f"sip:{self.account.address}", headers)

    async def wait_mwi(self, holds: Callable[[MessageSummary], bool], *, timeout_s: float = 20.0) -> MessageSummary:
        """Wait until message waiting is as wanted. Raises :class:`PhoneError` after the time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not holds(self.mwi):
                    self.mwi_changed.clear()
                    await self.mwi_changed.wait()
        except TimeoutError:
            raise PhoneError(f"message waiting did not change within {timeout_s:g} s; it shows {self.mwi}") from None
        return self.mwi

    def dial(self, number: str, *, headers: Iterable[tuple[str, str]] = ()) -> Attempt:
        """Begin to call a number or SIP address; wait for ``answered()``, or use :meth:`call`."""
        return self._place(self._target(number), self._policy, headers)

    def _place(self, target: str, policy: MediaPolicy, headers: Iterable[tuple[str, str]]) -> Attempt:
        return self._calls.place(
            uri=f"sip:{target}",
            from_=f"<sip:{self.account.address}>",
            target=self._pool,
            policy=policy,
            headers=headers,
            credentials=(self._user, self.account.secret),
        )

    async def call(self, number: str, *, headers: Iterable[tuple[str, str]] = ()) -> PhoneCall:
        """Call and wait for the answer. Raises :class:`tandem.call.errors.CallFailed`."""
        try:
            return PhoneCall(await self.dial(number, headers=headers).answered())
        except CallFailed as failed:
            if failed.status != 488 or self._policy.encryption is not Encryption.PREFER:
                raise
        plain = replace(self._policy, encryption=Encryption.REFUSE)
        return PhoneCall(await self._place(self._target(number), plain, headers).answered())

    def _target(self, number: str) -> str:
        return number if "@" in number else f"{number}@{self.account.address.partition('@')[2]}"

    # Inside

    def _contact(self, flow: Flow) -> str:
        return f"<sip:{self._user}@{flow.local[0]}:{flow.local[1]};transport=tls>"

    def _received(self, transaction: ServerTransaction) -> Handling:
        match transaction.request.method:
            case "INVITE":
                return self._called(transaction)
            case "NOTIFY":
                self._notified(transaction)
            case "OPTIONS":
                transaction.respond_with(200)
            case _:
                transaction.respond_with(405)
        return None

    def _called(self, transaction: ServerTransaction) -> Handling:
        if self.when is When.BUSY:
            transaction.respond_with(486)
            return None
        return self._ring(transaction)

    async def _ring(self, transaction: ServerTransaction) -> None:
        call = self._calls.incoming(transaction, self._policy)
        with contextlib.suppress(CallRefused):  # the call was refused with that status
            await call.ring()
            self.ringing.set()
            if self.when is When.ANSWER:
                self.incoming.put_nowait(PhoneCall(await call.answer()))
            else:
                await call.cancelled.wait()

    def _notified(self, transaction: ServerTransaction) -> None:
        try:
            self.mwi = parse_summary(transaction.request.body)
        except MalformedMessage:
            transaction.respond_with(400)
            return
        transaction.respond_with(200)
        self.mwi_changed.set()

    async def _send(self, method: str, uri: str, extra: tuple[tuple[str, str], ...]) -> Response:
        try:
            flow = await self.endpoint.flow_to(self._pool)
        except (OSError, TimeoutError) as error:
            raise PhoneError(f"{self.account.pool}:{self.account.port} cannot be reached by TLS: {error}") from None
        response = await self._exchange(method, uri, extra, flow)
        for challenge, answer in (("WWW-Authenticate", "Authorization"), ("Proxy-Authenticate", "Proxy-Authorization")):
            value = digest.answer(
                response.headers.all(challenge),
                username=self._user,
                secret=self.account.secret,
                method=method,
                uri=uri,
                cnonce=self.endpoint.ids.token(8),
            )
            if response.status in (401, 407) and value:
                response = await self._exchange(method, uri, (*extra, (answer, value)), flow)
        if response.status >= 300:
            raise PhoneError(f"{method} of {self.account.address} was refused: {response.status} {response.reason}")
        return response

    async def _exchange(self, method: str, uri: str, extra: tuple[tuple[str, str], ...], flow: Flow) -> Response:
        self._cseq += 1
        headers = Headers(
            [
                ("Max-Forwards", "70"),
                ("From", f"<sip:{self.account.address}>;tag={self.endpoint.ids.token(8)}"),
                ("To", f"<sip:{self.account.address}>"),
                ("Call-ID", self._call_ids[method]),
                ("CSeq", f"{self._cseq} {method}"),
                ("Contact", self._contact(flow)),
                *extra,
            ]
        )
        request = Request(method=method, uri=uri, headers=headers)
        return await (await self.endpoint.send(request, flow)).final()
