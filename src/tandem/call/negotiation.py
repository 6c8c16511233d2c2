"""Offer and answer of one dialog (RFC 3264): what is said about media, when it may be said, and what media is told.

The descriptions themselves are :mod:`tandem.sip.sdp.description`'s, whose turn it is
:mod:`tandem.sip.machines.offeranswer`'s. A call that was
forked has one of these for each dialog, all with the same offer and the same media session.
"""

import secrets
from dataclasses import dataclass, replace

from tandem.media.session import MediaSession, Stream
from tandem.sip.machines.offeranswer import Offer, OfferAnswer, Step
from tandem.sip.message.body import DESCRIPTION
from tandem.sip.sdp.description import CODECS, Audio, build_sdp, parse_sdp
from tandem.sip.sdp.offer import Encryption, MediaTerms, answer_audio, check_answer, make_offer

CONTENT_TYPE = DESCRIPTION


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPolicy:
    """Ports for RTP on ``host`` are taken from ``ports``.

    ``codecs`` are those that are spoken, best first; a peer's order goes before ours, unless ``own_order``.
    """

    host: str
    encryption: Encryption
    ports: range = range(1)
    codecs: tuple[str, ...] = tuple(CODECS)
    own_order: bool = False

    @property
    def terms(self) -> MediaTerms:
        """The policy as offer and answer know it."""
        return MediaTerms(encryption=self.encryption, codecs=self.codecs, own_order=self.own_order)


class Negotiation:
    """The media of one dialog as it is agreed on; ``media`` is open, and is started by the first agreement."""

    def __init__(self, media: MediaSession, policy: MediaPolicy) -> None:
        self.media = media
        self.offer_answer = OfferAnswer()
        self.ours: Audio | None = None
        self.theirs: Audio | None = None
        self.direction = "sendrecv"
        """What we send and receive at most: ``sendonly`` while we hold the peer, another leg's direction in a bridge."""
        self._policy = policy
        self._session_id = str(secrets.randbelow(2**31))
        self._version = 0
        self._said: Audio | None = None
        self._before: Audio | None = None
        self._waiting: tuple[Audio, Audio] | None = None

    @property
    def secure(self) -> bool:
        """Whether SRTP was agreed on."""
        return self.theirs is not None and self.theirs.secure

    @property
    def held(self) -> bool:
        """Whether either side holds the other: then silence means nothing (a side that only sends may play no music)."""
        return self.direction != "sendrecv" or (self.theirs is not None and direction_of(self.theirs) != "sendrecv")

    def fork(self) -> "Negotiation":
        """The negotiation of a further dialog that answers the same offer of ours."""
        other = Negotiation(self.media, self._policy)
        other.ours, other._said = self.ours, self._said
        other._session_id, other._version = self._session_id, self._version
        other.offer_answer.state = self.offer_answer.state
        return other

    def describe(self) -> bytes:
        """Our current description."""
        assert self.ours is not None, "an offer or an answer came before"
        return build_sdp(self.ours, session_id=self._session_id, version=self._version)

    def offer(self, *, whole: bool = False) -> bytes:
        """Make an offer: the first, or one that repeats what is agreed, or with ``whole`` all that we can.

        Raises :class:`OutOfTurn`.
        """
        self.offer_answer.step(Step.OFFER_SENT)
        self._before = before = self.ours
        if before is None or whole:
            before = make_offer(self._policy.terms, host=self._policy.host, port=self.media.port, before=before)
        self._say(replace(before, direction=self.direction))
        return self.describe()

    def answer(self, body: bytes) -> bytes:
        """Answer an offer of the peer's, and start media by it. Raises what :meth:`take_offer` does."""
        self.take_offer(body)
        return self.answer_offer()

    def take_offer(self, body: bytes) -> Audio:
        """Read an offer of the peer's, to be answered by :meth:`answer_offer` or refused by :meth:`refuse_offer`.

        Returns the peer's side of it. Raises :class:`DialogError` out of turn, :class:`SdpError` and
        :class:`IncompatibleMedia` for what it says; nothing has changed then.
        """
        self.offer_answer.step(Step.OFFER_RECEIVED)
        try:
            ours, theirs = answer_audio(
                parse_sdp(body), self._policy.terms, host=self._policy.host, port=self.media.port, before=self.ours
            )
        except BaseException:
            self.offer_answer.step(Step.WITHDRAWN)
            raise
        self._waiting = ours, theirs
        return theirs

    def answer_offer(self) -> bytes:
        """Answer the offer that was taken, and start media by it."""
        assert self._waiting is not None, "an offer was taken before"
        (ours, theirs), self._waiting = self._waiting, None
        self._say(replace(ours, direction=narrowed(ours.direction, self.direction)))
        self._agree(theirs)
        self.offer_answer.step(Step.ANSWER_SENT)
        return self.describe()

    def refuse_offer(self) -> None:
        """Refuse the offer that was taken: what was agreed on before stays in force."""
        self._waiting = None
        self.offer_answer.step(Step.WITHDRAWN)

    def accept(self, body: bytes) -> None:
        """Take the answer to our offer; a description that answers nothing is passed over (RFC 3261 §13.2.1).

        Raises :class:`SdpError` and :class:`IncompatibleMedia`.
        """
        if self.offer_answer.state is not Offer.OURS:
            return
        try:
            self.preview(body)
        except BaseException:
            self.withdraw()
            raise
        self.offer_answer.step(Step.ANSWER_RECEIVED)

    def preview(self, body: bytes) -> None:
        """Hear what a provisional response promises, while the answer itself is still to come."""
        assert self.ours is not None, "our offer came before"
        self.ours, theirs = check_answer(self.ours, parse_sdp(body))
        self._agree(theirs)

    def withdraw(self) -> None:
        """Our offer was refused, or came to nothing: what was agreed on before stays in force."""
        if self.offer_answer.state is not Offer.NONE:
            self.offer_answer.step(Step.WITHDRAWN)
            self.ours = self._before or self.ours

    def _say(self, ours: Audio) -> None:
        if ours != self._said:
            self._version += 1  # RFC 3264 §8: a description that says something else has a higher version
        self.ours = self._said = ours

    def _agree(self, theirs: Audio) -> None:
        assert self.ours is not None
        self.theirs = theirs
        self.media.start(stream_of(self.ours, theirs))


