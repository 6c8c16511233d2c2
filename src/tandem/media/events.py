"""What an audio stream reports to its driver."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfReceived:
    """The peer sent a DTMF digit."""

    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What was played has come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfSent:
    """The last of our DTMF digits has gone out."""


StreamEvent = DtmfReceived | Played | DtmfSent
