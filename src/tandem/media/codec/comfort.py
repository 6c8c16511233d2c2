"""Comfort noise (RFC 3389, payload type 13): what a peer that stops sending in pauses says about its background.

Kept of it is the level; the spectrum, which is optional to send and to use (§3), is left out: the noise is white, as
G.711's own Appendix II does without coefficients.
"""

import hashlib
from array import array
from functools import cache

from tandem.media.codec import g711

PAYLOAD_TYPE = 13
_QUIETEST = 78
"""Levels of -78 dBov and below are less than one step of 16-bit samples' noise: silence."""
_UNIFORM_DBOV = 4.77  # uniform noise over the whole range of samples lies 4.77 dB below overload


def payload(level: int) -> bytes:
    """The payload that tells of noise at ``-level`` dBov."""
    return bytes((min(level, 127),))


def level_of(payload: bytes) -> int:
    """The level in -dBov that a payload tells, 0 to 127; an empty one is silence."""
    return payload[0] & 0x7F if payload else 127


def noise(level: int, samples: int, start: int = 0) -> bytes:
    """So many samples of linear noise at ``-level`` dBov, from place ``start`` of an endless noise."""
    if level >= _QUIETEST:
        return bytes(2 * samples)
    second = _second(level)
    begin = 2 * (start % g711.RATE)
    return (second * (samples // g711.RATE + 2))[begin : begin + 2 * samples]


@cache
def _second(level: int) -> bytes:
    """A second of white noise, always the same: nobody hears a second that comes again in noise."""
    white = array("h", hashlib.shake_128(b"comfort noise").digest(2 * g711.RATE))
    gain = min(1.0, 10 ** ((_UNIFORM_DBOV - level) / 20))
    return array("h", [int(sample * gain) for sample in white]).tobytes()
