"""How good a call was: an estimated mean opinion score by the E-model (ITU-T G.107), from loss and delay.

    R = 93.2 - Idd(delay) - Ie,eff(codec, loss)

93.2 is what the model's default values give for everything that is not measured here (clause 7.7 of G.107: noise, loudness,
echo under control). ``Ie`` and ``Bpl`` of G.711 are those of G.113's appendix I for a phone that does not conceal losses,
so that the score is what a caller hears at worst. For G.722 and Opus there are none on the scale of narrowband calls: G.722
keeps the waveform as G.711 does and gets its values, Opus those of GSM EFR, the nearest relative in that appendix. Left
out: bursts (loss counts as random), wideband's bonus, and the caller's side of the line.
"""

import math
from dataclasses import dataclass

_DEFAULT_R = 93.2
_FRAME_S = 0.02
_WAVEFORM = (0.0, 4.3)
IMPAIRMENT = {"PCMU": _WAVEFORM, "PCMA": _WAVEFORM, "G722": _WAVEFORM, "opus": (5.0, 10.0)}
"""``Ie`` and ``Bpl`` of each codec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Of what we received: share of packets lost (0 to 1), and jitter; what the peer's reports say, if there were any."""

    codec: str
    lost: float
    jitter_s: float
    round_trip_s: float | None = None
    remote_lost: float | None = None

    @property
    def delay_s(self) -> float:
        """From mouth to ear, as far as it can be told: half the round trip, a frame, and a buffer for the jitter."""
        return (self.round_trip_s or 0.0) / 2 + _FRAME_S + 2 * self.jitter_s

    @property
    def rating(self) -> float:
        """The factor R, at most 93.2; below 50 nobody is content."""
        ie, bpl = IMPAIRMENT[self.codec]
        percent = 100 * min(1.0, max(0.0, self.lost))
        return _DEFAULT_R - _delay_impairment(self.delay_s) - (ie + (95 - ie) * percent / (percent + bpl))

    @property
    def mos(self) -> float:
        """The mean opinion score, 1.0 (bad) to 4.4 (G.711 without a flaw)."""
        r = self.rating
        if r <= 0:
            return 1.0
        return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuality:
    """What a stream came to: packets received, lost on the way, late (came when they were given up), not the peer's."""

    received: int
    lost: int
    late: int
    dropped: int
    quality: Quality

    @property
    def fields(self) -> dict[str, object]:
        """What the log says of it; there is no score for a peer that was never heard."""
        quality, heard = self.quality, self.received > 0
        return {
            "codec": quality.codec,
            "received": self.received,
            "lost": self.lost,
            "late": self.late,
            "dropped": self.dropped,
            "jitter_ms": round(1000 * quality.jitter_s, 1) if heard else None,
            "round_trip_ms": None if quality.round_trip_s is None else round(1000 * quality.round_trip_s),
            "remote_lost": None if quality.remote_lost is None else round(quality.remote_lost, 4),
            "mos": round(quality.mos, 2) if heard else None,
        }


def _delay_impairment(delay_s: float) -> float:
    """``Idd`` of G.107: none up to 100 ms."""
    if delay_s <= 0.1:
        return 0.0
    x = math.log2(delay_s / 0.1)
    return 25 * (_bent(x) - 3 * _bent(x / 3) + 2)


def _bent(x: float) -> float:
    return math.pow(1 + math.pow(x, 6), 1 / 6)