def narrowed(direction: str, most: str) -> str:
    """A direction without what another one does not have; ``sendrecv`` narrowed to ``sendonly`` is ``sendonly``."""
    sends = all(each in ("sendrecv", "sendonly") for each in (direction, most))
    receives = all(each in ("sendrecv", "recvonly") for each in (direction, most))
    return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (sends, receives), "inactive"
    )


def direction_of(theirs: Audio) -> str:
    """What a peer sends and receives; the hold of old, an address of zeros, is ``sendonly`` (RFC 3264 §8.4)."""
    return narrowed(theirs.direction, "sendonly") if theirs.held else theirs.direction


def stream_of(ours: Audio, theirs: Audio) -> Stream:
    """What media needs to know of an agreement."""
    secure = ours.secure
    return Stream(
        host=theirs.host,
        port=theirs.port,
        codec=theirs.formats[0].name,
        payload_type=theirs.formats[0].payload_type,
        event_type=theirs.event_type,
        event_clock=theirs.event.clock if theirs.event else 8000,
        tones=theirs.event is None,
        rtcp=None if theirs.rtcp_mux else theirs.rtcp_address,
        suite=ours.cryptos[0].suite if secure else "",
        send_key=ours.cryptos[0].key if secure else b"",
        receive_key=theirs.cryptos[0].key if secure else b"",
        send=not theirs.held and ours.direction not in ("recvonly", "inactive"),
        held=ours.direction != "sendrecv" or direction_of(theirs) != "sendrecv",
    )
