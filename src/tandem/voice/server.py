"""The voice server: registers phones, routes their calls, diverts to UM, passes message waiting on."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.directory import counts as directory_counts
from tandem.directory import objects as o
from tandem.directory.errors import DirectoryUnavailable
from tandem.directory.index import Connect
from tandem.sip.aio.endpoint import Endpoint, Flow, Handling, ServerTransaction, Target
from tandem.sip.errors import SdpError
from tandem.sip.headers import fields
from tandem.sip.headers.diversion import Reason
from tandem.sip.headers.params import tokens
from tandem.sip.message.message import Request, Response
from tandem.sip.sdp.description import parse_sdp
from tandem.voice import counts
from tandem.voice.config import VoiceConfig, VoiceDirectory, sip_of
from tandem.voice.mwi import Lamps
from tandem.voice.proxy.active import StandingCalls
from tandem.voice.proxy.identity import assert_identity, strip_trust
from tandem.voice.proxy.proxy import ProxiedCall, Routes, forward_in_dialog, forwarded
from tandem.voice.registrar.access import Access, is_own
from tandem.voice.registrar.location import Location
from tandem.voice.registrar.registrar import register
from tandem.voice.routing import decision as routing

_log = get_logger("voice")
FOLLOW_S = 1.0
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, INFO, UPDATE"
_REASONS = {408: Reason.NO_ANSWER, 486: Reason.USER_BUSY, 600: Reason.USER_BUSY, 603: Reason.DEFLECTION}


class VoiceServer:
    """Made with an endpoint that does not listen yet; :meth:`start`, then listen, then :meth:`stop`.

    ``lamps`` is the file in which the state of message waiting outlives a restart.
    """

    def __init__(
        self,
        *,
        fqdn: str,
        endpoint: Endpoint,
        connect: Connect,
        forest: str,
        clock: Clock,
        lamps: Path,
        port: int = 5061,
    ) -> None:
        self.config = VoiceConfig()
        self.freshness = directory_counts.Freshness(clock)
        self.also_check: dict[str, Callable[[], str]] = {"listening": endpoint.connections.deaf}
        self._endpoint = endpoint
        self._directory = VoiceDirectory(connect, fqdn, forest)
        self._clock = clock
        self._location = Location()
        self._access = Access(self._directory.index, clock, forest)
        self._routes = Routes(endpoint, endpoint.name, lambda: port)
        self._lamps = Lamps(
            endpoint,
            self._location,
            lambda: self.config,
            lambda: f"<sip:{endpoint.name}:{port};transport=tls>",
            lamps,
        )
        self._standing = StandingCalls()
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        endpoint.on_request = self._received
        endpoint.on_ack = self._acknowledged

    async def start(self) -> None:
        """Read the directory, and follow it from here on."""
        await self._follow_once()
        self._spawn(self._follow())

    def drain(self) -> None:
        """Take no more calls; phones stay registered, and calls that stand go on."""
        self._stopping = True

    async def idle(self) -> None:
        """Wait until no call stands."""
        await self._standing.none_left()

    async def stop(self) -> None:
        """End: connections are closed, calls go on between their peers until they need us."""
        self._stopping = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._endpoint.close()
        self._directory.index.close()

    def checks(self) -> dict[str, Callable[[], str]]:
        """What has to be well for calls to be taken: each says what is wrong, or nothing."""
        return {
            **self.also_check,
            "directory": self.freshness.problem,
            "pool": lambda: "" if self.config.pool is not None else "the directory has no pool for this server",
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
            um = "readable" if self.config.um_readable else "not readable (phase 7)"
            event(_log, logging.INFO, "voice.config", users=len(self.config.users), um=um)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(FOLLOW_S)
            try:
                await self._follow_once()
            except DirectoryUnavailable:
                directory_counts.failed.value += 1  # it was logged when it was lost
            except Exception as error:  # whatever it is, the snapshot at hand stays in force, and we go on following
                directory_counts.failed.value += 1
                event(_log, logging.ERROR, "voice.directory", error=error)

    # Requests

    def _received(self, transaction: ServerTransaction) -> Handling:
        request = transaction.request
        if unknown := tokens(request.headers.all("Proxy-Require")):  # RFC 3261 §16.3: we know of no such extension
            transaction.respond_with(420, headers=(("Unsupported", ", ".join(sorted(unknown))),))
            return None
        work = forwarded(request)
        target = self._routes.take(work)
        if fields.to_tag(request) and request.method != "SUBSCRIBE":
            return self._in_dialog(transaction, work, target)
        match request.method:
            case "OPTIONS" if self._stopping:  # whoever watches us by it sends calls elsewhere
                transaction.respond_with(503, headers=(("Retry-After", "30"),))
            case "OPTIONS":
                transaction.respond_with(200, headers=(("Allow", ALLOW),))
            case "NOTIFY":
                self._lamps.notified(transaction)
            case "REGISTER" | "SUBSCRIBE" | "INVITE":
                return self._from_phone(transaction, work)
            case _:
                transaction.respond_with(405, headers=(("Allow", ALLOW),))
        return None

    def _from_phone(self, transaction: ServerTransaction, work: Request) -> Handling:
        if self.config.pool is None or (self._stopping and transaction.request.method == "INVITE"):
            transaction.respond_with(503, headers=(("Retry-After", "30"),))
            return None
        user = self._access.authenticate(transaction, self.config)
        if user is None:
            return None
        caller = fields.from_(transaction.request).uri
        if not is_own(user, caller.user, caller.host):
            event(_log, logging.WARNING, "voice.foreign_identity", account=user.account, claimed=str(caller))
            transaction.respond_with(403, headers=(fields.warning("an account calls as itself only"),))
            return None
        match transaction.request.method:
            case "REGISTER":
                register(transaction, user, self._location, self._clock)
            case "SUBSCRIBE":
                self._lamps.subscribed(transaction, user)
            case _:
                return self._counted(transaction, work, user)
        return None

    def _in_dialog(self, transaction: ServerTransaction, work: Request, target: Target | None) -> Handling:
        """Send it where our token in its route says; without one it belongs to no dialog that goes through us."""
        if target is None:
            transaction.respond_with(481)
            return None
        strip_trust(work)
        if work.method == "BYE":
            self._standing.ended(fields.call_id(work))
        return forward_in_dialog(self._endpoint, transaction, work, target)

    def _acknowledged(self, request: Request, flow: Flow) -> None:
        work = forwarded(request)
        if (target := self._routes.take(work)) is not None:
            self._spawn(self._endpoint.send_ack(work, target))

    # Calls

    async def _counted(self, transaction: ServerTransaction, work: Request, caller: o.User) -> None:
        counts.calls.value += 1
        try:
            await self._invite(transaction, work, caller)
        finally:
            counts.calls.value -= 1

    async def _invite(self, transaction: ServerTransaction, work: Request, caller: o.User) -> None:
        if (why := self._unencrypted(work)) is not None:
            transaction.respond_with(488, headers=(fields.warning(why),))
            return
        transaction.respond_with(100)
        strip_trust(work)
        assert_identity(work, caller)
        decision = routing.decide(self.config, caller=caller, called=fields.parse_uri(work.uri))
        call = ProxiedCall(self._endpoint, self._routes, transaction, work)
        call.on_answered = lambda: self._standing.begun(fields.call_id(work), transaction.flow)
        counts.decided.of(type(decision).__name__).value += 1
        event(
            _log,
            logging.INFO,
            "voice.call",
            call=fields.call_id(work),
            caller=sip_of(caller),
            dialled=work.uri,
            decision=type(decision).__name__,
            why="; ".join(decision.trace),
        )
        match decision:
            case routing.Reject():
                call.finish(decision.status, fields.warning(decision.why))
            case routing.CallUM():
                servers = self._servers(decision.dial_plan)
                self._end(call, await call.call_um(servers, decision.dial_plan.name))
            case routing.RingUser():
                await self._ring(call, decision.user)

    async def _ring(self, call: ProxiedCall, user: o.User) -> None:
        bindings = self._location.of(sip_of(user), self._clock.now())
        ring_s = float(self.config.pool.ring_s) if self.config.pool else 20.0
        refusal = await call.ring(bindings, ring_s) if bindings else Response(status=480)
        if refusal is None or call.over:
            return
        plan = self.config.um_dial_plan_of(user)
        servers = self._servers(plan) if plan else ()
        if plan is None or not servers:
            why = self._why_no_um(user, plan)
            counts.no_um.value += 1
            event(_log, logging.WARNING, "voice.no_um", user=sip_of(user), why=why)
            call.finish(refusal.status if refusal.status != 408 else 480, fields.warning(why))
            return
        reason = _REASONS.get(refusal.status, Reason.UNAVAILABLE)
        counts.diverted.of(reason.value).value += 1
        event(_log, logging.INFO, "voice.divert", user=sip_of(user), reason=reason, dial_plan=plan.name)
        self._end(call, await call.divert(user, reason, servers, plan.name))

    def _why_no_um(self, user: o.User, plan: o.UMDialPlan | None) -> str:
        if not self.config.um_readable:
            return "15030: no UM object can be read here; exchucutil (phase 7) grants that"
        if plan is None:
            return f"{sip_of(user)} is not enabled for UM in a dial plan that is known here"
        return f"no UM server is in UM dial plan {plan.name} (phase 5)"

    def _end(self, call: ProxiedCall, refusal: Response | None) -> None:
        if refusal is not None and not call.over:
            call.finish(480 if refusal.status in (408, 503) else refusal, fields.warning("UM did not take the call"))

    def _servers(self, plan: o.UMDialPlan) -> tuple[o.MessagingServer, ...]:
        """The UM servers of a dial plan, beginning with another one at each call."""
        servers = self.config.um_servers.get(plan.name, ())
        if not servers:
            return ()
        self._turn = (self._turn + 1) % len(servers)
        return servers[self._turn :] + servers[: self._turn]

    def _unencrypted(self, request: Request) -> str | None:
        """Why a pool that requires encryption cannot take this offer."""
        if self.config.pool is None or self.config.pool.media_encryption != "RequireEncryption" or not request.body:
            return None
        try:
            audio = parse_sdp(request.body).audio
        except SdpError as error:
            return str(error)
        return None if audio is not None and audio.secure else "this pool requires SRTP (RTP/SAVP)"

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned_done)

    def _spawned_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("voice.defect", exc_info=error)
