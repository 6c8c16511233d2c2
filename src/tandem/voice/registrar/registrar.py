"""The registrar (RFC 3261 §10): phones tell where they are, over the connection that they stay on.

With Path (RFC 3327) requests go back through the proxies that a registration came by; with ``+sip.instance`` and ``reg-id``
(RFC 5626) a phone that comes back takes its own place. Left out: GRUU (RFC 5627), the order of CSeq among registrations of one
Call-ID (a phone waits for its answer before it registers again).
"""

import logging

from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.headers.address import SipAddress
from tandem.sip.headers.via import vias
from tandem.sip.message.grammar import quoted
from tandem.sip.message.message import Request
from tandem.voice import counts
from tandem.voice.config import sip_of
from tandem.voice.registrar.authentication import is_own
from tandem.voice.registrar.location import MAX_BINDINGS, Binding, Location

_log = get_logger("voice")
DEFAULT_S, SHORTEST_S, LONGEST_S = 3600, 30, 3600
"""Seconds that a registration lives: without a wish, at least, at most."""
WITHOUT_OUTBOUND_S = 600
"""At most for a phone that does not speak outbound: whether its connection lasts it learns only by registering again."""
FLOW_TIMER_S = 120
"""How often a phone that speaks outbound is to send its keep-alives (RFC 5626 §5.4); well within the idle time-out."""
_MAX_PATH, _MAX_REG_ID = 8, 2**31


def register(transaction: ServerTransaction, user: o.User, location: Location, clock: Clock) -> None:
    """Carry out an authenticated REGISTER and answer it."""
    request = transaction.request
    to = fields.to(request).uri
    if not is_own(user, to.user, to.host):
        transaction.respond_with(403)
        return
    address, now = sip_of(user), clock.now()
    default = fields.number(request.headers.get("Expires"), default=DEFAULT_S)
    values = request.headers.all("Contact")
    if everything := [v.strip() for v in values] == ["*"]:
        values = []
    if sum(len(fields.split_list(value)) for value in values) > MAX_BINDINGS:
        transaction.respond_with(403, headers=(fields.warning(f"at most {MAX_BINDINGS} contacts are taken"),))
        return
    contacts = fields.addresses(values)
    wishes = [(c, fields.number(c.parameters.get("expires"), default=default)) for c in contacts]
    path = tuple(fields.paths(request))
    if refusal := _refusal(request, wishes, path, everything=everything, default=default):
        status, *headers = refusal
        transaction.respond_with(status, headers=tuple(headers))
        return
    longest = LONGEST_S if _wants_outbound(request, wishes) else WITHOUT_OUTBOUND_S
    # All that could raise comes before all that changes something.
    bindings = [(_binding(contact, transaction, path, now + min(wish, longest)), wish) for contact, wish in wishes]
    if everything:
        location.unbind(address)
    for binding, wish in bindings:
        if wish == 0:
            location.unbind(address, binding.contact)
            counts.unbound.value += 1
        else:
            location.bind(address, binding, now)
            counts.bound.value += 1
    if wishes:
        event(
            _log,
            logging.INFO,
            "voice.register",
            user=address,
            source=transaction.flow.remote[0],
            contacts=len(wishes),
            expires=max(wish for _, wish in wishes),
        )
    held = location.of(address, now)
    transaction.respond_with(200, headers=(*(("Contact", _contact(b, now)) for b in held), *_outbound(request, wishes)))


def _refusal(
    request: Request,
    wishes: list[tuple[SipAddress, int]],
    path: tuple[str, ...],
    *,
    everything: bool,
    default: int,
) -> tuple[int, *tuple[tuple[str, str], ...]] | None:
    """Status and headers of the refusal of a REGISTER that asks for what cannot be."""
    if (everything and default != 0) or len(path) > _MAX_PATH:
        return (400,)
    if any(0 < wish < SHORTEST_S for _, wish in wishes):
        return 423, ("Min-Expires", str(SHORTEST_S))
    # RFC 5626 §6: through a proxy that does not keep the flow, the flow cannot be used.
    through_proxy = len(vias(request)) > 1
    if _wants_outbound(request, wishes) and through_proxy and not (path and ";ob" in path[-1]):
        return (439,)
    return None


def _binding(contact: SipAddress, transaction: ServerTransaction, path: tuple[str, ...], expires_at: float) -> Binding:
    return Binding(
        contact=str(contact.uri),
        flow=transaction.flow,
        expires_at=expires_at,
        instance=(contact.parameters.get("+sip.instance") or "")[:128],
        reg_id=fields.number(contact.parameters.get("reg-id"), default=0, most=_MAX_REG_ID),
        path=path,
    )


def _contact(binding: Binding, now: float) -> str:
    shown = f"<{binding.contact}>;expires={round(binding.expires_at - now)}"
    if binding.instance:
        shown += f";+sip.instance={quoted(binding.instance)}"
    return f"{shown};reg-id={binding.reg_id}" if binding.instance and binding.reg_id else shown


def _wants_outbound(request: Request, wishes: list[tuple[SipAddress, int]]) -> bool:
    supported = {each.strip().lower() for line in request.headers.all("Supported") for each in line.split(",")}
    return "outbound" in supported and any("reg-id" in contact.parameters for contact, _ in wishes)


def _outbound(request: Request, wishes: list[tuple[SipAddress, int]]) -> tuple[tuple[str, str], ...]:
    """What the answer says to a phone that speaks outbound, and the Path as it came."""
    path = tuple(("Path", value) for value in request.headers.all("Path"))
    if not _wants_outbound(request, wishes):
        return path
    return (*path, ("Require", "outbound"), ("Flow-Timer", str(FLOW_TIMER_S)))
