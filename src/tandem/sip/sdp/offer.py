"""Offer and answer (RFC 3264) for one audio stream: what we offer, what we choose, and whether an answer fits.

Rules that hold everywhere:

- **Encryption.** ``REQUIRE`` takes RTP/SAVP only, ``REFUSE`` RTP/AVP only, ``PREFER`` what is offered, and the encrypted
  stream where both are. Keys under RTP/AVP (RFC 8643) count as RTP/SAVP, after it. Nothing is ever downgraded: what was
  encrypted stays so for the whole call, an answer needs the profile of the offer, and of the suites the best that
  both speak is taken, whatever the order of the offer.
- **Codecs.** The answer names one codec, so that nobody has to guess. It follows the offer's order (RFC 3264 §6.1), or
  ours if the terms say so; within a call, the codec that is spoken stays while it is offered.
- **A refusal** says what was found and what is spoken; it goes into the Warning of a 488.

Left out: capability negotiation (RFC 5939), and offers of ours with keys under RTP/AVP.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from tandem.sip.errors import IncompatibleMedia
from tandem.sip.sdp.description import (
    CODECS,
    NOWHERE,
    Audio,
    Description,
    Format,
    family_of,
    is_loopback,
    is_unicast,
    shown,
)
from tandem.sip.sdp.sdes import SUITES, Crypto

_LAWS = ("PCMU", "PCMA")
_ANSWERED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
_EVENT_TYPES = {8000: 101, 48_000: 102}
_EVENTS = "0-15"  # RFC 4733 §3.2: the sixteen keys

NewKey = Callable[[int], bytes]
"""Gives so many random bytes."""


class Encryption(StrEnum):
    """Which profile a side agrees to: RTP/SAVP (SRTP) only, the one that is offered, or RTP/AVP only."""

    REQUIRE = "require"
    PREFER = "prefer"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaTerms:
    """What this side agrees to; codecs and suites best first."""

    encryption: Encryption
    codecs: tuple[str, ...] = tuple(CODECS)
    suites: tuple[str, ...] = tuple(SUITES)
    own_order: bool = False
    comfort_noise: bool = True

    def within(self, ours: Audio | None) -> "MediaTerms":
        """The terms for going on with a call in which we described ourselves so: encryption stays."""
        return replace(self, encryption=Encryption.REQUIRE) if ours is not None and ours.secure else self


def make_offer(
    terms: MediaTerms, *, host: str, port: int, before: Audio | None = None, new_key: NewKey = secrets.token_bytes
) -> Audio:
    """What we offer, for a new call or, with what we described ``before``, within one: then places and keys stay."""
    terms = terms.within(before)
    secure = terms.encryption is not Encryption.REFUSE
    return Audio(
        host=host,
        port=port,
        secure=secure,
        formats=(formats := _offered_formats(terms, before)),
        events=_offered_events(formats, before),
        cryptos=_offered_keys(terms, before, new_key) if secure else (),
        opportunistic=secure and before is not None and before.opportunistic,
        feedback=before.feedback if before else False,
        rtcp_mux=True,
        index=before.index if before else 0,
        lines=before.lines if before else (),
    )


def answer_audio(
    offer: Description,
    terms: MediaTerms,
    *,
    host: str,
    port: int,
    before: Audio | None = None,
    new_key: NewKey = secrets.token_bytes,
) -> tuple[Audio, Audio]:
    """Choose from an offer: what we answer, and the offered stream narrowed to what was chosen.

    ``before`` is what we described in this call before this offer. Raises :class:`IncompatibleMedia` with the text for
    a 488's Warning header.
    """
    terms = terms.within(before)
    audio, codec, chosen = _chosen(offer, terms, before, host)
    keys = (_answered_key(chosen, before, new_key),) if chosen else ()
    theirs = replace(audio, formats=(codec,), cryptos=(chosen,) if chosen else ())
    event = theirs.event
    ours = Audio(
        host=host,
        port=port,
        secure=audio.secure,
        formats=(replace(codec, parameters=CODECS[codec.name].parameters),),
        events=(_event(event.payload_type, event.clock),) if event else (),
        comfort_noise=audio.comfort_noise and terms.comfort_noise and codec.clock == 8000,
        direction=_ANSWERED[audio.direction],
        cryptos=keys,
        opportunistic=audio.opportunistic,
        feedback=audio.feedback,
        rtcp_mux=audio.rtcp_mux,
        index=audio.index,
        lines=audio.lines,
    )
    return ours, theirs


def check_answer(offered: Audio, answer: Description) -> tuple[Audio, Audio]:
    """What was agreed on: our offer and the answer to it, both narrowed to the codec and suite that were chosen.

    Raises :class:`IncompatibleMedia` if the answer does not fit the offer.
    """
    lines = len(offered.lines) or 1
    if len(answer.media_lines) != lines:
        raise IncompatibleMedia(f"the answer has {len(answer.media_lines)} media lines, the offer {lines}")
    theirs = next((audio for audio in answer.audios if audio.index == offered.index), None)
    if theirs is None:
        raise IncompatibleMedia(f"the answer refuses our audio: {_shown(answer.media_lines[offered.index])}")
    if offered.opportunistic:
        theirs = _opportunistic(theirs)
    if theirs.secure != offered.secure:
        raise IncompatibleMedia(f"the answer is {theirs.profile}, the offer was {offered.profile}")
    _check_address(theirs, offered.host)
    agreed = [f for f in theirs.formats if any(_same(f, mine) for mine in offered.formats)]
    if not agreed:
        raise IncompatibleMedia(f"the answer chooses none of our codecs: {_names(theirs)}")
    codec = agreed[0]
    ours_crypto = theirs_crypto = None
    if offered.secure:
        ours_crypto, theirs_crypto = _agreed_keys(offered, theirs)
    theirs = replace(theirs, formats=(codec,), cryptos=(theirs_crypto,) if theirs_crypto else ())
    ours = replace(
        offered,
        formats=tuple(mine for mine in offered.formats if _same(codec, mine)),
        events=tuple(mine for mine in offered.events if theirs.event and _same(theirs.event, mine)),
        comfort_noise=offered.comfort_noise and theirs.comfort_noise,
        cryptos=(ours_crypto,) if ours_crypto else (),
        rtcp_mux=offered.rtcp_mux and theirs.rtcp_mux,
    )
    return ours, replace(theirs, rtcp_mux=ours.rtcp_mux)


# Choosing


def _chosen(
    offer: Description, terms: MediaTerms, before: Audio | None, host: str
) -> tuple[Audio, Format, Crypto | None]:
    """The first stream that suits us, with its codec and key; if there is none, why the best one does not."""
    why: IncompatibleMedia | None = None
    for audio in _streams(offer, terms):
        try:
            _check_address(audio, host)
            return audio, _codec(audio, terms, before), _suite(audio, terms) if audio.secure else None
        except IncompatibleMedia as error:
            why = why or error
    assert why is not None, "there is a stream"
    raise why


def _streams(offer: Description, terms: MediaTerms) -> list[Audio]:
    """The audio streams that suit our encryption, best first; at least one."""
    if not offer.audios:
        found = ", ".join(map(_shown, offer.media_lines)) or "no media"
        raise IncompatibleMedia(f"audio over RTP/AVP or RTP/SAVP is expected; offered: {found}")
    secure = [audio for audio in offer.audios if audio.secure]
    plain = [audio for audio in offer.audios if not audio.secure]
    if terms.encryption is not Encryption.REFUSE:
        keyed = [_opportunistic(audio) for audio in plain]
        secure += [audio for audio in keyed if audio.secure]
        plain = [audio for audio in keyed if not audio.secure]
    fitting = {Encryption.REQUIRE: secure, Encryption.REFUSE: plain, Encryption.PREFER: secure + plain}[
        terms.encryption
    ]
    if not fitting and secure:
        raise IncompatibleMedia("SRTP (RTP/SAVP) is offered, but media is not encrypted here; offer RTP/AVP")
    if not fitting:
        raise IncompatibleMedia("SRTP (RTP/SAVP) is required here, RTP/AVP was offered")
    return fitting


def _opportunistic(audio: Audio) -> Audio:
    """A stream under RTP/AVP as an encrypted one, if it brings keys that can be used (RFC 8643 §3)."""
    return audio if audio.secure or not audio.cryptos else replace(audio, secure=True, opportunistic=True)


def _check_address(audio: Audio, ours: str) -> None:
    if not is_unicast(audio.host):
        raise IncompatibleMedia("the connection line (c=) does not name the address of one host")
    if is_loopback(audio.host) and not is_loopback(ours):  # we would send to ourselves
        raise IncompatibleMedia("the connection line (c=) names a loopback address, and you are on another machine")
    # RFC 6157 §4: media cannot go from one to the other.
    if family_of(audio.host) != family_of(ours) and audio.host not in NOWHERE:
        raise IncompatibleMedia(f"media comes by {family_of(audio.host)}, and {family_of(ours)} is spoken here")


def _codec(audio: Audio, terms: MediaTerms, before: Audio | None) -> Format:
    fitting = [f for f in audio.formats if f.name in terms.codecs]
    if not fitting:
        spoken = ", ".join(terms.codecs)
        raise IncompatibleMedia(f"no codec in common; offered: {_names(audio)}; spoken: {spoken}")
    if terms.own_order:
        fitting.sort(key=lambda f: terms.codecs.index(_one_law(f.name, terms.codecs)))
    if before is not None:
        fitting.sort(key=lambda f: f not in before.formats and f.name != before.formats[0].name)
    return fitting[0]


def _one_law(name: str, codecs: tuple[str, ...]) -> str:
    """The name by which a codec is ranked: between the two laws of G.711, which cost the same, the offer's order decides."""
    return min(_LAWS, key=codecs.index) if name in _LAWS and set(_LAWS) <= set(codecs) else name


