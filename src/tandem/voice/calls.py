"""What becomes of a phone's INVITE: a decision by the routing rules, then phones that ring, UM, or a refusal."""

import logging
from collections.abc import Callable

from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow
from tandem.sip.aio.sockets import is_address
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.headers.diversion import Reason
from tandem.sip.headers.uri import URI, parse_uri
from tandem.sip.message.message import Request, Response
from tandem.voice import counts
from tandem.voice.config import VoiceConfig, sip_of, takes_calls
from tandem.voice.proxy import encryption
from tandem.voice.proxy.active import ActiveCalls
from tandem.voice.proxy.identity import assert_identity, strip_trust
from tandem.voice.proxy.proxy import ProxiedCall
from tandem.voice.proxy.routes import Routes
from tandem.voice.registrar.location import Location
from tandem.voice.routing import decision as routing

_log = get_logger("voice")
_REASONS = {408: Reason.NO_ANSWER, 486: Reason.USER_BUSY, 600: Reason.USER_BUSY, 603: Reason.DEFLECTION}
NO_SIPS = ("Warning", '380 tandem "SIPS Not Allowed; call the sip address, all of it is by TLS where the phones are"')
"""RFC 5630 §5.4: media servers and phones that registered by sip: cannot be called by sips:, so the caller is to try sip:."""
RING_S = 20.0
"""Seconds that phones ring where the directory has no pool for this server (any more)."""


