"""The registrar (RFC 3261 §10): phones tell where they are, over the connection that they stay on."""

import logging

from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.sip import fields
from tandem.sip.aio.endpoint import ServerTransaction
from tandem.voice import counts
from tandem.voice.access import is_own
from tandem.voice.config import sip_of
from tandem.voice.location import Binding, Location

_log = get_logger("voice")
DEFAULT_S, SHORTEST_S, LONGEST_S = 3600, 30, 3600
"""Seconds that a registration lives: without a wish, at least, at most."""


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
    if [v.strip() for v in values] == ["*"]:
        location.unbind(address)
        values = []
    contacts = fields.addresses(values)
    wishes = [(c, fields.number(c.parameters.get("expires"), default=default)) for c in contacts]
    if any(0 < wish < SHORTEST_S for _, wish in wishes):
        transaction.respond_with(423, headers=(("Min-Expires", str(SHORTEST_S)),))
        return
    for contact, wish in wishes:
        text = str(contact.uri)
        if wish == 0:
            location.unbind(address, text)
            counts.unbound.value += 1
        else:
            life = min(wish, LONGEST_S)
            location.bind(address, Binding(contact=text, flow=transaction.flow, expires_at=now + life))
            counts.bound.value += 1
        event(_log, logging.INFO, "voice.register", user=address, source=transaction.flow.remote[0], expires=wish)
    held = location.of(address, now)
    transaction.respond_with(
        200, headers=tuple(("Contact", f"<{b.contact}>;expires={round(b.expires_at - now)}") for b in held)
    )