def _suite(audio: Audio, terms: MediaTerms) -> Crypto:
    usable = [crypto for crypto in audio.cryptos if crypto.suite in terms.suites]
    if not usable:
        found = ", ".join([*(c.suite for c in audio.cryptos), *map(str, audio.passed_over)]) or "none"
        raise IncompatibleMedia(f"no usable key; offered: {found}; spoken: {', '.join(terms.suites)}")
    return min(usable, key=lambda crypto: terms.suites.index(crypto.suite))


def _answered_key(chosen: Crypto, before: Audio | None, new_key: NewKey) -> Crypto:
    """Our own key, under the tag that was chosen; the one in use stays while its suite does."""
    kept = [c.key for c in before.cryptos if c.suite == chosen.suite] if before else []
    return replace(chosen, key=kept[0] if kept else new_key(SUITES[chosen.suite]))


def _offered_formats(terms: MediaTerms, before: Audio | None) -> tuple[Format, ...]:
    """Our codecs; a payload type that is in use in this call goes on meaning what it means (RFC 3264 §8.3.2)."""
    kept = {f.name: f for f in before.formats} if before else {}
    used = {f.payload_type for f in (*before.formats, *before.events)} if before else set()
    offered = (kept.get(name) or CODECS[name] for name in terms.codecs)
    return tuple(f for f in offered if f.name in kept or f.payload_type not in used)


