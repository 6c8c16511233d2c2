"""G.711 µ-law and A-law (ITU-T G.711), by tables made from the segments' definition.

Linear sound is 16-bit little-endian samples at 8,000 Hz throughout Tandem. No Python runs per sample on the way in:
one translation gives the low bytes, one the high bytes. On the way out a table of all 65,536 samples gives the nearest
code; it is made when something is first encoded.
"""

from array import array
from functools import cache

RATE = 8000
FRAME = 160
"""Samples in 20 ms."""
PCMU, PCMA = 0, 8


def _ulaw_to_linear(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return -magnitude if code & 0x80 else magnitude


def _alaw_to_linear(code: int) -> int:
    code ^= 0x55
    segment, low = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = low + 8 if segment == 0 else low + 0x108 << segment - 1
    return magnitude if code & 0x80 else -magnitude


_LINEAR = {
    PCMU: [_ulaw_to_linear(code) for code in range(256)],
    PCMA: [_alaw_to_linear(code) for code in range(256)],
}
_LOW = {kind: bytes(level & 0xFF for level in levels) for kind, levels in _LINEAR.items()}
_HIGH = {kind: bytes(level >> 8 & 0xFF for level in levels) for kind, levels in _LINEAR.items()}
SILENCE = {PCMU: b"\xff", PCMA: b"\xd5"}


@cache
def _encoder(payload_type: int) -> bytes:
    """The code nearest to each 16-bit sample (index: sample as unsigned 16 bits)."""
    by_level = sorted((level, code) for code, level in enumerate(_LINEAR[payload_type]))
    table = bytearray()
    for (level, code), (higher, _) in zip(by_level, [*by_level[1:], (1 << 17, 0)], strict=True):
        # Of two codes equally near, the higher; the two zeros of µ-law are of one level.
        end = min(32768, level + (higher - level + 1) // 2)
        table += bytes((code,)) * (end + 32768 - len(table))
    return bytes(table[32768:] + table[:32768])


def decode(payload: bytes, payload_type: int) -> bytes:
    """G.711 (0 µ-law, 8 A-law) to linear: twice as many bytes."""
    linear = bytearray(2 * len(payload))
    linear[0::2] = payload.translate(_LOW[payload_type])
    linear[1::2] = payload.translate(_HIGH[payload_type])
    return bytes(linear)


def encode(linear: bytes, payload_type: int) -> bytes:
    """Linear to G.711: half as many bytes; an odd byte at the end is dropped."""
    return bytes(map(_encoder(payload_type).__getitem__, _unsigned(linear)))


def _unsigned(linear: bytes) -> "array[int]":
    samples = array("H")
    samples.frombytes(linear[: len(linear) & ~1])
    return samples
