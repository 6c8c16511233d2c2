"""The dialogs that provisional responses to an INVITE of ours begin, one for each phone that a proxy rings.

Reliable provisional responses get their PRACK (RFC 3262); what they say about media is agreed on before the answer.
"""

import logging
from collections.abc import Callable

from tandem.call.host import CallHost
from tandem.call.leg import CallLeg
from tandem.call.link import Credentials, Link
from tandem.call.negotiation import Negotiation
from tandem.core.log import event, get_logger
from tandem.sip.aio.flow import Flow
from tandem.sip.errors import IncompatibleMedia, MalformedMessage, SdpError
from tandem.sip.headers import fields
from tandem.sip.machines.dialog import Dialog, DialogState
from tandem.sip.machines.reliable import ReliableReceiver, is_reliable
from tandem.sip.message.body import description_of
from tandem.sip.message.message import Request, Response

_log = get_logger("call")


class EarlyDialogs:
    """Of one attempt. ``negotiation`` made the offer that all of them answer, if ``offers``; ``give_up`` cancels the INVITE."""

    def __init__(
        self,
        calls: CallHost,
        negotiation: Negotiation,
        *,
        credentials: Credentials | None,
        offers: bool,
        give_up: Callable[[], None],
    ) -> None:
        self.legs: dict[str, CallLeg] = {}
        """By their To tag."""
        self.previews: dict[str, bytes] = {}
        """Descriptions of plain provisional responses, by To tag: the answer if the 2xx has none."""
        self.negotiation = negotiation
        self._calls = calls
        self._credentials = credentials
        self._offers = offers
        self._give_up = give_up
        self._receivers: dict[str, ReliableReceiver] = {}

    def provisional(self, request: Request, response: Response, flow: Flow) -> CallLeg | None:
        """Take a provisional response; returns its leg, or ``None`` if it makes no dialog."""
        try:
            tag = fields.to_tag(response)
            leg = self.legs.get(tag) or self.begin(request, response, flow)
        except MalformedMessage:
            return None  # without Contact or tag it makes no dialog; it rings all the same
        if response.status == 199:  # RFC 6228: this early dialog has ended
            self.legs.pop(tag).discard()
            return None
        try:
            rack = self._receivers.setdefault(tag, ReliableReceiver()).received(response)
        except MalformedMessage:
            return leg  # an RSeq that is no number: there is nothing that a PRACK could name
        if rack is None and is_reliable(response):
            return leg  # again, or before its turn
        try:
            answer = self._early_media(leg, tag, response, reliable=rack is not None)
        except (SdpError, IncompatibleMedia) as error:
            event(_log, logging.WARNING, "call.no_agreement", call=leg.dialog.call_id, why=error)
            answer = b""
            self._give_up()
        if rack is not None:
            leg.spawn(_prack(leg, rack.value(), answer))
        return leg

    def _early_media(self, leg: CallLeg, tag: str, response: Response, *, reliable: bool) -> bytes:
        """Take what a provisional response says about media; returns the answer for its PRACK, if it held an offer."""
        if not (body := description_of(response)):
            return b""
        if not self._offers:
            return leg.negotiation.answer(body) if reliable and leg.negotiation.theirs is None else b""
        if reliable:
            leg.negotiation.accept(body)
        elif leg.negotiation.theirs is None:
            leg.negotiation.preview(body)
            self.previews[tag] = body
        return b""

    def begin(self, request: Request, response: Response, flow: Flow) -> CallLeg:
        """A dialog of this call, early or answered."""
        dialog = Dialog.from_uac(request, response)
        contact = self._calls.contact(flow)
        link = Link(self._calls.endpoint, dialog, flow, contact, self._credentials)
        leg = CallLeg(link, self.negotiation.fork())
        leg.owns_media = False
        leg.give_up = self._give_up
        leg.began(response)
        self.legs[dialog.key[2]] = leg
        self._calls.keep(leg)
        return leg

    def close(self) -> None:
        """The attempt is over."""
        self.drop()
        self._give_up = _nothing  # what points back at the attempt would keep both for the garbage collector

    def drop(self) -> None:
        """None of them was answered, or another one."""
        for leg in self.legs.values():
            if leg.dialog.state is DialogState.EARLY:
                leg.discard()
            else:  # we stopped waiting while it was being acknowledged
                self._calls.spawn(leg.hangup())
        self.legs.clear()
        self._receivers.clear()
        self.previews.clear()


async def _prack(leg: CallLeg, rack: str, answer: bytes) -> None:
    await leg.request("PRACK", headers=(("RAck", rack),), body=answer)


def _nothing() -> None:
    pass
