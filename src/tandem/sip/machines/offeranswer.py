"""Whose turn it is: offers and answers (RFC 3264, 3262 §5, 3311 §5) and INVITEs (RFC 3261 §14) within one dialog.

An offer needs its answer before the next one, in whatever messages the two travel; and one INVITE is under way at a time,
in either direction. The rules are the table below: (state, input) -> next state. What the table does not have is out of
turn: an offer of the peer's is then refused (491 where ours is under way: both sides try again, after times that differ;
500 with Retry-After where theirs is), and one of ours is a mistake of the caller's.
"""

from enum import Enum, auto

from tandem.sip.errors import DialogError, OutOfTurn


class Offer(Enum):
    """The state: which offer waits for its answer."""

    NONE = auto()
    OURS = auto()
    THEIRS = auto()


class Step(Enum):
    """The inputs."""

    OFFER_SENT = auto()
    OFFER_RECEIVED = auto()
    ANSWER_SENT = auto()
    ANSWER_RECEIVED = auto()
    WITHDRAWN = auto()  # the message that held the offer was refused, or came to nothing


TABLE: dict[tuple[Offer, Step], Offer] = {
    (Offer.NONE, Step.OFFER_SENT): Offer.OURS,
    (Offer.NONE, Step.OFFER_RECEIVED): Offer.THEIRS,
    (Offer.OURS, Step.ANSWER_RECEIVED): Offer.NONE,
    (Offer.OURS, Step.WITHDRAWN): Offer.NONE,
    (Offer.THEIRS, Step.ANSWER_SENT): Offer.NONE,
    (Offer.THEIRS, Step.WITHDRAWN): Offer.NONE,
    (Offer.NONE, Step.WITHDRAWN): Offer.NONE,
}
RETRY_AFTER_S = 2
"""Seconds told in a 500 (RFC 3261 §14.2 asks for a random time of 0 to 10; the peer's own clocks are random enough)."""


class OfferAnswer:
    """The turns of one dialog."""

    __slots__ = ("invite", "state")

    def __init__(self) -> None:
        self.state = Offer.NONE
        self.invite = Offer.NONE
        """Whose INVITE is under way (its final response, or the ACK to ours, is still to come)."""

    @property
    def idle(self) -> bool:
        """Whether we may send an offer or an INVITE."""
        return self.state is Offer.NONE and self.invite is Offer.NONE

    def step(self, what: Step) -> None:
        """Take an input. Raises :class:`DialogError` for what a peer, :class:`OutOfTurn` for what we may not do now."""
        following = TABLE.get((self.state, what))
        if following is not None:
            self.state = following
        elif what is Step.OFFER_RECEIVED:
            raise _refused(self.state)
        else:
            raise OutOfTurn(f"{what.name} while the offer under way is {self.state.name}")

    def invite_received(self) -> None:
        """An INVITE within the dialog came. Raises :class:`DialogError` if it has to wait."""
        if self.invite is not Offer.NONE:
            raise _refused(self.invite)
        self.invite = Offer.THEIRS

    def invite_sent(self) -> None:
        """We send an INVITE within the dialog. Raises :class:`OutOfTurn` if that has to wait."""
        if not self.idle:
            raise OutOfTurn("an INVITE, or an offer, is under way in this dialog already")
        self.invite = Offer.OURS

    def invite_done(self) -> None:
        """The INVITE under way has come to its end."""
        self.invite = Offer.NONE


def _refused(whose: Offer) -> DialogError:
    if whose is Offer.OURS:
        return DialogError("our own request is under way", status=491)
    after = (("Retry-After", str(RETRY_AFTER_S)),)
    return DialogError("the request before this one is not answered yet", status=500, headers=after)


def glare_wait_s(*, owns_call_id: bool, chance: float) -> float:
    """Seconds to wait after a 491 (RFC 3261 §14.1): 2.1 to 4 for who owns the Call-ID, else 0 to 2, in steps of 10 ms.

    ``chance`` is a random number from 0 up to 1.
    """
    low, high = (2.1, 4.0) if owns_call_id else (0.0, 2.0)
    return round(low + chance * (high - low), 2)