class CallSetup:
    """Sets up calls of authenticated phones by the configuration that is in force."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        routes: Routes,
        location: Location,
        config: Callable[[], VoiceConfig],
        clock: Clock,
        active: ActiveCalls,
        guard: encryption.EncryptionGuard,
    ) -> None:
        self._endpoint = endpoint
        self._routes = routes
        self._location = location
        self._config = config
        self._clock = clock
        self._active = active
        self._guard = guard
        self._turn = 0

    async def run(self, transaction: ServerTransaction, work: Request, caller: o.User) -> None:
        """Set up one call; ``work`` is the INVITE as it is forwarded. Ends when it is answered, refused or given up."""
        counts.calls.value += 1
        try:
            await self._run(transaction, work, caller)
        finally:
            counts.calls.value -= 1

    async def _run(self, transaction: ServerTransaction, work: Request, caller: o.User) -> None:
        config = self._config()
        called = parse_uri(work.uri)
        if called.scheme == "sips":
            transaction.respond_with(480, headers=(NO_SIPS,))
            return
        required = encryption.required(config)
        if required and (why := encryption.why_plain_offer(work)) is not None:
            transaction.respond_with(488, headers=(fields.warning(why),))
            return
        transaction.respond_with(100)
        strip_trust(work)
        assert_identity(work, caller)
        decision = self._phone_at(called, transaction.flow) or routing.decide(config, caller=caller, called=called)
        side = self._routes.caller(sip_of(caller), work, transaction.flow, self._clock.now())
        guard = self._guard if required else None
        call = ProxiedCall(self._endpoint, self._routes, transaction, work, caller=side, guard=guard)
        call.on_answered = lambda: self._active.begun(fields.call_id(work), transaction.flow)
        name = type(decision).__name__
        counts.decided.of(name).value += 1
        event(
            _log,
            logging.INFO,
            "voice.call",
            call=fields.call_id(work),
            caller=sip_of(caller),
            dialled=work.uri,
            decision=name,
            why="; ".join(decision.trace),
        )
        match decision:
            case routing.Reject():
                call.finish(decision.status, fields.warning(decision.why))
            case routing.CallUM():
                servers = self._servers(decision.dial_plan)
                call.um_hosts = self._hosts(decision.dial_plan)
                _end(call, await call.call_um(servers, decision.dial_plan.name), decision.contact.display_name)
            case routing.RingPhone():
                await self._ring_phone(call, decision)
            case routing.RingUser():
                await self._ring(call, decision.user)

    def _phone_at(self, called: URI, flow: Flow) -> routing.RingPhone | None:
        """The one phone that a registered contact names, as phones write it into Refer-To when they transfer a call.

        Only an address with a port counts, and not where we listen: what a phone registers must not catch other calls.
        """
        host = called.host.strip("[]")
        if called.port is None or not is_address(host) or self._routes.is_here(host, called.port, flow):
            return None
        found = self._location.phone_at(called, self._clock.now())
        if found is None:
            return None
        address, binding = found
        user = self._config().users.get(address)
        why = f"{called} is a contact that {address} registered"
        return None if user is None else routing.RingPhone(user=user, contact=binding.contact, trace=(why,))

    async def _ring_phone(self, call: ProxiedCall, decision: routing.RingPhone) -> None:
        """Ring one phone of a user; its refusal is the answer, since it was wanted by name."""
        address = sip_of(decision.user)
        found = [b for b in self._location.of(address, self._clock.now()) if b.contact == decision.contact]
        refusal = await call.ring(address, found, self._ring_s()) if found else Response(status=480)
        if refusal is not None and not call.over:
            call.finish(_told(refusal.status))

    def _ring_s(self) -> float:
        pool = self._config().pool
        return float(pool.ring_s) if pool else RING_S

    async def _ring(self, call: ProxiedCall, user: o.User) -> None:
        bindings = self._location.of(sip_of(user), self._clock.now())
        refusal = await call.ring(sip_of(user), bindings, self._ring_s()) if bindings else Response(status=480)
        if refusal is None or call.over:
            return
        plan = self._config().um_dial_plan_of(user)
        servers = self._servers(plan) if plan else ()
        if plan is None or not servers:
            why = _why_no_um(self._config(), user, plan)
            if user.um_enabled:
                _no_um(sip_of(user), why)
            call.finish(_told(refusal.status), fields.warning(why))
            return
        reason = _reason(refusal.status)
        counts.diverted.of(reason.value).value += 1
        event(_log, logging.INFO, "voice.divert", user=sip_of(user), reason=reason, dial_plan=plan.name)
        call.um_hosts = self._hosts(plan)
        _end(call, await call.divert(user, reason, servers, plan.name), sip_of(user))

    def _hosts(self, plan: o.UMDialPlan) -> frozenset[str]:
        """Where a UM server of a dial plan may redirect a call: to the servers of the same dial plan."""
        return frozenset(server.fqdn.lower() for server in self._config().um_servers.get(plan.name, ()))

    def _servers(self, plan: o.UMDialPlan) -> tuple[o.MessagingServer, ...]:
        """The UM servers of a dial plan that calls begin at, with another one first at each call."""
        servers = tuple(filter(takes_calls, self._config().um_servers.get(plan.name, ())))
        if not servers:
            return ()
        self._turn = (self._turn + 1) % len(servers)
        return servers[self._turn :] + servers[: self._turn]


def _end(call: ProxiedCall, refusal: Response | None, called: str) -> None:
    """UM is over with a call: what it refused is told, and counted as a call that had to go to UM and could not."""
    if refusal is None or call.over:
        return
    _no_um(called, f"every UM server failed or refused, the last one with {refusal.status}")
    told = _told(refusal.status)
    call.finish(refusal if told == refusal.status else told, fields.warning("UM did not take the call"))


def _no_um(called: str, why: str) -> None:
    counts.no_um.value += 1
    event(_log, logging.ERROR, "voice.no_um", called=called, why=why)


def _reason(status: int) -> Reason:
    """Why a call goes to UM (RFC 5806): a phone that sends it elsewhere deflects it. Where to is not followed yet."""
    return Reason.DEFLECTION if 300 <= status < 400 else _REASONS.get(status, Reason.UNAVAILABLE)


def _told(status: int) -> int:
    """What a caller is told of a refusal: what a phone says to us alone (redirections, challenges, no answer) is 480."""
    return 480 if 300 <= status < 400 or status in (401, 407, 408, 503) else status


def _why_no_um(config: VoiceConfig, user: o.User, plan: o.UMDialPlan | None) -> str:
    if not config.um_readable:
        return "15030: no UM object can be read here; exchucutil (phase 7) grants that"
    if plan is None:
        return f"{sip_of(user)} is not enabled for UM in a dial plan that is known here"
    return f"no UM server is in UM dial plan {plan.name} (phase 5)"