def _offered_events(formats: tuple[Format, ...], before: Audio | None) -> tuple[Format, ...]:
    kept = {event.clock: event for event in before.events} if before else {}
    used = {f.payload_type for f in formats} | {event.payload_type for event in kept.values()}
    clocks = sorted({f.clock for f in formats})
    offered = (kept.get(clock) or _event(_EVENT_TYPES[clock], clock) for clock in clocks)
    return tuple(event for event in offered if event.clock in kept or event.payload_type not in used)


def _offered_keys(terms: MediaTerms, before: Audio | None, new_key: NewKey) -> tuple[Crypto, ...]:
    kept = {c.suite: c.key for c in before.cryptos} if before else {}
    return tuple(
        Crypto(tag=tag, suite=suite, key=kept.get(suite) or new_key(SUITES[suite]))
        for tag, suite in enumerate(terms.suites, 1)
    )


def _agreed_keys(offered: Audio, theirs: Audio) -> tuple[Crypto, Crypto]:
    for crypto in theirs.cryptos:
        for mine in offered.cryptos:
            if (mine.tag, mine.suite) == (crypto.tag, crypto.suite):
                return mine, crypto
    found = ", ".join([*(c.suite for c in theirs.cryptos), *map(str, theirs.passed_over)]) or "none"
    raise IncompatibleMedia(f"the answer chooses none of our keys: {found}")


def _same(theirs: Format, mine: Format) -> bool:
    """Whether a format of an answer is one of the offer: by name, and under the number that was offered."""
    return (theirs.name, theirs.clock, theirs.payload_type) == (mine.name, mine.clock, mine.payload_type)


def _event(payload_type: int, clock: int) -> Format:
    return Format(payload_type=payload_type, name="telephone-event", clock=clock, parameters=_EVENTS)


def _names(audio: Audio) -> str:
    return ", ".join([*(f.name for f in audio.formats), *audio.others]) or "none"


def _shown(line: str) -> str:
    """A media line for people, without its formats."""
    kind, port, profile, *_ = line[2:].split()
    return f"{shown(kind)} over {shown(profile)}" + (" (port 0)" if port == "0" else "")
