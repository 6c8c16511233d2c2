"""Requests of the peer's within a call: the table says which method is served by what.

Whatever a request says that cannot be, it is answered, and what stood before stands on.
"""

from collections.abc import Callable

from tandem.call.leg import CallLeg
from tandem.call.negotiation import CONTENT_TYPE
from tandem.call.reoffer import ALLOW, SUPPORTED
from tandem.sip.aio.endpoint import ServerTransaction
from tandem.sip.errors import DialogError, IncompatibleMedia, SdpError
from tandem.sip.headers import fields
from tandem.sip.machines import sessiontimer
from tandem.sip.machines.dialog import DialogState
from tandem.sip.machines.offeranswer import Offer
from tandem.sip.message.message import Response, response_to


def serve(leg: CallLeg, transaction: ServerTransaction) -> None:
    """Serve one request."""
    try:
        leg.dialog.check(transaction.request)
        served = SERVED.get(transaction.request.method)
        if served is None:
            transaction.respond_with(405, headers=(("Allow", ALLOW),))
        elif leg.ended.done() and transaction.request.method != "BYE":
            transaction.respond_with(481)
        else:
            served(leg, transaction)
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


def _invite(leg: CallLeg, transaction: ServerTransaction) -> None:
    request, offer_answer = transaction.request, leg.negotiation.offer_answer
    if leg.dialog.state is not DialogState.CONFIRMED:
        raise DialogError("the call is not answered yet", status=491)
    offer_answer.invite_received()
    try:
        session, interval = sessiontimer.grant(request)
        body = leg.negotiation.answer(request.body) if request.body else leg.negotiation.offer(anew=True)
    except BaseException:
        offer_answer.invite_done()
        raise
    leg.link.refresh_target(request)
    leg.answered(transaction, answer_with(transaction, leg.link.contact, body, session), interval)


def _update(leg: CallLeg, transaction: ServerTransaction) -> None:
    request = transaction.request
    session, interval = sessiontimer.grant(request)
    body = leg.negotiation.answer(request.body) if request.body else b""
    leg.link.refresh_target(request)
    transaction.respond(answer_with(transaction, leg.link.contact, body, session))
    if leg.dialog.state is DialogState.CONFIRMED:
        leg.set_session(interval)


def _prack(leg: CallLeg, transaction: ServerTransaction) -> None:
    if leg.reliable is None:
        raise DialogError("no provisional response of this call wants a PRACK", status=481)
    leg.pracked(transaction.request)
    body, answer = transaction.request.body, b""
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
    transaction.respond_with(200)
    leg.on_info(transaction.request)


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
