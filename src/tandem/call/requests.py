"""Requests of the peer's within a call: the table says which method is served by what.

A request that cannot be served is refused, and what was agreed on before stays in force. In a bridge the other peer is asked
before an offer is answered, and gets what the table of relayed methods names.
"""

import contextlib
from collections.abc import Callable, Iterator

from tandem.call.errors import CallFailed
from tandem.call.leg import CallLeg
from tandem.call.negotiation import CONTENT_TYPE, direction_of
from tandem.call.reoffer import ALLOW, SUPPORTED, OtherSide
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import DialogError, IncompatibleMedia, OutOfTurn, SdpError
from tandem.sip.headers import fields
from tandem.sip.headers.dtmf import read_dtmf
from tandem.sip.machines import sessiontimer
from tandem.sip.machines.dialog import DialogState
from tandem.sip.machines.offeranswer import Offer
from tandem.sip.message.body import description_of
from tandem.sip.message.message import Request, Response, response_to
from tandem.sip.sdp.description import parse_sdp

RELAYED = frozenset({"INFO", "REFER", "NOTIFY", "MESSAGE"})
"""Methods that the other side of a bridge is asked to pass on."""


def serve(leg: CallLeg, transaction: ServerTransaction) -> Handling:
    """Serve one request."""
    with _refusing(transaction):
        leg.dialog.check(transaction.request)
        served = SERVED.get(transaction.request.method)
        if served is None:
            transaction.respond_with(405, headers=(("Allow", ALLOW),))
        elif leg.ended.done() and transaction.request.method != "BYE":
            transaction.respond_with(481)
        elif leg.other_side is not None and transaction.request.method in RELAYED:
            return _relay(leg, leg.other_side, transaction)
        elif leg.other_side is not None and _changes_direction(leg, transaction.request):
            return _ask_other_side(leg, leg.other_side, transaction)
        else:
            served(leg, transaction)
    return None


@contextlib.contextmanager
def _refusing(transaction: ServerTransaction) -> Iterator[None]:
    try:
        yield
    except DialogError as error:
        transaction.respond_with(error.status, headers=(*error.headers, fields.warning(str(error))))
    except SdpError as error:
        transaction.respond_with(400, headers=(fields.warning(str(error)),))
    except IncompatibleMedia as error:
        transaction.respond_with(488, headers=(fields.warning(str(error)),))


def answer_with(transaction: ServerTransaction, contact: str, body: bytes, session: list[tuple[str, str]]) -> Response:
    """A 200 that says who we are, what we can, and, if there is one, our description."""
    response = response_to(transaction.request, 200, to_tag=transaction.to_tag)
    for name, value in (("Contact", contact), ("Allow", ALLOW), ("Supported", SUPPORTED), *session):
        response.headers.add(name, value)
    if body:
        response.headers.add("Content-Type", CONTENT_TYPE)
        response.body = body
    return response


def _changes_direction(leg: CallLeg, request: Request) -> bool:
    """Whether a request has an offer that the other peer must know of: a hold, or its end."""
    if request.method not in ("INVITE", "UPDATE") or leg.dialog.state is not DialogState.CONFIRMED:
        return False
    if not (offer := description_of(request)):
        return False
    offered, theirs = parse_sdp(offer).audio, leg.negotiation.theirs
    return offered is not None and theirs is not None and direction_of(offered) != direction_of(theirs)


async def _ask_other_side(leg: CallLeg, other: OtherSide, transaction: ServerTransaction) -> None:
    """Answer an offer as the other peer answers it."""
    request, negotiation = transaction.request, leg.negotiation
    transaction.on_cancel = _nothing  # the answer is near: the other peer has been asked already
    invite = request.method == "INVITE"
    with _refusing(transaction):
        if invite:
            negotiation.offer_answer.invite_received()
        try:
            session, interval = sessiontimer.grant(request)
            body = await _composed(leg, other, description_of(request))
        except BaseException:
            if invite:
                negotiation.offer_answer.invite_done()
            raise
        leg.link.refresh_target(request)
        response = answer_with(transaction, leg.link.contact, body, session)
        if invite:
            leg.answered(transaction, response, interval)
        else:
            transaction.respond(response)
            leg.set_session(interval)


async def _composed(leg: CallLeg, other: OtherSide, offer: bytes) -> bytes:
    negotiation = leg.negotiation
    theirs = negotiation.take_offer(offer)
    try:
        direction = await other.reoffered(direction_of(theirs))
        if leg.is_over:
            raise DialogError("the call has ended", status=487)
    except CallFailed as failed:
        negotiation.refuse_offer()
        raise DialogError(failed.reason, status=failed.status) from None
    except OutOfTurn as error:
        negotiation.refuse_offer()
        raise DialogError(str(error), status=491) from None
    except BaseException:
        negotiation.refuse_offer()
        raise
    negotiation.direction = direction
    return negotiation.answer_offer()


async def _relay(leg: CallLeg, other: OtherSide, transaction: ServerTransaction) -> None:
    with _refusing(transaction):
        response = await other.relayed(transaction.request)
        if response is None:
            SERVED[transaction.request.method](leg, transaction)
        else:
            transaction.respond_with(response.status, response.reason)


def _nothing() -> None:
    pass


def _invite(leg: CallLeg, transaction: ServerTransaction) -> None:
    request, offer_answer = transaction.request, leg.negotiation.offer_answer
    if leg.dialog.state is not DialogState.CONFIRMED:
        raise DialogError("the call is not answered yet", status=491)
    offer_answer.invite_received()
    try:
        session, interval = sessiontimer.grant(request)
        offer = description_of(request)
        body = leg.negotiation.answer(offer) if offer else leg.negotiation.offer(whole=True)
    except BaseException:
        offer_answer.invite_done()
        raise
    leg.link.refresh_target(request)
    leg.answered(transaction, answer_with(transaction, leg.link.contact, body, session), interval)


def _update(leg: CallLeg, transaction: ServerTransaction) -> None:
    request = transaction.request
    session, interval = sessiontimer.grant(request)
    offer = description_of(request)
    body = leg.negotiation.answer(offer) if offer else b""
    leg.link.refresh_target(request)
    transaction.respond(answer_with(transaction, leg.link.contact, body, session))
    if leg.dialog.state is DialogState.CONFIRMED:
        leg.set_session(interval)


def _prack(leg: CallLeg, transaction: ServerTransaction) -> None:
    if not leg.resending.is_reliable:
        raise DialogError("no provisional response of this call wants a PRACK", status=481)
    leg.pracked(transaction.request)
    body, answer = description_of(transaction.request), b""
    if leg.negotiation.offer_answer.state is Offer.OURS:
        leg.negotiation.accept(body)
    elif body:
        answer = leg.negotiation.answer(body)
    kind = (("Content-Type", CONTENT_TYPE),) if answer else ()
    transaction.respond_with(200, headers=kind, body=answer)


def _bye(leg: CallLeg, transaction: ServerTransaction) -> None:
    transaction.respond_with(200)
    leg.remote_bye()


def _info(leg: CallLeg, transaction: ServerTransaction) -> None:
    digit = read_dtmf(transaction.request)
    transaction.respond_with(200)
    if digit:
        leg.negotiation.media.on_digit(digit)


def _options(leg: CallLeg, transaction: ServerTransaction) -> None:
    said = (("Allow", ALLOW), ("Accept", CONTENT_TYPE), ("Supported", SUPPORTED))
    transaction.respond_with(200, headers=said)


def _refer(leg: CallLeg, transaction: ServerTransaction) -> None:
    if leg.on_refer is None:
        raise DialogError("calls are not transferred here", status=603)
    leg.on_refer(transaction)


def _notify(leg: CallLeg, transaction: ServerTransaction) -> None:
    if leg.on_notify is None:
        raise DialogError("there is no such subscription", status=481)
    leg.on_notify(transaction)


SERVED: dict[str, Callable[[CallLeg, ServerTransaction], None]] = {
    "INVITE": _invite,
    "UPDATE": _update,
    "PRACK": _prack,
    "BYE": _bye,
    "INFO": _info,
    "OPTIONS": _options,
    "REFER": _refer,
    "NOTIFY": _notify,
}
